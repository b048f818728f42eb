//! Layouts as JSON and as bytes: lossless, canonical, and refused with a position and a reason.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a wrong index or a malformed data file should fail the test"
)]

use std::path::PathBuf;

use crate::common::Random;
use crate::common::layouts::{Kinds, Layout};
use crate::common::meshes::random_spec;
use serde_json::Value;
use shardspec::error::Describe;
use shardspec::error::status::*;
use shardspec::interchange::{
    BuiltInSpec, metadata_from_binary, metadata_from_json, metadata_to_binary, metadata_to_json,
    plan_to_json, spec_from_binary, spec_from_json, spec_to_binary, spec_to_json,
};
use shardspec::model::{
    ChunkShardingSpec, CustomPlacement, Cut, DataType, EnumerableShardingSpec, Error,
    Layout as ElementLayout, MemoryFormat, Mesh, MeshCut, MeshLayout, MeshShardingSpec, Pad, PadTo,
    PartialAxis, Placement, Placements, Reduction, Result, Rule, RuleKind, Segment, Segments,
    ShardedTensorMetadata, ShardingDim, ShardingSpec, Shards, TensorProperties, TensorShape,
};
use shardspec::plan::ReshardPlan;

fn ranks(count: i64) -> impl Iterator<Item = Placement> {
    (0..count).map(|rank| Placement::on_rank(rank).unwrap())
}

fn placed(texts: &[&str]) -> Placements {
    let parsed: Vec<_> = texts.iter().map(|text| Placement::parse(text).unwrap()).collect();
    Placements::new(parsed.into_iter()).unwrap()
}

fn chunk(dim: impl Into<ShardingDim>, placements: &[&str]) -> BuiltInSpec {
    let placements = placed(placements);
    let spec = ChunkShardingSpec::new(dim.into(), placements.iter().cloned());
    BuiltInSpec::Chunk(spec.unwrap())
}

fn rule(kind: RuleKind, [granule, repeat]: [i64; 2], even: bool) -> Rule {
    Rule { kind, granule, repeat, even }
}

/// A mesh spec with every kind of cut.
fn every_cut() -> MeshShardingSpec {
    let axes = [("a", 2), ("b", 2), ("c", 2), ("d", 2), ("e", 2), ("f", 1), ("g", 1), ("p\"q", 2)];
    let listed = Segments::Listed(Box::new([
        Segment { size: 3, rule: RuleKind::Chunk.into() },
        Segment { size: 5, rule: rule(RuleKind::Sizes([2, 3].into()), [1, 1], false) },
    ]));
    let cut = |dim: ShardingDim, axis, rule: Rule, segments| MeshCut {
        dim,
        axis: Box::from(axis),
        cut: Cut { rule, segments },
    };
    let cuts = vec![
        cut(0.into(), "a", RuleKind::Chunk.into(), Segments::One),
        cut((-1).into(), "b", rule(RuleKind::Balanced, [2, 1], true), Segments::Equal(3)),
        cut(ShardingDim::Name("rows".into()), "c", RuleKind::Chunk.into(), listed),
        cut(1.into(), "d", rule(RuleKind::Weights([0, 7].into()), [1, 1], false), Segments::One),
        cut(2.into(), "e", RuleKind::Cyclic { block: 4, first: 1 }.into(), Segments::One),
        cut(2.into(), "f", rule(RuleKind::Chunk, [3, -1], false), Segments::Equal(2)),
        cut(2.into(), "g", RuleKind::Cyclic { block: i64::MAX, first: 0 }.into(), Segments::One),
    ];
    let layout = MeshLayout {
        cuts,
        pads: vec![
            Pad { dim: 0.into(), to: PadTo::Size(10) },
            Pad { dim: ShardingDim::Name("rows".into()), to: PadTo::Multiple(8) },
        ],
        flatten: Some(1..3),
        partial: vec![PartialAxis { axis: "p\"q".into(), reduction: Reduction::Bxor }],
    };
    let owners = (0..64).map(|at| Placement::parse(["rank:7/cuda:1", "trainer0", "cpu:3"][at % 3]));
    let owners: Vec<_> = owners.map(|one| one.unwrap()).collect();
    let mesh = Mesh::with_placements(&axes, Placements::new(owners.into_iter()).unwrap()).unwrap();
    MeshShardingSpec::new(mesh, layout).unwrap()
}

