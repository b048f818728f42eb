//! Owners of elements: searches for a point, which take turns.
//!
//! One search would wait for memory at every level of the tree. Here each visits one line and prefetches the
//! next, which is there when its turn comes again. A summary says where a shard may have the point; whether
//! it has is compared exactly.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "places and ranges are the tree's own; bytes are below 128"
)]

use super::planes::{EXIT, EXITS, LINE, NUMBER, PLACE, POINT_ROOM, SUMMARY};
use super::summary::{self, Entries, lines_of};
use super::tree::{AxisSpan, Index};
use crate::geometry::steps;
use crate::memory::prefetch_slice;

/// Searches that take turns.
pub(crate) const MAX_SEARCHES: usize = 16;
/// Others to visit that a search remembers. Few boxes overlap.
const MAX_OPEN: usize = 16;

/// What is visited in a search for a point.
#[derive(Clone, Copy)]
struct PointSearch {
    /// The element's index, in the dimensions that spans are kept for.
    point: [i64; POINT_ROOM],
    /// What is visited next, the last one first.
    open: [u64; MAX_OPEN],
    count: usize,
}

impl Index {
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
        let rows = elements.chunks_exact(ndim).take(COUNT);
        if self.points.lines.is_empty() {
            places.iter_mut().zip(rows).for_each(|(place, row)| *place = self.place_by_boxes(row));
            return places;
        }
        // Line 0 is the root.
        let unused = PointSearch { point: [0; POINT_ROOM], open: [LINE; MAX_OPEN], count: 1 };
        let (mut searches, mut turns, mut count) = ([unused; COUNT], [0usize; COUNT], 0);
        for (number, element) in rows.enumerate() {
            let is_outside = |&(dim, span): &(usize, AxisSpan)| !span.has(element[dim]);
            if self.common.iter().any(is_outside) {
                continue;
            }
            let point = &mut searches[number].point;
            point.iter_mut().zip(&self.dims).for_each(|(at, &dim)| *at = element[dim]);
            turns[count] = number;
            count += 1;
        }
        self.follow_planes::<NDIM, COUNT>(&mut searches, turns, count);
        while count > 0 {
            let mut kept = 0;
            for turn in 0..count {
                let number = turns[turn];
                let search = &mut searches[number];
                places[number] = self.visit_next::<NDIM>(search);
                turns[kept] = number;
                if places[number].is_none() && search.count > 0 {
                    kept += 1;
                    if COUNT > 1 {
                        self.prefetch_next::<NDIM>(search);
                    }
                }
            }
            count = kept;
        }
        places
    }

    /// Lets searches begin where the first planes lead them: most have an end there.
    #[inline(always)]
    fn follow_planes<const NDIM: usize, const COUNT: usize>(
        &self, searches: &mut [PointSearch; COUNT], mut turns: [usize; COUNT], mut count: usize,
    ) {
        while count > 0 {
            let mut kept = 0;
            for turn in 0..count {
                let number = turns[turn];
                let PointSearch { point, open: [next, ..], .. } = &mut searches[number];
                *next = self.points.step(*next - LINE, point);
                turns[kept] = number;
                if *next & !NUMBER == LINE {
                    kept += 1;
                    let line = *next as usize;
                    prefetch_slice(&self.points.lines[line..=line]);
                } else {
                    self.prefetch_next::<NDIM>(&searches[number]);
                }
            }
            count = kept;
        }
    }

    /// Visits what is next in a search. Returns the place of the owner, if that is it.
    #[inline(always)]
    fn visit_next<const NDIM: usize>(&self, search: &mut PointSearch) -> Option<u32> {
        let last = &mut search.open[(search.count - 1) % MAX_OPEN];
        let number = *last & NUMBER;
        match *last - number {
            LINE => {
                *last = self.points.step(number, &search.point);
            }
            EXIT => *last = self.points.behind(number),
            SUMMARY => {
                search.count -= 1;
                return self.visit_summary::<NDIM>(number, search);
            }
            _ => {
                search.count -= 1;
                return self.place_with::<NDIM>(number as usize, &search.point);
            }
        }
        None
    }

    /// Opens all entries of a summary that may have the point.
    #[inline(always)]
    fn visit_summary<const NDIM: usize>(
        &self, number: u64, search: &mut PointSearch,
    ) -> Option<u32> {
        steps::count(8);
        let summary = &self.points.summaries[number as usize * lines_of(NDIM)..][..lines_of(NDIM)];
        let Entries { are_shards, first, mut hits } = summary::read::<NDIM>(summary, &search.point);
        let first = if are_shards { PLACE + first } else { LINE + first };
        while hits != 0 {
            let entry = first + u64::from(hits.trailing_zeros() / 8);
            hits &= hits - 1;
            if search.count == MAX_OPEN {
                // So many boxes overlap that another way is as good.
                search.count = 0;
                return self.place_of_point::<NDIM>(&search.point);
            }
            search.open[search.count] = entry;
            search.count += 1;
        }
        None
    }

    /// A place, if its shard has a point.
    #[inline(always)]
    fn place_with<const NDIM: usize>(
        &self, place: usize, point: &[i64; POINT_ROOM],
    ) -> Option<u32> {
        steps::count(1);
        let spans = &self.boxes[place * NDIM..(place + 1) * NDIM];
        let has = spans.iter().zip(point).fold(true, |all, (span, &at)| all & span.has(at));
        has.then_some(place as u32)
    }

    #[inline(always)]
    fn prefetch_next<const NDIM: usize>(&self, search: &PointSearch) {
        let next = search.open[(search.count - 1) % MAX_OPEN];
        let number = next & NUMBER;
        match next - number {
            LINE => prefetch_slice(&self.points.lines[number as usize..=number as usize]),
            EXIT => {
                let line = number as usize / EXITS;
                prefetch_slice(&self.points.exits[line..=line]);
            }
            SUMMARY => {
                let lines = &self.points.summaries[number as usize * lines_of(NDIM)..];
                prefetch_slice(&lines[..lines_of(NDIM)]);
            }
            _ => {
                let place = number as usize;
                prefetch_slice(&self.boxes[place * NDIM..(place + 1) * NDIM]);
                prefetch_slice(&self.shards[place..=place]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::families::{self, Cut};
    use crate::common::{Boxes, Random};
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
                    // Anywhere, at corners, and outside.
                    let shard = random.below(count) * ndim;
                    let place = random.below(5);
                    elements.extend((0..ndim).map(|dim| match place {
                        0 => [i64::MAX, sizes[dim], 0, -1, i64::MIN][random.below(5)],
                        1 | 2 => list.offsets()[shard + dim],
                        _ => random.range(0, sizes[dim]),
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

    /// Boxes at random places, some of them several times.
    fn scattered(sizes: &[i64], count: usize, random: &mut Random) -> Cut {
        let mut boxes = Boxes::new(sizes.len());
        for _ in 0..count {
            let offsets: Vec<i64> = sizes.iter().map(|&size| random.range(0, size)).collect();
            let rest = sizes.iter().zip(&offsets).map(|(size, offset)| size - offset);
            let lengths: Vec<i64> = rest.map(|rest| 1 + random.range(0, rest) / 3).collect();
            (0..=random.below(8) / 7 * 9).for_each(|_| boxes.push(&offsets, &lengths));
        }
        Cut { sizes: sizes.to_vec(), boxes }
    }

    #[test]
    fn of_boxes_that_overlap_one_owns_an_element_if_any_has_it() {
        let mut random = Random::new(4);
        let mut cuts = vec![families::nested(400), families::nested_cubes(400)];
        for sizes in [&[300][..], &[40, 50], &[30, 9, 9], &[9, 9, 9, 9], &[5, 5, 5, 5, 5]] {
            for count in [1, 7, 9, 60, 600] {
                cuts.push(scattered(sizes, count, &mut random));
            }
        }
        for Cut { sizes, boxes } in cuts {
            let (ndim, count) = (sizes.len(), boxes.len());
            let list = BoxList::new_checked(ndim, count, boxes.offsets, boxes.sizes).unwrap();
            let index = list.index().unwrap();
            let has = |shard: usize, element: &[i64]| {
                let one = list.get(shard).unwrap();
                let mut spans = one.offsets.iter().zip(one.sizes).zip(element);
                spans.all(|((&low, &size), &at)| (low..low + size).contains(&at))
            };
            for _ in 0..20 {
                let elements: Vec<i64> = (0..MAX_SEARCHES * ndim)
                    .map(|number| random.range(0, sizes[number % ndim] + 1))
                    .collect();
                let places = index.places_of(&elements, ndim);
                for (element, place) in elements.chunks(ndim).zip(places) {
                    let found = [index.owner(element), place.map(|at| index.shard_of_place(at))];
                    match found {
                        [Some(one), Some(other)] => {
                            assert!(has(one, element) && has(other, element))
                        }
                        [one, other] => {
                            assert_eq!((one, other), (None, None));
                            assert!((0..count).all(|shard| !has(shard, element)));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn planes_alone_lead_to_shards_that_were_made_by_cutting() {
        let mut random = Random::new(6);
        let cuts = [
            (families::grid(&[90, 80], &[3, 4]), 0),
            (families::grid(&[20, 19, 18], &[3, 4, 5]), 0),
            (families::halved(4, 13), 0),
            (families::slabs(3000), 0),
            // Planes are chosen by samples, which may miss one that crosses no shard.
            (families::partition(&[1 << 30; 3], 9000, &mut random), 900),
            (families::partition(&[1 << 15; 5], 9000, &mut random), 900),
        ];
        for (Cut { sizes, boxes }, most) in cuts {
            let (ndim, count) = (sizes.len(), boxes.len());
            let list = BoxList::new_checked(ndim, count, boxes.offsets, boxes.sizes).unwrap();
            let index = list.index().unwrap();
            let summaries = index.points.summaries.len() / lines_of(ndim);
            assert!(summaries <= most, "{sizes:?}: {summaries} summaries of {count} shards");
            assert!((1..count / 2).contains(&index.points.lines.len()), "{sizes:?}");
        }
    }
}
