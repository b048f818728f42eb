//! A box of a stored tensor, block after block: as much of it at a time as the caller has memory for.

use super::read::CheckpointRead;
use super::reads::ReadOptions;
use super::request::ReadItem;
use super::row_blocks::RowBlocks;
use super::stored::{FileSet, StoredTensor};
use crate::geometry::checked_numel;
use crate::memory::{Buffer, IntoShared, TryVec, try_filled};
use crate::model::{
    Error, Placement, Placements, Result, ShardedTensorMetadata, Shards, TensorProperties,
};
use crate::transfer::{HostView, LocalShards, ShardArguments};

/// Bytes of elements that are in memory at a time, where the caller does not say how many.
const MEMORY: usize = 64 << 20;

/// The blocks of a box of a tensor, each of which is contiguous in the box's row-major order, and memory for
/// one of them.
pub(super) struct TensorBlocks<'a> {
    set: &'a FileSet,
    tensor: &'a StoredTensor,
    options: &'a ReadOptions,
    /// A shard for each block.
    layout: ShardedTensorMetadata,
    buffer: Option<Buffer>,
}

/// A block that was read.
pub(super) struct ReadTensorBlock {
    pub(super) shards: LocalShards,
    pub(super) first: *mut u8,
    pub(super) bytes: usize,
}

/// Bytes of elements that may be in memory at a time; of 0, the usual number.
pub(super) fn memory_or_usual(memory: usize) -> usize {
    if memory == 0 { MEMORY } else { memory }
}

impl<'a> TensorBlocks<'a> {
    /// The blocks of the box of `sizes` elements at `offsets`, of at most about `memory` bytes each.
    pub(super) fn new(
        (set, tensor): (&'a FileSet, &'a StoredTensor), (offsets, sizes): (&[i64], &[i64]),
        memory: usize, options: &'a ReadOptions,
    ) -> Result<Self> {
        let dtype = tensor.dtype();
        let bits = i64::try_from(memory_or_usual(memory)).unwrap_or(i64::MAX).saturating_mul(8);
        let most = bits.checked_div(dtype.element_bits() as i64).unwrap_or(1).max(1);
        // Packed elements end with a byte after eight of them.
        let blocks = RowBlocks::new(offsets, sizes, most, if dtype.is_packed() { 8 } else { 1 })?;
        let owners = try_filled(0u32, blocks.count)?;
        let placements = Placements::from_table(&[Placement::parse("rank:0/cpu")?], &owners)?;
        let shards =
            Shards::new(sizes.len(), blocks.offsets, blocks.sizes, placements)?.into_shared()?;
        let properties = TensorProperties { dtype: Some(dtype), ..TensorProperties::default() };
        let layout = ShardedTensorMetadata::trusted(shards, tensor.sizes(), properties)?;
        Ok(Self { set, tensor, options, layout, buffer: None })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.layout.shards().len()
    }

    /// The blocks as the shards of a layout.
    pub(super) fn layout(&self) -> &ShardedTensorMetadata {
        &self.layout
    }

    /// The bytes of block `number`.
    pub(super) fn bytes_of(&self, number: usize) -> Result<usize> {
        let sizes = self.layout.shards().at("block", number)?.sizes;
        let count = checked_numel(sizes).and_then(|count| u64::try_from(count).ok());
        let bytes = count.and_then(|count| self.tensor.dtype().storage_bytes(count));
        bytes.ok_or_else(|| Error::overflow("the bytes of a block"))
    }

    /// Reads block `number` to memory that the next read takes again.
    pub(super) fn read(&mut self, number: usize) -> Result<ReadTensorBlock> {
        let bytes = self.bytes_of(number)?;
        let room = match self.buffer.take().filter(|buffer| buffer.len() >= bytes) {
            Some(buffer) => buffer,
            None => Buffer::new(bytes)?,
        };
        let first = room.as_ptr();
        self.buffer = Some(room);
        let (dtype, own) = (self.tensor.dtype(), self.layout.shards().at("block", number)?);
        let view = HostView::new("block", first, dtype, own.sizes, None)?;
        let shards = || {
            let layout = self.layout.shared_shards();
            let mut shards = LocalShards::builder(layout, ShardArguments::SHARDS, Some(dtype), 1)?;
            shards.push(number, &view)?;
            shards.finish()
        };
        let mut items = Vec::new();
        let own = shards()?.into_shared()?;
        items.try_push(ReadItem { name: self.tensor.name(), layout: &self.layout, shards: own })?;
        let read = CheckpointRead::new(self.set, &items, self.options)?;
        // SAFETY: `read` writes the elements of one view. It is of the buffer of this value, which
        // nothing else uses.
        unsafe { read.run(&mut |_, _| Ok(())) }.1?;
        Ok(ReadTensorBlock { shards: shards()?, first, bytes })
    }
}
