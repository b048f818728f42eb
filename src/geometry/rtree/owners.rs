//! Owners of elements: a search for a point, whose nodes are one or two cache lines.
//!
//! For each node of the tree there is a summary with the boxes of its children, in units of the node's own
//! box: as many units as it takes for each box to start and end in one of 128. So a coordinate takes seven
//! bits, and those of eight children a word. Subtractions compare all eight at once: where the eighth bit
//! of each byte is set before, it stays set exactly if the byte is not less than what is subtracted. A
//! child that has the unit of the point may have the point; whether a shard has it is compared exactly.
//!
//! Searches for many elements take turns. One search would wait for memory at every level; here each visits
//! one node and prefetches the next, which is there when its turn comes again.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "places and ranges are the tree's own; bytes are below 128"
)]

use super::tree::{AxisSpan, Index, Line, Node};
use crate::geometry::steps;
use crate::memory::{self, Memory, prefetch_slice};

/// Searches that take turns. Of a million random cuts in two dimensions, one takes 200 ns then, and 500 alone.
pub(crate) const MAX_SEARCHES: usize = 16;
/// Other nodes and shards to visit that a search remembers. Few nodes overlap.
const MAX_OPEN: usize = 16;
/// Dimensions up to which there are summaries.
pub(super) const MAX_SUMMARY_DIMS: usize = 5;
/// Bits of a coordinate, of a unit, and of all before the units in the first word of a summary.
const BITS: u32 = 7;
const UNIT_BITS: usize = 6;
const FIRST_UNIT: usize = 33;
/// The lowest and the highest bit of each byte.
const LOWEST: u64 = u64::MAX / 255;
const HIGHEST: u64 = LOWEST << BITS;
/// A place of a shard, in a list of nodes and places.
const PLACE: u64 = 1 << 32;

/// How many lines the summary of a node of so many dimensions takes: a word, and three for each dimension.
const fn lines_of(ndim: usize) -> usize {
    (1 + 3 * ndim).div_ceil(8)
}

/// What is visited in a search for a point.
#[derive(Clone, Copy)]
struct PointSearch<const NDIM: usize> {
    /// The element's index, in the dimensions that spans are kept for.
    point: [i64; NDIM],
    /// Nodes, and places of shards, which are visited next, the last one first.
    open: [u64; MAX_OPEN],
    count: usize,
}

impl Index {
    /// Makes the summaries of all nodes.
    pub(super) fn summarise(&mut self) -> Memory<()> {
        let ndim = self.dims.len();
        if !(1..=MAX_SUMMARY_DIMS).contains(&ndim) {
            return Ok(());
        }
        let lines = lines_of(ndim);
        self.summaries = memory::try_filled(Line([0; 8]), self.nodes.len() * lines)?;
        for (number, node) in self.nodes.iter().enumerate() {
            let children = node.first as usize..node.first as usize + usize::from(node.count);
            let all = if node.is_leaf { &self.boxes } else { &self.node_boxes };
            let around = &self.node_boxes[number * ndim..(number + 1) * ndim];
            let boxes = &all[children.start * ndim..children.end * ndim];
            let summary = &mut self.summaries[number * lines..(number + 1) * lines];
            write_summary(summary, *node, around, boxes);
        }
        Ok(())
    }

    /// A shard that owns an element, if there is one.
    pub fn owner(&self, element: &[i64]) -> Option<usize> {
        let owner = match self.dims.len() {
            1 => self.owners_in::<1, 1>(element, element.len())[0],
            2 => self.owners_in::<2, 1>(element, element.len())[0],
            3 => self.owners_in::<3, 1>(element, element.len())[0],
            4 => self.owners_in::<4, 1>(element, element.len())[0],
            5 => self.owners_in::<5, 1>(element, element.len())[0],
            _ => return self.owner_by_boxes(element),
        };
        owner.map(|owner| owner as usize)
    }

    /// For each of at most [`MAX_SEARCHES`] elements, given as rows of `ndim` numbers, what
    /// [`Self::owner`] says of it.
    pub(crate) fn owners(&self, elements: &[i64], ndim: usize) -> [Option<u32>; MAX_SEARCHES] {
        match self.dims.len() {
            1 => self.owners_in::<1, MAX_SEARCHES>(elements, ndim),
            2 => self.owners_in::<2, MAX_SEARCHES>(elements, ndim),
            3 => self.owners_in::<3, MAX_SEARCHES>(elements, ndim),
            4 => self.owners_in::<4, MAX_SEARCHES>(elements, ndim),
            5 => self.owners_in::<5, MAX_SEARCHES>(elements, ndim),
            _ => {
                let mut owners = [None; MAX_SEARCHES];
                let rows = elements.chunks_exact(ndim.max(1));
                for (owner, element) in owners.iter_mut().zip(rows) {
                    *owner = self.owner_by_boxes(element).map(|owner| owner as u32);
                }
                owners
            }
        }
    }

