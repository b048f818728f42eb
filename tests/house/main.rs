//! The house's rules: which folder may use which, no circles of files, one name for one type, short
//! files, no persons in comments, arguments for unsafe code. Each failure says what to do.
//!
//! The lists of known exceptions may only get shorter: an entry that is no longer needed is a failure.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

mod graph;
mod safety;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use graph::{Crate, top};

/// Who may use whom, from the bottom up. `ffi` may use all.
const MAY_USE: &[(&str, &[&str])] = &[
    ("concurrency", &[]),
    ("memory", &["concurrency"]),
    ("declared", &[]),
    ("unwind", &["declared", "memory"]),
    ("sync", &["concurrency", "declared", "memory", "unwind"]),
    ("geometry", &["memory", "sync"]),
    ("error", &["geometry", "memory"]),
    ("model", &["geometry", "error", "memory", "sync", "unwind"]),
    ("notation", &["model", "geometry", "error", "memory"]),
    ("plan", &["model", "geometry", "error", "memory", "sync", "unwind"]),
    ("draw", &["plan", "model", "geometry", "error", "memory", "sync"]),
    ("host", &["geometry", "memory", "sync", "unwind"]),
    ("interchange", &["host", "plan", "model", "geometry", "error", "memory"]),
    ("transfer", &["host", "plan", "model", "geometry", "error", "memory", "sync", "unwind"]),
    (
        "comm",
        &[
            "transfer",
            "host",
            "plan",
            "model",
            "geometry",
            "error",
            "memory",
            "sync",
            "unwind",
            "declared",
            "concurrency",
        ],
    ),
    ("ops", &["concurrency", "transfer", "model", "geometry", "error", "memory", "sync", "unwind"]),
    (
        "files",
        &[
            "interchange",
            "transfer",
            "host",
            "plan",
            "model",
            "geometry",
            "error",
            "memory",
            "sync",
            "unwind",
            "declared",
        ],
    ),
    (
        "collective_io",
        &["files", "comm", "transfer", "plan", "model", "geometry", "error", "memory"],
    ),
];

/// What of `sync` `geometry` may use.
const SYNC_IN_GEOMETRY: &[&str] = &["sync/lazy.rs", "sync/seed.rs"];

/// Where the crate's error is, which is any of the layers' errors: all that it uses of a layer.
const SUM_OF_ERRORS: &str = "error/mod.rs";

/// Whether a file may use another.
fn may_use(file: &str, used: &str) -> bool {
    match (top(file), top(used)) {
        ("ffi" | "lib", _) => true,
        (own, other) if own == other => true,
        ("geometry", "sync") => SYNC_IN_GEOMETRY.contains(&used),
        (_, other) if file == SUM_OF_ERRORS && used == format!("{other}/error.rs") => true,
        (own, other) => MAY_USE.iter().any(|(name, below)| *name == own && below.contains(&other)),
    }
}

/// The most lines of a file.
const MAX_LINES: usize = 400;

/// Imports that go upward, as `(file, what it uses)`.
const KNOWN_UPWARD: &[(&str, &str)] = &[];

/// Files in circles.
const KNOWN_IN_CIRCLES: &[&str] = &[];

/// Names of types that there are twice.
const KNOWN_TWICE: &[&str] = &[];

/// Files that are too long.
const KNOWN_LONG: &[&str] = &[];

/// Words that make a person of a value, a function or a file.
const PERSONS: &[&str] =
    &["told", "whoever", "wants", "nobody", "somebody", "anybody", "everybody"];

/// Files whose comments have such words.
const KNOWN_PERSONS: &[&str] = &[];

/// `SAFETY:` comments that argue nothing, as `file:line`.
const KNOWN_EMPTY_ARGUMENTS: &[&str] = &[];

/// Folders and files without unsafe code. Whatever bug they have, it corrupts no memory.
const WITHOUT_UNSAFE: &[&str] = &[
    "concurrency",
    "declared",
    "draw",
    "error",
    "geometry",
    "interchange",
    "lib",
    "model",
    "notation",
    "ops",
    "plan",
];

/// The folder of the crate.
static SRC: LazyLock<PathBuf> = LazyLock::new(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));

/// The crate, read once.
static CRATE: LazyLock<Crate> = LazyLock::new(|| Crate::read(&SRC));

