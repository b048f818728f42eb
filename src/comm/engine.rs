//! A collective on one rank, step by step: first the agreement, then round after round.
//!
//! [`CollectiveEngine::step`] does a little and returns, so that a caller may do other work in between;
//! [`CollectiveEngine::run`] does everything, with a second thread where that is worth it. Both do the same in
//! the same order, so some ranks may take steps and others not.

use super::Communicator;
use super::agree::Agreement;
use super::mover::Mover;
use super::pending::PendingExchange;
use super::pipeline;
use super::prepared::Prepared;
use super::proposals::Proposal;
use super::schedule::Terms;
use super::search::{Batch, SharedBatch};
use super::underway::Underway;
use crate::memory::{Memory, try_box};
use crate::model::Result;

/// A collective on one rank.
pub(super) struct CollectiveEngine {
    /// Dropped first: it uses memory of the others.
    exchange: PendingExchange,
    /// It does not move while an exchange reads and writes it.
    agreement: Box<Agreement>,
    batch: Option<SharedBatch>,
    mover: Box<Mover>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Agreeing,
    Moving,
    /// All is done, or the collective was refused.
    Ended,
}

impl CollectiveEngine {
    /// The collective that was prepared, of which nothing is done yet. All memory is allocated before
    /// any other rank relies on this one.
    pub(super) fn new(comm: &dyn Communicator, prepared: Prepared) -> Memory<Self> {
        let Prepared { proposal, batch, work, buffers, staging, options } = prepared;
        let mover = try_box(Mover::new(work, buffers, staging, options.copy))?;
        let agreement = try_box(Agreement::new(comm, Ok(proposal)))?;
        let exchange = PendingExchange::default();
        Ok(Self { agreement, batch, mover, stage: Stage::Agreeing, exchange })
    }

    /// Back to the beginning, with an agreement on `proposal`, and by the terms that were agreed on
    /// before. Nothing is under way.
    pub(super) fn restart(&mut self, comm: &dyn Communicator, proposal: Proposal) {
        self.exchange = PendingExchange::default();
        *self.agreement = Agreement::new(comm, Ok(proposal));
        self.batch = None;
        self.mover.restart();
        self.stage = Stage::Agreeing;
    }

    /// What moves the workload.
    pub(super) fn mover(&mut self) -> &mut Mover {
        &mut self.mover
    }

    /// Does some of the work; `true` when all is done. With `wait` false it does not wait for other
    /// ranks. After an error there is nothing left to do.
    ///
    /// # Safety
    ///
    /// From the first step until all is done or failed, memory to send may be read, memory to
    /// receive may be written, and nothing else uses either.
    pub(super) unsafe fn step(&mut self, comm: &dyn Communicator, wait: bool) -> Result<bool> {
        match self.stage {
            Stage::Agreeing => self.agree_on(comm, wait).map(|()| false),
            Stage::Moving => {
                // All other ranks are moving too.
                let underway = Underway::new(comm);
                // SAFETY: the contract of `CollectiveEngine::step` is that of `Mover::step`, until
                // all is done or failed.
                let moved = unsafe { self.mover.step(comm, &mut self.exchange, wait) };
                let moved = underway.end(moved);
                if !matches!(moved, Ok(false)) {
                    self.stage = Stage::Ended;
                }
                moved
            }
            Stage::Ended => Ok(true),
        }
    }

    /// Does all that is left, and waits for other ranks.
    ///
    /// # Safety
    ///
    /// As [`Self::step`].
    pub(super) unsafe fn run(&mut self, comm: &dyn Communicator) -> Result<()> {
        self.agree(comm)?;
        if self.stage == Stage::Ended {
            return Ok(());
        }
        let underway = Underway::new(comm);
        // SAFETY: the contract of `run` is that of `move_rest`, and of all steps that are left.
        let moved = unsafe { self.move_rest(comm) };
        self.stage = Stage::Ended;
        underway.end(moved)
    }

    /// Moves everything that was not moved yet.
    ///
    /// # Safety
    ///
    /// As [`Self::step`].
    unsafe fn move_rest(&mut self, comm: &dyn Communicator) -> Result<()> {
        // SAFETY: the contract of `move_rest` is that of `Mover::step` and of `pipeline::run`,
        // which take turns on this thread.
        unsafe {
            // The second thread knows nothing of a round that a step has started.
            if self.mover.is_exchanging() && self.mover.step(comm, &mut self.exchange, true)? {
                return Ok(());
            }
            pipeline::run(comm, &mut self.mover)
        }
    }

    /// Gives up what is left. Afterwards nothing uses the caller's memory.
    pub(super) fn give_up(&mut self) {
        self.exchange = PendingExchange::default();
        self.stage = Stage::Ended;
    }

    /// A number that grows with each step that did not have to wait.
    pub(super) fn progress(&self) -> u64 {
        self.exchange.completed().saturating_add(u64::from(self.stage != Stage::Agreeing))
    }

    /// Does the agreement, if it is not done, and waits for other ranks.
    pub(super) fn agree(&mut self, comm: &dyn Communicator) -> Result<()> {
        while !self.agree_some(comm, true)? {}
        Ok(())
    }

    /// Does some of the agreement; `true` when it is done.
    pub(super) fn agree_some(&mut self, comm: &dyn Communicator, wait: bool) -> Result<bool> {
        if self.stage == Stage::Agreeing {
            self.agree_on(comm, wait)?;
        }
        Ok(self.stage != Stage::Agreeing)
    }

    /// Goes on with the agreement.
    fn agree_on(&mut self, comm: &dyn Communicator, wait: bool) -> Result<()> {
        let batch = self.batch.as_ref().map(|batch| &***batch as &dyn Batch);
        let agreed = match self.agreement.step(comm, &mut self.exchange, batch, wait) {
            Ok(false) => return Ok(()),
            Ok(true) => self.agreement.result(comm),
            Err(failed) => Err(failed),
        };
        self.stage = if agreed.is_ok() { Stage::Moving } else { Stage::Ended };
        self.mover.agreed_on(Terms::new(&agreed?, comm.size()));
        Ok(())
    }
}
