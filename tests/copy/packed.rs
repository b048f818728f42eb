//! Packed elements that several threads write into the same bytes at the same time.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests: an overflow or a bad index is a failure, and buffers are made to fit"
)]

use std::sync::Barrier;

use shardspec::model::{DataType, ShardedTensorMetadata, TensorProperties};
use shardspec::transfer::{CopyOptions, HostView};

use crate::common::Random;
use crate::common::copies::{extract, gather, scatter};
use crate::common::families::{Cut, grid_of};
use crate::common::tensor::packed;

/// Enough bytes for the library to divide a copy among two threads, and a few more.
const BYTES: usize = 4_300_000;
/// As many shards as parts that two threads take in turn: while one copies a shard, the other one
/// copies its neighbour from the first row on too.
const COLUMNS: i64 = 16;

fn options(max_threads: usize) -> CopyOptions {
    CopyOptions { max_threads, ..CopyOptions::default() }
}

/// Columns of `width` elements, of which the last one has some more so that rows are no whole bytes.
fn columns(width: i64, bits: usize) -> Cut {
    let row = COLUMNS * width + 3;
    let rows = (BYTES * 8 / bits) as i64 / row;
    let borders = (0..COLUMNS).map(|column| column * width).chain([row]).collect();
    grid_of(&[vec![0, rows], borders])
}

fn metadata(cut: &Cut) -> ShardedTensorMetadata {
    ShardedTensorMetadata::new(cut.boxes.shards(), &cut.sizes, TensorProperties::default()).unwrap()
}

fn view(first: *mut u8, dtype: DataType, shape: &[i64], strides: Option<&[i64]>) -> HostView {
    HostView::new("view", first, dtype, shape, strides).unwrap()
}

fn random_bytes(len: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = vec![0; len];
    random.fill(&mut bytes);
    bytes
}

/// Bytes of which all bits are wrong, but for those behind the last of `bits`.
fn all_wrong(bytes: &[u8], bits: usize) -> Vec<u8> {
    let mut wrong: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
    if !bits.is_multiple_of(8) {
        wrong[bits / 8] ^= 0xFF << (bits % 8);
    }
    wrong
}

fn bit(bytes: &[u8], at: usize) -> u8 {
    bytes[at / 8] >> (at % 8) & 1
}

fn bits_of(shape: &[i64], bits: usize) -> usize {
    shape.iter().product::<i64>() as usize * bits
}

#[test]
fn threads_that_scatter_into_neighbouring_bits_disturb_none() {
    let random = &mut Random::new(1);
    for bits in [1u8, 2, 4, 6] {
        let (dtype, bits) = (packed(bits, 1), usize::from(bits));
        // Each shard starts with a byte in the first row, and in most others does not.
        let cut = columns(8, bits);
        let metadata = metadata(&cut);
        let total = bits_of(&cut.sizes, bits);
        let mut full = random_bytes(total.div_ceil(8), random);
        let source = view(full.as_mut_ptr(), dtype, &cut.sizes, None);
        let strides = [cut.sizes[1], 1];
        for _ in 0..4 {
            let mut wide = all_wrong(&full, total);
            let start = wide.as_mut_ptr();
            let shard = |index| {
                let first = start.wrapping_add(index * bits);
                let shape = metadata.shards().get(index).unwrap().sizes;
                view(first, dtype, shape, Some(&strides))
            };
            unsafe { scatter(&metadata, &source, shard, &options(4)) }.unwrap();
            assert!(wide == full, "{bits} bits");
        }
    }
}

