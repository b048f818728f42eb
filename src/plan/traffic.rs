//! How many elements a plan moves between shards and between ranks.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "ranges of pieces end at the number of pieces at most"
)]

use std::ops::{Deref, Range};

use super::ReshardPlan;
use super::routes::Routes;
use crate::error::Result;

impl ReshardPlan {
    /// The pieces between each two ranks, computed on first use.
    pub fn routes(&self) -> Result<impl Deref<Target = Routes>> {
        let new =
            || Routes::new(self.source.placements(), self.destination.placements(), &self.pieces);
        self.routes.get_or_make(new)
    }

    /// The traffic between each two shards, in the order of pieces: source shard, destination
    /// shard, number of elements and pieces.
    pub fn shard_traffic(&self) -> impl Iterator<Item = Result<(usize, usize, i64, Range<usize>)>> {
        let mut first = 0;
        std::iter::from_fn(move || {
            let piece = self.piece(first)?;
            let pair = self.pieces.shards_of(first);
            let same = (first..self.len()).take_while(|&next| self.pieces.shards_of(next) == pair);
            let pieces = first..first + same.count();
            first = pieces.end;
            let elements = self.pieces.numel(pieces.clone());
            Some(elements.map(|elements| (piece.source, piece.destination, elements, pieces)))
        })
    }
}
