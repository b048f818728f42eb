//! Layouts that the library wrote, as specs and as metadata, as JSON and as bytes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::{Folder, json, run, stdout, write_model};
use shardspec::interchange::{
    metadata_from_json, metadata_to_binary, spec_from_json, spec_to_binary,
};

/// 6 rows of 8: ranks 1 and 0 have half of them each.
const METADATA: &str = r#"{"kind":"shardspec.metadata","version":1,"sizes":[6,8],"properties":{"dtype":"int16"},"shards":{"ndim":2,"offsets":[0,0,3,0],"sizes":[3,8,3,8],"placements":["rank:1/cpu","rank:0/cpu"]}}"#;
/// The same tensor on a mesh, in columns.
const COLUMNS: &str = r#"{"kind":"shardspec.metadata","version":1,"sizes":[6,8],"axis_names":["tp"],"axis_sizes":[2],"shards":{"ndim":2,"offsets":[0,0,0,4],"sizes":[6,4,6,4],"placements":["rank:0/cpu","rank:1/cpu"]}}"#;
const SPEC: &str = r#"{"kind":"shardspec.spec","version":1,"chunk":{"dim":0,"placements":["rank:0/cpu","rank:1/cpu"]}}"#;

/// All of them as files.
fn folder() -> Folder {
    let folder = Folder::new();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    write("rows.json", METADATA.as_bytes());
    write("columns.json", COLUMNS.as_bytes());
    write("spec.json", SPEC.as_bytes());
    let metadata = metadata_from_json(METADATA.as_bytes()).unwrap();
    write("rows.bin", &metadata_to_binary(&metadata).unwrap().to_vec().unwrap());
    let spec = spec_from_json(SPEC.as_bytes()).unwrap();
    write("spec.bin", &spec_to_binary(spec.as_spec()).unwrap().to_vec().unwrap());
    folder
}

#[test]
fn metadata_is_shown_without_sizes() {
    let folder = folder();
    let printed = stdout(&folder, &["show", "rows.json", "--color", "never"]);
    let start = "tensor [6, 8] int16, 96 B, metadata of 2 shards of [6, 8]\n";
    assert!(printed.starts_with(start), "{printed}");
    assert!(printed.contains("    0  rank:1/cpu  [3, 8]  [0:3, 0:8]   48 B\n"), "{printed}");
    assert_eq!(stdout(&folder, &["show", "rows.bin", "--color", "never"]), printed);
    let (code, value) = json(&folder, &["show", "columns.json"]);
    assert_eq!((code, &value["sizes"]), (0, &serde_json::json!([6, 8])));
    let layout = &value["layout"];
    assert_eq!(layout["mesh"], serde_json::json!([{"name": "tp", "size": 2}]));
    // The document comes back as it was.
    let document: serde_json::Value = serde_json::from_str(COLUMNS).unwrap();
    assert_eq!(layout["document"], document);
}

#[test]
fn a_spec_is_shown_for_sizes() {
    let folder = folder();
    let arguments = ["show", "spec.json", "--sizes", "5,2", "--color", "never"];
    let printed = stdout(&folder, &arguments);
    assert!(printed.contains("    1  rank:1/cpu  [2, 2]  [3:5, 0:2]\n"), "{printed}");
    let with_option = ["show", "--layout", "@spec.json", "--sizes", "5,2", "--color", "never"];
    assert_eq!(stdout(&folder, &with_option), printed);
    let of_bytes = ["show", "spec.bin", "--sizes", "5,2", "--color", "never"];
    assert_eq!(stdout(&folder, &of_bytes), printed);
}

