//! Choosing where to cut a set: by a sample of it, and by all of it where samples were misleading.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "places and ranges are the tree's own, and ends of boxes fit an i64"
)]

use std::ops::Range;

use super::set::{CutRule, MAX_CROSSING_CUTS, NodeSet, POOR_CUTS, PlaneCut};
use super::summary::MAX_SUMMARY_DIMS;
use super::tree::{AxisSpan, Index};
use crate::geometry::steps;
use crate::memory::{Memory, TryVec};

/// Shards of a sample that a cut is chosen by.
const SAMPLE: usize = 256;
/// Cost of a shard that a plane crosses, compared with one on the larger side.
const CROSSED_COST: usize = 8;
/// A plane that crosses no shard is looked for among one in so many shards, in so many passes, and then among
/// all.
const SOME: usize = 16;
const PASSES_OVER_SOME: usize = 16;
const PASSES: usize = 4;

/// Memory for samples, kept from one cut to the next.
#[derive(Default)]
pub(super) struct CutChooser {
    /// Places that a cut is chosen by.
    sample: Vec<usize>,
    /// Whether the sample is all of a set.
    is_all: bool,
    starts: Vec<i64>,
    ends: Vec<i64>,
    /// Some spans of a set.
    spans: Vec<AxisSpan>,
}

impl CutChooser {
    /// The plane to cut a set by, and whether it was chosen by all of its shards. `None` where no
    /// plane is good enough.
    pub(super) fn plane(
        &mut self, index: &Index, set: &NodeSet,
    ) -> Memory<Option<(PlaneCut, bool)>> {
        let step = set.places.len().div_ceil(SAMPLE);
        let are_few_dims = index.dims.len() <= MAX_SUMMARY_DIMS;
        let is_fine = set.rule == CutRule::FewCrossed && set.crossing_cuts < MAX_CROSSING_CUTS;
        if step > 1 && are_few_dims && is_fine {
            let cut = self.clean_plane(index, set, step)?;
            if cut.is_some() {
                return Ok(cut.map(|cut| (cut, false)));
            }
        }
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
        self.take_sample(set, step)?;
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

    /// A plane that crosses no shard of a set and leaves some of a sample on each side, if there is one near
    /// the best plane across a dimension by that sample. It may be a poor cut, but not two in a row.
    fn clean_plane(
        &mut self, index: &Index, set: &NodeSet, step: usize,
    ) -> Memory<Option<PlaneCut>> {
        let ndim = index.dims.len();
        self.take_sample(set, step)?;
        let mut near = [None; MAX_SUMMARY_DIMS];
        for (turn, near) in near.iter_mut().enumerate().take(ndim) {
            let dim = (usize::from(set.next) + turn) % ndim;
            if set.dims & 1 << dim == 0 {
                continue;
            }
            if let Some((cost, at)) = self.best_plane(index, dim, set.rule)? {
                let least = self.starts.len() / if set.poor_cuts == 0 { 32 } else { 8 };
                let starts = &self.starts;
                // Many may start where the set does: there must be some on the left.
                let first = starts[least].max(starts[0] + 1);
                let within = [first, starts[starts.len() - 1 - least]];
                *near = Some((cost, PlaneCut { dim, at }, within));
            }
        }
        near.sort_unstable_by_key(|near| near.map(|(cost, ..)| cost));
        for (_, cut, within) in near.into_iter().flatten() {
            if let Some(at) = self.clean_near(index, set, cut, within)? {
                return Ok(Some(PlaneCut { at, ..cut }));
            }
        }
        Ok(None)
    }

    /// A plane from the first to the last of a range that crosses no shard of a set. It is looked for from a
    /// plane on: downwards, where the first of the shards that it crosses begins, and upwards, where the last
    /// of these ends, and so on; by some of the shards before by all.
    fn clean_near(
        &mut self, index: &Index, set: &NodeSet, cut: PlaneCut, [first, last]: [i64; 2],
    ) -> Memory<Option<i64>> {
        let ndim = index.dims.len();
        let boxes = &index.boxes[set.places.start * ndim..set.places.end * ndim];
        let spans = boxes.chunks_exact(ndim).map(|spans| spans[cut.dim]);
        self.spans.clear();
        self.spans.try_extend(spans.clone().step_by(SOME))?;
        let mut planes = [cut.at; 2];
        for _ in 0..PASSES_OVER_SOME {
            steps::count(self.spans.len());
            let reached = reach(self.spans.iter().copied(), planes);
            if reached[0] < first && reached[1] > last {
                return Ok(None);
            }
            if reached == planes {
                break;
            }
            planes = reached;
        }
        for _ in 0..PASSES {
            steps::count(set.places.len());
            let reached = reach(spans.clone(), planes);
            for (at, reached) in planes.into_iter().zip(reached) {
                if at == reached && first <= at && at <= last {
                    return Ok(Some(at));
                }
            }
            if reached[0] < first && reached[1] > last {
                break;
            }
            planes = reached;
        }
        Ok(None)
    }

    /// Takes every `step`th shard of a set as a sample.
    fn take_sample(&mut self, set: &NodeSet, step: usize) -> Memory<()> {
        self.is_all = step == 1;
        self.sample.clear();
        self.sample.try_extend(set.places.clone().step_by(step))
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
                CutRule::FewCrossed => {
                    let larger = left.max(right);
                    // One that crosses none is better than one in the middle that crosses one.
                    let is_clean = left == before && larger <= count / 4 * 3;
                    let more = if self.is_all && !is_clean { count / 4 } else { 0 };
                    larger + CROSSED_COST * (before - left) + more
                }
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

/// Where the shards that a lower plane crosses begin, and where those that an upper one crosses end. The planes
/// themselves, where they cross none.
#[inline(always)]
fn reach(spans: impl Iterator<Item = AxisSpan>, [lower, upper]: [i64; 2]) -> [i64; 2] {
    let (mut start, mut end) = (lower, upper);
    for AxisSpan { low, high } in spans {
        start = start.min(if high > lower { low } else { i64::MAX });
        end = end.max(if low < upper { high } else { 0 });
    }
    [start, end]
}

#[cfg(test)]
mod tests;
