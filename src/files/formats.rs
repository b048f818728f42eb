//! What the reader of a format is: the one place where a new format joins in.

use super::file_set_builder::FileSetBuilder;
use super::system::{OpenFile, SystemPath};
use crate::model::Result;

/// What a path leads to.
#[derive(Debug)]
pub(crate) enum Place {
    /// A directory, and the names of what is in it, in order.
    Directory {
        /// Its path.
        path: SystemPath,
        /// The names.
        names: Vec<Box<str>>,
    },
    /// A file.
    File {
        /// Its path.
        path: SystemPath,
        /// Its name in its directory.
        name: Box<str>,
        /// The file.
        file: OpenFile,
        /// Its first bytes: [`START`](Self::START), or fewer where it has fewer.
        start: Vec<u8>,
    },
}

impl Place {
    /// How many bytes of a file formats may look at to know it.
    pub(crate) const START: usize = 16;

    /// Whether it is a directory that has a file of that name.
    pub(crate) fn has(&self, file: &str) -> bool {
        let Self::Directory { names, .. } = self else { return false };
        names.binary_search_by(|name| (**name).cmp(file)).is_ok()
    }
}

/// The reader of a format. It finds out where tensors are, and reads none of their bytes.
pub(crate) trait Format: Sync {
    /// Whether this is of the format, by names and first bytes.
    fn recognizes(&self, place: &Place) -> bool;

    /// Adds files, tensors and chunks to a set.
    fn read(&self, place: Place, set: &mut FileSetBuilder) -> Result<()>;
}

/// Refuses a name of a file that does not stay inside of the directory that it is in.
pub(crate) fn is_inside(name: &str) -> bool {
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    !name.contains('\0') && name.split('/').all(is_plain)
}