#[test]
fn two_documents_are_planned() {
    let folder = folder();
    let (code, value) = json(&folder, &["plan", "rows.json", "columns.json"]);
    assert_eq!(code, 0);
    // Of each rank's 24 elements in rows, it keeps 12 in columns. Elements have 2 bytes.
    assert_eq!((&value["moved"]["bytes"], &value["kept"]["bytes"]), (&48.into(), &48.into()));
    assert_eq!(value["subject"], "tensor [6, 8] int16");
    let same = [
        vec!["plan", "rows.bin", "--to", "@columns.json"],
        vec!["plan", "--sizes", "6,8", "--from", "@rows.json", "--to", "2: S(1)"],
        vec!["plan", "rows.json", "--to", "2: S(1)"],
    ];
    for arguments in same {
        let (code, other) = json(&folder, &arguments);
        assert_eq!((code, &other["routes"]), (0, &value["routes"]), "{arguments:?}");
    }
    let drawn = stdout(&folder, &["plan", "rows.json", "columns.json", "--diff"]);
    assert!(drawn.contains("from metadata of 2 shards of [6, 8]\n"), "{drawn}");
    // A spec takes the sizes of the metadata.
    let (_, value) = json(&folder, &["plan", "rows.json", "spec.bin"]);
    assert_eq!(value["moved"]["bytes"], 96);
}

#[test]
fn metadata_is_a_layout_of_the_tensor_of_its_sizes() {
    let folder = folder();
    write_model(&folder, "model");
    std::fs::write(
        folder.join("w.json"),
        METADATA
            .replace("[6,8]", "[8,6]")
            .replace(r#"[0,0,3,0],"sizes":[3,8,3,8]"#, r#"[0,0,5,0],"sizes":[5,6,3,6]"#),
    )
    .unwrap();
    let (_, value) = json(&folder, &["show", "model", "-l", "w -> @w.json", "-l", "whole"]);
    let owners = value["owners"].as_array().unwrap();
    // 3 rows of 6 numbers of 4 bytes, `b` and `s`; and 5 rows. The element type is that of the file.
    assert_eq!((&owners[0]["bytes"], &owners[1]["bytes"]), (&(72 + 28).into(), &120.into()));
    let done = run(&folder, &["convert", "model", "new", "-l", "w -> @w.json"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(run(&folder, &["digest", "model", "new"]).code, 0);
    let done = run(&folder, &["check", "model", "--layout", "@w.json"]);
    assert_eq!(done.code, 1);
    let problem = "the metadata is of a tensor of [8, 6], and this one has [6]";
    assert!(done.stdout.contains(problem), "{done:?}");
}

#[test]
fn documents_that_do_not_fit_are_refused() {
    let folder = folder();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("gap.json", &METADATA.replace("[3,8,3,8]", "[3,8,2,8]"));
    write("cut.json", &METADATA[..METADATA.len() - 9]);
    write("newer.json", &METADATA.replace("\"sizes\"", "\"colour\":1,\"sizes\""));
    write("plan.json", r#"{"kind":"shardspec.plan","version":1}"#);
    let mut bytes = std::fs::read(folder.join("rows.bin")).unwrap();
    let last = bytes.len() - 9;
    bytes[last] ^= 1;
    std::fs::write(folder.join("damaged.bin"), bytes).unwrap();
    for (arguments, code, expected) in [
        (&["show", "spec.json"] as &[&str], 2, "pass --sizes"),
        (&["show", "rows.json", "--sizes", "6,9"], 2, "of a tensor of [6, 8]"),
        (&["show", "rows.json", "--layout", "fsdp=2"], 2, "rows.json is a layout"),
        (&["show", "gap.json"], 3, "gap.json: "),
        (&["show", "cut.json"], 3, "cut.json: "),
        (&["show", "newer.json"], 3, "colour"),
        (&["show", "damaged.bin"], 3, "checksum"),
        (&["show", "--sizes", "8", "--layout", "@plan.json"], 3, "shardspec.plan"),
        (&["plan", "rows.json"], 2, "--to"),
        (&["plan", "spec.json", "spec.bin"], 2, "pass --sizes"),
        (&["plan", "rows.json", "none.json"], 3, "none.json"),
        (&["plan", "rows.json", "columns.json", "--to", "fsdp=2"], 2, "--to"),
        (&["plan", "rows.json", "--from", "fsdp=2", "--to", "fsdp=3"], 2, "leave out --from"),
    ] {
        let done = run(&folder, arguments);
        assert_eq!((done.code, done.stdout.as_str()), (code, ""), "{arguments:?}: {done:?}");
        assert!(done.stderr.contains(expected), "{arguments:?}: {}", done.stderr);
    }
}
