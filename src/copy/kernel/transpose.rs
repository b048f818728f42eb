//! Transposing small tiles: `destination[b][a] = source[a][b]`.
//!
//! The rows of both sides are given by pointers, so that a side may be one tensor with a row stride
//! as well as many buffers. Elements of 1, 2, 4 and 8 bytes go through registers: `n` rows of one
//! 16-byte vector each, where a vector holds `n` elements, are transposed by interleaving the first
//! half of the rows with the second, log2(n) times.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "indices of a tile, below its few dozen rows"
)]

use super::lines::copy_short;

/// Writes a tile of `sources.len()` by `destinations.len()` elements of `item` bytes, transposed.
///
/// # Safety
///
/// Each source row has `destinations.len()` elements that may be read, each destination row
/// `sources.len()` that may be written; they do not overlap.
pub(super) unsafe fn transpose(item: usize, sources: &[*const u8], destinations: &[*mut u8]) {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        match item {
            1 => in_registers::<1, 16>(sources, destinations),
            2 => in_registers::<2, 8>(sources, destinations),
            4 => in_registers::<4, 4>(sources, destinations),
            8 => in_registers::<8, 2>(sources, destinations),
            _ => one_by_one(item, sources, destinations, 0, 0),
        }
    }
}

/// # Safety
///
/// As [`transpose`], for elements of `ITEM` bytes, `N` of which fill a vector.
#[inline(always)]
unsafe fn in_registers<const ITEM: usize, const N: usize>(
    sources: &[*const u8], destinations: &[*mut u8],
) {
    let (whole_a, whole_b) = if cfg!(target_arch = "x86_64") {
        (sources.len() / N * N, destinations.len() / N * N)
    } else {
        (0, 0)
    };
    // Along the source rows innermost: lines of `N` rows are used up one after the other.
    #[cfg(target_arch = "x86_64")]
    for a in (0..whole_a).step_by(N) {
        for b in (0..whole_b).step_by(N) {
            // SAFETY: a block inside of the tile.
            unsafe { x86::block::<ITEM, N>(&sources[a..a + N], b, &destinations[b..b + N], a) };
        }
    }
    // What the blocks leave over: the last columns of whole rows, then the last rows.
    // SAFETY: parts of the tile.
    unsafe {
        one_by_one(ITEM, &sources[..whole_a], destinations, 0, whole_b);
        one_by_one(ITEM, sources, destinations, whole_a, 0);
    }
}

/// Element by element, from source row `first_a` and destination row `first_b` on.
///
/// # Safety
///
/// As [`transpose`].
#[inline(always)]
unsafe fn one_by_one(
    item: usize, sources: &[*const u8], destinations: &[*mut u8], first_a: usize, first_b: usize,
) {
    for (a, source) in sources.iter().enumerate().skip(first_a) {
        for (b, destination) in destinations.iter().enumerate().skip(first_b) {
            // SAFETY: one element of the tile.
            unsafe { copy_short(source.add(b * item), destination.add(a * item), item) };
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// Transposes `N` by `N` elements of `ITEM` bytes: columns from `b` of the sources become
    /// columns from `a` of the destinations.
    ///
    /// # Safety
    ///
    /// The sources have `b + N` elements and the destinations `a + N`.
    #[inline(always)]
    pub(super) unsafe fn block<const ITEM: usize, const N: usize>(
        sources: &[*const u8], b: usize, destinations: &[*mut u8], a: usize,
    ) {
        // SAFETY: the caller's promise; SSE2 is part of x86-64.
        unsafe {
            let mut rows = [_mm_setzero_si128(); N];
            for (row, source) in rows.iter_mut().zip(sources) {
                *row = _mm_loadu_si128(source.add(b * ITEM).cast());
            }
            let mut round = 1;
            while round < N {
                let mut next = rows;
                for half in 0..N / 2 {
                    let (low, high) = interleave::<ITEM>(rows[half], rows[half + N / 2]);
                    next[2 * half] = low;
                    next[2 * half + 1] = high;
                }
                rows = next;
                round *= 2;
            }
            for (row, destination) in rows.iter().zip(destinations) {
                _mm_storeu_si128(destination.add(a * ITEM).cast(), *row);
            }
        }
    }

    /// The elements of two vectors in turn.
    #[inline(always)]
    unsafe fn interleave<const ITEM: usize>(a: __m128i, b: __m128i) -> (__m128i, __m128i) {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            match ITEM {
                1 => (_mm_unpacklo_epi8(a, b), _mm_unpackhi_epi8(a, b)),
                2 => (_mm_unpacklo_epi16(a, b), _mm_unpackhi_epi16(a, b)),
                4 => (_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b)),
                _ => (_mm_unpacklo_epi64(a, b), _mm_unpackhi_epi64(a, b)),
            }
        }
    }
}
