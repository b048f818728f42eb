//! Torch's own answers, from `tests/data`, through the core: every answer equal, every refusal at
//! the same place. The deliberate differences are recognised one by one, by the rules below, and
//! counted: a rule that no longer applies fails like an answer that differs.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a malformed data file should fail the test"
)]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use shardspec::model::ModelError;
use shardspec::model::{
    ChunkShardingSpec, EnumerableShardingSpec, Error, Placement, Result, ShardMetadata,
    ShardedTensorMetadata, ShardingDim, ShardingSpec, Shards, TensorProperties, TensorShape,
    infer_compat_spec,
};
use shardspec::plan::ReshardPlan;

/// The cases of one data file.
fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
    let text = std::fs::read_to_string(&path).expect("the data file is readable");
    let Value::Object(mut root) = serde_json::from_str(&text).expect("the data file is JSON")
    else {
        panic!("{file} holds no object");
    };
    let Some(Value::Array(cases)) = root.remove("cases") else { panic!("{file} holds no cases") };
    cases
}

/// How often each outcome occurred: `same`, `refused`, or the number of a deliberate difference.
#[derive(Default)]
struct Tally(BTreeMap<String, usize>);

impl Tally {
    fn count(&mut self, outcome: &str) {
        *self.0.entry(outcome.to_owned()).or_default() += 1;
    }

    #[track_caller]
    fn assert_is(&self, expected: &[(&str, usize)]) {
        let found: Vec<(&str, usize)> =
            self.0.iter().map(|(outcome, count)| (outcome.as_str(), *count)).collect();
        assert_eq!(found, expected);
    }
}

fn integers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|item| item.as_i64().unwrap()).collect()
}

fn placement(value: &Value) -> Placement {
    Placement::parse(value.as_str().unwrap()).unwrap()
}

fn shard(value: &Value) -> ShardMetadata {
    ShardMetadata {
        offsets: integers(&value["offsets"]),
        sizes: integers(&value["sizes"]),
        placement: placement(&value["placement"]),
    }
}

fn shard_list(value: &Value) -> Vec<ShardMetadata> {
    value.as_array().unwrap().iter().map(shard).collect()
}

/// Shards as the data files write them.
fn shards_json(shards: &Shards) -> Value {
    shards
        .iter()
        .map(|shard| {
            let placement = shard.placement.to_string();
            json!({"offsets": shard.offsets, "sizes": shard.sizes, "placement": placement})
        })
        .collect()
}

/// What torch said when it refused.
fn torch_message(case: &Value) -> &str {
    case["answer"]["error"][1].as_str().unwrap()
}

#[test]
fn placements_are_read_as_torch_reads_them() {
    let mut tally = Tally::default();
    for case in cases("placements.json") {
        let text = case["text"].as_str().unwrap();
        let ours = Placement::parse(text);
        let torch = &case["answer"]["ok"];
        let outcome = if torch["index"].as_i64().is_some_and(|index| index < 0) {
            // torch keeps the index in 8 bits: 128 became -128, which it can't read back.
            assert!(
                matches!(ours, Err(Error::Model(ModelError::InvalidPlacement { .. }))),
                "{text:?}: {ours:?}"
            );
            "D8 device index above 127"
        } else if torch["rank"].is_number() && torch["rank"].as_i64().is_none() {
            assert!(
                matches!(ours, Err(Error::Model(ModelError::InvalidPlacement { .. }))),
                "{text:?}: {ours:?}"
            );
            "D4 rank above 64 bits"
        } else if torch.is_null() {
            assert!(
                matches!(ours, Err(Error::Model(ModelError::InvalidPlacement { .. }))),
                "{text:?}: {ours:?}"
            );
            "refused"
        } else {
            let ours = ours.unwrap_or_else(|error| panic!("{text:?}: {error}"));
            let answer = json!({
                "worker": ours.worker_name(),
                "rank": ours.rank(),
                "device": ours.device().unwrap().device_type().name(),
                "index": ours.device().unwrap().index(),
                "text": ours.to_string(),
            });
            assert_eq!(answer, *torch, "{text:?}");
            assert_eq!(Placement::parse(&ours.to_string()), Ok(ours), "{text:?}");
            "same"
        };
        tally.count(outcome);
    }
    tally.assert_is(&[
        ("D4 rank above 64 bits", 12),
        ("D8 device index above 127", 6),
        ("refused", 315),
        ("same", 104),
    ]);
}

fn chunk_metadata(case: &Value) -> Result<ShardedTensorMetadata> {
    let placements = case["placements"].as_array().unwrap();
    let dim = ShardingDim::Index(case["dim"].as_i64().unwrap());
    let spec = ChunkShardingSpec::new(dim, placements.iter().map(placement))?;
    let sizes = integers(&case["sizes"]);
    spec.build_metadata(TensorShape::new(&sizes), TensorProperties::default())
}

