//! Places: who owns an element, and which shards meet a box.
//!
//! An element is named by its index in the tensor, a number for each dimension, or by a shard and
//! its index in that shard. The first question to a metadata object makes an index of its shards,
//! which takes about n * log(n) for n of them; then each answer takes about log(n), and time for
//! what is found. The index is kept with the metadata.

use crate::ffi::border::guard::guard;
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{answer, fill, optional_out_slice, out, out_slice, slice};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;

/// Writes the indices of the shards that share an element with a box into `indices`, ascending; how
/// many they are goes to `*needed` (may be NULL). With capacity 0, `indices` may be NULL and only
/// that is told. `offsets` and `sizes` hold `ndim` numbers >= 0; the box may reach past the tensor,
/// and an empty one meets nothing.
///
/// Errors: NDIM_MISMATCH for another `ndim` than the tensor's, INVALID_ARGUMENT for negative numbers,
/// BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. Threads: any. Since: ABI 0.
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

/// The shard that owns the element at index `element`, `ndim` numbers.
///
/// Errors: INDEX_OUT_OF_RANGE for an element that the tensor does not have (the error tells the
/// dimension, the index and the size), NDIM_MISMATCH for another `ndim` than the tensor's,
/// INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. Threads: any. Since: ABI 0.
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

/// Where `element_count` elements are: `elements` holds a row of a number for each dimension for
/// each of them. Their shards go to `shards`, with room for `element_count` numbers, their indices
/// in the buffers of those shards to `local_indices`, with room for as many rows of a number for
/// each dimension of the buffers. Either may be NULL.
///
/// Errors: as `shardspec_metadata_shard_at`; the error's `index` tells which element it was.
/// Threads: any. Since: ABI 0.
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
        let located = metadata.locate(elements, element_count)?;
        fill(shards, &located.shards);
        fill(local_indices, &located.indices);
        Ok(())
    })
}

/// `shardspec_metadata_locate` the other way round: for each of `element_count` pairs of a shard
/// and a row of indices in it, writes the row of indices in the tensor to `elements`.
///
/// Errors: INDEX_OUT_OF_RANGE for a shard that is not there, or an element that the shard does not
/// have (the error tells the dimension, the index and the size, and in `index` which element it
/// was), NOT_FOUND for a hole of the shard's buffer, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any. Since: ABI 0.
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
