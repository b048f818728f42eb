//! Line buffers in memory, which the first-level cache holds.

#![allow(clippy::arithmetic_side_effects, reason = "bytes of a run and of a line")]

use std::marker::PhantomData;

use super::line_buffer::{LineBuffer, LineBytes};
use super::short::copy_short;
use super::vector::Vector;
use crate::host::cpu::LINE;

/// A line between two others, which receive the excess bytes of runs that are copied by whole
/// lines.
pub(in crate::host) struct MemoryLine<V> {
    lines: [LineBytes; 3],
    vector: PhantomData<V>,
}

impl<V: Vector> MemoryLine<V> {
    #[inline(always)]
    fn line(&mut self) -> *mut u8 {
        self.lines.as_mut_ptr().cast::<u8>().wrapping_add(LINE)
    }

    /// # Safety
    ///
    /// A line may be read and written.
    #[inline(always)]
    unsafe fn copy(from: *const u8, to: *mut u8) {
        for part in (0..LINE).step_by(V::BYTES) {
            // SAFETY: `part` is inside of the line, and the contract of `copy` is that a line may
            // be read at `from` and written at `to`.
            unsafe { V::load(from.add(part)).store(to.add(part)) };
        }
    }
}

impl<V: Vector> LineBuffer for MemoryLine<V> {
    #[inline(always)]
    unsafe fn load(bytes: &LineBytes) -> Self {
        Self { lines: [LineBytes::EMPTY, *bytes, LineBytes::EMPTY], vector: PhantomData }
    }

    #[inline(always)]
    unsafe fn save(&self) -> LineBytes {
        self.lines[1]
    }

    #[inline(always)]
    unsafe fn put_first(&mut self, at: usize, from: *const u8, len: usize, run: usize) {
        let to = self.line().wrapping_add(at);
        // SAFETY: `to` is in the middle one of three lines, so there is room for a line behind it.
        // The contract of `put_first` is that the run may be read: at least a line of it, or `len`
        // bytes.
        unsafe {
            if run >= LINE {
                Self::copy(from, to);
            } else {
                copy_few(from, to, len);
            }
        }
    }

    #[inline(always)]
    unsafe fn put_last(&mut self, from: *const u8, len: usize, run: usize) {
        // SAFETY: `before` is less than a line, and `line` is the middle one of three, so there is
        // room for a line before any place in it. The contract of `put_last` is that the run may be
        // read: at least a line before its end, or `len` bytes.
        unsafe {
            if run >= LINE {
                let before = LINE - len;
                Self::copy(from.sub(before), self.line().wrapping_sub(before));
            } else {
                copy_few(from, self.line(), len);
            }
        }
    }

    #[inline(always)]
    unsafe fn stream(&self, to: *mut u8) {
        let from = self.lines.as_ptr().cast::<u8>().wrapping_add(LINE);
        for part in (0..LINE).step_by(V::BYTES) {
            // SAFETY: `part` is inside of the line, and the contract of `stream` is that a line may
            // be written at `to`, a multiple of one.
            unsafe { V::load(from.add(part)).stream(to.add(part)) };
        }
    }
}

/// As [`copy_short`], compiled once: combining such runs one by one is slow anyway.
///
/// # Safety
///
/// As [`copy_short`].
#[inline(never)]
unsafe fn copy_few(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the contract of `copy_few` is that of `copy_short`, with the same arguments.
    unsafe { copy_short(from, to, len) }
}