/// D4: whether a tensor of these sizes has more elements than an `i64` counts.
fn is_beyond_64_bits(sizes: &[i64]) -> bool {
    !sizes.contains(&0)
        && sizes.iter().try_fold(1i64, |numel, &size| numel.checked_mul(size)).is_none()
}

#[test]
fn chunk_specs_cut_as_torch_cuts() {
    let mut tally = Tally::default();
    for case in cases("chunk.json") {
        match (chunk_metadata(&case), &case["answer"]["ok"]) {
            (Err(Error::Model(ModelError::InvalidDim { dim, ndim })), Value::Null) => {
                assert_eq!(torch_message(&case), format!("Invalid sharding dim: {dim}"));
                assert_eq!(ndim, case["sizes"].as_array().unwrap().len());
                tally.count("refused");
            }
            (Err(Error::Overflow { .. }), torch) => {
                assert!(torch.is_array(), "{case}");
                assert!(is_beyond_64_bits(&integers(&case["sizes"])), "{case}");
                tally.count("D4 more elements than 64 bits count");
            }
            (Ok(metadata), torch) => {
                assert_eq!(shards_json(metadata.shards()), *torch, "{case}");
                tally.count("same");
            }
            (Err(error), _) => panic!("{case}: {error}"),
        }
    }
    tally.assert_is(&[("D4 more elements than 64 bits count", 6), ("refused", 61), ("same", 233)]);
}

/// D1: torch refuses what its own chunk specs make when the last chunks are empty and start past
/// the end.
#[test]
fn what_chunk_specs_make_is_valid_when_given_shard_by_shard() {
    let mut tally = Tally::default();
    for case in cases("chunk.json").iter().filter(|case| !case["answer"]["ok"].is_null()) {
        let sizes = integers(&case["sizes"]);
        if is_beyond_64_bits(&sizes) {
            tally.count("D4 more elements than 64 bits count");
            continue;
        }
        let list = shard_list(&case["answer"]["ok"]);
        let spec = EnumerableShardingSpec::new(Shards::from_list(&list).unwrap()).unwrap();
        let shape = TensorShape::new(&sizes);
        let metadata = spec.build_metadata(shape, TensorProperties::default()).unwrap();
        assert_eq!(metadata, chunk_metadata(case).unwrap());
        let past_the_end = |shard: &ShardMetadata| {
            let ends = shard.offsets.iter().zip(&shard.sizes).map(|(offset, size)| offset + size);
            ends.zip(&sizes).any(|(end, size)| end > *size)
        };
        tally.count(if list.iter().any(past_the_end) { "D1 past the end" } else { "same" });
    }
    tally.assert_is(&[
        ("D1 past the end", 102),
        ("D4 more elements than 64 bits count", 6),
        ("same", 131),
    ]);
}

/// Where torch checks what: a shard by itself, the spec, the spec against the tensor.
#[allow(clippy::result_large_err, reason = "a test refuses once")]
fn enumerable_metadata(
    list: &[ShardMetadata], sizes: &[i64],
) -> std::result::Result<ShardedTensorMetadata, (&'static str, Error)> {
    for shard in list {
        Shards::from_list(std::slice::from_ref(shard))
            .map_err(|error| ("shard_metadata", error))?;
    }
    let spec = Shards::from_list(list)
        .and_then(EnumerableShardingSpec::new)
        .map_err(|error| ("spec", error))?;
    spec.build_metadata(TensorShape::new(sizes), TensorProperties::default())
        .map_err(|error| ("check_tensor", error))
}

/// Whether an error says what torch's message says.
fn says_the_same(error: &Error, torch: &str) -> bool {
    match error {
        Error::Model(ModelError::Negative { field: "offset", .. }) => {
            torch == "shard_offsets should be >=0"
        }
        Error::Model(ModelError::Negative { field: "size", .. }) => {
            torch == "shard_sizes should be >= 0"
        }
        Error::NdimMismatch { .. } => {
            torch.starts_with("shard_offsets and shard_sizes should have the same number")
                || torch.starts_with("Found inconsistent ranks for shards")
                || torch.starts_with("Rank of tensor is")
        }
        Error::InvalidArgument { argument: "shards", .. } => {
            torch.starts_with("Empty shard list provided")
        }
        Error::Model(ModelError::Overlap { .. }) => torch.ends_with(" overlap"),
        Error::Model(ModelError::OutOfBounds { offset, size, limit, .. }) => {
            torch.starts_with(&format!(
                "Shard offset {offset} and length {size} exceeds tensor dim: {limit} for shard"
            ))
        }
        Error::Model(ModelError::Gap { .. }) => torch.starts_with("Total volume of shards"),
        _ => false,
    }
}

