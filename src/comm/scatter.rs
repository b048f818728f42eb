//! From a tensor on one rank to shards on all: torch's
//! `ShardingSpec.shard(tensor, src_rank, process_group)`.

use super::agree::Reason;
use super::transfer::{Prepared, carry_out};
use super::whole::{Root, Whole, Words};
use super::{Communicator, Options};
use crate::model::metadata::ShardedTensorMetadata;
use crate::transfer::HostView;

/// What a rank brings to [`scatter()`].
#[derive(Debug, Clone, Copy)]
pub struct Scatter<'a, V> {
    /// How the tensor is cut: the same on all ranks.
    pub metadata: &'a ShardedTensorMetadata,
    /// Which rank has the tensor: the same on all ranks.
    pub source: usize,
    /// The tensor, on that rank; not looked at on others.
    pub full: Option<HostView>,
    /// How many shards this rank has, as the caller counts them.
    pub count: usize,
    /// Where each of them goes, by its number among those of this rank and its index in the metadata,
    /// or why nowhere.
    pub shard: V,
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
/// The tensor may be read, the shards may be written, and nobody else uses either meanwhile.
pub unsafe fn scatter<E: Reason, V: Fn(usize, usize) -> Result<HostView, E>>(
    comm: &dyn Communicator, mine: Scatter<'_, V>,
) -> Result<(), E> {
    // SAFETY: the caller's promise is passed on.
    unsafe { carry_out(comm, prepare(comm, mine)) }
}

fn prepare<'a, E: Reason, V: Fn(usize, usize) -> Result<HostView, E>>(
    comm: &dyn Communicator, mine: Scatter<'a, V>,
) -> Result<Prepared<'a>, E> {
    let Scatter { metadata, source, full, count, shard, options } = mine;
    let root = Root::One("source_rank", source);
    let whole = Whole::new(comm, metadata, root, full, count, shard)?;
    let transfer = whole.to_shards(root)?;
    let (parts, dtype) = ([metadata.hash_value()], whole.dtype());
    let call = format_args!("scatter({}, source_rank {source})", Words(metadata));
    Ok(Prepared::new(call, &parts, dtype, transfer, options)?)
}
