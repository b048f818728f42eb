//! Rows of runs that are longer than an element.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "rows and bytes of a plan fit an address space, and scratch is as large as a block"
)]

use std::ops::Range;

use super::lines::{LINE, Writer, copy_runs, stream, stream_runs};
use super::rows::{Lane, SCRATCH_BYTES, Work};
use super::vector::{Vector, by_level, prefetch};

/// Bytes that are put together for one buffer before the next one's turn.
const BLOCK: usize = 512;
/// Rows of a block, at most.
const MOST_ROWS: usize = 64;
/// Rows of a block whose stretches are apart, at most: where they are a multiple of 4 KiB apart, more
/// lines of one kind would not be in the first-level cache at a time.
const MOST_STRETCHES: usize = 8;
/// Bytes of a row that are read before the next rows' turn.
const STRETCH: usize = 4 << 10;
/// Bytes of a row that are written before the next rows' turn.
const GROUP: usize = 1 << 10;
/// Bytes of all rows that are put together before they are written.
const TILE: usize = 8 << 10;
/// How many bytes before it is read memory is fetched, at least.
const LEAD: usize = 8 << 10;
/// Bytes of a run from which on the processor foresees the rest.
const BEGINNING: usize = 512;

const _: () = assert!(TILE + 2 * LINE <= SCRATCH_BYTES);

by_level! {
    /// Each run to its place.
    ///
    /// # Safety
    ///
    /// Every run in these rows may be read and written, and nothing overlaps; so for all kernels.
    direct = direct_with(lanes: &[Lane], rows: Range<usize>, around: bool, work: &mut Work)
}

#[inline(always)]
unsafe fn direct_with<V: Vector>(
    lanes: &[Lane], rows: Range<usize>, around: bool, work: &mut Work,
) {
    let longest = lanes.iter().map(|lane| lane.run).max().unwrap_or(0);
    if !around || longest < LINE {
        for row in rows.clone().step_by(MOST_ROWS) {
            let count = MOST_ROWS.min(rows.end - row);
            for lane in lanes {
                let Lane { source_step, destination_step, run, .. } = *lane;
                let (from, to) = (lane.source_at(row), lane.destination_at(row));
                // SAFETY: some runs of the caller's.
                unsafe { copy_runs::<V>(from, source_step, to, destination_step, count, run) };
            }
        }
        return;
    }
    work.ahead.aim(std::iter::empty());
    // Runs that go on from each other are foreseen by the processor, as long as they are not many.
    let goes_on = |pair: &[Lane]| pair[0].source.wrapping_add(pair[0].run) == pair[1].source;
    let packed = |lane: &Lane| lane.source_step == lane.run as isize;
    let foreseen = lanes.len() > 1 && lanes.windows(2).all(goes_on)
        || lanes.iter().all(packed) && (longest >= BEGINNING || lanes.len() == 1);
    let lead = (LEAD / lanes.len() / longest).max(1);
    for row in rows {
        for lane in lanes {
            if !foreseen {
                for at in (0..lane.run.min(BEGINNING)).step_by(LINE) {
                    prefetch(lane.source_at(row + lead).wrapping_add(at));
                }
            }
            let (from, to) = (lane.source_at(row), lane.destination_at(row));
            // SAFETY: one run of the caller's.
            unsafe { stream::<V>(from, to, lane.run, &mut work.ahead) };
        }
    }
}

by_level! {
    /// From rows to contiguous buffers: a few rows for one buffer, then for the next, so that each is
    /// given whole lines.
    ///
    /// # Safety
    ///
    /// As [`direct`]; each lane's destination rows follow each other without a gap.
    scatter = scatter_with(lanes: &[Lane], rows: Range<usize>, around: bool, work: &mut Work)
}

#[inline(always)]
unsafe fn scatter_with<V: Vector>(
    lanes: &[Lane], rows: Range<usize>, around: bool, work: &mut Work,
) {
    let (first_stretch, bytes) = stretch_of(lanes, 0, STRETCH);
    let apart =
        lanes.len() > 1 && lanes[0].source_step.unsigned_abs() >= 2 * bytes.max(STRETCH / 8);
    let height = height_of_blocks(lanes, if apart { MOST_STRETCHES } else { MOST_ROWS });
    // Where rows are read whole, later rows are fetched; else the next stretch of these.
    let all_in_one = first_stretch.end == lanes.len();
    let lead = if all_in_one { height.max(LEAD / bytes) } else { height };
    // Where blocks are whole lines nothing is ever held back.
    let whole = lanes.iter().all(|lane| {
        (lane.destination_at(rows.start).addr() | (height * lane.run)).is_multiple_of(LINE)
    });
    if around && !whole {
        // SAFETY: held are bytes of the caller's rows.
        unsafe { work.write_lanes(lanes, rows.start) };
    }
    let scratch = work.scratch();
    for row in rows.clone().step_by(height) {
        let count = height.min(rows.end - row);
        let (mut stretch, mut next_row) = (first_stretch.clone(), row);
        while !stretch.is_empty() {
            let (mut next, mut bytes) = stretch_of(lanes, stretch.end, STRETCH);
            if next.is_empty() {
                (next, bytes) = stretch_of(lanes, 0, STRETCH);
                next_row = row + lead;
            }
            if around {
                let to_come =
                    work.rows_to_come(&lanes[next.start], next_row..next_row + height, rows.end);
                work.ahead.aim(to_come.map(|source| (source, bytes)));
            }
            for at in stretch.clone() {
                let lane = &lanes[at];
                let Lane { source_step: step, run, .. } = *lane;
                let (from, to, len) = (lane.source_at(row), lane.destination_at(row), count * run);
                // SAFETY: rows of the caller's; a block of scratch holds them.
                unsafe {
                    if !around {
                        copy_runs::<V>(from, step, to, run as isize, count, run);
                    } else if whole && len.is_multiple_of(LINE) && (run == 16 || run == 32) {
                        stream_runs::<V>(from, step, to, count, run, &mut work.ahead);
                    } else if whole {
                        copy_runs::<V>(from, step, scratch, run as isize, count, run);
                        stream::<V>(scratch, to, len, &mut work.ahead);
                    } else {
                        let writer = &mut work.writers[at];
                        let to = writer.open(scratch);
                        copy_runs::<V>(from, step, to, run as isize, count, run);
                        writer.close::<V>(scratch, len, &mut work.ahead);
                    }
                }
            }
            stretch = if all_in_one { 0..0 } else { stretch_of(lanes, stretch.end, STRETCH).0 };
        }
    }
}

