//! Searches for two boxes that meet, each of the ways alone, and comparing each with each.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::common::families::{self, Cut};
use crate::common::{Boxes, Random};
use crate::geometry::ranks::ranked_dims;
use crate::geometry::steps::counted;

fn list_of(boxes: &Boxes) -> BoxList {
    let Boxes { ndim, offsets, sizes } = boxes.clone();
    BoxList::new_checked(ndim, boxes.len(), offsets, sizes).unwrap()
}

fn ranked(list: &BoxList) -> Ranked {
    let owners = list.not_empty().unwrap();
    Ranked::new(ranked_dims(list, &owners).unwrap(), owners).unwrap()
}

/// A search of all boxes, none of which are separated.
fn search_of<'a>(shards: &'a BoxList, boxes: &'a Ranked) -> Search<'a> {
    let lists = (0..boxes.shard.len() as u32).collect();
    Search { shards, boxes, lists, tasks: Vec::new(), steps: 0 }
}

/// More steps than a search of a list below takes.
const MAX_STEPS: u64 = 1 << 22;

/// Lists of boxes that are all apart, most of which no plane separates.
fn apart() -> Vec<Boxes> {
    let mut random = Random::new(11);
    let cuts = [
        families::pinwheels(&[1 << 12; 2], 400, &mut random),
        families::pinwheels(&[1 << 12; 3], 1000, &mut random),
        families::pinwheels(&[1 << 12; 4], 1000, &mut random),
        families::slabs(40),
        families::packed_rods(5),
        families::rods(8),
        families::sticks(4, 230),
        families::partition(&[60, 60], 60, &mut random),
        families::partition(&[16; 3], 230, &mut random),
        families::gadgets(230, &mut random),
    ];
    // Two layers, each of boxes in a row and a column of their own.
    let mut layers = Boxes::new(3);
    (0..400).for_each(|at| layers.push(&[at / 200, at % 200, at * 77 % 200], &[1; 3]));
    let cuts = cuts.into_iter().map(|Cut { boxes, .. }| boxes).chain([layers]);
    cuts.map(|boxes| boxes.shuffled(&mut random)).collect()
}

#[test]
fn boxes_that_are_apart_are_found_to_be_by_each_way_alone() {
    for boxes in apart() {
        let list = list_of(&boxes);
        let ranked = ranked(&list);
        let (mut search, all) = (search_of(&list, &ranked), 0..boxes.len());
        assert_eq!(Search::run(&list, &ranked).unwrap(), None);
        assert_eq!(search.search(all.clone(), MAX_STEPS).unwrap(), Some(None));
        assert_eq!(search.ask_index(all.clone(), u64::MAX).unwrap(), Some(None));
        assert_eq!(search.compare_within(all, 0), None);
    }
}

/// Adds a box of one element: the first or the last one of another box.
fn push_element(boxes: &mut Boxes, of: usize, is_last: bool) {
    let ends = boxes.offsets(of).iter().zip(boxes.sizes(of));
    let element: Vec<i64> =
        ends.map(|(low, size)| if is_last { low + size - 1 } else { *low }).collect();
    boxes.push(&element, &vec![1; boxes.ndim]);
}

/// A box more, of one element: the first or the last one of another box. So exactly two meet.
#[test]
fn the_only_two_boxes_that_meet_are_found_by_each_way_alone() {
    let mut random = Random::new(12);
    for mut boxes in apart() {
        let count = boxes.len();
        for turn in 0..8 {
            let met = random.below(count);
            push_element(&mut boxes, met, turn % 2 == 1);
            let list = list_of(&boxes);
            let ranked = ranked(&list);
            let (mut search, all) = (search_of(&list, &ranked), 0..count + 1);
            let shards = |(a, b): Pair| [a, b].map(|at| ranked.shard[at as usize]);
            let found = [
                Search::run(&list, &ranked).unwrap().map(|(a, b)| [a, b]),
                search.search(all.clone(), MAX_STEPS).unwrap().unwrap().map(shards),
                search.ask_index(all.clone(), u64::MAX).unwrap().unwrap().map(|(a, b)| [a, b]),
                search.compare_within(all, 0).map(shards),
            ];
            for pair in found {
                let mut pair = pair.unwrap();
                pair.sort_unstable();
                assert_eq!(pair, [met as u32, count as u32]);
            }
            boxes.remove(count);
        }
    }
}

