//! Transposed tensors, square by square: the rows of both sides are at regular steps, so that nothing has to
//! be listed. A square has as many elements in a row as a line has, and as many rows.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "rows and bytes of a plan fit an address space, and a square has at most a line's bytes of rows"
)]

use std::ops::Range;

use super::blocks::{PART, blocks_of_lines, is_element};
use super::lanes::LaneRows;
use crate::host::cpu::LINE;
use crate::host::options::PrefetchInto;
use crate::host::prefetch::prefetch;
use crate::host::simd::{Vector, by_level};
use crate::host::stream::StoreMode;
use crate::host::tuning::{SQUARES_ROW, SQUARES_ROWS};

/// Parts of a line.
const PARTS: usize = LINE / PART;

/// What was copied in squares: the first lanes, in the rows before `end`.
pub(super) struct Copied {
    pub(super) lanes: usize,
    pub(super) end: usize,
}

/// Copies what can be copied in squares. Destinations begin with a line, and stores are non-temporal.
///
/// # Safety
///
/// As `rows::copy`.
pub(super) unsafe fn copy(rows: &LaneRows, units: &Range<usize>, store: StoreMode) -> Copied {
    let none = Copied { lanes: 0, end: units.start };
    let LaneRows::Transposed { piece, loops, level, .. } = *rows else {
        return none;
    };
    if !store.streaming || !is_element(piece.run) {
        return none;
    }
    let (of_a_line, first, to_step) =
        (LINE / piece.run, rows.lane(0, 0), loops[level].destination_step);
    let whole = |count: usize| count / of_a_line * of_a_line;
    let squares = Squares {
        from: first.source_at(units.start),
        from_step: first.source_step,
        rows: whole(units.len()),
        to: first.destination_at(units.start),
        to_step,
        columns: whole(rows.lane_count()),
    };
    if !(squares.to.addr() | to_step as usize).is_multiple_of(LINE) {
        return none;
    }
    // SAFETY: the elements of a transposed piece are contiguous along its lanes in the source and along its
    // rows in the destination: the contract of `copy` covers those in `squares`.
    unsafe { copy_squares(store.level, piece.run, squares, store.prefetch.into) };
    Copied { lanes: squares.columns, end: units.start + squares.rows }
}

/// Some rows of elements, whose columns become the rows of the destination.
#[derive(Debug, Clone, Copy)]
pub(super) struct Squares {
    from: *const u8,
    from_step: isize,
    /// A multiple of a square's; so for the columns.
    rows: usize,
    to: *mut u8,
    to_step: isize,
    columns: usize,
}

by_level! {
    /// Copies all squares; elements have 1, 2, 4 or 8 bytes.
    ///
    /// # Safety
    ///
    /// Their elements may be read and written, and nothing overlaps. The rows of the destination are
    /// multiples of a line.
    copy_squares = copy_squares_with(item: usize, all: Squares, into: PrefetchInto)
}

#[inline(always)]
unsafe fn copy_squares_with<V: Vector>(item: usize, all: Squares, into: PrefetchInto) {
    // SAFETY: the contract of `copy_squares` is that of `copy_tiles`: `item` bytes, and as many elements
    // as fill 16 bytes.
    unsafe {
        match item {
            1 => copy_tiles::<V, 1, 16>(all, into),
            2 => copy_tiles::<V, 2, 8>(all, into),
            4 => copy_tiles::<V, 4, 4>(all, into),
            _ => copy_tiles::<V, 8, 2>(all, into),
        }
    }
}

/// Tiles of some squares, those below each other first. The next tile is prefetched, a line with each line.
///
/// # Safety
///
/// As [`copy_squares`], for elements of `ITEM` bytes, `N` of which fill a part.
#[inline(always)]
unsafe fn copy_tiles<V: Vector, const ITEM: usize, const N: usize>(
    all: Squares, into: PrefetchInto,
) {
    let side = LINE / ITEM;
    for column in (0..all.columns).step_by(SQUARES_ROW / ITEM) {
        let columns = (SQUARES_ROW / ITEM).min(all.columns - column);
        for row in (0..all.rows).step_by(SQUARES_ROWS.max(side)) {
            let rows = SQUARES_ROWS.max(side).min(all.rows - row);
            let tile = all.at(row, column, ITEM);
            let mut below = TileBelow::new(tile.from, rows, all.from_step, columns * ITEM, into);
            for across in (0..columns).step_by(side) {
                for down in (0..rows).step_by(side) {
                    // SAFETY: the square at row `down` and column `across` of the `tile` is inside of
                    // what the contract of `copy_tiles` covers.
                    unsafe {
                        let square = tile.at(down, across, ITEM);
                        match LINE / V::BYTES {
                            1 => copy_square::<V, ITEM, N, 1>(square, &mut below),
                            2 => copy_square::<V, ITEM, N, 2>(square, &mut below),
                            _ => copy_square::<V, ITEM, N, 4>(square, &mut below),
                        }
                    }
                }
            }
        }
    }
}

impl Squares {
    /// The same from an element on.
    #[inline(always)]
    fn at(mut self, row: usize, column: usize, item: usize) -> Self {
        let (row_step, column_step) =
            (row as isize * self.from_step, column as isize * self.to_step);
        self.from = self.from.wrapping_offset(row_step).wrapping_add(column * item);
        self.to = self.to.wrapping_offset(column_step).wrapping_add(row * item);
        self
    }

    #[inline(always)]
    fn row(&self, row: usize) -> *const u8 {
        self.from.wrapping_offset(row as isize * self.from_step)
    }

    #[inline(always)]
    fn line(&self, column: usize) -> *mut u8 {
        self.to.wrapping_offset(column as isize * self.to_step)
    }
}

/// A square, of which a part of 16 bytes of each row is read at a time.
///
/// # Safety
///
/// As [`copy_tiles`], for the square with which `all` begins; a line is `K` vectors.
#[inline(always)]
unsafe fn copy_square<V: Vector, const ITEM: usize, const N: usize, const K: usize>(
    all: Squares, below: &mut TileBelow,
) {
    let mut rows = [std::ptr::null(); LINE];
    rows[..LINE / ITEM].iter_mut().enumerate().for_each(|(row, place)| *place = all.row(row));
    for part in 0..PARTS {
        // SAFETY: a `part` of each row of the square may be read, and a line of each `column` written, by
        // the contract of `copy_square`.
        unsafe {
            let blocks = blocks_of_lines::<V, ITEM, N, K>(&rows[..LINE / ITEM], part * PART);
            for column in 0..N {
                below.line();
                let to = all.line(part * N + column);
                for (number, block) in blocks.iter().enumerate() {
                    block[column].stream(to.wrapping_add(number * V::BYTES));
                }
            }
        }
    }
}

/// What is prefetched: the rows below a tile, line by line.
struct TileBelow {
    next: *const u8,
    end: *const u8,
    step: isize,
    bytes: usize,
    into: PrefetchInto,
}

impl TileBelow {
    fn new(tile: *const u8, rows: usize, step: isize, bytes: usize, into: PrefetchInto) -> Self {
        let next = tile.wrapping_offset(rows as isize * step);
        Self { next, end: next.wrapping_add(bytes), step, bytes, into }
    }

    #[inline(always)]
    fn line(&mut self) {
        prefetch(self.next, self.into);
        self.next = self.next.wrapping_add(LINE);
        if self.next == self.end {
            self.end = self.end.wrapping_offset(self.step);
            self.next = self.end.wrapping_sub(self.bytes);
        }
    }
}
