//! What one rank moves: packing rounds of messages, unpacking them, and copies within the rank.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "rounds take turns in as many places as there are, and bytes fit an address space"
)]

use super::kept::KeptList;
use super::pending::PendingExchange;
use super::schedule::{Direction, PeerPiece, PeerPieces, Queue, Terms, Views, next_round};
use super::staging::{MessageLayout, StagingMemory};
use super::{Communicator, Incoming, Message, Outgoing};
use crate::host;
use crate::host::zeros::fill_with_zeros;
use crate::memory::{Memory, Shared, try_collect_results};
use crate::model::{Error, Result};
use crate::transfer::{Blocks, CopyList, CopyOptions, FullSide, STRIDE_ROOM, Stores, ViewRef};

/// The work of one rank, whatever its buffers are.
#[derive(Debug)]
pub(super) struct Workload {
    pub(super) sends: PeerPieces,
    pub(super) receives: PeerPieces,
    /// Pieces that stay on this rank.
    pub(super) copies: Vec<PeerPiece>,
}

/// The buffers of one rank.
pub(super) struct Buffers {
    pub(super) views: Box<dyn Views>,
    /// Holes, which are filled with zeros before anything moves.
    pub(super) holes: Vec<CopyList>,
    /// Shards that are equal to others of this rank, and are copied from these in the end.
    pub(super) duplicates: CopyList,
}

/// Bytes that are copied within the rank before the rounds are checked again.
const COPIED_AT_ONCE: usize = 4 << 20;

/// One round's messages: what is to be sent is packed first, what was received is unpacked.
pub(super) struct Round {
    pub(super) sends: Vec<Outgoing>,
    pub(super) receives: Vec<Incoming>,
    pack: CopyList,
    /// Bytes of which `pack` may write only some bits.
    tails: Vec<*mut u8>,
    unpack: CopyList,
}

// SAFETY: a `Round` has addresses and follows none. Functions that do, such as `Mover::unpack`,
// have a contract of their own.
unsafe impl Send for Round {}
// SAFETY: a shared `Round` gives numbers and addresses, which never change.
unsafe impl Sync for Round {}

/// Moves the workload of one rank.
pub(super) struct Mover {
    work: Workload,
    buffers: Buffers,
    staging: StagingMemory,
    /// The limits of messages, once all ranks have agreed on them.
    terms: Option<Terms>,
    options: CopyOptions,
    sends: Queue,
    receives: Queue,
    copies: LocalCopies,
    rounds: KeptList<Round>,
    /// Lists of copies within the rank.
    local: KeptList<CopyList>,
    /// Bytes of all of these.
    local_bytes: usize,
    /// Whether holes were filled.
    begun: bool,
    /// Number of rounds packed so far.
    packed: usize,
    /// Number of lists copied so far.
    copied: usize,
    /// The round that is being exchanged by [`Self::step`].
    exchanging: Option<Shared<Round>>,
}

impl Mover {
    pub(super) fn new(
        work: Workload, buffers: Buffers, staging: StagingMemory, options: CopyOptions,
    ) -> Self {
        let copies = work.copies.iter();
        let local_bytes = copies.fold(0usize, |all, piece| all.saturating_add(piece.bytes));
        Self {
            work,
            buffers,
            staging,
            terms: None,
            options,
            sends: Queue::default(),
            receives: Queue::default(),
            copies: LocalCopies::default(),
            rounds: KeptList::Nothing,
            local: KeptList::Nothing,
            local_bytes,
            begun: false,
            packed: 0,
            copied: 0,
            exchanging: None,
        }
    }

    /// Keeps the rounds for the next time.
    pub(super) fn keep_rounds(&mut self) {
        self.rounds = KeptList::Some(Vec::new());
        self.local = KeptList::Some(Vec::new());
    }

    /// Moves by these limits, or by those that were agreed on before.
    pub(super) fn agreed_on(&mut self, terms: Terms) {
        self.terms.get_or_insert(terms);
    }

    /// The limits that it moves by.
    pub(super) fn terms(&self) -> Option<Terms> {
        self.terms
    }

    /// Goes back to the beginning. Nothing is under way any more.
    pub(super) fn restart(&mut self) {
        self.sends.restart();
        self.receives.restart();
        self.copies = LocalCopies::default();
        self.begun = false;
        self.packed = 0;
        self.copied = 0;
        self.exchanging = None;
        self.rounds.restart();
        self.local.restart();
    }