/// Lists in two halves, and a box more in the half that has not the box that it meets.
#[test]
fn the_only_boxes_of_two_sets_that_meet_are_found() {
    let mut random = Random::new(13);
    for mut boxes in apart() {
        let count = boxes.len();
        let sides: Vec<bool> = (0..count).map(|_| random.below(2) == 0).collect();
        for turn in 0..16 {
            let met = random.below(count);
            push_element(&mut boxes, met, turn % 2 == 1);
            let list = list_of(&boxes);
            let ranked = ranked(&list);
            // Once in the half of the box that it meets, where nobody asks for it.
            for is_other in [true, false] {
                let side = |at: &u32| match ranked.shard[*at as usize] as usize {
                    shard if shard == count => sides[met] != is_other,
                    shard => sides[shard],
                };
                let mut search = search_of(&list, &ranked);
                let (a, b): (Vec<u32>, Vec<u32>) = (0..count as u32 + 1).partition(side);
                let sets = [0..a.len(), a.len()..count + 1];
                search.lists = [a, b].concat();
                search.between(sets[0].clone(), sets[1].clone(), 0).unwrap();
                let found = search.search(0..0, MAX_STEPS).unwrap().unwrap();
                let found = found.map(|(a, b)| [a, b].map(|at| ranked.shard[at as usize]));
                let expected = is_other.then_some([met as u32, count as u32]);
                assert_eq!(found.map(|[a, b]| [a.min(b), a.max(b)]), expected);
            }
            boxes.remove(count);
        }
    }
}

/// Many boxes that all meet in the first dimensions, or in all.
#[test]
fn boxes_that_meet_in_all_dimensions_but_the_last_are_compared_there() {
    for (step, length, is_met) in [(2, 1, false), (2, 2, true), (0, 9, true)] {
        let mut boxes = Boxes::new(3);
        for at in 0..200 {
            boxes.push(&[0, 0, step * at], &[10, 10, length]);
            boxes.push(&[5, 5, step * at + 1], &[10, 10, 1]);
        }
        // Far away, so that no dimension is one in which all meet.
        boxes.push(&[100, 100, 500], &[1; 3]);
        let list = list_of(&boxes);
        let ranked = ranked(&list);
        let mut search = search_of(&list, &ranked);
        let is_first = |at: &u32| ranked.shard[*at as usize].is_multiple_of(2);
        let (a, b): (Vec<u32>, Vec<u32>) = (0..401).partition(is_first);
        search.lists = [a, b].concat();
        search.between(0..201, 201..401, 0).unwrap();
        let found = search.search(0..0, MAX_STEPS).unwrap().unwrap();
        assert_eq!(found.is_some(), is_met);
        assert!(found.is_none_or(|(a, b)| is_first(&a) != is_first(&b)));
        let mut search = search_of(&list, &ranked);
        assert_eq!(search.search(0..401, MAX_STEPS).unwrap().unwrap().is_some(), is_met);
    }
}

