//! From shards on all ranks to the tensor, on one of them or on each.

use super::agree::Reason;
use super::transfer::{Prepared, carry_out};
use super::whole::{Root, Whole, Words};
use super::{Communicator, Options};
use crate::model::metadata::ShardedTensorMetadata;
use crate::transfer::HostView;

/// What a rank brings to [`gather()`].
#[derive(Debug, Clone, Copy)]
pub struct Gather<'a, V> {
    /// How the tensor is cut: the same on all ranks.
    pub metadata: &'a ShardedTensorMetadata,
    /// Which rank gets the tensor, `None` for all: the same on all ranks.
    pub destination: Option<usize>,
    /// How many shards this rank has, as the caller counts them.
    pub count: usize,
    /// Each of them, by its number among those of this rank and its index in the metadata, or why
    /// there is none.
    pub shard: V,
    /// Where the tensor goes, on a rank that gets it; not looked at on others.
    pub full: Option<HostView>,
    /// How to go about it.
    pub options: Options,
}

/// Puts the tensor together from the shards of all ranks.
///
/// Either all ranks get an error and nothing was written anywhere, or everything moves, unless the
/// transport fails. A rank that can't bring anything takes part with [`decline`](super::decline).
///
/// # Safety
///
/// The shards may be read, the tensor may be written, and nobody else uses either meanwhile.
pub unsafe fn gather<E: Reason, V: Fn(usize, usize) -> Result<HostView, E>>(
    comm: &dyn Communicator, mine: Gather<'_, V>,
) -> Result<(), E> {
    // SAFETY: the caller's promise is passed on.
    unsafe { carry_out(comm, prepare(comm, mine)) }
}

fn prepare<'a, E: Reason, V: Fn(usize, usize) -> Result<HostView, E>>(
    comm: &dyn Communicator, mine: Gather<'a, V>,
) -> Result<Prepared<'a>, E> {
    let Gather { metadata, destination, count, shard, full, options } = mine;
    let root = destination.map_or(Root::All, |rank| Root::One("destination_rank", rank));
    let whole = Whole::new(comm, metadata, root, full, count, shard)?;
    let transfer = whole.to_full(root)?;
    let (words, parts, dtype) = (Words(metadata), [metadata.hash_value()], whole.dtype());
    let prepared = match destination {
        None => {
            let call = format_args!("gather({words}, all ranks)");
            Prepared::new(call, &parts, dtype, transfer, options)
        }
        Some(rank) => {
            let call = format_args!("gather({words}, destination_rank {rank})");
            Prepared::new(call, &parts, dtype, transfer, options)
        }
    };
    Ok(prepared?)
}
