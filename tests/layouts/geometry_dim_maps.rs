//! Dim maps: equal to the layout algebra's own answers, to brute force on random ones, and as small
//! as their stretches whatever the size of the dimension.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a wrong index or a malformed data file should fail the test"
)]

use std::collections::BTreeMap;

use crate::common::Random;
use crate::common::cuts::block_cyclic;
use shardspec::geometry::{DimMap, GeometryError, Stretch};

/// The index at each place of the buffer, -1 for a hole.
fn listed(map: &DimMap) -> Vec<i64> {
    (0..map.length()).map(|local| map.global(local).unwrap_or(-1)).collect()
}

/// Indices below `size` in some order, each at most once, and holes; with the dim map of them.
fn random_map(random: &mut Random, size: i64) -> (Vec<i64>, DimMap) {
    let whole = DimMap::padded(0, size, size + random.range(0, 4)).unwrap();
    let mut map = whole;
    for _ in 0..random.range(0, 4) {
        let length = map.length();
        let positions = match random.below(3) {
            0 => {
                let start = random.range(0, length + 1);
                DimMap::interval(start, random.range(0, length - start + 1)).unwrap()
            }
            1 => {
                let (count, block) = (random.range(1, 5), random.range(1, 6));
                block_cyclic(length, count, block, random.range(0, count) * block).unwrap()
            }
            // Segments, the last first.
            _ => {
                let at = random.range(0, length + 1);
                let parts =
                    [DimMap::interval(at, length - at).unwrap(), DimMap::interval(0, at).unwrap()];
                DimMap::joined(&parts).unwrap()
            }
        };
        let chosen = listed(&positions);
        let before = listed(&map);
        map = map.select(&positions).unwrap();
        let expected: Vec<i64> = chosen.iter().map(|&place| before[place as usize]).collect();
        assert_eq!(listed(&map), expected);
    }
    (listed(&map), map)
}

#[test]
fn selecting_places_of_a_dim_map_is_indexing_its_list() {
    let mut random = Random::new(1);
    for _ in 0..2000 {
        let size = random.range(0, 41);
        let (indices, map) = random_map(&mut random, size);
        assert_eq!(map.length(), indices.len() as i64);
        assert_eq!(map.elements(), indices.iter().filter(|&&index| index >= 0).count() as i64);
        assert_eq!(map.holes(), map.length() - map.elements());
        for (place, &index) in indices.iter().enumerate().filter(|(_, index)| **index >= 0) {
            assert_eq!(map.local(index), Some(place as i64));
        }
        for index in (-1..size + 5).filter(|index| !indices.contains(index)) {
            assert_eq!(map.local(index), None);
        }
        for outside in [-1, map.length(), i64::MAX] {
            assert_eq!(map.global(outside), None);
        }
        // What it is made of says all of it.
        assert_eq!(listed(&DimMap::new(map.length(), map.stretches().to_vec()).unwrap()), indices);
    }
}

