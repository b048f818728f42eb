//! Specs that are inferred from shards. In the header they are part of the section on specs.

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{Out, out};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::shards::shardspec_shards;
use crate::ffi::spec::{give, shardspec_spec};
use crate::model::{InferredSpec, infer_compat_spec, infer_sharding_spec};

/// Creates the spec that cuts a tensor into exactly the shards of a list. The result is a chunk
/// spec if the shards are the chunks of one dimension, in any order. If the shards form another
/// grid of boxes, with equally many replicas of each box, the result is a mesh spec. The mesh spec
/// cuts each dimension of the grid by the rule CHUNK, BALANCED or SIZES. For all other shards, the
/// result is an enumerable spec. For a single shard, the result is also an enumerable spec, because
/// no dimension is cut.
///
/// If the list is in row-major order for some order of the mesh's axes, device i of the mesh has
/// the placement of shard i. For all other lists, the devices are in row-major order of the cut
/// dimensions. `shardspec_spec_infer_compat` creates the spec that torch would infer.
///
/// Time: n * log(n) for n shards. If the result is an enumerable spec in d dimensions, the time is
/// at worst n * log(n)^(d-1).
/// Ownership: the caller frees `*out`. The caller may free the list before `*out`.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if there are no shards; OVERLAP if two shards overlap and are not in a
/// grid of replicas (the error names both shards and the box that they share); NULL_ARGUMENT if a
/// pointer is NULL or a shard has no placement; INVALID_HANDLE, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_infer(
    shards: *const shardspec_shards, out: *mut *mut shardspec_spec, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        give_inferred(place, infer_sharding_spec(&*handle::get("shards", shards)?)?)
    })
}

/// Creates the spec that torch infers from the shards of a list. The result is a chunk spec if the
/// shards are the chunks of one dimension, in any order. For all other shards, the result is an
/// enumerable spec. For a single shard, the result is also an enumerable spec, because no dimension
/// is cut.
///
/// Ownership: the caller frees `*out`. The caller may free the list before `*out`.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if there are no shards; OVERLAP if two shards overlap (the error names
/// both shards and the box that they share); NULL_ARGUMENT if a pointer is NULL or a shard has no
/// placement; INVALID_HANDLE, OUT_OF_MEMORY.
/// Threads: any.
/// Source: `_infer_sharding_spec_from_shards_metadata` of torch.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_infer_compat(
    shards: *const shardspec_shards, out: *mut *mut shardspec_spec, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        give_inferred(place, infer_compat_spec(&*handle::get("shards", shards)?)?)
    })
}

/// Hands an inferred spec to the caller.
fn give_inferred(place: Out<'_, *mut shardspec_spec>, spec: InferredSpec) -> Outcome {
    match spec {
        InferredSpec::Chunk(spec) => give(place, spec),
        InferredSpec::Mesh(spec) => give(place, spec),
        InferredSpec::Enumerable(spec) => give(place, spec),
    }
}
