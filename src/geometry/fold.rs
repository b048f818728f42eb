//! Folding index space: digits in which periodic and flattened dimensions are boxes.
//!
//! Written in two digits, `index = q * period + r`, the blocks of a stretch of that period are one box:
//! a range of `q` by a range of `r`. In the sizes of a tensor's dimensions as digits, an interval of
//! the flattened dimensions is at most `2 * c - 1` boxes. So what is known about boxes (whether they
//! overlap, what they leave, which meet) is known about extents: they are unfolded into boxes first,
//! by digits that suit all lists that are compared.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "dimensions are those of the lists; starts and ends of stretches fit an i64"
)]

use super::extent::{DimExtent, ExtentList, Flattening};
use super::{GeometryError, GeometryResult, MAX_NDIM};
use crate::memory::{Memory, TryVec, try_with_capacity};

/// A digit of an index, as a list of extents has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digit {
    /// The dimension of the extents that it is a digit of.
    pub(crate) dim: usize,
    /// The distance of indices whose digit differs by one.
    pub(crate) weight: i64,
}

/// Blocks of one stretch that are taken apart one by one: those of flattened dimensions, which have no
/// period in the digits of the tensor's own dimensions, and those of periods that go into no other.
const MAX_BLOCKS: i64 = 1 << 22;

/// Intervals of a list that are looked at to choose a period, at least where it has as many.
const INTERVALS_LOOKED_AT: usize = 1 << 12;

/// Different periods of a dimension whose least common multiples are tried in pairs.
const FEW_PERIODS: usize = 8;

/// The digits of several lists of one tensor, by dimension and falling weight: for each list its own,
/// equally many. `by_tensor` asks for digits of the tensor's dimensions: lists that have not the same ones
/// flattened have no others in common.
pub(crate) fn digits_of(lists: &[&ExtentList], by_tensor: bool) -> GeometryResult<Vec<Vec<Digit>>> {
    debug_assert!(
        by_tensor || lists.windows(2).all(|pair| pair[0].flattening() == pair[1].flattening())
    );
    let flattened = lists.iter().find_map(|list| list.flattening());
    let sizes = flattened.filter(|_| by_tensor).map(Flattening::sizes);
    let ndim = sizes.map_or_else(|| lists.first().map_or(0, |list| list.ndim()), <[_]>::len);
    let mut weights: Vec<[i64; 2]> = try_with_capacity(ndim)?;
    for dim in 0..ndim {
        // A list that has flattened a dimension has no period of it.
        let whole = lists.iter().filter_map(|list| match list.flattening().filter(|_| by_tensor) {
            None => Some((*list, dim)),
            Some(flat) => {
                let own = (0..flat.ndim()).find(|&own| flat.dims_of(own) == (dim..dim + 1))?;
                Some((*list, own))
            }
        });
        weights.push([period_of(whole)?, 1]);
    }
    let count: usize = weights.iter().map(|[period, _]| 1 + usize::from(*period > 0)).sum();
    if count > MAX_NDIM {
        return Err(GeometryError::TooManyDims);
    }
    let mut all = try_with_capacity(lists.len())?;
    for list in lists {
        let mut digits = try_with_capacity(count)?;
        for dim in 0..list.ndim() {
            let dims = match list.flattening().filter(|_| by_tensor) {
                None => dim..dim + 1,
                Some(flat) => flat.dims_of(dim),
            };
            for inner in dims.clone() {
                let behind = sizes.map_or(&[][..], |sizes| &sizes[inner + 1..dims.end]);
                let factor: i64 = behind.iter().map(|size| (*size).max(1)).product();
                let own = weights[inner].iter().filter(|weight| **weight > 0);
                digits
                    .extend(own.map(|weight| Digit { dim, weight: weight.saturating_mul(factor) }));
            }
        }
        all.push(digits);
    }
    Ok(all)
}

