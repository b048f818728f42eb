//! Long runs, with cached stores or with non-temporal (streaming) ones.
//!
//! A non-temporal store saves the read of the line that it overwrites, a third of the memory
//! traffic of a copy. Only whole lines that are written at once gain: a partial line costs more
//! than a whole one.

#![allow(clippy::arithmetic_side_effects, reason = "bytes of a range that the caller promises")]

use super::cpu::{LINE, Level};
use super::prefetch::Strip;
use super::simd::{Vector, by_level, copy_short};

/// How destination bytes are stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoreMode {
    /// With which instructions.
    pub(super) level: Level,
    /// With non-temporal stores.
    pub(super) streaming: bool,
}

impl StoreMode {
    /// Copies a long run.
    ///
    /// # Safety
    ///
    /// As [`stream`].
    pub(super) unsafe fn copy(self, from: *const u8, to: *mut u8, len: usize) {
        // SAFETY: the contract of `StoreMode::copy` is that of `stream`, for the same `len` bytes.
        unsafe {
            if self.streaming {
                stream(self.level, from, to, len, Strip::NONE);
            } else {
                std::ptr::copy_nonoverlapping(from, to, len);
            }
        }
    }
}

by_level! {
    /// Copies bytes with non-temporal stores, but for the partial lines at both ends. Prefetches a
    /// line of `later` with each line.
    ///
    /// # Safety
    ///
    /// The bytes may be read and written and do not overlap. The caller calls [`fence`] before
    /// another thread may read what was written.
    stream = stream_with(from: *const u8, to: *mut u8, len: usize, later: Strip)
}

#[inline(always)]
unsafe fn stream_with<V: Vector>(from: *const u8, to: *mut u8, len: usize, later: Strip) {
    let head = to.align_offset(LINE).min(len);
    let lines = (len - head) / LINE;
    let end = head + lines * LINE;
    // SAFETY: `head`, whole `lines` and the bytes from `end` on are the three parts of what the
    // contract of `stream` covers. Behind `head`, `to` is a multiple of a line.
    unsafe {
        copy_short(from, to, head);
        stream_lines::<V>(from.add(head), to.add(head), lines, later);
        copy_short(from.add(end), to.add(end), len - end);
    }
}

/// Copies whole lines with non-temporal stores.
///
/// # Safety
///
/// As [`stream`], and `to` is a multiple of a line.
#[inline(always)]
pub(super) unsafe fn stream_lines<V: Vector>(
    from: *const u8, to: *mut u8, lines: usize, later: Strip,
) {
    for line in 0..lines {
        later.prefetch_line(line * LINE);
        for part in (0..LINE).step_by(V::BYTES) {
            let at = line * LINE + part;
            // SAFETY: `at` is inside of the `lines` that the contract of `stream_lines` covers, and
            // `to` is a multiple of a line.
            unsafe { V::load(from.add(at)).stream(to.add(at)) };
        }
    }
}

/// Orders non-temporal stores before later stores of this thread, as other threads see them.
pub(super) fn fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: `_mm_sfence` is SSE, which every x86-64 has, and has no operands.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}
