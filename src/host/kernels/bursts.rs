//! Rows of short runs that are the same number of bytes apart: bursts of some lines for each shard,
//! combined in registers and streamed.
//!
//! Tiles can do the same and more, but they note where each row starts, and go from tile to tile: 8 to
//! 12 % of the time of such copies.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "bytes of a range that the caller promises"
)]

use std::mem::MaybeUninit;
use std::ops::Range;

use super::join::line_of_runs;
use super::lanes::{Lane, packed};
use crate::host::copy_list::FullSide;
use crate::host::cpu::LINE;
use crate::host::options::PrefetchInto;
use crate::host::prefetch::prefetch;
use crate::host::simd::{Vector, by_level};
use crate::host::stream::StoreMode;
use crate::host::tuning::{
    BURST, BURST_AHEAD, MAX_JOINED_LANES, MAX_JOINED_ROW, MAX_LANES, MAX_SCATTERED_ROW,
};
use crate::host::uninit::written;

/// Lines of each shard in a burst.
const LINES: usize = BURST / LINE;

/// How many of the first lanes are copied together in bursts; 0 if tiles are better.
pub(super) fn lanes_together(lanes: &[Lane], side: FullSide) -> usize {
    let Lane { run, source_step, destination_step, .. } = lanes[0];
    if !matches!(run, 16 | 32 | LINE) {
        return 0;
    }
    let alike = |lane: &&Lane| lane.run == run && packed(&[**lane], side);
    let same = lanes.iter().take_while(alike);
    match side {
        FullSide::Source => {
            let same = same.take_while(|lane| lane.destination.addr().is_multiple_of(LINE)).count();
            let all = same.min(MAX_SCATTERED_ROW / run).min(MAX_LANES);
            // A row is prefetched in whole bursts, but for rows that follow each other.
            let is_gapless = source_step == (all * run) as isize;
            if is_gapless { all } else { all / (BURST / run) * (BURST / run) }
        }
        FullSide::Destination => {
            let row = lanes[0].destination.addr() | destination_step as usize;
            let most = if run < 32 { MAX_JOINED_LANES } else { MAX_JOINED_ROW / run };
            if row.is_multiple_of(LINE) {
                same.count().min(most) / (LINE / run) * (LINE / run)
            } else {
                0
            }
        }
    }
}

/// The rows that are whole lines of each shard, of some that [`lanes_together`] chose the lanes of.
pub(super) fn whole_rows(lanes: &[Lane], side: FullSide, rows: Range<usize>) -> Range<usize> {
    let is_aligned = match side {
        FullSide::Source => lanes.iter().all(|lane| lane.destination.addr().is_multiple_of(LINE)),
        FullSide::Destination => lanes[0].destination.addr().is_multiple_of(LINE),
    };
    let of_a_line = LINE / lanes[0].run;
    let start = rows.start.next_multiple_of(of_a_line);
    let end = rows.end / of_a_line * of_a_line;
    if is_aligned && start < end { start..end } else { rows.start..rows.start }
}

/// Copies rows of all lanes.
///
/// # Safety
///
/// As `rows::copy`. [`lanes_together`] chose the lanes, and [`whole_rows`] the rows.
pub(super) unsafe fn copy(lanes: &[Lane], rows: Range<usize>, side: FullSide, store: StoreMode) {
    let (first, run, count) = (&lanes[0], lanes[0].run, rows.len());
    let (level, into) = (store.level, store.prefetch.into);
    match side {
        FullSide::Source => {
            let mut shards = [MaybeUninit::uninit(); MAX_LANES];
            for (shard, lane) in shards.iter_mut().zip(lanes) {
                shard.write(lane.destination_at(rows.start));
            }
            let rows =
                RegularRows { first: first.source_at(rows.start), step: first.source_step, count };
            // SAFETY: as many `shards` were written as there are `lanes`, whose rows the contract of
            // `copy` covers; `whole_rows` says that these begin with a line of each shard.
            unsafe { scatter_rows(level, run, rows, written(&shards[..lanes.len()]), into) };
        }
        FullSide::Destination => {
            let mut shards = [MaybeUninit::uninit(); MAX_JOINED_ROW / 32];
            for (shard, lane) in shards.iter_mut().zip(lanes) {
                shard.write(lane.source_at(rows.start));
            }
            let (at, step) = (first.destination_at(rows.start), first.destination_step);
            // SAFETY: as many `shards` were written as there are `lanes`, whose rows the contract of
            // `copy` covers; `lanes_together` says that rows are whole lines.
            unsafe {
                let shards = written(&shards[..lanes.len()]);
                gather_rows(level, run, RegularRows { first: at, step, count }, shards, into);
            }
        }
    }
}

/// Rows of a full tensor: where the first one starts, and how many bytes later the next one does.
#[derive(Debug, Clone, Copy)]
pub(super) struct RegularRows<P> {
    pub(super) first: P,
    pub(super) step: isize,
    /// A multiple of the rows that make a line of a shard.
    pub(super) count: usize,
}

by_level! {
    /// Scatters rows: each is a run for each shard, and the runs of a shard follow each other.
    ///
    /// # Safety
    ///
    /// The rows may be read, and as many bytes written at `shards`, which are multiples of a line.
    /// Nothing overlaps, and runs have 16, 32 or 64 bytes.
    scatter_rows = scatter_rows_with(
        run: usize, rows: RegularRows<*const u8>, shards: &[*mut u8], into: PrefetchInto,
    )
}

