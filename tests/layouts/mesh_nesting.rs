//! Cuts of what other cuts left, of padded and of flattened dimensions, by random: equal to dealing lists
//! of indices again and again.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "a wrong index should fail the test"
)]

use crate::common::Random;
use crate::common::cuts::{dealt, indices_of};
use crate::common::meshes::random_spec;
use shardspec::model::{
    MeshShardingSpec, PadTo, ShardedTensorMetadata, ShardingDim, ShardingSpec, TensorProperties,
    TensorShape,
};

/// What a device has of each dimension, after flattening; -1 for a hole.
fn nested(spec: &MeshShardingSpec, sizes: &[i64], device: usize) -> Vec<Vec<i64>> {
    let (mesh, layout) = (spec.mesh(), spec.layout());
    let mut dims = sizes.to_vec();
    if let Some(flat) = &layout.flatten {
        let length = dims[flat.clone()].iter().product();
        dims.splice(flat.clone(), [length]);
    }
    let number = |dim: &ShardingDim| match dim {
        ShardingDim::Index(dim) => *dim as usize,
        ShardingDim::Name(_) => unreachable!(),
    };
    let mut own: Vec<Vec<i64>> = dims.iter().map(|&size| (0..size).collect()).collect();
    for pad in &layout.pads {
        let indices = &mut own[number(&pad.dim)];
        let size = indices.len() as i64;
        let length = match pad.to {
            PadTo::Size(length) => length,
            PadTo::Multiple(multiple) => (size + multiple - 1) / multiple * multiple,
        };
        indices.resize(length as usize, -1);
    }
    let coordinates = mesh.coordinates(device).unwrap();
    for cut in &layout.cuts {
        let axis = mesh.axis("axis", &cut.axis).unwrap();
        let count = mesh.axes()[axis].size() as i64;
        let indices = &mut own[number(&cut.dim)];
        *indices = dealt(indices, count, &cut.cut).unwrap()[coordinates[axis]].clone();
    }
    own
}

#[test]
fn cuts_of_cuts_are_what_dealing_lists_of_indices_gives() {
    let mut random = Random::new(2024);
    for number in 0..8_000 {
        let sizes: Vec<i64> = (0..1 + random.below(3)).map(|_| random.range(0, 40)).collect();
        let spec = random_spec(&mut random, &sizes, 5);
        let (shape, properties) = (TensorShape::new(&sizes), TensorProperties::default());
        let metadata = match spec.build_metadata(shape, properties) {
            Ok(metadata) => metadata,
            // What these refuse where dimensions are flattened is said elsewhere.
            Err(error) => {
                assert!(spec.layout().flatten.is_some(), "{error}: {spec} of {sizes:?}");
                continue;
            }
        };
        let mut all = 0;
        for (device, shard) in metadata.shards().iter().enumerate() {
            let expected = nested(&spec, &sizes, device);
            let found = indices_of(metadata.shards(), device);
            assert_eq!(found, expected, "case {number}, device {device}: {spec} of {sizes:?}");
            let real = |own: &Vec<i64>| own.iter().filter(|index| **index >= 0).count();
            let elements: usize = expected.iter().map(real).product();
            assert_eq!(shard.elements(), Some(elements as i64));
            all += elements as i64;
        }
        let shards = metadata.shared_shards();
        ShardedTensorMetadata::with_replicas(shards, &sizes, properties).unwrap();
        if !metadata.has_replicas() {
            assert_eq!(all, metadata.numel(), "case {number}: {spec} of {sizes:?}");
            ShardedTensorMetadata::new(shards, &sizes, properties).unwrap();
        }
    }
}
