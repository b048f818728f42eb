//! `plan` as a user runs it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::{Folder, fixture, json, run, stdout, write_model};

#[test]
fn the_matrix_says_what_moves_and_what_stays() {
    let folder = Folder::new();
    let printed = stdout(
        &folder,
        &[
            "plan",
            "--sizes",
            "8,1024",
            "--dtype",
            "bfloat16",
            "--from",
            "tp=4: S(0)",
            "--to",
            "tp=2: S(0)",
            "--color",
            "never",
        ],
    );
    assert_eq!(
        printed,
        "from tp=4: dimension 0 over tp by chunk\n\
         to   tp=2: dimension 0 over tp by chunk\n\
         \n\
         What moves: 12 KiB between owners, 4 KiB stay, in 4 pieces\n\
         \n  \
         from / to   rank 0  rank 1    sent\n  \
         ──────────────────────────────────\n  \
         rank 0     (4 KiB)       -     0 B\n  \
         rank 1       4 KiB       -   4 KiB\n  \
         rank 2           -   4 KiB   4 KiB\n  \
         rank 3           -   4 KiB   4 KiB\n  \
         ──────────────────────────────────\n  \
         received     4 KiB   8 KiB  12 KiB\n\
         \n  \
         row: from, column: to, amounts in bytes\n  \
         (n) stays with its owner, and is in no sum\n\
         \n\
         tensor [8, 1024] bfloat16: 12 KiB in 3 messages between owners, 4 KiB stay where they are\n"
    );
}

#[test]
fn every_byte_of_every_destination_has_one_source() {
    let folder = Folder::new();
    write_model(&folder, "model");
    for (from, to, expected) in [
        (None, "fsdp=4", 220 + 3 * 4),
        (Some("fsdp=4"), "whole", 220),
        (Some("tp:column=3"), "replicated=2", 440),
        (Some("hsdp=2x2"), "tp:row=2", 192 + 2 * 28),
    ] {
        let mut arguments = vec!["plan", "model", "--to", to];
        arguments.extend(from.map(|from| ["--from", from]).into_iter().flatten());
        let (code, value) = json(&folder, &arguments);
        assert_eq!(code, 0);
        let routes = value["routes"].as_array().unwrap();
        let sum: u64 = routes.iter().map(|route| route["bytes"].as_u64().unwrap()).sum();
        assert_eq!(sum, expected, "{from:?} {to}: {value}");
        let moved = value["moved"]["bytes"].as_u64().unwrap();
        assert_eq!(moved + value["kept"]["bytes"].as_u64().unwrap(), expected);
        let messages = routes.iter().filter(|route| route["stays"] == false).count();
        assert_eq!(value["messages"], messages);
    }
}

#[test]
fn the_files_of_a_checkpoint_are_sources() {
    let folder = Folder::new();
    let printed = stdout(&folder, &["plan", &fixture("plain"), "--to", "fsdp=2"]);
    for name in ["__0_0.distcp", "rank:0", "rank:1"] {
        assert!(printed.contains(name), "{printed}");
    }
    let (_, value) =
        json(&folder, &["plan", "--sizes", "64,64", "--from", "64: S(0)", "--to", "64: S(1)"]);
    assert_eq!((&value["messages"], &value["moved"]["bytes"]), (&(64 * 63).into(), &().into()));
    let printed =
        stdout(&folder, &["plan", "--sizes", "64,64", "--from", "64: S(0)", "--to", "64: S(1)"]);
    assert!(printed.contains("4032 messages"), "{printed}");
    assert!(printed.lines().count() < 40, "{printed}");
}

#[test]
fn plans_that_can_not_be_made_are_refused() {
    let folder = Folder::new();
    write_model(&folder, "model");
    for (arguments, code, expected) in [
        (&["plan", "model"] as &[&str], 2, "--to"),
        (&["plan", "--sizes", "8", "--to", "fsdp=2"], 2, "--from"),
        (&["plan", "none", "--to", "fsdp=2"], 3, "none"),
        (&["plan", "--sizes", "8", "--from", "2: P(sum)", "--to", "2: R"], 2, "sum"),
        (&["plan", "--sizes", "8", "--from", "w -> fsdp=2", "--to", "2: R"], 2, "write one layout"),
        (&["plan", "model", "--to", "tp=5: P('tp')"], 2, "tensor \"b\""),
    ] {
        let done = run(&folder, arguments);
        assert_eq!((done.code, done.stdout.as_str()), (code, ""), "{arguments:?}: {done:?}");
        assert!(done.stderr.contains(expected), "{arguments:?}: {}", done.stderr);
    }
    std::fs::remove_file(folder.join("model/model-00001-of-00002.safetensors")).unwrap();
    // What is left is planned for; `check` says what is missing.
    assert_eq!(run(&folder, &["plan", "model", "--to", "fsdp=2"]).code, 0);
}
