//! Panels: which parts of a tensor a picture shows, and what is in their cells.

use crate::draw::cells::{CellAxis, CellGrid, CellHolders, holders};
use crate::draw::cuts::{Bins, Cuts};
use crate::draw::kept::{LayoutPair, kept_in_cells};
use crate::draw::options::PictureOptions;
use crate::draw::owner_table::{OwnerTable, ShardsByOwner};
use crate::draw::space::DrawnShards;
use crate::error::{Error, Result};
use crate::memory::{Memory, Text, TryVec, try_collect};

/// A grid and its cells, row by row.
#[derive(Debug)]
pub(super) struct Panel {
    pub(super) kind: PanelKind,
    pub(super) grid: CellGrid,
    pub(super) cells: Vec<PanelCell>,
}

/// Which part of the tensor a panel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PanelKind {
    /// All that is drawn.
    Whole,
    /// Some indices of the dimensions that are neither rows nor columns.
    Slice,
    /// All that is drawn, in cells that shards end inside of.
    Summary,
    /// Where a summary begins, in cells that no shard ends inside of.
    Detail,
}

/// A cell of a panel.
#[derive(Debug, Clone, Copy)]
pub(super) struct PanelCell {
    /// Number of elements.
    pub(super) volume: i64,
    /// Who has them.
    pub(super) holders: CellHolders,
    /// Of two layouts, who had them, and how many of what the holders have now stays with them.
    pub(super) before: Option<(CellHolders, i128)>,
    /// Equal for cells that look like one area.
    pub(super) key: u64,
}

impl PanelCell {
    /// A cell without elements.
    pub(super) const NOTHING: Self =
        Self { volume: 0, holders: CellHolders::NOTHING, before: None, key: 0 };
}

/// The most that a picture has of each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Of each of several slices.
    pub(super) slice_rows: usize,
    pub(super) slice_columns: usize,
    pub(super) slices: usize,
    /// The most rows and columns of a summary.
    pub(super) summary: usize,
}

/// The panels of a picture, and what they leave out.
pub(super) struct Panels {
    pub(super) panels: Vec<Panel>,
    /// The dimensions that no shard cuts, which are neither rows nor columns.
    pub(super) uncut: Vec<usize>,
    /// How many slices there are; `None`: very many.
    pub(super) slice_count: Option<usize>,
}

/// One layout, or two.
pub(super) struct Layouts<'a> {
    pub(super) lists: Vec<DrawnShards<'a>>,
    pub(super) owners: OwnerTable<'a>,
    pub(super) by_owner: Vec<ShardsByOwner>,
}

impl<'a> Layouts<'a> {
    /// Shards in the dimensions that are drawn.
    pub(super) fn new(lists: Vec<DrawnShards<'a>>) -> Memory<Self> {
        let shards = try_collect(lists.iter().map(|list| list.shards))?;
        let owners = OwnerTable::new(&shards)?;
        let mut by_owner = Vec::new();
        for list in 0..lists.len() {
            by_owner.try_push(owners.by_owner(list)?)?;
        }
        Ok(Self { lists, owners, by_owner })
    }

    /// Two layouts.
    pub(super) fn pair(&self) -> Option<LayoutPair<'_>> {
        let ([source, destination], [from, to]) = (&*self.lists, &*self.by_owner) else {
            return None;
        };
        Some(LayoutPair { source, destination, from, to })
    }

    /// The sizes of the drawn dimensions.
    pub(super) fn sizes(&self) -> &[i64] {
        self.lists.first().map_or(&[], |list| &list.sizes)
    }
}

