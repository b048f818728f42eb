//! The tensors of a set of files, and where their elements are.

use super::error::FilesError;
use super::system::{FileState, SystemPath};
use crate::memory::{self, IntoShared, Memory, Shared, Text, text, try_boxed_str};
use crate::model::{
    CustomPlacement, DataType, Placement, Placements, Result, ShardedTensorMetadata, Shards,
    TensorProperties,
};

/// One file of a set.
#[derive(Debug)]
pub struct StoredFile {
    pub(super) name: Box<str>,
    pub(super) path: SystemPath,
    pub(super) state: FileState,
    /// Texts that the file has besides its tensors, each with its name.
    pub(super) texts: Vec<(Box<str>, Box<str>)>,
}

impl StoredFile {
    /// Its name in the set: for a file of a directory, its path from there.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its bytes, when the set was opened.
    pub fn length(&self) -> u64 {
        self.state.length
    }

    /// Texts that the file has besides its tensors, each with its name: of a safetensors file, its
    /// `__metadata__`.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(name, text)| (&**name, &**text))
    }
}

/// Where a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkPlace {
    /// The number of the file in the set.
    pub file: u32,
    /// Where the chunk's first element is in the file: that at index 0 of each dimension.
    pub first_byte: u64,
}

/// A chunk in its file.
#[derive(Debug, Clone, Copy)]
pub(super) struct TensorChunk<'a> {
    pub(super) place: ChunkPlace,
    pub(super) sizes: &'a [i64],
    /// Elements from one index to the next; `None`: row-major.
    pub(super) strides: Option<&'a [i64]>,
}

/// One tensor of a set: its chunks are shards, whose placements are files.
#[derive(Debug)]
pub struct StoredTensor {
    pub(super) name: Box<str>,
    pub(super) dtype: DataType,
    pub(super) sizes: Box<[i64]>,
    /// Whether the sizes are only where the last chunks end.
    pub(super) are_sizes_inferred: bool,
    pub(super) chunks: Shared<Shards>,
    pub(super) places: Vec<ChunkPlace>,
    /// Elements from one index to the next, a row for each chunk. Empty where all are row-major.
    pub(super) strides: Vec<i64>,
}

impl StoredTensor {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The element type.
    pub fn dtype(&self) -> DataType {
        self.dtype
    }

    /// Its sizes.
    pub fn sizes(&self) -> &[i64] {
        &self.sizes
    }

    /// Whether the files do not state the sizes, so that they are where the last chunks end: chunks at
    /// the end may be missing without a trace.
    pub fn are_sizes_inferred(&self) -> bool {
        self.are_sizes_inferred
    }

    /// The stored chunks, whose placements are files. They may overlap and leave gaps.
    pub fn chunks(&self) -> &Shared<Shards> {
        &self.chunks
    }

    /// Where chunk `index` is.
    pub fn place(&self, index: usize) -> Option<ChunkPlace> {
        self.places.get(index).copied()
    }

    /// Elements from one index of chunk `index` to the next, for each dimension; `None`: row-major.
    pub fn strides(&self, index: usize) -> Option<&[i64]> {
        let ndim = self.sizes.len();
        let start = index.checked_mul(ndim)?;
        self.strides.get(start..start.checked_add(ndim)?)
    }

    /// Chunk `index`, and where it is.
    pub(super) fn chunk(&self, index: usize) -> Option<TensorChunk<'_>> {
        let sizes = self.chunks.boxes().get(index)?.sizes;
        Some(TensorChunk { place: self.place(index)?, sizes, strides: self.strides(index) })
    }

    /// The whole tensor as one shard, which is nowhere in particular.
    pub fn whole(&self) -> Result<ShardedTensorMetadata> {
        let ndim = self.sizes.len();
        let (offsets, sizes) = (memory::try_filled(0, ndim)?, memory::try_to_vec(&self.sizes)?);
        let shards = Shards::new(ndim, offsets, sizes, Placements::of_one(Placement::NONE)?)?;
        ShardedTensorMetadata::trusted(shards.into_shared()?, &self.sizes, self.properties())
    }

    fn properties(&self) -> TensorProperties {
        TensorProperties { dtype: Some(self.dtype), ..TensorProperties::default() }
    }

    /// The chunks as the layout of a tensor. Refused are chunks that do not cover it.
    pub fn metadata(&self) -> Result<ShardedTensorMetadata> {
        ShardedTensorMetadata::with_replicas(self.chunks.clone(), &self.sizes, self.properties())
    }
}

