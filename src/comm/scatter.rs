//! From a tensor on one rank to shards on all: torch's
//! `ShardingSpec.shard(tensor, source_rank, process_group)`.

use super::agree::Reason;
use super::carry_out::carry_out;
use super::prepared::{CollectiveCall, Prepared};
use super::whole::{Root, Whole, Words};
use super::{Communicator, Options};
use crate::memory::Shared;
use crate::model::Result;
use crate::model::metadata::ShardedTensorMetadata;
use crate::transfer::{HostView, LocalShards};

/// The arguments of a rank to [`scatter()`].
#[derive(Debug, Clone)]
pub struct Scatter<'a> {
    /// How the tensor is cut: the same on all ranks.
    pub metadata: &'a ShardedTensorMetadata,
    /// Which rank has the tensor: the same on all ranks.
    pub source: usize,
    /// The tensor, on that rank; ignored on others.
    pub full: Option<HostView>,
    /// Where this rank's shards go: all of them.
    pub shards: Shared<LocalShards>,
    /// How to go about it.
    pub options: Options,
}

/// Cuts the tensor of one rank into the shards of all.
///
/// Either all ranks get an error and nothing was written anywhere, or everything moves, unless the
/// transport fails. A rank that can't bring anything takes part with [`decline`](super::decline).
///
/// # Safety
///
/// The tensor may be read, the shards may be written, and nothing else uses either meanwhile.
pub unsafe fn scatter<E: Reason>(
    comm: &dyn Communicator, mine: Scatter<'_>,
) -> std::result::Result<(), E> {
    // SAFETY: the contract of `scatter` is that of `carry_out`: what is prepared reads the tensor
    // and writes the shards of `mine`.
    unsafe { carry_out(comm, prepare(comm, mine)) }
}

pub(super) fn prepare(comm: &dyn Communicator, mine: Scatter<'_>) -> Result<Prepared> {
    let Scatter { metadata, source, full, shards, options } = mine;
    let root = Root::One("source_rank", source);
    let whole = Whole::new(comm, metadata, root, full, shards)?;
    let (work, buffers) = whole.to_shards(root)?;
    let (parts, dtype) = ([metadata.hash_value()], whole.dtype());
    let source = comm.placement_rank(source);
    let text = format_args!("scatter({}, source_rank {source})", Words(metadata));
    Prepared::new(&CollectiveCall::on_tensor(text, &parts, dtype), work, buffers, options)
}
