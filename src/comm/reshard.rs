//! From the shards of one layout to those of another, each piece straight from the rank that has it
//! to the rank that wants it.

#![allow(
    clippy::unwrap_used,
    reason = "pieces are asked for by numbers below their plan's length, and shards are those of this rank"
)]

use super::agree::Reason;
use super::carry_out::{Prepared, carry_out};
use super::owners::Owners;
use super::pipeline::{LocalPairs, Workload};
use super::schedule::{Direction, PeerPiece, PeerPieces};
use super::whole::Words;
use super::{Communicator, Options};
use crate::memory::{Shared, try_box, try_collect};
use crate::model::{Result, ShardedTensorMetadata};
use crate::plan::{self, ReshardPlan};
use crate::transfer::{CopyList, HostView, LocalShards, Side, check_aliases};

/// What a rank brings to [`reshard()`].
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
/// The shards that are there may be read, those that are wanted may be written, and nobody else uses
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
    let (sources, destinations) = (Owners::new(source, size)?, Owners::new(destination, size)?);
    sources.check_own(rank, &have)?;
    destinations.check_own(rank, &want)?;
    let stated = source.properties().dtype.or(have.dtype()).or(destination.properties().dtype);
    let dtype = stated.or(want.dtype());
    if let Some(dtype) = dtype {
        have.check_dtype(dtype)?;
        want.check_dtype(dtype)?;
    }
    check_aliases(Side::Shards(&want), Side::Shards(&have))?;
    // What comes to this rank, and the same question the other way round: what it has for others.
    // Of replicas, who is read depends on all that moves; and several pieces between two shards are in
    // one order only in one plan.
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
    sources: Owners<'a>,
    destinations: Owners<'a>,
    have: Shared<LocalShards>,
    want: Shared<LocalShards>,
    incoming: Shared<ReshardPlan>,
    /// What this rank has for others, with sources and destinations in each other's place. `None`: the
    /// other plan is that of all ranks.
    outgoing: Option<Shared<ReshardPlan>>,
}

impl<'a> Moves<'a> {
    /// Both ends of a message have its pieces in the order of their source shards, and then of their
    /// destination shards.
    fn workload(&self) -> Result<Workload<'a>> {
        let (rank, size) = (self.rank, self.size);
        let holes = CopyList::of_holes(&self.want)?;
        let Some(outgoing) = &self.outgoing else {
            return self.workload_by_one_plan(holes);
        };
        // Here sources and destinations have changed places, so the order of the plan is that order.
        let sends = outgoing.pieces().enumerate().filter_map(|(number, piece)| {
            let peer = self.destinations.rank_of(piece.source);
            (peer != rank).then_some(PeerPiece { peer, number })
        });
        let (sends, plan, have) = (try_collect(sends)?, outgoing.clone(), self.have.clone());
        let order = |piece: &PeerPiece| piece.number;
        let view = move |number| into(&have, &plan.piece(number).unwrap());
        let sends = PeerPieces::new(rank, size, Direction::Sends, sends, order, view)?;

        let peer_of = |number| self.sources.rank_of(self.incoming.piece(number).unwrap().source);
        let pieces =
            (0..self.incoming.len()).map(|number| PeerPiece { peer: peer_of(number), number });
        let receives = try_collect(pieces.clone().filter(|piece| piece.peer != rank))?;
        let own = pieces.filter(|piece| piece.peer == rank).map(|piece| piece.number);
        let copies = self.copies(try_collect(own)?)?;
        let order = |piece: &PeerPiece| {
            let (number, piece) = (piece.number, self.incoming.piece(piece.number).unwrap());
            (piece.source, piece.destination, number)
        };
        let (plan, want) = (self.incoming.clone(), self.want.clone());
        let view = move |number| into(&want, &plan.piece(number).unwrap());
        let receives = PeerPieces::new(rank, size, Direction::Receives, receives, order, view)?;
        Ok(Workload { sends, receives, copies, holes })
    }

    /// The same by the plan of all that moves, which is the same on all ranks, and in its order.
    fn workload_by_one_plan(&self, holes: CopyList) -> Result<Workload<'a>> {
        let (rank, size, plan) = (self.rank, self.size, &self.incoming);
        let ranks = plan.pieces().map(|piece| {
            (self.sources.rank_of(piece.source), self.destinations.rank_of(piece.destination))
        });
        let ranks = try_collect(ranks)?;
        let numbered = || ranks.iter().enumerate();
        let order = |piece: &PeerPiece| piece.number;
        let sends = numbered().filter(|(_, (from, to))| *from == rank && *to != rank);
        let sends = try_collect(sends.map(|(number, &(_, peer))| PeerPiece { peer, number }))?;
        let (have, pieces) = (self.have.clone(), plan.clone());
        let view = move |number| {
            let piece = pieces.piece(number).unwrap();
            let own = have.number_of(piece.source).unwrap();
            have.view(own).window(&piece.source_window)
        };
        let sends = PeerPieces::new(rank, size, Direction::Sends, sends, order, view)?;
        let receives = numbered().filter(|(_, (from, to))| *from != rank && *to == rank);
        let receives = receives.map(|(number, &(peer, _))| PeerPiece { peer, number });
        let (want, pieces) = (self.want.clone(), plan.clone());
        let view = move |number| into(&want, &pieces.piece(number).unwrap());
        let receives = try_collect(receives)?;
        let receives = PeerPieces::new(rank, size, Direction::Receives, receives, order, view)?;
        let own = numbered().filter(|(_, (from, to))| *from == rank && *to == rank);
        let copies = self.copies(try_collect(own.map(|(number, _)| number))?)?;
        Ok(Workload { sends, receives, copies, holes })
    }

    /// What stays on this rank.
    fn copies(&self, own: Vec<usize>) -> Result<LocalPairs<'a>> {
        let (plan, have, want) = (self.incoming.clone(), self.have.clone(), self.want.clone());
        let count = own.len();
        let pair = move |copy: usize| {
            let piece = plan.piece(*own.get(copy).unwrap()).unwrap();
            let from = have.view(have.number_of(piece.source).unwrap());
            (from.window(&piece.source_window), into(&want, &piece))
        };
        Ok(LocalPairs { count, pair: try_box(pair)? })
    }
}

/// The part of a local shard that a piece of a plan is, where it is the plan's destination.
fn into(shards: &LocalShards, piece: &plan::Piece<'_>) -> HostView {
    shards.view(shards.number_of(piece.destination).unwrap()).window(&piece.destination_window)
}
