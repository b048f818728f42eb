//! The user's functions, called back: who owns their `ctx`, and what their answers become.

use std::ffi::c_void;
use std::fmt::{self, Display, Write};
use std::str::Utf8Error;

use crate::error::Foreign;
use crate::ffi::border::blank::with_blank;
use crate::ffi::border::guard::Outcome;
use crate::ffi::border::sized::Grows;
use crate::ffi::callback::{SHARDSPEC_CALLBACK_OK_IN_ERR, shardspec_destroy_fn};
use crate::ffi::error::{
    SHARDSPEC_CALLBACK_FAILED, SHARDSPEC_MESSAGE_CAPACITY, SHARDSPEC_OK, shardspec_error,
    shardspec_status,
};
use crate::memory::{Memory, Text, text, try_box};
use crate::model::Error;
use crate::unwind;

/// A callback's `ctx`, owned: `destroy` is called when this is dropped, and so exactly once.
///
/// Registered objects keep it behind an `Arc`, so that the last call that still runs ends its life.
///
/// # Safety
///
/// The header's section on callbacks is the contract of each function that comes with a `ctx`. The
/// function may be called with this `ctx` as its type says, on any thread and on several at once,
/// until `destroy(ctx)` has returned. `destroy` may be called once, on any thread. A function
/// follows the pointers that it receives as far as its comment says, and only until it returns.
/// What it writes is a value of the type that is there. `equal` accepts the `ctx` of every object
/// with the same type name.
#[derive(Debug)]
pub(crate) struct Context {
    ctx: *mut c_void,
    destroy: shardspec_destroy_fn,
}

// SAFETY: the library never follows `ctx`, and the contract of `Context` is that its functions may
// run on any thread.
unsafe impl Send for Context {}
// SAFETY: a shared `Context` gives only the address, and the contract of `Context` is that its
// functions may run on several threads at once.
unsafe impl Sync for Context {}

impl Context {
    /// The `ctx` for callbacks.
    pub(crate) fn ctx(&self) -> *mut c_void {
        self.ctx
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: the contract of `Context` is that `destroy` may be called once with this
            // `ctx`, and a context is dropped once.
            unwind::call("destroy", || unsafe { destroy(self.ctx) });
        }
    }
}

/// The body of an export that takes over a `ctx`: it is owned before `err` is read, so that
/// `destroy` runs whatever is wrong with the other arguments.
pub(crate) fn owning(
    ctx: *mut c_void, destroy: shardspec_destroy_fn, body: impl FnOnce(Context) -> Outcome,
) -> impl FnOnce() -> Outcome {
    let context = Context { ctx, destroy };
    move || body(context)
}

/// A table of callbacks.
///
/// # Safety
///
/// Its second field, 8 bytes from the start, is `destroy`.
pub(crate) unsafe trait Table: Grows {}

/// [`owning`], where `destroy` is in a table of callbacks. It is found if the table's `struct_size`
/// says that it is there, whatever else is wrong with the table.
///
/// # Safety
///
/// If it is not null, `table` points to a `u64` and to as many bytes as that says.
pub(crate) unsafe fn owning_table<T: Table>(
    ctx: *mut c_void, table: *const T, body: impl FnOnce(Context) -> Outcome,
) -> impl FnOnce() -> Outcome {
    const AT: usize = size_of::<u64>();
    const END: u64 = (AT + size_of::<shardspec_destroy_fn>()) as u64;
    let mut destroy = None;
    // SAFETY: the contract of `owning_table` is that a `u64` is at `table`. It may not be aligned.
    if !table.is_null() && unsafe { table.cast::<u64>().read_unaligned() } >= END {
        // SAFETY: the struct at `table` says that it has the bytes of its second field, and so it
        // has, by the contract of `owning_table`. That field is `destroy`, by the contract of
        // `Table`.
        destroy = unsafe { table.byte_add(AT).cast::<shardspec_destroy_fn>().read_unaligned() };
    }
    owning(ctx, destroy, body)
}

/// The status of success of the callbacks of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Success(shardspec_status);

impl Success {
    /// Where nothing else is asked for.
    pub(crate) const OK: Self = Self(SHARDSPEC_OK);

    /// Reads the fields `success_status`, which is 0 or a number that is no failure, and
    /// `reserved`.
    pub(crate) fn of(status: shardspec_status, reserved: i32) -> Result<Self, Error> {
        if reserved != 0 {
            return Err(Error::invalid("reserved", text!("{reserved} is not 0")));
        }
        if status == SHARDSPEC_OK || status >= SHARDSPEC_CALLBACK_OK_IN_ERR {
            return Ok(Self(status));
        }
        let problem = text!(
            "{status} could be the status of a failure; pass 0, SHARDSPEC_CALLBACK_OK or a number \
             from SHARDSPEC_USER_STATUS on"
        );
        Err(Error::invalid("success_status", problem))
    }

