//! Sweeps: one pass through a full tensor, from its first row to its last, for all shards at once.
//!
//! Each line of the full tensor is read or written once, in order, and so is each line of a shard:
//! bytes that do not fill a line stay in a line buffer until the shard's next row comes. Partial
//! lines are written only where the parts of two threads meet.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "rows and bytes of a plan fit an address space, and indices are those of its own arrays"
)]

mod append;
mod band;
mod path;
mod strips;

use std::mem::MaybeUninit;
use std::ops::Range;

use append::{Output, append_lanes, append_rows};
use band::{Band, BandedPlan};
use path::{SweepPath, SweepTile};
use strips::SweepStrips;

use super::join::joinable;
use crate::geometry::{offsets_of_turn, turns};
use crate::host::copy_list::{CopyList, FullSide};
use crate::host::cpu::{LINE, Level};
use crate::host::options::CopyOptions;
use crate::host::prefetch::Prefetcher;
use crate::host::stream::{Ahead, StoreMode, stream};
use crate::host::tuning::{
    LEFT_OUT_PART_OF_ROW, MAX_LANES, MIN_DIRECT_RUN, MIN_LONG_RUN, MIN_SWEPT_RUN_IN_MEMORY,
    MIN_SWEPT_RUN_IN_REGISTERS, MIN_SWEPT_TURN, SWEEP_GATHER_DISTANCE, SWEEP_GATHER_TILE,
    SWEEP_SCATTER_DISTANCE, SWEEP_SCATTER_TILE, SWEPT_PART_OF_BYTES,
};

/// Whether a sweep through the rows of the full tensor, of `row` bytes, is the faster way to carry
/// out a plan: where, in a good part of its bytes, pieces that are neighbours leave out much of
/// each row, or where lines must be combined for each run.
pub(crate) fn pays(plan: &CopyList, row: usize, options: &CopyOptions) -> bool {
    let in_registers = Level::new(options).has_masks();
    let (mut first, mut bytes) = (0, 0);
    while first < plan.len() {
        let end = plan.end_of_neighbours(first);
        let runs = || (first..end).map(|at| plan.piece(at).0.run);
        let (piece, loops) = plan.piece(first);
        let (run, width) = (piece.run, runs().sum::<usize>());
        let same = joinable(run) && runs().all(|other| other == run);
        let short = (LINE..MIN_DIRECT_RUN).contains(&(width / (end - first)));
        let left_out = (row - width % row) % row;
        let uneven = in_registers && end - first > 1 && !same && short;
        if run < MIN_LONG_RUN && (LEFT_OUT_PART_OF_ROW * left_out > row || left_out == 0 && uneven)
        {
            bytes += width * turns(loops);
        }
        first = end;
    }
    SWEPT_PART_OF_BYTES * bytes >= plan.bytes().max(1)
}

/// Copies between a full tensor and its shards, cut into bands.
pub(crate) struct Sweep {
    bands: BandedPlan,
    /// The shard that each piece is of, and how many there are.
    shards: Vec<usize>,
    shard_count: usize,
    /// The addresses at which the full tensor's rows begin.
    places: Range<usize>,
    /// Bytes of a run, on average.
    run: usize,
}

impl Sweep {
    /// The copies of `plan`, where piece `i` is of shard `shards[i]`, one of `shard_count`, and the
    /// bands' pieces end at `ends`. Returns none where a row could not be found by its address, or
    /// where the runs or the turns are too short.
    pub(crate) fn new(
        plan: CopyList, ends: &[usize], shards: Vec<usize>, shard_count: usize,
        options: &CopyOptions,
    ) -> Option<Self> {
        let (mut bands, mut first) = (Vec::new(), 0);
        bands.try_reserve(plan.len()).ok()?;
        for &end in ends {
            while first < end {
                let band = Band::new(&plan, first..plan.end_of_neighbours(first).min(end))?;
                first = band.pieces.end;
                bands.push(band);
            }
        }
        let shortest = if Level::new(options).has_masks() {
            MIN_SWEPT_RUN_IN_REGISTERS
        } else {
            MIN_SWEPT_RUN_IN_MEMORY
        };
        let runs: usize = bands.iter().map(|band| band.rows * band.pieces.len()).sum();
        let turns: usize = bands.iter().map(|band| band.rows / band.in_a_turn).sum();
        if plan.bytes() < (shortest * runs).max(MIN_SWEPT_TURN * turns) {
            return None;
        }
        let begin = bands.iter().map(|band| band.place).min()?;
        let places = begin..bands.iter().map(|band| band.last_place).max()? + 1;
        let run = plan.bytes() / runs.max(1);
        Some(Self { bands: BandedPlan { plan, bands }, shards, shard_count, places, run })
    }

    /// Bytes to copy.
    pub(in crate::host) fn bytes(&self) -> usize {
        self.bands.plan.bytes()
    }

