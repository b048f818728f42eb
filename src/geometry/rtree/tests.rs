//! Trees of few boxes, with as many as a node holds, one less and one more: all that a search finds, and how
//! a tree is made up.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::ops::ControlFlow;

use super::set::PlaneCut;
use super::tree::AxisSpan;
use super::{Index, MAX_DEPTH, MAX_SEARCHES, build};
use crate::common::families::{self, Cut};
use crate::common::{Boxes, Random};
use crate::geometry::BoxList;
use crate::geometry::steps::counted;

/// Numbers of boxes around those that fill nodes of one, two and three levels.
const COUNTS: [usize; 11] = [0, 1, 2, 7, 8, 9, 16, 63, 64, 65, 513];

fn list_of(boxes: &Boxes) -> BoxList {
    let Boxes { ndim, offsets, sizes } = boxes.clone();
    BoxList::new_checked(ndim, boxes.len(), offsets, sizes).unwrap()
}

/// The first boxes of several families, shuffled; some overlap, and some are equal or empty.
fn lists() -> Vec<Boxes> {
    let mut random = Random::new(21);
    let mut all = Vec::new();
    for count in COUNTS {
        let number = count as i64;
        let scattered = |sizes: &[i64], random: &mut Random| {
            let mut boxes = Boxes::new(sizes.len());
            for _ in 0..count {
                let low: Vec<i64> = sizes.iter().map(|&size| random.range(0, size)).collect();
                let rest = sizes.iter().zip(&low).map(|(size, low)| size - low);
                let sizes: Vec<i64> = rest.map(|rest| random.range(0, rest + 1).min(9)).collect();
                boxes.push(&low, &sizes);
            }
            Cut { sizes: sizes.to_vec(), boxes }
        };
        let mut cuts = vec![
            families::partition(&[1 << 40], count, &mut random),
            families::partition(&[90, 91], count, &mut random),
            families::partition(&[1 << 20; 3], count, &mut random),
            families::partition(&[30; 6], count, &mut random),
            families::peeled(2, number),
            families::peeled(4, number),
            families::columns_then_rows(number),
            families::slabs(number / 2 + 1),
            families::nested(number),
            families::nested_cubes(number),
            families::pinwheels(&[1 << 9; 2], 2 * count, &mut random),
            families::pinwheels(&[1 << 9; 5], 2 * count, &mut random),
        ];
        for sizes in [&[40][..], &[30, 30], &[9; 3], &[5; 5], &[4; 7]] {
            cuts.push(scattered(sizes, &mut random));
        }
        let mut equal = Boxes::new(2);
        (0..count).for_each(|_| equal.push(&[5, 6], &[3, 2]));
        all.push(equal);
        all.extend(cuts.into_iter().map(|Cut { boxes, .. }| {
            let mut some = boxes.shuffled(&mut random);
            some.offsets.truncate(count * some.ndim);
            some.sizes.truncate(count * some.ndim);
            some
        }));
    }
    all
}

/// Asserts that each node has one to eight children and the box around them, that each child is the child
/// of one node, and that the boxes that are not empty are the children of the leaves.
fn assert_is_a_tree(index: &Index, list: &BoxList) {
    let full: Vec<u32> = list.not_empty().unwrap();
    let mut shards = index.shards.clone();
    shards.sort_unstable();
    assert_eq!(shards, full);
    let ndim = index.dims.len();
    let span = |shard: u32, dim: usize| {
        let at = shard as usize * list.ndim() + dim;
        AxisSpan { low: list.offsets()[at], high: list.offsets()[at] + list.sizes()[at] }
    };
    for (place, &shard) in index.shards.iter().enumerate() {
        let spans: Vec<AxisSpan> = index.dims.iter().map(|&dim| span(shard, dim)).collect();
        assert_eq!(index.boxes[place * ndim..(place + 1) * ndim], spans);
        assert!(index.common.iter().all(|&(dim, common)| span(shard, dim) == common));
    }
    // Dimensions in which all are equal are not kept, but one if all boxes are.
    let differs = |dim: &usize| full.iter().any(|&shard| span(shard, *dim) != span(full[0], *dim));
    let mut differing: Vec<usize> = (0..list.ndim()).filter(differs).collect();
    if differing.is_empty() && !full.is_empty() {
        differing.push(list.ndim() - 1);
    }
    assert_eq!(index.dims, differing);
    let mut parents = [vec![0; index.nodes.len()], vec![0; full.len()]];
    for (number, node) in index.nodes.iter().enumerate() {
        let (first, count) = (node.first as usize, usize::from(node.count));
        assert!((1..=8).contains(&count));
        let boxes = if node.is_leaf { &index.boxes } else { &index.node_boxes };
        let all = parents[usize::from(node.is_leaf)].iter_mut().enumerate();
        for (child, parents) in all.skip(first).take(count) {
            *parents += 1;
            assert!(node.is_leaf || child > number);
        }
        for dim in 0..ndim {
            let spans = (first..first + count).map(|child| boxes[child * ndim + dim]);
            let low = spans.clone().map(|span| span.low).min().unwrap();
            let high = spans.map(|span| span.high).max().unwrap();
            assert_eq!(index.node_boxes[number * ndim + dim], AxisSpan { low, high });
        }
    }
    let [of_nodes, of_shards] = parents;
    assert!(of_nodes.iter().skip(1).chain(&of_shards).all(|&parents| parents == 1));
    assert!(of_nodes.first().is_none_or(|&parents| parents == 0));
    assert!(index.depth() <= MAX_DEPTH);
}

