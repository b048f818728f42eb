//! Carry-less multiplication on aarch64: PMULL.

use std::arch::aarch64::{
    uint64x2_t, vcombine_u64, vcreate_u64, veorq_u64, vgetq_lane_u64, vld1q_u8, vmull_p64,
    vreinterpretq_u64_p128, vreinterpretq_u64_u8,
};

use super::folding::Coefficients;

// SAFETY of all below: the processor has the instructions, and the caller may read what is loaded.
impl Coefficients for uint64x2_t {
    #[inline(always)]
    unsafe fn new(low: u64, high: u64) -> Self {
        // SAFETY: `vcombine_u64` is NEON, which every aarch64 has, and its operands are values.
        unsafe { vcombine_u64(vcreate_u64(low), vcreate_u64(high)) }
    }

    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> Self {
        // SAFETY: `vld1q_u8` is NEON, which every aarch64 has, and needs no alignment. The contract
        // of `load` is that 16 bytes may be read.
        unsafe { vreinterpretq_u64_u8(vld1q_u8(bytes)) }
    }

    #[inline(always)]
    unsafe fn low(self) -> u64 {
        // SAFETY: `vgetq_lane_u64` is NEON, which every aarch64 has, and its operands are values.
        unsafe { vgetq_lane_u64::<0>(self) }
    }

    #[inline(always)]
    unsafe fn high(self) -> u64 {
        // SAFETY: `vgetq_lane_u64` is NEON, which every aarch64 has, and its operands are values.
        unsafe { vgetq_lane_u64::<1>(self) }
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        // SAFETY: `veorq_u64` is NEON, which every aarch64 has, and its operands are values.
        unsafe { veorq_u64(self, other) }
    }

    #[inline]
    #[target_feature(enable = "neon,aes")]
    unsafe fn times_low(self, other: Self) -> Self {
        // SAFETY: `vmull_p64` is of the AES instructions, which the contract of `Coefficients`
        // includes.
        unsafe { vreinterpretq_u64_p128(vmull_p64(self.low(), other.low())) }
    }

    #[inline]
    #[target_feature(enable = "neon,aes")]
    unsafe fn times_high(self, other: Self) -> Self {
        // SAFETY: `vmull_p64` is of the AES instructions, which the contract of `Coefficients`
        // includes.
        unsafe { vreinterpretq_u64_p128(vmull_p64(self.high(), other.high())) }
    }
}
