//! What a plan says of itself in numbers, against the pieces that it has.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeMap;

use crate::common::Random;
use crate::common::plans::random_layout;
use shardspec::model::{
    DataType, Error, Mesh, MeshLayout, MeshShardingSpec, ModelError, PartialAxis, Reduction,
    ShardedTensorMetadata, ShardingSpec, TensorProperties, TensorShape,
};
use shardspec::plan::ReshardPlan;

fn plan(random: &mut Random, dtype: Option<DataType>) -> ReshardPlan {
    let sizes: Vec<i64> = (0..random.range(1, 4)).map(|_| random.range(1, 9)).collect();
    let properties = TensorProperties { dtype, ..TensorProperties::default() };
    let both = [0, 1].map(|_| {
        let cuts = random.below(20);
        let shards = random_layout(&sizes, cuts, 4, random);
        ShardedTensorMetadata::new(shards, &sizes, properties).unwrap()
    });
    ReshardPlan::new(&both[0], &both[1]).unwrap()
}

#[test]
fn a_summary_adds_up_the_pieces_between_each_two_owners() {
    let mut random = Random::new(17);
    for round in 0..300 {
        let (dtype, bits) = [
            (None, 0),
            (Some(DataType::FLOAT32), 32),
            (Some(DataType { code: 1, bits: 4, lanes: 1 }), 4),
        ][round % 3];
        let plan = plan(&mut random, dtype);
        let mut expected = BTreeMap::<_, (usize, i64)>::new();
        for piece in plan.pieces() {
            let source = plan.source().get(piece.source).unwrap().placement.to_string();
            let destination =
                plan.destination().get(piece.destination).unwrap().placement.to_string();
            let sum = expected.entry((source, destination)).or_default();
            *sum = (sum.0 + 1, sum.1 + piece.sizes.iter().product::<i64>());
        }
        let summary = plan.summary().unwrap();
        let bytes = |elements: i64| dtype.map(|_| (elements * bits + 7) / 8);
        let mut said = BTreeMap::new();
        for one in &summary.traffic {
            let owners =
                [one.source, one.destination].map(|owner| summary.owners[owner].to_string());
            assert_eq!(one.bytes, bytes(one.elements));
            said.insert(owners.into(), (one.pieces, one.elements));
        }
        assert_eq!((said.len(), &said), (summary.traffic.len(), &expected));
        assert!(summary.traffic.is_sorted_by_key(|one| (one.source, one.destination)));
        let sum = |moved: bool, number: &dyn Fn(i64) -> i64| {
            let counted = expected.iter().filter(|((a, b), _)| !moved || a != b);
            counted.map(|(_, (_, elements))| number(*elements)).sum::<i64>()
        };
        assert_eq!(summary.elements().unwrap(), [false, true].map(|moved| sum(moved, &|n| n)));
        let sums = dtype.map(|_| [false, true].map(|moved| sum(moved, &|n| (n * bits + 7) / 8)));
        assert_eq!(summary.bytes().unwrap(), sums);
    }
}

#[test]
fn as_many_runs_are_counted_as_there_are() {
    let mut random = Random::new(18);
    for _ in 0..300 {
        let plan = plan(&mut random, None);
        for bits in [8, 32] {
            let runs = plan.runs_of_bits(0..plan.len(), bits).unwrap();
            assert_eq!(plan.count_runs_of_bits(0..plan.len(), bits).unwrap(), runs.len());
        }
    }
}

#[test]
fn partial_sums_are_not_moved_from_or_to() {
    let partial = vec![PartialAxis { axis: "tp".into(), reduction: Reduction::Sum }];
    let metadata = |partial| {
        let mesh = Mesh::new(&[("tp", 2)]).unwrap();
        let layout = MeshLayout { partial, ..MeshLayout::default() };
        let spec = MeshShardingSpec::new(mesh, layout).unwrap();
        spec.build_metadata(TensorShape::new(&[4]), TensorProperties::default()).unwrap()
    };
    let (sums, whole) = (metadata(partial), metadata(Vec::new()));
    for (source, destination) in [(&sums, &whole), (&whole, &sums)] {
        let refused = ReshardPlan::new(source, destination);
        assert!(matches!(refused, Err(Error::Model(ModelError::Partial { .. }))), "{refused:?}");
    }
    ReshardPlan::new(&whole, &whole).unwrap();
}
