//! The shared state of a local group: a mailbox for each rank, and whether the group is broken.
//!
//! A sender counts a message (1), puts its place into the mailbox of the receiver (2), and waits until the
//! count is 0 again (5). The receiver takes the place out of its mailbox (3), copies the bytes, and counts
//! the message down (4). Each step holds the lock of one mailbox. So 2 happens before 3, and 4 before 5: the
//! sender has its memory back after all copies.
//!
//! A rank that can't go on waits for its own condition, under the lock of its own mailbox. What it waits
//! for is changed under that lock, or the lock is taken once after the change ([`Mailbox::wake`]). So a rank
//! either sees the change or waits before it is woken. A rank that waits for a message first joins the list
//! of the sender, and then looks whether the sender is gone. A sender that goes first says so, and then
//! wakes its list.

#![allow(clippy::indexing_slicing, reason = "ranks are checked before mailboxes are looked up")]

use std::collections::{HashMap, VecDeque};
use std::fmt::{Display, Formatter};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::short::Short;
use crate::comm::CommError;
use crate::concurrency::{AtomicBool, AtomicUsize, Condvar, Mutex, MutexGuard};
use crate::error::try_with_capacity;
use crate::memory::text;
use crate::model::{Error, Result};

/// The shared state of the ranks.
///
/// Its locks do no harm to a child process after fork: in a process that did not make it, no lock is
/// taken, and an exchange is refused, since the threads it would wait for are not there.
#[derive(Debug)]
pub(super) struct Hub {
    process: u32,
    mailboxes: Vec<Mailbox>,
    /// The node of each rank, where there are said to be any.
    nodes: Option<Vec<i64>>,
    /// Whether all exchanges fail, and why.
    broken: AtomicBool,
    breakdown: Mutex<Option<Breakdown>>,
    /// How often any mailbox was looked up.
    #[cfg(test)]
    pub(super) visits: AtomicUsize,
}

/// Why a group exchanges no more: the first reason that there was.
#[derive(Debug, Clone, Copy)]
pub(super) enum Breakdown {
    /// Rank `peer` went while `rank` exchanged with it.
    Gone { peer: usize, rank: usize },
    /// The two ends of a message gave it different lengths.
    Lengths { from: usize, sent: usize, to: usize, expected: usize },
    /// A rank had no memory left to announce its messages.
    OutOfMemory { rank: usize },
    /// A rank aborted, and why.
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
            Self::Aborted { rank, ref reason } => write!(f, "rank {rank} aborted: {reason}"),
        }
    }
}

/// Bytes of the reason for which a rank aborted.
pub(super) const REASON: usize = 200;
/// Stands for no rank.
pub(super) const NO_RANK: usize = usize::MAX;

#[derive(Debug, Default)]
pub(super) struct Mailbox {
    /// The rank's communicator was dropped.
    pub(super) gone: AtomicBool,
    /// An exchange of the rank is under way.
    pub(super) busy: AtomicBool,
    /// The rank's neighbours in a list of ranks that wait for another one. Read and written under the
    /// lock of that other one's mailbox.
    before: AtomicUsize,
    after: AtomicUsize,
    pub(super) inside: Mutex<Inside>,
    pub(super) changed: Condvar,
}

/// A map from ranks. They are hashed alike in every process: the standard library asks the system for
/// its keys, where a thread may be cancelled.
type ByRank<T> = HashMap<usize, T, BuildHasherDefault<DefaultHasher>>;

#[derive(Debug)]
pub(super) struct Inside {
    /// Messages to this rank that it has not copied yet, by sender, oldest first.
    pub(super) arrived: ByRank<VecDeque<Posted>>,
    /// Messages from this rank that their receivers have not copied yet.
    pub(super) unfinished: usize,
    /// A rank that went without having copied its messages from this one, or `NO_RANK`.
    pub(super) lost: usize,
    /// The first in the list of the ranks that wait for a message from this one, or `NO_RANK`.
    waiting: usize,
}

impl Default for Inside {
    fn default() -> Self {
        Self { arrived: ByRank::default(), unfinished: 0, lost: NO_RANK, waiting: NO_RANK }
    }
}

/// A message in the sender's memory, which stays as it is until the receiver has copied it.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) pointer: *const u8,
    pub(super) bytes: usize,
}

// SAFETY: the sender of what is `Posted` waits until the receiver, on another thread, is done with
// the memory (`wait_for_receivers`).
unsafe impl Send for Posted {}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that could panic is done under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mailbox {
    pub(super) fn wait<'a>(&self, inside: MutexGuard<'a, Inside>) -> MutexGuard<'a, Inside> {
        self.changed.wait(inside).unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the rank, to look again at what has changed.
    pub(super) fn wake(&self) {
        // A rank that looked before the change is waiting once the lock is free.
        drop(lock(&self.inside));
        self.changed.notify_all();
    }
}

