//! Boxes by their corners: what cutting and intersecting them is easiest with.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "boxes of the same shards have the same number of dimensions, and their ends fit an \
              i64: Shards::new checked them"
)]

use super::region::Region;
use super::shards::Shards;

/// A box by its first and its past-the-end corner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Bounds {
    pub(super) low: Vec<i64>,
    pub(super) high: Vec<i64>,
}

impl Bounds {
    pub(super) fn new(offsets: &[i64], sizes: &[i64]) -> Self {
        let high = offsets.iter().zip(sizes).map(|(offset, size)| offset + size).collect();
        Self { low: offsets.to_vec(), high }
    }

    pub(super) fn of(shards: &Shards, index: usize) -> Self {
        let at = index * shards.ndim()..(index + 1) * shards.ndim();
        Self::new(&shards.offsets()[at.clone()], &shards.sizes()[at])
    }

    /// What both hold; corners are crossed where that is nothing.
    pub(super) fn common(mut self, other: &Self) -> Self {
        for dim in 0..self.low.len() {
            self.low[dim] = self.low[dim].max(other.low[dim]);
            self.high[dim] = self.high[dim].min(other.high[dim]);
        }
        self
    }

    /// Number of elements; 0 where the corners are crossed. The box must be part of one whose
    /// number of elements fits an i64.
    pub(super) fn volume(&self) -> i64 {
        // Nothing first: an empty shard's other sizes may be anything.
        if self.is_empty() { 0 } else { self.lengths().product() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lengths().any(|length| length <= 0)
    }

    pub(super) fn lengths(&self) -> impl Iterator<Item = i64> {
        self.high.iter().zip(&self.low).map(|(high, low)| high - low)
    }

    pub(super) fn region(&self) -> Region {
        Region { offsets: self.low.as_slice().into(), sizes: self.lengths().collect() }
    }
}
