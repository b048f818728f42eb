//! Element-sized runs: tiles of the full tensor are transposed in registers.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tiles are cut to fit the scratch and the caller's rows"
)]

use std::ops::Range;

use super::lines::{LINE, Store};
use super::rows::Lane;
use super::task::offsets_of_turn;
use super::transpose::transpose;
use crate::copy::plan::{Loop, Piece};

/// Elements up to this many bytes are transposed.
pub(super) const LARGEST_ITEM: usize = 8;
/// Bytes of a tile's row in scratch, where it is contiguous in its destination.
pub(super) const ROW_BYTES: usize = 1 << 10;
/// Rows of a tile.
const TILE_ROWS: usize = 64;
/// Bytes of a tile's row where many rows are written.
const TILE_ROW_BYTES: usize = 256;
const SCRATCH_BYTES: usize = TILE_ROWS * TILE_ROW_BYTES;

/// Memory that stays in the first-level cache, aligned to lines.
#[repr(C, align(64))]
pub(super) struct Scratch {
    bytes: [std::mem::MaybeUninit<u8>; SCRATCH_BYTES],
}

const _: () = assert!(ROW_BYTES <= SCRATCH_BYTES);

impl Scratch {
    pub(super) fn new() -> Self {
        Self { bytes: [const { std::mem::MaybeUninit::uninit() }; SCRATCH_BYTES] }
    }

    pub(super) fn rows(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr().cast()
    }
}

/// Whether transposing is faster than copying runs of `run` bytes one by one.
pub(super) fn worthwhile(run: usize, lanes: usize, rows: usize) -> bool {
    let block = 16 / run.clamp(1, 16);
    matches!(run, 1 | 2 | 4 | 8) && lanes >= block && rows >= block
}

/// From rows of elements to a contiguous buffer for each column.
///
/// # Safety
///
/// The lanes' sources are neighbours, each lane's destination rows follow each other without a gap,
/// all runs have the same length, and nothing overlaps.
pub(super) unsafe fn scatter_elements(
    lanes: &[Lane], rows: Range<usize>, store: Store, scratch: &mut Scratch,
) {
    let item = lanes[0].run;
    let mut sources = [std::ptr::null(); TILE_ROW_BYTES];
    let mut targets = [std::ptr::null_mut(); TILE_ROWS];
    let mut row = rows.start;
    while row < rows.end {
        let height = aligned_height(lanes[0].destination_at(row), item, rows.end - row, store);
        for group in lanes.chunks(TILE_ROWS) {
            for (at, source) in sources[..height].iter_mut().enumerate() {
                *source = group[0].source_at(row + at);
            }
            for (at, (target, lane)) in targets.iter_mut().zip(group).enumerate() {
                *target = if store.stream {
                    scratch.rows().wrapping_add(at * TILE_ROW_BYTES)
                } else {
                    lane.destination_at(row)
                };
            }
            // SAFETY: a tile of the caller's rows and lanes, or as much scratch.
            unsafe {
                transpose(item, &sources[..height], &targets[..group.len()]);
                if store.stream {
                    for (target, lane) in targets.iter().zip(group) {
                        store.copy(*target, lane.destination_at(row), height * item);
                    }
                }
            }
        }
        row += height;
    }
}

/// From a contiguous buffer for each column to rows of elements.
///
/// # Safety
///
/// As [`scatter_elements`], with sources and destinations exchanged.
pub(super) unsafe fn gather_elements(
    lanes: &[Lane], rows: Range<usize>, store: Store, scratch: &mut Scratch,
) {
    let item = lanes[0].run;
    let width = TILE_ROW_BYTES / item;
    let mut sources = [std::ptr::null(); TILE_ROW_BYTES];
    let mut targets = [std::ptr::null_mut(); TILE_ROWS];
    for group in lanes.chunks(width) {
        let row_bytes = group.len() * item;
        let mut row = rows.start;
        while row < rows.end {
            let height = TILE_ROWS.min(rows.end - row);
            for (source, lane) in sources.iter_mut().zip(group) {
                *source = lane.source_at(row);
            }
            // Rows that follow each other in the destination do so in scratch: one store for all.
            let gapless = group[0].destination_step == row_bytes as isize;
            for (at, target) in targets[..height].iter_mut().enumerate() {
                *target = if store.stream {
                    scratch.rows().wrapping_add(at * row_bytes)
                } else {
                    group[0].destination_at(row + at)
                };
            }
            // SAFETY: a tile of the caller's rows and lanes, or as much scratch.
            unsafe {
                transpose(item, &sources[..group.len()], &targets[..height]);
                if store.stream && gapless {
                    let destination = group[0].destination_at(row);
                    store.copy(scratch.rows(), destination, height * row_bytes);
                } else if store.stream {
                    for (at, target) in targets[..height].iter().enumerate() {
                        store.copy(*target, group[0].destination_at(row + at), row_bytes);
                    }
                }
            }
            row += height;
        }
    }
}

