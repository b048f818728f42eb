//! Bytes, read from front to back.

use super::{Malformed, Parsed};

/// Bytes of which some have been read.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    /// At most the number of bytes.
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many have been read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The next `length` bytes.
    pub(super) fn take(&mut self, length: u64) -> Parsed<&'a [u8]> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let taken = end.and_then(|end| Some((self.bytes.get(self.at..end)?, end)));
        let (taken, end) = taken.ok_or_else(ends_early)?;
        self.at = end;
        Ok(taken)
    }

    pub(super) fn skip(&mut self, length: u64) -> Parsed<()> {
        self.take(length).map(drop)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let taken = self.take(N as u64)?;
        taken.try_into().map_err(|_| ends_early())
    }

    pub(super) fn byte(&mut self) -> Parsed<u8> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(super) fn u16(&mut self) -> Parsed<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Parsed<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Parsed<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// The bytes up to the next newline, which is read too.
    pub(super) fn line(&mut self) -> Parsed<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or_else(ends_early)?;
        let line = self.take(length as u64)?;
        self.skip(1)?;
        Ok(line)
    }

    /// Whether all have been read.
    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }
}

#[cold]
fn ends_early() -> Malformed {
    Malformed::new("it ends too early")
}
