//! The bytes of local shards, on their way to files.

use super::arrange::{ArrangedFile, ArrangedTensor, Arrangement, StoredAt};
use super::gather::{GatherWriter, MIN_PART};
use super::output::OutputFile;
use super::staging::SaveDirectory;
use crate::files::file_copies::FileCopies;
use crate::files::row_blocks::RowBlocks;
use crate::files::stored::{ChunkPlace, TensorChunk};
use crate::memory::{Buffer, TryVec, try_filled};
use crate::model::Result;
use crate::plan::{Piece, ReshardPlan, Window};
use crate::transfer::{CopyOptions, HostTransfer, HostView, LocalShards};

/// Bits of a block of a shard whose elements are scattered in memory.
const BLOCK_BITS: i64 = 8 * (8 << 20);

/// A shard that goes into a file: the number of the file and of its tensor, and which of the tensor's
/// written shards it is.
pub(super) type ShardToWrite = (u32, u32, u32);

/// The shards of some owners, by file.
pub(super) fn sources_of(arrangement: &Arrangement, owners: &[u32]) -> Result<Vec<ShardToWrite>> {
    let mut sources = Vec::new();
    for (number, tensor) in (0u32..).zip(&arrangement.tensors) {
        for (at, (_, owner)) in (0u32..).zip(&tensor.shards) {
            if owners.binary_search(owner).is_ok()
                && let Some(place) = tensor.place(at)
            {
                sources.try_push((place.file, number, at))?;
            }
        }
    }
    sources.sort_unstable();
    Ok(sources)
}

impl ArrangedTensor {
    /// Where written shard `number`, or the whole tensor that it is a part of, is stored.
    pub(super) fn place(&self, number: u32) -> Option<StoredAt> {
        let at = if self.whole.is_some() { 0 } else { number as usize };
        self.places.get(at).copied()
    }
}

/// Writes local shards.
pub(super) struct ShardWriter<'a> {
    arrangement: &'a Arrangement,
    shards: &'a [LocalShards],
}

impl<'a> ShardWriter<'a> {
    pub(super) fn new(arrangement: &'a Arrangement, shards: &'a [LocalShards]) -> Self {
        Self { arrangement, shards }
    }

    /// Writes some shards into a file, and flushes it.
    ///
    /// # Safety
    ///
    /// Every element of the shards may be read, and nothing writes any of them meanwhile.
    pub(super) unsafe fn write(
        &self, staging: &SaveDirectory, file: &ArrangedFile, sources: &[ShardToWrite],
    ) -> Result<()> {
        let output = staging.open(file)?;
        let mut gather = GatherWriter::new(&output, &file.name)?;
        for own in sources.chunk_by(|a, b| a.1 == b.1) {
            let tensor = own.first().map_or(0, |source| source.1) as usize;
            let arranged = self.arrangement.tensors.get(tensor);
            let Some((arranged, local)) = arranged.zip(self.shards.get(tensor)) else { continue };
            let numbers = || own.iter().filter_map(|&(_, _, at)| arranged.local(at, local));
            match &arranged.whole {
                Some(plan) if !arranged.dtype.is_packed() => {
                    let copies = arranged.copies_of(plan, numbers(), local)?;
                    // SAFETY: the contract of `write` covers every element of the shards, and
                    // `copies` have no others in memory.
                    unsafe { gather.write(&copies) }?;
                }
                Some(plan) => numbers().try_for_each(|source| {
                    // SAFETY: the contract of `write` covers every element of this `source`, a
                    // shard in `local`.
                    unsafe { write_packed(&output, file, (arranged, plan), source, local) }
                })?,
                None => numbers().try_for_each(|source| {
                    // SAFETY: the contract of `write` is that of `write_own`, for each `source`.
                    unsafe { write_own(&output, file, &mut gather, source, local) }
                })?,
            }
        }
        output.sync(&file.name)
    }
}

/// A shard that is written: its index, its number among the local ones, and where it is stored.
#[derive(Clone, Copy)]
struct LocalSource {
    shard: usize,
    number: usize,
    place: StoredAt,
}

impl ArrangedTensor {
    fn local(&self, at: u32, local: &LocalShards) -> Option<LocalSource> {
        let &(shard, _) = self.shards.get(at as usize)?;
        let (shard, place) = (shard as usize, self.place(at)?);
        Some(LocalSource { shard, number: local.number_of(shard)?, place })
    }

    /// What goes from local shards to the whole tensor in a file.
    fn copies_of(
        &self, plan: &ReshardPlan, sources: impl Iterator<Item = LocalSource>, local: &LocalShards,
    ) -> Result<FileCopies> {
        let mut copies = FileCopies::default();
        let Some(whole) = plan.destination().get(0) else { return Ok(copies) };
        for LocalSource { shard, number, place } in sources {
            for piece in plan.pieces_in(plan.pieces_between(shard, 0)) {
                let stored = Piece {
                    source_window: piece.destination_window,
                    destination_window: piece.source_window,
                    ..piece
                };
                let chunk = chunk_at(place, whole.sizes);
                copies.push_piece(0, "", chunk, &stored, (number, local))?;
            }
        }
        Ok(copies)
    }
}

/// A chunk that is row-major at a place in a file.
fn chunk_at(place: StoredAt, sizes: &[i64]) -> TensorChunk<'_> {
    let place = ChunkPlace { file: place.file, first_byte: place.first_byte };
    TensorChunk { place, sizes, strides: None }
}

