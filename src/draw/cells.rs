//! Cells of a picture: who owns how much of each.

use crate::draw::cuts::Bins;
use crate::draw::owner_table::ShardsByOwner;
use crate::draw::space::DrawnShards;
use crate::error::Result;
use crate::geometry::DimExtent;
use crate::memory::{Memory, OutOfMemory, TryVec, try_filled};
use crate::sync::seed::Map;

/// How many owners of a cell are kept: those with the most elements.
pub(super) const TOP: usize = 4;

/// Dim maps of more stretches than this are counted once, and not for each shard that has them.
const FEW_STRETCHES: usize = 32;

/// How many times a shard and a cell may meet, for each shard.
const MEETINGS_OF_SHARD: u64 = 128;

/// How many times they may meet besides.
const MEETINGS: u64 = 1 << 24;

/// The holders of a cell's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct CellHolders {
    /// Elements of all of them together; replicas count as often as they are held.
    pub(super) held: i128,
    /// How many there are.
    pub(super) owners: u32,
    /// Those with the most elements: owner and number of elements, the most first.
    top: [(u32, i64); TOP],
    /// The owners with the lowest numbers, and the one with the highest.
    lowest: [u32; 2],
    highest: u32,
    /// Whether the numbers are not at equal steps.
    is_irregular: bool,
    /// Equal for cells of which the same shards have the same: what looks like one area.
    pub(super) key: u64,
}

impl CellHolders {
    /// No holder.
    pub(super) const NOTHING: Self = Self {
        held: 0,
        owners: 0,
        top: [(0, 0); TOP],
        lowest: [0; 2],
        highest: 0,
        is_irregular: false,
        key: 0,
    };

    /// Adds an owner, whose number is larger than those of all before.
    fn add(&mut self, owner: u32, elements: i64) {
        let [first, second] = self.lowest;
        match self.owners {
            0 => self.lowest = [owner; 2],
            1 => self.lowest = [first, owner],
            _ => {
                let step = second.saturating_sub(first);
                self.is_irregular |= owner.saturating_sub(self.highest) != step;
            }
        }
        self.highest = owner;
        let known = (self.owners as usize).min(TOP);
        let more = |kept: &(u32, i64)| kept.1 >= elements;
        let place = self.top.get(..known).map_or(0, |kept| kept.partition_point(more));
        if place < TOP
            && let Some(behind) = self.top.get_mut(place..)
        {
            behind.rotate_right(1);
            if let Some(first) = behind.first_mut() {
                *first = (owner, elements);
            }
        }
        self.owners = self.owners.saturating_add(1);
        self.held = self.held.saturating_add(elements.into());
    }

    /// The first two owners and the last one, if the numbers of all are at equal steps.
    pub(super) fn regular(&self) -> Option<(u32, u32, u32)> {
        let [first, second] = self.lowest;
        (!self.is_irregular && self.owners > 2).then_some((first, second, self.highest))
    }

    /// The owners with the most elements.
    pub(super) fn top(&self) -> &[(u32, i64)] {
        self.top.get(..(self.owners as usize).min(TOP)).unwrap_or_default()
    }
}

/// A part of the tensor as a grid: rows, columns, and one bin of each other dimension.
#[derive(Debug)]
pub(super) struct CellGrid {
    pub(super) rows: CellAxis,
    pub(super) columns: CellAxis,
    /// The other dimensions, and the indices of each.
    pub(super) others: Vec<(usize, Bins)>,
}

/// The rows or the columns of a grid.
#[derive(Debug)]
pub(super) struct CellAxis {
    /// The dimension; `None` for the one row of a tensor with one dimension.
    pub(super) dim: Option<usize>,
    pub(super) bins: Bins,
}

impl CellAxis {
    /// The same axis in memory of its own.
    pub(super) fn try_clone(&self) -> Memory<Self> {
        Ok(Self { dim: self.dim, bins: self.bins.try_clone()? })
    }

    /// How many indices of the axis's dimension each bin has: one, if the axis has no dimension.
    pub(super) fn size(&self, bin: usize) -> i64 {
        if self.dim.is_some() { self.bins.size(bin) } else { 1 }
    }
}

impl CellGrid {
    /// Number of cells.
    pub(super) fn len(&self) -> usize {
        self.rows.bins.len().saturating_mul(self.columns.bins.len())
    }

    /// The number of elements of a cell.
    pub(super) fn volume(&self, row: usize, column: usize) -> i64 {
        let others = self.others.iter().map(|(_, bins)| bins.end().saturating_sub(bins.start()));
        let own = [self.rows.size(row), self.columns.size(column)];
        // A part of a tensor, whose number of elements fits an i64.
        others.chain(own).fold(1i64, i64::saturating_mul)
    }

    /// Whether no shard ends inside of a cell.
    pub(super) fn is_exact(&self) -> bool {
        let axes = [&self.rows.bins, &self.columns.bins];
        axes.into_iter().chain(self.others.iter().map(|(_, bins)| bins)).all(|bins| bins.is_exact)
    }
}

/// What the shards of one list have of the cells of a grid.
pub(super) struct Counter<'a> {
    list: &'a DrawnShards<'a>,
    grid: &'a CellGrid,
    /// What dim maps of many stretches have, by dimension and number.
    of_maps: Map<(usize, u32), Vec<(u32, i64)>>,
    rows: Vec<(u32, i64)>,
    columns: Vec<(u32, i64)>,
    other: Vec<(u32, i64)>,
    /// How many times a shard and a cell may still meet.
    steps: u64,
}