/// Rows of a block: as many as give each buffer some lines, and whole ones where that is possible.
fn height_of_blocks(lanes: &[Lane], most: usize) -> usize {
    let longest = lanes.iter().map(|lane| lane.run).max().unwrap_or(1);
    let block = (LEAD / 2 / lanes.len()).max(BLOCK);
    let height = (block / longest).clamp(1, most);
    let whole =
        lanes.iter().map(|lane| LINE >> lane.run.trailing_zeros().min(6)).max().unwrap_or(1);
    if height > whole { height / whole * whole } else { height }
}

/// Some lanes from `first` on that have at most some `most` bytes in each row, and these bytes.
fn stretch_of(lanes: &[Lane], first: usize, most: usize) -> (Range<usize>, usize) {
    let mut bytes = 0;
    let mut end = first;
    while end < lanes.len() && (bytes == 0 || bytes + lanes[end].run <= most) {
        bytes += lanes[end].run;
        end += 1;
    }
    (first..end, bytes)
}

by_level! {
    /// From buffers to rows: a stretch of some neighbours in a few rows, then in the next, so that
    /// lines of the full tensor are written whole and those of the shards are read once.
    ///
    /// # Safety
    ///
    /// As [`direct`]; the lanes' destinations are neighbours.
    gather = gather_with(lanes: &[Lane], rows: Range<usize>, around: bool, work: &mut Work)
}

#[inline(always)]
unsafe fn gather_with<V: Vector>(
    lanes: &[Lane], rows: Range<usize>, around: bool, work: &mut Work,
) {
    let mut first = 0;
    while first < lanes.len() {
        let end = end_of_group(lanes, first);
        // SAFETY: some of the caller's lanes.
        unsafe { gather_group::<V>(&lanes[first..end], rows.clone(), around, work) };
        first = end;
    }
}

/// Where a group of lanes ends: with a line of the destination, if it can.
fn end_of_group(lanes: &[Lane], first: usize) -> usize {
    let end = stretch_of(lanes, first, GROUP).0.end;
    if end == lanes.len() {
        return end;
    }
    let aligned = |end: &usize| lanes[*end].destination.addr().is_multiple_of(LINE);
    let half = first + (end - first).div_ceil(2);
    (half..=end).rev().find(aligned).unwrap_or(end)
}

/// # Safety
///
/// As [`gather`].
#[inline(always)]
unsafe fn gather_group<V: Vector>(
    lanes: &[Lane], rows: Range<usize>, around: bool, work: &mut Work,
) {
    let bytes: usize = lanes.iter().map(|lane| lane.run).sum();
    let height = (TILE / bytes).clamp(1, MOST_ROWS);
    // Rows that follow each other in the destination are one stretch of memory.
    let gapless = lanes[0].destination_step == bytes as isize;
    let mut writer = Writer::new(lanes[0].destination_at(rows.start));
    let scratch = work.scratch();
    for row in rows.clone().step_by(height) {
        let count = height.min(rows.end - row);
        let next = (row + height).min(rows.end);
        let next_count = height.min(rows.end - next);
        if around {
            work.ahead.aim(lanes.iter().map(|lane| (lane.source_at(next), next_count * lane.run)));
        }
        let destination = lanes[0].destination_at(row);
        // SAFETY: rows of the caller's; scratch holds a tile.
        unsafe {
            let (to, to_step) = match (around, gapless) {
                (false, _) => (destination, lanes[0].destination_step),
                (true, false) => (scratch, bytes as isize),
                (true, true) => (writer.open(scratch), bytes as isize),
            };
            let mut place = to;
            for lane in lanes {
                let Lane { source_step, run, .. } = *lane;
                copy_runs::<V>(lane.source_at(row), source_step, place, to_step, count, run);
                place = place.wrapping_add(run);
            }
            if around && gapless {
                writer.close::<V>(scratch, count * bytes, &mut work.ahead);
            } else if around {
                for at in 0..count {
                    let (from, to) = (scratch.add(at * bytes), lanes[0].destination_at(row + at));
                    stream::<V>(from, to, bytes, &mut work.ahead);
                }
            }
        }
    }
    if around && gapless {
        // SAFETY: held are bytes of the caller's rows.
        unsafe { writer.finish() };
    }
}
