//! SSE2, AVX2 and AVX-512.

use std::arch::x86_64::*;

use super::line_buffer::{LineBuffer, LineBytes};
use super::memory_line::MemoryLine;
use super::vector::Vector;
use crate::host::cpu::LINE;

/// 16 bytes; part of x86-64.
#[derive(Clone, Copy)]
pub(in crate::host) struct Sse2(__m128i);

/// 32 bytes.
#[derive(Clone, Copy)]
pub(in crate::host) struct Avx2(__m256i);

/// 64 bytes.
#[derive(Clone, Copy)]
pub(in crate::host) struct Avx512(__m512i);

/// # Safety
///
/// As `Vector::load_parts`, for part `part` of `from`.
#[inline(always)]
unsafe fn part(from: *const *const u8, part: usize, at: usize) -> __m128i {
    // SAFETY: the contract of `part` is that `from` has so many places, and that 16 bytes may be
    // read `at` bytes behind this one. No alignment is needed.
    unsafe { _mm_loadu_si128((*from.add(part)).add(at).cast()) }
}

/// # Safety
///
/// As [`part`], for `first` and `second`, on a processor with AVX2.
#[inline(always)]
unsafe fn two_parts(from: *const *const u8, first: usize, second: usize, at: usize) -> __m256i {
    // SAFETY: the contract of `two_parts` is that of `part` for `first` and `second`, and that the
    // processor has AVX2.
    unsafe {
        let low = _mm256_castsi128_si256(part(from, first, at));
        _mm256_inserti128_si256::<1>(low, part(from, second, at))
    }
}

macro_rules! interleave {
    ($a:ident, $b:ident, $($item:pat => $low:ident $high:ident),*) => {
        // SAFETY: the contract of `interleave` is that the processor has the vector's instructions,
        // which `$low` and `$high` are.
        unsafe {
            match ITEM {
                $($item => (Self($low($a.0, $b.0)), Self($high($a.0, $b.0))),)*
            }
        }
    };
}

impl Vector for Sse2 {
    type WriteBuffer = MemoryLine<Self>;

