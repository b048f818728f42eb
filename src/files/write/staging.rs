//! A checkpoint that is being written: a directory beside its final place.
//!
//! All owners write into a directory whose name ends in `.saving`. Each flushes its files and leaves a
//! note that it is done. When all notes are there, the directory is renamed to its final name, or
//! exchanged with what was there. Both are one step: half of a checkpoint is never at its place.

use super::arrange::{ArrangedFile, Arrangement};
use super::conversion_mark::{ConversionMark, MARK_BYTES};
use super::output::{
    OutputFile, PathKind, create_directory, exchange, kind_of, remove_directory, remove_file,
    rename, sync_directory,
};
use crate::files::error::FilesError;
use crate::files::system::{OpenFile, SystemPath, file_names};
use crate::interchange::json::try_format;
use crate::memory::{Memory, Text, TryVec, text, try_collect, try_filled};
use crate::model::{Error, Result};

/// The name of the index of files that hold whole tensors.
pub(super) const INDEX: &str = "model.safetensors.index.json";
/// How the name of a note starts.
const NOTE: &str = ".done-";

/// Where a checkpoint is written.
#[derive(Debug)]
pub(super) struct SaveDirectory {
    destination: SystemPath,
    directory: SystemPath,
    fingerprint: u64,
    replace: bool,
}

impl SaveDirectory {
    /// Refuses a place that is taken, unless what is there is a checkpoint and may be replaced.
    pub(super) fn new(path: &str, arrangement: &Arrangement, replace: bool) -> Result<Self> {
        let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
        let destination = SystemPath::new("path", path)?;
        let directory = SystemPath::new("path", &try_format(format_args!("{path}.saving"))?)?;
        let fingerprint = arrangement.fingerprint();
        let staging = Self { destination, directory, fingerprint, replace };
        staging.check_destination()?;
        Ok(staging)
    }

    /// Whether a checkpoint is there, which is to be replaced.
    fn check_destination(&self) -> Result<bool> {
        let path = self.destination.as_str();
        match kind_of(&self.destination)? {
            PathKind::Nothing => return Ok(false),
            PathKind::Directory if self.replace => {}
            PathKind::Directory => {
                let problem = text!("{path} exists; pass another path, or ask to replace it");
                return Err(Error::invalid("path", problem));
            }
            _ => {
                let problem = text!("{path} exists, and is no directory; pass another path");
                return Err(Error::invalid("path", problem));
            }
        }
        check_removable(&self.destination)?;
        Ok(true)
    }

    /// Makes the directory, and forgets that an owner was done with an earlier try.
    pub(super) fn begin(&self, owner: u32) -> Result<()> {
        create_directory(&self.directory)?;
        remove_file(&self.directory.join(&self.note(owner)?)?)
    }

    /// Opens a file, gives it its length and writes its header.
    pub(super) fn open(&self, file: &ArrangedFile) -> Result<OutputFile> {
        let output = OutputFile::open(&self.directory.join(&file.name)?, &file.name)?;
        output.set_length(&file.name, file.length)?;
        output.write_bytes(&file.name, 0, &file.header)?;
        Ok(output)
    }

    /// Removes a file that could not be written.
    pub(super) fn discard(&self, file: &ArrangedFile) -> Result<()> {
        remove_file(&self.directory.join(&file.name)?)
    }

    /// Leaves the note that an owner is done. Its files must have been flushed.
    pub(super) fn finish(&self, owner: u32) -> Result<()> {
        let name = self.note(owner)?;
        OutputFile::open(&self.directory.join(&name)?, &name)?.sync(&name)
    }

    /// The name of the note of an owner. Notes of other checkpoints have other names.
    fn note(&self, owner: u32) -> Memory<String> {
        try_format(format_args!("{NOTE}{:016x}-{owner}", self.fingerprint))
    }

    /// The name of the note that says how much of a conversion is written.
    fn mark_name(&self) -> Memory<String> {
        try_format(format_args!("{NOTE}{:016x}-mark", self.fingerprint))
    }

    /// The note of an earlier run of this conversion, if there is one.
    pub(super) fn mark(&self) -> Result<Option<Vec<u8>>> {
        let name = self.mark_name()?;
        let path = self.directory.join(&name)?;
        match kind_of(&path)? {
            PathKind::File(length) if length == MARK_BYTES as u64 => {
                Ok(Some(OpenFile::open(&path, &name)?.read(&name, 0, MARK_BYTES)?))
            }
            _ => Ok(None),
        }
    }

    /// Writes the note that says how much is written. What it counts must have been flushed.
    pub(super) fn set_mark(&self, mark: &[u8; MARK_BYTES]) -> Result<()> {
        let name = self.mark_name()?;
        let output = OutputFile::open(&self.directory.join(&name)?, &name)?;
        output.write_bytes(&name, 0, mark)?;
        output.sync(&name)
    }

    /// Removes the note of an earlier run.
    pub(super) fn remove_mark(&self) -> Result<()> {
        remove_file(&self.directory.join(&self.mark_name()?)?)
    }

