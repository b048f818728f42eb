//! The bytes of local shards, on their way to files.

use super::arrange::{ArrangedFile, ArrangedTensor, Arrangement, StoredAt};
use super::output::OutputFile;
use super::staging::SaveDirectory;
use crate::memory::{Buffer, TryVec};
use crate::model::Result;
use crate::plan::{ReshardPlan, Run};
use crate::transfer::{CopyOptions, HostTransfer, HostView, LocalShards};

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
        for &(_, tensor, at) in sources {
            let arranged = self.arrangement.tensors.get(tensor as usize);
            let Some((arranged, local)) = arranged.zip(self.shards.get(tensor as usize)) else {
                continue;
            };
            let Some((&(shard, _), place)) =
                arranged.shards.get(at as usize).zip(arranged.place(at))
            else {
                continue;
            };
            let Some(number) = local.number_of(shard as usize) else { continue };
            // SAFETY: the caller's promise.
            let bytes = unsafe { Bytes::of(&local.view(number)) }?;
            // SAFETY: the caller's promise; the bytes are there as long as `bytes` is.
            unsafe { write_shard(&output, file, arranged, (shard, place), bytes.first()) }?;
        }
        output.sync(&file.name)
    }
}

/// Writes the bytes of a shard to where they belong.
///
/// # Safety
///
/// At `first` are the bytes of the shard in row-major order. They may be read, and nothing writes them
/// meanwhile.
unsafe fn write_shard(
    output: &OutputFile, file: &ArrangedFile, tensor: &ArrangedTensor,
    (shard, place): (u32, StoredAt), first: *const u8,
) -> Result<()> {
    let Some(plan) = &tensor.whole else {
        // A chunk has no more bytes than the shard in memory.
        let length = place.bytes as usize;
        // SAFETY: the caller's promise.
        return unsafe { output.write(&file.name, place.first_byte, first, length) };
    };
    for run in runs_from(plan, shard, tensor.dtype.element_bits())? {
        for block in 0..run.count {
            let at = |start: i64, stride: i64| start.saturating_add(block.saturating_mul(stride));
            let source = at(run.source_offset, run.source_stride);
            let destination = at(run.destination_offset, run.destination_stride);
            let offset = place.first_byte.saturating_add_signed(destination);
            let from = first.wrapping_offset(source as isize);
            // SAFETY: runs lie inside of the shard, of which all bytes may be read.
            unsafe { output.write(&file.name, offset, from, run.length as usize) }?;
        }
    }
    Ok(())
}

/// What goes from a shard to the whole tensor.
fn runs_from(plan: &ReshardPlan, shard: u32, bits: usize) -> Result<Vec<Run>> {
    let bits = i64::try_from(bits).unwrap_or(i64::MAX);
    plan.runs_of_bits(plan.pieces_between(shard as usize, 0), bits)
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
        // SAFETY: the caller's promise for the view; the buffer is this one's own.
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
