//! What stays with its owner when a layout becomes another one.

use crate::draw::cells::CellGrid;
use crate::draw::cuts::Bins;
use crate::draw::owner_table::ShardsByOwner;
use crate::draw::space::DrawnShards;
use crate::error::Result;
use crate::geometry::{DimExtent, DimMap, Stretch};
use crate::memory::{Memory, TryVec, try_filled};

/// How many times two shards of one owner, or both and a cell, may meet, for each shard.
const MEETINGS_OF_SHARD: u64 = 128;

/// How many times they may meet besides.
const MEETINGS: u64 = 1 << 24;

/// Two layouts of a tensor, and the shards of each by their owners.
pub(super) struct LayoutPair<'a> {
    pub(super) source: &'a DrawnShards<'a>,
    pub(super) destination: &'a DrawnShards<'a>,
    pub(super) from: &'a ShardsByOwner,
    pub(super) to: &'a ShardsByOwner,
}

/// For each cell, how many elements of the destination shards are with the same owner in the source;
/// `None` where finding them takes too many steps.
pub(super) fn kept_in_cells(pair: &LayoutPair<'_>, grid: &CellGrid) -> Result<Option<Vec<i64>>> {
    let mut cells = try_filled(0i64, grid.len())?;
    let is_done = each_kept(pair, grid, &mut |_, cell, elements| {
        if let Some(sum) = cells.get_mut(cell) {
            *sum = sum.saturating_add(elements);
        }
    })?;
    Ok(is_done.then_some(cells))
}

/// Calls `found` with an owner, a cell, and how many elements stay with that owner there. Returns whether
/// there were steps left for all of them.
pub(super) fn each_kept(
    pair: &LayoutPair<'_>, grid: &CellGrid, found: &mut impl FnMut(u32, usize, i64),
) -> Result<bool> {
    let products = [pair.source, pair.destination].map(|list| list.product_count() as u64);
    let steps = MEETINGS_OF_SHARD.saturating_mul(products.into_iter().fold(0, u64::saturating_add));
    let mut common = CommonCounter { grid, steps: steps.saturating_add(MEETINGS), ..empty(grid) };
    let equal = pair.source.shards.equal()?;
    for (owner, shards) in pair.to.groups() {
        let sources = pair.from.of(owner);
        // A replica of an earlier shard of the owner adds nothing.
        let is_first = |shard: &u32| {
            let first = equal.get(*shard as usize).map(|(first, _)| first);
            first.is_none_or(|first| first == *shard || sources.binary_search(&first).is_err())
        };
        for source in sources.iter().filter(|shard| is_first(shard)) {
            for from in pair.source.products_of(*source) {
                for to in shards.iter().flat_map(|&shard| pair.destination.products_of(shard)) {
                    let sides = [(pair.source, from), (pair.destination, to)];
                    let mut own = |cell, elements| found(owner, cell, elements);
                    if !common.count(sides, &mut own)? {
                        return Ok(false);
                    }
                }
            }
        }
    }
    Ok(true)
}

/// Counts what two products have in common, by cells.
struct CommonCounter<'a> {
    grid: &'a CellGrid,
    steps: u64,
    stretches: Vec<Stretch>,
    rows: Vec<(u32, i64)>,
    columns: Vec<(u32, i64)>,
    other: Vec<(u32, i64)>,
}

fn empty(grid: &CellGrid) -> CommonCounter<'_> {
    let (stretches, rows, columns, other) = Default::default();
    CommonCounter { grid, steps: 0, stretches, rows, columns, other }
}

impl CommonCounter<'_> {
    fn count(
        &mut self, sides: [(&DrawnShards<'_>, usize); 2], found: &mut impl FnMut(usize, i64),
    ) -> Result<bool> {
        let grid = self.grid;
        let mut factor = 1i64;
        for (dim, bins) in &grid.others {
            let mut other = std::mem::take(&mut self.other);
            self.cover(sides, Some(*dim), bins, &mut other)?;
            let common = other.iter().fold(0i64, |sum, (_, count)| sum.saturating_add(*count));
            self.other = other;
            factor = factor.saturating_mul(common);
        }
        if factor == 0 {
            return Ok(self.spend(1));
        }
        let (mut rows, mut columns) =
            (std::mem::take(&mut self.rows), std::mem::take(&mut self.columns));
        self.cover(sides, grid.rows.dim, &grid.rows.bins, &mut rows)?;
        self.cover(sides, grid.columns.dim, &grid.columns.bins, &mut columns)?;
        let width = grid.columns.bins.len();
        for &(row, height) in &rows {
            for &(column, length) in &columns {
                let cell = (row as usize).saturating_mul(width).saturating_add(column as usize);
                found(cell, factor.saturating_mul(height).saturating_mul(length));
            }
        }
        let meetings = (rows.len() as u64).saturating_mul(columns.len() as u64);
        let stretches = self.stretches.len() as u64;
        (self.rows, self.columns) = (rows, columns);
        Ok(self.spend(meetings.saturating_add(stretches).saturating_add(1)))
    }

    /// Whether there are steps left.
    fn spend(&mut self, steps: u64) -> bool {
        let left = self.steps.checked_sub(steps);
        self.steps = left.unwrap_or(0);
        left.is_some()
    }

    /// The bins that have indices of both products; a grid without the dimension has one index.
    fn cover(
        &mut self, [(source, from), (destination, to)]: [(&DrawnShards<'_>, usize); 2],
        dim: Option<usize>, bins: &Bins, found: &mut Vec<(u32, i64)>,
    ) -> Result<()> {
        found.clear();
        let Some(dim) = dim else { return Ok(found.try_push((0, 1))?) };
        self.stretches.clear();
        let (a, _) = source.dim(from, dim);
        let (b, _) = destination.dim(to, dim);
        push_common(a, b, &mut self.stretches)?;
        Ok(bins.cover_stretches(&self.stretches, found)?)
    }
}

/// Adds the indices that both have.
fn push_common(a: DimExtent<'_>, b: DimExtent<'_>, found: &mut Vec<Stretch>) -> Result<()> {
    match (a, b) {
        (DimExtent::Interval(start, size), DimExtent::Interval(other, other_size)) => {
            let end = start.saturating_add(size).min(other.saturating_add(other_size));
            let start = start.max(other);
            let stretch = Stretch::interval(start, start, end.saturating_sub(start));
            Ok(found.try_extend(stretch)?)
        }
        (DimExtent::Map(map), DimExtent::Map(other)) => push_of_maps(map, other, found),
        (DimExtent::Interval(start, size), DimExtent::Map(map))
        | (DimExtent::Map(map), DimExtent::Interval(start, size)) => {
            push_of_maps(&DimMap::interval(start, size)?, map, found)
        }
    }
}

fn push_of_maps(map: &DimMap, other: &DimMap, found: &mut Vec<Stretch>) -> Result<()> {
    let pushed: Memory<()> = map.push_common_indices(other, found);
    Ok(pushed?)
}
