//! Moving bytes: through the caches or around them, and short runs without a call.
//!
//! Stores that go around the caches (non-temporal ones) save the read of each line that is about to
//! be overwritten, a third of a copy's memory traffic. But only whole lines gain, and only lines that
//! are written at once: half a line costs more than a whole one.

#![allow(clippy::arithmetic_side_effects, reason = "bytes of a range that the caller promises")]

use std::mem::MaybeUninit;

use super::ahead::Ahead;
use super::cpu::Level;
use super::vector::{Vector, by_level};

/// Bytes of a cache line.
pub(super) const LINE: usize = 64;

/// How destination bytes are stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Store {
    /// With which instructions.
    pub(super) level: Level,
    /// Around the caches.
    pub(super) around: bool,
}

by_level! {
    /// Copies a long run around the caches.
    ///
    /// # Safety
    ///
    /// As [`stream`].
    stream_long = stream(from: *const u8, to: *mut u8, len: usize, ahead: &mut Ahead)
}

impl Store {
    /// Copies a long run.
    ///
    /// # Safety
    ///
    /// As [`stream`].
    pub(super) unsafe fn copy(self, from: *const u8, to: *mut u8, len: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            if self.around {
                stream_long(self.level, from, to, len, &mut Ahead::new());
            } else {
                std::ptr::copy_nonoverlapping(from, to, len);
            }
        }
    }
}

/// Copies whole lines around the caches, and fetches others meanwhile.
///
/// # Safety
///
/// The lines may be read and written, do not overlap, and `to` is a multiple of a line. Whoever lets
/// another thread see what was written calls [`fence`] before.
#[inline(always)]
pub(super) unsafe fn stream_lines<V: Vector>(
    from: *const u8, to: *mut u8, lines: usize, ahead: &mut Ahead,
) {
    for line in 0..lines {
        ahead.fetch();
        for part in (0..LINE).step_by(V::BYTES) {
            let at = line * LINE + part;
            // SAFETY: a part of a line of the caller's.
            unsafe { V::load(from.add(at)).stream(to.add(at)) };
        }
    }
}

/// Copies bytes around the caches, but for the lines at their ends that are not whole.
///
/// # Safety
///
/// As [`stream_lines`], for any `to`.
#[inline(always)]
pub(super) unsafe fn stream<V: Vector>(
    from: *const u8, to: *mut u8, len: usize, ahead: &mut Ahead,
) {
    let head = to.align_offset(LINE).min(len);
    let lines = (len - head) / LINE;
    let end = head + lines * LINE;
    // SAFETY: the range's three parts.
    unsafe {
        copy_short(from, to, head);
        stream_lines::<V>(from.add(head), to.add(head), lines, ahead);
        copy_short(from.add(end), to.add(end), len - end);
    }
}

/// Copies runs of 16 or 32 bytes around the caches, one behind the other, and fetches other lines
/// meanwhile.
///
/// # Safety
///
/// As [`stream_lines`], for `count` runs, which are whole lines together.
#[inline(always)]
pub(super) unsafe fn stream_runs<V: Vector>(
    from: *const u8, step: isize, to: *mut u8, count: usize, run: usize, ahead: &mut Ahead,
) {
    let runs_of_a_line = LINE / run;
    for at in (0..count).step_by(runs_of_a_line) {
        ahead.fetch();
        let from = from.wrapping_offset(at as isize * step);
        // SAFETY: a line of the caller's.
        unsafe {
            for part in (0..LINE).step_by(V::BYTES) {
                let to = to.add(at * run + part);
                if run >= V::BYTES {
                    let (run, inside) = (part / run, part % run);
                    V::load(from.wrapping_offset(run as isize * step).add(inside)).stream(to);
                } else if run == 16 {
                    let from = from.wrapping_offset((part / run) as isize * step);
                    V::load_runs::<16>(from, step).stream(to);
                } else {
                    V::load_runs::<32>(from, step).stream(to);
                }
            }
        }
    }
}

/// Makes stores that went around the caches visible to other threads in order.
pub(super) fn fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has it.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

/// A destination that is written from front to back around the caches, by whole lines: what does not
/// fill a line is held back until more comes.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Writer {
    held: [MaybeUninit<u8>; LINE],
    /// Where the line goes of which bytes are held.
    line: *mut u8,
    /// Bytes of that line that are held or, at its start, not to be written.
    fill: usize,
    /// How many are not to be written.
    skipped: usize,
}

impl Writer {
    /// Writes to `destination` and on.
    pub(super) fn new(destination: *mut u8) -> Self {
        let fill = destination.addr() % LINE;
        let held = [MaybeUninit::uninit(); LINE];
        Self { held, line: destination.wrapping_sub(fill), fill, skipped: fill }
    }

    /// Where the next byte goes.
    pub(super) fn next(&self) -> *mut u8 {
        self.line.wrapping_add(self.fill)
    }

    /// Where to put what comes next: into `scratch`, behind what is held.
    ///
    /// # Safety
    ///
    /// A line may be written to `scratch`.
    #[inline(always)]
    pub(super) unsafe fn open(&self, scratch: *mut u8) -> *mut u8 {
        if self.fill > self.skipped {
            // SAFETY: the caller's promise.
            unsafe { scratch.cast::<[MaybeUninit<u8>; LINE]>().write(self.held) };
        }
        scratch.wrapping_add(self.fill)
    }

