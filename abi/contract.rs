//! The contract at the end of a function's comment: lines such as `Blocks: no.`.

use std::error::Error;

/// The labels of a contract, in the order in which they stand.
const LABELS: &[&str] = &[
    "Memory",
    "Time",
    "Ownership",
    "Calls back",
    "Blocks",
    "Errors",
    "Threads",
    "Source",
    "Since",
];
/// Those that every function has.
const REQUIRED: &[&str] = &["Ownership", "Calls back", "Blocks", "Errors", "Threads", "Since"];

/// Functions of the user's, by their names in the header, and what each counts as. Whatever gives
/// something back counts as `destroy`.
const CALLBACKS: &[(&str, &str)] = &[
    ("abort", "abort"),
    ("build_metadata", "build_metadata"),
    ("deleter", "destroy"),
    ("destroy", "destroy"),
    ("enter", "enter"),
    ("equal", "equal"),
    ("exchange", "exchange"),
    ("fill_shard", "fill_shard"),
    ("function", "function"),
    ("hash", "hash"),
    ("leave", "leave"),
    ("node", "node"),
    ("progress", "progress"),
    ("release", "destroy"),
    ("start", "start"),
    ("test", "test"),
    ("wait", "wait"),
];

/// What a function may wait for: how its comment says so, and the name in `src/declared.rs`.
const WAITS: &[(&str, &str)] =
    &[("other ranks", "OtherRanks"), ("other threads", "OtherThreads"), ("disk", "Disk")];

/// The condition of calls of `destroy` that a program with one thread never sees.
const IF_FREED: &str = "if another thread frees a handle during the call";

/// A comment, taken apart.
#[derive(Debug, Default)]
pub struct Contract {
    /// What comes before the contract.
    pub text: Vec<String>,
    /// Label and text of each line.
    pub lines: Vec<(&'static str, String)>,
}

impl Contract {
    /// Of the lines of a function's comment.
    pub fn of(name: &str, comment: &[String]) -> Result<Self, Box<dyn Error>> {
        let mut contract = Self::default();
        for line in comment {
            let label = LABELS.iter().find(|label| {
                line.strip_prefix(**label).is_some_and(|rest| rest.starts_with(": "))
            });
            match (label, contract.lines.last_mut()) {
                (Some(label), _) => {
                    let text = line.get(label.len() + 2..).unwrap_or_default();
                    contract.lines.push((label, text.to_owned()));
                }
                (None, None) => contract.text.push(line.clone()),
                (None, Some((_, text))) => {
                    text.push(' ');
                    text.push_str(line);
                }
            }
        }
        let order: Vec<_> = contract
            .lines
            .iter()
            .filter_map(|(label, _)| LABELS.iter().position(|known| known == label))
            .collect();
        if !order.is_sorted() {
            return Err(format!(
                "{name}: its comment ends with lines in another order than {LABELS:?}"
            )
            .into());
        }
        match REQUIRED.iter().find(|label| contract.line(label).is_none()) {
            Some(label) => {
                Err(format!("{name}: its comment has no line that begins with '{label}: '").into())
            }
            None => Ok(contract),
        }
    }

    /// The text of a line.
    pub fn line(&self, label: &str) -> Option<&str> {
        self.lines.iter().find(|(known, _)| *known == label).map(|(_, text)| text.as_str())
    }

    /// The callbacks that the function may call, by their names in the header.
    pub fn calls_back(&self, name: &str) -> Result<Vec<&'static str>, Box<dyn Error>> {
        let text = self.line("Calls back").unwrap_or_default();
        let found: Vec<_> = CALLBACKS
            .iter()
            .map(|(callback, _)| *callback)
            .filter(|callback| text.contains(&format!("`{callback}`")))
            .collect();
        if found.is_empty() != (text == "no.") {
            let known: Vec<_> = CALLBACKS.iter().map(|(callback, _)| *callback).collect();
            return Err(format!(
                "{name}: its line 'Calls back: {text}' is neither 'no.' nor names callbacks in backquotes, \
                 some of {known:?}"
            )
            .into());
        }
        Ok(found)
    }

    /// Whether all calls back happen only if another thread frees a handle meanwhile.
    pub fn calls_back_only_if_freed(&self) -> bool {
        self.line("Calls back") == Some(&format!("`destroy`, {IF_FREED}."))
    }

    /// What the function may wait for: words of the comment, and names in `src/declared.rs`.
    pub fn blocks(&self, name: &str) -> Result<Vec<(&'static str, &'static str)>, Box<dyn Error>> {
        let text = self.line("Blocks").unwrap_or_default();
        let found: Vec<_> =
            WAITS.iter().filter(|(words, _)| text.contains(words)).copied().collect();
        if found.is_empty() != (text == "no.") {
            let known: Vec<_> = WAITS.iter().map(|(words, _)| *words).collect();
            return Err(format!(
                "{name}: its line 'Blocks: {text}' is neither 'no.' nor has some of {known:?}"
            )
            .into());
        }
        Ok(found)
    }
}

/// What a callback counts as in `src/declared.rs`.
pub fn kind_of(callback: &str) -> &'static str {
    CALLBACKS.iter().find(|(known, _)| *known == callback).map_or("", |(_, kind)| kind)
}
