//! Collectives that other ranks rely on.

use super::Communicator;
use crate::model::{Error, Result};

/// A part of a collective during which other ranks wait for this one. When it fails, or when its
/// frame is left by a panic, an exception or the end of the thread, the communicator is aborted, so
/// that the others do not wait for ever.
pub(super) struct Underway<'a> {
    comm: &'a dyn Communicator,
}

impl<'a> Underway<'a> {
    pub(super) fn new(comm: &'a dyn Communicator) -> Self {
        Self { comm }
    }

    /// The end of that part.
    pub(super) fn end<T>(self, result: Result<T>) -> Result<T> {
        let comm = self.comm;
        std::mem::forget(self);
        if let Err(error) = &result
            && !refused_before(error)
        {
            comm.abort(error);
        }
        result
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        self.comm.abort(&"an exception, a panic or the end of its thread ended its part");
    }
}

/// Whether the exchange was turned away for its arguments: then another one may be under way, which
/// is not to be disturbed.
fn refused_before(error: &Error) -> bool {
    match error {
        Error::At { error, .. } => refused_before(error),
        Error::InvalidArgument { .. } | Error::IndexOutOfRange { .. } => true,
        _ => false,
    }
}