fn enumerable() -> BuiltInSpec {
    let placements = placed(&["rank:1", "rank:0", "rank:1"]);
    let shards = Shards::new(2, vec![0, 0, 2, 0, 2, 3], vec![2, 5, 1, 3, 1, 2], placements);
    BuiltInSpec::Enumerable(EnumerableShardingSpec::new(shards.unwrap()).unwrap())
}

fn properties() -> TensorProperties {
    TensorProperties {
        dtype: Some(DataType::parse("bfloat16").unwrap()),
        layout: ElementLayout::SparseCsr,
        requires_grad: true,
        memory_format: MemoryFormat::ChannelsLast3d,
        pin_memory: true,
    }
}

/// Block-cyclic columns with padding, over a mesh with replicas, with names of dimensions.
fn block_cyclic() -> ShardedTensorMetadata {
    let mesh = Mesh::new(&[("dp", 2), ("tp", 2)]).unwrap();
    let cut = MeshCut::new(1, "tp", RuleKind::Cyclic { block: 2, first: 1 }).unwrap();
    let pads = vec![Pad { dim: 1.into(), to: PadTo::Multiple(8) }];
    let layout = MeshLayout { cuts: vec![cut], pads, ..MeshLayout::default() };
    let spec = MeshShardingSpec::new(mesh, layout).unwrap();
    let metadata = spec.build_metadata(TensorShape::new(&[2, 11]), properties()).unwrap();
    metadata.with_dim_names(&["rows", "columns \u{1f600}"]).unwrap()
}

fn flattened() -> ShardedTensorMetadata {
    let mesh = Mesh::new(&[("fsdp", 3)]).unwrap();
    let cuts = vec![MeshCut::new(0, "fsdp", RuleKind::Balanced).unwrap()];
    let layout = MeshLayout { cuts, flatten: Some(0..2), ..MeshLayout::default() };
    let spec = MeshShardingSpec::new(mesh, layout).unwrap();
    spec.build_metadata(TensorShape::new(&[3, 5]), TensorProperties::TORCH_DEFAULT).unwrap()
}

fn partial() -> ShardedTensorMetadata {
    let mesh = Mesh::new(&[("tp", 2)]).unwrap();
    let partial = vec![PartialAxis { axis: "tp".into(), reduction: Reduction::Sum }];
    let layout = MeshLayout { partial, ..MeshLayout::default() };
    let spec = MeshShardingSpec::new(mesh, layout).unwrap();
    spec.build_metadata(TensorShape::new(&[4]), TensorProperties::default()).unwrap()
}

fn without_dims() -> ShardedTensorMetadata {
    let shards = Shards::new(0, vec![], vec![], placed(&["rank:0"])).unwrap();
    ShardedTensorMetadata::new(shards, &[], TensorProperties::default()).unwrap()
}

fn without_shards() -> ShardedTensorMetadata {
    let shards = Shards::new(2, vec![], vec![], placed(&[])).unwrap();
    ShardedTensorMetadata::new(shards, &[0, 3], TensorProperties::default()).unwrap()
}

fn plan() -> ReshardPlan {
    let build = |dim: i64, count| {
        let spec = ChunkShardingSpec::new(dim.into(), ranks(count)).unwrap();
        let properties = TensorProperties::TORCH_DEFAULT;
        spec.build_metadata(TensorShape::new(&[4, 6]), properties).unwrap()
    };
    ReshardPlan::new(&build(0, 2), &build(1, 3)).unwrap()
}

