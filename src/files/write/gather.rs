//! Large writes of small runs: what is contiguous in a file is written at once, wherever it is in memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::output::{MAX_PARTS, MemoryPart, OutputFile};
use crate::files::file_copies::{FileCopies, FileCopy};
use crate::geometry::{offsets_of_turn, turns};
use crate::memory::{Buffer, try_with_capacity};
use crate::model::Result;

/// Shorter runs are copied into a buffer: the system's work for a part is that of copying about as many
/// bytes.
pub(super) const MIN_PART: usize = 1 << 10;
/// Bytes of that buffer.
const STAGING: usize = 1 << 20;
/// A write of so many bytes is large enough.
const MAX_BYTES: u64 = 8 << 20;

/// Writes runs of a file in their order. Its memory does not depend on how many these are.
pub(super) struct GatherWriter<'a> {
    output: &'a OutputFile,
    name: &'a str,
    parts: Vec<MemoryPart>,
    staging: Buffer,
    /// Bytes of the staging buffer that are taken.
    staged: usize,
    /// Where the parts go in the file, and how long they are together.
    first_byte: u64,
    length: u64,
}

impl<'a> GatherWriter<'a> {
    pub(super) fn new(output: &'a OutputFile, name: &'a str) -> Result<Self> {
        let (parts, staging) = (try_with_capacity(MAX_PARTS)?, Buffer::new(STAGING)?);
        Ok(Self { output, name, parts, staging, staged: 0, first_byte: 0, length: 0 })
    }

    /// Writes all that copies have in memory to where they have it in the file.
    ///
    /// # Safety
    ///
    /// The bytes in memory may be read, and nothing writes them meanwhile.
    pub(super) unsafe fn write(&mut self, copies: &FileCopies) -> Result<()> {
        let mut runs = try_with_capacity(copies.copies.len())?;
        let loops = |copy: &FileCopy| copies.loops.get(copy.loops.clone()).unwrap_or(&[]);
        // Where the next run of each copy goes, which copy and which turn of its loops that is.
        for (number, copy) in copies.copies.iter().enumerate() {
            runs.push(Reverse((copy.first_byte, number, 0usize)));
        }
        let mut runs = BinaryHeap::from(runs);
        while let Some(mut first) = runs.peek_mut() {
            let Reverse((offset, number, turn)) = *first;
            let Some(copy) = copies.copies.get(number) else { break };
            let (own, next) = (loops(copy), turn.saturating_add(1));
            let (in_memory, _) = offsets_of_turn(own, turn);
            if next == turns(own) {
                PeekMut::pop(first);
            } else {
                let (_, in_file) = offsets_of_turn(own, next);
                let offset = copy.first_byte.saturating_add_signed(in_file as i64);
                *first = Reverse((offset, number, next));
                drop(first);
            }
            let from = copy.destination.wrapping_offset(in_memory).cast_const();
            // SAFETY: `from` is the start of a run of `copy`, and the contract of `write` covers
            // all runs.
            unsafe { self.push(offset, from, copy.run) }?;
        }
        // SAFETY: the contract of `write` is that of `flush`: all runs that were pushed may be
        // read.
        unsafe { self.flush() }
    }

    /// Adds a run, and writes those before it if it can't be written with them.
    ///
    /// # Safety
    ///
    /// As [`Self::write`], for this run and those before it.
    unsafe fn push(&mut self, offset: u64, first: *const u8, length: usize) -> Result<()> {
        let is_short = length < MIN_PART;
        let is_full = self.parts.len() == MAX_PARTS
            || self.length >= MAX_BYTES
            || (is_short && STAGING.saturating_sub(self.staged) < length);
        if is_full || offset != self.first_byte.saturating_add(self.length) {
            // SAFETY: the contract of `push` covers the runs before this one too, and `flush` reads
            // those.
            unsafe { self.flush() }?;
            self.first_byte = offset;
        }
        let mut from = first;
        if is_short {
            let place = self.staging.as_ptr().wrapping_add(self.staged);
            // SAFETY: `place` has room for `length` bytes, for the run is short and the buffer was
            // flushed where it had less. The buffer is this writer's own, and the contract of
            // `push` covers the bytes at `first`.
            unsafe { place.copy_from_nonoverlapping(first, length) };
            self.staged = self.staged.saturating_add(length);
            from = place.cast_const();
        }
        self.length = self.length.saturating_add(length as u64);
        match self.parts.last_mut() {
            Some(last) if last.first.wrapping_add(last.length) == from => {
                last.length = last.length.saturating_add(length);
            }
            // There is room: what was full is written.
            _ => self.parts.push(MemoryPart { first: from, length }),
        }
        Ok(())
    }

    /// # Safety
    ///
    /// As [`Self::write`], for all runs that were added.
    unsafe fn flush(&mut self) -> Result<()> {
        // SAFETY: the contract of `flush` covers the runs among `parts`; all others are bytes of
        // this writer's own buffer.
        unsafe { self.output.write_parts(self.name, self.first_byte, &self.parts) }?;
        self.parts.clear();
        (self.staged, self.length) = (0, 0);
        Ok(())
    }
}
