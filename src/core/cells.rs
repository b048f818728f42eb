//! Cutting a box along the borders of shards, until no border runs through any part.
//!
//! The cut is at the median border of the dimension with the most borders, so for `n` shards with
//! `d` dimensions there are at most `d * log2(2n)` cuts above a part. Parts that needn't have been
//! cut from each other are put together again.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "boxes of the same shards have the same number of dimensions; the number of elements \
              of the box that is cut fits an i64"
)]

use std::cmp::Ordering;

use super::bounds::Bounds;
use super::shards::Shards;

/// A box that no border runs through, and the shards that hold it, ascending.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell {
    pub(super) holders: Vec<u32>,
    pub(super) bounds: Bounds,
}

/// All cells of `whole`, disjoint, by their holders, then by where they lie. `candidates` are the shards,
/// ascending, that may hold something of it.
pub(super) fn all(shards: &Shards, candidates: &[u32], whole: Bounds) -> Vec<Cell> {
    Cutter { shards, only: Only::All, cells: Vec::new() }.run(candidates, whole)
}

/// Those cells of `whole` that no shard holds. Where `disjoint` says that the shards overlap
/// nowhere, parts that are held whole are known by their number of elements.
pub(super) fn unheld(
    shards: &Shards, candidates: &[u32], whole: Bounds, disjoint: bool,
) -> Vec<Cell> {
    Cutter { shards, only: Only::Unheld { disjoint }, cells: Vec::new() }.run(candidates, whole)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Only {
    All,
    Unheld { disjoint: bool },
}

struct Cutter<'a> {
    shards: &'a Shards,
    only: Only,
    cells: Vec<Cell>,
}

impl Cutter<'_> {
    fn run(mut self, candidates: &[u32], whole: Bounds) -> Vec<Cell> {
        self.cut(whole, candidates, &mut Vec::new());
        for cell in &mut self.cells {
            cell.holders.sort_unstable();
        }
        merge(&mut self.cells);
        self.cells
    }

    /// Cuts a part that `holders` hold and `candidates` may.
    fn cut(&mut self, part: Bounds, candidates: &[u32], holders: &mut Vec<u32>) {
        let already = holders.len();
        let mut cutting = Vec::new();
        let mut held = 0;
        for &candidate in candidates {
            let common = Bounds::of(self.shards, candidate as usize).common(&part);
            if common == part {
                holders.push(candidate);
            } else if !common.is_empty() {
                held += i128::from(common.volume());
                cutting.push(candidate);
            }
        }
        let is_held = !holders.is_empty() || held == i128::from(part.volume());
        let skipped = match self.only {
            Only::All => false,
            Only::Unheld { disjoint: true } => is_held,
            Only::Unheld { disjoint: false } => !holders.is_empty(),
        };
        if !skipped {
            match median_border(self.shards, &cutting, &part) {
                None => self.cells.push(Cell { bounds: part, holders: holders.clone() }),
                Some((dim, at)) => {
                    let (mut lower, mut upper) = (part.clone(), part);
                    (lower.high[dim], upper.low[dim]) = (at, at);
                    self.cut(lower, &cutting, holders);
                    self.cut(upper, &cutting, holders);
                }
            }
        }
        holders.truncate(already);
    }
}

/// The median of the shards' borders that run through `part` in the dimension where most do.
pub(super) fn median_border(
    shards: &Shards, owners: &[u32], part: &Bounds,
) -> Option<(usize, i64)> {
    let borders_of = |dim: usize| -> Vec<i64> {
        let ends = owners.iter().flat_map(|&owner| {
            let at = owner as usize * shards.ndim() + dim;
            let low = shards.offsets()[at];
            [low, low + shards.sizes()[at]]
        });
        ends.filter(|&end| part.low[dim] < end && end < part.high[dim]).collect()
    };
    let all = (0..shards.ndim()).map(|dim| (dim, borders_of(dim)));
    let (dim, mut borders) = all.max_by_key(|(_, borders)| borders.len())?;
    if borders.is_empty() {
        return None;
    }
    let middle = borders.len() / 2;
    let (_, median, _) = borders.select_nth_unstable(middle);
    Some((dim, *median))
}

/// Makes one of cells that are neighbours, have the same holders and together are a box, last
/// dimension first, and sorts them.
pub(super) fn merge(cells: &mut Vec<Cell>) {
    let ndim = cells.first().map_or(0, |cell| cell.bounds.low.len());
    let mut before = usize::MAX;
    while cells.len() < before {
        before = cells.len();
        for dim in (0..ndim).rev() {
            merge_along(cells, dim);
        }
    }
    cells.sort_unstable();
}

fn merge_along(cells: &mut Vec<Cell>, dim: usize) {
    let by_line = |a: &Cell, b: &Cell| {
        let others = (0..a.bounds.low.len()).filter(|&other| other != dim);
        let by_span = |other: usize| {
            let span = |cell: &Cell| (cell.bounds.low[other], cell.bounds.high[other]);
            span(a).cmp(&span(b))
        };
        a.holders
            .cmp(&b.holders)
            .then_with(|| others.map(by_span).find(|o| o.is_ne()).unwrap_or(Ordering::Equal))
    };
    cells.sort_by(|a, b| by_line(a, b).then_with(|| a.bounds.low[dim].cmp(&b.bounds.low[dim])));
    cells.dedup_by(|next, kept| {
        let joins = kept.bounds.high[dim] == next.bounds.low[dim] && by_line(kept, next).is_eq();
        if joins {
            kept.bounds.high[dim] = next.bounds.high[dim];
        }
        joins
    });
}
