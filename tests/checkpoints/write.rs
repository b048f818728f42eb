//! Checkpoints that are written: what is in them, and that they appear at once.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use shardspec::files::write::{Files, TensorToWrite, WriteOptions, commit, write};
use shardspec::files::{FileSet, open};
use shardspec::model::spec::{ChunkShardingSpec, ShardingDim};
use shardspec::model::{
    DataType, Placement, ShardMetadata, ShardedTensorMetadata, ShardingSpec, Shards,
    TensorProperties, TensorShape,
};
use shardspec::transfer::{HostView, LocalShards};

const ONE: WriteOptions = WriteOptions { files: Files::One, replace: false };
const OWN: WriteOptions = WriteOptions { files: Files::OfOwners, replace: false };

/// A directory that is removed with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("shardspec-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn join(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn properties(dtype: &str) -> TensorProperties {
    TensorProperties { dtype: Some(DataType::parse(dtype).unwrap()), ..Default::default() }
}

fn rank(rank: usize) -> Placement {
    Placement::parse(&format!("rank:{rank}/cpu")).unwrap()
}

fn chunked(sizes: &[i64], dim: i64, ranks: usize, dtype: &str) -> ShardedTensorMetadata {
    let placements = (0..ranks).map(rank);
    let spec = ChunkShardingSpec::new(ShardingDim::Index(dim), placements).unwrap();
    spec.build_metadata(TensorShape::new(sizes), properties(dtype)).unwrap()
}

fn boxes(sizes: &[i64], list: &[(&[i64], &[i64], usize)], dtype: &str) -> ShardedTensorMetadata {
    let shards: Vec<_> = list
        .iter()
        .map(|(offsets, sizes, owner)| ShardMetadata {
            offsets: offsets.to_vec(),
            sizes: sizes.to_vec(),
            placement: rank(*owner),
        })
        .collect();
    let shards = Shards::from_list(&shards).unwrap();
    ShardedTensorMetadata::with_replicas(shards, sizes, properties(dtype)).unwrap()
}

/// All index tuples of a box, in row-major order.
fn indices(sizes: &[i64]) -> Vec<Vec<i64>> {
    let mut all = vec![vec![]];
    for &size in sizes {
        all = all
            .iter()
            .flat_map(|head| (0..size).map(move |i| [head.as_slice(), &[i]].concat()))
            .collect();
    }
    all
}

fn position(sizes: &[i64], index: &[i64]) -> usize {
    sizes.iter().zip(index).fold(0, |at, (size, i)| at * size + i) as usize
}

/// A tensor's bytes: a byte pattern that differs by tensor and place.
fn pattern(seed: u8, sizes: &[i64], itemsize: usize) -> Vec<u8> {
    let bytes = sizes.iter().product::<i64>() as usize * itemsize;
    (0..bytes)
        .map(|at| (at as u8).wrapping_mul(31).wrapping_add((at >> 8) as u8).wrapping_add(seed))
        .collect()
}

/// The bytes of a box of a tensor.
fn cut(full: &[u8], sizes: &[i64], offsets: &[i64], part: &[i64], itemsize: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for index in indices(part) {
        let index: Vec<_> = index.iter().zip(offsets).map(|(i, o)| i + o).collect();
        let at = position(sizes, &index) * itemsize;
        bytes.extend(&full[at..at + itemsize]);
    }
    bytes
}

/// A tensor of a test, and its bytes.
struct Case {
    name: &'static str,
    metadata: ShardedTensorMetadata,
    full: Vec<u8>,
}

impl Case {
    fn new(name: &'static str, metadata: ShardedTensorMetadata) -> Self {
        let itemsize = metadata.properties().dtype.unwrap().itemsize().unwrap();
        let full = pattern(name.len() as u8 * 7, metadata.sizes(), itemsize);
        Self { name, metadata, full }
    }

    fn itemsize(&self) -> usize {
        self.metadata.properties().dtype.unwrap().itemsize().unwrap()
    }

