//! Sharding specs: how a tensor is cut.
//!
//! A spec can cut any number of tensors. Three types of spec are built in. A "chunk" spec cuts one
//! dimension into equal chunks. An "enumerable" spec lists the shards. A "mesh" spec cuts
//! dimensions over the axes of a mesh (`shardspec_spec_new_mesh`). `shardspec_spec_new_custom`
//! creates specs of types that the program defines.
//!
//! Source: torch's `ChunkShardingSpec` and `EnumerableShardingSpec`.

use std::ffi::c_char;

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::layout::dim_argument;
use crate::ffi::border::pointer::{Out, answer_text, out, text};
use crate::ffi::border::shards::{placements_from_handles, placements_from_texts};
use crate::ffi::border::slot_map::SlotMap;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::placement::shardspec_placement;
use crate::ffi::shards::shardspec_shards;
use crate::memory::{Text, try_box};
use crate::model::ModelError;
use crate::model::spec::built_in_number;
use crate::model::{
    ChunkShardingSpec, EnumerableShardingSpec, Error, Placements, ShardingDim, ShardingSpec,
};
use crate::transfer::Sharder;

/// A sharding spec, behind a handle. The object is immutable. Free the handle with
/// `shardspec_spec_free`.
pub struct shardspec_spec {
    _opaque: [u8; 0],
}

impl Handle for shardspec_spec {
    type Object = Box<dyn Sharder>;
    const NAME: &'static str = "shardspec_spec";
    const KIND: u64 = 2;

    fn table() -> &'static SlotMap<Self::Object> {
        static TABLE: SlotMap<Box<dyn Sharder>> = SlotMap::new();
        &TABLE
    }

    fn label_of(spec: &Box<dyn Sharder>) -> u64 {
        built_in_number(spec.type_name())
    }
}

/// The chunk spec behind a handle, if it is one.
pub(crate) fn chunk_spec(spec: &dyn ShardingSpec) -> Outcome<&ChunkShardingSpec> {
    Ok(spec.downcast_ref().ok_or_else(|| wrong_type(spec, "a chunk spec"))?)
}

/// The placements of a spec that has the same for every tensor.
fn placements_of(spec: &dyn ShardingSpec) -> Outcome<&Placements> {
    let expected = "one whose shards do not depend on the tensor; use the metadata that it builds";
    Ok(spec.placements().ok_or_else(|| wrong_type(spec, expected))?)
}

/// The refusal of a question that only another type of spec can answer.
pub(crate) fn wrong_type(spec: &dyn ShardingSpec, expected: &str) -> Error {
    Error::Model(ModelError::WrongSpecType {
        got: Text::copy(spec.type_name()),
        expected: Text::copy(expected),
    })
}

/// Hands a new spec to the caller.
pub(crate) fn give(place: Out<'_, *mut shardspec_spec>, spec: impl Sharder) -> Outcome {
    let spec: Box<dyn Sharder> = try_box(spec)?;
    place.set(handle::insert::<shardspec_spec>(spec)?);
    Ok(())
}

/// Creates a spec that cuts dimension `dim` into `placement_count` chunks, as `torch.chunk` does.
/// Chunk i has the placement `placements[i]`. In a dimension of n elements, chunk i starts at
/// element ceil(n / placement_count) * i. The last chunks may be shorter or empty. An empty chunk
/// has no elements. The offset of an empty chunk may be past the end of the dimension. A negative
/// `dim` counts from the end: -1 is the last dimension. `shardspec_spec_build_metadata` checks that
/// the tensor has this dimension.
///
/// Ownership: the library copies the texts. The caller frees `*out`.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `placement_count` is 0; INVALID_PLACEMENT, NULL_ARGUMENT,
/// OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_new_chunk(
    dim: i64, placements: *const *const c_char, placement_count: usize,
    out: *mut *mut shardspec_spec, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let placements = placements_from_texts(placements, placement_count)?;
        let spec = ChunkShardingSpec::new(ShardingDim::Index(dim), placements.into_iter())?;
        give(place, spec)
    })
}

/// Creates a spec that cuts the dimension named `dim_name` into `placement_count` chunks, as
/// `torch.chunk` does. Chunk i has the placement `placements[i]`. In a dimension of n elements,
/// chunk i starts at element ceil(n / placement_count) * i. The last chunks may be shorter or
/// empty. `shardspec_spec_build_metadata_with_dim_names` builds metadata with this spec.
///
/// Ownership: the library copies the texts. The caller frees `*out`.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `dim_name` is empty or `placement_count` is 0; INVALID_PLACEMENT,
/// NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_new_chunk_by_dim_name(
    dim_name: *const c_char, placements: *const *const c_char, placement_count: usize,
    out: *mut *mut shardspec_spec, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        text("dim_name", dim_name)?;
        let dim = dim_argument(0, dim_name)?;
        let placements = placements_from_texts(placements, placement_count)?;
        give(place, ChunkShardingSpec::new(dim, placements.into_iter())?)
    })
}