    #[inline]
    fn owners_in<const NDIM: usize, const COUNT: usize>(
        &self, elements: &[i64], ndim: usize,
    ) -> [Option<u32>; COUNT] {
        let mut owners = [None; COUNT];
        if self.nodes.is_empty() {
            return owners;
        }
        // Node 0 is the root.
        let unused = PointSearch { point: [0; NDIM], open: [0; MAX_OPEN], count: 1 };
        let (mut searches, mut turns, mut count) = ([unused; COUNT], [0usize; COUNT], 0);
        for (number, element) in elements.chunks_exact(ndim).take(COUNT).enumerate() {
            let is_outside = |&(dim, span): &(usize, AxisSpan)| !span.has(element[dim]);
            if self.common.iter().any(is_outside) {
                continue;
            }
            let point = &mut searches[number].point;
            point.iter_mut().zip(&self.dims).for_each(|(at, &dim)| *at = element[dim]);
            turns[count] = number;
            count += 1;
        }
        while count > 0 {
            let mut kept = 0;
            for turn in 0..count {
                let number = turns[turn];
                let search = &mut searches[number];
                owners[number] = self.visit_next(search);
                turns[kept] = number;
                if owners[number].is_none() && search.count > 0 {
                    kept += 1;
                    if COUNT > 1 {
                        self.prefetch_next(search);
                    }
                }
            }
            count = kept;
        }
        owners
    }

    /// Visits the next node or shard of a search. Returns the owner, if that is it.
    #[inline(always)]
    fn visit_next<const NDIM: usize>(&self, search: &mut PointSearch<NDIM>) -> Option<u32> {
        search.count -= 1;
        let next = search.open[search.count];
        if next >= PLACE {
            return self.owner_at((next - PLACE) as usize, &search.point);
        }
        let summary = &self.summaries[next as usize * lines_of(NDIM)..][..lines_of(NDIM)];
        let (head, mut hits) = hits_of(summary, &search.point);
        steps::count(8);
        let first = head & (PLACE - 1);
        let kind = head & PLACE;
        while hits != 0 {
            let child = kind + first + u64::from(hits.trailing_zeros() / 8);
            hits &= hits - 1;
            if search.count < MAX_OPEN {
                search.open[search.count] = child;
                search.count += 1;
                continue;
            }
            let owner = if child >= PLACE {
                self.owner_at((child - PLACE) as usize, &search.point)
            } else {
                self.owner_below(child as usize, &search.point)
            };
            if owner.is_some() {
                return owner;
            }
        }
        None
    }

    /// The shard at a place, if it has a point.
    #[inline(always)]
    fn owner_at<const NDIM: usize>(&self, place: usize, point: &[i64; NDIM]) -> Option<u32> {
        steps::count(1);
        let spans = &self.boxes[place * NDIM..(place + 1) * NDIM];
        let has = spans.iter().zip(point).fold(true, |all, (span, &at)| all & span.has(at));
        // It is read in any case, so that the memory is asked for both at the same time.
        let shard = self.shards[place];
        has.then_some(shard)
    }

    #[inline(always)]
    fn prefetch_next<const NDIM: usize>(&self, search: &PointSearch<NDIM>) {
        let next = search.open[search.count - 1];
        if next >= PLACE {
            let place = (next - PLACE) as usize;
            prefetch_slice(&self.boxes[place * NDIM..(place + 1) * NDIM]);
            prefetch_slice(&self.shards[place..=place]);
        } else {
            prefetch_slice(&self.summaries[next as usize * lines_of(NDIM)..][..lines_of(NDIM)]);
        }
    }
}