    /// Runs a callback and returns its answer, from where this says that it is: what it returned,
    /// or the status in `err`, which a callback that threw has left as it was.
    #[inline]
    fn answer(
        self, err: *mut shardspec_error,
        callback: impl Fn(*mut shardspec_error) -> shardspec_status,
    ) -> shardspec_status {
        if self.0 != SHARDSPEC_CALLBACK_OK_IN_ERR {
            return callback(err);
        }
        // SAFETY: `err` is this call's, and `with_blank` wrote all of it.
        unsafe { (*err).status = SHARDSPEC_CALLBACK_FAILED };
        callback(err);
        // SAFETY: `err` is this call's. A callback writes nothing there but fields of an error, by
        // the contract of `Context`.
        unsafe { (*err).status }
    }
}

/// Runs a callback. A status that is not that of success becomes an error that passes through the
/// library unchanged. `function` is its name in the header, and `name` says which callback it was
/// where it left no message. It is called once.
#[inline]
pub(crate) fn call(
    function: &'static str, name: impl Display, success: Success,
    callback: impl Fn(*mut shardspec_error) -> shardspec_status,
) -> Result<(), Error> {
    if unwind::is_held() {
        return Err(failure(&name, success, None, None).into());
    }
    // An `Error` is large, and would be moved on the way out also where there is none.
    let failed = with_blank(|err| {
        let status = unwind::call(function, || success.answer(err, &callback));
        if status == Some(success.0) {
            return None;
        }
        // SAFETY: `with_blank` wrote all of `err`. A callback writes nothing there but fields of an
        // error, by the contract of `Context`, and any bits are a value of these.
        Some(failure(&name, success, status, Some(unsafe { &*err })))
    });
    failed.map_or(Ok(()), |failed| Err(failed.into()))
}

/// The message of a callback that failed, if there was memory for it.
struct Failed(Memory<Box<Foreign>>);

impl From<Failed> for Error {
    #[cold]
    #[inline(never)]
    fn from(Failed(said): Failed) -> Self {
        said.map_or_else(Self::from, Self::Foreign)
    }
}

/// Asks a callback that can't fail. Left by unwinding, it answers 0: not equal, and no hash.
pub(crate) fn ask<T: Default>(name: &'static str, callback: impl FnOnce() -> T) -> T {
    unwind::call(name, callback).unwrap_or_default()
}

/// The failure of a callback. A callback that was left by unwinding has no status.
#[cold]
fn failure(
    name: &dyn Display, Success(success): Success, status: Option<shardspec_status>,
    err: Option<&shardspec_error>,
) -> Failed {
    let said = match (status, err) {
        (Some(SHARDSPEC_OK), _) => broken(
            SHARDSPEC_OK,
            text!(
                "the callback {name} returned 0 where {success} means success: it probably threw"
            ),
        ),
        (Some(status @ ..0), _) => {
            broken(status, text!("the callback {name} returned {status}, which is not a status"))
        }
        (Some(status), Some(err)) => Foreign {
            status,
            first_shard: err.first_shard,
            second_shard: err.second_shard,
            dim: err.dim,
            got: err.got,
            limit: err.limit,
            index: err.index,
            message: match MessageLeft::of(err) {
                MessageLeft([]) if status == SHARDSPEC_CALLBACK_FAILED => text!(
                    "the callback {name} ended without a status in its err: it probably threw"
                ),
                MessageLeft([]) => {
                    text!("the callback {name} returned status {status} without a message")
                }
                message => text!("{message}"),
            },
        },
        _ => broken(0, text!("the callback {name} was left by unwinding")),
    };
    Failed(try_box(said))
}

/// The failure of a callback that returned `got`, which says nothing.
fn broken(got: shardspec_status, message: Text) -> Foreign {
    let status = SHARDSPEC_CALLBACK_FAILED;
    Foreign {
        status,
        first_shard: -1,
        second_shard: -1,
        dim: -1,
        got: got.into(),
        limit: 0,
        index: -1,
        message,
    }
}

/// The message of an error, up to its first NUL. It is shown without a character that is cut off at
/// its end; other bytes that are no UTF-8 are replaced.
pub(crate) struct MessageLeft<'a>(pub(crate) &'a [u8]);

impl<'a> MessageLeft<'a> {
    fn of(err: &'a shardspec_error) -> Self {
        // SAFETY: `message` has as many elements as `SHARDSPEC_MESSAGE_CAPACITY`, and `c_char` is
        // `u8` or `i8`.
        let bytes =
            unsafe { &*(&raw const err.message).cast::<[u8; SHARDSPEC_MESSAGE_CAPACITY]>() };
        Self(bytes.split(|byte| *byte == 0).next().unwrap_or_default())
    }
}

impl Display for MessageLeft<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chunks = self.0.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            f.write_str(chunk.valid())?;
            let begun = |error: Utf8Error| error.error_len().is_none();
            let is_last = chunks.peek().is_none();
            let is_cut_off = is_last && str::from_utf8(chunk.invalid()).is_err_and(begun);
            if !chunk.invalid().is_empty() && !is_cut_off {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}
