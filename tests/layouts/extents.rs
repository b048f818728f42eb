//! Shards that are no boxes: what they own is checked, found and planned as brute force says.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a wrong index should fail the test"
)]

use std::collections::BTreeSet;

use crate::common::Random;
use crate::common::layouts::{Kinds, Layout};
use shardspec::geometry::{BoxList, DimMap, ExtentList, Region, Stretch};
use shardspec::model::ModelError;
use shardspec::model::{Error, ShardedTensorMetadata, TensorProperties, validate};
use shardspec::plan::{ReshardPlan, Window};

const ALL: Kinds = Kinds { replicas: true, flattened: true, ranks: 4 };
const NO_REPLICAS: Kinds = Kinds { replicas: false, flattened: true, ranks: 4 };

fn random_sizes(random: &mut Random) -> Vec<i64> {
    let ndim = 1 + random.below(3);
    let limit = [40, 14, 8][ndim - 1];
    (0..ndim).map(|_| random.range(1, limit)).collect()
}

fn metadata(layout: &Layout) -> ShardedTensorMetadata {
    let properties = TensorProperties::default();
    if layout.replicated {
        ShardedTensorMetadata::with_replicas(layout.shards.clone(), &layout.sizes, properties)
    } else {
        ShardedTensorMetadata::new(layout.shards.clone(), &layout.sizes, properties)
    }
    .unwrap()
}

fn numel(sizes: &[i64]) -> i64 {
    sizes.iter().product()
}

/// The index in each dimension of an element by its place.
fn element(mut place: i64, sizes: &[i64]) -> Vec<i64> {
    let mut index = vec![0; sizes.len()];
    for (at, size) in index.iter_mut().zip(sizes).rev() {
        *at = place % size;
        place /= size;
    }
    index
}

fn places_in(region: &Region, sizes: &[i64]) -> BTreeSet<i64> {
    let inside = |place: &i64| {
        let index = element(*place, sizes);
        let bounds = region.offsets.iter().zip(&region.sizes);
        index.iter().zip(bounds).all(|(at, (low, size))| (*low..low + size).contains(at))
    };
    (0..numel(sizes)).filter(inside).collect()
}

#[test]
fn layouts_that_partition_a_tensor_are_taken_and_others_refused_with_the_place() {
    let mut random = Random::new(1);
    let (mut gaps, mut overlaps) = (0, 0);
    for _ in 0..800 {
        let sizes = random_sizes(&mut random);
        let layout = Layout::random(&mut random, &sizes, NO_REPLICAS);
        metadata(&layout);
        let skipped = random.below(layout.elements.len());
        let lost: BTreeSet<i64> =
            layout.elements[skipped].iter().copied().filter(|&place| place >= 0).collect();
        let shards: Vec<usize> = (0..layout.shards.len()).collect();
        let kept: Vec<usize> = shards.iter().copied().filter(|&shard| shard != skipped).collect();
        let rest = layout.select(&mut random, &kept);
        let result = validate::check_tensor(&rest, &sizes);
        if lost.is_empty() {
            result.unwrap();
            continue;
        }
        gaps += 1;
        let Err(Error::Model(ModelError::Gap { region, .. })) = result else {
            panic!("{result:?}")
        };
        let found = places_in(&region, &sizes);
        assert!(!found.is_empty() && found.is_subset(&lost), "{region} of {lost:?}");
        let all = validate::gaps(&rest, &sizes, 1000).unwrap();
        let told: Vec<i64> = all.boxes.iter().flat_map(|part| places_in(part, &sizes)).collect();
        assert_eq!(told.len(), lost.len(), "each is told once");
        assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), lost);
        // A shard twice.
        let twice = layout.select(&mut random, &[&shards[..], &[skipped]].concat());
        let result = validate::check_non_overlapping(&twice);
        let Err(Error::Model(ModelError::Overlap { first, second, region, .. })) = result else {
            panic!("{result:?}")
        };
        overlaps += 1;
        assert_eq!((first, second), (skipped, layout.shards.len()));
        let found = places_in(&region, &sizes);
        assert!(!found.is_empty() && found.is_subset(&lost), "{region} of {lost:?}");
        let pairs = validate::overlaps(&twice, 10).unwrap();
        assert_eq!(pairs.len(), 1);
    }
    assert!(gaps > 400 && overlaps > 400, "{gaps} {overlaps}");
}

