//! Finding two boxes that overlap, in `n log(n)^(d-1)` at worst.
//!
//! A sweep that asks its active set is quadratic when the active set holds everything, and a tree
//! that cuts space copies the boxes that a cut hits. Here a box that *spans* a segment of one
//! dimension is set aside for the other dimensions, so it is copied to two segments per level at
//! most (a segment tree; Zomorodian and Edelsbrunner, "Fast software for box intersections", 2002,
//! stream boxes through one in the same way, for reporting pairs between two sets):
//!
//! - all boxes that span a segment meet each other in this dimension: what is left is the same
//!   question in one dimension less;
//! - each of them meets each box that only reaches into the segment: that is the question between
//!   two sets, in one dimension less;
//! - boxes that only reach into it are asked again in its two halves.
//!
//! In the last dimension boxes are sorted by where they start, and one pass answers.
//!
//! Before that, boxes are separated where planes run between them ([`super::separate`]). What is left is
//! searched for as long as that takes about `n` steps; then every box asks the index for those that it
//! meets, which is faster where boxes of three and more dimensions are compact, as long as that takes
//! about `n` steps; and then it is searched to the end. A set for which that takes more steps than
//! comparing each with each is compared so after all. With many more dimensions than `log(n)` none is
//! known that is better: it would solve the problem of orthogonal vectors. Open comparisons are on a
//! stack of its own.
//!
//! Coordinates are replaced by their ranks among the starts of that dimension, so segments are
//! halved `log2(n)` times at most; dimensions in which all boxes meet are dropped.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "ranks, positions and ranges are made here; nothing that a caller gave is left"
)]

use std::ops::{ControlFlow, Range};

use super::rank_span::RankSpan;
use super::ranks::Ranked;
use super::separate::{Separated, separate};
use crate::geometry::box_list::BoxList;
use crate::geometry::steps;
use crate::memory::{Memory, TryVec};

/// A pair of boxes, as positions in `Ranked`.
type Pair = (u32, u32);

/// Below so many pairs, comparing them all is faster than sorting them out, in two dimensions and in
/// more: each takes part in sorting once more for each dimension and level.
const FEW_PAIRS: [usize; 2] = [256, 1 << 14];

/// Boxes that are compared for each box of a set before the index is searched, and there before all
/// boxes are searched.
const SEARCH_STEPS: u64 = 128;
const INDEX_STEPS: u64 = 192;

/// A question that is still to be asked. Sets of boxes are ranges of the search's lists.
enum Question {
    /// A pair within one set whose boxes all meet each other in the dimensions before `dim`, and
    /// need only be compared inside of `segment` in it.
    Within { set: Range<usize>, dim: usize, segment: RankSpan },
    /// The same of those of a set that meet a segment.
    WithinHalf { set: Range<usize>, dim: usize, segment: RankSpan },
    /// A pair with one box of each set, where every such pair meets in the dimensions before `dim`.
    Between { sets: [Range<usize>; 2], dim: usize, segment: RankSpan },
    /// The same of those of both sets that meet a segment.
    BetweenHalf { sets: [Range<usize>; 2], dim: usize, segment: RankSpan },
    /// Lists from here on are not needed any more.
    Forget(usize),
}

/// The search. Sets of boxes are ranges of `lists`, which is used as a stack; every list is
/// ascending, and so in the order of the starts in the last dimension.
pub(super) struct Search<'a> {
    shards: &'a BoxList,
    boxes: &'a Ranked,
    lists: Vec<u32>,
    tasks: Vec<Question>,
    /// Boxes that may still be compared before the current set is compared pair by pair.
    steps: u64,
}

