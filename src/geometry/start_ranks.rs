//! Ranks of coordinates among the different starts of boxes in one dimension: how many starts are below.
//!
//! Starts are counted in units, the largest power of two that divides all of them, from the first one on.
//! Where they lie close together, a table has the rank of each unit. Others are sorted; a table says for
//! ranges of units, about two for each start, where these begin in the sorted list.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "units are below the length of the tables, which were made for them; starts and ends of \
              boxes are not negative"
)]

use super::rank_span::RankSpan;
use super::steps;
use crate::memory::{self, Memory};

/// Units for each box up to which each has an entry of a table: as much memory as an offset of each box.
const MAX_UNITS_OF_BOX: usize = 2;
/// Bits of a digit that lists are sorted by: its 2,048 counters fit into the first-level cache.
const DIGIT_BITS: u32 = 11;
/// Digits up to which sorting by digits is faster than comparing, of lists of [`MIN_DIGITS_LIST`] or more.
const MAX_DIGITS: u32 = 3;
const MIN_DIGITS_LIST: usize = 1 << 12;

/// Where starts are.
#[derive(Clone, Copy)]
pub(super) struct StartRange {
    pub(super) first: i64,
    pub(super) last: i64,
    /// The bits that any of them has.
    pub(super) bits: i64,
}

/// The ranks of all coordinates.
pub(super) struct StartRanks {
    /// Number of different starts.
    pub(super) starts: usize,
    first: i64,
    unit: u32,
    /// The number of starts before each unit, or before each range of 2^`range` units.
    before: Vec<u32>,
    /// The starts as units, ascending, where an entry is for a range.
    sorted: Option<(u32, Vec<u64>)>,
}

impl StartRanks {
    /// The ranks among starts, which all are in a range.
    pub(super) fn new(
        starts: impl ExactSizeIterator<Item = i64>, range: StartRange,
    ) -> Memory<Self> {
        let StartRange { first, last, bits } = range;
        let unit = bits.trailing_zeros().min(i64::BITS - 1);
        let units = starts.map(|start| (start - first) as u64 >> unit);
        let last = (last - first) as u64 >> unit;
        let most = (units.len() as u64).saturating_mul(MAX_UNITS_OF_BOX as u64);
        if last <= most {
            let (starts, before) = count_units(units, last as usize)?;
            return Ok(Self { starts, first, unit, before, sorted: None });
        }
        let mut sorted = memory::try_collect(units)?;
        sort_starts(&mut sorted, last)?;
        let (range, before) = ranges_of(&sorted, last)?;
        Ok(Self { starts: sorted.len(), first, unit, before, sorted: Some((range, sorted)) })
    }

    /// The spans of boxes, by their starts and ends.
    pub(super) fn spans(
        &self, bounds: impl ExactSizeIterator<Item = (i64, i64)>,
    ) -> Memory<Vec<RankSpan>> {
        let span = |rank: &dyn Fn(u64) -> u32, (start, end)| RankSpan {
            low: rank(self.units_before(start)),
            high: rank(self.units_before(end)),
        };
        match &self.sorted {
            None => {
                let last = self.before.len() - 1;
                let rank = |unit: u64| self.before[(unit as usize).min(last)];
                memory::try_collect(bounds.map(|bounds| span(&rank, bounds)))
            }
            Some((range, sorted)) => {
                let rank = |unit: u64| self.rank_sorted(*range, sorted, unit);
                memory::try_collect(bounds.map(|bounds| span(&rank, bounds)))
            }
        }
    }

    /// How many units start below a coordinate, counted from the first one on.
    #[inline(always)]
    fn units_before(&self, coordinate: i64) -> u64 {
        let from_first = (coordinate - self.first).max(0) as u64;
        // No carry: both are below 2^63.
        (from_first + ((1 << self.unit) - 1)) >> self.unit
    }

    #[inline(always)]
    fn rank_sorted(&self, range: u32, sorted: &[u64], unit: u64) -> u32 {
        let at = (unit >> range) as usize;
        let Some(&[from, to]) = self.before.get(at..).and_then(<[u32]>::first_chunk) else {
            return self.starts as u32;
        };
        let starts = &sorted[from as usize..to as usize];
        // Mostly there are one or two.
        let below = if starts.len() <= 8 {
            starts.iter().take_while(|&&start| start < unit).count()
        } else {
            starts.partition_point(|&start| start < unit)
        };
        from + below as u32
    }
}

