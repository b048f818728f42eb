//! Layouts over a mesh: equal to the layout algebra's own answers, to those of DTensor, JAX and MPI, and
//! to brute force; right by construction, and refused where they are not what they say.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a wrong index or a malformed data file should fail the test"
)]

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::Random;
use crate::common::cuts::{dealt, elements_of, indices_of, numbered_mesh, spec_of};
use serde_json::{Value, json};
use shardspec::model::{
    Cut, CutProblem, Error, Mesh, MeshCut, MeshLayout, MeshShardingSpec, ModelError, Pad, PadTo,
    Result, Rule, RuleKind, Segment, Segments, ShardedTensorMetadata, ShardingSpec, Shards,
    TensorProperties, TensorShape,
};

fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn integers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|item| item.as_i64().unwrap()).collect()
}

fn build(spec: &MeshShardingSpec, sizes: &[i64]) -> Result<ShardedTensorMetadata> {
    let metadata = spec.build_metadata(TensorShape::new(sizes), TensorProperties::default())?;
    check_declared(&metadata);
    Ok(metadata)
}

/// What is right by construction is right when it is looked at as well.
fn check_declared(metadata: &ShardedTensorMetadata) {
    let shards = metadata.shared_shards();
    let (sizes, properties) = (metadata.sizes(), *metadata.properties());
    ShardedTensorMetadata::with_replicas(shards, sizes, properties).unwrap();
    if !metadata.has_replicas() {
        ShardedTensorMetadata::new(shards, sizes, properties).unwrap();
    }
}

/// As the data file writes a list of indices: first index, or -1 for a hole, and how many.
fn runs(indices: &[i64]) -> Value {
    let mut runs: Vec<[i64; 2]> = Vec::new();
    for &index in indices {
        match runs.last_mut() {
            Some([-1, count]) if index == -1 => *count += 1,
            Some([first, count]) if *first >= 0 && index == *first + *count => *count += 1,
            _ => runs.push([index, 1]),
        }
    }
    json!(runs)
}

#[test]
fn every_layout_of_the_algebra_is_answered_index_by_index() {
    let mut outcomes = BTreeMap::new();
    for case in cases("layouts.json") {
        let sizes = integers(&case["sizes"]);
        let metadata = spec_of(&case).and_then(|spec| build(&spec, &sizes));
        let outcome = match metadata {
            Ok(metadata) => {
                let shard = |shard| -> Value {
                    indices_of(metadata.shards(), shard).iter().map(|own| runs(own)).collect()
                };
                let answer: Vec<Value> = (0..metadata.shards().len()).map(shard).collect();
                assert_eq!(json!({ "ok": answer }), case["answer"], "{case}");
                "ok"
            }
            Err(error) => {
                assert!(case["answer"].get("refused").is_some(), "{error}: {case}");
                "refused"
            }
        };
        *outcomes.entry(outcome).or_insert(0) += 1;
    }
    assert_eq!(outcomes, BTreeMap::from([("ok", 361), ("refused", 39)]));
}

/// `R`, `S(1)` or `_S(1, 2)` of a DTensor, as a cut over an axis.
fn dtensor_cut(axis: usize, text: &str) -> Option<MeshCut> {
    let numbers = text.split_once('(')?.1.strip_suffix(')').unwrap();
    let (dim, segments) = match numbers.split_once(',') {
        None => (numbers, Segments::One),
        Some((dim, number)) => (dim, Segments::Equal(number.trim().parse().unwrap())),
    };
    let cut = Cut { segments, ..RuleKind::Chunk.into() };
    let dim: i64 = dim.parse().unwrap();
    Some(MeshCut::new(dim, &axis.to_string(), cut).unwrap())
}

