//! Short runs: many of them at a time.
//!
//! Pieces that lie side by side in the full tensor are copied together, so that its lines are read
//! or written once and not once for each shard. Stores that go around the caches need whole lines,
//! so short runs are put together in a scratch buffer that stays in the first-level cache.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "rows and bytes of a plan fit an address space, and scratch is as large as a block"
)]

use std::ops::Range;

use super::lines::{Store, copy_short};
use super::task::offsets_of_turn;
use super::tiles::{self, Scratch};
use crate::copy::plan::{Loop, Plan, Side};

/// Runs from this length on go to their place directly: the lines at their ends do not matter.
const DIRECT: usize = 1 << 10;
/// Bytes that are put together for one buffer before the next one's turn.
const BLOCK: usize = 512;
/// Rows that are copied before the next shards' turn, at most: more would no longer be in the
/// first-level cache when rows are a multiple of 4 KiB apart.
const MOST_ROWS: usize = 64;

/// One shard's runs in the rows of one innermost loop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lane {
    pub(super) source: *const u8,
    pub(super) destination: *mut u8,
    pub(super) source_step: isize,
    pub(super) destination_step: isize,
    pub(super) run: usize,
}

impl Lane {
    pub(super) fn source_at(&self, row: usize) -> *const u8 {
        self.source.wrapping_offset(row as isize * self.source_step)
    }

    pub(super) fn destination_at(&self, row: usize) -> *mut u8 {
        self.destination.wrapping_offset(row as isize * self.destination_step)
    }
}

/// Copies rows `units` of pieces that run side by side; rows are counted through all loops.
///
/// # Safety
///
/// Every run in these rows may be read and written, and nothing overlaps.
pub(super) unsafe fn copy(plan: &Plan, pieces: Range<usize>, units: Range<usize>, store: Store) {
    let depth = plan.piece(pieces.start).1.len();
    let inner_count = plan.piece(pieces.start).1[depth - 1].count;
    let mut lanes = Vec::with_capacity(pieces.len());
    let mut scratch = Scratch::new();
    let mut row = units.start;
    while row < units.end {
        let (turn, first) = (row / inner_count, row % inner_count);
        let last = (first + units.end - row).min(inner_count);
        lanes.clear();
        lanes.extend(pieces.clone().map(|at| {
            let (piece, loops) = plan.piece(at);
            let (source, destination) = offsets_of_turn(&loops[..depth - 1], turn);
            let Loop { source_step, destination_step, .. } = loops[depth - 1];
            Lane {
                source: piece.source.wrapping_offset(source),
                destination: piece.destination.wrapping_offset(destination),
                source_step,
                destination_step,
                run: piece.run,
            }
        }));
        // SAFETY: rows of the caller's.
        unsafe { copy_lanes(&lanes, first..last, plan.side(), store, &mut scratch) };
        row += last - first;
    }
}

/// # Safety
///
/// As [`copy`], for the rows of one innermost loop.
unsafe fn copy_lanes(
    lanes: &[Lane], rows: Range<usize>, side: Side, store: Store, scratch: &mut Scratch,
) {
    let run = lanes[0].run;
    let same = lanes.iter().all(|lane| lane.run == run);
    // Neighbours may be of any widths, and scratch holds short runs only.
    let longest = lanes.iter().map(|lane| lane.run).max().unwrap_or(run);
    let packed = match side {
        Side::Source => lanes.iter().all(|lane| lane.destination_step == lane.run as isize),
        Side::Destination => lanes.iter().all(|lane| lane.source_step == lane.run as isize),
    };
    // SAFETY: the caller's promise is passed on; each kernel's condition is checked here.
    unsafe {
        match side {
            _ if packed && same && tiles::worthwhile(run, lanes.len(), rows.len()) => match side {
                Side::Source => tiles::scatter_elements(lanes, rows, store, scratch),
                Side::Destination => tiles::gather_elements(lanes, rows, store, scratch),
            },
            Side::Source if packed && longest < DIRECT => scatter_runs(lanes, rows, store, scratch),
            Side::Destination if lanes.len() > 1 && longest < DIRECT => {
                gather_runs(lanes, rows, store, scratch);
            }
            _ => direct(lanes, rows, store),
        }
    }
}

/// Each run to its place.
///
/// # Safety
///
/// As [`copy_lanes`].
unsafe fn direct(lanes: &[Lane], rows: Range<usize>, store: Store) {
    for row in rows {
        for lane in lanes {
            // SAFETY: one run of the caller's.
            unsafe {
                if lane.run < 4 * super::lines::LINE {
                    copy_short(lane.source_at(row), lane.destination_at(row), lane.run);
                } else {
                    store.copy(lane.source_at(row), lane.destination_at(row), lane.run);
                }
            }
        }
    }
}

/// From rows to contiguous buffers: a few rows for one buffer, then for the next, so that each is
/// given whole lines.
///
/// # Safety
///
/// As [`copy_lanes`]; each lane's destination rows follow each other without a gap.
unsafe fn scatter_runs(lanes: &[Lane], rows: Range<usize>, store: Store, scratch: &mut Scratch) {
    let longest = lanes.iter().map(|lane| lane.run).max().unwrap_or(1);
    let height = (BLOCK / longest).clamp(1, MOST_ROWS);
    let mut row = rows.start;
    while row < rows.end {
        let end = (row + height).min(rows.end);
        for lane in lanes {
            let destination = lane.destination_at(row);
            // SAFETY: rows of the caller's; a block of scratch holds them.
            unsafe {
                if store.stream {
                    let block = scratch.rows();
                    pack(lane, row..end, block);
                    store.copy(block, destination, (end - row) * lane.run);
                } else {
                    pack(lane, row..end, destination);
                }
            }
        }
        row = end;
    }
}

/// Puts the runs of some rows one behind the other.
///
/// # Safety
///
/// The runs may be read, and as many bytes written.
unsafe fn pack(lane: &Lane, rows: Range<usize>, packed: *mut u8) {
    for (place, row) in rows.enumerate() {
        let destination = packed.wrapping_add(place * lane.run);
        // SAFETY: one run.
        unsafe { copy_short(lane.source_at(row), destination, lane.run) };
    }
}

/// From buffers to rows: a stretch of some neighbours in one row, then in the next, so that lines of
/// the full tensor are written whole and those of the shards are read once.
///
/// # Safety
///
/// As [`copy_lanes`]; the lanes' destinations are neighbours.
unsafe fn gather_runs(lanes: &[Lane], rows: Range<usize>, store: Store, scratch: &mut Scratch) {
    let mut first = 0;
    while first < lanes.len() {
        let mut bytes = 0;
        let mut end = first;
        while end < lanes.len() && (bytes == 0 || bytes + lanes[end].run <= tiles::ROW_BYTES) {
            bytes += lanes[end].run;
            end += 1;
        }
        let stretch = &lanes[first..end];
        for row in rows.clone() {
            let destination = stretch[0].destination_at(row);
            let block = if store.stream { scratch.rows() } else { destination };
            let mut place = 0;
            for lane in stretch {
                // SAFETY: one run of the caller's; a block of scratch holds a stretch.
                unsafe { copy_short(lane.source_at(row), block.wrapping_add(place), lane.run) };
                place += lane.run;
            }
            if store.stream {
                // SAFETY: the runs just put together, at their common place.
                unsafe { store.copy(block, destination, bytes) };
            }
        }
        first = end;
    }
}
