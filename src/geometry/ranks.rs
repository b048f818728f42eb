//! Boxes with ranks for coordinates: the ranks decide whether boxes overlap.

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

    /// Both halves of a segment. A box that only reaches into a segment leaves it at least two ranks
    /// wide, so no half is empty.
    pub(super) fn halves(self) -> [Option<Self>; 2] {
        if self.low >= self.high {
            return [None; 2];
        }
        let middle = self.low + (self.high - self.low) / 2;
        let half = |low: u32, high: u32| (low < high).then_some(Self { low, high });
        [half(self.low, middle), half(middle, self.high)]
    }

    pub(super) const NOTHING: Self = Self { low: u32::MAX, high: 0 };
    pub(super) const EVERYTHING: Self = Self { low: 0, high: u32::MAX };
}

/// The boxes in the order of their starts in the last dimension, with ranks for coordinates.
pub(super) struct Ranked {
    /// Position to shard index.
    pub(super) shard: Vec<u32>,
    /// For each dimension that can separate boxes, the one with the most different starts last:
    /// a span for each position.
    pub(super) dims: Vec<Vec<RankSpan>>,
}

/// The spans of boxes in a dimension that can separate them, and the number of different starts in it.
pub(super) struct RankedDim {
    pub(super) starts: usize,
    pub(super) spans: Vec<RankSpan>,
}

/// All dimensions that can separate boxes, the one with the most different starts last.
pub(super) fn ranked_dims(shards: &BoxList, owners: &[u32]) -> Memory<Vec<RankedDim>> {
    let mut ranked: Vec<(usize, RankedDim)> = Vec::new();
    let mut starts = Vec::new();
    for dim in 0..shards.ndim() {
        if let Some(spans) = rank_dimension(shards, owners, dim, &mut starts)? {
            ranked.try_push((dim, RankedDim { starts: starts.len(), spans }))?;
        }
    }
    ranked.sort_unstable_by_key(|(dim, ranked)| (ranked.starts, *dim));
    memory::try_collect(ranked.into_iter().map(|(_, ranked)| ranked))
}

impl Ranked {
    /// The boxes of these shards, sorted.
    pub(super) fn new(ranked: Vec<RankedDim>, owners: Vec<u32>) -> Memory<Self> {
        // Already in order is the usual case.
        let last = ranked.last().filter(|last| !last.spans.is_sorted_by_key(|span| span.low));
        let Some(last) = last else {
            let dims = memory::try_collect(ranked.into_iter().map(|ranked| ranked.spans))?;
            return Ok(Self { shard: owners, dims });
        };
        let order = by_start(&last.spans)?;
        let in_order = |ranked: RankedDim| {
            memory::try_collect(order.iter().map(|&at| ranked.spans[at as usize]))
        };
        let dims = memory::try_collect_results(ranked.into_iter().map(in_order))?;
        let shard = memory::try_collect(order.iter().map(|&at| owners[at as usize]))?;
        Ok(Self { shard, dims })
    }

    pub(super) fn meet_from(&self, dim: usize, a: u32, b: u32) -> bool {
        self.dims[dim..].iter().all(|spans| spans[a as usize].meets(spans[b as usize]))
    }
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
    sort_starts(starts);
    // Starts and ends are looked for each near the last one of its kind.
    let (mut low, mut high) = (0, 0);
    let spans = owners.iter().map(|&owner| {
        let (start, end) = bounds(owner);
        low = rank_near(starts, start, low);
        high = rank_near(starts, end, high);
        RankSpan { low: low as u32, high: high as u32 }
    });
    memory::try_collect(spans).map(Some)
}

/// The boxes in the order of their starts, equal ones in their own order. Starts are ranks below the
/// number of boxes, so counting sorts them.
pub(super) fn by_start(spans: &[RankSpan]) -> Memory<Vec<u32>> {
    let mut next = memory::try_filled(0u32, spans.len() + 1)?;
    for span in spans {
        next[span.low as usize + 1] += 1;
    }
    for rank in 1..next.len() {
        next[rank] += next[rank - 1];
    }
    let mut order = memory::try_filled(0, spans.len())?;
    for (position, span) in (0u32..).zip(spans) {
        let place = &mut next[span.low as usize];
        order[*place as usize] = position;
        *place += 1;
    }
    Ok(order)
}

/// Sorts starts and leaves each only once. Boxes of a grid start at the same places over and over, in
/// order: what follows the first ascent and goes along it again is left out before the rest is sorted.
fn sort_starts(starts: &mut Vec<i64>) {
    starts.dedup();
    let ascent = starts.windows(2).take_while(|pair| pair[0] < pair[1]).count() + 1;
    let first = ascent.min(starts.len());
    let (mut kept, mut next) = (first, 0);
    for at in first..starts.len() {
        let start = starts[at];
        if next == ascent || starts[next] != start {
            // Those that start anew begin with the first.
            if starts[0] != start {
                starts[kept] = start;
                kept += 1;
                continue;
            }
            next = 0;
        }
        next += 1;
    }
    starts.truncate(kept);
    if kept > ascent {
        starts.sort_unstable();
        starts.dedup();
    }
}

/// How many of `starts` are below `coordinate`. Looks around `near` first: consecutive shards
/// mostly ask for consecutive ranks.
#[inline(always)]
fn rank_near(starts: &[i64], coordinate: i64, near: usize) -> usize {
    if is_rank(starts, coordinate, near) {
        near
    } else if is_rank(starts, coordinate, near + 1) {
        near + 1
    } else {
        rank_far(starts, coordinate)
    }
}

#[inline(always)]
fn is_rank(starts: &[i64], coordinate: i64, rank: usize) -> bool {
    rank <= starts.len()
        && (rank == starts.len() || starts[rank] >= coordinate)
        && (rank == 0 || starts[rank - 1] < coordinate)
}

#[inline(never)]
fn rank_far(starts: &[i64], coordinate: i64) -> usize {
    if is_rank(starts, coordinate, 0) {
        0
    } else {
        starts.partition_point(|start| *start < coordinate)
    }
}
