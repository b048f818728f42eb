//! Communicators between the threads of one process.
//!
//! A message is one copy, made by the receiver out of the sender's memory. Each rank has a mailbox;
//! a sender puts its messages' places into those of the receivers and waits until they were copied.
//!
//! When an exchange can't be completed, because a rank that it needs is gone or two ranks disagree
//! about a message's length, all exchanges of all these communicators fail from then on, with the
//! reason: nobody waits for what will not come.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "ranks are checked before mailboxes are looked up, and counts of messages are small"
)]

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Communicator, Incoming, Outgoing};
use crate::core::error::try_with_capacity;
use crate::core::{Error, Result};
use crate::memory::{Text, text};

/// `size` communicators that know each other: element `r` is for rank `r`, and for one thread at a
/// time.
pub fn local(size: usize) -> Result<Vec<LocalCommunicator>> {
    if size == 0 {
        return Err(Error::invalid("size", "it is 0; a communicator has at least one rank"));
    }
    let mut mailboxes = try_with_capacity("mailboxes", size)?;
    let mut communicators = try_with_capacity("communicators", size)?;
    mailboxes.resize_with(size, Mailbox::default);
    let hub = Arc::new(Hub {
        process: std::process::id(),
        mailboxes,
        left: AtomicUsize::new(0),
        broken: AtomicBool::new(false),
        reason: Mutex::new(Text::default()),
    });
    communicators.extend((0..size).map(|rank| LocalCommunicator {
        rank,
        hub: Arc::clone(&hub),
        busy: AtomicBool::new(false),
    }));
    Ok(communicators)
}

/// One rank of a [`local()`] group. When it is dropped, ranks that wait for it are told.
#[derive(Debug)]
pub struct LocalCommunicator {
    rank: usize,
    hub: Arc<Hub>,
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
    /// How many ranks are gone.
    left: AtomicUsize,
    /// Whether all exchanges fail, and why.
    broken: AtomicBool,
    reason: Mutex<Text>,
}

#[derive(Debug, Default)]
struct Mailbox {
    /// The rank's communicator was dropped.
    gone: AtomicBool,
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inside {
    /// Messages to this rank that it has not copied yet, by sender, oldest first.
    arrived: HashMap<usize, VecDeque<Posted>>,
    /// Messages from this rank that their receivers have not copied yet.
    unfinished: usize,
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
}

impl Hub {
    /// Wakes every waiting rank, to look again at what has changed.
    fn wake_all(&self) {
        for mailbox in &self.mailboxes {
            // Whoever looked before the change is waiting once the lock is free.
            drop(lock(&mailbox.inside));
            mailbox.changed.notify_all();
        }
    }

    /// Makes every exchange fail from now on. The first reason is the one that is told.
    fn break_down(&self, reason: Text) {
        let mut told = lock(&self.reason);
        if self.broken.swap(true, Ordering::AcqRel) {
            return;
        }
        *told = reason;
        drop(told);
        self.wake_all();
    }

    fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    fn check(&self) -> Result<()> {
        if self.is_broken() {
            return Err(Error::TransportFailed { what: lock(&self.reason).clone() });
        }
        Ok(())
    }

    fn is_gone(&self, rank: usize) -> bool {
        self.mailboxes[rank].gone.load(Ordering::Acquire)
    }
}

impl LocalCommunicator {
    fn mailbox(&self) -> &Mailbox {
        &self.hub.mailboxes[self.rank]
    }

    /// Tells the receivers where their messages are.
    fn post(&self, sends: &[Outgoing]) {
        lock(&self.mailbox().inside).unfinished += sends.len();
        for &Outgoing { peer, pointer, bytes } in sends {
            let mailbox = &self.hub.mailboxes[peer];
            let mut inside = lock(&mailbox.inside);
            inside.arrived.entry(self.rank).or_default().push_back(Posted { pointer, bytes });
            drop(inside);
            mailbox.changed.notify_all();
        }
    }

