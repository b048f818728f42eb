//! Layouts in the notations of other programs: equal to the answers of these programs, the same after a
//! round trip, refused with a position and a reason, and never a crash.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a wrong index or a malformed data file should fail the test"
)]

use std::path::Path;

use crate::common::Random;
use crate::common::cuts::{indices_of, numbered_mesh};
use crate::common::meshes::random_spec;
use serde_json::Value;
use shardspec::error::Describe;
use shardspec::error::status::{SHARDSPEC_INVALID_ARGUMENT, SHARDSPEC_UNSUPPORTED};
use shardspec::model::{
    Cut, Error, Mesh, MeshCut, MeshLayout, MeshShardingSpec, PartialAxis, Reduction, Result, Rule,
    RuleKind, Segments, ShardedTensorMetadata, ShardingSpec, TensorProperties, TensorShape,
};
use shardspec::notation::{Notation, format, parse};

const ALL: [Notation; 4] = [Notation::DTensor, Notation::Jax, Notation::Xla, Notation::Shardy];

fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn integers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|item| item.as_i64().unwrap()).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

fn build(spec: &MeshShardingSpec, sizes: &[i64]) -> Result<ShardedTensorMetadata> {
    spec.build_metadata(TensorShape::new(sizes), TensorProperties::TORCH_DEFAULT)
}

/// What every device has, index by index.
fn shards(spec: &MeshShardingSpec, sizes: &[i64]) -> Result<Vec<Vec<Vec<i64>>>> {
    let metadata = build(spec, sizes)?;
    let shards = metadata.shards();
    Ok((0..shards.len()).map(|shard| indices_of(shards, shard)).collect())
}

fn two_by_four() -> Mesh {
    Mesh::new(&[("dp", 2), ("tp", 4)]).unwrap()
}

/// The layout of a text, as the library describes it.
fn read(notation: Notation, text: &str) -> Result<String> {
    parse(notation, text, two_by_four()).map(|spec| spec.layout().to_string())
}

fn refusal(notation: Notation, text: &str) -> (i32, Option<usize>, String) {
    let error = read(notation, text).expect_err(text);
    let (status, numbers) = error.describe();
    (status, numbers.index, error.to_string())
}

#[test]
fn a_dtensor_text_is_the_layout_that_torch_has_for_it() {
    let cases = cases("dtensor.json");
    assert_eq!(cases.len(), 200);
    for case in &cases {
        let placements = texts(&case["placements"]);
        let mesh = numbered_mesh(&integers(&case["mesh"]));
        let written = placements.concat();
        let spec = parse(Notation::DTensor, &written, mesh.clone()).unwrap();
        // One segment is no segment.
        let plain = |one: &&str| one.strip_suffix(", 1)").map(|start| start[1..].to_owned() + ")");
        let again: String =
            placements.iter().map(|one| plain(one).unwrap_or_else(|| (*one).to_owned())).collect();
        assert_eq!(format(&spec, Notation::DTensor, None).unwrap(), again);
        let listed = std::format!("({})", placements.join(", "));
        assert_eq!(parse(Notation::DTensor, &listed, mesh).unwrap(), spec);
        let metadata = build(&spec, &integers(&case["sizes"])).unwrap();
        let answers = case["answer"]["ok"].as_array().unwrap();
        assert_eq!(metadata.shards().len(), answers.len());
        for (shard, answer) in metadata.shards().iter().zip(answers) {
            assert_eq!(shard.sizes, integers(&answer["local_shape"]), "{case}");
            assert_eq!(shard.offsets, integers(&answer["global_offset"]), "{case}");
        }
    }
}

#[test]
fn the_short_and_the_long_texts_of_torch_are_one_layout() {
    let cases = cases("notations_dtensor.json");
    assert_eq!(cases.len(), 9);
    for case in &cases {
        let text = |key: &str| case[key].as_str().unwrap();
        let read = |key| {
            parse(Notation::DTensor, text(key), two_by_four())
                .unwrap_or_else(|_| panic!("{}", text(key)))
        };
        let spec = read("short");
        assert_eq!(read("tuple"), spec);
        assert_eq!(read("list"), spec);
        assert_eq!(format(&spec, Notation::DTensor, None).unwrap(), text("short"));
    }
}

