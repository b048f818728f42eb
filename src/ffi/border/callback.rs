//! The user's functions, called back: who owns their `ctx`, and what their answers become.

use std::ffi::{CStr, c_char, c_void};
use std::fmt::Display;
use std::mem::MaybeUninit;

use crate::core::Error;
use crate::core::error::Foreign;
use crate::ffi::border::guard::Outcome;
use crate::ffi::border::sized::Grows;
use crate::ffi::callback::shardspec_destroy_fn;
use crate::ffi::error::{
    SHARDSPEC_MESSAGE_CAPACITY, SHARDSPEC_OK, shardspec_error, shardspec_status,
};
use crate::memory::{Text, text};

/// A callback's `ctx`, owned: `destroy` is called when this is dropped, and so exactly once.
///
/// Registered objects keep it behind an `Arc`, so that the last call that still runs ends its life.
#[derive(Debug)]
pub(crate) struct Context {
    ctx: *mut c_void,
    destroy: shardspec_destroy_fn,
}

// SAFETY: the library never follows `ctx`; the header asks of the user that callbacks and `destroy`
// may run on any thread.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    /// What callbacks are given.
    pub(crate) fn ctx(&self) -> *mut c_void {
        self.ctx
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: the user passed both for this call, which happens once.
            unsafe { destroy(self.ctx) }
        }
    }
}

/// The body of an export that takes over a `ctx`: it is owned before `err` is looked at, so that
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

/// [`owning`], where `destroy` is in a table of callbacks: it is found whatever else is wrong with
/// the table, its `struct_size` included.
///
/// # Safety
///
/// If it is not null, `table` points to the first 16 bytes of a table at least.
pub(crate) unsafe fn owning_table<T: Table>(
    ctx: *mut c_void, table: *const T, body: impl FnOnce(Context) -> Outcome,
) -> impl FnOnce() -> Outcome {
    let destroy = if table.is_null() {
        None
    } else {
        // SAFETY: the caller's promise, and that of `Table`. The table may not be aligned.
        unsafe { table.byte_add(8).cast::<shardspec_destroy_fn>().read_unaligned() }
    };
    owning(ctx, destroy, body)
}

/// Runs a callback; its answer, if it is not `SHARDSPEC_OK`, becomes an error that passes through
/// the library unchanged. `name` says which callback it was where it left no message.
pub(crate) fn call(
    name: impl Display, callback: impl FnOnce(*mut shardspec_error) -> shardspec_status,
) -> Result<(), Error> {
    let mut place = MaybeUninit::uninit();
    let err = shardspec_error::init(&mut place);
    match callback(err) {
        SHARDSPEC_OK => Ok(()),
        // SAFETY: what `init` left out is the message's, and a callback that writes that ends it.
        status => Err(Error::Foreign(Box::new(unsafe { foreign(&name, status, err) }))),
    }
}

/// What a callback said.
///
/// # Safety
///
/// `err` points to an error, of the message of which the bytes up to a NUL are written, if there is
/// one, and else all.
#[cold]
unsafe fn foreign(
    name: &dyn Display, status: shardspec_status, err: *mut shardspec_error,
) -> Foreign {
    // SAFETY: the caller's promise; the NUL written here ends a message that has none.
    let text = unsafe {
        let message = (&raw mut (*err).message).cast::<c_char>();
        message.add(SHARDSPEC_MESSAGE_CAPACITY - 1).write(0);
        CStr::from_ptr(message)
    };
    let message = match &*text.to_string_lossy() {
        "" => text!("the callback {name} returned status {status} without a message"),
        text => Text::copy(text),
    };
    // SAFETY: the caller's promise.
    unsafe {
        Foreign {
            status,
            first_shard: (*err).first_shard,
            second_shard: (*err).second_shard,
            dim: (*err).dim,
            got: (*err).got,
            limit: (*err).limit,
            message,
        }
    }
}