    /// Other buffers, of the same shapes and strides.
    pub(super) fn rebind(&mut self, buffers: Buffers) {
        self.buffers = buffers;
        self.rounds.forget();
        self.local.forget();
    }

    /// Whether [`Self::step`] has packed a round that is not exchanged yet.
    pub(super) fn is_exchanging(&self) -> bool {
        self.exchanging.is_some()
    }

    /// Most threads that copy, the calling one included.
    pub(super) fn max_threads(&self) -> usize {
        self.options.max_threads
    }

    /// About how many bytes are copied: within the rank, and into and out of messages.
    pub(super) fn bytes_to_copy(&self) -> usize {
        self.local_bytes + self.staging.bytes_of_round()
    }

    /// Options where one of the threads exchanges.
    fn copy_options(&self) -> CopyOptions {
        CopyOptions { max_threads: self.options.max_threads.max(2) - 1, ..self.options }
    }

    /// Does some of the work; `true` when all is done. With `wait` false it does not wait for other
    /// ranks.
    ///
    /// # Safety
    ///
    /// All sources may be read, all destinations may be written, none that is written overlaps
    /// another, and nothing else uses any of them until all is done.
    pub(super) unsafe fn step(
        &mut self, comm: &dyn Communicator, exchange: &mut PendingExchange, wait: bool,
    ) -> Result<bool> {
        // SAFETY: the contract of `step` is that of all parts of it. One round is under way at a
        // time, so `pack` finds its buffers unpacked, and `exchange` gets the same messages until
        // they are complete.
        unsafe {
            if self.exchanging.is_none() {
                self.exchanging = self.pack()?;
            }
            let Some(round) = &self.exchanging else {
                self.finish()?;
                return Ok(true);
            };
            if !exchange.complete(comm, &round.sends, &round.receives, wait)? {
                self.copy_some()?;
                return Ok(false);
            }
            if let Some(round) = self.exchanging.take() {
                self.unpack(&round);
            }
        }
        Ok(false)
    }

    /// Packs the next round; `None` when there is none left.
    ///
    /// # Safety
    ///
    /// As [`Self::step`]; the round that had the same buffers has been unpacked.
    pub(super) unsafe fn pack(&mut self) -> Result<Option<Shared<Round>>> {
        if !self.begun {
            self.begun = true;
            for holes in &self.buffers.holes {
                // SAFETY: `holes` are in destinations, which the contract of `Mover::step` lets
                // this write, and nothing else uses them.
                unsafe { fill_with_zeros(holes) };
            }
        }
        let Some(round) = self.next_round()? else {
            return Ok(None);
        };
        self.packed += 1;
        // The transport reads the packed bytes next.
        let options = self.copy_options();
        let stores = match options.stores {
            Stores::Auto => Stores::Cached,
            wanted => wanted,
        };
        // SAFETY: the list `pack` reads what the contract of `Mover::step` lets this read. It
        // writes this round's own part of the staging memory, where the `tails` are too. No bit is
        // sent that was not written.
        unsafe {
            round.tails.iter().for_each(|tail| tail.write(0));
            host::run(&round.pack, &CopyOptions { stores, ..options });
        }
        Ok(Some(round))
    }

    /// The next round, laid out now or the last time.
    fn next_round(&mut self) -> Result<Option<Shared<Round>>> {
        let mut kept = std::mem::replace(&mut self.rounds, KeptList::Nothing);
        let round = kept.next(self.packed, || self.lay_out_round());
        self.rounds = kept;
        round
    }

    fn lay_out_round(&mut self) -> Result<Option<Round>> {
        let Some(terms) = self.terms else {
            return Ok(None);
        };
        let views = &*self.buffers.views;
        let (to, from) = (self.work.sends.placed(views), self.work.receives.placed(views));
        let next = next_round((&mut self.sends, to), (&mut self.receives, from), terms)?;
        let Some([outgoing, incoming]) = next else {
            return Ok(None);
        };
        let staging = self.staging.of_round(self.packed, Direction::Sends);
        let mut packed = MessageLayout::new(staging, false);
        let sends = outgoing.into_iter().map(|(peer, content)| {
            let (pointer, bytes) = packed.message(to, content)?;
            Ok::<_, Error>(Message { peer, pointer: pointer.cast_const(), bytes })
        });
        let sends = try_collect_results(sends)?;
        let staging = self.staging.of_round(self.packed, Direction::Receives);
        let mut unpacked = MessageLayout::new(staging, true);
        let receives = incoming.into_iter().map(|(peer, content)| {
            let (pointer, bytes) = unpacked.message(from, content)?;
            Ok::<_, Error>(Message { peer, pointer, bytes })
        });
        let receives = try_collect_results(receives)?;
        let ((pack, tails), (unpack, _)) = (packed.finish(), unpacked.finish());
        Ok(Some(Round { sends, receives, pack, tails, unpack }))
    }

