//! Stretches and dim maps of shards. In the header they are part of the section on shards that are
//! not boxes.

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{
    answer, check_room, fill, fill_with, optional_out, optional_out_slice, out,
};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::extent::{SHARDSPEC_INTERVAL, shardspec_stretch};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::shards::shardspec_shards;
use crate::geometry::DimExtent;
use crate::memory::try_collect;
use crate::model::{Error, Shards};

/// The stretches of one shard and dimension.
fn stretches_of(shards: &Shards, shard: usize, dim: usize) -> Outcome<Vec<shardspec_stretch>> {
    let extent = shards.at("shard", shard)?.extent;
    if dim >= shards.ndim() {
        let (index, count) = (dim as u64, shards.ndim() as u64);
        return Err(Error::IndexOutOfRange { argument: "dim", index, count }.into());
    }
    Ok(match extent.dim(dim) {
        DimExtent::Interval(_, 0) => Vec::new(),
        DimExtent::Interval(start, size) => {
            try_collect([shardspec_stretch::of_interval(start, size)])?
        }
        DimExtent::Map(map) => try_collect(map.stretches().iter().map(shardspec_stretch::from))?,
    })
}

/// Writes into `stretches` the stretches that shard `shard` has in dimension `dim`, in the order of
/// the shard's buffer. An interval of indices is one stretch with one block. If the shard is empty
/// in this dimension, there is no stretch.
///
/// `stretches` has `capacity` elements, one for each stretch. `*needed` becomes the number of
/// stretches. `needed` may be NULL. With capacity 0, only `*needed` is written, and `stretches` may
/// be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE, BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_shards_get_stretches(
    shards: *const shardspec_shards, shard: usize, dim: usize, stretches: *mut shardspec_stretch,
    capacity: usize, needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let shards = handle::get("shards", shards)?;
        answer("stretches", stretches, capacity, needed, &stretches_of(&shards, shard, dim)?)
    })
}

/// Writes into `stretches` the stretches that shard `shard` of the metadata has in dimension `dim`,
/// in the order of the shard's buffer. An interval of indices is one stretch with one block. If the
/// shard is empty in this dimension, there is no stretch.
///
/// `stretches` has `capacity` elements, one for each stretch. `*needed` becomes the number of
/// stretches. `needed` may be NULL. With capacity 0, only `*needed` is written, and `stretches` may
/// be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE, BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_get_stretches(
    metadata: *const shardspec_metadata, shard: usize, dim: usize,
    stretches: *mut shardspec_stretch, capacity: usize, needed: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let all = stretches_of(metadata.shards(), shard, dim)?;
        answer("stretches", stretches, capacity, needed, &all)
    })
}

/// Writes all dim maps of a list of shards. If the indices of a shard in a dimension form one
/// interval, the shard has no dim map for this dimension. The outputs have the form that
/// `shardspec_shards_new_with_dim_maps` accepts.
///
/// `stretches` receives the stretches of all dim maps. `map_ends[i]` becomes the position in
/// `stretches` after the last stretch of dim map i. `map_numbers` receives one number for each
/// dimension of each shard: the index of the dimension's dim map. For a dimension without a dim
/// map, the number is `SHARDSPEC_INTERVAL`. `*needed_stretches` becomes the number of stretches,
/// and `*needed_maps` becomes the number of dim maps. `needed_stretches` and `needed_maps` may be
/// NULL. `stretches`, `map_ends` and `map_numbers` may be NULL. The function ignores the capacity
/// of a NULL array.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_shards_get_dim_maps(
    shards: *const shardspec_shards, stretches: *mut shardspec_stretch, stretch_capacity: usize,
    map_ends: *mut usize, map_capacity: usize, map_numbers: *mut u32, number_capacity: usize,
    needed_stretches: *mut usize, needed_maps: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let shards = handle::get("shards", shards)?;
        let stretch_place = optional_out_slice("stretches", stretches, stretch_capacity)?;
        let end_place = optional_out_slice("map_ends", map_ends, map_capacity)?;
        let number_place = optional_out_slice("map_numbers", map_numbers, number_capacity)?;
        let counts = [
            optional_out("needed_stretches", needed_stretches)?,
            optional_out("needed_maps", needed_maps)?,
        ];
        let table = shards.extents().table();
        let all = || table.iter().flat_map(|map| map.stretches()).map(shardspec_stretch::from);
        let ends: Vec<usize> = try_collect(table.iter().scan(0usize, |end, map| {
            *end = end.saturating_add(map.stretches().len());
            Some(*end)
        }))?;
        let stretch_count = ends.last().copied().unwrap_or(0);
        check_room(&stretch_place, "stretches", stretch_count)?;
        check_room(&end_place, "map_ends", ends.len())?;
        check_room(&number_place, "map_numbers", shards.boxes().sizes().len())?;
        fill_with(stretch_place, all());
        fill(end_place, &ends);
        let dims = 0..shards.ndim();
        let numbers = shards.iter().flat_map(|shard| {
            let extent = shard.extent;
            dims.clone().map(move |dim| extent.map_number(dim).unwrap_or(SHARDSPEC_INTERVAL))
        });
        fill_with(number_place, numbers);
        for (place, count) in counts.into_iter().zip([stretch_count, ends.len()]) {
            if let Some(place) = place {
                place.set(count);
            }
        }
        Ok(())
    })
}

/// Writes 1 to `*out` if every shard of a list is a box of the tensor, else 0. If dimensions are
/// flattened, the result is 0.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_shards_are_boxes(
    shards: *const shardspec_shards, out: *mut i32, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("shards", shards)?.extents().are_boxes().into());
        Ok(())
    })
}

/// Writes 1 to `*out` if shard `shard` of the metadata is a box of the tensor, else 0. If
/// dimensions are flattened, the result is 0.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_is_box(
    metadata: *const shardspec_metadata, shard: usize, out: *mut i32, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        let extent = metadata.shards().at("shard", shard)?.extent;
        let is_flat = metadata.shards().extents().flattening().is_some();
        place.set((extent.is_box() && !is_flat).into());
        Ok(())
    })
}
