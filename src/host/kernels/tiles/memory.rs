//! Memory that tiles are combined in where registers do not suffice: scratch memory, and a writer
//! for each output.

#![allow(clippy::indexing_slicing, reason = "there is a writer for each lane of a group")]

use std::mem::MaybeUninit;

use super::tile::Tile;
use crate::host::copy_list::FullSide;
use crate::host::line_writer::LineWriter;
use crate::host::simd::LineBytes;
use crate::host::tuning::{MAX_LANES, MAX_TILE_ROWS, SCRATCH};
use crate::memory::Buffer;

/// A thread's scratch memory, allocated when a tile first needs it.
#[derive(Debug, Default)]
pub(in crate::host) struct TileMemory {
    pub(super) memory: Option<Buffer>,
    refused: bool,
}

impl TileMemory {
    /// Whether there is such memory.
    pub(in crate::host::kernels) fn is_ready(&mut self) -> bool {
        if self.memory.is_none() && !self.refused {
            self.memory = Buffer::new(size_of::<Scratch>()).ok();
            self.refused = self.memory.is_none();
        }
        self.memory.is_some()
    }
}

/// The contents of that memory. Only [`Self::written`] is initialised.
#[repr(C, align(64))]
pub(super) struct Scratch {
    pub(super) bytes: [MaybeUninit<u8>; SCRATCH],
    /// One for each output of shards; the first one for rows.
    pub(super) writers: [MaybeUninit<LineWriter>; MAX_LANES],
    /// Their line buffers.
    pub(super) buffers: [MaybeUninit<LineBytes>; MAX_LANES],
    /// How many of them the present group has.
    pub(super) written: usize,
    pub(super) destinations: [MaybeUninit<*mut u8>; MAX_TILE_ROWS],
}

impl Scratch {
    /// Finishes the last group's writers, and makes those of a tile's group.
    ///
    /// # Safety
    ///
    /// The bytes in the writers' buffers may be written.
    pub(super) unsafe fn begin(&mut self, tile: &Tile) {
        // SAFETY: the contract of `begin` is that of `finish`, for the writers of the group before.
        unsafe { self.finish() };
        self.written = match tile.group.side {
            FullSide::Source => tile.count,
            FullSide::Destination => 1,
        };
        let outputs = self.writers.iter_mut().zip(&mut self.buffers);
        for ((writer, buffer), lane) in outputs.zip(&tile.lanes()[..self.written]) {
            writer.write(LineWriter::new(lane.destination_at(tile.rows.start)));
            buffer.write(LineBytes::EMPTY);
        }
    }

    /// Writes the bytes in the writers' buffers.
    ///
    /// # Safety
    ///
    /// They may be written.
    pub(super) unsafe fn finish(&mut self) {
        for (writer, buffer) in self.writers[..self.written].iter().zip(&self.buffers) {
            // SAFETY: `writer` and `buffer` are among the first that `begin` made, as many as
            // `written` says. Bytes of a buffer that were not set are not read.
            unsafe { writer.assume_init_ref().finish(buffer.assume_init_ref()) };
        }
        self.written = 0;
    }
}
