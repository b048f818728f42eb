//! Separating sets of boxes by guillotine cuts: planes that cross no box.
//!
//! Most partitions are made by cutting, so that some plane runs between their boxes without hitting
//! one, then others through what lies on each side of it. Boxes on different sides can't overlap,
//! and each plane is found in one pass over the boxes in the order of their starts. Sets that no
//! plane separates, or only by a sliver at a time, are returned to the caller.
//!
//! The orders of all dimensions are sorted once and split along, as a k-d tree is built, so a level
//! of cuts costs `d * n`.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "positions and ranges are made here; nothing that a caller gave is left"
)]

use std::ops::Range;

use super::ranks::{RankSpan, by_start};
use crate::geometry::steps;
use crate::memory::{self, Memory, TryVec};

/// A cut after which a part still holds more than 7/8 of the set is a poor one; after so many in a
/// row the set is left as it is. So no box takes part in more than `9 * log(n) / log(8/7)` cuts.
const POOR_CUTS: u32 = 8;

/// Sets of this many boxes are small enough.
const SMALL: usize = 22;

/// Boxes in an order in which every set is a range; boxes of different sets do not meet.
pub(crate) struct Separated {
    /// In every set, the boxes are in ascending order.
    pub(crate) order: Vec<u32>,
    pub(crate) sets: Vec<Range<usize>>,
}

/// Separates all boxes. `dims` holds a span for each box in each dimension; the boxes come in the
/// order of their starts in the last one.
pub(crate) fn separate(dims: &[Vec<RankSpan>]) -> Memory<Separated> {
    let mut cutter = GuillotineCutter::new(dims)?;
    let mut sets = Vec::new();
    let mut open = Vec::new();
    open.try_push(Open { set: 0..cutter.part_of.len(), dim: 0, poor_cuts: 0 })?;
    while let Some(Open { set, dim, poor_cuts }) = open.pop() {
        let small = set.len() <= SMALL || poor_cuts > POOR_CUTS;
        let cut = if small { None } else { cutter.cut_somewhere(&set, dim)? };
        let Some(cut) = cut else {
            sets.try_push(set)?;
            continue;
        };
        let largest = cutter.parts.iter().map(Range::len).max().unwrap_or(0);
        let poor_cuts = if largest > set.len() / 8 * 7 { poor_cuts + 1 } else { 0 };
        let dim = cut + 1;
        open.try_extend(cutter.parts.iter().cloned().map(|set| Open { set, dim, poor_cuts }))?;
    }
    Ok(Separated { order: cutter.orders.pop().unwrap_or_default(), sets })
}

/// A set that is not cut yet.
struct Open {
    set: Range<usize>,
    /// The dimension to try first: the one after that of the last cut.
    dim: usize,
    poor_cuts: u32,
}

/// Cuts sets by planes that cross no box.
struct GuillotineCutter<'a> {
    dims: &'a [Vec<RankSpan>],
    /// For each dimension, the boxes by their starts. A set is the same range in all of them.
    orders: Vec<Vec<u32>>,
    /// The part that each box of the set at hand is in.
    part_of: Vec<u32>,
    /// The parts of the set at hand.
    parts: Vec<Range<usize>>,
    /// Where the next box of each part goes.
    next: Vec<usize>,
    scratch: Vec<u32>,
}

impl<'a> GuillotineCutter<'a> {
    fn new(dims: &'a [Vec<RankSpan>]) -> Memory<Self> {
        let count = dims.first().map_or(0, Vec::len);
        let orders = memory::try_collect_results(dims.iter().map(|spans| by_start(spans)))?;
        let (part_of, scratch) = (memory::try_filled(0, count)?, memory::try_filled(0, count)?);
        let (parts, next) = Default::default();
        Ok(Self { dims, orders, part_of, parts, next, scratch })
    }

    /// Cuts a set in the first dimension, from `first` on, in which that can be done, and returns
    /// that dimension.
    fn cut_somewhere(&mut self, set: &Range<usize>, first: usize) -> Memory<Option<usize>> {
        let count = self.dims.len();
        for dim in (first..first + count).map(|dim| dim % count) {
            self.find_parts(set, dim)?;
            if self.parts.len() > 1 {
                for other in (0..count).filter(|other| *other != dim) {
                    self.split_order(set, other)?;
                }
                return Ok(Some(dim));
            }
        }
        Ok(None)
    }

    /// The parts between which planes across `dim` run. They follow each other in that order.
    fn find_parts(&mut self, set: &Range<usize>, dim: usize) -> Memory<()> {
        steps::count(set.len());
        self.parts.clear();
        let (mut start, mut furthest) = (set.start, 0);
        for at in set.clone() {
            let position = self.orders[dim][at] as usize;
            let span = self.dims[dim][position];
            if at > start && span.low >= furthest {
                self.parts.try_push(start..at)?;
                start = at;
            }
            furthest = furthest.max(span.high);
            self.part_of[position] = self.parts.len() as u32;
        }
        self.parts.try_push(start..set.end)
    }

    /// Brings the order of another dimension into the same parts, each in the order it had.
    fn split_order(&mut self, set: &Range<usize>, dim: usize) -> Memory<()> {
        steps::count(set.len());
        self.next.clear();
        self.next.try_extend(self.parts.iter().map(|part| part.start))?;
        let order = &mut self.orders[dim][set.clone()];
        for &position in order.iter() {
            let place = &mut self.next[self.part_of[position as usize] as usize];
            self.scratch[*place] = position;
            *place += 1;
        }
        order.copy_from_slice(&self.scratch[set.clone()]);
        Ok(())
    }
}
