//! Long runs, with cached stores or with non-temporal (streaming) ones.
//!
//! A non-temporal store saves the read of the line that it overwrites, a third of the memory
//! traffic of a copy. Only whole lines that are written at once gain: a partial line costs more
//! than a whole one.

#![allow(clippy::arithmetic_side_effects, reason = "bytes of a range that the caller promises")]

use super::cpu::{LINE, Level};
use super::options::{Prefetch, PrefetchInto};
use super::prefetch::Strip;
use super::simd::{Vector, by_level, copy_short};

/// How destination bytes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoreMode {
    /// With which instructions.
    pub(super) level: Level,
    /// With non-temporal stores.
    pub(super) streaming: bool,
    pub(super) prefetch: Prefetch,
}

impl StoreMode {
    /// Copies a long run. What is read after it is at `next`; its start is prefetched.
    ///
    /// # Safety
    ///
    /// As [`stream`].
    pub(super) unsafe fn copy(self, from: *const u8, to: *mut u8, len: usize, next: *const u8) {
        // SAFETY: the contract of `StoreMode::copy` is that of `stream`, for the same `len` bytes.
        unsafe {
            if self.streaming {
                let Prefetch { ahead: distance, into } = self.prefetch;
                stream(self.level, from, to, len, Ahead { distance, next, into });
            } else {
                std::ptr::copy_nonoverlapping(from, to, len);
            }
        }
    }
}

/// What is prefetched while a run is copied: the run itself, so many bytes ahead, and what is read
/// after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ahead {
    /// A multiple of a line.
    pub(super) distance: usize,
    /// What is read after the run: so many bytes of it are prefetched with the end of the run.
    pub(super) next: *const u8,
    pub(super) into: PrefetchInto,
}

impl Ahead {
    /// For runs that were read already, and are in a cache.
    pub(super) const NONE: Self =
        Self { distance: 0, next: std::ptr::null(), into: PrefetchInto::FirstLevel };
}

by_level! {
    /// Copies bytes with non-temporal stores, but for the partial lines at both ends. Prefetches a
    /// line with each line.
    ///
    /// # Safety
    ///
    /// The bytes may be read and written and do not overlap. The caller calls [`fence`] before
    /// another thread may read what was written.
    stream = stream_with(from: *const u8, to: *mut u8, len: usize, ahead: Ahead)
}

#[inline(always)]
unsafe fn stream_with<V: Vector>(from: *const u8, to: *mut u8, len: usize, ahead: Ahead) {
    let head = to.align_offset(LINE).min(len);
    let lines = (len - head) / LINE;
    let last = lines.min(ahead.distance / LINE);
    let (middle, end) = (head + (lines - last) * LINE, head + lines * LINE);
    let far = if ahead.distance > 0 { middle - head } else { 0 };
    let own = Strip { start: from.wrapping_add(head + ahead.distance), bytes: far };
    let next = Strip { start: ahead.next, bytes: end - middle };
    // SAFETY: `head`, whole `lines` and the bytes from `end` on are the three parts of what the
    // contract of `stream` covers; `middle` is between lines. Behind `head`, `to` is a multiple of
    // a line.
    unsafe {
        copy_short(from, to, head);
        stream_lines::<V>(from.add(head), to.add(head), lines - last, own, ahead.into);
        stream_lines::<V>(from.add(middle), to.add(middle), last, next, ahead.into);
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
    from: *const u8, to: *mut u8, lines: usize, later: Strip, into: PrefetchInto,
) {
    for line in 0..lines {
        later.prefetch_line(line * LINE, into);
        // SAFETY: the line is inside of the `lines` that the contract of `stream_lines` covers, and
        // `to` is a multiple of a line.
        unsafe { stream_line::<V>(from.add(line * LINE), to.add(line * LINE)) };
    }
}

/// Copies a line with non-temporal stores.
///
/// # Safety
///
/// As [`stream_lines`], for one line.
#[inline(always)]
pub(super) unsafe fn stream_line<V: Vector>(from: *const u8, to: *mut u8) {
    for part in (0..LINE).step_by(V::BYTES) {
        // SAFETY: `part` is inside of the line that the contract of `stream_line` covers, and `to` is
        // a multiple of a line.
        unsafe { V::load(from.add(part)).stream(to.add(part)) };
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
