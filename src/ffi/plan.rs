//! Plans: the moves from one layout of a tensor to another.
//!
//! A plan describes how to move a tensor from one layout, the source, to another layout, the
//! destination. A plan is a list of pieces. A piece is a box of elements that moves from one source
//! shard to one destination shard. Pieces are ordered by destination shard, then by source shard,
//! then by their offsets, and numbered from 0. Every element of a destination shard is in exactly
//! one piece.
//!
//! The library can execute a plan on the shards of this process. The library can also write a plan
//! as runs of bytes (`shardspec_run`), which a custom transport can move. The creation of a plan
//! takes about n * log(n) time for n shards, plus time in proportion to the number of pieces.
//!
//! Source: the read items of torch's checkpoint planner, `create_read_items_for_chunk_list`.

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::pointer::{
    Out, fill, fill_with, optional_out, optional_out_slice, out, slice,
};
use crate::ffi::border::slot_map::SlotMap;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::shards::shardspec_shards;
use crate::memory::Shared;
use crate::plan::ReshardPlan;

/// A plan, behind a handle. The object is immutable. Free the handle with `shardspec_plan_free`.
pub struct shardspec_plan {
    _opaque: [u8; 0],
}

impl Handle for shardspec_plan {
    type Object = Shared<ReshardPlan>;
    const NAME: &'static str = "shardspec_plan";
    const KIND: u64 = 4;

    fn table() -> &'static SlotMap<Self::Object> {
        static TABLE: SlotMap<Shared<ReshardPlan>> = SlotMap::new();
        &TABLE
    }
}

pub(crate) fn give(place: Out<'_, *mut shardspec_plan>, plan: ReshardPlan) -> Outcome {
    place.set(handle::insert(Shared::try_new(plan)?)?);
    Ok(())
}

/// Creates the plan from one layout of a tensor to another layout.
///
/// Ownership: the caller frees `*out`. The caller may free both metadata objects before `*out`.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: SHAPE_MISMATCH or NDIM_MISMATCH if the two layouts are for tensors of different sizes;
/// DTYPE_MISMATCH if both layouts state an element type and the two types differ; PARTIAL if the
/// elements are pending a reduction; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_new(
    source: *const shardspec_metadata, destination: *const shardspec_metadata,
    out: *mut *mut shardspec_plan, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let source = handle::get("source", source)?;
        let destination = handle::get("destination", destination)?;
        give(place, ReshardPlan::new(&source, &destination)?)
    })
}

/// Creates the plan from one layout of a tensor to some shards of another layout, such as the
/// shards of one worker. `destination_indices` holds the indices of `destination_index_count`
/// destination shards, in any order.
///
/// Ownership: the caller frees `*out`. The caller may free both metadata objects before `*out`.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE if a destination index is too large; SHAPE_MISMATCH or NDIM_MISMATCH
/// if the two layouts are for tensors of different sizes; DTYPE_MISMATCH if both layouts state an
/// element type and the two types differ; PARTIAL if the elements are pending a reduction;
/// INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_new_for_destinations(
    source: *const shardspec_metadata, destination: *const shardspec_metadata,
    destination_indices: *const usize, destination_index_count: usize,
    out: *mut *mut shardspec_plan, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let source = handle::get("source", source)?;
        let destination = handle::get("destination", destination)?;
        let destination_indices =
            slice("destination_indices", destination_indices, destination_index_count)?;
        give(place, ReshardPlan::for_destinations(&source, &destination, destination_indices)?)
    })
}