/// The period by which a dimension of lists is unfolded into the fewest boxes; 0 for none. The number of
/// boxes is an estimate.
fn period_of<'a>(lists: impl Iterator<Item = (&'a ExtentList, usize)>) -> GeometryResult<i64> {
    let mut parts = PeriodChoice::default();
    for (list, dim) in lists {
        parts.add(list, dim)?;
    }
    if parts.stretches.is_empty() {
        return Ok(0);
    }
    let mut periods: Vec<i64> = try_with_capacity(parts.stretches.len())?;
    periods.extend(parts.stretches.iter().map(|stretch| stretch.period));
    periods.sort_unstable();
    periods.dedup();
    let single = periods.len();
    let all =
        periods.iter().try_fold(1, |multiple, period| least_common_multiple(multiple, *period));
    periods.try_extend(all)?;
    for at in 0..if single <= FEW_PERIODS { single } else { 0 } {
        for other in 0..at {
            periods.try_extend(least_common_multiple(periods[at], periods[other]))?;
        }
    }
    // With many periods, comparing each with each takes too long: only the first ones are compared.
    periods.truncate(FEW_PERIODS * FEW_PERIODS);
    periods.try_push(0)?;
    Ok(periods.into_iter().min_by_key(|&period| (parts.boxes(period), period)).unwrap_or(0))
}

/// What extents have of a dimension.
#[derive(Default)]
struct PeriodChoice {
    stretches: Vec<PeriodicPart>,
    /// Starts and ends of intervals, and how many intervals each stands for.
    intervals: Vec<(i64, i64, i128)>,
}

struct PeriodicPart {
    period: i64,
    /// Number of blocks.
    count: i64,
    /// Extents that have it.
    extents: i128,
}

impl PeriodChoice {
    fn add(&mut self, list: &ExtentList, dim: usize) -> Memory<()> {
        let mut extents_of = crate::memory::try_filled(0u32, list.table().len())?;
        let apart = list.len() / INTERVALS_LOOKED_AT + 1;
        let looked_at = if list.table().is_empty() { apart } else { 1 };
        for (at, extent) in list.iter().enumerate().step_by(looked_at) {
            match (extent.map_number(dim), extent.dim(dim)) {
                (Some(number), DimExtent::Map(_)) => extents_of[number as usize] += 1,
                (_, DimExtent::Interval(start, size)) if at % apart == 0 && size > 0 => {
                    self.intervals.try_push((start, start + size, apart as i128))?;
                }
                _ => {}
            }
        }
        for (map, extents) in
            list.table().iter().zip(extents_of).filter(|(_, extents)| *extents > 0)
        {
            let blocks = map.stretches().iter().filter(|stretch| stretch.count() > 1);
            self.stretches.try_extend(blocks.map(|stretch| PeriodicPart {
                period: stretch.global_step(),
                count: stretch.count(),
                extents: extents.into(),
            }))?;
        }
        Ok(())
    }

    /// About how many boxes they all are, unfolded by a period.
    fn boxes(&self, period: i64) -> i128 {
        let of_stretch = |stretch: &PeriodicPart| {
            let count = match period.checked_rem(stretch.period) {
                Some(0) if period > 0 => stretch.count.min(period / stretch.period),
                _ => stretch.count,
            };
            i128::from(count) * stretch.extents
        };
        // The rows that an interval is in: the first, all between, and the last.
        let of_interval = |&(start, end, intervals): &(i64, i64, i128)| {
            let rows = match period {
                0 => 1,
                _ => ((end - 1) / period - start / period + 1).min(3),
            };
            i128::from(rows) * intervals
        };
        self.stretches.iter().map(of_stretch).sum::<i128>()
            + self.intervals.iter().map(of_interval).sum::<i128>()
    }
}

fn least_common_multiple(a: i64, b: i64) -> Option<i64> {
    a.checked_mul(b / super::blocks::gcd(a, b))
}

/// A dimension of an extent in digits: boxes, one after the other.
#[derive(Debug, Default)]
pub(super) struct Slices {
    /// For each box, its lows, its highs, and how far a step in each digit is in the buffer.
    pub(super) lows: Vec<i64>,
    pub(super) highs: Vec<i64>,
    pub(super) steps: Vec<i64>,
    /// Where each box starts in the buffer.
    pub(super) starts: Vec<i64>,
}

impl Slices {
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(super) fn clear(&mut self) {
        self.lows.clear();
        self.highs.clear();
        self.steps.clear();
        self.starts.clear();
    }

    /// Adds what an extent has of a dimension of these digits.
    pub(super) fn push(&mut self, digits: &[Digit], dim: DimExtent<'_>) -> GeometryResult<()> {
        match dim {
            DimExtent::Interval(start, size) => self.push_interval(digits, [start, 0], size),
            DimExtent::Map(map) => {
                for stretch in map.stretches() {
                    let starts = [stretch.global_start(), stretch.local_start()];
                    let steps = [stretch.global_step(), stretch.local_step()];
                    self.push_stretch(digits, starts, stretch.length(), stretch.count(), steps)?;
                }
                Ok(())
            }
        }
    }