/// The text of a `PartitionSpec` as JAX writes it.
fn partition_spec(case: &Value) -> String {
    let dims = case["partition_spec"].as_array().unwrap().iter().map(|axes| match &*texts(axes) {
        [] => "None".to_owned(),
        [one] => std::format!("'{one}'"),
        several => std::format!("('{}')", several.join("', '")),
    });
    let dims: Vec<_> = dims.collect();
    std::format!("P({}{})", dims.join(", "), if dims.len() == 1 { "," } else { "" })
}

#[test]
fn a_partition_spec_is_the_layout_that_jax_has_for_it() {
    let cases = cases("jax.json");
    let mut refused = 0;
    for case in &cases {
        let axes: Vec<_> =
            texts(&case["axis_names"]).into_iter().zip(integers(&case["mesh"])).collect();
        let (written, sizes) = (partition_spec(case), integers(&case["sizes"]));
        let spec = parse(Notation::Jax, &written, Mesh::new(&axes).unwrap()).unwrap();
        let dims = case["partition_spec"].as_array().unwrap().len();
        let ndim = (dims > 0).then_some(dims);
        assert_eq!(format(&spec, Notation::Jax, ndim).unwrap(), written);
        let Ok(metadata) = build(&spec, &sizes) else {
            assert!(case["answer"].get("error").is_some(), "{case}");
            refused += 1;
            continue;
        };
        let answers = case["answer"]["ok"].as_array().expect("jax refused it");
        for (shard, answer) in metadata.shards().iter().zip(answers) {
            assert_eq!(shard.sizes, integers(&answer["sizes"]), "{case}");
            if !shard.is_empty() {
                assert_eq!(shard.offsets, integers(&answer["offsets"]), "{case}");
            }
        }
    }
    assert_eq!((refused, cases.len()), (14, 120));
}

/// The axes of a mesh, as the data file writes them.
fn mesh_of(case: &Value) -> Mesh {
    let axes = case["mesh"].as_object().unwrap();
    let axes: Vec<_> =
        axes.iter().map(|(name, size)| (name.as_str(), size.as_i64().unwrap())).collect();
    Mesh::new(&axes).unwrap()
}

#[test]
fn the_texts_that_jax_has_for_a_sharding_are_the_layout_that_it_has() {
    let cases = cases("notations_jax.json");
    assert!(cases.len() > 50);
    for case in &cases {
        let mesh = mesh_of(case);
        let sizes = integers(&case["sizes"]);
        let written = |key: &str| case[key].as_str().unwrap();
        let texts = [
            (Notation::Jax, written("partition_spec")),
            (Notation::Xla, written("xla")),
            (Notation::Shardy, written("shardy")),
        ];
        for (notation, text) in texts {
            let spec = parse(notation, text, mesh.clone())
                .unwrap_or_else(|error| panic!("{text}: {error}"));
            let metadata = build(&spec, &sizes).unwrap();
            let answers = case["boxes"].as_array().unwrap();
            assert_eq!(metadata.shards().len(), answers.len());
            for (shard, answer) in metadata.shards().iter().zip(answers) {
                let boxes: Vec<Vec<i64>> = shard
                    .offsets
                    .iter()
                    .zip(shard.sizes)
                    .map(|(&start, &size)| vec![start, size])
                    .collect();
                assert_eq!(serde_json::json!(boxes), *answer, "{text} over {mesh}");
            }
            // All three are written as JAX writes them; Shardy's text has a name of the mesh in place of it.
            for (other, expected) in &texts[..2] {
                // The order of axes of one coordinate is not in a text of XLA.
                if notation != Notation::Xla || mesh.axes().iter().all(|axis| axis.size() > 1) {
                    let again = format(&spec, *other, Some(sizes.len())).unwrap();
                    assert_eq!(again, *expected, "{text} over {mesh}");
                }
            }
            let again = format(&spec, Notation::Shardy, Some(sizes.len())).unwrap();
            let dims = written("shardy").split_once(">, ").unwrap().1.trim_end_matches('>');
            if notation != Notation::Xla {
                assert!(
                    again.starts_with(&std::format!("sharding<@mesh, {dims}")),
                    "{again}: {dims}"
                );
            }
        }
    }
}

