//! Strided copies from places in files to places in memory.
//!
//! What a plan says of a stored chunk and a local shard becomes a loop nest that goes forward through
//! the file: the largest step in the file is outermost, and what is contiguous on both sides is one run.

use std::ops::Range;

use super::stored::{StoredTensor, TensorChunk};
use crate::geometry::{Loop, LoopNest, MAX_NDIM};
use crate::host::copy_list::{BitPointer, Units};
use crate::memory::{TryVec, text};
use crate::model::{Error, Result};
use crate::plan::{Piece, ReshardPlan, Window};
use crate::transfer::LocalShards;

/// `run` bytes of a file for each turn of a nest of loops. Steps in the file are what loops call the
/// destination, for by it they are sorted; steps in memory are what they call the source.
#[derive(Debug, Clone)]
pub(super) struct FileCopy {
    /// The number of the tensor among those that are read.
    pub(super) item: u32,
    /// The number of the file in the set.
    pub(super) file: u32,
    /// Where the first run starts in the file.
    pub(super) first_byte: u64,
    /// Where it goes.
    pub(super) destination: *mut u8,
    /// Bytes that are contiguous in the file and in memory.
    pub(super) run: usize,
    /// Outermost first.
    pub(super) loops: Range<usize>,
}

// SAFETY: a `FileCopy` has an address and does not follow it. Functions that do, such as
// `GatherWriter::write`, have a contract of their own.
unsafe impl Send for FileCopy {}
// SAFETY: a shared `FileCopy` gives numbers and an address, which never change.
unsafe impl Sync for FileCopy {}

/// Copies from files, and the loops of all of them.
#[derive(Debug, Default)]
pub(super) struct FileCopies {
    pub(super) copies: Vec<FileCopy>,
    pub(super) loops: Vec<Loop>,
}

/// The bytes of what a loop nest starts at, in a file and in memory.
#[derive(Clone, Copy)]
struct CopyEnds<'a> {
    chunk: TensorChunk<'a>,
    memory: BitPointer,
}

impl FileCopies {
    /// Adds what the local shards take from the chunks of a tensor, which is number `item` of those that
    /// are read.
    pub(super) fn push(
        &mut self, item: u32, tensor: &StoredTensor, plan: &ReshardPlan, shards: &LocalShards,
    ) -> Result<()> {
        for (number, index) in shards.indices().enumerate() {
            for piece in plan.pieces_in(plan.pieces_into(index)) {
                let Some(chunk) = tensor.chunk(piece.source) else { continue };
                let name = tensor.name();
                self.push_piece(item, name, chunk, &piece, (number, shards))?;
            }
        }
        Ok(())
    }

    /// Adds what local shard `number` and a chunk have in common. The chunk is the piece's source.
    pub(super) fn push_piece(
        &mut self, item: u32, name: &str, chunk: TensorChunk<'_>, piece: &Piece<'_>,
        (number, shards): (usize, &LocalShards),
    ) -> Result<()> {
        let (mut room, mut file_steps) = ([0; MAX_NDIM], [0; MAX_NDIM]);
        let (memory, units, steps) = shards.window(number, &piece.destination_window, &mut room);
        let first = chunk_window(chunk, units, &piece.source_window, &mut file_steps);
        let first = first.ok_or_else(|| {
            Error::overflow(text!("tensor {name:?}: the place of its elements in the file"))
        })?;
        let start = self.loops.len();
        let mut nest =
            LoopNest::new(&mut self.loops, [memory.bit as isize, first as isize], units.width);
        let dims = piece.sizes.iter().zip(steps.iter().zip(&file_steps));
        for (&size, (&step, &file_step)) in dims.rev() {
            // Sizes and steps of memory and of files: the library asks for 64-bit addresses.
            nest.repeat(size as usize, step as isize, file_step as isize)?;
        }
        nest.simplify();
        let ends = CopyEnds { chunk, memory };
        if units.per_byte > 1 {
            if nest.loops().is_empty() && is_end_of_both(&nest, ends, units, (number, shards)) {
                nest.lengthen_run(units.per_byte);
            }
            if !nest.coarsen(units.per_byte) {
                return Err(inside_of_a_byte(name, piece));
            }
        }
        let ([in_memory, in_file], run) = (nest.starts(), nest.run());
        let end = self.loops.len();
        let copy = FileCopy {
            item,
            file: chunk.place.file,
            first_byte: chunk.place.first_byte.saturating_add(in_file.unsigned_abs() as u64),
            destination: memory.byte.wrapping_offset(in_memory),
            run,
            loops: start..end,
        };
        Ok(self.copies.try_push(copy)?)
    }
}

/// Where a window starts in a chunk, in units. Its steps are written to `steps`.
fn chunk_window(
    chunk: TensorChunk<'_>, units: Units, window: &Window<'_>, steps: &mut [i64; MAX_NDIM],
) -> Option<i64> {
    let width = i64::try_from(units.width).ok()?;
    let (mut own, mut row_major, mut first) = ([0i64; MAX_NDIM], width, 0i64);
    for (dim, &size) in chunk.sizes.iter().enumerate().rev() {
        let stride = match chunk.strides {
            None => row_major,
            Some(strides) => strides.get(dim)?.checked_mul(width)?,
        };
        *own.get_mut(dim)? = stride;
        row_major = row_major.checked_mul(size.max(1))?;
        first = first.checked_add(window.offsets.get(dim)?.checked_mul(stride)?)?;
    }
    match window.strides {
        None => *steps = own,
        Some((dims, each)) => {
            for (place, (&dim, &step)) in steps.iter_mut().zip(dims.iter().zip(each)) {
                *place = own.get(dim)?.checked_mul(step)?;
            }
        }
    }
    Some(first)
}

/// Whether a nest without loops ends where the chunk and the shard end: bits behind that belong to
/// nothing else.
fn is_end_of_both(
    nest: &LoopNest<'_>, ends: CopyEnds<'_>, units: Units, (number, shards): (usize, &LocalShards),
) -> bool {
    let numel = |sizes: &[i64]| crate::geometry::checked_numel(sizes).unwrap_or(0);
    let width = units.width as i64;
    let [in_memory, in_file] = nest.starts();
    let in_file = (in_file as i64).saturating_add(nest.run() as i64);
    let view = shards.view(number);
    let whole = numel(view.shape()).saturating_mul(width);
    // From the first element of the shard to the first of the piece, in bits.
    let before = (ends.memory.byte.addr() as i64)
        .saturating_sub(view.first().addr() as i64)
        .saturating_mul(8)
        .saturating_add(in_memory as i64);
    let dims = view.shape().iter().zip(view.strides()).rev();
    let mut dense = dims.scan(width, |next, (&size, &stride)| {
        let is_dense = size == 1 || stride == *next;
        *next = next.saturating_mul(size);
        Some(is_dense)
    });
    let is_row_major = dense.all(|one| one);
    in_file == numel(ends.chunk.sizes).saturating_mul(width)
        && is_row_major
        && before.saturating_add(nest.run() as i64) == whole
}

fn inside_of_a_byte(name: &str, piece: &Piece<'_>) -> Error {
    let what = text!(
        "tensor {name:?}: what destination shard {} takes from a file starts or ends inside of a byte, as \
         elements are no whole bytes; cut where bytes end, or pass views that start where bytes do",
        piece.destination
    );
    Error::Unsupported { what }
}
