//! Between a whole tensor and its shards: what [`shard()`](super::shard()) and
//! [`gather()`](super::gather()) have in common.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "shards are those of the metadata and of this rank, and rows of their own flat arrays"
)]

use std::fmt::{self, Display, Formatter};
use std::ops::Range;

use super::owners::Owners;
use super::pipeline::{LocalPairs, Workload};
use super::schedule::{Direction, PeerPiece, PeerPieces};
use super::{Communicator, check_rank};
use crate::comm::CommError;
use crate::memory::{Shared, try_box, try_collect};
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::{DataType, Error, Result};
use crate::transfer::{HostView, LocalShards, Side, check_aliases, check_full};

/// A tensor and its shards as one rank sees them: it may have the tensor, and has its own shards.
pub(super) struct Whole<'a> {
    metadata: &'a ShardedTensorMetadata,
    owners: Owners<'a>,
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
    /// This rank's part in a collective. The tensor is not looked at on ranks other than `root`.
    pub(super) fn new(
        comm: &dyn Communicator, metadata: &'a ShardedTensorMetadata, root: Root,
        full: Option<HostView>, shards: LocalShards,
    ) -> Result<Self> {
        let (rank, size) = (comm.rank(), comm.size());
        let full = full_tensor(comm, metadata, root, full)?;
        let owners = Owners::new(metadata, size)?;
        owners.check_own(rank, &shards)?;
        let stated = full.map(|full| full.dtype()).or(metadata.properties().dtype);
        stated.map_or(Ok(()), |dtype| shards.check_dtype(dtype))?;
        let dtype = stated.or(shards.dtype());
        Ok(Self { metadata, owners, rank, size, full, shards: Shared::try_new(shards)?, dtype })
    }

    /// The element type, if this rank has buffers or the metadata states it.
    pub(super) fn dtype(&self) -> Option<DataType> {
        self.dtype
    }

    /// From the tensor to the shards. Refuses shards that share memory with it or with each other.
    pub(super) fn to_shards(&self, root: Root) -> Result<Workload<'a>> {
        check_aliases(Side::Shards(&self.shards), Side::maybe_full(&self.full))?;
        Ok(Workload {
            sends: self.others_parts(Direction::Sends)?,
            receives: self.own_shards(root, Direction::Receives)?,
            copies: self.own_parts(|part, shard| (part, shard))?,
        })
    }

    /// From the shards to the tensor. Refuses a tensor that shares memory with a shard or itself.
    pub(super) fn to_full(&self, root: Root) -> Result<Workload<'a>> {
        check_aliases(Side::maybe_full(&self.full), Side::Shards(&self.shards))?;
        Ok(Workload {
            sends: self.own_shards(root, Direction::Sends)?,
            receives: self.others_parts(Direction::Receives)?,
            copies: self.own_parts(|part, shard| (shard, part))?,
        })
    }

    /// The parts of the tensor that are shards of other ranks, if this rank has the tensor.
    fn others_parts(&self, direction: Direction) -> Result<PeerPieces<'a>> {
        let Some(full) = self.full else {
            return Ok(PeerPieces::none());
        };
        let shards =
            self.metadata.shards().iter().enumerate().filter(|(_, shard)| !shard.is_empty());
        let owned =
            shards.map(|(number, _)| PeerPiece { peer: self.owners.rank_of(number), number });
        let others = try_collect(owned.filter(|piece| piece.peer != self.rank))?;
        let (order, part) = (|piece: &PeerPiece| piece.number, part_of(full, self.metadata));
        PeerPieces::new(self.rank, self.size, direction, others, order, part)
    }

    /// This rank's shards, to or from each of the other ranks that have the tensor.
    fn own_shards(&self, root: Root, direction: Direction) -> Result<PeerPieces<'a>> {
        let shards = self.shards.clone();
        let peers = root.ranks(self.size).filter(|&peer| peer != self.rank);
        let own = self.own()?;
        let pieces =
            peers.flat_map(|peer| own.iter().map(move |&number| PeerPiece { peer, number }));
        let (order, view) = (|piece: &PeerPiece| piece.number, move |number| shards.view(number));
        PeerPieces::new(self.rank, self.size, direction, try_collect(pieces)?, order, view)
    }

    /// This rank's shards and the parts of the tensor that they are, if this rank has the tensor.
    fn own_parts(
        &self, pair: impl Fn(HostView, HostView) -> (HostView, HostView) + Sync + 'a,
    ) -> Result<LocalPairs<'a>> {
        let Some(full) = self.full else {
            return Ok(LocalPairs::none());
        };
        let (own, shards) = (self.own()?, self.shards.clone());
        let part = part_of(full, self.metadata);
        let count = own.len();
        let copy = move |copy: usize| {
            let number = own[copy];
            pair(part(shards.index(number)), shards.view(number))
        };
        Ok(LocalPairs { count, pair: try_box(copy)? })
    }

    /// This rank's shards that have elements, by their numbers among its own.
    fn own(&self) -> Result<Vec<usize>> {
        let all = 0..self.shards.len();
        Ok(try_collect(all.filter(|&number| !self.shards.get(number).is_empty()))?)
    }
}

/// The parts of a tensor that its shards are, by their indices.
fn part_of(
    full: HostView, metadata: &ShardedTensorMetadata,
) -> impl Fn(usize) -> HostView + Sync + '_ {
    move |index| metadata.shards().get(index).map_or(HostView::EMPTY, |shard| full.part(shard))
}

/// The tensor on a rank that must have it; none on others. Refuses a root that is none, and a tensor that
/// is missing or not the one that the metadata is about.
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
    if !root.ranks(size).contains(&rank) {
        return Ok(None);
    }
    let full = full.ok_or(Error::Comm(CommError::NoFull { role, rank }))?;
    check_full(metadata, &full)?;
    Ok(Some(full))
}

/// How metadata are told from others in words.
pub(super) struct Words<'a>(pub(super) &'a ShardedTensorMetadata);

impl Display for Words<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} shards of {:?}", self.0.shards().len(), self.0.sizes())
    }
}
