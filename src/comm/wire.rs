//! Numbers and texts in a message of fixed length, which ends in a checksum of the rest.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "what is written fits the message by the constants that it is written with, which the \
              tests of the agreement check"
)]

use std::hash::Hasher;

use super::short::Short;
use crate::model::stable_hash::stable_hash;

/// Bytes of the checksum.
const CHECKSUM: usize = size_of::<u64>();

/// A hash: a message that was changed on its way has another one, but for one case in 2^64.
fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    stable_hash(|hasher| hasher.write(bytes)).to_le_bytes()
}

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

    /// A rank or an index, or none.
    pub(super) fn index(&mut self, index: Option<usize>) {
        self.number(index.map_or(u64::MAX, |index| index as u64));
    }

    /// A text, in as many bytes as there is room in it.
    pub(super) fn text<const ROOM: usize>(&mut self, text: &Short<ROOM>) {
        let text = text.as_str().as_bytes();
        self.number(text.len() as u64);
        let end = self.at + ROOM;
        self.put(text);
        self.at = end;
    }

    /// The message, with its checksum.
    pub(super) fn done(mut self) -> [u8; N] {
        let (text, place) = self.bytes.split_at_mut(N - CHECKSUM);
        place.copy_from_slice(&checksum(text));
        self.bytes
    }
}

/// Reads what a [`Writer`] wrote; `None` where it can't have.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// `None` where the message is not what was written.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let (bytes, written) = bytes.split_last_chunk::<CHECKSUM>()?;
        (checksum(bytes) == *written).then_some(Self { bytes })
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(u64::from_le_bytes(*number))
    }

    /// The outer `None` is a message that was none, the inner one is no index.
    pub(super) fn index(&mut self) -> Option<Option<usize>> {
        let index = self.number()?;
        if index == u64::MAX { Some(None) } else { usize::try_from(index).ok().map(Some) }
    }

    pub(super) fn text<const ROOM: usize>(&mut self) -> Option<Short<ROOM>> {
        let len = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.bytes.split_first_chunk::<ROOM>()?;
        self.bytes = rest;
        std::str::from_utf8(text.get(..len)?).ok().map(|text| Short::new(&text))
    }
}
