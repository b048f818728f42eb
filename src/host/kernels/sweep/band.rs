//! Bands of a full tensor: rows of pieces that lie side by side.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "rows and bytes of a plan fit an address space, and indices are those of its own arrays"
)]

use std::ops::Range;

use crate::geometry::{Loop, offsets_of_turn, turns};
use crate::host::copy_list::{CopyList, FullSide};
use crate::host::tuning::MAX_LANES;

/// Copies between a full tensor and its shards, cut into bands.
pub(super) struct BandedPlan {
    pub(super) plan: CopyList,
    pub(super) bands: Vec<Band>,
}

/// Pieces that are neighbours in the full tensor and go through the same rows.
#[derive(Debug, Clone)]
pub(super) struct Band {
    pub(super) pieces: Range<usize>,
    /// Where the first row begins, and the last one.
    pub(super) place: usize,
    pub(super) last_place: usize,
    /// Rows of all turns, and those that follow each other closely.
    pub(super) rows: usize,
    pub(super) in_a_turn: usize,
    pub(super) row_bytes: usize,
}

impl Band {
    /// Returns none where the rows' places do not rise from one to the next, where a shard's rows
    /// do not follow each other, or where rows have too many runs.
    pub(super) fn new(plan: &CopyList, pieces: Range<usize>) -> Option<Self> {
        let (_, loops) = plan.piece(pieces.start);
        let row_bytes = pieces.clone().map(|at| plan.piece(at).0.run).sum();
        let mut min_step = row_bytes;
        for level in loops.iter().rev() {
            let step = usize::try_from(plan.full_step(level)).ok()?;
            if step < min_step {
                return None;
            }
            min_step = step.checked_mul(level.count)?;
        }
        let follow_closely = |level: &&Loop| plan.full_step(level) < 2 * row_bytes as isize;
        let mut band = Self {
            place: plan.full_place(pieces.start),
            last_place: 0,
            rows: turns(loops),
            in_a_turn: loops.last().filter(follow_closely).map_or(1, |level| level.count),
            row_bytes,
            pieces,
        };
        band.last_place = band.place_of(plan, band.rows - 1);
        let packed = |at: usize| {
            let (piece, loops) = plan.piece(at);
            loops.last().is_none_or(|level| plan.shard_step(level) == piece.run as isize)
        };
        let packed = band.in_a_turn == 1 || band.pieces.clone().all(packed);
        (packed && band.pieces.len() <= MAX_LANES).then_some(band)
    }

    /// The address at which a row begins.
    pub(super) fn place_of(&self, plan: &CopyList, row: usize) -> usize {
        let (source, destination) = offsets_of_turn(plan.piece(self.pieces.start).1, row);
        self.place.wrapping_add_signed(match plan.side() {
            FullSide::Source => source,
            FullSide::Destination => destination,
        })
    }

    /// The first row that begins at `place` or behind it.
    pub(super) fn first_row_from(&self, plan: &CopyList, place: usize) -> usize {
        if place <= self.place {
            return 0;
        }
        let (mut low, mut high) = (0, self.rows);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.place_of(plan, middle) < place {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}
