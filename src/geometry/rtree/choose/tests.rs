//! Planes that sets are cut by, compared with all planes that there are.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::common::families;
use crate::common::{Boxes, Random};
use crate::geometry::BoxList;
use crate::geometry::rtree::build;

fn index_of(boxes: &Boxes) -> Index {
    let Boxes { ndim, offsets, sizes } = boxes.clone();
    let list = BoxList::new_checked(ndim, boxes.len(), offsets, sizes).unwrap();
    build(ndim, list.not_empty().unwrap(), list.offsets(), list.sizes()).unwrap()
}

fn set_of(places: Range<usize>, rule: CutRule) -> NodeSet {
    let (dims, poor_cuts, exact_cuts, crossing_cuts, depth) = (u32::MAX, 0, 4, 0, 0);
    NodeSet { places, dims, next: 0, rule, poor_cuts, exact_cuts, crossing_cuts, depth }
}

/// How many boxes of a set a plane has on its left, how many it crosses, and how many are right of it.
fn counts(index: &Index, places: &Range<usize>, cut: PlaneCut) -> [usize; 3] {
    let ndim = index.dims.len();
    let spans = || places.clone().map(|place| index.boxes[place * ndim + cut.dim]);
    let left = spans().filter(|span| span.high <= cut.at).count();
    let right = spans().filter(|span| span.low >= cut.at).count();
    [left, places.len() - left - right, right]
}

/// The different starts of the boxes of a set but the lowest: where planes may be.
fn planes(index: &Index, places: &Range<usize>, dim: usize) -> Vec<i64> {
    let ndim = index.dims.len();
    let mut starts: Vec<i64> =
        places.clone().map(|place| index.boxes[place * ndim + dim].low).collect();
    starts.sort_unstable();
    starts.dedup();
    starts.split_off(1)
}

fn scattered(sizes: &[i64], count: usize, random: &mut Random) -> Boxes {
    let mut boxes = Boxes::new(sizes.len());
    for _ in 0..count {
        let low: Vec<i64> = sizes.iter().map(|&size| random.range(0, size)).collect();
        let lengths: Vec<i64> = sizes.iter().map(|&size| random.range(1, size + 1)).collect();
        boxes.push(&low, &lengths);
    }
    boxes
}

#[test]
fn the_best_plane_across_a_dimension_has_the_least_cost() {
    let mut random = Random::new(1);
    for round in 0..200 {
        let length = [3, 12, 40][round % 3];
        let boxes = match round % 2 {
            0 => scattered(&[length, 4], 2 + random.below(20), &mut random),
            _ => families::partition(&[length, 9], 2 + random.below(20), &mut random).boxes,
        };
        let index = index_of(&boxes);
        let mut chooser = CutChooser::default();
        let rule = [CutRule::FewCrossed, CutRule::Balanced, CutRule::Corners][random.below(3)];
        let set = set_of(0..boxes.len(), rule);
        for (dim, is_all) in (0..index.dims.len()).flat_map(|dim| [(dim, true), (dim, false)]) {
            chooser.take_sample(&set, 1).unwrap();
            assert!(chooser.is_all);
            chooser.is_all = is_all;
            let cost = |at: i64| {
                let all @ [left, crossed, right] =
                    counts(&index, &set.places, PlaneCut { dim, at });
                let count = boxes.len();
                if rule != CutRule::FewCrossed {
                    return all.into_iter().max().unwrap();
                }
                // A plane that crosses some, or leaves more than 3/4, costs a quarter more.
                let is_clean = crossed == 0 && left.max(right) <= count / 4 * 3;
                let more = if is_all && !is_clean { count / 4 } else { 0 };
                left.max(right) + CROSSED_COST * crossed + more
            };
            let best = chooser.best_plane(&index, dim, rule).unwrap();
            let least = planes(&index, &set.places, dim).into_iter().map(cost).min();
            assert_eq!(best.map(|(cost, _)| cost), least);
            assert!(best.is_none_or(|(least, at)| cost(at) == least));
        }
    }
}

/// A plane has boxes that start on both of its sides, so that both parts are smaller. There is none only
/// where all start alike.
#[test]
fn a_plane_takes_a_set_apart_wherever_boxes_do_not_all_start_alike() {
    let mut random = Random::new(2);
    for round in 0..300 {
        let count = [2, 9, 60, 300][round % 4];
        let sizes = [[1, 2, 1], [1, 1, 1], [2, 40, 3], [1, 1 << 20, 1]][random.below(4)];
        let boxes = scattered(&sizes, count, &mut random);
        let index = index_of(&boxes);
        let rule = [CutRule::FewCrossed, CutRule::Balanced][random.below(2)];
        let own = NodeSet {
            dims: random.below(8) as u32,
            next: random.below(4) as u8,
            poor_cuts: random.below(6) as u8,
            exact_cuts: random.below(3) as u8,
            crossing_cuts: random.below(8) as u8,
            ..set_of(random.below(2)..count, rule)
        };
        let all = (0..index.dims.len()).filter(|dim| own.dims >> dim & 1 != 0);
        let dims: Vec<usize> =
            all.filter(|&dim| !planes(&index, &own.places, dim).is_empty()).collect();
        match CutChooser::default().plane(&index, &own).unwrap() {
            Some((cut, exactly)) => {
                assert!(dims.contains(&cut.dim), "{own:?} {cut:?}");
                assert!(counts(&index, &own.places, cut)[2] > 0);
                assert!(counts(&index, &own.places, cut)[2] < own.places.len());
                assert!(!exactly || own.exact_cuts > 0);
            }
            None => {
                assert!(dims.is_empty() || own.places.len() > SAMPLE && own.exact_cuts == 0)
            }
        }
    }
}

