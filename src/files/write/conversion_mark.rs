//! How much of a conversion is written: a note beside the files, for a run after one that was killed.
//!
//! Files are written one after the other, each from its start to its end, so two numbers say everything.
//! The bytes that a mark counts are on the disk before the mark is.

use super::arrange::ArrangedFile;
use crate::files::stored::FileSet;
use crate::model::stable_hash::stable_hash;

/// Numbers of a mark as it is written.
const NUMBERS: usize = 4;
/// Bytes of a mark as it is written.
pub(super) const MARK_BYTES: usize = 8 * NUMBERS;

/// How much of a conversion is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ConversionMark {
    /// Files that are complete.
    pub(super) files: u64,
    /// Bytes of the next one, counted from its start, that are written. The header counts.
    pub(super) bytes: u64,
}

impl ConversionMark {
    /// The mark that these bytes are, of a conversion of this source.
    pub(super) fn parse(bytes: &[u8], source: u64) -> Option<Self> {
        let mut numbers = [0u64; NUMBERS];
        let (parts, rest) = bytes.as_chunks::<8>();
        if parts.len() != NUMBERS || !rest.is_empty() {
            return None;
        }
        for (number, part) in numbers.iter_mut().zip(parts) {
            *number = u64::from_le_bytes(*part);
        }
        let [of, files, bytes, check] = numbers;
        (of == source && check == check_of(&[of, files, bytes])).then_some(Self { files, bytes })
    }

    /// The mark as it is written.
    pub(super) fn to_bytes(self, source: u64) -> [u8; MARK_BYTES] {
        let check = check_of(&[source, self.files, self.bytes]);
        let numbers = [source, self.files, self.bytes, check];
        let mut bytes = [0u8; MARK_BYTES];
        for (place, number) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(numbers) {
            *place = number.to_le_bytes();
        }
        bytes
    }

    /// How many bytes of file `number` are written.
    pub(super) fn written_of(&self, number: u32, file: &ArrangedFile) -> u64 {
        match u64::from(number).cmp(&self.files) {
            std::cmp::Ordering::Less => file.length,
            std::cmp::Ordering::Equal => self.bytes,
            std::cmp::Ordering::Greater => 0,
        }
    }
}

/// A number by which damage is noticed.
fn check_of(numbers: &[u64; 3]) -> u64 {
    stable_hash(|hasher| {
        use std::hash::Hash;
        numbers.hash(hasher);
    })
}

/// A number that is the same for the same unchanged files only, nearly always.
pub(super) fn source_number(set: &FileSet) -> u64 {
    stable_hash(|hasher| {
        use std::hash::Hash;
        for file in set.files() {
            let state = file.state;
            (file.name(), state.device, state.number).hash(hasher);
            (state.length, state.written).hash(hasher);
        }
    })
}