    /// The buffers of a rank's shards, by index.
    fn shards_of(&self, rank: i64) -> Vec<(usize, Vec<u8>)> {
        let of = |index: usize| {
            let shard = self.metadata.shards().get(index).unwrap();
            let part =
                cut(&self.full, self.metadata.sizes(), shard.offsets, shard.sizes, self.itemsize());
            (index, part)
        };
        self.metadata.shards_of_rank(rank).map(of).collect()
    }
}

fn tensors(cases: &[Case]) -> Vec<TensorToWrite<'_>> {
    cases.iter().map(|case| TensorToWrite { name: case.name, metadata: &case.metadata }).collect()
}

fn write_rank(
    path: &str, cases: &[Case], rank: i64, options: &WriteOptions,
) -> shardspec::error::Result<()> {
    let buffers: Vec<_> = cases.iter().map(|case| case.shards_of(rank)).collect();
    let local: Vec<_> = cases
        .iter()
        .zip(&buffers)
        .map(|(case, buffers)| {
            let dtype = case.metadata.properties().dtype.unwrap();
            let views: Vec<_> = buffers
                .iter()
                .map(|(index, bytes)| {
                    let sizes = case.metadata.shards().get(*index).unwrap().sizes;
                    let first = bytes.as_ptr().cast_mut();
                    (*index, HostView::new("shard", first, dtype, sizes, None).unwrap())
                })
                .collect();
            LocalShards::new(&case.metadata, views.iter().map(|(index, view)| (*index, view)))
                .unwrap()
        })
        .collect();
    // SAFETY: the buffers are there until the end of the call.
    unsafe { write(path, &tensors(cases), &local, options) }
}

fn save(
    path: &str, cases: &[Case], ranks: i64, options: &WriteOptions,
) -> shardspec::error::Result<()> {
    (0..ranks).try_for_each(|rank| write_rank(path, cases, rank, options))?;
    commit(path, &tensors(cases), options)
}

/// What the files of a set hold of a tensor, read as the set says.
fn stored(path: &str, set: &FileSet, name: &str) -> Vec<u8> {
    let tensor = set.tensor(name).unwrap();
    let itemsize = tensor.dtype().itemsize().unwrap();
    let mut full = vec![0; tensor.sizes().iter().product::<i64>() as usize * itemsize];
    for (number, chunk) in tensor.chunks().iter().enumerate() {
        let place = tensor.place(number).unwrap();
        let file = fs::read(Path::new(path).join(set.files()[place.file as usize].name())).unwrap();
        let bytes = &file[place.first_byte as usize..];
        for (at, index) in indices(chunk.sizes).iter().enumerate() {
            let index: Vec<_> = index.iter().zip(chunk.offsets).map(|(i, o)| i + o).collect();
            let to = position(tensor.sizes(), &index) * itemsize;
            full[to..to + itemsize].copy_from_slice(&bytes[at * itemsize..][..itemsize]);
        }
    }
    full
}

fn check(path: &str, cases: &[Case]) {
    let set = open(path).unwrap();
    assert_eq!(set.tensors().len(), cases.len());
    for case in cases {
        let tensor = set.tensor(case.name).unwrap();
        assert_eq!(tensor.sizes(), case.metadata.sizes(), "{}", case.name);
        assert_eq!(Some(tensor.dtype()), case.metadata.properties().dtype);
        assert!(!tensor.are_sizes_inferred());
        tensor.metadata().unwrap();
        assert_eq!(stored(path, &set, case.name), case.full, "{}", case.name);
    }
}

