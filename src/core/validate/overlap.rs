//! Finding two boxes that overlap, in `n log(n)^(d-1)` at worst.
//!
//! A sweep that asks its active set is quadratic when the active set holds everything, and a tree
//! that cuts space copies the boxes that a cut hits. Here a box that *spans* a segment of one
//! dimension is set aside for the other dimensions, so it is copied to two segments per level at
//! most (a segment tree; Zomorodian and Edelsbrunner, "Fast software for box intersections", 2002,
//! stream boxes through one in the same way, for reporting pairs between two sets):
//!
//! - all boxes that span a segment meet each other in this dimension: what is left is the same
//!   question in one dimension less;
//! - each of them meets each box that only reaches into the segment: that is the question between
//!   two sets, in one dimension less;
//! - boxes that only reach into it are asked again in its two halves.
//!
//! In the last dimension boxes are sorted by where they start, and one pass answers.
//!
//! Before that, boxes are taken apart where planes run between them: see [`super::separate`].
//!
//! Coordinates are replaced by their ranks among the starts of that dimension, so segments are
//! halved `log2(n)` times at most; dimensions in which all boxes meet are dropped.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "ranks, positions and ranges are made here; nothing that a caller gave is left"
)]

use std::ops::Range;

use super::separate::{Separated, separate};
use crate::core::shards::Shards;

/// A pair of boxes, as positions in `Boxes`.
type Pair = (u32, u32);

/// Below this many pairs, comparing them all is faster than sorting them out.
const FEW_PAIRS: usize = 256;

/// Two shards that own the same element, the lower index first; `None` if there are none.
///
/// The answer is the same in every run, but which pair it is, of several, is not specified.
pub fn find(shards: &Shards) -> Option<(usize, usize)> {
    // Shards::new refuses more shards than a u32 counts.
    let owners: Vec<u32> = (0u32..)
        .zip(shards.iter())
        .filter(|(_, shard)| !shard.is_empty())
        .map(|(index, _)| index)
        .collect();
    let (Some(&first), Some(&second)) = (owners.first(), owners.get(1)) else {
        return None;
    };
    let boxes = Boxes::new(shards, owners);
    let (a, b) = if boxes.dims.is_empty() {
        (first, second)
    } else {
        let (a, b) = Search::run(&boxes)?;
        (boxes.shard[a as usize], boxes.shard[b as usize])
    };
    Some((a.min(b) as usize, a.max(b) as usize))
}

/// Half-open range of start ranks that a box holds in one dimension. Two boxes meet in that
/// dimension exactly when their ranges do.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) low: u32,
    pub(super) high: u32,
}

impl Span {
    fn meets(self, other: Self) -> bool {
        (self.low < other.high) & (other.low < self.high)
    }

    fn holds(self, other: Self) -> bool {
        (self.low <= other.low) & (other.high <= self.high)
    }

    fn hull(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    fn common(self, other: Self) -> Self {
        Self { low: self.low.max(other.low), high: self.high.min(other.high) }
    }

    const NOTHING: Self = Self { low: u32::MAX, high: 0 };
    const EVERYTHING: Self = Self { low: 0, high: u32::MAX };
}

/// The boxes in the order of their starts in the last dimension, with ranks for coordinates.
struct Boxes {
    /// Position to shard index.
    shard: Vec<u32>,
    /// For each dimension that can tell boxes apart, the one with the most different starts last:
    /// a span for each position.
    dims: Vec<Vec<Span>>,
}

impl Boxes {
    fn new(shards: &Shards, owners: Vec<u32>) -> Self {
        let mut ranked: Vec<(usize, Vec<Span>)> = (0..shards.ndim())
            .filter_map(|dim| Self::rank_dimension(shards, &owners, dim))
            .collect();
        ranked.sort_by_key(|(starts, _)| *starts);
        let mut order: Vec<u32> = (0..owners.len() as u32).collect();
        if let Some((_, last)) = ranked.last() {
            // Already in order is the usual case, and a stable sort passes over it once.
            order.sort_by_key(|&at| last[at as usize].low);
        }
        let dims = ranked
            .into_iter()
            .map(|(_, spans)| order.iter().map(|&at| spans[at as usize]).collect())
            .collect();
        Self { shard: order.iter().map(|&at| owners[at as usize]).collect(), dims }
    }

