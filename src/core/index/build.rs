//! Dividing shards into the tree of an [`Index`].
//!
//! A set is cut by a plane, at the start of one of its shards, into those on the left of it, those
//! on the right of it, and those that it goes through. No shard is stored twice. The last kind all
//! meet in the dimension of the cut, so where shards do not overlap they lie apart in the others,
//! and only in those they are cut from then on: a point is looked for in `log(n)^d` nodes at worst,
//! whatever the shape of the partition. Most partitions were made by cutting; there hardly any shard
//! is gone through, sets do not overlap, and what is visited is about what is found.
//!
//! Where to cut is decided by a sample of the set, and exactly where samples were misleading. Sets
//! of shards that overlap so that no plane takes them apart are halved as they come.

use std::ops::Range;

use super::{Index, Node, Span};
use crate::core::error::{Result, try_with_capacity};
use crate::core::shards::Shards;

/// Most children of a node.
const FAN_OUT: usize = 8;
/// Shards that are looked at to find a cut.
const SAMPLE: usize = 256;
/// What a shard that a plane goes through costs, compared with one on the larger side.
const GONE_THROUGH: usize = 8;
/// A cut after which one part holds more than 7/8 of the set is a poor one; after so many in a row
/// the next is chosen by looking at all shards.
const POOR_CUTS: u8 = 3;

/// The index of the shards that own something.
pub(super) fn index(shards: &Shards) -> Result<Index> {
    let ndim = shards.ndim();
    let mut owners: Vec<u32> = try_with_capacity("the index", shards.len())?;
    owners.extend(
        (0u32..).zip(shards.iter()).filter(|(_, shard)| !shard.is_empty()).map(|(index, _)| index),
    );
    let span_of = |owner: u32, dim: usize| {
        let at = owner as usize * ndim + dim;
        Span::new(shards.offsets()[at], shards.sizes()[at])
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
            index.common.push((dim, span));
        } else {
            index.dims.push(dim);
        }
    }
    if index.dims.is_empty() {
        // All own the same box; any dimension will do, if there is one.
        index.dims.extend(index.common.pop().map(|(dim, _)| dim));
    }
    index.boxes = try_with_capacity("the index", owners.len() * index.dims.len())?;
    for &owner in &owners {
        index.boxes.extend(index.dims.iter().map(|&dim| span_of(owner, dim)));
    }
    index.shards = owners;
    let ndim = index.dims.len();
    let (sample, starts, ends) = Default::default();
    Builder { ndim, index: &mut index, sample, starts, ends }.grow()?;
    Ok(index)
}

/// Shards that are next to each other in the tree's order.
#[derive(Debug, Clone)]
struct Set {
    places: Range<usize>,
    /// The dimensions to cut in, a bit for each.
    dims: u32,
    /// The one to try first: that after the last cut's.
    next: u8,
    poor_cuts: u8,
}

/// Where a set is cut.
#[derive(Debug, Clone, Copy)]
struct Cut {
    dim: usize,
    at: i64,
}

struct Builder<'a> {
    ndim: usize,
    index: &'a mut Index,
    /// Places that a cut is chosen by.
    sample: Vec<usize>,
    starts: Vec<i64>,
    ends: Vec<i64>,
}