    /// The length of what is divided among threads: that of the tensor.
    pub(in crate::host) fn span(&self) -> usize {
        self.places.len()
    }

    /// Bytes of a run, on average.
    pub(in crate::host) fn run_bytes(&self) -> usize {
        self.run
    }

    pub(in crate::host) fn side(&self) -> FullSide {
        self.bands.plan.side()
    }

    /// Copies the rows that begin in `range` of the span.
    ///
    /// # Safety
    ///
    /// As `host::run`, for those rows.
    pub(in crate::host) unsafe fn run(
        &self, range: Range<usize>, store: StoreMode, walk: &mut SweepWalk,
    ) {
        let StoreMode { level, prefetch, .. } = store;
        let places = self.places.start + range.start..self.places.start + range.end;
        // SAFETY: the contract of `Sweep::run` covers all rows that begin in `places`. The `path`
        // goes to each of them once, and what is left in `outputs` belongs to these rows.
        unsafe {
            if walk.begin(self, &places).is_none() {
                return self.run_without_memory(&places, level);
            }
            let SweepWalk { path, prefetched, outputs } = walk;
            let distance = match self.bands.plan.side() {
                FullSide::Source => SWEEP_SCATTER_DISTANCE,
                FullSide::Destination => SWEEP_GATHER_DISTANCE,
            };
            let mut lanes = [[MaybeUninit::uninit(); MAX_LANES]; 2];
            let [here, there] = &mut lanes;
            let strips = SweepStrips::new(&self.bands, prefetched, there);
            let mut prefetcher = Prefetcher::with_distance(strips, distance, prefetch.into);
            let mut tile = SweepTile::new(here);
            while path.next(&self.bands, &mut tile, MAX_LANES) {
                let (lanes, rows) = (tile.lanes(), tile.rows());
                prefetcher.begin_tile(tile.bytes());
                match self.bands.plan.side() {
                    FullSide::Source => {
                        let shards = &self.shards[tile.pieces()];
                        append_lanes(level, outputs, shards, lanes, rows, &mut prefetcher);
                    }
                    FullSide::Destination => {
                        append_rows(level, &mut outputs[0], lanes, rows, &mut prefetcher);
                    }
                }
            }
            for output in outputs {
                output.finish();
            }
        }
    }

    /// Like [`Self::run`], band by band, where there is no memory for paths and outputs.
    ///
    /// # Safety
    ///
    /// As [`Self::run`].
    unsafe fn run_without_memory(&self, places: &Range<usize>, level: Level) {
        for band in &self.bands.bands {
            let first = band.first_row_from(&self.bands.plan, places.start);
            for row in first..band.first_row_from(&self.bands.plan, places.end) {
                for piece in band.pieces.clone() {
                    let (piece, loops) = self.bands.plan.piece(piece);
                    let (source, destination) = offsets_of_turn(loops, row);
                    let from = piece.source.wrapping_offset(source);
                    let to = piece.destination.wrapping_offset(destination);
                    // SAFETY: `from` and `to` are one run of a row that begins in `places`, which
                    // the contract of `run_without_memory` covers.
                    unsafe { stream(level, from, to, piece.run, Ahead::NONE) };
                }
            }
        }
    }
}

/// The state of a thread that walks a part of the rows.
#[derive(Default)]
pub(in crate::host) struct SweepWalk {
    path: SweepPath,
    /// The path of the prefetcher.
    prefetched: SweepPath,
    /// One for each shard, or one for the full tensor.
    outputs: Vec<Output>,
}

