//! What the system keeps of files in memory: what is there is read at once, what is not is asked for.

pub(crate) use imp::PageCache;

#[cfg(target_os = "linux")]
mod imp {
    use std::os::fd::{AsRawFd, BorrowedFd};

    use crate::unwind::uncancelled;

    /// Most bytes of one piece of advice. Linux ignores what is beyond its own read-ahead, of which 128
    /// KiB is the default.
    const MAX_ADVICE: u64 = 128 << 10;

    /// The pages of a file that the system keeps in memory.
    #[derive(Clone, Copy)]
    pub(crate) struct PageCache<'a>(BorrowedFd<'a>);

    impl<'a> PageCache<'a> {
        pub(crate) fn of(file: BorrowedFd<'a>) -> Self {
            Self(file)
        }

        /// Asks the system to read nothing but what is asked for.
        pub(crate) fn turn_off_read_ahead(self) {
            self.advise(0, 0, libc::POSIX_FADV_RANDOM);
        }

        /// Asks the system for some bytes, and does not wait for them.
        pub(crate) fn prefetch(self, offset: u64, length: u64) {
            let end = offset.saturating_add(length);
            let mut at = offset;
            while at < end {
                let piece = end.saturating_sub(at).min(MAX_ADVICE);
                self.advise(at, piece, libc::POSIX_FADV_WILLNEED);
                at = at.saturating_add(piece);
            }
        }

        /// A system that takes no advice is slower, and does the same.
        fn advise(self, offset: u64, length: u64, advice: libc::c_int) {
            let (Ok(offset), Ok(length)) = (offset.try_into(), length.try_into()) else { return };
            let descriptor = self.0.as_raw_fd();
            // SAFETY: `descriptor` is that of the borrowed file, and so it is open. Advice changes
            // no contents.
            uncancelled(|| unsafe { libc::posix_fadvise(descriptor, offset, length, advice) });
        }

        /// Reads bytes from `offset` on until one is not in memory; `length` at most. How many these
        /// were: 0 also where the system can't tell, or refuses.
        ///
        /// # Safety
        ///
        /// So many bytes at `place` may be written, and nothing else uses them meanwhile.
        pub(crate) unsafe fn read(self, offset: u64, place: *mut u8, length: usize) -> usize {
            let Ok(offset) = libc::off_t::try_from(offset) else { return 0 };
            let part = libc::iovec { iov_base: place.cast(), iov_len: length };
            let (descriptor, parts) = (self.0.as_raw_fd(), &raw const part);
            let (call, flags) = (libc::SYS_preadv2, libc::RWF_NOWAIT);
            // SAFETY: the contract of `read` lets the system write `length` bytes at `place`, which
            // is what `parts` says, and `parts` exists until the call returns. Not all C libraries
            // have a function for this call. An offset is two words; the second one is for systems
            // with shorter words.
            let read = uncancelled(|| unsafe {
                libc::syscall(call, descriptor, parts, 1usize, offset, 0usize, flags)
            });
            usize::try_from(read).unwrap_or(0)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::marker::PhantomData;

    /// What a system keeps of a file, where it does not say so.
    #[derive(Clone, Copy)]
    pub(crate) struct PageCache<'a>(PhantomData<&'a ()>);

    impl PageCache<'_> {
        #[cfg(unix)]
        pub(crate) fn of(_: std::os::fd::BorrowedFd<'_>) -> Self {
            Self(PhantomData)
        }

        pub(crate) fn turn_off_read_ahead(self) {}

        pub(crate) fn prefetch(self, _: u64, _: u64) {}

        /// # Safety
        ///
        /// None: nothing is read.
        pub(crate) unsafe fn read(self, _: u64, _: *mut u8, _: usize) -> usize {
            0
        }
    }
}
