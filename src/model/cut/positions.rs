//! The positions that the pieces of a rule have, in closed form.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "positions lie inside of the length that is cut, which fits an i64; pieces are numbered below \
              their number, which is at least 1"
)]

use super::error::CutProblem;
use super::rule::{Rule, RuleKind};
use crate::error::Result;
use crate::geometry::Stretch;
use crate::memory::{Memory, TryVec, try_collect, try_with_capacity};

/// The pieces of a rule, of a length.
pub(super) struct Positions<'a> {
    rule: &'a Rule,
    length: i64,
    /// How many neighbouring coordinates have the same piece.
    repeat: i64,
    pieces: i64,
    /// Units of the rule's granule, the last of which may be short.
    units: i64,
    /// Of listed rules, where each piece starts, and where the last one ends.
    bounds: Vec<i64>,
}

impl<'a> Positions<'a> {
    /// The pieces of `length` positions on an axis of `count` coordinates.
    pub(super) fn new(rule: &'a Rule, length: i64, count: i64) -> Result<Self> {
        let (repeat, granule) = (rule.repeat_of(length, count)?, rule.granule);
        let pieces = count / repeat;
        let units = div_ceil(length, granule);
        if rule.even && !rule.is_cyclic() && (length % granule != 0 || units % pieces != 0) {
            return Err(CutProblem::Uneven { length, granule, pieces }.into());
        }
        let bounds = match &rule.kind {
            RuleKind::Sizes(sizes) => bounds_of_sizes(sizes, length, granule)?,
            RuleKind::Weights(weights) => {
                let mut bounds = bounds_of(&apportion(units, weights)?)?;
                bounds.iter_mut().for_each(|bound| *bound = clamp(*bound, granule, length));
                bounds
            }
            _ => Vec::new(),
        };
        Ok(Self { rule, length, repeat, pieces, units, bounds })
    }

    /// Whether neighbouring coordinates share pieces.
    pub(super) fn repeats(&self) -> bool {
        self.repeat > 1
    }

    /// The positions of coordinate `at`, where they are one interval by the rule: start and length.
    pub(super) fn interval(&self, at: i64) -> Option<(i64, i64)> {
        if self.rule.is_cyclic() {
            return None;
        }
        let piece = at / self.repeat;
        let start = self.bound(piece);
        Some((start, self.bound(piece + 1) - start))
    }

    /// Where a piece starts: where the one before it ends.
    fn bound(&self, piece: i64) -> i64 {
        let unit = match self.rule.kind {
            RuleKind::Chunk => {
                div_ceil(self.units, self.pieces).saturating_mul(piece).min(self.units)
            }
            RuleKind::Balanced => {
                piece * (self.units / self.pieces) + piece.min(self.units % self.pieces)
            }
            _ => return self.bounds[piece as usize],
        };
        clamp(unit, self.rule.granule, self.length)
    }

    /// Adds the positions of coordinate `at`, counted from `starts` on in what is cut and in the buffer.
    /// Returns how many there are.
    pub(super) fn push(
        &self, at: i64, starts: [i64; 2], stretches: &mut Vec<Stretch>,
    ) -> Memory<i64> {
        let [global, local] = starts;
        if let Some((start, length)) = self.interval(at) {
            stretches.try_extend(Stretch::interval(global + start, local, length))?;
            return Ok(length);
        }
        let RuleKind::Cyclic { block, first } = self.rule.kind else {
            return Ok(0);
        };
        // No block is longer than all there is.
        let block = block.min(self.length.max(1));
        let piece = at / self.repeat;
        let turn = (piece - first % self.pieces + self.pieces) % self.pieces;
        let blocks = div_ceil(self.length, block);
        if turn >= blocks {
            return Ok(0);
        }
        let count = (blocks - 1 - turn) / self.pieces + 1;
        // The last block of all may be short, and be this piece's last one.
        let last = turn + (count - 1) * self.pieces;
        let tail = self.length - last * block;
        let whole = if tail < block { count - 1 } else { count };
        let start = global + turn * block;
        // A step past the end is that of a single block, which has none.
        let step = block.saturating_mul(self.pieces);
        stretches.try_extend(Stretch::new([start, local], block, whole, [step, block]))?;
        if whole == count {
            return Ok(count * block);
        }
        let (start, local) = (global + last * block, local + whole * block);
        stretches.try_extend(Stretch::interval(start, local, tail))?;
        Ok(whole * block + tail)
    }
}

fn div_ceil(a: i64, b: i64) -> i64 {
    a / b + i64::from(a % b > 0)
}

/// Where a unit starts; the last one ends with the length.
fn clamp(unit: i64, granule: i64, length: i64) -> i64 {
    unit.saturating_mul(granule).min(length)
}

/// Sums of the first ones, of numbers whose sum fits.
fn bounds_of(sizes: &[i64]) -> Memory<Vec<i64>> {
    let mut bounds = try_with_capacity(sizes.len() + 1)?;
    bounds.push(0);
    bounds.extend(sizes.iter().scan(0, |sum, size| {
        *sum += size;
        Some(*sum)
    }));
    Ok(bounds)
}

fn bounds_of_sizes(sizes: &[i64], length: i64, granule: i64) -> Result<Vec<i64>> {
    let sum = sizes.iter().try_fold(0i64, |sum, size| sum.checked_add(*size));
    if sum != Some(length) {
        return Err(CutProblem::Sizes { sum, length }.into());
    }
    let bounds = bounds_of(sizes)?;
    let inside = |(start, size): (&i64, &i64)| start % granule != 0 && *size > 0;
    match bounds.iter().zip(sizes).position(inside) {
        None => Ok(bounds),
        Some(piece) => {
            let start = bounds[piece];
            Err(CutProblem::InsideUnit { piece, start, granule }.into())
        }
    }
}

/// `units` in proportion to weights, which are not all 0: largest remainders first, ties to the lower
/// index.
fn apportion(units: i64, weights: &[i64]) -> Memory<Vec<i64>> {
    // At most 2^32 weights below 2^63 each, and a product of two numbers below 2^63.
    let total: i128 = weights.iter().map(|&weight| i128::from(weight)).sum();
    let product = |weight: i64| i128::from(units) * i128::from(weight);
    let mut shares = try_collect(weights.iter().map(|&weight| (product(weight) / total) as i64))?;
    let rest = units - shares.iter().sum::<i64>();
    let mut order = try_collect(0..weights.len())?;
    order.sort_unstable_by_key(|&at| (-(product(weights[at]) % total), at));
    order.iter().take(rest as usize).for_each(|&at| shares[at] += 1);
    Ok(shares)
}
