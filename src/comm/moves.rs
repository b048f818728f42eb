//! What one rank moves of one tensor, from one layout to another.

#![allow(
    clippy::indexing_slicing,
    reason = "pieces are those of a plan, and shards are those of its layouts"
)]

use super::Communicator;
use super::layouts::TensorLayouts;
use super::move_plans::MovePlans;
use super::owners::RankShards;
use super::rank_pieces::RankPieces;
use super::schedule::Direction;
use crate::model::{Error, Result};
use crate::plan::Piece;
use crate::transfer::{CopyList, LocalShards, STRIDE_ROOM, StrideRoom, ViewRef};

/// What one rank moves of a tensor, whatever its buffers are. All tensors of a batch that have the same
/// layouts share it.
#[derive(Debug)]
pub struct TensorMoves {
    layouts: TensorLayouts,
    /// Those of the layouts.
    hashes: [u64; 2],
    /// Rank and size of the communicator, and its names for ranks.
    ranks: (usize, usize, u64),
    sources: RankShards,
    destinations: RankShards,
    plans: MovePlans,
    pieces: RankPieces,
}

impl TensorMoves {
    /// The moves of the rank that calls.
    pub fn new(comm: &dyn Communicator, layouts: TensorLayouts) -> Result<Self> {
        let hashes = layouts.hashes();
        Self::hashed(comm, layouts, hashes)
    }

    /// The same, of layouts whose hashes are known.
    pub(super) fn hashed(
        comm: &dyn Communicator, layouts: TensorLayouts, hashes: [u64; 2],
    ) -> Result<Self> {
        let sources = RankShards::of(comm, layouts.source())?;
        let destinations = RankShards::of(comm, layouts.destination())?;
        let plans = MovePlans::new(comm, &layouts, &sources, &destinations)?;
        let ranks = ranks_of(comm);
        let pieces = RankPieces::new(ranks.0, &plans, &sources, &destinations)?;
        Ok(Self { layouts, hashes, ranks, sources, destinations, plans, pieces })
    }

    /// The layouts that the tensor moves between.
    pub fn layouts(&self) -> &TensorLayouts {
        &self.layouts
    }

    /// The source shards of this rank, ascending.
    pub fn own_sources(&self) -> &[usize] {
        self.sources.own()
    }

    /// The destination shards of this rank, ascending.
    pub fn own_destinations(&self) -> &[usize] {
        self.destinations.own()
    }

    /// Numbers that are equal on ranks that move a tensor alike: the hashes of the layouts, and one of
    /// the replicas that are read.
    pub(super) fn hashes(&self) -> ([u64; 2], u64) {
        (self.hashes, self.plans.choice)
    }

    /// Refuses shards that are not those of the rank that calls, and a communicator with which the moves
    /// were not planned.
    pub(super) fn check_own(
        &self, comm: &dyn Communicator, source: &LocalShards, destination: &LocalShards,
    ) -> Result<()> {
        if self.ranks != ranks_of(comm) {
            let problem =
                "the moves of the tensor were planned with another communicator; pass that";
            return Err(Error::invalid("comm", problem));
        }
        self.sources.check(comm, source)?;
        self.destinations.check(comm, destination)
    }

    /// The pieces that this rank sends, receives and keeps.
    pub(super) fn pieces(&self) -> &RankPieces {
        &self.pieces
    }

    /// Where a piece is in the source shards, or in the destination shards, of this rank.
    pub(super) fn view<'v>(
        &'v self, direction: Direction, number: usize, shards: &'v LocalShards,
        room: &'v mut StrideRoom,
    ) -> ViewRef<'v> {
        let plans = &self.plans;
        let found = match direction {
            Direction::Sends => {
                plans.outgoing().piece(number).and_then(|piece| out_of(shards, &piece, room))
            }
            Direction::Receives => {
                plans.incoming.piece(number).and_then(|piece| into(shards, &piece, room))
            }
        };
        found.unwrap_or(ViewRef::EMPTY)
    }

    /// The first bytes of the shard that a piece is in, and of the same shard among others. `None` where
    /// these have other strides or elements.
    pub(super) fn same_shards(
        &self, direction: Direction, number: usize, shards: &LocalShards, others: &LocalShards,
    ) -> Option<[*mut u8; 2]> {
        let own = if shards.len() == 1 { 0 } else { self.own_shard(direction, number, shards)? };
        shards.like(own, others)
    }

    /// The number among these of the shard that a piece is in.
    fn own_shard(
        &self, direction: Direction, number: usize, shards: &LocalShards,
    ) -> Option<usize> {
        let shard = match direction {
            Direction::Sends => self.plans.outgoing().piece(number)?.source,
            Direction::Receives => self.plans.incoming.piece(number)?.destination,
        };
        shards.number_of(shard)
    }

    /// The same of a piece that stays on this rank: the shards that it comes from, and those that it goes
    /// to.
    pub(super) fn same_pairs(
        &self, number: usize, (have, want): (&LocalShards, &LocalShards),
        (its_have, its_want): (&LocalShards, &LocalShards),
    ) -> Option<[[*mut u8; 2]; 2]> {
        let piece = self.plans.incoming.piece(number)?;
        let (from, to) = (have.number_of(piece.source)?, want.number_of(piece.destination)?);
        Some([have.like(from, its_have)?, want.like(to, its_want)?])
    }

    /// Where a piece that stays on this rank comes from, and where it goes.
    pub(super) fn pair<'v>(
        &'v self, number: usize, (have, want): (&'v LocalShards, &'v LocalShards),
        [first, second]: &'v mut [StrideRoom; 2],
    ) -> [ViewRef<'v>; 2] {
        let piece = self.plans.incoming.piece(number);
        let pair = piece.and_then(|it| Some([out_of(have, &it, first)?, into(want, &it, second)?]));
        pair.unwrap_or([ViewRef::EMPTY; 2])
    }

    /// Adds the copies between destination shards of this rank that hold the same elements.
    pub(super) fn push_duplicates(&self, want: &LocalShards, list: &mut CopyList) -> Result<()> {
        let Some(copied) = &self.plans.copied else {
            return Ok(());
        };
        let mut rooms = [STRIDE_ROOM; 2];
        for piece in want.indices().flat_map(|to| copied.pieces_in(copied.pieces_into(to))) {
            let [first, second] = &mut rooms;
            if let Some((from, to)) = out_of(want, &piece, first).zip(into(want, &piece, second)) {
                list.push_views(from, to)?;
            }
        }
        Ok(())
    }
}

/// The part of a local shard that a piece of a plan is, where it is the plan's source.
fn out_of<'v>(
    shards: &'v LocalShards, piece: &Piece<'v>, room: &'v mut StrideRoom,
) -> Option<ViewRef<'v>> {
    Some(shards.get(shards.number_of(piece.source)?).window(&piece.source_window, room))
}

/// The same, where it is the plan's destination.
fn into<'v>(
    shards: &'v LocalShards, piece: &Piece<'v>, room: &'v mut StrideRoom,
) -> Option<ViewRef<'v>> {
    Some(shards.get(shards.number_of(piece.destination)?).window(&piece.destination_window, room))
}

/// What moves depends on this of a communicator, and on its nodes.
fn ranks_of(comm: &dyn Communicator) -> (usize, usize, u64) {
    (comm.rank(), comm.size(), comm.fingerprint())
}
