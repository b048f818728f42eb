//! Communicators between the threads of one process.
//!
//! A message is one copy, made by the receiver out of the sender's memory. Each rank has a mailbox;
//! a sender puts its messages' places into those of the receivers and waits until they were copied.
//!
//! When an exchange can't be completed, because a rank that it needs is gone or two ranks disagree
//! about a message's length, all exchanges of all these communicators fail from then on, with the
//! reason: no rank waits for a message that can't arrive.
//!
//! A rank that goes wakes the ranks that wait for it and no others, so that freeing all `size`
//! communicators takes `size` steps: it finds the senders by the messages in its mailbox, and the
//! receivers in a list that they join before they wait.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "ranks are checked before mailboxes are looked up, and counts of messages are small"
)]

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};

use super::hub::{Arrival, Breakdown, Hub, Mailbox, NO_RANK, Posted, Waiting, lock};
use super::short::Short;
use super::{Communicator, Incoming, Outgoing};
use crate::comm::CommError;
use crate::declared::{self, Wait};
use crate::error::try_with_capacity;
use crate::memory::Shared;
use crate::model::{Error, Result};

/// `size` communicators that know each other: element `r` is for rank `r`, and for one thread at a
/// time.
///
/// ```
/// use shardspec::comm::{Communicator, local};
///
/// let comms = local(3)?;
/// assert_eq!(comms.iter().map(|comm| comm.rank()).collect::<Vec<_>>(), [0, 1, 2]);
/// assert!(local(0).is_err());
/// # Ok::<(), shardspec::model::Error>(())
/// ```
pub fn local(size: usize) -> Result<Vec<LocalCommunicator>> {
    if size == 0 {
        return Err(Error::invalid("size", "it is 0; a communicator has at least one rank"));
    }
    let mut communicators = try_with_capacity("communicators", size)?;
    let hub = Shared::try_new(Hub::new(size)?)?;
    communicators.extend((0..size).map(|rank| LocalCommunicator {
        rank,
        hub: hub.clone(),
        busy: AtomicBool::new(false),
    }));
    Ok(communicators)
}

/// One rank of a [`local()`] group. Dropping it wakes the ranks that wait for it.
#[derive(Debug)]
pub struct LocalCommunicator {
    rank: usize,
    hub: Shared<Hub>,
    /// An exchange is under way.
    busy: AtomicBool,
}

impl LocalCommunicator {
    fn mailbox(&self) -> &Mailbox {
        self.hub.mailbox(self.rank)
    }

    /// Announces the places of messages to their receivers.
    fn post(&self, sends: &[Outgoing]) -> Result<()> {
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
    unsafe fn receive(&self, message: &Incoming) -> Result<()> {
        let &Incoming { peer, pointer, bytes } = message;
        let here = lock(&self.mailbox().inside).take(peer, bytes);
        let posted = match here {
            Arrival::Message(posted) => posted,
            Arrival::OtherLength(sent) => return Err(self.differ(message, sent)),
            Arrival::Nothing => self.wait_for_message(message)?,
        };
        // SAFETY: the sender waits for this copy before it gives its memory away, and the caller
        // promises the rest.
        unsafe { std::ptr::copy_nonoverlapping(posted.pointer, pointer, bytes) };
        let sender = self.hub.mailbox(peer);
        let mut inside = lock(&sender.inside);
        inside.unfinished -= 1;
        let all = inside.unfinished == 0;
        drop(inside);
        if all {
            sender.changed.notify_all();
        }
        Ok(())
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
    fn wait_for_receivers(&self) -> Result<()> {
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

    fn differ(&self, message: &Incoming, sent: usize) -> Error {
        let &Incoming { peer: from, bytes: expected, .. } = message;
        self.hub.fail(Breakdown::Lengths { from, sent, to: self.rank, expected })
    }

    fn check_call(&self, sends: &[Outgoing], receives: &[Incoming]) -> Result<()> {
        if !self.hub.is_of_this_process() {
            let what = "the communicator was made before the fork, in the parent process: its \
                 other ranks are not in this process";
            return Err(Error::Comm(CommError::TransportFailed { what: what.into() }));
        }
        let sent = sends.iter().map(|message| ("sends", message.peer));
        let received = receives.iter().map(|message| ("receives", message.peer));
        let count = self.size() as u64;
        match sent.chain(received).find(|(_, peer)| *peer as u64 >= count) {
            None => self.hub.check(),
            Some((argument, peer)) => {
                Err(Error::IndexOutOfRange { argument, index: peer as u64, count })
            }
        }
    }
}

/// Messages of an exchange that may be on their way. When this is dropped, what was not copied yet is
/// taken back, and what is being copied is waited for: then the memory is its owner's again, however
/// the exchange is left.
struct Sent<'a> {
    comm: &'a LocalCommunicator,
    sends: &'a [Outgoing],
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        let LocalCommunicator { rank, hub, .. } = self.comm;
        let own = self.comm.mailbox();
        for send in self.sends {
            let withdrawn = lock(&hub.mailbox(send.peer).inside).arrived.remove(rank);
            lock(&own.inside).unfinished -= withdrawn.map_or(0, |queue| queue.len());
        }
        let mut inside = lock(&own.inside);
        while inside.unfinished > 0 {
            inside = own.wait(inside);
        }
    }
}

/// Marks a communicator as busy until it is dropped.
struct Busy<'a>(&'a AtomicBool);