    /// Waits for the oldest message from a rank and copies it.
    ///
    /// # Safety
    ///
    /// The message's memory may be written.
    unsafe fn receive(&self, message: &Incoming) -> Result<()> {
        let &Incoming { peer, pointer, bytes } = message;
        let mut inside = lock(&self.mailbox().inside);
        let posted = loop {
            let queue = inside.arrived.entry(peer).or_default();
            let sent = queue.front().map(|posted| posted.bytes);
            if sent == Some(bytes)
                && let Some(posted) = queue.pop_front()
            {
                break posted;
            }
            if let Some(sent) = sent {
                // The message stays where it is, so that its sender does not take it for received.
                drop(inside);
                return Err(self.fail(|rank| {
                    text!("rank {peer} sent {sent} bytes where rank {rank} was to receive {bytes}")
                }));
            }
            if self.hub.is_broken() || self.hub.is_gone(peer) {
                drop(inside);
                return Err(self.fail(|rank| gone(peer, rank)));
            }
            inside = self.mailbox().wait(inside);
        };
        drop(inside);
        // SAFETY: the sender waits for this copy before it gives its memory away, and the caller
        // promises the rest.
        unsafe { std::ptr::copy_nonoverlapping(posted.pointer, pointer, bytes) };
        let sender = &self.hub.mailboxes[peer];
        lock(&sender.inside).unfinished -= 1;
        sender.changed.notify_all();
        Ok(())
    }

    /// Waits until all messages that were posted are copied.
    fn wait_for_receivers(&self, sends: &[Outgoing]) -> Result<()> {
        loop {
            let left = self.hub.left.load(Ordering::Acquire);
            // A rank that is gone may have copied its messages before.
            let lost = sends.iter().map(|sent| sent.peer).find(|&peer| {
                let waiting = |inside: &Inside| {
                    inside.arrived.get(&self.rank).is_some_and(|queue| !queue.is_empty())
                };
                left > 0
                    && self.hub.is_gone(peer)
                    && waiting(&lock(&self.hub.mailboxes[peer].inside))
            });
            if let Some(peer) = lost {
                return Err(self.fail(|rank| gone(peer, rank)));
            }
            let mut inside = lock(&self.mailbox().inside);
            while inside.unfinished > 0
                && !self.hub.is_broken()
                && self.hub.left.load(Ordering::Acquire) == left
            {
                inside = self.mailbox().wait(inside);
            }
            if inside.unfinished == 0 {
                return Ok(());
            }
            drop(inside);
            self.hub.check()?;
        }
    }

    /// Takes back what was not copied yet, and waits for what is being copied: then the senders'
    /// memory is its owner's again.
    fn withdraw(&self, sends: &[Outgoing]) {
        for send in sends {
            let withdrawn = lock(&self.hub.mailboxes[send.peer].inside).arrived.remove(&self.rank);
            lock(&self.mailbox().inside).unfinished -= withdrawn.map_or(0, |queue| queue.len());
        }
        let mut inside = lock(&self.mailbox().inside);
        while inside.unfinished > 0 {
            inside = self.mailbox().wait(inside);
        }
    }

    /// The refusal of this exchange, by the reason that made the first one fail.
    fn fail(&self, reason: impl FnOnce(usize) -> Text) -> Error {
        self.hub.break_down(reason(self.rank));
        Error::TransportFailed { what: lock(&self.hub.reason).clone() }
    }

    fn check_call(&self, sends: &[Outgoing], receives: &[Incoming]) -> Result<()> {
        if self.hub.process != std::process::id() {
            let what =
                "the communicator was made in the process that this one was forked from: its \
                        other ranks are not here"
                    .into();
            return Err(Error::TransportFailed { what });
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

fn gone(peer: usize, rank: usize) -> Text {
    text!("rank {peer} is gone: its communicator was freed while rank {rank} exchanged with it")
}

/// Marks a communicator as busy until it is dropped.
struct Busy<'a>(&'a AtomicBool);

impl<'a> Busy<'a> {
    fn new(busy: &'a AtomicBool) -> Result<Self> {
        if busy.swap(true, Ordering::Acquire) {
            let what = Text::from(
                "another thread exchanges by this communicator; a rank is one thread at a time",
            );
            return Err(Error::TransportFailed { what });
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
        self.post(sends);
        // SAFETY: the caller's promise is passed on.
        let received = receives.iter().try_for_each(|message| unsafe { self.receive(message) });
        let done = received.and_then(|()| self.wait_for_receivers(sends));
        if done.is_err() {
            self.withdraw(sends);
        }
        done
    }
}

impl Drop for LocalCommunicator {
    fn drop(&mut self) {
        if self.hub.process != std::process::id() {
            return;
        }
        self.mailbox().gone.store(true, Ordering::Release);
        self.hub.left.fetch_add(1, Ordering::AcqRel);
        self.hub.wake_all();
    }
}