/// The panels of layouts. A part of the tensor without elements has none.
pub(super) fn panels(
    layouts: &Layouts<'_>, options: &PictureOptions<'_>, limits: Limits,
) -> Result<Panels> {
    let ndim = layouts.sizes().len();
    options.check_axes(ndim)?;
    let mut found = Panels { panels: Vec::new(), uncut: Vec::new(), slice_count: Some(1) };
    let lists = try_collect(&layouts.lists)?;
    let mut cuts = Vec::new();
    for dim in 0..ndim {
        let window = options.window_of(layouts.sizes(), dim)?;
        cuts.try_push(Cuts::new(&lists, dim, window)?)?;
    }
    if cuts.iter().any(|cuts| cuts.start == cuts.end) {
        return Ok(found);
    }
    let axes = chosen_axes(&cuts, options.axes);
    let others = (0..ndim).filter(|dim| !axes.contains(&Some(*dim)));
    let (cut, uncut) = (others.clone(), others);
    found.uncut = try_collect(uncut.filter(|&dim| cuts.get(dim).is_some_and(|dim| !dim.is_cut())))?;
    let cut = try_collect(cut.filter(|&dim| cuts.get(dim).is_some_and(Cuts::is_cut)))?;
    let drawer = Drawer { layouts, cuts: &cuts, axes, cut, uncut: &found.uncut };
    found.slice_count = drawer.slice_count();
    let mut limits = limits;
    loop {
        if let Some(panels) = drawer.panels(limits)? {
            found.panels = panels;
            return Ok(found);
        }
        if limits.rows == 1 && limits.columns == 1 && limits.summary == 1 {
            let what = "an owner has too many shards in both layouts to draw which elements change \
                        their owner; draw the plan between the layouts";
            return Err(Error::Unsupported { what: Text::from(what) });
        }
        // Shards that lie across each other in too many cells are drawn in fewer.
        limits = Limits {
            rows: (limits.rows / 2).max(1),
            columns: (limits.columns / 2).max(1),
            slice_rows: (limits.slice_rows / 2).max(1),
            slice_columns: (limits.slice_columns / 2).max(1),
            slices: 1,
            summary: (limits.summary / 2).max(1),
        };
    }
}

/// The dimensions of rows and columns.
fn chosen_axes(cuts: &[Cuts], axes: &[usize]) -> [Option<usize>; 2] {
    match *axes {
        [columns] => return [None, Some(columns)],
        [rows, columns] => return [Some(rows), Some(columns)],
        _ => {}
    }
    let Some(last) = cuts.len().checked_sub(1) else { return [None, None] };
    let Some(other) = last.checked_sub(1) else { return [None, Some(last)] };
    let mut cut = (0..cuts.len()).rev().filter(|&dim| cuts.get(dim).is_some_and(Cuts::is_cut));
    match (cut.next(), cut.next()) {
        (Some(columns), Some(rows)) => [Some(rows), Some(columns)],
        (Some(rows), None) if rows < last => [Some(rows), Some(last)],
        _ => [Some(other), Some(last)],
    }
}

struct Drawer<'a> {
    layouts: &'a Layouts<'a>,
    cuts: &'a [Cuts],
    axes: [Option<usize>; 2],
    /// The other dimensions: those that are cut, and those that are not.
    cut: Vec<usize>,
    uncut: &'a [usize],
}