/// D1: torch's refusal is about a shard that owns nothing: one of two that overlap, or the one past
/// the bound.
fn is_about_an_empty_shard(torch: &str) -> bool {
    let mut shards = torch.split("shard_sizes=[").skip(1);
    shards.any(|shard| shard.split(']').next().unwrap().split(", ").any(|size| size == "0"))
}

#[test]
fn enumerable_specs_are_accepted_and_refused_where_torch_does() {
    let mut tally = Tally::default();
    for case in cases("enumerable.json") {
        let list = shard_list(&case["shards"]);
        let sizes = integers(&case["sizes"]);
        let ours = enumerable_metadata(&list, &sizes);
        let our_stage = ours.as_ref().map_or_else(|(stage, _)| *stage, |_| "ok");
        let torch_stage = case["refused_at"].as_str().unwrap();
        if torch_stage != "ok" && is_about_an_empty_shard(torch_message(&case)) {
            // Our answer must be the one without the empty shards, which torch would accept there.
            let mut owners = list.clone();
            owners.retain(|shard| !shard.sizes.contains(&0));
            let without = enumerable_metadata(&owners, &sizes);
            assert_eq!(our_stage, without.map_or_else(|(stage, _)| stage, |_| "ok"), "{case}");
            tally.count(&format!("D1 {torch_stage} -> {our_stage}"));
            continue;
        }
        assert_eq!(our_stage, torch_stage, "{case}");
        match ours {
            Ok(metadata) => {
                assert_eq!(shards_json(metadata.shards()), case["answer"]["ok"], "{case}");
            }
            Err((_, error)) => {
                assert!(says_the_same(&error, torch_message(&case)), "{error}, but: {case}");
            }
        }
        tally.count(our_stage);
    }
    tally.assert_is(&[
        ("D1 spec -> check_tensor", 1),
        ("D1 spec -> ok", 6),
        ("check_tensor", 139),
        ("ok", 101),
        ("shard_metadata", 67),
        ("spec", 86),
    ]);
}

/// An inferred spec as the data file writes it.
fn spec_json(spec: &dyn ShardingSpec) -> Value {
    if let Some(chunk) = spec.downcast_ref::<ChunkShardingSpec>() {
        let ShardingDim::Index(dim) = chunk.dim() else { panic!("inference knows no names") };
        let texts: Vec<String> = chunk.placements().iter().map(ToString::to_string).collect();
        return json!({"kind": "chunk", "dim": dim, "placements": texts});
    }
    let spec = spec.downcast_ref::<EnumerableShardingSpec>().expect("chunk or enumerable");
    json!({"kind": "enumerable", "shards": shards_json(spec.shards())})
}

/// D2 and D9, where we infer differently, do not occur in the data: `parity.rs` shows them.
#[test]
fn specs_are_inferred_as_torch_infers_them() {
    let mut tally = Tally::default();
    for case in cases("infer.json") {
        let shards = Shards::from_list(&shard_list(&case["shards"])).unwrap();
        let spec = infer_compat_spec(shards).unwrap();
        assert_eq!(spec_json(&*spec), case["answer"]["ok"], "{case}");
        tally.count(spec.type_name());
    }
    tally.assert_is(&[("chunk", 137), ("enumerable", 113)]);
}

/// Boxes of a data file as shards, all on rank 0.
fn boxes(value: &Value) -> Shards {
    let list = value.as_array().unwrap().iter().map(|shard| ShardMetadata {
        offsets: integers(&shard["offsets"]),
        sizes: integers(&shard["sizes"]),
        placement: Placement::on_rank(0).unwrap(),
    });
    Shards::from_list(&list.collect::<Vec<_>>()).unwrap()
}

#[test]
fn plans_read_what_torch_reads() {
    let mut tally = Tally::default();
    for case in cases("reshard.json") {
        let sizes = integers(&case["sizes"]);
        let [source, destination] = ["source", "destination"]
            .map(|side| crate::common::plans::metadata(boxes(&case[side]), &sizes));
        let plan = ReshardPlan::new(&source, &destination).unwrap();
        let mut torch: Vec<crate::common::plans::Row> = case["answer"]["ok"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| {
                let index = |side: &str| item[side].as_u64().unwrap() as usize;
                let row = |name: &str| integers(&item[name]);
                let offsets = (row("source_offsets"), row("destination_offsets"));
                (index("source"), index("destination"), offsets.0, offsets.1, row("sizes"))
            })
            .collect();
        torch.sort_by_key(|row| (row.1, row.0));
        assert_eq!(crate::common::plans::rows(&plan), torch, "{case}");
        // Any shards will do where metadata does.
        let (source, destination) = (source.shared_shards(), destination.shared_shards());
        let again = ReshardPlan::from_shards(source.clone(), destination.clone()).unwrap();
        assert_eq!(crate::common::plans::rows(&again), torch, "{case}");
        tally.count("same");
    }
    tally.assert_is(&[("same", 120)]);
}
