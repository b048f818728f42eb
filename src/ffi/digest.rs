//! Digests: numbers that show whether sharded tensors are equal.
//!
//! The digest of a tensor is the CRC-64/NVME of the bytes of its elements in row-major order. The
//! digest has 64 bits and does not depend on how the tensor is cut. A program can compare a model
//! on 4 ranks with the same model on 8 ranks. A program can also compare a copy with its source.
//!
//! Each process computes the contribution of its own shards to the digest. The bitwise XOR of all
//! contributions, in any order, is the digest of the tensor. An example with MPI:
//!
//!   uint64_t part, digest;
//!   shardspec_metadata_digest(metadata, indices, shards, shard_count, NULL, &part, &err);
//!   MPI_Allreduce(&part, &digest, 1, MPI_UINT64_T, MPI_BXOR, comm);
//!
//! A CRC detects damage: tensors with random differences have equal digests with a probability of
//! 2^-64. A CRC does not detect deliberate changes.

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{out, out_slice, slice};
use crate::ffi::border::views::local_shards;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::sharded_tensor::shardspec_sharded_tensor;
use crate::ffi::tensor::{options_argument, shardspec_copy_options};
use crate::ffi::view::shardspec_tensor_view;
use crate::model::ShardedTensorMetadata;
use crate::transfer::{self, LocalShards, ShardArguments};

/// Local shards and their indices; NULL: the first of the metadata.
unsafe fn shards_argument(
    metadata: &ShardedTensorMetadata, indices: *const usize, shards: *const shardspec_tensor_view,
    shard_count: usize,
) -> Outcome<LocalShards> {
    let (layout, arguments) = (metadata.shared_shards(), ShardArguments::SHARDS);
    let dtype = metadata.properties().dtype;
    let shards = slice("shards", shards, shard_count)?;
    if indices.is_null() {
        return local_shards(layout, arguments, dtype, 0..shard_count, shards);
    }
    let indices = slice("indices", indices, shard_count)?;
    local_shards(layout, arguments, dtype, indices.iter().copied(), shards)
}

/// Computes the contribution of some shards to the digest of their tensor.
///
/// `shards[i]` is shard `indices[i]` of the metadata. With `indices` NULL, `shards[i]` is shard i.
/// The views may have any strides. The bitwise XOR of the contributions of all shards is the
/// digest: the CRC-64/NVME of the tensor's bytes in row-major order. The contributions may come
/// from several calls and several processes, in any order. If you compute contributions in several
/// calls, pass each shard to exactly one call. Without shards, the contribution is 0. The digest of
/// a tensor without elements is 0.
///
/// If several shards have the same element, the element counts in one shard only: in the shard that
/// `shardspec_metadata_gather` reads. The choice of this shard depends on the metadata alone.
/// Processes with equal metadata therefore make the same choice without a message. The digest does
/// not show whether the replicas of an element are equal. To compare replicas, compare the results
/// of `shardspec_metadata_shard_digests`. The function does not read the holes of shards.
///
/// `options->max_threads` limits the number of threads. `options` may be NULL.
///
/// Time: one pass over the elements that count. If shards are not boxes or share elements, the
/// function also makes a plan. The plan takes about n * log(n) for n shards of the metadata.
/// Ownership: the caller keeps the views and their memory.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: PARTIAL if the elements are pending a reduction; UNSUPPORTED if elements are packed and
/// the tensor, a shard or a row of a view starts or ends inside of a byte; SHAPE_MISMATCH,
/// NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE or NULL_ARGUMENT if a view does not fit its
/// shard (the error's `first_shard` is the shard's index, and `index` is the position in `shards`);
/// INVALID_ARGUMENT if a shard is passed twice; INDEX_OUT_OF_RANGE, OVERFLOW, INVALID_HANDLE,
/// NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any. No other thread may write the shards during the call.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_digest(
    metadata: *const shardspec_metadata, indices: *const usize,
    shards: *const shardspec_tensor_view, shard_count: usize,
    options: *const shardspec_copy_options, out: *mut u64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        let options = options_argument(options)?;
        let shards = shards_argument(&metadata, indices, shards, shard_count)?;
        place.set(transfer::digest(&metadata, &shards, &options)?);
        Ok(())
    })
}

/// Computes one digest for each of `shard_count` shards. Replicas with the same elements have equal
/// digests if their values are equal.
///
/// `shards[i]` is shard `indices[i]` of the metadata. With `indices` NULL, `shards[i]` is shard i.
/// `digests` has `shard_count` elements, one for each shard. `digests[i]` becomes the CRC-64/NVME
/// of the bytes of `shards[i]` in row-major order. The function does not read holes, and holes
/// count as zeros. Two shards with equal values at the same places have equal digests, also on
/// different ranks and with different strides. The digest of a shard without holes is equal to the
/// CRC-64/NVME of a file that holds the shard's bytes in row-major order.
///
/// `options->max_threads` limits the number of threads. `options` may be NULL.
///
/// Ownership: the caller keeps the views and their memory.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: PARTIAL if the elements are pending a reduction; UNSUPPORTED if elements are packed and
/// a shard, or a row of a view, starts or ends inside of a byte; SHAPE_MISMATCH, NDIM_MISMATCH,
/// DTYPE_MISMATCH, UNSUPPORTED_DEVICE or NULL_ARGUMENT if a view does not fit its shard (the
/// error's `first_shard` is the shard's index, and `index` is the position in `shards`);
/// INVALID_ARGUMENT if a shard is passed twice; INDEX_OUT_OF_RANGE, OVERFLOW, INVALID_HANDLE,
/// NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any. No other thread may write the shards during the call.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_shard_digests(
    metadata: *const shardspec_metadata, indices: *const usize,
    shards: *const shardspec_tensor_view, shard_count: usize,
    options: *const shardspec_copy_options, digests: *mut u64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = out_slice("digests", digests, shard_count)?;
        let metadata = handle::get("metadata", metadata)?;
        let options = options_argument(options)?;
        let shards = shards_argument(&metadata, indices, shards, shard_count)?;
        place.fill(&transfer::shard_digests(&metadata, &shards, &options)?);
        Ok(())
    })
}

/// Computes the contribution of all local shards of a sharded tensor to the digest of the tensor.
///
/// Every shard of the metadata must be local in exactly one process. The bitwise XOR of the
/// contributions of all these processes is the digest: the CRC-64/NVME of the tensor's bytes in
/// row-major order. Without local shards, the contribution is 0. If several shards have the same
/// element, the element counts in one shard only. The choice of this shard depends on the metadata
/// alone. `options->max_threads` limits the number of threads. `options` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: PARTIAL if the elements are pending a reduction; UNSUPPORTED if elements are packed and
/// the tensor or a shard starts or ends inside of a byte; INVALID_ARGUMENT if `options` are
/// invalid; OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any. No other thread may write the shards during the call.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_digest(
    tensor: *const shardspec_sharded_tensor, options: *const shardspec_copy_options, out: *mut u64,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let tensor = handle::get("tensor", tensor)?;
        let options = options_argument(options)?;
        place.set(transfer::digest(tensor.metadata(), tensor.shards(), &options)?);
        Ok(())
    })
}
