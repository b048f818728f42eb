//! Plans: what moves from one layout of a tensor to another.
//!
//! A plan is made from any source layout and any destination layout. It is a list of pieces: a box of
//! elements that one destination shard takes from one source shard. They are numbered from 0, by
//! destination shard, then by source shard, then by where they lie in the tensor. Every element that
//! a destination shard wants is in exactly one piece.
//!
//! A plan can be carried out here, on the shards of this process, or by a transport of the user's,
//! for which it tells runs of bytes. Making one takes about n * log(n) for n shards and the number
//! of pieces.
//!
//! Source: the read items of torch's checkpoint planner, `create_read_items_for_chunk_list`.

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::pointer::{
    Out, fill, fill_with, optional_out, optional_out_slice, out, slice,
};
use crate::ffi::border::slots::Slots;
use crate::ffi::border::views;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::shards::shardspec_shards;
use crate::ffi::tensor::{options_argument, shardspec_copy_options};
use crate::ffi::view::shardspec_tensor_view;
use crate::memory::Shared;
use crate::model::{DataType, Shards};
use crate::plan::ReshardPlan;
use crate::transfer::{HostTransfer, LocalShards, ShardArguments};

/// A plan, behind a handle. Immutable; free it with `shardspec_plan_free`.
pub struct shardspec_plan {
    _opaque: [u8; 0],
}

impl Handle for shardspec_plan {
    type Object = ReshardPlan;
    const NAME: &'static str = "shardspec_plan";
    const KIND: u64 = 4;

    fn table() -> &'static Slots<Self::Object> {
        static TABLE: Slots<ReshardPlan> = Slots::new();
        &TABLE
    }
}

fn give(place: Out<'_, *mut shardspec_plan>, plan: ReshardPlan) -> Outcome {
    place.set(handle::insert(plan)?);
    Ok(())
}

/// The plan from one layout of a tensor to another.
///
/// Ownership: the caller frees `*out`; it needs neither metadata. Errors: SHAPE_MISMATCH or
/// NDIM_MISMATCH for metadata of tensors of different sizes, DTYPE_MISMATCH where both state an
/// element type and not the same one, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. Threads: any.
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

/// As `shardspec_plan_new`, for some destination shards only: what a worker makes that loads its own.
/// `destination_indices` holds their indices, in any order.
///
/// Ownership, errors, threads: as `shardspec_plan_new`; INDEX_OUT_OF_RANGE. Since: ABI 0.
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

/// The plan from any shards to any others. Source shards may overlap, as replicas do, and need not
/// cover more than is wanted; destination shards may overlap too. Either list may be empty.
///
/// An element that several sources hold comes from one with the same owner as the destination, if
/// there is one. The others are shared out so that the numbers of elements read from owners are
/// balanced: the largest parts first, each to the owner that reads least so far, and parts larger
/// than a fair share are divided. Sources that overlap in very many ways are read in fewer and
/// larger parts. The same lists always make the same plan.
///
/// Ownership: the caller frees `*out`; it needs neither list. Errors: GAP for a destination shard
/// that wants what no source holds (the error's `first_shard` is that shard, the message names a
/// box), UNSUPPORTED for sources that overlap in too many ways to be told apart, NDIM_MISMATCH,
/// OVERFLOW for a destination shard of more elements than 64 bits count, INVALID_HANDLE,
/// NULL_ARGUMENT, OUT_OF_MEMORY. Threads: any. Since: ABI 0.
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

/// Frees a plan. NULL is fine.
///
/// Errors: INVALID_HANDLE, also when it was freed before. Threads: any, also while another thread
/// uses the handle: a call under way finishes. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_free(
    plan: *mut shardspec_plan, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || handle::free("plan", plan))
}

/// Number of pieces.
///
/// Errors: INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
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

/// Number of dimensions of the tensor.
///
/// Errors: INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
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

/// Writes pieces `first_piece` to `first_piece + piece_count - 1` into flat arrays: `sources` and
/// `destinations`, the shards' indices, have room for `piece_count` numbers; `source_offsets`,
/// `destination_offsets` and `sizes`, which tell where the piece starts in either shard and how
/// long it is, for `piece_count` rows of a number for each dimension: of source shards' buffers, of
/// destination shards' buffers, and of pieces (`shardspec_plan_ndims`). The three numbers differ only
/// where shards are no boxes; then pieces go through buffers in steps (`shardspec_plan_piece_steps`).
/// Each of the five may be NULL.
///
/// Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_pieces(
    plan: *const shardspec_plan, first_piece: usize, piece_count: usize, sources: *mut u32,
    destinations: *mut u32, source_offsets: *mut i64, destination_offsets: *mut i64,
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
        fill(sources, rows.sources);
        fill(destinations, rows.destinations);
        fill(source_offsets, rows.source_offsets);
        fill(destination_offsets, rows.destination_offsets);
        fill(sizes, rows.sizes);
        Ok(())
    })
}

