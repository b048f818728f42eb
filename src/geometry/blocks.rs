//! Blocks at equal steps on one axis, and what two sets of them have in common, in closed form.
//!
//! Of blocks `a` at steps `p` and blocks `b` at steps `q`, block `i` and block `j` meet where the
//! distance `d` of their starts is between minus the one length and the other. With `g = gcd(p, q)`,
//! only every `g`-th distance occurs, and the pairs of blocks at one distance come every `lcm(p, q)`:
//! each distance is one set of blocks at equal steps. So there are at most `p/g + q/g` sets.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "starts, steps and ends of blocks fit an i64; their sums and products are made in 128 \
              bits"
)]

use crate::memory::Memory;

/// `count` blocks of `length` neighbouring numbers, the first at `start`, each `step` after the one
/// before it. At least one block of at least one number; they do not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockTrain {
    pub(super) start: i64,
    pub(super) length: i64,
    pub(super) count: i64,
    pub(super) step: i64,
}

/// The intersection of two sets of blocks: blocks again, and for either set, which of its blocks
/// the first lies in and how many blocks further each next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Common {
    pub(super) blocks: BlockTrain,
    pub(super) first: [i64; 2],
    pub(super) advance: [i64; 2],
}

impl BlockTrain {
    /// Past the end of the last block.
    pub(super) fn end(&self) -> i64 {
        self.start + (self.count - 1) * self.step + self.length
    }

    /// The place of a number between the first block's start and the last one's end: which block it is in,
    /// and where. `None`: between two blocks.
    pub(super) fn find(&self, number: i64) -> Option<(i64, i64)> {
        debug_assert!((self.start..self.end()).contains(&number));
        let distance = number - self.start;
        let (block, place) = if self.count == 1 {
            (0, distance)
        } else {
            (distance / self.step, distance % self.step)
        };
        (place < self.length).then_some((block, place))
    }

    fn block(&self, number: i64) -> i64 {
        self.start + number * self.step
    }

    /// How many steps [`Self::meet`] takes, about.
    pub(super) fn steps_to_meet(&self, other: &Self) -> i64 {
        let distances = (self.length + other.length - 1) / gcd(self.step, other.step) + 1;
        self.count.min(other.count).min(distances)
    }

    /// `found` is called for each set of blocks that this one and another have in common, in no
    /// particular order.
    pub(super) fn meet(
        &self, other: &Self, found: &mut impl FnMut(Common) -> Memory<()>,
    ) -> Memory<()> {
        let step = gcd(self.step, other.step);
        // How many distances there can be, and how many pieces if one set is taken block by block.
        let distances = (self.length + other.length - 1) / step + 1;
        let fewer = self.count.min(other.count);
        if fewer == 1 || fewer.saturating_mul(3) < distances {
            return if self.count == fewer {
                self.meet_one_by_one(other, found)
            } else {
                other.meet_one_by_one(self, &mut |common| found(common.swapped()))
            };
        }
        self.meet_by_distance(other, step, found)
    }

    /// Takes the blocks of this set one by one: each is an interval that clips the other set.
    fn meet_one_by_one(
        &self, other: &Self, found: &mut impl FnMut(Common) -> Memory<()>,
    ) -> Memory<()> {
        for number in 0..self.count {
            let low = self.block(number);
            other.clip(low, low + self.length, &mut |blocks, first| {
                found(Common { blocks, first: [number, first], advance: [0, 1] })
            })?;
        }
        Ok(())
    }

    /// The blocks inside of an interval: a clipped one, whole ones, a clipped one.
    fn clip(
        &self, low: i64, high: i64, found: &mut impl FnMut(Self, i64) -> Memory<()>,
    ) -> Memory<()> {
        let (start, length, step) = (self.start, self.length, self.step);
        // The first block that ends after `low`, and the last that starts before `high`.
        let mut first = ((low - start - length).div_euclid(step) + 1).max(0);
        let mut last = (high - start - 1).div_euclid(step).min(self.count - 1);
        if first > last {
            return Ok(());
        }
        let mut one = |number: i64| {
            let (low, high) = (low.max(self.block(number)), high.min(self.block(number) + length));
            let blocks = Self { start: low, length: high - low, count: 1, step: high - low };
            found(blocks, number)
        };
        if first == last {
            return one(first);
        }
        if self.block(first) < low {
            one(first)?;
            first += 1;
        }
        if self.block(last) + length > high {
            one(last)?;
            last -= 1;
        }
        let count = last - first + 1;
        if count <= 0 {
            return Ok(());
        }
        found(Self { start: self.block(first), length, count, step }, first)
    }

    /// Takes the distances between starts of blocks one by one: the pairs at one distance repeat.
    fn meet_by_distance(
        &self, other: &Self, divisor: i64, found: &mut impl FnMut(Common) -> Memory<()>,
    ) -> Memory<()> {
        let [p, q] = [i128::from(self.step), i128::from(other.step)];
        let advance = [other.step / divisor, self.step / divisor];
        let inverse = inverse(i128::from(advance[1]), i128::from(advance[0]));
        let apart = self.start - other.start;
        let mut distance = {
            let least = 1 - self.length;
            least + (apart - least).rem_euclid(divisor)
        };
        while distance < other.length {
            // i * p - j * q for the numbers i and j of two blocks at this distance.
            let difference = i128::from(distance) - i128::from(apart);
            let low = div_ceil(difference, p).max(0);
            let high = (i128::from(other.count - 1) * q + difference)
                .div_euclid(p)
                .min(i128::from(self.count - 1));
            let period = i128::from(advance[0]);
            let residue = difference / i128::from(divisor) % period * inverse;
            let i = low + (residue - low).rem_euclid(period);
            if i <= high {
                let j = (i * p - difference) / q;
                let count = (high - i) / period + 1;
                let (i, j) = (i as i64, j as i64);
                let (start, length) = if distance >= 0 {
                    (self.block(i), self.length.min(other.length - distance))
                } else {
                    (other.block(j), other.length.min(self.length + distance))
                };
                // Where there are two, the second starts before the ends, so the step fits.
                let step = if count == 1 { length } else { (period * p) as i64 };
                let blocks = Self { start, length, count: count as i64, step };
                found(Common { blocks, first: [i, j], advance })?;
            }
            distance += divisor;
        }
        Ok(())
    }
}

impl Common {
    fn swapped(self) -> Self {
        let Self { blocks, first: [a, b], advance: [c, d] } = self;
        Self { blocks, first: [b, a], advance: [d, c] }
    }
}

pub(super) fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn div_ceil(a: i128, b: i128) -> i128 {
    -(-a).div_euclid(b)
}

/// The number that times `a` is 1 modulo `modulus`, which has no divisor in common with `a`.
/// Euclid's algorithm.
fn inverse(a: i128, modulus: i128) -> i128 {
    let (mut remainder, mut next) = (modulus, a.rem_euclid(modulus));
    let (mut factor, mut next_factor) = (0i128, 1i128);
    while next != 0 {
        let quotient = remainder / next;
        (remainder, next) = (next, remainder - quotient * next);
        (factor, next_factor) = (next_factor, factor - quotient * next_factor);
    }
    factor.rem_euclid(modulus)
}
