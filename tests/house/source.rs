//! Reads a source file as far as the house's rules need it: its words, what it imports, what it names.

use std::fs;
use std::path::{Path, PathBuf};

/// One word or sign of a source file, and the line that it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// A path that a file mentions: `crate::memory::text` or `super::Shard`.
#[derive(Debug, Clone)]
pub struct Mention {
    /// The modules inside the file that it stands in, and then its segments. A last `*` is a glob.
    pub inside: Vec<String>,
    pub segments: Vec<String>,
    /// The name that it gets here, if it is a `use`.
    pub name: Option<String>,
    /// Whether it is only handed on, as `pub use` does.
    pub is_public: bool,
    pub line: usize,
}

/// What a file says, without its tests.
#[derive(Debug)]
pub struct Source {
    pub lines: usize,
    /// Paths in `use` declarations and elsewhere.
    pub mentions: Vec<Mention>,
    /// Types that it defines, each with its line.
    pub types: Vec<(String, usize)>,
    /// Child modules that are tests only.
    pub test_modules: Vec<String>,
    /// Types, paths, and functions and macros that are called, outside of `use` declarations.
    pub words: Vec<String>,
}

/// Every file below a folder, in order.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let mut files = Vec::new();
    for path in entries {
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files
}

/// The words and signs of a text, without comments, strings and characters.
pub fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let (mut index, mut line) = (0, 1);
    let mut found = Vec::new();
    while index < chars.len() {
        let start = index;
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        match at(index) {
            '/' if at(index + 1) == '/' => {
                while index < chars.len() && at(index) != '\n' {
                    index += 1;
                }
            }
            '/' if at(index + 1) == '*' => index = after_comment(&chars, index),
            '"' => index = after_string(&chars, index),
            '\'' => index = after_character(&chars, index),
            first if is_word(first) => {
                while is_word(at(index)) {
                    index += 1;
                }
                let word: String = chars[start..index].iter().collect();
                if matches!(word.as_str(), "r" | "br" | "cr") && matches!(at(index), '"' | '#') {
                    index = after_raw_string(&chars, index);
                } else {
                    found.push(Token { text: word, line });
                }
            }
            ':' if at(index + 1) == ':' => {
                found.push(Token { text: "::".into(), line });
                index += 2;
            }
            sign => {
                if !sign.is_whitespace() {
                    found.push(Token { text: sign.into(), line });
                }
                index += 1;
            }
        }
        line += chars[start..index].iter().filter(|character| **character == '\n').count();
    }
    found
}

fn after_comment(chars: &[char], start: usize) -> usize {
    let (mut index, mut depth) = (start + 2, 1);
    while depth > 0 && index < chars.len() {
        match &chars[index..chars.len().min(index + 2)] {
            ['/', '*'] => (index, depth) = (index + 2, depth + 1),
            ['*', '/'] => (index, depth) = (index + 2, depth - 1),
            _ => index += 1,
        }
    }
    index
}

fn after_string(chars: &[char], start: usize) -> usize {
    let mut index = start + 1;
    while index < chars.len() && chars[index] != '"' {
        index += if chars[index] == '\\' { 2 } else { 1 };
    }
    index + 1
}

fn after_raw_string(chars: &[char], start: usize) -> usize {
    let hashes = chars[start..].iter().take_while(|character| **character == '#').count();
    if chars.get(start + hashes) != Some(&'"') {
        // A raw name, as `r#type`.
        return start + hashes;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let rest = &chars[start + hashes + 1..];
    let length = rest.windows(end.len()).position(|window| window == end).unwrap_or(rest.len());
    start + hashes + 1 + length + end.len()
}

/// Behind a character, or behind the sign of a lifetime.
fn after_character(chars: &[char], start: usize) -> usize {
    if chars.get(start + 1) == Some(&'\\') {
        let rest = &chars[start + 3..];
        return start + 4 + rest.iter().position(|character| *character == '\'').unwrap_or(0);
    }
    if chars.get(start + 2) == Some(&'\'') { start + 3 } else { start + 1 }
}

impl Source {
    /// Reads a file.
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let tokens = tokens(&text);
        let mut source = Self {
            lines: text.lines().count(),
            mentions: Vec::new(),
            types: Vec::new(),
            test_modules: Vec::new(),
            words: Vec::new(),
        };
        Reader { tokens: &tokens, at: 0, inside: Vec::new(), source: &mut source }.read();
        source
    }
}

/// Goes through the tokens of a file once.
struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    /// The brackets that are open, innermost last: the module that a brace opens, or `None`.
    inside: Vec<Option<String>>,
    source: &'a mut Source,
}

