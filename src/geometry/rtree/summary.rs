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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::Random;

    fn check<const NDIM: usize>(random: &mut Random, length: i64) {
        let mut boxes = [None; ENTRIES];
        for one in boxes.iter_mut().skip(random.below(3)).step_by(1 + random.below(3)) {
            *one = Some(std::array::from_fn(|_| {
                let low = random.range(0, length);
                AxisSpan { low, high: random.range(low, length) + 1 }
            }));
        }
        let (first, are_shards) = (random.next() as u32, random.below(2) == 0);
        let mut lines = [Line([0; 8]); 2];
        write(&mut lines[..lines_of(NDIM)], (first, are_shards), &boxes);
        let of_dim =
            |dim: usize| boxes.iter().flatten().map(move |spans: &[AxisSpan; NDIM]| spans[dim]);
        for turn in 0..40 {
            let mut point = [0; POINT_ROOM];
            for (dim, at) in point.iter_mut().enumerate().take(NDIM) {
                let spans: Vec<AxisSpan> = of_dim(dim).collect();
                let span = spans[random.below(spans.len())];
                let near = [span.low - 1, span.low, span.high - 1, span.high][random.below(4)];
                let anywhere = [-7, -1, random.range(0, length), i64::MAX][random.below(4)];
                *at = if turn % 4 == 0 { anywhere } else { near };
            }
            // By the definition: units that are as small as 128 of them take.
            let may_have = |spans: &[AxisSpan; NDIM]| {
                (0..NDIM).all(|dim| {
                    let low = i128::from(of_dim(dim).map(|span| span.low).min().unwrap());
                    let last = i128::from(of_dim(dim).map(|span| span.high).max().unwrap() - 1);
                    let unit =
                        (0..).map(|bits| 1i128 << bits).find(|unit| (last - low) / unit < 128);
                    let unit_of = |at: i64| (i128::from(at) - low).div_euclid(unit.unwrap());
                    let span = spans[dim];
                    (unit_of(span.low)..=unit_of(span.high - 1)).contains(&unit_of(point[dim]))
                })
            };
            let said = read::<NDIM>(&lines[..lines_of(NDIM)], &point);
            assert_eq!((said.first, said.are_shards), (u64::from(first), are_shards));
            for (entry, one) in boxes.iter().enumerate() {
                let expected = one.as_ref().is_some_and(may_have);
                assert_eq!(said.hits >> (8 * entry + 7) & 1 != 0, expected, "{one:?} {point:?}");
            }
            assert_eq!(said.hits & !HIGHEST, 0);
        }
    }

    #[test]
    fn a_summary_names_the_boxes_whose_units_have_a_point() {
        let mut random = Random::new(6);
        for length in [1, 2, 100, 127, 128, 129, 256, 1 << 20, (1 << 56) + 1, i64::MAX] {
            for _ in 0..5 {
                check::<1>(&mut random, length);
                check::<2>(&mut random, length);
                check::<3>(&mut random, length);
                check::<5>(&mut random, length);
            }
        }
    }

    /// The first and the last unit of two boxes that are as far apart as 128 units reach, or one further.
    #[test]
    fn units_are_as_small_as_128_of_them_take() {
        for bits in 0..55 {
            for (last, unit) in [((128 << bits) - 1, bits), (128 << bits, bits + 1)] {
                let mut boxes = [None; ENTRIES];
                boxes[0] = Some([AxisSpan { low: 5, high: 6 }]);
                boxes[1] = Some([AxisSpan { low: 5 + last, high: 6 + last }]);
                let mut lines = [Line([0; 8])];
                write(&mut lines, (0, true), &boxes);
                let hits = |at: i64| {
                    let hits = read::<1>(&lines, &[5 + at, 0, 0, 0, 0, 0, 0, 0]).hits;
                    [0, 1].map(|entry| hits >> (8 * entry + 7) & 1 != 0)
                };
                let unit_of = |at: i64| at >> unit;
                for at in [0, (1 << unit) - 1, 1 << unit, last - (1 << unit), last, 127 << unit] {
                    let expected = [0, last].map(|start| unit_of(at) == unit_of(start));
                    assert_eq!(hits(at), expected, "{last} {at}");
                }
                assert_eq!(hits(-1), [false; 2], "{last}");
                assert_eq!(hits(128 << unit), [false; 2], "{last}");
            }
        }
    }
}
