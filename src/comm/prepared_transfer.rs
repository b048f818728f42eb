//! Transfers that are prepared once and run many times.

use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use super::agree::Reason;
use super::batch::{BatchTensor, PlannedBatch, buffers_of, prepare};
use super::carry_out::decline;
use super::engine::CollectiveEngine;
use super::proposals::{Proposal, Staging};
use super::short::Short;
use super::transfer_once::plan;
use super::{Communicator, Options};
use crate::memory::{Shared, text, try_box, try_collect};
use crate::model::stable_hash::stable_hash;
use crate::model::{Error, Result};
use crate::transfer::TensorShards;

/// A batch of tensors that all ranks have agreed to move, any number of times.
pub struct PreparedTransfer {
    rank: usize,
    size: usize,
    batch: Shared<PlannedBatch>,
    fingerprint: u64,
    /// The buffers that it was prepared with.
    made_for: Vec<TensorShards>,
    place: Mutex<EnginePlace>,
}

/// Where the engine of a transfer is.
enum EnginePlace {
    /// Here, until the ranks agree on the batch. `None`: they are agreeing, or did not agree.
    Unagreed(Option<Box<Idle>>),
    /// Here.
    Idle(Box<Idle>),
    /// With a run.
    Running,
}

/// What a run needs.
struct Idle {
    engine: CollectiveEngine,
    /// What ranks propose that run it.
    proposal: Proposal,
    /// The buffers that the engine moves.
    shards: Vec<TensorShards>,
    /// Those of the last run that succeeded, if they are others.
    last: Option<Vec<TensorShards>>,
}

impl Idle {
    /// Moves other buffers from now on.
    fn bind(&mut self, batch: &Shared<PlannedBatch>, shards: Vec<TensorShards>) -> Result<()> {
        if are_in_memory_of(&shards, &self.shards) {
            return Ok(());
        }
        let kept = try_collect(shards.iter().cloned())?;
        self.engine.mover().rebind(buffers_of(batch, shards)?);
        let before = std::mem::replace(&mut self.shards, kept);
        self.last.get_or_insert(before);
        Ok(())
    }
}

impl PreparedTransfer {
    /// Plans a batch, and allocates what its agreement needs. Where that is refused, the caller takes
    /// part with [`decline`]; else with [`Self::agree`].
    pub fn new(comm: &dyn Communicator, tensors: &[BatchTensor], options: Options) -> Result<Self> {
        let (batch, shards) = plan(comm, tensors)?;
        let call = format_args!("transfer_prepare({} tensors)", batch.len());
        let made_for = try_collect(shards.iter().cloned())?;
        let kept = try_collect(shards.iter().cloned())?;
        let mut engine =
            CollectiveEngine::new(comm, prepare(comm, call, &batch, shards, options)?)?;
        engine.mover().keep_rounds();
        let (rank, size) = (comm.rank(), comm.size());
        let tensors = (batch.digest_of_first(batch.len()), batch.dtype_of_one());
        let fingerprint = stable_hash(|hasher| (tensors, size).hash(hasher));
        let text = format_args!("transfer_run({} tensors, {fingerprint:#018x})", batch.len());
        let proposal = Proposal {
            digest: 0,
            call: Short::new(&text),
            dtype: None,
            memory_limit: u64::MAX,
            itemsize: 0,
            staging: Staging::default(),
            tensors: None,
        };
        let idle = try_box(Idle { engine, proposal, shards: kept, last: None })?;
        let place = Mutex::new(EnginePlace::Unagreed(Some(idle)));
        Ok(Self { rank, size, batch, fingerprint, made_for, place })
    }

    /// Agrees on the batch with all other ranks. No data moves. After an error it can't run.
    pub fn agree(&self, comm: &dyn Communicator) -> Result<()> {
        let mut idle = self.unagreed()?;
        idle.engine.agree(comm)?;
        self.agreed(idle);
        Ok(())
    }

    /// The engine, before the agreement.
    fn unagreed(&self) -> Result<Box<Idle>> {
        match &mut *self.lock() {
            EnginePlace::Unagreed(idle) => idle.take().ok_or_else(is_unprepared),
            EnginePlace::Idle(_) | EnginePlace::Running => {
                Err(Error::invalid("transfer", "it was prepared already"))
            }
        }
    }

