//! The lexer of all notations: words, numbers, signs and quoted names, with their positions.

use super::{Notation, NotationError};
use crate::error::{Error, Result};
use crate::geometry::MAX_NDIM;
use crate::memory::{Shown, Text, text};

/// A text that is read from its start to its end, once.
pub(super) struct Lexer<'a> {
    notation: Notation,
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(notation: Notation, text: &'a str) -> Self {
        let mut lexer = Self { notation, text, at: 0 };
        lexer.skip_space();
        lexer
    }

    /// Where the next token starts. It is a boundary of characters.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        let space = rest.len().saturating_sub(rest.trim_ascii_start().len());
        self.at = self.at.saturating_add(space);
    }

    /// Goes behind `length` bytes and the space after them.
    fn advance(&mut self, length: usize) {
        self.at = self.at.saturating_add(length);
        self.skip_space();
    }

    /// The length of a run of characters at the start of the rest.
    fn run(&self, belongs: impl Fn(u8) -> bool) -> usize {
        let rest = self.rest();
        rest.bytes().position(|byte| !belongs(byte)).unwrap_or(rest.len())
    }

    /// Whether nothing is left.
    pub(super) fn is_end(&self) -> bool {
        self.rest().is_empty()
    }

    /// Whether these signs are next.
    pub(super) fn is_next(&self, signs: &str) -> bool {
        self.rest().starts_with(signs)
    }

    /// Reads these signs, if they are next.
    pub(super) fn eat(&mut self, signs: &str) -> bool {
        let found = self.is_next(signs);
        if found {
            self.advance(signs.len());
        }
        found
    }

    /// Reads these signs, or refuses what is there.
    pub(super) fn expect(&mut self, signs: &str) -> Result<()> {
        if self.eat(signs) { Ok(()) } else { Err(self.unexpected(text!("{signs:?}"))) }
    }

    /// Reads what follows an entry of a list, a comma or the end of the list, or refuses what is there.
    /// Returns whether the list is over. Before its end, a comma may stand.
    pub(super) fn ends_list(&mut self, closing: &str) -> Result<bool> {
        if self.eat(",") {
            return Ok(self.eat(closing));
        }
        self.expect(closing)?;
        Ok(true)
    }

    /// Refuses what follows the end of a layout.
    pub(super) fn expect_end(&self) -> Result<()> {
        if self.is_end() { Ok(()) } else { Err(self.unexpected("the end of the text")) }
    }

    /// The word that is next, which is not read; empty where there is none.
    pub(super) fn peek_word(&self) -> &'a str {
        let length = self.run(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
        let word = self.rest().get(..length).unwrap_or("");
        if word.starts_with(|first: char| first.is_ascii_digit()) { "" } else { word }
    }

    /// Reads a word, if it is the next whole word.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.peek_word() == word;
        if found {
            self.advance(word.len());
        }
        found
    }

    /// Reads any word, or refuses what is there.
    pub(super) fn word(&mut self, expected: &'static str) -> Result<&'a str> {
        let word = self.peek_word();
        if word.is_empty() {
            return Err(self.unexpected(expected));
        }
        self.advance(word.len());
        Ok(word)
    }

    /// Reads a decimal number, with a minus sign where it has one.
    pub(super) fn number(&mut self, expected: &'static str) -> Result<i64> {
        let sign = usize::from(self.is_next("-"));
        let digits = self.rest().get(sign..).unwrap_or("");
        let length = digits.bytes().position(|byte| !byte.is_ascii_digit());
        let length = length.unwrap_or(digits.len()).saturating_add(sign);
        if length == sign {
            return Err(self.unexpected(expected));
        }
        let written = self.rest().get(..length).unwrap_or("");
        let Ok(number) = written.parse() else {
            let shown = Shown(written);
            return Err(
                self.wrong(self.at, text!("{shown} does not fit into a signed 64-bit integer"))
            );
        };
        self.advance(length);
        Ok(number)
    }

    /// Reads a name in quotes of one of these kinds.
    pub(super) fn quoted(&mut self, quotes: &str, expected: &'static str) -> Result<&'a str> {
        let start = self.at;
        let Some(quote) = self.rest().chars().next().filter(|first| quotes.contains(*first)) else {
            return Err(self.unexpected(expected));
        };
        let inner = self.rest().get(1..).unwrap_or("");
        let end = inner.find([quote, '\\', '\n']);
        let name = end.and_then(|end| inner.get(..end));
        let closing = end.and_then(|end| inner.get(end..)).unwrap_or("");
        match name {
            Some(name) if closing.starts_with(quote) => {
                self.advance(name.len().saturating_add(2));
                Ok(name)
            }
            Some(name) if closing.starts_with('\\') => {
                let at = start.saturating_add(1).saturating_add(name.len());
                let what = "an escape sequence in a name is not interpreted; rename the axis";
                Err(self.not_interpreted(at, what))
            }
            _ => Err(self.wrong(start, text!("the name has no closing {quote}"))),
        }
    }

    /// The refusal of what is next.
    pub(super) fn unexpected(&self, expected: impl Into<Text>) -> Error {
        let found = if self.is_end() {
            Text::from("the end of the text")
        } else {
            let word = self.peek_word();
            let digits = self.run(|byte| byte.is_ascii_digit());
            let sign = self.rest().chars().next().map_or(0, char::len_utf8);
            let length = word.len().max(digits).max(sign);
            text!("{}", Shown(self.rest().get(..length).unwrap_or("")))
        };
        let (notation, at, expected) = (self.notation, self.at, expected.into());
        NotationError::Unexpected { notation, at, found, expected }.into()
    }

    /// The refusal of what was read at a position.
    pub(super) fn wrong(&self, at: usize, problem: impl Into<Text>) -> Error {
        NotationError::Wrong { notation: self.notation, at, problem: problem.into() }.into()
    }

    /// The refusal of a layout that has more dimensions from a position on.
    pub(super) fn too_many_dims(&self, at: usize) -> Error {
        self.wrong(at, text!("more than {MAX_NDIM} dimensions are not supported"))
    }

    /// The refusal of a part of the notation that was read at a position.
    pub(super) fn not_interpreted(&self, at: usize, what: impl Into<Text>) -> Error {
        NotationError::NotInterpreted { notation: self.notation, at, what: what.into() }.into()
    }
}
