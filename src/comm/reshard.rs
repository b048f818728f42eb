//! From the shards of one layout to those of another, each piece directly from the rank that owns
//! it to the rank that needs it.

#![allow(
    clippy::unwrap_used,
    reason = "pieces are asked for by numbers below their plan's length, and shards are those of this rank"
)]

use super::agree::Reason;
use super::carry_out::{Prepared, carry_out};
use super::owners::ShardRanks;
use super::pipeline::{LocalPairs, Workload};
use super::schedule::{Direction, PeerPiece, PeerPieces};
use super::whole::Words;
use super::{Communicator, Options};
use crate::memory::{Shared, try_box, try_collect};
use crate::model::{Result, ShardedTensorMetadata};
use crate::plan::{self, ReshardPlan};
use crate::transfer::{CopyList, HostView, LocalShards, Side, check_aliases};

/// The arguments of a rank to [`reshard()`].
#[derive(Debug, Clone)]
pub struct Reshard<'a> {
    /// How the tensor is cut: the same on all ranks.
    pub source: &'a ShardedTensorMetadata,
    /// This rank's shards of that: all of them.
    pub source_shards: Shared<LocalShards>,
    /// How the tensor is to be cut: the same on all ranks.
    pub destination: &'a ShardedTensorMetadata,
    /// Where this rank's shards of that go: all of them.
    pub destination_shards: Shared<LocalShards>,
    /// How to go about it.
    pub options: Options,
}

/// Moves a tensor from one layout to another. No rank ever has more of it than its own shards.
///
/// Either all ranks get an error and nothing was written anywhere, or everything moves, unless the
/// transport fails. A rank that can't bring anything takes part with [`decline`](super::decline).
///
/// # Safety
///
/// The source shards may be read, the destination shards may be written, and nothing else uses
/// either meanwhile.
pub unsafe fn reshard<E: Reason>(
    comm: &dyn Communicator, mine: Reshard<'_>,
) -> std::result::Result<(), E> {
    // SAFETY: the caller's promise is passed on.
    unsafe { carry_out(comm, prepare(comm, mine)) }
}

fn prepare<'a>(comm: &dyn Communicator, mine: Reshard<'a>) -> Result<Prepared<'a>> {
    let Reshard { source, source_shards: have, destination, destination_shards: want, options } =
        mine;
    let (rank, size) = (comm.rank(), comm.size());
    let (sources, destinations) =
        (ShardRanks::new(source, size)?, ShardRanks::new(destination, size)?);
    sources.check_own(rank, &have)?;
    destinations.check_own(rank, &want)?;
    let stated = source.properties().dtype.or(have.dtype()).or(destination.properties().dtype);
    let dtype = stated.or(want.dtype());
    if let Some(dtype) = dtype {
        have.check_dtype(dtype)?;
        want.check_dtype(dtype)?;
    }
    check_aliases(Side::Shards(&want), Side::Shards(&have))?;
    // The pieces for this rank, and those that it has for others. Of replicas, who is read depends
    // on all that moves; and several pieces between two shards are in one order only in one plan.
    let (incoming, outgoing) = if source.is_plain() && destination.is_plain() {
        let (wanted, held) = (try_collect(want.indices())?, try_collect(have.indices())?);
        let outgoing = ReshardPlan::for_destinations(destination, source, &held)?;
        let incoming = ReshardPlan::for_destinations(source, destination, &wanted)?;
        (incoming, Some(Shared::try_new(outgoing)?))
    } else {
        (ReshardPlan::new(source, destination)?, None)
    };
    let digest = [source.hash_value(), destination.hash_value()];
    let moves = Moves {
        rank,
        size,
        sources,
        destinations,
        have,
        want,
        incoming: Shared::try_new(incoming)?,
        outgoing,
    };
    let call = format_args!("reshard({} to {} shards)", Words(source), destination.shards().len());
    Prepared::new(call, &digest, dtype, moves.workload()?, options)
}

