//! Questions to the index against comparing each shard, on random layouts and on those that are
//! hard for one tree or another.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use crate::common::families::{self, Cut};
use crate::common::plans::{metadata, random_layout};
use crate::common::{Boxes, Random, naive};
use proptest::prelude::*;
use shardspec::model::ModelError;
use shardspec::model::{Error, Shards};

fn naive_find(shards: &Shards, offsets: &[i64], sizes: &[i64]) -> Vec<u32> {
    let meets = |&index: &u32| {
        let shard = shards.get(index as usize).unwrap();
        naive::meet((shard.offsets, shard.sizes), (offsets, sizes))
    };
    (0..shards.len() as u32).filter(meets).collect()
}

/// A box around the place of a tensor or beyond it.
fn random_box(sizes: &[i64], random: &mut Random) -> (Vec<i64>, Vec<i64>) {
    let offsets: Vec<i64> = sizes.iter().map(|&size| random.range(0, size + 2)).collect();
    let lengths = sizes.iter().map(|&size| random.range(0, size + 2)).collect();
    (offsets, lengths)
}

fn assert_finds(shards: &Shards, sizes: &[i64], questions: usize, random: &mut Random) {
    let index = shards.boxes().index().unwrap();
    let mut found = vec![7];
    for _ in 0..questions {
        let (offsets, lengths) = random_box(sizes, random);
        index.find_box(&offsets, &lengths, &mut found).unwrap();
        assert_eq!(found, naive_find(shards, &offsets, &lengths), "{offsets:?} {lengths:?}");
        let owner = index.owner(&offsets);
        let owners = naive_find(shards, &offsets, &vec![1; sizes.len()]);
        assert_eq!(owner.is_some(), !owners.is_empty(), "{offsets:?}");
        assert!(owner.is_none_or(|owner| owners.contains(&(owner as u32))), "{offsets:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn of_random_partitions_every_box_finds_those_it_meets(
        sizes in prop::collection::vec(0i64..12, 0..=6), cuts in 0usize..200, seed: u64,
    ) {
        let mut random = Random::new(seed);
        let shards = random_layout(&sizes, cuts, 3, &mut random);
        assert_finds(&shards, &sizes, 20, &mut random);
    }

    /// From an element to its shard and back, in bulk and one by one.
    #[test]
    fn elements_are_located_and_found_again(
        sizes in prop::collection::vec(1i64..6, 0..=4), cuts in 0usize..30, seed: u64,
    ) {
        let mut random = Random::new(seed);
        let metadata = metadata(random_layout(&sizes, cuts, 3, &mut random), &sizes);
        let count = 20;
        let elements: Vec<i64> =
            (0..count).flat_map(|_| sizes.iter().map(|&size| random.range(0, size)).collect::<Vec<_>>()).collect();
        let located = metadata.locate(&elements, count).unwrap();
        let ndim = sizes.len();
        for number in 0..count {
            let element = &elements[number * ndim..(number + 1) * ndim];
            let local = &located.indices[number * ndim..(number + 1) * ndim];
            let shard = metadata.shards().get(located.shards[number]).unwrap();
            prop_assert_eq!(metadata.shard_at(element).unwrap(), located.shards[number]);
            prop_assert_eq!(naive_find(metadata.shards(), element, &vec![1; ndim]), vec![located.shards[number] as u32]);
            for dim in 0..ndim {
                prop_assert!((0..shard.sizes[dim]).contains(&local[dim]));
                prop_assert_eq!(shard.offsets[dim] + local[dim], element[dim]);
            }
        }
        prop_assert_eq!(metadata.globalize(&located.shards, &located.indices).unwrap(), elements);
    }

    #[test]
    fn shards_may_overlap_in_any_way(
        sizes in prop::collection::vec(1i64..12, 0..=3), count in 0usize..200, same in 0usize..100,
        seed: u64,
    ) {
        let mut random = Random::new(seed);
        let mut boxes: Vec<_> = (0..count).map(|_| random_box(&sizes, &mut random)).collect();
        if let Some(first) = boxes.first().cloned() {
            boxes.extend(std::iter::repeat_n(first, same));
        }
        let shards = crate::common::plans::on_random_ranks(sizes.len(), boxes, 3, &mut random);
        assert_finds(&shards, &sizes, 20, &mut random);
    }
}

#[test]
fn in_hard_families_every_box_finds_those_it_meets() {
    let mut random = Random::new(5);
    let cuts = [
        families::grid(&[40, 50], &[3, 4]),
        families::grid(&[3, 1, 700], &[2, 5, 1]),
        families::slabs(1000),
        families::packed_rods(9),
        families::peeled(3, 900),
        families::pinwheels(&[1 << 20; 2], 2000, &mut random),
        families::pinwheels(&[1 << 20; 4], 2000, &mut random),
        families::partition(&[1 << 15; 4], 2000, &mut random),
        families::nested_grids(&[5, 5], 40, &mut random),
    ];
    for Cut { sizes, boxes } in cuts {
        let shards = boxes.shuffled(&mut random).shards();
        assert_finds(&shards, &sizes, 100, &mut random);
        let index = shards.boxes().index().unwrap();
        let mut found = Vec::new();
        for number in 0..shards.len() {
            let shard = shards.get(number).unwrap();
            index.find_box(shard.offsets, shard.sizes, &mut found).unwrap();
            assert_eq!(found, [number as u32]);
        }
    }
}

#[test]
fn the_largest_coordinates_are_found() {
    let most = i64::MAX;
    let boxes = Boxes::of(1, &[(&[0], &[1]), (&[most - 2], &[2]), (&[1], &[most - 3])]);
    let shards = boxes.shards();
    let index = shards.boxes().index().unwrap();
    assert_eq!(
        [0, 1, most - 3, most - 2, most - 1].map(|at| index.owner(&[at])),
        [0, 2, 2, 1, 1].map(Some)
    );
    assert_eq!([most, -1, i64::MIN].map(|at| index.owner(&[at])), [None; 3]);
    let mut found = Vec::new();
    index.find_box(&[1], &[most], &mut found).unwrap();
    assert_eq!(found, [1, 2]);
}

/// What was asked of metadata before changes nothing about it.
#[test]
fn an_index_is_no_part_of_what_metadata_is() {
    let sizes = [6, 7];
    let asked = metadata(random_layout(&sizes, 20, 3, &mut Random::new(2)), &sizes);
    let unasked = metadata(random_layout(&sizes, 20, 3, &mut Random::new(2)), &sizes);
    assert!(asked.shards().boxes().index().unwrap().owner(&[3, 3]).is_some());
    assert_eq!(asked, unasked);
    assert_eq!(asked.hash_value(), unasked.hash_value());
    let clone = asked.shards().clone();
    assert_eq!(
        clone.boxes().index().unwrap().owner(&[3, 3]),
        asked.shards().boxes().index().unwrap().owner(&[3, 3])
    );
}

#[test]
fn threads_may_ask_first_at_once() {
    let Cut { boxes, .. } = families::grid(&[100, 100], &[2, 2]);
    let shards = boxes.shards();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(shards.boxes().index().unwrap().owner(&[3, 5]), Some(102)));
        }
    });
}