impl Builder<'_> {
    /// Makes all nodes, level by level.
    fn grow(&mut self) -> Result<()> {
        let count = self.index.shards.len();
        let all = Set { places: 0..count, dims: u32::MAX, next: 0, poor_cuts: 0 };
        self.index.nodes = try_with_capacity("the index", count / 4 + 1)?;
        self.index.hulls = try_with_capacity("the index", (count / 4 + 1) * self.ndim)?;
        let mut sets = vec![all.clone()];
        self.push_node(&all);
        let mut node = 0;
        let mut parts = Vec::with_capacity(FAN_OUT + 2);
        while let Some(set) = sets.get(node).cloned() {
            if set.places.len() > FAN_OUT {
                self.divide(set, &mut parts);
                let first = self.index.nodes.len() as u32;
                self.index.nodes[node] = Node { first, count: parts.len() as u16, is_leaf: false };
                for part in parts.drain(..) {
                    self.push_node(&part);
                    sets.push(part);
                }
            }
            node += 1;
        }
        Ok(())
    }

    /// Adds a leaf; it becomes more if it holds too much for one.
    fn push_node(&mut self, set: &Set) {
        let first = set.places.start as u32;
        self.index.nodes.push(Node { first, count: set.places.len() as u16, is_leaf: true });
        let boxes = &self.index.boxes[set.places.start * self.ndim..set.places.end * self.ndim];
        for dim in 0..self.ndim {
            let spans = boxes.iter().skip(dim).step_by(self.ndim);
            let hull = spans.fold(Span { low: i64::MAX, high: i64::MIN }, |hull, span| Span {
                low: hull.low.min(span.low),
                high: hull.high.max(span.high),
            });
            self.index.hulls.push(hull);
        }
    }

    /// Cuts a set, and always the largest of what it was cut into, until there are enough parts for
    /// a node.
    fn divide(&mut self, set: Set, parts: &mut Vec<Set>) {
        parts.push(set);
        while parts.len() + 2 <= FAN_OUT {
            let largest = (0..parts.len()).max_by_key(|&part| parts[part].places.len());
            let Some(part) = largest.filter(|&part| parts[part].places.len() > FAN_OUT) else {
                break;
            };
            let set = parts.swap_remove(part);
            self.cut_in_parts(set, parts);
        }
    }

    /// Cuts a set in two or three.
    fn cut_in_parts(&mut self, set: Set, parts: &mut Vec<Set>) {
        let Range { start, end } = set.places;
        let Some(cut) = self.choose_cut(&set) else {
            let middle = start + (end - start) / 2;
            parts.push(Set { places: start..middle, ..set.clone() });
            parts.push(Set { places: middle..end, ..set });
            return;
        };
        let (middle, right) = self.part(&set.places, cut);
        let places = [start..middle, middle..right, right..end];
        let poor = places.iter().any(|part| part.len() > (end - start) / 8 * 7);
        let poor_cuts = if poor { set.poor_cuts.saturating_add(1) } else { 0 };
        for (part, places) in places.into_iter().enumerate().filter(|(_, part)| !part.is_empty()) {
            let is_gone_through = part == 1;
            let dims = if is_gone_through { set.dims & !(1 << cut.dim) } else { set.dims };
            parts.push(Set { places, dims, next: cut.dim as u8 + 1, poor_cuts });
        }
    }

    /// Where to cut: in the dimension where the largest part and what the plane goes through are
    /// fewest, at the median start. `None` where all shards start alike in every dimension.
    fn choose_cut(&mut self, set: &Set) -> Option<Cut> {
        let exactly = set.poor_cuts >= POOR_CUTS;
        let step = if exactly { 1 } else { set.places.len().div_ceil(SAMPLE) };
        self.sample.clear();
        self.sample.extend(set.places.clone().step_by(step));
        let best = self.best_cut_of_sample(set);
        if best.is_some() || step == 1 {
            return best;
        }
        self.sample.clear();
        self.sample.extend(set.places.clone());
        self.best_cut_of_sample(set)
    }

    fn best_cut_of_sample(&mut self, set: &Set) -> Option<Cut> {
        let mut best: Option<(usize, Cut)> = None;
        let enough = self.sample.len().div_ceil(2);
        for turn in 0..self.ndim {
            let dim = (usize::from(set.next) + turn) % self.ndim;
            if set.dims & 1 << dim == 0 {
                continue;
            }
            let Some((cost, at)) = self.best_plane(dim) else {
                continue;
            };
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, Cut { dim, at }));
            }
            // No other dimension can do better.
            if cost <= enough {
                break;
            }
        }
        best.map(|(_, cut)| cut)
    }

    /// The best plane across a dimension, and its cost: the larger side's number of shards, and
    /// more for those that it goes through.
    fn best_plane(&mut self, dim: usize) -> Option<(usize, i64)> {
        let spans = self.sample.iter().map(|place| self.index.boxes[place * self.ndim + dim]);
        self.starts.clear();
        self.ends.clear();
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
            let cost = left.max(right) + GONE_THROUGH * (before - left);
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, at));
            }
        }
        best
    }

    /// Puts what is left of a cut to the front of a set and what is right of it to the back; tells
    /// where the shards that it goes through start and end.
    fn part(&mut self, set: &Range<usize>, cut: Cut) -> (usize, usize) {
        let Range { start: mut left, end: mut right } = *set;
        let mut at = left;
        while at < right {
            let span = self.index.boxes[at * self.ndim + cut.dim];
            if span.high <= cut.at {
                self.swap(at, left);
                left += 1;
                at += 1;
            } else if span.low >= cut.at {
                right -= 1;
                self.swap(at, right);
            } else {
                at += 1;
            }
        }
        (left, right)
    }

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
