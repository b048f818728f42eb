//! From one file set and layout to another, tensor by tensor, in bounded memory.

use super::arrange::{ArrangedFile, Arrangement, TensorToWrite};
use super::blocks::RowBlocks;
use super::output::OutputFile;
use super::staging::SaveDirectory;
use super::{WriteOptions, arrange};
use crate::files::coverage::{self, WantedTensor};
use crate::files::read::CheckpointRead;
use crate::files::reads::ReadOptions;
use crate::files::request::ReadItem;
use crate::files::stored::{FileSet, StoredTensor};
use crate::memory::{Buffer, IntoShared, TryVec, try_collect, try_collect_results, try_filled};
use crate::model::{
    Error, Placement, Placements, Result, ShardedTensorMetadata, Shards, TensorProperties,
};
use crate::transfer::{HostView, LocalShards, ShardArguments};

/// Bytes of elements that are in memory at a time, where the caller does not say how many.
const MEMORY: usize = 64 << 20;

/// How a checkpoint is converted.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConvertOptions {
    /// How the new one is written.
    pub write: WriteOptions,
    /// How the old one is read.
    pub read: ReadOptions,
    /// Bytes of elements that are in memory at a time; 0: 64 MiB. More are needed for what a read gets
    /// besides.
    pub memory: usize,
}

/// Reads all tensors of a set of files, and writes them to a checkpoint at `path` as the layouts say that
/// `layout_of` returns. Nothing is at `path` before all of it is there.
pub fn convert(
    set: &FileSet, path: &str,
    layout_of: &mut dyn FnMut(&StoredTensor) -> Result<ShardedTensorMetadata>,
    options: &ConvertOptions,
) -> Result<()> {
    let layouts =
        try_collect_results(set.tensors().iter().map(|tensor| layout(tensor, layout_of)))?;
    check_covered(set, &layouts)?;
    let pairs = set.tensors().iter().zip(&layouts);
    let tensors = try_collect(
        pairs.map(|(tensor, metadata)| TensorToWrite { name: tensor.name(), metadata }),
    )?;
    let arrangement = Arrangement::new(&tensors, options.write.files)?;
    let staging = SaveDirectory::new(path, &arrangement, options.write.replace)?;
    let owners = || (0u32..).zip(&arrangement.owners).map(|(owner, _)| owner);
    owners().try_for_each(|owner| staging.begin(owner))?;
    let conversion = Conversion { set, arrangement: &arrangement, layouts: &layouts, options };
    for (number, file) in (0u32..).zip(&arrangement.files) {
        if let Err(error) = conversion.file(&staging, number, file) {
            // The refusal says more than another one about what could not be removed.
            let _ = staging.discard(file);
            return Err(error);
        }
    }
    owners().try_for_each(|owner| staging.finish(owner))?;
    staging.commit(&arrangement, arrangement.index(&tensors)?.as_deref())
}

/// The new layout of a tensor, which states its element type.
fn layout(
    tensor: &StoredTensor,
    layout_of: &mut dyn FnMut(&StoredTensor) -> Result<ShardedTensorMetadata>,
) -> Result<ShardedTensorMetadata> {
    Ok(layout_of(tensor)?.with_dtype(tensor.dtype()))
}

/// The layout of a tensor that no rule is for: whole, and rank 0's.
pub fn whole_layout(tensor: &StoredTensor) -> Result<ShardedTensorMetadata> {
    let placement = Placement::parse("rank:0/cpu")?;
    let offsets = try_filled(0i64, tensor.sizes().len())?;
    let sizes = crate::memory::try_to_vec(tensor.sizes())?;
    let shards = Shards::new(sizes.len(), offsets, sizes, Placements::of_one(placement)?)?;
    ShardedTensorMetadata::new(shards, tensor.sizes(), TensorProperties::default())
}

/// Refuses a set of files that lacks elements, before anything is written.
fn check_covered(set: &FileSet, layouts: &[ShardedTensorMetadata]) -> Result<()> {
    for (tensor, layout) in set.tensors().iter().zip(layouts) {
        let indices = try_collect(0..layout.shards().len())?;
        let wanted = WantedTensor { name: tensor.name(), layout, indices: &indices };
        let found = coverage::check(set, &[wanted], 1)?;
        if let Some(problem) = found.problems.into_iter().next() {
            return Err(problem.error);
        }
    }
    Ok(())
}

