//! Shards that are not boxes.
//!
//! A dim map lists the indices that a shard has in one dimension. The indices are in the order of
//! the shard's buffer. A dim map is a list of stretches. A stretch is `count` blocks of `length`
//! neighbouring indices. The blocks are at equal distances in the tensor, and at equal distances in
//! the buffer. For a block-cyclic dimension of any size, a dim map needs one stretch, or two
//! stretches if the last block is shorter. Holes are places of the buffer that no stretch covers. A
//! hole holds no element. The elements of a shard are all combinations of the indices in its dim
//! maps. A box has one block without holes in every dimension.
//!
//! Neighbouring dimensions of a tensor may be flattened. Flattened shards have one dimension
//! instead of these dimensions, with the elements in row-major order. Shards may be replicas if the
//! argument `replicas` of `shardspec_metadata_new_from_shards` is not 0.

use crate::error::try_to_vec;
use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{out, slice};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::properties::{properties_argument, shardspec_tensor_properties};
use crate::ffi::shards::shardspec_shards;
use crate::geometry::{DimMap, Stretch};
use crate::memory::{Shared, text, try_with_capacity};
use crate::model::{Error, ModelError, ShardedTensorMetadata, Shards};

/// A value in the argument `map_numbers` of `shardspec_shards_new_with_dim_maps`. With this value,
/// the shard has an interval instead of a dim map in the dimension. An interval is one block of
/// indices without holes.
pub const SHARDSPEC_INTERVAL: u32 = u32::MAX;

/// A stretch: `count` blocks of `length` neighbouring indices of one dimension. Block `i` starts at
/// index `global_start + i * global_step` of the tensor and at place `local_start + i * local_step`
/// of the shard's buffer. Starts are >= 0, and `length` and `count` are >= 1. If `count` is above
/// 1, both steps are >= `length`. If `count` is 1, the library ignores the steps that the caller
/// passes, and returns steps that equal `length`. If both steps equal `length`, the blocks are one
/// block, and the library returns this block with `count` 1.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_stretch {
    /// The first index in the tensor.
    pub global_start: i64,
    /// The first place in the buffer.
    pub local_start: i64,
    /// Number of neighbouring indices of a block.
    pub length: i64,
    /// Number of blocks.
    pub count: i64,
    /// Distance in the tensor from the start of one block to the start of the next block.
    pub global_step: i64,
    /// Distance in the buffer from the start of one block to the start of the next block.
    pub local_step: i64,
}

const _: () = assert!(size_of::<shardspec_stretch>() == 48);

impl From<&Stretch> for shardspec_stretch {
    fn from(stretch: &Stretch) -> Self {
        Self {
            global_start: stretch.global_start(),
            local_start: stretch.local_start(),
            length: stretch.length(),
            count: stretch.count(),
            global_step: stretch.global_step(),
            local_step: stretch.local_step(),
        }
    }
}

impl shardspec_stretch {
    pub(crate) fn of_interval(start: i64, length: i64) -> Self {
        let (global_step, local_step) = (length, length);
        Self { global_start: start, local_start: 0, length, count: 1, global_step, local_step }
    }

    fn checked(&self) -> Option<Stretch> {
        let starts = [self.global_start, self.local_start];
        Stretch::new(starts, self.length, self.count, [self.global_step, self.local_step])
    }
}

