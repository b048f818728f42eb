//! `show` as a user runs it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::process::Stdio;

use common::{
    COMMAND, Folder, command, fixture, json, run, stdout, tensor, write_model, write_safetensors,
};

#[test]
fn the_tensors_of_a_checkpoint_are_listed_with_their_files() {
    let folder = Folder::new();
    write_model(&folder, "model");
    assert_eq!(
        stdout(&folder, &["show", "model"]),
        "model: 3 tensors in 2 files, 220 B\n\
         \n\
         tensor  dtype    sizes   bytes  files\n\
         b       float32  [6]      24 B  model-00001-of-00002.safetensors\n\
         s       float32  []        4 B  model-00001-of-00002.safetensors\n\
         w       float32  [8, 6]  192 B  model-00002-of-00002.safetensors\n"
    );
    let some = stdout(&folder, &["show", "model", "--tensor", "w", "--files", "--all"]);
    assert!(some.starts_with("model: 1 tensor of 3 in 2 files, 192 B\n"), "{some}");
    assert!(some.contains("\nw           0  [0:8, 0:6]  192 B  model-00002-of-00002"), "{some}");
    assert!(some.contains("\nmodel-00001-of-00002.safetensors"), "{some}");
}

#[test]
fn all_formats_are_listed() {
    let folder = Folder::new();
    for (name, text) in [("safetensors", "shard-0000"), ("plain", "__0_0.distcp")] {
        let printed = stdout(&folder, &["show", &fixture(name), "--tensor", "*"]);
        assert!(printed.contains("float32") && printed.contains(text), "{printed}");
    }
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    npy.extend(118u16.to_le_bytes());
    npy.extend(format!("{header:<117}\n").as_bytes());
    npy.extend([0u8; 24]);
    std::fs::write(folder.join("x.npy"), npy).unwrap();
    let (code, value) = json(&folder, &["show", "x.npy"]);
    assert_eq!((code, &value["tensors"][0]["sizes"]), (0, &serde_json::json!([2, 3])));
    assert_eq!(value["tensors"][0]["chunks"][0]["first_byte"], 128);
}

#[test]
fn a_layout_of_a_checkpoint_says_how_much_each_owner_has() {
    let folder = Folder::new();
    write_model(&folder, "model");
    let printed = stdout(&folder, &["show", "model", "--layout", "fsdp=2"]);
    assert!(printed.contains("fsdp=2: dimension 0 over fsdp by chunk"), "{printed}");
    // 96 and 12 bytes, and the scalar.
    assert!(printed.ends_with("\neach of 2 owners has 3 shards and 112 B\n"), "{printed}");
    let (_, value) = json(&folder, &["show", "model", "-l", "w -> tp:row=4", "-l", "fsdp=4"]);
    let owners = value["owners"].as_array().unwrap();
    assert_eq!(owners.len(), 4);
    // 6 columns over 4 are 2, 2, 2, 0.
    assert_eq!(owners[3]["bytes"], 4);
}

#[test]
fn a_layout_alone_says_who_owns_what() {
    let folder = Folder::new();
    let printed = stdout(
        &folder,
        &[
            "show",
            "--sizes",
            "8,6",
            "--dtype",
            "int8",
            "--layout",
            "dp=2,tp=2: RS(0)",
            "--color",
            "never",
        ],
    );
    assert!(
        printed.starts_with("tensor [8, 6] int8, 48 B, dp=2, tp=2: dimension 0 over tp by chunk\n"),
        "{printed}"
    );
    let table = "shard  placement   sizes   elements    bytes  replica of\n    \
                 0  rank:0/cpu  [4, 6]  [0:4, 0:6]   24 B\n    \
                 1  rank:1/cpu  [4, 6]  [4:8, 0:6]   24 B\n    \
                 2  rank:2/cpu  [4, 6]  [0:4, 0:6]   24 B  shard 0\n    \
                 3  rank:3/cpu  [4, 6]  [4:8, 0:6]   24 B  shard 1\n";
    assert!(printed.contains(table), "{printed}");
}

