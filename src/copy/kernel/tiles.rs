//! Rows of single elements: tiles of them are transposed in registers.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tiles are cut to fit the scratch and the caller's rows"
)]

use std::ops::Range;

use super::lines::{LINE, Writer, copy_runs, stream};
use super::rows::{Lane, SCRATCH_BYTES, STAGED_BYTES, Work};
use super::transpose::transpose;
use super::vector::{Vector, by_level, prefetch};

/// Lanes of a tile that is scattered.
const SCATTERED_LANES: usize = 64;
/// Bytes of each lane in a tile that is scattered.
const LANE_BYTES: usize = 256;
/// Bytes of a lane in scratch, with room for what its writer holds. No multiple of 4 KiB.
const LANE_ROOM: usize = LANE_BYTES + 2 * LINE;
/// Rows that are fetched ahead where they are apart: half of what a second-level cache holds of such
/// rows.
const FEW_ROWS: usize = 24;

/// Lanes of a tile that is gathered.
const GATHERED_LANES: usize = 256;
/// Lanes that are transposed at a time.
const LANES_AT_A_TIME: usize = 64;
/// Bytes of all lanes that are fetched ahead: half of a small second-level cache.
const FETCHED_BYTES: usize = 256 << 10;
/// Bytes of one lane that are fetched in a row: a page, where the processor begins to foresee them.
const FETCHED_IN_A_ROW: usize = 4 << 10;

const _: () = assert!(SCATTERED_LANES * LANE_ROOM <= SCRATCH_BYTES);
const _: () = assert!(SCATTERED_LANES * LANE_BYTES <= STAGED_BYTES);
const _: () = assert!(GATHERED_LANES * LINE + 2 * LINE <= SCRATCH_BYTES);

/// Whether transposing is faster than copying runs of `run` bytes one by one.
pub(super) fn worthwhile(run: usize, lanes: usize, rows: usize) -> bool {
    let block = 16 / run.clamp(1, 16);
    matches!(run, 1 | 2 | 4 | 8) && lanes >= block && rows >= block
}

by_level! {
    /// From rows of elements to a contiguous buffer for each column.
    ///
    /// # Safety
    ///
    /// The lanes' sources are neighbours, each lane's destination rows follow each other without a
    /// gap, all runs have the length of an element, and nothing overlaps.
    scatter = scatter_with(lanes: &[Lane], rows: Range<usize>, around: bool, work: &mut Work)
}

#[inline(always)]
unsafe fn scatter_with<V: Vector>(
    lanes: &[Lane], rows: Range<usize>, around: bool, work: &mut Work,
) {
    for group in lanes.chunks(SCATTERED_LANES) {
        // SAFETY: some of the caller's lanes.
        unsafe { scatter_group::<V>(group, rows.clone(), around, work) };
    }
}

/// # Safety
///
/// As [`scatter`].
#[inline(always)]
unsafe fn scatter_group<V: Vector>(
    lanes: &[Lane], rows: Range<usize>, around: bool, work: &mut Work,
) {
    let item = lanes[0].run;
    let bytes = lanes.len() * item;
    let height = LANE_BYTES / item;
    // Rows that are a multiple of 4 KiB apart drive each other out of the caches: each is read once,
    // and only a few are fetched ahead.
    let apart = lanes[0].source_step.unsigned_abs() >= 4 << 10;
    let lead = if apart { FEW_ROWS.min(height) } else { height };
    let mut sources = [std::ptr::null(); LANE_BYTES];
    let mut targets = [std::ptr::null_mut(); SCATTERED_LANES];
    let (scratch, staged) = (work.scratch(), work.staged());
    if around {
        // SAFETY: held are bytes of the caller's rows.
        unsafe { work.write_lanes(lanes, rows.start) };
    }
    for row in rows.clone().step_by(height) {
        let count = height.min(rows.end - row);
        let next = row + height..row + height + lead;
        let to_come = work.rows_to_come(&lanes[0], next, rows.end);
        work.ahead.aim(to_come.map(|source| (source, bytes)));
        // SAFETY: a tile of the caller's rows and lanes, or as much scratch.
        unsafe {
            for (at, source) in sources[..count].iter_mut().enumerate() {
                *source = lanes[0].source_at(row + at);
                if apart {
                    let line = staged.add(at * bytes);
                    if at + lead < count {
                        let soon = lanes[0].source_at(row + at + lead);
                        for at in (0..bytes).step_by(LINE) {
                            prefetch(soon.wrapping_add(at));
                        }
                    }
                    copy_runs::<V>(*source, 0, line, 0, 1, bytes);
                    *source = line.cast_const();
                }
            }
            for (at, lane) in lanes.iter().enumerate() {
                targets[at] = if around {
                    work.writers[at].open(scratch.add(at * LANE_ROOM))
                } else {
                    lane.destination_at(row)
                };
            }
            transpose::<V>(item, &sources[..count], &targets[..lanes.len()]);
            if around {
                for (at, writer) in work.writers.iter_mut().enumerate() {
                    writer.close::<V>(scratch.add(at * LANE_ROOM), count * item, &mut work.ahead);
                }
            }
        }
    }
}

