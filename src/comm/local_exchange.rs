//! An exchange of a local communicator: posting what is sent, copying what is received.

#![allow(clippy::arithmetic_side_effects, reason = "counts of messages are small")]

use std::sync::atomic::Ordering;

use super::hub::{Arrival, Breakdown, Hub, Mailbox, NO_RANK, Posted, Waiting, lock};
use super::started::StartedExchange;
use super::{Incoming, Outgoing};
use crate::comm::CommError;
use crate::declared::{self, Wait};
use crate::memory::{Shared, try_collect, try_with_capacity};
use crate::model::{Error, Result};

/// One rank's place in the hub.
#[derive(Debug, Clone)]
pub(super) struct Port {
    pub(super) rank: usize,
    pub(super) hub: Shared<Hub>,
}

impl Port {
    fn mailbox(&self) -> &Mailbox {
        self.hub.mailbox(self.rank)
    }

    /// Refuses a child process after fork.
    pub(super) fn check_process(&self) -> Result<()> {
        if self.hub.is_of_this_process() {
            return Ok(());
        }
        let what = "the communicator was made before the fork, in the parent process: its other ranks \
                    are not in this process";
        Err(Error::Comm(CommError::TransportFailed { what: what.into() }))
    }

    /// Announces the places of messages to their receivers.
    pub(super) fn post(&self, sends: &[Outgoing]) -> Result<()> {
        for &Outgoing { peer, pointer, bytes } in sends {
            // Counted before it can be copied.
            lock(&self.mailbox().inside).unfinished += 1;
            let mailbox = self.hub.mailbox(peer);
            let mut inside = lock(&mailbox.inside);
            let left = inside.leave(self.rank, Posted { pointer, bytes });
            // A rank that goes later finds the message and reports that itself.
            let gone = mailbox.gone.load(Ordering::Acquire);
            drop(inside);
            if !left {
                lock(&self.mailbox().inside).unfinished -= 1;
                self.hub.break_down(Breakdown::OutOfMemory { rank: self.rank });
                return Err(Error::OutOfMemory { what: "the messages of an exchange", bytes: 64 });
            }
            if gone {
                lock(&self.mailbox().inside).lost = peer;
            }
            mailbox.changed.notify_all();
        }
        Ok(())
    }

    /// Waits for the oldest message from a rank and copies it.
    ///
    /// # Safety
    ///
    /// The message's memory may be written.
    pub(super) unsafe fn receive(&self, message: &Incoming) -> Result<()> {
        let &Incoming { peer, pointer, bytes } = message;
        let here = lock(&self.mailbox().inside).take(peer, bytes);
        let posted = match here {
            Arrival::Message(posted) => posted,
            Arrival::OtherLength(sent) => return Err(self.differ(message, sent)),
            Arrival::Nothing => self.wait_for_message(message)?,
        };
        // SAFETY: `posted` was taken out of the mailbox, and has as many bytes as the message. The
        // contract of `receive` is that these may be written at `pointer`.
        unsafe { self.copy(peer, &posted, pointer) };
        Ok(())
    }

    /// Copies a message that was taken out of the mailbox.
    ///
    /// # Safety
    ///
    /// Its bytes may be written at `pointer`.
    unsafe fn copy(&self, sender: usize, posted: &Posted, pointer: *mut u8) {
        // SAFETY: the sender waits for this copy before it gives the memory of `posted` away, and
        // the contract of `copy` is that as many bytes may be written at `pointer`.
        unsafe { std::ptr::copy_nonoverlapping(posted.pointer, pointer, posted.bytes) };
        let sender = self.hub.mailbox(sender);
        let mut inside = lock(&sender.inside);
        inside.unfinished -= 1;
        let all = inside.unfinished == 0;
        drop(inside);
        if all {
            sender.changed.notify_all();
        }
    }

    fn wait_for_message(&self, message: &Incoming) -> Result<Posted> {
        let peer = message.peer;
        // From here on the peer wakes this rank when it goes; the check whether it has gone comes
        // after.
        let _waiting = Waiting::new(&self.hub, self.rank, peer);
        let mut inside = lock(&self.mailbox().inside);
        loop {
            match inside.take(peer, message.bytes) {
                Arrival::Message(posted) => return Ok(posted),
                Arrival::OtherLength(sent) => {
                    drop(inside);
                    return Err(self.differ(message, sent));
                }
                Arrival::Nothing => {}
            }
            let lost = if self.hub.is_gone(peer) { peer } else { inside.lost };
            if lost != NO_RANK || self.hub.is_broken() {
                drop(inside);
                return Err(self.hub.fail(Breakdown::Gone { peer: lost, rank: self.rank }));
            }
            inside = self.mailbox().wait(inside);
        }
    }

    /// Waits until all messages that were posted are copied.
    pub(super) fn wait_for_receivers(&self) -> Result<()> {
        let mut inside = lock(&self.mailbox().inside);
        while inside.unfinished > 0 {
            let lost = inside.lost;
            if lost != NO_RANK || self.hub.is_broken() {
                drop(inside);
                return Err(self.hub.fail(Breakdown::Gone { peer: lost, rank: self.rank }));
            }
            inside = self.mailbox().wait(inside);
        }
        Ok(())
    }