#[test]
fn shards_that_are_no_boxes_are_shown_as_what_they_have() {
    let folder = Folder::new();
    let layout = "p=2,q=1: scalapack:1,0,9,1,2,1,0,0,5";
    let printed = stdout(&folder, &["show", "--sizes", "9,1", "--layout", layout]);
    assert!(printed.contains("[0:2+4:6+8:9, 0:1]"), "{printed}");
    let (_, value) = json(&folder, &["show", "--sizes", "9,1", "--layout", layout]);
    let stretches = &value["shards"][0]["dims"][0]["stretches"];
    assert_eq!(stretches[0], serde_json::json!({"start": 0, "length": 2, "count": 2, "step": 4}));
    let words = "tp=2: pad dim 0 to a multiple of 8; dim 0 over tp";
    let printed = stdout(&folder, &["show", "--sizes", "6", "--layout", words]);
    assert!(printed.contains("[4:6 (2 padding)]"), "{printed}");
}

#[test]
fn one_layout_may_be_written_in_many_ways() {
    let folder = Folder::new();
    let ways: &[&[&str]] = &[
        &["-l", "tp=4: S(0)"],
        &["-l", "4: S(0)"],
        &["--mesh", "tp=4", "-l", "Shard(dim=0)"],
        &["--mesh", "tp=4", "-l", "(Shard(0),)"],
        &["--mesh", "tp=4", "-l", "P('tp')"],
        &["--mesh", "tp=4", "-l", "PartitionSpec(\"tp\", None)"],
        &["--mesh", "tp=4", "-l", "{devices=[4,1]<=[4]}"],
        &["--mesh", "tp=4", "-l", "xla:{devices=[4,1]0,1,2,3}"],
        &["--mesh", "tp=4", "-l", "sharding<@mesh, [{\"tp\"}, {}]>"],
        &["--mesh", "tp=4", "-l", "dim 0 over tp"],
        &["-l", "tp=4: dimension 0 over tp by chunk"],
        &["-l", "fsdp=4"],
        &["-l", "tp:column=4"],
        &["-l", "tp:row=4", "--mesh", "dp=9"],
        &["-l", "scalapack:1,0,8,6,2,6,0,0,2", "--mesh", "p=4,q=1"],
    ];
    let mut fingerprints = Vec::new();
    for way in ways {
        let sizes: &[&str] = if way[1] == "tp:row=4" { &["6,8"] } else { &["8,6"] };
        let arguments = [&["show", "--sizes"], sizes, way].concat();
        let (code, value) = json(&folder, &arguments);
        assert_eq!(code, 0, "{way:?}");
        let numbers: Vec<_> = value["shards"]
            .as_array()
            .unwrap()
            .iter()
            .map(|shard| shard["elements"].clone())
            .collect();
        assert_eq!(numbers, [12, 12, 12, 12], "{way:?}");
        if way[1] != "tp:row=4" {
            fingerprints.push(value["fingerprint"].clone());
        }
    }
    assert!(fingerprints.iter().all(|own| *own == fingerprints[0]), "{fingerprints:?}");
}

#[test]
fn pictures_are_drawn_where_they_are_asked_for() {
    let folder = Folder::new();
    write_model(&folder, "model");
    let base = ["show", "--sizes", "8,12", "--layout", "tp=2: S(1)"];
    let drawn = stdout(&folder, &base);
    assert!(drawn.contains("│   rank 0   │   rank 1   │") && !drawn.contains('\x1b'), "{drawn}");
    let colored = stdout(&folder, &[&base[..], &["--color", "always"]].concat());
    assert!(colored.contains("\x1b[") && colored.contains("rank 1"), "{colored}");
    let ascii = stdout(&folder, &[&base[..], &["--ascii"]].concat());
    assert!(ascii.is_ascii(), "{ascii}");
    let part = stdout(&folder, &[&base[..], &["--window", "0:2,0:6", "--width", "60"]].concat());
    assert!(part.contains("rank 0   ") && !part.contains("│   rank 1   │"), "{part}");
    let done = run(&folder, &[&base[..], &["--window", "0:9,0:6"]].concat());
    assert!(done.code == 2 && done.stderr.contains("no part of dimension 0"), "{done:?}");
    let chunks = stdout(&folder, &["show", "model", "-t", "w", "--picture"]);
    assert!(
        chunks.contains("\nw\n") && chunks.contains("model-00002-of-00002.safetensors"),
        "{chunks}"
    );
    let layout = stdout(&folder, &["show", "model", "-t", "w", "--picture", "-l", "fsdp=2"]);
    assert!(layout.contains("rank 1"), "{layout}");
    let plan = ["plan", "--sizes", "8,12", "--from", "2: S(0)", "--to", "2: S(1)", "--diff"];
    assert!(stdout(&folder, &plan).contains("What changes owner"));
    for arguments in [&base[..], &plan, &plan[..8], &["show", "model", "-t", "w"]] {
        stdout(&folder, &[arguments, &["--svg", "picture.svg"]].concat());
        let picture = std::fs::read_to_string(folder.join("picture.svg")).unwrap();
        assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"), "{picture}");
        std::fs::remove_file(folder.join("picture.svg")).unwrap();
    }
    for (arguments, code) in [
        (&["show", "model", "--svg", "picture.svg"] as &[&str], 2),
        (&["plan", "model", "--to", "fsdp=2", "--svg", "picture.svg"], 2),
        (&["show", "model", "-t", "w", "--svg", "no/picture.svg"], 3),
    ] {
        assert_eq!(run(&folder, arguments).code, code, "{arguments:?}");
    }
}

