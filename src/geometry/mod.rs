//! Index space only: which indices of a tensor's dimension a shard has, and what two shards share.
//!
//! A [`Stretch`] is a number of blocks of neighbouring indices at equal steps; a [`DimMap`] is what
//! a shard has of one dimension, as stretches, in the order of the shard's buffer. Two dim maps are
//! intersected in closed form, whatever their size: a periodic dimension stays one stretch and a
//! shorter tail. No memory is moved here, and nobody owns anything yet.

#![forbid(unsafe_code)]

mod blocks;
mod dim_map;
mod loop_nest;
mod stretch;

pub use dim_map::{DimMap, DimPart};
pub use loop_nest::{Loop, LoopNest, offsets_of_turn, turns};
pub use stretch::Stretch;

use crate::memory::OutOfMemory;

/// What geometry can refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// Numbers that are no stretch: a negative start, no block, blocks that meet, or an end past the
    /// largest index.
    NotAStretch,
    /// A stretch that reaches past the end of its buffer.
    PastTheEnd,
    /// Two stretches that have an index, or a place in the buffer, in common.
    Twice,
    /// A buffer longer than the largest index.
    Overflow,
    /// No memory for the answer.
    OutOfMemory(OutOfMemory),
}

/// The result of what geometry can refuse.
pub type Result<T> = std::result::Result<T, Error>;

impl From<OutOfMemory> for Error {
    fn from(error: OutOfMemory) -> Self {
        Self::OutOfMemory(error)
    }
}
