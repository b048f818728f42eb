//! Lines that are put together in memory, which the first cache holds.

#![allow(clippy::arithmetic_side_effects, reason = "bytes of a run and of a line")]

use std::marker::PhantomData;

use super::super::lines::{LINE, copy_short};
use super::super::writer::Held;
use super::{Line, Vector};

/// A line, with room on both sides: of runs that are long enough a whole line is put there at a time.
pub(in super::super) struct InMemory<V> {
    room: [Held; 3],
    vector: PhantomData<V>,
}

impl<V: Vector> InMemory<V> {
    #[inline(always)]
    fn line(&mut self) -> *mut u8 {
        self.room.as_mut_ptr().cast::<u8>().wrapping_add(LINE)
    }

    /// # Safety
    ///
    /// A line may be read and written.
    #[inline(always)]
    unsafe fn copy(from: *const u8, to: *mut u8) {
        for part in (0..LINE).step_by(V::BYTES) {
            // SAFETY: a part of the line.
            unsafe { V::load(from.add(part)).store(to.add(part)) };
        }
    }
}

impl<V: Vector> Line for InMemory<V> {
    #[inline(always)]
    unsafe fn of(held: &Held) -> Self {
        Self { room: [Held::NOTHING, *held, Held::NOTHING], vector: PhantomData }
    }

    #[inline(always)]
    unsafe fn hold(&self) -> Held {
        self.room[1]
    }

    #[inline(always)]
    unsafe fn put_first(&mut self, at: usize, from: *const u8, len: usize, run: usize) {
        let to = self.line().wrapping_add(at);
        // SAFETY: the run may be read, and there is room for a line behind any place in this one.
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
        // SAFETY: the run may be read, and there is room for a line before any place in this one.
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
        let from = self.room.as_ptr().cast::<u8>().wrapping_add(LINE);
        for part in (0..LINE).step_by(V::BYTES) {
            // SAFETY: a part of the line.
            unsafe { V::load(from.add(part)).stream(to.add(part)) };
        }
    }
}

/// As [`copy_short`], once for all: whoever puts such runs together one by one is slow anyhow.
///
/// # Safety
///
/// As [`copy_short`].
#[inline(never)]
unsafe fn copy_few(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe { copy_short(from, to, len) }
}