impl<'a> Counter<'a> {
    pub(super) fn new(list: &'a DrawnShards<'a>, grid: &'a CellGrid) -> Self {
        let steps = MEETINGS_OF_SHARD.saturating_mul(list.product_count() as u64);
        Self {
            list,
            grid,
            of_maps: Map::default(),
            rows: Vec::new(),
            columns: Vec::new(),
            other: Vec::new(),
            steps: steps.saturating_add(MEETINGS),
        }
    }

    /// As [`Self::count`], however many steps that takes.
    pub(super) fn count_all(
        &mut self, product: usize, found: &mut impl FnMut(usize, i64) -> Memory<()>,
    ) -> Memory<()> {
        self.steps = u64::MAX;
        self.count(product, found).map(drop)
    }

    /// Calls `found` for each cell of which a product has something, with the number of elements. Returns
    /// whether there were steps left for that.
    pub(super) fn count(
        &mut self, product: usize, found: &mut impl FnMut(usize, i64) -> Memory<()>,
    ) -> Memory<bool> {
        let mut factor = 1i64;
        for (dim, bins) in &self.grid.others {
            let mut other = std::mem::take(&mut self.other);
            self.cover(product, *dim, bins, &mut other)?;
            let common = other.iter().fold(0i64, |sum, (_, count)| sum.saturating_add(*count));
            self.other = other;
            if common == 0 {
                return Ok(true);
            }
            factor = factor.saturating_mul(common);
        }
        let (mut rows, mut columns) =
            (std::mem::take(&mut self.rows), std::mem::take(&mut self.columns));
        self.cover_axis(product, &self.grid.rows, &mut rows)?;
        self.cover_axis(product, &self.grid.columns, &mut columns)?;
        let meetings = (rows.len() as u64).saturating_mul(columns.len() as u64).saturating_add(1);
        let left = self.steps.checked_sub(meetings);
        self.steps = left.unwrap_or(0);
        if left.is_some() {
            let width = self.grid.columns.bins.len();
            for &(row, height) in &rows {
                let first = (row as usize).saturating_mul(width);
                for &(column, length) in &columns {
                    let elements = factor.saturating_mul(height).saturating_mul(length);
                    found(first.saturating_add(column as usize), elements)?;
                }
            }
        }
        (self.rows, self.columns) = (rows, columns);
        Ok(left.is_some())
    }

    fn cover_axis(
        &mut self, product: usize, axis: &CellAxis, found: &mut Vec<(u32, i64)>,
    ) -> Memory<()> {
        match axis.dim {
            Some(dim) => self.cover(product, dim, &axis.bins, found),
            None => {
                found.clear();
                found.try_push((0, 1))
            }
        }
    }

    fn cover(
        &mut self, product: usize, dim: usize, bins: &Bins, found: &mut Vec<(u32, i64)>,
    ) -> Memory<()> {
        let (extent, number) = self.list.dim(product, dim);
        let (Some(number), DimExtent::Map(map)) = (number, extent) else {
            return bins.cover(extent, found);
        };
        if map.stretches().len() <= FEW_STRETCHES {
            return bins.cover(extent, found);
        }
        if let Some(known) = self.of_maps.get(&(dim, number)) {
            found.clear();
            return found.try_extend_from_slice(known);
        }
        bins.cover(extent, found)?;
        // Many stretches in a bin are one entry.
        found.sort_unstable();
        found.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            if is_same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            is_same
        });
        let mut kept = Vec::new();
        kept.try_extend_from_slice(found)?;
        self.of_maps.try_reserve(1).map_err(OutOfMemory::from)?;
        self.of_maps.insert((dim, number), kept);
        Ok(())
    }
}

/// The holders of each cell of a grid, row by row; `None` where finding them takes too many steps.
pub(super) fn holders(
    list: &DrawnShards<'_>, owners: &ShardsByOwner, grid: &CellGrid,
) -> Result<Option<Vec<CellHolders>>> {
    let mut cells = try_filled(CellHolders::default(), grid.len())?;
    let mut of_owner = try_filled(0i64, grid.len())?;
    let mut touched: Vec<usize> = Vec::new();
    let mut counter = Counter::new(list, grid);
    // Of exact cells, a shard has all or nothing: cells of any size may be of one area.
    let is_exact = grid.is_exact();
    for (owner, shards) in owners.groups() {
        touched.clear();
        for &shard in shards {
            for product in list.products_of(shard) {
                let is_done = counter.count(product, &mut |cell, elements| {
                    if let Some(sum) = of_owner.get_mut(cell) {
                        if *sum == 0 {
                            touched.try_push(cell)?;
                        }
                        *sum = sum.saturating_add(elements);
                    }
                    if let Some(cell) = cells.get_mut(cell) {
                        let elements = if is_exact { 0 } else { elements };
                        cell.key = cell.key.wrapping_add(mixed(shard, elements));
                    }
                    Ok(())
                })?;
                if !is_done {
                    return Ok(None);
                }
            }
        }
        for &at in &touched {
            if let (Some(cell), Some(sum)) = (cells.get_mut(at), of_owner.get_mut(at)) {
                cell.add(owner, std::mem::take(sum));
            }
        }
    }
    Ok(Some(cells))
}

/// A number that stands for what a shard has of a cell. The same in every process, as pictures are.
fn mixed(shard: u32, elements: i64) -> u64 {
    // The finaliser of SplitMix64.
    let mut mixed = (u64::from(shard) << 32 ^ elements as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
