//! Communicators between the threads of one process.
//!
//! A message is one copy, made by the receiver out of the sender's memory. Each rank has a mailbox;
//! a sender puts its messages' places into those of the receivers and waits until they were copied.
//!
//! When an exchange can't be completed, because a rank that it needs is gone or two ranks disagree
//! about a message's length, all exchanges of all these communicators fail from then on, with the
//! reason: nobody waits for what will not come.
//!
//! A rank that goes wakes the ranks that wait for it and no others, so that freeing all `size`
//! communicators takes `size` steps: it finds the senders by the messages in its mailbox, and the
//! receivers in a list that they join before they wait.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "ranks are checked before mailboxes are looked up, and counts of messages are small"
)]

use std::collections::{HashMap, VecDeque};
use std::fmt::{Display, Formatter};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::short::Short;
use super::{Communicator, Incoming, Outgoing};
use crate::core::error::try_with_capacity;
use crate::core::{Error, Result};
use crate::memory::{Shared, text};

/// `size` communicators that know each other: element `r` is for rank `r`, and for one thread at a
/// time.
pub fn local(size: usize) -> Result<Vec<LocalCommunicator>> {
    if size == 0 {
        return Err(Error::invalid("size", "it is 0; a communicator has at least one rank"));
    }
    let mut mailboxes = try_with_capacity("mailboxes", size)?;
    let mut communicators = try_with_capacity("communicators", size)?;
    mailboxes.resize_with(size, Mailbox::default);
    let hub = Shared::try_new(Hub {
        process: std::process::id(),
        mailboxes,
        broken: AtomicBool::new(false),
        breakdown: Mutex::new(None),
        #[cfg(test)]
        visits: AtomicUsize::new(0),
    })?;
    communicators.extend((0..size).map(|rank| LocalCommunicator {
        rank,
        hub: hub.clone(),
        busy: AtomicBool::new(false),
    }));
    Ok(communicators)
}

/// One rank of a [`local()`] group. When it is dropped, ranks that wait for it are told.
#[derive(Debug)]
pub struct LocalCommunicator {
    rank: usize,
    hub: Shared<Hub>,
    /// An exchange is under way.
    busy: AtomicBool,
}

/// What the ranks share.
///
/// Its locks do no harm to a child process after fork: in a process that did not make it, no lock is
/// taken, and an exchange is refused, since the threads it would wait for are not there.
#[derive(Debug)]
struct Hub {
    process: u32,
    mailboxes: Vec<Mailbox>,
    /// Whether all exchanges fail, and why.
    broken: AtomicBool,
    breakdown: Mutex<Option<Breakdown>>,
    /// How often any mailbox was looked up.
    #[cfg(test)]
    visits: AtomicUsize,
}

/// Why a group exchanges no more: the first reason that there was.
#[derive(Debug, Clone, Copy)]
enum Breakdown {
    /// Rank `peer` went while `rank` exchanged with it.
    Gone { peer: usize, rank: usize },
    /// The two ends of a message gave it different lengths.
    Lengths { from: usize, sent: usize, to: usize, expected: usize },
    /// A rank had no memory left to tell others of its messages.
    OutOfMemory { rank: usize },
    /// A rank gave up, and said why.
    Aborted { rank: usize, reason: Short<REASON> },
}

impl Display for Breakdown {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Gone { peer, rank } => write!(
                f,
                "rank {peer} is gone: its communicator was freed while rank {rank} exchanged with it"
            ),
            Self::Lengths { from, sent, to, expected } => {
                write!(f, "rank {from} sent {sent} bytes where rank {to} was to receive {expected}")
            }
            Self::OutOfMemory { rank } => {
                write!(f, "rank {rank} ran out of memory during an exchange")
            }
            Self::Aborted { rank, ref reason } => write!(f, "rank {rank} gave up: {reason}"),
        }
    }
}

/// Bytes of the reason for which a rank gave up.
const REASON: usize = 200;
/// Nobody, where a rank is expected.
const NOBODY: usize = usize::MAX;

