//! Callbacks.
//!
//! Functions of the user's that the library calls, registered as a function or a table of functions
//! with a `ctx` that each call is given and a `destroy` that ends the life of `ctx`. What holds for
//! all of them:
//!
//! - A callback that does something returns a status. `SHARDSPEC_OK` means that it has done its part;
//!   any other reaches whoever called the library as it is, with the message and the numbers that
//!   the callback wrote into its `err`, which is never NULL here and may be passed on to what it
//!   calls; the status in it need not be set. Numbers from `SHARDSPEC_USER_STATUS` on are the
//!   user's own.
//! - A callback that answers a question about its `ctx`, `equal` and `hash`, returns the answer and
//!   can't fail.
//! - The library holds no lock while a callback runs: it may call any function of this header.
//! - It may run on any thread that calls the library, on several at once, and must not throw or jump
//!   out.
//! - `destroy(ctx)` runs exactly once, when no call of the callback is running or will come, on the
//!   thread that let go of it last; also when the function that was given it fails. It may be NULL.

use std::ffi::c_void;

use crate::ffi::error::shardspec_status;

/// The first of the statuses that callbacks may give a meaning of their own. The library's own stay
/// below.
pub const SHARDSPEC_USER_STATUS: shardspec_status = 1000;

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

/// A `ctx` whose life ends inside of a runtime, for `shardspec_destroy_entered`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_entered {
    /// `sizeof(shardspec_entered)`.
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
/// them: pass this function, and as its `ctx` the address of a `shardspec_entered`. That is read
/// before anything is called, so `destroy` may free it. Functions in it may be NULL.
///
/// Python passes `PyGILState_Ensure`, `Py_DecRef` and `PyGILState_Release`: an object is let go at
/// once, on whatever thread, and no line of Python has to run, which an exception under way would
/// not survive.
///
/// Can't fail. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_destroy_entered(ctx: *mut c_void) {
    if ctx.is_null() {
        return;
    }
    let shardspec_entered { enter, destroy, ctx, leave, .. } = *ctx.cast::<shardspec_entered>();
    let state = enter.map_or(0, |enter| enter());
    if let Some(destroy) = destroy {
        destroy(ctx);
    }
    if let Some(leave) = leave {
        leave(state);
    }
}
