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

use super::hub::{Breakdown, Hub};
use super::local_exchange::{Busy, LocalExchange, Port};
use super::short::Short;
use super::started::StartedExchange;
use super::{Communicator, Incoming, Outgoing};
use crate::declared::{self, Wait};
use crate::error::{try_to_vec, try_with_capacity};
use crate::memory::{Shared, try_box};
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
    group(size, None)
}

/// As [`local()`], as if the ranks were on nodes: rank `r` on node `nodes[r]`. Messages travel no
/// differently.
pub fn local_on_nodes(nodes: &[i64]) -> Result<Vec<LocalCommunicator>> {
    group(nodes.len(), Some(try_to_vec("nodes", nodes)?))
}

fn group(size: usize, nodes: Option<Vec<i64>>) -> Result<Vec<LocalCommunicator>> {
    let known = nodes.iter().flatten().enumerate();
    if let Some((at, &value)) = known.into_iter().find(|(_, node)| **node < 0) {
        return Err(Error::TooSmall { argument: "nodes", value, least: 0 }.at("nodes", at));
    }
    if size == 0 {
        return Err(Error::invalid("size", "it is 0; a communicator has at least one rank"));
    }
    let mut communicators = try_with_capacity("communicators", size)?;
    let hub = Shared::try_new(Hub::new(size, nodes)?)?;
    let port = |rank| Port { rank, hub: hub.clone() };
    communicators.extend((0..size).map(|rank| LocalCommunicator { port: port(rank) }));
    Ok(communicators)
}

/// One rank of a [`local()`] group. Dropping it wakes the ranks that wait for it.
#[derive(Debug)]
pub struct LocalCommunicator {
    port: Port,
}

impl LocalCommunicator {
    fn check_call(&self, sends: &[Outgoing], receives: &[Incoming]) -> Result<()> {
        self.port.check_process()?;
        let sent = sends.iter().map(|message| ("sends", message.peer));
        let received = receives.iter().map(|message| ("receives", message.peer));
        let count = self.size() as u64;
        match sent.chain(received).find(|(_, peer)| *peer as u64 >= count) {
            None => self.port.hub.check(),
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
    port: &'a Port,
    sends: &'a [Outgoing],
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        self.port.withdraw(self.sends);
    }
}

impl Communicator for LocalCommunicator {
    fn rank(&self) -> usize {
        self.port.rank
    }

    fn size(&self) -> usize {
        self.port.hub.size()
    }

    fn node(&self, rank: usize) -> Option<i64> {
        self.port.hub.node(rank)
    }

    unsafe fn exchange(&self, sends: &[Outgoing], receives: &[Incoming]) -> Result<()> {
        declared::blocks(Wait::OtherRanks);
        self.check_call(sends, receives)?;
        let _busy = Busy::new(&self.port)?;
        let sent = Sent { port: &self.port, sends };
        self.port.post(sends)?;
        // SAFETY: the contract of `Communicator::exchange` is that the memory of each incoming
        // `message` may be written, as `receive` requires.
        receives.iter().try_for_each(|message| unsafe { self.port.receive(message) })?;
        self.port.wait_for_receivers()?;
        std::mem::forget(sent);
        Ok(())
    }

    unsafe fn start(
        &self, sends: &[Outgoing], receives: &[Incoming],
    ) -> Result<Option<Box<dyn StartedExchange>>> {
        self.check_call(sends, receives)?;
        // SAFETY: the contract of `Communicator::start` is that of `LocalExchange::new`, for the
        // same messages.
        let started = unsafe { LocalExchange::new(&self.port, sends, receives)? };
        Ok(Some(try_box(started)?))
    }

    fn can_abort(&self) -> bool {
        true
    }

    fn abort(&self, reason: &dyn Display) {
        if self.port.hub.is_of_this_process() {
            let reason = Short::new(reason);
            self.port.hub.break_down(Breakdown::Aborted { rank: self.port.rank, reason });
        }
    }
}

impl Drop for LocalCommunicator {
    fn drop(&mut self) {
        if self.port.hub.is_of_this_process() {
            self.port.hub.leave(self.port.rank);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

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
            let hub = comms[0].port.hub.clone();
            drop(comms);
            visits(&hub)
        });
        // In any order, and also when the group is broken.
        assert_linear(|size| {
            let mut comms = local(size).unwrap();
            let hub = comms[0].port.hub.clone();
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
            let hub = comms[0].port.hub.clone();
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