#[test]
fn a_clean_plane_crosses_no_box_and_has_some_on_both_sides() {
    let mut random = Random::new(3);
    let mut found = 0;
    let cuts = [
        families::grid(&[30, 20], &[3, 4]),
        families::grid(&[700], &[3]),
        families::partition(&[1 << 20; 3], 700, &mut random),
        families::partition(&[1 << 20; 2], 700, &mut random),
        families::pinwheels(&[1 << 20; 2], 1500, &mut random),
    ];
    for (number, cut) in cuts.into_iter().enumerate() {
        let boxes = cut.boxes.shuffled(&mut random);
        let index = index_of(&boxes);
        for poor_cuts in [0, 1] {
            for (start, end) in [(0, boxes.len()), (5, boxes.len() / 2 + 5), (7, 310)] {
                let own = NodeSet { poor_cuts, ..set_of(start..end, CutRule::FewCrossed) };
                let step = (end - start).div_ceil(SAMPLE);
                let mut chooser = CutChooser::default();
                let cut = chooser.clean_plane(&index, &own, step).unwrap();
                let Some(cut) = cut else {
                    assert!(number > 1);
                    continue;
                };
                let [left, crossed, right] = counts(&index, &own.places, cut);
                assert!(left > 0 && crossed == 0 && right > 0, "{left} {crossed} {right}");
                // No plane takes a pinwheel apart.
                assert!(number < 4 || end < boxes.len());
                // By the sample, no side has less than a part of it.
                let least = chooser.sample.len() / if poor_cuts == 0 { 32 } else { 8 };
                let starts = chooser
                    .sample
                    .iter()
                    .map(|&place| index.boxes[place * index.dims.len() + cut.dim].low);
                let mut starts: Vec<i64> = starts.collect();
                starts.sort_unstable();
                assert!(starts[least] <= cut.at && cut.at <= starts[starts.len() - 1 - least]);
                found += 1;
            }
        }
    }
    assert!(found > 16, "{found}");
}

/// The only plane crosses half of the boxes, and no box ends before it.
#[test]
fn boxes_that_a_plane_crosses_are_taken_apart_by_no_clean_one() {
    for end in [100, 51] {
        let mut boxes = Boxes::new(1);
        (0..150).for_each(|_| boxes.push(&[0], &[end]));
        (0..150).for_each(|_| boxes.push(&[50], &[150]));
        let index = index_of(&boxes);
        let set = set_of(0..300, CutRule::FewCrossed);
        let cut = CutChooser::default().clean_plane(&index, &set, 2).unwrap();
        assert!(cut.is_none(), "{cut:?}");
    }
}

#[test]
fn the_nth_coordinate_is_that_of_the_sorted_ones() {
    let mut random = Random::new(4);
    let index = index_of(&scattered(&[20, 30, 40], 50, &mut random));
    for (coordinate, places) in [(0, 0..50), (2, 3..50), (3, 0..7), (5, 10..11)] {
        let mut all: Vec<i64> =
            places.clone().map(|place| index.coordinate(place, coordinate)).collect();
        all.sort_unstable();
        for (nth, value) in all.into_iter().enumerate() {
            let mut chooser = CutChooser::default();
            let found = chooser.nth_coordinate(&index, &places, coordinate, nth).unwrap();
            assert_eq!(found, value);
        }
    }
}

/// A plane that samples miss, and one for a set that samples misled before.
#[test]
fn all_boxes_choose_a_plane_only_where_samples_fail_and_as_often_as_they_may() {
    let boxes = families::grid(&[300], &[2]).boxes;
    let mut index = index_of(&boxes);
    let few = set_of(0..300, CutRule::FewCrossed);
    let chosen_by_all = |index: &Index, set: &NodeSet| {
        CutChooser::default().plane(index, set).unwrap().map(|(_, exactly)| exactly)
    };
    // Planes that cross no box are not looked for.
    let misled = NodeSet { poor_cuts: POOR_CUTS, crossing_cuts: MAX_CROSSING_CUTS, ..few };
    assert_eq!(chosen_by_all(&index, &misled), Some(true));
    for others in [
        NodeSet { poor_cuts: POOR_CUTS - 1, ..misled.clone() },
        NodeSet { exact_cuts: 0, ..misled.clone() },
        NodeSet { rule: CutRule::Balanced, ..misled.clone() },
        NodeSet { places: 0..SAMPLE, ..misled.clone() },
    ] {
        assert_eq!(chosen_by_all(&index, &others), Some(false), "{others:?}");
    }
    // Every other box starts at 0.
    index.boxes.iter_mut().step_by(2).for_each(|span| span.low = 0);
    for rule in [CutRule::FewCrossed, CutRule::Balanced] {
        for (exact_cuts, expected) in [(2, Some(true)), (1, Some(true)), (0, None)] {
            let set = NodeSet { rule, exact_cuts, poor_cuts: 0, ..misled.clone() };
            assert_eq!(chosen_by_all(&index, &set), expected);
        }
    }
}

#[test]
fn a_pair_of_planes_reaches_as_far_as_the_boxes_that_each_crosses() {
    let span = |low, high| AxisSpan { low, high };
    let spans = [span(0, 4), span(2, 6), span(4, 9), span(6, 12), span(9, 14)];
    for lower in 0..=14 {
        for upper in lower..=14 {
            let begin = spans.iter().filter(|span| span.high > lower).map(|span| span.low).min();
            let end = spans.iter().filter(|span| span.low < upper).map(|span| span.high).max();
            let expected = [begin.unwrap_or(lower).min(lower), end.unwrap_or(upper).max(upper)];
            assert_eq!(reach(spans.into_iter(), [lower, upper]), expected, "{lower} {upper}");
        }
    }
}
