//! The pieces of a plan as runs of bytes, for whoever moves them.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "offsets and strides lie in buffers whose number of bytes was checked to fit an i64"
)]

use super::{Piece, ReshardPlan};
use crate::core::error::{Error, Result};
use crate::core::region::checked_numel;
use crate::core::{MAX_NDIM, Shards};
use crate::memory::text;

/// Bytes that move alike: `count` blocks of `length` bytes, the first at `source_offset` of the
/// source shard's row-major buffer and at `destination_offset` of the destination shard's, each next
/// one a stride further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The source shard's index.
    pub source: usize,
    /// The destination shard's index.
    pub destination: usize,
    /// Where the first block starts in the source shard.
    pub source_offset: i64,
    /// Bytes from the start of a block to that of the next in the source; 0 where there is one.
    pub source_stride: i64,
    /// Where the first block starts in the destination shard.
    pub destination_offset: i64,
    /// Bytes from the start of a block to that of the next in the destination; 0 where there is one.
    pub destination_stride: i64,
    /// Bytes of a block.
    pub length: i64,
    /// Number of blocks.
    pub count: i64,
}

impl ReshardPlan {
    /// The bytes of some pieces, for elements of `itemsize` bytes, with as few runs as it takes to
    /// name them. In the order of the pieces, and within a piece in the order of its elements.
    pub fn runs(&self, pieces: impl Iterator<Item = usize>, itemsize: i64) -> Result<Vec<Run>> {
        if itemsize < 1 {
            return Err(Error::TooSmall { argument: "itemsize", value: itemsize, least: 1 });
        }
        let mut runs = Vec::new();
        for piece in pieces.filter_map(|index| self.piece(index)) {
            let sizes = |shards: &Shards, index| sizes_of(shards, index, itemsize);
            let source_sizes = sizes(self.source(), piece.source)?;
            let destination_sizes = sizes(self.destination(), piece.destination)?;
            let nest = Nest::new(&piece, &source_sizes, &destination_sizes, itemsize);
            nest.push_runs(&piece, &mut runs)?;
        }
        Ok(runs)
    }
}

/// The sizes of a shard whose bytes an i64 counts.
fn sizes_of(shards: &Shards, index: usize, itemsize: i64) -> Result<Vec<i64>> {
    let shard = shards.at("index", index)?;
    let bytes = checked_numel(shard.sizes).and_then(|numel| numel.checked_mul(itemsize));
    match bytes {
        Some(_) => Ok(shard.sizes.to_vec()),
        None => Err(Error::overflow(text!("the number of bytes of shard {index}"))),
    }
}

/// One level of a nest of loops: how often, and how many bytes each side steps.
#[derive(Debug, Clone, Copy)]
struct Loop {
    count: i64,
    source_step: i64,
    destination_step: i64,
}

/// The loops over a piece's elements, outermost first, those that continue each other as one.
struct Nest {
    source_offset: i64,
    destination_offset: i64,
    loops: [Loop; MAX_NDIM],
    depth: usize,
    itemsize: i64,
}

impl Nest {
    fn new(
        piece: &Piece<'_>, source_sizes: &[i64], destination_sizes: &[i64], itemsize: i64,
    ) -> Self {
        let idle = Loop { count: 1, source_step: 0, destination_step: 0 };
        let (source_offset, destination_offset) = (0, 0);
        let mut nest =
            Self { source_offset, destination_offset, loops: [idle; MAX_NDIM], depth: 0, itemsize };
        let (mut source_step, mut destination_step) = (itemsize, itemsize);
        // Innermost first, and turned round when all are there.
        for dim in (0..piece.sizes.len()).rev() {
            nest.source_offset += piece.source_offsets[dim] * source_step;
            nest.destination_offset += piece.destination_offsets[dim] * destination_step;
            if piece.sizes[dim] > 1 {
                nest.push_outer(Loop { count: piece.sizes[dim], source_step, destination_step });
            }
            source_step *= source_sizes[dim];
            destination_step *= destination_sizes[dim];
        }
        nest.loops[..nest.depth].reverse();
        nest
    }

    /// Adds a loop around those that are there, or makes the outermost longer.
    fn push_outer(&mut self, outer: Loop) {
        if let Some(inner) = self.loops[..self.depth].last_mut() {
            let continues = outer.source_step == inner.source_step * inner.count
                && outer.destination_step == inner.destination_step * inner.count;
            if continues {
                inner.count *= outer.count;
                return;
            }
        }
        self.loops[self.depth] = outer;
        self.depth += 1;
    }

    /// Takes the innermost loop away if it goes from each element to the next on both sides; the
    /// bytes of a block.
    fn take_block(&mut self) -> i64 {
        match self.loops[..self.depth].last() {
            Some(inner)
                if inner.source_step == self.itemsize
                    && inner.destination_step == self.itemsize =>
            {
                self.depth -= 1;
                self.itemsize * inner.count
            }
            _ => self.itemsize,
        }
    }

    fn push_runs(mut self, piece: &Piece<'_>, runs: &mut Vec<Run>) -> Result<()> {
        let length = self.take_block();
        let idle = Loop { count: 1, source_step: 0, destination_step: 0 };
        let blocks = match self.depth.checked_sub(1) {
            None => idle,
            Some(last) => {
                self.depth = last;
                self.loops[last]
            }
        };
        let outer = &self.loops[..self.depth];
        let turns: i64 = outer.iter().map(|level| level.count).product();
        let memory = |_| Error::OutOfMemory { what: "the runs", bytes: size_of::<Run>() };
        runs.try_reserve(usize::try_from(turns).unwrap_or(usize::MAX)).map_err(memory)?;
        for turn in 0..turns {
            let (mut source_offset, mut destination_offset) =
                (self.source_offset, self.destination_offset);
            let mut rest = turn;
            for level in outer.iter().rev() {
                source_offset += rest % level.count * level.source_step;
                destination_offset += rest % level.count * level.destination_step;
                rest /= level.count;
            }
            runs.push(Run {
                source: piece.source,
                destination: piece.destination,
                source_offset,
                source_stride: blocks.source_step,
                destination_offset,
                destination_stride: blocks.destination_step,
                length,
                count: blocks.count,
            });
        }
        Ok(())
    }
}
