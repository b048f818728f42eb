//! Building the tree of an [`Index`].
//!
//! A plane, at the start of one of its shards, cuts a set into the shards on its left, those on its
//! right, and those that it crosses. No shard is stored twice. All crossed shards meet in the
//! dimension of the cut. So if shards do not overlap, the crossed ones lie apart in the other
//! dimensions, and they are cut only in those from then on. A search for a point then visits
//! `log(n)^d` nodes at worst, whatever the shape of the partition. Most partitions were made by
//! cutting: planes then cross hardly any shard, sets do not overlap, and a search visits about as many
//! nodes as it finds shards.
//!
//! A sample of the set decides where to cut, and all of the set where samples were misleading. Some
//! partitions, those that were peeled, have no cheap plane that takes off more than a sliver. They are
//! cut in the middle, whatever the plane crosses. Where no plane halves a set at all, its shards
//! mostly overlap. Then their corners are halved: the set is a set of points with `2 * d` coordinates
//! each, and becomes a k-d tree. In up to three dimensions each of its nodes first takes out the
//! shards that reach furthest in every direction (Arge, de Berg, Haverkort and Yi, "The Priority
//! R-tree", 2004), so that a search visits `n^(1 - 1/d)` nodes in vain at worst.
//!
//! Building takes `n * log(n)` for every dimension, whatever the shards are: all but a few cuts leave
//! no part with more than 7/8 of the set, or the corners are halved from there on.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "places and ranges are the tree's own, and ends of boxes fit an i64"
)]

use std::ops::Range;

use super::choose::CutChooser;
use super::planes::PointTree;
use super::set::{CutRule, EXACT_CUTS, NodeSet, POOR_CUTS};
use super::tree::{AxisSpan, Index, Node};
use crate::geometry::steps;
use crate::memory::{self, Memory, TryVec};

/// Most children of a node.
const FAN_OUT: usize = 8;
/// Most nodes above a set that is cut by planes. Deeper sets are halved, so that a tree of 2^32
/// shards has at most 56 levels.
const PLANE_DEPTH: u8 = 24;
/// Dimensions up to which the shards that reach furthest are taken out of a set first.
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
        node_boxes: Vec::new(),
        shards: Vec::new(),
        boxes: Vec::new(),
        points: PointTree::default(),
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
    TreeBuilder { ndim, index: &mut index, chooser: CutChooser::default() }.grow()?;
    index.make_point_tree()?;
    Ok(index)
}

struct TreeBuilder<'a> {
    ndim: usize,
    index: &'a mut Index,
    chooser: CutChooser,
}