by_level! {
    /// From a contiguous buffer for each column to rows of elements.
    ///
    /// # Safety
    ///
    /// As [`scatter`], with sources and destinations exchanged.
    gather = gather_with(lanes: &[Lane], rows: Range<usize>, around: bool, work: &mut Work)
}

#[inline(always)]
unsafe fn gather_with<V: Vector>(
    lanes: &[Lane], rows: Range<usize>, around: bool, work: &mut Work,
) {
    for group in lanes.chunks(GATHERED_LANES) {
        // SAFETY: some of the caller's lanes.
        unsafe { gather_group::<V>(group, rows.clone(), around, work) };
    }
}

/// # Safety
///
/// As [`gather`].
#[inline(always)]
unsafe fn gather_group<V: Vector>(
    lanes: &[Lane], rows: Range<usize>, around: bool, work: &mut Work,
) {
    let item = lanes[0].run;
    let bytes = lanes.len() * item;
    // A line of each lane.
    let height = LINE / item;
    let in_a_row = (FETCHED_BYTES / lanes.len()).min(FETCHED_IN_A_ROW) / LINE * height;
    // Rows that follow each other in the destination are one stretch of memory.
    let gapless = lanes[0].destination_step == bytes as isize;
    let mut writer = Writer::new(lanes[0].destination_at(rows.start));
    let mut sources = [std::ptr::null(); LANES_AT_A_TIME];
    let mut targets = [std::ptr::null_mut(); LINE];
    let (scratch, staged) = (work.scratch(), work.staged());
    for row in rows.clone().step_by(height) {
        let count = height.min(rows.end - row);
        if (row - rows.start).is_multiple_of(in_a_row) {
            let next = (row + in_a_row).min(rows.end);
            let next_bytes = in_a_row.min(rows.end - next) * item;
            work.ahead.aim(lanes.iter().map(|lane| (lane.source_at(next), next_bytes)));
        }
        // SAFETY: a tile of the caller's rows and lanes, or as much scratch.
        unsafe {
            let to = if gapless { writer.open(scratch) } else { scratch };
            for (at, target) in targets[..count].iter_mut().enumerate() {
                *target =
                    if around { to.add(at * bytes) } else { lanes[0].destination_at(row + at) };
            }
            for some in lanes.chunks(LANES_AT_A_TIME) {
                // Lanes may be a multiple of 4 KiB apart, so that their lines drive each other out of
                // the first-level cache: each is read once.
                for (at, lane) in some.iter().enumerate() {
                    let line = staged.add(at * LINE);
                    copy_runs::<V>(lane.source_at(row), 0, line, 0, 1, count * item);
                    sources[at] = line.cast_const();
                }
                transpose::<V>(item, &sources[..some.len()], &targets[..count]);
                for target in &mut targets[..count] {
                    *target = target.wrapping_add(some.len() * item);
                }
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
