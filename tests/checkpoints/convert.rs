//! Conversions that stop and continue, and digests of stored tensors.

#![cfg(unix)]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::fs;

use crate::common::checkpoints::{Folder, Stored, write_index, write_safetensors};
use shardspec::files::write::{
    Conversion, ConvertOptions, Earlier, Files, Resume, WriteOptions, whole_layout,
};
use shardspec::files::{FileSet, ReadOptions, StoredTensor, digest, open};
use shardspec::model::{
    ChunkShardingSpec, Error, Placement, Result, ShardedTensorMetadata, ShardingSpec,
    TensorProperties, TensorShape,
};

/// Bytes that are different in neighbouring places.
fn bytes(count: usize, seed: u64) -> Vec<u8> {
    (0..count as u64).map(|at| ((at * 2_654_435_761 + seed) >> 7) as u8).collect()
}

fn write_source(path: &str, seed: u64) {
    let (a, b) = (bytes(64 * 32, seed), bytes(100, seed + 1));
    let tensors = [("a", "U8", vec![64, 32], &a), ("b", "U8", vec![100], &b)]
        .map(|(name, dtype, sizes, bytes)| Stored { name, dtype, sizes, bytes });
    write_safetensors(path, &tensors, &[]);
}

/// Three ranks.
fn chunks(tensor: &StoredTensor) -> Result<ShardedTensorMetadata> {
    let ranks = [0, 1, 2].map(|rank| Placement::on_rank(rank).unwrap());
    ChunkShardingSpec::new(0.into(), ranks.into_iter())?
        .build_metadata(TensorShape::new(tensor.sizes()), TensorProperties::default())
}

fn options(files: Files, resume: Resume) -> ConvertOptions {
    let write = WriteOptions { files, replace: true };
    ConvertOptions { write, memory: 64, resume, ..ConvertOptions::default() }
}

/// The bytes of all tensors, as they are read.
fn content(set: &FileSet) -> Vec<u64> {
    let none = &mut |_, _| Ok(());
    set.tensors()
        .iter()
        .map(|tensor| digest(set, tensor, 0, &ReadOptions::default(), none).unwrap())
        .collect()
}

fn stop() -> Error {
    Error::Unsupported { what: "the run is stopped".into() }
}

#[test]
fn a_conversion_that_is_stopped_anywhere_continues_there() {
    let folder = Folder::new("convert-resume");
    let (source, new) = (folder.file("source.safetensors"), folder.file("new"));
    write_source(&source, 1);
    let set = open(&source).unwrap();
    let expected = content(&set);
    for files in [Files::OfOwners, Files::One] {
        let options = options(files, Resume::Continue);
        let convert = |at: u64| {
            let conversion = Conversion::new(&set, &new, &mut chunks, &options).unwrap();
            let mut calls = Vec::new();
            let done = conversion.run(&mut |done, all| {
                assert!(done <= all && all == conversion.bytes());
                calls.push(done);
                if calls.len() as u64 > at { Err(stop()) } else { Ok(()) }
            });
            (conversion.earlier(), done, calls)
        };
        let (_, done, calls) = convert(u64::MAX);
        assert!(done.is_ok() && calls.is_sorted());
        assert_eq!(content(&open(&new).unwrap()), expected);
        let last = calls.last().copied().unwrap();
        let mut resumed = 0;
        for at in (0..calls.len() as u64).step_by(3) {
            fs::remove_dir_all(&new).unwrap();
            let (earlier, done, calls) = convert(at);
            assert_eq!((earlier, done), (Earlier::Nothing, Err(stop())));
            assert!(!fs::exists(&new).unwrap());
            let (earlier, done, again) = convert(u64::MAX);
            done.unwrap();
            let Earlier::Written(bytes) = earlier else { panic!("{at}: {earlier:?}") };
            assert!(bytes <= calls.last().copied().unwrap());
            let is_new = |done: &u64| *done > bytes || *done == last;
            assert!(files == Files::OfOwners || again.iter().all(is_new), "{at}: {again:?}");
            resumed += u64::from(bytes > 0);
            assert_eq!(content(&open(&new).unwrap()), expected, "stopped at {at}");
            assert!(!fs::exists(format!("{new}.saving")).unwrap());
        }
        assert!(resumed > 6, "{resumed}");
    }
}

