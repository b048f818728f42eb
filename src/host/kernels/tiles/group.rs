//! Groups: which lanes are copied together, and how they are cut into tiles.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tiles are cut to fit their memory, and rows and bytes of a plan fit an address space"
)]

use crate::host::copy_list::FullSide;
use crate::host::cpu::LINE;
use crate::host::kernels::blocks::is_element;
use crate::host::kernels::join::joinable;
use crate::host::kernels::lanes::{Lane, packed, whole_lines};
use crate::host::kernels::transpose::transposable;
use crate::host::stream::StoreMode;
use crate::host::tuning::{
    GATHERED_ELEMENTS_PER_SHARD, GATHERED_PER_SHARD, GATHERED_WITH_GAPS, MAX_ELEMENT_LINES,
    MAX_GATHERED_ROW, MAX_JOINED_LANES, MAX_JOINED_ROW, MAX_SCATTERED_ELEMENT_ROW,
    MAX_SCATTERED_ROW, MAX_TILE_ROWS, MIN_DIRECT_LINES, MIN_DIRECT_RUN, MIN_PAGED_STEP,
    MIN_SCATTERED_PER_SHARD, SCATTER_TILE, SCRATCH, SCRATCH_CHUNK,
};

/// What the unsafe code of tiles rests on, whatever the numbers are tuned to.
const _: () = {
    assert!(
        MAX_TILE_ROWS.is_multiple_of(LINE),
        "a lane's part of the scratch memory is whole lines"
    );
    assert!(MAX_SCATTERED_ELEMENT_ROW <= SCATTER_TILE, "so a tile of elements has a row");
    assert!(MAX_TILE_ROWS * size_of::<u64>() + 2 * LINE <= SCRATCH, "a lane of elements fits");
    assert!(SCRATCH_CHUNK + 2 * LINE <= SCRATCH, "a chunk of runs fits");
    assert!(MIN_DIRECT_RUN + 2 * LINE <= SCRATCH, "a single run fits");
    assert!(MAX_GATHERED_ROW + 2 * LINE <= SCRATCH, "a gathered row fits");
    assert!(MAX_ELEMENT_LINES * LINE + 2 * LINE <= SCRATCH, "a gathered row of elements fits");
};

/// Whether lanes are copied by tiles, if they are copied with non-temporal stores.
pub(in crate::host::kernels) fn pay(lanes: &[Lane], side: FullSide) -> bool {
    let longest = lanes.iter().map(|lane| lane.run).max().unwrap_or(0);
    // A single run of each row needs no combining.
    let single = lanes.len() == 1 && side == FullSide::Destination && longest >= LINE;
    let are_lines = whole_lines(lanes) && lanes.iter().all(|lane| lane.run >= MIN_DIRECT_LINES);
    longest < MIN_DIRECT_RUN && !single && packed(lanes, side) && !are_lines
}

/// Where a group of lanes ends that are copied together.
pub(super) fn end(lanes: &[Lane], side: FullSide) -> usize {
    let Lane { run, destination, destination_step, .. } = lanes[0];
    let same = lanes.iter().take_while(|lane| lane.run == run).count();
    let element = is_element(run);
    let aligned = (destination.addr() | destination_step as usize).is_multiple_of(LINE);
    let max = match side {
        FullSide::Destination if aligned && element && same * run >= LINE => {
            return (same * run / LINE).min(MAX_ELEMENT_LINES) * (LINE / run);
        }
        FullSide::Destination if aligned && joinable(run) && same * run >= LINE => {
            let max = (MAX_JOINED_ROW / run).clamp(1, MAX_JOINED_LANES);
            let in_a_line = (LINE / run).max(1);
            return same.min(max) / in_a_line * in_a_line;
        }
        FullSide::Destination => MAX_GATHERED_ROW,
        FullSide::Source if element => MAX_SCATTERED_ELEMENT_ROW,
        FullSide::Source => MAX_SCATTERED_ROW,
    };
    let (mut end, mut bytes) = (0, 0);
    while end < lanes.len() && (end == 0 || bytes + lanes[end].run <= max) {
        bytes += lanes[end].run;
        end += 1;
    }
    end
}