/// Creates the plan from a list of source shards to a list of destination shards. Source shards may
/// overlap, for example replicas. Source shards need not cover the tensor. Destination shards may
/// also overlap. Each of the two lists may be empty.
///
/// Several source shards may hold the same element. If one of these shards has the same owner as
/// the destination shard, the plan reads the element from this shard. For each other element with
/// several source shards, the plan chooses an owner. The plan chooses the owners so that all owners
/// supply about equally many elements. A group is a set of elements of one destination shard that
/// the same source shards hold. The plan first divides each group that has more elements than one
/// owner's equal share. After this division, the plan assigns the groups to owners, the largest
/// groups first. Among the owners that hold a group, the plan chooses the owner that supplies the
/// fewest elements so far. If source shards overlap in very many ways, the plan uses fewer and
/// larger groups. Equal lists always make equal plans. `shardspec_plan_new_on_nodes` makes a plan
/// that prefers sources on the same node.
///
/// Ownership: the caller frees `*out`. The caller may free both lists before `*out`.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: GAP if some elements of a destination shard are in no source shard (the error's
/// `first_shard` is the index of this shard, and the message names a box of missing elements);
/// UNSUPPORTED if source shards overlap in too many ways, even for larger groups; OVERFLOW if the
/// number of elements of a destination shard does not fit in 64 bits; NDIM_MISMATCH,
/// INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_new_from_shards(
    source: *const shardspec_shards, destination: *const shardspec_shards,
    out: *mut *mut shardspec_plan, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let source = (*handle::get("source", source)?).clone();
        let destination = (*handle::get("destination", destination)?).clone();
        give(place, ReshardPlan::from_shards(source, destination)?)
    })
}

/// Frees a plan. NULL is allowed.
///
/// Ownership: the caller gives up `plan`.
/// Calls back: `destroy`, if nothing else uses the object.
/// Blocks: no.
/// Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
/// Threads: any. Calls that run on other threads with this handle complete normally.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_free(
    plan: *mut shardspec_plan, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || handle::free("plan", plan))
}

/// Writes the number of pieces to `*out`.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_piece_count(
    plan: *const shardspec_plan, out: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("plan", plan)?.len());
        Ok(())
    })
}

/// Writes the number of dimensions of the tensor to `*out`.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_ndim(
    plan: *const shardspec_plan, out: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("plan", plan)?.destination().tensor_ndim());
        Ok(())
    })
}

/// Writes pieces `first_piece` to `first_piece + piece_count - 1` into flat arrays.
///
/// `sources` and `destinations` receive the indices of the shards. The two arrays have
/// `piece_count` elements each, one for each piece. `source_offsets` receives the start of each
/// piece in the source shard's buffer. `destination_offsets` receives the start of each piece in
/// the destination shard's buffer. `sizes` receives the sizes of each piece. `source_offsets`,
/// `destination_offsets` and `sizes` have `piece_count` rows each, one row for each piece.
/// `shardspec_plan_ndims` returns the lengths of these rows, in the order of the three arrays. The
/// three lengths may differ only if some shards are not boxes. If a shard is not a box, its pieces
/// have steps (`shardspec_plan_piece_steps`). Each of the five arrays may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_pieces(
    plan: *const shardspec_plan, first_piece: usize, piece_count: usize, sources: *mut usize,
    destinations: *mut usize, source_offsets: *mut i64, destination_offsets: *mut i64,
    sizes: *mut i64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let plan = handle::get("plan", plan)?;
        let rows = plan.rows(first_piece, piece_count)?;
        let len = rows.sizes.len();
        let sources = optional_out_slice("sources", sources, piece_count)?;
        let destinations = optional_out_slice("destinations", destinations, piece_count)?;
        let [of_source, of_destination] = [rows.source_offsets, rows.destination_offsets];
        let source_offsets = optional_out_slice("source_offsets", source_offsets, of_source.len())?;
        let destination_offsets =
            optional_out_slice("destination_offsets", destination_offsets, of_destination.len())?;
        let sizes = optional_out_slice("sizes", sizes, len)?;
        fill_with(sources, rows.sources.iter().map(|&shard| shard as usize));
        fill_with(destinations, rows.destinations.iter().map(|&shard| shard as usize));
        fill(source_offsets, rows.source_offsets);
        fill(destination_offsets, rows.destination_offsets);
        fill(sizes, rows.sizes);
        Ok(())
    })
}

/// Writes the numbers of dimensions of the source shards' buffers, of the destination shards'
/// buffers and of the plan's pieces. The three numbers are equal if all shards are boxes. If a
/// shard is not a box, a piece may have more dimensions than the buffers.
/// `shardspec_plan_piece_steps` returns the buffer's dimension for each dimension of a piece.
/// `source`, `destination` and `piece` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_ndims(
    plan: *const shardspec_plan, source: *mut usize, destination: *mut usize, piece: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let plan = handle::get("plan", plan)?;
        let numbers = [plan.source().ndim(), plan.destination().ndim(), plan.piece_ndim()];
        let places = [
            optional_out("source", source)?,
            optional_out("destination", destination)?,
            optional_out("piece", piece)?,
        ];
        for (place, number) in places.into_iter().zip(numbers) {
            if let Some(place) = place {
                place.set(number);
            }
        }
        Ok(())
    })
}

