//! The way through the rows of all bands, in the order in which they lie in the full tensor.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "rows and bytes of a plan fit an address space, and indices are those of its own arrays"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::super::lines::Soon;
use super::super::rows::{Lane, Lanes};
use super::{Band, Sweep};
use crate::geometry::offsets_of_turn;
use crate::host::copy_list::Side;
use crate::host::room::written;

/// A way through those rows that begin in a part of the full tensor.
#[derive(Default)]
pub(super) struct Path {
    /// The place, the band and the number of the next row of each band that has some left.
    rows: BinaryHeap<Reverse<(usize, usize, usize)>>,
    /// Where the part ends.
    end: usize,
    /// Bytes of a tile, at most, if rows are not longer.
    tile: usize,
    /// What is left of some rows of one turn of a band, and how many of them are a tile.
    band: usize,
    turn: usize,
    left: Range<usize>,
    height: usize,
    /// Bytes of the first of them that are done with.
    inside: usize,
}

impl Path {
    /// Goes to where a part begins; from there on by tiles of so many bytes. None where there is no memory
    /// for it.
    pub(super) fn begin(
        &mut self, sweep: &Sweep, places: &Range<usize>, tile: usize,
    ) -> Option<()> {
        self.rows.clear();
        self.rows.try_reserve(sweep.bands.len()).ok()?;
        (self.end, self.tile, self.left, self.inside) = (places.end, tile, 0..0, 0);
        for (number, band) in sweep.bands.iter().enumerate() {
            if band.place < places.end && band.last_place >= places.start {
                self.push(sweep, number, band.first_row_from(&sweep.plan, places.start));
            }
        }
        Some(())
    }

    /// Notes the next row of a band.
    fn push(&mut self, sweep: &Sweep, number: usize, row: usize) {
        let band = &sweep.bands[number];
        if row < band.rows {
            let place = band.place_of(&sweep.plan, row);
            if place < self.end {
                self.rows.push(Reverse((place, number, row)));
            }
        }
    }

    /// The next rows, with `most` of their lanes, if there are any.
    pub(super) fn next(&mut self, sweep: &Sweep, tile: &mut Tile, most: usize) -> bool {
        if self.left.is_empty() && !self.next_turn(sweep) {
            return false;
        }
        tile.go_to(sweep, self.band, self.turn, most);
        let band = &sweep.bands[self.band];
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
    fn next_turn(&mut self, sweep: &Sweep) -> bool {
        let Some(Reverse((place, number, row))) = self.rows.pop() else {
            return false;
        };
        let band = &sweep.bands[number];
        let (turn, first) = (row / band.in_a_turn, row % band.in_a_turn);
        let mut count = band.in_a_turn - first;
        if count > 1 {
            let (_, loops) = sweep.plan.piece(band.pieces.start);
            let step = loops.last().map_or(1, |level| sweep.plan.full_step(level)) as usize;
            count = count.min((self.end - place).div_ceil(step));
        }
        // Tiles of a turn are about as high as each other.
        let tiles = (count * band.row_bytes).div_ceil(self.tile);
        self.height = count.div_ceil(tiles.max(1));
        (self.band, self.turn, self.left) = (number, turn, first..first + count);
        self.push(sweep, number, row + count);
        true
    }
}

/// Some rows of one turn, or a part of a single long one.
pub(super) struct Tile<'a> {
    /// The band and the turn that the lanes are those of.
    turn: Option<(usize, usize)>,
    first_piece: usize,
    /// Apart: moving them about would take as much stack again.
    lanes: &'a mut Lanes,
    count: usize,
    rows: Range<usize>,
    row_bytes: usize,
}

impl<'a> Tile<'a> {
    pub(super) fn new(lanes: &'a mut Lanes) -> Self {
        Self { turn: None, first_piece: 0, lanes, count: 0, rows: 0..0, row_bytes: 0 }
    }

    /// Takes the lanes of a turn.
    fn go_to(&mut self, sweep: &Sweep, number: usize, turn: usize, most: usize) {
        if self.turn == Some((number, turn)) {
            return;
        }
        let Band { ref pieces, in_a_turn, row_bytes, .. } = sweep.bands[number];
        self.count = pieces.len().min(most);
        for (at, lane) in self.lanes[..self.count].iter_mut().enumerate() {
            let (piece, loops) = sweep.plan.piece(pieces.start + at);
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
        // SAFETY: as many were written.
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

    /// How many stretches of memory are read for it.
    pub(super) fn strips(&self, side: Side) -> usize {
        match side {
            Side::Source if self.is_one_strip() => 1,
            Side::Source => self.rows.len(),
            Side::Destination => self.count,
        }
    }

    /// One of them.
    pub(super) fn strip(&self, side: Side, at: usize) -> Soon {
        let lanes = self.lanes();
        match side {
            Side::Source => {
                let place = lanes[0].source_at(self.rows.start + at);
                Soon {
                    place,
                    bytes: if self.is_one_strip() { self.bytes() } else { self.row_bytes },
                }
            }
            Side::Destination => {
                let place = lanes[at].source_at(self.rows.start);
                Soon { place, bytes: self.rows.len() * lanes[at].run }
            }
        }
    }

    /// Whether rows that are taken apart follow each other without a gap.
    fn is_one_strip(&self) -> bool {
        self.lanes()[0].source_step == self.row_bytes as isize
    }
}
