//! Texts of a JSON text.

use super::reader::JsonReader;
use crate::error::Result;
use crate::memory::TryVec;

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

impl<'a> JsonReader<'a> {
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
}
