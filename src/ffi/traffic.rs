//! Traffic of a plan: amounts for cost reports, and runs of bytes for custom transports.
//!
//! These functions assume that the buffer of every shard is row-major and contiguous. A run is a
//! list of blocks of bytes. The blocks have equal lengths, and are at equal distances. The runs
//! from a source to a destination describe all bytes that move between the two. Block k of a run at
//! the source moves to block k of the run at the destination. A sender packs all blocks of the
//! first run, then all blocks of the second run, and so on. The receiver unpacks the blocks of the
//! same runs in the same order. Runs suit `preadv`, MPI's `MPI_Type_create_hvector` and RDMA. For
//! sources in files, a program can use reads (`shardspec_read`) instead of runs. A run has only
//! needed bytes. A read may also have gaps: if needed bytes are near each other, one read gets
//! these bytes and the gaps between them.
//!
//! Ranks in the functions of this section are ranks of placements. Rank -1 stands for all
//! placements without a rank.

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{
    answer, answer_by, check_room, fill, optional_out, optional_out_slice, out, slice,
};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::plan::shardspec_plan;
use crate::memory::{TryVec, text};
use crate::model::Error;
use crate::plan::Run;
use crate::plan::{Relabelling, ReshardPlan};

/// A run: `block_count` blocks of `block_length` bytes that move from one buffer to another. Source
/// blocks start at `source_offset`, `source_offset + source_stride` and so on. Destination blocks
/// start at `destination_offset`, `destination_offset + destination_stride` and so on. All offsets,
/// strides and lengths are in bytes. If a run has one block, both strides are 0.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_run {
    /// The source shard's index.
    pub source: usize,
    /// The destination shard's index.
    pub destination: usize,
    /// Offset of the first block in the source shard's buffer.
    pub source_offset: i64,
    /// Distance in the source shard's buffer from the start of one block to the start of the next
    /// block.
    pub source_stride: i64,
    /// Offset of the first block in the destination shard's buffer.
    pub destination_offset: i64,
    /// Distance in the destination shard's buffer from the start of one block to the start of the
    /// next block.
    pub destination_stride: i64,
    /// Number of bytes of a block, at least 1.
    pub block_length: i64,
    /// Number of blocks, at least 1.
    pub block_count: i64,
}

const _: () = assert!(size_of::<shardspec_run>() == 64);

impl From<&Run> for shardspec_run {
    fn from(run: &Run) -> Self {
        Self {
            source: run.source,
            destination: run.destination,
            source_offset: run.source_offset,
            source_stride: run.source_stride,
            destination_offset: run.destination_offset,
            destination_stride: run.destination_stride,
            block_length: run.length,
            block_count: run.count,
        }
    }
}

/// The bits of an element: those of so many bytes, or where that is 0 what the plan's layouts
/// state.
pub(super) fn bits_argument(plan: &ReshardPlan, itemsize: i64) -> Outcome<i64> {
    // At most 255 bits and 65535 lanes.
    let stated = plan.dtype().map(|dtype| (dtype, dtype.element_bits() as i64));
    if itemsize < 0 {
        return Err(Error::TooSmall { argument: "itemsize", value: itemsize, least: 0 }.into());
    }
    match stated {
        Some((_, bits)) if itemsize == 0 || itemsize.checked_mul(8) == Some(bits) => Ok(bits),
        Some((dtype, bits)) => {
            let problem = text!(
                "it is {itemsize}, but an element of the plan's type, {dtype}, has {bits} bits; \
                 pass 0 or its number of bytes"
            );
            Err(Error::invalid("itemsize", problem).into())
        }
        None if itemsize == 0 => {
            let problem = "it is 0, but the plan's layouts state no element type; pass the number of \
                           bytes of an element";
            Err(Error::invalid("itemsize", problem).into())
        }
        None => Ok(itemsize.checked_mul(8).ok_or_else(too_many_bytes)?),
    }
}