#[test]
fn what_another_source_or_layout_has_left_is_not_used() {
    let folder = Folder::new("convert-other");
    let (source, new) = (folder.file("source.safetensors"), folder.file("new"));
    let options = options(Files::One, Resume::Continue);
    let stop_after = |set: &FileSet, calls: u64| {
        let conversion = Conversion::new(set, &new, &mut chunks, &options).unwrap();
        let mut left = calls;
        let done = conversion.run(&mut |_, _| {
            left = left.checked_sub(1).ok_or_else(stop)?;
            Ok(())
        });
        (conversion.earlier(), done.is_ok())
    };
    write_source(&source, 1);
    let set = open(&source).unwrap();
    assert_eq!(stop_after(&set, 20), (Earlier::Nothing, false));
    // The same names and sizes, but other bytes.
    fs::remove_file(&source).unwrap();
    write_source(&source, 2);
    let set = open(&source).unwrap();
    let expected = content(&set);
    assert_eq!(stop_after(&set, 30), (Earlier::Unusable, false));
    let (earlier, done) = stop_after(&set, u64::MAX);
    assert!(done && matches!(earlier, Earlier::Written(1..)), "{earlier:?}");
    assert_eq!(content(&open(&new).unwrap()), expected);

    fs::remove_dir_all(&new).unwrap();
    assert_eq!(stop_after(&set, 20), (Earlier::Nothing, false));
    let whole = Conversion::new(&set, &new, &mut whole_layout, &options).unwrap();
    // The files are the same ones, whoever reads them.
    assert!(matches!(whole.earlier(), Earlier::Written(1..)));
    let divided =
        ConvertOptions { write: WriteOptions { files: Files::OfOwners, replace: true }, ..options };
    let divided = Conversion::new(&set, &new, &mut chunks, &divided).unwrap();
    assert_eq!(divided.earlier(), Earlier::Unusable);
    let again = ConvertOptions { resume: Resume::StartAgain, ..options };
    let again = Conversion::new(&set, &new, &mut chunks, &again).unwrap();
    assert_eq!(again.earlier(), Earlier::Unusable);
    // A file that was lost in between.
    fs::remove_file(format!("{new}.saving/model.safetensors")).unwrap();
    let lost = Conversion::new(&set, &new, &mut chunks, &options).unwrap();
    assert_eq!(lost.earlier(), Earlier::Unusable);
    lost.run(&mut |_, _| Ok(())).unwrap();
    assert_eq!(content(&open(&new).unwrap()), expected);
}

#[test]
fn a_source_that_lacks_a_tensor_is_refused_before_anything_is_written() {
    let folder = Folder::new("convert-absent");
    let new = folder.file("new");
    write_source(&folder.file("model-00001-of-00002.safetensors"), 1);
    let two = "model-00002-of-00002.safetensors";
    let one = "model-00001-of-00002.safetensors";
    write_index(&folder, &[("a", one), ("b", one), ("c", two)]);
    let set = open(&folder.path()).unwrap();
    let options = ConvertOptions::default();
    let refused = Conversion::new(&set, &new, &mut whole_layout, &options).unwrap_err().to_string();
    assert_eq!(
        refused,
        format!(
            "tensor \"c\": its file {two} is missing; fetch that file, and open the checkpoint again"
        )
    );
    assert!(!fs::exists(format!("{new}.saving")).unwrap());
}

#[test]
fn a_digest_is_that_of_the_bytes_however_they_are_stored_and_read() {
    let folder = Folder::new("convert-digest");
    let (source, new) = (folder.file("source.safetensors"), folder.file("new"));
    let digits = Stored { name: "digits", dtype: "U8", sizes: vec![3, 3], bytes: b"123456789" };
    let none = Stored { name: "none", dtype: "F32", sizes: vec![0, 4], bytes: b"" };
    let one = Stored { name: "one", dtype: "U8", sizes: vec![], bytes: b"1" };
    write_safetensors(&source, &[digits, none, one], &[]);
    let set = open(&source).unwrap();
    // The check value of CRC-64/NVME.
    assert_eq!(content(&set)[..2], [0xae8b_1486_0a79_9888, 0]);
    let mut columns = |tensor: &StoredTensor| match tensor.sizes() {
        [3, 3] => {
            let ranks = [0, 1].map(|rank| Placement::on_rank(rank).unwrap());
            ChunkShardingSpec::new(1.into(), ranks.into_iter())?
                .build_metadata(TensorShape::new(&[3, 3]), TensorProperties::default())
        }
        _ => whole_layout(tensor),
    };
    let options = ConvertOptions::default();
    Conversion::new(&set, &new, &mut columns, &options).unwrap().run(&mut |_, _| Ok(())).unwrap();
    let cut = open(&new).unwrap();
    assert_eq!(cut.tensor("digits").unwrap().chunks().len(), 2);
    for memory in [1, 2, 3, 5, 9, 0] {
        for set in [&set, &cut] {
            let (mut last, tensor) = ((0, 0), set.tensor("digits").unwrap());
            let number = digest(set, tensor, memory, &ReadOptions::default(), &mut |done, all| {
                last = (done, all);
                Ok(())
            });
            assert_eq!((number, last), (Ok(0xae8b_1486_0a79_9888), (9, 9)), "{memory}");
        }
    }
    let stopped =
        digest(&set, &set.tensors()[0], 1, &ReadOptions::default(), &mut |_, _| Err(stop()));
    assert_eq!(stopped, Err(stop()));
}
