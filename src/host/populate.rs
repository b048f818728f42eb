//! New memory, which the system finds and clears when it is first written.

use std::ops::Range;

use super::cpu::Machine;
use super::options::CopyOptions;
use super::tuning::POPULATED;
use super::{share_out, thread_count};
use crate::memory::{Memory, TryVec};

/// Asks the system for all pages of some new buffers, on as many threads as a copy of their bytes
/// uses. Contents stay as they are. A thread that copies would get the pages too, by faults. But two
/// threads often write to the same huge page, and one waits while the system clears it for the other.
///
/// Nothing is done where one thread copies, or where the system can't do it.
pub(crate) fn populate(buffers: impl Iterator<Item = (*mut u8, usize)>, options: &CopyOptions) {
    // Where there is no memory for the list, the copy finds the memory itself.
    if let Ok(pieces) = pieces_of(buffers) {
        let bytes = pieces.iter().map(|piece| piece.len()).sum();
        let threads = thread_count(options.max_threads, &Machine::get(), bytes);
        if threads > 1 {
            share_out(pieces.len(), threads, |some, (): &mut ()| {
                pieces.get(some).unwrap_or_default().iter().for_each(populate_piece);
            });
        }
    }
}

/// The addresses of buffers of [`POPULATED`] bytes and more, in pieces of as many.
fn pieces_of(buffers: impl Iterator<Item = (*mut u8, usize)>) -> Memory<Vec<Range<usize>>> {
    let mut pieces = Vec::new();
    for (start, len) in buffers.filter(|&(_, len)| len >= POPULATED) {
        let end = start.addr().saturating_add(len);
        for first in (start.addr()..end).step_by(POPULATED) {
            pieces.try_push(first..first.saturating_add(POPULATED).min(end))?;
        }
    }
    Ok(pieces)
}

#[cfg(target_os = "linux")]
fn populate_piece(piece: &Range<usize>) {
    let start = std::ptr::without_provenance_mut(piece.start);
    // SAFETY: `MADV_POPULATE_WRITE` changes no contents, whatever memory `start` is that of. Kernels
    // before 5.14 refuse it.
    unsafe { libc::madvise(start, piece.len(), libc::MADV_POPULATE_WRITE) };
}

#[cfg(not(target_os = "linux"))]
fn populate_piece(_: &Range<usize>) {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Buffer;

    #[test]
    fn pieces_are_all_of_the_large_buffers() {
        let at = |start| std::ptr::without_provenance_mut(start);
        let buffers = [(at(64), POPULATED - 1), (at(1 << 30), 2 * POPULATED + 5), (at(1 << 31), 0)];
        let pieces = pieces_of(buffers.into_iter()).unwrap();
        let lens: Vec<_> =
            pieces.iter().map(|piece| (piece.start - (1 << 30), piece.len())).collect();
        assert_eq!(lens, [(0, POPULATED), (POPULATED, POPULATED), (2 * POPULATED, 5)]);
    }

    #[test]
    fn what_a_buffer_holds_stays() {
        let buffer = Buffer::new(5 * POPULATED).unwrap();
        // SAFETY: the buffer's own bytes.
        unsafe { buffer.as_ptr().add(POPULATED).write_bytes(7, POPULATED) };
        let options = CopyOptions { max_threads: 3, ..CopyOptions::default() };
        populate(std::iter::once((buffer.as_ptr(), buffer.len())), &options);
        // SAFETY: written above.
        let written =
            unsafe { std::slice::from_raw_parts(buffer.as_ptr().add(POPULATED), POPULATED) };
        assert!(written.iter().all(|&byte| byte == 7));
    }
}