/// The text of a golden file, which one line is.
#[track_caller]
fn assert_golden(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/interchange").join(name);
    if std::env::var_os("SHARDSPEC_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, format!("{text}\n")).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, expected.trim_end_matches('\n'), "{name}");
    // What the library's own reader accepts is JSON.
    let _: Value = serde_json::from_str(text).unwrap();
}

#[track_caller]
fn spec_round_trip(spec: &BuiltInSpec) -> String {
    let text = spec_to_json(spec.as_spec()).unwrap();
    let read = spec_from_json(text.as_bytes()).unwrap();
    assert_eq!(read, *spec, "{text}");
    assert_eq!(spec_to_json(read.as_spec()).unwrap(), text);
    let bytes = spec_to_binary(spec.as_spec()).unwrap().to_vec().unwrap();
    let read = spec_from_binary(&bytes).unwrap();
    assert_eq!(read, *spec, "{text}");
    assert_eq!(spec_to_binary(read.as_spec()).unwrap().to_vec().unwrap(), bytes);
    text
}

/// Metadata that are equal, with the names of dimensions and the mesh, which equality leaves out.
#[track_caller]
fn assert_same(a: &ShardedTensorMetadata, b: &ShardedTensorMetadata, text: &str) {
    assert_eq!(a, b, "{text}");
    assert_eq!((a.mesh(), a.dim_names()), (b.mesh(), b.dim_names()), "{text}");
}

#[track_caller]
fn metadata_round_trip(metadata: &ShardedTensorMetadata) -> String {
    let text = metadata_to_json(metadata).unwrap();
    let read = metadata_from_json(text.as_bytes()).unwrap();
    assert_same(&read, metadata, &text);
    assert_eq!(metadata_to_json(&read).unwrap(), text);
    let bytes = metadata_to_binary(metadata).unwrap().to_vec().unwrap();
    let read = metadata_from_binary(&bytes).unwrap();
    assert_same(&read, metadata, &text);
    assert_eq!(metadata_to_binary(&read).unwrap().to_vec().unwrap(), bytes);
    text
}

#[test]
fn every_type_of_spec_has_its_golden_text_and_comes_back() {
    let specs = [
        ("spec_chunk.json", chunk(-1, &["rank:0", "rank:1/cuda:0"])),
        (
            "spec_chunk_by_name.json",
            chunk(ShardingDim::Name("vocab".into()), &["w\u{e9}", "w\u{e9}"]),
        ),
        ("spec_enumerable.json", enumerable()),
        ("spec_mesh.json", BuiltInSpec::Mesh(every_cut())),
    ];
    for (name, spec) in &specs {
        assert_golden(name, &spec_round_trip(spec));
    }
}

#[test]
fn every_kind_of_metadata_has_its_golden_text_and_comes_back() {
    let build = |spec: BuiltInSpec| {
        let properties = TensorProperties::default();
        spec.as_spec().build_metadata(TensorShape::new(&[3, 5]), properties).unwrap()
    };
    let all = [
        ("metadata_chunk.json", build(chunk(1, &["rank:0", "rank:1", "rank:2", "rank:3"]))),
        ("metadata_listed.json", build(enumerable())),
        ("metadata_block_cyclic.json", block_cyclic()),
        ("metadata_flattened.json", flattened()),
        ("metadata_partial.json", partial()),
        ("metadata_without_dims.json", without_dims()),
        ("metadata_without_shards.json", without_shards()),
    ];
    for (name, metadata) in &all {
        assert_golden(name, &metadata_round_trip(metadata));
    }
}

#[test]
fn a_plan_has_its_golden_summary() {
    assert_golden("plan.json", &plan_to_json(&plan()).unwrap());
    let list = |texts: &[&str]| {
        let count = texts.len() as i64;
        let sizes = vec![2; texts.len()];
        Shards::new(1, (0..count).map(|at| 2 * at).collect(), sizes, placed(texts)).unwrap()
    };
    // Devices of an owner are one owner; a device alone names none.
    let (source, destination) =
        (["rank:0/cuda:0", "rank:0/cuda:1", "w/cpu"], ["cpu", "w", "rank:0"]);
    let plan = ReshardPlan::from_shards(list(&source), list(&destination)).unwrap();
    assert_golden("plan_owners.json", &plan_to_json(&plan).unwrap());
}

#[test]
fn random_specs_and_metadata_come_back_in_both_forms() {
    let mut random = Random::new(20);
    for case in 0..400 {
        let sizes: Vec<i64> = (0..1 + random.below(3)).map(|_| random.range(0, 13)).collect();
        let spec = random_spec(&mut random, &sizes, 5);
        let built = spec.build_metadata(TensorShape::new(&sizes), TensorProperties::TORCH_DEFAULT);
        spec_round_trip(&BuiltInSpec::Mesh(spec));
        let Ok(metadata) = built else { continue };
        match metadata_to_json(&metadata).and_then(|text| metadata_from_json(text.as_bytes())) {
            // Proving what the cuts promise would take too long.
            Err(error) if error.describe().0 == SHARDSPEC_UNSUPPORTED => {
                panic!("case {case}: {error}")
            }
            _ => metadata_round_trip(&metadata),
        };
    }
}

#[test]
fn random_lists_of_shards_come_back_in_both_forms() {
    let mut random = Random::new(21);
    for _ in 0..300 {
        let sizes: Vec<i64> = (0..1 + random.below(3)).map(|_| random.range(1, 12)).collect();
        let kinds = Kinds { replicas: true, flattened: true, ranks: 4 };
        let layout = Layout::random(&mut random, &sizes, kinds);
        let properties = TensorProperties::default();
        let metadata = match layout.replicated {
            true => ShardedTensorMetadata::with_replicas(layout.shards, &sizes, properties),
            false => {
                let shards = layout.shards;
                let spec = EnumerableShardingSpec::new(shards.clone()).unwrap();
                spec_round_trip(&BuiltInSpec::Enumerable(spec));
                ShardedTensorMetadata::new(shards, &sizes, properties)
            }
        };
        metadata_round_trip(&metadata.unwrap());
    }
}

#[test]
fn equal_values_have_equal_texts_however_they_were_made() {
    // Fields in another order, spaces, escapes, and placements that are there twice or not used.
    let text = r#" { "version" : 1, "chunk" : {"owners": [3, 1], "dim":-1,
        "placements":["cpu", "rank:1\u002fcuda:0", "rank:1/cuda:0", "rank:0"] },
        "kind": "shardspec.spec" } "#;
    let read = spec_from_json(text.as_bytes()).unwrap();
    let expected = chunk(-1, &["rank:0", "rank:1/cuda:0"]);
    assert_eq!(spec_to_json(read.as_spec()).unwrap(), spec_to_json(expected.as_spec()).unwrap());
    // Stretches that one stretch says as well, maps in another order.
    let one = metadata_to_json(&block_cyclic()).unwrap();
    let mut value: Value = serde_json::from_str(&one).unwrap();
    let maps = &mut value["shards"]["dim_maps"];
    let (numbers, lengths) = (maps["numbers"].clone(), maps["lengths"].as_array().unwrap().len());
    let reversed = |number: &Value| match number.as_i64().unwrap() {
        -1 => Value::from(-1),
        number => Value::from(lengths as i64 - 1 - number),
    };
    maps["numbers"] = numbers.as_array().unwrap().iter().map(reversed).collect();
    for list in ["lengths", "stretch_counts"] {
        maps[list].as_array_mut().unwrap().reverse();
    }
    let counts: Vec<usize> = maps["stretch_counts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|count| count.as_u64().unwrap() as usize)
        .collect();
    let mut rows: Vec<Value> = maps["stretches"].as_array().unwrap().clone();
    let mut stretches = Vec::new();
    for count in &counts {
        stretches.extend(rows.split_off(rows.len() - 6 * count));
    }
    maps["stretches"] = stretches.into();
    let other = value.to_string();
    assert_ne!(other, one);
    let read = metadata_from_json(other.as_bytes()).unwrap();
    assert_eq!(metadata_to_json(&read).unwrap(), one);
}

