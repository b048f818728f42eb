//! From one file set and layout to another, tensor by tensor, in bounded memory.

use super::arrange::{ArrangedFile, Arrangement, StoredAt, TensorToWrite};
use super::conversion_mark::{ConversionMark, source_number};
use super::output::OutputFile;
use super::staging::SaveDirectory;
use super::{WriteOptions, arrange};
use crate::files::coverage::{self, WantedTensor};
use crate::files::read::Progress;
use crate::files::reads::ReadOptions;
use crate::files::stored::{FileSet, StoredTensor};
use crate::files::tensor_blocks::{TensorBlocks, memory_or_usual};
use crate::memory::{try_collect, try_collect_results, try_filled};
use crate::model::{
    Placement, Placements, Result, ShardedTensorMetadata, Shards, TensorProperties,
};

/// Blocks between two marks of a conversion that can be resumed.
const BLOCKS_PER_MARK: u64 = 4;

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
    /// What a run leaves that stops before its end, and takes of an earlier one.
    pub resume: Resume,
}

/// What a conversion that stops before its end leaves, and what a later one does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resume {
    /// A run starts at the beginning, and removes a file that it could not write.
    #[default]
    Never,
    /// A run leaves what it has written, and notes how much that is. The next run with the same source,
    /// layouts and options continues there.
    Continue,
    /// As [`Self::Continue`], but this run starts at the beginning.
    StartAgain,
}

/// What an earlier run has left where a conversion writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earlier {
    /// Nothing, or nothing that is looked for.
    Nothing,
    /// So many bytes that this run need not write again. They may be 0: an earlier run did not come far.
    Written(u64),
    /// Files of another conversion, or of this one before its source changed, or that are not to be used.
    /// They are overwritten.
    Unusable,
}

/// A conversion that is checked and laid out, and has not begun.
#[derive(Debug)]
pub struct Conversion<'a> {
    set: &'a FileSet,
    options: &'a ConvertOptions,
    layouts: Vec<ShardedTensorMetadata>,
    arrangement: Arrangement,
    index: Option<String>,
    staging: SaveDirectory,
    source: u64,
    mark: ConversionMark,
    earlier: Earlier,
}

/// Reads all tensors of a set of files, and writes them to a checkpoint at `path` as the layouts say that
/// `layout_of` returns. Nothing is at `path` before all of it is there.
pub fn convert(
    set: &FileSet, path: &str,
    layout_of: &mut dyn FnMut(&StoredTensor) -> Result<ShardedTensorMetadata>,
    options: &ConvertOptions,
) -> Result<()> {
    Conversion::new(set, path, layout_of, options)?.run(&mut |_, _| Ok(()))
}

/// The layout of a tensor that no rule is for: whole, and rank 0's.
pub fn whole_layout(tensor: &StoredTensor) -> Result<ShardedTensorMetadata> {
    let placement = Placement::parse("rank:0/cpu")?;
    let offsets = try_filled(0i64, tensor.sizes().len())?;
    let sizes = crate::memory::try_to_vec(tensor.sizes())?;
    let shards = Shards::new(sizes.len(), offsets, sizes, Placements::of_one(placement)?)?;
    ShardedTensorMetadata::new(shards, tensor.sizes(), TensorProperties::default())
}

/// Refuses a set of files that lacks tensors or elements, before anything is written.
fn check_covered(set: &FileSet, layouts: &[ShardedTensorMetadata]) -> Result<()> {
    coverage::check_complete(set)?;
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

impl<'a> Conversion<'a> {
    /// Lays out the conversion of all tensors of a set to a checkpoint at `path`, with the layouts that
    /// `layout_of` returns. Refuses what can be refused before anything is written.
    pub fn new(
        set: &'a FileSet, path: &str,
        layout_of: &mut dyn FnMut(&StoredTensor) -> Result<ShardedTensorMetadata>,
        options: &'a ConvertOptions,
    ) -> Result<Self> {
        // The new layout states the element type.
        let mut layout = |tensor: &StoredTensor| {
            Ok::<_, crate::model::Error>(layout_of(tensor)?.with_dtype(tensor.dtype()))
        };
        let layouts = try_collect_results(set.tensors().iter().map(&mut layout))?;
        check_covered(set, &layouts)?;
        let pairs = set.tensors().iter().zip(&layouts);
        let tensors = try_collect(
            pairs.map(|(tensor, metadata)| TensorToWrite { name: tensor.name(), metadata }),
        )?;
        let arrangement = Arrangement::new(&tensors, options.write.files)?;
        let index = arrangement.index(&tensors)?;
        let staging = SaveDirectory::new(path, &arrangement, options.write.replace)?;
        let source = source_number(set);
        let found = match options.resume {
            Resume::Continue => staging.mark()?.map(|bytes| ConversionMark::parse(&bytes, source)),
            Resume::Never | Resume::StartAgain => None,
        };
        let (earlier, mark) = match found.flatten() {
            Some(mark) if staging.has_files(&arrangement, mark)? => {
                let files = (0u32..).zip(&arrangement.files);
                let written = files.map(|(number, file)| mark.written_of(number, file));
                (Earlier::Written(written.fold(0, u64::saturating_add)), mark)
            }
            _ if options.resume != Resume::Never && staging.is_used()? => {
                (Earlier::Unusable, <_>::default())
            }
            _ => (Earlier::Nothing, <_>::default()),
        };
        Ok(Self { set, options, layouts, arrangement, index, staging, source, mark, earlier })
    }

    /// Bytes of all files of the new checkpoint.
    pub fn bytes(&self) -> u64 {
        self.arrangement.files.iter().fold(0, |sum, file| sum.saturating_add(file.length))
    }

    /// How many files the new checkpoint has, without its index.
    pub fn file_count(&self) -> usize {
        self.arrangement.files.len()
    }

    /// What an earlier run has left, where this one may resume it.
    pub fn earlier(&self) -> Earlier {
        self.earlier
    }

    /// Converts. `progress` receives how many of [`Self::bytes`] are written; a refusal of it stops the
    /// run.
    pub fn run(&self, progress: &mut Progress<'_>) -> Result<()> {
        let owners = || (0u32..).zip(&self.arrangement.owners).map(|(owner, _)| owner);
        owners().try_for_each(|owner| self.staging.begin(owner))?;
        match self.options.resume {
            Resume::Never => self.staging.remove_mark()?,
            _ => self.staging.set_mark(&self.mark.to_bytes(self.source))?,
        }
        let mut run = ConversionRun { conversion: self, before: 0, marked: 0, progress };
        for (number, file) in (0u32..).zip(&self.arrangement.files) {
            if let Err(error) = run.file(number, file) {
                if self.options.resume == Resume::Never {
                    // The refusal says more than another one about what could not be removed.
                    let _ = self.staging.discard(file);
                }
                return Err(error);
            }
        }
        owners().try_for_each(|owner| self.staging.finish(owner))?;
        self.staging.commit(&self.arrangement, self.index.as_deref())
    }
}

/// A conversion that is carried out.
struct ConversionRun<'a, 'p, 'q> {
    conversion: &'a Conversion<'a>,
    /// Bytes of all files before this one.
    before: u64,
    /// Bytes of this file that the last mark counts.
    marked: u64,
    progress: &'q mut Progress<'p>,
}

