//! How much goes from whom to whom.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "numbers of placements and pieces index arrays made for them"
)]

use std::ops::{Deref, Range};

use super::ReshardPlan;
use crate::error::{Error, Result, try_with_capacity};
use crate::geometry::region::checked_numel;
use crate::memory::{self, Memory, TryVec};
use crate::model::placements::Placements;

/// What goes from one rank to another, or stays on one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The rank that is read; `None`: all owners that are no ranks.
    pub source: Option<i64>,
    /// The rank that is written; `None`: all owners that are no ranks.
    pub destination: Option<i64>,
    /// How many elements that is.
    pub elements: i64,
    /// Where its pieces are in the order of [`Routes`].
    first: usize,
    end: usize,
}

/// What goes from each rank to each other: the pieces of a plan in the order of source rank, then
/// destination rank, then as in the plan. Owners that are no ranks come first.
#[derive(Debug)]
pub struct Routes {
    routes: Vec<Route>,
    order: Vec<u32>,
}

impl Routes {
    /// All routes that something is on.
    pub fn all(&self) -> &[Route] {
        &self.routes
    }

    /// The routes from a rank.
    pub fn from(&self, source: Option<i64>) -> &[Route] {
        let start = self.routes.partition_point(|route| route.source < source);
        let end = self.routes.partition_point(|route| route.source <= source);
        &self.routes[start..end]
    }

    /// The route from one rank to another, if there is anything on it.
    pub fn between(&self, source: Option<i64>, destination: Option<i64>) -> Option<&Route> {
        let routes = self.from(source);
        let place = routes.binary_search_by_key(&destination, |route| route.destination);
        routes.get(place.ok()?)
    }

    /// The indices of a route's pieces in the plan, ascending.
    pub fn pieces(&self, route: &Route) -> &[u32] {
        &self.order[route.first..route.end]
    }

    fn new(plan: &ReshardPlan) -> Result<Self> {
        let count = plan.len();
        u32::try_from(count).map_err(|_| Error::overflow("the number of pieces of the plan"))?;
        let source_ranks = Ranks::new(plan.source().placements())?;
        let destination_ranks = Ranks::new(plan.destination().placements())?;
        let ranks_of = |piece: u32| {
            let (source, destination) = plan.pieces.shards_of(piece as usize);
            (source_ranks.of(source), destination_ranks.of(destination))
        };
        let mut order: Vec<u32> = try_with_capacity("routes", count)?;
        order.extend(0..count as u32);
        order.sort_unstable_by_key(|&piece| (ranks_of(piece), piece));
        let mut routes = Vec::new();
        let mut first = 0;
        for pieces in order.chunk_by(|&a, &b| ranks_of(a) == ranks_of(b)) {
            let (source, destination) = ranks_of(pieces[0]);
            let elements = plan.elements_of(pieces.iter().map(|&piece| piece as usize))?;
            let end = first + pieces.len();
            routes.try_push(Route { source, destination, elements, first, end })?;
            first = end;
        }
        Ok(Self { routes, order })
    }
}

/// The ranks of shards.
struct Ranks<'a> {
    placements: &'a Placements,
    /// Of each distinct placement.
    ranks: Vec<Option<i64>>,
}

impl<'a> Ranks<'a> {
    fn new(placements: &'a Placements) -> Memory<Self> {
        let ranks = placements.distinct().iter().map(|placement| placement.rank());
        Ok(Self { placements, ranks: memory::try_collect(ranks)? })
    }

    fn of(&self, shard: u32) -> Option<i64> {
        self.ranks[self.placements.indices()[shard as usize] as usize]
    }
}

impl ReshardPlan {
    /// What goes from which rank to which, made when it is first asked for.
    pub fn routes(&self) -> Result<impl Deref<Target = Routes>> {
        self.routes.get_or_make(|| Routes::new(self))
    }

    /// What goes from which source shard to which destination shard: for each such pair the two,
    /// the number of elements and the pieces. In the order of pieces.
    pub fn shard_traffic(&self) -> impl Iterator<Item = Result<(usize, usize, i64, Range<usize>)>> {
        let mut first = 0;
        std::iter::from_fn(move || {
            let piece = self.piece(first)?;
            let pair = self.pieces.shards_of(first);
            let same = (first..self.len()).take_while(|&next| self.pieces.shards_of(next) == pair);
            let pieces = first..first + same.count();
            first = pieces.end;
            let elements = self.elements_of(pieces.clone());
            Some(elements.map(|elements| (piece.source, piece.destination, elements, pieces)))
        })
    }

    /// Number of elements of some pieces.
    fn elements_of(&self, pieces: impl Iterator<Item = usize>) -> Result<i64> {
        let numel = |index| self.piece(index).and_then(|piece| checked_numel(piece.sizes));
        pieces
            .map(numel)
            .try_fold(0i64, |sum, numel| sum.checked_add(numel?))
            .ok_or_else(|| Error::overflow("the number of elements that the plan moves"))
    }
}