impl Reader<'_> {
    fn text(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| token.text.as_str())
    }

    fn modules(&self) -> Vec<String> {
        self.inside.iter().flatten().cloned().collect()
    }

    fn read(mut self) {
        while let Some(token) = self.tokens.get(self.at) {
            match token.text.as_str() {
                "#" if self.text(1) == "[" => self.attribute(),
                "use" => self.declaration(),
                "mod" if self.text(2) == "{" => {
                    self.inside.push(Some(self.text(1).to_owned()));
                    self.at += 3;
                }
                "mod" if self.text(2) == ";" => self.at += 3,
                "{" => {
                    self.inside.push(None);
                    self.at += 1;
                }
                "}" => {
                    self.inside.pop();
                    self.at += 1;
                }
                _ => self.word(),
            }
        }
    }

    /// An attribute; what is only there in tests is left out.
    fn attribute(&mut self) {
        let start = self.at + 2;
        self.at += 1;
        self.skip_group();
        let words: Vec<_> = self.tokens[start..self.at].iter().map(|token| &*token.text).collect();
        let only_in_tests = words.starts_with(&["cfg", "(", "test", ")"])
            || words.starts_with(&["cfg", "(", "all", "(", "test"]);
        if only_in_tests {
            self.skip_item();
        }
    }

    /// Behind a group in brackets that starts here.
    fn skip_group(&mut self) {
        let mut depth = 0;
        while let Some(token) = self.tokens.get(self.at) {
            self.at += 1;
            match token.text.as_str() {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn skip_item(&mut self) {
        while !matches!(self.text(0), ";" | "{" | "") {
            match self.text(0) {
                "mod" if self.text(2) == ";" => {
                    let name = self.text(1).to_owned();
                    self.source.test_modules.push(name);
                    self.at += 1;
                }
                "use" => {
                    while !matches!(self.text(0), ";" | "") {
                        self.at += 1;
                    }
                }
                "(" | "[" => self.skip_group(),
                _ => self.at += 1,
            }
        }
        if self.text(0) == "{" { self.skip_group() } else { self.at += 1 }
    }

    /// A `use` declaration.
    fn declaration(&mut self) {
        let is_public =
            self.at > 0 && matches!(self.tokens[self.at - 1].text.as_str(), "pub" | ")");
        self.at += 1;
        self.tree(Vec::new(), is_public);
        self.at += 1;
    }

    /// A tree of imports below a path, up to what ends it.
    fn tree(&mut self, above: Vec<String>, is_public: bool) {
        let mut segments = above;
        loop {
            let line = self.tokens.get(self.at).map_or(0, |token| token.line);
            match self.text(0) {
                "::" => self.at += 1,
                "{" => {
                    self.at += 1;
                    while self.text(0) != "}" {
                        self.tree(segments.clone(), is_public);
                        if self.text(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                segment => {
                    let segment = segment.to_owned();
                    self.at += 1;
                    if segment != "self" || segments.is_empty() {
                        segments.push(segment);
                    }
                    if self.text(0) == "::" {
                        continue;
                    }
                    let mut name = segments.last().cloned();
                    if self.text(0) == "as" {
                        name = Some(self.text(1).to_owned());
                        self.at += 2;
                    }
                    let inside = self.modules();
                    self.source.mentions.push(Mention { inside, segments, name, is_public, line });
                    return;
                }
            }
        }
    }

    /// Whether one of these is before a token.
    fn is_after(&self, at: usize, before: &[&str]) -> bool {
        at > 0 && before.contains(&&*self.tokens[at - 1].text)
    }

    /// A word: the start of a path, the name of a type, or nothing of interest.
    fn word(&mut self) {
        let line = self.tokens[self.at].line;
        let word = self.text(0).to_owned();
        let is_item = self.inside.iter().all(Option::is_some);
        let defines = match word.as_str() {
            "struct" | "enum" | "trait" => true,
            "type" => is_item,
            "union" => matches!(self.text(2), "{" | "<"),
            _ => false,
        };
        if defines {
            self.source.types.push((self.text(1).to_owned(), line));
        }
        let start = self.at;
        let follows_path = self.is_after(start, &["::", "in"]);
        let mut segments = vec![word];
        self.at += 1;
        while self.text(0) == "::" && self.text(1).starts_with(|c: char| c.is_alphabetic()) {
            segments.push(self.text(1).to_owned());
            self.at += 2;
        }
        let is_method = self.is_after(start, &[".", "fn"]);
        let is_used = |name: &String| name.starts_with(|first: char| first.is_uppercase());
        if segments.len() > 1 || matches!(self.text(0), "(" | "!") && !is_method {
            self.source.words.extend(segments.iter().cloned());
        } else {
            self.source.words.extend(segments.iter().filter(|name| is_used(name)).cloned());
        }
        if segments.len() > 1 && !follows_path {
            let (inside, name) = (self.modules(), None);
            self.source.mentions.push(Mention { inside, segments, name, is_public: false, line });
        }
    }
}
