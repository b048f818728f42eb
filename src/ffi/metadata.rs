//! Metadata: who owns what of one tensor.
//!
//! Made by `shardspec_spec_build_metadata`. The shards of a metadata object cover its tensor and
//! overlap nowhere. They are numbered from 0, in the order of the spec.
//!
//! Source: torch's `ShardedTensorMetadata`.

use std::ffi::c_char;

use crate::ffi::border::guard::{Outcome, Refusal, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::pointer::{
    answer, answer_text, check_room, fill, optional_out_slice, out, slice, text,
};
use crate::ffi::border::sized::sized_out;
use crate::ffi::border::slots::Slots;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::placement::shardspec_placement;
use crate::ffi::properties::{properties_argument, shardspec_tensor_properties};
use crate::ffi::shards::shardspec_shards;
use crate::ffi::spec::shardspec_spec;
use crate::memory::{try_collect, try_collect_results};
use crate::model::{Error, Placement, ShardedTensorMetadata, TensorShape};

/// Who owns what, behind a handle. Immutable; free it with `shardspec_metadata_free`.
pub struct shardspec_metadata {
    _opaque: [u8; 0],
}

impl Handle for shardspec_metadata {
    type Object = ShardedTensorMetadata;
    const NAME: &'static str = "shardspec_metadata";
    const KIND: u64 = 3;

    fn table() -> &'static Slots<Self::Object> {
        static TABLE: Slots<ShardedTensorMetadata> = Slots::new();
        &TABLE
    }
}

/// Who owns what of a tensor of `ndim` sizes. The shards cover the tensor and overlap nowhere.
/// `properties` may be NULL: then nothing is stated, and data of any type may be moved.
///
/// Ownership: the caller frees `*out`; it does not need the spec. Errors: INVALID_DIM when a chunk
/// spec's dimension is none of the tensor's (or was given by name), NDIM_MISMATCH, OUT_OF_BOUNDS or
/// GAP (the error names a box that nobody owns) when an enumerable spec does not fit the tensor, the
/// same and OVERLAP for what a type of your own builds, or the status that it returns,
/// INVALID_ARGUMENT for negative sizes or more than 32, OVERFLOW for more elements than 64 bits
/// count, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_build_metadata(
    spec: *const shardspec_spec, sizes: *const i64, ndim: usize,
    properties: *const shardspec_tensor_properties, out: *mut *mut shardspec_metadata,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let spec = handle::get("spec", spec)?;
        let shape = TensorShape::new(slice("sizes", sizes, ndim)?);
        let metadata = spec.build_metadata(shape, properties_argument(properties)?)?;
        place.set(handle::insert(metadata)?);
        Ok(())
    })
}

/// As `shardspec_spec_build_metadata`, for a tensor whose dimensions have names: `dim_names` holds
/// `ndim` texts. Specs that were given a dimension by name look it up there.
///
/// Ownership, errors, threads: as `shardspec_spec_build_metadata`. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_build_metadata_with_dim_names(
    spec: *const shardspec_spec, sizes: *const i64, dim_names: *const *const c_char, ndim: usize,
    properties: *const shardspec_tensor_properties, out: *mut *mut shardspec_metadata,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let spec = handle::get("spec", spec)?;
        let sizes = slice("sizes", sizes, ndim)?;
        let names = slice("dim_names", dim_names, ndim)?.iter().enumerate();
        let names = names
            .map(|(dim, &name)| text("dim_names", name).map_err(Refusal::at("dim_names", dim)));
        let names = try_collect_results(names)?;
        let shape = TensorShape { sizes, dim_names: Some(&names) };
        let metadata = spec.build_metadata(shape, properties_argument(properties)?)?;
        place.set(handle::insert(metadata)?);
        Ok(())
    })
}

/// The list of a metadata object's shards. Nothing is copied.
///
/// Ownership: the caller frees `*out`; it does not need the metadata. Errors: INVALID_HANDLE,
/// NULL_ARGUMENT, OUT_OF_MEMORY. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_shards_new_from_metadata(
    metadata: *const shardspec_metadata, out: *mut *mut shardspec_shards, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        place.set(handle::insert(metadata.shared_shards().clone())?);
        Ok(())
    })
}

