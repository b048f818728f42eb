//! Callbacks.
//!
//! Callbacks are the caller's functions that the library calls. The caller registers one function
//! or a table of functions, with a pointer `ctx`. Each call of a callback receives `ctx`, and the
//! callback `destroy` frees `ctx`. These rules apply to all callbacks:
//!
//! - A callback with the return type `shardspec_status` returns a status: its status of success, or
//!   the status of a failure. The library function that called the callback returns the status of a
//!   failure unchanged. The same function also copies the message and the numbers from the
//!   callback's `err` into the `err` of its caller. `err` is never NULL in a callback. The callback
//!   need not set the `status` of `err`, except with `SHARDSPEC_CALLBACK_OK_IN_ERR`. The callback
//!   may pass `err` to the functions that it calls. A message ends at its first NUL. The library
//!   replaces bytes that are not UTF-8 by U+FFFD. A callback may use all statuses from
//!   `SHARDSPEC_USER_STATUS` on for its own failures.
//! - The status of success is SHARDSPEC_OK (0) by default. `success_status` in the table, or in the
//!   options of an op, may set another status of success. For callbacks in languages with
//!   exceptions, set `success_status` to `SHARDSPEC_CALLBACK_OK`. If a callback throws, JNA, cffi
//!   and koffi return 0, and by default 0 means success. With `SHARDSPEC_CALLBACK_OK`, a callback
//!   that returns 0 fails with SHARDSPEC_CALLBACK_FAILED.
//! - If a callback throws, CPython's ctypes returns an arbitrary number, often the status of
//!   success of an earlier call. For ctypes, set `success_status` to
//!   `SHARDSPEC_CALLBACK_OK_IN_ERR`. With this setting, the callback writes its status into
//!   `err->status`, and SHARDSPEC_CALLBACK_OK_IN_ERR means success. The library ignores the number
//!   that the callback returns. Before the call, the library sets `err->status` to
//!   SHARDSPEC_CALLBACK_FAILED. A callback that throws leaves this status unchanged.
//! - A negative number is not a status. A callback that returns a negative number fails with
//!   SHARDSPEC_CALLBACK_FAILED. The error's `got` is that number.
//! - `equal` and `hash` return their result and can't fail. If `equal` throws and the binding
//!   returns 0, the library treats the two objects as different.
//! - A type name identifies a type. To compare two objects with the same type name, the library
//!   calls the `equal` of one of the objects. Both objects must have an `equal`. The addresses of
//!   the two `equal` functions may differ, so a binding may create one function for each object.
//!   The `equal` of each object must accept the `ctx` of all objects with the same type name.
//! - A function pointer must stay callable until `destroy(ctx)` has returned. The pointer to
//!   `destroy` itself must also stay callable until `destroy` has returned. With `destroy` NULL,
//!   the functions must stay callable until the process ends. A binding must keep the closures of a
//!   table alive until `destroy` has run.
//! - The library holds no lock while a callback runs, so a callback may call any function of this
//!   header.
//! - A callback may run on any thread that calls the library, and on several threads at once.
//! - A callback may unwind: by an exception of C++, by pthread_exit, or by cancellation of its
//!   thread. If a callback unwinds, the library frees all objects that the interrupted calls
//!   created. The unwinding continues in the caller of the library, without a status. Outputs are
//!   in the same state as after a failed call. Unwinding is supported on Linux, Android and
//!   FreeBSD, on x86-64 and AArch64. On other systems, unwinding into the library ends the process.
//! - A callback must return or unwind. A jump without unwinding, such as longjmp, is forbidden. The
//!   library can't detect such a jump. After such a jump, the library would never free the objects
//!   that the call created. If the callback belongs to an op, this op would stay BUSY, and
//!   `shardspec_op_unregister` on another thread would never return. Threads that copy data for the
//!   call would continue to use the caller's memory. Asynchronous cancellation of a thread inside
//!   of the library is also forbidden, because its behaviour is undefined.
//! - `destroy(ctx)` runs exactly once. Before `destroy` runs, all calls of callbacks with this
//!   `ctx` have returned. After `destroy` has begun, no callback receives this `ctx` again.
//!   `destroy` runs on the thread that ends the last use of `ctx`. `destroy` also runs if the
//!   function that received `ctx` fails. `destroy` may be NULL. The library calls the `destroy` of
//!   a table only if the table's `struct_size` is at least 16. A smaller table does not contain the
//!   whole field `destroy`, which ends at byte 16.