#[test]
fn cuts_from_left_to_right_are_a_dtensor() {
    let cases = cases("dtensor.json");
    assert_eq!(cases.len(), 200);
    for case in cases {
        let placements = case["placements"].as_array().unwrap().iter().enumerate();
        let cuts = placements.filter_map(|(axis, one)| dtensor_cut(axis, one.as_str().unwrap()));
        let layout = MeshLayout { cuts: cuts.collect(), ..MeshLayout::default() };
        let spec = MeshShardingSpec::new(numbered_mesh(&integers(&case["mesh"])), layout).unwrap();
        let metadata = build(&spec, &integers(&case["sizes"])).unwrap();
        let answers = case["answer"]["ok"].as_array().unwrap();
        assert_eq!(metadata.shards().len(), answers.len());
        for (index, (shard, answer)) in metadata.shards().iter().zip(answers).enumerate() {
            assert_eq!(shard.sizes, integers(&answer["local_shape"]), "{case}");
            assert_eq!(shard.offsets, integers(&answer["global_offset"]), "{case}");
            let coordinates = metadata.mesh().unwrap().coordinates(index).unwrap();
            let coordinates: Vec<i64> = coordinates.iter().map(|&at| at as i64).collect();
            assert_eq!(coordinates, integers(&answer["coordinate"]));
        }
    }
}