/// Compares what was found with what is known, and fails with what to do about the difference.
fn check<T: Ord + Copy + std::fmt::Debug>(
    rule: &str, found: BTreeMap<T, String>, known: &[T], remedy: &str,
) {
    let new: Vec<_> = found.iter().filter(|(key, _)| !known.contains(key)).collect();
    let gone: Vec<_> = known.iter().filter(|key| !found.contains_key(key)).collect();
    let mut report = String::new();
    for (_, what) in &new {
        writeln!(report, "  {what}").unwrap();
    }
    if !new.is_empty() {
        writeln!(report, "{remedy}").unwrap();
    }
    for key in &gone {
        writeln!(report, "  {key:?} is right now: take it off the list in tests/house/main.rs")
            .unwrap();
    }
    println!("{rule}: {} known exceptions", known.len());
    assert!(report.is_empty(), "{rule}:\n{report}");
}

#[test]
fn folders_use_only_what_is_below_them() {
    let all = &*CRATE;
    let mut found = BTreeMap::new();
    for (file, uses) in &all.uses {
        for (used, line) in uses.iter().filter(|(used, _)| !may_use(file, used)) {
            let what = format!("src/{file}:{line} uses src/{used}");
            found.insert((file.as_str(), used.as_str()), what);
        }
    }
    let remedy = "Move what is used into a folder below both, or hand it down as an argument; \
                  MAY_USE in tests/house/main.rs says who may use whom.";
    check("imports go downward only", found, KNOWN_UPWARD, remedy);
}

#[test]
fn every_top_folder_has_its_place() {
    let all = &*CRATE;
    let placed: BTreeSet<_> = MAY_USE.iter().map(|(name, _)| *name).chain(["ffi", "lib"]).collect();
    let tops: BTreeSet<_> = all.files.keys().map(|file| top(file)).collect();
    assert_eq!(tops, placed, "say in MAY_USE in tests/house/main.rs what a new folder may use");
}

#[test]
fn no_files_of_a_folder_use_each_other_in_a_circle() {
    let all = &*CRATE;
    let circles = all.circles();
    let mut found = BTreeMap::new();
    for circle in &circles {
        for file in circle {
            let mut what = format!("src/{file} is in a circle:");
            for (used, line) in all.uses[file].iter().filter(|(used, _)| circle.contains(*used)) {
                write!(what, " line {line} uses src/{used};").unwrap();
            }
            found.insert(file.as_str(), what);
        }
    }
    let remedy = "Put what both need into a file of its own that neither is used by, or let the \
                  upper one call the lower one only. A `mod.rs` that its children import from holds \
                  that in a child, and only hands names on.";
    check("no circles of files", found, KNOWN_IN_CIRCLES, remedy);
}

#[test]
fn no_two_types_have_the_same_name() {
    let all = &*CRATE;
    let mut places: BTreeMap<&str, BTreeSet<(&str, usize)>> = BTreeMap::new();
    for (file, source) in &all.files {
        for (name, line) in &source.types {
            // Of one file, only one is compiled: they are for different targets.
            let places = places.entry(name).or_default();
            if !places.iter().any(|(other, _)| other == file) {
                places.insert((file, *line));
            }
        }
    }
    places.retain(|_, places| places.len() > 1);
    let found = places
        .iter()
        .map(|(name, places)| {
            let places: Vec<_> =
                places.iter().map(|(file, line)| format!("src/{file}:{line}")).collect();
            (*name, format!("{name} is defined at {}", places.join(" and ")))
        })
        .collect();
    let remedy = "Give one of them a name that says how it differs.";
    check("no two types have the same name", found, KNOWN_TWICE, remedy);
}

#[test]
fn no_file_is_too_long() {
    let all = &*CRATE;
    let found = all
        .files
        .iter()
        .filter(|(_, source)| source.lines > MAX_LINES)
        .map(|(file, source)| {
            (file.as_str(), format!("src/{file} has {} lines, more than {MAX_LINES}", source.lines))
        })
        .collect();
    let remedy = "Find the second thing that the file is about, and give it a file.";
    check("files are short", found, KNOWN_LONG, remedy);
}

