//! Makes a set of files: what the reader of a format fills.

use super::error::FilesError;
use super::stored::{AbsentTensor, ChunkPlace, FilePlacement, FileSet, StoredFile, StoredTensor};
use super::system::{OpenFile, SystemPath};
use crate::geometry::checked_numel;
use crate::memory::{self, IntoShared, Memory, Text, TryVec, text, try_boxed_slice, try_boxed_str};
use crate::model::{DataType, Error, Placement, Placements, Result, Shards};
use crate::sync::seed::Map;

/// A chunk to be added to a tensor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewChunk<'a> {
    /// Where it starts in the tensor.
    pub(crate) offsets: &'a [i64],
    /// How long it is.
    pub(crate) sizes: &'a [i64],
    /// Elements from one index to the next, none negative; `None`: row-major.
    pub(crate) strides: Option<&'a [i64]>,
    /// The number of its file.
    pub(crate) file: u32,
    /// Where its first element is in the file.
    pub(crate) first_byte: u64,
}

/// A tensor that chunks are added to.
#[derive(Debug)]
struct GrowingTensor {
    name: Box<str>,
    dtype: DataType,
    ndim: usize,
    /// `None`: where the last chunks end.
    sizes: Option<Box<[i64]>>,
    chunk_offsets: Vec<i64>,
    chunk_sizes: Vec<i64>,
    places: Vec<ChunkPlace>,
    strides: Vec<i64>,
}

/// Makes a set of files: what the reader of a format fills.
#[derive(Debug, Default)]
pub(crate) struct FileSetBuilder {
    files: Vec<StoredFile>,
    placements: Vec<Placement>,
    tensors: Vec<GrowingTensor>,
    numbers: Map<Box<str>, usize>,
    absent: Vec<AbsentTensor>,
    missing_files: Vec<Box<str>>,
}

impl FileSetBuilder {
    /// Adds a file, and returns its number.
    pub(crate) fn add_file(
        &mut self, name: &str, path: SystemPath, file: &OpenFile,
    ) -> Result<u32> {
        let number = u32::try_from(self.files.len())
            .map_err(|_| Error::overflow("the number of files of a checkpoint"))?;
        let stored =
            StoredFile { name: try_boxed_str(name)?, path, state: file.state(), texts: Vec::new() };
        let placement = Placement::custom(FilePlacement::new(name)?)?;
        self.placements.try_push(placement)?;
        self.files.try_push(stored)?;
        Ok(number)
    }

    /// Adds a text that a file has besides its tensors.
    pub(crate) fn add_text(&mut self, file: u32, name: &str, text: &str) -> Memory<()> {
        let pair = (try_boxed_str(name)?, try_boxed_str(text)?);
        self.files.get_mut(file as usize).map_or(Ok(()), |file| file.texts.try_push(pair))
    }

