//! Callbacks.
//!
//! Callbacks are functions of the caller that the library calls. They are registered as one
//! function or as a table of functions, with a `ctx` that each call receives and a `destroy` that
//! frees `ctx`. These rules apply to all of them:
//!
//! - A callback of the return type `shardspec_status` returns the status of success or the reason
//!   of a failure. The library returns a failure to its caller unchanged, with the message and the
//!   numbers in the callback's `err`. `err` is never NULL in a callback, and its `status` need not
//!   be set. The callback may pass `err` to the functions that it calls. A message ends at its
//!   first NUL, and bytes that are not UTF-8 are replaced. Numbers from `SHARDSPEC_USER_STATUS` on
//!   are free for the callback's own failures.
//! - The status of success is SHARDSPEC_OK, 0, unless `success_status` in the table, or in the
//!   options of an op, is another one. Set it to `SHARDSPEC_CALLBACK_OK` for callbacks in languages
//!   with exceptions. JNA, cffi, ctypes and koffi return 0 when a callback throws, which must not
//!   mean success. With `success_status` set, 0 fails with SHARDSPEC_CALLBACK_FAILED.
//! - When a callback throws, CPython's ctypes returns whatever the stack contained, often the
//!   success of an earlier call. Set `success_status` to `SHARDSPEC_CALLBACK_OK_IN_ERR` there. The
//!   callback then writes its status into `err->status`, that number for success, and the library
//!   ignores what it returns. Before the call, `err->status` is SHARDSPEC_CALLBACK_FAILED, and a
//!   callback that throws leaves it unchanged.
//! - A negative number is not a status. It fails with SHARDSPEC_CALLBACK_FAILED too, with the
//!   number in the error's `got`.
//! - `equal` and `hash` return their answer and can't fail. Where `equal` throws and the binding
//!   returns 0, the two objects are different.
//! - A type name identifies a type. Objects are compared by the `equal` of one of them if they have
//!   the same type name and both have an `equal`. The addresses of the two functions may differ: a
//!   binding that makes one function for each object works. So all objects of a type name must have
//!   a `ctx` that the `equal` of each of them accepts.
//! - A function pointer must stay callable until `destroy(ctx)` has returned. This includes
//!   `destroy` itself. With `destroy` NULL, the library may call the functions as long as any
//!   object uses them: keep them until the process ends. A binding keeps the closures of a table
//!   alive until its `destroy` runs, and frees them after that.
//! - The library holds no lock while a callback runs: a callback may call any function of this
//!   header.
//! - A callback may run on any thread that calls the library, and on several at once.
//! - A callback may unwind: by an exception of C++, by pthread_exit, or by cancellation of its
//!   thread. The library then frees what its calls own, and the unwinding continues in the caller
//!   of the library, which receives no status. Outputs are as after a failure. This applies to
//!   Linux, Android and FreeBSD on x86-64 and AArch64. On other systems, unwinding into the library
//!   ends the process.
//! - A callback must not leave by longjmp or any other jump that does not unwind. The library can't
//!   detect such a jump. Objects of the call would never be freed, and an op would stay BUSY.
//!   `shardspec_op_unregister` on another thread would never return, and threads that copy for the
//!   call would go on using the caller's memory. Asynchronous cancellation of a thread inside the
//!   library is undefined as well.
//! - `destroy(ctx)` runs exactly once, when no call of the callback is running or can begin, on the
//!   thread that releases it last. It also runs when the function that received `ctx` fails.
//!   `destroy` may be NULL. In a table, it is called where `struct_size` is at least 16.

use std::ffi::c_void;

use crate::ffi::border::sized::Grows;
use crate::ffi::error::shardspec_status;
use crate::unwind::{self, passing};

/// The first status that callbacks may define. Statuses of the library are lower.
pub const SHARDSPEC_USER_STATUS: shardspec_status = 1000;

/// A status of success that no runtime returns by accident, for `success_status`.
pub const SHARDSPEC_CALLBACK_OK: shardspec_status = 999;

/// A status of success that the callback writes into `err->status` instead of returning it, for
/// `success_status`.
pub const SHARDSPEC_CALLBACK_OK_IN_ERR: shardspec_status = 998;

/// Returns a nonzero value if two objects of the same type name are equal, else 0. It must be an
/// equivalence relation, and the library calls it with any two objects of the type name, in any
/// order.
pub type shardspec_equal_fn =
    Option<unsafe extern "C-unwind" fn(ctx: *mut c_void, other_ctx: *mut c_void) -> i32>;

/// Returns a hash, equal for objects that are equal. Where hashes made of it are compared between
/// processes, it must be equal in every process.
pub type shardspec_hash_fn = Option<unsafe extern "C-unwind" fn(ctx: *mut c_void) -> u64>;

/// Frees a callback's `ctx`.
pub type shardspec_destroy_fn = Option<unsafe extern "C-unwind" fn(ctx: *mut c_void)>;

/// Enters a language runtime. A thread must do this before it runs code of that runtime. The
/// result is the argument of `leave`.
pub type shardspec_enter_fn = Option<unsafe extern "C-unwind" fn() -> i32>;

/// Leaves a language runtime. The argument is the result of `enter`.
pub type shardspec_leave_fn = Option<unsafe extern "C-unwind" fn(state: i32)>;

/// A `ctx` that must be freed inside a language runtime, for `shardspec_runtime_ctx_destroy`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_runtime_ctx {
    /// `sizeof(shardspec_runtime_ctx)`.
    pub struct_size: u64,
    /// Called first.
    pub enter: shardspec_enter_fn,
    /// Called next.
    pub destroy: shardspec_destroy_fn,
    /// The argument of `destroy`.
    pub ctx: *mut c_void,
    /// Called last, with what `enter` returned.
    pub leave: shardspec_leave_fn,
}

// SAFETY: numbers, pointers and functions that may be null.
unsafe impl Grows for shardspec_runtime_ctx {
    const NAME: &'static str = "shardspec_runtime_ctx";
    const FIRST_SIZE: usize = 40;
}

/// Frees a `ctx` inside of a runtime that a thread must enter before it touches objects of that
/// runtime. Pass this function as `destroy` or `release`, and the address of a
/// `shardspec_runtime_ctx` as `ctx`. The function reads that struct before it calls anything, so
/// the struct's `destroy` may free it. Functions in it may be NULL.
///
/// Python passes `PyGILState_Ensure`, `Py_DecRef` and `PyGILState_Release`. An object is then
/// released at once, on any thread, without running Python code, which would not be possible during
/// an exception.
///
/// Ownership: `destroy` of the struct frees what has to be freed, and may free the struct itself.
/// Calls back: `enter`, `destroy` and `leave` of the struct.
/// Blocks: no.
/// Errors: none.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_runtime_ctx_destroy(ctx: *mut c_void) {
    if ctx.is_null() {
        return;
    }
    let shardspec_runtime_ctx { enter, destroy, ctx, leave, .. } =
        *ctx.cast::<shardspec_runtime_ctx>();
    passing(|| {
        let state = enter.map_or(Some(0), |enter| unwind::call("enter", || enter()));
        // Not inside, there is nothing to do and nothing to leave.
        let Some(state) = state else { return };
        if let Some(destroy) = destroy {
            unwind::call("destroy", || destroy(ctx));
        }
        if let Some(leave) = leave {
            unwind::call("leave", || leave(state));
        }
    });
}
