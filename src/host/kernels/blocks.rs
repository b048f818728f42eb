//! Blocks of elements, transposed in registers. Where a part of 16 bytes holds `n` elements, `n` rows are
//! transposed by interleaving the first half of them with the second, log2(n) times. A vector of several parts
//! does so with as many groups of rows at once, and what it stores is contiguous.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "indices of a block, below its rows"
)]

use crate::host::simd::Vector;

/// Bytes of a vector's part.
pub(super) const PART: usize = 16;

/// Whether runs are single elements that can be transposed in registers.
pub(super) fn is_element(run: usize) -> bool {
    matches!(run, 1 | 2 | 4 | 8)
}

/// The `N` columns of some rows from `offset` on, as rows.
///
/// # Safety
///
/// 16 bytes may be read `offset` bytes behind each of the sources, as many as a vector has elements.
#[inline(always)]
pub(super) unsafe fn block<V: Vector, const ITEM: usize, const N: usize>(
    sources: &[*const u8], offset: usize,
) -> [V; N] {
    // SAFETY: the contract of `block` is that 16 bytes may be read `offset` bytes behind each of
    // `sources`, of which a vector takes one part each.
    unsafe {
        let places = sources.as_ptr();
        let mut rows = [V::load_parts(places, N, offset); N];
        for (row, vector) in rows.iter_mut().enumerate().skip(1) {
            *vector = V::load_parts(places.add(row), N, offset);
        }
        let mut round = 1;
        while round < N {
            let mut next = rows;
            for half in 0..N / 2 {
                let (low, high) = rows[half].interleave::<ITEM>(rows[half + N / 2]);
                next[2 * half] = low;
                next[2 * half + 1] = high;
            }
            rows = next;
            round *= 2;
        }
        rows
    }
}

/// The vectors of `N` lines, each of which has an element of every source.
///
/// # Safety
///
/// As [`block`], for as many sources as `K` vectors have elements.
#[inline(always)]
pub(super) unsafe fn blocks_of_lines<
    V: Vector,
    const ITEM: usize,
    const N: usize,
    const K: usize,
>(
    sources: &[*const u8], offset: usize,
) -> [[V; N]; K] {
    let height = N * (V::BYTES / PART);
    // SAFETY: each block is of `height` of the sources that the contract of `blocks_of_lines` covers.
    unsafe {
        let mut blocks = [block::<V, ITEM, N>(&sources[..height], offset); K];
        // A loop over the others would keep a single one in memory.
        let mut number = 1;
        while number < K {
            blocks[number] = block::<V, ITEM, N>(&sources[number * height..][..height], offset);
            number += 1;
        }
        blocks
    }
}