/// A tensor of which the set says where it is, and that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsentTensor {
    /// Its name.
    pub name: Box<str>,
    /// The file that should have it.
    pub file: Box<str>,
    /// Whether that file is there.
    pub has_file: bool,
}

/// The tensors of a file, or of the files of a directory, as they were when it was opened.
#[derive(Debug)]
pub struct FileSet {
    pub(super) files: Vec<StoredFile>,
    /// By name.
    pub(super) tensors: Vec<StoredTensor>,
    /// By name.
    pub(super) absent: Vec<AbsentTensor>,
    /// Files that are missing, by what the names of the others say.
    pub(super) missing_files: Vec<Box<str>>,
}

impl FileSet {
    /// The files, in the order in which chunks name them.
    pub fn files(&self) -> &[StoredFile] {
        &self.files
    }

    /// The tensors, by name.
    pub fn tensors(&self) -> &[StoredTensor] {
        &self.tensors
    }

    /// Tensors that should be there and are not, by name.
    pub fn absent(&self) -> &[AbsentTensor] {
        &self.absent
    }

    /// Names of files that are missing, by what the names of the others say.
    pub fn missing_files(&self) -> &[Box<str>] {
        &self.missing_files
    }

    /// The number of the tensor of that name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.tensors.binary_search_by(|tensor| (*tensor.name).cmp(name)).ok()
    }

    /// The tensor of that name, or a refusal that says where it should be.
    pub fn tensor(&self, name: &str) -> Result<&StoredTensor> {
        if let Some(tensor) = self.find(name).and_then(|number| self.tensors.get(number)) {
            return Ok(tensor);
        }
        let absent = self.absent.binary_search_by(|absent| (*absent.name).cmp(name));
        let what = match absent.ok().and_then(|number| self.absent.get(number)) {
            Some(AbsentTensor { file, has_file: false, .. }) => text!(
                "tensor {name:?}: its file {file} is missing; fetch that file, and open the checkpoint \
                 again"
            ),
            Some(AbsentTensor { file, .. }) => {
                text!("tensor {name:?}: its file {file} does not have it, though the index says so")
            }
            None => self.unknown(name),
        };
        Err(FilesError::NoTensor { what }.into())
    }

    /// Why there is no tensor of that name.
    fn unknown(&self, name: &str) -> Text {
        match (self.missing_files.first(), self.nearest(name)) {
            (Some(file), _) => text!(
                "tensor {name:?}: no file has it; {} of the set are missing, {file} for example",
                self.missing_files.len()
            ),
            (None, Some(near)) => text!("tensor {name:?}: no file has it; there is {near:?}"),
            (None, None) => text!("tensor {name:?}: no file has it"),
        }
    }

    /// A name that ends or begins as this one does: prefixes are what names mostly differ in.
    fn nearest(&self, name: &str) -> Option<&str> {
        let is_near = |other: &str| other.ends_with(name) || name.ends_with(other);
        let mut names = self.tensors.iter().map(StoredTensor::name);
        names.find(|other| !other.is_empty() && is_near(other))
    }
}

/// A placement that is a file.
#[derive(Debug)]
pub struct FilePlacement {
    name: Box<str>,
}

impl FilePlacement {
    /// The type name of such placements.
    pub const TYPE_NAME: &'static str = "file";

    /// The file of that name.
    pub(super) fn new(name: &str) -> Memory<Self> {
        Ok(Self { name: try_boxed_str(name)? })
    }
}

impl CustomPlacement for FilePlacement {
    fn type_name(&self) -> &str {
        Self::TYPE_NAME
    }

    fn text(&self) -> &str {
        &self.name
    }
}