    /// Writes the `len` bytes that were put into `scratch`, where [`Self::open`] said, as far as
    /// they fill lines.
    ///
    /// # Safety
    ///
    /// The destination's next `len` bytes may be written. There is room for a line more in
    /// `scratch`, and it does not overlap the destination.
    #[inline(always)]
    pub(super) unsafe fn close<V: Vector>(
        &mut self, scratch: *mut u8, len: usize, ahead: &mut Ahead,
    ) {
        let end = self.fill + len;
        let mut at = 0;
        // SAFETY: parts of scratch and the lines of the destination that they belong to.
        unsafe {
            if self.skipped > 0 && end >= LINE {
                let (from, to) = (scratch.add(self.skipped), self.line.wrapping_add(self.skipped));
                copy_short(from, to, LINE - self.skipped);
                self.line = self.line.wrapping_add(LINE);
                self.skipped = 0;
                at = LINE;
            }
            let lines = (end - at) / LINE;
            stream_lines::<V>(scratch.add(at), self.line, lines, ahead);
            self.line = self.line.wrapping_add(lines * LINE);
            self.fill = end - at - lines * LINE;
            if self.fill > self.skipped {
                self.held = scratch.add(end - self.fill).cast::<[MaybeUninit<u8>; LINE]>().read();
            }
        }
    }

    /// Writes what is still held.
    ///
    /// # Safety
    ///
    /// That part of the destination may be written.
    #[inline(always)]
    pub(super) unsafe fn finish(&self) {
        // SAFETY: the caller's promise.
        unsafe {
            let from = self.held.as_ptr().cast::<u8>().add(self.skipped);
            copy_short(from, self.line.wrapping_add(self.skipped), self.fill - self.skipped);
        }
    }
}

/// Copies `N` bytes.
///
/// # Safety
///
/// The bytes may be read and written and do not overlap.
#[inline(always)]
pub(super) unsafe fn copy_fixed<const N: usize>(from: *const u8, to: *mut u8) {
    // SAFETY: the caller's promise; bytes need no alignment.
    unsafe { to.cast::<[u8; N]>().write(from.cast::<[u8; N]>().read()) }
}

/// Copies the first and the last `N` bytes, which together are all.
///
/// # Safety
///
/// As [`copy_fixed`], for `len` bytes, and `N <= len <= 2 * N`.
#[inline(always)]
unsafe fn copy_ends<const N: usize>(from: *const u8, to: *mut u8, len: usize) {
    let last = len - N;
    // SAFETY: both parts lie inside of the `len` bytes.
    unsafe {
        let tail = from.add(last).cast::<[u8; N]>().read();
        copy_fixed::<N>(from, to);
        to.add(last).cast::<[u8; N]>().write(tail);
    }
}

/// Copies a run by whole vectors, of which the last two may overlap.
///
/// # Safety
///
/// As [`copy_fixed`], for `len` bytes, and `len` is at least a vector's.
#[inline(always)]
unsafe fn copy_vectors<V: Vector>(from: *const u8, to: *mut u8, len: usize) {
    let last = len - V::BYTES;
    let mut at = 0;
    // SAFETY: vectors inside of the `len` bytes.
    unsafe {
        while at < last {
            V::load(from.add(at)).store(to.add(at));
            at += V::BYTES;
        }
        V::load(from.add(last)).store(to.add(last));
    }
}

/// Copies at most a line without a call or a loop.
///
/// # Safety
///
/// As [`copy_fixed`], for `len` bytes.
#[inline(always)]
pub(super) unsafe fn copy_short(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match len {
            0 => {}
            1 => copy_fixed::<1>(from, to),
            2..4 => copy_ends::<2>(from, to, len),
            4..8 => copy_ends::<4>(from, to, len),
            8..16 => copy_ends::<8>(from, to, len),
            16..32 => copy_ends::<16>(from, to, len),
            _ => copy_ends::<32>(from, to, len),
        }
    }
}

/// Copies `count` runs of `run` bytes through the caches; each side steps from one to the next.
///
/// # Safety
///
/// The runs may be read and written and do not overlap.
#[inline(always)]
pub(super) unsafe fn copy_runs<V: Vector>(
    from: *const u8, from_step: isize, to: *mut u8, to_step: isize, count: usize, run: usize,
) {
    // Each run by the same few instructions.
    macro_rules! each {
        ($copy:path $(, $run:ident)?) => {
            for at in 0..count as isize {
                let from = from.wrapping_offset(at * from_step);
                let to = to.wrapping_offset(at * to_step);
                // SAFETY: one run of the caller's.
                unsafe { $copy(from, to $(, $run)?) }
            }
        };
    }
    match run {
        0 => {}
        1 => each!(copy_fixed::<1>),
        2 => each!(copy_fixed::<2>),
        4 => each!(copy_fixed::<4>),
        8 => each!(copy_fixed::<8>),
        16 => each!(copy_fixed::<16>),
        32 => each!(copy_fixed::<32>),
        64 => each!(copy_fixed::<64>),
        3 => each!(copy_ends::<2>, run),
        5..8 => each!(copy_ends::<4>, run),
        9..16 => each!(copy_ends::<8>, run),
        17..32 => each!(copy_ends::<16>, run),
        33..64 => each!(copy_ends::<32>, run),
        _ => each!(copy_vectors::<V>, run),
    }
}