#[test]
fn what_two_dim_maps_have_in_common_is_each_shared_index_once() {
    let mut random = Random::new(2);
    for _ in 0..3000 {
        let size = random.range(0, 41);
        let (first, a) = random_map(&mut random, size);
        let (second, b) = random_map(&mut random, size);
        let mut found = BTreeMap::new();
        for part in a.common(&b).unwrap() {
            assert!(part.length > 0 && part.count > 0);
            for run in 0..part.count {
                for at in 0..part.length {
                    let places = [0, 1].map(|side| part.starts[side] + run * part.steps[side] + at);
                    let index = first[places[0] as usize];
                    assert_eq!(index, second[places[1] as usize]);
                    assert!(index >= 0);
                    assert_eq!(found.insert(index, places), None, "{index} is found twice");
                }
            }
        }
        let expected = first.iter().filter(|index| **index >= 0 && second.contains(index));
        let mut expected: Vec<i64> = expected.copied().collect();
        expected.sort_unstable();
        assert_eq!(found.into_keys().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_block_cyclic_dimension_of_any_size_is_one_stretch_and_a_tail() {
    let length = 1_000_000_000_000;
    let map = block_cyclic(length, 4, 3, 6).unwrap();
    assert_eq!(map.stretches().len(), 1);
    let map = block_cyclic(length, 7, 64, 128).unwrap();
    assert!(map.stretches().len() <= 2);
    assert_eq!(map.local(map.global(map.length() - 1).unwrap()), Some(map.length() - 1));
    // Cyclic of cyclic stays periodic.
    let nested = map.select(&block_cyclic(map.length(), 3, 48, 48).unwrap()).unwrap();
    assert!(nested.stretches().len() <= 8, "{}", nested.stretches().len());
    assert_eq!(nested.elements(), nested.length());
}

#[test]
fn two_block_cyclic_dimensions_meet_in_a_few_stretches_that_hold_everything() {
    let length = 1_000_000_000;
    let mut moved = 0;
    for source in 0..4 {
        let own = block_cyclic(length, 4, 3, source * 3).unwrap();
        for destination in 0..6 {
            let theirs = block_cyclic(length, 6, 5, destination * 5).unwrap();
            let parts = own.common(&theirs).unwrap();
            // Periods 12 and 30 have the divisor 6: two whole ones and tails.
            assert!(parts.len() <= 6, "{parts:?}");
            moved += parts.iter().map(|part| part.length * part.count).sum::<i64>();
        }
    }
    assert_eq!(moved, length);
}

#[test]
fn few_long_blocks_at_steps_without_a_common_divisor_are_met_one_by_one() {
    let block = 1_000_000_000;
    let [p, q] = [2 * block + 1, 2 * block + 3];
    let of = |step| Stretch::new([0, 0], block, 3, [step, block]).unwrap();
    let [a, b] = [p, q].map(|step| DimMap::new(3 * block, vec![of(step)]).unwrap());
    let parts = a.common(&b).unwrap();
    assert_eq!(parts.len(), 3);
    let shared: i64 = parts.iter().map(|part| part.length * part.count).sum();
    assert_eq!(shared, 3 * block - 2 - 4);
}

#[test]
fn numbers_that_are_no_stretch_are_refused() {
    let max = i64::MAX;
    for (starts, length, count, steps) in [
        ([-1, 0], 1, 1, [1, 1]),
        ([0, -1], 1, 1, [1, 1]),
        ([0, 0], 0, 1, [1, 1]),
        ([0, 0], 1, 0, [1, 1]),
        ([0, 0], 2, 2, [1, 2]),
        ([0, 0], 2, 2, [2, 1]),
        ([max, 0], 1, 1, [1, 1]),
        ([0, 0], 1, 2, [max, 1]),
        ([0, 0], 2, max, [2, 2]),
        ([0, 0], 1, max, [max, max]),
    ] {
        assert_eq!(Stretch::new(starts, length, count, steps), None, "{starts:?} {length} {count}");
    }
}

#[test]
fn stretches_that_share_an_index_or_a_place_are_refused() {
    let interval = |global, local, length| Stretch::interval(global, local, length).unwrap();
    let map = |length, stretches: &[Stretch]| DimMap::new(length, stretches.to_vec());
    assert_eq!(map(4, &[interval(0, 0, 2), interval(5, 1, 2)]), Err(GeometryError::Twice));
    assert_eq!(map(4, &[interval(0, 0, 2), interval(1, 2, 2)]), Err(GeometryError::Twice));
    assert_eq!(map(3, &[interval(0, 0, 2), interval(5, 2, 2)]), Err(GeometryError::PastTheEnd));
    let every_third = Stretch::new([0, 0], 1, 5, [3, 3]).unwrap();
    let between = Stretch::new([1, 1], 1, 5, [3, 3]).unwrap();
    assert_eq!(map(14, &[every_third, between]).map(|map| map.elements()), Ok(10));
    let across = Stretch::new([20, 2], 1, 3, [5, 5]).unwrap();
    assert_eq!(map(14, &[every_third, between, across]), Err(GeometryError::Twice));
}

#[test]
fn an_interval_says_that_it_is_one() {
    assert_eq!(DimMap::interval(3, 4).unwrap().as_interval(), Some(3..7));
    assert_eq!(DimMap::interval(3, 0).unwrap().as_interval(), Some(0..0));
    assert_eq!(DimMap::padded(3, 4, 5).unwrap().as_interval(), None);
    assert_eq!(block_cyclic(8, 2, 2, 0).unwrap().as_interval(), None);
    assert_eq!(block_cyclic(8, 1, 2, 0).unwrap().as_interval(), Some(0..8));
}

#[test]
fn stretches_up_to_the_largest_index_are_counted_and_joined_without_overflow() {
    let whole = Stretch::interval(0, 0, i64::MAX).unwrap();
    assert_eq!(DimMap::new(i64::MAX, vec![whole, whole]), Err(GeometryError::Overflow));
    let far = 1i64 << 62;
    let stretch = |start, local| Stretch::new([start, local], 1, 2, [far, 1]).unwrap();
    let map = DimMap::new(4, vec![stretch(0, 0), stretch(1, 2)]).unwrap();
    assert_eq!(listed(&map), [0, far, 1, far + 1]);
}

/// Stretches lie inside of each other's reach, and some have no room between their blocks on one side.
#[test]
fn a_place_between_blocks_has_no_index_and_an_index_between_blocks_has_no_place() {
    let stretches = [
        Stretch::new([100, 0], 1, 3, [2, 20]).unwrap(),
        Stretch::new([0, 5], 1, 5, [3, 1]).unwrap(),
        Stretch::new([150, 60], 1, 2, [100, 2]).unwrap(),
        Stretch::new([200, 42], 2, 3, [2, 5]).unwrap(),
    ];
    let map = DimMap::new(63, stretches.to_vec()).unwrap();
    let (mut indices, mut places) = (BTreeMap::new(), BTreeMap::new());
    for stretch in stretches {
        for (block, at) in (0..stretch.count()).flat_map(|block| [(block, 0), (block, 1)]) {
            if at < stretch.length() {
                let index = stretch.global_start() + block * stretch.global_step() + at;
                let place = stretch.local_start() + block * stretch.local_step() + at;
                indices.insert(place, index);
                places.insert(index, place);
            }
        }
    }
    for at in -1..260 {
        assert_eq!(map.global(at), indices.get(&at).copied(), "place {at}");
        assert_eq!(map.local(at), places.get(&at).copied(), "index {at}");
    }
}

#[test]
fn an_interval_and_blocks_meet_in_whole_blocks_and_in_one_at_either_end_that_is_cut() {
    let blocks = DimMap::new(20, vec![Stretch::new([0, 0], 2, 10, [6, 2]).unwrap()]).unwrap();
    for (start, end, expected) in [
        (6, 20, vec![(2, 3)]),
        (4, 24, vec![(2, 3)]),
        (7, 20, vec![(1, 1), (2, 2)]),
        (6, 19, vec![(1, 1), (2, 2)]),
        (7, 19, vec![(1, 1), (1, 1), (2, 1)]),
        (0, 60, vec![(2, 10)]),
        (8, 12, vec![]),
    ] {
        let interval = DimMap::interval(start, end - start).unwrap();
        for (one, other) in [(&interval, &blocks), (&blocks, &interval)] {
            let parts = one.common(other).unwrap();
            let mut found: Vec<_> = parts.iter().map(|part| (part.length, part.count)).collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{start}..{end}");
        }
    }
}

#[test]
fn stretches_that_go_on_are_one() {
    let of = |length, stretches: &[(i64, i64, i64)]| {
        let interval =
            |&(global, local, length): &_| Stretch::interval(global, local, length).unwrap();
        DimMap::new(length, stretches.iter().map(interval).collect()).unwrap()
    };
    let periodic = of(4, &[(0, 0, 1), (3, 1, 1), (6, 2, 1), (9, 3, 1)]);
    assert_eq!(periodic.stretches(), [Stretch::new([0, 0], 1, 4, [3, 1]).unwrap()]);
    // First neighbours become blocks, then the blocks become one stretch.
    let halves = of(4, &[(0, 0, 1), (1, 1, 1), (6, 2, 1), (7, 3, 1)]);
    assert_eq!(halves.stretches(), [Stretch::new([0, 0], 2, 2, [6, 2]).unwrap()]);
    let both = [DimMap::interval(2, 3).unwrap(), DimMap::interval(5, 4).unwrap()];
    assert_eq!(DimMap::joined(&both).unwrap().as_interval(), Some(2..9));
}

#[test]
fn a_buffer_of_negative_length_is_refused() {
    assert_eq!(DimMap::new(-1, Vec::new()), Err(GeometryError::Overflow));
    assert!(DimMap::padded(0, 0, -1).is_err());
    assert!(DimMap::interval(0, -1).is_err());
}

#[test]
fn stretches_that_drift_towards_each_other_are_refused_at_once() {
    // By one index a turn.
    let (length, count) = (1i64 << 30, 600_000_000);
    let stretch = |start, local, step| Stretch::new([start, local], length, count, [step, length]);
    let one = stretch(0, 0, 1 << 32).unwrap();
    let other = stretch(length, length * count, (1 << 32) + 1).unwrap();
    let map = DimMap::new(i64::MAX, vec![one, other]);
    assert_eq!(map, Err(GeometryError::TooManyBlocks));
}

#[test]
fn many_stretches_that_each_lie_across_each_other_one_are_refused() {
    let row = |row| Stretch::new([row, 2 * row], 1, 2, [10_000, 10_000]).unwrap();
    let rows: Vec<Stretch> = (0..4000).map(row).collect();
    assert_eq!(DimMap::new(20_000, rows), Err(GeometryError::TooManyBlocks));
}
