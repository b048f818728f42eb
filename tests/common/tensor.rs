//! Tensors of any layout in buffers that show what was written besides them, and random partitions.

#![allow(clippy::undocumented_unsafe_blocks, reason = "buffers are made to fit")]

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, Range};

use shardspec::model::{DataType, Placement, Placements, Shards};
use shardspec::transfer::HostView;

use super::Random;

/// A byte that no element holds where nothing should be written.
pub const GUARD: u8 = 0xA5;

/// A tensor somewhere in a buffer at an odd address: row-major where it is plain, and else in any
/// order of dimensions, any of them backwards, with gaps between elements and rows.
#[derive(Debug, Clone)]
pub struct Tensor {
    pub bytes: Vec<u8>,
    pub shape: Vec<i64>,
    /// In elements.
    pub strides: Vec<i64>,
    /// Where the byte is that the element at index 0 starts with.
    pub first: usize,
    pub dtype: DataType,
}

/// A type whose elements have `item` bytes.
pub fn of_bytes(item: usize) -> DataType {
    let bits = if item.is_multiple_of(2) { 16 } else { 8 };
    DataType { code: 1, bits, lanes: (item * 8 / usize::from(bits)) as u16 }
}

/// A type whose elements are packed.
pub fn packed(bits: u8, lanes: u16) -> DataType {
    DataType { code: 1, bits, lanes }
}

/// Types of all kinds: of usual sizes, of odd ones, and packed ones.
pub fn element_types() -> Vec<DataType> {
    let bytes = [1, 2, 3, 4, 8, 12, 16, 24].map(of_bytes);
    let bits = [(4, 1), (4, 1), (2, 1), (1, 1), (6, 1), (3, 1), (12, 1), (4, 3), (1, 9), (5, 7)];
    bytes.into_iter().chain(bits.map(|(bits, lanes)| packed(bits, lanes))).collect()
}

impl Tensor {
    pub fn new(shape: &[i64], dtype: DataType, plain: bool, random: &mut Random) -> Self {
        let mut order: Vec<usize> = (0..shape.len()).rev().collect();
        if !plain {
            random.shuffle(&mut order);
        }
        let chance = |random: &mut Random, tenths| !plain && random.below(10) < tenths;
        let mut strides = vec![0i64; shape.len()];
        let mut step = if chance(random, 3) { 2 } else { 1 };
        let mut low = 0i64;
        for dim in order {
            strides[dim] = step;
            step *= shape[dim].max(1) + i64::from(chance(random, 2));
            if chance(random, 3) {
                strides[dim] = -strides[dim];
                low += strides[dim] * (shape[dim] - 1).max(0);
            }
        }
        let odd = random.below(8);
        let bytes_of = |elements: i64| (elements as usize * dtype.element_bits()).div_ceil(8);
        let first = 16 + odd + bytes_of(-low);
        let bytes = vec![GUARD; first + 16 + bytes_of(step + 1)];
        Self { bytes, shape: shape.to_vec(), strides, first, dtype }
    }

    pub fn view(&mut self) -> HostView {
        let first = unsafe { self.bytes.as_mut_ptr().add(self.first) };
        HostView::new("tensor", first, self.dtype, &self.shape, Some(&self.strides)).unwrap()
    }

    /// The bits of an element, counted from the least significant one of the first byte. Where an empty
    /// shard begins there may be none.
    pub fn place(&self, index: &[i64]) -> Range<usize> {
        let steps: i64 = index.iter().zip(&self.strides).map(|(i, s)| i * s).sum();
        let bits = self.dtype.element_bits();
        let start = (8 * self.first as i64 + steps * bits as i64) as usize;
        start..start.wrapping_add(bits)
    }

    pub fn bit(&self, at: usize) -> bool {
        self.bytes[at / 8] >> (at % 8) & 1 == 1
    }

