//! Summaries of boxes that no plane parts: one or two cache lines that say which of them may have a point.
//!
//! The boxes are in units of the box around them: as many units as it takes for each to start and end in one
//! of 128. So a coordinate takes seven bits, and those of eight boxes a word. Subtractions compare all eight
//! at once: where the eighth bit of each byte is set before, it stays set exactly if the byte is not less
//! than what is subtracted.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "there are at most eight boxes; bytes are below 128"
)]

use super::planes::{Line, POINT_ROOM};
use super::tree::AxisSpan;

/// Dimensions up to which there are summaries.
pub(super) const MAX_SUMMARY_DIMS: usize = 5;
/// Boxes of a summary.
pub(super) const ENTRIES: usize = 8;
/// Bits of a coordinate, of a unit, and of all before the units in the first word of a summary.
const BITS: u32 = 7;
const UNIT_BITS: usize = 6;
const FIRST_UNIT: usize = 33;
/// The lowest and the highest bit of each byte.
pub(super) const LOWEST: u64 = u64::MAX / 255;
pub(super) const HIGHEST: u64 = LOWEST << BITS;
/// The bit of the first word that says that entries are shards.
const SHARDS: u64 = 1 << 32;

/// How many lines the summary of boxes of so many dimensions takes: a word, and three for each dimension.
pub(super) const fn lines_of(ndim: usize) -> usize {
    (1 + 3 * ndim).div_ceil(8)
}

/// What a summary says about a point.
pub(super) struct Entries {
    /// Whether the entries are shards, of which `first` is the place of the first, or else lines.
    pub(super) are_shards: bool,
    pub(super) first: u64,
    /// The highest bit of the byte of each entry that may have the point.
    pub(super) hits: u64,
}

/// Writes the summary of boxes, of which some are left out: the number of the first, and whether they are
/// shards.
///
/// The first word has the number, whether entries are shards, and the units: numbers of bits. Then three
/// words for each dimension: where the box around all starts, in which units the boxes start, and in which
/// units they end. A box that there is not ends before it starts.
pub(super) fn write<const NDIM: usize>(
    summary: &mut [Line], (first, are_shards): (u32, bool),
    boxes: &[Option<[AxisSpan; NDIM]>; ENTRIES],
) {
    let mut head = u64::from(first) | if are_shards { SHARDS } else { 0 };
    for dim in 0..NDIM {
        let spans = boxes.map(|one| one.map(|spans| spans[dim]));
        let low = spans.iter().flatten().fold(i64::MAX, |low, span| low.min(span.low));
        let high = spans.iter().flatten().fold(low, |high, span| high.max(span.high - 1));
        let unit = (u64::BITS - ((high - low) as u64).leading_zeros()).saturating_sub(BITS);
        head |= u64::from(unit) << (FIRST_UNIT + UNIT_BITS * dim);
        let unit_of = |at: i64| ((at - low) as u64 >> unit) as u8;
        let lows = spans.map(|span| span.map_or(127, |span| unit_of(span.low)));
        let highs = spans.map(|span| span.map_or(0, |span| unit_of(span.high - 1)));
        let words = [low as u64, u64::from_le_bytes(lows), u64::from_le_bytes(highs)];
        for (at, word) in (1 + 3 * dim..).zip(words) {
            summary[at / 8].0[at % 8] = word;
        }
    }
    summary[0].0[0] = head;
}

/// Which entries of a summary may have a point.
#[inline(always)]
pub(super) fn read<const NDIM: usize>(summary: &[Line], point: &[i64; POINT_ROOM]) -> Entries {
    let word = |at: usize| summary[at / 8].0[at % 8];
    let (head, mut hits) = (word(0), HIGHEST);
    for (dim, &at) in point.iter().take(NDIM).enumerate() {
        let (low, lows, highs) = (word(1 + 3 * dim), word(2 + 3 * dim), word(3 + 3 * dim));
        let unit = head >> (FIRST_UNIT + UNIT_BITS * dim) & ((1 << UNIT_BITS) - 1);
        // A point before the box wraps round, and is then behind it: no unit has more than 56 bits.
        let own = (at as u64).wrapping_sub(low) >> unit;
        let inside = if own < 1 << BITS { HIGHEST } else { 0 };
        let all = (own & ((1 << BITS) - 1)) * LOWEST;
        hits &= inside & ((all | HIGHEST) - lows) & ((highs | HIGHEST) - all);
    }
    Entries { are_shards: head & SHARDS != 0, first: u64::from(head as u32), hits }
}
