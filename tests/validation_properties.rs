//! Validation against the definitions: random partitions, left alone or disturbed, small enough to
//! mark every element, or with so many boxes that every pair is compared instead.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::families::{Cut, partition};
use common::{Boxes, Random, naive};
use proptest::prelude::*;
use shardspec::geometry::Region;
use shardspec::model::ModelError;
use shardspec::model::{Error, validate};

/// What is done to a partition.
#[derive(Clone, Copy, Debug)]
enum Disturbance {
    None,
    Drop,
    Grow,
    Shift,
    Duplicate,
    Shrink,
}

impl Disturbance {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            Just(Self::None),
            Just(Self::Drop),
            Just(Self::Grow),
            Just(Self::Shift),
            Just(Self::Duplicate),
            Just(Self::Shrink),
        ]
    }

    fn disturb(self, boxes: &mut Boxes, random: &mut Random) {
        let (index, dim) = (random.below(boxes.len()), random.below(boxes.ndim));
        match self {
            Self::None => {}
            Self::Drop if boxes.len() > 1 => boxes.remove(index),
            Self::Drop => {}
            Self::Grow => boxes.sizes_mut(index)[dim] += random.range(1, 3),
            Self::Shift => boxes.offsets_mut(index)[dim] += random.range(1, 3),
            Self::Duplicate => {
                let (offsets, sizes) = (boxes.offsets(index).to_vec(), boxes.sizes(index).to_vec());
                boxes.push(&offsets, &sizes);
            }
            Self::Shrink => boxes.sizes_mut(index)[dim] -= 1,
        }
    }
}

/// Boxes that own nothing, anywhere: inside of others, across their borders, outside the tensor.
fn add_empty_boxes(boxes: &mut Boxes, sizes: &[i64], count: usize, random: &mut Random) {
    for _ in 0..count {
        let offsets: Vec<i64> = sizes.iter().map(|&size| random.range(0, 2 * size + 1)).collect();
        let mut lengths: Vec<i64> =
            sizes.iter().map(|&size| random.range(0, 2 * size + 1)).collect();
        lengths[random.below(sizes.len())] = 0;
        boxes.push(&offsets, &lengths);
    }
}

/// A partition of a tensor of `sizes`, disturbed, shuffled, with empty boxes strewn in.
fn disturbed(
    sizes: &[i64], count: usize, empty: usize, disturbance: Disturbance, seed: u64,
) -> Cut {
    let mut random = Random::new(seed);
    let Cut { sizes, mut boxes } = partition(sizes, count, &mut random);
    disturbance.disturb(&mut boxes, &mut random);
    add_empty_boxes(&mut boxes, &sizes, empty, &mut random);
    Cut { sizes, boxes: boxes.shuffled(&mut random) }
}

/// Sizes of 1 to 6 dimensions with at most some thousand elements.
fn small_sizes() -> impl Strategy<Value = Vec<i64>> {
    prop_oneof![
        prop::collection::vec(1..200i64, 1),
        prop::collection::vec(1..40i64, 2),
        prop::collection::vec(1..12i64, 3),
        prop::collection::vec(1..7i64, 4),
        prop::collection::vec(1..5i64, 5),
        prop::collection::vec(1..4i64, 6),
    ]
}

fn small_cut() -> impl Strategy<Value = Cut> {
    let shape = (small_sizes(), 1..200usize, 0..4usize);
    (shape, Disturbance::any(), any::<u64>())
        .prop_map(|((sizes, count, empty), what, seed)| disturbed(&sizes, count, empty, what, seed))
}

/// Several hundred to some thousand boxes in 2 to 4 dimensions: the recursion is deep here.
fn large_cut() -> impl Strategy<Value = Cut> {
    let sizes = prop_oneof![
        prop::collection::vec(100..100_000i64, 2),
        prop::collection::vec(20..1_000i64, 3),
        prop::collection::vec(10..100i64, 4),
    ];
    let shape = (sizes, 300..3_000usize, 0..20usize);
    (shape, Disturbance::any(), any::<u64>())
        .prop_map(|((sizes, count, empty), what, seed)| disturbed(&sizes, count, empty, what, seed))
}

/// The overlap that is reported is one: the two named boxes share exactly that region.
fn assert_is_witness(boxes: &Boxes, error: &Error) {
    let Error::Model(ModelError::Overlap { first, second, region, .. }) = error else {
        panic!("{error}")
    };
    assert!(first < second, "{first}, {second}");
    let shared = naive::intersection(boxes, *first, *second);
    assert_eq!(Some(region), shared.as_ref(), "shards {first} and {second}");
}