impl Inside {
    /// Leaves a message from `sender`; `false` when there is no memory for it.
    pub(super) fn leave(&mut self, sender: usize, posted: Posted) -> bool {
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
    pub(super) fn take(&mut self, peer: usize, bytes: usize) -> Arrival {
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

pub(super) enum Arrival {
    Message(Posted),
    OtherLength(usize),
    Nothing,
}

impl Hub {
    pub(super) fn new(size: usize, nodes: Option<Vec<i64>>) -> Result<Self> {
        let mut mailboxes = try_with_capacity("mailboxes", size)?;
        mailboxes.resize_with(size, Mailbox::default);
        Ok(Self {
            process: std::process::id(),
            mailboxes,
            nodes,
            broken: AtomicBool::new(false),
            breakdown: Mutex::new(None),
            #[cfg(test)]
            visits: AtomicUsize::new(0),
        })
    }

    /// How many ranks there are.
    pub(super) fn size(&self) -> usize {
        self.mailboxes.len()
    }

    /// The node of a rank, if there is said to be one.
    pub(super) fn node(&self, rank: usize) -> Option<i64> {
        self.nodes.as_ref()?.get(rank).copied()
    }

    pub(super) fn is_of_this_process(&self) -> bool {
        self.process == std::process::id()
    }

    /// Wakes the ranks that wait for `rank`, which has gone.
    pub(super) fn leave(&self, rank: usize) {
        let mailbox = self.mailbox(rank);
        // No rank joins the list or leaves a message while the lock is held. Later ranks find that
        // this rank is gone. Waiting ranks hold only their own lock, and that briefly.
        let inside = lock(&mailbox.inside);
        mailbox.gone.store(true, Ordering::Release);
        for (&sender, messages) in &inside.arrived {
            if !messages.is_empty() {
                let mailbox = self.mailbox(sender);
                lock(&mailbox.inside).lost = rank;
                mailbox.changed.notify_all();
            }
        }
        let mut waiting = inside.waiting;
        while waiting != NO_RANK {
            let mailbox = self.mailbox(waiting);
            mailbox.wake();
            waiting = mailbox.after.load(Ordering::Relaxed);
        }
    }

    /// Makes every exchange fail from now on, and gives the refusal of this one: by the first reason
    /// that there was.
    pub(super) fn fail(&self, breakdown: Breakdown) -> Error {
        self.break_down(breakdown);
        let first = lock(&self.breakdown).unwrap_or(breakdown);
        Error::Comm(CommError::TransportFailed { what: text!("{first}") })
    }

    pub(super) fn mailbox(&self, rank: usize) -> &Mailbox {
        #[cfg(test)]
        self.visits.fetch_add(1, Ordering::Relaxed);
        &self.mailboxes[rank]
    }

    /// Makes every exchange fail from now on. Errors have the first reason.
    pub(super) fn break_down(&self, breakdown: Breakdown) {
        lock(&self.breakdown).get_or_insert(breakdown);
        if self.broken.swap(true, Ordering::AcqRel) {
            return;
        }
        (0..self.mailboxes.len()).for_each(|rank| self.mailbox(rank).wake());
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    pub(super) fn check(&self) -> Result<()> {
        match &*lock(&self.breakdown) {
            Some(breakdown) if self.is_broken() => {
                Err(Error::Comm(CommError::TransportFailed { what: text!("{breakdown}") }))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn is_gone(&self, rank: usize) -> bool {
        self.mailbox(rank).gone.load(Ordering::Acquire)
    }
}

/// A rank's place in the list of those that wait for a message from another, until it is dropped.
pub(super) struct Waiting<'a> {
    hub: &'a Hub,
    rank: usize,
    peer: usize,
}

impl<'a> Waiting<'a> {
    pub(super) fn new(hub: &'a Hub, rank: usize, peer: usize) -> Self {
        let mut inside = lock(&hub.mailbox(peer).inside);
        let own = hub.mailbox(rank);
        let after = std::mem::replace(&mut inside.waiting, rank);
        own.before.store(NO_RANK, Ordering::Relaxed);
        own.after.store(after, Ordering::Relaxed);
        if after != NO_RANK {
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
            NO_RANK => inside.waiting = after,
            before => self.hub.mailbox(before).after.store(after, Ordering::Relaxed),
        }
        if after != NO_RANK {
            self.hub.mailbox(after).before.store(before, Ordering::Relaxed);
        }
    }
}
