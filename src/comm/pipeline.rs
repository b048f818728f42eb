//! Carrying out a collective: putting messages together, exchanging them, taking them apart.
//!
//! The thread that called exchanges. Where there is enough to copy, a second one copies meanwhile: it
//! takes the last round apart, puts the next one together, and in between copies what stays on this
//! rank. It is gone when the call returns. Ranks share processors with each other, so there are no more
//! threads unless the options ask for them.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "rounds take turns in as many places as there are, and bytes fit an address space"
)]

use super::channel::{BoundedChannel, Received};
use super::schedule::{Content, PeerPieces, Queue, Terms, next_round};
use super::scoped_thread::ScopedTask;
use super::{Communicator, Incoming, Message, Outgoing};
use crate::host;
use crate::host::zeros::fill_with_zeros;
use crate::memory::try_collect_results;
use crate::model::{Error, Result};
use crate::transfer::{Blocks, Buffer, CopyList, CopyOptions, FullSide, HostView, Stores};

/// The work of one rank.
pub(super) struct Workload<'a> {
    pub(super) sends: PeerPieces<'a>,
    pub(super) receives: PeerPieces<'a>,
    pub(super) copies: LocalPairs<'a>,
    /// Holes, which are filled with zeros before anything moves.
    pub(super) holes: CopyList,
}

/// Copies within the rank: pairs of equal boxes.
pub(super) struct LocalPairs<'a> {
    pub(super) count: usize,
    /// Where copy `n` comes from and where it goes.
    pub(super) pair: Box<dyn Fn(usize) -> (HostView, HostView) + Sync + 'a>,
}

impl LocalPairs<'_> {
    /// Nothing.
    pub(super) fn none() -> Self {
        // An empty message is never requested. A function that captures nothing takes no memory.
        Self { count: 0, pair: Box::new(|_| (HostView::EMPTY, HostView::EMPTY)) }
    }
}

/// Rounds that are under way at a time: one is exchanged while another is copied.
const ROUNDS: usize = 2;
/// Bytes of copies from which on a second thread is worth its start.
const WORTH_A_THREAD: usize = 1 << 20;
/// Bytes that are copied within the rank before the rounds are checked again.
const COPIED_AT_ONCE: usize = 4 << 20;

/// Memory for messages that can't be sent or received where they are, for each of the rounds that
/// are under way at a time. The system finds pages for it when they are written.
pub(super) struct StagingMemory([RoundBuffers; ROUNDS]);

struct RoundBuffers {
    sends: Buffer,
    receives: Buffer,
}

impl StagingMemory {
    /// Memory for rounds of so many bytes in each direction.
    pub(super) fn new(sends: usize, receives: usize) -> Result<Self> {
        let buffers = || -> Result<RoundBuffers> {
            Ok(RoundBuffers { sends: Buffer::new(sends)?, receives: Buffer::new(receives)? })
        };
        Ok(Self([buffers()?, buffers()?]))
    }
}

/// Moves everything.
///
/// # Safety
///
/// Every view of the workload's sends, and the first of each of its copies, may be read; those of
/// its receives, and the second of each of its copies, may be written; none that is written
/// overlaps another; and nothing else uses any of them meanwhile.
pub(super) unsafe fn run(
    comm: &dyn Communicator, workload: &Workload<'_>, terms: Terms, staging: &StagingMemory,
    options: &CopyOptions,
) -> Result<()> {
    // SAFETY: holes are in destinations, which nothing else uses.
    unsafe { fill_with_zeros(&workload.holes) };
    let mut packer = Packer {
        sends: Queue::new(&workload.sends, terms),
        receives: Queue::new(&workload.receives, terms),
        copies: LocalCopies::new(&workload.copies),
        staging,
        // The thread that exchanges is one of them.
        options: CopyOptions { max_threads: options.max_threads.max(2) - 1, ..*options },
        packed: 0,
    };
    let copied = packer.copies.bytes() + staging.0[0].sends.len() + staging.0[0].receives.len();
    if options.max_threads == 1 || copied < WORTH_A_THREAD {
        // SAFETY: the caller's promise is passed on.
        return unsafe { take_turns(comm, &mut packer) };
    }
    let ready = BoundedChannel::new();
    let exchanged = BoundedChannel::new();
    let mut copied = Ok(());
    let mut copying = || {
        let _end = Ends([&ready, &exchanged]);
        // SAFETY: the caller's promise is passed on.
        copied = unsafe { packer.serve(&ready, &exchanged) };
    };
    let task = ScopedTask::new(&mut copying);
    // SAFETY: the scoped thread is dropped when this frame is left, by whatever way, and what it uses is
    // declared before it.
    let Some(copier) = (unsafe { task.start() }) else {
        // A thread that can't be started is done without: the other ranks are waiting.
        // SAFETY: the caller's promise is passed on; nothing was begun.
        return unsafe { take_turns(comm, &mut packer) };
    };
    let end = Ends([&ready, &exchanged]);
    let mut moved = Ok(());
    while let Some(round) = ready.receive() {
        // SAFETY: the round's memory is what the caller promised, or staging memory that the copier
        // leaves alone until the round is given back.
        moved = unsafe { comm.exchange(&round.sends, &round.receives) };
        // The copier is gone only after a failure, which is returned below.
        if moved.is_err() || exchanged.send(round).is_err() {
            break;
        }
    }
    // Whichever side failed, the other one finds this closed and stops.
    drop(end);
    copier.join();
    moved.and(copied)
}

