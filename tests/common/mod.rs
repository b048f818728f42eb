//! Boxes and families of boxes for tests and benchmarks, and the naive answers to compare with.

#![allow(
    dead_code,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "shared by several test crates, none of which uses all of it; a wrong index or an \
              overflow here should fail the test"
)]

pub mod checkpoints;
pub mod copies;
pub mod cuts;
pub mod families;
pub mod hard;
pub mod layouts;
pub mod loaders;
pub mod meshes;
pub mod models;
pub mod naive;
pub mod plans;
pub mod ranks;
pub mod strided;
pub mod tensor;

use shardspec::model::{Placement, Placements, Shards};

/// A small generator of random numbers (SplitMix64), so that a seed means the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number of `low..high`.
    pub fn range(&mut self, low: i64, high: i64) -> i64 {
        assert!(low < high, "{low}..{high} is empty");
        low + (self.next() % (high - low) as u64) as i64
    }

    /// An index below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        self.range(0, count as i64) as usize
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&self.next().to_le_bytes()[..part.len()]);
        }
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// Boxes as flat arrays, the form in which `Shards::new` takes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Boxes {
    pub ndim: usize,
    pub offsets: Vec<i64>,
    pub sizes: Vec<i64>,
}

impl Boxes {
    pub fn new(ndim: usize) -> Self {
        Self { ndim, offsets: Vec::new(), sizes: Vec::new() }
    }

    pub fn of(ndim: usize, boxes: &[(&[i64], &[i64])]) -> Self {
        let mut all = Self::new(ndim);
        for (offsets, sizes) in boxes {
            all.push(offsets, sizes);
        }
        all
    }

    pub fn push(&mut self, offsets: &[i64], sizes: &[i64]) {
        assert_eq!((offsets.len(), sizes.len()), (self.ndim, self.ndim));
        self.offsets.extend_from_slice(offsets);
        self.sizes.extend_from_slice(sizes);
    }

    pub fn extend(&mut self, others: &Self) {
        assert_eq!(self.ndim, others.ndim);
        self.offsets.extend_from_slice(&others.offsets);
        self.sizes.extend_from_slice(&others.sizes);
    }

    pub fn len(&self) -> usize {
        self.offsets.len() / self.ndim
    }

    pub fn offsets(&self, index: usize) -> &[i64] {
        &self.offsets[index * self.ndim..][..self.ndim]
    }

    pub fn sizes(&self, index: usize) -> &[i64] {
        &self.sizes[index * self.ndim..][..self.ndim]
    }

    pub fn offsets_mut(&mut self, index: usize) -> &mut [i64] {
        &mut self.offsets[index * self.ndim..][..self.ndim]
    }

    pub fn sizes_mut(&mut self, index: usize) -> &mut [i64] {
        &mut self.sizes[index * self.ndim..][..self.ndim]
    }

    pub fn is_empty_box(&self, index: usize) -> bool {
        self.sizes(index).contains(&0)
    }

    /// The box with this index is taken out; the others keep their order.
    pub fn remove(&mut self, index: usize) {
        let place = index * self.ndim..(index + 1) * self.ndim;
        self.offsets.drain(place.clone());
        self.sizes.drain(place);
    }

    pub fn shuffled(&self, random: &mut Random) -> Self {
        let mut order: Vec<usize> = (0..self.len()).collect();
        random.shuffle(&mut order);
        let mut shuffled = Self::new(self.ndim);
        for index in order {
            shuffled.push(self.offsets(index), self.sizes(index));
        }
        shuffled
    }

    /// The boxes as shards, all on rank 0.
    pub fn shards(&self) -> Shards {
        let on_rank_0 = Placement::on_rank(0).unwrap();
        let placements = Placements::new((0..self.len()).map(|_| on_rank_0.clone())).unwrap();
        Shards::new(self.ndim, self.offsets.clone(), self.sizes.clone(), placements).unwrap()
    }
}
