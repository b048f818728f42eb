//! Boxes with ranks for coordinates: the ranks decide whether boxes overlap.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "ranks and positions are made here; ends of boxes fit an i64"
)]

use super::box_list::BoxList;
use super::rank_span::RankSpan;
use super::start_ranks::{StartRange, StartRanks};
use super::steps;
use crate::memory::{self, Memory, TryVec};

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
    for dim in 0..shards.ndim() {
        if let Some(spans) = rank_dimension(shards, owners, dim)? {
            ranked.try_push((dim, spans))?;
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

/// The boxes' spans in one dimension, and the number of different starts; `None` when all boxes meet in it.
fn rank_dimension(shards: &BoxList, owners: &[u32], dim: usize) -> Memory<Option<RankedDim>> {
    steps::count(owners.len());
    let ndim = shards.ndim();
    let bounds = |owner: u32| {
        let at = owner as usize * ndim + dim;
        let start = shards.offsets()[at];
        (start, start + shards.sizes()[at])
    };
    let (mut first, mut last, mut earliest_end, mut bits) = (i64::MAX, 0, i64::MAX, 0);
    for &owner in owners {
        let (start, end) = bounds(owner);
        (first, last) = (first.min(start), last.max(start));
        earliest_end = earliest_end.min(end);
        bits |= start;
    }
    if last < earliest_end {
        return Ok(None);
    }
    let bounds_of_owners = owners.iter().map(|&owner| bounds(owner));
    let starts = bounds_of_owners.clone().map(|(start, _)| start);
    let ranks = StartRanks::new(starts, StartRange { first, last, bits })?;
    Ok(Some(RankedDim { starts: ranks.starts, spans: ranks.spans(bounds_of_owners)? }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::{Boxes, Random, naive};

    /// The dimensions in which two boxes of a list do not meet, by comparing each with each.
    fn separating_dims(boxes: &Boxes) -> Vec<usize> {
        let spans = |dim: usize| {
            let all =
                (0..boxes.len()).map(move |at| (boxes.offsets(at)[dim], boxes.sizes(at)[dim]));
            all.map(|(start, size)| start..start + size)
        };
        let is_separating =
            |dim: &usize| spans(*dim).any(|one| spans(*dim).any(|other| one.end <= other.start));
        (0..boxes.ndim).filter(is_separating).collect()
    }

    #[test]
    fn boxes_meet_where_their_ranks_do_and_are_in_the_order_of_the_most_starts() {
        let mut random = Random::new(7);
        for round in 0..400 {
            let ndim = 1 + round % 4;
            let mut boxes = Boxes::new(ndim);
            for _ in 0..random.range(2, 9) {
                let offsets: Vec<i64> = (0..ndim).map(|_| random.range(0, 6)).collect();
                let sizes: Vec<i64> = (0..ndim).map(|_| random.range(1, 6)).collect();
                boxes.push(&offsets, &sizes);
            }
            let list =
                BoxList::new_checked(ndim, boxes.len(), boxes.offsets.clone(), boxes.sizes.clone());
            let list = list.unwrap();
            let owners = list.not_empty().unwrap();
            let dims = ranked_dims(&list, &owners).unwrap();
            let mut expected: Vec<(usize, usize)> = Vec::new();
            for dim in separating_dims(&boxes) {
                let mut starts: Vec<i64> =
                    (0..boxes.len()).map(|at| boxes.offsets(at)[dim]).collect();
                starts.sort_unstable();
                starts.dedup();
                expected.push((starts.len(), dim));
            }
            expected.sort_unstable();
            assert_eq!(
                dims.iter().map(|dim| dim.starts).collect::<Vec<_>>(),
                expected.iter().map(|(starts, _)| *starts).collect::<Vec<_>>()
            );
            let ranked = Ranked::new(dims, owners).unwrap();
            if let Some(&(_, last)) = expected.last() {
                let start = |&shard: &u32| (boxes.offsets(shard as usize)[last], shard);
                assert!(ranked.shard.is_sorted_by_key(start), "{boxes:?}");
            }
            for a in 0..boxes.len() {
                for b in 0..boxes.len() {
                    let [one, other] = [a, b].map(|at| ranked.shard[at] as usize);
                    for from in 0..=ranked.dims.len() {
                        let meet = expected[from..].iter().all(|&(_, dim)| {
                            let span = |at: usize| {
                                (&boxes.offsets(at)[dim..=dim], &boxes.sizes(at)[dim..=dim])
                            };
                            naive::meet(span(one), span(other))
                        });
                        assert_eq!(ranked.meet_from(from, a as u32, b as u32), meet, "{boxes:?}");
                    }
                }
            }
        }
    }
}