    /// Adds `count` blocks, from places `starts` in the tensor and in the buffer on.
    fn push_stretch(
        &mut self, digits: &[Digit], starts: [i64; 2], length: i64, count: i64, steps: [i64; 2],
    ) -> GeometryResult<()> {
        let [Digit { weight: period, .. }, _] = *digits else {
            return self.push_blocks(digits, starts, length, count, steps);
        };
        if count == 1 || period % steps[0] != 0 {
            return self.push_blocks(digits, starts, length, count, steps);
        }
        // Every `period / step`-th block is at the same place of its period.
        let apart = period / steps[0];
        for first in 0..apart.min(count) {
            let number = (count - 1 - first) / apart + 1;
            let [global, local] = [0, 1].map(|side| starts[side] + first * steps[side]);
            let (row, place) = (global / period, global % period);
            let fitting = length.min(period - place);
            // Of a single row, any step will do.
            let step = if number == 1 { length } else { apart * steps[1] };
            self.push_box(&[row, place], &[row + number, place + fitting], &[step, 1], local)?;
            if fitting < length {
                let (lows, highs) = ([row + 1, 0], [row + 1 + number, length - fitting]);
                self.push_box(&lows, &highs, &[step, 1], local + fitting)?;
            }
        }
        Ok(())
    }

    fn push_blocks(
        &mut self, digits: &[Digit], starts: [i64; 2], length: i64, count: i64, steps: [i64; 2],
    ) -> GeometryResult<()> {
        if count > MAX_BLOCKS {
            return Err(GeometryError::TooManyBlocks);
        }
        for block in 0..count {
            let starts = [0, 1].map(|side| starts[side] + block * steps[side]);
            self.push_interval(digits, starts, length)?;
        }
        Ok(())
    }

    /// Adds `size` neighbouring indices, from places `starts` in the tensor and in the buffer on.
    fn push_interval(
        &mut self, digits: &[Digit], starts: [i64; 2], size: i64,
    ) -> GeometryResult<()> {
        let mut steps = [0; MAX_NDIM];
        steps.iter_mut().zip(digits).for_each(|(step, digit)| *step = digit.weight);
        let (mut lows, mut highs) = ([0; MAX_NDIM], [0; MAX_NDIM]);
        let [global, local] = starts;
        let range = (global, global + size);
        split(digits, 0, range, &mut lows, &mut highs, &mut |lows, highs| {
            let index: i64 = lows.iter().zip(digits).map(|(low, digit)| low * digit.weight).sum();
            self.push_box(lows, highs, &steps[..digits.len()], local + (index - global))
        })
    }

    fn push_box(
        &mut self, lows: &[i64], highs: &[i64], steps: &[i64], start: i64,
    ) -> GeometryResult<()> {
        self.lows.try_extend_from_slice(lows)?;
        self.highs.try_extend_from_slice(highs)?;
        self.steps.try_extend_from_slice(steps)?;
        Ok(self.starts.try_push(start)?)
    }
}

/// A callback for the lows and the highs of a box.
type FoundBox<'a> = dyn FnMut(&[i64], &[i64]) -> GeometryResult<()> + 'a;

/// Takes a range of indices apart into boxes of digits: its first row, the whole ones, and its last. At
/// most as many levels deep as there are digits, which are no more than a tensor has dimensions.
fn split(
    digits: &[Digit], at: usize, (low, high): (i64, i64), lows: &mut [i64; MAX_NDIM],
    highs: &mut [i64; MAX_NDIM], found: &mut FoundBox<'_>,
) -> GeometryResult<()> {
    if low >= high {
        return Ok(());
    }
    let weight = digits[at].weight;
    if at + 1 == digits.len() {
        // The last digit counts the indices themselves.
        (lows[at], highs[at]) = (low, high);
        return found(&lows[..=at], &highs[..=at]);
    }
    let (mut row, place) = (low / weight, low % weight);
    let (end, rest) = (high / weight, high % weight);
    let mut rows = |rows: (i64, i64), inner: (i64, i64)| {
        if rows.0 < rows.1 {
            (lows[at], highs[at]) = rows;
            split(digits, at + 1, inner, lows, highs, found)?;
        }
        Ok::<(), GeometryError>(())
    };
    if row == end {
        return rows((row, row + 1), (place, rest));
    }
    if place > 0 {
        rows((row, row + 1), (place, weight))?;
        row += 1;
    }
    rows((row, end), (0, weight))?;
    rows((end, end + 1), (0, rest))
}
