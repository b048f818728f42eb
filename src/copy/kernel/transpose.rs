//! Transposing tiles: `destinations[b][a] = sources[a][b]`.
//!
//! The rows of both sides are given by pointers, so that a side may be one tensor with a row stride
//! as well as many buffers. Where a part of 16 bytes holds `n` elements, `n` rows are transposed by
//! interleaving the first half of them with the second, log2(n) times. A vector of several parts
//! does so with as many groups of rows at once, and what it stores is contiguous.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "indices of a tile, below its few hundred rows"
)]

use super::lines::copy_fixed;
use super::vector::{Portable, Vector};

/// Bytes of a vector's part.
const PART: usize = 16;

/// Writes a tile of `sources.len()` by `destinations.len()` elements of 1, 2, 4 or 8 bytes,
/// transposed.
///
/// # Safety
///
/// Each source row has `destinations.len()` elements that may be read, each destination row
/// `sources.len()` that may be written; they do not overlap.
#[inline(always)]
pub(super) unsafe fn transpose<V: Vector>(
    item: usize, sources: &[*const u8], destinations: &[*mut u8],
) {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        match item {
            1 => tile::<V, 1, 16>(sources, destinations),
            2 => tile::<V, 2, 8>(sources, destinations),
            4 => tile::<V, 4, 4>(sources, destinations),
            _ => tile::<V, 8, 2>(sources, destinations),
        }
    }
}

/// # Safety
///
/// As [`transpose`], for elements of `ITEM` bytes, `N` of which fill a part.
#[inline(always)]
unsafe fn tile<V: Vector, const ITEM: usize, const N: usize>(
    sources: &[*const u8], destinations: &[*mut u8],
) {
    let wide = N * (V::BYTES / PART);
    let columns = destinations.len() / N * N;
    let in_wide = sources.len() / wide * wide;
    let in_parts = in_wide + (sources.len() - in_wide) / N * N;
    // SAFETY: parts of the tile that are disjoint.
    unsafe {
        blocks::<V, ITEM, N>(sources, destinations, 0..in_wide, columns);
        blocks::<Portable, ITEM, N>(sources, destinations, in_wide..in_parts, columns);
        one_by_one::<ITEM>(&sources[..in_parts], destinations, 0, columns);
        one_by_one::<ITEM>(sources, destinations, in_parts, 0);
    }
}

/// The first `columns` of some rows, by whole blocks.
///
/// # Safety
///
/// As [`tile`]; `rows` and `columns` are multiples of a block's.
#[inline(always)]
unsafe fn blocks<V: Vector, const ITEM: usize, const N: usize>(
    sources: &[*const u8], destinations: &[*mut u8], rows: std::ops::Range<usize>, columns: usize,
) {
    let height = N * (V::BYTES / PART);
    // Along the source rows innermost: the lines of a few rows are used up one after the other.
    for a in rows.step_by(height) {
        for b in (0..columns).step_by(N) {
            // SAFETY: a block inside of the tile.
            unsafe {
                block::<V, ITEM, N>(&sources[a..a + height], b, &destinations[b..b + N], a);
            }
        }
    }
}

/// Columns from `b` on of the sources become columns from `a` on of the destinations.
///
/// # Safety
///
/// As [`tile`], for `N` of the destinations and as many sources as a vector has elements.
#[inline(always)]
unsafe fn block<V: Vector, const ITEM: usize, const N: usize>(
    sources: &[*const u8], b: usize, destinations: &[*mut u8], a: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let places = sources.as_ptr();
        let mut rows = [V::load_parts(places, N, b * ITEM); N];
        for (row, vector) in rows.iter_mut().enumerate().skip(1) {
            *vector = V::load_parts(places.add(row), N, b * ITEM);
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
        for (row, destination) in rows.iter().zip(destinations) {
            row.store(destination.add(a * ITEM));
        }
    }
}

/// Element by element, from source row `first_a` and destination row `first_b` on.
///
/// # Safety
///
/// As [`transpose`].
#[inline(always)]
unsafe fn one_by_one<const ITEM: usize>(
    sources: &[*const u8], destinations: &[*mut u8], first_a: usize, first_b: usize,
) {
    for (a, source) in sources.iter().enumerate().skip(first_a) {
        for (b, destination) in destinations.iter().enumerate().skip(first_b) {
            // SAFETY: one element of the tile.
            unsafe { copy_fixed::<ITEM>(source.add(b * ITEM), destination.add(a * ITEM)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::vector::{Plain, Portable};
    use super::*;

    /// A tile of `height` by `width` elements, somewhere in a buffer of its own, transposed.
    fn transposed<V: Vector>(item: usize, height: usize, width: usize) {
        let element = |a: usize, b: usize, byte: usize| (7 * a + 31 * b + 101 * byte) as u8;
        let (row, gap) = (width * item, 5);
        let mut source = vec![0u8; height * (row + gap)];
        for (a, bytes) in source.chunks_mut(row + gap).enumerate() {
            bytes[..row].iter_mut().enumerate().for_each(|(at, byte)| {
                *byte = element(a, at / item, at % item);
            });
        }
        let column = height * item;
        let mut target = vec![0xA5u8; width * (column + gap)];
        let sources: Vec<_> = source.chunks(row + gap).map(<[u8]>::as_ptr).collect();
        let targets: Vec<_> = target.chunks_mut(column + gap).map(<[u8]>::as_mut_ptr).collect();
        // SAFETY: rows and columns are as long as that.
        unsafe { transpose::<V>(item, &sources, &targets) };
        for (b, bytes) in target.chunks(column + gap).enumerate() {
            for (at, byte) in bytes[..column].iter().enumerate() {
                assert_eq!(*byte, element(at / item, b, at % item), "{item} {height}x{width}");
            }
            assert!(bytes[column..].iter().all(|byte| *byte == 0xA5), "{item} {height}x{width}");
        }
    }

    #[test]
    fn every_vector_transposes_tiles_of_every_size() {
        for item in [1, 2, 4, 8] {
            for height in [0, 1, 3, 15, 16, 17, 33, 64, 70] {
                for width in [0, 1, 2, 7, 8, 16, 19, 64] {
                    transposed::<Plain>(item, height, width);
                    transposed::<Portable>(item, height, width);
                    #[cfg(target_arch = "x86_64")]
                    {
                        use super::super::vector::x86::{Avx2, Avx512};
                        if is_x86_feature_detected!("avx2") {
                            transposed::<Avx2>(item, height, width);
                        }
                        if is_x86_feature_detected!("avx512bw") {
                            transposed::<Avx512>(item, height, width);
                        }
                    }
                }
            }
        }
    }
}
