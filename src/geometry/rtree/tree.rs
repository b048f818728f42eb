//! The index of shards: which of them meet a box, and which one owns an element.
//!
//! The index is an R-tree of the shards that are not empty. Each node has up to eight nodes or up to
//! eight shards, and their bounding box. A search descends into every node whose bounding box meets
//! the box it searches for. [`super::build`] says how sets are divided, and why a search visits few
//! nodes in vain.
//!
//! Only dimensions in which shards differ are kept, so a tensor of eight dimensions that is cut
//! along one costs what a vector costs. A shard takes `16 * d + 4` bytes, a node `16 * d + 8`, where
//! `d` counts those dimensions, and mostly 64 bytes more for its line of the tree for points
//! ([`super::planes`]); there is about a node for each five shards.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "places and ranges are the tree's own, and ends of shards fit an i64: Shards::new \
              checked them"
)]

use std::array;
use std::ops::ControlFlow;

use super::planes::PointTree;
use crate::geometry::{MAX_NDIM, steps};
use crate::memory::{Memory, OutOfMemory, TryVec, prefetch_slice};

/// The interval of a box in one dimension: `low..high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AxisSpan {
    pub(crate) low: i64,
    pub(crate) high: i64,
}

impl AxisSpan {
    /// Of an offset and a size.
    pub(super) fn new(offset: i64, size: i64) -> Self {
        // The end of the element to search for may be past 64 bits; it is then past every shard.
        Self { low: offset, high: offset.saturating_add(size) }
    }

    pub(super) fn has(self, at: i64) -> bool {
        (self.low <= at) & (at < self.high)
    }

    pub(super) fn meets(self, other: Self) -> bool {
        (self.low < other.high) & (other.low < self.high)
    }
}

/// A node of the tree. Its children follow each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    /// The first child: a node, or the place of a shard.
    pub(super) first: u32,
    pub(super) count: u16,
    pub(super) is_leaf: bool,
}

/// An R-tree of shards, with copies of their boxes.
#[derive(Debug)]
pub struct Index {
    /// The dimensions in which shards differ; spans are kept for these only.
    pub(super) dims: Vec<usize>,
    /// The common span of all shards in the other dimensions.
    pub(super) common: Vec<(usize, AxisSpan)>,
    /// Node 0 is the root.
    pub(super) nodes: Vec<Node>,
    /// For each node, the bounding box of its shards.
    pub(super) node_boxes: Vec<AxisSpan>,
    /// For each place in the tree, a shard and its box.
    pub(super) shards: Vec<u32>,
    pub(super) boxes: Vec<AxisSpan>,
    /// What a search for a point descends, if there are few dimensions.
    pub(super) points: PointTree,
}

impl Index {
    /// Calls `found` with each shard that shares an element with a box, in no particular order, until
    /// it breaks. An empty box meets no shard.
    pub fn visit_box(
        &self, offsets: &[i64], sizes: &[i64], found: impl FnMut(usize) -> ControlFlow<()>,
    ) {
        self.visit_box_by(offsets, sizes, steps::count, found);
    }

    /// [`Self::visit_box`], which returns how many boxes of shards and nodes it compared.
    pub(crate) fn visit_box_counted(
        &self, offsets: &[i64], sizes: &[i64], found: impl FnMut(usize) -> ControlFlow<()>,
    ) -> usize {
        let mut compared = 0;
        self.visit_box_by(offsets, sizes, |boxes| compared += boxes, found);
        compared
    }

    /// [`Self::visit_box`], which calls `compared` with the number of boxes that it compares.
    #[inline]
    fn visit_box_by(
        &self, offsets: &[i64], sizes: &[i64], compared: impl FnMut(usize),
        mut found: impl FnMut(usize) -> ControlFlow<()>,
    ) {
        self.visit_places(offsets, sizes, compared, |place| found(self.shards[place] as usize));
    }

    /// The same with places in the tree instead of shards.
    #[inline]
    fn visit_places(
        &self, offsets: &[i64], sizes: &[i64], mut compared: impl FnMut(usize),
        mut found: impl FnMut(usize) -> ControlFlow<()>,
    ) {
        let span = |dim: usize| AxisSpan::new(offsets[dim], sizes[dim]);
        let apart = self.common.iter().any(|&(dim, common)| !common.meets(span(dim)));
        let Some(&root) = self.nodes.first() else {
            return;
        };
        if apart || sizes.contains(&0) {
            return;
        }
        let mut visitor = Visitor { index: self, compared: &mut compared, found: &mut found };
        // Loops over a number of dimensions that the compiler knows are several times faster.
        let _ = match self.dims.len() {
            1 => visitor.visit(root, &self.target::<1>(span)),
            2 => visitor.visit(root, &self.target::<2>(span)),
            3 => visitor.visit(root, &self.target::<3>(span)),
            4 => visitor.visit(root, &self.target::<4>(span)),
            _ => visitor.visit(root, &self.target::<MAX_NDIM>(span)),
        };
    }

    /// The spans of the box to search for, in the dimensions that spans are kept for.
    #[inline]
    fn target<const ROOM: usize>(&self, span: impl Fn(usize) -> AxisSpan) -> [AxisSpan; ROOM] {
        let mut target = [AxisSpan { low: 0, high: 0 }; ROOM];
        for (place, &dim) in target.iter_mut().zip(&self.dims) {
            *place = span(dim);
        }
        target
    }

