//! Collectives as the work of requests.
//!
//! Ranks that start these meet those that call the functions without a request: all exchange the same
//! messages in the same order.

use super::agree::{Agreement, Reason, agree};
use super::batch::BatchTensor;
use super::engine::CollectiveEngine;
use super::pending::PendingExchange;
use super::prepared::Prepared;
use super::prepared_transfer::{Preparation, PreparedTransfer, TransferRun};
use super::request::{Work, passed_on};
use super::transfer_once::prepare_once;
use super::{Communicator, Gather, Options, Reshard, Scatter};
use crate::error::Foreign;
use crate::memory::{Memory, Shared, try_box};
use crate::model::Result;
use crate::transfer::TensorShards;

/// The work of [`transfer`](super::transfer()). Where it is refused, the caller starts
/// [`decline_work`].
pub fn transfer_work(
    comm: &dyn Communicator, tensors: &[BatchTensor], options: Options,
) -> Result<Box<dyn Work>> {
    engine_work(comm, prepare_once(comm, tensors, options)?)
}

/// The work of [`scatter`](super::scatter()). Where it is refused, the caller starts [`decline_work`].
pub fn scatter_work(comm: &dyn Communicator, mine: Scatter<'_>) -> Result<Box<dyn Work>> {
    engine_work(comm, super::scatter::prepare(comm, mine)?)
}

/// The work of [`gather`](super::gather()). Where it is refused, the caller starts [`decline_work`].
pub fn gather_work(comm: &dyn Communicator, mine: Gather<'_>) -> Result<Box<dyn Work>> {
    engine_work(comm, super::gather::prepare(comm, mine)?)
}

/// The work of [`reshard`](super::reshard()). Where it is refused, the caller starts [`decline_work`].
pub fn reshard_work(comm: &dyn Communicator, mine: Reshard<'_>) -> Result<Box<dyn Work>> {
    engine_work(comm, super::reshard::prepare(comm, mine)?)
}

fn engine_work(comm: &dyn Communicator, prepared: Prepared) -> Result<Box<dyn Work>> {
    let work: Box<dyn Work> = try_box(CollectiveEngine::new(comm, prepared)?)?;
    Ok(work)
}

/// The work of [`PreparedTransfer::agree`].
pub fn prepare_work(transfer: &Shared<PreparedTransfer>) -> Result<Box<dyn Work>> {
    let work: Box<dyn Work> = try_box(Preparation::new(transfer)?)?;
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

impl Work for CollectiveEngine {
    unsafe fn step(&mut self, comm: &dyn Communicator, wait: bool) -> Result<bool> {
        // SAFETY: the contract of `Work::step` is that of `CollectiveEngine::step`, which it calls.
        unsafe { CollectiveEngine::step(self, comm, wait) }
    }

    unsafe fn finish(&mut self, comm: &dyn Communicator) -> Result<()> {
        // SAFETY: the contract of `Work::finish` is that of `CollectiveEngine::run`, which does all
        // steps that are left.
        unsafe { self.run(comm) }
    }

    fn completed(&self) -> u64 {
        self.progress()
    }
}

impl Work for TransferRun {
    unsafe fn step(&mut self, comm: &dyn Communicator, wait: bool) -> Result<bool> {
        // SAFETY: the contract of `Work::step` is that of `TransferRun::step`, which it calls.
        unsafe { TransferRun::step(self, comm, wait) }
    }

    unsafe fn finish(&mut self, comm: &dyn Communicator) -> Result<()> {
        // SAFETY: the contract of `Work::finish` is that of `TransferRun::finish`, which does all
        // steps that are left.
        unsafe { TransferRun::finish(self, comm) }
    }

    fn completed(&self) -> u64 {
        self.progress()
    }
}

impl Work for Preparation {
    unsafe fn step(&mut self, comm: &dyn Communicator, wait: bool) -> Result<bool> {
        Preparation::step(self, comm, wait)
    }

    fn completed(&self) -> u64 {
        self.progress()
    }
}
