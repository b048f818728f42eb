//! An exchange that is on its way.

use super::{Communicator, Incoming, Outgoing};
use crate::model::Result;

/// The exchange that a collective does next, or has started.
///
/// Its messages and their memory stay where they are until it is complete.
#[derive(Debug, Default)]
pub(super) struct PendingExchange;

impl PendingExchange {
    /// Completes an exchange; with `wait` false, returns `false` where that would take waiting for
    /// another rank. The caller passes the same messages until it is complete.
    ///
    /// # Safety
    ///
    /// As [`Communicator::exchange`], until it is complete.
    pub(super) unsafe fn complete(
        &mut self, comm: &dyn Communicator, sends: &[Outgoing], receives: &[Incoming], wait: bool,
    ) -> Result<bool> {
        if !wait {
            return Ok(false);
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { comm.exchange(sends, receives)? };
        Ok(true)
    }
}