#[derive(Debug, Default)]
struct Mailbox {
    /// The rank's communicator was dropped.
    gone: AtomicBool,
    /// The rank's neighbours in a list of ranks that wait for another one. Read and written under the
    /// lock of that other one's mailbox.
    before: AtomicUsize,
    after: AtomicUsize,
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Debug)]
struct Inside {
    /// Messages to this rank that it has not copied yet, by sender, oldest first.
    arrived: HashMap<usize, VecDeque<Posted>>,
    /// Messages from this rank that their receivers have not copied yet.
    unfinished: usize,
    /// A rank that went without having copied its messages from this one, or `NOBODY`.
    lost: usize,
    /// The first in the list of the ranks that wait for a message from this one, or `NOBODY`.
    waiting: usize,
}

impl Default for Inside {
    fn default() -> Self {
        Self { arrived: HashMap::new(), unfinished: 0, lost: NOBODY, waiting: NOBODY }
    }
}

/// A message in the sender's memory, which stays as it is until the receiver has copied it.
#[derive(Debug)]
struct Posted {
    pointer: *const u8,
    bytes: usize,
}

// SAFETY: the sender waits until the receiver, on another thread, is done with the memory.
unsafe impl Send for Posted {}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that could panic is done under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mailbox {
    fn wait<'a>(&self, inside: MutexGuard<'a, Inside>) -> MutexGuard<'a, Inside> {
        self.changed.wait(inside).unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the rank, to look again at what has changed.
    fn wake(&self) {
        // Whoever looked before the change is waiting once the lock is free.
        drop(lock(&self.inside));
        self.changed.notify_all();
    }
}

impl Inside {
    /// Leaves a message from `sender`; `false` when there is no memory for it.
    fn leave(&mut self, sender: usize, posted: Posted) -> bool {
        if self.arrived.try_reserve(1).is_err() {
            return false;
        }
        let queue = self.arrived.entry(sender).or_default();
        if queue.try_reserve(1).is_err() {
            return false;
        }
        queue.push_back(posted);
        true
    }

    /// Takes the oldest message from `peer` if it has `bytes` bytes. One of another length stays where
    /// it is, so that its sender does not take it for received.
    fn take(&mut self, peer: usize, bytes: usize) -> Arrival {
        let Some(queue) = self.arrived.get_mut(&peer) else {
            return Arrival::Nothing;
        };
        match queue.front().map(|posted| posted.bytes) {
            None => Arrival::Nothing,
            Some(sent) if sent != bytes => Arrival::OtherLength(sent),
            Some(_) => queue.pop_front().map_or(Arrival::Nothing, Arrival::Message),
        }
    }
}

enum Arrival {
    Message(Posted),
    OtherLength(usize),
    Nothing,
}

impl Hub {
    fn mailbox(&self, rank: usize) -> &Mailbox {
        #[cfg(test)]
        self.visits.fetch_add(1, Ordering::Relaxed);
        &self.mailboxes[rank]
    }

    /// Makes every exchange fail from now on. The first reason is the one that is told.
    fn break_down(&self, breakdown: Breakdown) {
        lock(&self.breakdown).get_or_insert(breakdown);
        if self.broken.swap(true, Ordering::AcqRel) {
            return;
        }
        (0..self.mailboxes.len()).for_each(|rank| self.mailbox(rank).wake());
    }

    fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    fn check(&self) -> Result<()> {
        match &*lock(&self.breakdown) {
            Some(breakdown) if self.is_broken() => {
                Err(Error::TransportFailed { what: text!("{breakdown}") })
            }
            _ => Ok(()),
        }
    }

    fn is_gone(&self, rank: usize) -> bool {
        self.mailbox(rank).gone.load(Ordering::Acquire)
    }
}

/// A rank's place in the list of those that wait for a message from another, until it is dropped.
struct Waiting<'a> {
    hub: &'a Hub,
    rank: usize,
    peer: usize,
}

impl<'a> Waiting<'a> {
    fn new(hub: &'a Hub, rank: usize, peer: usize) -> Self {
        let mut inside = lock(&hub.mailbox(peer).inside);
        let own = hub.mailbox(rank);
        let after = std::mem::replace(&mut inside.waiting, rank);
        own.before.store(NOBODY, Ordering::Relaxed);
        own.after.store(after, Ordering::Relaxed);
        if after != NOBODY {
            hub.mailbox(after).before.store(rank, Ordering::Relaxed);
        }
        Self { hub, rank, peer }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut inside = lock(&self.hub.mailbox(self.peer).inside);
        let own = self.hub.mailbox(self.rank);
        let [before, after] = [&own.before, &own.after].map(|next| next.load(Ordering::Relaxed));
        match before {
            NOBODY => inside.waiting = after,
            before => self.hub.mailbox(before).after.store(after, Ordering::Relaxed),
        }
        if after != NOBODY {
            self.hub.mailbox(after).before.store(before, Ordering::Relaxed);
        }
    }
}

