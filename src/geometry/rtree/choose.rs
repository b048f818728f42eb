//! Choosing where to cut a set: by a sample of it, and by all of it where samples were misleading.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "places and ranges are the tree's own, and ends of boxes fit an i64"
)]

use std::ops::Range;

use super::set::{CutRule, NodeSet, POOR_CUTS, PlaneCut};
use super::tree::Index;
use crate::geometry::steps;
use crate::memory::{Memory, TryVec};

/// Shards of a sample that a cut is chosen by.
const SAMPLE: usize = 256;
/// Cost of a shard that a plane crosses, compared with one on the larger side.
const CROSSED_COST: usize = 8;

/// Memory for samples, kept from one cut to the next.
#[derive(Default)]
pub(super) struct CutChooser {
    /// Places that a cut is chosen by.
    sample: Vec<usize>,
    starts: Vec<i64>,
    ends: Vec<i64>,
}

impl CutChooser {
    /// The plane to cut a set by, and whether it was chosen by all of its shards. `None` where no
    /// plane is good enough.
    pub(super) fn plane(
        &mut self, index: &Index, set: &NodeSet,
    ) -> Memory<Option<(PlaneCut, bool)>> {
        let step = set.places.len().div_ceil(SAMPLE);
        let misled =
            set.rule == CutRule::FewCrossed && set.poor_cuts >= POOR_CUTS && set.exact_cuts > 0;
        let sampled = if misled && step > 1 { None } else { self.best_cut(index, set, step)? };
        Ok(match sampled {
            Some(cut) => Some((cut, false)),
            None if step == 1 || set.exact_cuts == 0 => None,
            None => self.best_cut(index, set, 1)?.map(|cut| (cut, true)),
        })
    }

    /// The best cut by a sample, every `step`th shard of a set: in the dimension with the smallest
    /// largest part and the fewest crossed shards. `None` where all start alike in every dimension.
    fn best_cut(&mut self, index: &Index, set: &NodeSet, step: usize) -> Memory<Option<PlaneCut>> {
        self.sample.clear();
        self.sample.try_extend(set.places.clone().step_by(step))?;
        self.best_cut_of_sample(index, set)
    }

    fn best_cut_of_sample(&mut self, index: &Index, set: &NodeSet) -> Memory<Option<PlaneCut>> {
        let ndim = index.dims.len();
        let mut best: Option<(usize, PlaneCut)> = None;
        let enough = self.sample.len().div_ceil(2);
        for turn in 0..ndim {
            let dim = (usize::from(set.next) + turn) % ndim;
            if set.dims & 1 << dim == 0 {
                continue;
            }
            let Some((cost, at)) = self.best_plane(index, dim, set.rule)? else {
                continue;
            };
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, PlaneCut { dim, at }));
            }
            // No other dimension can do better.
            if cost <= enough {
                break;
            }
        }
        Ok(best.map(|(_, cut)| cut))
    }

    /// The best plane across a dimension, and its cost: the number of shards on the larger side plus
    /// [`CROSSED_COST`] for each crossed one, or the number of shards in the largest part.
    fn best_plane(
        &mut self, index: &Index, dim: usize, rule: CutRule,
    ) -> Memory<Option<(usize, i64)>> {
        steps::count(self.sample.len());
        let ndim = index.dims.len();
        let spans = self.sample.iter().map(|place| index.boxes[place * ndim + dim]);
        self.starts.clear();
        self.ends.clear();
        self.starts.try_reserve(self.sample.len())?;
        self.ends.try_reserve(self.sample.len())?;
        for span in spans {
            self.starts.push(span.low);
            self.ends.push(span.high);
        }
        self.starts.sort_unstable();
        self.ends.sort_unstable();
        let count = self.starts.len();
        let mut left = 0;
        let mut best = None;
        for before in 1..count {
            let at = self.starts[before];
            if at == self.starts[before - 1] {
                continue;
            }
            left += self.ends[left..].iter().take_while(|end| **end <= at).count();
            let right = count - before;
            let cost = match rule {
                CutRule::FewCrossed => left.max(right) + CROSSED_COST * (before - left),
                CutRule::Balanced | CutRule::Corners => left.max(right).max(before - left),
            };
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, at));
            }
        }
        Ok(best)
    }

    /// The `nth` smallest value of a coordinate of the corners of a set.
    pub(super) fn nth_coordinate(
        &mut self, index: &Index, set: &Range<usize>, coordinate: usize, nth: usize,
    ) -> Memory<i64> {
        steps::count(set.len());
        self.starts.clear();
        self.starts.try_extend(set.clone().map(|place| index.coordinate(place, coordinate)))?;
        Ok(*self.starts.select_nth_unstable(nth).1)
    }
}
