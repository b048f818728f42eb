//! Lists of shards.
//!
//! A list is the one way to pass shards: a spec, metadata, a plan and a custom spec's builder take
//! it from here. It takes them unchecked, as they are. A spec refuses shards that overlap, metadata
//! also those that leave a gap; the replicas of a checkpoint, or what one worker wants, are such
//! lists. A list tells all of its overlaps and gaps.

use std::ffi::c_char;

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::pointer::{
    OutSlice, fill_with, optional_out, optional_out_slice, out, slice,
};
use crate::ffi::border::shards::{
    optional_placements_from_texts, placements_from_handles, shards_from_arrays,
    shards_from_structs,
};
use crate::ffi::border::slots::Slots;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::placement::shardspec_placement;
use crate::ffi::shard_metadata::shardspec_shard_metadata;
use crate::geometry::region::Region;
use crate::memory::Shared;
use crate::model::{Shards, validate};

/// A list of shards, behind a handle. Immutable; free it with `shardspec_shards_free`.
pub struct shardspec_shards {
    _opaque: [u8; 0],
}

impl Handle for shardspec_shards {
    type Object = Shared<Shards>;
    const NAME: &'static str = "shardspec_shards";
    const KIND: u64 = 9;

    fn table() -> &'static Slots<Self::Object> {
        static TABLE: Slots<Shared<Shards>> = Slots::new();
        &TABLE
    }
}

/// A list of these shards, which may overlap and may be none. All have the same number of
/// dimensions; a list of no shards is one of any number of them. A shard whose `placement` is NULL
/// belongs to nobody in particular: plans count all of these as the shards of one owner, on no
/// rank.
///
/// Ownership: everything is copied; the caller frees `*out`. Errors: INVALID_ARGUMENT for negative
/// numbers or more than 32 dimensions, NDIM_MISMATCH, OVERFLOW for an end beyond 64 bits,
/// INVALID_PLACEMENT, NULL_ARGUMENT, OUT_OF_MEMORY. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_shards_new(
    shards: *const shardspec_shard_metadata, shard_count: usize, out: *mut *mut shardspec_shards,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let shards = shards_from_structs(shards, shard_count)?;
        place.set(handle::insert(Shared::try_new(shards)?)?);
        Ok(())
    })
}

/// A list of shards from flat arrays: `offsets` and `sizes` hold `shard_count` rows of `ndim`
/// numbers, `placements` holds `placement_count` texts. Shard i lives at
/// `placements[placement_indices[i]]`; with `placement_indices` NULL, at `placements[i]`, and
/// `placement_count` equals `shard_count`. A text may be NULL: a shard there belongs to nobody in
/// particular.
///
/// Ownership: everything is copied; the caller frees `*out`. Errors: INVALID_ARGUMENT for negative
/// numbers, more than 32 dimensions or another `placement_count`, INDEX_OUT_OF_RANGE for a placement
/// index, OVERFLOW for an end beyond 64 bits, INVALID_PLACEMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_shards_new_from_arrays(
    offsets: *const i64, sizes: *const i64, placement_indices: *const u32, ndim: usize,
    shard_count: usize, placements: *const *const c_char, placement_count: usize,
    out: *mut *mut shardspec_shards, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let placements = optional_placements_from_texts(placements, placement_count)?;
        let arrays = (offsets, sizes, placement_indices);
        let shards = shards_from_arrays(arrays, ndim, shard_count, placements)?;
        place.set(handle::insert(Shared::try_new(shards)?)?);
        Ok(())
    })
}

/// A list of shards from flat arrays: `offsets` and `sizes` hold `shard_count` rows of `ndim`
/// numbers, `placements` holds `placement_count` handles, also of placements of your own types.
/// Shard i lives at `placements[placement_indices[i]]`; with `placement_indices` NULL, at
/// `placements[i]`, and `placement_count` equals `shard_count`.
///
/// Ownership: everything is copied; the handles stay the caller's, who frees `*out`. Errors:
/// INVALID_ARGUMENT for negative numbers, more than 32 dimensions or another `placement_count`,
/// INDEX_OUT_OF_RANGE for a placement index, OVERFLOW for an end beyond 64 bits, INVALID_HANDLE,
/// NULL_ARGUMENT, OUT_OF_MEMORY. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_shards_new_from_arrays_with_placement_handles(
    offsets: *const i64, sizes: *const i64, placement_indices: *const u32, ndim: usize,
    shard_count: usize, placements: *const *const shardspec_placement, placement_count: usize,
    out: *mut *mut shardspec_shards, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let placements = placements_from_handles(placements, placement_count)?;
        let arrays = (offsets, sizes, placement_indices);
        let shards = shards_from_arrays(arrays, ndim, shard_count, placements)?;
        place.set(handle::insert(Shared::try_new(shards)?)?);
        Ok(())
    })
}

