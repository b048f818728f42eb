//! The shards and placements of metadata. In the header they are part of the section on metadata.

use std::ffi::c_char;

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{answer_text, check_room, fill, optional_out_slice, out};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::placement::shardspec_placement;
use crate::model::{Error, Placement, ShardedTensorMetadata};

/// One of the different placements.
fn distinct_placement(metadata: &ShardedTensorMetadata, index: usize) -> Outcome<&Placement> {
    let distinct = metadata.shards().placements().distinct();
    Ok(distinct.get(index).ok_or(Error::IndexOutOfRange {
        argument: "placement_index",
        index: index as u64,
        count: distinct.len() as u64,
    })?)
}

/// Writes the offsets and the sizes of shard `index`. `offsets` and `sizes` have room for
/// `capacity` numbers each. `capacity` must be at least the number of dimensions of the shards'
/// buffers (`shardspec_metadata_buffer_ndim`). Each of the two arrays may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE, BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
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

/// Creates a handle for the placement of shard `index`.
///
/// Ownership: the caller frees `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
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
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
/// its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
/// NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
/// needed); INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
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

/// Writes shards `first_shard` to `first_shard + shard_count - 1` into flat arrays.
///
/// `offsets` and `sizes` have room for `shard_count` rows, one for each shard. A row has one number
/// for each dimension of the shards' buffers (`shardspec_metadata_buffer_ndim`).
/// `placement_indices` has room for `shard_count` numbers, one for each shard. Each number is the
/// index of the shard's placement. `shardspec_metadata_placement_text` accepts this index. Each of
/// the three arrays may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
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

/// Writes to `*out` the number of different placements that the shards have.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
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

/// Writes the canonical text of placement `placement_index` into `buffer`. Placements are numbered
/// from 0, in the order of their first appearance in the list of shards.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
/// its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
/// NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
/// needed); INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
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

/// Creates a handle for placement `placement_index`. Placements are numbered from 0, in the order
/// of their first appearance in the list of shards.
///
/// Ownership: the caller frees `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
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
