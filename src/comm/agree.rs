//! How ranks agree before anything moves.
//!
//! In round `k` rank `r` sends all it knows to rank `r + 2^k` and learns what rank `r - 2^k` knows
//! (the dissemination pattern of Hensgen, Finkel and Manber, "Two algorithms for barrier
//! synchronization", 1988): after `ceil(log2 size)` rounds every rank knows of every other, whatever
//! the size is. Where batches differ, more such rounds find the tensor ([`BatchSearch`]).

#![allow(
    clippy::arithmetic_side_effects,
    reason = "ranks and distances are below twice the number of ranks, which there are"
)]

use std::fmt::Display;

use super::pending::PendingExchange;
use super::proposals::{Agreed, Proposal, Proposals, Staging, UNREADABLE, WIRE};
use super::search::{Batch, BatchSearch};
use super::short::Short;
use super::underway::Underway;
use super::{Communicator, Message, Outgoing};
use crate::error::{Describe, Foreign};
use crate::model::{Error, Result};

/// A refusal that can be sent to other ranks.
pub trait Reason: From<Error> + Describe + Display {
    /// The same refusal for the caller of this rank, who may read it beside those of others.
    #[must_use]
    fn on_rank(self, rank: i64) -> Self {
        let _ = rank;
        self
    }
}

impl Reason for Error {}

/// Sends all other ranks the proposal of this rank, or its refusal. All ranks that call this have
/// the result after `ceil(log2 size)` exchanges, and either all of them get an agreement or none
/// does.
pub(super) fn agree(
    comm: &dyn Communicator, mine: std::result::Result<Proposal, Foreign>,
) -> Result<Agreed> {
    let mut agreement = Agreement::new(comm, mine);
    let mut exchange = PendingExchange::default();
    while !agreement.step(comm, &mut exchange, None, true)? {}
    agreement.result(comm)
}

/// An agreement on one rank. It stays where it is while one of its exchanges is on its way.
pub(super) struct Agreement {
    known: Proposals,
    /// How far the rank of the next round is; from the number of ranks on, none is left.
    distance: usize,
    sent: [u8; WIRE],
    received: [u8; WIRE],
    /// Whether the message of this round was written.
    is_written: bool,
    unreadable: Option<usize>,
    /// The search for the tensor by which batches differ.
    search: Option<BatchSearch>,
    /// The result of the first rounds, while that search goes on.
    original: Option<Proposals>,
}

impl Agreement {
    pub(super) fn new(
        comm: &dyn Communicator, mine: std::result::Result<Proposal, Foreign>,
    ) -> Self {
        // Ranks that name each other differently do not call the same.
        let named = |mine: Proposal| Proposal { digest: mine.digest ^ comm.fingerprint(), ..mine };
        Self {
            known: Proposals::of(comm.rank(), mine.map(named)),
            distance: 1,
            sent: [0; WIRE],
            received: [0; WIRE],
            is_written: false,
            unreadable: None,
            search: None,
            original: None,
        }
    }

    /// Does a round; `true` when none is left. With `wait` false it does not wait for other ranks.
    /// `batch` is that of this rank.
    pub(super) fn step(
        &mut self, comm: &dyn Communicator, exchange: &mut PendingExchange,
        batch: Option<&dyn Batch>, wait: bool,
    ) -> Result<bool> {
        let underway = Underway::new(comm);
        let stepped = self.round(comm, exchange, wait);
        if !underway.end(stepped)? {
            return Ok(false);
        }
        if let Some(from) = self.unreadable {
            // The remaining rounds would have reached further ranks. These may have agreed, and
            // would wait for this rank.
            comm.abort(&format_args!("rank {}: {UNREADABLE}", comm.placement_rank(from)));
            return Ok(true);
        }
        Ok(!self.search_on(comm.rank(), batch))
    }

    fn round(
        &mut self, comm: &dyn Communicator, exchange: &mut PendingExchange, wait: bool,
    ) -> Result<bool> {
        let (rank, size) = (comm.rank(), comm.size());
        if self.distance >= size {
            return Ok(true);
        }
        let (to, from) = ((rank + self.distance) % size, (rank + size - self.distance) % size);
        if !self.is_written {
            self.sent = self.known.encode();
            self.is_written = true;
        }
        let send = Outgoing { peer: to, pointer: self.sent.as_ptr(), bytes: WIRE };
        let receive = Message { peer: from, pointer: self.received.as_mut_ptr(), bytes: WIRE };
        // SAFETY: `send` and `receive` are arrays of this agreement. It stays where it is until the
        // `exchange` is complete, for it is boxed, and the exchange is dropped before it.
        if !unsafe { exchange.complete(comm, &[send], &[receive], wait)? } {
            return Ok(false);
        }
        self.is_written = false;
        self.known.merge(Proposals::decode(&self.received).unwrap_or_else(|| {
            self.unreadable = Some(from);
            Proposals::unreadable(from)
        }));
        self.distance *= 2;
        Ok(self.distance >= size)
    }

    /// Where batches differ: asks all ranks for the next part of them; `false` when the answer is
    /// there. All ranks know the same, so all of them ask for the same part.
    fn search_on(&mut self, rank: usize, batch: Option<&dyn Batch>) -> bool {
        let Some(batch) = batch.filter(|_| !self.known.are_refused()) else {
            return false;
        };
        let differs = self.known.differ();
        let question = match &mut self.search {
            None => match self.known.tensors().filter(|_| differs) {
                None => return false,
                Some(tensors) => {
                    self.original = Some(self.known);
                    self.search.insert(BatchSearch::new(tensors)).question()
                }
            },
            Some(search) => match search.answer(differs) {
                Some(question) => question,
                None => {
                    // Where batches are equal, the calls differ otherwise.
                    if !differs && let Some(original) = self.original {
                        self.known = original;
                        self.search = None;
                    }
                    return false;
                }
            },
        };
        let proposal = Proposal {
            digest: batch.digest_of_first(question.tensors),
            call: if question.is_last {
                batch.text_of_last(question.tensors)
            } else {
                Short::new(&"")
            },
            dtype: None,
            memory_limit: u64::MAX,
            itemsize: 0,
            staging: Staging::default(),
            tensors: None,
        };
        self.known = Proposals::of(rank, Ok(proposal));
        self.distance = 1;
        true
    }

    /// The result, when no round is left.
    pub(super) fn result(&self, comm: &dyn Communicator) -> Result<Agreed> {
        let verb = if self.search.is_some() { "passed" } else { "called" };
        self.known.agreed(verb, &|rank| comm.placement_rank(rank))
    }
}