/// Rounds on their way from one thread to the other.
type Rounds = BoundedChannel<Round, ROUNDS>;

/// Ends both ways when its side stops, however it does.
struct Ends<'a>([&'a Rounds; 2]);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|way| way.close());
    }
}

/// [`run`] on one thread.
///
/// # Safety
///
/// As [`run`].
unsafe fn take_turns(comm: &dyn Communicator, packer: &mut Packer<'_>) -> Result<()> {
    // SAFETY: the caller's promise is passed on; one round is under way at a time.
    unsafe {
        while let Some(round) = packer.pack()? {
            comm.exchange(&round.sends, &round.receives)?;
            packer.unpack(&round);
        }
        while packer.copies.copy_some(&packer.options)? {}
    }
    Ok(())
}

/// One round's messages: what is to be sent is ready.
struct Round {
    sends: Vec<Outgoing>,
    receives: Vec<Incoming>,
    /// Unpacks the received messages.
    unpack: CopyList,
}

// SAFETY: a round does not follow its pointers. The functions that do have their own safety
// contract.
unsafe impl Send for Round {}

/// Packs, unpacks and copies while messages are exchanged.
struct Packer<'a> {
    sends: Queue<'a>,
    receives: Queue<'a>,
    copies: LocalCopies<'a>,
    staging: &'a StagingMemory,
    options: CopyOptions,
    /// Number of rounds packed so far.
    packed: usize,
}

impl Packer<'_> {
    /// Packs rounds ahead of the exchange and unpacks those that come back from it.
    ///
    /// # Safety
    ///
    /// As [`run`].
    unsafe fn serve(&mut self, ready: &Rounds, exchanged: &Rounds) -> Result<()> {
        let mut under_way = 0;
        loop {
            // SAFETY: the caller's promise is passed on; at most ROUNDS rounds are under way, so the
            // one before in the same buffers is done.
            unsafe {
                while under_way < ROUNDS
                    && let Some(round) = self.pack()?
                {
                    under_way += 1;
                    if ready.send(round).is_err() {
                        return Ok(());
                    }
                }
                if under_way == 0 {
                    while self.copies.copy_some(&self.options)? {}
                    return Ok(());
                }
                let round = match exchanged.try_receive() {
                    Received::Item(round) => round,
                    Received::Closed => return Ok(()),
                    Received::Empty if self.copies.copy_some(&self.options)? => continue,
                    Received::Empty => match exchanged.receive() {
                        Some(round) => round,
                        None => return Ok(()),
                    },
                };
                self.unpack(&round);
                under_way -= 1;
            }
        }
    }

    /// Packs the next round; `None` when there is none left.
    ///
    /// # Safety
    ///
    /// As [`run`]; the round that had the same buffers has been unpacked.
    unsafe fn pack(&mut self) -> Result<Option<Round>> {
        let Some([outgoing, incoming]) = next_round(&mut self.sends, &mut self.receives)? else {
            return Ok(None);
        };
        let buffers = &self.staging.0[self.packed % ROUNDS];
        self.packed += 1;
        let mut pack = CopyList::new(FullSide::Source);
        let mut unpack = CopyList::new(FullSide::Destination);
        let mut staging = BumpAllocator { buffer: &buffers.sends, used: 0 };
        let sends = outgoing.into_iter().map(|(peer, content)| {
            let push = |view: &HostView, packed: &HostView| Ok(pack.push(view, packed)?);
            let (pointer, bytes) = lay_out(&self.sends, content, &mut staging, push)?;
            Ok::<_, Error>(Message { peer, pointer: pointer.cast_const(), bytes })
        });
        let sends = try_collect_results(sends)?;
        let mut staging = BumpAllocator { buffer: &buffers.receives, used: 0 };
        let receives = incoming.into_iter().map(|(peer, content)| {
            let push = |view: &HostView, packed: &HostView| Ok(unpack.push(packed, view)?);
            let (pointer, bytes) = lay_out(&self.receives, content, &mut staging, push)?;
            Ok::<_, Error>(Message { peer, pointer, bytes })
        });
        let receives = try_collect_results(receives)?;
        // The transport reads the packed bytes next.
        let stores = match self.options.stores {
            Stores::Auto => Stores::Cached,
            wanted => wanted,
        };
        // SAFETY: the plan reads what is sent and writes this round's own part of the staging memory.
        unsafe { host::run(&pack, &CopyOptions { stores, ..self.options }) };
        Ok(Some(Round { sends, receives, unpack }))
    }

    /// Unpacks a round that was exchanged.
    ///
    /// # Safety
    ///
    /// As [`run`].
    unsafe fn unpack(&self, round: &Round) {
        // SAFETY: the plan reads this round's own part of the staging memory and writes what is
        // received.
        unsafe { host::run(&round.unpack, &self.options) };
    }
}

