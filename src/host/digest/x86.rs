//! Carry-less multiplication on x86-64: PCLMULQDQ.

use std::arch::x86_64::{
    __m128i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_extract_epi64, _mm_loadu_si128,
    _mm_set_epi64x, _mm_xor_si128,
};

use super::folding::Coefficients;

// SAFETY of all below: the processor has the instructions, and the caller may read what is loaded.
impl Coefficients for __m128i {
    #[inline(always)]
    unsafe fn new(low: u64, high: u64) -> Self {
        // SAFETY: `_mm_set_epi64x` is SSE2, which every x86-64 has, and its operands are values.
        unsafe { _mm_set_epi64x(high.cast_signed(), low.cast_signed()) }
    }

    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> Self {
        // SAFETY: `_mm_loadu_si128` is SSE2, which every x86-64 has, and needs no alignment. The
        // contract of `load` is that 16 bytes may be read.
        unsafe { _mm_loadu_si128(bytes.cast()) }
    }

    #[inline(always)]
    unsafe fn low(self) -> u64 {
        // SAFETY: `_mm_cvtsi128_si64` is SSE2, which every x86-64 has, and its operands are values.
        unsafe { _mm_cvtsi128_si64(self) }.cast_unsigned()
    }

    #[inline(always)]
    unsafe fn high(self) -> u64 {
        // SAFETY: `_mm_extract_epi64` is SSE4.1, which the contract of `Coefficients` includes.
        unsafe { _mm_extract_epi64::<1>(self) }.cast_unsigned()
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        // SAFETY: `_mm_xor_si128` is SSE2, which every x86-64 has, and its operands are values.
        unsafe { _mm_xor_si128(self, other) }
    }

    #[inline(always)]
    unsafe fn times_low(self, other: Self) -> Self {
        // SAFETY: `_mm_clmulepi64_si128` is PCLMULQDQ, which the contract of `Coefficients`
        // includes.
        unsafe { _mm_clmulepi64_si128::<0x00>(self, other) }
    }

    #[inline(always)]
    unsafe fn times_high(self, other: Self) -> Self {
        // SAFETY: `_mm_clmulepi64_si128` is PCLMULQDQ, which the contract of `Coefficients`
        // includes.
        unsafe { _mm_clmulepi64_si128::<0x11>(self, other) }
    }
}