/// Bytes of so many elements, the last of which may be a part of one.
fn bytes_of(elements: i64, bits: i64) -> Outcome<i64> {
    let bits = i128::from(elements).saturating_mul(bits.into());
    let bytes = bits.saturating_add(7).checked_div(8).and_then(|bytes| i64::try_from(bytes).ok());
    Ok(bytes.ok_or_else(too_many_bytes)?)
}

fn too_many_bytes() -> Error {
    Error::overflow("the number of bytes that the plan moves")
}

/// The rank of an argument or an answer: -1 is none.
pub(super) fn rank_argument(argument: &'static str, rank: i64) -> Outcome<Option<i64>> {
    match rank {
        -1 => Ok(None),
        rank if rank < 0 => Err(Error::TooSmall { argument, value: rank, least: -1 }.into()),
        rank => Ok(Some(rank)),
    }
}

/// Writes how many bytes move between each pair of a source shard and a destination shard. The
/// function leaves out pairs without traffic. Pairs with traffic are ordered by destination, then
/// by source.
///
/// `sources`, `destinations` and `byte_counts` have `capacity` elements each, one for each pair.
/// Each of the three arrays may be NULL. `*needed` becomes the number of pairs. `needed` may be
/// NULL. With `capacity` 0, the function writes only `*needed`. `itemsize` is the number of bytes
/// of an element. With `itemsize` 0, the element type of the plan's layouts determines the size. If
/// elements are packed, the function rounds the number of bits of each pair up to whole bytes.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `itemsize` is negative, is positive and differs from the size of the
/// stated element type, or is 0 and no element type is stated; BUFFER_TOO_SMALL, OVERFLOW,
/// INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_shard_traffic(
    plan: *const shardspec_plan, itemsize: i64, sources: *mut usize, destinations: *mut usize,
    byte_counts: *mut i64, capacity: usize, needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let plan = handle::get("plan", plan)?;
        let bits = bits_argument(&plan, itemsize)?;
        let mut pairs = Columns::default();
        for pair in plan.shard_traffic() {
            let (source, destination, elements, _) = pair?;
            let bytes = bytes_of(elements, bits)?;
            pairs.try_push(source, destination, bytes)?;
        }
        let names = ["sources", "destinations"];
        pairs.answer(names, sources, destinations, byte_counts, capacity, needed)
    })
}

/// Writes how many bytes move between each pair of a source rank and a destination rank. The result
/// includes bytes that stay on one rank. The function leaves out pairs without traffic. Pairs with
/// traffic are ordered by source, then by destination.
///
/// `source_ranks`, `destination_ranks` and `byte_counts` have `capacity` elements each, one for
/// each pair. Each of the three arrays may be NULL. `*needed` becomes the number of pairs. `needed`
/// may be NULL. With `capacity` 0, the function writes only `*needed`. `itemsize` is the number of
/// bytes of an element. With `itemsize` 0, the element type of the plan's layouts determines the
/// size. If elements are packed, the function rounds the number of bits of each pair up to whole
/// bytes.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `itemsize` is negative, is positive and differs from the size of the
/// stated element type, or is 0 and no element type is stated; BUFFER_TOO_SMALL, OVERFLOW,
/// INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_rank_traffic(
    plan: *const shardspec_plan, itemsize: i64, source_ranks: *mut i64,
    destination_ranks: *mut i64, byte_counts: *mut i64, capacity: usize, needed: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let plan = handle::get("plan", plan)?;
        let bits = bits_argument(&plan, itemsize)?;
        let mut pairs = Columns::default();
        for route in plan.routes()?.all() {
            let rank = |rank: Option<i64>| rank.unwrap_or(-1);
            let bytes = bytes_of(route.elements, bits)?;
            pairs.try_push(rank(route.source), rank(route.destination), bytes)?;
        }
        let names = ["source_ranks", "destination_ranks"];
        pairs.answer(names, source_ranks, destination_ranks, byte_counts, capacity, needed)
    })
}

