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
use super::pipeline::{Copies, Transfer};
use super::schedule::{Direction, Piece, Pieces};
use super::{Communicator, check_rank};
use crate::comm::CommError;
use crate::memory::{Shared, try_box, try_collect};
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::{DataType, Error, Result};
use crate::transfer::{HeldShards, HostView, Passed, check_full};

/// A tensor and its shards as one rank sees them: it may have the tensor, and has its own shards.
pub(super) struct Whole<'a> {
    metadata: &'a ShardedTensorMetadata,
    owners: Owners<'a>,
    rank: usize,
    size: usize,
    /// On the ranks that have the tensor.
    full: Option<HostView>,
    held: Shared<HeldShards<'a>>,
}

/// Which ranks have the tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
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
    pub(super) fn new<E: From<Error>>(
        comm: &dyn Communicator, metadata: &'a ShardedTensorMetadata, root: Root,
        full: Option<HostView>, count: usize,
        shard: impl Fn(usize, usize) -> std::result::Result<HostView, E>,
    ) -> std::result::Result<Self, E> {
        let (rank, size) = (comm.rank(), comm.size());
        if let Root::One(argument, root) = root {
            check_rank(argument, root, size)?;
        }
        let owners = Owners::new(metadata, size)?;
        let full = if root.ranks(size).contains(&rank) {
            Some(checked_full(metadata, root, rank, full)?)
        } else {
            None
        };
        let dtype = full.map(|full| full.dtype());
        let held = HeldShards::new(
            metadata,
            owners.shards_of(rank)?,
            Passed { views: "shards", count: ("shard_count", count) },
            shard,
            dtype,
        )?;
        let held = Shared::try_new(held).map_err(Error::from)?;
        Ok(Self { metadata, owners, rank, size, full, held })
    }

    /// The element type, if this rank has buffers or the metadata states it.
    pub(super) fn dtype(&self) -> Option<DataType> {
        self.held.dtype()
    }

    /// From the tensor to the shards. Refuses shards that share memory with it or with each other.
    pub(super) fn to_shards(&self, root: Root) -> Result<Transfer<'a>> {
        self.held.check_as_destinations(self.full.as_ref())?;
        Ok(Transfer {
            sends: self.others_parts(Direction::Sends)?,
            receives: self.own_shards(root, Direction::Receives)?,
            copies: self.own_parts(|part, shard| (part, shard))?,
            itemsize: self.held.itemsize(),
        })
    }

    /// From the shards to the tensor. Refuses a tensor that shares memory with a shard or itself.
    pub(super) fn to_full(&self, root: Root) -> Result<Transfer<'a>> {
        if let Some(full) = &self.full {
            self.held.check_as_sources(full)?;
        }
        Ok(Transfer {
            sends: self.own_shards(root, Direction::Sends)?,
            receives: self.others_parts(Direction::Receives)?,
            copies: self.own_parts(|part, shard| (shard, part))?,
            itemsize: self.held.itemsize(),
        })
    }

    /// The parts of the tensor that are shards of other ranks, if this rank has the tensor.
    fn others_parts(&self, direction: Direction) -> Result<Pieces<'a>> {
        let Some(full) = self.full else {
            return Ok(Pieces::none());
        };
        let shards =
            self.metadata.shards().iter().enumerate().filter(|(_, shard)| !shard.is_empty());
        let owned = shards.map(|(number, _)| Piece { peer: self.owners.rank_of(number), number });
        let others = try_collect(owned.filter(|piece| piece.peer != self.rank))?;
        let (order, part) = (|piece: &Piece| piece.number, part_of(full, self.metadata));
        Pieces::new(self.rank, self.size, direction, others, order, part)
    }

    /// This rank's shards, to or from each of the other ranks that have the tensor.
    fn own_shards(&self, root: Root, direction: Direction) -> Result<Pieces<'a>> {
        let held = self.held.clone();
        let peers = root.ranks(self.size).filter(|&peer| peer != self.rank);
        let own = self.own()?;
        let pieces = peers.flat_map(|peer| own.iter().map(move |&number| Piece { peer, number }));
        let (order, view) = (|piece: &Piece| piece.number, move |number| held.view(number));
        Pieces::new(self.rank, self.size, direction, try_collect(pieces)?, order, view)
    }

    /// This rank's shards and the parts of the tensor that they are, if this rank has the tensor.
    fn own_parts(
        &self, pair: impl Fn(HostView, HostView) -> (HostView, HostView) + Sync + 'a,
    ) -> Result<Copies<'a>> {
        let Some(full) = self.full else {
            return Ok(Copies::none());
        };
        let (own, held, part) = (self.own()?, self.held.clone(), part_of(full, self.metadata));
        let count = own.len();
        let copy = move |copy: usize| {
            let number = own[copy];
            pair(part(held.indices()[number]), held.view(number))
        };
        Ok(Copies { count, pair: try_box(copy)? })
    }

    /// This rank's shards that have elements, by their numbers among its own.
    fn own(&self) -> Result<Vec<usize>> {
        let all = 0..self.held.len();
        Ok(try_collect(all.filter(|&number| !self.held.view(number).is_empty()))?)
    }
}

/// The parts of a tensor that its shards are, by their indices.
fn part_of(
    full: HostView, metadata: &ShardedTensorMetadata,
) -> impl Fn(usize) -> HostView + Sync + '_ {
    let (shards, ndim) = (metadata.shards(), metadata.ndim());
    move |index| {
        let row = index * ndim..(index + 1) * ndim;
        full.sub_box(&shards.offsets()[row.clone()], &shards.sizes()[row])
    }
}

/// The tensor on a rank that must have it.
fn checked_full(
    metadata: &ShardedTensorMetadata, root: Root, rank: usize, full: Option<HostView>,
) -> Result<HostView> {
    let role = match root {
        Root::One(argument, _) => Some(argument),
        Root::All => None,
    };
    let full = full.ok_or(Error::Comm(CommError::NoFull { role, rank }))?;
    check_full(metadata, &full)?;
    Ok(full)
}

/// How metadata are told from others in words.
pub(super) struct Words<'a>(pub(super) &'a ShardedTensorMetadata);

impl Display for Words<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} shards of {:?}", self.0.shards().len(), self.0.sizes())
    }
}
