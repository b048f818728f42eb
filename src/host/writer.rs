//! Destinations that are written from front to back, by whole lines around the caches.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "bytes of a range that the caller promises"
)]

use std::mem;
use std::ops::Range;

use super::cpu::Level;
use super::lines::{LINE, Soon, copy_short, stream, stream_lines};
use super::rows::Lane;
use super::sweep::Scout;
use super::vector::{Line, Vector, by_level};

/// Bytes that are copied before what comes next is fetched: to fetch less at a time takes longer than
/// to copy it.
const AT_ONCE: usize = 1024;

/// A line, of which some bytes may be there.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Held(pub(super) [u8; LINE]);

impl Held {
    pub(super) const NOTHING: Self = Self([0; LINE]);
}

/// A destination that is written from front to back around the caches, by whole lines: what does not
/// fill a line is held back until more comes. It is held apart, for there are many of these.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer {
    /// Where the next byte goes. What is before it in its line is held.
    next: *mut u8,
    /// But for these bytes, which are not to be written.
    skipped: usize,
}

impl Writer {
    /// Writes to `destination` and on.
    pub(super) fn new(destination: *mut u8) -> Self {
        Self { next: destination, skipped: destination.addr() % LINE }
    }

    /// Where the next byte goes.
    pub(super) fn next(&self) -> *mut u8 {
        self.next
    }

    /// Whether that is a line of which nothing is held.
    pub(super) fn is_at_line(&self) -> bool {
        self.fill() == 0
    }

    fn fill(&self) -> usize {
        self.next.addr() % LINE
    }

    /// Writes to `destination` next.
    ///
    /// # Safety
    ///
    /// What is held may be written.
    #[inline(always)]
    pub(super) unsafe fn go_to(&mut self, destination: *mut u8, held: &Held) {
        if self.next != destination {
            // SAFETY: the caller's promise.
            unsafe { self.finish(held) };
            *self = Self::new(destination);
        }
    }

    /// Says that the next `len` bytes, whole lines, were written.
    pub(super) fn skip_lines(&mut self, len: usize) {
        self.next = self.next.wrapping_add(len);
    }

    /// Where to put what comes next: into `scratch`, behind what is held.
    ///
    /// # Safety
    ///
    /// A line may be written to `scratch`.
    #[inline(always)]
    pub(super) unsafe fn open(&self, scratch: *mut u8, held: &Held) -> *mut u8 {
        let fill = self.fill();
        if fill > self.skipped {
            // SAFETY: the caller's promise.
            unsafe { scratch.cast::<Held>().write(*held) };
        }
        scratch.wrapping_add(fill)
    }

    /// Writes the `len` bytes that were put into `scratch`, where [`Self::open`] said, as far as
    /// they fill lines.
    ///
    /// # Safety
    ///
    /// The destination's next `len` bytes may be written. There is room for a line more in
    /// `scratch`, and it does not overlap the destination.
    pub(super) unsafe fn close(
        &mut self, level: Level, scratch: *mut u8, len: usize, held: &mut Held,
    ) {
        let fill = self.fill();
        let line = self.next.wrapping_sub(fill);
        let whole = (fill + len) / LINE * LINE;
        // SAFETY: parts of scratch and the lines of the destination that they belong to.
        unsafe {
            if whole > 0 {
                let (from, skipped) = (scratch.add(self.skipped), self.skipped);
                let to = line.wrapping_add(skipped);
                stream(level, from, to, whole - skipped, Soon::NOTHING);
                self.skipped = 0;
            }
            self.next = self.next.wrapping_add(len);
            if self.fill() > self.skipped {
                *held = scratch.add(whole).cast::<Held>().read();
            }
        }
    }

    /// Writes what is still held.
    ///
    /// # Safety
    ///
    /// That part of the destination may be written.
    pub(super) unsafe fn finish(&self, held: &Held) {
        let (fill, skipped) = (self.fill(), self.skipped);
        // SAFETY: the caller's promise.
        unsafe {
            let from = held.0.as_ptr().add(skipped);
            copy_short(from, self.next.wrapping_sub(fill - skipped), fill - skipped);
        }
    }

    /// Writes a run while there are bytes to skip: so much of it as belongs to that line, if it fills
    /// it; how much that is.
    ///
    /// # Safety
    ///
    /// As [`Self::append`].
    #[cold]
    #[inline(never)]
    unsafe fn fill_first(mut self, held: &Held, from: *const u8, run: usize) -> (Self, usize) {
        let room = LINE - self.fill();
        if run < room {
            return (self, 0);
        }
        // SAFETY: what is held, and the run's bytes behind it.
        unsafe {
            self.finish(held);
            copy_short(from, self.next, room);
        }
        (self.next, self.skipped) = (self.next.wrapping_add(room), 0);
        (self, room)
    }