impl<'a> Search<'a> {
    /// A pair of shards, by their numbers.
    pub(super) fn run(shards: &'a BoxList, boxes: &'a Ranked) -> Memory<Option<Pair>> {
        let Separated { order, sets } = separate(&boxes.dims)?;
        let mut search = Self { shards, boxes, lists: order, tasks: Vec::new(), steps: 0 };
        for set in sets {
            let found = search.ask(set)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// A pair of shards within one set: by the ways that there are, each as long as it is sure to be
    /// the faster one.
    fn ask(&mut self, set: Range<usize>) -> Memory<Option<Pair>> {
        let count = set.len() as u64;
        let shards_of =
            |boxes: &Ranked, (a, b): Pair| (boxes.shard[a as usize], boxes.shard[b as usize]);
        if let Some(found) = self.search(set.clone(), SEARCH_STEPS.saturating_mul(count))? {
            return Ok(found.map(|pair| shards_of(self.boxes, pair)));
        }
        if let Some(found) = self.ask_index(set.clone(), INDEX_STEPS.saturating_mul(count))? {
            return Ok(found);
        }
        let found = match self.search(set.clone(), count.saturating_mul(count))? {
            Some(found) => found,
            None => self.compare_within(set, 0),
        };
        Ok(found.map(|pair| shards_of(self.boxes, pair)))
    }

    /// A pair of shards, of which one is in a set, by asking for all that meet each; `None` if that
    /// takes too many steps.
    fn ask_index(&mut self, set: Range<usize>, mut steps: u64) -> Memory<Option<Option<Pair>>> {
        let index = self.shards.index()?;
        for &at in &self.lists[set] {
            let number = self.boxes.shard[at as usize];
            let mut met = None;
            if let Some(shard) = self.shards.get(number as usize) {
                let looked_at = index.visit_box_counted(shard.offsets, shard.sizes, |other| {
                    if other == number as usize {
                        return ControlFlow::Continue(());
                    }
                    met = Some((number, other as u32));
                    ControlFlow::Break(())
                });
                steps::count(looked_at);
                steps = steps.saturating_sub(looked_at as u64);
            }
            if met.is_some() {
                return Ok(Some(met));
            }
            if steps == 0 {
                return Ok(None);
            }
        }
        Ok(Some(None))
    }

    /// A pair within one set; `None` if that takes too many steps.
    fn search(&mut self, set: Range<usize>, steps: u64) -> Memory<Option<Option<Pair>>> {
        let top = self.lists.len();
        self.steps = steps;
        self.within(set, 0)?;
        while let Some(task) = self.tasks.pop() {
            if self.steps == 0 {
                self.tasks.clear();
                self.lists.truncate(top);
                return Ok(None);
            }
            let found = match task {
                Question::Within { set, dim, segment } => self.within_segment(set, dim, segment)?,
                Question::WithinHalf { set, dim, segment } => {
                    self.forget_later()?;
                    let set = self.push(set, dim, |span| span.meets(segment))?;
                    self.within_segment(set, dim, segment)?
                }
                Question::Between { sets: [a, b], dim, segment } => {
                    self.between_segment(a, b, dim, segment)?
                }
                Question::BetweenHalf { sets: [a, b], dim, segment } => {
                    self.forget_later()?;
                    let a = self.push(a, dim, |span| span.meets(segment))?;
                    let b = self.push(b, dim, |span| span.meets(segment))?;
                    self.between_segment(a, b, dim, segment)?
                }
                Question::Forget(top) => {
                    self.lists.truncate(top);
                    None
                }
            };
            if found.is_some() {
                self.tasks.clear();
                return Ok(Some(found));
            }
        }
        Ok(Some(None))
    }

    /// Lists that are made from now on are forgotten when what is asked from now on was answered.
    fn forget_later(&mut self) -> Memory<()> {
        self.tasks.try_push(Question::Forget(self.lists.len()))
    }

    /// Asks for a pair within one set whose boxes all meet each other in the dimensions before `dim`.
    fn within(&mut self, set: Range<usize>, dim: usize) -> Memory<()> {
        if set.len() < 2 {
            return Ok(());
        }
        self.tasks.try_push(Question::Within { set, dim, segment: RankSpan::EVERYTHING })
    }

    /// Whether so many pairs are compared, whose boxes may still be apart in `dim` and later ones.
    fn are_few(&self, pairs: usize, dim: usize) -> bool {
        pairs <= FEW_PAIRS[usize::from(self.boxes.dims.len() - dim > 2)]
    }

    fn within_segment(
        &mut self, set: Range<usize>, dim: usize, segment: RankSpan,
    ) -> Memory<Option<Pair>> {
        if set.len() < 2 {
            return Ok(None);
        }
        if dim + 1 == self.boxes.dims.len() {
            return Ok(self.within_last(set, dim));
        }
        if self.are_few(set.len() * set.len() / 2, dim) {
            return Ok(self.compare_within(set, dim));
        }
        self.forget_later()?;
        let segment = self.hull(set.clone(), dim).common(segment);
        let spanning = self.push(set.clone(), dim, |span| span.holds(segment))?;
        let reaching = self.push(set, dim, |span| !span.holds(segment))?;
        // The last one pushed is compared first.
        for segment in segment.halves().into_iter().rev().flatten() {
            let set = reaching.clone();
            self.tasks.try_push(Question::WithinHalf { set, dim, segment })?;
        }
        self.between(spanning.clone(), reaching, dim + 1)?;
        self.within(spanning, dim + 1)?;
        Ok(None)
    }

    /// Asks for a pair with one box of each set, where every such pair meets in the dimensions before
    /// `dim`.
    fn between(&mut self, a: Range<usize>, b: Range<usize>, dim: usize) -> Memory<()> {
        if a.is_empty() || b.is_empty() {
            return Ok(());
        }
        self.tasks.try_push(Question::Between { sets: [a, b], dim, segment: RankSpan::EVERYTHING })
    }

    fn between_segment(
        &mut self, a: Range<usize>, b: Range<usize>, dim: usize, segment: RankSpan,
    ) -> Memory<Option<Pair>> {
        if a.is_empty() || b.is_empty() {
            return Ok(None);
        }
        if self.are_few(a.len().saturating_mul(b.len()), dim) {
            return Ok(self.compare_between(a, b, dim));
        }
        self.forget_later()?;
        // Only where both sets are can a pair meet.
        let hull = self.hull(a.clone(), dim).common(segment);
        let b = self.push(b, dim, |span| span.meets(hull))?;
        let segment = self.hull(b.clone(), dim).common(hull);
        let a = self.push(a, dim, |span| span.meets(segment))?;
        if a.is_empty() || b.is_empty() {
            return Ok(None);
        }
        if dim + 1 == self.boxes.dims.len() {
            return Ok(self.between_last(a, b, dim));
        }
        let a_spanning = self.push(a.clone(), dim, |span| span.holds(segment))?;
        let a_reaching = self.push(a, dim, |span| !span.holds(segment))?;
        let b_spanning = self.push(b.clone(), dim, |span| span.holds(segment))?;
        let b_reaching = self.push(b.clone(), dim, |span| !span.holds(segment))?;
        if !a_reaching.is_empty() && !b_reaching.is_empty() {
            for segment in segment.halves().into_iter().rev().flatten() {
                let sets = [a_reaching.clone(), b_reaching.clone()];
                self.tasks.try_push(Question::BetweenHalf { sets, dim, segment })?;
            }
        }
        self.between(a_reaching, b_spanning, dim + 1)?;
        self.between(a_spanning, b, dim + 1)?;
        Ok(None)
    }

    /// Counts boxes that were compared.
    fn spend(&mut self, boxes: usize) {
        steps::count(boxes);
        self.steps = self.steps.saturating_sub(boxes as u64);
    }

    /// One set, last dimension: in the order of their starts, a box may not start before the end of
    /// any that started earlier.
    fn within_last(&mut self, set: Range<usize>, dim: usize) -> Option<Pair> {
        self.spend(set.len());
        let spans = &self.boxes.dims[dim];
        let mut furthest = (0u32, u32::MAX);
        for &at in &self.lists[set] {
            let span = spans[at as usize];
            if span.low < furthest.0 {
                return Some((furthest.1, at));
            }
            if span.high > furthest.0 {
                furthest = (span.high, at);
            }
        }
        None
    }

    /// Two sets, last dimension: the same in one pass over both, each asking the other's end.
    fn between_last(&mut self, a: Range<usize>, b: Range<usize>, dim: usize) -> Option<Pair> {
        self.spend(a.len() + b.len());
        let spans = &self.boxes.dims[dim];
        let (a, b) = (&self.lists[a], &self.lists[b]);
        let (mut next_a, mut next_b) = (0, 0);
        let mut furthest = [(0u32, u32::MAX); 2];
        while next_a < a.len() || next_b < b.len() {
            let take_a = next_b == b.len() || (next_a < a.len() && a[next_a] < b[next_b]);
            let (at, own, other) = if take_a {
                next_a += 1;
                (a[next_a - 1], 0, 1)
            } else {
                next_b += 1;
                (b[next_b - 1], 1, 0)
            };
            let span = spans[at as usize];
            if span.low < furthest[other].0 {
                return Some((furthest[other].1, at));
            }
            if span.high > furthest[own].0 {
                furthest[own] = (span.high, at);
            }
        }
        None
    }

    /// Compares each with each of those later ones that start before its end in the last dimension.
    fn compare_within(&mut self, set: Range<usize>, dim: usize) -> Option<Pair> {
        let boxes = self.boxes;
        let last = boxes.dims.last()?;
        for place in set.clone() {
            let a = self.lists[place];
            let others = &self.lists[place + 1..set.end];
            let end = last[a as usize].high;
            let near = others.iter().take_while(|&&b| last[b as usize].low < end);
            let mut looked_at = 0;
            let met = near.copied().find(|&b| {
                looked_at += 1;
                boxes.meet_from(dim, a, b)
            });
            self.spend(looked_at + 1);
            if let Some(b) = met {
                return Some((a, b));
            }
        }
        None
    }

    fn compare_between(&mut self, a: Range<usize>, b: Range<usize>, dim: usize) -> Option<Pair> {
        self.spend(a.len() * b.len());
        self.lists[a].iter().find_map(|&a| {
            let others = self.lists[b.clone()].iter();
            others.copied().find(|&b| self.boxes.meet_from(dim, a, b)).map(|b| (a, b))
        })
    }

    /// The smallest span that holds those of a set.
    fn hull(&self, set: Range<usize>, dim: usize) -> RankSpan {
        let spans = &self.boxes.dims[dim];
        self.lists[set].iter().fold(RankSpan::NOTHING, |hull, &at| hull.hull(spans[at as usize]))
    }

    /// Puts those of a set that pass on top of the stack of lists.
    fn push(
        &mut self, set: Range<usize>, dim: usize, passes: impl Fn(RankSpan) -> bool,
    ) -> Memory<Range<usize>> {
        self.spend(set.len());
        let spans = &self.boxes.dims[dim];
        let start = self.lists.len();
        self.lists.try_resize(start + set.len(), 0)?;
        let mut end = start;
        let (sources, target) = self.lists.split_at_mut(start);
        for &at in &sources[set] {
            target[end - start] = at;
            end += usize::from(passes(spans[at as usize]));
        }
        self.lists.truncate(end);
        Ok(start..end)
    }
}

#[cfg(test)]
mod tests;
