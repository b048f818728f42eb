//! Collectives.
//!
//! Every rank of a communicator calls the same function with its own buffers. All ranks pass equal
//! metadata and the same `source_rank` or `destination_rank`. The placement of a shard defines the
//! rank that owns the shard. Shard i belongs to rank n if its placement is `rank:n`,
//! `rank:n/<device>`, or a custom placement of that rank. A rank passes its shards in the order of
//! the shards' indices. `shardspec_metadata_shards_of_rank` returns the indices of a rank's shards
//! in this order. A rank may have several shards or none. A rank also passes its empty shards.
//!
//! A collective begins with an agreement: the ranks compare their arguments. The agreement of n
//! ranks takes ceil(log2 n) rounds. In each round, every rank sends one small message. If ranks
//! call different functions or pass different layouts, all ranks return DISAGREEMENT. If a rank
//! passes an invalid argument, this rank returns its own error, and all other ranks return
//! DISAGREEMENT. The error on all other ranks names the rank with the invalid argument, and
//! contains the status and the message of that rank. After a failed agreement, all buffers are
//! unchanged. The agreement reports errors in all arguments except `comm` and `err`. A rank that
//! can't call the collective must call `shardspec_comm_decline` instead, and pass its error to this
//! function.
//!
//! The library sends contiguous data directly from the caller's buffers and receives contiguous
//! data directly into these buffers. The library packs and unpacks all other data in its own
//! memory. `memory_limit` of `shardspec_comm_options` limits this memory. If a rank must copy about
//! 1 MiB or more, two threads work in the call. One thread exchanges messages, and the other thread
//! copies data. The second thread ends before the call returns.
//!
//! A rank can still fail after the agreement, if the transport fails or memory runs out. The failed
//! rank returns its error. The destinations of this rank may be partly written, but every handle
//! stays valid. The library calls `abort` of the transport, so that the other ranks also return.
//! Local communicators support `abort`, but `shardspec_mpi.h` has no `abort`. Without an `abort`,
//! ranks that need data from the failed rank keep waiting. An MPI program should therefore call
//! MPI_Abort after such a failure. A rank that returns OK has received all of its data.
//!
//! The agreement requires that a transport delivers each message unchanged, exactly once and in
//! order. Each message of the agreement has a checksum. If a message of the agreement is damaged,
//! the receiving rank returns DISAGREEMENT and calls `abort`. The rank calls `abort` because other
//! ranks may have agreed already and may wait for data. Without an `abort`, ranks that have agreed
//! keep waiting. Messages with data have no checksum.

use crate::comm::{self, Communicator, Root, Scatter};
use crate::ffi::border::collective::{
    comm_options_argument, full_argument, gather_arguments, or_decline, reshard_arguments,
    root_argument, scatter_arguments,
};
use crate::ffi::border::guard::{Refusal, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::out;
use crate::ffi::collective_options::shardspec_comm_options;
use crate::ffi::comm::shardspec_comm;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::sharded_tensor::{give, shardspec_sharded_tensor};
use crate::ffi::view::shardspec_tensor_view;
use crate::memory::try_collect;
use crate::transfer::{Fill, ShardedTensor};

/// Cuts a tensor on rank `source_rank` into the shards of all ranks. On `source_rank`, `full` is
/// this tensor. On other ranks, the function ignores `full`. `shards` holds the destinations of
/// this rank's `shard_count` shards. Each destination has the shape of its shard and the element
/// type of the tensor. `options` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
/// placements; `destroy`, if another thread frees a handle during the call.
/// Blocks: on other ranks.
/// Errors: INDEX_OUT_OF_RANGE if the communicator does not have the rank `source_rank`;
/// INVALID_PLACEMENT if a shard belongs to no rank of the communicator; INVALID_ARGUMENT if the
/// number of shards is wrong; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE,
/// ALIASED or OVERFLOW if a buffer does not fit (the error's `first_shard` is the shard's index);
/// PARTIAL if the elements are pending a reduction; DISAGREEMENT if another rank has an error;
/// INVALID_HANDLE, NULL_ARGUMENT. After one of these errors, nothing was written on any rank. After
/// TRANSPORT_FAILED, OUT_OF_MEMORY or a status of a custom transport, destinations may be partly
/// written.
/// Threads: any, but only one thread at a time may use the communicator. During the call, no other
/// thread may write `full` or use `shards`.
/// Source: torch's `ShardingSpec.shard(tensor, source_rank, process_group)`.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_scatter(
    comm: *const shardspec_comm, metadata: *const shardspec_metadata, source_rank: i64,
    full: *const shardspec_tensor_view, shards: *const shardspec_tensor_view, shard_count: usize,
    options: *const shardspec_comm_options, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let comm = handle::get("comm", comm)?;
        let comm: &dyn Communicator = &*comm;
        let metadata = or_decline(comm, handle::get("metadata", metadata))?;
        let mine =
            scatter_arguments(comm, &metadata, source_rank, full, shards, shard_count, options);
        comm::scatter(comm, or_decline(comm, mine)?)
    })
}