fn has(boxes: &Boxes, shard: usize, element: &[i64]) -> bool {
    let spans = boxes.offsets(shard).iter().zip(boxes.sizes(shard)).zip(element);
    spans.into_iter().all(|((low, size), at)| (*low..low + size).contains(at))
}

#[test]
fn a_tree_of_any_boxes_has_each_that_is_not_empty_once() {
    for boxes in lists() {
        let list = list_of(&boxes);
        assert_is_a_tree(&list.index().unwrap(), &list);
    }
}

#[test]
fn a_search_for_a_box_finds_those_that_comparing_all_finds() {
    let mut random = Random::new(22);
    let mut found = Vec::new();
    for boxes in lists() {
        let (list, ndim) = (list_of(&boxes), boxes.ndim);
        let index = list.index().unwrap();
        for _ in 0..20.min(boxes.len()) {
            let near = random.below(boxes.len());
            let mut asked = (vec![0; ndim], vec![0; ndim]);
            for dim in 0..ndim {
                let (low, size) = (boxes.offsets(near)[dim], boxes.sizes(near)[dim]);
                let more = [0, 0, 1, 9, i64::MAX][random.below(5)];
                asked.0[dim] = (low - random.range(0, 3)).max(0);
                asked.1[dim] = size.saturating_add(more);
            }
            let meets = |shard: &u32| {
                let own = (boxes.offsets(*shard as usize), boxes.sizes(*shard as usize));
                let meets = |dim: usize| {
                    own.0[dim] < asked.0[dim].saturating_add(asked.1[dim])
                        && asked.0[dim] < own.0[dim] + own.1[dim]
                };
                !own.1.contains(&0) && !asked.1.contains(&0) && (0..ndim).all(meets)
            };
            index.find_box(&asked.0, &asked.1, &mut found).unwrap();
            let expected: Vec<u32> = (0..boxes.len() as u32).filter(meets).collect();
            assert_eq!(found, expected);
            let mut first = None;
            index.visit_box(&asked.0, &asked.1, |shard| {
                first = Some(shard as u32);
                ControlFlow::Break(())
            });
            assert_eq!(first.is_some(), !expected.is_empty());
        }
    }
}

/// A node is inside the nodes above it, so a search that descends into it has descended into these.
#[test]
fn a_search_for_a_box_compares_the_children_of_each_node_that_meets_it() {
    for boxes in lists() {
        let list = list_of(&boxes);
        let index = list.index().unwrap();
        for shard in list.not_empty().unwrap().into_iter().step_by(9) {
            let asked = list.get(shard as usize).unwrap();
            let meets = |number: usize| {
                let spans = &index.node_boxes[number * index.dims.len()..];
                index.dims.iter().zip(spans).all(|(&dim, span)| {
                    let low = asked.offsets[dim];
                    low < span.high && span.low < low + asked.sizes[dim]
                })
            };
            let nodes = index.nodes.iter().enumerate().filter(|(number, _)| meets(*number));
            let expected: usize = nodes.map(|(_, node)| usize::from(node.count)).sum();
            let go_on = |_: usize| ControlFlow::Continue(());
            assert_eq!(index.visit_box_counted(asked.offsets, asked.sizes, go_on), expected);
        }
    }
}

/// First and last elements of boxes, and elements next to these.
#[test]
fn a_search_for_an_element_finds_an_owner_if_there_is_one() {
    let mut random = Random::new(23);
    for boxes in lists() {
        let (list, ndim) = (list_of(&boxes), boxes.ndim);
        let index = list.index().unwrap();
        let mut elements: Vec<i64> = Vec::new();
        for shard in (0..boxes.len()).rev().take(35) {
            for dim in 0..ndim {
                let (low, size) = (boxes.offsets(shard)[dim], boxes.sizes(shard)[dim]);
                elements.push([low, low, low - 1, low + size - 1, low + size][random.below(5)]);
            }
        }
        for some in elements.chunks(MAX_SEARCHES * ndim) {
            let places = index.places_of(some, ndim);
            assert!(places.iter().skip(some.len() / ndim).all(Option::is_none));
            for (element, place) in some.chunks(ndim).zip(places) {
                let owners: Vec<usize> =
                    (0..boxes.len()).filter(|&shard| has(&boxes, shard, element)).collect();
                let at_once = place.map(|place| index.shard_of_place(place));
                for found in [index.owner(element), at_once] {
                    assert_eq!(found.is_some(), !owners.is_empty());
                    assert!(found.is_none_or(|owner| owners.contains(&owner)));
                }
                assert_eq!(index.first_at(element), owners.first().copied());
            }
        }
    }
}

