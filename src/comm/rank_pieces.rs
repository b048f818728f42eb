//! The pieces of a tensor that one rank sends, receives and keeps, whatever its buffers are.

use super::move_plans::MovePlans;
use super::owners::RankShards;
use super::schedule::PeerPiece;
use crate::memory::{Memory, TryVec, try_collect};
use crate::plan::{Piece, ReshardPlan};
use crate::transfer::LocalShards;

/// A piece of a plan, as one rank sees it.
#[derive(Debug, Clone, Copy)]
struct RankPiece {
    /// The other rank.
    peer: usize,
    /// The number of the piece in the plan.
    number: usize,
    elements: usize,
}

/// The pieces of one rank.
///
/// Both ends of a message have its pieces in the order of their source shards, then of their destination
/// shards, and then as in the plan.
#[derive(Debug)]
pub(super) struct RankPieces {
    sends: Vec<RankPiece>,
    receives: Vec<RankPiece>,
    copies: Vec<RankPiece>,
}

impl RankPieces {
    /// The pieces of rank `rank` in its plans.
    pub(super) fn new(
        rank: usize, plans: &MovePlans, sources: &RankShards, destinations: &RankShards,
    ) -> Memory<Self> {
        let (mut receives, mut copies) = (Vec::new(), Vec::new());
        for &shard in destinations.own() {
            let numbers = plans.incoming.pieces_into(shard);
            for (number, piece) in numbers.clone().zip(plans.incoming.pieces_in(numbers)) {
                let peer = sources.rank_of(piece.source);
                let list = if peer == rank { &mut copies } else { &mut receives };
                list.try_push(RankPiece::of(peer, number, &piece))?;
            }
        }
        sort(&plans.incoming, &mut receives);
        let plan = plans.outgoing();
        let own = plan.pieces().enumerate();
        let own = own.filter(|(_, piece)| sources.rank_of(piece.source) == rank);
        let own = own.map(|(number, piece)| {
            RankPiece::of(destinations.rank_of(piece.destination), number, &piece)
        });
        let mut sends = try_collect(own.filter(|piece| piece.peer != rank))?;
        sort(plan, &mut sends);
        Ok(Self { sends, receives, copies })
    }

    /// Adds the pieces that this rank sends, where they are in these shards.
    pub(super) fn push_sends(
        &self, tensor: usize, source: &LocalShards, list: &mut Vec<PeerPiece>,
    ) -> Memory<()> {
        list.try_extend(of_tensor(&self.sends, tensor, source))
    }

    /// Adds the pieces that this rank receives, and those that stay on it.
    pub(super) fn push_receives(
        &self, tensor: usize, destination: &LocalShards, list: &mut Vec<PeerPiece>,
        copies: &mut Vec<PeerPiece>,
    ) -> Memory<()> {
        list.try_extend(of_tensor(&self.receives, tensor, destination))?;
        copies.try_extend(of_tensor(&self.copies, tensor, destination))
    }
}

impl RankPiece {
    fn of(peer: usize, number: usize, piece: &Piece<'_>) -> Self {
        Self { peer, number, elements: piece.elements() }
    }
}

fn sort(plan: &ReshardPlan, pieces: &mut [RankPiece]) {
    pieces.sort_unstable_by_key(|piece| {
        let plan_piece = plan.piece(piece.number);
        (plan_piece.map(|it| (it.source, it.destination)), piece.number)
    });
}

/// The pieces of a tensor with their bytes in such shards.
fn of_tensor(
    pieces: &[RankPiece], tensor: usize, shards: &LocalShards,
) -> impl ExactSizeIterator<Item = PeerPiece> {
    pieces.iter().map(move |&RankPiece { peer, number, elements }| {
        let bytes = shards.bytes_of(elements);
        PeerPiece { peer, tensor, number, bytes }
    })
}