/// Writes how many dimensions the source shards' buffers, the destination shards' buffers and the plan's
/// pieces have. The three numbers are equal where all shards are boxes. Otherwise a piece may have more
/// dimensions than the buffers: `shardspec_plan_piece_steps` tells the buffer's dimension of each. Each
/// place may be NULL.
///
/// Errors: INVALID_HANDLE. Threads: any. Since: ABI 0.
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

/// Writes how pieces `first_piece` to `first_piece + piece_count - 1` go through the buffers.
///
/// `source_dims` and `destination_dims` have room for one number for each dimension of the pieces: the
/// dimension of the buffer that it belongs to. These numbers are the same for all pieces. `source_steps`
/// and `destination_steps` have room for `piece_count` rows of as many numbers: the length of one step,
/// in indices of that dimension of the buffer. Element `(i[0], i[1], ...)` of a piece has, in dimension d
/// of the source's buffer, this index: the piece's source offset plus the sum of `i[k] * steps[k]` over
/// all k with `source_dims[k] == d`. Where all shards are boxes, dimension k belongs to dimension k, and
/// every step is 1. Each of the four arrays may be NULL.
///
/// Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
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

/// Which pieces a destination shard takes: those from `*first_piece` on, `*piece_count` of them.
///
/// Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
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

/// Whether every piece stays with its owner, so that nothing goes from one process to another: 1 or
/// 0. An owner is a rank or a worker; devices make no difference. Of equal layouts it is so.
///
/// Errors: INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
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

/// Whether every destination shard that the plan is for is the source shard of the same index, with
/// the same box and the same placement, so that nothing needs to be done at all: 1 or 0.
///
/// Errors: INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
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

/// Copies what destination shards take from source shards, all in this process, without any memory
/// beyond theirs. `sources[i]` is source shard `source_indices[i]`; with `source_indices` NULL it is
/// shard i, and so on for destinations. Those destination shards are written that are passed, whole;
/// all sources that they take of must be passed, others may be. `options` may be NULL.
///
/// Ownership: nothing moves. Errors: NOT_FOUND for a source that is not passed but needed, or for a
/// destination that the plan is not for, SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH and
/// UNSUPPORTED_DEVICE with the shard in the error's `first_shard` and its position in the array in
/// `index`, ALIASED where a destination shares memory with a source or with another destination,
/// UNSUPPORTED as for `shardspec_metadata_extract_shard`, INDEX_OUT_OF_RANGE, INVALID_ARGUMENT for
/// a shard that is passed twice, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY; then
/// nothing was written. Threads: any; nobody else may use the destinations meanwhile, and nobody
/// may write the sources. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_execute(
    plan: *const shardspec_plan, source_indices: *const usize,
    sources: *const shardspec_tensor_view, source_count: usize, destination_indices: *const usize,
    destinations: *const shardspec_tensor_view, destination_count: usize,
    options: *const shardspec_copy_options, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let plan = handle::get("plan", plan)?;
        let options = options_argument(options)?;
        let sources = local_shards(
            plan.source(),
            SOURCES,
            plan.dtype(),
            source_indices,
            sources,
            source_count,
        )?;
        let destinations = local_shards(
            plan.destination(),
            DESTINATIONS,
            plan.dtype().or(sources.dtype()),
            destination_indices,
            destinations,
            destination_count,
        )?;
        HostTransfer::reshard(&plan, &sources, &destinations, &options)?.run();
        Ok(())
    })
}

const SOURCES: ShardArguments =
    ShardArguments { shard: "source", views: "sources", indices: "source_indices" };
const DESTINATIONS: ShardArguments =
    ShardArguments { shard: "destination", views: "destinations", indices: "destination_indices" };

/// Shards that are here, with their indices; NULL: the first of the layout.
unsafe fn local_shards(
    layout: &Shared<Shards>, arguments: ShardArguments, dtype: Option<DataType>,
    indices: *const usize, shards: *const shardspec_tensor_view, count: usize,
) -> Outcome<LocalShards> {
    let shards = slice(arguments.views, shards, count)?;
    if indices.is_null() {
        return views::local_shards(layout, arguments, dtype, 0..count, shards);
    }
    let indices = slice(arguments.indices, indices, count)?;
    views::local_shards(layout, arguments, dtype, indices.iter().copied(), shards)
}
