//! `digest` as a user runs it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::{
    Folder, Tensor, copy_fixture, fixture, json, run, stdout, tensor, write_model,
    write_safetensors,
};

#[test]
fn the_digest_of_a_tensor_is_that_of_its_bytes() {
    let folder = Folder::new();
    let digits = Tensor {
        name: "digits".to_owned(),
        dtype: "U8",
        sizes: vec![3, 3],
        bytes: b"123456789".to_vec(),
    };
    write_safetensors(&folder.join("x.safetensors"), &[digits]);
    // The check value of CRC-64/NVME.
    for memory in ["64MiB", "4"] {
        let printed = stdout(&folder, &["digest", "x.safetensors", "--memory", memory]);
        assert_eq!(printed, "ae8b14860a799888  uint8 [3, 3]  digits\n");
    }
}

#[test]
fn checkpoints_are_compared_tensor_by_tensor() {
    let folder = Folder::new();
    write_model(&folder, "one");
    write_model(&folder, "two");
    assert_eq!(stdout(&folder, &["digest", "one", "two"]), "3 tensors are equal\n");
    assert_eq!(run(&folder, &["digest", &fixture("plain"), &fixture("plain")]).code, 0);
    let mut other = tensor("w", &[8, 6]);
    other.bytes[100] ^= 1;
    let changed = [other, tensor("new", &[1])];
    write_safetensors(&folder.join("two/model-00002-of-00002.safetensors"), &changed);
    std::fs::remove_file(folder.join("two/model.safetensors.index.json")).unwrap();
    write_safetensors(
        &folder.join("two/model-00001-of-00002.safetensors"),
        &[tensor("b", &[2, 3])],
    );
    let done = run(&folder, &["digest", "one", "two"]);
    assert_eq!((done.code, done.stderr.as_str()), (1, ""), "{done:?}");
    for expected in [
        "tensor \"b\": it is float32 [6], and float32 [2, 3] in two\n",
        "tensor \"new\": one does not have it\n",
        "tensor \"s\": two does not have it\n",
        "tensor \"w\": its digest is ",
        "0 tensors are equal, 4 differ or are missing\n",
    ] {
        assert!(done.stdout.contains(expected), "{expected}: {}", done.stdout);
    }
    let (code, value) = json(&folder, &["digest", "one", "two", "--tensor", "w"]);
    assert_eq!((code, &value["equal"]), (1, &false.into()));
    assert_eq!(value["differences"][0]["kind"], "digest");
}

#[test]
fn the_fingerprint_of_a_layout_tells_layouts_apart() {
    let folder = Folder::new();
    let of = |layout: &str| {
        let (code, value) = json(&folder, &["digest", "--sizes", "8,8", "--layout", layout]);
        assert_eq!(code, 0);
        value["layout_fingerprint"].as_str().unwrap().to_owned()
    };
    assert_eq!(of("tp=4: S(0)"), of("x=4: P('x')"));
    assert_ne!(of("tp=4: S(0)"), of("tp=4: S(1)"));
    assert_ne!(of("tp=4: S(0)"), of("tp=2: S(0)"));
    let printed = stdout(&folder, &["digest", "--sizes", "8,8", "--layout", "tp=4: S(0)"]);
    assert_eq!(
        printed,
        format!("{}  [8, 8]  tp=4: dimension 0 over tp by chunk\n", of("tp=4: S(0)"))
    );
}

#[test]
fn a_tensor_of_which_elements_are_missing_has_no_digest() {
    let folder = Folder::new();
    let path = copy_fixture("safetensors", &folder, "dcp");
    std::fs::remove_file(format!("{path}/shard-00001-model-00001-of-00001.safetensors")).unwrap();
    let done = run(&folder, &["digest", "dcp"]);
    assert!(done.code == 3 && done.stderr.contains("no file holds"), "{done:?}");
}