/// Bounds come before gaps, and the first shard that breaks one is named.
fn assert_out_of_bounds(boxes: &Boxes, expected: (usize, usize), error: &Error) {
    let Error::Model(ModelError::OutOfBounds { shard, dim, offset, size, .. }) = *error else {
        panic!("{error}")
    };
    assert_eq!((shard, dim), expected);
    assert_eq!((offset, size), (boxes.offsets(shard)[dim], boxes.sizes(shard)[dim]));
}

fn gap(error: &Error) -> &Region {
    let Error::Model(ModelError::Gap { region, .. }) = error else { panic!("{error}") };
    region
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn validation_says_what_marking_every_element_says(cut in small_cut()) {
        let Cut { sizes, boxes } = cut;
        let shards = boxes.shards();
        // A disturbed box may reach past the tensor by 2 at most.
        let room: Vec<i64> = sizes.iter().map(|size| size + 2).collect();
        let marks = naive::Marks::new(&boxes, &room);
        let overlaps = validate::check_non_overlapping(&shards);
        prop_assert_eq!(overlaps.is_err(), marks.any_owned_twice());
        if let Err(error) = overlaps {
            assert_is_witness(&boxes, &error);
            return Ok(());
        }
        let covers = validate::check_tensor(&shards, &sizes);
        match (covers, naive::first_out_of_bounds(&boxes, &sizes)) {
            (Err(error), Some(first)) => assert_out_of_bounds(&boxes, first, &error),
            (covers, _) if marks.all_owned(&vec![0; sizes.len()], &sizes) => {
                prop_assert_eq!(covers, Ok(()));
            }
            (covers, _) => naive::assert_is_maximal_gap(
                gap(&covers.unwrap_err()),
                &sizes,
                |offsets, sizes| marks.any_owned(offsets, sizes),
            ),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn validation_says_what_comparing_every_pair_says(cut in large_cut()) {
        let Cut { sizes, boxes } = cut;
        let shards = boxes.shards();
        let overlaps = validate::check_non_overlapping(&shards);
        prop_assert_eq!(overlaps.is_err(), naive::any_pair_meets(&boxes));
        if let Err(error) = overlaps {
            assert_is_witness(&boxes, &error);
            return Ok(());
        }
        let covers = validate::check_tensor(&shards, &sizes);
        match (covers, naive::first_out_of_bounds(&boxes, &sizes)) {
            (Err(error), Some(first)) => assert_out_of_bounds(&boxes, first, &error),
            // Nothing overlaps and nothing is outside: enough elements are all elements.
            (covers, _) if naive::volume(&boxes) == sizes.iter().product::<i64>() => {
                prop_assert_eq!(covers, Ok(()));
            }
            (covers, _) => naive::assert_is_maximal_gap(
                gap(&covers.unwrap_err()),
                &sizes,
                |offsets, lengths| naive::any_meets(&boxes, offsets, lengths),
            ),
        }
    }

    /// Boxes of any sizes anywhere: hardly ever a partition, so mostly about the answer "no".
    #[test]
    fn random_boxes_overlap_exactly_when_some_pair_does(
        ndim in 1..5usize, count in 2..600usize, reach in 1..40i64, seed in any::<u64>(),
    ) {
        let mut random = Random::new(seed);
        let mut boxes = Boxes::new(ndim);
        for _ in 0..count {
            let offsets: Vec<i64> = (0..ndim).map(|_| random.range(0, 1_000)).collect();
            let sizes: Vec<i64> = (0..ndim).map(|_| random.range(0, reach)).collect();
            boxes.push(&offsets, &sizes);
        }
        let overlaps = validate::check_non_overlapping(&boxes.shards());
        prop_assert_eq!(overlaps.is_err(), naive::any_pair_meets(&boxes));
        if let Err(error) = overlaps {
            assert_is_witness(&boxes, &error);
        }
    }

    /// One pair of boxes that share little, in a set where nothing else is wrong: found, and named.
    #[test]
    fn the_only_overlap_of_a_partition_is_found(
        sizes in prop::collection::vec(20..200i64, 2..5), count in 500..3_000usize,
        seed in any::<u64>(),
    ) {
        let mut random = Random::new(seed);
        let Cut { mut boxes, .. } = partition(&sizes, count, &mut random);
        let intruder: Vec<i64> = sizes.iter().map(|&size| random.range(0, size)).collect();
        boxes.push(&intruder, &vec![1; sizes.len()]);
        let boxes = boxes.shuffled(&mut random);
        let error = validate::check_non_overlapping(&boxes.shards()).unwrap_err();
        let Error::Model(ModelError::Overlap { region, .. }) = &error else { panic!("{error}") };
        prop_assert_eq!(&*region.offsets, &*intruder);
        assert_is_witness(&boxes, &error);
    }
}