    /// Takes the engine back, after the agreement.
    fn agreed(&self, mut idle: Box<Idle>) {
        // Ranks with other messages are not to meet.
        let terms = idle.engine.mover().terms();
        let run = (self.fingerprint, terms.map(|terms| (terms.message, terms.peers)));
        idle.proposal.digest = stable_hash(|hasher| run.hash(hasher));
        *self.lock() = EnginePlace::Idle(idle);
    }

    /// The engine for a run.
    fn begin(&self) -> Result<Box<Idle>> {
        let mut place = self.lock();
        match std::mem::replace(&mut *place, EnginePlace::Running) {
            EnginePlace::Idle(idle) => Ok(idle),
            EnginePlace::Running => Err(is_busy()),
            unagreed @ EnginePlace::Unagreed(_) => {
                *place = unagreed;
                Err(is_unprepared())
            }
        }
    }

    /// 64 bits of what it was prepared for: number, order, tags, layouts and element types of the
    /// tensors, and the number of ranks.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The caller's name for a tensor, which must exist.
    pub fn tag(&self, tensor: usize) -> &str {
        self.batch.tag(tensor).map_or("", |tag| tag.as_str())
    }

    /// The shards of a tensor that it was prepared with.
    pub fn shards(&self, tensor: usize) -> Option<&TensorShards> {
        self.made_for.get(tensor)
    }

    /// An error of one of the tensors.
    pub fn in_tensor(&self, tensor: usize, error: Error) -> Error {
        self.batch.in_tensor(tensor, error)
    }