/// One rank's part.
struct Moves<'a> {
    rank: usize,
    size: usize,
    sources: ShardRanks<'a>,
    destinations: ShardRanks<'a>,
    have: Shared<LocalShards>,
    want: Shared<LocalShards>,
    incoming: Shared<ReshardPlan>,
    /// The pieces that this rank has for others, with sources and destinations in each other's
    /// place. `None`: the other plan is that of all ranks.
    outgoing: Option<Shared<ReshardPlan>>,
}

impl<'a> Moves<'a> {
    /// Both ends of a message have its pieces in the order of their source shards, then of their
    /// destination shards, and then as in the plan.
    fn workload(&self) -> Result<Workload<'a>> {
        let (rank, plan) = (self.rank, &self.incoming);
        let pieces = (0..plan.len()).filter_map(|number| {
            let piece = plan.piece(number)?;
            let is_own = self.destinations.rank_of(piece.destination) == rank;
            is_own.then(|| PeerPiece { peer: self.sources.rank_of(piece.source), number })
        });
        let own = pieces.clone().filter(|piece| piece.peer == rank).map(|piece| piece.number);
        let copies = self.copies(try_collect(own)?)?;
        let others = try_collect(pieces.filter(|piece| piece.peer != rank))?;
        let (pieces, want) = (plan.clone(), self.want.clone());
        let view = move |number| into(&want, &pieces.piece(number).unwrap());
        let order = order_in(plan);
        let receives = PeerPieces::new(rank, self.size, Direction::Receives, others, order, view)?;
        let holes = CopyList::of_holes(&self.want)?;
        Ok(Workload { sends: self.sends()?, receives, copies, holes })
    }

    /// The pieces that this rank has for others.
    fn sends(&self) -> Result<PeerPieces<'a>> {
        let (rank, size, have) = (self.rank, self.size, self.have.clone());
        let Some(outgoing) = &self.outgoing else {
            let plan = self.incoming.clone();
            let sends = plan.pieces().enumerate().filter_map(|(number, piece)| {
                let peer = self.destinations.rank_of(piece.destination);
                let is_own = self.sources.rank_of(piece.source) == rank;
                (is_own && peer != rank).then_some(PeerPiece { peer, number })
            });
            let (sends, order) = (try_collect(sends)?, order_in(&self.incoming));
            let view = move |number| out_of(&have, &plan.piece(number).unwrap());
            return PeerPieces::new(rank, size, Direction::Sends, sends, order, view);
        };
        // Here sources and destinations have changed places, so the order of the plan is that order.
        let plan = outgoing.clone();
        let sends = plan.pieces().enumerate().filter_map(|(number, piece)| {
            let peer = self.destinations.rank_of(piece.source);
            (peer != rank).then_some(PeerPiece { peer, number })
        });
        let (sends, order) = (try_collect(sends)?, |piece: &PeerPiece| piece.number);
        let view = move |number| into(&have, &plan.piece(number).unwrap());
        PeerPieces::new(rank, size, Direction::Sends, sends, order, view)
    }

    /// The pieces that stay on this rank.
    fn copies(&self, own: Vec<usize>) -> Result<LocalPairs<'a>> {
        let (plan, have, want) = (self.incoming.clone(), self.have.clone(), self.want.clone());
        let count = own.len();
        let pair = move |copy: usize| {
            let piece = plan.piece(*own.get(copy).unwrap()).unwrap();
            (out_of(&have, &piece), into(&want, &piece))
        };
        Ok(LocalPairs { count, pair: try_box(pair)? })
    }
}

/// The order of a plan's pieces in messages.
fn order_in(plan: &ReshardPlan) -> impl Fn(&PeerPiece) -> (usize, usize, usize) + '_ {
    |piece| {
        let (number, piece) = (piece.number, plan.piece(piece.number).unwrap());
        (piece.source, piece.destination, number)
    }
}

/// The part of a local shard that a piece of a plan is, where it is the plan's source.
fn out_of(shards: &LocalShards, piece: &plan::Piece<'_>) -> HostView {
    shards.view(shards.number_of(piece.source).unwrap()).window(&piece.source_window)
}

/// The same, where it is the plan's destination.
fn into(shards: &LocalShards, piece: &plan::Piece<'_>) -> HostView {
    shards.view(shards.number_of(piece.destination).unwrap()).window(&piece.destination_window)
}
