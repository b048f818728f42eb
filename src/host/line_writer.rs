//! The line writer (write combining): a destination that is written from front to back, by whole
//! lines with non-temporal stores.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "bytes of a range that the caller promises"
)]

use super::cpu::{LINE, Level};
use super::options::PrefetchInto::FirstLevel;
use super::prefetch::{Prefetcher, Strip, StripSource};
use super::simd::{LineBuffer, LineBytes, Vector, copy_short};
use super::stream::{Ahead, stream, stream_lines};
use super::tuning::PREFETCH_BATCH;

/// A destination that is written from front to back with non-temporal stores, by whole lines. Bytes
/// that do not fill a line stay in a line buffer until the next bytes come. The caller keeps the
/// buffers apart from the writers, for there are many of both.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineWriter {
    /// Where the next byte goes. The bytes before it in its line are in the buffer.
    next: *mut u8,
    /// Bytes at the start of that line that do not belong to the destination.
    skipped: usize,
}

impl LineWriter {
    /// A writer that starts at `destination`.
    pub(super) fn new(destination: *mut u8) -> Self {
        Self { next: destination, skipped: destination.addr() % LINE }
    }

    /// Where the next byte goes.
    pub(super) fn next(&self) -> *mut u8 {
        self.next
    }

    fn fill(&self) -> usize {
        self.next.addr() % LINE
    }

    /// Whether the present line has bytes that do not belong to the destination.
    #[inline(always)]
    pub(super) fn skips(&self) -> bool {
        self.skipped > 0
    }

    /// Continues at `destination`. If that is elsewhere, writes the buffer first.
    ///
    /// # Safety
    ///
    /// The destination of the buffer's bytes may be written.
    #[inline(always)]
    pub(super) unsafe fn go_to(&mut self, destination: *mut u8, buffer: &LineBytes) {
        if self.next != destination {
            // SAFETY: the contract of `go_to` is that of `finish`: the destination of the bytes in
            // `buffer` may be written.
            unsafe { self.finish(buffer) };
            *self = Self::new(destination);
        }
    }

    /// Returns the address for the next bytes in `scratch`, behind the buffer's bytes.
    ///
    /// # Safety
    ///
    /// A line may be written to `scratch`, which is a multiple of one.
    #[inline(always)]
    pub(super) unsafe fn open(&self, scratch: *mut u8, buffer: &LineBytes) -> *mut u8 {
        let fill = self.fill();
        if fill > self.skipped {
            // SAFETY: the contract of `open` is that a line may be written at `scratch`, which is a
            // multiple of one.
            unsafe { scratch.cast::<LineBytes>().write(*buffer) };
        }
        scratch.wrapping_add(fill)
    }

    /// Streams the `len` bytes that the caller stored at the address from [`Self::open`], as far as
    /// they fill lines. Keeps the rest in the buffer.
    ///
    /// # Safety
    ///
    /// The destination's next `len` bytes may be written. There is room for a line more in
    /// `scratch`, and it does not overlap the destination.
    pub(super) unsafe fn close(
        &mut self, level: Level, scratch: *mut u8, len: usize, buffer: &mut LineBytes,
    ) {
        let fill = self.fill();
        let line = self.next.wrapping_sub(fill);
        let whole = (fill + len) / LINE * LINE;
        // SAFETY: `scratch` has the buffer's `fill` bytes and `len` more, and the destination has
        // room for them, by the contract of `close`. The last line is read whole: there is room for
        // it in `scratch`.
        unsafe {
            if whole > 0 {
                let (from, skipped) = (scratch.add(self.skipped), self.skipped);
                let to = line.wrapping_add(skipped);
                stream(level, from, to, whole - skipped, Ahead::NONE);
                self.skipped = 0;
            }
            self.next = self.next.wrapping_add(len);
            if self.fill() > self.skipped {
                *buffer = scratch.add(whole).cast::<LineBytes>().read();
            }
        }
    }

    /// Writes the buffer's bytes, a partial line, with cached stores.
    ///
    /// # Safety
    ///
    /// That part of the destination may be written.
    pub(super) unsafe fn finish(&self, buffer: &LineBytes) {
        let (fill, skipped) = (self.fill(), self.skipped);
        // SAFETY: `buffer` has `fill` bytes, of which those behind `skipped` are this writer's. The
        // contract of `finish` is that their destination may be written.
        unsafe {
            let from = buffer.0.as_ptr().add(skipped);
            copy_short(from, self.next.wrapping_sub(fill - skipped), fill - skipped);
        }
    }

    /// Completes a line that [`Self::skips`] bytes with the first bytes of a run, if the run fills
    /// it. Returns how many bytes were taken.
    ///
    /// # Safety
    ///
    /// As [`Self::append`].
    #[cold]
    #[inline(never)]
    unsafe fn fill_first(
        mut self, buffer: &LineBytes, from: *const u8, run: usize,
    ) -> (Self, usize) {
        let room = LINE - self.fill();
        if run < room {
            return (self, 0);
        }
        // SAFETY: the bytes in `buffer`, and `room` bytes of the run behind them, may be written,
        // by the contract of `fill_first`; the run has as many.
        unsafe {
            self.finish(buffer);
            copy_short(from, self.next, room);
        }
        (self.next, self.skipped) = (self.next.wrapping_add(room), 0);
        (self, room)
    }

    /// Writes a run, as far as it fills lines. The prefetcher follows.
    ///
    /// # Safety
    ///
    /// The run may be read, and its bytes written. `line` is this writer's buffer.
    #[inline(always)]
    pub(super) unsafe fn append<V: Vector, S: StripSource>(
        &mut self, line: &mut V::WriteBuffer, mut from: *const u8, mut run: usize,
        prefetcher: &mut Prefetcher<S>,
    ) {
        // SAFETY: `from` and `run` go from one part of the run to the next, and the contract of
        // `append` covers all of it.
        unsafe {
            if self.skips() {
                let (own, taken) = self.fill_first(&line.save(), from, run);
                (*self, from, run) = (own, from.add(taken), run - taken);
            }
            while run > 0 {
                let some = run.min(PREFETCH_BATCH);
                prefetcher.advance(some);
                self.append_run::<V>(line, from, some);
                (from, run) = (from.add(some), run - some);
            }
        }
    }

    /// Writes a run, as far as it fills lines.
    ///
    /// # Safety
    ///
    /// As [`Self::append`]. The line [skips](Self::skips) no bytes, or the run does not fill it.
    #[inline(always)]
    pub(super) unsafe fn append_run<V: Vector>(
        &mut self, line: &mut V::WriteBuffer, from: *const u8, run: usize,
    ) {
        let fill = self.fill();
        let (to, room) = (self.next.wrapping_sub(fill), LINE - fill);
        self.next = self.next.wrapping_add(run);
        // SAFETY: `room` bytes complete the first line, whole `lines` follow, and `rest` bytes go
        // into the last one. Together they are the `run` that the contract of `append_run` covers.
        unsafe {
            if run < room {
                return line.put_first(fill, from, run, run);
            }
            line.put_first(fill, from, room, run);
            line.stream(to);
            let (lines, rest) = ((run - room) / LINE, (run - room) % LINE);
            stream_lines::<V>(
                from.add(room),
                to.wrapping_add(LINE),
                lines,
                Strip::NONE,
                FirstLevel,
            );
            line.put_last(from.add(run - rest), rest, run);
        }
    }
}
