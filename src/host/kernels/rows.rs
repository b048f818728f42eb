//! Pieces that lie side by side in the full tensor are copied together, row after row, so that its
//! lines are read or written once and not once for each shard.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "rows and bytes of a plan fit an address space"
)]

use std::mem::MaybeUninit;
use std::ops::Range;

use super::lanes::{Lane, LaneRows, Lanes, packed};
use super::runs::copy_runs;
use super::tiles::{self, TileMemory};
use super::transpose::{transposable, transpose};
use super::{bursts, direct, pack, squares};
use crate::host::copy_list::FullSide;
use crate::host::cpu::LINE;
use crate::host::stream::StoreMode;
use crate::host::tuning::{CACHED_TILE, MAX_CACHED_ROWS, MAX_LANES, MIN_BYTES_IN_BURSTS};

/// Copies rows `units` of all lanes.
///
/// # Safety
///
/// Every run in these rows may be read and written, and nothing overlaps.
pub(in crate::host) unsafe fn copy(
    rows: &LaneRows, units: Range<usize>, store: StoreMode, memory: &mut TileMemory,
) {
    let mut lanes = [MaybeUninit::uninit(); MAX_LANES];
    // SAFETY: the contract of `copy` covers all lanes of `rows` in these `units`: those that are copied in
    // squares, the rows behind them, and the lanes beside them.
    unsafe {
        let squares = squares::copy(rows, &units, store);
        let behind = squares.end..units.end;
        copy_with(&rows.part(0..squares.lanes), behind, store, (&mut lanes, memory), true);
        let beside = rows.part(squares.lanes..rows.lane_count());
        copy_with(&beside, units, store, (&mut lanes, memory), true);
    }
}

/// The same; in bursts if they may be used and are better.
///
/// # Safety
///
/// As [`copy`].
unsafe fn copy_with(
    rows: &LaneRows, units: Range<usize>, store: StoreMode,
    (memory_of_lanes, memory): (&mut Lanes, &mut TileMemory), may_burst: bool,
) {
    if units.is_empty() {
        return;
    }
    let mut first = 0;
    while first < rows.lane_count() {
        let rest = rows.part(first..rows.lane_count());
        let lanes = rest.lanes(units.start / rest.in_a_turn(), memory_of_lanes);
        let part = rest.part(0..lanes.len());
        let together =
            if may_burst && store.streaming { lanes_in_bursts(&rest, &units, lanes) } else { 0 };
        let (kernel, rows) = (Kernel::of(&part, lanes, together, store, memory), units.clone());
        // SAFETY: `lanes` are some of those of `rows`, and the contract of `copy_with` covers all of
        // them.
        unsafe {
            first += match kernel {
                Kernel::Bursts => {
                    in_bursts(&rest.part(0..together), rows, store, (memory_of_lanes, memory));
                    together
                }
                Kernel::Pack => {
                    pack::copy(store.level, &part, rows, store);
                    1
                }
                Kernel::Tiles => tiles::copy(&rest, rows, store, memory),
                Kernel::Direct => each_turn(&part, rows, memory_of_lanes, |lanes, rows| {
                    direct::copy(lanes, rows, store)
                }),
                Kernel::Cached => each_turn(&part, rows, memory_of_lanes, |lanes, rows| {
                    cached(lanes, rows, part.side(), store);
                }),
            };
        }
    }
}

/// How many of the first lanes are copied together in bursts. Turns of few rows would be cut into
/// bursts and other rows too often.
fn lanes_in_bursts(rows: &LaneRows, units: &Range<usize>, lanes: &[Lane]) -> usize {
    let (in_a_turn, run) = (rows.in_a_turn(), lanes[0].run);
    let is_one_turn = units.start / in_a_turn == (units.end - 1) / in_a_turn;
    let is_whole = is_one_turn || (in_a_turn * run).is_multiple_of(LINE);
    let pays = is_whole && in_a_turn * run >= MIN_BYTES_IN_BURSTS;
    if pays { bursts::lanes_together(lanes, rows.side()) } else { 0 }
}

/// How rows are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kernel {
    /// With cached stores.
    Cached,
    /// With non-temporal stores, rows at regular steps in bursts.
    Bursts,
    /// With non-temporal stores, each run for itself.
    Direct,
    /// With non-temporal stores, the runs of one lane through all turns.
    Pack,
    /// With non-temporal stores, many runs combined.
    Tiles,
}

impl Kernel {
    fn of(
        rows: &LaneRows, lanes: &[Lane], together: usize, store: StoreMode, memory: &mut TileMemory,
    ) -> Self {
        match () {
            () if !store.streaming => Self::Cached,
            () if together > 0 => Self::Bursts,
            () if pack::pays(rows, &lanes[0]) => Self::Pack,
            () if tiles::pay(lanes, rows.side()) && memory.is_ready() => Self::Tiles,
            () => Self::Direct,
        }
    }
}

