//! Grids of boxes are inferred as the mesh specs that give exactly these shards again.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a wrong index should fail the test"
)]

use crate::common::{Boxes, Random};
use shardspec::model::{
    Mesh, MeshCut, MeshLayout, MeshShardingSpec, Placement, Placements, Rule, RuleKind,
    ShardMetadata, ShardedTensorMetadata, ShardingSpec, Shards, TensorProperties, TensorShape,
    infer_compat_spec, infer_sharding_spec,
};

fn list_of(shards: &Shards) -> Vec<ShardMetadata> {
    let own = |shard: shardspec::model::Shard<'_>| ShardMetadata {
        offsets: shard.offsets.to_vec(),
        sizes: shard.sizes.to_vec(),
        placement: shard.placement.clone(),
    };
    shards.iter().map(own).collect()
}

fn sorted(shards: &Shards) -> Vec<(Vec<i64>, Vec<i64>, String)> {
    let mut all: Vec<_> = list_of(shards)
        .into_iter()
        .map(|shard| (shard.offsets, shard.sizes, shard.placement.to_string()))
        .collect();
    all.sort();
    all
}

/// The name of the inferred type, and whether it gives the shards in their order. It always gives the same
/// shards.
fn infer(shards: &Shards, sizes: &[i64]) -> (String, bool) {
    let spec = infer_sharding_spec(shards.clone()).unwrap();
    let properties = TensorProperties::default();
    let again = spec.build_metadata(TensorShape::new(sizes), properties).unwrap();
    assert_eq!(sorted(again.shards()), sorted(shards), "{spec:?}");
    let is_same = again.shards() == shards;
    (spec.type_name().into(), is_same)
}

fn ranks(random: &mut Random, count: i64) -> Placements {
    let mut ranks: Vec<i64> = (0..count).collect();
    if random.below(2) == 0 {
        random.shuffle(&mut ranks);
    }
    Placements::new(ranks.into_iter().map(|rank| Placement::on_rank(rank).unwrap())).unwrap()
}

fn random_rule(random: &mut Random, size: i64, count: i64) -> RuleKind {
    match random.below(3) {
        0 => RuleKind::Chunk,
        1 => RuleKind::Balanced,
        _ => {
            let mut ends: Vec<i64> = (1..count).map(|_| random.range(0, size + 1)).collect();
            ends.extend([0, size]);
            ends.sort_unstable();
            RuleKind::Sizes(ends.windows(2).map(|pair| pair[1] - pair[0]).collect())
        }
    }
}

/// A grid over a mesh with its dimensions in any order of axes, and replicas anywhere among them.
fn random_grid(random: &mut Random) -> (ShardedTensorMetadata, Vec<i64>) {
    let ndim = random.below(3) + 1;
    let sizes: Vec<i64> = (0..ndim).map(|_| random.range(0, 12)).collect();
    let mut dims: Vec<Option<usize>> = (0..ndim).map(Some).collect();
    dims.extend([None, None]);
    random.shuffle(&mut dims);
    dims.truncate(random.below(dims.len()) + 1);
    let names: Vec<String> = (0..dims.len()).map(|axis| axis.to_string()).collect();
    let axes: Vec<(&str, i64)> =
        names.iter().map(|name| (name.as_str(), random.range(1, 5))).collect();
    let mut layout = MeshLayout::default();
    for (&dim, &(name, count)) in dims.iter().zip(&axes) {
        if let Some(dim) = dim {
            let rule = random_rule(random, sizes[dim], count);
            layout.cuts.push(MeshCut::new(dim as i64, name, Rule::from(rule).kind).unwrap());
        }
    }
    let devices = axes.iter().map(|(_, size)| size).product();
    let mesh = Mesh::with_placements(&axes, ranks(random, devices)).unwrap();
    let spec = MeshShardingSpec::new(mesh, layout).unwrap();
    let properties = TensorProperties::default();
    (spec.build_metadata(TensorShape::new(&sizes), properties).unwrap(), sizes)
}

#[test]
fn random_grids_are_inferred_and_give_the_same_shards_again() {
    let mut random = Random::new(41);
    let (mut meshes, mut others) = (0, 0);
    for _ in 0..4000 {
        let (metadata, sizes) = random_grid(&mut random);
        let shards = metadata.shards();
        if !metadata.has_replicas() && shards.len() < 2 {
            continue;
        }
        let is_regular = shards.iter().all(|shard| !shard.is_empty());
        let listed = Shards::from_list(&list_of(shards)).unwrap();
        let Ok(_) = infer_sharding_spec(listed.clone()) else {
            // Empty pieces between others are no pieces at the end.
            assert!(!is_regular);
            continue;
        };
        let (name, is_same) = infer(&listed, &sizes);
        let is_expected = name == "mesh" || name == "chunk";
        assert!(is_expected || !is_regular, "{name}: {metadata:?}");
        assert!(is_same || !is_regular, "{metadata:?}");
        if name == "mesh" {
            meshes += 1;
        } else {
            others += 1;
        }

        // In another order, the devices are in the order of the grid.
        let mut list = list_of(shards);
        random.shuffle(&mut list);
        let shuffled = Shards::from_list(&list).unwrap();
        assert_eq!(infer(&shuffled, &sizes).0, name, "{metadata:?}");
    }
    assert!(meshes > 1000 && others > 100, "{meshes} meshes, {others} others");
}

