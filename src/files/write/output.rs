//! Files that are written, and directories that appear at once.
//!
//! All functions that a cancelled thread would end in are called where it can't be cancelled.

use crate::files::error::FilesError;
use crate::memory::Text;
use crate::model::Error;

/// Most parts of memory that one call writes: `IOV_MAX` of most systems.
pub(super) const MAX_PARTS: usize = 1024;

/// Bytes in memory, laid out as the system's own `iovec`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct MemoryPart {
    pub(super) first: *const u8,
    pub(super) length: usize,
}

pub(super) use imp::{
    OutputFile, PathKind, create_directory, exchange, kind_of, remove_directory, remove_file,
    rename, sync_directory,
};

/// The refusal of an operation on a file.
fn failed(file: &str, action: &'static str, offset: Option<u64>, code: i32) -> Error {
    FilesError::System { file: Text::copy(file), action, offset, code }.into()
}

#[cfg(unix)]
mod imp {
    use std::ffi::c_int;
    use std::mem::MaybeUninit;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

    use super::{MAX_PARTS, MemoryPart, failed};
    use crate::files::system::SystemPath;
    use crate::memory::text;
    use crate::model::{Error, Result};
    use crate::unwind::uncancelled;

    /// Most bytes that one call writes: systems write no more than 2 GiB at once.
    const MAX_WRITE: usize = 1 << 30;

    /// The number of the reason of the last failure of this thread.
    fn last_error() -> c_int {
        std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
    }

    /// Calls the system until no signal interrupts. The answer, or the number of the reason.
    fn call(mut body: impl FnMut() -> c_int) -> std::result::Result<c_int, c_int> {
        loop {
            match uncancelled(&mut body) {
                0.. => return Ok(0),
                _ => match last_error() {
                    libc::EINTR => {}
                    code => return Err(code),
                },
            }
        }
    }

    fn open(path: &SystemPath, flags: c_int) -> std::result::Result<OwnedFd, c_int> {
        let mode: libc::c_uint = 0o666;
        let name = path.as_c_str().as_ptr();
        loop {
            // SAFETY: `name` is the NUL-terminated text of `path`, which outlives the call.
            let descriptor =
                uncancelled(|| unsafe { libc::open(name, flags | libc::O_CLOEXEC, mode) });
            match if descriptor < 0 { last_error() } else { 0 } {
                // SAFETY: `open` just returned this `descriptor`, and nothing else knows of it.
                0 => return Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
                libc::EINTR => {}
                code => return Err(code),
            }
        }
    }

