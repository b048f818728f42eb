//! `check` as a user runs it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::{
    Folder, copy_fixture, fixture, json, run, stdout, tensor, write_model, write_safetensors,
};

#[test]
fn a_whole_checkpoint_is_fine() {
    let folder = Folder::new();
    write_model(&folder, "model");
    assert_eq!(
        stdout(&folder, &["check", "model"]),
        "model: 3 tensors in 2 files: nothing is wrong\n"
    );
    for name in ["safetensors", "plain"] {
        assert_eq!(run(&folder, &["check", &fixture(name)]).code, 0, "{name}");
    }
    let colored = stdout(&folder, &["check", "model", "--color", "always"]);
    assert!(colored.contains("\x1b[32mnothing is wrong\x1b[0m"), "{colored:?}");
}

#[test]
fn everything_that_is_missing_is_listed() {
    let folder = Folder::new();
    write_model(&folder, "model");
    std::fs::remove_file(folder.join("model/model-00001-of-00002.safetensors")).unwrap();
    let done = run(&folder, &["check", "model"]);
    assert_eq!((done.code, done.stderr.as_str()), (1, ""), "{done:?}");
    assert!(done.stdout.starts_with("model: 1 tensor in 1 file: 2 problems\n"), "{}", done.stdout);
    for name in ["\"b\"", "\"s\""] {
        assert!(done.stdout.contains(name), "{}", done.stdout);
    }
    let (code, value) = json(&folder, &["check", "model"]);
    assert_eq!((code, &value["ok"]), (1, &false.into()));
    assert_eq!(value["problems"][0]["kind"], "NOT_FOUND");
    let (code, value) = json(&folder, &["check", "model", "--limit", "1"]);
    assert_eq!((code, &value["more"]), (1, &true.into()));
    // The other commands say where to look.
    let done = run(&folder, &["show", "model"]);
    assert!(done.code == 0 && done.stdout.contains("`shardspec check model` lists them"));
}

#[test]
fn every_gap_of_a_distributed_checkpoint_is_listed() {
    let folder = Folder::new();
    let path = copy_fixture("safetensors", &folder, "dcp");
    std::fs::remove_file(format!("{path}/shard-00001-model-00001-of-00001.safetensors")).unwrap();
    let (code, value) = json(&folder, &["check", "dcp"]);
    assert_eq!(code, 1);
    let problems = value["problems"].as_array().unwrap();
    assert!(problems.len() > 1, "{value}");
    let is_gap = |one: &&serde_json::Value| one["kind"] == "GAP" && one["tensor"].is_string();
    assert!(problems.iter().filter(is_gap).count() > 1, "{value}");
}

