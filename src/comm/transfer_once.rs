//! Transfers of a batch of tensors, once.

use std::fmt;

use super::agree::Reason;
use super::batch::{BatchTensor, PlannedBatch, prepare};
use super::carry_out::{carry_out, decline};
use super::engine::CollectiveEngine;
use super::prepared::Prepared;
use super::{Communicator, Options};
use crate::memory::{Shared, try_collect};
use crate::model::Result;
use crate::transfer::TensorShards;

/// Moves a batch of tensors, each from one layout to another, in one collective.
///
/// Either all ranks get an error and nothing was written anywhere, or everything moves, unless the
/// transport fails. A rank that can't bring anything takes part with [`decline`].
///
/// # Safety
///
/// The source shards may be read, the destination shards may be written, and nothing else uses
/// either meanwhile.
pub unsafe fn transfer<E: Reason>(
    comm: &dyn Communicator, tensors: &[BatchTensor], options: Options,
) -> std::result::Result<(), E> {
    // SAFETY: the contract of `transfer` is that of `carry_out`: what is prepared reads and writes
    // the shards of `tensors`.
    unsafe { carry_out(comm, prepare_once(comm, tensors, options)) }
}

/// The collective that moves a batch once.
pub(super) fn prepare_once(
    comm: &dyn Communicator, tensors: &[BatchTensor], options: Options,
) -> Result<Prepared> {
    let (batch, shards) = plan(comm, tensors)?;
    let call = format_args!("transfer({} tensors)", batch.len());
    prepare(comm, call, &batch, shards, options)
}

/// Agrees with all other ranks on a batch that the collective `call` will move, and moves nothing.
pub fn agree_on<E: Reason>(
    comm: &dyn Communicator, call: fmt::Arguments<'_>, tensors: &[BatchTensor], options: Options,
) -> std::result::Result<(), E> {
    let engine = plan(comm, tensors).and_then(|(batch, shards)| {
        Ok(CollectiveEngine::new(comm, prepare(comm, call, &batch, shards, options)?)?)
    });
    let mut engine = engine.map_err(|error| decline(comm, E::from(error)))?;
    Ok(engine.agree(comm)?)
}

/// A batch that is planned, and its buffers.
pub(super) fn plan(
    comm: &dyn Communicator, tensors: &[BatchTensor],
) -> Result<(Shared<PlannedBatch>, Vec<TensorShards>)> {
    let batch = Shared::try_new(PlannedBatch::new(comm, tensors)?)?;
    Ok((batch, try_collect(tensors.iter().map(|tensor| tensor.shards.clone()))?))
}
