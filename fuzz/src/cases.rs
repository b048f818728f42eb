//! Layouts, and the bytes that they move, against brute force.

use shardspec::memory::Shared;
use shardspec::model::{
    Cut, Mesh, MeshCut, MeshLayout, MeshShardingSpec, Pad, PadTo, Rule, RuleKind, Segments,
    ShardedTensorMetadata, ShardingDim, ShardingSpec, TensorProperties, TensorShape,
};

use crate::interchange::metadata_comes_back;
use crate::models::cuts::{dealt, elements_of, indices_of};
use crate::models::layouts::{Kinds, Layout};
use crate::models::meshes::random_spec;
use crate::random::Random;

/// A tensor in some layout.
pub struct Case {
    pub metadata: ShardedTensorMetadata,
    /// For each shard, its elements as places in the row-major tensor, -1 for a hole.
    pub elements: Vec<Vec<i64>>,
}

impl Case {
    /// A random layout: shards listed with their dim maps, or cut over a mesh.
    pub fn new(random: &mut Random, sizes: &[i64], ranks: i64) -> Self {
        if random.one_in(2) {
            Self::listed(random, sizes, ranks)
        } else {
            Self::cut(random, sizes, ranks)
        }
    }

    fn cut(random: &mut Random, sizes: &[i64], ranks: i64) -> Self {
        let spec = random_spec(random, sizes, ranks);
        let metadata = build(&spec, sizes).expect("a legal layout");
        let flattening = metadata.shards().extents().flattening();
        let dims = flattening.map(|flat| flat.flat_sizes().expect("sizes"));
        let dims = dims.unwrap_or(sizes.to_vec());
        let shard = |shard| elements_of(&indices_of(metadata.shards(), shard), &dims);
        let elements = (0..metadata.shards().len()).map(shard).collect();
        Self { elements, metadata }
    }

    fn listed(random: &mut Random, sizes: &[i64], ranks: i64) -> Self {
        let layout =
            Layout::random(random, sizes, Kinds { replicas: true, flattened: true, ranks });
        let shards = Shared::try_new(layout.shards).expect("memory");
        let metadata = if layout.replicated {
            ShardedTensorMetadata::with_replicas(shards, sizes, TensorProperties::default())
        } else {
            ShardedTensorMetadata::new(shards, sizes, TensorProperties::default())
        };
        Self { metadata: metadata.expect("a layout"), elements: layout.elements }
    }
}

/// Sizes of a small tensor.
pub fn sizes(random: &mut Random) -> Vec<i64> {
    let ndim = 1 + random.below(3);
    let limit = [40, 12, 6][ndim - 1];
    (0..ndim).map(|_| random.range(1, limit)).collect()
}

fn build(
    spec: &MeshShardingSpec, sizes: &[i64],
) -> shardspec::model::Result<ShardedTensorMetadata> {
    spec.build_metadata(TensorShape::new(sizes), TensorProperties::default())
}

/// A spec, legal or not, against lists of indices.
pub fn exercise_layout(input: &[u8]) {
    let random = &mut Random::of(input);
    let sizes: Vec<i64> = (0..1 + random.below(3)).map(|_| random.range(0, 13)).collect();
    let axes: Vec<(String, i64)> =
        (0..1 + random.below(3)).map(|axis| (axis.to_string(), random.range(1, 5))).collect();
    let (layout, dims) = layout(random, &sizes, &axes);
    let axes: Vec<(&str, i64)> = axes.iter().map(|(name, size)| (name.as_str(), *size)).collect();
    let mesh = Mesh::new(&axes).expect("a mesh");
    let said = format!("{sizes:?} over {axes:?}: {layout:?}");
    let expected = expected(&layout, dims, &axes);
    let spec = MeshShardingSpec::new(mesh, layout);
    let metadata = match (spec.and_then(|spec| build(&spec, &sizes)), expected) {
        (Err(_), None) => return,
        (Ok(metadata), Some(expected)) => {
            assert_eq!(metadata.shards().len(), expected.len(), "{said}");
            for (shard, expected) in expected.iter().enumerate() {
                assert_eq!(
                    &indices_of(metadata.shards(), shard),
                    expected,
                    "shard {shard} of {said}"
                );
            }
            metadata
        }
        (built, expected) => panic!("{said}: {built:?}, expected {expected:?}"),
    };
    // What is right by construction is right when it is looked at as well.
    let (shards, properties) = (metadata.shared_shards(), *metadata.properties());
    ShardedTensorMetadata::with_replicas(shards, &sizes, properties).expect("a layout");
    if !metadata.has_replicas() {
        ShardedTensorMetadata::new(shards, &sizes, properties).expect("shards without replicas");
    }
    metadata_comes_back(&metadata);
}