impl<'a> Busy<'a> {
    fn new(busy: &'a AtomicBool) -> Result<Self> {
        if busy.swap(true, Ordering::Acquire) {
            let problem = "another thread is using it; use a communicator on one thread at a time";
            return Err(Error::invalid("comm", problem));
        }
        Ok(Self(busy))
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Communicator for LocalCommunicator {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.hub.size()
    }

    unsafe fn exchange(&self, sends: &[Outgoing], receives: &[Incoming]) -> Result<()> {
        declared::blocks(Wait::OtherRanks);
        self.check_call(sends, receives)?;
        let _busy = Busy::new(&self.busy)?;
        let sent = Sent { comm: self, sends };
        self.post(sends)?;
        // SAFETY: the caller's promise is passed on.
        receives.iter().try_for_each(|message| unsafe { self.receive(message) })?;
        self.wait_for_receivers()?;
        std::mem::forget(sent);
        Ok(())
    }

    fn abort(&self, reason: &dyn Display) {
        if self.hub.is_of_this_process() {
            let reason = Short::new(reason);
            self.hub.break_down(Breakdown::Aborted { rank: self.rank, reason });
        }
    }
}

impl Drop for LocalCommunicator {
    fn drop(&mut self) {
        if self.hub.is_of_this_process() {
            self.hub.leave(self.rank);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often mailboxes were looked up since the last time.
    fn visits(hub: &Hub) -> usize {
        hub.visits.swap(0, Ordering::Relaxed)
    }

    fn out(peer: usize, byte: &u8) -> Outgoing {
        Outgoing { peer, pointer: byte, bytes: 1 }
    }

    fn into(peer: usize, byte: &mut u8) -> Incoming {
        Incoming { peer, pointer: byte, bytes: 1 }
    }

    /// However many ranks there are, each looks up no more than a few mailboxes.
    fn assert_linear(visits: impl Fn(usize) -> usize) {
        for size in [1000, 4000] {
            let visits = visits(size);
            assert!(visits <= 32 * size, "{visits} visits of {size} mailboxes");
        }
    }

    #[test]
    fn freeing_a_group_takes_as_many_steps_as_it_has_ranks() {
        assert_linear(|size| {
            let comms = local(size).unwrap();
            let hub = comms[0].hub.clone();
            drop(comms);
            visits(&hub)
        });
        // In any order, and also when the group is broken.
        assert_linear(|size| {
            let mut comms = local(size).unwrap();
            let hub = comms[0].hub.clone();
            drop(comms.remove(1));
            // SAFETY: the byte is there.
            unsafe { comms[0].exchange(&[out(1, &1)], &[]) }.unwrap_err();
            comms.reverse();
            drop(comms);
            visits(&hub)
        });
    }

    /// One rank sends to all others, each of which leaves when it has its message.
    #[test]
    fn ranks_that_leave_one_after_the_other_do_not_make_a_sender_look_at_all_of_them_again() {
        assert_linear(|size| {
            let mut comms = local(size).unwrap();
            let hub = comms[0].hub.clone();
            let root = comms.remove(0);
            let bytes = vec![7; size];
            let sends: Vec<_> = (1..size).map(|peer| out(peer, &bytes[peer])).collect();
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    for comm in comms {
                        let mut got = 0;
                        // SAFETY: the byte is there.
                        unsafe { comm.exchange(&[], &[into(0, &mut got)]) }.unwrap();
                        assert_eq!(got, 7);
                        drop(comm);
                    }
                });
                // SAFETY: the bytes exist, and nothing writes them.
                unsafe { root.exchange(&sends, &[]) }.unwrap();
            });
            visits(&hub)
        });
    }
}
