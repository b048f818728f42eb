//! Checkpoints that torch wrote, read back bit for bit. `tests/data/checkpoints/make.py` made them.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use shardspec::files::{CheckpointRead, FileSet, ReadItem, ReadOptions, open, write};
use shardspec::memory::IntoShared;
use shardspec::transfer::{HostView, LocalShards};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/checkpoints")
}

fn expected(kind: &str) -> Value {
    serde_json::from_slice(&fs::read(folder().join(format!("{kind}.json"))).unwrap()).unwrap()
}

/// All elements of a tensor of a set, in row-major order.
fn read(set: &FileSet, name: &str) -> Vec<u8> {
    let tensor = set.tensor(name).unwrap();
    let layout = write::whole_layout(tensor).unwrap().with_dtype(tensor.dtype());
    let count = tensor.sizes().iter().product::<i64>() as u64;
    let mut bytes = vec![0xaa; tensor.dtype().storage_bytes(count).unwrap()];
    let view =
        HostView::new("view", bytes.as_mut_ptr(), tensor.dtype(), tensor.sizes(), None).unwrap();
    let shards = LocalShards::new(&layout, [(0, &view)]).unwrap().into_shared().unwrap();
    let items = [ReadItem { name, layout: &layout, shards }];
    let read = CheckpointRead::new(set, &items, &ReadOptions::default()).unwrap();
    // SAFETY: the buffer is there until the end of the call.
    unsafe { read.run(&mut |_, _| Ok(())) }.1.unwrap();
    bytes
}

fn check(path: &Path, kind: &str) {
    let set = open(path.to_str().unwrap()).unwrap();
    let expected = expected(kind);
    let tensors = expected["tensors"].as_object().unwrap();
    assert!(tensors.len() >= 8);
    for (name, tensor) in tensors {
        let found = set.tensor(name).unwrap();
        let sizes: Vec<_> =
            tensor["sizes"].as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect();
        assert_eq!(found.sizes(), sizes, "{name}");
        assert_eq!(found.dtype().to_string(), tensor["dtype"].as_str().unwrap(), "{name}");
        let hex: String = read(&set, name).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, tensor["bytes"].as_str().unwrap(), "{name}");
    }
    assert_eq!(set.tensors().len(), tensors.len());
}

#[test]
fn what_torch_wrote_is_read_bit_for_bit() {
    check(&folder().join("plain"), "plain");
    check(&folder().join("safetensors"), "safetensors");
}

#[test]
fn chunks_are_those_of_the_ranks() {
    let set = open(folder().join("plain").to_str().unwrap()).unwrap();
    let rows = set.tensor("layers.0.rows").unwrap();
    let sizes: Vec<_> = rows.chunks().iter().map(|chunk| chunk.sizes.to_vec()).collect();
    assert_eq!(sizes, [[3, 3], [3, 3], [1, 3]]);
    // Replicas are stored once.
    assert_eq!(set.tensor("layers.0.replicated").unwrap().chunks().len(), 1);
    assert!(set.tensor("transposed").unwrap().strides(0).is_some());
    assert!(set.files().iter().all(|file| file.name().ends_with(".distcp")));
}

/// A copy of the checkpoint, for a test that changes it.
fn copy(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("shardspec-torch-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    for entry in fs::read_dir(folder().join("plain")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), path.join(entry.file_name())).unwrap();
    }
    path
}

#[test]
fn a_missing_file_is_named_and_a_short_one_refused() {
    let path = copy("missing");
    fs::remove_file(path.join("__1_0.distcp")).unwrap();
    let set = open(path.to_str().unwrap()).unwrap();
    assert_eq!(
        set.missing_files().iter().map(|name| &**name).collect::<Vec<_>>(),
        ["__1_0.distcp"]
    );
    assert!(set.tensor("layers.0.rows").unwrap().metadata().is_err());
    let whole = fs::read(path.join("__2_0.distcp")).unwrap();
    fs::write(path.join("__2_0.distcp"), &whole[..whole.len() - 1]).unwrap();
    let refused = open(path.to_str().unwrap()).unwrap_err().to_string();
    assert!(refused.contains("__2_0.distcp: it has"), "{refused}");
    fs::remove_dir_all(&path).unwrap();
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let path = copy("mixed");
    fs::copy(path.join("__0_0.distcp"), path.join("__1_0.distcp")).unwrap();
    let refused = open(path.to_str().unwrap()).unwrap_err().to_string();
    assert!(refused.contains("__1_0.distcp") || refused.contains("__2_0.distcp"), "{refused}");
    fs::write(path.join(".metadata"), b"\x80\x04cos\nsystem\nX\x02\0\0\0ls\x85R.").unwrap();
    let refused = open(path.to_str().unwrap()).unwrap_err().to_string();
    assert!(refused.contains(".metadata: the pickle names os.system"), "{refused}");
    fs::remove_dir_all(&path).unwrap();
}

#[test]
fn a_checkpoint_of_torch_is_converted() {
    let path = copy("convert");
    let new = path.join("new");
    for files in [write::Files::OfOwners, write::Files::One] {
        let set = open(folder().join("plain").to_str().unwrap()).unwrap();
        let options = write::ConvertOptions {
            write: write::WriteOptions { files, replace: true },
            memory: 16,
            ..write::ConvertOptions::default()
        };
        write::convert(&set, new.to_str().unwrap(), &mut write::whole_layout, &options).unwrap();
        check(&new, "plain");
    }
    fs::remove_dir_all(&path).unwrap();
}
