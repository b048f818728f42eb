//! Opens a directory that torch's distributed checkpoint wrote.

use super::item::{SavedTensor, saved_tensor};
use super::metadata::{TorchCheckpoint, TorchChunk, TorchTensor};
use super::zip::ByteSource;
use super::{Malformed, Parsed};
use crate::files::error::FilesError;
use crate::files::file_set_builder::{FileSetBuilder, NewChunk};
use crate::files::formats::{Format, Place};
use crate::files::system::{OpenFile, SystemPath};
use crate::memory::{Text, TryVec, text, try_collect, try_with_capacity};
use crate::model::{Error, Result};

/// The name of the file that says what a checkpoint holds.
const METADATA: &str = ".metadata";

/// The largest file of that name that is read. Checkpoints of a million chunks have some 100 MB.
const MAX_METADATA: u64 = 1 << 30;

/// A directory with such a file.
pub(in crate::files) struct TorchDirectory;

impl Format for TorchDirectory {
    fn recognizes(&self, place: &Place) -> bool {
        place.has(METADATA)
    }

    fn read(&self, place: Place, set: &mut FileSetBuilder) -> Result<()> {
        let Place::Directory { path, .. } = place else { return Ok(()) };
        add_tensors(&path, set)
    }
}

/// Adds the tensors of a checkpoint in a directory. What is no tensor is left out.
fn add_tensors(directory: &SystemPath, set: &mut FileSetBuilder) -> Result<()> {
    let file = OpenFile::open(&directory.join(METADATA)?, METADATA)?;
    let length = usize::try_from(file.length().min(MAX_METADATA.saturating_add(1)));
    let bytes = match length {
        Ok(length) if length as u64 <= MAX_METADATA => file.read(METADATA, 0, length)?,
        _ => {
            let problem = text!("it has {} bytes; at most {MAX_METADATA} are read", file.length());
            return Err(invalid(METADATA, None, problem));
        }
    };
    let checkpoint = TorchCheckpoint::read(&bytes).map_err(refusal(METADATA, None))?;
    drop(bytes);
    let located = locate(directory, &checkpoint, set)?;
    let mut located = located.iter();
    for tensor in &checkpoint.tensors {
        let number =
            set.add_tensor(&tensor.name, tensor.dtype, tensor.sizes.len(), Some(&tensor.sizes))?;
        // There is one for each chunk, in order.
        for (chunk, saved) in tensor.chunks.iter().zip(located.by_ref()) {
            let Some((file, saved)) = saved else { continue };
            set.add_chunk(
                number,
                NewChunk {
                    offsets: &chunk.offsets,
                    sizes: &chunk.sizes,
                    strides: saved.strides.as_deref(),
                    file: *file,
                    first_byte: chunk.start.saturating_add(saved.start),
                },
            )?;
        }
    }
    Ok(())
}

/// Where the bytes of a chunk are: the number of its file, and the place in its archive. `None` for
/// chunks of missing files.
type LocatedChunk = Option<(u32, SavedTensor)>;

/// Finds the bytes of all chunks, in their order. One file is open at a time.
fn locate(
    directory: &SystemPath, checkpoint: &TorchCheckpoint, set: &mut FileSetBuilder,
) -> Result<Vec<LocatedChunk>> {
    let chunks = checkpoint
        .tensors
        .iter()
        .flat_map(|tensor| tensor.chunks.iter().map(move |chunk| (tensor, chunk)));
    let chunks: Vec<(&TorchTensor, &TorchChunk)> = {
        let count = checkpoint.tensors.iter().map(|tensor| tensor.chunks.len()).sum();
        let mut all = try_with_capacity(count)?;
        all.try_extend(chunks)?;
        all
    };
    let mut located = try_collect((0..chunks.len()).map(|_| None))?;
    let mut order = try_collect(0..chunks.len())?;
    let place = |at: usize| chunks.get(at).map(|(_, chunk)| (&chunk.file, chunk.start, at));
    order.sort_unstable_by_key(|&at| place(at));
    let files = order.chunk_by(|&a, &b| place(a).map(|a| a.0) == place(b).map(|b| b.0));
    for file in files {
        let Some((name, ..)) = file.first().and_then(|&at| place(at)) else { continue };
        let path = directory.join(name)?;
        let open = match OpenFile::open(&path, name) {
            Ok(open) => open,
            Err(error) if is_missing(&error) => {
                set.add_missing_file(name)?;
                continue;
            }
            Err(error) => return Err(error),
        };
        let number = set.add_file(name, path, &open)?;
        for &at in file {
            if let Some(((tensor, chunk), place)) = chunks.get(at).zip(located.get_mut(at)) {
                *place = Some((number, locate_chunk(&open, tensor, chunk)?));
            }
        }
    }
    Ok(located)
}

fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Files(FilesError::System { code: libc::ENOENT, .. }))
}

fn locate_chunk(file: &OpenFile, tensor: &TorchTensor, chunk: &TorchChunk) -> Result<SavedTensor> {
    let refused = refusal(&chunk.file, Some(chunk.start));
    let end = chunk.start.checked_add(chunk.length);
    if end.is_none_or(|end| end > file.length()) {
        let (file, length) = (Text::copy(&chunk.file), file.length());
        let what = text!("tensor {:?}", tensor.name);
        let end = end.unwrap_or(u64::MAX);
        return Err(FilesError::TooShort { file, length, what, end }.into());
    }
    let part = FilePart { file, name: &chunk.file, start: chunk.start, length: chunk.length };
    let named = |malformed| match malformed {
        Malformed::Problem(problem) => Malformed::new(text!("tensor {:?}: {problem}", tensor.name)),
        failed => failed,
    };
    let saved = saved_tensor(&part).map_err(named).map_err(&refused)?;
    if (saved.dtype, &saved.sizes) != (tensor.dtype, &chunk.sizes) {
        let problem = text!(
            "tensor {:?}: its chunk at {:?} is {} of {:?}, and {METADATA} says {} of {:?}",
            tensor.name,
            chunk.offsets,
            saved.dtype,
            saved.sizes,
            tensor.dtype,
            chunk.sizes
        );
        return Err(refused(Malformed::new(problem)));
    }
    Ok(saved)
}

/// A part of a file that holds an archive, and is known to be there.
struct FilePart<'a> {
    file: &'a OpenFile,
    name: &'a str,
    start: u64,
    length: u64,
}

impl ByteSource for FilePart<'_> {
    fn length(&self) -> u64 {
        self.length
    }

    fn read(&self, at: u64, length: usize) -> Parsed<Vec<u8>> {
        let bytes = self.file.read(self.name, self.start.saturating_add(at), length);
        bytes.map_err(Malformed::Failed)
    }
}

/// The refusal of a file, from what is wrong with it.
fn refusal(file: &str, offset: Option<u64>) -> impl Fn(Malformed) -> Error {
    move |malformed| match malformed {
        Malformed::Problem(problem) => invalid(file, offset, problem),
        Malformed::Failed(error) => error,
    }
}

fn invalid(file: &str, offset: Option<u64>, problem: Text) -> Error {
    FilesError::InvalidFile { file: Text::copy(file), offset, problem }.into()
}
