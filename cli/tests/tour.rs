//! The tour of the guide, run block by block: each block of `sh` prints the block of `text` behind it.
//!
//! `TOUR_UPDATE=1 cargo test --package shardspec-cli --test tour` writes what is printed into the page.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use common::{COMMAND, Folder};

/// Runs the text of a block. What it prints, and a line with the exit code if that is not 0.
fn printed(folder: &Folder, text: &str) -> String {
    let directory = Path::new(COMMAND).parent().unwrap();
    let path = format!("{}:{}", directory.display(), std::env::var("PATH").unwrap());
    let script = format!("exec 2>&1\n{text}\ncode=$?; test $code = 0 || echo \"exit code $code\"");
    let done = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env("PATH", path)
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    assert!(done.status.success());
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn every_block_of_the_tour_prints_what_the_page_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = root.join("docs/command.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let folder = Folder::new();
    std::os::unix::fs::symlink(root.join("examples"), folder.join("examples")).unwrap();
    let (mut made, mut rest, mut blocks) = (String::new(), text.as_str(), 0);
    let mut expected: Option<String> = None;
    while let Some(start) = rest.find("```") {
        let (before, behind) = rest.split_at(start);
        made.push_str(before);
        let (language, behind) = behind[3..].split_once('\n').unwrap();
        let (body, behind) = behind.split_once("```").unwrap();
        match language {
            "sh command" => {
                assert!(
                    expected.as_deref().is_none_or(str::is_empty),
                    "{expected:?} is not on the page"
                );
                expected = Some(printed(&folder, body));
                write!(made, "```{language}\n{body}```").unwrap();
                blocks += 1;
            }
            "text command" => {
                let own = expected.take().unwrap();
                write!(made, "```{language}\n{own}```").unwrap();
            }
            _ => write!(made, "```{language}\n{body}```").unwrap(),
        }
        rest = behind;
    }
    made.push_str(rest);
    assert!(expected.unwrap_or_default().is_empty() && blocks > 10);
    if std::env::var_os("TOUR_UPDATE").is_some() {
        std::fs::write(&page, made).unwrap();
        return;
    }
    for (made, written) in made.lines().zip(text.lines()) {
        assert_eq!(made, written);
    }
    assert_eq!(made, text);
}