/// Writes the steps of pieces `first_piece` to `first_piece + piece_count - 1`. A step says how far
/// two neighbouring elements of a piece are apart in a buffer. Steps count indices of one dimension
/// of the buffer.
///
/// `source_dims` and `destination_dims` receive one number for each dimension of the pieces. Number
/// k is the buffer's dimension that matches dimension k of the pieces. All pieces have the same
/// matching dimensions. `source_steps` and `destination_steps` have `piece_count` rows each, with
/// one number for each dimension of the pieces. Number k of a row is the step for dimension k of
/// the piece. If an index in dimension k of the piece grows by 1, the index in the matching
/// dimension of the buffer grows by this step.
///
/// Let `i[k]` be the index of an element in dimension k of a piece. In the source's buffer, the
/// element also has an index in each dimension d. The index in d is the source offset of the piece
/// in d, plus `i[k] * source_steps[k]` for each k with `source_dims[k] == d`. In this formula,
/// `source_steps` is the row of the piece. The formula for the destination's buffer has
/// `destination_steps` and `destination_dims`. If all shards are boxes, dimension k of a piece
/// matches dimension k of both buffers, and every step is 1. Each of the four arrays may be
/// NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_piece_steps(
    plan: *const shardspec_plan, first_piece: usize, piece_count: usize, source_dims: *mut usize,
    destination_dims: *mut usize, source_steps: *mut i64, destination_steps: *mut i64,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let plan = handle::get("plan", plan)?;
        let (rows, ndim) = (plan.rows(first_piece, piece_count)?, plan.piece_ndim());
        let source_dims = optional_out_slice("source_dims", source_dims, ndim)?;
        let destination_dims = optional_out_slice("destination_dims", destination_dims, ndim)?;
        let len = rows.sizes.len();
        let source_steps = optional_out_slice("source_steps", source_steps, len)?;
        let destination_steps = optional_out_slice("destination_steps", destination_steps, len)?;
        match rows.steps {
            None => {
                fill_with(source_dims, 0..ndim);
                fill_with(destination_dims, 0..ndim);
                fill_with(source_steps, std::iter::repeat_n(1, len));
                fill_with(destination_steps, std::iter::repeat_n(1, len));
            }
            Some(steps) => {
                fill(source_dims, steps.source_dims);
                fill(destination_dims, steps.destination_dims);
                fill(source_steps, steps.source_steps);
                fill(destination_steps, steps.destination_steps);
            }
        }
        Ok(())
    })
}

/// Finds the pieces of the destination shard `destination`. `*first_piece` becomes the index of
/// the shard's first piece. `*piece_count` becomes the number of the shard's pieces. The pieces of
/// a destination shard are consecutive.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_pieces_of_destination(
    plan: *const shardspec_plan, destination: usize, first_piece: *mut usize,
    piece_count: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let (first, count) = (out("first_piece", first_piece)?, out("piece_count", piece_count)?);
        let plan = handle::get("plan", plan)?;
        plan.destination().at("destination", destination)?;
        let pieces = plan.pieces_into(destination);
        first.set(pieces.start);
        count.set(pieces.len());
        Ok(())
    })
}

/// Writes 1 to `*out` if the source and the destination of every piece have the same owner, else 0.
/// If the result is 1, nothing moves between processes. An owner is a rank or a worker. The
/// function ignores devices.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_is_local(
    plan: *const shardspec_plan, out: *mut i32, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("plan", plan)?.is_local()?.into());
        Ok(())
    })
}

/// Compares each destination shard with the source shard of the same index. Writes 1 to `*out` if
/// all boxes and all placements are equal, else 0. If the result is 1, no element moves.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_is_identity(
    plan: *const shardspec_plan, out: *mut i32, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("plan", plan)?.is_identity().into());
        Ok(())
    })
}
