//! What is promised inside of the library only: counts, cells, extents that are selected, whole blocks.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use super::bounds::Bounds;
use super::cells::{Cells, unheld};
use super::division::{DimBlocks, DivideError};
use super::{
    BlockProblem, BoxList, BoxRow, DimExtent, DimMap, ExtentList, GeometryError, Region, Stretch,
    n_log_n,
};
use crate::common::cuts::block_cyclic;
use crate::common::families::partition;
use crate::common::{Boxes, Random};

fn list_of(ndim: usize, boxes: &[(Vec<i64>, Vec<i64>)]) -> BoxList {
    let (offsets, sizes): (Vec<_>, Vec<_>) = boxes.iter().cloned().unzip();
    BoxList::new_checked(ndim, boxes.len(), offsets.concat(), sizes.concat()).unwrap()
}

/// Boxes of one dimension, by where they start and how long they are.
fn line(boxes: &[(i64, i64)]) -> BoxList {
    let boxes: Vec<_> = boxes.iter().map(|&(start, size)| (vec![start], vec![size])).collect();
    list_of(1, &boxes)
}

#[test]
fn elements_of_boxes_are_counted_and_one_that_reaches_past_the_tensor_is_seen() {
    let mut random = Random::new(41);
    let mut answers = [0; 2];
    for round in 0..800 {
        let ndim = round % 6;
        let sizes: Vec<i64> = (0..ndim).map(|_| random.range(1, 6)).collect();
        let mut boxes = Vec::new();
        for _ in 0..random.below(6) {
            let offsets: Vec<i64> = sizes.iter().map(|&size| random.range(0, size + 1)).collect();
            let mut length = |(at, size): (&i64, &i64)| {
                let past = i64::from(random.below(3) == 0);
                random.range(0, size - at + 1) + past
            };
            let lengths: Vec<i64> = offsets.iter().zip(&sizes).map(&mut length).collect();
            boxes.push((offsets, lengths));
        }
        let expected = boxes.iter().filter(|(_, lengths)| !lengths.contains(&0)).map(|one| {
            let ends = one.0.iter().zip(&one.1).map(|(at, length)| at + length);
            let is_inside = ends.zip(&sizes).all(|(end, size)| end <= *size);
            is_inside.then(|| i128::from(one.1.iter().product::<i64>()))
        });
        let expected: Option<i128> = expected.sum();
        assert_eq!(list_of(ndim, &boxes).elements_inside(&sizes), expected, "{boxes:?} {sizes:?}");
        answers[usize::from(expected.is_some())] += 1;
    }
    assert!(answers.iter().all(|&count| count > 4), "{answers:?}");
}

#[test]
fn n_log_n_is_the_number_times_its_bits() {
    for (number, bits) in [(0, 0), (1, 1), (2, 2), (3, 2), (1023, 10), (1024, 11)] {
        assert_eq!(n_log_n(number), number as u64 * bits);
    }
}

#[test]
fn a_region_is_empty_if_a_dimension_is() {
    for (sizes, is_empty) in [(vec![2, 3], false), (vec![2, 0], true), (vec![0, 3], true)] {
        assert_eq!(Region::new(&[1, 1], &sizes).is_empty(), is_empty);
    }
}

#[test]
fn boxes_of_a_tensor_with_more_elements_than_64_bits_count_are_not_counted() {
    let boxes = list_of(2, &[(vec![0, 0], vec![1, 1])]);
    assert_eq!(boxes.elements_inside(&[i64::MAX, 1]), Some(1));
    assert_eq!(boxes.elements_inside(&[i64::MAX, 2]), None);
}

/// The number of parts that no shard holds, whether these are all, and the steps that are left.
fn unheld_of(
    list: &BoxList, sizes: &[i64], disjoint: bool, room: usize, mut steps: u64,
) -> (usize, bool, u64) {
    let (candidates, whole) = (list.not_empty().unwrap(), Bounds::of_sizes(sizes));
    let (cells, complete) = unheld(list, candidates, whole, disjoint, room, &mut steps).unwrap();
    (cells.len(), complete, steps)
}