#[test]
fn the_document_of_a_spec_is_a_layout() {
    let folder = Folder::new();
    write_model(&folder, "model");
    let (_, value) = json(&folder, &["show", "--sizes", "8,6", "-l", "dp=2,tp=2: S(0)_S(0, 2)"]);
    let document = value["layout"]["document"].to_string();
    assert!(document.contains("\"kind\":\"shardspec.spec\""), "{document}");
    std::fs::write(folder.join("spec.json"), document).unwrap();
    let (_, again) = json(&folder, &["show", "--sizes", "8,6", "--layout", "@spec.json"]);
    assert_eq!(again, value);
    let chunks = r#"{"kind":"shardspec.spec","version":1,"chunk":{"dim":0,"placements":["rank:0/cpu","w1/cpu"]}}"#;
    std::fs::write(folder.join("chunks.json"), chunks).unwrap();
    let (code, value) = json(&folder, &["show", "model", "-t", "w", "-l", "w -> @chunks.json"]);
    assert_eq!((code, &value["owners"][0]["owner"]), (0, &"w1".into()));
    std::fs::write(folder.join("chunks.json"), chunks.replace("chunk", "chink")).unwrap();
    let done = run(&folder, &["show", "model", "-l", "@chunks.json"]);
    assert_eq!(done.code, 3);
    assert!(
        done.stderr.contains("chunks.json") && done.stderr.contains("chink"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_wrong_layout_is_refused_with_what_is_wrong() {
    let folder = Folder::new();
    std::fs::write(folder.join("bad.txt"), "--mesh tp=2\n# fine\nw -> S(0)\nb -> S(0\n").unwrap();
    for (layout, expected) in [
        ("S(0)", "it has no mesh"),
        ("tp=4: S(0)S(1)", "expected the end of the text"),
        ("tp=0: R", "too small"),
        ("tp=4: sideways", "its notation is not recognised"),
        ("tp=4: P('dp')", "dp"),
        ("tp=4: dim 0 over pp", "no axis named \"pp\""),
        ("fsdp", "needs a number of ranks, such as fsdp=8"),
        ("hsdp=8", "such as hsdp=2x4"),
        ("tp=2: fsdp=8", "has a mesh of its own"),
        ("", "the layout is empty"),
        ("tp=4: S(2)", "2"),
        ("@bad.txt", "bad.txt:4: \"S(0\""),
        ("@none.txt", "none.txt: reading the layouts failed"),
    ] {
        let done = run(&folder, &["show", "--sizes", "8,6", "--layout", layout]);
        let code = if layout == "@none.txt" { 3 } else { 2 };
        assert_eq!((done.code, done.stdout.as_str()), (code, ""), "{layout}: {done:?}");
        assert!(done.stderr.contains(expected), "{layout}: {}", done.stderr);
    }
}

#[test]
fn wrong_use_has_exit_code_2_and_says_what_to_do() {
    let folder = Folder::new();
    write_model(&folder, "model");
    for (arguments, expected) in [
        (&["show"] as &[&str], "--sizes <SIZES> --layout <LAYOUT>"),
        (&["shwo"], "show"),
        (&["show", "model", "--tensor", "wieght"], "lists the names"),
        (&["show", "--sizes", "8,x"], "such as 4096,1024"),
        (&["show", "--sizes", "8", "--dtype", "float31x"], ""),
        (&["show", "--sizes", "8"], "--layout"),
        (&["convert", "model"], "DESTINATION"),
    ] {
        let done = run(&folder, arguments);
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{arguments:?}: {done:?}");
        assert!(done.stderr.contains(expected), "{arguments:?}: {}", done.stderr);
    }
}

#[test]
fn files_that_are_no_checkpoint_have_exit_code_3() {
    let folder = Folder::new();
    write_safetensors(&folder.join("x.safetensors"), &[tensor("w", &[8, 6])]);
    let whole = std::fs::read(folder.join("x.safetensors")).unwrap();
    std::fs::write(folder.join("cut.safetensors"), &whole[..whole.len() - 1]).unwrap();
    std::fs::write(folder.join("header.safetensors"), &whole[..20]).unwrap();
    std::fs::write(folder.join("text.safetensors"), "not a checkpoint at all").unwrap();
    std::fs::create_dir(folder.join("empty")).unwrap();
    std::fs::write(folder.join("notes.txt"), "hello").unwrap();
    for (path, expected) in [
        ("none", "No such file or directory"),
        ("cut.safetensors", "copy the file again"),
        ("header.safetensors", "header.safetensors"),
        ("text.safetensors", "text.safetensors"),
        ("empty", "of no format that is known"),
        ("notes.txt", "notes.txt"),
    ] {
        for command in ["show", "check", "digest"] {
            let done = run(&folder, &[command, path]);
            assert_eq!((done.code, done.stdout.as_str()), (3, ""), "{command} {path}: {done:?}");
            assert!(done.stderr.contains(expected), "{command} {path}: {}", done.stderr);
        }
    }
    // Root may read everything.
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("x.safetensors");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&path).is_err() {
        let done = run(&folder, &["show", "x.safetensors"]);
        assert_eq!(done.code, 3);
        assert!(done.stderr.contains("Permission denied"), "{}", done.stderr);
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_error_and_a_full_disk_is() {
    let folder = Folder::new();
    let many: Vec<_> = (0..20_000).map(|number| tensor(&format!("t{number:05}"), &[])).collect();
    write_safetensors(&folder.join("many.safetensors"), &many);
    let script = "\"$0\" show many.safetensors 2> errors | head -n 1; exit ${PIPESTATUS[0]}";
    let done = std::process::Command::new("bash")
        .args(["-c", script, COMMAND])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(folder.join("errors")).unwrap(), "");
    assert!(String::from_utf8(done.stdout).unwrap().starts_with("many.safetensors: 20000 tensors"));
    let full = std::fs::File::create("/dev/full").unwrap();
    let done =
        command(&folder, &["show", "many.safetensors"]).stdout(Stdio::from(full)).output().unwrap();
    assert_eq!(done.status.code(), Some(3));
    assert!(String::from_utf8(done.stderr).unwrap().contains("No space left"));
}

#[test]
fn names_of_a_file_do_not_command_the_terminal() {
    let folder = Folder::new();
    write_safetensors(&folder.join("x.safetensors"), &[tensor("\x1b[2Jw\nfine", &[2])]);
    for command in ["show", "check", "digest"] {
        let printed = stdout(&folder, &[command, "x.safetensors"]);
        assert!(!printed.contains('\x1b'), "{command}: {printed:?}");
        assert!(command == "check" || printed.contains("\\u{1b}[2Jw\\nfine"), "{printed:?}");
    }
}

#[test]
fn help_teaches_with_examples() {
    let folder = Folder::new();
    let version = stdout(&folder, &["--version"]);
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let library = std::fs::read_to_string(root).unwrap();
    let number = version.strip_prefix("shardspec ").unwrap().trim();
    assert!(library.contains(&format!("\nversion = \"{number}\"\n")), "{version}");
    for command in ["show", "check", "plan", "convert", "digest"] {
        let help = stdout(&folder, &[command, "--help"]);
        assert!(help.contains("Examples:\n  shardspec"), "{command}: {help}");
        assert!(help.contains("Layouts:\n"), "{command}");
        assert!(help.lines().all(|line| line.chars().count() <= 110), "{command}: {help}");
    }
    let help = stdout(&folder, &["--help"]);
    assert!(help.contains("Exit codes: 0 fine"), "{help}");
    for shell in ["bash", "zsh", "fish"] {
        assert!(stdout(&folder, &["completions", shell]).contains("convert"), "{shell}");
    }
    stdout(&folder, &["man", "."]);
    assert!(
        std::fs::read_to_string(folder.join("shardspec-convert.1")).unwrap().contains("saving")
    );
}
