//! Lists of shards.
//!
//! A list holds any number of shards. Specs, metadata, plans and the builder of a custom spec
//! accept a list. The shards of a list may overlap and leave gaps. For example, replicas in a
//! checkpoint overlap, and the shards of one worker leave gaps. The shards of an enumerable spec
//! must not overlap. The shards of metadata must not leave gaps, and only replicas may overlap.
//! `shardspec_shards_overlaps` reports all overlaps, and `shardspec_shards_gaps` reports all gaps.

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
use crate::ffi::border::slot_map::SlotMap;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::placement::shardspec_placement;
use crate::ffi::shard_metadata::shardspec_shard_metadata;
use crate::geometry::region::Region;
use crate::memory::Shared;
use crate::model::{Shards, validate};

/// A list of shards, behind a handle. The object is immutable. Free the handle with
/// `shardspec_shards_free`.
pub struct shardspec_shards {
    _opaque: [u8; 0],
}

impl Handle for shardspec_shards {
    type Object = Shared<Shards>;
    const NAME: &'static str = "shardspec_shards";
    const KIND: u64 = 9;

    fn table() -> &'static SlotMap<Self::Object> {
        static TABLE: SlotMap<Shared<Shards>> = SlotMap::new();
        &TABLE
    }
}

/// Creates a list of `shard_count` shards. The shards may overlap, and the list may be empty.
///
/// All shards must have the same number of dimensions. An empty list fits any number of dimensions.
/// A shard with `placement` NULL has no owner. In plans, all shards without an owner belong to one
/// unknown owner. The unknown owner is on no rank.
///
/// Ownership: the library copies all arguments. The caller frees `*out`.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if a number is negative or there are more than 32 dimensions; OVERFLOW
/// if the end of a shard does not fit in 64 bits; NDIM_MISMATCH, INVALID_PLACEMENT, NULL_ARGUMENT,
/// OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
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

/// Creates a list of shards from flat arrays and the texts of their placements.
///
/// `offsets` and `sizes` hold `shard_count` rows of `ndim` numbers. `placements` holds
/// `placement_count` texts. Shard i has the placement `placements[placement_indices[i]]`. With
/// `placement_indices` NULL, shard i has the placement `placements[i]`, and `placement_count`
/// equals `shard_count`. If the text of a placement is NULL, shards with this placement have no
/// owner.
///
/// Ownership: the library copies all arguments. The caller frees `*out`.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if a number is negative, there are more than 32 dimensions or
/// `placement_count` is wrong; INDEX_OUT_OF_RANGE if a placement index is too large; OVERFLOW if
/// the end of a shard does not fit in 64 bits; INVALID_PLACEMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_shards_new_from_arrays(
    offsets: *const i64, sizes: *const i64, placement_indices: *const u32, ndim: usize,
    shard_count: usize, placements: *const *const c_char, placement_count: usize,
    out: *mut *mut shardspec_shards, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let placements = optional_placements_from_texts(placements, placement_count)?;
        let shards =
            shards_from_arrays((offsets, sizes, placement_indices), ndim, shard_count, placements)?;
        place.set(handle::insert(Shared::try_new(shards)?)?);
        Ok(())
    })
}

/// Creates a list of shards from flat arrays and the handles of their placements. Custom placements
/// are allowed.
///
/// `offsets` and `sizes` hold `shard_count` rows of `ndim` numbers. `placements` holds
/// `placement_count` handles. Shard i has the placement `placements[placement_indices[i]]`. With
/// `placement_indices` NULL, shard i has the placement `placements[i]`, and `placement_count`
/// equals `shard_count`.
///
/// Ownership: the library copies the arrays. The caller keeps the handles in `placements` and frees
/// `*out`.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if a number is negative, there are more than 32 dimensions or
/// `placement_count` is wrong; INDEX_OUT_OF_RANGE if a placement index is too large; OVERFLOW if
/// the end of a shard does not fit in 64 bits; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_shards_new_from_arrays_with_placement_handles(
    offsets: *const i64, sizes: *const i64, placement_indices: *const u32, ndim: usize,
    shard_count: usize, placements: *const *const shardspec_placement, placement_count: usize,
    out: *mut *mut shardspec_shards, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let placements = placements_from_handles(placements, placement_count)?;
        let shards =
            shards_from_arrays((offsets, sizes, placement_indices), ndim, shard_count, placements)?;
        place.set(handle::insert(Shared::try_new(shards)?)?);
        Ok(())
    })
}

/// Frees a list of shards. NULL is allowed. Objects made from the list stay valid.
///
/// Ownership: the caller gives up `shards`.
/// Calls back: `destroy`, if nothing else uses the object.
/// Blocks: no.
/// Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
/// Threads: any. Calls that run on other threads with this handle complete normally.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_shards_free(
    shards: *mut shardspec_shards, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || handle::free("shards", shards))
}

/// Writes the number of shards to `*out`.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
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

/// Writes the pairs of shards that share elements. Pairs are ordered by the index of the first
/// shard, then by the index of the second shard. For each pair, the function also writes a box that
/// the two shards share. Two shards that are not boxes may share several boxes. If there are
/// several boxes, the function writes one box.
///
/// `first_shards` and `second_shards` receive the indices of the shards. `offsets` and `sizes`
/// receive the shared boxes. `first_shards` and `second_shards` have room for `capacity` numbers,
/// one for each pair. `offsets` and `sizes` have room for `capacity` rows, one for each pair. A row
/// has one number for each dimension of the tensor. Each of the four arrays may be NULL.
/// `*overlap_count` becomes the number of pairs written, at most `capacity`. `*more` becomes 1 if
/// there are further pairs, else 0. `more` may be NULL.
///
/// Time: about n * log(n) for n shards, plus the number of pairs.
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
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
        let boxes = BoxOutputs::places(offsets, sizes, capacity, shards.tensor_ndim())?;
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

/// Finds the gaps of a tensor: the elements that no shard owns. The function writes boxes that
/// cover exactly these elements. The boxes do not overlap, and are ordered by their offsets.
///
/// `tensor_sizes` holds `ndim` numbers. Shards may reach past the end of the tensor. `offsets` and
/// `sizes` receive the boxes. Both arrays have room for `capacity` rows, one for each box. A row
/// has `ndim` numbers. Each of the two arrays may be NULL. `*gap_count` becomes the number of boxes
/// written, at most `capacity`. `*more` becomes 1 if there are further boxes, else 0. `more` may be
/// NULL.
///
/// Time: about n * log(n) for n shards without overlaps, plus the number of boxes. With overlaps,
/// there is no such bound. The time grows with the number of boxes that the function writes.
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: UNSUPPORTED if the shards overlap in so many ways that the function can't find the
/// boxes; NDIM_MISMATCH if the shards do not have `ndim` dimensions; INVALID_ARGUMENT if a size is
/// negative or `ndim` is above 32; OVERFLOW if the number of elements does not fit in 64 bits;
/// INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
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
        let boxes = BoxOutputs::places(offsets, sizes, capacity, ndim)?;
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
struct BoxOutputs<'a> {
    offsets: Option<OutSlice<'a, i64>>,
    sizes: Option<OutSlice<'a, i64>>,
}

impl<'a> BoxOutputs<'a> {
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