/// What a conversion needs for each file.
struct Conversion<'a> {
    set: &'a FileSet,
    arrangement: &'a Arrangement,
    layouts: &'a [ShardedTensorMetadata],
    options: &'a ConvertOptions,
}

impl Conversion<'_> {
    fn file(&self, staging: &SaveDirectory, number: u32, file: &ArrangedFile) -> Result<()> {
        let output = staging.open(file)?;
        for &tensor in &file.tensors {
            let at = tensor as usize;
            let stored = self.set.tensors().get(at).zip(self.layouts.get(at));
            let Some((arranged, (stored, layout))) = self.arrangement.tensors.get(at).zip(stored)
            else {
                continue;
            };
            let places = arranged.places.iter().zip(&arranged.shards).enumerate();
            for (_, (place, &(shard, _))) in places.filter(|(_, (place, _))| place.file == number) {
                let zeros = try_filled(0i64, stored.sizes().len())?;
                let shards = layout.shards().boxes();
                let (offsets, sizes) = match (&arranged.whole, shards.get(shard as usize)) {
                    (None, Some(own)) => (own.offsets, own.sizes),
                    _ => (zeros.as_slice(), stored.sizes()),
                };
                self.chunk(&output, file, stored, (offsets, sizes), *place)?;
            }
        }
        output.sync(&file.name)
    }

    /// Copies a box of a tensor to its place in a file.
    fn chunk(
        &self, output: &OutputFile, file: &ArrangedFile, tensor: &StoredTensor,
        (offsets, sizes): (&[i64], &[i64]), place: arrange::StoredAt,
    ) -> Result<()> {
        let dtype = tensor.dtype();
        let bytes = if self.options.memory == 0 { MEMORY } else { self.options.memory };
        let bits = i64::try_from(bytes).unwrap_or(i64::MAX).saturating_mul(8);
        let most = bits.checked_div(dtype.element_bits() as i64).unwrap_or(1).max(1);
        // Packed elements end with a byte after eight of them.
        let blocks = RowBlocks::new(offsets, sizes, most, if dtype.is_packed() { 8 } else { 1 })?;
        let owners = try_filled(0u32, blocks.count)?;
        let placements = Placements::from_table(&[Placement::parse("rank:0/cpu")?], &owners)?;
        let shards =
            Shards::new(sizes.len(), blocks.offsets, blocks.sizes, placements)?.into_shared()?;
        let properties = TensorProperties { dtype: Some(dtype), ..TensorProperties::default() };
        let layout = ShardedTensorMetadata::trusted(shards, tensor.sizes(), properties)?;
        let mut buffer: Option<Buffer> = None;
        let mut next = place.first_byte;
        for number in 0..blocks.count {
            let Some(own) = layout.shards().boxes().get(number) else { continue };
            let count = crate::geometry::checked_numel(own.sizes);
            let length = count.and_then(|count| dtype.storage_bytes(u64::try_from(count).ok()?));
            let length = length.ok_or_else(|| Error::overflow("the bytes of a block"))?;
            let room = match buffer.take().filter(|buffer| buffer.len() >= length) {
                Some(buffer) => buffer,
                None => Buffer::new(length)?,
            };
            let view = HostView::new("block", room.as_ptr(), dtype, own.sizes, None)?;
            self.read(tensor, &layout, number, &view)?;
            // SAFETY: the buffer's own bytes, of which all were just read.
            unsafe { output.write(&file.name, next, room.as_ptr(), length) }?;
            next = next.saturating_add(length as u64);
            buffer = Some(room);
        }
        Ok(())
    }

    /// Reads a block of a tensor.
    fn read(
        &self, tensor: &StoredTensor, layout: &ShardedTensorMetadata, number: usize,
        view: &HostView,
    ) -> Result<()> {
        let (dtype, arguments) = (Some(tensor.dtype()), ShardArguments::SHARDS);
        let mut shards = LocalShards::builder(layout.shared_shards(), arguments, dtype, 1)?;
        shards.push(number, view)?;
        let mut items = Vec::new();
        let shards = shards.finish()?.into_shared()?;
        items.try_push(ReadItem { name: tensor.name(), layout, shards })?;
        let read = CheckpointRead::new(self.set, &items, &self.options.read)?;
        // SAFETY: the view is of a buffer that nothing else uses.
        unsafe { read.run(&mut |_, _| Ok(())) }.1
    }
}
