//! The one way out of every export: no panic leaves, every refusal becomes a status.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::declared;
pub(crate) use crate::ffi::border::refusal::{Outcome, Refusal};
use crate::ffi::border::report::Report;
use crate::ffi::error::{
    SHARDSPEC_CALLBACK_FAILED, SHARDSPEC_INVALID_ARGUMENT, SHARDSPEC_OK, shardspec_error,
    shardspec_status,
};
use crate::unwind::{is_held, passing};

/// Runs the body of an export: its outcome becomes a status and fills `err`, and a panic becomes
/// `SHARDSPEC_INTERNAL`. Unwinding out of a callback goes on from here.
///
/// # Safety
///
/// `err` is null or points to a `shardspec_error` that the caller may write.
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) unsafe fn guard(
    err: *mut shardspec_error, body: impl FnOnce() -> Outcome,
) -> shardspec_status {
    let _running = declared::enter();
    // SAFETY: the contract of `guard` for `err` is that of `Report::open`.
    let Ok(report) = (unsafe { Report::open(err) }) else {
        return SHARDSPEC_INVALID_ARGUMENT;
    };
    // A refusal is large: it is reported where it is, and only a status comes out. Whatever a panic
    // leaves half-done is owned by the body and dropped with it.
    let run = || match body() {
        Ok(()) => SHARDSPEC_OK,
        Err(refusal) => refused(report, refusal),
    };
    match passing(|| catch_unwind(AssertUnwindSafe(run))) {
        Ok(SHARDSPEC_OK) => report.success(),
        Ok(status) => status,
        Err(payload) => report.panic(payload.as_ref()),
    }
}

/// Reports a refusal, unless the call does not return: then the caller's error stays as it is.
#[cold]
#[inline(never)]
fn refused(report: Report, refusal: Refusal) -> shardspec_status {
    if is_held() { SHARDSPEC_CALLBACK_FAILED } else { report.refusal(&refusal) }
}
