//! Rewrites Rust files so that they have every change of a kind of mutation tests, of which at most one is in effect.
//!
//! `rewrite LIST DROPPED FROM TO FILE...` reads each `FILE` of the folder `FROM`, and writes it to the folder `TO`.
//! `LIST` gets a line for each change: its number, and its key. A key names a change as long as its line stays the
//! same, wherever that moves: file, function, text of the line, the change. Keys in `DROPPED` are left out.

mod changes;
mod values;

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use changes::{Change, Insertion};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [list, dropped, from, to, files @ ..] = arguments.as_slice() else {
        return Err("usage: rewrite LIST DROPPED FROM TO FILE...".into());
    };
    let dropped = fs::read_to_string(dropped).unwrap_or_default();
    let dropped: HashSet<&str> = dropped.lines().collect();
    let mut number = 0;
    let mut lines = String::new();
    for file in files {
        let text = fs::read_to_string(Path::new(from).join(file))?;
        let syntax = syn::parse_file(&text).map_err(|error| format!("{file}: {error}"))?;
        let mut seen = HashMap::<String, u32>::new();
        let insertions = changes::of_file(&text, &syntax, |change: &Change| {
            let mut key = key(file, &text, change);
            let times = seen.entry(key.clone()).or_default();
            *times += 1;
            if *times > 1 {
                let _ = write!(key, " (number {times})");
            }
            if dropped.contains(key.as_str()) {
                return None;
            }
            number += 1;
            let line = text[..change.at].lines().count().max(1);
            let _ = writeln!(lines, "{number}\t{line}\t{key}");
            Some(number)
        });
        write_if_changed(&Path::new(to).join(file), &rewritten(&text, insertions))?;
    }
    fs::write(list, lines)?;
    Ok(())
}

fn key(file: &str, text: &str, change: &Change) -> String {
    let start = text[..change.at].rfind('\n').map_or(0, |end| end + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    format!("{file}\t{}\t{}\t{}", change.function, line.trim(), change.what)
}

/// The text with all insertions. What ends at a place comes before what starts there; of two that end there, the
/// inner one first, which was found later.
fn rewritten(text: &str, mut insertions: Vec<Insertion>) -> String {
    insertions.sort_by_key(|one| {
        let order = one.order as i64;
        (one.at, one.starts, if one.starts { order } else { -order })
    });
    let (mut whole, mut done) = (String::new(), 0);
    for one in insertions {
        whole.push_str(&text[done..one.at]);
        whole.push_str(&one.text);
        done = one.at;
    }
    whole.push_str(&text[done..]);
    whole
}

/// A file that stays as it was is not compiled again.
fn write_if_changed(path: &Path, text: &str) -> std::io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}
