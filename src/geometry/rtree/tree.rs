//! Where shards are: which of them meet a box, and which one owns an element.
//!
//! The shards that own something, in a tree: each node holds up to eight others or up to eight
//! shards, and the smallest box around all of them. A question goes down wherever that box meets
//! the one asked about. How sets are divided, and why few nodes are visited in vain, is told where
//! that is done.
//!
//! Only dimensions in which shards differ are kept, so a tensor of eight dimensions that is cut
//! along one costs what a vector costs. A shard takes `16 * d + 4` bytes, a node `16 * d + 8`, where
//! `d` counts those dimensions; there is about a node for each five shards.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "places and ranges are the tree's own, and ends of shards fit an i64: Shards::new \
              checked them"
)]

use std::ops::ControlFlow;

use crate::geometry::{MAX_NDIM, steps};
use crate::memory::{Memory, OutOfMemory, TryVec};

/// What a box holds of one dimension: `low..high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AxisSpan {
    pub(crate) low: i64,
    pub(crate) high: i64,
}

impl AxisSpan {
    /// Of an offset and a size.
    pub(super) fn new(offset: i64, size: i64) -> Self {
        // The end of an element asked for may be past 64 bits; it is then past every shard.
        Self { low: offset, high: offset.saturating_add(size) }
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

/// A tree of shards. It knows them by their boxes of when it was built.
#[derive(Debug)]
pub struct Index {
    /// The dimensions in which shards differ: those that spans are kept of.
    pub(super) dims: Vec<usize>,
    /// What all shards have of the other dimensions.
    pub(super) common: Vec<(usize, AxisSpan)>,
    /// Node 0 is the root.
    pub(super) nodes: Vec<Node>,
    /// For each node, the smallest box around its shards.
    pub(super) hulls: Vec<AxisSpan>,
    /// For each place in the tree, a shard and its box.
    pub(super) shards: Vec<u32>,
    pub(super) boxes: Vec<AxisSpan>,
}

impl Index {
    /// Tells `found` of each shard that shares an element with a box, in no particular order, until
    /// it breaks. An empty box meets nothing.
    pub fn visit_box(
        &self, offsets: &[i64], sizes: &[i64], found: impl FnMut(usize) -> ControlFlow<()>,
    ) {
        self.visit_box_by(offsets, sizes, steps::count, found);
    }

    /// [`Self::visit_box`], which tells how many boxes of shards and nodes were looked at.
    pub(crate) fn visit_box_counted(
        &self, offsets: &[i64], sizes: &[i64], found: impl FnMut(usize) -> ControlFlow<()>,
    ) -> usize {
        let mut looked_at = 0;
        self.visit_box_by(offsets, sizes, |boxes| looked_at += boxes, found);
        looked_at
    }

    /// [`Self::visit_box`], which tells `looked_at` of boxes of shards and nodes that are looked at.
    #[inline]
    fn visit_box_by(
        &self, offsets: &[i64], sizes: &[i64], mut looked_at: impl FnMut(usize),
        mut found: impl FnMut(usize) -> ControlFlow<()>,
    ) {
        let span = |dim: usize| AxisSpan::new(offsets[dim], sizes[dim]);
        let apart = self.common.iter().any(|&(dim, common)| !common.meets(span(dim)));
        if apart || sizes.contains(&0) || self.nodes.is_empty() {
            return;
        }
        let mut visitor = Visitor {
            index: self,
            looked_at: &mut looked_at,
            found: &mut |place: usize| found(self.shards[place] as usize),
        };
        // Loops over a number of dimensions that the compiler knows are several times faster.
        let _ = match self.dims.len() {
            1 => visitor.visit(0, &self.asked::<1>(span)),
            2 => visitor.visit(0, &self.asked::<2>(span)),
            3 => visitor.visit(0, &self.asked::<3>(span)),
            4 => visitor.visit(0, &self.asked::<4>(span)),
            _ => visitor.visit(0, &self.asked::<MAX_NDIM>(span)),
        };
    }

    /// What is asked of the dimensions that spans are kept of.
    #[inline]
    fn asked<const ROOM: usize>(&self, span: impl Fn(usize) -> AxisSpan) -> [AxisSpan; ROOM] {
        let mut asked = [AxisSpan { low: 0, high: 0 }; ROOM];
        for (place, &dim) in asked.iter_mut().zip(&self.dims) {
            *place = span(dim);
        }
        asked
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

    /// The first of those that own an element; `None` where nobody does.
    pub fn first_at(&self, element: &[i64]) -> Option<usize> {
        let mut first = None;
        self.visit_box(element, &[1; MAX_NDIM][..element.len()], |shard| {
            first = Some(first.map_or(shard, |first: usize| first.min(shard)));
            ControlFlow::Continue(())
        });
        first
    }

    /// A shard that owns an element; `None` where nobody does.
    pub fn owner(&self, element: &[i64]) -> Option<usize> {
        let mut owner = None;
        self.visit_box(element, &[1; MAX_NDIM][..element.len()], |shard| {
            owner = Some(shard);
            ControlFlow::Break(())
        });
        owner
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

    /// How many levels there are.
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

/// A question that goes down the tree.
struct Visitor<'a, L, F> {
    index: &'a Index,
    /// Is told how many boxes are looked at.
    looked_at: &'a mut L,
    /// Is told of each place whose box meets the one asked about.
    found: &'a mut F,
}

impl<L: FnMut(usize), F: FnMut(usize) -> ControlFlow<()>> Visitor<'_, L, F> {
    /// Visits what meets `asked` below a node, which has at most 56 levels below it. `ROOM` is the
    /// number of dimensions, or [`MAX_NDIM`] where that is not known when compiling.
    fn visit<const ROOM: usize>(
        &mut self, node: usize, asked: &[AxisSpan; ROOM],
    ) -> ControlFlow<()> {
        let index = self.index;
        let ndim = if ROOM == MAX_NDIM { index.dims.len() } else { ROOM };
        let asked_spans = &asked[..ndim];
        let Node { first, count, is_leaf } = index.nodes[node];
        let all = if is_leaf { &index.boxes } else { &index.hulls };
        (self.looked_at)(usize::from(count));
        for child in first as usize..first as usize + usize::from(count) {
            let spans = all[child * ndim..(child + 1) * ndim].iter();
            let meets = spans.zip(asked_spans).fold(true, |all, (a, b)| all & a.meets(*b));
            if meets {
                if is_leaf { (self.found)(child)? } else { self.visit(child, asked)? }
            }
        }
        ControlFlow::Continue(())
    }
}

/// The most levels that a tree has: 24 that are cut by planes, and then 32 that are halved.
#[cfg(test)]
pub(crate) const MAX_DEPTH: usize = 56;
