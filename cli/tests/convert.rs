//! `convert` as a user runs it, and as one who stops it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{
    COMMAND, Folder, command, fixture, json, run, stdout, tensor, write_model, write_safetensors,
};

#[test]
fn a_checkpoint_goes_to_a_layout_and_back() {
    let folder = Folder::new();
    write_model(&folder, "model");
    assert_eq!(
        stdout(&folder, &["convert", "model", "cut", "--layout", "fsdp=3"]),
        "cut: 3 tensors in 3 files, 220 B\n"
    );
    assert_eq!(stdout(&folder, &["digest", "model", "cut"]), "3 tensors are equal\n");
    let printed = stdout(&folder, &["convert", "cut/", "whole/", "--one-file", "--quiet"]);
    assert_eq!(printed, "");
    assert_eq!(stdout(&folder, &["digest", "model", "whole"]), "3 tensors are equal\n");
    for name in ["safetensors", "plain"] {
        let source = fixture(name);
        stdout(&folder, &["convert", &source, name, "-l", "hsdp=2x2"]);
        assert_eq!(run(&folder, &["digest", &source, name]).code, 0, "{name}");
    }
    for left in std::fs::read_dir(folder.path()).unwrap() {
        let name = left.unwrap().file_name();
        assert!(!name.to_str().unwrap().ends_with(".saving"), "{name:?}");
    }
}