/// Creates a spec that cuts one dimension into `placement_count` chunks, as `torch.chunk` does.
/// `placements` holds `placement_count` handles of placements. With `dim_name` NULL, the spec cuts
/// dimension `dim`. If `dim_name` is not NULL, the spec cuts the dimension with this name. Chunk i
/// has the placement `placements[i]`. In a dimension of n elements, chunk i starts at element
/// ceil(n / placement_count) * i. The last chunks may be shorter or empty. A negative `dim` counts
/// from the end: -1 is the last dimension.
///
/// Ownership: the library copies `dim_name`. The caller keeps the handles and frees `*out`.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `dim_name` is empty or `placement_count` is 0; INVALID_HANDLE,
/// NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_new_chunk_with_placement_handles(
    dim: i64, dim_name: *const c_char, placements: *const *const shardspec_placement,
    placement_count: usize, out: *mut *mut shardspec_spec, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let dim = dim_argument(dim, dim_name)?;
        let placements = placements_from_handles(placements, placement_count)?;
        give(place, ChunkShardingSpec::new(dim, placements.into_iter())?)
    })
}

/// Creates a spec that lists its shards. All shards have the same number of dimensions. Shards must
/// not overlap. A shard is empty if one of its sizes is 0. An empty shard overlaps no shard.
///
/// Time: at worst n * log(n)^(d-1) for n shards with d dimensions.
/// Ownership: the caller frees `*out`. The caller may free the list before `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if there are no shards; OVERLAP if two shards overlap (the error names
/// both shards and the box that they share); NULL_ARGUMENT if a pointer is NULL or a shard has no
/// placement; INVALID_HANDLE, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_new_enumerable(
    shards: *const shardspec_shards, out: *mut *mut shardspec_spec, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        give(place, EnumerableShardingSpec::new(&*handle::get("shards", shards)?)?)
    })
}

/// Frees a spec. NULL is allowed. Metadata that was built from the spec stays valid.
///
/// Ownership: the caller gives up `spec`.
/// Calls back: `destroy`, if nothing else uses the object.
/// Blocks: no.
/// Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
/// Threads: any. Calls that run on other threads with this handle complete normally.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_free(
    spec: *mut shardspec_spec, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || handle::free("spec", spec))
}

/// Writes the name of the spec's type into `buffer`. The name is "chunk", "enumerable", "mesh", or
/// the type name of a custom spec.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
/// its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
/// NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
/// needed); INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_type_name(
    spec: *const shardspec_spec, buffer: *mut c_char, capacity: usize, needed: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || answer_text(buffer, capacity, needed, handle::get("spec", spec)?.type_name()))
}

/// Writes to `*out` the dimension that a chunk spec cuts. The result is the argument `dim` of the
/// call that created the spec, and may be negative.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: WRONG_SPEC_TYPE if the spec is not a chunk spec, or if the spec gives its dimension by
/// name; INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_chunk_dim(
    spec: *const shardspec_spec, out: *mut i64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let spec = handle::get("spec", spec)?;
        let ShardingDim::Index(dim) = chunk_spec(&**spec)?.dim() else {
            return Err(wrong_type(&**spec, "a dimension given by number").into());
        };
        place.set(*dim);
        Ok(())
    })
}

/// Writes to `buffer` the name of the dimension that a chunk spec cuts.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
/// its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
/// NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: WRONG_SPEC_TYPE if the spec is not a chunk spec, or if the spec gives its dimension by
/// number; BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
/// needed); INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_chunk_dim_name(
    spec: *const shardspec_spec, buffer: *mut c_char, capacity: usize, needed: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let spec = handle::get("spec", spec)?;
        let ShardingDim::Name(name) = chunk_spec(&**spec)?.dim() else {
            return Err(wrong_type(&**spec, "a dimension given by name").into());
        };
        answer_text(buffer, capacity, needed, name)
    })
}

/// Writes to `*out` the number of shards of the spec.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: WRONG_SPEC_TYPE if the spec is custom: its shards depend on the tensor (call
/// `shardspec_metadata_shard_count` instead); INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_shard_count(
    spec: *const shardspec_spec, out: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(placements_of(&**handle::get("spec", spec)?)?.len());
        Ok(())
    })
}

/// Creates a handle for the placement of shard `index` of the spec.
///
/// Ownership: the caller frees `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: WRONG_SPEC_TYPE if the spec is custom: its shards depend on the tensor (call
/// `shardspec_metadata_shard_placement` instead); INDEX_OUT_OF_RANGE, INVALID_HANDLE,
/// NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_placement(
    spec: *const shardspec_spec, index: usize, out: *mut *mut shardspec_placement,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let spec = handle::get("spec", spec)?;
        let placements = placements_of(&**spec)?;
        let count = placements.len() as u64;
        let placement = placements.get(index).ok_or(Error::IndexOutOfRange {
            argument: "index",
            index: index as u64,
            count,
        })?;
        place.set(handle::insert(placement.clone())?);
        Ok(())
    })
}

/// Writes 1 to `*out` if two specs have the same type and equal parameters, else 0. Equal specs cut
/// every tensor into equal shards. A spec that cuts dimension -1 is not equal to a spec that cuts
/// dimension 1. In a tensor with two dimensions, the two specs cut the same dimension. Mesh specs
/// are equal if their meshes are equal and their layouts are equal. To compare two custom specs of
/// the same type, the library calls the `equal` function of this type.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` of custom specs and placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_equal(
    a: *const shardspec_spec, b: *const shardspec_spec, out: *mut i32, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("a", a)?.equals(&**handle::get("b", b)?).into());
        Ok(())
    })
}

/// Writes a hash of the spec to `*out`. Equal specs have equal hashes in all processes that use the
/// same version of the library. For a custom spec, the `hash` function of its type contributes to
/// the hash.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `hash` of a custom spec and of custom placements; `destroy`, if another thread frees
/// a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_hash(
    spec: *const shardspec_spec, out: *mut u64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("spec", spec)?.hash_value());
        Ok(())
    })
}