#[test]
fn all_forms_of_tiles_are_read() {
    let columns = "dimension 1 over tp by chunk";
    let forms = [
        "{devices=[1,4,2]<=[2,4]T(1,0) last_tile_dim_replicate}",
        "{devices=[1,4,2]0,4,1,5,2,6,3,7 last_tile_dim_replicate}",
        "sharding={devices=[1,4,2]<=[2,4]T(1,0) last_tile_dims={replicated}}",
        "{ devices = [ 1 , 4 , 1, 2 ] <= [2, 2, 2] T ( 1 , 2 , 0 ) last_tile_dims={replicated, replicated} }",
    ];
    for text in forms {
        assert_eq!(read(Notation::Xla, text).expect(text), columns, "{text}");
    }
    let spread = "dimension 0 over tp by chunk, even; dimension 0 over dp by chunk, even";
    assert_eq!(read(Notation::Xla, "{devices=[8]<=[2,4]T(1,0)}").unwrap(), spread);
    assert_eq!(read(Notation::Xla, "{replicated}").unwrap(), "replicated");
    let one = parse(Notation::Xla, "{maximal device=3}", two_by_four()).unwrap();
    assert_eq!(one.mesh().device_count(), 1);
    assert_eq!(one.mesh().placements().get(0).unwrap().rank(), Some(3));
    assert_eq!(format(&one, Notation::Xla, Some(2)).unwrap(), "{maximal device=3}");
}

#[test]
fn all_forms_of_shardings_of_shardy_are_read() {
    let forms = [
        "sharding<@mesh, [{\"dp\"}, {}], replicated={\"tp\"}>",
        "#sdy.sharding<@mesh, [{\"dp\"}, {}]>",
        "#sdy.sharding< mesh<[\"dp\"=2, \"tp\"=4]>, [{\"dp\",}, {},], replicated={} >",
        "sharding<@\"a mesh\", [{\"dp\"}]>",
    ];
    for text in forms {
        let read = read(Notation::Shardy, text).expect(text);
        assert_eq!(read, "dimension 0 over dp by chunk", "{text}");
    }
    let text = "sharding<@mesh, [{}, {\"tp\"}], unreduced={\"dp\"}>";
    assert_eq!(
        read(Notation::Shardy, text).unwrap(),
        "dimension 1 over tp by chunk; partial dp (sum)"
    );
    let spec = parse(Notation::Shardy, text, two_by_four()).unwrap();
    assert_eq!(format(&spec, Notation::Shardy, None).unwrap(), text);
}

#[test]
fn all_forms_of_placements_are_read() {
    let forms = [
        "_S(0, 2)S(0)",
        "[_S(0,2),S(0)]",
        " ( _StridedShard( dim=0 , split_factor=2 ) , Shard(0) , ) ",
        "_StridedShard(dim=0, sf=2)Shard(dim=0)",
    ];
    for text in forms {
        let read = read(Notation::DTensor, text).expect(text);
        assert_eq!(
            read, "dimension 0 over dp by chunk in 2 equal segments; dimension 0 over tp by chunk",
            "{text}"
        );
    }
    for text in ["RR", "[R, R]", "(Replicate(), Replicate())", "Replicate R", "R Replicate()"] {
        assert_eq!(read(Notation::DTensor, text).expect(text), "replicated", "{text}");
    }
    for text in ["RP(sum)", "RP()", "[R, P]", "(Replicate(), Partial(sum))", "RPartial('sum')"] {
        let read = read(Notation::DTensor, text).expect(text);
        assert_eq!(read, "partial tp (sum); replicated", "{text}");
    }
    let read = read(Notation::DTensor, "P(max)S(-1)").unwrap();
    assert_eq!(read, "dimension -1 over tp by chunk; partial dp (max)");
}

#[test]
fn all_forms_of_partition_specs_are_read() {
    let both = "dimension 1 over tp by chunk, even; dimension 1 over dp by chunk, even";
    for text in ["P(None, ('tp', 'dp'))", "PartitionSpec( (), [\"tp\", 'dp',], None , )"] {
        assert_eq!(read(Notation::Jax, text).expect(text), both, "{text}");
    }
    for text in ["P()", "PartitionSpec(None)", "P(None, None,)"] {
        assert_eq!(read(Notation::Jax, text).expect(text), "replicated", "{text}");
    }
    let pending = "dimension 0 over dp by chunk, even; partial tp (sum)";
    for text in ["P('dp', unreduced={'tp'})", "P('dp', unreduced=frozenset({'tp'}))"] {
        assert_eq!(read(Notation::Jax, text).expect(text), pending, "{text}");
    }
    let spec = parse(Notation::Jax, "P('dp', unreduced={'tp'})", two_by_four()).unwrap();
    let text = format(&spec, Notation::Jax, Some(2)).unwrap();
    assert_eq!(text, "P('dp', None, unreduced={'tp'})");
}