fn cases() -> Vec<Case> {
    let split: &[(&[i64], &[i64], usize)] =
        &[(&[0, 0], &[2, 3], 1), (&[0, 3], &[2, 4], 0), (&[2, 0], &[3, 7], 1)];
    let replicas: &[(&[i64], &[i64], usize)] = &[(&[0], &[5], 0), (&[0], &[5], 1), (&[0], &[5], 2)];
    vec![
        Case::new("rows", chunked(&[7, 4], 0, 3, "float32")),
        Case::new("columns", chunked(&[3, 8, 2], 1, 3, "bfloat16")),
        Case::new("bytes", chunked(&[5], 0, 3, "float8_e4m3fn")),
        Case::new("few", chunked(&[2, 2], 0, 3, "int64")),
        Case::new("split", boxes(&[5, 7], split, "float16")),
        Case::new("replicas", boxes(&[5], replicas, "float64")),
        Case::new("scalar", boxes(&[], &[(&[], &[], 2)], "int32")),
        Case::new("empty", chunked(&[0, 3], 0, 3, "float32")),
    ]
}

#[test]
fn what_ranks_write_is_what_is_read() {
    let folder = Folder::new("ranks");
    for (name, options) in [("own", OWN), ("one", ONE)] {
        let path = folder.join(name);
        save(&path, &cases(), 3, &options).unwrap();
        check(&path, &cases());
        let names: Vec<_> = fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(
            names.iter().all(|name| name.to_str().unwrap().ends_with(".safetensors")),
            "{names:?}"
        );
        assert!(!Path::new(&format!("{path}.saving")).exists());
    }
    assert!(Path::new(&folder.join("one/model.safetensors")).exists());
}

