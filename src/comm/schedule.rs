//! Cutting pieces that move between ranks into messages, and the order of the messages.
//!
//! Both ends of a message work alike, without asking: a message is what the shapes and the order of
//! the pieces between two ranks make it, and the numbers that all ranks agreed on. Every message has
//! a round, and every rank goes through its rounds in the same order, so that none waits for a
//! message that the other end would send only later.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "bytes of pieces fit an address space; ranges of pieces are those of their own list"
)]

use std::ops::Range;

use super::proposals::{Agreed, Staging};
use crate::memory::{Memory, TryVec, try_box, try_filled, try_with_capacity};
use crate::transfer::{Blocks, HostView, STRIDE_ROOM, StrideRoom, ViewRef};

/// Pieces of fewer bytes share a message, and are copied for it; larger ones go alone, so
/// that those that are contiguous can be sent and received where they are.
const SMALL: usize = 64 << 10;
/// The least cost of a small piece in a message's room: bookkeeping takes memory too.
const MIN_COST: usize = 256;
/// Messages are not made smaller than this, unless the limit demands it: fewer ranks are served at a
/// time instead.
const MIN_MESSAGE: usize = 256 << 10;
/// Most ranks that are served at a time where nothing is packed.
const MAX_PEERS: usize = 256;

/// One piece that moves between this rank and another, or stays on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeerPiece {
    pub(super) peer: usize,
    /// The position of its tensor in the batch.
    pub(super) tensor: usize,
    /// The number of its view among those of its tensor.
    pub(super) number: usize,
    pub(super) bytes: usize,
}

/// Where pieces are in the buffers of this rank.
pub(super) trait Views: Send + Sync {
    /// A piece that is sent, or received.
    fn view<'v>(
        &'v self, direction: Direction, piece: &PeerPiece, room: &'v mut StrideRoom,
    ) -> ViewRef<'v>;

    /// The first bytes of the shards that two pieces are in, where both are the same part of shards of the
    /// same shape and strides: of two tensors with the same layouts. `None`: that is not known.
    fn same_shards(
        &self, direction: Direction, piece: &PeerPiece, other: &PeerPiece,
    ) -> Option<[*mut u8; 2]> {
        let _ = (direction, piece, other);
        None
    }

    /// The same of two pieces that stay on this rank: the shards that they come from, and those that they
    /// go to.
    fn same_pairs(&self, piece: &PeerPiece, other: &PeerPiece) -> Option<[[*mut u8; 2]; 2]> {
        let _ = (piece, other);
        None
    }

    /// Where a piece that stays on this rank comes from, and where it goes.
    fn pair<'v>(&'v self, piece: &PeerPiece, rooms: &'v mut [StrideRoom; 2]) -> [ViewRef<'v>; 2];
}

/// The pieces of one direction.
#[derive(Debug)]
pub(super) struct PeerPieces {
    /// In the order in which they are served, and for each peer in the order that it has as well.
    list: Vec<PeerPiece>,
    rank: usize,
    size: usize,
    direction: Direction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Sends,
    Receives,
}

impl PeerPieces {
    /// Pieces between rank `rank` of `size` and its peers, none of them empty. Both ends of a message
    /// pass the pieces that the two have in common in the same order.
    pub(super) fn new(
        rank: usize, size: usize, direction: Direction, pieces: &[PeerPiece],
    ) -> Memory<Self> {
        let stage = |piece: &PeerPiece| stage(rank, size, direction, piece.peer);
        // A stage is counted where the next one begins.
        let mut starts: Vec<usize> = try_filled(0, size + 1)?;
        pieces.iter().for_each(|piece| starts[stage(piece) + 1] += 1);
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let nothing = PeerPiece { peer: 0, tensor: 0, number: 0, bytes: 0 };
        let mut list = try_filled(nothing, pieces.len())?;
        for piece in pieces {
            let next = &mut starts[stage(piece)];
            list[*next] = *piece;
            *next += 1;
        }
        Ok(Self { list, rank, size, direction })
    }

