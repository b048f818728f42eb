//! Files of the system, opened and read without memory of the standard library's own.
//!
//! All functions that a cancelled thread would end in are called where it can't be cancelled.

use std::ffi::CStr;

use super::error::FilesError;
use crate::memory::{Memory, OutOfMemory, Text, TryVec, try_with_capacity};
use crate::model::{Error, Result};

/// A path as the system takes it: its bytes and a NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SystemPath(Vec<u8>);

impl SystemPath {
    /// A path argument.
    pub(crate) fn new(argument: &'static str, path: &str) -> Result<Self> {
        if path.is_empty() || path.contains('\0') {
            return Err(Error::invalid(argument, "it is no path; pass the path of a file"));
        }
        Ok(Self::of(&[path])?)
    }

    /// The path of what `name` names in this directory.
    pub(crate) fn join(&self, name: &str) -> Memory<Self> {
        Self::of(&[self.as_str(), "/", name])
    }

    /// The directory that it is in, and its name there.
    pub(crate) fn split(&self) -> Memory<(Self, &str)> {
        match self.as_str().rsplit_once('/') {
            None => Ok((Self::of(&["."])?, self.as_str())),
            Some(("", name)) => Ok((Self::of(&["/"])?, name)),
            Some((directory, name)) => Ok((Self::of(&[directory])?, name)),
        }
    }

    /// The path as a text.
    pub(crate) fn as_str(&self) -> &str {
        // It was made of texts.
        self.0.split_last().map_or("", |(_, path)| str::from_utf8(path).unwrap_or(""))
    }

    /// The path as C has it.
    pub(crate) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or(c"")
    }

    fn of(parts: &[&str]) -> Memory<Self> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        let mut bytes = try_with_capacity(length.saturating_add(1))?;
        parts.iter().try_for_each(|part| bytes.try_extend_from_slice(part.as_bytes()))?;
        bytes.try_push(0)?;
        Ok(Self(bytes))
    }
}

/// What tells one state of a file from another: which file it is, its length, and when it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileState {
    pub(crate) device: u64,
    pub(crate) number: u64,
    pub(crate) length: u64,
    /// Seconds and nanoseconds.
    pub(crate) written: (i64, i64),
}

pub(crate) use imp::{OpenFile, file_names, is_directory};

/// The refusal of an operation on a file.
fn failed(file: &str, action: &'static str, offset: Option<u64>, code: i32) -> Error {
    if code == libc::ENOMEM {
        // Listing a directory asks for memory of the C library's.
        return OutOfMemory { bytes: 0 }.into();
    }
    FilesError::System { file: Text::copy(file), action, offset, code }.into()
}

#[cfg(unix)]
mod imp {
    use std::mem::MaybeUninit;
    use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

    use super::{FileState, SystemPath, failed};
    use crate::declared::{self, Wait};
    use crate::files::error::FilesError;
    use crate::files::page_cache::PageCache;
    use crate::memory::{Text, TryVec, text, try_boxed_str};
    use crate::model::{Error, Result};
    use crate::unwind::uncancelled;

    /// The number of the reason of the last failure of this thread.
    fn last_error() -> i32 {
        std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
    }