#[test]
fn threads_that_gather_into_neighbouring_bits_disturb_none() {
    let random = &mut Random::new(2);
    for bits in [1u8, 2, 3, 4, 6] {
        let (dtype, bits) = (packed(bits, 1), usize::from(bits));
        let cut = columns(random.range(3, 12), bits);
        let metadata = metadata(&cut);
        let total = bits_of(&cut.sizes, bits);
        let mut full = random_bytes(total.div_ceil(8), random);
        let source = view(full.as_mut_ptr(), dtype, &cut.sizes, None);
        let mut parts: Vec<Vec<u8>> = metadata
            .shards()
            .iter()
            .map(|shard| random_bytes(bits_of(shard.sizes, bits).div_ceil(8), random))
            .collect();
        let behind: Vec<u8> = parts.iter().map(|part| part[part.len() - 1]).collect();
        let views: Vec<HostView> = metadata
            .shards()
            .iter()
            .zip(&mut parts)
            .map(|(shard, part)| view(part.as_mut_ptr(), dtype, shard.sizes, None))
            .collect();
        let shard = |index: usize| views[index];
        unsafe { scatter(&metadata, &source, shard, &options(4)) }.unwrap();
        for ((shard, part), behind) in metadata.shards().iter().zip(&parts).zip(behind) {
            let (row, offset) = (shard.sizes[1] as usize * bits, shard.offsets[1] as usize * bits);
            let all = bits_of(shard.sizes, bits);
            for at in 0..all {
                let from = at / row * cut.sizes[1] as usize * bits + offset + at % row;
                assert_eq!(
                    bit(part, at),
                    bit(&full, from),
                    "{bits} bits: {:?} at {at}",
                    shard.sizes
                );
            }
            for at in all..8 * part.len() {
                assert_eq!(bit(part, at), bit(&[behind], at % 8), "{bits} bits: behind the last");
            }
        }
        for _ in 0..4 {
            let mut back = all_wrong(&full, total);
            let destination = view(back.as_mut_ptr(), dtype, &cut.sizes, None);
            unsafe { gather(&metadata, shard, &destination, &options(4)) }.unwrap();
            assert!(back == full, "{bits} bits");
        }
    }
}

/// A caller promises that nobody uses its elements meanwhile, not that nobody uses their bytes.
#[test]
fn callers_on_several_threads_may_write_different_bits_of_the_same_bytes() {
    let random = &mut Random::new(3);
    // A view starts with a byte and takes so long steps that other bytes' views fit between them.
    for (bits, step, callers) in [(1u8, 9, 9), (2, 5, 5), (4, 3, 3), (6, 5, 4)] {
        let (dtype, bits) = (packed(bits, 1), usize::from(bits));
        let count = 30_000usize;
        let cut = grid_of(&[vec![0, count as i64]]);
        let metadata = metadata(&cut);
        let sources: Vec<Vec<u8>> =
            (0..callers).map(|_| random_bytes((count * bits).div_ceil(8), random)).collect();
        let len = callers + (count * bits * step).div_ceil(8);
        let mut expected = random_bytes(len, random);
        let mut wide = expected.clone();
        for (caller, source) in sources.iter().enumerate() {
            for at in 0..count * bits {
                let to = 8 * caller + at / bits * bits * step + at % bits;
                let (from, mask) = (bit(source, at), 1 << (to % 8));
                expected[to / 8] = expected[to / 8] & !mask | from << (to % 8);
                wide[to / 8] = wide[to / 8] & !mask | (1 - from) << (to % 8);
            }
        }
        let at_once = Barrier::new(callers);
        for _ in 0..5 {
            let mut wide = wide.clone();
            let start = wide.as_mut_ptr().expose_provenance();
            std::thread::scope(|scope| {
                for (caller, source) in sources.iter().enumerate() {
                    let (metadata, at_once) = (&metadata, &at_once);
                    scope.spawn(move || {
                        let shape = [count as i64];
                        let full = view(source.as_ptr().cast_mut(), dtype, &shape, None);
                        let first = std::ptr::with_exposed_provenance_mut(start + caller);
                        let shard = view(first, dtype, &shape, Some(&[step as i64]));
                        at_once.wait();
                        unsafe { extract(metadata, 0, &full, &shard, &options(1)) }.unwrap();
                    });
                }
            });
            assert!(wide == expected, "{bits} bits");
        }
    }
}
