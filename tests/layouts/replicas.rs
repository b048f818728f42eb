//! Which shards are replicas of each other, and which of them is the primary.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "a wrong index should fail the test"
)]

use crate::common::Random;
use crate::common::cuts::{indices_of, numbered_mesh};
use shardspec::geometry::{BoxList, DimMap, ExtentList, Stretch};
use shardspec::model::{
    Cut, MeshCut, MeshLayout, MeshShardingSpec, Pad, PadTo, Placement, Placements, Replica, Rule,
    RuleKind, Segments, ShardedTensorMetadata, ShardingSpec, Shards, TensorProperties, TensorShape,
};

/// Each shard compared with all before it.
fn check(metadata: &ShardedTensorMetadata) {
    let count = metadata.shards().len();
    let all: Vec<_> = (0..count).map(|shard| indices_of(metadata.shards(), shard)).collect();
    for shard in 0..count {
        let is_empty = all[shard].iter().any(|own| own.iter().all(|&index| index < 0));
        let mut equal = (0..shard).filter(|&other| !is_empty && all[other] == all[shard]);
        let primary = equal.clone().next().unwrap_or(shard);
        let expected = Replica { number: equal.by_ref().count(), primary };
        assert_eq!(metadata.replica(shard).unwrap(), expected, "shard {shard} of {metadata:?}");
    }
    assert!(metadata.replica(count).is_err());
}

#[test]
fn replica_numbers_count_the_lower_shards_with_the_same_extent() {
    let mut random = Random::new(3);
    for _ in 0..300 {
        let ndim = random.below(3) + 1;
        let sizes: Vec<i64> = (0..ndim).map(|_| random.range(0, 9)).collect();
        let axes: Vec<i64> = (0..random.below(4)).map(|_| random.range(1, 4)).collect();
        let mut layout = MeshLayout::default();
        for (axis, &size) in axes.iter().enumerate() {
            if random.below(3) == 0 {
                continue;
            }
            let kind = match random.below(3) {
                0 => RuleKind::Chunk,
                1 => RuleKind::Balanced,
                _ => RuleKind::Cyclic { block: random.range(1, 3), first: 0 },
            };
            let repeat = if random.below(3) == 0 { size } else { 1 };
            let cut = Cut { rule: Rule { repeat, ..kind.into() }, segments: Segments::One };
            let dim = random.below(ndim) as i64;
            layout.cuts.push(MeshCut::new(dim, &axis.to_string(), cut).unwrap());
        }
        if random.below(3) == 0 {
            layout.pads.push(Pad { dim: 0.into(), to: PadTo::Multiple(4) });
        }
        let spec = MeshShardingSpec::new(numbered_mesh(&axes), layout).unwrap();
        let shape = TensorShape::new(&sizes);
        check(&spec.build_metadata(shape, TensorProperties::default()).unwrap());
    }
}

fn on_rank_0(count: usize) -> Placements {
    Placements::new((0..count).map(|_| Placement::on_rank(0).unwrap())).unwrap()
}

#[test]
fn dim_maps_that_are_listed_twice_or_are_intervals_are_equal() {
    let odd = || DimMap::new(4, vec![Stretch::new([1, 0], 1, 4, [2, 1]).unwrap()]).unwrap();
    let all = || DimMap::interval(0, 8).unwrap();
    let boxes = BoxList::new_checked(1, 5, vec![1, 7, 0, 0, 3], vec![4, 4, 8, 8, 4]).unwrap();
    let numbers = vec![0, 1, 2, ExtentList::INTERVAL, 0];
    let extents = ExtentList::with_maps(boxes, vec![odd(), odd(), all()], numbers).unwrap();
    let shards = Shards::from_extents(extents, on_rank_0(5)).unwrap();
    let properties = TensorProperties::default();
    let metadata = ShardedTensorMetadata::with_replicas(shards, &[8], properties).unwrap();
    check(&metadata);
    assert_eq!(metadata.replica(4).unwrap(), Replica { number: 2, primary: 0 });
    assert_eq!(metadata.replica(3).unwrap(), Replica { number: 1, primary: 2 });
}

/// A box of one element has all owners of the element, the primary first.
#[test]
fn all_owners_of_an_element_are_the_shards_in_a_box_of_it() {
    let layout = MeshLayout {
        cuts: vec![MeshCut::new(0, "1", RuleKind::Cyclic { block: 2, first: 0 }).unwrap()],
        ..MeshLayout::default()
    };
    let spec = MeshShardingSpec::new(numbered_mesh(&[2, 3]), layout).unwrap();
    let properties = TensorProperties::default();
    let metadata = spec.build_metadata(TensorShape::new(&[17]), properties).unwrap();
    for at in 0..17 {
        let owners = metadata.shards_in_box(&[at], &[1]).unwrap();
        let piece = at as usize / 2 % 3;
        assert_eq!(owners, [piece, piece + 3]);
        let primary = metadata.shard_at(&[at]).unwrap();
        assert_eq!(primary, owners[0]);
        for (number, &owner) in owners.iter().enumerate() {
            assert_eq!(metadata.replica(owner).unwrap(), Replica { number, primary });
        }
    }
}

#[test]
fn without_replicas_each_shard_is_its_own_primary() {
    let boxes =
        crate::common::Boxes::of(1, &[(&[0], &[2]), (&[2], &[0]), (&[2], &[0]), (&[2], &[2])]);
    let properties = TensorProperties::default();
    let metadata = ShardedTensorMetadata::new(boxes.shards(), &[4], properties).unwrap();
    for shard in 0..4 {
        assert_eq!(metadata.replica(shard).unwrap(), Replica { number: 0, primary: shard });
    }
}

/// A million shards are sorted, not compared with each other.
#[test]
fn a_million_replicas_are_found_by_sorting() {
    let layout = MeshLayout {
        cuts: vec![MeshCut::new(0, "1", RuleKind::Balanced).unwrap()],
        ..MeshLayout::default()
    };
    let spec = MeshShardingSpec::new(numbered_mesh(&[1000, 1000]), layout).unwrap();
    let properties = TensorProperties::default();
    let metadata = spec.build_metadata(TensorShape::new(&[5000]), properties).unwrap();
    let found = metadata.replica(999_999).unwrap();
    assert_eq!(found, Replica { number: 999, primary: 999 });
}