    fn state_of(stat: &libc::stat) -> FileState {
        #[allow(
            clippy::useless_conversion,
            clippy::unnecessary_cast,
            reason = "the types differ between systems"
        )]
        FileState {
            device: stat.st_dev as u64,
            number: stat.st_ino as u64,
            length: u64::try_from(stat.st_size).unwrap_or(0),
            written: (stat.st_mtime.into(), stat.st_mtime_nsec.into()),
        }
    }

    fn is_of_kind(stat: &libc::stat, kind: libc::mode_t) -> bool {
        stat.st_mode & libc::S_IFMT == kind
    }

    /// Whether a path leads to a directory. Refused is a path that leads nowhere.
    pub(crate) fn is_directory(path: &SystemPath) -> Result<bool> {
        let mut stat = MaybeUninit::<libc::stat>::uninit();
        let name = path.as_c_str().as_ptr();
        declared::blocks(Wait::Disk);
        // SAFETY: `name` is the NUL-terminated text of `path`, and `stat` a place for the answer.
        let done = uncancelled(|| unsafe { libc::stat(name, stat.as_mut_ptr()) });
        if done != 0 {
            return Err(failed(path.as_str(), "opening it", None, last_error()));
        }
        // SAFETY: the call succeeded, and so it wrote all of `stat`, which begins as uninitialised
        // memory.
        Ok(is_of_kind(unsafe { stat.assume_init_ref() }, libc::S_IFDIR))
    }

    /// A regular file that is open for reading.
    #[derive(Debug)]
    pub(crate) struct OpenFile {
        descriptor: OwnedFd,
        state: FileState,
    }

    impl OpenFile {
        /// Opens a file. `name` names it in refusals. Symbolic links are followed; what is not a
        /// regular file is refused, without waiting for anything.
        pub(crate) fn open(path: &SystemPath, name: &str) -> Result<Self> {
            let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
            let path = path.as_c_str().as_ptr();
            declared::blocks(Wait::Disk);
            let descriptor = loop {
                // SAFETY: `path` is a NUL-terminated text, which outlives the call.
                let descriptor = uncancelled(|| unsafe { libc::open(path, flags) });
                match if descriptor < 0 { last_error() } else { 0 } {
                    0 => break descriptor,
                    libc::EINTR => {}
                    code => return Err(failed(name, "opening it", None, code)),
                }
            };
            // SAFETY: `open` just returned this `descriptor`, and nothing else knows of it.
            let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
            let state = Self::state_now(&descriptor, name)?;
            Ok(Self { descriptor, state })
        }

        fn state_now(descriptor: &OwnedFd, name: &str) -> Result<FileState> {
            let mut stat = MaybeUninit::<libc::stat>::uninit();
            // SAFETY: `descriptor` is open, and `stat` is a place for the answer of `fstat`.
            if unsafe { libc::fstat(descriptor.as_raw_fd(), stat.as_mut_ptr()) } != 0 {
                return Err(failed(name, "asking for its length", None, last_error()));
            }
            // SAFETY: `fstat` succeeded, and so it wrote all of `stat`.
            let stat = unsafe { stat.assume_init_ref() };
            if !is_of_kind(stat, libc::S_IFREG) {
                let problem = "it is no regular file; a checkpoint is made of regular files".into();
                let file = Text::copy(name);
                return Err(FilesError::InvalidFile { file, offset: None, problem }.into());
            }
            Ok(state_of(stat))
        }

        /// What it was like when it was opened.
        pub(crate) fn state(&self) -> FileState {
            self.state
        }

        /// Bytes of the file, when it was opened.
        pub(crate) fn length(&self) -> u64 {
            self.state.length
        }

        /// Reads `length` bytes from `offset` on. Refused is a file that ends before.
        ///
        /// # Safety
        ///
        /// The bytes at `place` may be written, and nothing else uses them meanwhile.
        pub(crate) unsafe fn read_to(
            &self, name: &str, offset: u64, place: *mut u8, length: usize,
        ) -> Result<()> {
            let mut done = 0usize;
            declared::blocks(Wait::Disk);
            while done < length {
                let at = offset.saturating_add(done as u64);
                let start = libc::off_t::try_from(at)
                    .map_err(|_| Error::overflow(text!("{name}: the offset {at}")))?;
                let (left, place) = (length.saturating_sub(done), place.wrapping_add(done));
                let descriptor = self.descriptor.as_raw_fd();
                // SAFETY: `left` bytes are left of those at `place` that the contract of `read_to`
                // lets this write.
                let read =
                    uncancelled(|| unsafe { libc::pread(descriptor, place.cast(), left, start) });
                match usize::try_from(read) {
                    Ok(0) => {
                        let end = offset.saturating_add(length as u64);
                        let (file, what) = (Text::copy(name), "what is read".into());
                        return Err(FilesError::TooShort { file, length: at, what, end }.into());
                    }
                    Ok(read) => done = done.saturating_add(read),
                    Err(_) => match last_error() {
                        libc::EINTR => {}
                        code => return Err(failed(name, "reading it", Some(at), code)),
                    },
                }
            }
            Ok(())
        }

        /// Its pages in the system's cache.
        pub(crate) fn cache(&self) -> PageCache<'_> {
            PageCache::of(self.descriptor.as_fd())
        }

        /// The bytes from `offset` on, in memory of their own.
        pub(crate) fn read(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>> {
            let mut bytes = crate::memory::try_filled(0u8, length)?;
            // SAFETY: `bytes` has `length` bytes, and nothing else uses it.
            unsafe { self.read_to(name, offset, bytes.as_mut_ptr(), length) }?;
            Ok(bytes)
        }
    }

    /// A directory that is being listed.
    struct Listing(*mut libc::DIR);

    impl Drop for Listing {
        fn drop(&mut self) {
            // SAFETY: `opendir` opened what `closedir` closes, and its owner is dropped once.
            uncancelled(|| unsafe { libc::closedir(self.0) });
        }
    }

    /// The names of what is in a directory, in order. Names that are not UTF-8 are left out.
    pub(crate) fn file_names(path: &SystemPath) -> Result<Vec<Box<str>>> {
        let (name, mut names) = (path.as_c_str().as_ptr(), Vec::new());
        declared::blocks(Wait::Disk);
        // SAFETY: `opendir` reads `name`, the NUL-terminated text of `path`, which outlives the
        // call.
        let listing = uncancelled(|| unsafe { libc::opendir(name) });
        if listing.is_null() {
            return Err(failed(path.as_str(), "listing it", None, last_error()));
        }
        let listing = Listing(listing);
        loop {
            // SAFETY: `listing` is open, and `readdir` is called by this thread only: no other
            // knows of it.
            let entry = uncancelled(|| unsafe { libc::readdir(listing.0) });
            if entry.is_null() {
                break;
            }
            // SAFETY: an `entry` has a NUL-terminated name, which exists until the next call of
            // `readdir`.
            let name = unsafe { std::ffi::CStr::from_ptr((&raw const (*entry).d_name).cast()) };
            if let Ok(name) = name.to_str() {
                names.try_push(try_boxed_str(name)?)?;
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

#[cfg(not(unix))]
mod imp {
    use super::{FileState, SystemPath};
    use crate::files::page_cache::PageCache;
    use crate::model::{Error, Result};

    fn unsupported<T>() -> Result<T> {
        let what = "checkpoints are read on systems with POSIX files only".into();
        Err(Error::Unsupported { what })
    }

    /// Whether a path leads to a directory.
    pub(crate) fn is_directory(_: &SystemPath) -> Result<bool> {
        unsupported()
    }

    /// The names of what is in a directory.
    pub(crate) fn file_names(_: &SystemPath) -> Result<Vec<Box<str>>> {
        unsupported()
    }

    /// A file of a system on which none is opened.
    #[derive(Debug)]
    pub(crate) enum OpenFile {}

    impl OpenFile {
        pub(crate) fn open(_: &SystemPath, _: &str) -> Result<Self> {
            unsupported()
        }

        pub(crate) fn state(&self) -> FileState {
            match *self {}
        }

        pub(crate) fn length(&self) -> u64 {
            match *self {}
        }

        /// # Safety
        ///
        /// None: there is no such file.
        pub(crate) unsafe fn read_to(&self, _: &str, _: u64, _: *mut u8, _: usize) -> Result<()> {
            match *self {}
        }

        pub(crate) fn cache(&self) -> PageCache<'_> {
            match *self {}
        }

        pub(crate) fn read(&self, _: &str, _: u64, _: usize) -> Result<Vec<u8>> {
            match *self {}
        }
    }
}
