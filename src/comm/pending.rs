//! An exchange that is on its way.

use super::started::StartedExchange;
use super::{Communicator, Incoming, Outgoing};
use crate::model::Result;

/// The exchange that a collective does next, or has started.
///
/// Its messages and their memory stay where they are until it is complete. Dropped before that, it
/// waits until the transport uses them no more: it is dropped before they are.
#[derive(Default)]
pub(super) struct PendingExchange {
    started: Option<Box<dyn StartedExchange>>,
    completed: u64,
}

impl PendingExchange {
    /// Completes an exchange; with `wait` false, returns `false` where that would take waiting for
    /// another rank. The caller passes the same messages until it is complete. A transport that can't
    /// start exchanges completes them only with `wait`.
    ///
    /// # Safety
    ///
    /// As [`Communicator::exchange`], until it is complete, has failed or was dropped.
    pub(super) unsafe fn complete(
        &mut self, comm: &dyn Communicator, sends: &[Outgoing], receives: &[Incoming], wait: bool,
    ) -> Result<bool> {
        if self.started.is_none() {
            if wait {
                // SAFETY: the contract of `complete` is that of `Communicator::exchange`, for the
                // same `sends` and `receives`.
                unsafe { comm.exchange(sends, receives)? };
                self.completed = self.completed.wrapping_add(1);
                return Ok(true);
            }
            // SAFETY: the contract of `complete` is that of `Communicator::start`, for the same
            // `sends` and `receives`: until the exchange is complete, has failed or was dropped.
            self.started = unsafe { comm.start(sends, receives)? };
        }
        let Some(started) = &mut self.started else {
            return Ok(false);
        };
        let done = if wait { started.wait().map(|()| true) } else { started.test() };
        if !matches!(done, Ok(false)) {
            self.started = None;
            self.completed = self.completed.wrapping_add(1);
        }
        done
    }

    /// How many exchanges have ended so far.
    pub(super) fn completed(&self) -> u64 {
        self.completed
    }
}
