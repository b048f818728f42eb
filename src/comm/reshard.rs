//! From the shards of one layout to those of another, each piece directly from the rank that owns
//! it to the rank that needs it.

use super::agree::Reason;
use super::batch::{BatchTensor, PlannedBatch, prepare_as};
use super::carry_out::carry_out;
use super::layouts::TensorLayouts;
use super::moves::TensorMoves;
use super::prepared::Prepared;
use super::whole::Words;
use super::{Communicator, Options};
use crate::memory::{Shared, Text, try_collect};
use crate::model::{Result, ShardedTensorMetadata};
use crate::transfer::{LocalShards, TensorShards};

/// The arguments of a rank to [`reshard()`].
#[derive(Debug, Clone)]
pub struct Reshard<'a> {
    /// How the tensor is cut: the same on all ranks.
    pub source: &'a ShardedTensorMetadata,
    /// This rank's shards of that: all of them.
    pub source_shards: Shared<LocalShards>,
    /// How the tensor is to be cut: the same on all ranks.
    pub destination: &'a ShardedTensorMetadata,
    /// Where this rank's shards of that go: all of them.
    pub destination_shards: Shared<LocalShards>,
    /// How to go about it.
    pub options: Options,
}

/// Moves a tensor from one layout to another. No rank ever has more of it than its own shards.
///
/// Either all ranks get an error and nothing was written anywhere, or everything moves, unless the
/// transport fails. A rank that can't bring anything takes part with [`decline`](super::decline).
///
/// # Safety
///
/// The source shards may be read, the destination shards may be written, and nothing else uses
/// either meanwhile.
pub unsafe fn reshard<E: Reason>(
    comm: &dyn Communicator, mine: Reshard<'_>,
) -> std::result::Result<(), E> {
    // SAFETY: the contract of `reshard` is that of `carry_out`: what is prepared reads and writes
    // the shards of `mine`.
    unsafe { carry_out(comm, prepare(comm, mine)) }
}

/// A batch of this one tensor, by another name.
pub(super) fn prepare(comm: &dyn Communicator, mine: Reshard<'_>) -> Result<Prepared> {
    let Reshard { source, source_shards, destination, destination_shards, options } = mine;
    let layouts = TensorLayouts::Pair { source: source.clone(), destination: destination.clone() };
    let shards = TensorShards { source: source_shards, destination: destination_shards };
    let tag = Shared::try_new(Text::from(""))?;
    let moves = Shared::try_new(TensorMoves::new(comm, layouts)?)?;
    let tensor = BatchTensor { tag, moves, dtype: None, shards };
    let batch = PlannedBatch::of_one(comm, &tensor)?;
    let to = destination.shards().len();
    let call = format_args!("reshard({} to {to} shards)", Words(source));
    prepare_as(comm, call, &Shared::try_new(batch)?, try_collect([tensor.shards])?, options)
}