    /// The bits of an element, one after the other.
    pub fn element(&self, index: &[i64]) -> Cow<'_, [u8]> {
        let place = self.place(index);
        if (place.start | place.end).is_multiple_of(8) {
            return Cow::Borrowed(&self.bytes[place.start / 8..place.end / 8]);
        }
        let mut bytes = vec![0; place.len().div_ceil(8)];
        for (to, at) in place.enumerate() {
            bytes[to / 8] |= u8::from(self.bit(at)) << (to % 8);
        }
        Cow::Owned(bytes)
    }

    pub fn fill(&mut self, random: &mut Random) {
        for index in indices(&self.shape) {
            for (at, mask) in masks(self.place(&index)) {
                let byte = &mut self.bytes[at];
                *byte = *byte & !mask | random.next() as u8 & mask;
            }
        }
    }

    /// How many bits outside of the elements are not what they were.
    pub fn disturbed(&self) -> usize {
        let mut own = vec![0u8; self.bytes.len()];
        for index in indices(&self.shape) {
            masks(self.place(&index)).for_each(|(at, mask)| own[at] |= mask);
        }
        let others = self.bytes.iter().zip(own).map(|(byte, own)| (byte ^ GUARD) & !own);
        others.map(|changed| changed.count_ones() as usize).sum()
    }
}

/// The bytes in which these bits are, each with a mask of the bits.
fn masks(mut place: Range<usize>) -> impl Iterator<Item = (usize, u8)> {
    std::iter::from_fn(move || {
        let start = place.start;
        let len = (8 - start % 8).min(place.len());
        place.start += len;
        (len > 0).then(|| (start / 8, ((0xFF >> (8 - len)) << (start % 8)) as u8))
    })
}

/// An index of a tensor. Tests make millions of them, so it allocates nothing.
#[derive(Clone, Copy)]
pub struct TensorIndex {
    at: [i64; MAX_NDIM],
    ndim: usize,
}

const MAX_NDIM: usize = 8;

impl Deref for TensorIndex {
    type Target = [i64];

    fn deref(&self) -> &[i64] {
        &self.at[..self.ndim]
    }
}

impl fmt::Debug for TensorIndex {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self[..].fmt(formatter)
    }
}

/// All indices of a tensor of this shape, in row-major order.
pub fn indices(shape: &[i64]) -> impl Iterator<Item = TensorIndex> {
    let ndim = shape.len();
    assert!(ndim <= MAX_NDIM);
    let first = (!shape.contains(&0)).then_some(TensorIndex { at: [0; MAX_NDIM], ndim });
    std::iter::successors(first, move |last| {
        let dim = (0..ndim).rev().find(|&dim| last[dim] + 1 < shape[dim])?;
        let mut next = *last;
        next.at[dim] += 1;
        next.at[dim + 1..].fill(0);
        Some(next)
    })
}

/// Cuts a box again and again at random, and strews in empty shards; shard `i` is on rank `i`.
pub fn partition(sizes: &[i64], cuts: usize, random: &mut Random) -> Shards {
    partition_among(sizes, cuts, |shard| Placement::on_rank(shard as i64).unwrap(), random)
}

/// As [`partition`], with the shards' placements.
pub fn partition_among(
    sizes: &[i64], cuts: usize, owner: impl Fn(usize) -> Placement, random: &mut Random,
) -> Shards {
    let mut boxes = vec![(vec![0i64; sizes.len()], sizes.to_vec())];
    for _ in 0..cuts {
        if sizes.is_empty() {
            break;
        }
        let at = random.below(boxes.len());
        let dim = random.below(sizes.len());
        let (offsets, whole) = boxes[at].clone();
        let cut = random.range(0, whole[dim] + 1);
        boxes[at].1[dim] = cut;
        let (mut offsets, mut rest) = (offsets, whole);
        offsets[dim] += cut;
        rest[dim] -= cut;
        boxes.push((offsets, rest));
    }
    let placements = Placements::new((0..boxes.len()).map(&owner));
    let (offsets, sizes_of): (Vec<_>, Vec<_>) = boxes.into_iter().unzip();
    Shards::new(sizes.len(), offsets.concat(), sizes_of.concat(), placements.unwrap()).unwrap()
}
