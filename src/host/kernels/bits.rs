//! Elements of less than a byte, or of bytes and bits.
//!
//! Bits are counted from a byte's least significant one, so that an element is a range of bits,
//! whatever bytes it is in. A byte at the end of a range may hold bits of another shard too, which
//! another thread may be writing: such a byte is changed by atomic operations.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "bits of a plan fit an address space"
)]

use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::geometry::{Loop, offsets_of_turn, turns};
use crate::host::copy_list::{BitPointer, StridedCopy};

impl BitPointer {
    fn new(byte: *mut u8, bits: isize) -> Self {
        Self { byte: byte.wrapping_offset(bits.div_euclid(8)), bit: bits.rem_euclid(8) as usize }
    }

    fn behind(self, bits: usize) -> Self {
        Self::new(self.byte, (self.bit + bits) as isize)
    }
}

/// Copies bits `8 * units.start .. 8 * units.end` of a piece, counted run after run.
///
/// # Safety
///
/// The bits may be read and written and do not overlap. Others touch other bits of the bytes that
/// they share only as is done here.
pub(in crate::host) unsafe fn copy(piece: &StridedCopy, loops: &[Loop], units: Range<usize>) {
    let turns = turns(loops);
    let (mut at, end) = (8 * units.start, (8 * units.end).min(turns * piece.run));
    let [from_bit, to_bit] = piece.bits.unwrap_or([0, 0]);
    let innermost = loops.last().copied();
    let mut writer = None;
    while at < end {
        // As many runs as the innermost loop has left.
        let (turn, mut inside) = (at / piece.run, at % piece.run);
        let (from, to) = offsets_of_turn(loops, turn);
        let mut from = from + from_bit as isize;
        let mut to = to + to_bit as isize;
        let left = innermost.map_or(1, |level| level.count - turn % level.count);
        for _ in 0..left {
            if at >= end {
                break;
            }
            let len = (piece.run - inside).min(end - at);
            let place = BitPointer::new(piece.source.cast_mut(), from).behind(inside);
            let target = BitPointer::new(piece.destination, to).behind(inside);
            // SAFETY: `place` and `target` are `len` bits inside of one run, which the contract of
            // `copy` covers.
            unsafe {
                let writer = writer.get_or_insert_with(|| BitWriter::new(target));
                writer.go_to(target);
                writer.write(place, len);
            }
            at += len;
            inside = 0;
            from += innermost.map_or(0, |level| level.source_step);
            to += innermost.map_or(0, |level| level.destination_step);
        }
    }
    if let Some(writer) = &mut writer {
        // SAFETY: the pending bits of `writer` are of runs of this piece, which the contract of
        // `copy` covers.
        unsafe { writer.finish() };
    }
}

/// Writes bits from front to back, by whole bytes where possible.
struct BitWriter {
    byte: *mut u8,
    /// Bits of that byte that are not written yet: `start..end`.
    pending: u8,
    start: usize,
    end: usize,
}

impl BitWriter {
    fn new(place: BitPointer) -> Self {
        Self { byte: place.byte, pending: 0, start: place.bit, end: place.bit }
    }

    /// Writes at `place` next.
    ///
    /// # Safety
    ///
    /// The destination of pending bits may be written; so for all of these.
    unsafe fn go_to(&mut self, place: BitPointer) {
        if (BitPointer { byte: self.byte, bit: self.end }) != place {
            // SAFETY: the contract of `go_to` is that of `finish`: the pending bits may be written.
            unsafe { self.finish() };
            *self = Self::new(place);
        }
    }

    /// Writes the next `len` bits.
    ///
    /// # Safety
    ///
    /// They may be read at `from` and written here.
    #[inline(always)]
    unsafe fn write(&mut self, mut from: BitPointer, mut len: usize) {
        // SAFETY: the contract of `write` covers `len` bits: `first` of them fill the pending byte,
        // `bytes` whole bytes follow, and the rest becomes pending.
        unsafe {
            if self.end > 0 {
                let first = len.min(8 - self.end);
                self.add(from, first);
                (from, len) = (from.behind(first), len - first);
            }
            let bytes = len / 8;
            copy_bytes(from, self.byte, bytes);
            self.byte = self.byte.wrapping_add(bytes);
            if !len.is_multiple_of(8) {
                self.add(from.behind(8 * bytes), len % 8);
            }
        }
    }

