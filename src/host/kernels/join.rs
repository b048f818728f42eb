//! Runs of several sources, joined to whole lines in registers and streamed.

#![allow(clippy::arithmetic_side_effects, reason = "bytes of a range that the caller promises")]

use super::tiles::TileAhead;
use crate::host::cpu::LINE;
use crate::host::simd::{Vector, by_level};
use crate::host::stream::stream_line;
use crate::host::tuning::{MAX_JOINED_LANES, MIN_SCATTERED_PER_SHARD};

/// Whether runs of `run` bytes can be joined in registers.
pub(super) fn joinable(run: usize) -> bool {
    run == 16 || run == 32 || run.is_multiple_of(LINE)
}

by_level! {
    /// Gathers runs with non-temporal stores: each destination receives one run of each source, one
    /// behind the other. Those of the first destination are `offset` bytes behind the sources, and
    /// those of the next one follow them. The next tile is prefetched meanwhile.
    ///
    /// # Safety
    ///
    /// The runs may be read, their bytes written, and they do not overlap. They are [`joinable`],
    /// those of a destination are whole lines together, and destinations are multiples of a line.
    join_runs = join_runs_with(
        run: usize, sources: &[*const u8], offset: usize, destinations: &[*mut u8],
        ahead: &mut TileAhead,
    )
}

#[inline(always)]
unsafe fn join_runs_with<V: Vector>(
    run: usize, sources: &[*const u8], offset: usize, destinations: &[*mut u8],
    ahead: &mut TileAhead,
) {
    // Of many sources, each destination receives some lines before the next one does. Then the
    // sources are read almost in the order of their addresses.
    let burst = (MIN_SCATTERED_PER_SHARD / run).max(MAX_JOINED_LANES);
    // In registers: noted in memory with each line, copies took 1 to 3 % longer.
    let mut next = *ahead;
    for (chunk, sources) in sources.chunks(burst).enumerate() {
        for (number, &to) in destinations.iter().enumerate() {
            let (at, to) = (offset + number * run, to.wrapping_add(chunk * burst * run));
            // SAFETY: the contract of `join_runs` is that a run may be read `at` bytes behind each of
            // `sources`, and that one run of each may be written behind a destination. A burst is
            // whole lines, so that `to` is a multiple of a line.
            unsafe {
                match run {
                    16 => join_short::<V, 16>(sources, at, to, &mut next),
                    32 => join_short::<V, 32>(sources, at, to, &mut next),
                    _ => join_lines::<V>(sources, at, run, to, &mut next),
                }
            }
        }
    }
    *ahead = next;
}

/// # Safety
///
/// As [`join_runs`], for runs of whole lines.
#[inline(always)]
unsafe fn join_lines<V: Vector>(
    sources: &[*const u8], at: usize, run: usize, to: *mut u8, ahead: &mut TileAhead,
) {
    for (number, source) in sources.iter().enumerate() {
        for line in 0..run / LINE {
            let line = line * LINE;
            ahead.line();
            // SAFETY: a `line` of a run is inside of what the contract of `join_lines` covers.
            unsafe {
                let (from, to) = (source.add(at + line), to.add(number * run + line));
                stream_line::<V>(from, to);
            }
        }
    }
}

/// # Safety
///
/// As [`join_runs`].
#[inline(always)]
unsafe fn join_short<V: Vector, const RUN: usize>(
    sources: &[*const u8], at: usize, to: *mut u8, ahead: &mut TileAhead,
) {
    for (number, runs) in sources.chunks_exact(LINE / RUN).enumerate() {
        ahead.line();
        // SAFETY: the contract of `join_short` covers these runs, `at` bytes behind `runs`, and a line
        // `number` lines behind `to`.
        unsafe { line_of_runs::<V, RUN>(runs, at, to.wrapping_add(number * LINE)) };
    }
}

/// A line of the runs `at` bytes behind some places, as many as make a line.
///
/// # Safety
///
/// The runs may be read, and a line written at `to`, a multiple of one.
#[inline(always)]
pub(super) unsafe fn line_of_runs<V: Vector, const RUN: usize>(
    places: &[*const u8], at: usize, to: *mut u8,
) {
    for part in (0..LINE).step_by(V::BYTES) {
        let (run, inside) = (part / RUN, part % RUN);
        // SAFETY: `part` is inside of a line and `inside` of a run, so these bytes are among those
        // that the contract of `line_of_runs` covers.
        unsafe {
            let from = places.as_ptr().add(run);
            let vector = if RUN >= V::BYTES {
                V::load((*from).add(at + inside))
            } else if RUN == 16 {
                V::load_parts(from, 1, at)
            } else {
                V::load_halves(from, at)
            };
            vector.stream(to.add(part));
        }
    }
}
