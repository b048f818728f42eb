//! The one way out of every export: no panic leaves, every refusal becomes a status.

use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) use crate::ffi::border::refusal::{Outcome, Refusal};
use crate::ffi::border::report::Report;
use crate::ffi::error::{SHARDSPEC_INVALID_ARGUMENT, shardspec_error, shardspec_status};
use crate::unwind::passing;

/// Runs the body of an export: its outcome becomes a status and fills `err`, and a panic becomes
/// `SHARDSPEC_INTERNAL`. Unwinding out of a callback goes on from here.
///
/// # Safety
///
/// `err` is null or points to a `shardspec_error` that the caller may write.
pub(crate) unsafe fn guard(
    err: *mut shardspec_error, body: impl FnOnce() -> Outcome,
) -> shardspec_status {
    // SAFETY: the caller's promise about `err` is passed on.
    let Ok(report) = (unsafe { Report::open(err) }) else {
        return SHARDSPEC_INVALID_ARGUMENT;
    };
    // Whatever a panic leaves half-done is owned by the body and dropped with it.
    match passing(|| catch_unwind(AssertUnwindSafe(body))) {
        Ok(Ok(())) => report.success(),
        Ok(Err(refusal)) => report.refusal(&refusal),
        Err(payload) => report.panic(payload.as_ref()),
    }
}