impl Drawer<'_> {
    fn slice_count(&self) -> Option<usize> {
        self.cut
            .iter()
            .try_fold(1usize, |count, &dim| count.checked_mul(self.cuts.get(dim)?.part_count()?))
    }

    /// The panels; `None` where they take too many steps.
    fn panels(&self, limits: Limits) -> Result<Option<Vec<Panel>>> {
        let slices = self.slice_count().unwrap_or(usize::MAX).min(limits.slices);
        let is_sliced = slices > 1;
        let rows = if is_sliced { limits.slice_rows } else { limits.rows };
        let columns = if is_sliced { limits.slice_columns } else { limits.columns };
        let own = [self.axis(0, rows, false)?, self.axis(1, columns, false)?];
        let is_exact = own.iter().all(|axis| axis.bins.is_exact);
        let mut panels = Vec::new();
        let mut add = |panel: Option<Panel>| match panel {
            Some(panel) => panels.try_push(panel).map(|()| true),
            None => Ok(false),
        };
        if is_exact && self.slice_count().is_some() {
            let kind = if self.cut.is_empty() { PanelKind::Whole } else { PanelKind::Slice };
            for slice in 0..slices {
                let [rows, columns] = &own;
                let axes = [rows.try_clone()?, columns.try_clone()?];
                if !add(self.panel(kind, axes, self.slice(slice, limits.slices)?)?)? {
                    return Ok(None);
                }
            }
            return Ok(Some(panels));
        }
        let most = limits.summary;
        let own = [self.axis(0, rows.min(most), false)?, self.axis(1, columns.min(most), false)?];
        if !add(self.panel(PanelKind::Summary, own, self.all()?)?)? {
            return Ok(None);
        }
        let detail =
            [self.axis(0, limits.slice_rows, true)?, self.axis(1, limits.slice_columns, true)?];
        // A detail that takes too long is left out: the summary stays.
        add(self.panel(PanelKind::Detail, detail, self.slice(0, 1)?)?)?;
        Ok(Some(panels))
    }

    /// Rows or columns: in at most `most` bins, or the first ones.
    fn axis(&self, axis: usize, most: usize, is_detail: bool) -> Memory<CellAxis> {
        let dim = self.axes.get(axis).copied().flatten();
        let bins = match dim.and_then(|dim| self.cuts.get(dim)) {
            None => Bins::one((0, 1), true)?,
            Some(cuts) if is_detail => cuts.first_bins(most)?,
            Some(cuts) => cuts.bins(most)?,
        };
        Ok(CellAxis { dim, bins })
    }

    /// All indices of the other dimensions.
    fn all(&self) -> Memory<Vec<(usize, Bins)>> {
        let mut others = Vec::new();
        for (dim, is_exact) in self
            .cut
            .iter()
            .map(|dim| (*dim, false))
            .chain(self.uncut.iter().map(|dim| (*dim, true)))
        {
            if let Some(cuts) = self.cuts.get(dim) {
                others.try_push((dim, Bins::one((cuts.start, cuts.end), is_exact)?))?;
            }
        }
        Ok(others)
    }

    /// A slice: one bin of each other dimension, the last one varying fastest.
    fn slice(&self, number: usize, most: usize) -> Memory<Vec<(usize, Bins)>> {
        let mut others = self.all()?;
        let mut rest = number;
        for (dim, bins) in others.iter_mut().take(self.cut.len()).rev() {
            let Some(cuts) = self.cuts.get(*dim) else { continue };
            let first = cuts.first_bins(most)?;
            let count = cuts.part_count().unwrap_or(usize::MAX).max(1);
            let bin = rest.checked_rem(count).unwrap_or(0);
            rest = rest.checked_div(count).unwrap_or(0);
            *bins = Bins::one(first.range(bin), true)?;
        }
        Ok(others)
    }

    fn panel(
        &self, kind: PanelKind, [rows, columns]: [CellAxis; 2], others: Vec<(usize, Bins)>,
    ) -> Result<Option<Panel>> {
        let grid = CellGrid { rows, columns, others };
        let Layouts { lists, by_owner, .. } = self.layouts;
        let mut all = Vec::new();
        for (list, owners) in lists.iter().zip(by_owner) {
            match holders(list, owners, &grid)? {
                Some(cells) => all.try_push(cells)?,
                None => return Ok(None),
            }
        }
        let stays = match self.layouts.pair() {
            None => Vec::new(),
            Some(pair) => match kept_in_cells(&pair, &grid)? {
                Some(stays) => stays,
                None => return Ok(None),
            },
        };
        let (width, is_exact) = (grid.columns.bins.len().max(1), grid.is_exact());
        let cells = (0..grid.len()).map(|at| {
            let (row, column) = (at.checked_div(width), at.checked_rem(width));
            let volume = grid.volume(row.unwrap_or(0), column.unwrap_or(0));
            let holders =
                |list: usize| all.get(list).and_then(|cells: &Vec<CellHolders>| cells.get(at));
            let last = holders(all.len().saturating_sub(1)).copied().unwrap_or_default();
            let before = (all.len() > 1).then(|| {
                let stays = stays.get(at).copied().unwrap_or(0);
                (holders(0).copied().unwrap_or_default(), i128::from(stays))
            });
            let old_key = before.map_or(0, |(before, _)| before.key);
            let key = last.key.rotate_left(17).wrapping_add(old_key);
            // Cells of several shards are drawn one by one, however alike they are.
            let is_mixed = !is_exact && last.owners > 1;
            let key = if is_mixed { at as u64 } else { key };
            PanelCell { volume, holders: last, before, key }
        });
        let cells = try_collect(cells)?;
        Ok(Some(Panel { kind, grid, cells }))
    }
}