    /// Unpacks a round that was exchanged.
    ///
    /// # Safety
    ///
    /// As [`Self::step`].
    pub(super) unsafe fn unpack(&self, round: &Round) {
        // SAFETY: the list `unpack` reads this round's own part of the staging memory, and writes
        // what the contract of `Mover::step` lets this write.
        unsafe { host::run(&round.unpack, &self.copy_options()) };
    }

    /// Copies some of what stays on this rank; `false` when nothing is left.
    ///
    /// # Safety
    ///
    /// As [`Self::step`].
    pub(super) unsafe fn copy_some(&mut self) -> Result<bool> {
        let mut kept = std::mem::replace(&mut self.local, KeptList::Nothing);
        let list = kept.next(self.copied, || self.lay_out_copies());
        self.local = kept;
        let Some(list) = list? else {
            return Ok(false);
        };
        self.copied += 1;
        // SAFETY: the contract of `copy_some` covers both sides of the copies of `list`, which are
        // shards of this rank.
        unsafe { host::run(&list, &self.copy_options()) };
        Ok(true)
    }

    /// Some of the copies within the rank; `None` when nothing is left.
    fn lay_out_copies(&mut self) -> Result<Option<CopyList>> {
        let mut list = CopyList::new(FullSide::Source);
        let mut bytes = 0;
        self.copies.like = None;
        while bytes < COPIED_AT_ONCE
            && let Some(pushed) =
                self.copies.push_next(&self.work.copies, &*self.buffers.views, &mut list)?
        {
            bytes += pushed;
        }
        Ok((bytes > 0).then_some(list))
    }

    /// Does what is left when the last round was unpacked.
    ///
    /// # Safety
    ///
    /// As [`Self::step`].
    pub(super) unsafe fn finish(&mut self) -> Result<()> {
        // SAFETY: the contract of `finish` is that of `copy_some`. The copies of `duplicates` are
        // between destinations, and all of their elements have arrived.
        unsafe {
            while self.copy_some()? {}
            host::run(&self.buffers.duplicates, &self.copy_options());
        }
        Ok(())
    }
}

/// Copies within the rank, some of them at a time.
#[derive(Default)]
struct LocalCopies {
    /// The first piece that was not begun.
    next: usize,
    /// The rest of the one before.
    blocks: Option<(Blocks, Blocks)>,
    /// A piece, and its copy in the list.
    like: Option<(usize, usize)>,
}

impl LocalCopies {
    /// Adds the next one to a list. Returns its bytes; `None` when there is none left.
    fn push_next(
        &mut self, copies: &[PeerPiece], views: &dyn Views, list: &mut CopyList,
    ) -> Memory<Option<usize>> {
        loop {
            if let Some((from, to)) = &mut self.blocks
                && let Some((from, to)) = from.next().zip(to.next())
            {
                list.push(&from, &to)?;
                return Ok(Some(from.bytes()));
            }
            self.blocks = None;
            let Some(piece) = copies.get(self.next) else {
                return Ok(None);
            };
            self.next += 1;
            if let Some((before, copy)) = self.like
                && let Some(shards) = views.same_pairs(piece, &copies[before])
            {
                list.push_again(copy, shards, piece.bytes)?;
                return Ok(Some(piece.bytes));
            }
            let mut rooms = [STRIDE_ROOM; 2];
            let [from, to] = views.pair(piece, &mut rooms);
            if from.bytes() <= COPIED_AT_ONCE {
                let copy = list.len();
                list.push_views(from, to)?;
                self.like = (list.len() > copy).then_some((self.next - 1, copy));
                return Ok(Some(from.bytes()));
            }
            let blocks = |view: ViewRef<'_>| Blocks::new(view.into(), COPIED_AT_ONCE);
            self.blocks = Some((blocks(from), blocks(to)));
        }
    }
}
