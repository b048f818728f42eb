//! Reading JSON, part by part, as the readers of formats ask for it.
//!
//! A general reader keeps everything that a text says, in memory that can't be refused. Texts come
//! from anywhere, so this one keeps nothing: the caller's functions get each name and each value, and
//! take what they need. Values that the caller does not read are passed over in a loop.

use super::arrays::NumberReader;
use crate::error::{Error, Result};
use crate::interchange::error::InterchangeError;
use crate::memory::{Shown, Text, text};

/// Brackets that may be open at once in a value that is passed over.
pub(super) const MAX_DEPTH: usize = 128;

/// A JSON text, and how far it was read.
pub(crate) struct JsonReader<'a> {
    text: &'a [u8],
    pub(super) at: usize,
    /// The argument that it is in, and where there.
    argument: &'static str,
    first_byte: usize,
    /// Where the name of the field starts that was read last.
    name_at: usize,
    /// Numbers that stand behind the text, if it is a head of bytes.
    pub(super) behind: Option<NumberReader<'a>>,
}

impl<'a> JsonReader<'a> {
    /// A text, which starts at a byte of an argument or a file.
    pub(crate) fn new(text: &'a [u8], argument: &'static str, first_byte: usize) -> Self {
        Self { text, at: 0, argument, first_byte, name_at: 0, behind: None }
    }

    /// The same text, whose long arrays of numbers stand behind it.
    pub(crate) fn with_numbers(self, behind: NumberReader<'a>) -> Self {
        Self { behind: Some(behind), ..self }
    }

    /// Where the next value starts.
    pub(crate) fn position(&mut self) -> usize {
        self.skip_spaces();
        self.at
    }

    /// Where the name of the field starts that was read last.
    pub(crate) fn name_position(&self) -> usize {
        self.name_at
    }

    /// The refusal of what stands here.
    pub(crate) fn invalid(&self, problem: impl Into<Text>) -> Error {
        self.invalid_at(self.at, problem)
    }

    /// The refusal of what stands at a position.
    pub(crate) fn invalid_at(&self, at: usize, problem: impl Into<Text>) -> Error {
        let (argument, at) = (self.argument, self.first_byte.saturating_add(at));
        InterchangeError::Invalid { argument, at, problem: problem.into() }.into()
    }

    /// The refusal of what only a newer version of the library knows, at a position.
    pub(crate) fn unknown_at(&self, at: usize, what: impl Into<Text>) -> Error {
        let (argument, at) = (self.argument, self.first_byte.saturating_add(at));
        InterchangeError::Unknown { argument, at, what: what.into() }.into()
    }

    /// A refusal of the value that starts at a position.
    pub(crate) fn refused_at(&self, at: usize, error: impl Into<Error>) -> Error {
        let at = self.first_byte.saturating_add(at);
        InterchangeError::of_value(self.argument, at, error.into())
    }

    /// The refusal of the field that was read last, which this version does not know.
    pub(crate) fn unknown_field(&self, name: &str) -> Error {
        let what = text!(
            "the field {} is not known to this version of the library; use the version that wrote it, \
             or a newer one",
            Shown(name)
        );
        self.unknown_at(self.name_at, what)
    }

    /// Reads the value of the field that was read last, which may be there once.
    pub(crate) fn once<T>(
        &mut self, name: &str, place: &mut Option<T>, read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<()> {
        if place.is_some() {
            let problem = text!("the field {} is there twice", Shown(name));
            return Err(self.invalid_at(self.name_at, problem));
        }
        *place = Some(read(self)?);
        Ok(())
    }

    /// A field of an object, which starts at a position and must have it.
    pub(crate) fn required<T>(&self, at: usize, name: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.invalid_at(at, text!("the object has no field {name:?}")))
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
            self.skip_spaces();
            self.name_at = self.at;
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
        if !self.rest().is_empty() {
            return Err(self.invalid("found more behind the end"));
        }
        match &self.behind {
            Some(behind) if !behind.is_end() => {
                let problem = "the text does not name all arrays that stand behind it";
                Err(self.invalid(problem))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or(&[])
    }

    pub(super) fn next(&mut self) -> Result<u8> {
        let Some(&byte) = self.rest().first() else {
            return Err(self.invalid("found no end of this text"));
        };
        self.at = self.at.saturating_add(1);
        Ok(byte)
    }

    pub(super) fn skip_spaces(&mut self) {
        let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at = self.at.saturating_add(self.rest().iter().take_while(is_space).count());
    }

    /// Whether this byte is next; it is passed then.
    pub(super) fn takes(&mut self, byte: u8) -> bool {
        self.skip_spaces();
        let takes = self.rest().first() == Some(&byte);
        self.at = self.at.saturating_add(usize::from(takes));
        takes
    }

    pub(super) fn expect(&mut self, byte: u8, what: &str) -> Result<()> {
        if self.takes(byte) { Ok(()) } else { Err(self.invalid(text!("expected {what} here"))) }
    }
}