impl LocalCommunicator {
    fn mailbox(&self) -> &Mailbox {
        self.hub.mailbox(self.rank)
    }

    /// Tells the receivers where their messages are.
    fn post(&self, sends: &[Outgoing]) -> Result<()> {
        for &Outgoing { peer, pointer, bytes } in sends {
            // Counted before it can be copied.
            lock(&self.mailbox().inside).unfinished += 1;
            let mailbox = self.hub.mailbox(peer);
            let mut inside = lock(&mailbox.inside);
            let left = inside.leave(self.rank, Posted { pointer, bytes });
            // Whoever goes later finds the message and says so itself.
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
        // From here on the peer wakes this rank when it goes; whether it has gone is looked at after.
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
            if lost != NOBODY || self.hub.is_broken() {
                drop(inside);
                return Err(self.fail(Breakdown::Gone { peer: lost, rank: self.rank }));
            }
            inside = self.mailbox().wait(inside);
        }
    }

    /// Waits until all messages that were posted are copied.
    fn wait_for_receivers(&self) -> Result<()> {
        let mut inside = lock(&self.mailbox().inside);
        while inside.unfinished > 0 {
            let lost = inside.lost;
            if lost != NOBODY || self.hub.is_broken() {
                drop(inside);
                return Err(self.fail(Breakdown::Gone { peer: lost, rank: self.rank }));
            }
            inside = self.mailbox().wait(inside);
        }
        Ok(())
    }

    /// The refusal of this exchange, by the reason that made the first one fail.
    fn fail(&self, breakdown: Breakdown) -> Error {
        self.hub.break_down(breakdown);
        let first = lock(&self.hub.breakdown).unwrap_or(breakdown);
        Error::TransportFailed { what: text!("{first}") }
    }

    fn differ(&self, message: &Incoming, sent: usize) -> Error {
        let &Incoming { peer: from, bytes: expected, .. } = message;
        self.fail(Breakdown::Lengths { from, sent, to: self.rank, expected })
    }

    fn is_of_this_process(&self) -> bool {
        self.hub.process == std::process::id()
    }

    fn check_call(&self, sends: &[Outgoing], receives: &[Incoming]) -> Result<()> {
        if !self.is_of_this_process() {
            let what = "the communicator was made in the process that this one was forked from: its \
                        other ranks are not here";
            return Err(Error::TransportFailed { what: what.into() });
        }
        let sent = sends.iter().map(|message| ("sends", message.peer));
        let received = receives.iter().map(|message| ("recvs", message.peer));
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
            let problem = "another thread exchanges by it; a rank is one thread at a time";
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
        self.hub.mailboxes.len()
    }

    unsafe fn exchange(&self, sends: &[Outgoing], receives: &[Incoming]) -> Result<()> {
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
        if self.is_of_this_process() {
            let reason = Short::new(reason);
            self.hub.break_down(Breakdown::Aborted { rank: self.rank, reason });
        }
    }
}

impl Drop for LocalCommunicator {
    fn drop(&mut self) {
        if !self.is_of_this_process() {
            return;
        }
        let mailbox = self.mailbox();
        // Nobody joins the list or leaves a message while the lock is held; whoever comes later finds
        // that this rank is gone. Those that are waiting hold no lock but their own, and that briefly.
        let inside = lock(&mailbox.inside);
        mailbox.gone.store(true, Ordering::Release);
        for (&sender, messages) in &inside.arrived {
            if !messages.is_empty() {
                let mailbox = self.hub.mailbox(sender);
                lock(&mailbox.inside).lost = self.rank;
                mailbox.changed.notify_all();
            }
        }
        let mut waiting = inside.waiting;
        while waiting != NOBODY {
            let mailbox = self.hub.mailbox(waiting);
            mailbox.wake();
            waiting = mailbox.after.load(Ordering::Relaxed);
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
                // SAFETY: the bytes are there, and nobody writes them.
                unsafe { root.exchange(&sends, &[]) }.unwrap();
            });
            visits(&hub)
        });
    }
}
