//! What one rank moves of one tensor, from one layout to another.

#![allow(
    clippy::indexing_slicing,
    reason = "pieces are those of a plan, and shards are those of its layouts"
)]

use super::Communicator;
use super::owners::{ShardRanks, node_placed};
use super::schedule::{Direction, PeerPiece};
use crate::memory::{Memory, Shared, TryVec, text};
use crate::model::{DataType, Error, Result, ShardedTensorMetadata, Shards};
use crate::plan::{NodeOf, Piece, ReshardPlan};
use crate::transfer::{CopyList, LocalShards, STRIDE_ROOM, StrideRoom, ViewRef};

/// The layouts that a tensor moves between.
#[derive(Debug, Clone)]
pub enum TensorLayouts {
    /// Those of a tensor whose shards are described by metadata.
    Pair {
        /// How the tensor is cut.
        source: ShardedTensorMetadata,
        /// How it is to be cut.
        destination: ShardedTensorMetadata,
    },
    /// Those of a plan for all its destination shards.
    Plan(Shared<ReshardPlan>),
    /// Some shards of one layout, and others of it that have the same elements.
    Replicas {
        /// The layout that both are of.
        layout: ShardedTensorMetadata,
        /// The plan from the ones to the others.
        plan: Shared<ReshardPlan>,
    },
}

impl TensorLayouts {
    /// The shards that are read.
    pub fn source(&self) -> &Shared<Shards> {
        match self {
            Self::Pair { source, .. } => source.shared_shards(),
            Self::Plan(plan) | Self::Replicas { plan, .. } => plan.source(),
        }
    }

    /// The shards that are written.
    pub fn destination(&self) -> &Shared<Shards> {
        match self {
            Self::Pair { destination, .. } => destination.shared_shards(),
            Self::Plan(plan) | Self::Replicas { plan, .. } => plan.destination(),
        }
    }

    /// The element type, where the layouts state it.
    pub fn dtype(&self) -> Option<DataType> {
        match self {
            Self::Pair { source, destination } => {
                source.properties().dtype.or(destination.properties().dtype)
            }
            Self::Plan(plan) => plan.dtype(),
            Self::Replicas { layout, .. } => layout.properties().dtype,
        }
    }

    /// The sizes of the tensor, where they are known.
    pub(super) fn sizes(&self) -> Option<&[i64]> {
        match self {
            Self::Pair { source, .. } => Some(source.sizes()),
            Self::Replicas { layout, .. } => Some(layout.sizes()),
            Self::Plan(_) => None,
        }
    }

    /// Hashes that are equal on all ranks that move a tensor alike.
    pub(super) fn hashes(&self) -> [u64; 2] {
        match self {
            Self::Pair { source, destination } => [source.hash_value(), destination.hash_value()],
            // Equal lists always make equal plans.
            Self::Plan(plan) => [plan.source().fingerprint(), plan.destination().fingerprint()],
            // Who reads depends on all tensors, and is equal where these are.
            Self::Replicas { layout, .. } => [layout.hash_value(); 2],
        }
    }

    /// Whether these are known to be the same: then their plans are, too.
    pub(super) fn is_known_as(&self, other: &Self) -> bool {
        let same = |a: &ShardedTensorMetadata, b: &ShardedTensorMetadata| {
            Shared::ptr_eq(a.shared_shards(), b.shared_shards())
                && a.sizes() == b.sizes()
                && a.properties() == b.properties()
                && a.has_replicas() == b.has_replicas()
                && a.partial() == b.partial()
        };
        match (self, other) {
            (
                Self::Pair { source, destination },
                Self::Pair { source: its_source, destination: its_destination },
            ) => same(source, its_source) && same(destination, its_destination),
            (Self::Plan(plan), Self::Plan(its)) => Shared::ptr_eq(plan, its),
            _ => false,
        }
    }
}

/// What one rank moves of a tensor, whatever its buffers are.
#[derive(Debug)]
pub(super) struct TensorMoves {
    rank: usize,
    sources: ShardRanks,
    destinations: ShardRanks,
    incoming: Shared<ReshardPlan>,
    /// The pieces that this rank has for others, with sources and destinations in each other's
    /// place. `None`: the other plan is that of all ranks.
    outgoing: Option<Shared<ReshardPlan>>,
    /// The pieces that destination shards take from others of their rank in the end, as these hold the
    /// same elements and have received them.
    copied: Option<ReshardPlan>,
    /// A hash of the replicas that are read, where that depends on nodes.
    choice: u64,
}

