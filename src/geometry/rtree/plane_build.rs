//! Building the tree for points of an [`Index`].
//!
//! The planes of a line part the children of one node of the R-tree. Where these are cut off one by one, more
//! than three levels of planes part them, and further lines have the rest.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "places and ranges are the tree's own, and a node has at most eight children"
)]

use std::array;

use super::planes::{
    DIM_BITS, EXIT, EXIT_KIND, EXITS, FIRST_DIM, FIRST_EXIT, KIND, LINE, Line, PLACE, PLANES,
    PointTree, SUMMARY,
};
use super::summary::{self, ENTRIES, HIGHEST, LOWEST, lines_of};
use super::tree::{AxisSpan, Index, Node};
use crate::geometry::steps;
use crate::memory::{self, Memory, TryVec};

/// Most shards that such a tree is made for. A node has a shard or two children at least. It has at most three
/// lines and four summaries, so 32 bits count these.
const MAX_SHARDS: usize = 1 << 28;

/// Children of a node, a bit for each, that the planes of a line part.
#[derive(Clone, Copy)]
struct Cell {
    node: u32,
    children: u8,
}

/// A plane that crosses none of some children: where it is, and those on its left.
#[derive(Clone, Copy)]
struct CleanCut {
    dim: usize,
    at: i64,
    left: u8,
}

/// For each dimension, where each child of a node starts, and the children that a plane there has on its left
/// and on its right: a byte for each plane, with a bit for each child.
struct Sides<const NDIM: usize> {
    starts: [[i64; EXITS]; NDIM],
    left: [u64; NDIM],
    right: [u64; NDIM],
}

struct PlaneBuilder<'a, const NDIM: usize> {
    index: &'a mut Index,
    tree: PointTree,
    /// What the planes of each line part.
    cells: Vec<Cell>,
}

impl Index {
    /// Makes the tree for points, of boxes of few dimensions.
    pub(super) fn make_point_tree(&mut self) -> Memory<()> {
        if self.shards.is_empty() || self.shards.len() > MAX_SHARDS {
            return Ok(());
        }
        self.points = match self.dims.len() {
            1 => PlaneBuilder::<1>::build(self)?,
            2 => PlaneBuilder::<2>::build(self)?,
            3 => PlaneBuilder::<3>::build(self)?,
            4 => PlaneBuilder::<4>::build(self)?,
            5 => PlaneBuilder::<5>::build(self)?,
            _ => return Ok(()),
        };
        Ok(())
    }
}

impl<'a, const NDIM: usize> PlaneBuilder<'a, NDIM> {
    /// Makes all lines, each before those that it leads to.
    fn build(index: &'a mut Index) -> Memory<PointTree> {
        // Most nodes have one line.
        let room = index.nodes.len() + index.nodes.len() / 8;
        let tree = PointTree {
            lines: memory::try_with_capacity(room)?,
            exits: Vec::new(),
            summaries: Vec::new(),
        };
        let mut own = Self { index, tree, cells: memory::try_with_capacity(room)? };
        own.push(own.whole(0))?;
        let mut line = 0;
        while let Some(&cell) = own.cells.get(line) {
            own.write(line, cell)?;
            line += 1;
        }
        Ok(own.tree)
    }

    /// All children of a node.
    fn whole(&self, node: u32) -> Cell {
        let count = self.index.nodes[node as usize].count;
        Cell { node, children: ((1u16 << count) - 1) as u8 }
    }

    /// Adds a line for a cell.
    fn push(&mut self, cell: Cell) -> Memory<()> {
        self.cells.try_push(cell)?;
        self.tree.lines.try_push(Line([0; 8]))
    }