#[test]
fn a_text_that_is_refused_says_where_and_what_is_expected() {
    let (dtensor, jax) = (Notation::DTensor, Notation::Jax);
    let (xla, shardy) = (Notation::Xla, Notation::Shardy);
    let wrong = [
        (dtensor, "S(0)", 4, "found the end of the text, expected a placement for axis \"tp\""),
        (dtensor, "RRR", 2, "found \"R\", expected the end of the text: the mesh dp=2, tp=4 has 2"),
        (dtensor, "S(x)R", 2, "found \"x\", expected a dimension"),
        (dtensor, "S 0", 2, "found \"0\", expected \"(\""),
        (dtensor, "RX", 1, "found \"X\", expected a placement"),
        (dtensor, "RP(most)", 3, "\"most\" is not a reduction; pass sum, avg"),
        (dtensor, "_S(0, 0)R", 6, "the split factor is below 1"),
        (dtensor, "S(99999999999999999999)R", 2, "does not fit into a signed 64-bit integer"),
        (dtensor, "(R, R", 5, "found the end of the text, expected \")\""),
        (jax, "Q('dp')", 0, "found \"Q\", expected PartitionSpec or P"),
        (jax, "P('pp')", 2, "the mesh has no axis named \"pp\"; it is dp=2, tp=4"),
        (jax, "P('dp', ('tp', 'dp'))", 15, "axis \"dp\" is named twice"),
        (jax, "P(dp)", 2, "found \"dp\", expected an axis in quotes"),
        (jax, "P('dp'", 6, "found the end of the text, expected \",\" or \")\""),
        (jax, "P('dp)", 2, "the name has no closing '"),
        (jax, "P('dp') x", 8, "found \"x\", expected the end of the text"),
        (jax, "P('\u{e4}\u{20ac}', x)", 2, "the mesh has no axis named"),
        (xla, "{devices=[2,2]<=[4]}", 9, "the numbers multiply to 4, and the mesh has 8 devices"),
        (xla, "{devices=[2,5]<=[8]}", 12, "the numbers do not multiply to 8"),
        (xla, "{devices=[9223372036854775807,2]<=[8]}", 10, "the numbers do not multiply to 8"),
        (xla, "{devices=[0]<=[8]}", 10, "the numbers do not multiply to 8"),
        (xla, "{devices=[8]<=[2,4]T(1,1)}", 23, "it is no permutation; pass each number below 2"),
        (xla, "{devices=[8]0,1,1,2}", 16, "device 1 is listed twice, or is none of the 8 devices"),
        (xla, "{devices=[8]0,1}", 15, "found \"}\", expected \",\""),
        (xla, "{devices=[8]1,0,2,3,4,5,6,7}", 9, "not made of whole axes of the mesh dp=2, tp=4"),
        (xla, "{maximal device=8}", 16, "device 8 is none of the 8 devices"),
        (xla, "{tiled}", 1, "found \"tiled\", expected devices, replicated or maximal"),
        (xla, "{replicated} 1", 13, "found \"1\", expected the end of the text"),
        (
            xla,
            "{devices=[8]<=[8] last_tile_dims={replicated, replicated}}",
            9,
            "1 tile dimensions and 2",
        ),
        (shardy, "sharding<@mesh, [{\"pp\"}]>", 18, "the mesh has no axis named \"pp\""),
        (
            shardy,
            "sharding<@mesh, [{\"dp\"}], replicated={\"dp\"}>",
            38,
            "axis \"dp\" is named twice",
        ),
        (shardy, "sharding<mesh<[\"dp\"=2]>, []>", 13, "another mesh than dp=2, tp=4"),
        (shardy, "sharding<mesh<[\"dp\"=2, \"tp\"=5]>, []>", 13, "another mesh than dp=2, tp=4"),
        (shardy, "sharding<[{}]>", 9, "found \"[\", expected \"@\" and the name of a mesh"),
    ];
    for (notation, text, at, problem) in wrong {
        let (status, index, message) = refusal(notation, text);
        assert_eq!((status, index), (SHARDSPEC_INVALID_ARGUMENT, Some(at)), "{message}");
        assert!(message.starts_with(&std::format!("text: byte {at}: ")), "{message}");
        assert!(message.contains(problem), "{message}");
    }
    let not_interpreted = [
        (dtensor, "RMaskP(sum, None, 0)", 1, "MaskP is not interpreted"),
        (dtensor, "RaggedShard(dims=(0,))", 0, "RaggedShard is not interpreted"),
        (jax, "P(P.UNCONSTRAINED)", 2, "UNCONSTRAINED is not interpreted"),
        (jax, "P(reduced={'dp'})", 2, "reduced axes are not interpreted"),
        (jax, "P('d\\x70')", 4, "an escape sequence"),
        (xla, "{{replicated}, {replicated}}", 1, "a tuple of shardings is not interpreted"),
        (xla, "{manual}", 1, "manual is not interpreted"),
        (xla, "{devices=[2,4]<=[8] last_tile_dims={manual}}", 36, "manual is not interpreted"),
        (
            xla,
            "{devices=[2,4]<=[8] last_tile_dims={unreduced}}",
            36,
            "unreduced is not interpreted",
        ),
        (xla, "{unknown}", 1, "unknown is not interpreted"),
        (xla, "{devices=[8]<=[8] metadata={op_name=\"x\"}}", 18, "metadata is not interpreted"),
        (xla, "{replicated shard_as 1}", 12, "shard_as is not interpreted"),
        (shardy, "sharding<@mesh, [{\"dp\", ?}]>", 24, "an open dimension is not interpreted"),
        (shardy, "sharding<@mesh, [{\"dp\"}p1]>", 23, "a priority is not interpreted"),
        (shardy, "sharding<@mesh, [{\"tp\":(1)2}]>", 22, "a part of an axis is not interpreted"),
    ];
    for (notation, text, at, what) in not_interpreted {
        let (status, index, message) = refusal(notation, text);
        assert_eq!((status, index), (SHARDSPEC_UNSUPPORTED, Some(at)), "{message}");
        assert!(message.contains(what), "{message}");
    }
}