/// The dim maps of an array of stretches. Map `i` has the stretches from `ends[i - 1]` to
/// `ends[i] - 1`.
fn dim_maps(
    stretches: &[shardspec_stretch], ends: &[usize], length_of: impl Fn(u32) -> Option<i64>,
) -> Outcome<Vec<DimMap>> {
    let mut maps = try_with_capacity(ends.len())?;
    let mut start = 0;
    for (number, &end) in ends.iter().enumerate() {
        let at = |error: Error| error.at("map_ends", number);
        let own = stretches.get(start..end).ok_or_else(|| {
            let problem = text!(
                "map_ends: {end} is below the end before it, {start}, or above the number of \
                 stretches, {}",
                stretches.len()
            );
            at(Error::invalid("map_ends", problem))
        })?;
        let mut checked = try_with_capacity(own.len())?;
        for (place, stretch) in (start..).zip(own) {
            let problem = "starts must be >= 0, length and count >= 1, steps >= length, and ends must \
                           fit 64 bits";
            let stretch = stretch.checked();
            checked.push(
                stretch
                    .ok_or_else(|| Error::invalid("stretches", problem).at("stretches", place))?,
            );
        }
        // A map that no shard has is as long as it needs to be.
        let ends = own.iter().map(|one| {
            let behind = one.count.saturating_sub(1).saturating_mul(one.local_step);
            one.local_start.saturating_add(behind).saturating_add(one.length)
        });
        let length = u32::try_from(number).ok().and_then(&length_of);
        let length = length.unwrap_or_else(|| ends.max().unwrap_or(0));
        maps.push(DimMap::new(length, checked).map_err(|error| at(error.into()))?);
        start = end;
    }
    if start != stretches.len() {
        let problem = text!("the last end is {start}, but there are {} stretches", stretches.len());
        return Err(Error::invalid("map_ends", problem).into());
    }
    Ok(maps)
}

/// Creates a copy of the list `shards`. In the copy, some dimensions of some shards have a dim map
/// instead of an interval.
///
/// `map_numbers` has one number for each dimension of each shard, shard after shard. Each number is
/// the index of a dim map, counted from 0, or `SHARDSPEC_INTERVAL` to keep the interval. Dim map
/// `i` consists of the stretches `map_ends[i - 1]` (0 for the first dim map) to `map_ends[i] - 1`.
/// Two stretches of one dim map must not share an index or a place in the buffer. The sizes in
/// `shards` are the lengths of the buffers, holes included. All dimensions that use one dim map
/// must have the same size in `shards`. In a dimension with a dim map, only the dim map says which
/// indices the shard has. Any offset in `shards` is allowed in this dimension, and the copy has the
/// same offset.
///
/// Ownership: the library copies all arguments. The caller frees `*out`. The caller may free
/// `shards` before `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if stretches overlap, reach past the end of the buffer or have
/// impossible numbers, or if `map_ends` are not in order; INDEX_OUT_OF_RANGE if a map number is too
/// large; SHAPE_MISMATCH if dimensions of different sizes use one dim map; INVALID_HANDLE,
/// NULL_ARGUMENT, OUT_OF_MEMORY. The error's `index` is the position of the stretch, map or number
/// in its array.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_shards_new_with_dim_maps(
    shards: *const shardspec_shards, stretches: *const shardspec_stretch, stretch_count: usize,
    map_ends: *const usize, map_count: usize, map_numbers: *const u32,
    out: *mut *mut shardspec_shards, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let shards = handle::get("shards", shards)?;
        let stretches = slice("stretches", stretches, stretch_count)?;
        let ends = slice("map_ends", map_ends, map_count)?;
        let sizes = shards.boxes().sizes();
        let numbers = slice("map_numbers", map_numbers, sizes.len())?;
        let lengths = lengths_of(numbers, sizes, (map_count, shards.ndim()))?;
        let length_of = |map: u32| lengths.get(map as usize).copied().flatten();
        let maps = dim_maps(stretches, ends, length_of)?;
        let extents = shards.extents().try_clone().map_err(Error::from)?;
        let numbers = try_to_vec("map_numbers", numbers)?;
        let extents = extents.with_other_maps(maps, numbers).map_err(Error::from)?;
        let shards = Shards::from_extents(extents, shards.placements().clone())?;
        place.set(handle::insert(Shared::try_new(shards)?)?);
        Ok(())
    })
}