    /// The same pieces with their buffers.
    pub(super) fn placed<'a>(&'a self, views: &'a dyn Views) -> PlacedPieces<'a> {
        PlacedPieces { pieces: self, views }
    }

    fn stage(&self, at: usize) -> usize {
        stage(self.rank, self.size, self.direction, self.list[at].peer)
    }
}

/// The pieces of one direction, and the buffers that they are in.
#[derive(Clone, Copy)]
pub(super) struct PlacedPieces<'a> {
    pieces: &'a PeerPieces,
    views: &'a dyn Views,
}

impl PlacedPieces<'_> {
    /// The view of a piece, such as one of [`Content::Several`].
    pub(super) fn view<'v>(&'v self, at: usize, room: &'v mut StrideRoom) -> ViewRef<'v> {
        self.views.view(self.pieces.direction, &self.pieces.list[at], room)
    }

    /// Bytes of a piece.
    pub(super) fn bytes(&self, at: usize) -> usize {
        self.pieces.list[at].bytes
    }

    /// The shards of a piece and of another one that is like it; see [`Views::same_shards`].
    pub(super) fn same_shards(&self, at: usize, other: usize) -> Option<[*mut u8; 2]> {
        let list = &self.pieces.list;
        self.views.same_shards(self.pieces.direction, &list[at], &list[other])
    }

    /// Bytes of all pieces, and whether any message must be packed or unpacked on this rank.
    pub(super) fn staging(&self) -> (usize, bool) {
        let (mut all, mut staged) = (0usize, false);
        let mut before: Option<(usize, usize)> = None;
        let mut room = STRIDE_ROOM;
        for (at, &PeerPiece { peer, bytes, .. }) in self.pieces.list.iter().enumerate() {
            all = all.saturating_add(bytes);
            let together = before.is_some_and(|it| it.0 == peer && it.1 < SMALL && bytes < SMALL);
            before = Some((peer, bytes));
            // One that is staged is enough: views take longer than all else here.
            staged = staged || together || {
                let view = self.view(at, &mut room);
                !view.is_row_major() || view.is_packed()
            };
        }
        (all, staged)
    }
}

/// How far the receiver of a piece is from its sender, from 1 on: the order in which peers are
/// served. In each stage every rank has one other to send to and one to receive from.
fn stage(rank: usize, size: usize, direction: Direction, peer: usize) -> usize {
    let (from, to) = match direction {
        Direction::Sends => (rank, peer),
        Direction::Receives => (peer, rank),
    };
    // A division takes longer than all else here.
    if to >= from { to - from } else { to + size - from }
}

/// The limits that messages are made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    /// Most bytes of a message.
    pub(super) message: usize,
    /// Most ranks that are served in one round.
    pub(super) peers: usize,
}

impl Terms {
    /// For what was agreed by `size` ranks.
    pub(super) fn new(agreed: &Agreed, size: usize) -> Self {
        let itemsize = agreed.itemsize.max(1);
        let Some(staged) = staged_bytes(agreed.memory_limit, agreed.staging) else {
            return Self { message: usize::MAX, peers: MAX_PEERS };
        };
        let peers = (staged / MIN_MESSAGE.max(itemsize)).clamp(1, size.max(2) - 1);
        Self { message: (staged / peers).max(itemsize), peers }
    }
}

/// Bytes for one direction of one round, of two rounds that are under way at a time; `None` where
/// nothing needs memory.
pub(super) fn staged_bytes(memory_limit: u64, staging: Staging) -> Option<usize> {
    let directions = u64::from(staging.sends) + u64::from(staging.receives);
    let staged = memory_limit.checked_div(2 * directions)?;
    Some(usize::try_from(staged).unwrap_or(usize::MAX))
}

/// The content of a message.
#[derive(Debug)]
pub(super) enum Content {
    /// One box: it may be sent or received where it is.
    One(Box<HostView>),
    /// These pieces, one behind the other.
    Several(Range<usize>),
}

/// Messages, each with the peer that it goes to or comes from.
pub(super) type ByPeer = Vec<(usize, Content)>;