use std::ffi::c_void;

use crate::declared;
use crate::ffi::border::sized::Grows;
use crate::ffi::error::shardspec_status;
use crate::unwind::{self, passing};

/// The first status that callbacks may define. Statuses of the library are lower.
pub const SHARDSPEC_USER_STATUS: shardspec_status = 1000;

/// A value of `success_status`: a status of success that no runtime returns by accident.
pub const SHARDSPEC_CALLBACK_OK: shardspec_status = 999;

/// A value of `success_status`. To report success, the callback writes this status into
/// `err->status`. The library ignores the number that the callback returns.
pub const SHARDSPEC_CALLBACK_OK_IN_ERR: shardspec_status = 998;

/// Returns a nonzero value if two objects with the same type name are equal, else 0. The function
/// must be an equivalence relation. The library may pass any two objects with the same type name,
/// in any order.
pub type shardspec_equal_fn =
    Option<unsafe extern "C-unwind" fn(ctx: *mut c_void, other_ctx: *mut c_void) -> i32>;

/// Returns the hash of an object. Equal objects must have equal hashes. If a program compares
/// hashes of different processes, equal objects must have the same hash in every process.
pub type shardspec_hash_fn = Option<unsafe extern "C-unwind" fn(ctx: *mut c_void) -> u64>;

/// Frees a callback's `ctx`.
pub type shardspec_destroy_fn = Option<unsafe extern "C-unwind" fn(ctx: *mut c_void)>;

/// Enters a language runtime. A thread must enter a runtime before it runs code of that runtime.
/// The library passes the result to `leave`.
pub type shardspec_enter_fn = Option<unsafe extern "C-unwind" fn() -> i32>;

/// Leaves a language runtime. The argument is the result of `enter`.
pub type shardspec_leave_fn = Option<unsafe extern "C-unwind" fn(state: i32)>;

/// A `ctx` that must be freed inside of a language runtime. The function
/// `shardspec_runtime_ctx_destroy` frees such a `ctx`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_runtime_ctx {
    /// `sizeof(shardspec_runtime_ctx)`.
    pub struct_size: u64,
    /// Enters the runtime. The library calls this function before `destroy`.
    pub enter: shardspec_enter_fn,
    /// Frees `ctx` inside of the runtime.
    pub destroy: shardspec_destroy_fn,
    /// The argument of `destroy`.
    pub ctx: *mut c_void,
    /// Leaves the runtime. The library calls this function after `destroy`, with the result of
    /// `enter`.
    pub leave: shardspec_leave_fn,
}

// SAFETY: `shardspec_runtime_ctx` is `repr(C)` and begins with its `struct_size`. All other fields
// are numbers, and pointers and functions that may be NULL, so zeros are a value of it.
unsafe impl Grows for shardspec_runtime_ctx {
    const NAME: &'static str = "shardspec_runtime_ctx";
    const FIRST_SIZE: usize = 40;
}

/// Frees a `ctx` inside of a language runtime. In some runtimes, like Python, a thread must enter
/// the runtime before the thread uses an object of the runtime. Pass this function as `destroy` or
/// `release`, and the address of a `shardspec_runtime_ctx` as `ctx`. The function reads the struct
/// before it calls a callback, so the struct's `destroy` may free the struct. Functions in the
/// struct may be NULL.
///
/// For example, a binding for Python passes `PyGILState_Ensure`, `Py_DecRef` and
/// `PyGILState_Release`. With these functions, the library releases a Python object at once, on any
/// thread. `Py_DecRef` can run the destructor of a Python class on this thread.
///
/// Ownership: `destroy` of the struct frees the caller's objects, and may also free the struct
/// itself.
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
    // The export that calls this as a user's `destroy` declares `destroy` alone.
    let _running = declared::enter();
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