/// Calls `copy` for the rows of each turn, and returns the number of lanes. The caller provides the
/// memory for the lanes: each kernel has an instance of this function, and their stacks would add
/// up.
fn each_turn(
    rows: &LaneRows, units: Range<usize>, memory: &mut Lanes,
    mut copy: impl FnMut(&[Lane], Range<usize>),
) -> usize {
    let in_a_turn = rows.in_a_turn();
    let mut unit = units.start;
    while unit < units.end {
        let first = unit % in_a_turn;
        let last = (first + units.end - unit).min(in_a_turn);
        copy(rows.lanes(unit / in_a_turn, memory), first..last);
        unit += last - first;
    }
    rows.lane_count()
}

/// Copies lanes in bursts, and rows that do not fill a line of each shard in another way.
///
/// # Safety
///
/// As [`copy`]; `bursts::lanes_together` chose the lanes.
unsafe fn in_bursts(
    rows: &LaneRows, units: Range<usize>, store: StoreMode,
    (lanes, memory): (&mut Lanes, &mut TileMemory),
) {
    let (in_a_turn, side) = (rows.in_a_turn(), rows.side());
    let mut unit = units.start;
    while unit < units.end {
        let turn = unit / in_a_turn * in_a_turn;
        let first = unit - turn;
        let last = in_a_turn.min(units.end - turn);
        let those = rows.lanes(turn / in_a_turn, lanes);
        let whole = bursts::whole_rows(those, side, first..last);
        // SAFETY: the contract of `in_bursts` covers the rows from `first` to `last`. `whole` are some
        // of these, and the rows before and behind them are the others.
        unsafe {
            if !whole.is_empty() {
                bursts::copy(those, whole.clone(), side, store);
            }
            for rest in [first..whole.start, whole.end..last] {
                let rest = turn + rest.start..turn + rest.end;
                copy_with(rows, rest, store, (lanes, memory), false);
            }
        }
        unit = turn + last;
    }
}

/// Copies runs with cached stores, and transposes elements.
///
/// # Safety
///
/// As [`copy`].
unsafe fn cached(lanes: &[Lane], rows: Range<usize>, side: FullSide, store: StoreMode) {
    let item = lanes[0].run;
    let same = lanes.iter().all(|lane| lane.run == item);
    let height = if same && packed(lanes, side) && transposable(item, lanes.len(), rows.len()) {
        Some(CACHED_TILE / item)
    } else {
        None
    };
    for row in rows.clone().step_by(height.unwrap_or(MAX_CACHED_ROWS)) {
        let count = height.unwrap_or(MAX_CACHED_ROWS).min(rows.end - row);
        for some in lanes.chunks(CACHED_TILE) {
            // SAFETY: the contract of `cached` covers all lanes in all rows; `some` are a part of
            // the lanes, and `count` rows a part of the rows.
            unsafe {
                if height.is_some() {
                    transpose_tile(some, row..row + count, side, store);
                    continue;
                }
                for lane in some {
                    let Lane { source_step, destination_step, run, .. } = *lane;
                    let (from, to) = (lane.source_at(row), lane.destination_at(row));
                    copy_runs(store.level, from, source_step, to, destination_step, count, run);
                }
            }
        }
    }
}

/// # Safety
///
/// As [`copy`], for packed lanes of the same elements, at most a tile's of them.
unsafe fn transpose_tile(lanes: &[Lane], rows: Range<usize>, side: FullSide, store: StoreMode) {
    let mut sources = [std::ptr::null(); CACHED_TILE];
    let mut destinations = [std::ptr::null_mut(); CACHED_TILE];
    let (item, first, count) = (lanes[0].run, rows.start, rows.len());
    let (many, few) = match side {
        FullSide::Source => {
            for (at, source) in sources[..count].iter_mut().enumerate() {
                *source = lanes[0].source_at(first + at);
            }
            for (destination, lane) in destinations.iter_mut().zip(lanes) {
                *destination = lane.destination_at(first);
            }
            (count, lanes.len())
        }
        FullSide::Destination => {
            for (source, lane) in sources.iter_mut().zip(lanes) {
                *source = lane.source_at(first);
            }
            for (at, destination) in destinations[..count].iter_mut().enumerate() {
                *destination = lanes[0].destination_at(first + at);
            }
            (lanes.len(), count)
        }
    };
    // SAFETY: `sources` and `destinations` were set for `many` and `few` rows of a tile, which the
    // contract of `transpose_tile` covers.
    unsafe { transpose(store.level, item, &sources[..many], 0, &destinations[..few]) };
}
