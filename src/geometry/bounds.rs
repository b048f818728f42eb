//! Boxes by their corners: what cutting and intersecting them is easiest with.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "boxes of the same shards have the same number of dimensions, at most MAX_NDIM, and \
              their ends fit an i64: Shards::new checked them"
)]

use super::MAX_NDIM;
use super::box_list::{BoxList, BoxRow};
use super::region::Region;
use crate::memory::Memory;

/// A box by its first and its past-the-end corner. It needs no memory of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    ndim: usize,
    low: [i64; MAX_NDIM],
    high: [i64; MAX_NDIM],
}

/// How a shard lies to a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    /// They share nothing.
    Apart,
    /// It holds all of it.
    Around,
    /// They share as many elements.
    Across(i64),
}

impl Bounds {
    pub(crate) fn new(offsets: &[i64], sizes: &[i64]) -> Self {
        let mut bounds = Self { ndim: offsets.len(), low: [0; MAX_NDIM], high: [0; MAX_NDIM] };
        bounds.low[..offsets.len()].copy_from_slice(offsets);
        for (dim, size) in sizes.iter().enumerate() {
            bounds.high[dim] = offsets[dim] + size;
        }
        bounds
    }

    /// The whole tensor.
    pub(crate) fn of_sizes(sizes: &[i64]) -> Self {
        Self::new(&[0; MAX_NDIM][..sizes.len()], sizes)
    }

    pub(crate) fn of(shards: &BoxList, index: usize) -> Self {
        let at = index * shards.ndim()..(index + 1) * shards.ndim();
        Self::new(&shards.offsets()[at.clone()], &shards.sizes()[at])
    }

    /// From a row of `ndim` lows and `ndim` highs.
    pub(crate) fn from_row(row: &[i64]) -> Self {
        let ndim = row.len() / 2;
        let mut bounds = Self { ndim, low: [0; MAX_NDIM], high: [0; MAX_NDIM] };
        bounds.low[..ndim].copy_from_slice(&row[..ndim]);
        bounds.high[..ndim].copy_from_slice(&row[ndim..]);
        bounds
    }

    pub(crate) fn low(&self) -> &[i64] {
        &self.low[..self.ndim]
    }

    pub(crate) fn high(&self) -> &[i64] {
        &self.high[..self.ndim]
    }

    pub(crate) fn low_mut(&mut self) -> &mut [i64] {
        &mut self.low[..self.ndim]
    }

    pub(crate) fn high_mut(&mut self) -> &mut [i64] {
        &mut self.high[..self.ndim]
    }

    /// The intersection. Of boxes that share nothing, the corners are crossed.
    pub(crate) fn common(mut self, other: &Self) -> Self {
        for dim in 0..self.ndim {
            self.low[dim] = self.low[dim].max(other.low[dim]);
            self.high[dim] = self.high[dim].min(other.high[dim]);
        }
        self
    }

    /// Becomes the intersection of two boxes with as many dimensions. Making a new one would write all
    /// dimensions that a tensor may have.
    pub(crate) fn become_common(&mut self, one: &Self, other: BoxRow<'_>) {
        for dim in 0..self.ndim {
            let (low, high) = (other.offsets[dim], other.offsets[dim] + other.sizes[dim]);
            self.low[dim] = one.low[dim].max(low);
            self.high[dim] = one.high[dim].min(high);
        }
    }

    /// How a shard lies to this box, whose number of elements must fit an i64.
    pub(crate) fn relation_to(&self, shards: &BoxList, index: usize) -> Relation {
        let at = index * shards.ndim();
        let offsets = &shards.offsets()[at..at + self.ndim];
        let sizes = &shards.sizes()[at..at + self.ndim];
        let (mut around, mut elements) = (true, 1);
        for dim in 0..self.ndim {
            let (low, high) = (self.low[dim], self.high[dim]);
            let end = offsets[dim] + sizes[dim];
            let (start, stop) = (low.max(offsets[dim]), high.min(end));
            if start >= stop {
                return Relation::Apart;
            }
            around &= start == low && stop == high;
            elements *= stop - start;
        }
        if around { Relation::Around } else { Relation::Across(elements) }
    }

    /// Number of elements; 0 where the corners are crossed. The box must be part of one whose
    /// number of elements fits an i64.
    pub(crate) fn volume(&self) -> i64 {
        // Nothing first: an empty shard's other sizes may be anything.
        if self.is_empty() { 0 } else { self.lengths().product() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lengths().any(|length| length <= 0)
    }

    pub(crate) fn lengths(&self) -> impl Iterator<Item = i64> {
        self.high().iter().zip(self.low()).map(|(high, low)| high - low)
    }

    pub(crate) fn region(&self) -> Memory<Region> {
        let mut sizes = [0; MAX_NDIM];
        sizes.iter_mut().zip(self.lengths()).for_each(|(size, length)| *size = length);
        Region::try_new(self.low(), &sizes[..self.ndim])
    }
}