    /// Number of different starts and the boxes' spans in one dimension; `None` when all boxes meet
    /// in it.
    fn rank_dimension(shards: &Shards, owners: &[u32], dim: usize) -> Option<(usize, Vec<Span>)> {
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
            return None;
        }
        let mut starts: Vec<i64> = owners.iter().map(|&owner| bounds(owner).0).collect();
        starts.dedup();
        starts.sort_unstable();
        starts.dedup();
        let mut near = 0;
        let mut rank = |coordinate: i64| {
            near = rank_near(&starts, coordinate, near);
            near as u32
        };
        let spans = owners.iter().map(|&owner| {
            let (start, end) = bounds(owner);
            Span { low: rank(start), high: rank(end) }
        });
        let spans = spans.collect();
        Some((starts.len(), spans))
    }

    fn meet_from(&self, dim: usize, a: u32, b: u32) -> bool {
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

/// The recursion. Sets of boxes are ranges of `lists`, which is used as a stack; every list is
/// ascending, and so in the order of the starts in the last dimension.
struct Search<'a> {
    boxes: &'a Boxes,
    lists: Vec<u32>,
}

impl<'a> Search<'a> {
    fn run(boxes: &'a Boxes) -> Option<Pair> {
        let Separated { order, sets } = separate(&boxes.dims);
        let mut search = Self { boxes, lists: order };
        sets.into_iter().find_map(|set| search.within(set, 0))
    }

    /// A pair within one set whose boxes all meet each other in the dimensions before `dim`.
    fn within(&mut self, set: Range<usize>, dim: usize) -> Option<Pair> {
        self.within_segment(set, dim, Span::EVERYTHING)
    }

    /// As `within`, for boxes that need only be looked at inside of `segment` in dimension `dim`.
    fn within_segment(&mut self, set: Range<usize>, dim: usize, segment: Span) -> Option<Pair> {
        if set.len() < 2 {
            return None;
        }
        if dim + 1 == self.boxes.dims.len() {
            return self.within_last(set, dim);
        }
        if set.len() * set.len() / 2 <= FEW_PAIRS {
            return self.compare_within(set, dim);
        }
        let top = self.lists.len();
        let segment = self.hull(set.clone(), dim).common(segment);
        let spanning = self.push(set.clone(), dim, |span| span.holds(segment));
        let reaching = self.push(set, dim, |span| !span.holds(segment));
        let found = self
            .within(spanning.clone(), dim + 1)
            .or_else(|| self.between(spanning, reaching.clone(), dim + 1))
            .or_else(|| {
                self.halves(segment, |search, half| {
                    let part = search.push(reaching.clone(), dim, |span| span.meets(half));
                    search.within_segment(part, dim, half)
                })
            });
        self.lists.truncate(top);
        found
    }

    /// A pair with one box of each set, where every such pair meets in the dimensions before `dim`.
    fn between(&mut self, a: Range<usize>, b: Range<usize>, dim: usize) -> Option<Pair> {
        self.between_segment(a, b, dim, Span::EVERYTHING)
    }

    /// As `between`, for boxes that need only be looked at inside of `segment` in dimension `dim`.
    fn between_segment(
        &mut self, a: Range<usize>, b: Range<usize>, dim: usize, segment: Span,
    ) -> Option<Pair> {
        if a.is_empty() || b.is_empty() {
            return None;
        }
        if a.len() * b.len() <= FEW_PAIRS {
            return self.compare_between(a, b, dim);
        }
        let top = self.lists.len();
        // Only where both sets are can a pair meet.
        let hull = self.hull(a.clone(), dim).common(segment);
        let b = self.push(b, dim, |span| span.meets(hull));
        let segment = self.hull(b.clone(), dim).common(hull);
        let a = self.push(a, dim, |span| span.meets(segment));
        let found = if a.is_empty() || b.is_empty() {
            None
        } else if dim + 1 == self.boxes.dims.len() {
            self.between_last(a, b, dim)
        } else {
            self.split_between(a, b, dim, segment)
        };
        self.lists.truncate(top);
        found
    }

