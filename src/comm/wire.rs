//! Numbers and texts in a message of fixed length.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "what is written fits the message by the constants that it is written with, which the \
              tests of the agreement check"
)]

use crate::core::error::shortened;
use crate::memory::Text;

/// Writes a message from front to back; what is left is zero.
pub(super) struct Writer<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Writer<N> {
    pub(super) fn new() -> Self {
        Self { bytes: [0; N], at: 0 }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    pub(super) fn number(&mut self, number: u64) {
        self.put(&number.to_le_bytes());
    }

    /// A rank, or nobody.
    pub(super) fn rank(&mut self, rank: Option<usize>) {
        self.number(rank.map_or(u64::MAX, |rank| rank as u64));
    }

    /// A text that takes `room` bytes; a longer one ends in "...".
    pub(super) fn text(&mut self, text: &str, room: usize) {
        let (kept, tail) = shortened(text, room);
        self.number((kept.len() + tail.len()) as u64);
        let end = self.at + room;
        self.put(kept.as_bytes());
        self.put(tail.as_bytes());
        self.at = end;
    }

    pub(super) fn done(self) -> [u8; N] {
        self.bytes
    }
}

/// Reads what a [`Writer`] wrote; `None` where it can't have.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(u64::from_le_bytes(*number))
    }

    /// The outer `None` is a message that was none, the inner one is nobody.
    pub(super) fn rank(&mut self) -> Option<Option<usize>> {
        let rank = self.number()?;
        if rank == u64::MAX { Some(None) } else { usize::try_from(rank).ok().map(Some) }
    }

    pub(super) fn text(&mut self, room: usize) -> Option<Text> {
        let len = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.bytes.split_at_checked(room)?;
        self.bytes = rest;
        std::str::from_utf8(text.get(..len)?).ok().map(Text::copy)
    }
}
