//! Callbacks.
//!
//! Functions of the user's that the library calls, registered as a function or a table of functions
//! with a `ctx` that each call is given and a `destroy` that ends the life of `ctx`. What holds for
//! all of them:
//!
//! - A callback that does something returns a status: the status of success, or the reason of a
//!   failure. A failure reaches the caller of the library unchanged, with the message and the numbers
//!   that the callback wrote into its `err`. `err` is never NULL here; its `status` need not be set.
//!   The callback may pass `err` to the functions that it calls. A message ends at its first NUL, and
//!   bytes that are not UTF-8 are replaced. Numbers from `SHARDSPEC_USER_STATUS` on are free for
//!   failures of the callback's own.
//! - The status of success is SHARDSPEC_OK, 0, unless `success_status` in the table, or in the
//!   options of an op, says otherwise. Set it to `SHARDSPEC_CALLBACK_OK` when the callback is written
//!   in a language with exceptions: JNA, cffi, ctypes and koffi return 0 when a callback throws, which
//!   must not read as success. With `success_status` set, 0 fails with SHARDSPEC_CALLBACK_FAILED.
//! - CPython's ctypes does not even return 0 when a callback throws, but what the stack held before:
//!   often the status of the call before, which succeeded. Set `success_status` to
//!   `SHARDSPEC_CALLBACK_OK_IN_ERR` there, and let the callback write its status into `err->status`:
//!   that number for success. The library ignores what such a callback returns. Before the call,
//!   `err->status` is SHARDSPEC_CALLBACK_FAILED, which a callback that throws leaves there.
//! - A negative number is no status. It fails with SHARDSPEC_CALLBACK_FAILED too, and `got` is the
//!   number.
//! - A callback that answers a question about its `ctx`, `equal` and `hash`, returns the answer and
//!   can't fail. Where `equal` throws and the binding returns 0, the two objects count as different.
//! - The library holds no lock while a callback runs: it may call any function of this header.
//! - It may run on any thread that calls the library, and on several at once.
//! - It may be left by unwinding: by an exception of C++, by pthread_exit, or because its thread is
//!   cancelled. The library then releases what its calls own, and the unwinding continues in the
//!   caller of the library, which gets no status. Outputs are as after a failure. This holds on Linux,
//!   Android and FreeBSD on x86-64 and AArch64; elsewhere, unwinding into the library ends the process.
//! - It must not be left by longjmp, or by any other jump that does not unwind. The library can't
//!   notice that: objects that the call used are never released, an op stays BUSY,
//!   `shardspec_op_unregister` on another thread never returns, and threads that copy for the call go
//!   on to use the caller's memory. Asynchronous cancellation of a thread inside the library is
//!   undefined as well.
//! - `destroy(ctx)` runs exactly once, when no call of the callback is running or will come, on the
//!   thread that let go of it last; also when the function that was given it fails. It may be NULL.
//!   In a table, it is called when `struct_size` says that the table has it: 16 or more.

use std::ffi::c_void;

use crate::ffi::error::shardspec_status;
use crate::unwind::{self, passing};

/// The first of the statuses that callbacks may give a meaning of their own. The library's own stay
/// below.
pub const SHARDSPEC_USER_STATUS: shardspec_status = 1000;

/// A status of success that no runtime returns by accident, for `success_status`.
pub const SHARDSPEC_CALLBACK_OK: shardspec_status = 999;

/// A status of success that is not returned but written into `err->status`, for `success_status`.
pub const SHARDSPEC_CALLBACK_OK_IN_ERR: shardspec_status = 998;

/// Whether two objects of the same type, made with the same `equal`, are equal: 0 or not 0. Asked of
/// any two of them, in any order; it must be an equivalence.
pub type shardspec_equal_fn =
    Option<unsafe extern "C-unwind" fn(ctx: *mut c_void, other_ctx: *mut c_void) -> i32>;

/// A hash: equal for objects that are equal, in every process if that is to hold for the hashes made
/// of it.
pub type shardspec_hash_fn = Option<unsafe extern "C-unwind" fn(ctx: *mut c_void) -> u64>;

/// Ends the life of a callback's `ctx`.
pub type shardspec_destroy_fn = Option<unsafe extern "C-unwind" fn(ctx: *mut c_void)>;

/// Enters a runtime: what a thread has to do before it may run any of it. The answer is for `leave`.
pub type shardspec_enter_fn = Option<unsafe extern "C-unwind" fn() -> i32>;

/// Leaves a runtime.
pub type shardspec_leave_fn = Option<unsafe extern "C-unwind" fn(state: i32)>;

/// A `ctx` whose life ends inside of a runtime, for `shardspec_runtime_ctx_destroy`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_runtime_ctx {
    /// `sizeof(shardspec_runtime_ctx)`.
    pub struct_size: u64,
    /// Called first.
    pub enter: shardspec_enter_fn,
    /// Called next.
    pub destroy: shardspec_destroy_fn,
    /// What `destroy` is given.
    pub ctx: *mut c_void,
    /// Called last, with what `enter` returned.
    pub leave: shardspec_leave_fn,
}

/// A `destroy` or `release` for objects of a runtime that a thread has to enter before it touches
/// them: pass this function, and as its `ctx` the address of a `shardspec_runtime_ctx`. That is read
/// before anything is called, so `destroy` may free it. Functions in it may be NULL.
///
/// Python passes `PyGILState_Ensure`, `Py_DecRef` and `PyGILState_Release`: an object is let go at
/// once, on whatever thread, and no line of Python has to run, which an exception under way would
/// not survive.
///
/// Can't fail. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_runtime_ctx_destroy(ctx: *mut c_void) {
    if ctx.is_null() {
        return;
    }
    let shardspec_runtime_ctx { enter, destroy, ctx, leave, .. } =
        *ctx.cast::<shardspec_runtime_ctx>();
    passing(|| {
        let state = enter.map_or(Some(0), |enter| unwind::call(|| enter()));
        // Not inside, there is nothing to do and nothing to leave.
        let Some(state) = state else { return };
        if let Some(destroy) = destroy {
            unwind::call(|| destroy(ctx));
        }
        if let Some(leave) = leave {
            unwind::call(|| leave(state));
        }
    });
}