    /// Writes a run, as far as it fills lines.
    ///
    /// # Safety
    ///
    /// The run may be read, and its bytes written. `line` is what is held.
    #[inline(always)]
    unsafe fn append<V: Vector>(
        &mut self, line: &mut V::Line, mut from: *const u8, mut run: usize, scout: &mut Scout,
    ) {
        // SAFETY: parts of the run, one behind the other.
        unsafe {
            if self.skipped > 0 {
                let (own, taken) = self.fill_first(&line.hold(), from, run);
                (*self, from, run) = (own, from.add(taken), run - taken);
            }
            while run > 0 {
                let some = run.min(AT_ONCE);
                scout.follow(some);
                append_run::<V>(&mut self.next, line, from, some);
                (from, run) = (from.add(some), run - some);
            }
        }
    }
}

/// Writes a run to `next` and on, as far as it fills lines.
///
/// # Safety
///
/// As [`Writer::append`], where no byte is to be skipped, or the line is not filled.
#[inline(always)]
unsafe fn append_run<V: Vector>(
    next: &mut *mut u8, line: &mut V::Line, from: *const u8, run: usize,
) {
    let fill = next.addr() % LINE;
    let (to, room) = (next.wrapping_sub(fill), LINE - fill);
    *next = next.wrapping_add(run);
    // SAFETY: the first line, whole lines, and what goes into the last one.
    unsafe {
        if run < room {
            return line.put_first(fill, from, run, run);
        }
        line.put_first(fill, from, room, run);
        line.stream(to);
        let (lines, rest) = ((run - room) / LINE, (run - room) % LINE);
        stream_lines::<V>(from.add(room), to.wrapping_add(LINE), lines, Soon::NOTHING);
        line.put_last(from.add(run - rest), rest, run);
    }
}

/// What is written from front to back, and what of it is held back.
pub(super) struct Output {
    writer: Writer,
    held: Held,
}

impl Output {
    /// Nothing so far.
    pub(super) fn new() -> Self {
        Self { writer: Writer::new(std::ptr::null_mut()), held: Held::NOTHING }
    }

    /// Writes what is still held.
    ///
    /// # Safety
    ///
    /// It may be written.
    pub(super) unsafe fn finish(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.writer.finish(&self.held) };
    }
}

by_level! {
    /// Writes rows, lane by lane, the runs of each to the output of its shard, one of `shards`. The scout
    /// follows.
    ///
    /// # Safety
    ///
    /// The runs may be read, and their bytes written, and so may what the outputs hold.
    append_lanes = append_lanes_with(
        outputs: &mut [Output], shards: &[usize], lanes: &[Lane], rows: Range<usize>,
        scout: &mut Scout,
    ) [masks]
}

#[inline(always)]
unsafe fn append_lanes_with<V: Vector>(
    outputs: &mut [Output], shards: &[usize], lanes: &[Lane], rows: Range<usize>, scout: &mut Scout,
) {
    for (lane, &shard) in lanes.iter().zip(shards) {
        let Output { writer, held } = &mut outputs[shard];
        // SAFETY: the caller's promise.
        unsafe {
            writer.go_to(lane.destination_at(rows.start), held);
            let (mut own, mut line) = (*writer, V::Line::of(held));
            let mut row = rows.start;
            while row < rows.end && (own.skipped > 0 || lane.run > AT_ONCE) {
                own.append::<V>(&mut line, lane.source_at(row), lane.run, scout);
                row += 1;
            }
            while row < rows.end {
                let some = (rows.end - row).min((AT_ONCE / lane.run).max(1));
                scout.follow(some * lane.run);
                let mut from = lane.source_at(row);
                for _ in 0..some {
                    append_run::<V>(&mut own.next, &mut line, from, lane.run);
                    from = from.wrapping_offset(lane.source_step);
                }
                row += some;
            }
            (*writer, *held) = (own, line.hold());
        }
    }
}

by_level! {
    /// Writes rows, each where it belongs: the runs of all lanes, one behind the other. The scout
    /// follows.
    ///
    /// # Safety
    ///
    /// As [`append_lanes`].
    append_rows = append_rows_with(
        output: &mut Output, lanes: &[Lane], rows: Range<usize>, scout: &mut Scout,
    ) [masks]
}

#[inline(always)]
unsafe fn append_rows_with<V: Vector>(
    output: &mut Output, lanes: &[Lane], rows: Range<usize>, scout: &mut Scout,
) {
    let Output { writer, held } = output;
    // SAFETY: the caller's promise.
    unsafe {
        let (mut own, mut line, mut copied) = (*writer, V::Line::of(held), 0);
        for row in rows {
            let to = lanes[0].destination_at(row);
            if own.next != to {
                own.finish(&line.hold());
                own = Writer::new(to);
            }
            for lane in lanes {
                let from = lane.source_at(row);
                if own.skipped > 0 || lane.run > AT_ONCE {
                    own.append::<V>(&mut line, from, lane.run, scout);
                    continue;
                }
                copied += lane.run;
                if copied >= AT_ONCE {
                    scout.follow(mem::take(&mut copied));
                }
                append_run::<V>(&mut own.next, &mut line, from, lane.run);
            }
        }
        (*writer, *held) = (own, line.hold());
    }
}
