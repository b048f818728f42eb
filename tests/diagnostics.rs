//! All overlaps and all gaps, against looking at every pair and every element.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

mod common;

use common::naive::{self, Marks};
use common::{Boxes, Random, families};
use proptest::prelude::*;
use shardspec::core::validate::{Overlap, gaps, overlaps};
use shardspec::core::{Error, Region};

fn random_boxes(sizes: &[i64], count: usize, random: &mut Random) -> Boxes {
    let mut boxes = Boxes::new(sizes.len());
    for _ in 0..count {
        let offsets: Vec<i64> = sizes.iter().map(|&size| random.range(0, size)).collect();
        let lengths: Vec<i64> =
            sizes.iter().zip(&offsets).map(|(size, at)| random.range(0, size - at + 1)).collect();
        boxes.push(&offsets, &lengths);
    }
    boxes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn overlaps_are_those_of_comparing_each_pair(
        sizes in prop::collection::vec(1i64..9, 1..=4), count in 0usize..30, seed: u64, limit in 0usize..60,
    ) {
        let boxes = random_boxes(&sizes, count, &mut Random::new(seed));
        let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
        let all: Vec<Overlap> = pairs
            .filter_map(|(first, second)| {
                let region = naive::intersection(&boxes, first, second)?;
                Some(Overlap { first, second, region })
            })
            .collect();
        let shards = boxes.shards();
        prop_assert_eq!(&overlaps(&shards, usize::MAX).unwrap(), &all);
        let few = overlaps(&shards, limit).unwrap();
        prop_assert_eq!(&few[..], &all[..limit.min(all.len())]);
    }

    /// Gaps are owned by nobody, share nothing, and with the shards they are the whole tensor.
    #[test]
    fn gaps_are_all_that_is_left(
        sizes in prop::collection::vec(1i64..8, 1..=4), count in 0usize..12, apart: bool, seed: u64,
    ) {
        let mut random = Random::new(seed);
        let mut boxes = if apart {
            families::partition(&sizes, count + 1, &mut random).boxes
        } else {
            random_boxes(&sizes, count, &mut random)
        };
        for _ in 0..random.below(boxes.len() + 1) {
            boxes.remove(random.below(boxes.len()));
        }
        let found = gaps(&boxes.shards(), &sizes, usize::MAX).unwrap();
        prop_assert!(!found.more);
        let found = found.boxes;
        let mut holes = Boxes::new(sizes.len());
        let owned = Marks::new(&boxes, &sizes);
        for Region { offsets, sizes } in &found {
            prop_assert!(!sizes.contains(&0));
            prop_assert!(!owned.any_owned(offsets, sizes), "{:?}", found);
            holes.push(offsets, sizes);
        }
        prop_assert!(!naive::any_pair_meets(&holes), "{:?}", found);
        holes.extend(&boxes);
        prop_assert!(Marks::new(&holes, &sizes).all_owned(&vec![0; sizes.len()], &sizes), "{:?}", found);
    }
}

#[test]
fn a_gap_that_is_a_box_is_told_as_one() {
    let mut random = Random::new(3);
    let families::Cut { sizes, mut boxes } =
        families::partition(&[1 << 20; 3], 20_000, &mut random);
    let mut removed = Vec::new();
    for index in [19_000, 7_000, 500, 20] {
        removed.push(Region::new(boxes.offsets(index), boxes.sizes(index)));
        boxes.remove(index);
    }
    removed.sort_by(|a, b| a.offsets.cmp(&b.offsets));
    assert_eq!(gaps(&boxes.shards(), &sizes, usize::MAX).unwrap().boxes, removed);
    assert_eq!(overlaps(&boxes.shards(), 10).unwrap(), []);
}

#[test]
fn shards_of_another_number_of_dimensions_are_refused() {
    let shards = Boxes::of(1, &[(&[0], &[1])]).shards();
    assert!(matches!(gaps(&shards, &[1, 1], 9), Err(Error::RankMismatch { .. })));
    assert!(matches!(gaps(&shards, &[-1], 9), Err(Error::InvalidArgument { .. })));
    assert_eq!(gaps(&shards, &[0], 9).unwrap().boxes, []);
    assert_eq!(gaps(&shards, &[1], 9).unwrap().boxes, []);
}
