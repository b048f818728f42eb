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

use super::rank_span::RankSpan;
use super::ranks::by_start;
use crate::geometry::steps;
use crate::memory::{self, Memory, TryVec};

/// A cut after which a part still holds more than 7/8 of the set is a poor one; after so many in a
/// row the set is left as it is. So no box takes part in more than `9 * log(n) / log(8/7)` cuts.
const POOR_CUTS: u32 = 8;

/// Sets of this many boxes are small enough.
const SMALL: usize = 22;

/// A set of this many boxes, which were all over the memory of a larger one, is gathered in memory of its
/// own, which stays in the second-level cache. A million shuffled boxes of four dimensions: 930 ms without,
/// 760 with.
const MAX_GATHERED: usize = 1 << 13;

/// Boxes in an order in which every set is a range; boxes of different sets do not meet.
pub(crate) struct Separated {
    /// In every set, the boxes are in ascending order.
    pub(crate) order: Vec<u32>,
    pub(crate) sets: Vec<Range<usize>>,
}

/// Separates all boxes. `dims` holds a span for each box in each dimension; the boxes come in the
/// order of their starts in the last one.
pub(crate) fn separate(dims: &[Vec<RankSpan>]) -> Memory<Separated> {
    let orders = memory::try_collect_results(dims.iter().map(|spans| by_start(spans)))?;
    let mut cutter = GuillotineCutter::new(dims, orders)?;
    let mut sets = Vec::new();
    let all = Open { set: 0..cutter.part_of.len(), dim: 0, poor_cuts: 0 };
    cutter.cut_all(all, MAX_GATHERED, &mut sets)?;
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
    fn new(dims: &'a [Vec<RankSpan>], orders: Vec<Vec<u32>>) -> Memory<Self> {
        let count = dims.first().map_or(0, Vec::len);
        let (part_of, scratch) = (memory::try_filled(0, count)?, memory::try_filled(0, count)?);
        let (parts, next) = Default::default();
        Ok(Self { dims, orders, part_of, parts, next, scratch })
    }

    /// Cuts a set, and what it is cut into, as far as that can be done. Sets of `most` boxes or fewer are
    /// gathered first.
    fn cut_all(&mut self, all: Open, most: usize, sets: &mut Vec<Range<usize>>) -> Memory<()> {
        let mut open = Vec::new();
        open.try_push(all)?;
        while let Some(next) = open.pop() {
            if next.set.len() <= SMALL || next.poor_cuts > POOR_CUTS {
                sets.try_push(next.set)?;
                continue;
            }
            if next.set.len() <= most {
                self.cut_gathered(next, sets)?;
                continue;
            }
            let Some(cut) = self.cut_somewhere(&next.set, next.dim)? else {
                sets.try_push(next.set)?;
                continue;
            };
            let largest = self.parts.iter().map(Range::len).max().unwrap_or(0);
            let is_poor = largest > next.set.len() / 8 * 7;
            let poor_cuts = if is_poor { next.poor_cuts + 1 } else { 0 };
            let part = |set| Open { set, dim: cut + 1, poor_cuts };
            open.try_extend(self.parts.iter().cloned().map(part))?;
        }
        Ok(())
    }

    /// The same of a set whose boxes are gathered, in their order.
    fn cut_gathered(&mut self, all: Open, sets: &mut Vec<Range<usize>>) -> Memory<()> {
        let Open { set, dim, poor_cuts } = all;
        steps::count(set.len());
        let Some(order) = self.orders.last() else { return Ok(()) };
        let boxes = memory::try_to_vec(&order[set.clone()])?;
        for (place, &position) in (0u32..).zip(&boxes) {
            self.part_of[position as usize] = place;
        }
        let spans_of =
            |spans: &Vec<RankSpan>| memory::try_collect(boxes.iter().map(|&at| spans[at as usize]));
        let dims = memory::try_collect_results(self.dims.iter().map(spans_of))?;
        let order_of = |order: &Vec<u32>| {
            memory::try_collect(order[set.clone()].iter().map(|&at| self.part_of[at as usize]))
        };
        let orders = memory::try_collect_results(self.orders.iter().map(order_of))?;
        let mut gathered = GuillotineCutter::new(&dims, orders)?;
        let first = sets.len();
        gathered.cut_all(Open { set: 0..boxes.len(), dim, poor_cuts }, 0, sets)?;
        for own in &mut sets[first..] {
            *own = own.start + set.start..own.end + set.start;
        }
        let orders = self.orders.last_mut().zip(gathered.orders.last());
        if let Some((order, own)) = orders {
            let places = order[set].iter_mut().zip(own);
            places.for_each(|(position, &place)| *position = boxes[place as usize]);
        }
        Ok(())
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
        // Slices of their own, which pushing a part does not change.
        let (order, spans) = (&self.orders[dim][set.clone()], &*self.dims[dim]);
        let part_of = &mut *self.part_of;
        let (mut start, mut furthest, mut part) = (set.start, 0, 0);
        for (at, &position) in set.clone().zip(order) {
            let position = position as usize;
            let span = spans[position];
            if at > start && span.low >= furthest {
                self.parts.try_push(start..at)?;
                (start, part) = (at, part + 1);
            }
            furthest = furthest.max(span.high);
            part_of[position] = part;
        }
        self.parts.try_push(start..set.end)
    }

    /// Brings the order of another dimension into the same parts, each in the order it had.
    fn split_order(&mut self, set: &Range<usize>, dim: usize) -> Memory<()> {
        steps::count(set.len());
        let (order, part_of) = (&mut self.orders[dim][set.clone()], &*self.part_of);
        let scratch = &mut self.scratch[..order.len()];
        if let [first, _] = &*self.parts {
            // The usual number. Both places stay in registers.
            let (mut lower, mut upper) = (0, first.len());
            for &position in &*order {
                let is_upper = part_of[position as usize] != 0;
                scratch[if is_upper { upper } else { lower }] = position;
                upper += usize::from(is_upper);
                lower += usize::from(!is_upper);
            }
        } else {
            self.next.clear();
            self.next.try_extend(self.parts.iter().map(|part| part.start - set.start))?;
            let next = &mut *self.next;
            for &position in &*order {
                let place = &mut next[part_of[position as usize] as usize];
                scratch[*place] = position;
                *place += 1;
            }
        }
        order.copy_from_slice(scratch);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::families::{self, Cut};
    use crate::common::{Boxes, Random};
    use crate::geometry::box_list::BoxList;
    use crate::geometry::ranks::{Ranked, ranked_dims};

    fn ranked(boxes: Boxes) -> Ranked {
        let count = boxes.len();
        let list = BoxList::new_checked(boxes.ndim, count, boxes.offsets, boxes.sizes).unwrap();
        let owners = list.not_empty().unwrap();
        Ranked::new(ranked_dims(&list, &owners).unwrap(), owners).unwrap()
    }

    /// The sets, of which sets of some size are gathered first.
    fn sets(dims: &[Vec<RankSpan>], gathered: usize) -> Vec<Vec<u32>> {
        let orders = dims.iter().map(|spans| by_start(spans).unwrap()).collect();
        let mut cutter = GuillotineCutter::new(dims, orders).unwrap();
        let (all, mut sets) = (0..cutter.part_of.len(), Vec::new());
        cutter.cut_all(Open { set: all, dim: 0, poor_cuts: 0 }, gathered, &mut sets).unwrap();
        let order = cutter.orders.pop().unwrap();
        let mut sets: Vec<_> = sets.into_iter().map(|set| order[set].to_vec()).collect();
        sets.sort_unstable();
        sets
    }

    /// Asserts that each box is in one set, and that boxes of different sets do not meet.
    fn assert_separates(boxes: &Ranked, sets: &[Vec<u32>]) {
        let count = boxes.shard.len();
        let mut set_of = vec![usize::MAX; count];
        for (number, set) in sets.iter().enumerate() {
            assert!(set.windows(2).all(|pair| pair[0] < pair[1]), "{set:?}");
            for &at in set {
                assert_eq!(std::mem::replace(&mut set_of[at as usize], number), usize::MAX);
            }
        }
        assert!(!set_of.contains(&usize::MAX));
        for a in 0..count {
            for b in (0..a).filter(|&b| set_of[a] != set_of[b]) {
                assert!(!boxes.meet_from(0, a as u32, b as u32));
            }
        }
    }

    #[test]
    fn boxes_of_different_sets_do_not_meet_whichever_sets_are_gathered() {
        let mut random = Random::new(3);
        let mut cuts = vec![
            families::grid(&[9, 11], &[2, 3]),
            families::halved(4, 8),
            families::packed_rods(4),
            families::peeled(2, 120),
            families::slabs(60),
            families::nested(50),
        ];
        for _ in 0..8 {
            cuts.push(families::partition(&[64; 3], 250, &mut random));
            cuts.push(families::pinwheels(&[1 << 12; 2], 250, &mut random));
        }
        for Cut { sizes, mut boxes } in cuts {
            // Some boxes more, so that some sets hold boxes that meet.
            for _ in 0..random.below(3) {
                let offsets: Vec<i64> = sizes.iter().map(|&size| random.range(0, size)).collect();
                boxes.push(&offsets, &vec![1; sizes.len()]);
            }
            let boxes = ranked(boxes.shuffled(&mut random));
            let found = sets(&boxes.dims, MAX_GATHERED);
            assert_separates(&boxes, &found);
            for gathered in [0, SMALL, SMALL + 1, 60] {
                assert_eq!(sets(&boxes.dims, gathered), found);
            }
            let Separated { order, sets } = separate(&boxes.dims).unwrap();
            let mut own: Vec<_> = sets.into_iter().map(|set| order[set].to_vec()).collect();
            own.sort_unstable();
            assert_eq!(own, found);
        }
    }

    #[test]
    fn what_planes_take_apart_ends_in_small_sets() {
        let mut random = Random::new(4);
        for count in [SMALL, SMALL + 1, 500] {
            let boxes = ranked(families::partition(&[1 << 20; 3], count, &mut random).boxes);
            for gathered in [0, MAX_GATHERED] {
                let sets = sets(&boxes.dims, gathered);
                let largest = sets.iter().map(Vec::len).max().unwrap();
                assert!(largest <= SMALL && (count > SMALL || sets.len() == 1), "{largest}");
            }
        }
    }

    /// Each plane takes one box away. The last one that does it well is that after which 7/8 remain.
    #[test]
    fn a_set_of_which_planes_take_slivers_is_left_after_nine() {
        for count in [200, 201, 400] {
            let boxes = ranked(families::peeled(3, count).boxes);
            for gathered in [0, MAX_GATHERED] {
                let mut lengths: Vec<usize> =
                    sets(&boxes.dims, gathered).iter().map(Vec::len).collect();
                lengths.sort_unstable();
                assert_eq!(lengths, [vec![1; 9], vec![count as usize + 1 - 9]].concat());
            }
        }
    }

    /// Slices of a square that are peeled off, each several boxes that are equal: as few as a cut that is no
    /// poor one takes, or one less. What is left are equal boxes as well.
    fn slices(count: usize, are_good: &[bool]) -> (Ranked, Vec<usize>) {
        let (mut boxes, mut lengths, mut left) = (Boxes::new(2), Vec::new(), count);
        let (mut low, high) = ([0; 2], are_good.len() as i64 + 1);
        for (turn, &is_good) in are_good.iter().enumerate() {
            let mut sizes = low.map(|low| high - low);
            sizes[turn % 2] = 1;
            let eighth = left - left / 8 * 7;
            lengths.push(if is_good { eighth } else { eighth - 1 });
            (0..lengths[turn]).for_each(|_| boxes.push(&low, &sizes));
            low[turn % 2] += 1;
            left -= lengths[turn];
        }
        (0..left).for_each(|_| boxes.push(&low, &low.map(|low| high - low)));
        lengths.push(left);
        (ranked(boxes), lengths)
    }

    #[test]
    fn planes_that_take_an_eighth_go_on_and_nine_that_take_less_end_the_cuts() {
        let (good, poor) = (true, false);
        let cases = [
            (176, vec![good; 11], 11),
            (500, [vec![poor; 8], vec![good], vec![poor; 8], vec![good; 2]].concat(), 19),
            (300, [vec![poor; 9], vec![good; 3]].concat(), 9),
            (500, [vec![good, poor], vec![good], vec![poor; 9], vec![good; 2]].concat(), 12),
        ];
        for (count, are_good, cuts) in cases {
            let (boxes, mut expected) = slices(count, &are_good);
            let rest = expected.split_off(cuts).into_iter().sum();
            expected.push(rest);
            expected.sort_unstable();
            for gathered in [0, 100, MAX_GATHERED] {
                let mut lengths: Vec<usize> =
                    sets(&boxes.dims, gathered).iter().map(Vec::len).collect();
                lengths.sort_unstable();
                assert_eq!(lengths, expected, "{are_good:?}");
            }
        }
    }
}