#[test]
fn places_outside_are_refused_with_the_number_of_the_element() {
    let metadata =
        metadata(Boxes::of(2, &[(&[0, 0], &[2, 5]), (&[2, 0], &[2, 5])]).shards(), &[4, 5]);
    let outside = |result: Result<_, Error>| {
        let (at, error) = match result.map(|_| ()).unwrap_err() {
            Error::At { argument, index, error, .. } => (Some((argument, index)), *error),
            error => (None, error),
        };
        match error {
            Error::Model(ModelError::OutsideTensor { dim, index, size, .. }) => {
                (at, dim, index, size)
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(outside(metadata.shard_at(&[4, 0])), (None, 0, 4, 4));
    assert_eq!(outside(metadata.shard_at(&[0, -1])), (None, 1, -1, 5));
    let elements = [3, 4, 0, 0, 0, i64::MAX];
    let third = Some(("elements", 2));
    assert_eq!(outside(metadata.locate(&elements, 3).map(|_| 0)), (third, 1, i64::MAX, 5));
    let second = Some(("local_indices", 1));
    assert_eq!(outside(metadata.globalize(&[0, 1], &[1, 4, 2, 0]).map(|_| 0)), (second, 0, 2, 2));
    let no_shard = metadata.globalize(&[2], &[0, 0]).unwrap_err();
    assert!(matches!(no_shard, Error::At { argument: "shards", index: 0, .. }), "{no_shard:?}");
    assert!(matches!(metadata.shard_at(&[1]), Err(Error::NdimMismatch { .. })));
    assert!(matches!(metadata.locate(&elements, 2), Err(Error::InvalidArgument { .. })));
    assert!(matches!(metadata.shards_in_box(&[0, 0], &[1, -1]), Err(Error::TooSmall { .. })));
    assert_eq!(metadata.shards_in_box(&[1, 4], &[90, 90]).unwrap(), [0, 1]);
}