/// Three answers of the same length.
struct Columns<T> {
    sources: Vec<T>,
    destinations: Vec<T>,
    bytes: Vec<i64>,
}

impl<T> Default for Columns<T> {
    fn default() -> Self {
        Self { sources: Vec::new(), destinations: Vec::new(), bytes: Vec::new() }
    }
}

impl<T: Copy> Columns<T> {
    fn try_push(&mut self, source: T, destination: T, bytes: i64) -> Outcome {
        self.sources.try_push(source)?;
        self.destinations.try_push(destination)?;
        Ok(self.bytes.try_push(bytes)?)
    }

    unsafe fn answer(
        &self, names: [&'static str; 2], sources: *mut T, destinations: *mut T,
        byte_counts: *mut i64, capacity: usize, needed: *mut usize,
    ) -> Outcome {
        let needed = optional_out("needed", needed)?;
        let sources = optional_out_slice(names[0], sources, capacity)?;
        let destinations = optional_out_slice(names[1], destinations, capacity)?;
        let byte_counts = optional_out_slice("byte_counts", byte_counts, capacity)?;
        if capacity > 0 {
            check_room(&sources, names[0], self.bytes.len())?;
            check_room(&destinations, names[1], self.bytes.len())?;
            check_room(&byte_counts, "byte_counts", self.bytes.len())?;
            fill(sources, &self.sources);
            fill(destinations, &self.destinations);
            fill(byte_counts, &self.bytes);
        }
        if let Some(needed) = needed {
            needed.set(self.bytes.len());
        }
        Ok(())
    }
}

/// Writes to `runs` all runs that move bytes from source shard `source` to destination shard
/// `destination`.
///
/// `runs` has room for `capacity` runs. `*needed` becomes the number of runs. `needed` may be NULL.
/// With capacity 0, only `*needed` is written, and `runs` may be NULL. `itemsize` is the number of
/// bytes of an element. With `itemsize` 0, the element type of the plan's layouts determines the
/// size.
///
/// Time: with `capacity` 0, proportional to the number of pieces between the two shards. With
/// `capacity` 0, the function allocates no memory for runs.
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE if a shard does not exist; UNSUPPORTED if elements are packed and a
/// run would start or end inside of a byte; INVALID_ARGUMENT if `itemsize` is negative, is positive
/// and differs from the size of the stated element type, or is 0 and no element type is stated;
/// BUFFER_TOO_SMALL, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_shard_runs(
    plan: *const shardspec_plan, source: usize, destination: usize, itemsize: i64,
    runs: *mut shardspec_run, capacity: usize, needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let plan = handle::get("plan", plan)?;
        plan.source().at("source", source)?;
        plan.destination().at("destination", destination)?;
        let pieces = plan.pieces_between(source, destination);
        answer_runs(&plan, pieces, bits_argument(&plan, itemsize)?, runs, capacity, needed)
    })
}

/// Writes to `runs` all runs that move bytes from `source_rank` to `destination_rank`. The two
/// ranks may be equal. Runs are in the order of the plan's pieces. If the ranks exchange no bytes,
/// `*needed` becomes 0.
///
/// `runs` has room for `capacity` runs. `*needed` becomes the number of runs. `needed` may be NULL.
/// With capacity 0, only `*needed` is written, and `runs` may be NULL. `itemsize` is the number of
/// bytes of an element. With `itemsize` 0, the element type of the plan's layouts determines the
/// size.
///
/// Time: with `capacity` 0, proportional to the number of pieces between the two ranks. With
/// `capacity` 0, the function allocates no memory for runs. The first call for a plan also sorts
/// all pieces of the plan by their ranks. The plan keeps the sorted list for later calls.
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if a rank is below -1; UNSUPPORTED if elements are packed and a run
/// would start or end inside of a byte; INVALID_ARGUMENT if `itemsize` is negative, is positive and
/// differs from the size of the stated element type, or is 0 and no element type is stated;
/// BUFFER_TOO_SMALL, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_rank_runs(
    plan: *const shardspec_plan, source_rank: i64, destination_rank: i64, itemsize: i64,
    runs: *mut shardspec_run, capacity: usize, needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let plan = handle::get("plan", plan)?;
        let source = rank_argument("source_rank", source_rank)?;
        let destination = rank_argument("destination_rank", destination_rank)?;
        let routes = plan.routes()?;
        let route = routes.between(source, destination);
        let pieces = route.map_or(&[][..], |route| routes.pieces(route));
        let pieces = pieces.iter().map(|&piece| piece as usize);
        answer_runs(&plan, pieces, bits_argument(&plan, itemsize)?, runs, capacity, needed)
    })
}

