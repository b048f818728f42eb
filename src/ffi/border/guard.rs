//! The one way out of every export: no panic leaves, every refusal becomes a status.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::core::Error;
use crate::ffi::border::report::Report;
use crate::ffi::error::{SHARDSPEC_INVALID_ARGUMENT, shardspec_error, shardspec_status};
use crate::memory::OutOfMemory;

/// Why a call was refused, as seen from C: the core's reasons and the border's own.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The core said no.
    Core(Error),
    /// A pointer that must not be null was.
    NullArgument(&'static str),
    /// A handle that names no live object of its kind.
    InvalidHandle { argument: &'static str, kind: &'static str },
    /// The caller's buffer is too small for what would be written.
    BufferTooSmall { argument: &'static str, got: usize, needed: usize },
    /// One of many views was refused.
    InShard { index: usize, refusal: Box<Refusal> },
}

impl Refusal {
    /// What makes a refusal one of view `index` of many.
    pub(crate) fn in_shard(index: usize) -> impl FnOnce(Self) -> Self {
        move |refusal| Self::InShard { index, refusal: Box::new(refusal) }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<OutOfMemory> for Refusal {
    fn from(error: OutOfMemory) -> Self {
        Self::Core(error.into())
    }
}

/// What the body of an export returns.
pub(crate) type Outcome<T = ()> = std::result::Result<T, Refusal>;

/// Runs the body of an export: its outcome becomes a status and fills `err`, and a panic becomes
/// `SHARDSPEC_INTERNAL`.
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
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => report.success(),
        Ok(Err(refusal)) => report.refusal(&refusal),
        Err(payload) => report.panic(payload.as_ref()),
    }
}
