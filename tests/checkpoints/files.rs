//! Files that are not what they should be: a status and a message that helps, and never a crash.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use crate::common::Random;
use crate::common::checkpoints::{
    Folder, Stored, dcp_info, header, safetensors, values, write_index, write_safetensors,
};
use serde_json::{Value, json};
use shardspec::error::status::*;
use shardspec::error::{Describe, Error};
use shardspec::files::{
    CheckpointRead, CoverageProblems, FileSet, ReadItem, ReadOptions, WantedTensor, check,
    check_set, open,
};
use shardspec::memory::Shared;
use shardspec::model::{
    ChunkShardingSpec, DataType, Placement, ShardedTensorMetadata, ShardingDim, ShardingSpec,
    TensorProperties, TensorShape,
};
use shardspec::transfer::{HostView, LocalShards};

const F32: DataType = DataType::FLOAT32;

fn chunks(sizes: &[i64], dim: i64, count: i64) -> ShardedTensorMetadata {
    let ranks = (0..count).map(|rank| Placement::on_rank(rank).unwrap());
    let spec = ChunkShardingSpec::new(ShardingDim::Index(dim), ranks).unwrap();
    spec.build_metadata(TensorShape::new(sizes), TensorProperties::default()).unwrap()
}

/// The status and the message of a refusal.
fn refused<T>(result: Result<T, Error>) -> (i32, String) {
    let error = result.err().unwrap();
    (error.describe().0, error.to_string())
}

/// What opening these bytes as a safetensors file says.
fn opened(folder: &Folder, bytes: &[u8]) -> Result<FileSet, Error> {
    let path = folder.file("model.safetensors");
    std::fs::write(&path, bytes).unwrap();
    open(&path)
}

#[test]
fn every_cut_and_every_longer_file_is_refused_when_it_is_opened() {
    let folder = Folder::new("cut");
    let bytes = values(24, 1);
    let (header, data) = header(
        &[
            Stored::new("a", "F32", &[2, 2], &bytes[..16]),
            Stored::new("b", "I8", &[8], &bytes[16..]),
        ],
        &[("format", "pt")],
    );
    let file = safetensors(&header.to_string(), &data);
    assert_eq!(opened(&folder, &file).unwrap().tensors().len(), 2);
    for length in 0..file.len() {
        let (status, message) = refused(opened(&folder, &file[..length]));
        assert_eq!(status, SHARDSPEC_INVALID_FILE, "{length}: {message}");
        assert!(message.contains("model.safetensors"), "{message}");
    }
    let longer = [file.as_slice(), &[0]].concat();
    assert_eq!(refused(opened(&folder, &longer)).0, SHARDSPEC_INVALID_FILE);
    let (_, message) = refused(opened(&folder, &file[..file.len() - 1]));
    let (got, end) = (file.len() - 1, file.len());
    let expected = format!(
        "model.safetensors: it has {got} bytes, and tensor \"b\" ends at byte {end}; copy the file again"
    );
    assert_eq!(message, expected);
}

