//! Dividing shards into the tree of an [`Index`].
//!
//! A set is cut by a plane, at the start of one of its shards, into those on the left of it, those
//! on the right of it, and those that it goes through. No shard is stored twice. The last kind all
//! meet in the dimension of the cut, so where shards do not overlap they lie apart in the others,
//! and only in those they are cut from then on: a point is looked for in `log(n)^d` nodes at worst,
//! whatever the shape of the partition. Most partitions were made by cutting; there hardly any shard
//! is gone through, sets do not overlap, and what is visited is about what is found.
//!
//! Where to cut is decided by a sample of the set, and exactly where samples were misleading. Some
//! partitions leave no cheap plane that takes off more than a sliver: those that were peeled. They
//! are cut in the middle all the same, whatever the plane goes through. Where no plane halves a set
//! at all, the shards overlap, mostly, and their corners are halved instead: the set is a set of
//! points, of `2 * d` coordinates each, and becomes a k-d tree. In up to three dimensions each of its
//! nodes first takes out the shards that reach furthest in every direction (Arge, de Berg, Haverkort
//! and Yi, "The Priority R-tree", 2004), so that a question visits `n^(1 - 1/d)` nodes in vain at
//! worst.
//!
//! Building takes `n * log(n)` for every dimension, whatever the shards are: each cut but a few
//! leaves no part with more than 7/8 of the set, or the corners are halved from there on.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "places and ranges are the tree's own, and ends of boxes fit an i64"
)]

use std::cmp::Ordering;
use std::ops::Range;

use super::tree::{AxisSpan, Index, Node};
use crate::geometry::steps;
use crate::memory::{self, Memory, TryVec};

/// Most children of a node.
const FAN_OUT: usize = 8;
/// Shards that are looked at to find a cut.
const SAMPLE: usize = 256;
/// What a shard that a plane goes through costs, compared with one on the larger side.
const GONE_THROUGH: usize = 8;
/// A cut after which one part holds more than 7/8 of the set is a poor one; after so many in a row
/// the next is chosen by looking at all shards.
const POOR_CUTS: u8 = 3;
/// How often all shards of a set are looked at for one cut, of this set and those it was cut from.
const EXACT_CUTS: u8 = 4;
/// Nodes above a set that is cut by planes. What is below them is halved, so that a tree of 2^32
/// shards has no more than 56 levels.
const PLANE_DEPTH: u8 = 24;
/// Dimensions up to which what reaches furthest is taken out of a set first.
const PRIORITY_DIMS: usize = 3;

/// The index of the boxes `owners`, which are not empty, in `n * log(n)`. Of all boxes of a list,
/// `offsets` and `sizes` have `ndim` numbers each.
pub(crate) fn build(
    ndim: usize, owners: Vec<u32>, offsets: &[i64], sizes: &[i64],
) -> Memory<Index> {
    let span_of = |owner: u32, dim: usize| {
        let at = owner as usize * ndim + dim;
        AxisSpan::new(offsets[at], sizes[at])
    };
    let mut index = Index {
        dims: Vec::new(),
        common: Vec::new(),
        nodes: Vec::new(),
        hulls: Vec::new(),
        shards: Vec::new(),
        boxes: Vec::new(),
    };
    let Some(&first) = owners.first() else {
        return Ok(index);
    };
    for dim in 0..ndim {
        let span = span_of(first, dim);
        if owners.iter().all(|&owner| span_of(owner, dim) == span) {
            index.common.try_push((dim, span))?;
        } else {
            index.dims.try_push(dim)?;
        }
    }
    if index.dims.is_empty() {
        // All own the same box; any dimension will do, if there is one.
        index.dims.try_extend(index.common.pop().map(|(dim, _)| dim))?;
    }
    index.boxes = memory::try_with_capacity(owners.len() * index.dims.len())?;
    for &owner in &owners {
        index.boxes.extend(index.dims.iter().map(|&dim| span_of(owner, dim)));
    }
    index.shards = owners;
    let ndim = index.dims.len();
    let (sample, starts, ends) = Default::default();
    TreeBuilder { ndim, index: &mut index, sample, starts, ends }.grow()?;
    Ok(index)
}

