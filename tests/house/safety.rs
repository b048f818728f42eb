//! `SAFETY:` comments: what makes one an argument about the code below it.
//!
//! An argument names the values that it is about, and where it rests on a contract, the function, type or
//! macro that states this contract in a section `# Safety`. Names are in backquotes, as in the docs of
//! Rust. So an argument that was true of other code is found out when a name in it no longer exists.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::tokens;

/// The least words of an argument.
const MIN_WORDS: usize = 8;

/// The most places at which the same words may stand.
const MAX_TWINS: usize = 3;

/// Words of an argument that rests on what another function states.
const CONTRACT_WORDS: &[&str] =
    &["contract", "contracts", "promise", "promises", "caller", "caller's"];

/// A `SAFETY:` comment, and the unsafe code that it is about.
#[derive(Debug)]
pub struct Argument {
    pub line: usize,
    pub text: String,
    /// Words of the statement that follows, up to the end of its unsafe block.
    code: BTreeSet<String>,
}

/// The part of a file that is no test.
fn without_tests(text: &str) -> &str {
    text.find("mod tests {").map_or(text, |end| &text[..end])
}

/// The arguments of a file.
pub fn arguments(text: &str) -> Vec<Argument> {
    let lines: Vec<&str> = without_tests(text).lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(first) = line.strip_prefix("// SAFETY:") else { continue };
        let more: Vec<&str> = lines[at + 1..]
            .iter()
            .map_while(|line| line.strip_prefix("//"))
            .take_while(|line| !line.trim_start().starts_with("SAFETY:"))
            .collect();
        let code = lines[at + 1 + more.len()..].join("\n");
        let words: Vec<&str> =
            std::iter::once(first).chain(more).flat_map(str::split_whitespace).collect();
        found.push(Argument { line: at + 1, text: words.join(" "), code: unsafe_code(&code) });
    }
    found
}

/// The words from the start of a text to the end of its first unsafe block, or to the start of the body of an
/// unsafe implementation.
fn unsafe_code(text: &str) -> BTreeSet<String> {
    let (mut words, mut depth, mut is_unsafe, mut is_impl) = (BTreeSet::new(), 0, false, false);
    for token in tokens(text) {
        match token.text.as_str() {
            "unsafe" => is_unsafe = true,
            "impl" if is_unsafe && depth == 0 => is_impl = true,
            "{" if is_impl => break,
            "{" if is_unsafe => depth += 1,
            "}" if is_unsafe => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            _ => {}
        }
        words.insert(token.text);
    }
    words
}

/// The functions, traits, types and macros of a file whose docs have a section `# Safety`.
pub fn contracts(text: &str) -> Vec<String> {
    const KINDS: &[&str] = &["fn", "trait", "struct", "macro_rules"];
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| **line == "/// # Safety") {
        let is_before = |line: &&&str| line.starts_with("///") || line.starts_with("#[");
        let Some(item) = lines[at..].iter().find(|line| !is_before(line)) else { continue };
        let words: Vec<String> = tokens(item).into_iter().map(|token| token.text).collect();
        let kind = words.iter().position(|word| KINDS.contains(&word.as_str()));
        // A kernel that is compiled for several levels begins with its name.
        let name = words[kind.map_or(0, |kind| kind + 1)..].iter().find(|word| is_name(word));
        found.extend(name.cloned());
    }
    found
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// The identifiers in backquotes.
fn names(text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let split = |part: &str| -> Vec<String> {
        let words = part.split(|sign: char| !sign.is_alphanumeric() && sign != '_');
        words.filter(|word| is_name(word)).map(str::to_owned).collect()
    };
    quoted.flat_map(split).collect()
}

/// What an argument lacks; `None`: nothing. `words` are those of the whole crate, and `stated` the names with a
/// section `# Safety`.
pub fn lack(
    argument: &Argument, words: &BTreeSet<String>, stated: &BTreeSet<String>,
) -> Option<String> {
    let (text, names) = (&argument.text, names(&argument.text));
    if text.split_whitespace().count() < MIN_WORDS {
        return Some("is too short to say why".into());
    }
    if !names.iter().any(|name| argument.code.contains(name)) {
        return Some("names no value of its unsafe code in backquotes".into());
    }
    if let Some(name) = names.iter().find(|name| !words.contains(*name)) {
        return Some(format!("names `{name}`, which is nowhere in the crate"));
    }
    let is_of_contract = |word: &str| {
        CONTRACT_WORDS.contains(&word.trim_matches(|sign: char| ".,:;()".contains(sign)))
    };
    if text.split_whitespace().any(is_of_contract)
        && !names.iter().any(|name| stated.contains(name))
    {
        return Some("rests on a contract and does not name who states it under `# Safety`".into());
    }
    None
}

/// Arguments whose words stand at too many places, with these.
pub fn twins<'a>(
    all: impl IntoIterator<Item = (&'a str, &'a Argument)>,
) -> Vec<(String, &'a Argument)> {
    let mut places: BTreeMap<&str, Vec<(&str, &Argument)>> = BTreeMap::new();
    for (file, argument) in all {
        places.entry(&argument.text).or_default().push((file, argument));
    }
    let many = places.into_values().filter(|places| places.len() > MAX_TWINS);
    many.flatten().map(|(file, argument)| (file.to_owned(), argument)).collect()
}

#[test]
fn an_argument_that_argues_nothing_is_refused() {
    let stated = BTreeSet::from(["read".to_owned()]);
    let words: BTreeSet<String> =
        tokens("fn read place from len").into_iter().map(|token| token.text).collect();
    let lack_of = |comment: &str| {
        let text = format!("// SAFETY: {comment}\nlet byte = unsafe {{ read(place) }};\nfrom();");
        let found = arguments(&text);
        assert_eq!(found.len(), 1, "{comment}");
        lack(&found[0], &words, &stated)
    };
    for (comment, why) in [
        ("as above.", "too short"),
        ("the caller's promise about `place`.", "too short"),
        ("it is fine, because all of this was checked some time before.", "names no value"),
        ("`from` is read and not written, and it is long enough here.", "names no value"),
        ("`place` is what `open_place` found, which is long enough for it.", "nowhere"),
        ("the caller promises that `place` may be read, so we read it here.", "# Safety"),
    ] {
        let found = lack_of(comment).unwrap_or_else(|| panic!("'{comment}' passes"));
        assert!(found.contains(why), "'{comment}': {found}");
    }
    for comment in [
        "the contract of `read` is that one byte may be read at `place`.",
        "`place` is a byte of the array above,\n// which is borrowed until the end of this block.",
    ] {
        assert_eq!(lack_of(comment), None, "{comment}");
    }
}

#[test]
fn arguments_are_read_with_the_code_that_they_are_about() {
    let text = "
        /// # Safety
        ///
        /// It may be read.
        #[inline]
        pub(super) unsafe fn first<T>(at: *const T) {}
        // SAFETY: one
        // two
        // SAFETY: three
        unsafe impl<T> Send for Stack<T> { body }
        // SAFETY: four
        let x = f(|| unsafe { { a } b }, after);
        #[cfg(test)]\nmod tests {
        // SAFETY: five
        }";
    let text: String = text.lines().map(|line| format!("{}\n", line.trim_start())).collect();
    let found = arguments(&text);
    let texts: Vec<&str> = found.iter().map(|argument| argument.text.as_str()).collect();
    assert_eq!(texts, ["one two", "three", "four"]);
    assert!(found[1].code.contains("Stack") && !found[1].code.contains("body"));
    assert!(found[2].code.contains("b") && !found[2].code.contains("after"));
    assert_eq!(contracts(&text), ["first"]);
}