#[test]
fn headers_with_wrong_fields_are_refused() {
    let folder = Folder::new("fields");
    let entry = |dtype: Value, shape: Value, offsets: Value| {
        json!({"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).to_string()
    };
    let good = |offsets: Value| entry(json!("F32"), json!([2, 2]), offsets);
    let big = 9_223_372_036_854_775_807u64;
    let cases = [
        (good(json!([0, 16])), SHARDSPEC_OK),
        (good(json!([0, 15])), SHARDSPEC_INVALID_FILE),
        (good(json!([16, 0])), SHARDSPEC_INVALID_FILE),
        (good(json!([0, 16, 32])), SHARDSPEC_INVALID_FILE),
        (good(json!([])), SHARDSPEC_INVALID_FILE),
        (good(json!([1, 17])), SHARDSPEC_INVALID_FILE),
        (good(json!([-1, 15])), SHARDSPEC_INVALID_FILE),
        (good(json!([0, 16.0])), SHARDSPEC_INVALID_FILE),
        (good(json!([u64::MAX - 15, u64::MAX])), SHARDSPEC_INVALID_FILE),
        (good(json!([big - 16, big])), SHARDSPEC_INVALID_FILE),
        (entry(json!("F33"), json!([2, 2]), json!([0, 16])), SHARDSPEC_UNSUPPORTED),
        (entry(json!(7), json!([2, 2]), json!([0, 16])), SHARDSPEC_INVALID_FILE),
        (entry(json!("F32"), json!([big, 2]), json!([0, 16])), SHARDSPEC_INVALID_FILE),
        (entry(json!("F32"), json!([big, big, big]), json!([0, 16])), SHARDSPEC_INVALID_FILE),
        (entry(json!("F32"), json!([u64::MAX]), json!([0, 16])), SHARDSPEC_INVALID_FILE),
        (entry(json!("F32"), json!([big, 0]), json!([0, 0])), SHARDSPEC_INVALID_FILE),
        (entry(json!("F32"), json!(vec![1; 33]), json!([0, 4])), SHARDSPEC_INVALID_FILE),
        (entry(json!("F32"), json!("4"), json!([0, 16])), SHARDSPEC_INVALID_FILE),
        (json!({"a": {"dtype": "F32", "shape": [4]}}).to_string(), SHARDSPEC_INVALID_FILE),
        (json!({"a": []}).to_string(), SHARDSPEC_INVALID_FILE),
        (json!([1]).to_string(), SHARDSPEC_INVALID_FILE),
        (json!({"__metadata__": {"a": 1}}).to_string(), SHARDSPEC_INVALID_FILE),
        (format!("{} x", good(json!([0, 16]))), SHARDSPEC_INVALID_FILE),
        ("{".repeat(1 << 16), SHARDSPEC_INVALID_FILE),
        (format!("{{\"a\": {{\"x\": {}", "[".repeat(1 << 20)), SHARDSPEC_INVALID_FILE),
        (String::new(), SHARDSPEC_INVALID_FILE),
    ];
    for (header, expected) in &cases {
        let data = if header.contains("[0,4]") { 4 } else { 16 };
        let result = opened(&folder, &safetensors(header, &vec![0; data]));
        let status = result.as_ref().map_or_else(|error| error.describe().0, |_| SHARDSPEC_OK);
        let shown = &header[..header.len().min(120)];
        assert_eq!(status, *expected, "{shown}: {result:?}");
    }
    for length in [0u64, 6, 8, 100_000_001, 1 << 40, u64::MAX] {
        let file = [length.to_le_bytes().as_slice(), b"{}     "].concat();
        let result = opened(&folder, &file);
        assert_eq!(refused(result).0, SHARDSPEC_INVALID_FILE, "{length}");
    }
}

#[test]
fn tensors_that_overlap_leave_gaps_or_come_twice_are_refused() {
    let folder = Folder::new("overlap");
    let header = |a: [u64; 2], b: [u64; 2], name: &str| {
        format!(
            "{{\"a\":{{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[{},{}]}},\"{name}\":{{\"dtype\":\
             \"U8\",\"shape\":[4],\"data_offsets\":[{},{}]}}}}",
            a[0], a[1], b[0], b[1]
        )
    };
    for (a, b, name, says) in [
        ([0, 4], [2, 6], "b", "without a gap or an overlap"),
        ([0, 4], [5, 9], "b", "without a gap or an overlap"),
        ([0, 4], [0, 4], "b", "without a gap or an overlap"),
        ([0, 4], [4, 8], "a", "tensor \"a\" twice"),
        ([0, 4], [4, 8], "\\u0061", "tensor \"a\" twice"),
    ] {
        let file = safetensors(&header(a, b, name), &vec![0; a[1].max(b[1]) as usize]);
        let (status, message) = refused(opened(&folder, &file));
        assert_eq!(status, SHARDSPEC_INVALID_FILE);
        assert!(message.contains(says), "{message}");
    }
}

/// Bytes of a valid file, changed at random: opened or refused, and what opens can be read.
#[test]
fn files_that_are_damaged_anywhere_are_opened_or_refused() {
    let folder = Folder::new("damaged");
    let bytes = values(64, 1);
    let info = dcp_info(&[("a", &[0, 0]), ("b", &[8])]);
    let (header, data) = header(
        &[
            Stored::new("a", "F32", &[4, 2], &bytes[..32]),
            Stored::new("b", "F32", &[8], &bytes[32..]),
        ],
        &[("DCP_SHARDING_INFO", &info)],
    );
    let file = safetensors(&header.to_string(), &data);
    let (mut random, mut opened_count) = (Random::new(5), 0);
    for _ in 0..3000 {
        let mut damaged = file.clone();
        for _ in 0..random.range(1, 4) {
            let at = random.below(damaged.len() - data.len());
            damaged[at] = match random.below(3) {
                0 => random.next() as u8,
                1 => b"{}[]\",:0123456789"[random.below(17)],
                _ => damaged[at].wrapping_add(1),
            };
        }
        let Ok(set) = opened(&folder, &damaged) else { continue };
        opened_count += 1;
        for tensor in set.tensors() {
            let numel: i64 = tensor.sizes().iter().product();
            if numel < 1 << 16 && !tensor.sizes().is_empty() {
                let layout = chunks(tensor.sizes(), 0, 2);
                let wanted =
                    WantedTensor { name: tensor.name(), layout: &layout, indices: &[0, 1] };
                check(&set, &[wanted], 10).unwrap();
            }
        }
        check_set(&set, 10).unwrap();
    }
    assert!(opened_count > 100, "{opened_count}");
}

/// The text of the one problem.
fn the_problem(problems: &CoverageProblems) -> (i32, String) {
    assert_eq!(problems.problems.len(), 1, "{problems:?}");
    let error = &problems.problems[0].error;
    (error.describe().0, error.to_string())
}

#[test]
fn a_missing_file_of_an_index_is_named_by_every_tensor_that_needs_it() {
    let (folder, bytes) = (Folder::new("missing"), values(16, 1));
    write_safetensors(
        folder.file("model-1-of-2.safetensors"),
        &[Stored::new("a", "F32", &[4], &bytes)],
        &[],
    );
    write_index(
        &folder,
        &[
            ("a", "model-1-of-2.safetensors"),
            ("b", "model-2-of-2.safetensors"),
            ("c", "model-1-of-2.safetensors"),
        ],
    );
    let (set, layout) = (open(&folder.path()).unwrap(), chunks(&[4], 0, 2));
    assert_eq!(set.tensors().len(), 1);
    assert_eq!((set.absent().len(), set.missing_files().len()), (2, 1));
    let wanted = |name| WantedTensor { name, layout: &layout, indices: &[0, 1] };
    let found = check(&set, &[wanted("a"), wanted("b"), wanted("c"), wanted("d")], 10).unwrap();
    let said: Vec<_> = found
        .problems
        .iter()
        .map(|problem| (problem.wanted, problem.error.describe().0, problem.error.to_string()))
        .collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said.iter().all(|(_, status, _)| *status == SHARDSPEC_NOT_FOUND));
    assert_eq!(said.iter().map(|said| said.0).collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
    assert!(said[0].2.contains("its file model-2-of-2.safetensors is missing"), "{said:?}");
    assert!(said[1].2.contains("model-1-of-2.safetensors does not have it"), "{said:?}");
    assert!(said[2].2.contains("tensor \"d\": no file has it"), "{said:?}");
    assert_eq!(check_set(&set, 10).unwrap().problems.len(), 2);
    let few = check(&set, &[wanted("b"), wanted("c"), wanted("d")], 2).unwrap();
    assert!(few.more && few.problems.len() == 2);
}

#[test]
fn missing_rows_are_named_by_tensor_box_and_neighbour() {
    let (folder, bytes) = (Folder::new("rows"), values(64, 1));
    for (rank, row) in [(1, 0), (3, 4)] {
        let info = dcp_info(&[("w", &[row, 0])]);
        let name = format!("shard-0000{rank}-model-00001-of-00001.safetensors");
        let stored = [Stored::new("w", "F32", &[2, 2], &bytes[..16])];
        write_safetensors(folder.file(&name), &stored, &[("DCP_SHARDING_INFO", &info)]);
    }
    let set = open(&folder.path()).unwrap();
    let (six, eight) = (chunks(&[6, 2], 0, 3), chunks(&[8, 2], 0, 4));
    let problems = |layout: &ShardedTensorMetadata, indices: &[usize]| {
        check(&set, &[WantedTensor { name: "w", layout, indices }], 10).unwrap()
    };
    assert!(problems(&six, &[0, 2]).problems.is_empty());
    let (status, message) = the_problem(&problems(&six, &[1]));
    assert_eq!(status, SHARDSPEC_GAP);
    assert!(
        message.contains("tensor \"w\": no file holds [2:4, 0:2]; the elements beside these"),
        "{message}"
    );
    assert!(message.contains("in shard-00001-model-00001-of-00001.safetensors"), "{message}");
    // The last rank's file is missing without a trace, but for the layout.
    let all = problems(&eight, &[0, 1, 2, 3]);
    let said: Vec<_> = all.problems.iter().map(|problem| problem.error.to_string()).collect();
    assert!(said.len() == 2 && said[1].contains("no file holds [6:8, 0:2]"), "{said:?}");
    let smaller = chunks(&[4, 2], 0, 2);
    assert_eq!(the_problem(&problems(&smaller, &[0])).0, SHARDSPEC_SHAPE_MISMATCH);
    assert_eq!(the_problem(&check_set(&set, 10).unwrap()).0, SHARDSPEC_GAP);
}

#[test]
fn replicas_are_no_problem_and_other_chunks_that_overlap_are() {
    let bytes = values(64, 1);
    let set_of = |folder: &Folder, offsets: [i64; 2], rows: [i64; 2]| {
        for rank in [0, 1] {
            let info = dcp_info(&[("w", &[offsets[rank], 0])]);
            let stored =
                [Stored::new("w", "F32", &[rows[rank], 2], &bytes[..rows[rank] as usize * 8])];
            let name = format!("shard-0000{}-model-00001-of-00001.safetensors", rank + 1);
            write_safetensors(folder.file(&name), &stored, &[("DCP_SHARDING_INFO", &info)]);
        }
        check_set(&open(&folder.path()).unwrap(), 10).unwrap()
    };
    let folder = Folder::new("replicas");
    assert!(set_of(&folder, [0, 0], [4, 4]).problems.is_empty());
    assert!(set_of(&folder, [0, 2], [2, 2]).problems.is_empty());
    let (status, message) = the_problem(&set_of(&folder, [0, 1], [2, 2]));
    assert_eq!(status, SHARDSPEC_OVERLAP);
    assert!(message.contains("both hold [1:2, 0:2], and are no replicas"), "{message}");
    assert!(message.contains("(file shard-00002-model-00001-of-00001.safetensors)"), "{message}");
}

#[test]
fn layouts_of_another_tensor_are_refused() {
    let (folder, bytes) = (Folder::new("other"), values(64, 1));
    let path = folder.file("model.safetensors");
    write_safetensors(&path, &[Stored::new("w", "F32", &[8, 2], &bytes)], &[]);
    let set = open(&path).unwrap();
    let problem = |layout: &ShardedTensorMetadata| {
        the_problem(&check(&set, &[WantedTensor { name: "w", layout, indices: &[0] }], 10).unwrap())
    };
    assert_eq!(problem(&chunks(&[8], 0, 2)).0, SHARDSPEC_NDIM_MISMATCH);
    assert_eq!(problem(&chunks(&[8, 3], 0, 2)).0, SHARDSPEC_SHAPE_MISMATCH);
    let doubles = chunks(&[8, 2], 0, 2).with_dtype(DataType::parse("float64").unwrap());
    let (status, message) = problem(&doubles);
    assert_eq!(status, SHARDSPEC_DTYPE_MISMATCH);
    assert!(
        message.contains("tensor \"w\": the layout: dtype float64, expected float32"),
        "{message}"
    );
}

/// A read of all of `w` into a buffer.
fn read_all(set: &FileSet, sizes: &[i64]) -> (Vec<u8>, Vec<bool>, Result<(), Error>) {
    let layout = chunks(sizes, 0, 1);
    let mut bytes = vec![0xa5u8; sizes.iter().product::<i64>() as usize * 4];
    let view = HostView::new("shard", bytes.as_mut_ptr(), F32, sizes, None).unwrap();
    let shards = Shared::try_new(LocalShards::new(&layout, [(0, &view)]).unwrap()).unwrap();
    let items = [ReadItem { name: "w", layout: &layout, shards }];
    let read = CheckpointRead::new(set, &items, &ReadOptions::default()).unwrap();
    // SAFETY: the buffer is this function's.
    let (report, result) = unsafe { read.run(&mut |_, _| Ok(())) };
    (bytes, report.whole, result)
}

#[test]
fn files_that_change_after_they_were_opened_are_refused() {
    let (folder, bytes) = (Folder::new("changed"), values(64, 1));
    let path = folder.file("model.safetensors");
    let write = || write_safetensors(&path, &[Stored::new("w", "F32", &[16], &bytes)], &[]);
    write();
    let set = open(&path).unwrap();
    assert_eq!(read_all(&set, &[16]).0, bytes);
    // Shorter, gone, and another file in its place.
    std::fs::File::options().write(true).open(&path).unwrap().set_len(80).unwrap();
    let (_, whole, result) = read_all(&set, &[16]);
    let (status, message) = refused(result);
    assert_eq!((status, whole), (SHARDSPEC_INVALID_FILE, vec![false]));
    assert!(message.contains("has changed since the checkpoint was opened"), "{message}");
    std::fs::remove_file(&path).unwrap();
    let (status, message) = refused(read_all(&set, &[16]).2);
    assert_eq!(status, SHARDSPEC_FILE_FAILED);
    assert!(message.contains("model.safetensors: opening it failed: No such file"), "{message}");
    write();
    assert_eq!(refused(read_all(&set, &[16]).2).0, SHARDSPEC_INVALID_FILE);
    assert_eq!(read_all(&open(&path).unwrap(), &[16]).0, bytes);
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let folder = Folder::new("none");
    assert_eq!(refused(open("")).0, SHARDSPEC_INVALID_ARGUMENT);
    assert_eq!(refused(open("a\0b")).0, SHARDSPEC_INVALID_ARGUMENT);
    let (status, message) = refused(open(&folder.file("nothing")));
    assert_eq!(status, SHARDSPEC_FILE_FAILED);
    assert!(message.contains("nothing: opening it failed: No such file"), "{message}");
    assert_eq!(refused(open(&folder.path())).0, SHARDSPEC_INVALID_ARGUMENT);
    std::fs::write(folder.file("x.txt"), "some text").unwrap();
    let (status, message) = refused(open(&folder.file("x.txt")));
    assert_eq!(status, SHARDSPEC_INVALID_ARGUMENT);
    assert!(message.contains("x.txt is of no format that is known"), "{message}");
}

#[test]
fn an_index_reaches_no_file_outside_of_its_directory() {
    let (folder, bytes) = (Folder::new("outside"), values(16, 1));
    std::fs::create_dir(folder.file("inner")).unwrap();
    write_safetensors(
        folder.file("secret.safetensors"),
        &[Stored::new("a", "F32", &[4], &bytes)],
        &[],
    );
    let inner = folder.file("inner/model.safetensors.index.json");
    let absolute = folder.file("secret.safetensors");
    for file in
        ["../secret.safetensors", &absolute, "x/../../secret.safetensors", "", ".", "a//b", "./a"]
    {
        std::fs::write(&inner, json!({"weight_map": {"a": file}}).to_string()).unwrap();
        let (status, message) = refused(open(&folder.file("inner")));
        assert_eq!(status, SHARDSPEC_INVALID_FILE, "{file}");
        assert!(message.contains("no name of a file below the index"), "{message}");
    }
    for text in ["", "{", "{}", "[]", r#"{"weight_map": []}"#, r#"{"weight_map": {"a": 1}}"#] {
        std::fs::write(&inner, text).unwrap();
        assert_eq!(refused(open(&folder.file("inner"))).0, SHARDSPEC_INVALID_FILE, "{text}");
    }
    let twice = r#"{"weight_map": {"a": "x", "a": "y"}}"#;
    std::fs::write(&inner, twice).unwrap();
    assert!(refused(open(&folder.file("inner"))).1.contains("tensor \"a\" twice"));
}

/// Downloads keep their files elsewhere and link to them; pipes and directories are no files.
#[cfg(unix)]
#[test]
fn links_are_followed_and_what_is_no_regular_file_is_refused() {
    let (folder, bytes) = (Folder::new("links"), values(16, 1));
    let (stored, model) = (folder.file("blob"), folder.file("model.safetensors"));
    write_safetensors(&stored, &[Stored::new("w", "F32", &[4], &bytes)], &[]);
    std::os::unix::fs::symlink(&stored, &model).unwrap();
    assert_eq!(read_all(&open(&model).unwrap(), &[4]).0, bytes);
    assert_eq!(read_all(&open(&folder.path()).unwrap(), &[4]).0, bytes);
    // To itself, to nothing, to a directory, and a pipe that nobody writes into.
    let other = folder.file("other.safetensors");
    std::os::unix::fs::symlink(&other, &other).unwrap();
    assert_eq!(refused(open(&folder.path())).0, SHARDSPEC_FILE_FAILED);
    std::fs::remove_file(&other).unwrap();
    std::os::unix::fs::symlink(folder.path(), &other).unwrap();
    assert_eq!(refused(open(&folder.path())).0, SHARDSPEC_INVALID_FILE);
    std::fs::remove_file(&other).unwrap();
    let name = std::ffi::CString::new(other.clone()).unwrap();
    // SAFETY: a NUL-terminated path.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let (status, message) = refused(open(&folder.path()));
    assert_eq!(status, SHARDSPEC_INVALID_FILE);
    assert!(message.contains("no regular file"), "{message}");
}

#[test]
fn the_same_tensor_in_two_files_needs_an_index() {
    let (folder, bytes) = (Folder::new("twice"), values(16, 1));
    for name in ["a.safetensors", "b.safetensors"] {
        write_safetensors(folder.file(name), &[Stored::new("w", "F32", &[4], &bytes)], &[]);
    }
    let (status, message) = refused(open(&folder.path()));
    assert_eq!(status, SHARDSPEC_INVALID_FILE);
    assert!(message.contains("tensor \"w\" is in another file of the directory too"), "{message}");
    write_index(&folder, &[("w", "b.safetensors")]);
    let set = open(&folder.path()).unwrap();
    assert_eq!(set.files().len(), 1);
    assert_eq!(read_all(&set, &[4]).0, bytes);
}

#[test]
fn files_that_the_others_count_are_missed_without_an_index() {
    let (folder, bytes) = (Folder::new("counted"), values(16, 1));
    let name = "model-00001-of-00003.safetensors";
    write_safetensors(folder.file(name), &[Stored::new("w", "F32", &[4], &bytes)], &[]);
    let set = open(&folder.path()).unwrap();
    let found = check_set(&set, 10).unwrap();
    assert_eq!(found.problems.len(), 2, "{found:?}");
    assert!(found.problems[0].error.to_string().contains("model-00002-of-00003.safetensors"));
    let layout = chunks(&[4], 0, 1);
    let wanted = WantedTensor { name: "x", layout: &layout, indices: &[0] };
    let (status, message) = the_problem(&check(&set, &[wanted], 10).unwrap());
    assert_eq!(status, SHARDSPEC_NOT_FOUND);
    assert!(message.contains("2 of the set are missing"), "{message}");
}
