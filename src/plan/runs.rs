//! The pieces of a plan as runs of bytes, for transports.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "offsets and strides lie in buffers whose number of bytes was checked to fit an i64"
)]

use super::{Piece, ReshardPlan, Window};
use crate::error::{Error, Result};
use crate::geometry::region::checked_numel;
use crate::geometry::steps;
use crate::geometry::{Loop, LoopNest, MAX_NDIM, offsets_of_turn, turns};
use crate::memory::text;
use crate::model::Shards;

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

    /// The number of runs of [`Self::runs_of_bits`], or its refusal. Time: for each piece.
    pub fn count_runs_of_bits(
        &self, pieces: impl Iterator<Item = usize>, bits: i64,
    ) -> Result<usize> {
        let (width, mut list) = (Width::of_bits(bits)?, Vec::new());
        let mut all = 0usize;
        for piece in pieces.filter_map(|index| self.piece(index)) {
            steps::count(1);
            list.clear();
            let nest = self.nest(&piece, width, &mut list)?;
            let sum = all.checked_add(turns(split_blocks(nest.loops()).0));
            all = sum.ok_or_else(|| Error::overflow("the number of runs"))?;
        }
        Ok(all)
    }

    fn runs_of(&self, pieces: impl Iterator<Item = usize>, width: Width) -> Result<Vec<Run>> {
        let (mut runs, mut list) = (Vec::new(), Vec::new());
        for piece in pieces.filter_map(|index| self.piece(index)) {
            list.clear();
            push_runs(&self.nest(&piece, width, &mut list)?, &piece, &mut runs)?;
        }
        Ok(runs)
    }

    /// The loops over a piece's blocks, in bytes. They go through its elements in row-major order.
    fn nest<'a>(
        &self, piece: &Piece<'_>, width: Width, list: &'a mut Vec<Loop>,
    ) -> Result<LoopNest<'a>> {
        let source_sizes = sizes_of(self.source(), piece.source, width)?;
        let destination_sizes = sizes_of(self.destination(), piece.destination, width)?;
        let mut nest = LoopNest::new(list, [0; 2], width.item as usize);
        let source = RowMajor::new(source_sizes, width.item, &piece.source_window);
        let destination = RowMajor::new(destination_sizes, width.item, &piece.destination_window);
        for dim in (0..piece.sizes.len()).rev() {
            // Bytes of buffers: the library asks for 64-bit addresses.
            let steps = [source.steps[dim] as isize, destination.steps[dim] as isize];
            nest.repeat(piece.sizes[dim] as usize, steps[0], steps[1])?;
        }
        nest.advance([source.start as isize, destination.start as isize]);
        nest.simplify();
        in_bytes(nest, width.per_byte, [source.units, destination.units], piece)
    }
}

/// A window of a row-major buffer, in units.
struct RowMajor {
    start: i64,
    /// How far a step in each dimension of the window is.
    steps: [i64; MAX_NDIM],
    /// All of the buffer.
    units: i64,
}

impl RowMajor {
    fn new(sizes: &[i64], item: i64, window: &Window<'_>) -> Self {
        let (mut strides, mut units, mut start) = ([0; MAX_NDIM], item, 0);
        for dim in (0..sizes.len()).rev() {
            strides[dim] = units;
            start += window.offsets[dim] * units;
            units *= sizes[dim];
        }
        let mut steps = strides;
        if let Some((dims, own)) = window.strides {
            for (step, (&dim, &own)) in steps.iter_mut().zip(dims.iter().zip(own)) {
                *step = strides[dim] * own;
            }
        }
        Self { start, steps, units }
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

/// The same nest in bytes, of which each has `per_byte` units, where every block is whole ones. `units`
/// are those of both shards.
fn in_bytes<'a>(
    mut nest: LoopNest<'a>, per_byte: i64, units: [i64; 2], piece: &Piece<'_>,
) -> Result<LoopNest<'a>> {
    if per_byte == 1 {
        return Ok(nest);
    }
    // Bits behind the last element of a shard belong to no other shard.
    if nest.loops().is_empty()
        && nest.starts().map(|start| start as i64 + nest.run() as i64) == units
    {
        nest.lengthen_run(per_byte as usize);
    }
    if nest.coarsen(per_byte as usize) {
        return Ok(nest);
    }
    let what = text!(
        "the data from source shard {} to destination shard {} starts or ends inside a byte, \
         because elements are packed; cut at whole bytes",
        piece.source,
        piece.destination
    );
    Err(Error::Unsupported { what })
}

/// The loops over runs, and the innermost one, over a run's blocks.
fn split_blocks(loops: &[Loop]) -> (&[Loop], Loop) {
    loops.split_last().map_or((loops, Loop::ONCE), |(blocks, outer)| (outer, *blocks))
}

fn push_runs(nest: &LoopNest<'_>, piece: &Piece<'_>, runs: &mut Vec<Run>) -> Result<()> {
    let (outer, blocks) = split_blocks(nest.loops());
    let turns = turns(outer);
    let memory = |_| Error::OutOfMemory { what: "the runs", bytes: size_of::<Run>() };
    runs.try_reserve(turns).map_err(memory)?;
    let starts = nest.starts();
    for turn in 0..turns {
        let (source, destination) = offsets_of_turn(outer, turn);
        runs.push(Run {
            source: piece.source,
            destination: piece.destination,
            source_offset: (starts[0] + source) as i64,
            source_stride: blocks.source_step as i64,
            destination_offset: (starts[1] + destination) as i64,
            destination_stride: blocks.destination_step as i64,
            length: nest.run() as i64,
            count: blocks.count as i64,
        });
    }
    Ok(())
}