/// Copies the shards of all ranks into a tensor on rank `destination_rank`. If `destination_rank`
/// is SHARDSPEC_ALL_RANKS, every rank receives the tensor. `shards` holds this rank's `shard_count`
/// shards. On a rank that receives the tensor, `full` is the destination, and the function writes
/// every element of `full`. On all other ranks, the function ignores `full`. `options` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
/// placements; `destroy`, if another thread frees a handle during the call.
/// Blocks: on other ranks.
/// Errors: INDEX_OUT_OF_RANGE if the communicator does not have the rank `destination_rank`;
/// INVALID_PLACEMENT if a shard belongs to no rank of the communicator; INVALID_ARGUMENT if the
/// number of shards is wrong; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE,
/// ALIASED or OVERFLOW if a buffer does not fit (the error's `first_shard` is the shard's index);
/// PARTIAL if the elements are pending a reduction; DISAGREEMENT if another rank has an error;
/// INVALID_HANDLE, NULL_ARGUMENT. After one of these errors, nothing was written on any rank. After
/// TRANSPORT_FAILED, OUT_OF_MEMORY or a status of a custom transport, destinations may be partly
/// written.
/// Threads: any, but only one thread at a time may use the communicator. During the call, no other
/// thread may write `shards` or use `full`.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_gather(
    comm: *const shardspec_comm, metadata: *const shardspec_metadata, destination_rank: i64,
    shards: *const shardspec_tensor_view, shard_count: usize, full: *const shardspec_tensor_view,
    options: *const shardspec_comm_options, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let comm = handle::get("comm", comm)?;
        let comm: &dyn Communicator = &*comm;
        let metadata = or_decline(comm, handle::get("metadata", metadata))?;
        let rank = destination_rank;
        let mine = gather_arguments(comm, &metadata, rank, shards, shard_count, full, options);
        comm::gather(comm, or_decline(comm, mine)?)
    })
}

