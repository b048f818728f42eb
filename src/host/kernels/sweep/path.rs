//! The path through the rows of all bands, in the order of their addresses in the full tensor.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "rows and bytes of a plan fit an address space, and indices are those of its own arrays"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::band::{Band, BandedPlan};
use crate::geometry::offsets_of_turn;
use crate::host::copy_list::FullSide;
use crate::host::kernels::lanes::{Lane, Lanes};
use crate::host::prefetch::Strip;
use crate::host::uninit::written;

/// A path through those rows that begin in a part of the full tensor.
#[derive(Default)]
pub(super) struct SweepPath {
    /// The place, the band and the number of the next row of each band that has some left.
    rows: BinaryHeap<Reverse<(usize, usize, usize)>>,
    /// Where the part ends.
    end: usize,
    /// Bytes of a tile, at most, if rows are not longer.
    tile: usize,
    /// The rest of some rows of one turn of a band, and the number of rows of a tile.
    band: usize,
    turn: usize,
    left: Range<usize>,
    height: usize,
    /// Bytes of the first of them that were in earlier tiles.
    inside: usize,
}

impl SweepPath {
    /// Starts at the first row of a part, and continues by tiles of `tile` bytes. Returns none
    /// where there is no memory for it.
    pub(super) fn begin(
        &mut self, bands: &BandedPlan, places: &Range<usize>, tile: usize,
    ) -> Option<()> {
        self.rows.clear();
        self.rows.try_reserve(bands.bands.len()).ok()?;
        (self.end, self.tile, self.left, self.inside) = (places.end, tile, 0..0, 0);
        for (number, band) in bands.bands.iter().enumerate() {
            if band.place < places.end && band.last_place >= places.start {
                self.push(bands, number, band.first_row_from(&bands.plan, places.start));
            }
        }
        Some(())
    }

    /// Adds the next row of a band.
    fn push(&mut self, bands: &BandedPlan, number: usize, row: usize) {
        let band = &bands.bands[number];
        if row < band.rows {
            let place = band.place_of(&bands.plan, row);
            if place < self.end {
                self.rows.push(Reverse((place, number, row)));
            }
        }
    }

    /// The next rows, with at most `max_lanes` of their lanes, if there are any.
    pub(super) fn next(
        &mut self, bands: &BandedPlan, tile: &mut SweepTile, max_lanes: usize,
    ) -> bool {
        if self.left.is_empty() && !self.next_turn(bands) {
            return false;
        }
        tile.go_to(bands, self.band, self.turn, max_lanes);
        let band = &bands.bands[self.band];
        let first = self.left.start;
        if band.pieces.len() == 1 && band.row_bytes > self.tile {
            let end = band.row_bytes.min(self.inside + self.tile);
            tile.take_part(first, self.inside..end);
            let done = end == band.row_bytes;
            (self.inside, self.left.start) = if done { (0, first + 1) } else { (end, first) };
            return true;
        }
        self.left.start = self.left.end.min(first + self.height);
        tile.rows = first..self.left.start;
        true
    }

    /// Goes to the rows with the lowest place.
    fn next_turn(&mut self, bands: &BandedPlan) -> bool {
        let Some(Reverse((place, number, row))) = self.rows.pop() else {
            return false;
        };
        let band = &bands.bands[number];
        let (turn, first) = (row / band.in_a_turn, row % band.in_a_turn);
        let mut count = band.in_a_turn - first;
        if count > 1 {
            let (_, loops) = bands.plan.piece(band.pieces.start);
            let step = loops.last().map_or(1, |level| bands.plan.full_step(level)) as usize;
            count = count.min((self.end - place).div_ceil(step));
        }
        // Tiles of a turn are of about the same height.
        let tiles = (count * band.row_bytes).div_ceil(self.tile);
        self.height = count.div_ceil(tiles.max(1));
        (self.band, self.turn, self.left) = (number, turn, first..first + count);
        self.push(bands, number, row + count);
        true
    }
}

/// Some rows of one turn, or a part of a single long one.
pub(super) struct SweepTile<'a> {
    /// The band and the turn that the lanes are those of.
    turn: Option<(usize, usize)>,
    first_piece: usize,
    /// A reference: moving the lanes themselves would take as much stack again.
    lanes: &'a mut Lanes,
    count: usize,
    rows: Range<usize>,
    row_bytes: usize,
}

impl<'a> SweepTile<'a> {
    pub(super) fn new(lanes: &'a mut Lanes) -> Self {
        Self { turn: None, first_piece: 0, lanes, count: 0, rows: 0..0, row_bytes: 0 }
    }

    /// Takes the lanes of a turn.
    fn go_to(&mut self, bands: &BandedPlan, number: usize, turn: usize, max_lanes: usize) {
        if self.turn == Some((number, turn)) {
            return;
        }
        let Band { ref pieces, in_a_turn, row_bytes, .. } = bands.bands[number];
        self.count = pieces.len().min(max_lanes);
        for (at, lane) in self.lanes[..self.count].iter_mut().enumerate() {
            let (piece, loops) = bands.plan.piece(pieces.start + at);
            let (inner, outer) = match loops.split_last() {
                Some((inner, outer)) if in_a_turn > 1 => (Some(inner), outer),
                _ => (None, loops),
            };
            lane.write(Lane::new(piece, offsets_of_turn(outer, turn), inner));
        }
        self.turn = Some((number, turn));
        (self.first_piece, self.row_bytes) = (pieces.start, row_bytes);
    }

    /// Becomes a part of row `row`, of the only lane.
    fn take_part(&mut self, row: usize, bytes: Range<usize>) {
        let lane = self.lanes()[0];
        self.lanes[0].write(Lane {
            source: lane.source_at(row).wrapping_add(bytes.start),
            destination: lane.destination_at(row).wrapping_add(bytes.start),
            run: bytes.len(),
            ..lane
        });
        // The lane is the turn's no more.
        (self.turn, self.rows, self.row_bytes) = (None, 0..1, bytes.len());
    }

    pub(super) fn lanes(&self) -> &[Lane] {
        // SAFETY: as many of `lanes` as `count` says were written where it was set, in `go_to`.
        unsafe { written(&self.lanes[..self.count]) }
    }

    pub(super) fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The pieces that the lanes are of.
    pub(super) fn pieces(&self) -> Range<usize> {
        self.first_piece..self.first_piece + self.count
    }

    pub(super) fn bytes(&self) -> usize {
        self.rows.len() * self.row_bytes
    }

    /// How many strips of memory it reads.
    pub(super) fn strip_count(&self, side: FullSide) -> usize {
        match side {
            FullSide::Source if self.is_one_strip() => 1,
            FullSide::Source => self.rows.len(),
            FullSide::Destination => self.count,
        }
    }

    /// Strip `at` of them.
    pub(super) fn strip(&self, side: FullSide, at: usize) -> Strip {
        let lanes = self.lanes();
        match side {
            FullSide::Source => {
                let start = lanes[0].source_at(self.rows.start + at);
                Strip {
                    start,
                    bytes: if self.is_one_strip() { self.bytes() } else { self.row_bytes },
                }
            }
            FullSide::Destination => {
                let start = lanes[at].source_at(self.rows.start);
                Strip { start, bytes: self.rows.len() * lanes[at].run }
            }
        }
    }

    /// Whether the rows of a full tensor that is scattered follow each other without a gap.
    fn is_one_strip(&self) -> bool {
        self.lanes()[0].source_step == self.row_bytes as isize
    }
}