impl SweepWalk {
    /// Starts at the first row of a part. Returns none where there is no memory for it.
    fn begin(&mut self, sweep: &Sweep, places: &Range<usize>) -> Option<()> {
        let (outputs, tile, prefetched_tile) = match sweep.bands.plan.side() {
            FullSide::Source => (sweep.shard_count, SWEEP_SCATTER_TILE, usize::MAX),
            FullSide::Destination => (1, SWEEP_GATHER_TILE, SWEEP_GATHER_TILE),
        };
        self.outputs.clear();
        self.outputs.try_reserve(outputs).ok()?;
        self.outputs.resize_with(outputs, Output::new);
        self.path.begin(&sweep.bands, places, tile)?;
        self.prefetched.begin(&sweep.bands, places, prefetched_tile)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::host::cpu::Machine;
    use crate::host::tuning::{FAR_PREFETCH, PREFETCH};
    use crate::model::DataType;
    use crate::transfer::HostView;

    /// Columns of so many bytes each, of `planes` planes of `rows` rows; every second plane is cut
    /// at other places than the first one.
    struct Case {
        full: Vec<u8>,
        shards: Vec<Vec<u8>>,
        plan: CopyList,
        outputs: Vec<usize>,
    }

    /// Of the longest tensor. Made once, because making them takes longer than what is tested.
    static BYTES: LazyLock<Vec<u8>> =
        LazyLock::new(|| (0..5 * 40 * 4 * 6000).map(|at| (at * 7 + at / 251) as u8).collect());

    fn case(planes: usize, rows: usize, widths: &[usize], side: FullSide) -> Case {
        let row: usize = widths.iter().sum();
        let mut full: Vec<u8> = BYTES[..planes * rows * row].to_vec();
        let mut shards: Vec<Vec<u8>> = Vec::new();
        let (mut plan, mut outputs) = (CopyList::new(side), Vec::new());
        let view = |first: *mut u8, sizes: [usize; 3], row: usize, plane: usize| {
            let sizes = sizes.map(|size| size as i64);
            let strides = [plane as i64, row as i64, 1];
            let byte = DataType { code: 1, bits: 8, lanes: 1 };
            HostView::new("view", first, byte, &sizes, Some(&strides)).unwrap()
        };
        for odd in 0..2.min(planes) {
            let count = (planes - odd).div_ceil(2);
            let mut widths = widths.to_vec();
            if odd == 1 {
                widths.reverse();
            }
            let mut column = 0;
            for width in widths {
                let mut shard = vec![0u8; count * rows * width];
                let whole = full.as_mut_ptr().wrapping_add(odd * rows * row + column);
                let part = view(whole, [count, rows, width], row, 2 * rows * row);
                let own = view(shard.as_mut_ptr(), [count, rows, width], width, rows * width);
                match side {
                    FullSide::Source => plan.push(&part, &own).unwrap(),
                    FullSide::Destination => {
                        // SAFETY: bytes of the tensor go to the shard, to be brought back.
                        unsafe { copy_plainly(&part, &own) };
                        plan.push(&own, &part).unwrap();
                    }
                }
                outputs.push(shards.len());
                shards.push(shard);
                column += width;
            }
        }
        Case { full, shards, plan, outputs }
    }

    /// # Safety
    ///
    /// Nothing else uses the memory of the views.
    unsafe fn copy_plainly(from: &HostView, to: &HostView) {
        let at = |view: &HostView, index: [i64; 3]| {
            let steps: i64 = index.iter().zip(view.strides()).map(|(at, step)| at * step).sum();
            view.first().wrapping_offset(steps as isize)
        };
        let [planes, rows, width] = from.shape().try_into().unwrap();
        for plane in 0..planes {
            for row in 0..rows {
                let row = [plane, row, 0];
                // SAFETY: a row of `from` and of `to`, whose bytes follow each other.
                unsafe { at(to, row).copy_from_nonoverlapping(at(from, row), width as usize) };
            }
        }
    }

    proptest! {
        #[test]
        fn parts_copy_all_rows_with_and_without_memory(
            planes in 1usize..6, rows in 1usize..40,
            widths in prop::collection::vec(prop_oneof![64usize..300, 1usize..6000], 1..5),
            parts in 1usize..9, to_shards in any::<bool>(), with_memory in any::<bool>(),
        ) {
            let side = if to_shards { FullSide::Source } else { FullSide::Destination };
            let Case { full, shards, plan, outputs } = case(planes, rows, &widths, side);
            let (tensor, count) = (full.clone(), shards.len());
            let expected: Vec<Vec<u8>> = shards.iter().map(Vec::clone).collect();
            let (ends, options) = ([widths.len(), count], CopyOptions::default());
            let Some(sweep) = Sweep::new(plan, &ends, outputs, count, &options) else {
                return Ok(());
            };
            if !to_shards {
                // SAFETY: nothing else uses it; only what the shards hold can bring it back.
                unsafe { full.as_ptr().cast_mut().write_bytes(0, full.len()) };
            }
            let ways = Machine::get().levels().into_iter();
            let ways = ways.flat_map(|level| [PREFETCH, FAR_PREFETCH].map(|to| (level, to)));
            for (level, prefetch) in ways {
                let mut walk = SweepWalk::default();
                let part = sweep.span().div_ceil(parts);
                for start in (0..sweep.span()).step_by(part) {
                    let end = sweep.span().min(start + part);
                    let places = sweep.places.start + start..sweep.places.start + end;
                    // SAFETY: the memory is the test's.
                    unsafe {
                        if with_memory {
                            let store = StoreMode { level, streaming: true, prefetch };
                            sweep.run(start..end, store, &mut walk);
                        } else {
                            sweep.run_without_memory(&places, level);
                        }
                    }
                }
            }
            if to_shards {
                let back = case(planes, rows, &widths, FullSide::Destination);
                prop_assert!(shards == back.shards, "shards differ");
                prop_assert!(full == tensor);
            } else {
                prop_assert!(full == tensor, "the tensor differs");
                prop_assert!(shards == expected);
            }
        }
    }
}
