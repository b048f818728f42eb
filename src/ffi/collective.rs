//! Collectives.
//!
//! Every rank of a communicator calls the same function with the same metadata and the same
//! `source_rank` or `destination_rank`; each passes the buffers that are its own. Ranks come from
//! placements: shard i belongs to rank n when its placement is `rank:n` or `rank:n/<device>`, or is
//! of a type of your own and tells that rank. A rank passes its shards in the order of their
//! indices, as `shardspec_metadata_shards_of_rank` tells them: there may be several, or none, and
//! empty ones are among them.
//!
//! A collective begins by agreeing, in ceil(log2 size) rounds of one small message each. When any
//! rank passed something that can't be used, or the ranks did not call the same, all of them return
//! an error, no buffer was written, and nobody waits: a rank returns what it refused itself, and
//! all others DISAGREEMENT with that rank, its status and its message. This holds for every
//! argument but `comm` and `err`: a rank that has no communicator can't tell.
//!
//! What is contiguous, in the buffers or in a part of them, is sent and received where it is. The
//! rest goes through memory of the library's own, of which a rank uses no more than its limit. A
//! second thread copies while the first exchanges, if there is enough to copy; it is gone when the
//! call returns.
//!
//! After the agreement a rank can still fail: when the transport fails, or memory runs out. It
//! returns that error, its destinations may be written in part, and every handle stays valid. The
//! library then calls `abort` of the transport, so that the other ranks return too: local
//! communicators do that. A transport without `abort` leaves them waiting if they need what this
//! rank had to send; MPI programs call MPI_Abort. A rank that returns OK has everything that it was
//! to receive.
//!
//! What the agreement expects of a transport: messages arrive unchanged, once, and in order. Each
//! of its messages carries a checksum. A rank that finds one damaged returns DISAGREEMENT and calls
//! `abort`, since others may have agreed before; without `abort` those wait. Messages with data
//! carry none.

use crate::comm::{self, Communicator, Gather, Options, Reshard, Root, Scatter};
use crate::ffi::border::guard::{Outcome, Refusal, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{out, slice};
use crate::ffi::border::sized::{Grows, sized};
use crate::ffi::border::views::{local_shards, view_argument};
use crate::ffi::comm::{rank_argument, shardspec_comm};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::sharded_tensor::{give, shardspec_sharded_tensor};
use crate::ffi::tensor::{options_argument, shardspec_copy_options};
use crate::ffi::view::shardspec_tensor_view;
use crate::memory::{Shared, try_collect};
use crate::model::{DataType, ShardedTensorMetadata};
use crate::transfer::{Fill, HostView, LocalShards, ShardArguments, ShardedTensor};

/// In the place of a `destination_rank`: all ranks get the tensor.
pub const SHARDSPEC_ALL_RANKS: i64 = -1;

/// Bytes that a rank uses at most to put messages together, where nothing else is said: 64 MiB.
pub const SHARDSPEC_DEFAULT_MEMORY_LIMIT: u64 = 67108864;
const _: () = assert!(SHARDSPEC_DEFAULT_MEMORY_LIMIT == Options::DEFAULT_MEMORY_LIMIT);

/// How a collective works. Where it is NULL, or its numbers are 0, the library chooses. Nothing here
/// changes what is moved, and ranks may pass different options.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_comm_options {
    /// `sizeof(shardspec_comm_options)`.
    pub struct_size: u64,
    /// Most bytes that this rank uses to put messages together and to take them apart; 0 for
    /// `SHARDSPEC_DEFAULT_MEMORY_LIMIT`. All ranks work with the least that one of them passes, and
    /// with four elements if that is less.
    pub memory_limit: u64,
    /// How to copy, or NULL. The thread that calls counts among `max_threads`, of which 0 means 2:
    /// ranks share processors with each other. With 1 there is no second thread.
    pub copy: *const shardspec_copy_options,
}

// SAFETY: `struct_size` comes first, and zeros are a number and NULL.
unsafe impl Grows for shardspec_comm_options {
    const NAME: &'static str = "shardspec_comm_options";
    const FIRST_SIZE: usize = 24;
}