/// How a set and its parts are divided. Each way is taken where the one before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By planes that go through few shards.
    Cheap,
    /// By planes that leave no large part.
    Balanced,
    /// At the median of a coordinate of the shards' corners.
    Corners,
}

/// Shards that are next to each other in the tree's order.
#[derive(Debug, Clone)]
struct Set {
    places: Range<usize>,
    /// The dimensions to cut in, a bit for each.
    dims: u32,
    /// The one to try first: that after the last cut's. Of corners, the coordinate: first their lows,
    /// then their highs.
    next: u8,
    way: Way,
    poor_cuts: u8,
    /// How often all shards may be looked at yet.
    exact_cuts: u8,
    /// Nodes above the set.
    depth: u8,
}

/// Where a set is cut.
#[derive(Debug, Clone, Copy)]
struct PlaneCut {
    dim: usize,
    at: i64,
}

struct TreeBuilder<'a> {
    ndim: usize,
    index: &'a mut Index,
    /// Places that a cut is chosen by.
    sample: Vec<usize>,
    starts: Vec<i64>,
    ends: Vec<i64>,
}

impl TreeBuilder<'_> {
    /// Makes all nodes, level by level.
    fn grow(&mut self) -> Memory<()> {
        let count = self.index.shards.len();
        let all = Set {
            places: 0..count,
            dims: u32::MAX,
            next: 0,
            way: Way::Cheap,
            poor_cuts: 0,
            exact_cuts: EXACT_CUTS,
            depth: 0,
        };
        self.index.nodes = memory::try_with_capacity(count / 4 + 1)?;
        self.index.hulls = memory::try_with_capacity((count / 4 + 1) * self.ndim)?;
        let mut sets = Vec::new();
        sets.try_push(all.clone())?;
        self.push_node(&all)?;
        let mut node = 0;
        let mut parts = memory::try_with_capacity(FAN_OUT + 2)?;
        while let Some(set) = sets.get(node).cloned() {
            if set.places.len() > FAN_OUT {
                let depth = set.depth + 1;
                self.divide(set, &mut parts)?;
                let first = self.index.nodes.len() as u32;
                self.index.nodes[node] = Node { first, count: parts.len() as u16, is_leaf: false };
                for part in parts.drain(..) {
                    let way = if depth < PLANE_DEPTH { part.way } else { Way::Corners };
                    self.push_node(&part)?;
                    sets.try_push(Set { depth, way, ..part })?;
                }
            }
            node += 1;
        }
        Ok(())
    }

    /// Adds a leaf; it becomes more if it holds too much for one.
    fn push_node(&mut self, set: &Set) -> Memory<()> {
        let first = set.places.start as u32;
        let count = set.places.len() as u16;
        self.index.nodes.try_push(Node { first, count, is_leaf: true })?;
        steps::count(set.places.len());
        let boxes = &self.index.boxes[set.places.start * self.ndim..set.places.end * self.ndim];
        for dim in 0..self.ndim {
            let spans = boxes.iter().skip(dim).step_by(self.ndim);
            let hull = spans.fold(AxisSpan { low: i64::MAX, high: i64::MIN }, |hull, span| {
                AxisSpan { low: hull.low.min(span.low), high: hull.high.max(span.high) }
            });
            self.index.hulls.try_push(hull)?;
        }
        Ok(())
    }

    /// Cuts a set, and always the largest of what it was cut into, until there are enough parts for
    /// a node.
    fn divide(&mut self, set: Set, parts: &mut Vec<Set>) -> Memory<()> {
        let extremes = 2 * self.ndim * FAN_OUT;
        let priority = set.way == Way::Corners && self.ndim <= PRIORITY_DIMS;
        if priority && set.places.len() > 4 * extremes {
            return self.divide_by_priority(set, parts);
        }
        parts.try_push(set)?;
        while parts.len() + 2 <= FAN_OUT {
            let largest = (0..parts.len()).max_by_key(|&part| parts[part].places.len());
            let Some(part) = largest.filter(|&part| parts[part].places.len() > FAN_OUT) else {
                break;
            };
            let set = parts.swap_remove(part);
            self.cut_in_parts(set, parts)?;
        }
        Ok(())
    }

    /// Takes a leaf of those that reach furthest in each direction out of a set and halves the rest.
    fn divide_by_priority(&mut self, set: Set, parts: &mut Vec<Set>) -> Memory<()> {
        let Range { mut start, end } = set.places;
        for coordinate in 0..2 * self.ndim {
            // The lows that are lowest, and the highs that are highest.
            let (least, rest) = (coordinate < self.ndim, end - start);
            let at = if least { FAN_OUT - 1 } else { rest - FAN_OUT };
            let key = self.nth_coordinate(&(start..end), coordinate, at)?;
            self.part_by(&(start..end), coordinate, |value| {
                if least { value.cmp(&key) } else { key.cmp(&value) }
            });
            parts.try_push(Set { places: start..start + FAN_OUT, ..set.clone() })?;
            start += FAN_OUT;
        }
        self.halve_corners(Set { places: start..end, ..set }, parts)
    }

    /// Cuts a set in two or three.
    fn cut_in_parts(&mut self, set: Set, parts: &mut Vec<Set>) -> Memory<()> {
        let cut = if set.way == Way::Corners { None } else { self.choose_cut(&set)? };
        let Some((cut, exactly)) = cut else {
            return self.halve_corners(set, parts);
        };
        let Range { start, end } = set.places;
        let (middle, right) = self.part(&set.places, cut);
        let places = [start..middle, middle..right, right..end];
        let poor = places.iter().any(|part| part.len() > (end - start) / 8 * 7);
        let poor_cuts = if poor { set.poor_cuts.saturating_add(1) } else { 0 };
        let way = match set.way {
            Way::Balanced if poor => Way::Corners,
            Way::Cheap if poor_cuts > POOR_CUTS => Way::Balanced,
            way => way,
        };
        let exact_cuts = set.exact_cuts - u8::from(exactly);
        for (part, places) in places.into_iter().enumerate().filter(|(_, part)| !part.is_empty()) {
            let is_gone_through = part == 1;
            let dims = if is_gone_through { set.dims & !(1 << cut.dim) } else { set.dims };
            let next = cut.dim as u8 + 1;
            parts.try_push(Set { places, dims, next, way, poor_cuts, exact_cuts, ..set })?;
        }
        Ok(())
    }

    /// Halves a set at the median of the next coordinate that is not the same for all corners.
    fn halve_corners(&mut self, set: Set, parts: &mut Vec<Set>) -> Memory<()> {
        let Range { start, end } = set.places;
        let middle = start + (end - start) / 2;
        let mut next = set.next;
        for turn in 0..2 * self.ndim {
            let coordinate = (usize::from(set.next) + turn) % (2 * self.ndim);
            let median = self.nth_coordinate(&set.places, coordinate, middle - start)?;
            let (less, greater) = self.part_by(&set.places, coordinate, |value| value.cmp(&median));
            if less > start || greater < end {
                next = coordinate as u8 + 1;
                break;
            }
        }
        for places in [start..middle, middle..end] {
            parts.try_push(Set { places, next, way: Way::Corners, ..set })?;
        }
        Ok(())
    }

    /// The coordinate of corners that is number `nth` of a set, by size.
    fn nth_coordinate(&mut self, set: &Range<usize>, coordinate: usize, nth: usize) -> Memory<i64> {
        steps::count(set.len());
        self.starts.clear();
        self.starts
            .try_extend(set.clone().map(|place| self.index.coordinate(place, coordinate)))?;
        Ok(*self.starts.select_nth_unstable(nth).1)
    }

    /// Where to cut, and whether all shards were looked at for that. `None` where no plane was found
    /// that could do.
    fn choose_cut(&mut self, set: &Set) -> Memory<Option<(PlaneCut, bool)>> {
        let step = set.places.len().div_ceil(SAMPLE);
        let misled = set.way == Way::Cheap && set.poor_cuts >= POOR_CUTS && set.exact_cuts > 0;
        let sampled = if misled && step > 1 { None } else { self.best_cut(set, step)? };
        Ok(match sampled {
            Some(cut) => Some((cut, false)),
            None if step == 1 || set.exact_cuts == 0 => None,
            None => self.best_cut(set, 1)?.map(|cut| (cut, true)),
        })
    }

    /// The best cut by what every `step`th shard of a set is like: in the dimension where the largest
    /// part and what the plane goes through are fewest. `None` where all start alike in every
    /// dimension.
    fn best_cut(&mut self, set: &Set, step: usize) -> Memory<Option<PlaneCut>> {
        self.sample.clear();
        self.sample.try_extend(set.places.clone().step_by(step))?;
        self.best_cut_of_sample(set)
    }

    fn best_cut_of_sample(&mut self, set: &Set) -> Memory<Option<PlaneCut>> {
        let mut best: Option<(usize, PlaneCut)> = None;
        let enough = self.sample.len().div_ceil(2);
        for turn in 0..self.ndim {
            let dim = (usize::from(set.next) + turn) % self.ndim;
            if set.dims & 1 << dim == 0 {
                continue;
            }
            let Some((cost, at)) = self.best_plane(dim, set.way)? else {
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

    /// The best plane across a dimension, and its cost: the larger side's number of shards, and
    /// more for those that it goes through; or that of the largest part.
    fn best_plane(&mut self, dim: usize, way: Way) -> Memory<Option<(usize, i64)>> {
        steps::count(self.sample.len());
        let spans = self.sample.iter().map(|place| self.index.boxes[place * self.ndim + dim]);
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
            let cost = match way {
                Way::Cheap => left.max(right) + GONE_THROUGH * (before - left),
                Way::Balanced | Way::Corners => left.max(right).max(before - left),
            };
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, at));
            }
        }
        Ok(best)
    }

    /// Puts what is left of a cut to the front of a set and what is right of it to the back; tells
    /// where the shards that it goes through start and end.
    fn part(&mut self, set: &Range<usize>, cut: PlaneCut) -> (usize, usize) {
        let ndim = self.ndim;
        self.part_in_three(set, |index, place| {
            let span = index.boxes[place * ndim + cut.dim];
            if span.high <= cut.at {
                Ordering::Less
            } else if span.low >= cut.at {
                Ordering::Greater
            } else {
                Ordering::Equal
            }
        })
    }

    /// As [`Self::part`], by a coordinate of the shards' corners.
    fn part_by(
        &mut self, set: &Range<usize>, coordinate: usize, side: impl Fn(i64) -> Ordering,
    ) -> (usize, usize) {
        self.part_in_three(set, |index, place| side(index.coordinate(place, coordinate)))
    }

    #[inline]
    fn part_in_three(
        &mut self, set: &Range<usize>, side: impl Fn(&Index, usize) -> Ordering,
    ) -> (usize, usize) {
        steps::count(set.len());
        let Range { start: mut left, end: mut right } = *set;
        let mut at = left;
        while at < right {
            match side(self.index, at) {
                Ordering::Less => {
                    self.swap(at, left);
                    left += 1;
                    at += 1;
                }
                Ordering::Greater => {
                    right -= 1;
                    // What is on its side already stays: boxes in order are not moved at all.
                    while right > at && side(self.index, right) == Ordering::Greater {
                        right -= 1;
                    }
                    self.swap(at, right);
                }
                Ordering::Equal => at += 1,
            }
        }
        (left, right)
    }

    #[inline(always)]
    fn swap(&mut self, a: usize, b: usize) {
        if a == b {
            return;
        }
        self.index.shards.swap(a, b);
        for dim in 0..self.ndim {
            self.index.boxes.swap(a * self.ndim + dim, b * self.ndim + dim);
        }
    }
}
