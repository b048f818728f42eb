//! Who holds how much of the tensor.

use crate::draw::cells::{CellAxis, CellGrid, Counter};
use crate::draw::cuts::Bins;
use crate::draw::kept::each_kept;
use crate::draw::panel::Layouts;
use crate::draw::space::DrawnShards;
use crate::error::Result;
use crate::geometry::checked_numel;
use crate::memory::{Memory, TryVec, try_filled};

/// The lines of a legend: owners in their order, neighbours with the same numbers together where there are
/// many owners.
pub(super) struct Legend {
    pub(super) rows: Vec<OwnerRow>,
    /// How many lines there may be.
    room: usize,
    /// How many owners have no line.
    pub(super) omitted: usize,
    /// The largest sum of a line's first two numbers.
    pub(super) most: i128,
    /// How many owners there are.
    pub(super) owner_count: usize,
    /// All owners together.
    pub(super) total: OwnerTotals,
    /// How many shards have no element.
    pub(super) empty_shards: u64,
}

/// One or more owners with the same numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnerRow {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) totals: OwnerTotals,
}

/// What an owner has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct OwnerTotals {
    /// Number of shards.
    pub(super) shards: u64,
    /// Elements of the tensor that it holds; of two layouts, those that it keeps.
    pub(super) elements: i128,
    /// Places of its buffers that hold no element; of two layouts, the elements that it receives.
    pub(super) more: i128,
    /// Of two layouts, the elements that it has no longer.
    pub(super) given: i128,
    /// Elements outside of the tensor.
    pub(super) outside: i128,
}

impl OwnerTotals {
    fn add(&mut self, other: Self) {
        self.shards = self.shards.saturating_add(other.shards);
        self.elements = self.elements.saturating_add(other.elements);
        self.more = self.more.saturating_add(other.more);
        self.given = self.given.saturating_add(other.given);
        self.outside = self.outside.saturating_add(other.outside);
    }
}

impl Legend {
    /// The legend of a layout, with at most `most` lines.
    pub(super) fn of_layout(layouts: &Layouts<'_>, most: usize) -> Result<Self> {
        let count = layouts.by_owner.first().map_or(0, |owners| owners.groups().count());
        let mut legend = Self::new(count, most);
        let whole = whole(layouts.sizes())?;
        if let (Some(list), Some(owners)) = (layouts.lists.first(), layouts.by_owner.first()) {
            let mut counter = Counter::new(list, &whole);
            for (owner, shards) in owners.groups() {
                let mut totals = OwnerTotals::default();
                for &shard in shards {
                    let of_shard = shard_totals(list, &mut counter, shard)?;
                    let is_empty = u64::from(of_shard.elements == 0);
                    legend.empty_shards = legend.empty_shards.saturating_add(is_empty);
                    totals.add(of_shard);
                }
                legend.push(owner, totals)?;
            }
        }
        Ok(legend)
    }

    /// The legend of what changes between two layouts.
    pub(super) fn of_change(layouts: &Layouts<'_>, most: usize) -> Result<Self> {
        let count = layouts.owners.count();
        let mut kept = try_filled(0i128, count)?;
        let whole = whole(layouts.sizes())?;
        if let Some(pair) = layouts.pair() {
            each_kept(&pair, &whole, &mut |owner, _, elements| {
                if let Some(sum) = kept.get_mut(owner as usize) {
                    *sum = sum.saturating_add(elements.into());
                }
            })?;
        }
        let mut held = [try_filled(0i128, count)?, try_filled(0i128, count)?];
        let mut shards = try_filled(0u64, count)?;
        for ((list, owners), held) in layouts.lists.iter().zip(&layouts.by_owner).zip(&mut held) {
            let mut counter = Counter::new(list, &whole);
            for (owner, own) in owners.groups() {
                if let Some(shards) = shards.get_mut(owner as usize) {
                    *shards = own.len() as u64;
                }
                for &shard in own {
                    let elements = shard_totals(list, &mut counter, shard)?.elements;
                    if let Some(sum) = held.get_mut(owner as usize) {
                        *sum = sum.saturating_add(elements);
                    }
                }
            }
        }
        let mut legend = Self::new(count, most);
        let [before, after] = &held;
        let numbers = before.iter().zip(after).zip(kept.iter().zip(&shards));
        for (owner, ((&before, &after), (&kept, &shards))) in (0u32..).zip(numbers) {
            let kept = kept.min(after);
            let (more, given) = (after.saturating_sub(kept), before.saturating_sub(kept).max(0));
            let totals = OwnerTotals { shards, elements: kept, more, given, outside: 0 };
            legend.push(owner, totals)?;
        }
        Ok(legend)
    }

    /// A legend of `count` owners, with at most `most` lines.
    fn new(count: usize, most: usize) -> Self {
        // The last line of a full legend is for the rest.
        let room = if count <= most { most } else { most.saturating_sub(1).max(1) };
        Self {
            rows: Vec::new(),
            room,
            omitted: 0,
            most: 1,
            owner_count: count,
            total: OwnerTotals::default(),
            empty_shards: 0,
        }
    }

    /// Adds the next owner.
    fn push(&mut self, owner: u32, totals: OwnerTotals) -> Memory<()> {
        self.total.add(totals);
        let held = totals.elements.saturating_add(totals.more);
        self.most = self.most.max(held);
        let (has_room, are_few) = (self.rows.len() < self.room, self.owner_count <= self.room);
        let is_next =
            |row: &OwnerRow| row.totals == totals && row.last.checked_add(1) == Some(owner);
        match self.rows.last_mut() {
            Some(row) if !are_few && self.omitted == 0 && is_next(row) => row.last = owner,
            _ if has_room => self.rows.try_push(OwnerRow { first: owner, last: owner, totals })?,
            _ => self.omitted = self.omitted.saturating_add(1),
        }
        Ok(())
    }
}

/// All of the tensor as one cell.
fn whole(sizes: &[i64]) -> Memory<CellGrid> {
    let mut others = Vec::new();
    for (dim, &size) in sizes.iter().enumerate() {
        others.try_push((dim, Bins::one((0, size), false)?))?;
    }
    let rows = CellAxis { dim: None, bins: Bins::one((0, 1), true)? };
    Ok(CellGrid { columns: rows.try_clone()?, rows, others })
}

/// What a shard has.
fn shard_totals(
    list: &DrawnShards<'_>, counter: &mut Counter<'_>, shard: u32,
) -> Result<OwnerTotals> {
    let mut inside = 0i128;
    for product in list.products_of(shard) {
        counter.count_all(product, &mut |_, elements| {
            inside = inside.saturating_add(elements.into());
            Ok(())
        })?;
    }
    let extent = list.shards.extents().get(shard as usize);
    let places = extent.and_then(|extent| checked_numel(extent.sizes)).unwrap_or(i64::MAX);
    let own = extent.and_then(|extent| extent.elements()).unwrap_or(i64::MAX);
    Ok(OwnerTotals {
        shards: 1,
        elements: inside,
        more: i128::from(places.saturating_sub(own)),
        given: 0,
        outside: i128::from(own).saturating_sub(inside).max(0),
    })
}
