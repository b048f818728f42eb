//! Descriptors of ScaLAPACK: the layouts that MPI's darray has for them, the rows that NUMROC counts, and
//! words for what is wrong.

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
use crate::common::cuts::{elements_of, indices_of, numbered_mesh};
use serde_json::Value;
use shardspec::error::Describe;
use shardspec::error::status::{SHARDSPEC_INVALID_ARGUMENT, SHARDSPEC_UNSUPPORTED};
use shardspec::model::{MeshShardingSpec, ShardingSpec, TensorProperties, TensorShape};
use shardspec::notation::{Notation, format_descriptor, numroc, parse, parse_descriptor};

fn integers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|item| item.as_i64().unwrap()).collect()
}

/// The elements of every process.
fn elements(spec: &MeshShardingSpec, sizes: &[i64]) -> Vec<Vec<i64>> {
    let shape = TensorShape::new(sizes);
    let metadata = spec.build_metadata(shape, TensorProperties::TORCH_DEFAULT).unwrap();
    let shards = metadata.shards();
    (0..shards.len()).map(|shard| elements_of(&indices_of(shards, shard), sizes)).collect()
}

#[test]
fn numroc_counts_the_rows_that_are_dealt() {
    for count in 1..5 {
        for (length, block) in (0..24).flat_map(|length| (1..6).map(move |block| (length, block))) {
            for source in 0..count {
                let mut dealt = vec![0; count as usize];
                (0..length).for_each(|row| dealt[((row / block + source) % count) as usize] += 1);
                let counted: Vec<i64> = (0..count)
                    .map(|process| numroc(length, block, process, source, count).unwrap())
                    .collect();
                assert_eq!(counted, dealt, "{length} in blocks of {block} from {source}");
            }
        }
    }
    assert_eq!(numroc(i64::MAX, 1, 0, i64::MAX - 1, i64::MAX).unwrap(), 1);
    assert_eq!(numroc(i64::MAX, i64::MAX, 1, 0, 2).unwrap(), 0);
    for wrong in
        [[-1, 1, 0, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 0, 1], [1, 1, 0, -1, 1], [1, 1, 0, 0, 0]]
    {
        let [n, nb, iproc, isrcproc, nprocs] = wrong;
        assert!(numroc(n, nb, iproc, isrcproc, nprocs).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_descriptor_is_the_layout_that_darray_has_for_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/block_cyclic.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut compared = 0;
    for case in file["cases"].as_array().unwrap() {
        let (sizes, grid) = (integers(&case["sizes"]), integers(&case["grid"]));
        let is_cyclic = |one: &Value| one == "cyclic";
        if sizes.len() != 2 || !case["distribution"].as_array().unwrap().iter().all(is_cyclic) {
            continue;
        }
        let block = |dim: usize| case["block"][dim].as_i64().unwrap_or(1);
        let mesh = numbered_mesh(&grid);
        let answers = case["answer"]["ok"].as_array().unwrap();
        assert_eq!(answers.len(), mesh.device_count());
        for (device, answer) in answers.iter().enumerate() {
            let row = mesh.coordinates(device).unwrap()[0] as i64;
            let own = numroc(sizes[0], block(0), row, 0, grid[0]).unwrap();
            let descriptor = [1, 7, sizes[0], sizes[1], block(0), block(1), 0, 0, own.max(1)];
            let spec = parse_descriptor(&descriptor, mesh.clone(), device).unwrap();
            let own = &elements(&spec, &sizes)[device];
            assert_eq!(*own, integers(answer), "{case}");
            let again = format_descriptor(&spec, [sizes[0], sizes[1]], 7, device).unwrap();
            assert_eq!(again, descriptor);
        }
        compared += 1;
    }
    assert!(compared > 5, "{compared}");
}

#[test]
fn a_descriptor_that_is_written_and_read_again_is_the_same() {
    let mut random = Random::new(23);
    for _ in 0..300 {
        let grid = [random.range(1, 4), random.range(1, 4)];
        let sizes = [random.range(0, 20), random.range(0, 20)];
        let mesh = numbered_mesh(&grid);
        let device = random.below(mesh.device_count());
        let descriptor = [
            1,
            random.range(0, 9),
            sizes[0],
            sizes[1],
            random.range(1, 6),
            random.range(1, 6),
            random.range(0, grid[0]),
            random.range(0, grid[1]),
            20,
        ];
        let spec = parse_descriptor(&descriptor, mesh.clone(), device).unwrap();
        let mut again = format_descriptor(&spec, sizes, descriptor[1], device).unwrap();
        let row = mesh.coordinates(device).unwrap()[0] as i64;
        let own = numroc(sizes[0], descriptor[4], row, descriptor[6], grid[0]).unwrap();
        assert_eq!(again[8], own.max(1));
        again[8] = 20;
        assert_eq!(again, descriptor);
    }
    let chunks = parse(Notation::DTensor, "S(0)S(1)", numbered_mesh(&[2, 2])).unwrap();
    let descriptor = format_descriptor(&chunks, [5, 0], 0, 3).unwrap();
    assert_eq!(descriptor, [1, 0, 5, 0, 3, 1, 0, 0, 2]);
    let again = parse_descriptor(&descriptor, numbered_mesh(&[2, 2]), 3).unwrap();
    assert_eq!(elements(&again, &[5, 0]), elements(&chunks, &[5, 0]));
}

#[test]
fn a_wrong_entry_is_named_with_its_value_and_its_number() {
    let right = [1, 0, 10, 8, 2, 3, 0, 1, 4];
    let wrong = [
        (0, 501, "DTYPE is 501 (entry 1); only 1, a dense matrix, is supported"),
        (2, -1, "M is -1 (entry 3); pass at least 0"),
        (3, -7, "N is -7 (entry 4)"),
        (4, 0, "MB is 0 (entry 5); pass at least 1"),
        (5, i64::MIN, "NB is -9223372036854775808 (entry 6)"),
        (6, 2, "RSRC is 2 (entry 7); the grid has 2 coordinates along axis \"0\""),
        (7, -1, "CSRC is -1 (entry 8)"),
        (8, 3, "LLD is 3 (entry 9); row 1 of the grid has 4 rows of the matrix; pass at least 4"),
    ];
    let mesh = numbered_mesh(&[2, 3]);
    assert!(parse_descriptor(&right, mesh.clone(), 5).is_ok());
    for (entry, value, problem) in wrong {
        let mut descriptor = right;
        descriptor[entry] = value;
        let error = parse_descriptor(&descriptor, mesh.clone(), 5).unwrap_err();
        let (status, numbers) = error.describe();
        assert_eq!(
            (status, numbers.index, numbers.got),
            (SHARDSPEC_INVALID_ARGUMENT, Some(entry), value),
            "{error}"
        );
        assert!(error.to_string().contains(problem), "{error}");
    }
    assert!(parse_descriptor(&right, mesh, 6).is_err());
    let line = parse_descriptor(&right, numbered_mesh(&[6]), 0).unwrap_err();
    assert!(line.to_string().contains("a mesh of 2 axes"), "{line}");
}

#[test]
fn a_layout_that_no_descriptor_has_is_refused_with_the_reason() {
    let refused = |text, problem: &str| {
        let spec = parse(Notation::DTensor, text, numbered_mesh(&[2, 2])).unwrap();
        let error = format_descriptor(&spec, [4, 4], 0, 0).unwrap_err();
        assert_eq!(error.describe().0, SHARDSPEC_UNSUPPORTED, "{error}");
        assert!(error.to_string().contains(problem), "{error}");
    };
    refused("RS(1)", "replicas along axis \"0\"");
    refused("S(1)S(0)", "a cut of dimension 0 over axis \"1\"");
    refused("P(sum)S(1)", "axis \"0\", which is pending a reduction");
    refused("_S(0, 2)S(1)", "the cut of dimension 0 over axis \"0\"");
}