#[test]
fn even_cuts_of_each_dimension_over_its_axes_are_a_named_sharding_of_jax() {
    let mut refused = 0;
    let cases = cases("jax.json");
    for case in &cases {
        let names: Vec<&str> = case["axis_names"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        let axes: Vec<(&str, i64)> = names.into_iter().zip(integers(&case["mesh"])).collect();
        let mut layout = MeshLayout::default();
        for (dim, axes) in case["partition_spec"].as_array().unwrap().iter().enumerate() {
            for axis in axes.as_array().unwrap() {
                let rule = Rule { even: true, ..RuleKind::Chunk.into() };
                let cut = Cut { rule, segments: Segments::One };
                layout.cuts.push(MeshCut::new(dim as i64, axis.as_str().unwrap(), cut).unwrap());
            }
        }
        let spec = MeshShardingSpec::new(Mesh::new(&axes).unwrap(), layout).unwrap();
        match build(&spec, &integers(&case["sizes"])) {
            Ok(metadata) => {
                let answers = case["answer"]["ok"].as_array().expect("jax refused it");
                for (shard, answer) in metadata.shards().iter().zip(answers) {
                    assert_eq!(shard.sizes, integers(&answer["sizes"]), "{case}");
                    if !shard.is_empty() {
                        assert_eq!(shard.offsets, integers(&answer["offsets"]), "{case}");
                    }
                }
            }
            Err(error) => {
                assert!(matches!(innermost(&error), Error::Model(ModelError::IllegalCut { .. })));
                assert!(case["answer"].get("error").is_some(), "{error}: {case}");
                refused += 1;
            }
        }
    }
    assert_eq!((refused, cases.len()), (14, 120));
}

#[test]
fn a_dimension_is_padded_once() {
    let pads = |dims: [i64; 2]| {
        let pad = |dim: i64, to| Pad { dim: dim.into(), to };
        let pads = vec![pad(dims[0], PadTo::Multiple(8)), pad(dims[1], PadTo::Size(20))];
        let layout = MeshLayout { pads, ..MeshLayout::default() };
        let spec = MeshShardingSpec::new(numbered_mesh(&[2]), layout).unwrap();
        build(&spec, &[10, 10])
    };
    assert_eq!(pads([0, 1]).unwrap().shards().sizes(), [16, 20, 16, 20]);
    let error = pads([1, -1]).unwrap_err();
    assert_eq!(error.to_string(), "pads[1]: dim: dimension 1 is padded twice; pad it once");
}

#[test]
fn a_segment_that_does_not_divide_is_named() {
    let segment = |size, granule| {
        let rule = Rule { granule, even: true, ..RuleKind::Chunk.into() };
        Segment { size, rule }
    };
    let segments = Segments::Listed([segment(12, 2), segment(4, 2)].into());
    let cut = Cut { rule: RuleKind::Chunk.into(), segments };
    let layout = MeshLayout {
        cuts: vec![MeshCut::new(1, "0", cut.clone()).unwrap()],
        ..MeshLayout::default()
    };
    let spec = MeshShardingSpec::new(numbered_mesh(&[3]), layout).unwrap();
    let error = build(&spec, &[5, 16]).unwrap_err();
    assert!(matches!(
        innermost(&error),
        Error::Model(ModelError::IllegalCut {
            dim: Some(1),
            problem: CutProblem::Uneven { length: 4, granule: 2, pieces: 3 },
            ..
        })
    ));
    assert!(
        error.to_string().starts_with("cuts[0]: segments[1]: dimension 1: 4 does not"),
        "{error}"
    );
    let error = cut.check_length(16, 3).unwrap_err();
    assert!(error.to_string().starts_with("segments[1]: 4 does not"), "{error}");
}

fn innermost(error: &Error) -> &Error {
    match error {
        Error::At { error, .. } => innermost(error),
        other => other,
    }
}

#[test]
fn a_cut_of_each_distributed_dimension_is_a_darray_of_mpi() {
    for case in cases("block_cyclic.json") {
        let (sizes, grid) = (integers(&case["sizes"]), integers(&case["grid"]));
        let mut layout = MeshLayout::default();
        for (dim, how) in case["distribution"].as_array().unwrap().iter().enumerate() {
            let block = case["block"][dim].as_i64();
            let kind = match how.as_str().unwrap() {
                "none" => continue,
                "cyclic" => RuleKind::Cyclic { block: block.unwrap_or(1), first: 0 },
                "block" => match block {
                    None => RuleKind::Chunk,
                    // As many to each as it says.
                    Some(block) => {
                        let start = |piece: i64| (piece * block).min(sizes[dim]);
                        let size = |piece| start(piece + 1) - start(piece);
                        RuleKind::Sizes((0..grid[dim]).map(size).collect())
                    }
                },
                other => panic!("{other}"),
            };
            layout.cuts.push(MeshCut::new(dim as i64, &dim.to_string(), kind).unwrap());
        }
        let spec = MeshShardingSpec::new(numbered_mesh(&grid), layout).unwrap();
        let metadata = build(&spec, &sizes).unwrap();
        let answers = case["answer"]["ok"].as_array().unwrap();
        assert_eq!(answers.len(), metadata.shards().len(), "{case}");
        for (shard, answer) in answers.iter().enumerate() {
            let own = indices_of(metadata.shards(), shard);
            assert_eq!(elements_of(&own, &sizes), integers(answer), "{case}");
        }
    }
}

/// What a cut of `length` over one axis gives, or that it is refused; the same as lists say.
fn check_cut(length: i64, count: i64, cut: Cut) {
    let whole: Vec<i64> = (0..length).collect();
    let expected = dealt(&whole, count, &cut);
    let may_be_cut = cut.check_length(length, count);
    let layout = MeshLayout {
        cuts: vec![MeshCut::new(0, "0", cut.clone()).unwrap()],
        ..MeshLayout::default()
    };
    let built = MeshShardingSpec::new(numbered_mesh(&[count]), layout).and_then(|spec| {
        spec.build_metadata(TensorShape::new(&[length]), TensorProperties::default())
    });
    assert_eq!(may_be_cut.is_ok(), built.is_ok(), "{length} over {count} by {cut}");
    match (built, expected) {
        (Ok(metadata), Some(expected)) => {
            for (shard, expected) in expected.iter().enumerate() {
                let own = indices_of(metadata.shards(), shard);
                assert_eq!(own[0], *expected, "{length} over {count} by {cut}");
            }
        }
        (Err(_), None) => {}
        (built, _) => panic!("{length} over {count} by {cut}: {built:?}"),
    }
}

#[test]
fn every_small_cut_is_what_dealing_lists_of_indices_gives() {
    let mut kinds = vec![RuleKind::Chunk, RuleKind::Balanced];
    for block in 1..=5 {
        kinds.extend((0..3).map(|first| RuleKind::Cyclic { block, first }));
    }
    for length in 0..=24 {
        for count in 1..=8 {
            for kind in &kinds {
                for granule in 1..=4 {
                    let is_cyclic = matches!(kind, RuleKind::Cyclic { .. });
                    if is_cyclic && granule > 1 {
                        continue;
                    }
                    for repeat in (1..=count).filter(|repeat| count % repeat == 0) {
                        for even in [false, true] {
                            for segments in [Segments::One, Segments::Equal(2), Segments::Equal(3)]
                            {
                                let rule = Rule { kind: kind.clone(), granule, repeat, even };
                                check_cut(length, count, Cut { rule, segments });
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn sizes_and_weights_are_what_dealing_lists_of_indices_gives() {
    let mut random = Random::new(11);
    for _ in 0..20_000 {
        let (length, count) = (random.range(0, 25), random.range(1, 9));
        let granule = random.range(1, 5);
        let kind = if random.below(2) == 0 {
            let mut weights: Vec<i64> = (0..count).map(|_| random.range(0, 5)).collect();
            weights[random.below(count as usize)] += 1;
            RuleKind::Weights(weights.into())
        } else {
            let unit = if random.below(2) == 0 { granule } else { 1 };
            let mut ends: Vec<i64> =
                (1..count).map(|_| random.range(0, length / unit + 1) * unit).collect();
            ends.extend([0, length]);
            ends.sort_unstable();
            RuleKind::Sizes(ends.windows(2).map(|pair| pair[1] - pair[0]).collect())
        };
        let rule = Rule { granule, even: random.below(8) == 0, ..kind.into() };
        let segments = if random.below(4) == 0 { Segments::Equal(1) } else { Segments::One };
        check_cut(length, count, Cut { rule, segments });
    }
}

#[test]
fn a_cut_of_a_trillion_indices_is_as_small_as_its_stretches() {
    let length = 1_000_000_000_007;
    let mesh = Mesh::new(&[("a", 6), ("b", 4)]).unwrap();
    let cyclic = |block| RuleKind::Cyclic { block, first: 1 };
    let cuts =
        vec![MeshCut::new(0, "a", cyclic(64)).unwrap(), MeshCut::new(0, "b", cyclic(16)).unwrap()];
    let spec = MeshShardingSpec::new(mesh, MeshLayout { cuts, ..MeshLayout::default() }).unwrap();
    let metadata =
        spec.build_metadata(TensorShape::new(&[length]), TensorProperties::default()).unwrap();
    let stretches = |map: &shardspec::geometry::DimMap| map.stretches().len();
    assert!(metadata.shards().extents().table().iter().all(|map| stretches(map) <= 8));
    let total: i64 = metadata.shards().sizes().iter().sum();
    assert_eq!(total, length);
    for at in [0, 1, 63, 64, 500_000_000_000, length - 1] {
        let owner = metadata.shard_at(&[at]).unwrap();
        let blocks = at / 64;
        let local = blocks / 6 * 64 + at % 64;
        assert_eq!(owner as i64, (blocks + 1) % 6 * 4 + (local / 16 + 1) % 4, "{at}");
    }
    check_declared(&metadata);
}

/// Shards of an n-dimensional mesh are no more than what its axes are, whoever lists them.
#[test]
fn a_million_shards_take_the_memory_of_their_rows() {
    let mesh = Mesh::new(&[("p", 1000), ("q", 1000)]).unwrap();
    let cyclic = || RuleKind::Cyclic { block: 64, first: 0 };
    let cuts =
        vec![MeshCut::new(0, "p", cyclic()).unwrap(), MeshCut::new(1, "q", cyclic()).unwrap()];
    let spec = MeshShardingSpec::new(mesh, MeshLayout { cuts, ..MeshLayout::default() }).unwrap();
    let sizes = [1_000_000, 1_000_000];
    let metadata =
        spec.build_metadata(TensorShape::new(&sizes), TensorProperties::default()).unwrap();
    let shards: &Shards = metadata.shards();
    assert_eq!(shards.len(), 1_000_000);
    assert!(shards.extents().table().len() <= 1000, "{}", shards.extents().table().len());
}