    /// The shards that share an element with a box, ascending, in place of what `found` held.
    pub fn find_box(&self, offsets: &[i64], sizes: &[i64], found: &mut Vec<u32>) -> Memory<()> {
        found.clear();
        let mut missing: Option<OutOfMemory> = None;
        self.visit_box(offsets, sizes, |shard| {
            // Shards::new refuses more shards than a u32 counts.
            if let Err(memory) = found.try_push(shard as u32) {
                missing = Some(memory);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        if let Some(memory) = missing {
            return Err(memory);
        }
        found.sort_unstable();
        Ok(())
    }

    /// The first shard that owns an element, if there is one.
    pub fn first_at(&self, element: &[i64]) -> Option<usize> {
        let mut first = None;
        self.visit_box(element, &[1; MAX_NDIM][..element.len()], |shard| {
            first = Some(first.map_or(shard, |first: usize| first.min(shard)));
            ControlFlow::Continue(())
        });
        first
    }

    /// The place of a shard that owns an element, if there is one, by the boxes of the nodes.
    pub(super) fn place_by_boxes(&self, element: &[i64]) -> Option<u32> {
        let mut found = None;
        self.visit_places(element, &[1; MAX_NDIM][..element.len()], steps::count, |place| {
            found = Some(place as u32);
            ControlFlow::Break(())
        });
        found
    }

    /// The place of a shard that has a point, if there is one, by the boxes of the nodes.
    #[cold]
    pub(super) fn place_of_point<const NDIM: usize>(&self, point: &[i64]) -> Option<u32> {
        let mut found = None;
        let mut visitor = Visitor {
            index: self,
            compared: &mut steps::count,
            found: &mut |place: usize| {
                found = Some(place as u32);
                ControlFlow::Break(())
            },
        };
        // Node 0 is the root.
        let target: [_; NDIM] = array::from_fn(|dim| AxisSpan::new(point[dim], 1));
        let _ = visitor.visit(self.nodes[0], &target);
        found
    }

    /// Prefetches what a search compares below a node.
    #[inline(always)]
    pub(super) fn prefetch_children(&self, node: Node) {
        let ndim = self.dims.len();
        let children = node.first as usize..node.first as usize + usize::from(node.count);
        let boxes = children.start * ndim..children.end * ndim;
        if node.is_leaf {
            prefetch_slice(&self.boxes[boxes]);
            prefetch_slice(&self.shards[children]);
        } else {
            prefetch_slice(&self.node_boxes[boxes]);
            prefetch_slice(&self.nodes[children]);
        }
    }

    /// A coordinate of the corners of the shard at a place: its lows, then its highs.
    pub(super) fn coordinate(&self, place: usize, coordinate: usize) -> i64 {
        let ndim = self.dims.len();
        if coordinate < ndim {
            self.boxes[place * ndim + coordinate].low
        } else {
            self.boxes[place * ndim + coordinate - ndim].high
        }
    }

    /// Number of levels.
    #[cfg(test)]
    pub(crate) fn depth(&self) -> usize {
        let mut depths = vec![0; self.nodes.len()];
        for (number, node) in self.nodes.iter().enumerate().filter(|(_, node)| !node.is_leaf) {
            let children = node.first as usize..node.first as usize + usize::from(node.count);
            let depth = depths[number] + 1;
            depths[children].fill(depth);
        }
        depths.into_iter().max().unwrap_or(0)
    }
}

/// A search that descends the tree.
struct Visitor<'a, L, F> {
    index: &'a Index,
    /// Called with the number of boxes that are compared.
    compared: &'a mut L,
    /// Called with each place whose box meets the one searched for.
    found: &'a mut F,
}

impl<L: FnMut(usize), F: FnMut(usize) -> ControlFlow<()>> Visitor<'_, L, F> {
    /// Visits the places that meet `target` below a node, which has at most 56 levels below it.
    /// `ROOM` is the number of dimensions, or [`MAX_NDIM`] where that is unknown at compile time.
    fn visit<const ROOM: usize>(
        &mut self, node: Node, target: &[AxisSpan; ROOM],
    ) -> ControlFlow<()> {
        let index = self.index;
        // What the next level needs as well, so that its search waits for memory once and not twice.
        index.prefetch_children(node);
        let ndim = if ROOM == MAX_NDIM { index.dims.len() } else { ROOM };
        let target_spans = &target[..ndim];
        let Node { first, count, is_leaf } = node;
        let all = if is_leaf { &index.boxes } else { &index.node_boxes };
        (self.compared)(usize::from(count));
        for child in first as usize..first as usize + usize::from(count) {
            let spans = all[child * ndim..(child + 1) * ndim].iter();
            let meets = spans.zip(target_spans).fold(true, |all, (a, b)| all & a.meets(*b));
            if meets {
                if is_leaf { (self.found)(child)? } else { self.visit(index.nodes[child], target)? }
            }
        }
        ControlFlow::Continue(())
    }
}

/// Most levels of a tree: 24 that are cut by planes, and then 32 that are halved.
#[cfg(test)]
pub(crate) const MAX_DEPTH: usize = 56;