/// Frees metadata. NULL is fine. Views and data made with it are not concerned.
///
/// Errors: INVALID_HANDLE, also when it was freed before. Threads: any, also while another thread
/// uses the handle: a call under way finishes. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_free(
    metadata: *mut shardspec_metadata, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || handle::free("metadata", metadata))
}

/// Number of shards, empty ones included.
///
/// Errors: INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_shard_count(
    metadata: *const shardspec_metadata, out: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("metadata", metadata)?.shards().len());
        Ok(())
    })
}

/// Number of dimensions, of the tensor and of every shard.
///
/// Errors: INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_ndim(
    metadata: *const shardspec_metadata, out: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("metadata", metadata)?.ndim());
        Ok(())
    })
}

/// Writes the tensor's sizes into `sizes`, a number for each dimension. The number of dimensions
/// goes to `*needed` (may be NULL). With capacity 0, `sizes` may be NULL and only that is told.
///
/// Errors: BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_sizes(
    metadata: *const shardspec_metadata, sizes: *mut i64, capacity: usize, needed: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        answer("sizes", sizes, capacity, needed, metadata.sizes())
    })
}

/// Number of elements of the tensor.
///
/// Errors: INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_numel(
    metadata: *const shardspec_metadata, out: *mut i64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("metadata", metadata)?.numel());
        Ok(())
    })
}

/// Writes the tensor's properties. The caller sets `out->struct_size` before:
/// `shardspec_tensor_properties p = { sizeof p };`.
///
/// Errors: INVALID_ARGUMENT for a wrong struct_size, INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_properties(
    metadata: *const shardspec_metadata, out: *mut shardspec_tensor_properties,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = sized_out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        place.set(shardspec_tensor_properties::from_core(metadata.properties()));
        Ok(())
    })
}

/// Writes where shard `index` starts and how long it is. `offsets` and `sizes` have room for
/// `capacity` numbers, at least one for each dimension of buffers; either may be NULL.
///
/// Errors: INDEX_OUT_OF_RANGE, BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_get_shard(
    metadata: *const shardspec_metadata, index: usize, offsets: *mut i64, sizes: *mut i64,
    capacity: usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let offsets = optional_out_slice("offsets", offsets, capacity)?;
        let sizes = optional_out_slice("sizes", sizes, capacity)?;
        let metadata = handle::get("metadata", metadata)?;
        let shard = metadata.shards().at("index", index)?;
        check_room(&offsets, "offsets", shard.offsets.len())?;
        check_room(&sizes, "sizes", shard.sizes.len())?;
        fill(offsets, shard.offsets);
        fill(sizes, shard.sizes);
        Ok(())
    })
}

/// The placement of shard `index`.
///
/// Ownership: the caller frees `*out`. Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT,
/// OUT_OF_MEMORY. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_shard_placement(
    metadata: *const shardspec_metadata, index: usize, out: *mut *mut shardspec_placement,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        let placement = metadata.shards().at("index", index)?.placement;
        place.set(handle::insert(placement.clone())?);
        Ok(())
    })
}

/// Writes the canonical text of the placement of shard `index` into `buffer`.
/// A text answer as in `shardspec_status_text`.
///
/// Errors: INDEX_OUT_OF_RANGE, BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_shard_placement_text(
    metadata: *const shardspec_metadata, index: usize, buffer: *mut c_char, capacity: usize,
    needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let placement = metadata.shards().at("index", index)?.placement;
        answer_text(buffer, capacity, needed, placement)
    })
}

