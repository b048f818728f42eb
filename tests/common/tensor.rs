//! Tensors of any layout in buffers that show what was written besides them, and random partitions.

#![allow(clippy::undocumented_unsafe_blocks, reason = "buffers are made to fit")]

use shardspec::copy::HostView;
use shardspec::core::{DataType, Placement, Placements, Shards};

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
    /// Where the element at index 0 is.
    pub first: usize,
    pub item: usize,
}

impl Tensor {
    pub fn new(shape: &[i64], item: usize, plain: bool, random: &mut Random) -> Self {
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
        let first = 16 + odd + (-low) as usize * item;
        let bytes = vec![GUARD; first + 16 + (step as usize + 1) * item];
        Self { bytes, shape: shape.to_vec(), strides, first, item }
    }

    pub fn view(&mut self) -> HostView {
        let bits = if self.item.is_multiple_of(2) { 16 } else { 8 };
        let lanes = (self.item * 8 / bits as usize) as u16;
        let dtype = DataType { code: 1, bits, lanes };
        let first = unsafe { self.bytes.as_mut_ptr().add(self.first) };
        HostView::new("tensor", first, dtype, &self.shape, Some(&self.strides)).unwrap()
    }

    pub fn place(&self, index: &[i64]) -> std::ops::Range<usize> {
        let steps: i64 = index.iter().zip(&self.strides).map(|(i, s)| i * s).sum();
        let start = (self.first as i64 + steps * self.item as i64) as usize;
        start..start + self.item
    }

    pub fn fill(&mut self, random: &mut Random) {
        for index in indices(&self.shape) {
            for at in self.place(&index) {
                self.bytes[at] = random.next() as u8;
            }
        }
    }

    /// How many bytes outside of the elements are not what they were.
    pub fn disturbed(&self) -> usize {
        let mut own = vec![false; self.bytes.len()];
        for index in indices(&self.shape) {
            self.place(&index).for_each(|at| own[at] = true);
        }
        self.bytes.iter().zip(own).filter(|&(byte, own)| !own && *byte != GUARD).count()
    }
}

pub fn indices(shape: &[i64]) -> Vec<Vec<i64>> {
    let mut all = vec![vec![]];
    for &size in shape {
        all = all
            .into_iter()
            .flat_map(|index| (0..size).map(move |at| [&index[..], &[at]].concat()))
            .collect();
    }
    all
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