/// Allocates memory of a buffer from front to back; nothing is freed.
struct BumpAllocator<'a> {
    buffer: &'a Buffer,
    used: usize,
}

impl BumpAllocator<'_> {
    fn allocate(&mut self, bytes: usize) -> Result<*mut u8> {
        let start = self.used;
        let end = start.checked_add(bytes).filter(|&end| end <= self.buffer.len());
        let short = || Error::OutOfMemory { what: "the messages of one round", bytes };
        self.used = end.ok_or_else(short)?;
        Ok(self.buffer.as_ptr().wrapping_add(start))
    }
}

/// The place of a message: that of its box if it is contiguous, and else in staging memory. `push`
/// is called with each box and its packed place.
fn lay_out(
    queue: &Queue<'_>, content: Content, staging: &mut BumpAllocator<'_>,
    mut push: impl FnMut(&HostView, &HostView) -> Result<()>,
) -> Result<(*mut u8, usize)> {
    let mut pack = |view: HostView| {
        let place = staging.allocate(view.bytes())?;
        push(&view, &view.row_major_at(place))?;
        Ok((place, view.bytes()))
    };
    match content {
        Content::One(view) if view.is_row_major() => Ok((view.first(), view.bytes())),
        Content::One(view) => pack(*view),
        Content::Several(pieces) => {
            let (start, mut bytes) = pack(queue.view(pieces.start))?;
            for piece in pieces.skip(1) {
                bytes += pack(queue.view(piece))?.1;
            }
            Ok((start, bytes))
        }
    }
}

/// Copies within the rank, some of them at a time.
struct LocalCopies<'a> {
    copies: &'a LocalPairs<'a>,
    /// The first pair that was not begun.
    next: usize,
    /// The rest of the one before.
    blocks: Option<(Blocks, Blocks)>,
}

impl<'a> LocalCopies<'a> {
    fn new(copies: &'a LocalPairs<'a>) -> Self {
        Self { copies, next: 0, blocks: None }
    }

    /// Bytes of all copies.
    fn bytes(&self) -> usize {
        (0..self.copies.count).map(|pair| (self.copies.pair)(pair).0.bytes()).sum()
    }

    /// Copies some; `false` when nothing is left.
    ///
    /// # Safety
    ///
    /// As [`run`].
    unsafe fn copy_some(&mut self, options: &CopyOptions) -> Result<bool> {
        let mut plan = CopyList::new(FullSide::Source);
        let mut bytes = 0;
        while bytes < COPIED_AT_ONCE
            && let Some((from, to)) = self.next_block()
        {
            bytes += from.bytes();
            plan.push(&from, &to)?;
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { host::run(&plan, options) };
        Ok(bytes > 0)
    }

    fn next_block(&mut self) -> Option<(HostView, HostView)> {
        loop {
            if let Some((from, to)) = &mut self.blocks
                && let Some(pair) = from.next().zip(to.next())
            {
                return Some(pair);
            }
            if self.next == self.copies.count {
                return None;
            }
            let (from, to) = (self.copies.pair)(self.next);
            self.blocks =
                Some((Blocks::new(from, COPIED_AT_ONCE), Blocks::new(to, COPIED_AT_ONCE)));
            self.next += 1;
        }
    }
}
