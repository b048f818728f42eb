//! How some lanes are cut into tiles.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tiles are cut to fit their room, and rows and bytes of a plan fit an address space"
)]

use super::super::cpu::Level;
use super::super::lines::{LINE, Soon, joinable};
use super::super::rows::{Lane, transposable};
use super::{MAX_ROWS, SCRATCH, Tile};
use crate::host::copy_list::Side;

/// Bytes of a tile of rows that are taken apart.
const TILE: usize = 8 << 10;
/// Bytes that each shard is given of a tile, at least: some lines at a time.
const GIVEN: usize = 256;
/// Bytes that each shard gives to a tile: as far as it takes a processor to foresee the rest.
const TAKEN: usize = 256;
/// The same of single elements, of which fewer shards are in a tile.
const ELEMENTS_TAKEN: usize = 1 << 10;
/// Bytes of a row that are taken apart, or put together, at a time.
const ROW_TAKEN_APART: usize = 4 << 10;
const ELEMENTS_TAKEN_APART: usize = 1 << 10;
const ROW_PUT_TOGETHER: usize = 2 << 10;
/// Bytes of a row that are put together in registers at a time, and shards.
const LINES_PUT_TOGETHER: usize = 512;
const LANES_PUT_TOGETHER: usize = 8;
/// Lines of a row that are put together of elements at a time: with one the memory is given single
/// lines here and there, and with more there are more shards than the processor foresees.
const ELEMENT_LINES: usize = 2;
/// What is put together in scratch at a time, if it can be as little.
pub(super) const CHUNK: usize = 1 << 10;

/// Where a group of lanes ends that are copied together.
pub(super) fn end(lanes: &[Lane], side: Side) -> usize {
    let Lane { run, destination, destination_step, .. } = lanes[0];
    let same = lanes.iter().take_while(|lane| lane.run == run).count();
    let element = matches!(run, 1 | 2 | 4 | 8);
    let aligned = (destination.addr() | destination_step as usize).is_multiple_of(LINE);
    let most = match side {
        Side::Destination if aligned && element && same * run >= LINE => {
            return (same * run / LINE).min(ELEMENT_LINES) * (LINE / run);
        }
        Side::Destination if aligned && joinable(run) && same * run >= LINE => {
            let most = (LINES_PUT_TOGETHER / run).clamp(1, LANES_PUT_TOGETHER);
            let in_a_line = (LINE / run).max(1);
            return same.min(most) / in_a_line * in_a_line;
        }
        Side::Destination => ROW_PUT_TOGETHER,
        Side::Source if element => ELEMENTS_TAKEN_APART,
        Side::Source => ROW_TAKEN_APART,
    };
    let (mut end, mut bytes) = (0, 0);
    while end < lanes.len() && (end == 0 || bytes + lanes[end].run <= most) {
        bytes += lanes[end].run;
        end += 1;
    }
    end
}

/// How a group of lanes is copied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    pub(super) side: Side,
    pub(super) level: Level,
    /// The run that all lanes have, if they have one.
    pub(super) run: Option<usize>,
    /// Whether these are elements to transpose.
    pub(super) elements: bool,
    /// Bytes of a row.
    pub(super) bytes: usize,
    /// Rows of a tile.
    pub(super) height: usize,
    /// Whether rows follow each other in the full tensor without a gap.
    pub(super) gapless: bool,
}

impl Group {
    /// One of no lanes.
    pub(super) fn none(level: Level) -> Self {
        let side = Side::Source;
        Self { side, level, run: None, elements: false, bytes: 0, height: 0, gapless: false }
    }

    pub(super) fn new(lanes: &[Lane], side: Side, level: Level) -> Self {
        let bytes: usize = lanes.iter().map(|lane| lane.run).sum();
        let longest = lanes.iter().map(|lane| lane.run).max().unwrap_or(1);
        let run = lanes.iter().all(|lane| lane.run == longest).then_some(longest);
        let elements = run.is_some_and(|run| transposable(run, lanes.len(), MAX_ROWS));
        let step = match side {
            Side::Source => lanes[0].source_step,
            Side::Destination => lanes[0].destination_step,
        };
        let height = match side {
            Side::Source if elements && step.unsigned_abs() < 4 << 10 => TILE / bytes,
            Side::Source => (TILE / bytes).max(GIVEN / longest),
            Side::Destination if elements => ELEMENTS_TAKEN / longest,
            Side::Destination if step == bytes as isize || longest >= LINE => TAKEN / longest,
            Side::Destination => 4 * TAKEN / longest,
        };
        // As many rows as make whole lines of each shard's, if all can be had.
        let lines = lanes.iter().map(|lane| LINE >> lane.run.trailing_zeros().min(6)).max();
        let height = height.next_multiple_of(lines.unwrap_or(1)).clamp(1, MAX_ROWS);
        Self { side, level, run, elements, bytes, height, gapless: step == bytes as isize }
    }

    /// The run that all lanes have, if outputs that are whole lines need no scratch.
    pub(super) fn run_of_lines(&self) -> Option<usize> {
        self.run.filter(|&run| self.elements || joinable(run))
    }

    /// Strips of a tile.
    pub(super) fn strips(&self, tile: &Tile) -> usize {
        match self.side {
            Side::Source => tile.rows.len(),
            Side::Destination => tile.count,
        }
    }

    /// Strip `at` of a tile.
    pub(super) fn strip(&self, tile: &Tile, at: usize) -> Soon {
        let lane = |at: usize| &tile.lanes()[at];
        match self.side {
            Side::Source => {
                Soon { place: lane(0).source_at(tile.rows.start + at), bytes: self.bytes }
            }
            Side::Destination => {
                let place = lane(at).source_at(tile.rows.start);
                Soon { place, bytes: tile.rows.len() * lane(at).run }
            }
        }
    }

    /// Of elements, as many as one line of each source; of runs that need no scratch, all.
    pub(super) fn rows_of_a_chunk(&self) -> usize {
        let most = (SCRATCH - 2 * LINE) / self.bytes;
        match self.run {
            Some(item) if self.elements => (LINE / item).min(most),
            Some(run) if joinable(run) && self.bytes <= CHUNK => most,
            _ => (CHUNK / self.bytes).min(most),
        }
        .max(1)
    }

    /// As [`Self::rows_of_a_chunk`].
    pub(super) fn lanes_of_a_chunk(&self) -> usize {
        match self.run {
            Some(item) if self.elements => {
                (SCRATCH / self.room_of_lane(item)).clamp(1, LINE / item)
            }
            Some(run) => (CHUNK / (self.height * run)).max(1),
            None => 1,
        }
    }

    /// Bytes of scratch that a lane of elements is given.
    pub(super) fn room_of_lane(&self, item: usize) -> usize {
        self.height * item + 2 * LINE
    }
}
