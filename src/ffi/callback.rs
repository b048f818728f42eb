//! Callbacks.
//!
//! Functions of the user's that the library calls, registered as a function or a table of functions
//! with a `ctx` that each call is given and a `destroy` that ends the life of `ctx`. What holds for
//! all of them:
//!
//! - A callback that does something returns a status. `SHARDSPEC_OK` means that it has done its part;
//!   any other reaches whoever called the library as it is, with the message and the numbers that
//!   the callback wrote into its `err`, which is never NULL here. Numbers from
//!   `SHARDSPEC_USER_STATUS` on are the user's own.
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
    Option<unsafe extern "C" fn(ctx: *mut c_void, other_ctx: *mut c_void) -> i32>;

/// A hash: equal for objects that are equal, in every process if that is to hold for the hashes made
/// of it.
pub type shardspec_hash_fn = Option<unsafe extern "C" fn(ctx: *mut c_void) -> u64>;

/// Ends the life of a callback's `ctx`.
pub type shardspec_destroy_fn = Option<unsafe extern "C" fn(ctx: *mut c_void)>;