/// Cuts in halves, in all dimensions in turn. Of the children of a node, one has an element.
#[test]
fn a_search_in_what_was_halved_compares_the_children_of_a_node_on_each_level() {
    for ndim in 1..=7 {
        for levels in 0..=10u32 {
            let Cut { boxes, .. } = families::halved(ndim, levels);
            let list = list_of(&boxes);
            let index = list.index().unwrap();
            // A set is cut until it has seven or eight parts: none is more than a quarter of it.
            let depth = (levels as usize).saturating_sub(2) / 2;
            assert!(index.depth() <= depth, "{ndim} {levels}: {}", index.depth());
            // Eight boxes are a leaf. Of 64, two are left together that six cuts in halves do not reach.
            let nodes = [1, 1, 1, 1, 3, 5, 10];
            let few = nodes.get(levels as usize).copied().unwrap_or(boxes.len() / 3);
            assert!(index.nodes.len() <= few, "{ndim} {levels}: {}", index.nodes.len());
            for shard in 0..boxes.len() {
                let count = |_: usize| ControlFlow::Continue(());
                let compared =
                    index.visit_box_counted(boxes.offsets(shard), boxes.sizes(shard), count);
                assert!(compared <= 8 * (1 + depth), "{ndim} {levels}: {compared}");
                // The planes of a line part the children of a node, and one box is compared in the end.
                let (owner, steps) = counted(|| index.owner(boxes.offsets(shard)));
                assert_eq!(owner, Some(shard));
                let few = if index.dims.len() > 5 { compared } else { 3 * (1 + depth) + 1 };
                assert!(steps <= few as u64, "{ndim} {levels}: {steps}");
            }
        }
    }
}

/// Four arms around a middle, which no plane parts, in any order.
#[test]
fn a_search_in_boxes_that_no_plane_parts_compares_the_one_that_has_the_element() {
    let wheel =
        [([0, 0], [4, 2]), ([4, 0], [2, 4]), ([2, 4], [4, 2]), ([0, 2], [2, 4]), ([2, 2], [2, 2])];
    for first in 0..5 {
        let mut boxes = Boxes::new(2);
        (0..5).map(|at| wheel[(first + at) % 5]).for_each(|(low, size)| boxes.push(&low, &size));
        let list = list_of(&boxes);
        let index = list.index().unwrap();
        for element in (0..36).map(|at| [at / 6, at % 6]) {
            let (owner, steps) = counted(|| index.owner(&element));
            assert!(has(&boxes, owner.unwrap(), &element));
            // Three levels without a plane, a summary of eight, and the box.
            assert_eq!(steps, 3 + 8 + 1);
        }
    }
}

/// All lists of up to five intervals of three indices, and all planes between indices.
#[test]
fn a_plane_parts_the_boxes_on_its_left_those_that_it_crosses_and_those_on_its_right() {
    let spans = [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (2, 1)];
    for count in 1..6u32 {
        for list in 0..spans.len().pow(count) {
            let number = |place: u32| list / spans.len().pow(place) % spans.len();
            let chosen: Vec<(i64, i64)> = (0..count).map(|place| spans[number(place)]).collect();
            let mut boxes = Boxes::new(1);
            chosen.iter().for_each(|&(low, size)| boxes.push(&[low], &[size]));
            let list = list_of(&boxes);
            let all = list.not_empty().unwrap();
            let mut index = build(1, all, list.offsets(), list.sizes()).unwrap();
            // The first and the last stay where they are.
            let set = usize::from(count > 3)..count as usize - usize::from(count > 4);
            for at in 0..4 {
                let before = (index.shards.clone(), index.boxes.clone());
                let (left, right) = index.part(&set, PlaneCut { dim: 0, at });
                assert!(set.start <= left && left <= right && right <= set.end);
                for (place, span) in index.boxes.iter().enumerate() {
                    let (low, size) = chosen[index.shards[place] as usize];
                    assert_eq!((span.low, span.high), (low, low + size));
                    if set.contains(&place) {
                        assert_eq!(place < left, span.high <= at);
                        assert_eq!(place >= right, span.low >= at);
                    } else {
                        assert_eq!(index.shards[place], before.0[place]);
                    }
                }
                let mut shards = index.shards.clone();
                shards.sort_unstable();
                assert!(shards.iter().zip(0..).all(|(shard, at)| *shard == at));
            }
        }
    }
}

#[test]
fn a_local_index_counts_from_the_start_of_a_box_also_where_all_boxes_start_alike() {
    let mut boxes = Boxes::new(3);
    (0..9).for_each(|row| boxes.push(&[3, 10 * row, 7], &[2, 10, 5]));
    let list = list_of(&boxes);
    let index = build(3, list.not_empty().unwrap(), list.offsets(), list.sizes()).unwrap();
    for row in 0..9 {
        let element = [4, 10 * row + 6, 8];
        let place = index.places_of(&element, 3)[0].unwrap();
        let mut local = vec![99];
        index.push_local(place, &element, &mut local);
        assert_eq!(local, [99, 1, 6, 1], "{row}");
    }
}
