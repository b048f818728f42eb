//! Opening a checkpoint: which format it has, and what is in it.

use super::file_set_builder::FileSetBuilder;
use super::formats::{Format, Place};
use super::npy::Npy;
use super::safetensors::{SafetensorsDirectory, SafetensorsFile};
use super::safetensors_index::SafetensorsIndex;
use super::stored::FileSet;
use super::system::{OpenFile, SystemPath, file_names, is_directory};
use super::torch::TorchDirectory;
use crate::memory::{text, try_boxed_str};
use crate::model::{Error, Result};

/// The formats, in the order in which they are asked: one that is sure before one that takes any file.
const FORMATS: &[&dyn Format] =
    &[&TorchDirectory, &SafetensorsIndex, &SafetensorsDirectory, &Npy, &SafetensorsFile];

/// Opens a checkpoint: a file, or a directory of files. Reads what the files say about their tensors,
/// and none of the tensors' bytes. Refused is a file that is shorter than that says.
pub fn open(path: &str) -> Result<FileSet> {
    let place = place_of(SystemPath::new("path", path)?)?;
    let Some(format) = FORMATS.iter().find(|format| format.recognizes(&place)) else {
        let problem = text!(
            "{path} is of no format that is known; pass a .safetensors or .npy file, or a directory \
             with .safetensors files, which may have a model.safetensors.index.json, or with the \
             .metadata of torch's distributed checkpoint"
        );
        return Err(Error::invalid("path", problem));
    };
    let mut set = FileSetBuilder::default();
    format.read(place, &mut set)?;
    set.finish()
}

/// What a path leads to.
fn place_of(path: SystemPath) -> Result<Place> {
    if is_directory(&path)? {
        let names = file_names(&path)?;
        return Ok(Place::Directory { path, names });
    }
    let (_, name) = path.split()?;
    let name = try_boxed_str(name)?;
    let file = OpenFile::open(&path, &name)?;
    let length = usize::try_from(file.length()).unwrap_or(usize::MAX).min(Place::START);
    let start = file.read(&name, 0, length)?;
    Ok(Place::File { path, name, file, start })
}