impl ConversionRun<'_, '_, '_> {
    /// Writes a file, or what of it is not written yet.
    fn file(&mut self, number: u32, file: &ArrangedFile) -> Result<()> {
        let Conversion { arrangement, set, layouts, staging, mark, .. } = self.conversion;
        self.marked = mark.written_of(number, file);
        if u64::from(number) >= mark.files {
            let output = staging.open(file)?;
            for &(tensor, chunk) in &file.chunks {
                let (at, chunk) = (tensor as usize, chunk as usize);
                let stored = set.tensors().get(at).zip(layouts.get(at));
                let Some((arranged, (stored, layout))) = arrangement.tensors.get(at).zip(stored)
                else {
                    continue;
                };
                let place = arranged.places.get(chunk).zip(arranged.shards.get(chunk));
                let Some((place, &(shard, _))) = place else { continue };
                let zeros = try_filled(0i64, stored.sizes().len())?;
                let shards = layout.shards().boxes();
                let own = match (&arranged.whole, shards.get(shard as usize)) {
                    (None, Some(own)) => (own.offsets, own.sizes),
                    _ => (zeros.as_slice(), stored.sizes()),
                };
                self.chunk(&output, (number, file), stored, own, *place)?;
            }
            output.sync(&file.name)?;
            self.mark(ConversionMark { files: u64::from(number).saturating_add(1), bytes: 0 })?;
        }
        self.before = self.before.saturating_add(file.length);
        (self.progress)(self.before, self.conversion.bytes())
    }

    /// Copies a box of a tensor to its place in a file.
    fn chunk(
        &mut self, output: &OutputFile, (number, file): (u32, &ArrangedFile),
        tensor: &StoredTensor, own: (&[i64], &[i64]), place: arrange::StoredAt,
    ) -> Result<()> {
        let Conversion { set, options, mark, .. } = self.conversion;
        let StoredAt { first_byte, bytes, .. } = place;
        let written = mark.written_of(number, file);
        if first_byte.saturating_add(bytes) <= written {
            return Ok(());
        }
        let mut blocks = TensorBlocks::new((set, tensor), own, options.memory, &options.read)?;
        let between = BLOCKS_PER_MARK.saturating_mul(memory_or_usual(options.memory) as u64);
        let mut next = first_byte;
        for at in 0..blocks.len() {
            let end = next.saturating_add(blocks.bytes_of(at)? as u64);
            if end > written {
                let block = blocks.read(at)?;
                // SAFETY: `block` was just read, all of its bytes, and `blocks` keeps them until it
                // reads the next one.
                unsafe { output.write(&file.name, next, block.first, block.bytes) }?;
                (self.progress)(self.before.saturating_add(end), self.conversion.bytes())?;
                if options.resume != Resume::Never && end.saturating_sub(self.marked) >= between {
                    output.sync(&file.name)?;
                    self.mark(ConversionMark { files: number.into(), bytes: end })?;
                    self.marked = end;
                }
            }
            next = end;
        }
        Ok(())
    }

    /// Notes how much is written, and flushed.
    fn mark(&self, mark: ConversionMark) -> Result<()> {
        let Conversion { options, staging, source, .. } = self.conversion;
        match options.resume {
            Resume::Never => Ok(()),
            _ => staging.set_mark(&mark.to_bytes(*source)),
        }
    }
}
