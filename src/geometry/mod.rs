//! Index space only: which indices of a tensor's dimension a shard has, and what two shards share.
//!
//! A [`Stretch`] is a number of blocks of neighbouring indices at equal steps; a [`DimMap`] is what
//! a shard has of one dimension, as stretches, in the order of the shard's buffer. Two dim maps are
//! intersected in closed form, whatever their size: a periodic dimension stays one stretch and a
//! shorter tail. This module moves no memory and knows no owners.

#![forbid(unsafe_code)]

mod blocks;
pub(crate) mod bounds;
pub mod box_list;
pub(crate) mod cells;
mod dim_map;
pub(crate) mod division;
pub(crate) mod equal;
pub mod extent;
pub(crate) mod fold;
mod frontier;
pub(crate) mod gap;
mod grid_marks;
mod joined;
mod loop_nest;
mod loop_order;
pub(crate) mod overlap;
pub(crate) mod product;
mod rank_span;
mod ranks;
pub mod region;
pub mod rtree;
mod search;
mod separate;
mod start_ranks;
pub(crate) mod steps;
mod stretch;
#[cfg(test)]
mod tests;
pub(crate) mod unfold;

pub use box_list::{BoxList, BoxRow};
pub use dim_map::{DimMap, DimPart};
pub use division::BlockProblem;
pub use extent::{DimExtent, Extent, ExtentList, Flattening};
pub use loop_nest::{Loop, LoopNest, offsets_of_turn, turns};
pub use region::{Region, checked_numel};
pub use rtree::Index;
pub use stretch::Stretch;

use std::ops::Range;

use crate::memory::OutOfMemory;

/// The most dimensions that a tensor may have.
pub const MAX_NDIM: usize = 32;

/// About `n * log(n)`.
pub(crate) fn n_log_n(count: usize) -> u64 {
    let log = usize::BITS.saturating_sub(count.leading_zeros());
    (count as u64).saturating_mul(u64::from(log))
}

/// The places of entry `number` in a list, where `ends` has the end of each entry's places.
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "the caller's entry has an end, and so has the one before"
)]
pub(crate) fn range_of(ends: &[usize], number: usize) -> Range<usize> {
    let start = if number == 0 { 0 } else { ends[number - 1] };
    start..ends[number]
}

/// The errors of geometry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GeometryError {
    /// Numbers that are no stretch: a negative start, no block, blocks that meet, or an end past the
    /// largest index.
    NotAStretch,
    /// A stretch that reaches past the end of its buffer.
    PastTheEnd,
    /// Two stretches that have an index, or a place in the buffer, in common.
    Twice,
    /// A buffer longer than the largest index.
    Overflow,
    /// Dimensions that would have to be unfolded into more than [`MAX_NDIM`].
    TooManyDims,
    /// Blocks of a stretch that would have to be taken apart one by one, and are too many.
    TooManyBlocks,
    /// No memory for the answer.
    OutOfMemory(OutOfMemory),
}

/// The result of what geometry can refuse.
pub type GeometryResult<T> = std::result::Result<T, GeometryError>;

impl From<OutOfMemory> for GeometryError {
    fn from(error: OutOfMemory) -> Self {
        Self::OutOfMemory(error)
    }
}