#[test]
fn whole_tensors_in_several_files_have_an_index() {
    let folder = Folder::new("index");
    let whole = |owner: usize, name| {
        Case::new(name, boxes(&[2, 3], &[(&[0, 0], &[2, 3], owner)], "float32"))
    };
    let cases = [whole(0, "a"), whole(1, "b"), whole(1, "c")];
    let path = folder.join("checkpoint");
    save(&path, &cases, 2, &OWN).unwrap();
    check(&path, &cases);
    let text = fs::read_to_string(Path::new(&path).join("model.safetensors.index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(index["metadata"]["total_size"], 72);
    assert_eq!(index["weight_map"]["b"], "model-00002-of-00002.safetensors");
}

#[test]
fn replicas_are_written_once_and_shared_out() {
    let folder = Folder::new("replicas");
    let all: &[(&[i64], &[i64], usize)] = &[(&[0], &[64], 0), (&[0], &[64], 1)];
    let cases = [
        Case::new("a", boxes(&[64], all, "float32")),
        Case::new("b", boxes(&[64], all, "float32")),
    ];
    let path = folder.join("checkpoint");
    save(&path, &cases, 2, &OWN).unwrap();
    check(&path, &cases);
    let set = open(&path).unwrap();
    assert_eq!(set.files().len(), 2);
    assert!(set.tensors().iter().all(|tensor| tensor.chunks().len() == 1));
}

#[test]
fn strided_shards_are_written_in_row_major_order() {
    let folder = Folder::new("strided");
    let case = Case::new("w", boxes(&[3, 4], &[(&[0, 0], &[3, 4], 0)], "int32"));
    let transposed = cut(&case.full, &[3, 4], &[0, 0], &[3, 4], 4);
    let mut columns = vec![0u8; transposed.len()];
    for index in indices(&[3, 4]) {
        let (from, to) = (position(&[3, 4], &index) * 4, (index[1] * 3 + index[0]) as usize * 4);
        columns[to..to + 4].copy_from_slice(&transposed[from..from + 4]);
    }
    let dtype = DataType::parse("int32").unwrap();
    let view = HostView::new("shard", columns.as_mut_ptr(), dtype, &[3, 4], Some(&[1, 3])).unwrap();
    let cases = [case];
    for (name, options) in [("own", OWN), ("one", ONE)] {
        let path = folder.join(name);
        let local = [LocalShards::new(&cases[0].metadata, [(0, &view)]).unwrap()];
        // SAFETY: the buffer is there until the end of the call.
        unsafe { write(&path, &tensors(&cases), &local, &options) }.unwrap();
        commit(&path, &tensors(&cases), &options).unwrap();
        check(&path, &cases);
    }
}

/// The elements of a tensor, as the end of its file has them.
fn end_of_file(path: &str, length: usize) -> Vec<u8> {
    let file = fs::read(path).unwrap();
    file[file.len() - length..].to_vec()
}

#[test]
fn neighbouring_runs_are_written_right_whatever_their_lengths_and_owners() {
    // Runs of 8 bytes, which are staged, of 1.2 KiB, which are parts of a write, and both beside each
    // other; more of them than a write has parts, and than fit the staging buffer.
    let lists: [&[i64]; 4] = [&[2, 2, 2], &[300, 300], &[300, 2, 257, 256], &[100, 1, 400]];
    let (folder, rows) = (Folder::new("runs"), 1500i64);
    for (number, widths) in lists.iter().enumerate() {
        let row = widths.iter().sum::<i64>();
        let starts: Vec<i64> =
            widths.iter().scan(0, |at, width| Some(std::mem::replace(at, *at + width))).collect();
        let places: Vec<_> =
            starts.iter().zip(*widths).map(|(at, width)| ([0, *at], [rows, *width])).collect();
        let list: Vec<(&[i64], &[i64], usize)> =
            places.iter().zip(0..).map(|((at, sizes), rank)| (&at[..], &sizes[..], rank)).collect();
        let cases = [Case::new("w", boxes(&[rows, row], &list, "float32"))];
        let (full, dtype) = (&cases[0].full, DataType::parse("float32").unwrap());
        let views: Vec<_> = places
            .iter()
            .map(|(at, sizes)| {
                let first = full[at[1] as usize * 4..].as_ptr().cast_mut();
                HostView::new("shard", first, dtype, sizes, Some(&[row, 1])).unwrap()
            })
            .collect();
        let save = |path: &str, ranks: &[Vec<usize>], options| {
            for ranks in ranks {
                let own = ranks.iter().map(|&rank| (rank, &views[rank]));
                let local = [LocalShards::new(&cases[0].metadata, own).unwrap()];
                // SAFETY: the views are of the case's bytes, which nothing changes.
                unsafe { write(path, &tensors(&cases), &local, options) }.unwrap();
            }
            commit(path, &tensors(&cases), options).unwrap();
        };
        let all: Vec<usize> = (0..widths.len()).collect();
        let alone = all.iter().map(|&rank| vec![rank]).collect();
        let halves = vec![all[1..].to_vec(), all[..1].to_vec()];
        for (way, ranks) in [vec![all.clone()], alone, halves].into_iter().enumerate() {
            let path = folder.join(&format!("one-{number}-{way}"));
            save(&path, &ranks, &ONE);
            assert!(
                end_of_file(&format!("{path}/model.safetensors"), full.len()) == *full,
                "{widths:?} {way}"
            );
        }
        let path = folder.join(&format!("own-{number}"));
        save(&path, &[all], &OWN);
        for (rank, (at, sizes)) in places.iter().enumerate() {
            let name = format!("{path}/shard-{:05}-model-00001-of-00001.safetensors", rank + 1);
            let expected = cut(full, &[rows, row], at, sizes, 4);
            assert!(end_of_file(&name, expected.len()) == expected, "{widths:?} {rank}");
        }
    }
}

#[test]
fn a_large_transposed_shard_is_written_in_blocks() {
    let (folder, sizes) = (Folder::new("blocks"), [1300i64, 2100]);
    let mut case = Case::new("w", boxes(&sizes, &[(&[0, 0], &sizes, 0)], "float32"));
    let (path, dtype) = (folder.join("own"), DataType::parse("float32").unwrap());
    let strides = [1, sizes[0]];
    let view =
        HostView::new("shard", case.full.as_mut_ptr(), dtype, &sizes, Some(&strides)).unwrap();
    let cases = [case];
    let local = [LocalShards::new(&cases[0].metadata, [(0, &view)]).unwrap()];
    // SAFETY: the case's bytes, which nothing changes.
    unsafe { write(&path, &tensors(&cases), &local, &OWN) }.unwrap();
    commit(&path, &tensors(&cases), &OWN).unwrap();
    let (full, [rows, columns]) = (&cases[0].full, sizes.map(|size| size as usize));
    let stored = end_of_file(&format!("{path}/model.safetensors"), full.len());
    for (at, element) in stored.chunks(4).enumerate() {
        let from = (at % columns * rows + at / columns) * 4;
        assert_eq!(element, &full[from..from + 4], "{at}");
    }
}

#[test]
fn a_checkpoint_is_there_when_all_have_written_and_not_before() {
    let folder = Folder::new("whole");
    let (path, cases) = (folder.join("checkpoint"), cases());
    for options in [OWN, ONE] {
        for (rank, missing) in [(2, 0), (0, 1)] {
            write_rank(&path, &cases, rank, &options).unwrap();
            let refused = commit(&path, &tensors(&cases), &options).unwrap_err().to_string();
            assert!(refused.contains(&format!("'rank:{missing}' are not written")), "{refused}");
            assert!(!Path::new(&path).exists());
        }
        write_rank(&path, &cases, 1, &options).unwrap();
        commit(&path, &tensors(&cases), &options).unwrap();
        check(&path, &cases);
        fs::remove_dir_all(&path).unwrap();
    }
}

#[test]
fn notes_of_another_checkpoint_do_not_count() {
    let folder = Folder::new("notes");
    let path = folder.join("checkpoint");
    let old = [Case::new("w", chunked(&[4], 0, 2, "int64"))];
    (0..2).for_each(|rank| write_rank(&path, &old, rank, &OWN).unwrap());
    let new =
        [Case::new("w", chunked(&[6], 0, 2, "int64")), Case::new("v", chunked(&[2], 0, 2, "int8"))];
    write_rank(&path, &new, 0, &OWN).unwrap();
    let refused = commit(&path, &tensors(&new), &OWN).unwrap_err().to_string();
    assert!(refused.contains("'rank:1' are not written"), "{refused}");
    write_rank(&path, &new, 1, &OWN).unwrap();
    commit(&path, &tensors(&new), &OWN).unwrap();
    check(&path, &new);
}

#[test]
fn a_checkpoint_is_replaced_when_that_is_asked_for() {
    let folder = Folder::new("replace");
    let path = folder.join("checkpoint");
    let old = [Case::new("w", chunked(&[4], 0, 2, "int64"))];
    let new = [Case::new("other", chunked(&[6], 0, 2, "int8"))];
    save(&path, &old, 2, &OWN).unwrap();
    let refused = save(&path, &new, 2, &OWN).unwrap_err().to_string();
    assert!(refused.contains("exists; pass another path, or ask to replace it"), "{refused}");
    check(&path, &old);
    for options in [OWN, ONE] {
        save(&path, &new, 2, &WriteOptions { replace: true, ..options }).unwrap();
        check(&path, &new);
        save(&path, &old, 2, &WriteOptions { replace: true, ..options }).unwrap();
        check(&path, &old);
    }
    assert!(!Path::new(&format!("{path}.saving")).exists());
}

#[test]
fn what_is_no_checkpoint_is_not_replaced() {
    let folder = Folder::new("others");
    let cases = [Case::new("w", chunked(&[4], 0, 1, "int64"))];
    let replace = WriteOptions { replace: true, ..OWN };
    let path = folder.join("checkpoint");
    save(&path, &cases, 1, &OWN).unwrap();
    fs::write(Path::new(&path).join("config.json"), "{}").unwrap();
    let refused = save(&path, &cases, 1, &replace).unwrap_err().to_string();
    assert!(refused.contains("holds config.json"), "{refused}");
    let file = folder.join("file");
    fs::write(&file, "text").unwrap();
    let refused = save(&file, &cases, 1, &replace).unwrap_err().to_string();
    assert!(refused.contains("is no directory"), "{refused}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "text");
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is() {
    let folder = Folder::new("refused");
    let path = folder.join("checkpoint");
    let refused = |cases: &[Case], options: &WriteOptions| {
        let error = write_rank(&path, cases, 0, options).unwrap_err().to_string();
        assert!(!Path::new(&format!("{path}.saving")).exists());
        error
    };
    let twice = [
        Case::new("w", chunked(&[4], 0, 1, "int64")),
        Case::new("w", chunked(&[4], 0, 1, "int64")),
    ];
    assert!(refused(&twice, &OWN).contains("tensors[1].name: \"w\" is there twice"));
    let unnamed = [Case::new("", chunked(&[4], 0, 1, "int64"))];
    assert!(refused(&unnamed, &OWN).contains("is no name of a tensor"));
    let wide = [Case::new("w", chunked(&[4], 0, 1, "float128"))];
    assert!(refused(&wide, &OWN).contains("no name for it"));
    let overlapping: &[(&[i64], &[i64], usize)] = &[(&[0], &[3], 0), (&[2], &[2], 0)];
    let across = [Case::new("w", boxes(&[4], overlapping, "int64"))];
    assert!(refused(&across, &OWN).contains("overlap"));
}

#[test]
fn shards_of_an_owner_are_written_together() {
    let folder = Folder::new("together");
    let path = folder.join("checkpoint");
    let cases =
        [Case::new("a", chunked(&[4], 0, 2, "int8")), Case::new("b", chunked(&[4], 0, 2, "int8"))];
    let (view, none) = (
        HostView::new("shard", [1u8; 2].as_mut_ptr(), DataType::parse("int8").unwrap(), &[2], None)
            .unwrap(),
        LocalShards::new(&cases[1].metadata, []).unwrap(),
    );
    let local = [LocalShards::new(&cases[0].metadata, [(1, &view)]).unwrap(), none];
    // SAFETY: nothing is read, as the call is refused.
    let refused = unsafe { write(&path, &tensors(&cases), &local, &OWN) }.unwrap_err().to_string();
    assert!(refused.contains("shard 1 of tensor \"b\" is missing"), "{refused}");
    assert!(refused.contains("'rank:1'"), "{refused}");
}

#[test]
fn a_full_disk_is_a_status_and_leaves_the_old_checkpoint() {
    let folder = Folder::new("full");
    let path = folder.join("checkpoint");
    let cases = [Case::new("w", chunked(&[1 << 16], 0, 1, "int64"))];
    save(&path, &cases, 1, &OWN).unwrap();
    // A file may have so many bytes and no more: as a disk that is full, but for this thread's process
    // only. The signal that comes with it is ignored.
    let limit = |bytes| {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: a struct of numbers.
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
        }
    };
    // SAFETY: the child calls nothing but what is here, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        limit(100_000);
        let replace = WriteOptions { replace: true, ..OWN };
        let refused = write_rank(&path, &cases, 0, &replace);
        let left = Path::new(&format!("{path}.saving")).join("model.safetensors").exists();
        let expected = refused.is_err_and(|error| error.to_string().contains("File too large"));
        // SAFETY: it ends the child.
        unsafe { libc::_exit(if expected && !left { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: the child of above.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0);
    check(&path, &cases);
}

#[test]
fn a_missing_last_file_is_noticed() {
    let folder = Folder::new("last");
    let path = folder.join("checkpoint");
    let cases = [Case::new("w", chunked(&[6, 2], 0, 3, "int64"))];
    save(&path, &cases, 3, &OWN).unwrap();
    let last = Path::new(&path).join("shard-00003-model-00001-of-00001.safetensors");
    fs::remove_file(last).unwrap();
    let set = open(&path).unwrap();
    let tensor = set.tensor("w").unwrap();
    assert_eq!(tensor.sizes(), [6, 2]);
    assert!(tensor.metadata().is_err());
}