#[inline(always)]
unsafe fn scatter_rows_with<V: Vector>(
    run: usize, rows: RegularRows<*const u8>, shards: &[*mut u8], into: PrefetchInto,
) {
    // SAFETY: the contract of `scatter_rows` is that of `scatter`, for the same `rows` and `shards`.
    unsafe {
        match (run, into) {
            (16, PrefetchInto::FirstLevel) => scatter::<V, 16, true>(rows, shards),
            (16, _) => scatter::<V, 16, false>(rows, shards),
            (32, PrefetchInto::FirstLevel) => scatter::<V, 32, true>(rows, shards),
            (32, _) => scatter::<V, 32, false>(rows, shards),
            (_, PrefetchInto::FirstLevel) => scatter::<V, LINE, true>(rows, shards),
            (..) => scatter::<V, LINE, false>(rows, shards),
        }
    }
}

fn level(near: bool) -> PrefetchInto {
    if near { PrefetchInto::FirstLevel } else { PrefetchInto::SecondLevel }
}

/// # Safety
///
/// As [`scatter_rows`].
#[inline(always)]
unsafe fn scatter<V: Vector, const RUN: usize, const NEAR: bool>(
    rows: RegularRows<*const u8>, shards: &[*mut u8],
) {
    let of_a_line = LINE / RUN;
    let row_bytes = shards.len() * RUN;
    let is_gapless = rows.step == row_bytes as isize;
    let ahead = if is_gapless { BURST_AHEAD as isize } else { (BURST / RUN) as isize * rows.step };
    let mut row = 0;
    while row < rows.count {
        let from = rows.first.wrapping_offset(row as isize * rows.step);
        // What follows in memory, or the rows of the next burst, row by row.
        let mut later = from.wrapping_offset(ahead);
        let mut end = if is_gapless { std::ptr::null() } else { later.wrapping_add(row_bytes) };
        let lines = ((rows.count - row) / of_a_line).min(LINES);
        for (at, &shard) in shards.iter().enumerate() {
            let (from, to) = (from.wrapping_add(at * RUN), shard.wrapping_add(row * RUN));
            let each = |line: usize| {
                prefetch(later.wrapping_add(line * LINE), level(NEAR));
                let from = from.wrapping_offset((line * of_a_line) as isize * rows.step);
                // SAFETY: `line` is one of the burst's: its runs are in `rows`, and there is room for
                // them at `shard`, a multiple of a line, by the contract of `scatter`.
                unsafe { line_of_rows::<V, RUN>(from, rows.step, to.wrapping_add(line * LINE)) };
            };
            if lines == LINES {
                (0..LINES).for_each(each)
            } else {
                (0..lines).for_each(each)
            }
            later = later.wrapping_add(BURST);
            if later == end {
                end = end.wrapping_offset(rows.step);
                later = end.wrapping_sub(row_bytes);
            }
        }
        row += lines * of_a_line;
    }
}

/// A line of some rows' runs.
///
/// # Safety
///
/// The runs may be read, and a line written at `to`, a multiple of one.
#[inline(always)]
unsafe fn line_of_rows<V: Vector, const RUN: usize>(from: *const u8, step: isize, to: *mut u8) {
    let places: [_; 4] = std::array::from_fn(|row| from.wrapping_offset(row as isize * step));
    // SAFETY: the contract of `line_of_rows` is that of `line_of_runs`.
    unsafe { line_of_runs::<V, RUN>(&places, 0, to) };
}

by_level! {
    /// Gathers rows: each is a run of each shard, and the runs of a shard follow each other.
    ///
    /// # Safety
    ///
    /// The rows may be written, and as many bytes read at `shards`. Rows are whole lines, and their
    /// starts are multiples of one. Nothing overlaps, and runs have 16, 32 or 64 bytes.
    gather_rows = gather_rows_with(
        run: usize, rows: RegularRows<*mut u8>, shards: &[*const u8], into: PrefetchInto,
    )
}

#[inline(always)]
unsafe fn gather_rows_with<V: Vector>(
    run: usize, rows: RegularRows<*mut u8>, shards: &[*const u8], into: PrefetchInto,
) {
    // SAFETY: the contract of `gather_rows` is that of `gather`, for the same `rows` and `shards`.
    unsafe {
        match (run, into) {
            (16, PrefetchInto::FirstLevel) => gather::<V, 16, true>(rows, shards),
            (16, _) => gather::<V, 16, false>(rows, shards),
            (32, PrefetchInto::FirstLevel) => gather::<V, 32, true>(rows, shards),
            (32, _) => gather::<V, 32, false>(rows, shards),
            (_, PrefetchInto::FirstLevel) => gather::<V, LINE, true>(rows, shards),
            (..) => gather::<V, LINE, false>(rows, shards),
        }
    }
}

/// # Safety
///
/// As [`gather_rows`].
#[inline(always)]
unsafe fn gather<V: Vector, const RUN: usize, const NEAR: bool>(
    rows: RegularRows<*mut u8>, shards: &[*const u8],
) {
    let of_a_line = LINE / RUN;
    for row in 0..rows.count {
        let to = rows.first.wrapping_offset(row as isize * rows.step);
        let (at, turn) = (row * RUN, row % of_a_line);
        // In so many rows, each shard is read by a line.
        let later = (row - turn) * RUN + BURST;
        for (number, runs) in shards.chunks_exact(of_a_line).enumerate() {
            prefetch(runs[turn].wrapping_add(later), level(NEAR));
            // SAFETY: the runs `at` bytes behind the shards may be read, and the row is whole lines that
            // may be written, by the contract of `gather`.
            unsafe { line_of_runs::<V, RUN>(runs, at, to.wrapping_add(number * LINE)) };
        }
    }
}
