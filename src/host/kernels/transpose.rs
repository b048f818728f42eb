//! Transposing tiles: `destinations[b][a] = sources[a][b]`.
//!
//! The rows of both sides are given by pointers, so that a side may be one tensor with a row stride
//! as well as many buffers.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "indices of a tile, below its few hundred rows"
)]

use std::mem::MaybeUninit;
use std::ops::Range;

use super::blocks::{PART, block, blocks_of_lines, is_element};
use super::tiles::TileAhead;
use crate::host::cpu::{LINE, Level};
use crate::host::simd::{Vector, by_level, copy_short};
use crate::host::tuning::{MAX_STAGED_ITEM, STAGED_STEP};

/// Whether transposing is faster than copying runs of `run` bytes one by one.
pub(super) fn transposable(run: usize, lanes: usize, rows: usize) -> bool {
    let block = PART / run.clamp(1, PART);
    is_element(run) && lanes >= block && rows >= block
}

/// Writes a tile of `sources.len()` by `destinations.len()` elements of 1, 2, 4 or 8 bytes,
/// transposed, with cached stores: source rows start `offset` bytes behind `sources`.
///
/// # Safety
///
/// Each source row has `destinations.len()` elements that may be read, each destination row
/// `sources.len()` that may be written; they do not overlap.
pub(super) unsafe fn transpose(
    level: Level, item: usize, sources: &[*const u8], offset: usize, destinations: &[*mut u8],
) {
    let whole = whole_columns(item, destinations);
    // SAFETY: the contract of `transpose` covers the whole tile. Its parts are disjoint: columns in
    // `whole` and in `rest`, and `rows` before and behind those that `blocks` took.
    unsafe {
        let rows = blocks(level, item, sources, offset, whole, 0);
        let rows = blocks(Level::Portable, item, sources, offset, whole, rows);
        one_by_one(item, sources, offset, destinations, rows..sources.len(), 0..whole.len());
        let rest = whole.len()..destinations.len();
        one_by_one(item, sources, offset, destinations, 0..sources.len(), rest);
    }
}

/// Like [`transpose`], with non-temporal stores. The next tile is prefetched meanwhile.
///
/// # Safety
///
/// As [`transpose`]. Destination rows are whole lines; `stream` says what else its stores require.
pub(super) unsafe fn stream_transposed(
    level: Level, item: usize, sources: &[*const u8], offset: usize, destinations: &[*mut u8],
    ahead: &mut TileAhead,
) {
    let whole = whole_columns(item, destinations);
    let (staged, in_a_line) = (is_staged(item, sources, destinations), LINE / item);
    // SAFETY: the contract of `stream_transposed` covers the whole tile. Its parts are disjoint:
    // lines from `first` to `end` of the columns in `whole`, and the columns in `rest`.
    unsafe {
        for first in (0..sources.len()).step_by(in_a_line) {
            let (sources, place) = (&sources[first..first + in_a_line], first * item);
            if staged {
                staged_lines(level, item, sources, offset, destinations, place, ahead);
            } else {
                stream_lines(level, item, sources, offset, whole, place, ahead);
            }
        }
        let rest = whole.len()..destinations.len();
        one_by_one(item, sources, offset, destinations, 0..sources.len(), rest);
    }
}

/// The columns that blocks of elements fill.
fn whole_columns(item: usize, destinations: &[*mut u8]) -> &[*mut u8] {
    &destinations[..destinations.len() / (PART / item) * (PART / item)]
}

/// Whether source lines are copied before they are transposed: each is read several times, and if
/// many are a multiple of [`STAGED_STEP`] apart, they evict each other from the first-level cache
/// meanwhile.
fn is_staged(item: usize, sources: &[*const u8], destinations: &[*mut u8]) -> bool {
    let [first, second, ..] = sources else {
        return false;
    };
    item <= MAX_STAGED_ITEM
        && destinations.len() * item == LINE
        && second.addr().abs_diff(first.addr()).is_multiple_of(STAGED_STEP)
}

/// Lines next to each other, in different sets of the cache.
#[repr(C, align(64))]
struct StagedLines([[MaybeUninit<u8>; LINE]; LINE]);

/// Like [`stream_lines`], of copies of the source lines.
///
/// # Safety
///
/// As [`stream_lines`], for as many destinations as elements are in a line.
unsafe fn staged_lines(
    level: Level, item: usize, sources: &[*const u8], offset: usize, destinations: &[*mut u8],
    place: usize, ahead: &mut TileAhead,
) {
    let mut lines = StagedLines([[MaybeUninit::uninit(); LINE]; LINE]);
    let mut staged = [std::ptr::null(); LINE];
    for (line, place) in lines.0.iter().zip(&mut staged) {
        *place = line.as_ptr().cast();
    }
    // SAFETY: the contract of `staged_lines` covers a line of each of `sources`, of which there are
    // at most `LINE`, for which `lines` has room.
    unsafe {
        load_lines(level, sources, offset, lines.0.as_mut_ptr().cast());
        stream_lines(level, item, &staged[..sources.len()], 0, destinations, place, ahead);
    }
}

