//! Polynomials over GF(2) modulo that of CRC-64/NVME.
//!
//! A polynomial of degree below 64 is a `u64`, reflected: bit 63 is the coefficient of `x^0`, bit 0 that
//! of `x^63`. So the first bit of a message, the lowest of its first byte, has the highest degree.
//!
//! Source: the CRC catalogue's entry CRC-64/NVME, and section 5.2.1.3.4 of the NVM Command Set
//! Specification 1.0d.

/// `x^64` modulo the polynomial: its coefficients below `x^64`.
pub(super) const POLYNOMIAL: u64 = 0x9a6c_9329_ac4b_c9b5;

/// `x^0`.
pub(super) const ONE: u64 = 1 << 63;

/// `a * x`.
pub(super) const fn times_x(a: u64) -> u64 {
    (a >> 1) ^ if a & 1 == 0 { 0 } else { POLYNOMIAL }
}

/// `a / x`. The polynomial has the term `x^0`, so `x` has an inverse.
pub(super) const fn over_x(a: u64) -> u64 {
    if a & ONE == 0 { a << 1 } else { (a ^ POLYNOMIAL) << 1 | 1 }
}

/// `a * b`.
pub(super) const fn product(a: u64, b: u64) -> u64 {
    let (mut sum, mut a, mut b) = (0, a, b);
    // `a` goes from `a * x^0` to `a * x^63`, the coefficients of `b` from bit 63 to bit 0.
    while b != 0 {
        if b & ONE != 0 {
            sum ^= a;
        }
        a = times_x(a);
        b <<= 1;
    }
    sum
}

/// `x^degree`, for the constants of kernels.
pub(super) const fn power(degree: u32) -> u64 {
    let (mut a, mut left) = (ONE, degree);
    while left > 0 {
        a = times_x(a);
        left = left.saturating_sub(1);
    }
    a
}

/// What moves a message by some bytes: `x^(8 * bytes)`, as [`Engine`](super::engine::Engine) multiplies
/// by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shift {
    /// `x^(8 * bytes) / x`: the carry-less product of two reflected numbers is one `x` too large.
    pub(super) factor: u64,
    /// `x^(8 * bytes) * x^64 / x`: the same for the upper half of 128 coefficients.
    pub(super) upper: u64,
}

impl Shift {
    /// By what `power`, `x^(8 * bytes)`, stands for.
    pub(super) const fn of_power(power: u64) -> Self {
        // `x^64` is the polynomial's other coefficients.
        Self { factor: over_x(power), upper: over_x(product(power, POLYNOMIAL)) }
    }
}

/// Shifts by `2^i` bytes.
pub(super) const DOUBLINGS: [Shift; 64] = doublings();

#[allow(clippy::indexing_slicing, reason = "below the length; the compiler runs it")]
#[allow(clippy::arithmetic_side_effects, reason = "as above")]
const fn doublings() -> [Shift; 64] {
    let mut shifts = [Shift { factor: 0, upper: 0 }; 64];
    let (mut at, mut one) = (0, power(8));
    while at < shifts.len() {
        shifts[at] = Shift::of_power(one);
        one = product(one, one);
        at += 1;
    }
    shifts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_x_are_products_and_quotients() {
        assert_eq!(power(64), POLYNOMIAL);
        assert_eq!(product(power(13), power(57)), power(70));
        assert_eq!(over_x(power(70)), power(69));
        assert_eq!(product(over_x(ONE), power(5)), power(4));
        assert_eq!(times_x(over_x(ONE)), ONE);
        assert_eq!(DOUBLINGS[3].factor, power(63));
        assert_eq!(DOUBLINGS[3].upper, power(127));
    }

    #[test]
    fn a_shift_by_every_power_of_two_is_the_square_of_the_one_before() {
        for pair in DOUBLINGS.windows(2) {
            let [small, large] = [pair[0], pair[1]].map(|shift| times_x(shift.factor));
            assert_eq!(product(small, small), large);
        }
    }
}
