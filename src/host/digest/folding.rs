//! Sums of messages by carry-less multiplication, where the processor has it.
//!
//! 128 coefficients are a pair of reflected halves: the low one has the terms `x^127` to `x^64`, the high
//! one the others. The carry-less product of two halves is such a pair, one `x` too large, for which
//! constants make up.
//!
//! Source: Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction",
//! Intel, 2009.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "places inside of a caller's bytes, and in arrays of LANES"
)]

use super::engine::{Engine, word};
use super::polynomial::{POLYNOMIAL, Shift, over_x, power};

/// 128 coefficients in a register of the processor.
///
/// # Safety
///
/// The processor has the instructions of all functions; so for each of them.
pub(super) trait Coefficients: Copy {
    unsafe fn new(low: u64, high: u64) -> Self;
    /// # Safety
    ///
    /// 16 bytes may be read.
    unsafe fn load(bytes: *const u8) -> Self;
    unsafe fn low(self) -> u64;
    unsafe fn high(self) -> u64;
    unsafe fn plus(self, other: Self) -> Self;
    /// The product of the low halves.
    unsafe fn times_low(self, other: Self) -> Self;
    /// The product of the high halves.
    unsafe fn times_high(self, other: Self) -> Self;
}

/// Blocks that are summed side by side: a product takes several cycles, and one starts in each or in
/// every second.
const LANES: usize = 8;
const BLOCK: usize = 16;

/// The polynomial with the term `x^64`, its lowest bit; `x^0` would be bit 64.
const WHOLE: u64 = POLYNOMIAL << 1 | 1;
/// Times this, a low half is the multiple of the polynomial that has the same low half: the inverse of
/// [`WHOLE`] modulo `2^64`, without carries.
const INVERSE: u64 = inverse(WHOLE);

#[allow(clippy::arithmetic_side_effects, reason = "the compiler runs it")]
const fn inverse(of: u64) -> u64 {
    let (mut inverse, mut left, mut bit) = (0, 1, 0);
    while bit < 64 {
        if left >> bit & 1 != 0 {
            inverse |= 1 << bit;
            left ^= of << bit;
        }
        bit += 1;
    }
    inverse
}

/// What adds `bits` zeros behind 128 coefficients: for the low half and for the high one.
const fn fold_by(bits: u32) -> [u64; 2] {
    [over_x(power(bits.saturating_add(64))), over_x(power(bits))]
}

const FOLD_LANES: [u64; 2] = fold_by(8 * (LANES * BLOCK) as u32);
const FOLD_BLOCK: [u64; 2] = fold_by(8 * BLOCK as u32);
/// `x^128 / x`.
const TO_REGISTER: u64 = over_x(power(128));

/// Sums by carry-less products of `C`. Only made where the processor has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folding<C>(std::marker::PhantomData<C>);

impl<C: Coefficients> Folding<C> {
    /// # Safety
    ///
    /// The processor has the instructions of `C`.
    pub(super) unsafe fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

/// `a` with so many zeros behind it, and `more` added.
///
/// # Safety
///
/// The processor has the instructions of `C`.
#[inline(always)]
unsafe fn fold<C: Coefficients>(a: C, by: C, more: C) -> C {
    // SAFETY: the contract of `fold` is that the processor has the instructions of `C`, which
    // products of `a` require.
    unsafe { a.times_low(by).plus(a.times_high(by)).plus(more) }
}

/// 128 coefficients modulo the polynomial.
///
/// # Safety
///
/// The processor has the instructions of `C`.
#[inline(always)]
unsafe fn reduce<C: Coefficients>(a: C) -> u64 {
    // SAFETY: the contract of `reduce` is that the processor has the instructions of `C`, which
    // products of `a` require.
    unsafe {
        let multiple = a.times_low(C::new(INVERSE, 0));
        let product = multiple.times_low(C::new(WHOLE, 0));
        // The term `x^0` of the polynomial is not in `WHOLE`.
        product.plus(a).high() ^ multiple.low()
    }
}

// SAFETY of all below: an engine is only made where the processor has the instructions.
impl<C: Coefficients> Engine for Folding<C> {
    #[inline(always)]
    fn shift(self, a: u64, by: Shift) -> u64 {
        // SAFETY: a `Folding` exists only where the processor has the instructions of `C`, by the
        // contract of `Folding::new`.
        unsafe { reduce(C::new(a, 0).times_low(C::new(by.factor, 0))) }
    }

