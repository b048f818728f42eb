//! Collectives as the work of requests: a transfer once, a run of a prepared one, and a refusal.
//!
//! Ranks that start these meet those that call the functions without a request: all exchange the same
//! messages in the same order.

use super::agree::{Agreement, Reason, agree};
use super::batch::{BatchTensor, TensorShards};
use super::engine::CollectiveEngine;
use super::pending::PendingExchange;
use super::prepared_transfer::{PreparedTransfer, TransferRun, prepare_once};
use super::request::{Work, passed_on};
use super::{Communicator, Options};
use crate::error::Foreign;
use crate::memory::{Memory, Shared, try_box};
use crate::model::Result;

/// The work of [`transfer`](super::transfer()). Where it is refused, the caller starts
/// [`decline_work`].
pub fn transfer_work(
    comm: &dyn Communicator, tensors: &[BatchTensor], options: Options,
) -> Result<Box<dyn Work>> {
    let engine = CollectiveEngine::new(comm, prepare_once(comm, tensors, options)?)?;
    let work: Box<dyn Work> = try_box(engine)?;
    Ok(work)
}

/// The work of [`PreparedTransfer::run`]. Where it is refused, the caller starts [`decline_work`].
pub fn run_work(
    transfer: &Shared<PreparedTransfer>, comm: &dyn Communicator, shards: Option<Vec<TensorShards>>,
) -> Result<Box<dyn Work>> {
    let work: Box<dyn Work> = try_box(TransferRun::new(transfer, comm, shards)?)?;
    Ok(work)
}

/// The work of [`decline`](super::decline()), whose result is the refusal of this rank. Where memory is
/// out, it is done here, and the refusal is returned.
pub fn decline_work<E: Reason>(
    comm: &dyn Communicator, reason: E,
) -> std::result::Result<Box<dyn Work>, E> {
    let told = Foreign::of(&reason);
    let reason = reason.on_rank(comm.placement_rank(comm.rank()));
    match Declining::work(comm, told.clone(), Some(Foreign::of(&reason))) {
        Ok(work) => Ok(work),
        Err(_) => {
            let _ = agree(comm, Err(told));
            Err(reason)
        }
    }
}

/// The work of [`report`](super::report()), which succeeds when the others have received it.
pub fn report_work(comm: &dyn Communicator, reason: Foreign) -> Result<Box<dyn Work>> {
    Ok(Declining::work(comm, reason, None)?)
}

/// Taking part in a collective with a refusal.
struct Declining {
    /// Dropped first: it uses memory of the agreement.
    exchange: PendingExchange,
    agreement: Box<Agreement>,
    /// What this rank returns; `None`: success, where the others received the refusal.
    reason: Option<Foreign>,
}

impl Declining {
    fn work(
        comm: &dyn Communicator, told: Foreign, reason: Option<Foreign>,
    ) -> Memory<Box<dyn Work>> {
        let agreement = try_box(Agreement::new(comm, Err(told)))?;
        let work: Box<dyn Work> =
            try_box(Self { exchange: PendingExchange::default(), agreement, reason })?;
        Ok(work)
    }
}

impl Work for Declining {
    unsafe fn step(&mut self, comm: &dyn Communicator, wait: bool) -> Result<bool> {
        let stepped = self.agreement.step(comm, &mut self.exchange, None, wait);
        if matches!(stepped, Ok(false)) {
            return Ok(false);
        }
        match &self.reason {
            // The refusals of others do not matter: this rank reports its own.
            Some(reason) => Err(passed_on(reason)),
            None => stepped,
        }
    }

    fn completed(&self) -> u64 {
        self.exchange.completed()
    }
}

impl Work for CollectiveEngine<'static> {
    unsafe fn step(&mut self, comm: &dyn Communicator, wait: bool) -> Result<bool> {
        // SAFETY: the caller's promise is passed on.
        unsafe { CollectiveEngine::step(self, comm, wait) }
    }

    unsafe fn finish(&mut self, comm: &dyn Communicator) -> Result<()> {
        // SAFETY: the caller's promise is passed on.
        unsafe { self.run(comm) }
    }

    fn completed(&self) -> u64 {
        self.progress()
    }
}

impl Work for TransferRun {
    unsafe fn step(&mut self, comm: &dyn Communicator, wait: bool) -> Result<bool> {
        // SAFETY: the caller's promise is passed on.
        unsafe { TransferRun::step(self, comm, wait) }
    }

    unsafe fn finish(&mut self, comm: &dyn Communicator) -> Result<()> {
        // SAFETY: the caller's promise is passed on.
        unsafe { TransferRun::finish(self, comm) }
    }

    fn completed(&self) -> u64 {
        self.progress()
    }
}