    /// What is at a path.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(in crate::files) enum PathKind {
        Nothing,
        /// With so many bytes.
        File(u64),
        Directory,
        /// A symbolic link, a device or another special file.
        Other,
    }

    /// What is at a path. Symbolic links are not followed.
    pub(in crate::files) fn kind_of(path: &SystemPath) -> Result<PathKind> {
        let mut stat = MaybeUninit::<libc::stat>::uninit();
        let name = path.as_c_str().as_ptr();
        // SAFETY: `name` is the NUL-terminated text of `path`, and `stat` a place for the answer.
        match call(|| unsafe { libc::lstat(name, stat.as_mut_ptr()) }) {
            Err(libc::ENOENT) => return Ok(PathKind::Nothing),
            Err(code) => return Err(failed(path.as_str(), "looking for it", None, code)),
            Ok(_) => {}
        }
        // SAFETY: `lstat` succeeded, and so it wrote all of `stat`.
        let stat = unsafe { stat.assume_init_ref() };
        Ok(match stat.st_mode & libc::S_IFMT {
            libc::S_IFREG => PathKind::File(u64::try_from(stat.st_size).unwrap_or(0)),
            libc::S_IFDIR => PathKind::Directory,
            _ => PathKind::Other,
        })
    }

    /// Makes a directory, unless it is there.
    pub(in crate::files) fn create_directory(path: &SystemPath) -> Result<()> {
        let name = path.as_c_str().as_ptr();
        // SAFETY: `mkdir` reads `name`, the NUL-terminated text of `path`, and keeps it not.
        match call(|| unsafe { libc::mkdir(name, 0o777) }) {
            Ok(_) => Ok(()),
            Err(libc::EEXIST) if kind_of(path)? == PathKind::Directory => Ok(()),
            Err(code) => Err(failed(path.as_str(), "creating the directory", None, code)),
        }
    }

    /// Makes what a directory lists survive a loss of power.
    pub(in crate::files) fn sync_directory(path: &SystemPath) -> Result<()> {
        let directory = open(path, libc::O_RDONLY | libc::O_DIRECTORY);
        let directory =
            directory.map_err(|code| failed(path.as_str(), "opening the directory", None, code))?;
        // SAFETY: `directory` owns an open descriptor until this function returns.
        match call(|| unsafe { libc::fsync(directory.as_raw_fd()) }) {
            // Some file systems can't, and then need not.
            Ok(_) | Err(libc::EINVAL | libc::ENOTSUP) => Ok(()),
            Err(code) => Err(failed(path.as_str(), "flushing the directory", None, code)),
        }
    }

    /// Gives what is at a path another one, where nothing or another file of its kind may be.
    pub(in crate::files) fn rename(from: &SystemPath, to: &SystemPath) -> Result<()> {
        let (old, new) = (from.as_c_str().as_ptr(), to.as_c_str().as_ptr());
        // SAFETY: `rename` reads `old` and `new`, the NUL-terminated texts of two paths that outlive it.
        let done = call(|| unsafe { libc::rename(old, new) });
        done.map(drop).map_err(|code| failed(to.as_str(), "renaming it into place", None, code))
    }

    /// Exchanges what is at two paths, in one step. Whether the system and the file system can do that.
    #[cfg(target_os = "linux")]
    pub(in crate::files) fn exchange(one: &SystemPath, other: &SystemPath) -> Result<bool> {
        let (old, new) = (one.as_c_str().as_ptr(), other.as_c_str().as_ptr());
        let done = call(|| {
            // SAFETY: `old` and `new` are NUL-terminated texts of paths that outlive the call. Not all C
            // libraries have a function for it.
            let done = unsafe {
                libc::syscall(
                    libc::SYS_renameat2,
                    libc::AT_FDCWD,
                    old,
                    libc::AT_FDCWD,
                    new,
                    libc::RENAME_EXCHANGE,
                )
            };
            if done == 0 { 0 } else { -1 }
        });
        match done {
            Ok(_) => Ok(true),
            Err(libc::EINVAL | libc::ENOSYS | libc::ENOTSUP) => Ok(false),
            Err(code) => Err(failed(other.as_str(), "exchanging it with the new one", None, code)),
        }
    }

    /// Exchanges what is at two paths, in one step: this system has no such operation.
    #[cfg(not(target_os = "linux"))]
    pub(in crate::files) fn exchange(_: &SystemPath, _: &SystemPath) -> Result<bool> {
        Ok(false)
    }

    /// Removes a file, if it is there.
    pub(in crate::files) fn remove_file(path: &SystemPath) -> Result<()> {
        let name = path.as_c_str().as_ptr();
        // SAFETY: `unlink` reads `name`, the NUL-terminated text of `path`, which outlives the call.
        match call(|| unsafe { libc::unlink(name) }) {
            Ok(_) | Err(libc::ENOENT) => Ok(()),
            Err(code) => Err(failed(path.as_str(), "removing it", None, code)),
        }
    }

    /// Removes an empty directory.
    pub(in crate::files) fn remove_directory(path: &SystemPath) -> Result<()> {
        let name = path.as_c_str().as_ptr();
        // SAFETY: `rmdir` reads `name`, the NUL-terminated text of `path`, which outlives the call.
        let done = call(|| unsafe { libc::rmdir(name) });
        done.map(drop).map_err(|code| failed(path.as_str(), "removing the directory", None, code))
    }

    const _: () = assert!(
        size_of::<MemoryPart>() == size_of::<libc::iovec>()
            && std::mem::offset_of!(MemoryPart, first)
                == std::mem::offset_of!(libc::iovec, iov_base)
            && std::mem::offset_of!(MemoryPart, length)
                == std::mem::offset_of!(libc::iovec, iov_len)
    );

    /// Writes some of the bytes of several parts, by one call. How many; 0 also where that fails or one
    /// call can't write several.
    ///
    /// # Safety
    ///
    /// The bytes of all parts may be read, and nothing writes them meanwhile.
    unsafe fn write_some(descriptor: c_int, offset: u64, parts: &[MemoryPart]) -> usize {
        let (Ok(offset), [_, _, ..]) = (libc::off_t::try_from(offset), parts) else { return 0 };
        let count = parts.len().min(MAX_PARTS) as c_int;
        // SAFETY: the contract of `write_some` covers the bytes of `parts`; a part looks like an `iovec`,
        // as is asserted above.
        let written = uncancelled(|| unsafe {
            libc::pwritev(descriptor, parts.as_ptr().cast(), count, offset)
        });
        usize::try_from(written).unwrap_or(0)
    }

    /// A file that is open for writing.
    #[derive(Debug)]
    pub(in crate::files) struct OutputFile(OwnedFd);

    impl OutputFile {
        /// Opens a file, and makes it where there is none. `name` names it in refusals.
        pub(in crate::files) fn open(path: &SystemPath, name: &str) -> Result<Self> {
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_NOFOLLOW;
            let descriptor = open(path, flags);
            Ok(Self(descriptor.map_err(|code| failed(name, "creating it", None, code))?))
        }

        /// Gives the file a length; new bytes are zero.
        pub(in crate::files) fn set_length(&self, name: &str, length: u64) -> Result<()> {
            let length = libc::off_t::try_from(length)
                .map_err(|_| Error::overflow(text!("{name}: its length {length}")))?;
            let descriptor = self.0.as_raw_fd();
            // SAFETY: `descriptor` is the open one of this file, and `ftruncate` has no pointer.
            let done = call(|| unsafe { libc::ftruncate(descriptor, length) });
            done.map(drop).map_err(|code| failed(name, "setting its length", None, code))
        }

        /// Writes `length` bytes from `offset` on.
        ///
        /// # Safety
        ///
        /// The bytes at `first` may be read, and nothing writes them meanwhile.
        pub(in crate::files) unsafe fn write(
            &self, name: &str, offset: u64, first: *const u8, length: usize,
        ) -> Result<()> {
            let mut done = 0usize;
            while done < length {
                let at = offset.saturating_add(done as u64);
                let start = libc::off_t::try_from(at)
                    .map_err(|_| Error::overflow(text!("{name}: the offset {at}")))?;
                let left = length.saturating_sub(done).min(MAX_WRITE);
                let (descriptor, from) = (self.0.as_raw_fd(), first.wrapping_add(done));
                // SAFETY: `left` bytes are left of those from `first` on that the contract of `write`
                // covers.
                let written =
                    uncancelled(|| unsafe { libc::pwrite(descriptor, from.cast(), left, start) });
                match usize::try_from(written) {
                    // No reason is given, and there will not be one.
                    Ok(0) => return Err(failed(name, "writing it", Some(at), libc::EIO)),
                    Ok(written) => done = done.saturating_add(written),
                    Err(_) => match last_error() {
                        libc::EINTR => {}
                        code => return Err(failed(name, "writing it", Some(at), code)),
                    },
                }
            }
            Ok(())
        }

        /// Writes parts of memory from `offset` on, one behind the other.
        ///
        /// # Safety
        ///
        /// The bytes of all parts may be read, and nothing writes them meanwhile.
        pub(in crate::files) unsafe fn write_parts(
            &self, name: &str, mut offset: u64, mut parts: &[MemoryPart],
        ) -> Result<()> {
            // Bytes of the parts that are left, which are written already.
            let mut written = 0usize;
            while let Some((part, rest)) = parts.split_first() {
                if written == 0 {
                    // SAFETY: the contract of `write_parts` is that of `write_some`, for the same `parts`.
                    written = unsafe { write_some(self.0.as_raw_fd(), offset, parts) };
                }
                if let Some(left) = part.length.checked_sub(written).filter(|left| *left > 0) {
                    // It is finished alone, which also says why, if it can't be written.
                    let at = offset.saturating_add(written as u64);
                    // SAFETY: `left` bytes of this `part` are left, and the contract of `write_parts`
                    // covers them.
                    unsafe { self.write(name, at, part.first.wrapping_add(written), left) }?;
                }
                written = written.saturating_sub(part.length);
                offset = offset.saturating_add(part.length as u64);
                parts = rest;
            }
            Ok(())
        }

        /// Writes bytes from `offset` on.
        pub(in crate::files) fn write_bytes(
            &self, name: &str, offset: u64, bytes: &[u8],
        ) -> Result<()> {
            // SAFETY: `bytes` is borrowed until the call returns, so it may be read and is not written.
            unsafe { self.write(name, offset, bytes.as_ptr(), bytes.len()) }
        }

        /// Makes what was written survive a loss of power.
        pub(in crate::files) fn sync(&self, name: &str) -> Result<()> {
            let descriptor = self.0.as_raw_fd();
            // SAFETY: `descriptor` is the open one of this file, and `fsync` has no pointer.
            let done = call(|| unsafe { libc::fsync(descriptor) });
            done.map(drop).map_err(|code| failed(name, "flushing it", None, code))
        }
    }
}

