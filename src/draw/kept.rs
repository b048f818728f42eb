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
    let mut sources = SourceOrder::default();
    for (owner, shards) in pair.to.groups() {
        let own = pair.from.of(owner);
        // A replica of an earlier shard of the owner adds nothing.
        let is_first = |shard: &u32| {
            let first = equal.get(*shard as usize).map(|(first, _)| first);
            first.is_none_or(|first| first == *shard || own.binary_search(&first).is_err())
        };
        let products = own.iter().filter(|shard| is_first(shard));
        sources.sort(pair.source, products.flat_map(|&shard| pair.source.products_of(shard)))?;
        for to in shards.iter().flat_map(|&shard| pair.destination.products_of(shard)) {
            for &(_, _, from) in sources.near(pair.destination, to) {
                let sides = [(pair.source, from), (pair.destination, to)];
                let mut own = |cell, elements| found(owner, cell, elements);
                if !common.count(sides, &mut own)? {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}

/// The products of an owner in the source, by where they start in the dimension in which most of them
/// start apart.
#[derive(Default)]
struct SourceOrder {
    dim: usize,
    /// Where each starts, how far it and those before it reach, and its number.
    rows: Vec<(i64, i64, usize)>,
}

impl SourceOrder {
    fn sort(
        &mut self, list: &DrawnShards<'_>, products: impl Iterator<Item = usize>,
    ) -> Memory<()> {
        self.rows.clear();
        self.rows.try_extend(products.map(|product| (0, 0, product)))?;
        let mut most = 0;
        let mut best = 0;
        // Few products are compared with all.
        let ndim = if self.rows.len() > 8 { list.sizes.len() } else { 1 };
        for dim in 0..ndim {
            self.sort_by(list, dim);
            let starts = self.rows.chunk_by(|a, b| a.0 == b.0).count();
            if starts > most {
                (most, best) = (starts, dim);
            }
        }
        self.dim = best;
        if ndim > 1 {
            self.sort_by(list, best);
        }
        let mut reach = 0;
        for row in &mut self.rows {
            reach = row.1.max(reach);
            row.1 = reach;
        }
        Ok(())
    }

    fn sort_by(&mut self, list: &DrawnShards<'_>, dim: usize) {
        for row in &mut self.rows {
            (row.0, row.1) = hull(list.dim(row.2, dim).0);
        }
        self.rows.sort_unstable();
    }

    /// The products that may have something of a product of the destination.
    fn near(&self, list: &DrawnShards<'_>, product: usize) -> &[(i64, i64, usize)] {
        let (start, end) = hull(list.dim(product, self.dim).0);
        let first = self.rows.partition_point(|row| row.1 <= start);
        let last = self.rows.partition_point(|row| row.0 < end);
        // Without dimensions, all have the one element.
        if list.sizes.is_empty() { &self.rows } else { self.rows.get(first..last).unwrap_or(&[]) }
    }
}

/// Where the indices of a dimension begin and end.
fn hull(extent: DimExtent<'_>) -> (i64, i64) {
    let start = match extent {
        DimExtent::Interval(start, _) => start,
        DimExtent::Map(map) => map.stretches().iter().map(Stretch::global_start).min().unwrap_or(0),
    };
    (start, extent.end())
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