/// Writes shards `first_shard` to `first_shard + shard_count - 1` into flat arrays: `offsets` and
/// `sizes` have room for `shard_count` rows of a number for each dimension of buffers
/// (`shardspec_metadata_buffer_ndim`), `placement_indices` for `shard_count` numbers, which
/// `shardspec_metadata_placement_text` understands. Each of the three may be NULL.
///
/// Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_get_shards(
    metadata: *const shardspec_metadata, first_shard: usize, shard_count: usize, offsets: *mut i64,
    sizes: *mut i64, placement_indices: *mut u32, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let (shards, ndim) = (metadata.shards(), metadata.shards().ndim());
        let end = first_shard.checked_add(shard_count).filter(|&end| end <= shards.len());
        let range = end.map(|end| first_shard..end).ok_or(Error::IndexOutOfRange {
            argument: "first_shard + shard_count",
            index: first_shard.saturating_add(shard_count) as u64,
            count: shards.len() as u64,
        })?;
        let rows = range.start.saturating_mul(ndim)..range.end.saturating_mul(ndim);
        let offsets = optional_out_slice("offsets", offsets, rows.len())?;
        let sizes = optional_out_slice("sizes", sizes, rows.len())?;
        let indices = optional_out_slice("placement_indices", placement_indices, shard_count)?;
        fill(offsets, shards.offsets().get(rows.clone()).unwrap_or(&[]));
        fill(sizes, shards.sizes().get(rows).unwrap_or(&[]));
        fill(indices, shards.placements().indices().get(range).unwrap_or(&[]));
        Ok(())
    })
}

/// Number of different placements.
///
/// Errors: INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_placement_count(
    metadata: *const shardspec_metadata, out: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("metadata", metadata)?.shards().placements().distinct().len());
        Ok(())
    })
}

/// Writes the canonical text of a placement into `buffer`; they are numbered from 0 in the order of
/// their first shards. A text answer as in `shardspec_status_text`.
///
/// Errors: INDEX_OUT_OF_RANGE, BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_placement_text(
    metadata: *const shardspec_metadata, placement_index: usize, buffer: *mut c_char,
    capacity: usize, needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let placement = distinct_placement(&metadata, placement_index)?;
        answer_text(buffer, capacity, needed, placement)
    })
}

/// A placement, by the number that `shardspec_metadata_placement_text` knows it by.
///
/// Ownership: the caller frees `*out`. Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT,
/// OUT_OF_MEMORY. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_placement(
    metadata: *const shardspec_metadata, placement_index: usize,
    out: *mut *mut shardspec_placement, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        place.set(handle::insert(distinct_placement(&metadata, placement_index)?.clone())?);
        Ok(())
    })
}

/// Writes the indices of the shards that live on `rank` into `indices`, ascending; how many they are
/// goes to `*needed` (may be NULL). With capacity 0, `indices` may be NULL and only that is told. A
/// rank that owns no shard has 0.
///
/// Errors: BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_shards_of_rank(
    metadata: *const shardspec_metadata, rank: i64, indices: *mut usize, capacity: usize,
    needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let owned = try_collect(metadata.shards_of_rank(rank))?;
        answer("indices", indices, capacity, needed, &owned)
    })
}

/// As `shardspec_metadata_shards_of_rank`, for an owner that is written as in a placement: "rank:1"
/// or "trainer0" for its shards on all devices, "rank:1/cuda:0" for those on one. A device alone,
/// "cuda:0", is that of shards whose placements name no owner.
///
/// Errors: as `shardspec_metadata_shards_of_rank`, and INVALID_PLACEMENT. Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_shards_of_owner(
    metadata: *const shardspec_metadata, owner: *const c_char, indices: *mut usize,
    capacity: usize, needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let owned = metadata.shards_of_owner(text("owner", owner)?)?;
        answer("indices", indices, capacity, needed, &try_collect(owned)?)
    })
}

/// Whether two metadata objects have the same sizes, properties and shards in the same order: 1 or
/// 0. Which specs made them does not matter.
///
/// Errors: INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_equal(
    a: *const shardspec_metadata, b: *const shardspec_metadata, out: *mut i32,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set((*handle::get("a", a)? == *handle::get("b", b)?).into());
        Ok(())
    })
}

/// A hash: equal metadata have equal hashes, in every process that runs this version.
///
/// Errors: INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_hash(
    metadata: *const shardspec_metadata, out: *mut u64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("metadata", metadata)?.hash_value());
        Ok(())
    })
}

/// One of the placements that differ.
fn distinct_placement(metadata: &ShardedTensorMetadata, index: usize) -> Outcome<&Placement> {
    let distinct = metadata.shards().placements().distinct();
    Ok(distinct.get(index).ok_or(Error::IndexOutOfRange {
        argument: "placement_index",
        index: index as u64,
        count: distinct.len() as u64,
    })?)
}