#[test]
fn a_partition_is_known_to_be_held_by_one_look_at_each_box() {
    let cut = partition(&[30, 30, 30], 50, &mut Random::new(42));
    let Boxes { ndim, offsets, sizes } = cut.boxes;
    let count = sizes.len() / ndim;
    let list = BoxList::new_checked(ndim, count, offsets, sizes).unwrap();
    // One step is that of the whole.
    let steps = count as u64 + 1;
    assert_eq!(unheld_of(&list, &cut.sizes, true, 9, steps), (0, true, 0));
    assert_eq!(unheld_of(&list, &cut.sizes, true, 9, steps - 1), (0, false, steps - 1));
    // The same of shards that may overlap takes cuts.
    assert!(!unheld_of(&list, &cut.sizes, false, 9, steps).1);
    assert_eq!(unheld_of(&list, &cut.sizes, false, 9, 1 << 20).0, 0);
}

#[test]
fn parts_that_no_shard_holds_are_found_up_to_the_room_for_them() {
    let list = line(&[(1, 1), (3, 1), (5, 1), (7, 1)]);
    for disjoint in [false, true] {
        for room in 0..8 {
            let (found, complete, _) = unheld_of(&list, &[9], disjoint, room, 1 << 20);
            assert_eq!((found, complete), (room.min(5), room >= 5), "room {room}");
        }
    }
}

#[test]
fn a_search_for_parts_ends_where_its_steps_do() {
    let list = line(&[(1, 3), (2, 4), (5, 1), (9, 4), (10, 1)]);
    let all = 1 << 20;
    let (parts, complete, left) = unheld_of(&list, &[20], false, 100, all);
    assert_eq!((parts, complete), (3, true));
    for steps in 0..all - left {
        let (found, complete, left) = unheld_of(&list, &[20], false, 100, steps);
        assert!(found <= parts && !complete && left <= steps, "{steps} steps");
    }
    assert_eq!(unheld_of(&list, &[20], false, 100, all - left), (parts, true, 0));
}