#[test]
fn a_layout_that_does_not_fit_is_said_for_every_tensor() {
    let folder = Folder::new();
    write_model(&folder, "model");
    let printed = stdout(&folder, &["check", "model", "--layout", "fsdp=4"]);
    assert!(printed.ends_with("nothing is wrong\n"), "{printed}");
    let layouts = "--mesh tp=4\nw -> P(None, 'tp')  # 6 columns\nb -> P('tp')\nq -> R\nz* -> R\n";
    std::fs::write(folder.join("layouts.txt"), layouts).unwrap();
    let done = run(&folder, &["check", "model", "--layout", "@layouts.txt"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains(": 4 problems\n"), "{}", done.stdout);
    for expected in [
        "tensor \"w\": tp=4: dimension 1 over tp by chunk, even",
        "6 does not divide into 4 equal pieces",
        "tensor \"b\": tp=4",
        "layouts.txt:4: tensor \"q\": no file has it",
        "layouts.txt:5: no tensor has a name that matches \"z*\"",
    ] {
        assert!(done.stdout.contains(expected), "{expected}: {}", done.stdout);
    }
    let done = run(&folder, &["check", "--sizes", "6", "--layout", "tp=4: P('tp')"]);
    assert!(done.code == 1 && done.stdout.contains("1 problem\n"), "{done:?}");
}

#[test]
fn legal_degrees_are_listed_and_all_reasons_against_the_others() {
    let folder = Folder::new();
    write_model(&folder, "model");
    let arguments =
        ["check", "model", "--layout", "tp:column=2", "--degrees", "tp", "--max-degree", "8"];
    let done = run(&folder, &arguments);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    assert_eq!(
        done.stdout,
        "legal degrees of tp: 1, 2\n    \
         3: sizes [8, 6]: dimension 0: 8 does not divide into 3 equal pieces (w)\n    \
         4: sizes [6]: dimension 0: 6 does not divide into 4 equal pieces (b)\n    \
         5: sizes [6]: dimension 0: 6 does not divide into 5 equal pieces (b)\n    \
         5: sizes [8, 6]: dimension 0: 8 does not divide into 5 equal pieces (w)\n    \
         6: sizes [8, 6]: dimension 0: 8 does not divide into 6 equal pieces (w)\n    \
         7: sizes [6]: dimension 0: 6 does not divide into 7 equal pieces (b)\n    \
         7: sizes [8, 6]: dimension 0: 8 does not divide into 7 equal pieces (w)\n    \
         8: sizes [6]: dimension 0: 6 does not divide into 8 equal pieces (b)\n"
    );
    // Dimension 0 is cut over dp first.
    let layout = "dp=2,tp=2: S(0)S(0)";
    let (_, value) = json(
        &folder,
        &[
            "check",
            "model",
            "-l",
            "w -> dp=2,tp=2: S(0)S(0)",
            "--degrees",
            "tp",
            "--max-degree",
            "8",
        ],
    );
    assert_eq!(value["legal"], serde_json::json!([1, 2, 4]), "{layout}");
    let done = run(&folder, &["check", "model", "-l", layout, "--degrees", "pp"]);
    assert!(done.code == 2 && done.stderr.contains("no mesh of a layout has this axis"));
}

#[test]
fn lengths_of_a_model_say_which_degrees_are_legal() {
    let folder = Folder::new();
    let arguments = [
        "check",
        "--length",
        "heads=32",
        "--length",
        "kv_heads=8:repeat",
        "--length",
        "hidden=4096:granule=128",
        "--length",
        "experts=60",
        "--max-degree",
        "32",
    ];
    let (code, value) = json(&folder, &arguments);
    assert_eq!((code, &value["legal"]), (0, &serde_json::json!([1, 2, 4])));
    // 60 experts and 32 heads do not divide by 7, and 8 heads are not shared by 7 either.
    let seven = &value["forbidden"][4];
    assert_eq!(seven["degree"], 8);
    assert_eq!(seven["reasons"][0]["names"], serde_json::json!(["experts"]));
    let seven = &value["forbidden"][3];
    assert_eq!(
        (seven["degree"].as_i64(), seven["reasons"].as_array().unwrap().len()),
        (Some(7), 4)
    );
    assert_eq!(run(&folder, &["check", "--length", "prime=7", "--max-degree", "6"]).code, 1);
    for (length, expected) in [
        ("heads", "it has no '='"),
        ("heads=x", "is no number"),
        ("heads=8:twice", "neither 'repeat' nor 'granule=N'"),
        ("heads=8:granule=0", "granule: 0 is too small"),
        ("heads=-8", "too small"),
    ] {
        let done = run(&folder, &["check", "--length", length]);
        assert!(done.code == 2 && done.stderr.contains(expected), "{length}: {done:?}");
    }
}

#[test]
fn chunks_that_contradict_each_other_are_found() {
    let folder = Folder::new();
    let path = copy_fixture("safetensors", &folder, "dcp");
    // A stale file whose chunk has another shape.
    write_safetensors(&format!("{path}/stale.safetensors"), &[tensor("zzz", &[2])]);
    let done = run(&folder, &["check", "dcp"]);
    assert!(done.code == 0 || done.code == 1 || done.code == 3, "{done:?}");
    assert!(!done.stdout.contains("panicked") && !done.stderr.contains("panicked"));
}