    /// Cuts a cell in up to eight parts, and leads on from each.
    fn write(&mut self, line: usize, cell: Cell) -> Memory<()> {
        let node = self.index.nodes[cell.node as usize];
        let sides = Sides::of(self.boxes_of(node));
        let (mut words, parts) = sides.cut_in_parts(cell.children);
        let exits = (0..EXITS).filter(|&exit| parts[exit] != 0);
        let used = exits.clone().fold(0, |used, exit| used | 1 << exit);
        let is_single = |exit: usize| parts[exit].is_power_of_two();
        let can_go_on = |exit: usize| match is_single(exit) {
            true => !node.is_leaf,
            false => sides.cut(parts[exit]).is_some(),
        };
        let is_whole = cell.children == self.whole(cell.node).children;
        let (kind, first) = if node.is_leaf && is_whole && exits.clone().all(is_single) {
            self.put_in_order(node.first, parts);
            (PLACE, node.first as usize)
        } else if exits.clone().all(can_go_on) {
            let first = self.tree.lines.len();
            for exit in exits {
                self.push(self.behind(cell, parts[exit]))?;
            }
            (LINE, first)
        } else {
            let mut behind = [0; EXITS];
            for exit in exits {
                behind[exit] = if can_go_on(exit) {
                    self.push(self.behind(cell, parts[exit]))?;
                    LINE + self.tree.lines.len() as u64 - 1
                } else if is_single(exit) {
                    PLACE + u64::from(node.first + parts[exit].trailing_zeros())
                } else {
                    SUMMARY + self.summarise(Cell { children: parts[exit], ..cell })?
                };
            }
            self.tree.exits.try_push(behind)?;
            (EXIT, self.tree.exits.len() - 1)
        };
        words[0] |= first as u64 | used << FIRST_EXIT | kind >> KIND << EXIT_KIND;
        self.tree.lines[line] = Line(words);
        Ok(())
    }

    /// What is cut further of a part of a cell: a child, or the part.
    fn behind(&self, cell: Cell, part: u8) -> Cell {
        if part.is_power_of_two() {
            let first = self.index.nodes[cell.node as usize].first;
            self.whole(first + part.trailing_zeros())
        } else {
            Cell { children: part, ..cell }
        }
    }

    /// Puts the shards of a leaf in the order of exits, so that an exit says which it leads to.
    fn put_in_order(&mut self, first: u32, parts: [u8; EXITS]) {
        let places = first as usize..self.index.shards.len();
        let shards = &mut self.index.shards[places.clone()];
        let boxes = self.index.boxes[places.start * NDIM..].as_chunks_mut::<NDIM>().0;
        let old: [_; EXITS] =
            array::from_fn(|child| Some((*shards.get(child)?, *boxes.get(child)?)));
        let in_order =
            parts.iter().filter(|part| **part != 0).map(|part| old[part.trailing_zeros() as usize]);
        for ((shard, spans), old) in shards.iter_mut().zip(boxes).zip(in_order.flatten()) {
            (*shard, *spans) = old;
        }
    }

    /// Adds the summary of a cell that no plane parts, and lines for its nodes. Returns its number.
    fn summarise(&mut self, cell: Cell) -> Memory<u64> {
        let node = self.index.nodes[cell.node as usize];
        let boxes = self.boxes_of(node);
        let children = (0..boxes.len()).filter(|child| cell.children >> child & 1 != 0);
        let (mut entries, mut first) = ([None; ENTRIES], node.first);
        if node.is_leaf {
            children.for_each(|child| entries[child] = Some(boxes[child]));
        } else {
            first = self.tree.lines.len() as u32;
            entries.iter_mut().zip(children).for_each(|(entry, child)| *entry = Some(boxes[child]));
            for child in (0..u32::from(node.count)).filter(|child| cell.children >> child & 1 != 0)
            {
                self.push(self.whole(node.first + child))?;
            }
        }
        let number = self.tree.summaries.len() / lines_of(NDIM);
        let mut lines = [Line([0; 8]); 2];
        summary::write(&mut lines, (first, node.is_leaf), &entries);
        self.tree.summaries.try_extend_from_slice(&lines[..lines_of(NDIM)])?;
        Ok(number as u64)
    }

