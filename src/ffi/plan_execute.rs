//! Executing a plan in this process.

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{out, slice};
use crate::ffi::border::views;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::plan::shardspec_plan;
use crate::ffi::sharded_tensor::shardspec_sharded_tensor;
use crate::ffi::tensor::{options_argument, shardspec_copy_options};
use crate::ffi::view::shardspec_tensor_view;
use crate::memory::Shared;
use crate::model::{DataType, Shards};
use crate::transfer::{HostTransfer, LocalShards, ShardArguments, ShardedTensor};

/// Copies elements from source shards to destination shards of this process. The plan defines which
/// elements the function copies. The function allocates no memory for data.
///
/// `sources[i]` is source shard `source_indices[i]`. With `source_indices` NULL, `sources[i]` is
/// source shard i. `destinations[i]` is destination shard `destination_indices[i]`. With
/// `destination_indices` NULL, `destinations[i]` is destination shard i. The function writes all
/// elements of every destination that the caller passes. The caller must pass all source shards
/// that the destinations need. The function ignores all other source shards. `options` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: NOT_FOUND if the caller does not pass a source that a destination needs, or if the plan
/// does not include a destination; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH or
/// UNSUPPORTED_DEVICE if a view does not fit its shard (the error's `first_shard` is the index of
/// the shard, and `index` is its position in `sources` or `destinations`); ALIASED if a destination
/// shares memory with a source or with another destination; UNSUPPORTED if so many source elements
/// have equal addresses that the check for ALIASED would take longer than the copy;
/// INVALID_ARGUMENT if a shard is passed twice or `options` are invalid; INDEX_OUT_OF_RANGE,
/// OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. After an error, nothing was written.
/// Threads: any. During the call, no other thread may write the sources or use the destinations.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_execute(
    plan: *const shardspec_plan, source_indices: *const usize,
    sources: *const shardspec_tensor_view, source_count: usize, destination_indices: *const usize,
    destinations: *const shardspec_tensor_view, destination_count: usize,
    options: *const shardspec_copy_options, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let plan = handle::get("plan", plan)?;
        let options = options_argument(options)?;
        let sources = local_shards(
            plan.source(),
            SOURCES,
            plan.dtype(),
            source_indices,
            sources,
            source_count,
        )?;
        let destinations = local_shards(
            plan.destination(),
            DESTINATIONS,
            plan.dtype().or(sources.dtype()),
            destination_indices,
            destinations,
            destination_count,
        )?;
        HostTransfer::reshard(&plan, &sources, &destinations, &options)?.run();
        Ok(())
    })
}

/// Copies elements from the local shards of `source` to the local shards of `destination`. The plan
/// defines which elements the function copies. `source` must have the source layout of the plan,
/// and `destination` must have the destination layout. The function compares whole layouts, because
/// shards with equal shapes may have different elements. For example, two shards of a fused QKV
/// weight may have equal shapes and different rows. `options` may be NULL.
///
/// The function writes all elements of every local shard of `destination`. All source shards that
/// these destination shards need must be local shards of `source`.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` of custom placements; `destroy`, if another thread frees a handle during the
/// call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if a tensor has another layout than the plan (the message has the
/// fingerprints of both layouts, see `shardspec_plan_fingerprints`); NOT_FOUND if a source that a
/// destination needs is not local, or if the plan does not include a destination; ALIASED if the
/// tensors share memory; UNSUPPORTED if so many source elements have equal addresses that the check
/// for ALIASED would take longer than the copy; DTYPE_MISMATCH, OVERFLOW, INVALID_HANDLE,
/// NULL_ARGUMENT, OUT_OF_MEMORY. After an error, nothing was written.
/// Threads: any. During the call, no other thread may write `source` or use `destination`.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_execute_sharded_tensors(
    plan: *const shardspec_plan, source: *const shardspec_sharded_tensor,
    destination: *const shardspec_sharded_tensor, options: *const shardspec_copy_options,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let plan = handle::get("plan", plan)?;
        let source = handle::get("source", source)?;
        let destination = handle::get("destination", destination)?;
        let options = options_argument(options)?;
        ShardedTensor::reshard(&plan, &source, &destination, &options)?.run();
        Ok(())
    })
}

/// Writes the fingerprints of the two layouts of the plan. A fingerprint is a hash of 64 bits. A
/// fingerprint depends on the indices of each shard's elements, on the order of these elements in
/// the shard's buffer, and on the placements. Equal layouts have equal fingerprints in all
/// processes that use the same version of the library. Before the execution of a stored plan,
/// compare these fingerprints with the fingerprints of the two metadata objects
/// (`shardspec_metadata_fingerprint`).
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_fingerprints(
    plan: *const shardspec_plan, source: *mut u64, destination: *mut u64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let source_place = out("source", source)?;
        let destination_place = out("destination", destination)?;
        let plan = handle::get("plan", plan)?;
        source_place.set(plan.source().fingerprint());
        destination_place.set(plan.destination().fingerprint());
        Ok(())
    })
}

const SOURCES: ShardArguments =
    ShardArguments { shard: "source", views: "sources", indices: "source_indices" };
const DESTINATIONS: ShardArguments =
    ShardArguments { shard: "destination", views: "destinations", indices: "destination_indices" };

/// The passed shards with their indices. With `indices` NULL, the shards are the first shards of
/// the layout.
unsafe fn local_shards(
    layout: &Shared<Shards>, arguments: ShardArguments, dtype: Option<DataType>,
    indices: *const usize, shards: *const shardspec_tensor_view, count: usize,
) -> Outcome<LocalShards> {
    let shards = slice(arguments.views, shards, count)?;
    if indices.is_null() {
        return views::local_shards(layout, arguments, dtype, 0..count, shards);
    }
    let indices = slice(arguments.indices, indices, count)?;
    views::local_shards(layout, arguments, dtype, indices.iter().copied(), shards)
}