/// A piece that is contiguous along one loop in the source and along another in the destination:
/// turns `units` of the loops down to `level`, each with all turns of the loop below it.
///
/// # Safety
///
/// All of that may be read and written, and nothing overlaps.
pub(super) unsafe fn copy_transposed(
    piece: &Piece, loops: &[Loop], level: usize, units: Range<usize>, store: Store,
) {
    let item = piece.run;
    let (outer, inner) = (loops[level], loops[level + 1]);
    let mut scratch = Scratch::new();
    let mut unit = units.start;
    while unit < units.end {
        let (turn, first) = (unit / outer.count, unit % outer.count);
        let last = (first + units.end - unit).min(outer.count);
        let (source, destination) = offsets_of_turn(&loops[..level], turn);
        let plane = Plane {
            source: piece.source.wrapping_offset(source),
            destination: piece.destination.wrapping_offset(destination),
            source_step: inner.source_step,
            destination_step: outer.destination_step,
            item,
        };
        // SAFETY: a part of the caller's.
        unsafe { plane.copy(inner.count, first..last, store, &mut scratch) };
        unit += last - first;
    }
}

/// Two dimensions of a transposed copy: `a` is contiguous in the destination, `b` in the source.
struct Plane {
    source: *const u8,
    destination: *mut u8,
    /// Along `a`.
    source_step: isize,
    /// Along `b`.
    destination_step: isize,
    item: usize,
}

impl Plane {
    /// # Safety
    ///
    /// `count_a` by `range_b` elements may be read and written, and nothing overlaps.
    unsafe fn copy(
        &self, count_a: usize, range_b: Range<usize>, store: Store, scratch: &mut Scratch,
    ) {
        let item = self.item;
        let mut sources = [std::ptr::null(); TILE_ROW_BYTES];
        let mut targets = [std::ptr::null_mut(); TILE_ROWS];
        let mut a = 0;
        while a < count_a {
            let start = self.destination.wrapping_add(a * item);
            let height = aligned_height(start, item, count_a - a, store);
            // Along the source's contiguous dimension innermost: whole lines of it, in order.
            for b in range_b.clone().step_by(TILE_ROWS) {
                let width = TILE_ROWS.min(range_b.end - b);
                for (at, source) in sources[..height].iter_mut().enumerate() {
                    let row = self.source.wrapping_offset((a + at) as isize * self.source_step);
                    *source = row.wrapping_add(b * item);
                }
                let destination_at =
                    |b: usize| start.wrapping_offset(b as isize * self.destination_step);
                for (at, target) in targets[..width].iter_mut().enumerate() {
                    *target = if store.stream {
                        scratch.rows().wrapping_add(at * TILE_ROW_BYTES)
                    } else {
                        destination_at(b + at)
                    };
                }
                // SAFETY: a tile of the caller's, or as much scratch.
                unsafe {
                    transpose(item, &sources[..height], &targets[..width]);
                    if store.stream {
                        for (at, target) in targets[..width].iter().enumerate() {
                            store.copy(*target, destination_at(b + at), height * item);
                        }
                    }
                }
            }
            a += height;
        }
    }
}

/// How many elements to write from `place` on: a tile's row, or fewer so that the next ones start
/// with a line.
fn aligned_height(place: *mut u8, item: usize, left: usize, store: Store) -> usize {
    let whole = TILE_ROW_BYTES / item;
    let to_line = place.align_offset(LINE);
    let height = if store.stream && to_line > 0 && to_line.is_multiple_of(item) {
        to_line / item
    } else {
        whole
    };
    height.min(left)
}