fn spec_with(cuts: Vec<MeshCut>) -> MeshShardingSpec {
    let layout = MeshLayout { cuts, ..MeshLayout::default() };
    MeshShardingSpec::new(two_by_four(), layout).unwrap()
}

fn chunk(dim: i64, axis: &str, even: bool) -> MeshCut {
    let rule = Rule { even, ..RuleKind::Chunk.into() };
    MeshCut::new(dim, axis, Cut { rule, segments: Segments::One }).unwrap()
}

fn refused_text(spec: &MeshShardingSpec, notation: Notation) -> String {
    let error = format(spec, notation, None).unwrap_err();
    assert_eq!(error.describe().0, SHARDSPEC_UNSUPPORTED, "{error}");
    error.to_string()
}

#[test]
fn what_a_notation_cannot_say_is_refused_with_the_reason() {
    let cyclic = RuleKind::Cyclic { block: 2, first: 0 };
    let cyclic = spec_with(vec![MeshCut::new(0, "tp", Cut::from(cyclic)).unwrap()]);
    for notation in ALL {
        let message = refused_text(&cyclic, notation);
        assert!(
            message.contains("dimension 0 over axis \"tp\" by cyclic of 2 from 0"),
            "{message}"
        );
    }
    let inward = spec_with(vec![chunk(0, "tp", false), chunk(0, "dp", false)]);
    for notation in [Notation::Xla, Notation::Shardy] {
        let message = refused_text(&inward, notation);
        assert!(message.contains("make the cut over axis \"tp\" even"), "{message}");
    }
    let message = refused_text(&inward, Notation::DTensor);
    assert!(message.contains("for even cuts only"), "{message}");
    assert_eq!(format(&inward, Notation::Jax, None).unwrap(), "P(('tp', 'dp'),)");
    let from_last = spec_with(vec![chunk(-1, "tp", false)]);
    assert!(refused_text(&from_last, Notation::Jax).contains("pass the tensor's number of dim"));
    assert_eq!(format(&from_last, Notation::Jax, Some(2)).unwrap(), "P(None, 'tp')");
    let strided = parse(Notation::DTensor, "_S(0, 3)S(0)", two_by_four()).unwrap();
    assert!(refused_text(&strided, Notation::Jax).contains("the 3 segments of dimension 0"));
    let partial = vec![PartialAxis { axis: "dp".into(), reduction: Reduction::Max }];
    let layout = MeshLayout { partial, ..MeshLayout::default() };
    let pending = MeshShardingSpec::new(two_by_four(), layout).unwrap();
    assert_eq!(format(&pending, Notation::DTensor, None).unwrap(), "P(max)R");
    assert!(refused_text(&pending, Notation::Jax).contains("a reduction (max)"));
    assert!(refused_text(&pending, Notation::Shardy).contains("a reduction (max)"));
    assert!(refused_text(&pending, Notation::Xla).contains("pending a reduction"));
    let named = MeshCut::new(
        shardspec::model::ShardingDim::Name("rows".into()),
        "tp",
        Cut::from(RuleKind::Chunk),
    );
    assert!(refused_text(&spec_with(vec![named.unwrap()]), Notation::DTensor).contains("rows"));
    assert!(format(&cyclic, Notation::Jax, Some(33)).is_err());
}