    /// Moves the tensors, from and to the buffers of the last run that succeeded, or to others of the same shapes and
    /// strides. Buffers that do not fit are refused on all ranks, and nothing is written.
    ///
    /// # Safety
    ///
    /// The source shards may be read, the destination shards may be written, and nothing else uses
    /// either meanwhile.
    pub unsafe fn run<E: Reason>(
        this: &Shared<Self>, comm: &dyn Communicator, shards: Option<Vec<TensorShards>>,
    ) -> std::result::Result<(), E> {
        let begun = TransferRun::new(this, comm, shards);
        let mut run = begun.map_err(|error| decline(comm, E::from(error)))?;
        // SAFETY: the contract of `PreparedTransfer::run` is that of `TransferRun::finish`, which
        // is the first step and the last.
        Ok(unsafe { run.finish(comm) }?)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, EnginePlace> {
        // No code that could panic runs under this lock, and nothing is waited for.
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses another rank or another number of ranks than those that it was prepared with.
    fn check_ranks(&self, comm: &dyn Communicator) -> Result<()> {
        if (comm.rank(), comm.size()) == (self.rank, self.size) {
            return Ok(());
        }
        let problem = text!(
            "it is rank {} of {}, and the transfer was prepared on rank {} of {}; pass the communicator \
             that it was prepared with",
            comm.rank(),
            comm.size(),
            self.rank,
            self.size
        );
        Err(Error::invalid("comm", problem))
    }

    /// Refuses buffers unlike those that the transfer was prepared for.
    fn check_like(&self, shards: &[TensorShards]) -> Result<()> {
        if shards.len() != self.len() {
            let problem = text!(
                "{} tensors for a transfer of {}; pass all of them, in the same order",
                shards.len(),
                self.len()
            );
            return Err(Error::invalid("tensor_count", problem));
        }
        for (index, (new, made_for)) in shards.iter().zip(&self.made_for).enumerate() {
            new.source
                .check_like(&made_for.source)
                .and_then(|()| new.destination.check_like(&made_for.destination))
                .map_err(|error| self.in_tensor(index, error))?;
        }
        Ok(())
    }
}

/// The refusal of a transfer that runs.
fn is_busy() -> Error {
    let problem = "another run of it is under way; wait until that has ended";
    Error::invalid("transfer", problem)
}

/// The refusal of a transfer on which the ranks have not agreed.
fn is_unprepared() -> Error {
    let problem = "its preparation has not ended, or has failed; wait for the request that prepares it, \
                   and prepare it again if that fails";
    Error::invalid("transfer", problem)
}

/// Whether shards are in the same memory as others of the same tensors.
fn are_in_memory_of(shards: &[TensorShards], others: &[TensorShards]) -> bool {
    shards.iter().zip(others).all(|(own, other)| {
        own.source.is_in_memory_of(&other.source)
            && own.destination.is_in_memory_of(&other.destination)
    })
}

/// One run of a prepared transfer, step by step.
pub struct TransferRun {
    transfer: Shared<PreparedTransfer>,
    /// Given back when this is dropped.
    idle: Option<Box<Idle>>,
    /// Whether it succeeded, once it has ended.
    succeeded: Option<bool>,
}

impl TransferRun {
    /// A run of which nothing is done yet. Where it is refused, the caller takes part with [`decline`].
    pub fn new(
        transfer: &Shared<PreparedTransfer>, comm: &dyn Communicator,
        shards: Option<Vec<TensorShards>>,
    ) -> Result<Self> {
        transfer.check_ranks(comm)?;
        let idle = Some(transfer.begin()?);
        let mut run = Self { transfer: transfer.clone(), idle, succeeded: None };
        if let Some(idle) = &mut run.idle {
            if let Some(shards) = shards {
                transfer.check_like(&shards)?;
                idle.bind(&transfer.batch, shards)?;
            } else if let Some(last) = &idle.last {
                let last = try_collect(last.iter().cloned())?;
                idle.bind(&transfer.batch, last)?;
            }
            idle.engine.restart(comm, idle.proposal);
        }
        Ok(run)
    }

    /// Does some of the work; `true` when all is done. With `wait` false it does not wait for other
    /// ranks.
    ///
    /// # Safety
    ///
    /// From the first step until all is done or failed, the source shards may be read, the destination
    /// shards may be written, and nothing else uses either.
    pub unsafe fn step(&mut self, comm: &dyn Communicator, wait: bool) -> Result<bool> {
        let done = match &mut self.idle {
            // SAFETY: the contract of `TransferRun::step` is that of `CollectiveEngine::step`, for
            // the shards that `idle` is bound to.
            Some(idle) => unsafe { idle.engine.step(comm, wait) },
            None => Ok(true),
        };
        if !matches!(done, Ok(false)) {
            self.succeeded.get_or_insert(done.is_ok());
        }
        done
    }

    /// Does all that is left, and waits for other ranks.
    ///
    /// # Safety
    ///
    /// As [`Self::step`].
    pub unsafe fn finish(&mut self, comm: &dyn Communicator) -> Result<()> {
        let done = match &mut self.idle {
            // SAFETY: the contract of `finish` is that of `TransferRun::step`, and so of `run`, for
            // the shards that `idle` is bound to.
            Some(idle) => unsafe { idle.engine.run(comm) },
            None => Ok(()),
        };
        self.succeeded.get_or_insert(done.is_ok());
        done
    }

    /// A number that grows with each step that did not have to wait.
    pub(super) fn progress(&self) -> u64 {
        self.idle.as_ref().map_or(0, |idle| idle.engine.progress())
    }
}

impl Drop for TransferRun {
    fn drop(&mut self) {
        if let Some(mut idle) = self.idle.take() {
            idle.engine.give_up();
            if self.succeeded == Some(true) {
                idle.last = None;
            }
            *self.transfer.lock() = EnginePlace::Idle(idle);
        }
    }
}

/// The agreement on a prepared transfer, step by step.
pub struct Preparation {
    transfer: Shared<PreparedTransfer>,
    /// Until the ranks have agreed.
    idle: Option<Box<Idle>>,
}

impl Preparation {
    /// The agreement, of which nothing is done yet.
    pub(super) fn new(transfer: &Shared<PreparedTransfer>) -> Result<Self> {
        Ok(Self { idle: Some(transfer.unagreed()?), transfer: transfer.clone() })
    }

    /// Does some of the work; `true` when all is done. With `wait` false it does not wait for other
    /// ranks. After an error the transfer can't run.
    pub(super) fn step(&mut self, comm: &dyn Communicator, wait: bool) -> Result<bool> {
        if let Some(idle) = &mut self.idle
            && !idle.engine.agree_some(comm, wait)?
        {
            return Ok(false);
        }
        if let Some(idle) = self.idle.take() {
            self.transfer.agreed(idle);
        }
        Ok(true)
    }

    /// A number that grows with each step that did not have to wait.
    pub(super) fn progress(&self) -> u64 {
        self.idle.as_ref().map_or(0, |idle| idle.engine.progress())
    }
}