/// After a search that ends early, and after one that finds boxes, the next one begins anew.
#[test]
fn a_search_ends_where_its_steps_do_and_can_be_begun_again() {
    for boxes in apart() {
        let (mut again, count) = (boxes.clone(), boxes.len());
        again.push(boxes.offsets(count / 2), boxes.sizes(count / 2));
        for boxes in [boxes, again] {
            let (list, all) = (list_of(&boxes), 0..boxes.len());
            let ranked = ranked(&list);
            let mut search = search_of(&list, &ranked);
            let (found, steps) = counted(|| search.search(all.clone(), MAX_STEPS).unwrap());
            assert_eq!(found.unwrap().is_some(), boxes.len() > count);
            for fewer in [0, 1, steps / 4] {
                search.lists.truncate(all.end);
                let ended = search.search(all.clone(), fewer).unwrap();
                // Boxes that meet may be found before.
                let is_found = fewer > 0 && ended == Some(found.unwrap()) && boxes.len() > count;
                assert!(ended.is_none() || is_found);
                assert!(search.tasks.is_empty() && (is_found || search.lists.len() == all.end));
            }
            search.lists.truncate(all.end);
            assert!(boxes.len() > count || search.ask_index(all.clone(), 1).unwrap().is_none());
            assert_eq!(search.search(all.clone(), steps + 1).unwrap(), found);
            assert_eq!(search.tasks.len(), 0);
            assert!(found.unwrap().is_some() || search.lists.len() == all.end);
        }
    }
}

/// All intervals of four indices.
fn intervals() -> Vec<(i64, i64)> {
    (0..4).flat_map(|low| (low + 1..=4).map(move |high| (low, high))).collect()
}

/// All lists of up to four intervals, in the order of their starts, each interval in one of two sets.
#[test]
fn intervals_of_one_set_or_of_two_meet_where_two_of_them_have_an_index_in_common() {
    let (all, mut lists) = (intervals(), vec![Vec::new()]);
    for length in 0..4 {
        let longer: Vec<Vec<usize>> = lists
            .iter()
            .filter(|list: &&Vec<usize>| list.len() == length)
            .flat_map(|list| {
                let least = list.last().copied().unwrap_or(0);
                (least..all.len()).map(move |next| [&list[..], &[next]].concat())
            })
            .collect();
        lists.extend(longer);
    }
    for intervals in lists {
        let intervals: Vec<(i64, i64)> = intervals.into_iter().map(|number| all[number]).collect();
        let mut boxes = Boxes::new(1);
        intervals.iter().for_each(|&(low, high)| boxes.push(&[low], &[high - low]));
        let spans =
            intervals.iter().map(|&(low, high)| RankSpan { low: low as u32, high: high as u32 });
        let count = intervals.len() as u32;
        let ranked = Ranked { shard: (0..count).collect(), dims: vec![spans.collect()] };
        let list = list_of(&boxes);
        let meet = |a: u32, b: u32| {
            let [one, other] = [a, b].map(|at| intervals[at as usize]);
            one.0 < other.1 && other.0 < one.1
        };
        let mut search = search_of(&list, &ranked);
        let check = |found: Option<Pair>, pairs: Vec<Pair>| {
            assert_eq!(found.is_some(), !pairs.is_empty(), "{intervals:?}");
            if let Some((a, b)) = found {
                assert!(pairs.contains(&(a, b)) || pairs.contains(&(b, a)), "{intervals:?}");
            }
        };
        let pairs = || (0..count).flat_map(|a| (0..a).map(move |b| (a, b)));
        let met: Vec<Pair> = pairs().filter(|&(a, b)| meet(a, b)).collect();
        check(search.within_last(0..count as usize, 0), met.clone());
        check(search.compare_within(0..count as usize, 0), met.clone());
        check(search.search(0..count as usize, u64::MAX).unwrap().unwrap(), met.clone());
        for set in 0..1u32 << count {
            let is_in = |at: u32| set >> at & 1;
            search.lists = (0..count).filter(|&at| is_in(at) == 0).collect();
            let own = search.lists.len();
            search.lists.extend((0..count).filter(|&at| is_in(at) != 0));
            let (a, b) = (0..own, own..count as usize);
            let between: Vec<Pair> =
                met.iter().copied().filter(|&(a, b)| is_in(a) != is_in(b)).collect();
            check(search.between_last(a.clone(), b.clone(), 0), between.clone());
            check(search.compare_between(a, b, 0), between);
        }
    }
}