#[test]
fn cells_are_found_by_their_number_and_are_gone_when_they_are_cleared() {
    let mut random = Random::new(43);
    let mut cells = Cells::new(1);
    for _ in 0..20 {
        let mut expected: Vec<(u64, i64)> = Vec::new();
        // They are apart, so that none are merged.
        for place in 0..random.range(0, 12) {
            let number = random.range(1, 5) as u64;
            cells.push(number, &Bounds::new(&[2 * place], &[1])).unwrap();
            expected.push((number, 2 * place));
        }
        cells.merge().unwrap();
        for number in 0..7 {
            let own = cells.of_number(number).map(|cell| cells.bounds(cell).low()[0]);
            let expected = expected.iter().filter(|one| one.0 == number).map(|one| one.1);
            assert_eq!(own.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        }
        cells.clear();
        assert_eq!(cells.len(), 0);
    }
}

#[test]
fn selected_extents_are_those_of_the_list_in_the_order_that_is_asked_for() {
    let every = |start| DimMap::new(3, vec![Stretch::new([start, 0], 1, 3, [3, 1]).unwrap()]);
    let boxes = line(&[(0, 3), (1, 3), (2, 3), (20, 5)]);
    let none = ExtentList::INTERVAL;
    let table = [0, 1, 2].map(|start| every(start).unwrap()).to_vec();
    let list = ExtentList::with_maps(boxes, table, vec![0, 1, 2, none]).unwrap();
    let dims = |list: &ExtentList| -> Vec<Vec<Option<i64>>> {
        let of = |dim: DimExtent<'_>| (0..30).map(|index| dim.local(index)).collect();
        list.iter().map(|extent| of(extent.dim(0))).collect()
    };
    for numbers in [&[][..], &[2], &[3], &[2, 0], &[3, 1, 1], &[0, 1, 2, 3], &[1, 2]] {
        let some = list.select(numbers).unwrap();
        assert_eq!(some.len(), numbers.len());
        let all = dims(&list);
        assert_eq!(dims(&some), numbers.iter().map(|&at| all[at].clone()).collect::<Vec<_>>());
        for (own, &number) in some.iter().zip(numbers) {
            assert_eq!(own.dim(0), list.get(number).unwrap().dim(0));
            let row = |one: &BoxRow<'_>| (one.offsets.to_vec(), one.sizes.to_vec());
            let theirs = list.boxes().get(number).unwrap();
            assert_eq!((own.offsets.to_vec(), own.sizes.to_vec()), row(&theirs));
        }
        assert_eq!(some.are_boxes(), numbers.iter().all(|&number| number == 3), "{numbers:?}");
    }
    assert_eq!(list.select(&[0, 4]).unwrap_err(), GeometryError::PastTheEnd);
}

#[test]
fn indices_that_two_dim_maps_have_in_common_are_those_of_both_lists() {
    let mut random = Random::new(44);
    let any = |random: &mut Random| {
        let (length, count, block) = (40, random.range(1, 5), random.range(1, 6));
        let start = random.range(0, count) * block;
        block_cyclic(length, count, block, start).unwrap()
    };
    for _ in 0..100 {
        let [one, other] = [any(&mut random), any(&mut random)];
        let mut found = Vec::new();
        one.push_common_indices(&other, &mut found).unwrap();
        let mut indices = Vec::new();
        for stretch in found {
            for block in 0..stretch.count() {
                let start = stretch.global_start() + block * stretch.global_step();
                assert_eq!(start, stretch.local_start() + block * stretch.local_step());
                indices.extend(start..start + stretch.length());
            }
        }
        indices.sort_unstable();
        let both = (0..50).filter(|&at| one.local(at).is_some() && other.local(at).is_some());
        assert_eq!(indices, both.collect::<Vec<_>>());
    }
}

/// Stretches as starts, length, count and steps.
type Numbers = ([i64; 2], i64, i64, [i64; 2]);

fn divided(blocks: DimBlocks, length: i64, stretches: &[Numbers]) -> Result<DimMap, DivideError> {
    let stretch = |&(starts, length, count, steps): &Numbers| {
        Stretch::new(starts, length, count, steps).unwrap()
    };
    let stretches = stretches.iter().map(stretch).collect();
    blocks.of_map(&DimMap::new(length, stretches).unwrap())
}

/// The block, or the place in it, that is wrong is the one that is named.
#[test]
fn a_refusal_to_divide_names_the_block_that_is_cut_or_apart() {
    let inside = |index, start, end| BlockProblem::Inside { index, start, end };
    let apart = |start, block| BlockProblem::Apart { start, end: start + block, block };
    let single = [1, 1];
    let cases: &[(i64, i64, i64, &[Numbers], BlockProblem)] = &[
        // It starts inside of a block, or ends there, or its second block does.
        (8, 4, 4, &[([1, 0], 3, 1, single)], inside(1, 0, 4)),
        (8, 2, 4, &[([2, 0], 3, 1, single)], inside(5, 4, 6)),
        (8, 2, 4, &[([0, 0], 2, 2, [3, 2])], inside(3, 2, 4)),
        // A block is whole, and starts at an odd place.
        (8, 2, 8, &[([0, 0], 4, 1, single), ([6, 5], 2, 1, single)], apart(6, 2)),
        (8, 2, 6, &[([2, 0], 2, 2, [4, 3])], apart(6, 2)),
        // A block is in two pieces.
        (6, 2, 6, &[([4, 0], 2, 1, single), ([2, 2], 1, 2, [1, 3])], apart(2, 2)),
        (
            8,
            2,
            5,
            &[([0, 0], 2, 1, single), ([4, 2], 2, 1, single)],
            BlockProblem::Padding { length: 5, block: 2 },
        ),
    ];
    for &(size, block, length, stretches, expected) in cases {
        match divided(DimBlocks { size, block }, length, stretches) {
            Err(DivideError::Block(problem)) => assert_eq!(problem, expected, "{stretches:?}"),
            other => panic!("{other:?}, not {expected:?}"),
        }
    }
}

/// Blocks whose elements are in several stretches, because the last one is short.
#[test]
fn blocks_are_whole_in_whatever_stretches_they_are() {
    let [even, odd] = [([4, 0], 1, 3, [2, 2]), ([5, 1], 1, 2, [2, 2])];
    let first = ([0, 6], 2, 1, [1, 1]);
    let found = divided(DimBlocks { size: 9, block: 2 }, 8, &[even, odd, first]).unwrap();
    assert_eq!([0, 1, 2, 3].map(|place| found.global(place)), [2, 3, 4, 0].map(Some));
    // The only block, which is longer than the dimension.
    let [even, odd] = [([0, 0], 1, 2, [2, 2]), ([1, 1], 1, 1, [1, 1])];
    let found = divided(DimBlocks { size: 3, block: 4 }, 3, &[even, odd]).unwrap();
    assert_eq!((found.length(), found.global(0)), (1, Some(0)));
}
