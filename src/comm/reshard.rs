//! From the shards of one layout to those of another, each piece straight from the rank that has it
//! to the rank that wants it.

#![allow(
    clippy::unwrap_used,
    reason = "pieces are asked for by numbers below their plan's length, and shards are those held"
)]

use super::agree::Reason;
use super::owners::Owners;
use super::pipeline::{Copies, Transfer};
use super::schedule::{Direction, Piece, Pieces};
use super::transfer::{Prepared, carry_out};
use super::whole::Words;
use super::{Communicator, Options};
use crate::memory::{Shared, try_box, try_collect};
use crate::model::{Error, Result, ShardedTensorMetadata};
use crate::plan::{self, ReshardPlan};
use crate::transfer::{HeldShards, HostView, Passed};

/// What a rank brings to [`reshard()`].
#[derive(Debug, Clone, Copy)]
pub struct Reshard<'a, V, W> {
    /// How the tensor is cut: the same on all ranks.
    pub source: &'a ShardedTensorMetadata,
    /// How many of those shards this rank has, as the caller counts them.
    pub source_count: usize,
    /// Each of them, by its number among those of this rank and its index in the metadata, or why
    /// there is none.
    pub source_shard: V,
    /// How the tensor is to be cut: the same on all ranks.
    pub destination: &'a ShardedTensorMetadata,
    /// How many of those shards this rank gets, as the caller counts them.
    pub destination_count: usize,
    /// Where each of them goes, or why nowhere.
    pub destination_shard: W,
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
pub unsafe fn reshard<E: Reason, V, W>(
    comm: &dyn Communicator, mine: Reshard<'_, V, W>,
) -> std::result::Result<(), E>
where
    V: Fn(usize, usize) -> std::result::Result<HostView, E>,
    W: Fn(usize, usize) -> std::result::Result<HostView, E>,
{
    // SAFETY: the caller's promise is passed on.
    unsafe { carry_out(comm, prepare(comm, mine)) }
}

fn prepare<'a, E: Reason, V, W>(
    comm: &dyn Communicator, mine: Reshard<'a, V, W>,
) -> std::result::Result<Prepared<'a>, E>
where
    V: Fn(usize, usize) -> std::result::Result<HostView, E>,
    W: Fn(usize, usize) -> std::result::Result<HostView, E>,
{
    let Reshard {
        source,
        source_count,
        source_shard,
        destination,
        destination_count,
        destination_shard,
        options,
    } = mine;
    let (rank, size) = (comm.rank(), comm.size());
    let (sources, destinations) = (Owners::new(source, size)?, Owners::new(destination, size)?);
    let (source_own, destination_own) = (sources.shards_of(rank)?, destinations.shards_of(rank)?);
    let passed = Passed { views: "source_shards", count: ("source_shard_count", source_count) };
    let have = HeldShards::new(source, source_own, passed, source_shard, None)?;
    let passed = Passed {
        views: "destination_shards",
        count: ("destination_shard_count", destination_count),
    };
    let want =
        HeldShards::new(destination, destination_own, passed, destination_shard, have.dtype())?;
    want.check_with_sources(&have)?;
    // What comes to this rank, and the same question the other way round: what it has for others.
    let incoming = ReshardPlan::for_destinations(source, destination, want.indices())?;
    let outgoing = ReshardPlan::for_destinations(destination, source, have.indices())?;
    let (digest, dtype) = ([source.hash_value(), destination.hash_value()], want.dtype());
    let moves = Moves {
        rank,
        size,
        sources,
        destinations,
        have: Shared::try_new(have).map_err(Error::from)?,
        want: Shared::try_new(want).map_err(Error::from)?,
        incoming: Shared::try_new(incoming).map_err(Error::from)?,
        outgoing: Shared::try_new(outgoing).map_err(Error::from)?,
    };
    let call = format_args!("reshard({} to {} shards)", Words(source), destination.shards().len());
    Ok(Prepared::new(call, &digest, dtype, moves.transfer()?, options)?)
}

/// One rank's part.
struct Moves<'a> {
    rank: usize,
    size: usize,
    sources: Owners<'a>,
    destinations: Owners<'a>,
    have: Shared<HeldShards<'a>>,
    want: Shared<HeldShards<'a>>,
    incoming: Shared<ReshardPlan>,
    outgoing: Shared<ReshardPlan>,
}

impl<'a> Moves<'a> {
    /// Both ends of a message have its pieces in the order of their source shards, and then of their
    /// destination shards.
    fn transfer(&self) -> Result<Transfer<'a>> {
        let (rank, size, itemsize) = (self.rank, self.size, self.want.itemsize());
        // Here sources and destinations have changed places, so the order of the plan is that order.
        let sends = self.outgoing.pieces().enumerate().filter_map(|(number, piece)| {
            let peer = self.destinations.rank_of(piece.source);
            (peer != rank).then_some(Piece { peer, number })
        });
        let (sends, plan, have) = (try_collect(sends)?, self.outgoing.clone(), self.have.clone());
        let order = |piece: &Piece| piece.number;
        let view = move |number| into(&have, &plan.piece(number).unwrap());
        let sends = Pieces::new(rank, size, Direction::Sends, sends, order, view)?;

        let peer_of = |number| self.sources.rank_of(self.incoming.piece(number).unwrap().source);
        let pieces = (0..self.incoming.len()).map(|number| Piece { peer: peer_of(number), number });
        let receives = try_collect(pieces.clone().filter(|piece| piece.peer != rank))?;
        let own = pieces.filter(|piece| piece.peer == rank).map(|piece| piece.number);
        let copies = self.copies(try_collect(own)?)?;
        let order = |piece: &Piece| {
            let (number, piece) = (piece.number, self.incoming.piece(piece.number).unwrap());
            (piece.source, piece.destination, number)
        };
        let (plan, want) = (self.incoming.clone(), self.want.clone());
        let view = move |number| into(&want, &plan.piece(number).unwrap());
        let receives = Pieces::new(rank, size, Direction::Receives, receives, order, view)?;
        Ok(Transfer { sends, receives, copies, itemsize })
    }

    /// What stays on this rank.
    fn copies(&self, own: Vec<usize>) -> Result<Copies<'a>> {
        let (plan, have, want) = (self.incoming.clone(), self.have.clone(), self.want.clone());
        let count = own.len();
        let pair = move |copy: usize| {
            let piece = plan.piece(*own.get(copy).unwrap()).unwrap();
            let from = have.view(have.number_of(piece.source).unwrap());
            (from.window(&piece.source_window), into(&want, &piece))
        };
        Ok(Copies { count, pair: try_box(pair)? })
    }
}

/// The part of a held shard that a piece of a plan is, where it is the plan's destination.
fn into(held: &HeldShards<'_>, piece: &plan::Piece<'_>) -> HostView {
    let shard = held.view(held.number_of(piece.destination).unwrap());
    shard.window(&piece.destination_window)
}