#[test]
fn what_is_there_is_replaced_only_if_that_is_asked_for() {
    let folder = Folder::new();
    write_model(&folder, "model");
    write_safetensors(&folder.join("other.safetensors"), &[tensor("x", &[4])]);
    stdout(&folder, &["convert", "other.safetensors", "new"]);
    let done = run(&folder, &["convert", "model", "new"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(
        done.stderr.contains("new exists") && done.stderr.contains("--replace"),
        "{}",
        done.stderr
    );
    stdout(&folder, &["convert", "model", "new", "--replace"]);
    assert_eq!(run(&folder, &["digest", "model", "new"]).code, 0);
    std::fs::write(folder.join("new/notes.txt"), "mine").unwrap();
    let done = run(&folder, &["convert", "model", "new", "--replace"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("notes.txt"), "{}", done.stderr);
    assert_eq!(std::fs::read_to_string(folder.join("new/notes.txt")).unwrap(), "mine");
    let done = run(&folder, &["convert", "model", "other.safetensors"]);
    assert!(done.code == 2 && done.stderr.contains("is no directory"), "{done:?}");
    assert!(!std::fs::exists(folder.join("new.saving")).unwrap());
}

#[test]
fn a_conversion_that_can_not_be_made_leaves_nothing() {
    let folder = Folder::new();
    write_model(&folder, "model");
    for (arguments, code, expected) in [
        (
            &["convert", "model", "new", "-l", "q -> fsdp=2"] as &[&str],
            2,
            "no tensor of model has a name",
        ),
        (&["convert", "model", "new", "-l", "tp=5: P('tp')"], 2, "does not divide"),
        (&["convert", "none", "new"], 3, "none"),
        (&["convert", "model", "no/such/new"], 3, "no/such/new.saving"),
        (&["convert", "model", "new", "--memory", "0"], 2, "and not 0"),
        (
            &["convert", "model", "new", "-l", "w -> p=2,q=1: scalapack:1,0,8,6,2,6,0,0,4"],
            4,
            "one file",
        ),
    ] {
        let done = run(&folder, arguments);
        assert_eq!((done.code, done.stdout.as_str()), (code, ""), "{arguments:?}: {done:?}");
        assert!(done.stderr.contains(expected), "{arguments:?}: {}", done.stderr);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    std::fs::remove_file(folder.join("model/model-00002-of-00002.safetensors")).unwrap();
    // Half of a checkpoint is converted to half of a checkpoint only if nothing says that it is one.
    let done = run(&folder, &["convert", "model", "new"]);
    assert_eq!(done.code, 3, "{done:?}");
    assert!(done.stderr.contains("shardspec check model"), "{}", done.stderr);
}

/// A source of some megabytes.
fn write_large(folder: &Folder) {
    let tensors: Vec<_> = (0..6).map(|number| tensor(&format!("t{number}"), &[512, 512])).collect();
    write_safetensors(&folder.join("large.safetensors"), &tensors);
}

#[test]
fn a_full_disk_is_said_and_the_run_continues_when_there_is_room() {
    let folder = Folder::new();
    write_large(&folder);
    // Files may have 4 MiB, and the second one needs 5. What a shell sets is inherited.
    let layout = "r=2: dim 0 over r by weights [1, 5]";
    let script =
        "trap '' XFSZ; ulimit -f 4096; exec \"$0\" convert large.safetensors new -l \"$1\"";
    let done: common::Done = Command::new("bash")
        .args(["-c", script, COMMAND, layout])
        .current_dir(folder.path())
        .output()
        .unwrap()
        .into();
    assert_eq!(done.code, 3, "{done:?}");
    assert!(done.stderr.contains("File too large"), "{}", done.stderr);
    assert!(done.stderr.contains("the same command continues there"), "{}", done.stderr);
    assert!(!std::fs::exists(folder.join("new")).unwrap());
    stdout(
        &folder,
        &["convert", "large.safetensors", "new", "--one-file", "--memory", "64k", "--quiet"],
    );
    assert_eq!(run(&folder, &["digest", "large.safetensors", "new"]).code, 0);
}

/// A run flushes its files more than once, and not all machines do that fast.
const KILLS: u32 = 6;

#[test]
fn a_run_that_is_killed_anywhere_is_continued_by_the_next() {
    let folder = Folder::new();
    write_large(&folder);
    let arguments = ["convert", "large.safetensors", "new", "-l", "fsdp=3", "--memory", "64k"];
    let started = Instant::now();
    stdout(&folder, &arguments);
    let length = started.elapsed().max(Duration::from_millis(4));
    let (mut state, mut continued, mut again) = (0x5eed_u64, 0, 0);
    for kill in 0..KILLS {
        std::fs::remove_dir_all(folder.join("new")).unwrap();
        let mut child = command(&folder, &arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        std::thread::sleep(Duration::from_nanos(state % length.as_nanos() as u64));
        let _ = child.kill();
        child.wait().unwrap();
        if std::fs::exists(folder.join("new")).unwrap() {
            // It was done before.
            continue;
        }
        let done = run(&folder, &arguments);
        assert_eq!(done.code, 0, "kill {kill}: {done:?}");
        continued += u32::from(done.stderr.contains("are written already, in new.saving"));
        again += u32::from(done.stderr.contains("starting again"));
        assert_eq!(run(&folder, &["digest", "large.safetensors", "new"]).code, 0, "kill {kill}");
        assert!(!std::fs::exists(folder.join("new.saving")).unwrap());
    }
    println!("{continued} of {KILLS} continued, {again} started again");
}

#[test]
fn what_can_not_be_continued_is_started_again_and_said() {
    let folder = Folder::new();
    write_large(&folder);
    const LAYOUT: &str = "r=2: dim 0 over r by weights [1, 5]";
    // The second file is too large.
    let stop = || {
        let script =
            "trap '' XFSZ; ulimit -f 4096; exec \"$0\" convert large.safetensors new -l \"$1\"";
        let done = Command::new("bash")
            .args(["-c", script, COMMAND, LAYOUT])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(3));
    };
    let convert = |options: &[&str]| {
        let base = ["convert", "large.safetensors", "new", "-l"];
        let done = run(&folder, &[&base, options].concat());
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(run(&folder, &["digest", "large.safetensors", "new"]).code, 0);
        std::fs::remove_dir_all(folder.join("new")).unwrap();
        done.stderr
    };
    stop();
    assert!(convert(&[LAYOUT]).contains("are written already"));
    stop();
    assert!(convert(&["fsdp=3"]).contains("is of another conversion, or the source has changed"));
    stop();
    assert!(convert(&[LAYOUT, "--restart"]).contains("as --restart asks"));
    stop();
    // The same bytes, written anew.
    write_large(&folder);
    assert!(convert(&[LAYOUT]).contains("the source has changed"));
    stop();
    let arguments = ["convert", "large.safetensors", "new", "-l", LAYOUT, "--quiet"];
    let (code, value) = json(&folder, &arguments);
    assert_eq!((code, &value["started_again"]), (0, &false.into()));
    // A sixth of 6 MiB, in 85 of 512 rows of each tensor.
    assert!(value["bytes_written_before"].as_u64().unwrap() > 1_000_000, "{value}");
}

#[test]
fn two_commands_do_not_write_the_same_checkpoint() {
    let folder = Folder::new();
    write_model(&folder, "model");
    std::fs::create_dir(folder.join("new.saving")).unwrap();
    let lock = std::fs::File::open(folder.join("new.saving")).unwrap();
    lock.lock().unwrap();
    let done = run(&folder, &["convert", "model", "new"]);
    assert!(done.code == 3 && done.stderr.contains("another command writes"), "{done:?}");
    drop(lock);
    stdout(&folder, &["convert", "model", "new"]);
}
