//! Memory for messages that are packed and unpacked.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "rounds take turns in as many places as there are, and bytes fit an address space"
)]

use super::schedule::{Content, Direction, PlacedPieces};
use crate::model::{Error, Result};
use crate::transfer::{Buffer, HostView};

/// Rounds that are under way at a time: one is exchanged while another is copied.
pub(super) const ROUNDS: usize = 2;
/// Memory for messages that can't be sent or received where they are, for each of the rounds that
/// are under way at a time. The system finds pages for it when they are written.
pub(super) struct StagingMemory([RoundBuffers; ROUNDS]);

struct RoundBuffers {
    sends: Buffer,
    receives: Buffer,
}

impl StagingMemory {
    /// Memory for rounds of so many bytes in each direction.
    pub(super) fn new(sends: usize, receives: usize) -> Result<Self> {
        let buffers = || -> Result<RoundBuffers> {
            Ok(RoundBuffers { sends: Buffer::new(sends)?, receives: Buffer::new(receives)? })
        };
        Ok(Self([buffers()?, buffers()?]))
    }

    /// Bytes of one round, in both directions.
    pub(super) fn bytes_of_round(&self) -> usize {
        self.0[0].sends.len() + self.0[0].receives.len()
    }

    /// The memory of a round for one direction, from its front on.
    pub(super) fn of_round(&self, round: usize, direction: Direction) -> BumpAllocator<'_> {
        let buffers = &self.0[round % ROUNDS];
        let buffer = match direction {
            Direction::Sends => &buffers.sends,
            Direction::Receives => &buffers.receives,
        };
        BumpAllocator { buffer, used: 0 }
    }
}

/// Allocates memory of a buffer from front to back; nothing is freed.
pub(super) struct BumpAllocator<'a> {
    buffer: &'a Buffer,
    used: usize,
}

impl BumpAllocator<'_> {
    fn allocate(&mut self, bytes: usize) -> Result<*mut u8> {
        let start = self.used;
        let end = start.checked_add(bytes).filter(|&end| end <= self.buffer.len());
        let short = || Error::OutOfMemory { what: "the messages of one round", bytes };
        self.used = end.ok_or_else(short)?;
        Ok(self.buffer.as_ptr().wrapping_add(start))
    }
}

/// The place of a message: that of its box if it is contiguous, and else in staging memory. `push`
/// is called with each box and its packed place.
pub(super) fn lay_out(
    pieces: PlacedPieces<'_>, content: Content, staging: &mut BumpAllocator<'_>,
    mut push: impl FnMut(&HostView, &HostView) -> Result<()>,
) -> Result<(*mut u8, usize)> {
    let mut pack = |view: &HostView| {
        let place = staging.allocate(view.bytes())?;
        push(view, &view.row_major_at(place))?;
        Ok((place, view.bytes()))
    };
    match content {
        Content::One(view) if view.is_row_major() => Ok((view.first(), view.bytes())),
        Content::One(view) => pack(&view),
        Content::Several(several) => {
            let (start, mut bytes) = pack(&pieces.view(several.start))?;
            for at in several.skip(1) {
                bytes += pack(&pieces.view(at))?.1;
            }
            Ok((start, bytes))
        }
    }
}