/// Writes a whole shard.
///
/// # Safety
///
/// Its elements may be read, and nothing writes any of them meanwhile.
unsafe fn write_own(
    output: &OutputFile, file: &ArrangedFile, gather: &mut GatherWriter<'_>, source: LocalSource,
    local: &LocalShards,
) -> Result<()> {
    let (view, place) = (local.view(source.number), source.place);
    if view.is_row_major() || view.is_empty() {
        let first = view.first().cast_const();
        // A chunk has no more bytes than the shard in memory.
        // SAFETY: `first` is where the dense bytes of `view` begin, and the contract of `write_own`
        // covers them.
        return unsafe { output.write(&file.name, place.first_byte, first, view.bytes()) };
    }
    let offsets = try_filled(0i64, view.shape().len())?;
    let (sizes, mut copies) = (view.shape(), FileCopies::default());
    if !view.dtype().is_packed() {
        let window = Window { offsets: &offsets, sizes, strides: None };
        let piece = Piece {
            source: 0,
            destination: source.shard,
            source_window: window,
            destination_window: window,
            sizes,
        };
        copies.push_piece(0, "", chunk_at(place, sizes), &piece, (source.number, local))?;
    }
    if copies.copies.first().is_some_and(|copy| copy.run >= MIN_PART) {
        // SAFETY: `copies` have elements of the shard only, and the contract of `write_own` covers
        // them.
        return unsafe { gather.write(&copies) };
    }
    // SAFETY: the contract of `write_own` is that of `write_blocks`: `view` has the shard's
    // elements.
    unsafe { write_blocks(output, file, place, &view, &offsets) }
}

/// Writes a view whose elements are scattered in memory, block after block, each by way of a buffer.
///
/// # Safety
///
/// As [`write_own`].
unsafe fn write_blocks(
    output: &OutputFile, file: &ArrangedFile, place: StoredAt, view: &HostView, zeros: &[i64],
) -> Result<()> {
    let bits = view.dtype().element_bits().max(1);
    let most = BLOCK_BITS.checked_div(bits as i64).unwrap_or(1).max(1);
    // Packed elements end with a byte after eight of them.
    let step = if view.dtype().is_packed() { 8 } else { 1 };
    let blocks = RowBlocks::new(zeros, view.shape(), most, step)?;
    let mut buffer: Option<Buffer> = None;
    let mut next = place.first_byte;
    let ndim = zeros.len().max(1);
    for (offsets, sizes) in blocks.offsets.chunks(ndim).zip(blocks.sizes.chunks(ndim)) {
        let part = view.window(&Window { offsets, sizes, strides: None });
        let length = part.bytes();
        let room = match buffer.take().filter(|buffer| buffer.len() >= length) {
            Some(buffer) => buffer,
            None => Buffer::new(length)?,
        };
        let dense = part.row_major_at(room.as_ptr());
        let copy = HostTransfer::copy(&part, &dense, &CopyOptions::default())?;
        // SAFETY: `copy` reads a part of the view, which the contract of `write_blocks` covers. It
        // writes a buffer of this function's own.
        unsafe { copy.run() };
        // SAFETY: `room` has at least `length` bytes, and `copy` just wrote all of them.
        unsafe { output.write(&file.name, next, room.as_ptr(), length) }?;
        next = next.saturating_add(length as u64);
        buffer = Some(room);
    }
    Ok(())
}

/// Writes a shard of packed elements to where the whole tensor has them.
///
/// # Safety
///
/// As [`write_own`].
unsafe fn write_packed(
    output: &OutputFile, file: &ArrangedFile, (tensor, plan): (&ArrangedTensor, &ReshardPlan),
    source: LocalSource, local: &LocalShards,
) -> Result<()> {
    // SAFETY: the contract of `write_packed` covers every element of the shard, as that of
    // `Bytes::of` requires.
    let bytes = unsafe { Bytes::of(&local.view(source.number)) }?;
    let bits = i64::try_from(tensor.dtype.element_bits()).unwrap_or(i64::MAX);
    for run in plan.runs_of_bits(plan.pieces_between(source.shard, 0), bits)? {
        for block in 0..run.count {
            let at = |start: i64, stride: i64| start.saturating_add(block.saturating_mul(stride));
            let from = at(run.source_offset, run.source_stride);
            let destination = at(run.destination_offset, run.destination_stride);
            let offset = source.place.first_byte.saturating_add_signed(destination);
            let from = bytes.first().wrapping_offset(from as isize);
            // SAFETY: `from` and `run.length` are inside of the shard's bytes, by `plan`, and the
            // contract of `write_packed` covers all of them.
            unsafe { output.write(&file.name, offset, from, run.length as usize) }?;
        }
    }
    Ok(())
}

/// The bytes of a view in row-major order: where they are, or a copy.
enum Bytes {
    InPlace(*const u8),
    Packed(Buffer),
}

impl Bytes {
    /// # Safety
    ///
    /// Every element may be read, and nothing writes any of them meanwhile.
    unsafe fn of(view: &HostView) -> Result<Self> {
        if view.is_row_major() || view.is_empty() {
            return Ok(Self::InPlace(view.first().cast_const()));
        }
        let buffer = Buffer::new(view.bytes())?;
        let packed = view.row_major_at(buffer.as_ptr());
        let copy = HostTransfer::copy(view, &packed, &CopyOptions::default())?;
        // SAFETY: `copy` reads the view, which the contract of `Bytes::of` covers. It writes a
        // buffer of this function's own.
        unsafe { copy.run() };
        Ok(Self::Packed(buffer))
    }

    fn first(&self) -> *const u8 {
        match self {
            Self::InPlace(first) => *first,
            Self::Packed(buffer) => buffer.as_ptr().cast_const(),
        }
    }
}
