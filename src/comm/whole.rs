//! Between a whole tensor and its shards: what [`shard()`](super::shard()) and
//! [`gather()`](super::gather()) have in common.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "shards are those of the metadata and of this rank, and rows of their own flat arrays"
)]

use std::fmt::{self, Display, Formatter};
use std::ops::Range;

use super::mover::{Buffers, Workload};
use super::owners::{RankShards, ShardRanks, node_placed};
use super::schedule::{Direction, PeerPiece, PeerPieces, Views};
use super::{Communicator, check_rank};
use crate::comm::CommError;
use crate::memory::{Shared, TryVec, try_box, try_collect};
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::{DataType, Error, Placement, Result, Shards};
use crate::plan::{NodeOf, ReshardPlan, Window};
use crate::transfer::{
    CopyList, FullSide, HostView, LocalShards, Side, StrideRoom, ViewRef, check_aliases, check_full,
};

/// A tensor and its shards as one rank sees them: it may have the tensor, and has its own shards.
pub(super) struct Whole<'a> {
    metadata: &'a ShardedTensorMetadata,
    owners: RankShards,
    rank: usize,
    size: usize,
    /// On the ranks that have the tensor.
    full: Option<HostView>,
    shards: Shared<LocalShards>,
    dtype: Option<DataType>,
}

/// Which ranks have the tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// This one; the name is that of the argument.
    One(&'static str, usize),
    /// Each.
    All,
}

impl Root {
    fn ranks(self, size: usize) -> Range<usize> {
        match self {
            Self::One(_, rank) => rank..rank + 1,
            Self::All => 0..size,
        }
    }
}

impl<'a> Whole<'a> {
    /// This rank's part in a collective. The tensor is ignored on ranks other than `root`.
    pub(super) fn new(
        comm: &dyn Communicator, metadata: &'a ShardedTensorMetadata, root: Root,
        full: Option<HostView>, shards: Shared<LocalShards>,
    ) -> Result<Self> {
        metadata.check_movable()?;
        let (rank, size) = (comm.rank(), comm.size());
        let full = full_tensor(comm, metadata, root, full)?;
        let owners = RankShards::of(comm, metadata.shared_shards())?;
        owners.check(comm, &shards)?;
        let stated = full.map(|full| full.dtype()).or(metadata.properties().dtype);
        stated.map_or(Ok(()), |dtype| shards.check_dtype(dtype))?;
        let dtype = stated.or(shards.dtype());
        Ok(Self { metadata, owners, rank, size, full, shards, dtype })
    }

    /// The element type, if this rank has buffers or the metadata states it.
    pub(super) fn dtype(&self) -> Option<DataType> {
        self.dtype
    }

    /// From the tensor to the shards. Refuses shards that share memory with it or with each other.
    pub(super) fn to_shards(&self, root: Root) -> Result<(Workload, Buffers)> {
        check_aliases(Side::Shards(&self.shards), Side::maybe_full(&self.full))?;
        let parts = if self.metadata.is_plain() {
            ShardParts::Boxes(self.metadata.shared_shards().clone())
        } else {
            ShardParts::OutOf(Shared::try_new(ReshardPlan::from_whole(self.metadata, None)?)?)
        };
        let sends = self.others_parts(&parts, Direction::Sends)?;
        let receives = self.own_parts(&parts, root, Direction::Receives)?;
        let work = Workload { sends, receives, copies: self.local_pieces(&parts)? };
        let mut holes = Vec::new();
        holes.try_push(CopyList::of_holes(&self.shards)?)?;
        Ok((work, self.buffers(parts, Direction::Sends, holes)?))
    }

