//! Routes: the pieces of a plan by source rank and destination rank.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "numbers of placements and pieces index arrays made for them"
)]

use super::pieces::Pieces;
use crate::error::{Error, Result, try_with_capacity};
use crate::memory::{self, Memory, TryVec};
use crate::model::placements::Placements;

/// The elements that move from one rank to another, or stay on one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The rank that is read; `None`: all owners that are not ranks.
    pub source: Option<i64>,
    /// The rank that is written; `None`: all owners that are not ranks.
    pub destination: Option<i64>,
    /// Number of elements.
    pub elements: i64,
    /// Where its pieces are in the order of [`Routes`].
    first: usize,
    end: usize,
}

/// The pieces of a plan in the order of source rank, then destination rank, then as in the plan. Owners
/// that are not ranks come first.
#[derive(Debug)]
pub struct Routes {
    routes: Vec<Route>,
    order: Vec<u32>,
}

impl Routes {
    /// All routes with elements.
    pub fn all(&self) -> &[Route] {
        &self.routes
    }

    /// The routes from a rank.
    pub fn from(&self, source: Option<i64>) -> &[Route] {
        let start = self.routes.partition_point(|route| route.source < source);
        let end = self.routes.partition_point(|route| route.source <= source);
        &self.routes[start..end]
    }

    /// The route from one rank to another, if it has elements.
    pub fn between(&self, source: Option<i64>, destination: Option<i64>) -> Option<&Route> {
        let routes = self.from(source);
        let place = routes.binary_search_by_key(&destination, |route| route.destination);
        routes.get(place.ok()?)
    }

    /// The indices of a route's pieces in the plan, ascending.
    pub fn pieces(&self, route: &Route) -> &[u32] {
        &self.order[route.first..route.end]
    }

    /// The routes of pieces between shards with these placements.
    pub(super) fn new(
        source: &Placements, destination: &Placements, all_pieces: &Pieces,
    ) -> Result<Self> {
        let count = all_pieces.len();
        u32::try_from(count).map_err(|_| Error::overflow("the number of pieces of the plan"))?;
        let (sources, destinations) = (Ranks::new(source)?, Ranks::new(destination)?);
        // Sorted by keys that are made once: a piece's ranks are three look-ups away.
        let mut keyed: Vec<(u64, u32)> = try_with_capacity("routes", count)?;
        keyed.extend((0..count as u32).map(|piece| {
            let (source, destination) = all_pieces.shards_of(piece as usize);
            let (source, destination) = (sources.number(source), destinations.number(destination));
            (u64::from(source) << 32 | u64::from(destination), piece)
        }));
        keyed.sort_unstable();
        let mut order: Vec<u32> = try_with_capacity("routes", count)?;
        let mut routes = Vec::new();
        for pieces in keyed.chunk_by(|a, b| a.0 == b.0) {
            let first = order.len();
            order.extend(pieces.iter().map(|&(_, piece)| piece));
            let key = pieces[0].0;
            let (source, destination) =
                (sources.ranks[(key >> 32) as usize], destinations.ranks[key as u32 as usize]);
            let own = order[first..].iter();
            let elements = all_pieces.numel(own.map(|&piece| piece as usize))?;
            let end = order.len();
            routes.try_push(Route { source, destination, elements, first, end })?;
        }
        Ok(Self { routes, order })
    }
}

/// The ranks of shards.
struct Ranks<'a> {
    placements: &'a Placements,
    /// Of each distinct placement, ascending.
    ranks: Vec<Option<i64>>,
    /// For each distinct placement, the first place of its rank among them.
    numbers: Vec<u32>,
}

impl<'a> Ranks<'a> {
    fn new(placements: &'a Placements) -> Memory<Self> {
        let distinct = placements.distinct().iter();
        let mut ranks = memory::try_collect(distinct.clone().map(|placement| placement.rank()))?;
        ranks.sort_unstable();
        let place = |rank| ranks.partition_point(|other| *other < rank) as u32;
        let numbers = memory::try_collect(distinct.map(|placement| place(placement.rank())))?;
        Ok(Self { placements, ranks, numbers })
    }

    fn number(&self, shard: u32) -> u32 {
        self.numbers[self.placements.indices()[shard as usize] as usize]
    }
}
