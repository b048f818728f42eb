//! Numbers of a JSON text, one by one and in arrays.

use super::reader::JsonReader;
use crate::error::Result;
use crate::memory::{Text, TryVec, text, try_collect};

impl<'a> JsonReader<'a> {
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
        match digits_of(self.rest()) {
            Some((number, length)) => {
                self.at = self.at.saturating_add(length);
                Ok(number)
            }
            None => Err(self.invalid("found no whole number of 0 to 18446744073709551615")),
        }
    }

    /// A whole number, which may be negative.
    pub(crate) fn number(&mut self) -> Result<i64> {
        self.skip_spaces();
        let rest = self.rest();
        let (sign, digits) = match rest.split_first() {
            Some((b'-', digits)) => (1, digits),
            _ => (0usize, rest),
        };
        let number = digits_of(digits).and_then(|(number, length)| {
            let number = match sign {
                0 => i64::try_from(number).ok(),
                _ => 0i64.checked_sub_unsigned(number),
            };
            Some((number?, length))
        });
        match number {
            Some((number, length)) => {
                self.at = self.at.saturating_add(length).saturating_add(sign);
                Ok(number)
            }
            None => Err(self.invalid("found no whole number of 64 bits with a sign")),
        }
    }

    /// A number of `T`, which has fewer values than 64 bits.
    pub(crate) fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T> {
        let at = self.position();
        let number = self.unsigned()?;
        T::try_from(number).map_err(|_| self.invalid_at(at, text!("{number} is too large here")))
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self) -> Result<bool> {
        self.skip_spaces();
        for (word, value) in [("true", true), ("false", false)] {
            if self.rest().starts_with(word.as_bytes()) {
                self.at = self.at.saturating_add(word.len());
                return Ok(value);
            }
        }
        Err(self.invalid("expected true or false here"))
    }

    /// Whether a text is next.
    pub(crate) fn is_string(&mut self) -> bool {
        self.skip_spaces();
        self.rest().first() == Some(&b'"')
    }

    /// Whether an array is next.
    pub(crate) fn is_array(&mut self) -> bool {
        self.skip_spaces();
        self.rest().first() == Some(&b'[')
    }

    /// An array of numbers, which may be negative.
    pub(crate) fn numbers(&mut self) -> Result<Vec<i64>> {
        let mut numbers = Vec::new();
        self.array(|json| Ok(numbers.try_push(json.number()?)?))?;
        Ok(numbers)
    }

    /// A long array of numbers: as it stands here, or behind the text.
    pub(crate) fn long_numbers(&mut self) -> Result<Vec<i64>> {
        match self.array_behind("i64", 8)? {
            Some(bytes) => {
                let (words, _) = bytes.as_chunks();
                Ok(try_collect(words.iter().map(|word| i64::from_le_bytes(*word)))?)
            }
            None => self.numbers(),
        }
    }

    /// A long array of numbers of 32 bits: as it stands here, or behind the text.
    pub(crate) fn short_numbers(&mut self) -> Result<Vec<u32>> {
        match self.array_behind("u32", 4)? {
            Some(bytes) => {
                let (words, _) = bytes.as_chunks();
                Ok(try_collect(words.iter().map(|word| u32::from_le_bytes(*word)))?)
            }
            None => {
                let mut numbers = Vec::new();
                self.array(|json| Ok(numbers.try_push(json.narrow()?)?))?;
                Ok(numbers)
            }
        }
    }

    /// The bytes of an array that stands behind the text, if this is one.
    fn array_behind(&mut self, kind: &'static str, width: usize) -> Result<Option<&'a [u8]>> {
        let at = self.position();
        if self.behind.is_none() || self.is_array() {
            return Ok(None);
        }
        let mut count = None;
        self.object(|json, name| match name {
            _ if name == kind => json.once(name, &mut count, Self::unsigned),
            _ => Err(json.unknown_field(name)),
        })?;
        let count = self.required(at, kind, count)?;
        let behind = self.behind.as_mut();
        let taken = behind.map_or(Err(Text::default()), |behind| behind.take(count, width));
        taken.map(Some).map_err(|problem| self.invalid_at(at, problem))
    }
}

/// The number that a text starts with, and how long it is, if it is a whole one.
fn digits_of(text: &[u8]) -> Option<(u64, usize)> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(digits)?;
    let is_whole = !matches!(rest.first(), Some(b'.' | b'e' | b'E'));
    let is_canonical = digits.len() == 1 || digits.first().is_some_and(|&digit| digit != b'0');
    let number = digits.iter().try_fold(0u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0')))
    });
    Some((number.filter(|_| is_whole && is_canonical)?, digits.len()))
}
