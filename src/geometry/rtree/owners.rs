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
        let place = match self.dims.len() {
            1 => self.places_in::<1, 1>(element, element.len())[0],
            2 => self.places_in::<2, 1>(element, element.len())[0],
            3 => self.places_in::<3, 1>(element, element.len())[0],
            4 => self.places_in::<4, 1>(element, element.len())[0],
            5 => self.places_in::<5, 1>(element, element.len())[0],
            _ => self.place_by_boxes(element),
        };
        place.map(|place| self.shard_of_place(place))
    }

    /// The shard at a place of the tree.
    #[inline(always)]
    pub(crate) fn shard_of_place(&self, place: u32) -> usize {
        self.shards[place as usize] as usize
    }

    /// Adds an element's index in the buffer of the shard at a place that has it.
    #[inline(always)]
    pub(crate) fn push_local(&self, place: u32, element: &[i64], indices: &mut Vec<i64>) {
        let start = indices.len();
        indices.extend_from_slice(element);
        let (local, ndim) = (&mut indices[start..], self.dims.len());
        let spans = &self.boxes[place as usize * ndim..(place as usize + 1) * ndim];
        self.dims.iter().zip(spans).for_each(|(&dim, span)| local[dim] -= span.low);
        self.common.iter().for_each(|(dim, span)| local[*dim] -= span.low);
    }

    /// For each of at most [`MAX_SEARCHES`] elements, given as rows of `ndim` numbers, the place in the tree
    /// of a shard that owns it, if there is one.
    pub(crate) fn places_of(&self, elements: &[i64], ndim: usize) -> [Option<u32>; MAX_SEARCHES] {
        match self.dims.len() {
            1 => self.places_in::<1, MAX_SEARCHES>(elements, ndim),
            2 => self.places_in::<2, MAX_SEARCHES>(elements, ndim),
            3 => self.places_in::<3, MAX_SEARCHES>(elements, ndim),
            4 => self.places_in::<4, MAX_SEARCHES>(elements, ndim),
            5 => self.places_in::<5, MAX_SEARCHES>(elements, ndim),
            _ => {
                let mut places = [None; MAX_SEARCHES];
                let rows = elements.chunks_exact(ndim.max(1));
                for (place, element) in places.iter_mut().zip(rows) {
                    *place = self.place_by_boxes(element);
                }
                places
            }
        }
    }

    #[inline]
    fn places_in<const NDIM: usize, const COUNT: usize>(
        &self, elements: &[i64], ndim: usize,
    ) -> [Option<u32>; COUNT] {
        let mut places = [None; COUNT];
        if self.nodes.is_empty() {
            return places;
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
                places[number] = self.visit_next(search);
                turns[kept] = number;
                if places[number].is_none() && search.count > 0 {
                    kept += 1;
                    if COUNT > 1 {
                        self.prefetch_next(search);
                    }
                }
            }
            count = kept;
        }
        places
    }

    /// Visits the next node or shard of a search. Returns the place of the owner, if that is it.
    #[inline(always)]
    fn visit_next<const NDIM: usize>(&self, search: &mut PointSearch<NDIM>) -> Option<u32> {
        search.count -= 1;
        let next = search.open[search.count];
        if next >= PLACE {
            return self.place_with((next - PLACE) as usize, &search.point);
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
            let place = if child >= PLACE {
                self.place_with((child - PLACE) as usize, &search.point)
            } else {
                self.place_below(child as usize, &search.point)
            };
            if place.is_some() {
                return place;
            }
        }
        None
    }

    /// A place, if its shard has a point.
    #[inline(always)]
    fn place_with<const NDIM: usize>(&self, place: usize, point: &[i64; NDIM]) -> Option<u32> {
        steps::count(1);
        let spans = &self.boxes[place * NDIM..(place + 1) * NDIM];
        let has = spans.iter().zip(point).fold(true, |all, (span, &at)| all & span.has(at));
        has.then_some(place as u32)
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
                let places = index.places_of(&elements, ndim);
                for (number, element) in elements.chunks(ndim).enumerate() {
                    let owner = list.iter().position(|one| {
                        let spans = one.offsets.iter().zip(one.sizes).zip(element);
                        spans
                            .into_iter()
                            .all(|((&low, &size), &at)| (low..low + size).contains(&at))
                    });
                    assert_eq!(index.owner(element), owner);
                    let place = places[number];
                    assert_eq!(place.map(|place| index.shard_of_place(place)), owner);
                    // Sticks leave gaps.
                    let (Some(place), Some(owner)) = (place, owner) else { continue };
                    let mut local = vec![7];
                    index.push_local(place, element, &mut local);
                    let start = &list.offsets()[owner * ndim..];
                    let expected = element.iter().zip(start).map(|(at, start)| at - start);
                    assert_eq!(local[1..], expected.collect::<Vec<_>>());
                }
                assert!(places[rows..].iter().all(Option::is_none));
            }
        }
    }
}