    const BYTES: usize = 16;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the contract of `load` is that 16 bytes may be read at `from`. `_mm_loadu_si128`
        // needs no alignment.
        Self(unsafe { _mm_loadu_si128(from.cast()) })
    }

    #[inline(always)]
    unsafe fn load_parts(from: *const *const u8, _: usize, at: usize) -> Self {
        // SAFETY: the contract of `load_parts` is that of `part`, for its only part, number 0.
        Self(unsafe { part(from, 0, at) })
    }

    /// It has no halves of 32 bytes.
    #[inline(always)]
    unsafe fn load_halves(from: *const *const u8, at: usize) -> Self {
        // SAFETY: the contract of `load_halves` is that 32 bytes may be read there, of which `load`
        // reads 16.
        unsafe { Self::load((*from).add(at)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the contract of `store` is that 16 bytes may be written at `to`.
        // `_mm_storeu_si128` needs no alignment.
        unsafe { _mm_storeu_si128(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut u8) {
        // SAFETY: the contract of `stream` is that 16 bytes may be written at `to`, a multiple of
        // 16, as `_mm_stream_si128` requires.
        unsafe { _mm_stream_si128(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn interleave<const ITEM: usize>(self, other: Self) -> (Self, Self) {
        interleave!(self, other,
            1 => _mm_unpacklo_epi8 _mm_unpackhi_epi8, 2 => _mm_unpacklo_epi16 _mm_unpackhi_epi16,
            4 => _mm_unpacklo_epi32 _mm_unpackhi_epi32, _ => _mm_unpacklo_epi64 _mm_unpackhi_epi64)
    }
}

impl Vector for Avx2 {
    type WriteBuffer = MemoryLine<Self>;

    const BYTES: usize = 32;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the contract of `load` is that 32 bytes may be read at `from`.
        // `_mm256_loadu_si256` needs no alignment.
        Self(unsafe { _mm256_loadu_si256(from.cast()) })
    }

    #[inline(always)]
    unsafe fn load_parts(from: *const *const u8, every: usize, at: usize) -> Self {
        // SAFETY: the contract of `load_parts` is that of `two_parts`, for places 0 and `every`.
        Self(unsafe { two_parts(from, 0, every, at) })
    }

    /// It has no halves of 32 bytes.
    #[inline(always)]
    unsafe fn load_halves(from: *const *const u8, at: usize) -> Self {
        // SAFETY: the contract of `load_halves` is that 32 bytes may be read there, which `load`
        // does.
        unsafe { Self::load((*from).add(at)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the contract of `store` is that 32 bytes may be written at `to`.
        // `_mm256_storeu_si256` needs no alignment.
        unsafe { _mm256_storeu_si256(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut u8) {
        // SAFETY: the contract of `stream` is that 32 bytes may be written at `to`, a multiple of
        // 32, as `_mm256_stream_si256` requires.
        unsafe { _mm256_stream_si256(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn interleave<const ITEM: usize>(self, other: Self) -> (Self, Self) {
        interleave!(self, other,
            1 => _mm256_unpacklo_epi8 _mm256_unpackhi_epi8,
            2 => _mm256_unpacklo_epi16 _mm256_unpackhi_epi16,
            4 => _mm256_unpacklo_epi32 _mm256_unpackhi_epi32,
            _ => _mm256_unpacklo_epi64 _mm256_unpackhi_epi64)
    }
}

impl Vector for Avx512 {
    type WriteBuffer = RegisterLine;

    const BYTES: usize = 64;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the contract of `load` is that 64 bytes may be read at `from`.
        // `_mm512_loadu_si512` needs no alignment.
        Self(unsafe { _mm512_loadu_si512(from.cast()) })
    }

    #[inline(always)]
    unsafe fn load_parts(from: *const *const u8, every: usize, at: usize) -> Self {
        // SAFETY: the contract of `load_parts` is that of `two_parts`, for places 0 and `every`,
        // and for twice and three times `every`.
        unsafe {
            let low = two_parts(from, 0, every, at);
            let high = two_parts(from, every.wrapping_mul(2), every.wrapping_mul(3), at);
            Self(_mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high))
        }
    }

    #[inline(always)]
    unsafe fn load_halves(from: *const *const u8, at: usize) -> Self {
        // SAFETY: the contract of `load_halves` is that 32 bytes may be read `at` bytes behind each
        // of two places. `_mm256_loadu_si256` needs no alignment.
        unsafe {
            let low = _mm256_loadu_si256((*from).add(at).cast());
            let high = _mm256_loadu_si256((*from.add(1)).add(at).cast());
            Self(_mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high))
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the contract of `store` is that 64 bytes may be written at `to`.
        // `_mm512_storeu_si512` needs no alignment.
        unsafe { _mm512_storeu_si512(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut u8) {
        // SAFETY: the contract of `stream` is that 64 bytes may be written at `to`, a multiple of
        // 64, as `_mm512_stream_si512` requires.
        unsafe { _mm512_stream_si512(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn interleave<const ITEM: usize>(self, other: Self) -> (Self, Self) {
        interleave!(self, other,
            1 => _mm512_unpacklo_epi8 _mm512_unpackhi_epi8,
            2 => _mm512_unpacklo_epi16 _mm512_unpackhi_epi16,
            4 => _mm512_unpacklo_epi32 _mm512_unpackhi_epi32,
            _ => _mm512_unpacklo_epi64 _mm512_unpackhi_epi64)
    }
}

/// A line in a register.
pub(in crate::host) struct RegisterLine(__m512i);

impl LineBuffer for RegisterLine {
    #[inline(always)]
    unsafe fn load(bytes: &LineBytes) -> Self {
        // SAFETY: `bytes` is a `LineBytes`, which is aligned to its 64 bytes, as
        // `_mm512_load_si512` requires. The contract of `load` is that the processor has the
        // instructions.
        Self(unsafe { _mm512_load_si512(bytes.0.as_ptr().cast()) })
    }

    #[inline(always)]
    unsafe fn save(&self) -> LineBytes {
        let mut bytes = LineBytes::EMPTY;
        // SAFETY: `bytes` is a `LineBytes`, which is aligned to its 64 bytes, as
        // `_mm512_store_si512` requires. The contract of `save` is that the processor has the
        // instructions.
        unsafe { _mm512_store_si512(bytes.0.as_mut_ptr().cast(), self.0) };
        bytes
    }

    #[inline(always)]
    unsafe fn put_first(&mut self, at: usize, from: *const u8, len: usize, _: usize) {
        if len > 0 {
            let mask = (u64::MAX >> LINE.wrapping_sub(len)) << at;
            let from = from.wrapping_sub(at);
            // SAFETY: `mask` has a bit for each of `len` bytes from `at` on. Only these bytes are
            // read, and the contract of `put_first` covers them.
            self.0 = unsafe { _mm512_mask_loadu_epi8(self.0, mask, from.cast()) };
        }
    }

    #[inline(always)]
    unsafe fn put_last(&mut self, from: *const u8, len: usize, _: usize) {
        // SAFETY: the mask has the lowest `len` bits. Only these bytes are read at `from`, and the
        // contract of `put_last` covers them.
        self.0 = unsafe { _mm512_maskz_loadu_epi8(!(u64::MAX << len), from.cast()) };
    }

    #[inline(always)]
    unsafe fn stream(&self, to: *mut u8) {
        // SAFETY: the contract of `stream` is that a line may be written at `to`, a multiple of
        // one, as `_mm512_stream_si512` requires.
        unsafe { _mm512_stream_si512(to.cast(), self.0) };
    }
}