/// A random mesh and random even cuts over some of its axes, in any order.
fn random_plain_spec(random: &mut Random, ndim: usize) -> MeshShardingSpec {
    let sizes: Vec<i64> =
        (0..1 + random.below(4)).map(|_| [1, 2, 2, 3, 4][random.below(5)]).collect();
    let mesh = numbered_mesh(&sizes);
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    random.shuffle(&mut order);
    let mut layout = MeshLayout::default();
    let even = random.below(3) > 0;
    for axis in order {
        if random.below(4) > 0 {
            layout.cuts.push(chunk(random.below(ndim) as i64, &axis.to_string(), even));
        }
    }
    MeshShardingSpec::new(mesh, layout).unwrap()
}

#[test]
fn a_layout_that_is_written_and_read_again_is_the_same() {
    let mut random = Random::new(20);
    let mut said = [0; ALL.len()];
    for _ in 0..1500 {
        let ndim = 1 + random.below(3);
        let spec = random_plain_spec(&mut random, ndim);
        let sizes: Vec<i64> = (0..ndim).map(|_| [144, 12, 5, 0][random.below(4)]).collect();
        for (notation, said) in ALL.into_iter().zip(&mut said) {
            let text = match format(&spec, notation, Some(ndim)) {
                Ok(text) => text,
                Err(error) => {
                    // Cuts that may be uneven have an order that only JAX can say.
                    let is_even = spec.layout().cuts.iter().all(|cut| cut.cut.rule.even);
                    assert!(notation != Notation::Jax && !is_even, "{spec}: {error}");
                    continue;
                }
            };
            *said += 1;
            let again = parse(notation, &text, spec.mesh().clone()).expect(&text);
            let Ok(own) = shards(&spec, &sizes) else { continue };
            let Ok(others) = shards(&again, &sizes) else {
                // Where cuts are even, what does not divide is refused.
                assert_ne!(notation, Notation::DTensor);
                continue;
            };
            assert_eq!(own, others, "{spec} as {text} of {sizes:?}");
            // From one notation to the other.
            for other in ALL {
                let Ok(translated) = format(&again, other, Some(ndim)) else { continue };
                let third = parse(other, &translated, spec.mesh().clone()).unwrap();
                if let Ok(third) = shards(&third, &sizes) {
                    assert_eq!(own, third, "{spec} as {text} as {translated} of {sizes:?}");
                }
            }
        }
    }
    assert!(said.into_iter().all(|count| count > 500), "{said:?}");
}

#[test]
fn any_layout_is_written_or_refused_and_never_written_wrong() {
    let mut random = Random::new(21);
    for _ in 0..1500 {
        let sizes = [random.range(1, 20), random.range(1, 20)];
        let spec = random_spec(&mut random, &sizes, 4);
        for notation in ALL {
            match format(&spec, notation, Some(2)) {
                Err(error) => assert_eq!(error.describe().0, SHARDSPEC_UNSUPPORTED, "{error}"),
                Ok(text) => {
                    let again = parse(notation, &text, spec.mesh().clone()).expect(&text);
                    if let (Ok(own), Ok(again)) = (shards(&spec, &sizes), shards(&again, &sizes)) {
                        assert_eq!(own, again, "{spec} as {text} of {sizes:?}");
                    }
                }
            }
        }
    }
}