    /// Adds bits to the byte; they fit.
    ///
    /// # Safety
    ///
    /// As [`Self::write`].
    unsafe fn add(&mut self, from: BitPointer, len: usize) {
        // SAFETY: the contract of `add` covers `len` bits at `from` and here, and they fit the
        // byte.
        unsafe {
            self.pending |= read(from, len) << self.end;
            self.end += len;
            if self.end == 8 {
                self.finish();
                *self = Self::new(BitPointer { byte: self.byte.wrapping_add(1), bit: 0 });
            }
        }
    }

    /// Writes the pending bits.
    ///
    /// # Safety
    ///
    /// They may be written.
    unsafe fn finish(&mut self) {
        let mask = (0xFFu32 << self.start & !(0xFFFF_FFFF << self.end)) as u8;
        if mask == 0 {
            return;
        }
        // SAFETY: `byte` has pending bits, which the contract of `finish` lets this write. Others
        // may write other bits of it, so it is changed by atomic operations.
        unsafe {
            let byte = AtomicU8::from_ptr(self.byte);
            if mask == 0xFF {
                byte.store(self.pending, Ordering::Relaxed);
            } else {
                byte.fetch_and(!mask, Ordering::Relaxed);
                byte.fetch_or(self.pending, Ordering::Relaxed);
            }
        }
        (self.pending, self.start) = (0, self.end);
    }
}

/// A byte of which others may be writing bits.
///
/// # Safety
///
/// It may be read.
unsafe fn load(byte: *const u8) -> u8 {
    // SAFETY: the contract of `load` is that `byte` may be read. Others may write bits of it, so it
    // is read by an atomic operation, and nothing is written.
    unsafe { AtomicU8::from_ptr(byte.cast_mut()) }.load(Ordering::Relaxed)
}

/// The next `len` bits, 1 to 8 of them.
///
/// # Safety
///
/// They may be read.
unsafe fn read(from: BitPointer, len: usize) -> u8 {
    // SAFETY: the contract of `read` covers `len` bits from `from` on. The second byte is read only
    // where some of them are in it.
    let bits = unsafe {
        let low = load(from.byte) >> from.bit;
        if from.bit + len <= 8 { low } else { low | load(from.byte.add(1)) << (8 - from.bit) }
    };
    bits & (0xFF >> (8 - len))
}

/// Copies bits to whole bytes.
///
/// # Safety
///
/// `8 * bytes` bits may be read at `from` and as many bytes written at `to`, which hold nothing
/// else.
unsafe fn copy_bytes(from: BitPointer, to: *mut u8, bytes: usize) {
    const WORD: usize = size_of::<u64>();
    let BitPointer { byte, bit } = from;
    // SAFETY: the contract of `copy_bytes` covers the bits from `byte` on and the `bytes` at `to`.
    // The first and the last byte that the bits are in may have bits of others, and are read by
    // `read`; those between do not.
    unsafe {
        if bit == 0 {
            std::ptr::copy_nonoverlapping(byte, to, bytes);
            return;
        }
        let whole = |at: usize| read(BitPointer { byte: byte.add(at), bit }, 8);
        let mut at = 0;
        if bytes > 0 {
            to.write(whole(0));
            at = 1;
        }
        // A word and the byte behind it, both before the last byte.
        while at + WORD < bytes {
            let word = u64::from_le_bytes(byte.add(at).cast::<[u8; WORD]>().read());
            let behind = u64::from(byte.add(at + WORD).read());
            let shifted = word >> bit | behind << (64 - bit);
            to.add(at).cast::<[u8; WORD]>().write(shifted.to_le_bytes());
            at += WORD;
        }
        while at < bytes {
            to.add(at).write(whole(at));
            at += 1;
        }
    }
}