#[cfg(not(unix))]
mod imp {
    use super::MemoryPart;
    use crate::files::system::SystemPath;
    use crate::model::{Error, Result};

    fn unsupported<T>() -> Result<T> {
        let what = "checkpoints are written on systems with POSIX files only".into();
        Err(Error::Unsupported { what })
    }

    /// What is at a path.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[allow(dead_code, reason = "nothing is looked for on such a system")]
    pub(in crate::files) enum PathKind {
        Nothing,
        File(u64),
        Directory,
        Other,
    }

    pub(in crate::files) fn kind_of(_: &SystemPath) -> Result<PathKind> {
        unsupported()
    }

    pub(in crate::files) fn create_directory(_: &SystemPath) -> Result<()> {
        unsupported()
    }

    pub(in crate::files) fn sync_directory(_: &SystemPath) -> Result<()> {
        unsupported()
    }

    pub(in crate::files) fn rename(_: &SystemPath, _: &SystemPath) -> Result<()> {
        unsupported()
    }

    pub(in crate::files) fn exchange(_: &SystemPath, _: &SystemPath) -> Result<bool> {
        unsupported()
    }

    pub(in crate::files) fn remove_file(_: &SystemPath) -> Result<()> {
        unsupported()
    }

    pub(in crate::files) fn remove_directory(_: &SystemPath) -> Result<()> {
        unsupported()
    }

    /// A file of a system on which none is written.
    #[derive(Debug)]
    pub(in crate::files) enum OutputFile {}

    impl OutputFile {
        pub(in crate::files) fn open(_: &SystemPath, _: &str) -> Result<Self> {
            unsupported()
        }

        pub(in crate::files) fn set_length(&self, _: &str, _: u64) -> Result<()> {
            match *self {}
        }

        /// # Safety
        ///
        /// None: there is no such file.
        pub(in crate::files) unsafe fn write(
            &self, _: &str, _: u64, _: *const u8, _: usize,
        ) -> Result<()> {
            match *self {}
        }

        pub(in crate::files) fn write_bytes(&self, _: &str, _: u64, _: &[u8]) -> Result<()> {
            match *self {}
        }

        pub(in crate::files) fn sync(&self, _: &str) -> Result<()> {
            match *self {}
        }
    }
}
