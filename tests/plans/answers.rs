//! What a plan answers about itself, against its pieces; and which questions it refuses.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use crate::common::layouts::{Kinds, Layout};
use crate::common::plans::{metadata, on_ranks, random_layout, rows};
use crate::common::{Boxes, Random};
use shardspec::model::{Error, Shards};
use shardspec::plan::ReshardPlan;

/// A plan between layouts of any kind.
fn any_plan(random: &mut Random) -> ReshardPlan {
    let sizes: Vec<i64> = (0..random.range(1, 4)).map(|_| random.range(0, 8)).collect();
    let kinds = Kinds { replicas: true, flattened: false, ranks: 3 };
    let both = [0, 1].map(|_| Layout::random(random, &sizes, kinds).shards);
    let [source, destination] = both;
    ReshardPlan::from_shards(source, destination).unwrap()
}

#[test]
fn rows_are_the_pieces_as_flat_arrays() {
    let (mut random, mut strided) = (Random::new(23), 0);
    for _ in 0..200 {
        let plan = any_plan(&mut random);
        let first = random.below(plan.len() + 1);
        let count = random.below(plan.len() + 1 - first);
        let rows = plan.rows(first, count).unwrap();
        let (ndim, [from, to]) = (plan.piece_ndim(), [plan.source(), plan.destination()]);
        assert_eq!((rows.sources.len(), rows.destinations.len()), (count, count));
        assert_eq!(rows.sizes.len(), count * ndim);
        for (at, piece) in plan.pieces_in(first..first + count).enumerate() {
            let row = |numbers: &[i64], ndim: usize| numbers[at * ndim..(at + 1) * ndim].to_vec();
            let shards = (rows.sources[at] as usize, rows.destinations[at] as usize);
            assert_eq!(shards, (piece.source, piece.destination));
            assert_eq!(row(rows.sizes, ndim), piece.sizes);
            let windows = [piece.source_window, piece.destination_window];
            assert_eq!(row(rows.source_offsets, from.ndim()), windows[0].offsets);
            assert_eq!(row(rows.destination_offsets, to.ndim()), windows[1].offsets);
            let steps = rows.steps.map(|steps| {
                let [source, destination] = [steps.source_steps, steps.destination_steps];
                let steps = [row(source, ndim), row(destination, ndim)];
                (steps, [rows.steps.unwrap().source_dims, rows.steps.unwrap().destination_dims])
            });
            let strides = windows.map(|window| window.strides);
            assert_eq!(steps.is_some(), strides[0].is_some() && strides[1].is_some());
            if let Some((steps, dims)) = steps {
                let strides = strides.map(Option::unwrap);
                assert_eq!(steps, strides.map(|(_, steps)| steps.to_vec()));
                assert_eq!(dims, strides.map(|(dims, _)| dims));
                strided += 1;
            }
            let elements: i64 = piece.sizes.iter().product();
            assert_eq!(piece.elements() as i64, elements);
        }
        for (first, count) in [(0, plan.len() + 1), (plan.len(), 1), (1, usize::MAX)] {
            let refused = plan.rows(first, count);
            assert!(matches!(refused, Err(Error::IndexOutOfRange { .. })), "{refused:?}");
        }
    }
    assert!(strided > 100, "{strided}");
}

#[test]
fn a_plan_is_empty_if_it_has_no_pieces() {
    let whole = || on_ranks(&Boxes::of(1, &[(&[0], &[4])]), &[0]);
    let nothing = || on_ranks(&Boxes::of(1, &[(&[2], &[0])]), &[0]);
    assert!(!ReshardPlan::from_shards(whole(), whole()).unwrap().is_empty());
    assert!(ReshardPlan::from_shards(whole(), nothing()).unwrap().is_empty());
}

#[test]
fn a_plan_for_all_serves_no_shard_past_the_last() {
    let layout = random_layout(&[9], 5, 2, &mut Random::new(3));
    let count = layout.len();
    let plan = ReshardPlan::from_shards(layout.clone(), layout).unwrap();
    assert!((0..count).all(|shard| plan.serves(shard)));
    assert!(!plan.serves(count) && !plan.serves(usize::MAX));
}

#[test]
fn wanted_shards_may_come_in_any_order_and_several_times() {
    let mut random = Random::new(29);
    for _ in 0..100 {
        let [source, destination] =
            [4, 6].map(|cuts| metadata(random_layout(&[7, 5], cuts, 3, &mut random), &[7, 5]));
        let count = destination.shards().len();
        let wanted: Vec<usize> = (0..random.below(12)).map(|_| random.below(count)).collect();
        let sorted: Vec<usize> = (0..count).filter(|shard| wanted.contains(shard)).collect();
        let plan = |wanted: &[usize]| {
            ReshardPlan::for_destinations(&source, &destination, wanted).unwrap()
        };
        let some = plan(&wanted);
        assert_eq!(rows(&some), rows(&plan(&sorted)), "{wanted:?}");
        assert!((0..count).all(|shard| some.serves(shard) == wanted.contains(&shard)));
    }
}

#[test]
fn shards_of_another_number_of_dimensions_are_refused() {
    let line = || Boxes::of(1, &[(&[0], &[4])]).shards();
    let square = || Boxes::of(2, &[(&[0, 0], &[4, 4])]).shards();
    let none = || Shards::from_list(&[]).unwrap();
    for (source, destination, expected, got) in [(line(), square(), 1, 2), (square(), line(), 2, 1)]
    {
        let refused = ReshardPlan::from_shards(source, destination).unwrap_err();
        let Error::NdimMismatch { expected: needed, got: given, .. } = refused else {
            panic!("{refused}")
        };
        assert_eq!((needed, given), (expected, got));
    }
    assert!(ReshardPlan::from_shards(square(), none()).unwrap().is_empty());
}
