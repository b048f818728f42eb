//! Lanes: the runs of several shards, side by side, row after row.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "rows and bytes of a plan fit an address space"
)]

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::geometry::{Loop, offsets_of_turn};
use crate::host::copy_list::{CopyList, FullSide, StridedCopy};
use crate::host::cpu::LINE;
use crate::host::tuning::MAX_LANES;
use crate::host::uninit::written;

/// One shard's runs in the rows of one innermost loop.
#[derive(Debug, Clone, Copy)]
pub(in crate::host) struct Lane {
    pub(in crate::host) source: *const u8,
    pub(in crate::host) destination: *mut u8,
    pub(in crate::host) source_step: isize,
    pub(in crate::host) destination_step: isize,
    pub(in crate::host) run: usize,
}

impl Lane {
    /// Of a piece, from `start` on (bytes on either side), what lies in the turns of `row`.
    pub(in crate::host) fn new(
        piece: &StridedCopy, start: (isize, isize), row: Option<&Loop>,
    ) -> Self {
        Self {
            source: piece.source.wrapping_offset(start.0),
            destination: piece.destination.wrapping_offset(start.1),
            source_step: row.map_or(0, |row| row.source_step),
            destination_step: row.map_or(0, |row| row.destination_step),
            run: piece.run,
        }
    }

    #[inline(always)]
    pub(in crate::host) fn source_at(&self, row: usize) -> *const u8 {
        self.source.wrapping_offset(row as isize * self.source_step)
    }

    #[inline(always)]
    pub(in crate::host) fn destination_at(&self, row: usize) -> *mut u8 {
        self.destination.wrapping_offset(row as isize * self.destination_step)
    }
}

/// Memory for the lanes that are copied together.
pub(in crate::host) type Lanes = [MaybeUninit<Lane>; MAX_LANES];

/// Runs side by side, row after row: rows are counted, and made when a kernel needs them.
#[derive(Debug, Clone, Copy)]
pub(in crate::host) enum LaneRows<'a> {
    /// Some pieces, which are neighbours in the full tensor; rows are counted through all loops.
    Neighbours { plan: &'a CopyList, first: usize, count: usize },
    /// A piece that is contiguous along one loop in the source and along another in the
    /// destination: turn `turn` of the loops above `level`, some turns of that loop, side by side
    /// in the source, and as rows the turns of the loop below it.
    Transposed {
        piece: &'a StridedCopy,
        loops: &'a [Loop],
        level: usize,
        turn: usize,
        first: usize,
        count: usize,
    },
}

impl LaneRows<'_> {
    /// The side on which the lanes are neighbours.
    pub(in crate::host) fn side(&self) -> FullSide {
        match self {
            Self::Neighbours { plan, .. } => plan.side(),
            Self::Transposed { .. } => FullSide::Source,
        }
    }

    pub(in crate::host) fn lane_count(&self) -> usize {
        match *self {
            Self::Neighbours { count, .. } | Self::Transposed { count, .. } => count,
        }
    }

    /// Some of the lanes.
    pub(in crate::host) fn part(&self, lanes: Range<usize>) -> Self {
        let mut part = *self;
        match &mut part {
            Self::Neighbours { first, count, .. } | Self::Transposed { first, count, .. } => {
                *first += lanes.start;
                *count = lanes.len();
            }
        }
        part
    }

    /// Whether there is one lane, whose runs follow each other in the destination without a gap through all
    /// turns.
    pub(super) fn are_packed(&self) -> bool {
        let Self::Neighbours { plan, first, count: 1 } = *self else { return false };
        let (piece, loops) = plan.piece(first);
        let mut bytes = piece.run as isize;
        loops.iter().rev().all(|level| {
            let follows = level.destination_step == bytes;
            bytes *= level.count as isize;
            follows
        })
    }

    /// How many rows one turn of the loops around them has.
    pub(in crate::host) fn in_a_turn(&self) -> usize {
        let innermost = |loops: &[Loop]| loops.last().map_or(1, |level| level.count);
        match *self {
            Self::Neighbours { plan, first, .. } => innermost(plan.piece(first).1),
            Self::Transposed { loops, level, .. } => loops[level + 1].count,
        }
    }

    /// The lanes in turn `turn`, as many as the memory holds.
    pub(in crate::host) fn lanes<'l>(&self, turn: usize, memory: &'l mut Lanes) -> &'l [Lane] {
        let count = self.lane_count().min(MAX_LANES);
        for (at, lane) in memory[..count].iter_mut().enumerate() {
            lane.write(self.lane(turn, at));
        }
        // SAFETY: `memory` was written up to `count` by the loop above.
        unsafe { written(&memory[..count]) }
    }

    /// Lane `at` in turn `turn`.
    pub(super) fn lane(&self, turn: usize, at: usize) -> Lane {
        let (piece, start, row) = match *self {
            Self::Neighbours { plan, first, .. } => {
                let (piece, loops) = plan.piece(first + at);
                let (innermost, outer) = loops.split_last().unzip();
                (piece, outer.map_or((0, 0), |outer| offsets_of_turn(outer, turn)), innermost)
            }
            Self::Transposed { piece, loops, level, turn, first, .. } => {
                let (source, destination) = offsets_of_turn(&loops[..level], turn);
                let at = (first + at) as isize;
                let Loop { source_step, destination_step, .. } = loops[level];
                let start = (source + at * source_step, destination + at * destination_step);
                (piece, start, loops.get(level + 1))
            }
        };
        Lane::new(piece, start, row)
    }
}

/// Whether each shard's rows follow each other without a gap.
pub(super) fn packed(lanes: &[Lane], side: FullSide) -> bool {
    lanes.iter().all(|lane| match side {
        FullSide::Source => lane.destination_step == lane.run as isize,
        FullSide::Destination => lane.source_step == lane.run as isize,
    })
}

/// Whether every run is whole lines of the destination.
pub(super) fn whole_lines(lanes: &[Lane]) -> bool {
    lanes.iter().all(|lane| {
        let places = lane.destination.addr() | lane.destination_step as usize | lane.run;
        places.is_multiple_of(LINE)
    })
}