    /// The number of the tensor of that name, if it was added before.
    pub(crate) fn tensor_named(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// Adds a tensor that has no chunk yet, and returns its number. `sizes` are `None` where the files
    /// do not say them. There must be none of that name.
    pub(crate) fn add_tensor(
        &mut self, name: &str, dtype: DataType, ndim: usize, sizes: Option<&[i64]>,
    ) -> Result<usize> {
        let number = self.tensors.len();
        self.numbers.try_reserve(1)?;
        self.numbers.insert(try_boxed_str(name)?, number);
        self.tensors.try_push(GrowingTensor {
            name: try_boxed_str(name)?,
            dtype,
            ndim,
            sizes: sizes.map(try_boxed_slice).transpose()?,
            chunk_offsets: Vec::new(),
            chunk_sizes: Vec::new(),
            places: Vec::new(),
            strides: Vec::new(),
        })?;
        Ok(number)
    }

    /// The element type of a tensor that was added.
    pub(crate) fn dtype_of(&self, tensor: usize) -> Option<DataType> {
        self.tensors.get(tensor).map(|tensor| tensor.dtype)
    }

    /// The number of dimensions of a tensor that was added.
    pub(crate) fn ndim_of(&self, tensor: usize) -> Option<usize> {
        self.tensors.get(tensor).map(|tensor| tensor.ndim)
    }

    /// Adds a chunk to a tensor. Refused are a chunk of other dimensions, one that reaches past the
    /// tensor, and one that ends behind its file.
    pub(crate) fn add_chunk(&mut self, tensor: usize, chunk: NewChunk<'_>) -> Result<()> {
        let NewChunk { offsets, sizes, strides, file, first_byte } = chunk;
        let Some((tensor, stored)) =
            self.tensors.get_mut(tensor).zip(self.files.get(file as usize))
        else {
            return Ok(());
        };
        let ndim = tensor.ndim;
        let invalid = |problem: Text| {
            let problem = text!("tensor {:?}: {problem}", tensor.name);
            let file = Text::copy(&stored.name);
            Err(FilesError::InvalidFile { file, offset: None, problem }.into())
        };
        if offsets.len() != ndim
            || sizes.len() != ndim
            || strides.is_some_and(|strides| strides.len() != ndim)
        {
            let got = if offsets.len() == ndim { sizes.len() } else { offsets.len() };
            return invalid(text!("a chunk has {got} dimensions, and the tensor {ndim}"));
        }
        for (dim, (&offset, &size)) in offsets.iter().zip(sizes).enumerate() {
            let limit =
                tensor.sizes.as_ref().map_or(Some(i64::MAX), |sizes| sizes.get(dim).copied());
            let end = offset.checked_add(size);
            if offset < 0 || size < 0 || end.is_none() || end > limit {
                return invalid(text!(
                    "a chunk starts at {offset} of dimension {dim} and has size {size} there, which is \
                     outside of the tensor"
                ));
            }
        }
        let end =
            bytes_to(tensor.dtype, sizes, strides).and_then(|bytes| first_byte.checked_add(bytes));
        let end = end.ok_or_else(|| {
            Error::overflow(text!("{}: the bytes of tensor {:?}", stored.name, tensor.name))
        })?;
        if end > stored.state.length {
            let (file, length) = (Text::copy(&stored.name), stored.state.length);
            let what = text!("tensor {:?}", tensor.name);
            return Err(FilesError::TooShort { file, length, what, end }.into());
        }
        tensor.push(chunk)?;
        Ok(())
    }

    /// Adds a tensor that should be there and is not.
    pub(crate) fn add_absent(&mut self, absent: AbsentTensor) -> Memory<()> {
        self.absent.try_push(absent)
    }

    /// Adds a file that is missing, by what the names of the others say.
    pub(crate) fn add_missing_file(&mut self, name: &str) -> Memory<()> {
        self.missing_files.try_push(try_boxed_str(name)?)
    }

    /// The set.
    pub(crate) fn finish(self) -> Result<FileSet> {
        let Self { files, placements, tensors: growing, mut absent, missing_files, .. } = self;
        let mut tensors = memory::try_with_capacity(growing.len())?;
        for tensor in growing {
            tensors.push(tensor.finish(&placements)?);
        }
        tensors.sort_unstable_by(|a: &StoredTensor, b| a.name.cmp(&b.name));
        absent.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(FileSet { files, tensors, absent, missing_files })
    }
}

impl GrowingTensor {
    /// Adds a chunk that fits.
    fn push(&mut self, chunk: NewChunk<'_>) -> Memory<()> {
        if let Some(strides) = chunk.strides {
            // Rows of those before, which were row-major.
            let (ndim, before) = (self.ndim, self.chunk_sizes.len());
            while self.strides.len() < before {
                let row = self.strides.len();
                let sizes = self.chunk_sizes.get(row..row.saturating_add(ndim)).unwrap_or(&[]);
                push_row_major(&mut self.strides, sizes)?;
            }
            self.strides.try_extend_from_slice(strides)?;
        } else if !self.strides.is_empty() {
            push_row_major(&mut self.strides, chunk.sizes)?;
        }
        self.chunk_offsets.try_extend_from_slice(chunk.offsets)?;
        self.chunk_sizes.try_extend_from_slice(chunk.sizes)?;
        self.places.try_push(ChunkPlace { file: chunk.file, first_byte: chunk.first_byte })
    }

    fn finish(self, placements: &[Placement]) -> Result<StoredTensor> {
        let Self { name, dtype, ndim, sizes, chunk_offsets, chunk_sizes, places, strides } = self;
        let (sizes, are_sizes_inferred) = match sizes {
            Some(sizes) => (sizes, false),
            None => (ends_of(ndim, &chunk_offsets, &chunk_sizes)?, true),
        };
        checked_numel(&sizes)
            .ok_or_else(|| Error::overflow(text!("the number of elements of tensor {name:?}")))?;
        let files = memory::try_collect(places.iter().map(|place| place.file))?;
        let placements = Placements::from_table(placements, &files)?;
        let chunks = Shards::new(ndim, chunk_offsets, chunk_sizes, placements)?.into_shared()?;
        Ok(StoredTensor { name, dtype, sizes, are_sizes_inferred, chunks, places, strides })
    }
}

/// Appends the strides of a row-major chunk.
fn push_row_major(strides: &mut Vec<i64>, sizes: &[i64]) -> Memory<()> {
    let (start, mut next) = (strides.len(), 1i64);
    for &size in sizes.iter().rev() {
        strides.try_push(next)?;
        next = next.saturating_mul(size.max(1));
    }
    strides.get_mut(start..).unwrap_or_default().reverse();
    Ok(())
}

/// Where the last of some boxes ends in each dimension.
fn ends_of(ndim: usize, offsets: &[i64], sizes: &[i64]) -> Memory<Box<[i64]>> {
    let mut ends = memory::try_filled(0i64, ndim)?;
    for (offsets, sizes) in offsets.chunks(ndim.max(1)).zip(sizes.chunks(ndim.max(1))) {
        for (end, (offset, size)) in ends.iter_mut().zip(offsets.iter().zip(sizes)) {
            *end = (*end).max(offset.saturating_add(*size));
        }
    }
    ends.try_into_boxed()
}

/// Bytes from the first element of a chunk to the end of its last one. `None` where 64 bits do not
/// count them, or strides are negative.
fn bytes_to(dtype: DataType, sizes: &[i64], strides: Option<&[i64]>) -> Option<u64> {
    let mut elements = checked_numel(sizes)?;
    if let (Some(strides), 1..) = (strides, elements) {
        elements = 1;
        for (&size, &stride) in sizes.iter().zip(strides) {
            let reach = size.checked_sub(1)?.checked_mul(stride)?;
            elements = elements.checked_add(reach.ge(&0).then_some(reach)?)?;
        }
    }
    dtype.storage_bytes(u64::try_from(elements).ok()?).map(|bytes| bytes as u64)
}