/// A layout over some axes, and the indices of each dimension before the cuts: -1 for padding.
fn layout(
    random: &mut Random, sizes: &[i64], axes: &[(String, i64)],
) -> (MeshLayout, Vec<Vec<i64>>) {
    let mut layout = MeshLayout::default();
    let mut dims = sizes.to_vec();
    if dims.len() > 1 && random.one_in(5) {
        let start = random.below(dims.len() - 1);
        let end = start + 2 + random.below(dims.len() - start - 1);
        let flat = dims[start..end].iter().product();
        dims.splice(start..end, [flat]);
        layout.flatten = Some(start..end);
    }
    let mut indices: Vec<Vec<i64>> = dims.iter().map(|&size| (0..size).collect()).collect();
    if random.one_in(4) {
        let dim = random.below(dims.len());
        let multiple = random.range(1, 9);
        let padded = (dims[dim] + multiple - 1) / multiple * multiple;
        indices[dim].resize(padded as usize, -1);
        layout.pads.push(Pad { dim: (dim as i64).into(), to: PadTo::Multiple(multiple) });
    }
    let mut order: Vec<usize> = (0..axes.len()).collect();
    random.shuffle(&mut order);
    order.truncate(1 + random.below(axes.len()));
    for axis in order {
        let dim = random.below(dims.len());
        let cut = cut(random, indices[dim].len() as i64, axes[axis].1);
        if let Ok(cut) = MeshCut::new(dim as i64, &axes[axis].0, cut) {
            layout.cuts.push(cut);
        }
    }
    (layout, indices)
}

/// A cut of so many positions into `count`, legal or not.
fn cut(random: &mut Random, length: i64, count: i64) -> Cut {
    let kind = match random.below(5) {
        0 => RuleKind::Balanced,
        1 => RuleKind::Cyclic { block: random.range(1, 5), first: random.range(0, count) },
        2 => {
            let mut weights: Vec<i64> = (0..count).map(|_| random.range(0, 4)).collect();
            weights[0] += 1;
            RuleKind::Weights(weights.into())
        }
        3 => {
            let mut ends: Vec<i64> = (1..count).map(|_| random.range(0, length + 1)).collect();
            ends.extend([0, length]);
            ends.sort_unstable();
            RuleKind::Sizes(ends.windows(2).map(|pair| pair[1] - pair[0]).collect())
        }
        _ => RuleKind::Chunk,
    };
    let is_cyclic = matches!(kind, RuleKind::Cyclic { .. });
    let is_listed = matches!(kind, RuleKind::Sizes(_) | RuleKind::Weights(_));
    let granule = if is_cyclic { 1 } else { random.of_list(&[1, 1, 1, 2, 3]) };
    let repeat = match random.below(4) {
        0 if !is_listed && !is_cyclic => Rule::REPEAT_AS_NEEDED,
        1 if !is_listed && !is_cyclic => (1..=count).rev().find(|by| count % by == 0).unwrap_or(1),
        _ => 1,
    };
    let even = !is_listed && random.one_in(5);
    let rule = Rule { kind, granule, repeat, even };
    let segments = match random.below(4) {
        0 if !is_listed => Segments::Equal(random.range(1, 4)),
        _ => Segments::One,
    };
    Cut { rule, segments }
}

/// The indices that each device has of each dimension; `None` where a cut is refused.
fn expected(
    layout: &MeshLayout, dims: Vec<Vec<i64>>, axes: &[(&str, i64)],
) -> Option<Vec<Vec<Vec<i64>>>> {
    let count: i64 = axes.iter().map(|(_, size)| size).product();
    let coordinate = |device: i64, axis: usize| {
        let below: i64 = axes[axis + 1..].iter().map(|(_, size)| size).product();
        device / below % axes[axis].1
    };
    let of_device = |device: i64| {
        let mut own = dims.clone();
        for cut in &layout.cuts {
            let axis = axes.iter().position(|(name, _)| *name == &*cut.axis).expect("an axis");
            let ShardingDim::Index(dim) = cut.dim else { unreachable!("cuts by name") };
            let dim = dim as usize;
            let mut pieces = dealt(&own[dim], axes[axis].1, &cut.cut)?;
            own[dim] = pieces.swap_remove(coordinate(device, axis) as usize);
        }
        Some(own)
    };
    (0..count).map(of_device).collect()
}