    /// From the shards to the tensor. Refuses a tensor that shares memory with a shard or itself. Also a
    /// number that is equal on ranks that read the same replicas.
    pub(super) fn to_full(
        &self, comm: &dyn Communicator, root: Root,
    ) -> Result<(Workload, Buffers, u64)> {
        check_aliases(Side::maybe_full(&self.full), Side::Shards(&self.shards))?;
        let mut choice = 0;
        let parts = if self.metadata.is_plain() {
            ShardParts::Boxes(self.metadata.shared_shards().clone())
        } else {
            // What the rank that gets the tensor has itself need not be sent.
            let owner = match root {
                Root::One(_, rank) => Placement::on_rank(comm.placement_rank(rank))?,
                Root::All => Placement::NONE,
            };
            let node_of = node_placed(comm);
            let node_of = node_of.as_ref().map(|node_of| node_of as NodeOf<'_>);
            let plan = ReshardPlan::to_whole_at(self.metadata, owner, node_of)?;
            choice = node_of.map_or(0, |_| plan.choice_hash());
            ShardParts::Into(Shared::try_new(plan)?)
        };
        let sends = self.own_parts(&parts, root, Direction::Sends)?;
        let receives = self.others_parts(&parts, Direction::Receives)?;
        let work = Workload { sends, receives, copies: self.local_pieces(&parts)? };
        Ok((work, self.buffers(parts, Direction::Receives, Vec::new())?, choice))
    }

    fn buffers(
        &self, parts: ShardParts, full_side: Direction, holes: Vec<CopyList>,
    ) -> Result<Buffers> {
        let full = self.full.unwrap_or(HostView::EMPTY);
        let views = WholeViews { parts, full, full_side, shards: self.shards.clone() };
        let duplicates = CopyList::new(FullSide::Source);
        Ok(Buffers { views: try_box(views)?, holes, duplicates })
    }

    /// The parts of the tensor that are of shards of other ranks, if this rank has the tensor.
    fn others_parts(&self, parts: &ShardParts, direction: Direction) -> Result<PeerPieces> {
        let count = if self.full.is_some() { parts.len() } else { 0 };
        let all = (0..count).filter_map(|number| Some((number, parts.shard_of(number)?)));
        let owned =
            all.map(|(number, shard)| self.piece(parts, self.owners.rank_of(shard), number));
        let others = try_collect(owned.filter(|piece| piece.peer != self.rank))?;
        Ok(PeerPieces::new(self.rank, self.size, direction, &others)?)
    }

    /// The parts of this rank's shards, to or from each of the other ranks that have the tensor.
    fn own_parts(
        &self, parts: &ShardParts, root: Root, direction: Direction,
    ) -> Result<PeerPieces> {
        let peers = root.ranks(self.size).filter(|&peer| peer != self.rank);
        let own = self.own(parts)?;
        let of = |peer| own.iter().map(move |&number| self.piece(parts, peer, number));
        let pieces = peers.flat_map(of);
        let pieces: Vec<_> = try_collect(pieces)?;
        Ok(PeerPieces::new(self.rank, self.size, direction, &pieces)?)
    }

    /// The parts of this rank's shards, if this rank has the tensor.
    fn local_pieces(&self, parts: &ShardParts) -> Result<Vec<PeerPiece>> {
        if self.full.is_none() {
            return Ok(Vec::new());
        }
        let own = self.own(parts)?.into_iter();
        Ok(try_collect(own.map(|number| self.piece(parts, self.rank, number)))?)
    }

    /// A part: all ranks have parts in the order of their numbers.
    fn piece(&self, parts: &ShardParts, peer: usize, number: usize) -> PeerPiece {
        // Where there is no element type, there is no element.
        let bytes = self.dtype.and_then(|dtype| dtype.storage_bytes(parts.elements_of(number)));
        PeerPiece { peer, tensor: 0, number, bytes: bytes.unwrap_or(0) }
    }

    /// The numbers of the parts of this rank's shards.
    fn own(&self, parts: &ShardParts) -> Result<Vec<usize>> {
        let is_some = |number: &usize| parts.shard_of(*number).is_some();
        if let ShardParts::Boxes(_) = parts {
            return Ok(try_collect(self.shards.indices().filter(is_some))?);
        }
        let is_own = |shard: usize| self.shards.number_of(shard).is_some();
        let all = (0..parts.len()).filter(|&number| parts.shard_of(number).is_some_and(is_own));
        Ok(try_collect(all)?)
    }
}

/// The parts in the tensor of this rank and in its shards.
struct WholeViews {
    parts: ShardParts,
    full: HostView,
    /// Where the tensor is sent, or received.
    full_side: Direction,
    shards: Shared<LocalShards>,
}

impl Views for WholeViews {
    fn view<'v>(
        &'v self, direction: Direction, piece: &PeerPiece, room: &'v mut StrideRoom,
    ) -> ViewRef<'v> {
        if direction == self.full_side {
            self.parts.in_full(&self.full, piece.number, room)
        } else {
            self.parts.in_shard(&self.shards, piece.number, room)
        }
    }

    fn pair<'v>(&'v self, piece: &PeerPiece, rooms: &'v mut [StrideRoom; 2]) -> [ViewRef<'v>; 2] {
        let [first, second] = rooms;
        [self.view(Direction::Sends, piece, first), self.view(Direction::Receives, piece, second)]
    }
}