#[test]
fn comments_have_no_persons() {
    let mut found = BTreeMap::new();
    for file in CRATE.files.keys() {
        let text = std::fs::read_to_string(SRC.join(file)).unwrap();
        for (number, line) in text.lines().enumerate() {
            let Some((_, comment)) = line.split_once("//") else { continue };
            let mut words = comment.split(|sign: char| !sign.is_alphabetic());
            let is_person = |word: &str| PERSONS.contains(&word.to_lowercase().as_str());
            if let Some(word) = words.find(|word| is_person(word)) {
                let what = format!("src/{file}:{} says '{word}'", number + 1);
                found.entry(file.as_str()).or_insert(what);
            }
        }
    }
    let remedy = "Make the function, the library or the caller the subject, with a verb of what it \
                  does: returns, requires, refuses.";
    check("comments have no persons", found, KNOWN_PERSONS, remedy);
}

#[test]
fn every_safety_comment_is_an_argument() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = CRATE.files.keys().map(|file| SRC.join(file));
    let texts: BTreeMap<PathBuf, String> = own
        .chain(source::files_below(&root.join("fuzz/src")))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path.strip_prefix(root).unwrap().to_owned(), text)
        })
        .collect();
    let words: BTreeSet<String> =
        texts.values().flat_map(|text| source::tokens(text)).map(|token| token.text).collect();
    let stated: BTreeSet<String> =
        texts.values().flat_map(|text| safety::contracts(text)).collect();
    let arguments: Vec<(&str, safety::Argument)> = texts
        .iter()
        .map(|(file, text)| (file.to_str().unwrap(), text))
        .flat_map(|(file, text)| safety::arguments(text).into_iter().map(move |one| (file, one)))
        .collect();
    let mut found = BTreeMap::new();
    for (file, argument) in &arguments {
        if let Some(lack) = safety::lack(argument, &words, &stated) {
            let place = format!("{file}:{}", argument.line);
            found.insert(place.clone(), format!("{place} {lack}: {}", argument.text));
        }
    }
    for (file, argument) in safety::twins(arguments.iter().map(|(file, one)| (*file, one))) {
        let place = format!("{file}:{}", argument.line);
        found.insert(place.clone(), format!("{place} stands at many places: {}", argument.text));
    }
    let found = found.iter().map(|(place, what)| (place.as_str(), what.clone())).collect();
    let remedy = "Say in 8 words or more why the code is sound: which values (in backquotes), and whose \
                  contract, where it rests on one (the name of what has the section `# Safety`, in \
                  backquotes).";
    check("every SAFETY: comment is an argument", found, KNOWN_EMPTY_ARGUMENTS, remedy);
    println!("{} arguments, {} contracts", arguments.len(), stated.len());
}

#[test]
fn folders_without_unsafe_code_stay_so() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for file in CRATE.files.keys() {
        let text = std::fs::read_to_string(SRC.join(file)).unwrap();
        let words = source::tokens(&text);
        *counts.entry(top(file)).or_default() +=
            words.iter().filter(|token| token.text == "unsafe").count();
    }
    let without: Vec<&str> =
        counts.iter().filter(|(_, count)| **count == 0).map(|(folder, _)| *folder).collect();
    assert_eq!(
        without, WITHOUT_UNSAFE,
        "these have no `unsafe` now, those should: move unsafe code into a folder that has some, or \
         change WITHOUT_UNSAFE in tests/house/main.rs"
    );
}

/// The rules hold for what the reader sees: this is what it sees.
#[test]
fn the_reader_sees_paths_and_types_and_no_strings_or_comments() {
    let text = r##"
        use a::{self, b::C, d as e}; // use x;
        /* struct Not; /* nested */ */
        pub use crate::f::G;
        #[cfg(test)] mod tests { use super::*; struct InTests; }
        const TEXT: &str = r#"use y; struct No;"#;
        const SIGN: char = '\'';
        struct Here<'a>(&'a u8);
        mod inner { pub enum There { A } }
        impl T for Here<'_> { type Item = u8; }
        fn run() { crate::h::go(' '); }
    "##;
    let file = std::env::temp_dir().join(format!("house-{}.rs", std::process::id()));
    std::fs::write(&file, text).unwrap();
    let source = source::Source::read(&file);
    std::fs::remove_file(&file).unwrap();
    let paths: Vec<_> = source.mentions.iter().map(|mention| mention.segments.join("::")).collect();
    assert_eq!(paths, ["a", "a::b::C", "a::d", "crate::f::G", "crate::h::go"]);
    assert_eq!(source.mentions[2].name.as_deref(), Some("e"));
    assert!(source.mentions[3].is_public && !source.mentions[0].is_public);
    let types: Vec<_> = source.types.iter().map(|(name, line)| (name.as_str(), *line)).collect();
    assert_eq!(types, [("Here", 8), ("There", 9)]);
}