/// The status, the byte and the message of a refusal.
fn told(refused: &Error) -> (i32, Option<usize>, String) {
    let (status, numbers) = refused.describe();
    (status, numbers.index, refused.to_string())
}

#[test]
fn refusals_of_specs_say_where_and_why() {
    let head = r#"{"kind":"shardspec.spec","version":1,"#;
    let at = head.len();
    let invalid = SHARDSPEC_INVALID_ARGUMENT;
    for (rest, offset, status, why) in [
        (r#""chunk":{"dim":0}}"#, 8, invalid, "no field \"placements\""),
        (r#""chunk":{"dim":0,"dim":1,"placements":[]}}"#, 17, invalid, "\"dim\" is there twice"),
        (r#""chunk":{"dim":1.5}}"#, 15, invalid, "no whole number"),
        (r#""chunk":{"dim":9223372036854775808}}"#, 15, invalid, "no whole number"),
        (r#""chunk":{"dim":[[[[0]]]]}}"#, 15, invalid, "no whole number"),
        (
            r#""chunk":{"dim":0,"colour":1}}"#,
            17,
            SHARDSPEC_UNSUPPORTED,
            "field \"colour\" is not known",
        ),
        (r#""chunk":{"dim":0,"placements":["x:y"]}}"#, 31, SHARDSPEC_INVALID_PLACEMENT, "x:y"),
        (r#""chunk":{"dim":0,"placements":[]}}"#, 8, invalid, "at least one"),
        (r#""chunk":{"dim":0,"placements":["w"],"owners":[0,1]}}"#, 45, invalid, "owners[1] is 1"),
        (
            r#""chunk":{"dim":0,"placements":["w"],"owners":[4294967296]}}"#,
            46,
            invalid,
            "too large",
        ),
        (r#""chunk":{"dim":0,"placements":["w"]},"chunk":{}}"#, 37, invalid, "one type"),
        (r#""custom":{}}"#, 0, SHARDSPEC_UNSUPPORTED, "field \"custom\" is not known"),
        (r#""version":1}"#, 0, invalid, "\"version\" is there twice"),
        (r#""chunk":{"dim":0,"placements":["w"]}} x"#, 38, invalid, "more behind the end"),
        (r#""chunk":{"dim":0,"placements":["w"]}"#, 36, invalid, "expected ',' or '}'"),
        (r#""enumerable":{"ndim":33}}"#, 21, invalid, "33 dimensions"),
        (
            r#""enumerable":{"ndim":1,"offsets":[0],"sizes":[-1],"placements":["w"]}}"#,
            13,
            invalid,
            "size in dimension 0 is -1",
        ),
        (
            r#""enumerable":{"ndim":1,"offsets":[0,1],"sizes":[2,2],"placements":["v","w"]}}"#,
            13,
            SHARDSPEC_OVERLAP,
            "both own",
        ),
        (
            r#""enumerable":{"ndim":1,"offsets":{"i64":1},"sizes":[2],"placements":["v"]}}"#,
            33,
            invalid,
            "expected an array",
        ),
        (r#""mesh":{"axis_names":["a"],"placements":["v"]}}"#, 7, invalid, "no axis_sizes"),
        (
            r#""mesh":{"axis_names":["a"],"axis_sizes":[2],"placements":["v"]}}"#,
            21,
            invalid,
            "for 2 devices",
        ),
        (
            r#""mesh":{"axis_names":["a"],"axis_sizes":[1],"placements":["v"],"cuts":[{"dim":0,"axis":"a","rule":"spiral"}]}}"#,
            98,
            SHARDSPEC_UNSUPPORTED,
            "rule \"spiral\" is not known",
        ),
        (
            r#""mesh":{"axis_names":["a"],"axis_sizes":[1],"placements":["v"],"cuts":[{"dim":0,"axis":"a","rule":"chunk","block":1}]}}"#,
            71,
            invalid,
            "\"block\" does not belong",
        ),
        (
            r#""mesh":{"axis_names":["a"],"axis_sizes":[1],"placements":["v"],"cuts":[{"dim":0,"axis":"b"}]}}"#,
            7,
            invalid,
            "no axis named \"b\"",
        ),
        (
            r#""mesh":{"axis_names":["a"],"axis_sizes":[1],"placements":["v"],"partial":[{"axis":"a","reduction":"mean"}]}}"#,
            98,
            invalid,
            "is not a reduction",
        ),
        (
            r#""mesh":{"axis_names":["a"],"axis_sizes":[1],"placements":["v"],"pads":[{"dim":0,"size":1,"multiple":1}]}}"#,
            71,
            invalid,
            "either a size or a multiple",
        ),
    ] {
        let text = format!("{head}{rest}");
        let (found, byte, message) = told(&spec_from_json(text.as_bytes()).unwrap_err());
        assert!(message.contains(why), "{text}: {message}");
        assert_eq!((found, byte), (status, Some(at + offset)), "{text}: {message}");
        assert!(message.starts_with(&format!("text: byte {}: ", at + offset)), "{message}");
    }
}

#[test]
fn documents_of_another_kind_or_a_newer_version_are_refused_by_name() {
    for (text, byte, status, why) in [
        ("", 0, SHARDSPEC_INVALID_ARGUMENT, "expected an object"),
        ("{}", 0, SHARDSPEC_INVALID_ARGUMENT, "no field \"kind\""),
        ("[]", 0, SHARDSPEC_INVALID_ARGUMENT, "expected an object"),
        (r#"{"kind":"shardspec.spec"}"#, 8, SHARDSPEC_INVALID_ARGUMENT, "it is a shardspec.spec"),
        (r#"{"kind":"safetensors"}"#, 8, SHARDSPEC_UNSUPPORTED, "kind \"safetensors\""),
        (r#"{"kind":"shardspec.metadata"}"#, 0, SHARDSPEC_INVALID_ARGUMENT, "no field \"version\""),
        (r#"{"version":2,"x":0}"#, 11, SHARDSPEC_UNSUPPORTED, "version 2 is newer"),
        (r#"{"version":0}"#, 11, SHARDSPEC_INVALID_ARGUMENT, "counted from 1"),
        (r#"{"colours":{}}"#, 1, SHARDSPEC_UNSUPPORTED, "field \"colours\""),
        (
            r#"{"kind":"shardspec.metadata","version":1,"partial":[{"axis":"a","reduction":"sum"}],"sizes":[1],"shards":{"ndim":1,"offsets":[0],"sizes":[1],"placements":["w"]}}"#,
            51,
            SHARDSPEC_INVALID_ARGUMENT,
            "is of no mesh",
        ),
        (
            r#"{"kind":"shardspec.metadata","version":1,"sizes":[2],"shards":{"ndim":1,"offsets":[0],"sizes":[1],"placements":["w"]}}"#,
            0,
            SHARDSPEC_GAP,
            "no shard owns",
        ),
        (
            r#"{"kind":"shardspec.metadata","version":1,"sizes":[1],"dim_names":["a","b"],"shards":{"ndim":1,"offsets":[0],"sizes":[1],"placements":["w"]}}"#,
            65,
            SHARDSPEC_NDIM_MISMATCH,
            "found 2 dimensions where 1",
        ),
        (
            r#"{"kind":"shardspec.metadata","version":1,"properties":{"dtype":"float33x"}}"#,
            63,
            SHARDSPEC_INVALID_ARGUMENT,
            "is not a dtype",
        ),
        (
            r#"{"kind":"shardspec.metadata","version":1,"properties":{"layout":"round"}}"#,
            64,
            SHARDSPEC_UNSUPPORTED,
            "layout \"round\"",
        ),
    ] {
        let refused = told(&metadata_from_json(text.as_bytes()).unwrap_err());
        assert!(refused.2.contains(why), "{text}: {}", refused.2);
        assert_eq!((refused.0, refused.1), (status, Some(byte)), "{text}: {}", refused.2);
    }
}

#[test]
fn every_damaged_byte_and_every_missing_end_is_refused() {
    let metadata = metadata_to_binary(&block_cyclic()).unwrap().to_vec().unwrap();
    let spec = spec_to_binary(&every_cut()).unwrap().to_vec().unwrap();
    let read = |bytes: &[u8]| -> Result<()> {
        let one = metadata_from_binary(bytes).map(drop);
        let other = spec_from_binary(bytes).map(drop);
        if one.is_ok() { one } else { other }
    };
    for bytes in [&metadata, &spec] {
        read(bytes).unwrap();
        for end in 0..bytes.len() {
            let (_, at, message) = told(&read(&bytes[..end]).unwrap_err());
            assert!(at.is_some(), "{end}: {message}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(read(&longer).is_err());
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let (_, at, message) = told(&read(&damaged).unwrap_err());
                assert!(at.is_some(), "{at:?}: {message}");
            }
        }
    }
    let text = metadata_to_json(&block_cyclic()).unwrap();
    for end in 0..text.len() {
        assert!(metadata_from_json(&text.as_bytes()[..end]).is_err(), "{end}");
    }
}

#[test]
fn refusals_of_bytes_say_where_and_why() {
    let bytes = metadata_to_binary(&block_cyclic()).unwrap().to_vec().unwrap();
    let end = bytes.len();
    let with = |at: usize, value: u64| {
        let mut changed = bytes.clone();
        changed[at..at + 8].copy_from_slice(&value.to_le_bytes());
        changed
    };
    for (changed, byte, status, why) in [
        (bytes[..3].to_vec(), 3, SHARDSPEC_INVALID_ARGUMENT, "binary form"),
        (bytes[..12].to_vec(), 12, SHARDSPEC_INVALID_ARGUMENT, "the bytes end here"),
        (with(8, 2), 8, SHARDSPEC_UNSUPPORTED, "version 2 of the binary form is newer"),
        (with(8, 0), 8, SHARDSPEC_INVALID_ARGUMENT, "counted from 1"),
        (with(16, u64::MAX), 16, SHARDSPEC_INVALID_ARGUMENT, "were passed"),
        (with(24, u64::MAX), end - 8, SHARDSPEC_INVALID_ARGUMENT, "the checksum is"),
        (with(end - 8, 0), end - 8, SHARDSPEC_INVALID_ARGUMENT, "the checksum is 0x0000"),
    ] {
        let refused = told(&metadata_from_binary(&changed).unwrap_err());
        assert!(refused.2.contains(why), "{}", refused.2);
        assert_eq!((refused.0, refused.1), (status, Some(byte)), "{}", refused.2);
    }
    let refused = metadata_from_json(&bytes).unwrap_err().to_string();
    assert!(refused.contains("byte 0: expected an object"), "{refused}");
}

/// A placement of the user's own type.
#[derive(Debug)]
struct Rack(&'static str);

impl CustomPlacement for Rack {
    fn type_name(&self) -> &str {
        "rack"
    }

    fn text(&self) -> &str {
        self.0
    }
}

/// A spec of the user's own type.
#[derive(Debug)]
struct Spiral;

impl ShardingSpec for Spiral {
    fn type_name(&self) -> &str {
        "spiral"
    }

    fn build_metadata(
        &self, _: TensorShape<'_>, _: TensorProperties,
    ) -> Result<ShardedTensorMetadata> {
        Ok(without_dims())
    }

    fn equals(&self, _: &dyn ShardingSpec) -> bool {
        false
    }

    fn hash_value(&self) -> u64 {
        0
    }
}

#[test]
fn what_is_code_is_refused_by_name() {
    for refused in [spec_to_json(&Spiral).unwrap_err(), spec_to_binary(&Spiral).unwrap_err()] {
        assert_eq!(refused.describe().0, SHARDSPEC_UNSUPPORTED);
        assert!(refused.to_string().contains("custom type 'spiral'"), "{refused}");
    }
    let rack = Placement::custom(Rack("r1")).unwrap();
    let spec = ChunkShardingSpec::new(0.into(), [rack].into_iter()).unwrap();
    let refused = spec_to_json(&spec).unwrap_err();
    assert_eq!(refused.describe().0, SHARDSPEC_UNSUPPORTED);
    assert!(refused.to_string().contains("'r1' is of the custom type 'rack'"), "{refused}");
}

#[test]
fn nesting_is_refused_where_it_begins_and_messages_stay_short() {
    let deep = "[".repeat(1 << 20);
    for text in [deep.clone(), format!("{{\"kind\":{deep}"), format!("{{\"{deep}\":0}}")] {
        let refused = spec_from_json(text.as_bytes()).unwrap_err();
        assert!(refused.to_string().len() < 400, "a message is short");
    }
}
