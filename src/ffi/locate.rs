//! Queries: which shards own an element, share an element with a box, or belong to an owner.
//!
//! An element has two descriptions. The first description is the index of the element in the
//! tensor, with one number for each dimension. The second description is a shard and an index in
//! that shard. The first query for an element or a box builds a search tree over the n shards of
//! the metadata, in about n * log(n) time. The metadata keeps this tree. Each later query for an
//! element or a box takes about log(n) time, plus time in proportion to the length of its answer. A
//! query for the shards of a rank or owner takes time in proportion to n.

use std::ffi::c_char;

use crate::ffi::border::guard::guard;
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{
    answer, fill, optional_out, optional_out_slice, out, out_slice, slice, text,
};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::memory::try_collect;

/// Writes into `indices` the indices of the shards that share an element with a box, in ascending
/// order. For a box of one element, the result is the list of all shards that own the element. The
/// first of these shards is the primary owner of the element.
///
/// `offsets` and `sizes` hold `ndim` numbers >= 0 each. The box may reach past the end of the
/// tensor. For an empty box, the list of shards is empty. `indices` has room for `capacity`
/// numbers. `*needed` becomes the number of shards. `needed` may be NULL. With capacity 0, only
/// `*needed` is written, and `indices` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: NDIM_MISMATCH if the tensor does not have `ndim` dimensions; INVALID_ARGUMENT if a
/// number is negative; BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_shards_in_box(
    metadata: *const shardspec_metadata, offsets: *const i64, sizes: *const i64, ndim: usize,
    indices: *mut usize, capacity: usize, needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let (offsets, sizes) = (slice("offsets", offsets, ndim)?, slice("sizes", sizes, ndim)?);
        answer("indices", indices, capacity, needed, &metadata.shards_in_box(offsets, sizes)?)
    })
}

/// Writes to `*out` the index of the shard that owns an element. `element` holds the `ndim` numbers
/// of the element's index. For an element of several replicas, the result is the primary owner: the
/// shard with the lowest index. `shardspec_metadata_shards_in_box` returns all shards that own an
/// element.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE if the element is outside of the tensor (the error has the dimension,
/// the index and the limit); NDIM_MISMATCH if the tensor does not have `ndim` dimensions;
/// INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_shard_at(
    metadata: *const shardspec_metadata, element: *const i64, ndim: usize, out: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        place.set(metadata.shard_at(slice("element", element, ndim)?)?);
        Ok(())
    })
}

/// Writes the replica number of a shard to `*number`. Two shards count as equal if they have the
/// same elements at the same places of their buffers. The replica number is the number of equal
/// shards with a lower index. `*primary` becomes the lowest index among this shard and all shards
/// that are equal to it. A program that writes or reads each element once uses only shards with
/// replica number 0. For a shard without elements, the replica number is 0, and `*primary` becomes
/// the index of the shard itself. `number` and `primary` may be NULL.
///
/// Time: n * log(n) for n shards in the first call, if the metadata has replicas. The metadata
/// keeps the result for later calls.
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_replica(
    metadata: *const shardspec_metadata, shard: usize, number: *mut usize, primary: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let number = optional_out("number", number)?;
        let primary = optional_out("primary", primary)?;
        let replica = handle::get("metadata", metadata)?.replica(shard)?;
        for (place, value) in [(number, replica.number), (primary, replica.primary)] {
            if let Some(place) = place {
                place.set(value);
            }
        }
        Ok(())
    })
}

/// For each of `element_count` elements, writes the index of the shard that owns the element, and
/// the element's index in the buffer of that shard. For an element of several replicas, the shard
/// is the primary owner: the replica with the lowest index.
///
/// `elements` holds one row for each element, with one number for each dimension of the tensor.
/// `shards` has room for `element_count` numbers. `local_indices` has room for `element_count`
/// rows, with one number for each dimension of the shards' buffers
/// (`shardspec_metadata_buffer_ndim`). `shards` and `local_indices` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE if an element is outside of the tensor (the error has the dimension,
/// the index, the limit and the element's position in `elements`); INVALID_HANDLE, NULL_ARGUMENT,
/// OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_locate(
    metadata: *const shardspec_metadata, elements: *const i64, element_count: usize,
    shards: *mut usize, local_indices: *mut i64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let len = element_count.saturating_mul(metadata.ndim());
        let elements = slice("elements", elements, len)?;
        let shards = optional_out_slice("shards", shards, element_count)?;
        let own = element_count.saturating_mul(metadata.shards().ndim());
        let local_indices = optional_out_slice("local_indices", local_indices, own)?;
        if local_indices.is_none() {
            fill(shards, &metadata.shards_of_elements(elements, element_count)?);
            return Ok(());
        }
        let located = metadata.locate(elements, element_count)?;
        fill(shards, &located.shards);
        fill(local_indices, &located.indices);
        Ok(())
    })
}

/// For each of `element_count` elements, writes the element's index in the tensor. For each
/// element, the caller passes a shard and the element's index in the shard's buffer. The function
/// is the inverse of `shardspec_metadata_locate`.
///
/// `shards` holds one number for each element. `local_indices` holds one row for each element, with
/// one number for each dimension of the shards' buffers. `elements` has room for `element_count`
/// rows, with one number for each dimension of the tensor.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE if a shard does not exist or an index is outside of the shard's
/// buffer (the error has the dimension, the index, the limit and the element's position in
/// `shards`); NOT_FOUND if an index is inside of a hole, because a hole has no elements;
/// INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_globalize(
    metadata: *const shardspec_metadata, shards: *const usize, local_indices: *const i64,
    element_count: usize, elements: *mut i64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let len = element_count.saturating_mul(metadata.ndim());
        let shards = slice("shards", shards, element_count)?;
        let own = element_count.saturating_mul(metadata.shards().ndim());
        let local_indices = slice("local_indices", local_indices, own)?;
        let place = out_slice("elements", elements, len)?;
        place.fill(&metadata.globalize(shards, local_indices)?);
        Ok(())
    })
}

/// Writes into `indices` the indices of the shards that `rank` owns, in ascending order. A rank may
/// own no shards.
///
/// `indices` has room for `capacity` numbers. `*needed` becomes the number of shards. `needed` may
/// be NULL. With capacity 0, only `*needed` is written, and `indices` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
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

/// Writes into `indices` the indices of an owner's shards, in ascending order.
///
/// An `owner` text without a device, such as "rank:1" or "trainer0", selects the owner's shards on
/// all devices. A text with a device, such as "rank:1/cuda:0", selects the owner's shards on that
/// device. A text with only a device, such as "cuda:0", selects the shards with exactly this
/// placement.
///
/// `indices` has room for `capacity` numbers. `*needed` becomes the number of shards. `needed` may
/// be NULL. With capacity 0, only `*needed` is written, and `indices` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `owner` is not valid UTF-8; INVALID_PLACEMENT, BUFFER_TOO_SMALL,
/// INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
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
