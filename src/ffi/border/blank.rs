//! Errors for callbacks to write into.
//!
//! A callback may forget the NUL at the end of its message. Every byte that it did not write must
//! then be zero, and not a leftover of the stack. Clearing a thousand bytes takes longer than most
//! callbacks. So each thread keeps one error whose message is clear, which is cleared again only after
//! a callback has written into it. Calls from inside a callback clear one on the stack.

use std::cell::{Cell, UnsafeCell};
use std::ffi::c_char;
use std::mem::MaybeUninit;

use crate::ffi::error::{SHARDSPEC_MESSAGE_CAPACITY, SHARDSPEC_OK, shardspec_error};

/// A thread's own error.
struct Spare {
    error: UnsafeCell<MaybeUninit<shardspec_error>>,
    lent: Cell<bool>,
}

thread_local! {
    static SPARE: Spare = const {
        Spare { error: UnsafeCell::new(MaybeUninit::zeroed()), lent: Cell::new(false) }
    };
}

/// Runs `body` with an error that is as `SHARDSPEC_ERROR_INIT` makes it. It ends with the call.
pub(crate) fn with_blank<R>(body: impl FnOnce(*mut shardspec_error) -> R) -> R {
    SPARE.with(|spare| match spare.lent.replace(true) {
        false => {
            let loan = Loan { spare };
            body(loan.error())
        }
        true => with_cleared(body),
    })
}

/// The same on the stack.
#[cold]
#[inline(never)]
fn with_cleared<R>(body: impl FnOnce(*mut shardspec_error) -> R) -> R {
    let mut error = MaybeUninit::<shardspec_error>::zeroed();
    let error = error.as_mut_ptr();
    start(error);
    body(error)
}

/// Writes everything but the message, which is clear.
fn start(error: *mut shardspec_error) {
    // SAFETY: `error` is in memory of this thread that no other call uses: `SPARE` is lent once at
    // a time, and the other one is on the stack. Zeros are a value of it.
    unsafe {
        (*error).struct_size = size_of::<shardspec_error>() as u64;
        (*error).status = SHARDSPEC_OK;
        (*error).dim = -1;
        (*error).first_shard = -1;
        (*error).second_shard = -1;
        (*error).got = 0;
        (*error).limit = 0;
        (*error).index = -1;
    }
}

/// The thread's own error, for the time of a call. It is given back however the call is left.
struct Loan<'a> {
    spare: &'a Spare,
}

impl Loan<'_> {
    fn error(&self) -> *mut shardspec_error {
        let error = self.spare.error.get().cast::<shardspec_error>();
        start(error);
        error
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let error = self.spare.error.get().cast::<shardspec_error>();
        // SAFETY: `error` is this thread's own, and is lent until here. `start` wrote its numbers,
        // and its message began as zeros.
        unsafe {
            let message = (&raw mut (*error).message).cast::<c_char>();
            if (*error).status != SHARDSPEC_OK || message.cast::<u128>().read_unaligned() != 0 {
                message.write_bytes(0, SHARDSPEC_MESSAGE_CAPACITY);
            }
        }
        self.spare.lent.set(false);
    }
}