    /// The boxes of the children of a node.
    fn boxes_of(&self, node: Node) -> &[[AxisSpan; NDIM]] {
        let children = node.first as usize..node.first as usize + usize::from(node.count);
        let all = if node.is_leaf { &self.index.boxes } else { &self.index.node_boxes };
        all[children.start * NDIM..children.end * NDIM].as_chunks().0
    }
}

impl<const NDIM: usize> Sides<NDIM> {
    fn of(boxes: &[[AxisSpan; NDIM]]) -> Self {
        steps::count(boxes.len());
        let mut sides =
            Self { starts: [[i64::MAX; EXITS]; NDIM], left: [0; NDIM], right: [0; NDIM] };
        for dim in 0..NDIM {
            let (starts, mut ends) = (&mut sides.starts[dim], [i64::MAX; EXITS]);
            for ((start, end), spans) in starts.iter_mut().zip(&mut ends).zip(boxes) {
                (*start, *end) = (spans[dim].low, spans[dim].high);
            }
            let bits = |is: &dyn Fn(usize) -> bool| {
                (0..EXITS).fold(0, |bits, child| bits | u8::from(is(child)) << child)
            };
            let left = starts.map(|at| bits(&|child| ends[child] <= at));
            let right = starts.map(|at| bits(&|child| starts[child] >= at));
            sides.left[dim] = u64::from_le_bytes(left);
            sides.right[dim] = u64::from_le_bytes(right);
        }
        sides
    }

    /// The words of a line: planes that cut children in up to eight parts, and the dimensions of these
    /// planes. With it the parts.
    fn cut_in_parts(&self, children: u8) -> ([u64; 8], [u8; EXITS]) {
        let (mut words, mut parts) = ([0; 8], [0; PLANES + EXITS]);
        parts[0] = children;
        for plane in 0..PLANES {
            let children = parts[plane];
            // Without a cut, all points go to the left.
            let (dim, last, left) = match self.cut(children) {
                Some(CleanCut { dim, at, left }) => (dim, at - 1, left),
                None => (0, i64::MAX, children),
            };
            words[0] |= (dim as u64) << (FIRST_DIM + DIM_BITS * plane);
            words[1 + plane] = last as u64;
            parts[2 * plane + 1] = left;
            parts[2 * plane + 2] = children & !left;
        }
        (words, *parts.last_chunk().unwrap_or(&[0; EXITS]))
    }

    /// The plane that crosses none of some children and has the fewest on its larger side. `None` where
    /// each plane has all of them on one side or crosses one.
    fn cut(&self, children: u8) -> Option<CleanCut> {
        if children & children.wrapping_sub(1) == 0 {
            return None;
        }
        let (all, count) = (u64::from(children) * LOWEST, children.count_ones());
        let (mut best, mut fewest) = (None, count);
        for dim in 0..NDIM {
            let (left, right) = (self.left[dim] & all, self.right[dim] & all);
            // The highest bit of the byte of each plane that has some on both sides, and all.
            let mut clean = not_zero(left) & not_zero(right) & !not_zero((left | right) ^ all);
            while clean != 0 {
                let place = clean.trailing_zeros() as usize / 8;
                clean &= clean - 1;
                let left = left.to_le_bytes()[place];
                let larger = left.count_ones().max(count - left.count_ones());
                if larger < fewest {
                    best = Some(CleanCut { dim, at: self.starts[dim][place], left });
                    fewest = larger;
                }
            }
            // No other plane can do better.
            if fewest <= count.div_ceil(2) {
                break;
            }
        }
        best
    }
}

/// The highest bit of each byte that is not zero.
fn not_zero(bytes: u64) -> u64 {
    let rest = !HIGHEST;
    (((bytes & rest) + rest) | bytes) & HIGHEST
}