/// Answers with the runs of some pieces. They are counted first, so that memory is used only for
/// what the caller has room for.
unsafe fn answer_runs(
    plan: &ReshardPlan, pieces: impl Iterator<Item = usize> + Clone, bits: i64,
    runs: *mut shardspec_run, capacity: usize, needed: *mut usize,
) -> Outcome {
    let count = plan.count_runs_of_bits(pieces.clone(), bits)?;
    let found = if capacity < count { Vec::new() } else { plan.runs_of_bits(pieces, bits)? };
    answer_by("runs", runs, capacity, needed, count, |place| {
        place.fill_with(found.iter().map(shardspec_run::from));
    })
}

/// Suggests a permutation of the destination's placements. With this permutation, as few elements
/// as possible change owners. If several permutations are equally good, the result changes the
/// fewest placements.
///
/// `placement_indices` receives one number for each of the destination's different placements, in
/// the order of `shardspec_metadata_placement_text`. Number i is the index of the suggested new
/// placement for all shards with placement i. `shardspec_metadata_relabel` accepts this array. The
/// array has room for `capacity` numbers. `*needed` becomes the number of placements. `needed` may
/// be NULL. With capacity 0, `placement_indices` may be NULL. `*moved_before` becomes the number of
/// elements that change owners without the suggestion. `*moved_after` becomes the number of
/// elements that change owners with the suggestion. `moved_before` and `moved_after` may be NULL.
///
/// Time: at worst p * (e + p) * log(p) for p placements. The number e counts the pairs of a
/// destination placement and a source owner that have elements in common.
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: BUFFER_TOO_SMALL, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Source: Jonker and Volgenant, "A Shortest Augmenting Path Algorithm for Dense and Sparse Linear
/// Assignment Problems", 1987.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_suggest_placements(
    plan: *const shardspec_plan, placement_indices: *mut u32, capacity: usize, needed: *mut usize,
    moved_before: *mut i64, moved_after: *mut i64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let before = optional_out("moved_before", moved_before)?;
        let after = optional_out("moved_after", moved_after)?;
        let relabelling = Relabelling::of(&*handle::get("plan", plan)?)?;
        let placements = &relabelling.placements;
        answer("placement_indices", placement_indices, capacity, needed, placements)?;
        before.into_iter().for_each(|place| place.set(relabelling.moved_before));
        after.into_iter().for_each(|place| place.set(relabelling.moved_after));
        Ok(())
    })
}

/// Creates a copy of `metadata` with other placements. In the copy, shards with placement i get
/// placement `placement_indices[i]` of `metadata`. Placements are numbered from 0, in the order of
/// their first appearance in the list of shards. `placement_count` is the number of placements.
///
/// Ownership: the caller frees `*out`. The caller may free `metadata` before `*out`.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `placement_count` is wrong; INDEX_OUT_OF_RANGE, INVALID_HANDLE,
/// NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_relabel(
    metadata: *const shardspec_metadata, placement_indices: *const u32, placement_count: usize,
    out: *mut *mut shardspec_metadata, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        let placements = slice("placement_indices", placement_indices, placement_count)?;
        place.set(handle::insert(metadata.relabel(placements)?)?);
        Ok(())
    })
}
