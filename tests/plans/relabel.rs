//! Which worker should be which, on layouts that differ by little more than their names.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use crate::common::families;
use crate::common::plans::{metadata, on_ranks, random_layout};
use crate::common::{Boxes, Random};
use proptest::prelude::*;
use shardspec::model::ShardedTensorMetadata;
use shardspec::plan::{Relabelling, ReshardPlan};

/// `count` rows on the ranks that `rank` says.
fn rows_on(count: i64, rank: impl Fn(i64) -> i64) -> ShardedTensorMetadata {
    let cut = families::grid(&[count, 1], &[2, 5]);
    let ranks: Vec<i64> = (0..count).map(rank).collect();
    metadata(on_ranks(&cut.boxes, &ranks), &cut.sizes)
}

fn relabelled(source: &ShardedTensorMetadata, destination: &ShardedTensorMetadata) -> (i64, i64) {
    let plan = ReshardPlan::new(source, destination).unwrap();
    let relabelling = Relabelling::of(&plan).unwrap();
    let applied = destination.relabel(&relabelling.placements).unwrap();
    assert_eq!(applied.shards().offsets(), destination.shards().offsets());
    assert_eq!(applied.shards().sizes(), destination.shards().sizes());
    let after = ReshardPlan::new(source, &applied).unwrap();
    assert_eq!(moved(&plan), relabelling.moved_before);
    assert_eq!(moved(&after), relabelling.moved_after);
    (relabelling.moved_before, relabelling.moved_after)
}

fn moved(plan: &ReshardPlan) -> i64 {
    let routes = plan.routes().unwrap();
    let moving = routes.all().iter().filter(|route| route.source != route.destination);
    moving.map(|route| route.elements).sum()
}

#[test]
fn a_cycle_of_three_moves_nothing() {
    assert_eq!(relabelled(&rows_on(3, |row| row), &rows_on(3, |row| (row + 1) % 3)), (30, 0));
}

/// Swapping two workers at a time, as long as that helps, ends with 500 of 800 blocks moving.
#[test]
fn a_shift_of_800_blocks_by_8_moves_nothing() {
    let (source, shifted) = (rows_on(800, |row| row), rows_on(800, |row| (row + 8) % 800));
    assert_eq!(relabelled(&source, &shifted), (8000, 0));
    let few = |shift: i64| rows_on(800, move |row| (row / 25 + shift) % 32);
    assert_eq!(relabelled(&few(0), &few(8)), (8000, 0));
}

#[test]
fn what_gains_nothing_stays_where_it_is() {
    let source = rows_on(4, |_| 9);
    let destination = rows_on(4, |row| row);
    let plan = ReshardPlan::new(&source, &destination).unwrap();
    let relabelling = Relabelling::of(&plan).unwrap();
    assert_eq!(relabelling.placements, [0, 1, 2, 3]);
    assert_eq!((relabelling.moved_before, relabelling.moved_after), (40, 40));
}

/// Two workers that exchange their names keep one element more, and none keeps its name.
#[test]
fn one_element_more_that_stays_is_worth_all_names() {
    let ends = |boxes: &[(&[i64], &[i64])], ranks: &[i64]| {
        metadata(on_ranks(&Boxes::of(1, boxes), ranks), &[5])
    };
    let source = ends(&[(&[0], &[3]), (&[3], &[2])], &[0, 1]);
    let destination = ends(&[(&[0], &[2]), (&[2], &[2]), (&[4], &[1])], &[1, 0, 1]);
    assert_eq!(relabelled(&source, &destination), (3, 2));
    // Whichever of the two is looked at first.
    let four: [(&[i64], &[i64]); 4] = [(&[0], &[1]), (&[1], &[2]), (&[3], &[1]), (&[4], &[1])];
    assert_eq!(relabelled(&source, &ends(&four, &[0, 1, 0, 1])), (3, 2));
}

#[test]
fn of_two_ways_that_keep_as_much_the_names_stay() {
    let source = metadata(on_ranks(&Boxes::of(1, &[(&[0], &[2]), (&[2], &[2])]), &[0, 1]), &[4]);
    let each = Boxes::of(1, &[(&[0], &[1]), (&[1], &[1]), (&[2], &[1]), (&[3], &[1])]);
    let destination = metadata(on_ranks(&each, &[0, 1, 0, 1]), &[4]);
    let relabelling = Relabelling::of(&ReshardPlan::new(&source, &destination).unwrap()).unwrap();
    assert_eq!(relabelling.placements, [0, 1]);
    assert_eq!((relabelling.moved_before, relabelling.moved_after), (2, 2));
}

#[test]
fn devices_of_one_owner_are_equally_near() {
    let place = |texts: [&str; 2]| {
        let list: Vec<_> = texts
            .iter()
            .zip([0, 2])
            .map(|(text, offset)| shardspec::model::ShardMetadata {
                offsets: vec![offset],
                sizes: vec![2],
                placement: text.parse().unwrap(),
            })
            .collect();
        metadata(shardspec::model::Shards::from_list(&list).unwrap(), &[4])
    };
    let source = place(["rank:0/cuda:0", "rank:0/cuda:1"]);
    assert_eq!(relabelled(&source, &place(["rank:0/cuda:1", "rank:0/cpu"])), (0, 0));
}

proptest! {
    #[test]
    fn it_is_never_worse_and_what_it_says_is_true(
        sizes in prop::collection::vec(1i64..12, 0..=3), cuts in (0usize..20, 0usize..20), seed: u64,
    ) {
        let mut random = Random::new(seed);
        let source = metadata(random_layout(&sizes, cuts.0, 6, &mut random), &sizes);
        let destination = metadata(random_layout(&sizes, cuts.1, 6, &mut random), &sizes);
        let (before, after) = relabelled(&source, &destination);
        prop_assert!(after <= before);
        // Nothing moves that can be kept by exchanging two of the ranks.
        let all: Vec<i64> = (0..6).collect();
        for (a, b) in all.iter().flat_map(|a| all.iter().map(move |b| (*a, *b))) {
            let mut boxes = Boxes::new(sizes.len());
            let mut ranks = Vec::new();
            for shard in destination.shards().iter().filter(|_| !sizes.is_empty()) {
                boxes.push(shard.offsets, shard.sizes);
                let rank = shard.placement.rank().unwrap();
                ranks.push(if rank == a { b } else if rank == b { a } else { rank });
            }
            if sizes.is_empty() || ![a, b].iter().all(|rank| ranks.contains(rank)) {
                continue;
            }
            let swapped = metadata(on_ranks(&boxes, &ranks), &sizes);
            prop_assert!(after <= moved(&ReshardPlan::new(&source, &swapped).unwrap()));
        }
    }
}