/// Writes the summary of a node, of the box around its children and of theirs.
///
/// The first word has the number of the first child, a bit that says whether children are shards, and the
/// units: numbers of bits. Then three words for each dimension: where the box starts, in which units the
/// boxes of the children start, and in which units they end. A child that there is not ends before it
/// starts.
fn write_summary(summary: &mut [Line], node: Node, around: &[AxisSpan], boxes: &[AxisSpan]) {
    let ndim = around.len();
    let mut head = u64::from(node.first) | if node.is_leaf { PLACE } else { 0 };
    for (dim, around) in around.iter().enumerate() {
        let length = (around.high - 1 - around.low) as u64;
        let unit = (u64::BITS - length.leading_zeros()).saturating_sub(BITS);
        head |= u64::from(unit) << (FIRST_UNIT + UNIT_BITS * dim);
        let unit_of = |at: i64| ((at - around.low) as u64 >> unit) as u8;
        let (mut lows, mut highs) = ([127; 8], [0; 8]);
        for (child, spans) in boxes.chunks_exact(ndim).enumerate() {
            lows[child] = unit_of(spans[dim].low);
            highs[child] = unit_of(spans[dim].high - 1);
        }
        let words = [around.low as u64, u64::from_le_bytes(lows), u64::from_le_bytes(highs)];
        for (at, word) in (1 + 3 * dim..).zip(words) {
            summary[at / 8].0[at % 8] = word;
        }
    }
    summary[0].0[0] = head;
}

/// The first word of a summary, and the highest bit of the byte of each child that may have a point.
#[inline(always)]
fn hits_of<const NDIM: usize>(summary: &[Line], point: &[i64; NDIM]) -> (u64, u64) {
    let word = |at: usize| summary[at / 8].0[at % 8];
    let (head, mut hits) = (word(0), HIGHEST);
    for (dim, &at) in point.iter().enumerate() {
        let (low, lows, highs) = (word(1 + 3 * dim), word(2 + 3 * dim), word(3 + 3 * dim));
        let unit = head >> (FIRST_UNIT + UNIT_BITS * dim) & ((1 << UNIT_BITS) - 1);
        // A point before the box wraps round, and is then behind it: no unit has more than 56 bits.
        let own = (at as u64).wrapping_sub(low) >> unit;
        let inside = if own < 1 << BITS { HIGHEST } else { 0 };
        let all = (own & ((1 << BITS) - 1)) * LOWEST;
        hits &= inside & ((all | HIGHEST) - lows) & ((highs | HIGHEST) - all);
    }
    (head, hits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::Random;
    use crate::common::families::{self, Cut};
    use crate::geometry::BoxList;

    #[test]
    fn an_element_has_the_owner_that_comparing_every_box_says_one_by_one_and_at_once() {
        let mut random = Random::new(9);
        let largest = i64::MAX / 2;
        let cuts = [
            families::grid(&[40, 50], &[3, 4]),
            families::grid(&[3, 1, 700], &[2, 5, 1]),
            families::slabs(1000),
            families::packed_rods(9),
            families::peeled(3, 900),
            families::columns_then_rows(900),
            families::halved(5, 10),
            families::halved(6, 10),
            families::sticks(4, 900),
            families::partition(&[largest], 500, &mut random),
            families::partition(&[largest / 8, 8], 500, &mut random),
            families::partition(&[1 << 15; 4], 500, &mut random),
            families::pinwheels(&[1 << 30; 2], 900, &mut random),
        ];
        for Cut { sizes, boxes } in cuts {
            let (ndim, count) = (sizes.len(), boxes.len());
            let list = BoxList::new_checked(ndim, count, boxes.offsets, boxes.sizes).unwrap();
            let index = list.index().unwrap();
            for _ in 0..20 {
                let rows = 1 + random.below(MAX_SEARCHES);
                let mut elements: Vec<i64> = Vec::new();
                for _ in 0..rows {
                    // Anywhere, and at corners.
                    let shard = random.below(count) * ndim;
                    let corner = random.below(2) == 0;
                    elements.extend((0..ndim).map(|dim| match corner {
                        true => list.offsets()[shard + dim],
                        false => random.range(0, sizes[dim]),
                    }));
                }
                let owners = index.owners(&elements, ndim);
                for (number, element) in elements.chunks(ndim).enumerate() {
                    let owner = list.iter().position(|one| {
                        let spans = one.offsets.iter().zip(one.sizes).zip(element);
                        spans
                            .into_iter()
                            .all(|((&low, &size), &at)| (low..low + size).contains(&at))
                    });
                    assert_eq!(index.owner(element), owner);
                    assert_eq!(owners[number].map(|owner| owner as usize), owner);
                }
                assert!(owners[rows..].iter().all(Option::is_none));
            }
        }
    }
}