/// Boxes that are a partition, grid or not: what is inferred gives them again.
#[test]
fn what_is_inferred_of_any_partition_gives_it_again() {
    let mut random = Random::new(43);
    let mut meshes = 0;
    for _ in 0..3000 {
        let sizes = [random.range(1, 6), random.range(1, 6)];
        let mut boxes = Boxes::of(2, &[(&[0, 0], &sizes)]);
        for _ in 0..random.below(6) {
            let (at, dim) = (random.below(boxes.len()), random.below(2));
            let (offsets, own) = (boxes.offsets(at).to_vec(), boxes.sizes(at).to_vec());
            let cut = random.range(0, own[dim] + 1);
            let (mut next, mut rest) = (offsets.clone(), own.clone());
            next[dim] += cut;
            rest[dim] -= cut;
            boxes.sizes_mut(at)[dim] = cut;
            boxes.push(&next, &rest);
        }
        let boxes = if random.below(2) == 0 { boxes.shuffled(&mut random) } else { boxes };
        let (name, _) = infer(&boxes.shards(), &sizes);
        meshes += usize::from(name == "mesh");
    }
    assert!(meshes > 300, "{meshes}");
}

fn text_of(boxes: &[(&[i64], &[i64])]) -> String {
    let Some((first, _)) = boxes.first() else { panic!("no boxes") };
    let shards = Boxes::of(first.len(), boxes).shards();
    match infer_sharding_spec(shards).unwrap() {
        shardspec::model::InferredSpec::Mesh(spec) => spec.to_string(),
        other => other.type_name().into(),
    }
}

#[test]
fn rules_are_the_most_regular_that_give_the_pieces() {
    assert_eq!(text_of(&[(&[0], &[3]), (&[3], &[3]), (&[6], &[2])]), "chunk");
    assert_eq!(
        text_of(&[(&[0], &[3]), (&[3], &[3]), (&[6], &[2]), (&[8], &[2])]),
        "dim0=4: dimension 0 over dim0 by balanced"
    );
    assert_eq!(
        text_of(&[(&[0], &[1]), (&[1], &[5])]),
        "dim0=2: dimension 0 over dim0 by sizes [1, 5]"
    );
    // A 2 x 2 grid, column after column.
    let columns: [(&[i64], &[i64]); 4] =
        [(&[0, 0], &[2, 1]), (&[2, 0], &[1, 1]), (&[0, 1], &[2, 3]), (&[2, 1], &[1, 3])];
    assert_eq!(
        text_of(&columns),
        "dim1=2, dim0=2: dimension 1 over dim1 by sizes [1, 3]; dimension 0 over dim0 by chunk"
    );
    // Two of each half, side by side and one after the other.
    let [low, high]: [(&[i64], &[i64]); 2] = [(&[0], &[4]), (&[4], &[4])];
    assert_eq!(
        text_of(&[low, low, high, high]),
        "dim0=2, replica1=2: dimension 0 over dim0 by chunk"
    );
    assert_eq!(
        text_of(&[low, high, low, high]),
        "replica0=2, dim0=2: dimension 0 over dim0 by chunk"
    );
    assert_eq!(
        text_of(&[low, high, high, low]),
        "replica0=2, dim0=2: dimension 0 over dim0 by chunk"
    );
    assert_eq!(text_of(&[low, low, low]), "replica0=3: replicated");
    assert_eq!(text_of(&[low]), "enumerable");
}

#[test]
fn compat_asks_for_the_answer_of_torch() {
    let uneven = Boxes::of(1, &[(&[0], &[1]), (&[1], &[5])]).shards();
    assert_eq!(infer_sharding_spec(uneven.clone()).unwrap().type_name(), "mesh");
    assert_eq!(infer_compat_spec(uneven.clone()).unwrap().type_name(), "enumerable");
    let replicas = Boxes::of(1, &[(&[0], &[4]), (&[0], &[4])]).shards();
    assert_eq!(infer_sharding_spec(replicas.clone()).unwrap().type_name(), "mesh");
    assert!(infer_compat_spec(replicas.clone()).is_err());
    // Shards that overlap and are no grid of replicas are refused by both.
    let overlap = Boxes::of(1, &[(&[0], &[4]), (&[0], &[4]), (&[4], &[4])]).shards();
    assert!(infer_sharding_spec(overlap.clone()).is_err());
}

/// In n * log(n), and in any order.
#[test]
fn a_grid_of_a_million_boxes_is_inferred() {
    let mut boxes = Boxes::new(2);
    for at in 0..1_000_000i64 {
        boxes.push(&[at / 1000 * 3, at % 1000 * 2], &[3, 2]);
    }
    let spec = infer_sharding_spec(boxes.shards()).unwrap();
    assert_eq!(spec.type_name(), "mesh");
    let mut random = Random::new(47);
    let spec = infer_sharding_spec(boxes.shuffled(&mut random).shards()).unwrap();
    assert_eq!(spec.type_name(), "mesh");
}