/// How some lanes that are copied together are cut into tiles.
#[derive(Debug, Clone, Copy)]
pub(super) struct LaneGroup {
    pub(super) side: FullSide,
    /// Non-temporal stores.
    pub(super) store: StoreMode,
    /// The run that all lanes have, if they have one.
    pub(super) run: Option<usize>,
    /// Whether these are elements to transpose.
    pub(super) elements: bool,
    /// Bytes of a row.
    pub(super) bytes: usize,
    /// Rows of a tile.
    pub(super) height: usize,
    /// Whether rows follow each other in the full tensor without a gap.
    pub(super) gapless: bool,
}

impl LaneGroup {
    /// One of no lanes.
    pub(super) fn none(store: StoreMode) -> Self {
        let side = FullSide::Source;
        Self { side, store, run: None, elements: false, bytes: 0, height: 0, gapless: false }
    }

    pub(super) fn new(lanes: &[Lane], side: FullSide, store: StoreMode) -> Self {
        let bytes: usize = lanes.iter().map(|lane| lane.run).sum();
        let longest = lanes.iter().map(|lane| lane.run).max().unwrap_or(1);
        let run = lanes.iter().all(|lane| lane.run == longest).then_some(longest);
        let elements = run.is_some_and(|run| transposable(run, lanes.len(), MAX_TILE_ROWS));
        let step = match side {
            FullSide::Source => lanes[0].source_step,
            FullSide::Destination => lanes[0].destination_step,
        };
        let height = match side {
            FullSide::Source if elements && step.unsigned_abs() < MIN_PAGED_STEP => {
                SCATTER_TILE / bytes
            }
            FullSide::Source => (SCATTER_TILE / bytes).max(MIN_SCATTERED_PER_SHARD / longest),
            FullSide::Destination if elements => GATHERED_ELEMENTS_PER_SHARD / longest,
            FullSide::Destination if step == bytes as isize || longest >= LINE => {
                GATHERED_PER_SHARD / longest
            }
            FullSide::Destination => GATHERED_WITH_GAPS * GATHERED_PER_SHARD / longest,
        };
        // As many rows as make whole lines for each shard, if that is possible for all.
        let lines = lanes.iter().map(|lane| LINE >> lane.run.trailing_zeros().min(6)).max();
        let height = height.next_multiple_of(lines.unwrap_or(1)).clamp(1, MAX_TILE_ROWS);
        Self { side, store, run, elements, bytes, height, gapless: step == bytes as isize }
    }

    /// The run that all lanes have, if outputs that are whole lines need no scratch memory.
    pub(super) fn run_of_lines(&self) -> Option<usize> {
        self.run.filter(|&run| self.elements || joinable(run))
    }

    /// Gather: rows that are copied at a time. Of elements, as many as one line of each source; of
    /// runs that need no scratch memory, all.
    pub(super) fn rows_of_a_chunk(&self) -> usize {
        let max = (SCRATCH - 2 * LINE) / self.bytes;
        match self.run {
            Some(item) if self.elements => (LINE / item).min(max),
            Some(run) if joinable(run) && self.bytes <= SCRATCH_CHUNK => max,
            _ => (SCRATCH_CHUNK / self.bytes).min(max),
        }
        .max(1)
    }

    /// Scatter: lanes that are copied at a time.
    pub(super) fn lanes_of_a_chunk(&self) -> usize {
        match self.run {
            Some(item) if self.elements => {
                (SCRATCH / self.room_of_lane(item)).clamp(1, LINE / item)
            }
            Some(run) => (SCRATCH_CHUNK / (self.height * run)).max(1),
            None => 1,
        }
    }

    /// Bytes of scratch memory for a lane of elements.
    pub(super) fn room_of_lane(&self, item: usize) -> usize {
        self.height * item + 2 * LINE
    }
}