by_level! {
    /// Copies a line from `offset` bytes behind each source.
    ///
    /// # Safety
    ///
    /// They may be read and written.
    load_lines = load_lines_with(sources: &[*const u8], offset: usize, to: *mut u8)
}

#[inline(always)]
unsafe fn load_lines_with<V: Vector>(sources: &[*const u8], offset: usize, to: *mut u8) {
    for (at, source) in sources.iter().enumerate() {
        for part in (0..LINE).step_by(V::BYTES) {
            // SAFETY: `part` is inside of a line, and the contract of `load_lines` is that a line
            // may be read behind each `source`, and written at `to` for each.
            unsafe { V::load(source.add(offset + part)).store(to.add(at * LINE + part)) };
        }
    }
}

by_level! {
    /// The rows from `first` on, by whole blocks; where the rows end that are in such blocks.
    ///
    /// # Safety
    ///
    /// As [`transpose`]; there are as many destinations as columns of whole blocks.
    blocks = blocks_with(
        item: usize, sources: &[*const u8], offset: usize, destinations: &[*mut u8], first: usize,
    ) -> usize
}

#[inline(always)]
unsafe fn blocks_with<V: Vector>(
    item: usize, sources: &[*const u8], offset: usize, destinations: &[*mut u8], first: usize,
) -> usize {
    // SAFETY: the contract of `blocks` is that of `blocks_of`: `item` bytes, and as many elements
    // as fill 16 bytes.
    unsafe {
        match item {
            1 => blocks_of::<V, 1, 16>(sources, offset, destinations, first),
            2 => blocks_of::<V, 2, 8>(sources, offset, destinations, first),
            4 => blocks_of::<V, 4, 4>(sources, offset, destinations, first),
            _ => blocks_of::<V, 8, 2>(sources, offset, destinations, first),
        }
    }
}

/// # Safety
///
/// As [`blocks`], for elements of `ITEM` bytes, `N` of which fill a part.
#[inline(always)]
unsafe fn blocks_of<V: Vector, const ITEM: usize, const N: usize>(
    sources: &[*const u8], offset: usize, destinations: &[*mut u8], first: usize,
) -> usize {
    let height = N * (V::BYTES / PART);
    let end = first + (sources.len() - first) / height * height;
    for a in (first..end).step_by(height) {
        for b in (0..destinations.len()).step_by(N) {
            // SAFETY: the block at row `a` and column `b` is inside of the tile, which the contract
            // of `blocks_of` covers: both are multiples of the block's sizes.
            unsafe {
                let rows = block::<V, ITEM, N>(&sources[a..a + height], offset + b * ITEM);
                for (row, destination) in rows.iter().zip(&destinations[b..b + N]) {
                    row.store(destination.add(a * ITEM));
                }
            }
        }
    }
    end
}

by_level! {
    /// Makes a line of each destination, `place` bytes behind its start, of an element of each
    /// source, and streams it. The next tile is prefetched meanwhile.
    ///
    /// # Safety
    ///
    /// As [`transpose`], for as many sources as elements are in a line, and as many destinations as
    /// columns of whole blocks; the lines are multiples of a line.
    stream_lines = stream_lines_with(
        item: usize, sources: &[*const u8], offset: usize, destinations: &[*mut u8], place: usize,
        ahead: &mut TileAhead,
    )
}

#[inline(always)]
unsafe fn stream_lines_with<V: Vector>(
    item: usize, sources: &[*const u8], offset: usize, destinations: &[*mut u8], place: usize,
    ahead: &mut TileAhead,
) {
    // SAFETY: the contract of `stream_lines` is that of `lines_of`: `item` bytes, and as many
    // elements as fill 16 bytes.
    unsafe {
        match item {
            1 => lines_of::<V, 1, 16>(sources, offset, destinations, place, ahead),
            2 => lines_of::<V, 2, 8>(sources, offset, destinations, place, ahead),
            4 => lines_of::<V, 4, 4>(sources, offset, destinations, place, ahead),
            _ => lines_of::<V, 8, 2>(sources, offset, destinations, place, ahead),
        }
    }
}