    /// Whether all messages that were posted are copied.
    fn are_received(&self) -> Result<bool> {
        let inside = lock(&self.mailbox().inside);
        let (unfinished, lost) = (inside.unfinished, inside.lost);
        drop(inside);
        if unfinished > 0 && (lost != NO_RANK || self.hub.is_broken()) {
            return Err(self.hub.fail(Breakdown::Gone { peer: lost, rank: self.rank }));
        }
        Ok(unfinished == 0)
    }

    fn differ(&self, message: &Incoming, sent: usize) -> Error {
        let &Incoming { peer: from, bytes: expected, .. } = message;
        self.hub.fail(Breakdown::Lengths { from, sent, to: self.rank, expected })
    }

    /// Takes back what was not copied yet, and waits for what is being copied: then the memory is its
    /// owner's again.
    pub(super) fn withdraw(&self, sends: &[Outgoing]) {
        let own = self.mailbox();
        for send in sends {
            let withdrawn = lock(&self.hub.mailbox(send.peer).inside).arrived.remove(&self.rank);
            lock(&own.inside).unfinished -= withdrawn.map_or(0, |queue| queue.len());
        }
        let mut inside = lock(&own.inside);
        while inside.unfinished > 0 {
            inside = own.wait(inside);
        }
    }
}

/// The right of a rank to exchange: one exchange is under way at a time.
#[derive(Debug)]
pub(super) struct Busy(Port);

impl Busy {
    pub(super) fn new(port: &Port) -> Result<Self> {
        if port.mailbox().busy.swap(true, Ordering::Acquire) {
            let problem = "another exchange by it is under way; a rank is one thread at a time, and a \
                           request has ended before the next call";
            return Err(Error::invalid("comm", problem));
        }
        Ok(Self(port.clone()))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.mailbox().busy.store(false, Ordering::Release);
    }
}

/// An exchange that goes on in the calls of its rank: the receiver of a message copies it there.
pub(super) struct LocalExchange {
    port: Port,
    /// Held until the exchange has ended.
    _busy: Busy,
    sends: Vec<Outgoing>,
    /// Messages that were not copied yet, in their order.
    receives: Vec<Incoming>,
    /// Room for those that are found at once.
    found: Vec<(Incoming, Posted)>,
    ended: bool,
}

// SAFETY: the functions of a `LocalExchange` follow its pointers, and the contract of `new` covers
// them on any thread, until the exchange has ended.
unsafe impl Send for LocalExchange {}

impl LocalExchange {
    /// Posts what is sent.
    ///
    /// # Safety
    ///
    /// As [`Communicator::start`](super::Communicator::start).
    pub(super) unsafe fn new(
        port: &Port, sends: &[Outgoing], receives: &[Incoming],
    ) -> Result<Self> {
        let busy = Busy::new(port)?;
        let started = Self {
            port: port.clone(),
            _busy: busy,
            sends: try_collect(sends.iter().copied())?,
            receives: try_collect(receives.iter().copied())?,
            found: try_with_capacity(receives.len())?,
            ended: false,
        };
        // Where this fails, what was posted is withdrawn.
        started.port.post(&started.sends)?;
        Ok(started)
    }

    /// Copies the messages that are here.
    fn receive_some(&mut self) -> Result<()> {
        let Self { port, receives, found, .. } = self;
        let mut inside = lock(&port.mailbox().inside);
        let mut failure = None;
        let mut lost = inside.lost;
        // Nothing arrives while the lock is held, so of one rank the first that is asked for is the
        // first that was sent.
        receives.retain(|message| match inside.take(message.peer, message.bytes) {
            Arrival::Message(posted) => {
                // There is room for all.
                found.push((*message, posted));
                false
            }
            Arrival::OtherLength(sent) => {
                failure = failure.or(Some((*message, sent)));
                true
            }
            Arrival::Nothing => {
                if port.hub.is_gone(message.peer) {
                    lost = message.peer;
                }
                true
            }
        });
        drop(inside);
        for (message, posted) in found.drain(..) {
            // SAFETY: `posted` has as many bytes as `message`, and the contract of
            // `LocalExchange::new` is that these may be written until the exchange has ended.
            unsafe { port.copy(message.peer, &posted, message.pointer) };
        }
        if let Some((message, sent)) = failure {
            return Err(port.differ(&message, sent));
        }
        if !receives.is_empty() && (lost != NO_RANK || port.hub.is_broken()) {
            return Err(port.hub.fail(Breakdown::Gone { peer: lost, rank: port.rank }));
        }
        Ok(())
    }
}

impl StartedExchange for LocalExchange {
    fn test(&mut self) -> Result<bool> {
        self.port.check_process()?;
        self.receive_some()?;
        self.ended = self.receives.is_empty() && self.port.are_received()?;
        Ok(self.ended)
    }

    fn wait(&mut self) -> Result<()> {
        self.port.check_process()?;
        declared::blocks(Wait::OtherRanks);
        self.receive_some()?;
        // SAFETY: the memory of each `message` may be written until the exchange has ended: the
        // contract of `LocalExchange::new`.
        self.receives.iter().try_for_each(|message| unsafe { self.port.receive(message) })?;
        self.receives.clear();
        self.port.wait_for_receivers()?;
        self.ended = true;
        Ok(())
    }
}

impl Drop for LocalExchange {
    fn drop(&mut self) {
        // In a child process after fork no other rank exists, and locks may be held for ever.
        if !self.ended && self.port.hub.is_of_this_process() {
            self.port.withdraw(&self.sends);
        }
    }
}