    /// Whether the files are there of which a mark says that they are, or that a part of them is.
    pub(super) fn has_files(
        &self, arrangement: &Arrangement, mark: ConversionMark,
    ) -> Result<bool> {
        for (number, file) in (0u32..).zip(&arrangement.files) {
            let kind = kind_of(&self.directory.join(&file.name)?)?;
            if mark.written_of(number, file) > 0 && kind != PathKind::File(file.length) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether an earlier run has left anything.
    pub(super) fn is_used(&self) -> Result<bool> {
        if kind_of(&self.directory)? != PathKind::Directory {
            return Ok(false);
        }
        Ok(file_names(&self.directory)?.iter().any(|name| !is_special(name)))
    }

    /// Puts the checkpoint in its place, with `index` if it has one.
    pub(super) fn commit(&self, arrangement: &Arrangement, index: Option<&str>) -> Result<()> {
        self.check_complete(arrangement)?;
        let replaced = self.check_destination()?;
        if let Some(index) = index {
            let output = OutputFile::open(&self.directory.join(INDEX)?, INDEX)?;
            output.set_length(INDEX, index.len() as u64)?;
            output.write_bytes(INDEX, 0, index.as_bytes())?;
            output.sync(INDEX)?;
        }
        let others = self.others(arrangement, index.is_some())?;
        let (parent, _) = self.destination.split()?;
        // From here on, nothing asks for memory: without the notes, a commit could not be tried again.
        others.iter().try_for_each(remove_file)?;
        sync_directory(&self.directory)?;
        if !replaced {
            rename(&self.directory, &self.destination)?;
            return sync_directory(&parent);
        }
        if !exchange(&self.directory, &self.destination)? {
            let what = text!(
                "this file system can't exchange two directories; {} was written, and {} left as it is: \
                 move them by hand, or pass a path where nothing is",
                self.directory.as_str(),
                self.destination.as_str()
            );
            return Err(Error::Unsupported { what });
        }
        sync_directory(&parent)?;
        // What was replaced is beside it now. The new checkpoint is in its place whether or not the old
        // one can be removed, which the next commit tries again.
        let _ = remove_checkpoint(&self.directory);
        Ok(())
    }

    /// Refuses a checkpoint of which an owner has not written its part.
    fn check_complete(&self, arrangement: &Arrangement) -> Result<()> {
        let mut writes = try_filled(false, arrangement.owners.len())?;
        for (_, owner) in arrangement.tensors.iter().flat_map(|tensor| &tensor.shards) {
            writes.get_mut(*owner as usize).into_iter().for_each(|writes| *writes = true);
        }
        let owners = (0u32..).zip(&arrangement.owners).zip(&writes);
        for ((owner, name), _) in owners.filter(|(_, writes)| **writes) {
            if kind_of(&self.directory.join(&self.note(owner)?)?)? == PathKind::Nothing {
                let what = text!(
                    "the shards of '{name}' are not written; write them with the same tensors and \
                     options, and commit after all have returned"
                );
                return Err(Error::NotFound { what });
            }
        }
        for file in &arrangement.files {
            match kind_of(&self.directory.join(&file.name)?)? {
                PathKind::File(length) if length == file.length => {}
                PathKind::File(length) => {
                    let (file, end) = (Text::copy(&file.name), file.length);
                    let what = "its last tensor".into();
                    return Err(FilesError::TooShort { file, length, what, end }.into());
                }
                _ => {
                    let what = text!("file {} is not in {}", file.name, self.directory.as_str());
                    return Err(Error::NotFound { what });
                }
            }
        }
        Ok(())
    }

    /// Notes, and what earlier tries have left.
    fn others(&self, arrangement: &Arrangement, has_index: bool) -> Result<Vec<SystemPath>> {
        check_removable(&self.directory)?;
        let mut others = Vec::new();
        let mut own = try_collect(arrangement.files.iter().map(|file| &*file.name))?;
        own.sort_unstable();
        for name in file_names(&self.directory)? {
            let is_own = own.binary_search(&&*name).is_ok() || (has_index && *name == *INDEX);
            if !is_own && !is_special(&name) {
                others.try_push(self.directory.join(&name)?)?;
            }
        }
        Ok(others)
    }
}

fn is_special(name: &str) -> bool {
    matches!(name, "." | "..")
}

/// Whether a file belongs to a checkpoint, by its name.
fn is_of_checkpoint(name: &str) -> bool {
    name.ends_with(".safetensors")
        || name.ends_with(".distcp")
        || name.starts_with(NOTE)
        || matches!(name, INDEX | ".metadata")
}

/// Refuses a directory that holds anything else than a checkpoint: it would be lost.
fn check_removable(directory: &SystemPath) -> Result<()> {
    for name in file_names(directory)? {
        let is_file =
            |path: &SystemPath| Ok::<_, Error>(matches!(kind_of(path)?, PathKind::File(_)));
        if is_special(&name) || (is_of_checkpoint(&name) && is_file(&directory.join(&name)?)?) {
            continue;
        }
        let problem = text!(
            "{} holds {name}, which is no file of a checkpoint and would be lost; pass another path, or \
             move that file",
            directory.as_str()
        );
        return Err(Error::invalid("path", problem));
    }
    Ok(())
}

/// Removes a directory that holds a checkpoint and nothing else.
fn remove_checkpoint(directory: &SystemPath) -> Result<()> {
    check_removable(directory)?;
    for name in file_names(directory)?.iter().filter(|name| !is_special(name)) {
        remove_file(&directory.join(name)?)?;
    }
    remove_directory(directory)
}