/// # Safety
///
/// As [`stream_lines`], for elements of `ITEM` bytes, `N` of which fill a part.
#[inline(always)]
unsafe fn lines_of<V: Vector, const ITEM: usize, const N: usize>(
    sources: &[*const u8], offset: usize, destinations: &[*mut u8], place: usize,
    ahead: &mut TileAhead,
) {
    // SAFETY: the contract of `lines_of` is that of `lines_by`, for the vectors of a line.
    unsafe {
        match LINE / V::BYTES {
            4 => lines_by::<V, ITEM, N, 4>(sources, offset, destinations, place, ahead),
            2 => lines_by::<V, ITEM, N, 2>(sources, offset, destinations, place, ahead),
            _ => lines_by::<V, ITEM, N, 1>(sources, offset, destinations, place, ahead),
        }
    }
}

/// All vectors of a line are there before the first one is stored, and lines are prefetched one by
/// one. Where the parts of several lines were stored in turn, or the prefetches of a tile followed
/// each other, one processor was half as fast.
///
/// # Safety
///
/// As [`lines_of`], where a line is `K` vectors.
#[inline(always)]
unsafe fn lines_by<V: Vector, const ITEM: usize, const N: usize, const K: usize>(
    sources: &[*const u8], offset: usize, destinations: &[*mut u8], place: usize,
    ahead: &mut TileAhead,
) {
    for b in (0..destinations.len()).step_by(N) {
        // SAFETY: the contract of `lines_by` is that there are sources for all `K` vectors of a
        // line, and whole blocks of `destinations`, each with room for a line behind `place`.
        unsafe {
            let blocks = blocks_of_lines::<V, ITEM, N, K>(sources, offset + b * ITEM);
            for (column, destination) in destinations[b..b + N].iter().enumerate() {
                ahead.line();
                for (number, block) in blocks.iter().enumerate() {
                    block[column].stream(destination.add(place + number * V::BYTES));
                }
            }
        }
    }
}

/// Element by element: these source and destination rows.
///
/// # Safety
///
/// As [`transpose`].
unsafe fn one_by_one(
    item: usize, sources: &[*const u8], offset: usize, destinations: &[*mut u8],
    from: Range<usize>, to: Range<usize>,
) {
    for a in from {
        for b in to.clone() {
            let (from, to) = (sources[a], destinations[b]);
            // SAFETY: `a` and `b` are an element of the tile that the contract of `one_by_one`
            // covers.
            unsafe { copy_short(from.add(offset + b * item), to.add(a * item), item) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::cpu::Machine;
    use crate::host::simd::Plain;

    /// A tile of `height` by `width` elements, somewhere in a buffer of its own, transposed.
    fn transposed(
        item: usize, height: usize, width: usize, transpose: impl Fn(&[*const u8], &[*mut u8]),
    ) {
        let element = |a: usize, b: usize, byte: usize| (7 * a + 31 * b + 101 * byte) as u8;
        let (row, gap) = (width * item, 5);
        let mut source = vec![0u8; height * (row + gap)];
        for (a, bytes) in source.chunks_mut(row + gap).enumerate() {
            bytes[..row].iter_mut().enumerate().for_each(|(at, byte)| {
                *byte = element(a, at / item, at % item);
            });
        }
        let column = height * item;
        let mut target = vec![0xA5u8; width * (column + gap)];
        let sources: Vec<_> = source.chunks(row + gap).map(<[u8]>::as_ptr).collect();
        let targets: Vec<_> = target.chunks_mut(column + gap).map(<[u8]>::as_mut_ptr).collect();
        transpose(&sources, &targets);
        for (b, bytes) in target.chunks(column + gap).enumerate() {
            for (at, byte) in bytes[..column].iter().enumerate() {
                assert_eq!(*byte, element(at / item, b, at % item), "{item} {height}x{width}");
            }
            assert!(bytes[column..].iter().all(|byte| *byte == 0xA5), "{item} {height}x{width}");
        }
    }

    #[test]
    fn every_level_transposes_tiles_of_every_size() {
        for level in Machine::get().levels() {
            for item in [1, 2, 4, 8] {
                for height in [0, 1, 3, 15, 16, 17, 33, 64, 70] {
                    for width in [0, 1, 2, 7, 8, 16, 19, 64] {
                        transposed(item, height, width, |sources, targets| {
                            // SAFETY: rows and columns are as long as that.
                            unsafe { transpose(level, item, sources, 0, targets) };
                        });
                    }
                }
            }
        }
    }

    #[test]
    fn what_needs_no_instructions_in_particular_transposes_blocks() {
        for item in [1, 2, 4, 8] {
            transposed(item, 32, 16, |sources, targets| {
                // SAFETY: as above.
                let end = unsafe { blocks_with::<Plain>(item, sources, 0, targets, 0) };
                assert_eq!(end, 32);
            });
        }
    }
}