/// Moves a tensor from the layout `source` to the layout `destination`. The two layouts may differ
/// in any way, but their tensors must have the same sizes.
///
/// `source_shards` holds this rank's `source_shard_count` shards of the layout `source`.
/// `destination_shards` holds the destinations of this rank's `destination_shard_count` shards of
/// the layout `destination`. Every element moves directly from its owner to the ranks that need
/// this element. Apart from its own shards, a rank holds elements only in the memory for packing.
/// `options` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
/// placements; `destroy`, if another thread frees a handle during the call.
/// Blocks: on other ranks.
/// Errors: SHAPE_MISMATCH, NDIM_MISMATCH or DTYPE_MISMATCH if the layouts describe different
/// tensors; INVALID_PLACEMENT if a shard belongs to no rank of the communicator; INVALID_ARGUMENT
/// if the number of shards is wrong; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH,
/// UNSUPPORTED_DEVICE, ALIASED or OVERFLOW if a buffer does not fit (the error's `first_shard` is
/// the shard's index); PARTIAL if the elements are pending a reduction; DISAGREEMENT if another
/// rank has an error; INVALID_HANDLE, NULL_ARGUMENT. After one of these errors, nothing was written
/// on any rank. After TRANSPORT_FAILED, OUT_OF_MEMORY or a status of a custom transport,
/// destinations may be partly written.
/// Threads: any, but only one thread at a time may use the communicator. During the call, no other
/// thread may write `source_shards` or use `destination_shards`.
/// Since: ABI 0.
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
        let comm: &dyn Communicator = &*comm;
        let source = or_decline(comm, handle::get("source", source))?;
        let destination = or_decline(comm, handle::get("destination", destination))?;
        let mine = reshard_arguments(
            comm,
            [&*source, &*destination],
            source_shards,
            source_shard_count,
            destination_shards,
            destination_shard_count,
            options,
        );
        comm::reshard(comm, or_decline(comm, mine)?)
    })
}

/// Cuts a tensor on rank `source_rank` into shards. On each rank, the function creates a sharded
/// tensor with the shards of that rank. On `source_rank`, `full` is the tensor that the function
/// cuts. On other ranks, the function ignores `full`. The metadata must state the element type.
/// Each sharded tensor stores the communicator `comm`. An op (`shardspec_op_register`) refuses
/// sharded tensors with different communicators. `options` may be NULL.
///
/// Ownership: the caller frees `*out`. The caller may free the metadata and `full` before `*out`.
/// The caller keeps the communicator.
/// Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
/// placements; `destroy`, if another thread frees a handle during the call.
/// Blocks: on other ranks.
/// Errors: INDEX_OUT_OF_RANGE if the communicator does not have the rank `source_rank`;
/// INVALID_ARGUMENT if the metadata states no element type; UNSUPPORTED if the property `layout` is
/// not strided or the property `memory_format` is not contiguous; INVALID_PLACEMENT if a shard
/// belongs to no rank of the communicator; PARTIAL if the elements are pending a reduction;
/// DISAGREEMENT if another rank has an error; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH,
/// UNSUPPORTED_DEVICE, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, TRANSPORT_FAILED, OUT_OF_MEMORY. If
/// a custom transport fails, the function returns the status of the transport.
/// Threads: any, but only one thread at a time may use the communicator. No other thread may write
/// `full` during the call.
/// Source: torch's `ShardingSpec.shard(tensor, source_rank, process_group)`.
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
        let comm: &dyn Communicator = &*comm;
        let place = or_decline(comm, self::out("out", out))?;
        let metadata = or_decline(comm, handle::get("metadata", metadata))?;
        let own = try_collect(metadata.shards_of_rank(comm.placement_rank(comm.rank())))
            .map_err(Refusal::from);
        let own = or_decline(comm, own)?;
        let tensor = ShardedTensor::new(&metadata, &own, Fill::Uninitialized);
        let tensor = or_decline(comm, tensor.map_err(Refusal::from))?;
        let mine = || {
            let source = root_argument(comm, "source_rank", source_rank)?;
            let full = full_argument(comm, &metadata, Root::One("source_rank", source), full)?;
            let (shards, options) = (tensor.shards().clone(), comm_options_argument(options)?);
            Ok(Scatter { metadata: &metadata, source, full, shards, options })
        };
        comm::scatter::<Refusal>(comm, or_decline(comm, mine())?)?;
        give(place, tensor.with_communicator(key))
    })
}

/// Writes the communicator of a sharded tensor to `*out`, or NULL if the sharded tensor has no
/// communicator.
///
/// Ownership: `*out` becomes the handle that was passed to
/// `shardspec_sharded_tensor_new_from_rank`. The function creates no new handle. The caller frees
/// this handle only once.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
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
