//! Memory for messages that are packed and unpacked.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "rounds take turns in as many places as there are, and bytes fit an address space"
)]

use super::schedule::{Content, Direction, PlacedPieces};
use crate::memory::TryVec;
use crate::model::{Error, Result};
use crate::transfer::{Buffer, CopyList, FullSide, STRIDE_ROOM, ViewRef};

/// Rounds that are under way at a time: one is exchanged while another is copied.
pub(super) const ROUNDS: usize = 2;

/// Memory for messages that can't be sent or received where they are, for each of the rounds that
/// are under way at a time. It is not initialised, and the system finds pages for it when they are
/// written: a message that is sent was packed before, all of its bytes.
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

/// The messages of one direction of a round, and the copies that pack or unpack them.
pub(super) struct MessageLayout<'a> {
    staging: BumpAllocator<'a>,
    list: CopyList,
    unpacks: bool,
    tails: Vec<*mut u8>,
    templates: Templates,
}

/// A piece that was laid out, its copy in the list and its packed place.
#[derive(Clone, Copy)]
struct Template {
    /// The piece, in the order of [`PlacedPieces`].
    at: usize,
    copy: usize,
    place: *mut u8,
}

/// The last pieces that were laid out. In a batch, most pieces are copied as one of the few before, of
/// another tensor with the same layouts.
#[derive(Default)]
struct Templates {
    recent: [Option<Template>; TEMPLATES],
    next: usize,
}

/// How many of the last pieces are compared with the next one.
const TEMPLATES: usize = 8;

impl Templates {
    /// The copy of a piece that is like this one, and the first bytes of the shards of both.
    fn of(&self, pieces: PlacedPieces<'_>, at: usize) -> Option<(Template, [*mut u8; 2])> {
        let like = |template: &Template| Some((*template, pieces.same_shards(at, template.at)?));
        self.recent.iter().flatten().find_map(like)
    }

    fn push(&mut self, template: Template) {
        self.recent[self.next % TEMPLATES] = Some(template);
        self.next = self.next.wrapping_add(1);
    }
}

impl<'a> MessageLayout<'a> {
    /// Messages in this memory. With `unpacks` they are received, else they are sent.
    pub(super) fn new(staging: BumpAllocator<'a>, unpacks: bool) -> Self {
        let side = if unpacks { FullSide::Destination } else { FullSide::Source };
        let (list, tails) = (CopyList::new(side), Vec::new());
        Self { staging, list, unpacks, tails, templates: Templates::default() }
    }

    /// The place of a message: that of its box if it is contiguous, and else in staging memory. The copies
    /// between each box and its packed place are added to the list.
    pub(super) fn message(
        &mut self, pieces: PlacedPieces<'_>, content: Content,
    ) -> Result<(*mut u8, usize)> {
        match content {
            Content::One(view) if view.is_row_major() => Ok((view.first(), view.bytes())),
            Content::One(view) => self.pack(view.by_ref()),
            Content::Several(several) => {
                let (start, mut bytes) = self.piece(pieces, several.start)?;
                for at in several.skip(1) {
                    bytes += self.piece(pieces, at)?.1;
                }
                Ok((start, bytes))
            }
        }
    }

    /// A piece that shares a message with others.
    fn piece(&mut self, pieces: PlacedPieces<'_>, at: usize) -> Result<(*mut u8, usize)> {
        if let Some((like, shards)) = self.templates.of(pieces, at) {
            let bytes = pieces.bytes(at);
            let place = self.staging.allocate(bytes)?;
            let packed = [place, like.place];
            let places = if self.unpacks { [packed, shards] } else { [shards, packed] };
            self.list.push_again(like.copy, places, bytes)?;
            return Ok((place, bytes));
        }
        let (copy, mut room) = (self.list.len(), STRIDE_ROOM);
        let view = pieces.view(at, &mut room);
        let may_be_like = !view.is_packed();
        let (place, bytes) = self.pack(view)?;
        if may_be_like && self.list.len() > copy {
            self.templates.push(Template { at, copy, place });
        }
        Ok((place, bytes))
    }

    fn pack(&mut self, view: ViewRef<'_>) -> Result<(*mut u8, usize)> {
        let bytes = view.bytes();
        let place = self.staging.allocate(bytes)?;
        if view.is_packed() && !self.unpacks && bytes > 0 {
            self.tails.try_push(place.wrapping_add(bytes - 1))?;
        }
        self.list.push_packed(view, place, self.unpacks)?;
        Ok((place, bytes))
    }

    /// The copies, and the bytes in staging memory of which these may write only some bits.
    pub(super) fn finish(self) -> (CopyList, Vec<*mut u8>) {
        (self.list, self.tails)
    }
}