    #[inline(always)]
    unsafe fn update(self, register: u64, bytes: *const u8, len: usize) -> u64 {
        // SAFETY: a `Folding` exists only where the processor has the instructions of `C`, by the
        // contract of `Folding::new`. What is read lies before `end`: each load follows a
        // comparison with `left` or `len`.
        unsafe {
            let (mut register, mut at, end) = (register, bytes, bytes.wrapping_add(len));
            let left = |at: *const u8| end.addr() - at.addr();
            if len >= BLOCK {
                // What is added to the first 8 bytes is what has `x^64` more behind all bytes.
                let first = C::load(at).plus(C::new(register, 0));
                at = at.add(BLOCK);
                let mut sum = if len >= LANES * BLOCK {
                    let (sum, next) = update_lanes(first, at, len / (LANES * BLOCK));
                    at = next;
                    sum
                } else {
                    first
                };
                let by = C::new(FOLD_BLOCK[0], FOLD_BLOCK[1]);
                while left(at) >= BLOCK {
                    sum = fold(sum, by, C::load(at));
                    at = at.add(BLOCK);
                }
                // The sum times `x^64`.
                let moved = sum.times_low(C::new(TO_REGISTER, 0));
                register = reduce(moved.plus(C::new(sum.high(), 0)));
            }
            if left(at) >= 8 {
                register = reduce(C::new(register ^ word(at, 8), 0));
                at = at.add(8);
            }
            match left(at) {
                0 => register,
                few => {
                    let bits = 8 * few;
                    let first = register ^ word(at, few);
                    register >> bits ^ reduce(C::new(first << (64 - bits), 0))
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn words(
        self, first: *const u8, (count, step): (usize, isize), len: usize, by: Shift,
    ) -> u64 {
        // SAFETY: a `Folding` exists only where the processor has the instructions of `C`, by the
        // contract of `Folding::new`, and the contract of `words` covers the words `at` each step.
        unsafe {
            let by = C::new(by.upper, by.factor);
            let (mut sum, mut at) = (C::new(0, 0), first);
            for _ in 0..count {
                sum = fold(sum, by, C::new(0, word(at, len)));
                at = at.wrapping_offset(step);
            }
            self.shift_by(reduce(sum), len)
        }
    }
}

/// The sum of `groups` times [`LANES`] blocks, of which the first is given and the others are at `at`,
/// and where they end.
///
/// # Safety
///
/// The processor has the instructions of `C`, and the other blocks may be read.
#[inline(always)]
unsafe fn update_lanes<C: Coefficients>(first: C, at: *const u8, groups: usize) -> (C, *const u8) {
    // SAFETY: the contract of `update_lanes` is that the processor has the instructions of `C`, and
    // that so many blocks may be read from `at` on.
    unsafe {
        let mut at = at;
        let mut lanes = [first; LANES];
        for (lane, place) in lanes.iter_mut().skip(1).zip(0..) {
            *lane = C::load(at.add(BLOCK * place));
        }
        at = at.add(BLOCK * (LANES - 1));
        let by = C::new(FOLD_LANES[0], FOLD_LANES[1]);
        for _ in 1..groups {
            for (lane, place) in lanes.iter_mut().zip(0..) {
                *lane = fold(*lane, by, C::load(at.add(BLOCK * place)));
            }
            at = at.add(BLOCK * LANES);
        }
        let by = C::new(FOLD_BLOCK[0], FOLD_BLOCK[1]);
        let mut sum = lanes[0];
        for &lane in &lanes[1..] {
            sum = fold(sum, by, lane);
        }
        (sum, at)
    }
}