    fn split_between(
        &mut self, a: Range<usize>, b: Range<usize>, dim: usize, segment: Span,
    ) -> Option<Pair> {
        let a_spanning = self.push(a.clone(), dim, |span| span.holds(segment));
        let a_reaching = self.push(a, dim, |span| !span.holds(segment));
        let b_spanning = self.push(b.clone(), dim, |span| span.holds(segment));
        let b_reaching = self.push(b.clone(), dim, |span| !span.holds(segment));
        self.between(a_spanning, b, dim + 1)
            .or_else(|| self.between(a_reaching.clone(), b_spanning, dim + 1))
            .or_else(|| {
                if a_reaching.is_empty() || b_reaching.is_empty() {
                    return None;
                }
                self.halves(segment, |search, half| {
                    let a = search.push(a_reaching.clone(), dim, |span| span.meets(half));
                    let b = search.push(b_reaching.clone(), dim, |span| span.meets(half));
                    search.between_segment(a, b, dim, half)
                })
            })
    }

    /// Asks both halves of a segment. Whoever only reaches into a segment leaves it two ranks wide
    /// at least, so both halves are something.
    fn halves(
        &mut self, segment: Span, mut ask: impl FnMut(&mut Self, Span) -> Option<Pair>,
    ) -> Option<Pair> {
        if segment.low >= segment.high {
            return None;
        }
        let middle = segment.low + (segment.high - segment.low) / 2;
        let halves = [(segment.low, middle), (middle, segment.high)];
        halves.into_iter().filter(|(low, high)| low < high).find_map(|(low, high)| {
            let top = self.lists.len();
            let found = ask(self, Span { low, high });
            self.lists.truncate(top);
            found
        })
    }

    /// One set, last dimension: in the order of their starts, a box may not start before the end of
    /// any that started earlier.
    fn within_last(&self, set: Range<usize>, dim: usize) -> Option<Pair> {
        let spans = &self.boxes.dims[dim];
        let mut furthest = (0u32, u32::MAX);
        for &at in &self.lists[set] {
            let span = spans[at as usize];
            if span.low < furthest.0 {
                return Some((furthest.1, at));
            }
            if span.high > furthest.0 {
                furthest = (span.high, at);
            }
        }
        None
    }

    /// Two sets, last dimension: the same in one pass over both, each asking the other's end.
    fn between_last(&self, a: Range<usize>, b: Range<usize>, dim: usize) -> Option<Pair> {
        let spans = &self.boxes.dims[dim];
        let (a, b) = (&self.lists[a], &self.lists[b]);
        let (mut next_a, mut next_b) = (0, 0);
        let mut furthest = [(0u32, u32::MAX); 2];
        while next_a < a.len() || next_b < b.len() {
            let take_a = next_b == b.len() || (next_a < a.len() && a[next_a] < b[next_b]);
            let (at, own, other) = if take_a {
                next_a += 1;
                (a[next_a - 1], 0, 1)
            } else {
                next_b += 1;
                (b[next_b - 1], 1, 0)
            };
            let span = spans[at as usize];
            if span.low < furthest[other].0 {
                return Some((furthest[other].1, at));
            }
            if span.high > furthest[own].0 {
                furthest[own] = (span.high, at);
            }
        }
        None
    }

    fn compare_within(&self, set: Range<usize>, dim: usize) -> Option<Pair> {
        let set = &self.lists[set];
        set.iter().enumerate().find_map(|(place, &a)| {
            let others = set[place + 1..].iter();
            others.copied().find(|&b| self.boxes.meet_from(dim, a, b)).map(|b| (a, b))
        })
    }

    fn compare_between(&self, a: Range<usize>, b: Range<usize>, dim: usize) -> Option<Pair> {
        self.lists[a].iter().find_map(|&a| {
            let others = self.lists[b.clone()].iter();
            others.copied().find(|&b| self.boxes.meet_from(dim, a, b)).map(|b| (a, b))
        })
    }

    /// The smallest span that holds those of a set.
    fn hull(&self, set: Range<usize>, dim: usize) -> Span {
        let spans = &self.boxes.dims[dim];
        self.lists[set].iter().fold(Span::NOTHING, |hull, &at| hull.hull(spans[at as usize]))
    }

    /// Puts those of a set that pass on top of the stack of lists.
    fn push(
        &mut self, set: Range<usize>, dim: usize, passes: impl Fn(Span) -> bool,
    ) -> Range<usize> {
        let spans = &self.boxes.dims[dim];
        let start = self.lists.len();
        self.lists.resize(start + set.len(), 0);
        let mut end = start;
        let (sources, target) = self.lists.split_at_mut(start);
        for &at in &sources[set] {
            target[end - start] = at;
            end += usize::from(passes(spans[at as usize]));
        }
        self.lists.truncate(end);
        start..end
    }
}