impl TensorMoves {
    /// The moves of the rank that calls.
    pub(super) fn new(comm: &dyn Communicator, layouts: &TensorLayouts) -> Result<Self> {
        let rank = comm.rank();
        let sources = ShardRanks::of(comm, layouts.source())?;
        let destinations = ShardRanks::of(comm, layouts.destination())?;
        let (node_of, mut choice) = (node_placed(comm), 0);
        let node_of = node_of.as_ref().map(|node_of| node_of as NodeOf<'_>);
        let mut copied = None;
        // The pieces for this rank, and those that it has for others. Of replicas, who is read depends
        // on all that moves; and several pieces between two shards are in one order only in one plan.
        let (incoming, outgoing) = match layouts {
            TensorLayouts::Pair { source, destination }
                if source.is_plain() && destination.is_plain() =>
            {
                let (wanted, held) = (destinations.shards_of(rank)?, sources.shards_of(rank)?);
                let outgoing = ReshardPlan::for_destinations(destination, source, &held)?;
                let incoming = ReshardPlan::for_destinations(source, destination, &wanted)?;
                (Shared::try_new(incoming)?, Some(Shared::try_new(outgoing)?))
            }
            TensorLayouts::Pair { source, destination } => {
                let plans = ReshardPlan::received_once(source, destination, node_of)?;
                let plan = plans.received;
                copied = plans.copied;
                // Ranks that know other nodes would read other replicas.
                choice = node_of.map_or(0, |_| plan.choice_hash());
                (Shared::try_new(plan)?, None)
            }
            TensorLayouts::Plan(plan) | TensorLayouts::Replicas { plan, .. } => {
                let mut all = 0..plan.destination().len();
                if let Some(missing) = all.find(|&shard| !plan.serves(shard)) {
                    let problem = text!(
                        "it is a plan for some destination shards, without shard {missing}; pass a \
                         plan for all of them"
                    );
                    return Err(Error::invalid("plan", problem));
                }
                match plan.again_received_once()? {
                    None => (plan.clone(), None),
                    Some(plans) => {
                        copied = plans.copied;
                        (Shared::try_new(plans.received)?, None)
                    }
                }
            }
        };
        Ok(Self { rank, sources, destinations, incoming, outgoing, copied, choice })
    }

    /// A number that is equal on ranks that read the same replicas.
    pub(super) fn choice(&self) -> u64 {
        self.choice
    }

    /// Refuses shards that are not those of the rank that calls.
    pub(super) fn check_own(
        &self, comm: &dyn Communicator, source: &LocalShards, destination: &LocalShards,
    ) -> Result<()> {
        self.sources.check_own(comm, source)?;
        self.destinations.check_own(comm, destination)
    }

    /// Adds the pieces that this rank sends: both ends of a message have its pieces in the order of
    /// their source shards, then of their destination shards, and then as in the plan.
    pub(super) fn push_sends(&self, tensor: usize, list: &mut Vec<PeerPiece>) -> Memory<()> {
        let first = list.len();
        let Some(plan) = &self.outgoing else {
            for (number, piece) in self.incoming.pieces().enumerate() {
                let peer = self.destinations.rank_of(piece.destination);
                let is_own = self.sources.rank_of(piece.source) == self.rank;
                if is_own && peer != self.rank {
                    list.try_push(PeerPiece { peer, tensor, number })?;
                }
            }
            self.sort(&mut list[first..]);
            return Ok(());
        };
        // Here sources and destinations have changed places, so the order of the plan is that order.
        for (number, piece) in plan.pieces().enumerate() {
            let peer = self.destinations.rank_of(piece.source);
            if peer != self.rank {
                list.try_push(PeerPiece { peer, tensor, number })?;
            }
        }
        Ok(())
    }

    /// Adds the pieces that this rank receives, and those that stay on it.
    pub(super) fn push_receives(
        &self, tensor: usize, want: &LocalShards, list: &mut Vec<PeerPiece>,
        copies: &mut Vec<PeerPiece>,
    ) -> Memory<()> {
        let first = list.len();
        for shard in want.indices() {
            let numbers = self.incoming.pieces_into(shard);
            for (number, piece) in numbers.clone().zip(self.incoming.pieces_in(numbers)) {
                let peer = self.sources.rank_of(piece.source);
                let list = if peer == self.rank { &mut *copies } else { &mut *list };
                list.try_push(PeerPiece { peer, tensor, number })?;
            }
        }
        self.sort(&mut list[first..]);
        Ok(())
    }

    fn sort(&self, pieces: &mut [PeerPiece]) {
        pieces.sort_unstable_by_key(|piece| {
            let plan_piece = self.incoming.piece(piece.number);
            (plan_piece.map(|it| (it.source, it.destination)), piece.number)
        });
    }

    /// Where a piece is in the source shards, or in the destination shards, of this rank.
    pub(super) fn view<'v>(
        &'v self, direction: Direction, number: usize, shards: &'v LocalShards,
        room: &'v mut StrideRoom,
    ) -> ViewRef<'v> {
        let (plan, is_source) = match (direction, &self.outgoing) {
            (Direction::Sends, Some(plan)) => (plan, false),
            (Direction::Sends, None) => (&self.incoming, true),
            (Direction::Receives, _) => (&self.incoming, false),
        };
        let found = plan.piece(number).and_then(|piece| match is_source {
            true => out_of(shards, &piece, room),
            false => into(shards, &piece, room),
        });
        found.unwrap_or(ViewRef::EMPTY)
    }

    /// The same, of a piece that stays on this rank.
    pub(super) fn pair<'v>(
        &'v self, number: usize, (have, want): (&'v LocalShards, &'v LocalShards),
        [first, second]: &'v mut [StrideRoom; 2],
    ) -> [ViewRef<'v>; 2] {
        let piece = self.incoming.piece(number);
        let pair = piece.and_then(|it| Some([out_of(have, &it, first)?, into(want, &it, second)?]));
        pair.unwrap_or([ViewRef::EMPTY; 2])
    }

    /// Adds the copies between destination shards of this rank that hold the same elements.
    pub(super) fn push_duplicates(&self, want: &LocalShards, list: &mut CopyList) -> Result<()> {
        let Some(copied) = &self.copied else {
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
