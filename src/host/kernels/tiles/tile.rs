//! Tiles: how the rows of all groups of lanes are walked.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tiles are cut to fit their memory, and rows and bytes of a plan fit an address space"
)]

use std::ops::Range;

use super::group::{self, LaneGroup};
use crate::host::copy_list::FullSide;
use crate::host::cpu::LINE;
use crate::host::kernels::lanes::{Lane, LaneRows, Lanes};
use crate::host::stream::StoreMode;
use crate::host::uninit::written;

/// The rows that are not copied yet: the rest of a group's rows, and then other groups.
pub(super) struct TileWalk<'a> {
    pub(super) rows: &'a LaneRows<'a>,
    pub(super) units: Range<usize>,
    /// The group: its first lane, their number, and the next of its rows.
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) row: usize,
    pub(super) group: LaneGroup,
}

/// Some rows of one turn.
pub(super) struct Tile<'a> {
    pub(super) group: LaneGroup,
    /// The number of the group's first lane.
    pub(super) first: usize,
    /// A reference: moving the lanes themselves would take as much stack again.
    lanes: &'a mut Lanes,
    pub(super) count: usize,
    /// The turn that the lanes are those of.
    turn: Option<usize>,
    /// Whether the destinations of that turn are all multiples of a line.
    is_aligned: bool,
    pub(super) rows: Range<usize>,
}

impl<'a> Tile<'a> {
    pub(super) fn new(store: StoreMode, lanes: &'a mut Lanes) -> Self {
        let group = LaneGroup::none(store);
        Self {
            group,
            first: usize::MAX,
            lanes,
            count: 0,
            turn: None,
            is_aligned: false,
            rows: 0..0,
        }
    }

    /// The next rows, if there are any.
    pub(super) fn go_on(&mut self, walk: &mut TileWalk) -> bool {
        if walk.row == walk.units.end && !self.go_to_next_group(walk) {
            return false;
        }
        let in_a_turn = walk.rows.in_a_turn();
        let (turn, first) = (walk.row / in_a_turn, walk.row % in_a_turn);
        let last = in_a_turn.min(first + walk.group.height.min(walk.units.end - walk.row));
        if self.first != walk.first || self.turn != Some(turn) {
            let group = walk.rows.part(walk.first..walk.first + walk.count);
            self.count = group.lanes(turn, self.lanes).len();
            (self.first, self.turn, self.group) = (walk.first, Some(turn), walk.group);
            self.is_aligned =
                self.lanes().iter().all(|lane| lane.destination.addr().is_multiple_of(LINE));
        }
        self.rows = first..last;
        walk.row += last - first;
        true
    }

    /// Whether there is another group; the tile is that group's then, and its lanes are to be set.
    fn go_to_next_group(&mut self, walk: &mut TileWalk) -> bool {
        walk.first += walk.count;
        walk.count = 0;
        let all = walk.rows.lane_count();
        if walk.first == all || walk.units.is_empty() {
            return false;
        }
        self.turn = None;
        let rest = walk.rows.part(walk.first..all);
        let lanes = rest.lanes(walk.units.start / rest.in_a_turn(), self.lanes);
        let side = rest.side();
        if !group::pay(lanes, side) {
            return false;
        }
        walk.count = group::end(lanes, side);
        walk.group = LaneGroup::new(&lanes[..walk.count], side, walk.group.store);
        walk.row = walk.units.start;
        true
    }

    pub(super) fn lanes(&self) -> &[Lane] {
        // SAFETY: as many of `lanes` as `count` says were written where it was set.
        unsafe { written(&self.lanes[..self.count]) }
    }

    /// How many strips of memory the tile reads: the rows of a tensor that is scattered, the lanes
    /// of shards that are gathered.
    pub(super) fn strip_count(&self) -> usize {
        match self.group.side {
            FullSide::Source => self.rows.len(),
            FullSide::Destination => self.count,
        }
    }

    /// Where strip `at` starts.
    pub(super) fn strip(&self, at: usize) -> *const u8 {
        match self.group.side {
            FullSide::Source => self.lanes()[0].source_at(self.rows.start + at),
            FullSide::Destination => self.lanes()[at].source_at(self.rows.start),
        }
    }

    /// Bytes of a strip; of lanes that differ, on average.
    pub(super) fn strip_bytes(&self) -> usize {
        match self.group.side {
            FullSide::Source => self.group.bytes,
            FullSide::Destination => self.bytes().div_ceil(self.count),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.rows.len() * self.group.bytes
    }

    /// The run of all lanes, if each output of a scatter is whole lines.
    pub(super) fn run_of_lines(&self) -> Option<usize> {
        let is_line = |rows: usize, run: usize| (rows * run).is_multiple_of(LINE);
        self.group.run_of_lines().filter(|&run| {
            self.is_aligned && is_line(self.rows.start, run) && is_line(self.rows.len(), run)
        })
    }
}