/// How many different units there are, and before each up to one past the last.
fn count_units(units: impl Iterator<Item = u64>, last: usize) -> Memory<(usize, Vec<u32>)> {
    let mut before = memory::try_filled(0u32, last + 2)?;
    for unit in units {
        before[unit as usize + 1] = 1;
    }
    steps::count(last);
    let mut sum = 0;
    for count in &mut before {
        sum += *count;
        *count = sum;
    }
    Ok((sum as usize, before))
}

/// For sorted starts up to a last one, a number of bits, and how many are before each range of as many
/// units.
fn ranges_of(sorted: &[u64], last: u64) -> Memory<(u32, Vec<u32>)> {
    let most = (2 * sorted.len() as u64).max(1);
    let range = (last / most + 1).next_power_of_two().trailing_zeros();
    let mut before = memory::try_filled(0u32, (last >> range) as usize + 2)?;
    for &unit in sorted {
        before[(unit >> range) as usize + 1] += 1;
    }
    let mut sum = 0;
    for count in &mut before {
        sum += *count;
        *count = sum;
    }
    Ok((range, before))
}

/// Sorts starts and leaves each only once. Boxes of a grid start at the same places over and over, in
/// order: what follows the first ascent and goes along it again is left out before the rest is sorted.
fn sort_starts(starts: &mut Vec<u64>, last: u64) -> Memory<()> {
    starts.dedup();
    let ascent = starts.windows(2).take_while(|pair| pair[0] < pair[1]).count() + 1;
    let first = ascent.min(starts.len());
    let (mut kept, mut next) = (first, 0);
    for at in first..starts.len() {
        let start = starts[at];
        if next == ascent || starts[next] != start {
            // Those that start anew begin with the first.
            if starts[0] != start {
                starts[kept] = start;
                kept += 1;
                continue;
            }
            next = 0;
        }
        next += 1;
    }
    starts.truncate(kept);
    if kept > ascent {
        let digits = (u64::BITS - last.leading_zeros()).div_ceil(DIGIT_BITS);
        if digits <= MAX_DIGITS && kept >= MIN_DIGITS_LIST {
            sort_by_digits(starts, digits)?;
        } else {
            starts.sort_unstable();
        }
        starts.dedup();
    }
    Ok(())
}

