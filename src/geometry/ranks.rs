//! Boxes with ranks for coordinates, which is all that tells whether they overlap.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "ranks and positions are made here; ends of boxes fit an i64"
)]

use super::box_list::BoxList;
use super::steps;
use crate::memory::{self, Memory, TryVec};

/// Half-open range of start ranks that a box holds in one dimension. Two boxes meet in that
/// dimension exactly when their ranges do.
#[derive(Clone, Copy)]
pub(crate) struct RankSpan {
    pub(crate) low: u32,
    pub(crate) high: u32,
}

impl RankSpan {
    pub(super) fn meets(self, other: Self) -> bool {
        (self.low < other.high) & (other.low < self.high)
    }

    pub(super) fn holds(self, other: Self) -> bool {
        (self.low <= other.low) & (other.high <= self.high)
    }

    pub(super) fn hull(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    pub(super) fn common(self, other: Self) -> Self {
        Self { low: self.low.max(other.low), high: self.high.min(other.high) }
    }

    pub(super) const NOTHING: Self = Self { low: u32::MAX, high: 0 };
    pub(super) const EVERYTHING: Self = Self { low: 0, high: u32::MAX };
}

/// The boxes in the order of their starts in the last dimension, with ranks for coordinates.
pub(super) struct Ranked {
    /// Position to shard index.
    pub(super) shard: Vec<u32>,
    /// For each dimension that can tell boxes apart, the one with the most different starts last:
    /// a span for each position.
    pub(super) dims: Vec<Vec<RankSpan>>,
}

impl Ranked {
    pub(super) fn new(shards: &BoxList, owners: Vec<u32>) -> Memory<Self> {
        let mut ranked: Vec<(usize, usize, Vec<RankSpan>)> = Vec::new();
        let mut starts = Vec::new();
        for dim in 0..shards.ndim() {
            if let Some(spans) = Self::rank_dimension(shards, &owners, dim, &mut starts)? {
                ranked.try_push((starts.len(), dim, spans))?;
            }
        }
        ranked.sort_unstable_by_key(|(starts, dim, _)| (*starts, *dim));
        let mut order: Vec<u32> = memory::try_collect(0..owners.len() as u32)?;
        if let Some((_, _, last)) = ranked.last() {
            // Already in order is the usual case, and then this is one pass.
            order.sort_unstable_by_key(|&at| (last[at as usize].low, at));
        }
        let dims = ranked
            .into_iter()
            .map(|(_, _, spans)| memory::try_collect(order.iter().map(|&at| spans[at as usize])));
        let dims = memory::try_collect_results(dims)?;
        let shard = memory::try_collect(order.iter().map(|&at| owners[at as usize]))?;
        Ok(Self { shard, dims })
    }

    /// The boxes' spans in one dimension; `None` when all boxes meet in it. `starts` becomes the
    /// different starts.
    fn rank_dimension(
        shards: &BoxList, owners: &[u32], dim: usize, starts: &mut Vec<i64>,
    ) -> Memory<Option<Vec<RankSpan>>> {
        steps::count(owners.len());
        let ndim = shards.ndim();
        let bounds = |owner: u32| {
            let at = owner as usize * ndim + dim;
            let start = shards.offsets()[at];
            (start, start + shards.sizes()[at])
        };
        let (latest_start, earliest_end) = owners
            .iter()
            .map(|&owner| bounds(owner))
            .fold((i64::MIN, i64::MAX), |(late, early), (start, end)| {
                (late.max(start), early.min(end))
            });
        if latest_start < earliest_end {
            return Ok(None);
        }
        starts.clear();
        starts.try_extend(owners.iter().map(|&owner| bounds(owner).0))?;
        starts.dedup();
        starts.sort_unstable();
        starts.dedup();
        let mut near = 0;
        let mut rank = |coordinate: i64| {
            near = rank_near(starts, coordinate, near);
            near as u32
        };
        let spans = owners.iter().map(|&owner| {
            let (start, end) = bounds(owner);
            RankSpan { low: rank(start), high: rank(end) }
        });
        memory::try_collect(spans).map(Some)
    }

    pub(super) fn meet_from(&self, dim: usize, a: u32, b: u32) -> bool {
        self.dims[dim..].iter().all(|spans| spans[a as usize].meets(spans[b as usize]))
    }
}

/// How many of `starts` are below `coordinate`. Looks around `near` first: consecutive shards
/// mostly ask for consecutive ranks.
fn rank_near(starts: &[i64], coordinate: i64, near: usize) -> usize {
    let is_rank = |rank: usize| {
        rank <= starts.len()
            && (rank == starts.len() || starts[rank] >= coordinate)
            && (rank == 0 || starts[rank - 1] < coordinate)
    };
    if is_rank(near) {
        near
    } else if is_rank(near + 1) {
        near + 1
    } else if is_rank(0) {
        0
    } else {
        starts.partition_point(|start| *start < coordinate)
    }
}