/// Frees a list. NULL is fine. What was made from it is not concerned.
///
/// Errors: INVALID_HANDLE, also when it was freed before. Threads: any, also while another thread
/// uses the handle: a call under way finishes. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_shards_free(
    shards: *mut shardspec_shards, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || handle::free("shards", shards))
}

/// Number of shards.
///
/// Errors: INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_shards_count(
    shards: *const shardspec_shards, out: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("shards", shards)?.len());
        Ok(())
    })
}

/// Writes the pairs of shards that own the same element, by their first index, then by their
/// second: both indices, and the box that they share. `first_shards`, `second_shards`, and
/// `offsets` and `sizes`, with a row of a number for each dimension of the tensor, have room for
/// `capacity` pairs; each may be NULL. `*overlap_count` becomes the number of pairs that were
/// written, at most `capacity`, and `*more` (may be NULL) 1 if there are others, else 0.
///
/// Time: about n * log(n), and what is found.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_shards_overlaps(
    shards: *const shardspec_shards, first_shards: *mut usize, second_shards: *mut usize,
    offsets: *mut i64, sizes: *mut i64, capacity: usize, overlap_count: *mut usize, more: *mut i32,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let (count, more) = (out("overlap_count", overlap_count)?, optional_out("more", more)?);
        let shards = handle::get("shards", shards)?;
        let first = optional_out_slice("first_shards", first_shards, capacity)?;
        let second = optional_out_slice("second_shards", second_shards, capacity)?;
        let boxes = Boxes::places(offsets, sizes, capacity, shards.tensor_ndim())?;
        let mut overlaps = validate::overlaps(&shards, capacity.saturating_add(1))?;
        let others = overlaps.len() > capacity;
        overlaps.truncate(capacity);
        fill_with(first, overlaps.iter().map(|overlap| overlap.first));
        fill_with(second, overlaps.iter().map(|overlap| overlap.second));
        boxes.fill(overlaps.iter().map(|overlap| &overlap.region));
        count.set(overlaps.len());
        if let Some(more) = more {
            more.set(others.into());
        }
        Ok(())
    })
}

/// Writes what no shard owns of a tensor of `ndim` sizes, as boxes that share nothing, by where they
/// lie. `offsets` and `sizes`, with a row of `ndim` numbers for each box, have room for `capacity`
/// boxes; each may be NULL. `*gap_count` becomes the number of boxes that were written, at most
/// `capacity`, and `*more` (may be NULL) 1 if there are others, else 0. Shards may reach past the
/// tensor.
///
/// Time: of shards that overlap nowhere, about n * log(n) and what the boxes need; of others, what
/// the boxes that are asked for need. Errors: UNSUPPORTED where the shards overlap in so many ways
/// that even these can't be found, NDIM_MISMATCH for another `ndim` than the shards',
/// INVALID_ARGUMENT for negative sizes or more than 32, OVERFLOW for more elements than 64 bits
/// count, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_shards_gaps(
    shards: *const shardspec_shards, tensor_sizes: *const i64, ndim: usize, offsets: *mut i64,
    sizes: *mut i64, capacity: usize, gap_count: *mut usize, more: *mut i32,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let (count, more) = (out("gap_count", gap_count)?, optional_out("more", more)?);
        let shards = handle::get("shards", shards)?;
        let tensor_sizes = slice("tensor_sizes", tensor_sizes, ndim)?;
        let boxes = Boxes::places(offsets, sizes, capacity, ndim)?;
        let gaps = validate::gaps(&shards, tensor_sizes, capacity)?;
        boxes.fill(gaps.boxes.iter());
        count.set(gaps.boxes.len());
        if let Some(more) = more {
            more.set(gaps.more.into());
        }
        Ok(())
    })
}

/// Places for rows of offsets and of sizes.
struct Boxes<'a> {
    offsets: Option<OutSlice<'a, i64>>,
    sizes: Option<OutSlice<'a, i64>>,
}

impl<'a> Boxes<'a> {
    unsafe fn places(
        offsets: *mut i64, sizes: *mut i64, capacity: usize, ndim: usize,
    ) -> Outcome<Self> {
        let len = capacity.saturating_mul(ndim);
        let offsets = optional_out_slice("offsets", offsets, len)?;
        Ok(Self { offsets, sizes: optional_out_slice("sizes", sizes, len)? })
    }

    fn fill<'b>(self, regions: impl Iterator<Item = &'b Region> + Clone) {
        let offsets = regions.clone().flat_map(|region| region.offsets.iter().copied());
        fill_with(self.offsets, offsets);
        fill_with(self.sizes, regions.flat_map(|region| region.sizes.iter().copied()));
    }
}