#[test]
fn every_element_is_found_in_its_shard_and_back() {
    let mut random = Random::new(2);
    for _ in 0..600 {
        let sizes = random_sizes(&mut random);
        let layout = Layout::random(&mut random, &sizes, ALL);
        let metadata = metadata(&layout);
        for (shard, places) in layout.elements.iter().enumerate() {
            let buffer = layout.shards.get(shard).unwrap().sizes.to_vec();
            for (at, &place) in places.iter().enumerate() {
                let local = element(at as i64, &buffer);
                let back = metadata.globalize(&[shard], &local);
                if place < 0 {
                    assert!(matches!(back.unwrap_err(), Error::At { .. }));
                    continue;
                }
                let index = element(place, &sizes);
                assert_eq!(back.unwrap(), index);
                let located = metadata.locate(&index, 1).unwrap();
                let holders = layout.elements.iter().position(|other| other.contains(&place));
                assert_eq!(Some(located.shards[0]), holders, "the first that has it owns it");
                if located.shards[0] == shard {
                    assert_eq!(located.indices, local);
                }
            }
        }
        let low: Vec<i64> = sizes.iter().map(|&size| random.range(0, size + 1)).collect();
        let lengths: Vec<i64> = sizes.iter().map(|&size| random.range(0, size + 2)).collect();
        let inside = places_in(&Region::new(&low, &lengths), &sizes);
        let expected: Vec<usize> = (0..layout.elements.len())
            .filter(|&shard| layout.elements[shard].iter().any(|place| inside.contains(place)))
            .collect();
        assert_eq!(metadata.shards_in_box(&low, &lengths).unwrap(), expected);
    }
}

/// The places of a row-major buffer that a window has, in its order.
fn places_of(window: &Window<'_>, buffer: &[i64]) -> Vec<usize> {
    let mut strides = vec![1; buffer.len()];
    for dim in (1..buffer.len()).rev() {
        strides[dim - 1] = strides[dim] * buffer[dim];
    }
    let start: i64 = window.offsets.iter().zip(&strides).map(|(at, stride)| at * stride).sum();
    let step = |dim: usize| match window.strides {
        None => strides[dim],
        Some((dims, steps)) => strides[dims[dim]] * steps[dim],
    };
    (0..window.sizes.len())
        .fold(vec![start], |places, dim| {
            let further = |place: i64| (0..window.sizes[dim]).map(move |at| place + at * step(dim));
            places.into_iter().flat_map(further).collect()
        })
        .into_iter()
        .map(|place| usize::try_from(place).unwrap())
        .collect()
}

#[test]
fn plans_between_any_two_layouts_move_each_element_once() {
    let mut random = Random::new(3);
    for round in 0..1500 {
        let sizes = random_sizes(&mut random);
        let source = Layout::random(&mut random, &sizes, ALL);
        let destination = Layout::random(&mut random, &sizes, ALL);
        let (from, to) = (metadata(&source), metadata(&destination));
        let plan = if round % 3 == 0 {
            ReshardPlan::from_shards(source.shards.clone(), destination.shards.clone()).unwrap()
        } else {
            ReshardPlan::new(&from, &to).unwrap()
        };
        check_plan(&plan, &source, &destination);
        let wanted = random.below(destination.elements.len());
        let part = ReshardPlan::for_destinations(&from, &to, &[wanted]).unwrap();
        assert!(part.pieces().all(|piece| piece.destination == wanted));
        let elements = |plan: &ReshardPlan| -> i64 {
            let own = plan.pieces().filter(|piece| piece.destination == wanted);
            own.map(|piece| piece.sizes.iter().product::<i64>()).sum()
        };
        assert_eq!(elements(&part), elements(&plan));
    }
}