const SEEDS: &[(Notation, &str)] = &[
    (Notation::DTensor, "_S(0, 2)S(0)"),
    (Notation::DTensor, "(Shard(dim=0), Partial(sum))"),
    (Notation::DTensor, "[Replicate(), _StridedShard(dim=1, sf=4)]"),
    (Notation::Jax, "PartitionSpec(('dp', 'tp'), None)"),
    (Notation::Jax, "P('dp', unreduced=frozenset({'tp'}))"),
    (Notation::Jax, "P(None, [\"tp\"], 'dp')"),
    (Notation::Xla, "{devices=[1,4,2]<=[2,4]T(1,0) last_tile_dim_replicate}"),
    (Notation::Xla, "{devices=[2,4]0,1,2,3,4,5,6,7}"),
    (Notation::Xla, "{devices=[8,1]<=[2,4]T(1,0) last_tile_dims={replicated}}"),
    (Notation::Xla, "{maximal device=3}"),
    (Notation::Xla, "{replicated}"),
    (Notation::Shardy, "sharding<@mesh, [{\"dp\"}, {}], replicated={\"tp\"}>"),
    (Notation::Shardy, "#sdy.sharding<mesh<[\"dp\"=2, \"tp\"=4]>, [{}], unreduced={\"dp\"}>"),
];

fn mutated(random: &mut Random, seed: &str) -> String {
    let mut bytes = seed.as_bytes().to_vec();
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len() + 1);
        let sign = b"()[]{}<>,=-'\"\\ 0123456789SRPTx?@*:\xc3\n\0"[random.below(37)];
        match random.below(4) {
            0 => bytes.insert(at, sign),
            1 if at < bytes.len() => bytes[at] = sign,
            2 if at < bytes.len() => drop(bytes.remove(at)),
            _ => {
                let from = random.below(bytes.len() + 1).min(at);
                let part = bytes[from..at].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn a_damaged_text_is_read_or_refused_at_a_place_inside_of_it() {
    let mut random = Random::new(22);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..60_000 {
        let (notation, seed) = SEEDS[random.below(SEEDS.len())];
        let text = mutated(&mut random, seed);
        match parse(notation, &text, two_by_four()) {
            Ok(spec) => {
                let again = format(&spec, notation, None);
                if let Ok(written) = again {
                    assert!(parse(notation, &written, two_by_four()).is_ok(), "{text}: {written}");
                }
                read += 1;
            }
            Err(error) => {
                let (_, numbers) = error.describe();
                let at = numbers.index.unwrap_or_else(|| panic!("{text:?}: {error}"));
                assert!(at <= text.len() && text.is_char_boundary(at), "{text:?}: {error}");
                refused += 1;
            }
        }
    }
    assert!(read > 1000 && refused > 1000, "{read} were read, {refused} were refused");
}

#[test]
fn a_hostile_text_of_megabytes_takes_no_time_and_no_stack() {
    let hostile =
        ["S(", "(", "[", "R", "_S(0, ", "P('dp', ", "P(None,", "P(((", "'", "9", "{", "1,", "2,"];
    let starts = [
        (Notation::DTensor, ""),
        (Notation::Jax, ""),
        (Notation::Jax, "P("),
        (Notation::Xla, "{devices=["),
        (Notation::Xla, "{devices=[8]"),
        (Notation::Xla, "{devices=[8]<=["),
        (Notation::Shardy, "sharding<@mesh, ["),
    ];
    for part in hostile {
        for (notation, start) in starts {
            let text = start.to_owned() + &part.repeat(1 << 20);
            let error = parse(notation, &text, two_by_four()).expect_err(part);
            assert!(error.to_string().len() < 400, "{error}");
        }
    }
    let none = "P(".to_owned() + &"None,".repeat(1 << 18) + ")";
    let error: Error = parse(Notation::Jax, &none, two_by_four()).unwrap_err();
    assert!(error.to_string().contains("more than 32 dimensions"), "{error}");
}