/// The length of each dim map, by the sizes of the buffers that have the dim map.
fn lengths_of(
    numbers: &[u32], sizes: &[i64], (count, ndim): (usize, usize),
) -> Outcome<Vec<Option<i64>>> {
    let mut lengths = crate::memory::try_filled(None, count)?;
    let used = numbers.iter().zip(sizes).enumerate();
    for (at, (&number, &size)) in used.filter(|(_, (number, _))| **number != SHARDSPEC_INTERVAL) {
        let argument = "map_numbers";
        let length: &mut Option<i64> = lengths.get_mut(number as usize).ok_or_else(|| {
            let (index, count) = (number.into(), count as u64);
            Error::IndexOutOfRange { argument, index, count }.at(argument, at)
        })?;
        let expected = *length.get_or_insert(size);
        if expected != size {
            // There are no numbers without dimensions.
            let dim = at.checked_rem(ndim).unwrap_or(0);
            let what = text!("dim map {number}: a buffer of another length");
            let (shard, got) = (at.checked_div(ndim), size);
            let error = ModelError::ShapeMismatch { what, shard, dim, got, expected };
            return Err(Error::from(error).at(argument, at).into());
        }
    }
    Ok(lengths)
}

/// Creates a copy of the list `shards` for a tensor with flattened dimensions. The `ndim` numbers
/// in `sizes` are the sizes of the tensor before flattening. The dimensions `first_dim` to
/// `first_dim + dim_count - 1` become one dimension, in row-major order. The shards in `shards`
/// must have `ndim - dim_count + 1` dimensions.
///
/// Ownership: the caller frees `*out`. The caller may free `shards` before `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_DIM if the tensor does not have these dimensions; INVALID_ARGUMENT if
/// `dim_count` is below 2, a size is negative or the shards are flattened already; NDIM_MISMATCH if
/// the shards do not have `ndim - dim_count + 1` dimensions; OVERFLOW, INVALID_HANDLE,
/// NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_shards_new_flattened(
    shards: *const shardspec_shards, sizes: *const i64, ndim: usize, first_dim: usize,
    dim_count: usize, out: *mut *mut shardspec_shards, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let shards = handle::get("shards", shards)?;
        let sizes = slice("sizes", sizes, ndim)?;
        let flattened = shards.flattened(sizes, first_dim, dim_count)?;
        place.set(handle::insert(Shared::try_new(flattened)?)?);
        Ok(())
    })
}

/// Creates the metadata of a tensor from a list of shards. `sizes` holds the `ndim` sizes of the
/// tensor. The shards must cover the tensor. Each shard needs a placement. `properties` may be
/// NULL.
///
/// With `replicas` 0, shards must not overlap. With any other value, shards may overlap. The first
/// shard that holds an element is the primary owner of the element. A gather or a plan reads each
/// element once. A scatter writes every replica of an element.
///
/// Ownership: the caller frees `*out`. The caller may free `shards` before `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: OVERLAP if shards overlap and `replicas` is 0; GAP if the shards do not cover the tensor
/// (the message names a box); SHAPE_MISMATCH if the shards are flattened for a tensor of other
/// sizes; INVALID_ARGUMENT if a size is negative or `ndim` is above 32; NULL_ARGUMENT if a pointer
/// is NULL or a shard has no placement; UNSUPPORTED if replicas overlap in too many ways; OVERFLOW
/// if the number of elements does not fit in 64 bits; OUT_OF_BOUNDS, NDIM_MISMATCH, INVALID_HANDLE,
/// OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_new_from_shards(
    shards: *const shardspec_shards, sizes: *const i64, ndim: usize,
    properties: *const shardspec_tensor_properties, replicas: i32,
    out: *mut *mut shardspec_metadata, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let shards = Shared::clone(&*handle::get("shards", shards)?);
        let sizes = slice("sizes", sizes, ndim)?;
        let properties = properties_argument(properties)?;
        let metadata = if replicas == 0 {
            ShardedTensorMetadata::new(shards, sizes, properties)?
        } else {
            ShardedTensorMetadata::with_replicas(shards, sizes, properties)?
        };
        place.set(handle::insert(metadata)?);
        Ok(())
    })
}
