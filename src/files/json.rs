//! Reading JSON, part by part, as the readers of formats ask for it.
//!
//! A general reader keeps everything that a text says, in memory that can't be refused. Headers come
//! from anywhere, so this one keeps nothing: the caller's functions get each name and each value, and
//! take what they need. Values that the caller does not read are passed over in a loop.

use super::error::FilesError;
use crate::memory::{Text, TryVec, text};
use crate::model::{Error, Result};

/// Brackets that may be open at once in a value that is passed over.
const MAX_DEPTH: usize = 128;

/// A JSON text, and how far it was read.
pub(crate) struct Json<'a> {
    text: &'a [u8],
    at: usize,
    /// The file that it is in, and where there.
    file: &'a str,
    first_byte: u64,
}

/// A text of a JSON text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum JsonString<'a> {
    /// As it stands there.
    Plain(&'a str),
    /// With escapes, which are resolved.
    Escaped(String),
}

impl JsonString<'_> {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Escaped(text) => text,
        }
    }
}

impl<'a> Json<'a> {
    /// A text of a file, which starts at a byte of it.
    pub(crate) fn new(text: &'a [u8], file: &'a str, first_byte: u64) -> Self {
        Self { text, at: 0, file, first_byte }
    }

    /// The refusal of what stands here.
    pub(crate) fn invalid(&self, problem: impl Into<Text>) -> Error {
        let offset = Some(self.first_byte.saturating_add(self.at as u64));
        FilesError::InvalidFile { file: Text::copy(self.file), offset, problem: problem.into() }
            .into()
    }

    /// An object: `each` gets every name, in order, and reads its value.
    pub(crate) fn object(
        &mut self, mut each: impl FnMut(&mut Self, &str) -> Result<()>,
    ) -> Result<()> {
        self.expect(b'{', "an object")?;
        if self.takes(b'}') {
            return Ok(());
        }
        loop {
            let name = self.string()?;
            self.expect(b':', "':'")?;
            each(self, name.as_str())?;
            if !self.takes(b',') {
                return self.expect(b'}', "',' or '}'");
            }
        }
    }

    /// An array: `each` reads every value.
    pub(crate) fn array(&mut self, mut each: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.expect(b'[', "an array")?;
        if self.takes(b']') {
            return Ok(());
        }
        loop {
            each(self)?;
            if !self.takes(b',') {
                return self.expect(b']', "',' or ']'");
            }
        }
    }

    /// An array of numbers that are sizes or offsets.
    pub(crate) fn sizes(&mut self, sizes: &mut Vec<i64>) -> Result<()> {
        sizes.clear();
        self.array(|json| {
            let start = json.at;
            match i64::try_from(json.unsigned()?) {
                Ok(size) => Ok(sizes.try_push(size)?),
                Err(_) => {
                    json.at = start;
                    Err(json.invalid("the number does not fit into a signed 64-bit integer"))
                }
            }
        })
    }

    /// A number that is not negative, and has neither a fraction nor an exponent.
    pub(crate) fn unsigned(&mut self) -> Result<u64> {
        self.skip_spaces();
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest().split_at_checked(digits).unwrap_or_default();
        let is_whole = !matches!(rest.first(), Some(b'.' | b'e' | b'E'));
        let is_canonical = digits.len() == 1 || digits.first().is_some_and(|&digit| digit != b'0');
        let number = digits.iter().try_fold(0u64, |number, digit| {
            number.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0')))
        });
        match number.filter(|_| is_whole && is_canonical) {
            Some(number) => {
                self.at = self.at.saturating_add(digits.len());
                Ok(number)
            }
            None => Err(self.invalid("found no whole number of 0 to 18446744073709551615")),
        }
    }

