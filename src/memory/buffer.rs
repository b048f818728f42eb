//! Memory that the library allocates for shards.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;

use super::huge_pages::{HUGE_PAGE, advise};
use super::{Memory, OutOfMemory};

/// Every buffer starts at a multiple of this: with a cache line, and where any vector may start.
const ALIGNMENT: usize = 64;

/// Uninitialised memory, freed when it is dropped.
///
/// The system finds a page for it when it is first written, on the thread that writes. Nothing is
/// touched here, so the threads of the copy that fills it share that work as well.
#[derive(Debug)]
pub struct Buffer {
    start: NonNull<u8>,
    layout: Layout,
    len: usize,
}

// SAFETY: a `Buffer` does not access its memory, it gives the address. Functions that do access it,
// such as `Transfer::run`, have a contract of their own.
unsafe impl Send for Buffer {}
// SAFETY: a shared `Buffer` gives its address and its length, which never change.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A buffer of `len` bytes.
    pub fn new(len: usize) -> Memory<Self> {
        let refused = || OutOfMemory { bytes: len };
        let alignment = if len < HUGE_PAGE { ALIGNMENT } else { HUGE_PAGE };
        // An empty buffer has a place too.
        let layout = Layout::from_size_align(len.max(1), alignment).map_err(|_| refused())?;
        // SAFETY: `alloc` is undefined only for size 0, and `layout` was made with at least one
        // byte.
        let start = NonNull::new(unsafe { alloc(layout) }).ok_or_else(refused)?;
        if len >= HUGE_PAGE {
            advise(start, len);
        }
        Ok(Self { start, layout, len })
    }

    /// Where it starts; what is written there is the caller's affair.
    pub fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Its bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: `alloc` returned `start` for this `layout`, and a buffer is dropped once. Its
        // address is not used after that.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_start_with_a_line_and_large_ones_with_a_huge_page() {
        for len in [0, 1, 63, 4096, HUGE_PAGE - 1, HUGE_PAGE, HUGE_PAGE + 1, 9 * HUGE_PAGE + 5] {
            let buffer = Buffer::new(len).unwrap();
            let alignment = if len < HUGE_PAGE { 64 } else { HUGE_PAGE };
            assert_eq!(buffer.as_ptr().addr() % alignment, 0, "{len}");
            assert_eq!((buffer.len(), buffer.is_empty()), (len, len == 0));
        }
    }

    #[test]
    fn every_byte_is_the_owners_and_buffers_do_not_overlap() {
        let lens = [1, 64, 1000, HUGE_PAGE + 4097];
        let buffers = lens.map(|len| Buffer::new(len).unwrap());
        for (value, buffer) in (1..).zip(&buffers) {
            // SAFETY: the buffer's own bytes.
            unsafe { buffer.as_ptr().write_bytes(value, buffer.len()) };
        }
        for (value, buffer) in (1..).zip(&buffers) {
            // SAFETY: just written.
            let bytes = unsafe { std::slice::from_raw_parts(buffer.as_ptr(), buffer.len()) };
            assert!(bytes.iter().all(|&byte| byte == value));
        }
    }

    #[test]
    fn a_buffer_may_be_filled_and_freed_by_another_thread() {
        let buffer = Buffer::new(3 * HUGE_PAGE).unwrap();
        let filled = std::thread::spawn(move || {
            // SAFETY: the buffer's own bytes.
            unsafe { buffer.as_ptr().write_bytes(7, buffer.len()) };
            buffer
        });
        let buffer = filled.join().unwrap();
        // SAFETY: just written.
        assert_eq!(unsafe { buffer.as_ptr().add(buffer.len() - 1).read() }, 7);
        std::thread::spawn(move || drop(buffer)).join().unwrap();
    }

    #[test]
    fn more_than_memory_can_have_is_refused() {
        for len in [usize::MAX, isize::MAX as usize, isize::MAX as usize - HUGE_PAGE] {
            let refused = Buffer::new(len).unwrap_err();
            assert_eq!(refused, OutOfMemory { bytes: len });
        }
    }
}