/// The parts of a tensor that shards have, by numbers that are the same on all ranks.
#[derive(Clone)]
enum ShardParts {
    /// A box for each shard.
    Boxes(Shared<Shards>),
    /// Pieces of a plan from the whole tensor to its shards.
    OutOf(Shared<ReshardPlan>),
    /// Pieces of a plan from shards to the whole tensor.
    Into(Shared<ReshardPlan>),
}

impl ShardParts {
    fn len(&self) -> usize {
        match self {
            Self::Boxes(shards) => shards.len(),
            Self::OutOf(plan) | Self::Into(plan) => plan.len(),
        }
    }

    /// Of a piece of a plan: the shard, and where it is in that and in the tensor.
    fn piece(&self, number: usize) -> Option<(usize, Window<'_>, Window<'_>)> {
        match self {
            Self::Boxes(_) => None,
            Self::OutOf(plan) => {
                let piece = plan.piece(number)?;
                Some((piece.destination, piece.destination_window, piece.source_window))
            }
            Self::Into(plan) => {
                let piece = plan.piece(number)?;
                Some((piece.source, piece.source_window, piece.destination_window))
            }
        }
    }

    /// The shard that a part is of. `None`: there is no element.
    fn shard_of(&self, number: usize) -> Option<usize> {
        match self {
            Self::Boxes(shards) => (!shards.get(number)?.is_empty()).then_some(number),
            _ => self.piece(number).map(|(shard, ..)| shard),
        }
    }

    /// How many elements a part has.
    fn elements_of(&self, number: usize) -> u64 {
        let sizes = match self {
            Self::Boxes(shards) => shards.get(number).map(|shard| shard.sizes),
            Self::OutOf(plan) | Self::Into(plan) => plan.piece(number).map(|piece| piece.sizes),
        };
        let sizes = sizes.unwrap_or(&[0]).iter();
        sizes.fold(1, |all: u64, &size| all.saturating_mul(size.unsigned_abs()))
    }

    /// A part in the tensor.
    fn in_full<'v>(
        &'v self, full: &'v HostView, number: usize, room: &'v mut StrideRoom,
    ) -> ViewRef<'v> {
        let window = match self {
            Self::Boxes(shards) => shards.get(number).map(|shard| Window {
                offsets: shard.offsets,
                sizes: shard.sizes,
                strides: None,
            }),
            _ => self.piece(number).map(|(_, _, window)| window),
        };
        window.map_or(ViewRef::EMPTY, |window| full.by_ref().window(&window, room))
    }

    /// The same part in its shard, which is here.
    fn in_shard<'v>(
        &'v self, shards: &'v LocalShards, number: usize, room: &'v mut StrideRoom,
    ) -> ViewRef<'v> {
        let view = |shard| shards.number_of(shard).map(|own| shards.get(own));
        let part = match self.piece(number) {
            None => view(number),
            Some((shard, window, _)) => view(shard).map(|shard| shard.window(&window, room)),
        };
        part.unwrap_or(ViewRef::EMPTY)
    }
}

/// The tensor on a rank that must have it; none on others. Refuses a root that is none, shards on ranks
/// that are none, and a tensor that is missing or not the one that the metadata is about.
pub fn full_tensor(
    comm: &dyn Communicator, metadata: &ShardedTensorMetadata, root: Root, full: Option<HostView>,
) -> Result<Option<HostView>> {
    let (rank, size) = (comm.rank(), comm.size());
    let role = match root {
        Root::One(argument, root) => {
            check_rank(argument, root, size)?;
            Some(argument)
        }
        Root::All => None,
    };
    ShardRanks::of(comm, metadata.shared_shards())?;
    if !root.ranks(size).contains(&rank) {
        return Ok(None);
    }
    let full = full
        .ok_or_else(|| Error::Comm(CommError::NoFull { role, rank: comm.placement_rank(rank) }))?;
    check_full(metadata, &full)?;
    Ok(Some(full))
}

/// Metadata as text, different for different metadata.
pub(super) struct Words<'a>(pub(super) &'a ShardedTensorMetadata);

impl Display for Words<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} shards of {:?}", self.0.shards().len(), self.0.sizes())
    }
}