fn check_plan(plan: &ReshardPlan, source: &Layout, destination: &Layout) {
    let empty = |layout: &Layout| -> Vec<Vec<i64>> {
        layout.elements.iter().map(|places| vec![-1; places.len()]).collect()
    };
    let (mut by_pieces, mut by_runs) = (empty(destination), empty(destination));
    let sizes = |layout: &Layout, shard: usize| layout.shards.get(shard).unwrap().sizes.to_vec();
    let mut last = (0, 0);
    for piece in plan.pieces() {
        assert!(last <= (piece.destination, piece.source), "pieces are in order");
        last = (piece.destination, piece.source);
        let from = places_of(&piece.source_window, &sizes(source, piece.source));
        let to = places_of(&piece.destination_window, &sizes(destination, piece.destination));
        for (from, to) in from.into_iter().zip(to) {
            let place = &mut by_pieces[piece.destination][to];
            assert_eq!(*place, -1, "an element is written once");
            *place = source.elements[piece.source][from];
        }
    }
    assert_eq!(by_pieces, destination.elements);
    for run in plan.runs(0..plan.len(), 1).unwrap() {
        for block in 0..run.count {
            let from = (run.source_offset + block * run.source_stride) as usize;
            let to = (run.destination_offset + block * run.destination_stride) as usize;
            let length = run.length as usize;
            let bytes = source.elements[run.source][from..from + length].to_vec();
            by_runs[run.destination][to..to + length].copy_from_slice(&bytes);
        }
    }
    assert_eq!(by_runs, destination.elements);
}

/// Metadata of one dimension, dealt in blocks to `count` ranks.
fn block_cyclic_metadata(length: i64, count: i64, block: i64) -> ShardedTensorMetadata {
    let mut random = Random::new(4);
    let map = |at: i64| {
        vec![crate::common::cuts::block_cyclic(length, count, block, at * block).unwrap()]
    };
    let maps: Vec<_> = (0..count).map(map).collect();
    let shards = crate::common::layouts::shards(&mut random, 1, &maps, None, 4);
    ShardedTensorMetadata::new(shards, &[length], TensorProperties::default()).unwrap()
}

#[test]
fn plans_between_block_cyclic_layouts_are_as_large_as_their_period_and_not_as_the_tensor() {
    let billion = 1_000_000_000;
    let (four, six) = (block_cyclic_metadata(billion, 4, 3), block_cyclic_metadata(billion, 6, 5));
    let plan = ReshardPlan::new(&four, &six).unwrap();
    let elements = |plan: &ReshardPlan| -> i64 {
        plan.pieces().map(|piece| piece.sizes.iter().product::<i64>()).sum()
    };
    assert_eq!(elements(&plan), billion);
    assert!(plan.len() <= 64, "{} pieces", plan.len());
    // The period of the smaller blocks: all blocks of both periods' multiple would be millions.
    let seven = block_cyclic_metadata(billion, 7, 1_000_003);
    let plan = ReshardPlan::new(&four, &seven).unwrap();
    assert_eq!(elements(&plan), billion);
    assert!(plan.len() <= 16_000, "{} pieces", plan.len());
}

#[test]
fn a_cyclic_dimension_of_a_trillion_indices_is_as_small_as_its_stretches() {
    let trillion = 1_000_000_000_000;
    let metadata = block_cyclic_metadata(trillion, 8, 128);
    let stretches = metadata.shards().extents().table().iter().map(|map| map.stretches().len());
    assert!(stretches.sum::<usize>() <= 16);
    assert_eq!(metadata.shard_at(&[trillion - 1]).unwrap(), ((trillion - 1) / 128 % 8) as usize);
}

#[test]
fn equal_extents_are_equal_lists_however_their_dim_maps_are_numbered() {
    let boxes = || BoxList::new_checked(1, 3, vec![0, 4, 0], vec![4, 4, 4]).unwrap();
    let deal = |start| {
        let stretch = Stretch::new([start, 0], 2, 2, [4, 2]).unwrap();
        DimMap::new(4, vec![stretch]).unwrap()
    };
    let listed = |table, numbers| ExtentList::with_maps(boxes(), table, numbers).unwrap();
    let one = listed(vec![deal(0), deal(2)], vec![0, 1, 0]);
    for (table, numbers) in [
        (vec![deal(2), deal(0)], vec![1, 0, 1]),
        (vec![deal(0), deal(2), deal(0)], vec![0, 1, 2]),
        (vec![deal(8), deal(0), deal(2)], vec![1, 2, 1]),
    ] {
        let other = listed(table, numbers);
        assert_eq!(one, other);
        assert_eq!(other.table(), [deal(0), deal(2)]);
    }
    assert_ne!(one, listed(vec![deal(0), deal(2)], vec![1, 0, 1]));
}