/// Sorts numbers by their digits, the lowest first.
fn sort_by_digits(numbers: &mut Vec<u64>, digits: u32) -> Memory<()> {
    let mut sorted = memory::try_filled(0, numbers.len())?;
    for digit in 0..digits {
        let digit_of = |number: u64| (number >> (digit * DIGIT_BITS)) as usize % (1 << DIGIT_BITS);
        let mut next = [0u32; 1 << DIGIT_BITS];
        for &number in &*numbers {
            next[digit_of(number)] += 1;
        }
        let mut sum = 0;
        for place in &mut next {
            sum += std::mem::replace(place, sum);
        }
        for &number in &*numbers {
            let place = &mut next[digit_of(number)];
            sorted[*place as usize] = number;
            *place += 1;
        }
        std::mem::swap(numbers, &mut sorted);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::Random;

    /// Ranks by their definition.
    fn expected(starts: &[i64], coordinate: i64) -> u32 {
        let mut below: Vec<i64> = starts.iter().copied().filter(|&s| s < coordinate).collect();
        below.sort_unstable();
        below.dedup();
        below.len() as u32
    }

    #[test]
    fn a_rank_is_the_number_of_different_starts_below() {
        let mut random = Random::new(8);
        for (count, most, unit, first) in [
            (1, 1, 1, 0),
            (40, 50, 1, 0),
            (40, 50, 64, 7 << 40),
            (40, 1 << 40, 1, 3),
            (40, i64::MAX / 2, 1, i64::MAX / 2),
            (40, 1 << 50, 1 << 12, 0),
            (5000, 1 << 33, 1, 0),
            (5000, 100, 1 << 40, 1 << 40),
        ] {
            let starts: Vec<i64> =
                (0..count).map(|_| first + random.range(0, most) * unit).collect();
            let bits = starts.iter().fold(0, |bits, start| bits | start);
            let range = StartRange {
                first: *starts.iter().min().unwrap(),
                last: *starts.iter().max().unwrap(),
                bits,
            };
            let ranks = StartRanks::new(starts.iter().copied(), range).unwrap();
            assert_eq!(ranks.starts as u32, expected(&starts, range.last) + 1);
            let asked = starts.iter().step_by(starts.len() / 40 + 1).flat_map(|&start| {
                [(start, start + 1), (start.saturating_sub(1).max(0), i64::MAX)]
            });
            let asked: Vec<(i64, i64)> = asked.collect();
            let spans = ranks.spans(asked.iter().copied()).unwrap();
            for (&(low, high), span) in asked.iter().zip(&spans) {
                assert_eq!(span.low, expected(&starts, low), "{low}");
                assert_eq!(span.high, expected(&starts, high), "{high}");
            }
        }
    }

    fn assert_ranks(starts: &[i64], asked: &[i64]) {
        let range = StartRange {
            first: *starts.iter().min().unwrap(),
            last: *starts.iter().max().unwrap(),
            bits: starts.iter().fold(0, |bits, start| bits | start),
        };
        let ranks = StartRanks::new(starts.iter().copied(), range).unwrap();
        let spans = ranks.spans(asked.iter().map(|&at| (at, at + 1))).unwrap();
        for (&at, span) in asked.iter().zip(spans) {
            let both = (expected(starts, at), expected(starts, at + 1));
            assert_eq!((span.low, span.high), both, "{at} in {starts:?}");
        }
        assert_eq!(ranks.starts as u32, expected(starts, i64::MAX));
    }

    /// All sets of eight starts, at places from dense to far apart.
    #[test]
    fn every_coordinate_near_a_start_has_its_rank() {
        let places: [fn(i64) -> i64; 6] = [
            |at| at,
            |at| 8 * at,
            |at| 5 + at,
            |at| at * at * at,
            |at| 3 << (4 * at),
            |at| 1 << (6 * at),
        ];
        for place in places {
            let asked: Vec<i64> =
                (0..9).flat_map(|at| [-1, 0, 1, 2].map(|by| place(at) + by)).collect();
            for set in 1..1 << 8 {
                let starts: Vec<i64> = (0..8).filter(|at| set >> at & 1 != 0).map(place).collect();
                assert_ranks(&starts, &asked);
            }
        }
    }

    /// Eight starts or more are in one range of units, and then one is far away.
    #[test]
    fn starts_that_are_crowded_have_ranks_of_their_own() {
        for count in [7, 8, 9, 10, 40] {
            for far in [1 << 20, 1 << 40, (1 << 40) + 1] {
                let starts: Vec<i64> = (0..count).map(|at| 3 * at).chain([far]).collect();
                let asked: Vec<i64> = (0..3 * count + 2).chain([far - 1, far, far + 1]).collect();
                assert_ranks(&starts, &asked);
            }
        }
    }

    fn assert_sorts(numbers: &[u64]) {
        let (mut sorted, mut expected) = (numbers.to_vec(), numbers.to_vec());
        sort_starts(&mut sorted, numbers.iter().copied().max().unwrap_or(0)).unwrap();
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(sorted, expected, "{numbers:?}");
    }

    /// All lists of up to seven of four numbers.
    #[test]
    fn starts_are_sorted_and_each_is_there_once() {
        for length in 0..8u32 {
            for list in 0..4u64.pow(length) {
                assert_sorts(&(0..length).map(|at| list >> (2 * at) & 3).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn long_lists_are_sorted_by_all_of_their_digits() {
        let mut random = Random::new(5);
        for count in [MIN_DIGITS_LIST - 1, MIN_DIGITS_LIST, MIN_DIGITS_LIST + 1] {
            for bits in [10u32, 11, 12, 22, 23, 33, 34, 63] {
                let mut numbers: Vec<u64> =
                    (0..count).map(|_| random.next() >> (64 - bits)).collect();
                // A descent, so that little of the list is left out before it is sorted.
                (numbers[0], numbers[1]) = ((1 << bits) - 1, 0);
                assert_sorts(&numbers);
                let mut by_digits = numbers.clone();
                sort_by_digits(&mut by_digits, bits.div_ceil(DIGIT_BITS)).unwrap();
                numbers.sort_unstable();
                assert_eq!(by_digits, numbers);
            }
        }
    }
}
