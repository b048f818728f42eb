//! The arguments of collectives, as C passes them.

use crate::comm::{self, Communicator, Gather, Options, Reshard, Root, Scatter};
use crate::ffi::border::batch::rank_shards;
use crate::ffi::border::guard::Outcome;
use crate::ffi::border::sized::sized;
use crate::ffi::border::views::view_argument;
use crate::ffi::collective_options::{SHARDSPEC_ALL_RANKS, shardspec_comm_options};
use crate::ffi::comm::rank_argument;
use crate::ffi::tensor::options_argument;
use crate::ffi::view::shardspec_tensor_view;
use crate::memory::Shared;
use crate::model::{DataType, ShardedTensorMetadata};
use crate::transfer::{HostView, LocalShards};

/// An options argument; NULL: the defaults.
pub(crate) unsafe fn comm_options_argument(
    options: *const shardspec_comm_options,
) -> Outcome<Options> {
    if options.is_null() {
        return Ok(Options::default());
    }
    let shardspec_comm_options { memory_limit, copy, .. } = sized("options", options)?;
    let memory_limit = match memory_limit {
        0 => Options::DEFAULT_MEMORY_LIMIT,
        limit => limit,
    };
    Ok(Options { memory_limit, copy: options_argument(copy)? })
}

/// Reports a refusal from before the agreement to the other ranks.
pub(crate) fn or_decline<T>(comm: &dyn Communicator, outcome: Outcome<T>) -> Outcome<T> {
    outcome.map_err(|refusal| comm::decline(comm, refusal))
}

/// The rank of a communicator that an argument names as placements do.
pub(crate) fn root_argument(
    comm: &dyn Communicator, argument: &'static str, rank: i64,
) -> Outcome<usize> {
    Ok(comm::rank_placed(comm, argument, rank_argument(argument, rank)?)?)
}

/// The tensor of `metadata`, on a rank that has it; ignored on others.
pub(crate) unsafe fn full_argument(
    comm: &dyn Communicator, metadata: &ShardedTensorMetadata, root: Root,
    full: *const shardspec_tensor_view,
) -> Outcome<Option<HostView>> {
    let has_full = match root {
        Root::One(_, rank) => rank == comm.rank(),
        Root::All => true,
    };
    // A missing tensor is refused together with the rank that must pass it.
    let full = if has_full && !full.is_null() { Some(view_argument("full", full)?) } else { None };
    Ok(comm::full_tensor(comm, metadata, root, full)?)
}

/// The shards of the rank that calls; `names` are those of the arguments. `dtype` is their element type,
/// if it is known.
unsafe fn own_shards(
    comm: &dyn Communicator, metadata: &ShardedTensorMetadata, names: (&'static str, &'static str),
    dtype: Option<DataType>, shards: *const shardspec_tensor_view, shard_count: usize,
) -> Outcome<Shared<LocalShards>> {
    let (layout, dtype) = (metadata.shared_shards(), dtype.or(metadata.properties().dtype));
    let own = comm::own_shards(comm, layout, (names.1, shard_count))?;
    let owned = (layout, &own[..]);
    rank_shards(owned, names, dtype, shards, shard_count)
}

/// The names of those arguments where there is one list of shards.
const SHARDS: (&str, &str) = ("shards", "shard_count");

/// Those of a scatter.
pub(crate) unsafe fn scatter_arguments<'a>(
    comm: &dyn Communicator, metadata: &'a ShardedTensorMetadata, source_rank: i64,
    full: *const shardspec_tensor_view, shards: *const shardspec_tensor_view, shard_count: usize,
    options: *const shardspec_comm_options,
) -> Outcome<Scatter<'a>> {
    let source = root_argument(comm, "source_rank", source_rank)?;
    let full = full_argument(comm, metadata, Root::One("source_rank", source), full)?;
    let dtype = full.map(|full| full.dtype());
    let shards = own_shards(comm, metadata, SHARDS, dtype, shards, shard_count)?;
    let options = comm_options_argument(options)?;
    Ok(Scatter { metadata, source, full, shards, options })
}

/// Those of a gather.
pub(crate) unsafe fn gather_arguments<'a>(
    comm: &dyn Communicator, metadata: &'a ShardedTensorMetadata, destination_rank: i64,
    shards: *const shardspec_tensor_view, shard_count: usize, full: *const shardspec_tensor_view,
    options: *const shardspec_comm_options,
) -> Outcome<Gather<'a>> {
    let destination = match destination_rank {
        SHARDSPEC_ALL_RANKS => None,
        rank => Some(root_argument(comm, "destination_rank", rank)?),
    };
    let root = destination.map_or(Root::All, |rank| Root::One("destination_rank", rank));
    let full = full_argument(comm, metadata, root, full)?;
    let dtype = full.map(|full| full.dtype());
    let shards = own_shards(comm, metadata, SHARDS, dtype, shards, shard_count)?;
    let options = comm_options_argument(options)?;
    Ok(Gather { metadata, destination, shards, full, options })
}

/// Those of a reshard; `layouts` are the source and the destination.
pub(crate) unsafe fn reshard_arguments<'a>(
    comm: &dyn Communicator, layouts: [&'a ShardedTensorMetadata; 2],
    source_shards: *const shardspec_tensor_view, source_shard_count: usize,
    destination_shards: *const shardspec_tensor_view, destination_shard_count: usize,
    options: *const shardspec_comm_options,
) -> Outcome<Reshard<'a>> {
    let [source, destination] = layouts;
    let names = ("source_shards", "source_shard_count");
    let source_shards = own_shards(comm, source, names, None, source_shards, source_shard_count)?;
    let names = ("destination_shards", "destination_shard_count");
    let dtype = source_shards.dtype();
    let destination_shards =
        own_shards(comm, destination, names, dtype, destination_shards, destination_shard_count)?;
    let options = comm_options_argument(options)?;
    Ok(Reshard { source, source_shards, destination, destination_shards, options })
}