/// An options argument; NULL: the defaults.
unsafe fn comm_options_argument(options: *const shardspec_comm_options) -> Outcome<Options> {
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

/// What a rank found wrong before it could take part: the others are told.
fn told<T>(comm: &dyn Communicator, outcome: Outcome<T>) -> Outcome<T> {
    outcome.map_err(|refusal| comm::decline(comm, refusal))
}

/// The tensor of `metadata`, on a rank that has it; not looked at on others.
unsafe fn full_argument(
    comm: &dyn Communicator, metadata: &ShardedTensorMetadata, root: Root,
    full: *const shardspec_tensor_view,
) -> Outcome<Option<HostView>> {
    let has_full = match root {
        Root::One(_, rank) => rank == comm.rank(),
        Root::All => true,
    };
    // Where it is missing, that is told with the rank that must pass it.
    let full = if has_full && !full.is_null() { Some(view_argument("full", full)?) } else { None };
    Ok(comm::full_tensor(comm, metadata, root, full)?)
}

/// The shards of the rank that calls; `count` is the name of the argument that says how many there are.
/// `dtype` is their element type, if it is known.
unsafe fn own_shards(
    comm: &dyn Communicator, metadata: &ShardedTensorMetadata,
    (views, count): (&'static str, &'static str), dtype: Option<DataType>,
    shards: *const shardspec_tensor_view, shard_count: usize,
) -> Outcome<Shared<LocalShards>> {
    let arguments = ShardArguments { views, ..ShardArguments::SHARDS };
    let own = comm::own_shards(comm, metadata, (count, shard_count))?;
    let shards = slice(views, shards, shard_count)?;
    let dtype = dtype.or(metadata.properties().dtype);
    let shards = local_shards(metadata.shared_shards(), arguments, dtype, own, shards)?;
    Ok(Shared::try_new(shards)?)
}

/// The names of those arguments where there is one list of shards.
const SHARDS: (&str, &str) = ("shards", "shard_count");

/// Cuts a tensor that rank `source_rank` has into the shards of all ranks: torch's
/// `ShardingSpec.shard(tensor, source_rank, process_group)`.
///
/// `full` is the tensor, on `source_rank`, and not looked at on other ranks. `shards` are where the
/// `shard_count` shards of this rank go, with their shapes and the tensor's element type. `options`
/// may be NULL.
///
/// Ownership: nothing moves. Errors: DISAGREEMENT; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH,
/// UNSUPPORTED_DEVICE, ALIASED, OVERFLOW, of which the error's `first_shard` tells the shard's
/// index; INVALID_PLACEMENT for a shard on no rank of the communicator; INDEX_OUT_OF_RANGE for
/// `source_rank`, INVALID_ARGUMENT for another shard_count than the rank has shards,
/// INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY: then nothing was written on any rank.
/// TRANSPORT_FAILED, and the transport's own statuses. Threads: any, one at a time for each
/// communicator; nobody else may use the buffers meanwhile, but `full` may be read. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_scatter(
    comm: *const shardspec_comm, metadata: *const shardspec_metadata, source_rank: i64,
    full: *const shardspec_tensor_view, shards: *const shardspec_tensor_view, shard_count: usize,
    options: *const shardspec_comm_options, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let comm = handle::get("comm", comm)?;
        let comm: &dyn Communicator = &**comm;
        let metadata = told(comm, handle::get("metadata", metadata))?;
        let mine = || {
            let source = rank_argument("source_rank", source_rank)?;
            let full = full_argument(comm, &metadata, Root::One("source_rank", source), full)?;
            let dtype = full.map(|full| full.dtype());
            let shards = own_shards(comm, &metadata, SHARDS, dtype, shards, shard_count)?;
            let options = comm_options_argument(options)?;
            Ok(Scatter { metadata: &metadata, source, full, shards, options })
        };
        comm::scatter(comm, told(comm, mine())?)
    })
}

/// Puts a tensor together from the shards of all ranks, on rank `destination_rank` or, with
/// SHARDSPEC_ALL_RANKS, on each of them.
///
/// `shards` are the `shard_count` shards of this rank. `full` is where the tensor goes, on a rank
/// that gets it; every element is written; it is not looked at on other ranks. `options` may be
/// NULL.
///
/// Ownership: nothing moves. Errors: as `shardspec_comm_scatter`, with `destination_rank` for
/// `source_rank`. Threads: any, one at a time for each communicator; nobody else may use the
/// buffers meanwhile, but the shards may be read. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_gather(
    comm: *const shardspec_comm, metadata: *const shardspec_metadata, destination_rank: i64,
    shards: *const shardspec_tensor_view, shard_count: usize, full: *const shardspec_tensor_view,
    options: *const shardspec_comm_options, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let comm = handle::get("comm", comm)?;
        let comm: &dyn Communicator = &**comm;
        let metadata = told(comm, handle::get("metadata", metadata))?;
        let mine = || {
            let destination = match destination_rank {
                SHARDSPEC_ALL_RANKS => None,
                rank => Some(rank_argument("destination_rank", rank)?),
            };
            let root = destination.map_or(Root::All, |rank| Root::One("destination_rank", rank));
            let full = full_argument(comm, &metadata, root, full)?;
            let dtype = full.map(|full| full.dtype());
            let shards = own_shards(comm, &metadata, SHARDS, dtype, shards, shard_count)?;
            let options = comm_options_argument(options)?;
            Ok(Gather { metadata: &metadata, destination, shards, full, options })
        };
        comm::gather(comm, told(comm, mine())?)
    })
}