impl TreeBuilder<'_> {
    /// Creates all nodes, level by level.
    fn grow(&mut self) -> Memory<()> {
        let count = self.index.shards.len();
        let all = NodeSet {
            places: 0..count,
            dims: u32::MAX,
            next: 0,
            rule: CutRule::FewCrossed,
            poor_cuts: 0,
            exact_cuts: EXACT_CUTS,
            crossing_cuts: 0,
            depth: 0,
        };
        self.index.nodes = memory::try_with_capacity(count / 4 + 1)?;
        self.index.node_boxes = memory::try_with_capacity((count / 4 + 1) * self.ndim)?;
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
                    let rule = if depth < PLANE_DEPTH { part.rule } else { CutRule::Corners };
                    self.push_node(&part)?;
                    sets.try_push(NodeSet { depth, rule, ..part })?;
                }
            }
            node += 1;
        }
        Ok(())
    }

    /// Adds a leaf. It becomes an inner node later if it holds too many shards for a leaf.
    fn push_node(&mut self, set: &NodeSet) -> Memory<()> {
        let first = set.places.start as u32;
        let count = set.places.len() as u16;
        self.index.nodes.try_push(Node { first, count, is_leaf: true })?;
        steps::count(set.places.len());
        let boxes = &self.index.boxes[set.places.start * self.ndim..set.places.end * self.ndim];
        for dim in 0..self.ndim {
            let spans = boxes.iter().skip(dim).step_by(self.ndim);
            let around = spans.fold(AxisSpan { low: i64::MAX, high: i64::MIN }, |around, span| {
                AxisSpan { low: around.low.min(span.low), high: around.high.max(span.high) }
            });
            self.index.node_boxes.try_push(around)?;
        }
        Ok(())
    }

    /// Cuts a set, and then always its largest part, until there are enough parts for a node.
    fn divide(&mut self, set: NodeSet, parts: &mut Vec<NodeSet>) -> Memory<()> {
        let extremes = 2 * self.ndim * FAN_OUT;
        let priority = set.rule == CutRule::Corners && self.ndim <= PRIORITY_DIMS;
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

    /// Takes a leaf of the shards that reach furthest in each direction out of a set, and halves the
    /// rest.
    fn divide_by_priority(&mut self, set: NodeSet, parts: &mut Vec<NodeSet>) -> Memory<()> {
        let Range { mut start, end } = set.places;
        for coordinate in 0..2 * self.ndim {
            // The lows that are lowest, and the highs that are highest.
            let (least, rest) = (coordinate < self.ndim, end - start);
            let at = if least { FAN_OUT - 1 } else { rest - FAN_OUT };
            let key = self.chooser.nth_coordinate(self.index, &(start..end), coordinate, at)?;
            self.index.part_by(&(start..end), coordinate, |value| {
                if least { value.cmp(&key) } else { key.cmp(&value) }
            });
            parts.try_push(NodeSet { places: start..start + FAN_OUT, ..set.clone() })?;
            start += FAN_OUT;
        }
        self.halve_corners(NodeSet { places: start..end, ..set }, parts)
    }

    /// Cuts a set in two or three.
    fn cut_in_parts(&mut self, set: NodeSet, parts: &mut Vec<NodeSet>) -> Memory<()> {
        let cut = if set.rule == CutRule::Corners {
            None
        } else {
            self.chooser.plane(self.index, &set)?
        };
        let Some((cut, exactly)) = cut else {
            return self.halve_corners(set, parts);
        };
        let Range { start, end } = set.places;
        let (middle, right) = self.index.part(&set.places, cut);
        let places = [start..middle, middle..right, right..end];
        let poor = places.iter().any(|part| part.len() > (end - start) / 8 * 7);
        let poor_cuts = if poor { set.poor_cuts.saturating_add(1) } else { 0 };
        let rule = match set.rule {
            CutRule::Balanced if poor => CutRule::Corners,
            CutRule::FewCrossed if poor_cuts > POOR_CUTS => CutRule::Balanced,
            rule => rule,
        };
        let exact_cuts = set.exact_cuts - u8::from(exactly);
        let crossing_cuts = set.crossing_cuts.saturating_add(u8::from(middle < right));
        for (part, places) in places.into_iter().enumerate().filter(|(_, part)| !part.is_empty()) {
            let is_crossed = part == 1;
            let dims = if is_crossed { set.dims & !(1 << cut.dim) } else { set.dims };
            let next = cut.dim as u8 + 1;
            let part = NodeSet { places, dims, next, rule, poor_cuts, exact_cuts, ..set };
            parts.try_push(NodeSet { crossing_cuts, ..part })?;
        }
        Ok(())
    }

    /// Halves a set at the median of the next coordinate that is not the same for all corners.
    fn halve_corners(&mut self, set: NodeSet, parts: &mut Vec<NodeSet>) -> Memory<()> {
        let Range { start, end } = set.places;
        let middle = start + (end - start) / 2;
        let mut next = set.next;
        for turn in 0..2 * self.ndim {
            let coordinate = (usize::from(set.next) + turn) % (2 * self.ndim);
            let median =
                self.chooser.nth_coordinate(self.index, &set.places, coordinate, middle - start)?;
            let (less, greater) =
                self.index.part_by(&set.places, coordinate, |value| value.cmp(&median));
            if less > start || greater < end {
                next = coordinate as u8 + 1;
                break;
            }
        }
        for places in [start..middle, middle..end] {
            parts.try_push(NodeSet { places, next, rule: CutRule::Corners, ..set })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::families;
    use crate::common::{Boxes, Random};
    use crate::geometry::BoxList;

    fn index_of(boxes: &Boxes) -> Index {
        let Boxes { ndim, offsets, sizes } = boxes.clone();
        let list = BoxList::new_checked(ndim, boxes.len(), offsets, sizes).unwrap();
        build(ndim, list.not_empty().unwrap(), list.offsets(), list.sizes()).unwrap()
    }

    fn set_of(places: Range<usize>, next: u8) -> NodeSet {
        let rule = CutRule::Corners;
        let (dims, poor_cuts, exact_cuts, crossing_cuts, depth) = (u32::MAX, 0, 0, 0, 0);
        NodeSet { places, dims, next, rule, poor_cuts, exact_cuts, crossing_cuts, depth }
    }

    fn cubes(random: &mut Random) -> [Boxes; 3] {
        let nested = [families::nested(90).boxes, families::nested_cubes(200).boxes];
        let mut scattered = Boxes::new(2);
        for _ in 0..150 {
            let offsets = [random.range(0, 30), random.range(0, 30)];
            scattered.push(&offsets, &[random.range(1, 9), random.range(1, 9)]);
        }
        let [line, cubes] = nested.map(|boxes| boxes.shuffled(random));
        [line, cubes, scattered]
    }

    /// The values of a coordinate in some places.
    fn values(index: &Index, places: &Range<usize>, coordinate: usize) -> Vec<i64> {
        let mut all: Vec<i64> =
            places.clone().map(|place| index.coordinate(place, coordinate)).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn a_node_takes_out_the_eight_boxes_that_reach_furthest_in_each_direction() {
        for boxes in cubes(&mut Random::new(1)) {
            let (mut index, count) = (index_of(&boxes), boxes.len());
            let ndim = index.dims.len();
            let mut parts = Vec::new();
            let mut builder =
                TreeBuilder { ndim, index: &mut index, chooser: CutChooser::default() };
            builder.divide_by_priority(set_of(3..count - 2, 0), &mut parts).unwrap();
            let places: Vec<Range<usize>> = parts.into_iter().map(|part| part.places).collect();
            assert_eq!((places[0].start, places[2 * ndim + 1].end), (3, count - 2));
            assert!(places.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert_eq!(places.len(), 2 * ndim + 2);
            for (coordinate, own) in places[..2 * ndim].iter().enumerate() {
                assert_eq!(own.len(), FAN_OUT);
                let (own, later) = (
                    values(&index, own, coordinate),
                    values(&index, &(own.end..count - 2), coordinate),
                );
                if coordinate < ndim {
                    assert!(own[FAN_OUT - 1] <= later[0]);
                } else {
                    assert!(own[0] >= later[later.len() - 1]);
                }
            }
        }
    }

    #[test]
    fn corners_are_halved_at_the_median_of_the_next_coordinate_that_differs() {
        for boxes in cubes(&mut Random::new(2)) {
            let mut index = index_of(&boxes);
            let ndim = index.dims.len();
            for (set, next) in [(0..boxes.len(), 0), (5..84, 1), (1..22, 2 * ndim as u8)] {
                let mut parts = Vec::new();
                let mut builder =
                    TreeBuilder { ndim, index: &mut index, chooser: CutChooser::default() };
                builder.halve_corners(set_of(set.clone(), next), &mut parts).unwrap();
                assert_eq!(parts.len(), 2);
                let (lower, upper) = (&parts[0], &parts[1]);
                assert_eq!((lower.places.start, upper.places.end), (set.start, set.end));
                assert_eq!(lower.places.end, upper.places.start);
                assert_eq!(lower.places.len(), set.len() / 2);
                // All coordinates of these boxes differ.
                let coordinate = usize::from(next) % (2 * ndim);
                let [low, high] =
                    [lower, upper].map(|part| values(&index, &part.places, coordinate));
                assert!(low[low.len() - 1] <= high[0]);
                assert!(parts.iter().all(|part| usize::from(part.next) == coordinate + 1));
            }
        }
    }

    /// All boxes start alike in the first dimension, and end alike in the second.
    #[test]
    fn coordinates_that_are_equal_for_all_boxes_are_passed_over() {
        let mut boxes = Boxes::new(2);
        (0..20).for_each(|at| boxes.push(&[4, 19 - at], &[1 + at * 7 % 20, 1 + at]));
        for (next, expected) in [(0, 1), (1, 1), (2, 2), (3, 1)] {
            let (mut index, mut parts) = (index_of(&boxes), Vec::new());
            let mut builder =
                TreeBuilder { ndim: 2, index: &mut index, chooser: CutChooser::default() };
            builder.halve_corners(set_of(0..20, next), &mut parts).unwrap();
            assert!(parts.iter().all(|part| part.next == expected + 1), "{parts:?}");
            let [low, high] = [0, 1]
                .map(|part: usize| values(&index, &parts[part].places, usize::from(expected)));
            assert!(low[9] < high[0]);
        }
    }
}