    /// A text.
    pub(crate) fn string(&mut self) -> Result<JsonString<'a>> {
        self.expect(b'"', "a text")?;
        let rest = self.rest();
        let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
        let (plain, end) = match end.and_then(|end| rest.split_at_checked(end)) {
            Some((plain, [b'"', ..])) => (plain, plain.len()),
            Some((_, [b'\\', ..])) => return self.escaped(),
            Some((plain, _)) => {
                self.at = self.at.saturating_add(plain.len());
                return Err(self.invalid("found a control character in a text"));
            }
            None => return Err(self.invalid("found no end of this text")),
        };
        let Ok(plain) = str::from_utf8(plain) else {
            return Err(self.invalid("this text is not UTF-8"));
        };
        self.at = self.at.saturating_add(end).saturating_add(1);
        Ok(JsonString::Plain(plain))
    }

    /// A text that has escapes, behind its first quotation mark.
    #[cold]
    fn escaped(&mut self) -> Result<JsonString<'a>> {
        let mut bytes = Vec::new();
        loop {
            let byte = self.next()?;
            match byte {
                b'"' => break,
                b'\\' => self.escape(&mut bytes)?,
                0..0x20 => return Err(self.invalid("found a control character in a text")),
                _ => bytes.try_push(byte)?,
            }
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(JsonString::Escaped(text)),
            Err(_) => Err(self.invalid("this text is not UTF-8")),
        }
    }

    /// What an escape stands for, behind its backslash.
    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        let byte = match self.next()? {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let mut code = self.hexadecimal()?;
                if (0xd800..0xdc00).contains(&code) {
                    if (self.next()?, self.next()?) != (b'\\', b'u') {
                        return Err(self.invalid("found half of a surrogate pair"));
                    }
                    let low = self.hexadecimal()?.wrapping_sub(0xdc00);
                    let high = code.wrapping_sub(0xd800) << 10;
                    if low < 0x400 {
                        code = high.wrapping_add(low).wrapping_add(0x1_0000);
                    }
                }
                let Some(character) = char::from_u32(code) else {
                    return Err(self.invalid("found half of a surrogate pair"));
                };
                let mut room = [0; 4];
                let encoded = character.encode_utf8(&mut room).as_bytes();
                return Ok(bytes.try_extend_from_slice(encoded)?);
            }
            _ => return Err(self.invalid("found an unknown escape in a text")),
        };
        Ok(bytes.try_push(byte)?)
    }

    /// Four hexadecimal digits.
    fn hexadecimal(&mut self) -> Result<u32> {
        let mut code = 0u32;
        for _ in 0..4 {
            let digit = char::from(self.next()?).to_digit(16);
            let Some(digit) = digit else {
                return Err(self.invalid("found no four hexadecimal digits"));
            };
            code = code << 4 | digit;
        }
        Ok(code)
    }

    /// A value that does not matter.
    pub(crate) fn skip(&mut self) -> Result<()> {
        // For each open bracket, whether it is an object's.
        let (mut open, mut depth) = ([false; MAX_DEPTH], 0usize);
        loop {
            self.skip_spaces();
            let bracket = self.rest().first().copied();
            match bracket {
                Some(b'{' | b'[') => {
                    let Some(place) = open.get_mut(depth) else {
                        return Err(self.invalid(text!("more than {MAX_DEPTH} brackets are open")));
                    };
                    *place = bracket == Some(b'{');
                    depth = depth.saturating_add(1);
                    self.at = self.at.saturating_add(1);
                    let end = if *place { b'}' } else { b']' };
                    let is_object = *place;
                    if !self.takes(end) {
                        if is_object {
                            self.name()?;
                        }
                        continue;
                    }
                    depth = depth.saturating_sub(1);
                }
                Some(b'"') => drop(self.string()?),
                _ => self.skip_word()?,
            }
            // Behind a value: the next one, or the ends of what it is in.
            loop {
                let Some(&is_object) = depth.checked_sub(1).and_then(|at| open.get(at)) else {
                    return Ok(());
                };
                if self.takes(b',') {
                    if is_object {
                        self.name()?;
                    }
                    break;
                }
                self.expect(if is_object { b'}' } else { b']' }, "',' or the end of this value")?;
                depth = depth.saturating_sub(1);
            }
        }
    }

    /// A name of an object, and the colon behind it.
    fn name(&mut self) -> Result<()> {
        self.string()?;
        self.expect(b':', "':'")
    }

    /// A number, `true`, `false` or `null`.
    fn skip_word(&mut self) -> Result<()> {
        let is_part =
            |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let length = self.rest().iter().take_while(is_part).count();
        if length == 0 {
            return Err(self.invalid("found no value"));
        }
        self.at = self.at.saturating_add(length);
        Ok(())
    }

    /// Refuses what stands behind the value.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.skip_spaces();
        if self.rest().is_empty() { Ok(()) } else { Err(self.invalid("found more behind the end")) }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or(&[])
    }

    fn next(&mut self) -> Result<u8> {
        let Some(&byte) = self.rest().first() else {
            return Err(self.invalid("found no end of this text"));
        };
        self.at = self.at.saturating_add(1);
        Ok(byte)
    }

    fn skip_spaces(&mut self) {
        let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at = self.at.saturating_add(self.rest().iter().take_while(is_space).count());
    }

    /// Whether this byte is next; it is passed then.
    fn takes(&mut self, byte: u8) -> bool {
        self.skip_spaces();
        let takes = self.rest().first() == Some(&byte);
        self.at = self.at.saturating_add(usize::from(takes));
        takes
    }

    fn expect(&mut self, byte: u8, what: &str) -> Result<()> {
        if self.takes(byte) { Ok(()) } else { Err(self.invalid(text!("expected {what} here"))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json<'_> {
        Json::new(text.as_bytes(), "file", 8)
    }

    #[test]
    fn texts_are_what_a_general_reader_says() {
        for text in [
            r#""""#,
            r#""plain""#,
            r#""\u00e9\n\t\\\"\/\b\f\r""#,
            r#""\ud83d\ude00 and é""#,
            r#""a\u0000b""#,
        ] {
            let expected: String = serde_json::from_str(text).unwrap();
            let mut json = json(text);
            assert_eq!(json.string().unwrap().as_str(), expected);
            json.end().unwrap();
        }
    }

    #[test]
    fn texts_that_are_not_json_are_refused() {
        for text in [
            "\"",
            "\"a",
            r#""\"#,
            r#""\x""#,
            r#""\u12""#,
            r#""\ud800""#,
            r#""\ud800\u0041""#,
            r#""\udc00""#,
            "\"\n\"",
            "\"\\n\n\"",
            "x",
        ] {
            assert!(json(text).string().is_err(), "{text:?}");
        }
        assert!(Json::new(b"\"\xff\"", "file", 0).string().is_err());
        assert!(Json::new(b"\"\\n\xff\"", "file", 0).string().is_err());
    }

    #[test]
    fn numbers_are_whole_and_fit() {
        assert_eq!(json(" 18446744073709551615").unsigned(), Ok(u64::MAX));
        assert_eq!(json("0").unsigned(), Ok(0));
        for text in ["", "-1", "1.0", "1e3", "18446744073709551616", "00", "01", "x", "\"1\""] {
            assert!(json(text).unsigned().is_err(), "{text:?}");
        }
        let mut sizes = Vec::new();
        assert_eq!(json("[3, 9223372036854775807]").sizes(&mut sizes), Ok(()));
        assert_eq!(sizes, [3, i64::MAX]);
        assert!(json("[9223372036854775808]").sizes(&mut sizes).is_err());
    }

    #[test]
    fn values_that_do_not_matter_are_passed_over() {
        let text = r#"{"a": [1, {"b": null}, [], {}], "c": {"d": "}"}, "e": -1.5e3} "#;
        let mut names = Vec::new();
        let mut whole = json(text);
        whole
            .object(|json, name| {
                names.push(name.to_owned());
                json.skip()
            })
            .unwrap();
        whole.end().unwrap();
        assert_eq!(names, ["a", "c", "e"]);
        for text in ["", "[", "[1", "[1,", "{\"a\"", "{\"a\":", "{\"a\":1", "[1}", "{1:2}", "[,]"] {
            assert!(json(text).skip().is_err(), "{text:?}");
        }
    }

    #[test]
    fn brackets_are_bounded_and_need_no_stack() {
        for (depth, is_refused) in [(MAX_DEPTH, false), (MAX_DEPTH + 1, true), (1 << 20, true)] {
            let text = "[".repeat(depth) + &"]".repeat(depth);
            assert_eq!(json(&text).skip().is_err(), is_refused, "{depth}");
        }
    }

    #[test]
    fn refusals_say_where() {
        let refused = json("  [1, x]").array(|json| json.unsigned().map(drop)).unwrap_err();
        assert!(
            refused.to_string().starts_with("file at byte 14: found no whole number"),
            "{refused}"
        );
    }
}