/// Moves a tensor from one layout to another. `source` and `destination` are the layouts.
/// `source_shards` are the `source_shard_count` shards of `source` that this rank has;
/// `destination_shards` are where the `destination_shard_count` shards of `destination` go that it
/// gets. Each piece goes straight from the rank that has it to the rank that wants it, so no rank
/// ever has more of the tensor than its own shards. Which specs made the metadata does not matter.
/// `options` may be NULL.
///
/// Ownership: nothing moves. Errors: as `shardspec_comm_scatter`; SHAPE_MISMATCH, NDIM_MISMATCH and
/// DTYPE_MISMATCH also for metadata of tensors that differ; ALIASED for a shard that is moved into
/// memory that it is read from. Threads: any, one at a time for each communicator; nobody else may
/// use the buffers meanwhile, but `source_shards` may be read. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_reshard(
    comm: *const shardspec_comm, source: *const shardspec_metadata,
    source_shards: *const shardspec_tensor_view, source_shard_count: usize,
    destination: *const shardspec_metadata, destination_shards: *const shardspec_tensor_view,
    destination_shard_count: usize, options: *const shardspec_comm_options,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let comm = handle::get("comm", comm)?;
        let comm: &dyn Communicator = &**comm;
        let source = told(comm, handle::get("source", source))?;
        let destination = told(comm, handle::get("destination", destination))?;
        let mine = || {
            let (names, count) = (("source_shards", "source_shard_count"), source_shard_count);
            let source_shards = own_shards(comm, &source, names, None, source_shards, count)?;
            let names = ("destination_shards", "destination_shard_count");
            let (dtype, count) = (source_shards.dtype(), destination_shard_count);
            let destination_shards =
                own_shards(comm, &destination, names, dtype, destination_shards, count)?;
            let (source, destination) = (&source, &destination);
            let options = comm_options_argument(options)?;
            Ok(Reshard { source, source_shards, destination, destination_shards, options })
        };
        comm::reshard(comm, told(comm, mine())?)
    })
}

/// As `shardspec_comm_scatter`, into memory of the library's own: what torch's
/// `ShardingSpec.shard(tensor, source_rank, process_group)` returns on each rank. The metadata must
/// state the element type. The sharded tensor carries its communicator, so that ops refuse tensors
/// of different ones.
///
/// Ownership: the caller frees `*out`; it needs neither the metadata nor `full`. The communicator
/// stays the caller's. Errors: as `shardspec_comm_scatter` and `shardspec_sharded_tensor_new`.
/// Threads: any, one at a time for each communicator; nobody may write `full` meanwhile.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_new_from_rank(
    comm: *const shardspec_comm, metadata: *const shardspec_metadata, source_rank: i64,
    full: *const shardspec_tensor_view, options: *const shardspec_comm_options,
    out: *mut *mut shardspec_sharded_tensor, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let key = comm.addr() as u64;
        let comm = handle::get("comm", comm)?;
        let comm: &dyn Communicator = &**comm;
        let place = told(comm, self::out("out", out))?;
        let metadata = told(comm, handle::get("metadata", metadata))?;
        let own = try_collect(metadata.shards_of_rank(comm.rank() as i64)).map_err(Refusal::from);
        let own = told(comm, own)?;
        let tensor = ShardedTensor::new(&metadata, &own, Fill::Uninitialized);
        let tensor = told(comm, tensor.map_err(Refusal::from))?;
        let mine = || {
            let source = rank_argument("source_rank", source_rank)?;
            let full = full_argument(comm, &metadata, Root::One("source_rank", source), full)?;
            let (shards, options) = (tensor.shards().clone(), comm_options_argument(options)?);
            Ok(Scatter { metadata: &metadata, source, full, shards, options })
        };
        comm::scatter::<Refusal>(comm, told(comm, mine())?)?;
        give(place, tensor.with_communicator(key))
    })
}

/// The communicator that a sharded tensor carries; NULL where there is none.
///
/// Ownership: the handle is the one that the sharded tensor was made with, and not a new one: whoever
/// made it frees it. Errors: INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_comm(
    tensor: *const shardspec_sharded_tensor, out: *mut *mut shardspec_comm,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let key = handle::get("tensor", tensor)?.communicator().unwrap_or(0);
        place.set(std::ptr::without_provenance_mut(key as usize));
        Ok(())
    })
}
