//! The pieces of a plan as runs of bytes, for whoever moves them.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "offsets and strides lie in buffers whose number of bytes was checked to fit an i64"
)]

use super::{Piece, ReshardPlan};
use crate::core::error::{Error, Result};
use crate::core::region::checked_numel;
use crate::core::steps;
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

/// How wide elements are: `item` units, of which a byte has `per_byte`.
#[derive(Debug, Clone, Copy)]
struct Width {
    item: i64,
    per_byte: i64,
}

impl Width {
    fn of_bytes(itemsize: i64) -> Result<Self> {
        if itemsize < 1 {
            return Err(Error::TooSmall { argument: "itemsize", value: itemsize, least: 1 });
        }
        Ok(Self { item: itemsize, per_byte: 1 })
    }

    fn of_bits(bits: i64) -> Result<Self> {
        if bits < 1 {
            return Err(Error::TooSmall { argument: "bits", value: bits, least: 1 });
        }
        if bits % 8 == 0 {
            return Self::of_bytes(bits / 8);
        }
        Ok(Self { item: bits, per_byte: 8 })
    }
}

impl ReshardPlan {
    /// The bytes of some pieces, for elements of `itemsize` bytes, with as few runs as it takes to
    /// name them. In the order of the pieces, and within a piece in the order of its elements.
    pub fn runs(&self, pieces: impl Iterator<Item = usize>, itemsize: i64) -> Result<Vec<Run>> {
        self.runs_of(pieces, Width::of_bytes(itemsize)?)
    }

    /// The bytes of some pieces, for elements of so many bits. Elements of no whole bytes are packed: the
    /// next one starts with the next bit. [`Error::Unsupported`] where a run would start or end inside
    /// of a byte.
    pub fn runs_of_bits(&self, pieces: impl Iterator<Item = usize>, bits: i64) -> Result<Vec<Run>> {
        self.runs_of(pieces, Width::of_bits(bits)?)
    }

    /// How many runs [`Self::runs_of_bits`] tells, or its refusal. Time: for each piece.
    pub fn count_runs_of_bits(
        &self, pieces: impl Iterator<Item = usize>, bits: i64,
    ) -> Result<usize> {
        let width = Width::of_bits(bits)?;
        let mut all = 0usize;
        for piece in pieces.filter_map(|index| self.piece(index)) {
            steps::count(1);
            let count = usize::try_from(self.nest(&piece, width)?.count()).ok();
            let sum = count.and_then(|count| all.checked_add(count));
            all = sum.ok_or_else(|| Error::overflow("the number of runs"))?;
        }
        Ok(all)
    }

    fn runs_of(&self, pieces: impl Iterator<Item = usize>, width: Width) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        for piece in pieces.filter_map(|index| self.piece(index)) {
            self.nest(&piece, width)?.push_runs(&piece, &mut runs)?;
        }
        Ok(runs)
    }

    fn nest(&self, piece: &Piece<'_>, width: Width) -> Result<Nest> {
        let sizes = |shards, index| sizes_of(shards, index, width);
        let source_sizes = sizes(self.source(), piece.source)?;
        let destination_sizes = sizes(self.destination(), piece.destination)?;
        Nest::new(piece, source_sizes, destination_sizes, width).in_bytes(piece)
    }
}

/// The sizes of a shard whose bytes an i64 counts.
fn sizes_of(shards: &Shards, index: usize, width: Width) -> Result<&[i64]> {
    let shard = shards.at("index", index)?;
    let units = checked_numel(shard.sizes).and_then(|numel| numel.checked_mul(width.item));
    match units {
        Some(_) => Ok(shard.sizes),
        None => Err(Error::overflow(text!("the number of bytes of shard {index}"))),
    }
}

/// One level of a nest of loops: how often, and how much each side steps.
#[derive(Debug, Clone, Copy)]
struct Loop {
    count: i64,
    source_step: i64,
    destination_step: i64,
}

const IDLE: Loop = Loop { count: 1, source_step: 0, destination_step: 0 };

/// The loops over a piece's blocks, outermost first, those that continue each other as one. All in
/// units of a width, and in bytes in the end.
struct Nest {
    source_offset: i64,
    destination_offset: i64,
    /// The units of both shards.
    units: [i64; 2],
    loops: [Loop; MAX_NDIM],
    depth: usize,
    /// The innermost loop over blocks.
    blocks: Loop,
    /// The units of a block.
    length: i64,
    per_byte: i64,
}

impl Nest {
    fn new(
        piece: &Piece<'_>, source_sizes: &[i64], destination_sizes: &[i64], width: Width,
    ) -> Self {
        let mut nest = Self {
            source_offset: 0,
            destination_offset: 0,
            units: [0; 2],
            loops: [IDLE; MAX_NDIM],
            depth: 0,
            blocks: IDLE,
            length: 0,
            per_byte: width.per_byte,
        };
        let (mut source_step, mut destination_step) = (width.item, width.item);
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
        nest.units = [source_step, destination_step];
        nest.loops[..nest.depth].reverse();
        nest.length = nest.take_block(width.item);
        if let Some(last) = nest.depth.checked_sub(1) {
            nest.depth = last;
            nest.blocks = nest.loops[last];
        }
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
    /// length of a block.
    fn take_block(&mut self, item: i64) -> i64 {
        match self.loops[..self.depth].last() {
            Some(inner) if inner.source_step == item && inner.destination_step == item => {
                self.depth -= 1;
                item * inner.count
            }
            _ => item,
        }
    }

    /// How many runs it is.
    fn count(&self) -> i64 {
        self.loops[..self.depth].iter().map(|level| level.count).product()
    }

    /// The same in bytes, where every block is whole ones.
    fn in_bytes(mut self, piece: &Piece<'_>) -> Result<Self> {
        let per_byte = self.per_byte;
        if per_byte == 1 {
            return Ok(self);
        }
        // Bits behind the last element of a shard belong to nobody else.
        let ends = [self.source_offset + self.length, self.destination_offset + self.length];
        if self.depth == 0 && self.blocks.count == 1 && ends == self.units {
            self.length = self.length.div_euclid(per_byte) * per_byte
                + if self.length % per_byte == 0 { 0 } else { per_byte };
        }
        let levels = self.loops[..self.depth].iter_mut().chain([&mut self.blocks]);
        let steps = levels.flat_map(|level| [&mut level.source_step, &mut level.destination_step]);
        let rest = [&mut self.source_offset, &mut self.destination_offset, &mut self.length];
        for number in steps.chain(rest) {
            if *number % per_byte != 0 {
                let what = text!(
                    "what goes from source shard {} to destination shard {} starts or ends inside of \
                     a byte, as elements are no whole bytes; cut where bytes end",
                    piece.source,
                    piece.destination
                );
                return Err(Error::Unsupported { what });
            }
            *number /= per_byte;
        }
        self.per_byte = 1;
        Ok(self)
    }

    fn push_runs(self, piece: &Piece<'_>, runs: &mut Vec<Run>) -> Result<()> {
        let outer = &self.loops[..self.depth];
        let turns = self.count();
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
                source_stride: self.blocks.source_step,
                destination_offset,
                destination_stride: self.blocks.destination_step,
                length: self.length,
                count: self.blocks.count,
            });
        }
        Ok(())
    }
}
