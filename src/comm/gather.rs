//! From shards on all ranks to the tensor, on one of them or on each.

use super::agree::Reason;
use super::carry_out::carry_out;
use super::prepared::{CollectiveCall, Prepared};
use super::whole::{Root, Whole, Words};
use super::{Communicator, Options};
use crate::memory::Shared;
use crate::model::Result;
use crate::model::metadata::ShardedTensorMetadata;
use crate::transfer::{HostView, LocalShards};

/// The arguments of a rank to [`gather()`].
#[derive(Debug, Clone)]
pub struct Gather<'a> {
    /// How the tensor is cut: the same on all ranks.
    pub metadata: &'a ShardedTensorMetadata,
    /// Which rank gets the tensor, `None` for all: the same on all ranks.
    pub destination: Option<usize>,
    /// This rank's shards: all of them.
    pub shards: Shared<LocalShards>,
    /// The destination of the tensor, on a rank that receives it; ignored on others.
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
/// The shards may be read, the tensor may be written, and nothing else uses either meanwhile.
pub unsafe fn gather<E: Reason>(
    comm: &dyn Communicator, mine: Gather<'_>,
) -> std::result::Result<(), E> {
    // SAFETY: the contract of `gather` is that of `carry_out`: what is prepared reads the shards
    // and writes the tensor of `mine`.
    unsafe { carry_out(comm, prepare(comm, mine)) }
}

pub(super) fn prepare(comm: &dyn Communicator, mine: Gather<'_>) -> Result<Prepared> {
    let Gather { metadata, destination, shards, full, options } = mine;
    let root = destination.map_or(Root::All, |rank| Root::One("destination_rank", rank));
    let whole = Whole::new(comm, metadata, root, full, shards)?;
    let (work, buffers, choice) = whole.to_full(comm, root)?;
    let (words, dtype) = (Words(metadata), whole.dtype());
    let parts = [metadata.hash_value(), choice];
    match destination {
        None => {
            let call = format_args!("gather({words}, all ranks)");
            Prepared::new(&CollectiveCall::on_tensor(call, &parts, dtype), work, buffers, options)
        }
        Some(rank) => {
            let rank = comm.placement_rank(rank);
            let call = format_args!("gather({words}, destination_rank {rank})");
            Prepared::new(&CollectiveCall::on_tensor(call, &parts, dtype), work, buffers, options)
        }
    }
}