/// The messages to or from one peer, in order.
struct Messages {
    peer: usize,
    pieces: Range<usize>,
    /// The rest of a piece that takes several messages.
    blocks: Option<Blocks>,
}

impl Messages {
    fn next(&mut self, pieces: &PlacedPieces<'_>, most: usize) -> Memory<Option<Content>> {
        let one = |view: HostView| Ok(Some(Content::One(try_box(view)?)));
        if let Some(block) = self.blocks.as_mut().and_then(Iterator::next) {
            return one(block);
        }
        self.blocks = None;
        let Some(first) = self.pieces.next() else {
            return Ok(None);
        };
        let mut room = STRIDE_ROOM;
        let bytes = |at: usize| pieces.bytes(at);
        if bytes(first) >= SMALL.min(most) {
            let mut blocks = Blocks::new(pieces.view(first, &mut room).into(), most);
            let block = blocks.next();
            self.blocks = Some(blocks);
            return block.map_or(Ok(None), one);
        }
        let mut left = most.saturating_sub(bytes(first).max(MIN_COST));
        while let Some(next) = self.pieces.clone().next() {
            let bytes = bytes(next);
            if bytes >= SMALL || bytes.max(MIN_COST) > left {
                break;
            }
            left -= bytes.max(MIN_COST);
            self.pieces.start = next + 1;
        }
        if self.pieces.start == first + 1 {
            return one(pieces.view(first, &mut room).into());
        }
        Ok(Some(Content::Several(first..self.pieces.start)))
    }
}

/// One direction's messages, round after round.
#[derive(Default)]
pub(super) struct Queue {
    /// The first piece of a peer whose turn has not come.
    at: usize,
    serving: Vec<Messages>,
}

impl Queue {
    /// Goes back to the first round.
    pub(super) fn restart(&mut self) {
        self.at = 0;
        self.serving.clear();
    }

    /// The group of peers that is served next: ranks go through the groups in this order.
    fn group(&self, pieces: &PeerPieces, terms: Terms) -> Option<usize> {
        (self.at < pieces.list.len()).then(|| (pieces.stage(self.at) - 1) / terms.peers)
    }

    /// Begins to serve the peers of a group, if it is the next one here.
    fn begin(&mut self, group: usize, pieces: &PeerPieces, terms: Terms) -> Memory<()> {
        while self.group(pieces, terms) == Some(group) {
            let (start, peer) = (self.at, pieces.list[self.at].peer);
            let own = pieces.list[start..].iter().take_while(|piece| piece.peer == peer);
            self.at += own.count();
            self.serving.try_push(Messages { peer, pieces: start..self.at, blocks: None })?;
        }
        Ok(())
    }

    /// The next message of each peer that is being served and has one.
    fn messages(&mut self, pieces: PlacedPieces<'_>, terms: Terms) -> Memory<ByPeer> {
        let mut messages = try_with_capacity(self.serving.len())?;
        let mut failure = Ok(());
        self.serving.retain_mut(|peer| match peer.next(&pieces, terms.message) {
            Ok(Some(content)) => {
                // There is room for all.
                messages.push((peer.peer, content));
                true
            }
            Ok(None) => false,
            Err(refused) => {
                failure = Err(refused);
                false
            }
        });
        failure.map(|()| messages)
    }
}

/// The messages of the next round in both directions, by peer; `None` after the last round.
pub(super) fn next_round(
    (sends, outgoing): (&mut Queue, PlacedPieces<'_>),
    (receives, incoming): (&mut Queue, PlacedPieces<'_>), terms: Terms,
) -> Memory<Option<[ByPeer; 2]>> {
    loop {
        let round = [sends.messages(outgoing, terms)?, receives.messages(incoming, terms)?];
        if round.iter().any(|messages| !messages.is_empty()) {
            return Ok(Some(round));
        }
        let groups = [sends.group(outgoing.pieces, terms), receives.group(incoming.pieces, terms)];
        let Some(group) = groups.into_iter().flatten().min() else {
            return Ok(None);
        };
        sends.begin(group, outgoing.pieces, terms)?;
        receives.begin(group, incoming.pieces, terms)?;
    }
}
