//! Memory for messages that are packed and unpacked.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "rounds take turns in as many places as there are, and bytes fit an address space"
)]

use super::schedule::{Content, Direction, PlacedPieces};
use crate::model::{Error, Result};
use crate::transfer::{Buffer, CopyList, STRIDE_ROOM, ViewRef};

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

/// The place of a message: that of its box if it is contiguous, and else in staging memory. Then `list`
/// has the copies between each box and its packed place.
pub(super) fn lay_out(
    pieces: PlacedPieces<'_>, content: Content, staging: &mut BumpAllocator<'_>,
    list: &mut CopyList, unpacks: bool,
) -> Result<(*mut u8, usize)> {
    let mut pack = |view: ViewRef<'_>| {
        let bytes = view.bytes();
        let place = staging.allocate(bytes)?;
        list.push_packed(view, place, unpacks)?;
        Ok::<_, Error>((place, bytes))
    };
    match content {
        Content::One(view) if view.is_row_major() => Ok((view.first(), view.bytes())),
        Content::One(view) => pack(view.by_ref()),
        Content::Several(several) => {
            let mut room = STRIDE_ROOM;
            let (start, mut bytes) = pack(pieces.view(several.start, &mut room))?;
            for at in several.skip(1) {
                bytes += pack(pieces.view(at, &mut room))?.1;
            }
            Ok((start, bytes))
        }
    }
}
