//! The build writes `include/shardspec.h` and what else describes the C ABI from its own reading of
//! `src/ffi`. Here cbindgen reads the same files, and has to find the same declarations.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What the header has from the build alone: see `abi/macros.rs`.
const MACROS_OF_THE_BUILD: [&str; 5] = [
    "SHARDSPEC_VERSION",
    "SHARDSPEC_VERSION_MAJOR",
    "SHARDSPEC_VERSION_MINOR",
    "SHARDSPEC_VERSION_PATCH",
    "SHARDSPEC_H",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files with exports.
fn sources() -> Vec<PathBuf> {
    let folder = root().join("src/ffi");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "rs")).collect();
    files.push(root().join("src/error/status.rs"));
    files.sort();
    files
}

/// The declarations that cbindgen writes.
fn by_cbindgen() -> String {
    let config = cbindgen::Config::from_file(root().join("cbindgen.toml")).unwrap();
    let builder = cbindgen::Builder::new().with_config(config);
    let builder = sources().into_iter().fold(builder, |builder, file| builder.with_src(file));
    let mut bytes = Vec::new();
    builder.generate().unwrap().write(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

fn by_the_build(file: &str) -> String {
    fs::read_to_string(root().join("include").join(file)).unwrap()
}

/// A text without comments.
fn without_comments(text: &str) -> String {
    let mut rest = text;
    let mut code = String::new();
    while let Some((before, after)) = rest.split_once("/*") {
        code.push_str(before);
        rest = after.split_once("*/").unwrap().1;
    }
    code + rest
}

/// The statements of a header, each as its tokens with one space between them.
fn statements(header: &str) -> BTreeSet<String> {
    let code = without_comments(header);
    let lines = code.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut statements = BTreeSet::new();
    let (mut tokens, mut depth) = (Vec::<String>::new(), 0);
    for character in lines.flat_map(|line| line.chars().chain(['\n'])) {
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        match character {
            _ if is_word(character) => match tokens.last_mut() {
                Some(word) if word.chars().all(is_word) => word.push(character),
                _ => tokens.push(character.into()),
            },
            // A word ends.
            _ if character.is_whitespace() => tokens.push(" ".into()),
            ';' if depth == 0 => {
                tokens.retain(|token| token != " ");
                statements.insert(std::mem::take(&mut tokens).join(" "));
            }
            _ => {
                depth += i32::from(character == '{') - i32::from(character == '}');
                tokens.push(character.into());
            }
        }
    }
    statements
}

/// A struct is declared by its typedef in one header, and by its tag in the other.
fn is_struct(statement: &str) -> bool {
    statement.starts_with("typedef struct") || statement.starts_with("struct ")
}

/// The fields of each struct that has some.
fn structs(header: &str) -> BTreeMap<String, String> {
    let bodies = statements(header).into_iter().filter(|one| is_struct(one) && one.contains('{'));
    let of = |statement: String| {
        let (start, rest) = statement.split_once(" { ").unwrap();
        let (fields, end) = rest.rsplit_once('}').unwrap();
        let tag = start.rsplit(' ').next().unwrap();
        // Without a tag, its name follows its fields.
        let name = if tag == "struct" { end.trim() } else { tag };
        (name.to_owned(), fields.trim().to_owned())
    };
    bodies.map(of).collect()
}

/// The constants of a header that are numbers.
fn constants(header: &str) -> BTreeMap<String, i64> {
    let number = |value: &str| match value.trim_matches(['(', ')']) {
        "UINT32_MAX" => Some(i64::from(u32::MAX)),
        digits => digits.trim_end_matches(['u', 'U']).parse().ok(),
    };
    let lines = header.lines().filter_map(|line| line.strip_prefix("#define "));
    let pairs = lines.filter_map(|line| line.split_once(' '));
    pairs.filter_map(|(name, value)| Some((name.to_owned(), number(value.trim())?))).collect()
}

#[test]
fn cbindgen_declares_the_same_functions_and_callbacks() {
    let functions = |header: &str| -> BTreeSet<String> {
        // Where there is no preprocessor, constants are those of an enum.
        let is_constant = |one: &String| one.starts_with("enum ");
        statements(header).into_iter().filter(|one| !is_struct(one) && !is_constant(one)).collect()
    };
    let (theirs, ours) = (functions(&by_cbindgen()), functions(&by_the_build("shardspec.cdef.h")));
    assert!(ours.len() > 150, "{}", ours.len());
    assert_eq!(ours.difference(&theirs).collect::<Vec<_>>(), [""; 0], "by the build alone");
    assert_eq!(theirs.difference(&ours).collect::<Vec<_>>(), [""; 0], "by cbindgen alone");
}

#[test]
fn cbindgen_declares_the_same_fields_of_structs() {
    // Lengths of arrays are constants by name in one header, and numbers in the other.
    let named = by_cbindgen();
    let capacity = constants(&named)["SHARDSPEC_MESSAGE_CAPACITY"].to_string();
    let theirs = structs(&named.replace("[SHARDSPEC_MESSAGE_CAPACITY]", &format!("[{capacity}]")));
    let ours = structs(&by_the_build("shardspec.cdef.h"));
    assert!(ours.len() > 20, "{}", ours.len());
    assert_eq!(ours, theirs);
}

#[test]
fn cbindgen_declares_the_same_constants() {
    let theirs = constants(&by_cbindgen());
    let mut ours = constants(&by_the_build("shardspec.h"));
    ours.retain(|name, _| !MACROS_OF_THE_BUILD.contains(&name.as_str()));
    assert!(ours.len() > 100, "{}", ours.len());
    assert_eq!(ours, theirs);
}
