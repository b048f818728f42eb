//! A panel of a picture as SVG.

use crate::draw::areas::{Area, Areas};
use crate::draw::cells::CellAxis;
use crate::draw::label::{Labels, Mark};
use crate::draw::page::{Page, page};
use crate::draw::panel::{Panel, PanelCell};
use crate::draw::svg_page::{Anchor, Shapes, label_class, signs_in, small_width, text_width};
use crate::memory::{Memory, TryVec};

/// The longest side of a panel.
const SIDE: i64 = 448;
/// The least width of a panel.
const MIN_SIDE: i64 = 240;
/// The usual height of a panel, and that of one of several.
const HEIGHT: i64 = 320;
const SMALL_HEIGHT: i64 = 200;
/// The height of the row of a vector.
const ROW: i64 = 44;
/// The least side of a cell with a label.
const CELL: i64 = 24;
/// The height of the name and of the numbers of columns.
const AXIS: i64 = 36;
/// How many areas have a text for the pointer: more would make pictures large.
const MAX_TITLES: usize = 200;
/// How many areas have strips.
const MAX_STRIPS: usize = 256;

/// A panel whose places are known.
pub(super) struct SvgPanel<'a> {
    panel: &'a Panel,
    labels: &'a Labels<'a>,
    areas: Areas,
    /// Where columns and rows begin, and the last ones end.
    lefts: Vec<i64>,
    tops: Vec<i64>,
}

impl<'a> SvgPanel<'a> {
    pub(super) fn new(
        panel: &'a Panel, labels: &'a Labels<'a>, names: &[Option<String>; 2],
        (left, top): (i64, i64), is_small: bool,
    ) -> Memory<Self> {
        let (rows, columns) = (&panel.grid.rows, &panel.grid.columns);
        let height = panel_height(rows, columns, if is_small { SMALL_HEIGHT } else { HEIGHT });
        let number = small_width(&page!("{}", rows.bins.end())?);
        let margin = match (&names[0], rows.dim) {
            (Some(_), Some(_)) => number.saturating_add(28),
            _ => 8,
        };
        let lefts = places(columns, left.saturating_add(margin), panel_width(rows, columns))?;
        let tops = places(rows, top.saturating_add(AXIS), height)?;
        Ok(Self { panel, labels, areas: Areas::new(panel)?, lefts, tops })
    }

    /// Where the panel ends.
    pub(super) fn end(&self) -> (i64, i64) {
        let last = |places: &[i64]| places.last().copied().unwrap_or(0);
        (last(&self.lefts), last(&self.tops).saturating_add(16))
    }

    pub(super) fn draw(&self, shapes: &mut Shapes, names: &[Option<String>; 2]) -> Memory<()> {
        self.draw_axes(shapes, names)?;
        let has_titles = self.areas.all.len() <= MAX_TITLES;
        for (number, area) in (0u32..).zip(&self.areas.all) {
            if has_titles {
                let title = self.title(area, names)?;
                shapes.group(&title, |shapes| self.draw_area(shapes, number, area))?;
            } else {
                self.draw_area(shapes, number, area)?;
            }
        }
        shapes.path("ln", &self.lines()?)?;
        for area in &self.areas.all {
            self.draw_label(shapes, area)?;
        }
        Ok(())
    }

    /// Names of dimensions, and the indices at lines.
    fn draw_axes(&self, shapes: &mut Shapes, names: &[Option<String>; 2]) -> Memory<()> {
        let (Some(&left), Some(&right)) = (self.lefts.first(), self.lefts.last()) else {
            return Ok(());
        };
        let (Some(&top), Some(&bottom)) = (self.tops.first(), self.tops.last()) else {
            return Ok(());
        };
        let middle = |a: i64, b: i64| a.saturating_add(b) / 2;
        let [rows, columns] = names;
        if let Some(name) = columns {
            let name = page!("{name} →")?;
            let place = (middle(left, right), top.saturating_sub(26));
            shapes.text("sm fa", place, Anchor::Middle, &name)?;
            let bounds = &self.panel.grid.columns.bins.bounds;
            let mut free = i64::MIN;
            for (at, (bound, &x)) in bounds.iter().zip(&self.lefts).enumerate() {
                let number = page!("{bound}")?;
                let half = small_width(&number) / 2;
                let is_last = at.saturating_add(1) == bounds.len();
                let is_free = x.saturating_sub(half) >= free;
                let last = small_width(&page!("{}", bounds.last().copied().unwrap_or(0))?);
                let before_last = right.saturating_sub(last).saturating_sub(half);
                if is_free && (is_last || x < before_last) {
                    shapes.text("sm fa", (x, top.saturating_sub(10)), Anchor::Middle, &number)?;
                    free = x.saturating_add(half).saturating_add(6);
                }
            }
        }
        let Some(name) = rows else { return Ok(()) };
        let bounds = &self.panel.grid.rows.bins.bounds;
        let mut free = i64::MIN;
        for (at, (bound, &y)) in bounds.iter().zip(&self.tops).enumerate() {
            let is_last = at.saturating_add(1) == bounds.len();
            if y >= free && (is_last || y < bottom.saturating_sub(12)) {
                let place = (left.saturating_sub(6), y);
                shapes.text("sm fa", place, Anchor::End, &page!("{bound}")?)?;
                free = y.saturating_add(13);
            }
        }
        let number = small_width(&page!("{}", self.panel.grid.rows.bins.end())?);
        let x = left.saturating_sub(number).saturating_sub(16);
        // From bottom to top, the arrow that points down the rows points to the left.
        shapes.upright("sm fa", (x, middle(top, bottom)), &page!("← {name}")?)
    }

    fn cell(&self, area: &Area) -> &PanelCell {
        const NOTHING: &PanelCell = &PanelCell::NOTHING;
        self.panel.cells.get(area.cell).unwrap_or(NOTHING)
    }

    /// Where a block of cells begins, and its size.
    fn block(&self, rows: (usize, usize), columns: (usize, usize)) -> ((i64, i64), (i64, i64)) {
        let place = |places: &[i64], at: usize| places.get(at).copied().unwrap_or(0);
        let (x, y) = (place(&self.lefts, columns.0), place(&self.tops, rows.0));
        let width = place(&self.lefts, columns.1).saturating_sub(x);
        let height = place(&self.tops, rows.1).saturating_sub(y);
        ((x, y), (width, height))
    }

    fn draw_area(&self, shapes: &mut Shapes, number: u32, area: &Area) -> Memory<()> {
        let cell = self.cell(area);
        if area.is_block {
            let (place, size) = self.block(area.rows, area.columns);
            fill_path(shapes, cell, self.labels, &box_path(place, size)?)?;
        } else {
            fill_path(shapes, cell, self.labels, &self.runs(number)?)?;
        }
        let (place, size) = self.block(area.rows, area.columns);
        if self.areas.all.len() <= MAX_STRIPS && size.1 >= CELL {
            draw_strip(shapes, cell, self.labels, place, size)?;
        }
        Ok(())
    }

    /// The path of an area that is no block: a box for each run of cells in a row.
    fn runs(&self, number: u32) -> Memory<String> {
        let mut path = Page::default();
        let columns = self.panel.grid.columns.bins.len();
        for row in 0..self.panel.grid.rows.bins.len() {
            let mut column = 0usize;
            while column < columns {
                let is_own = |column: &usize| self.areas.at(row, *column) == Some(number);
                let count = (column..columns).take_while(is_own).count();
                if count > 0 {
                    let end = column.saturating_add(count);
                    let (place, size) = self.block((row, row.saturating_add(1)), (column, end));
                    path.put(box_path(place, size)?)?;
                }
                column = column.saturating_add(count.max(1));
            }
        }
        Ok(path.into_text())
    }

    /// The lines between areas.
    fn lines(&self) -> Memory<String> {
        let mut path = Page::default();
        let (rows, columns) = (self.panel.grid.rows.bins.len(), self.panel.grid.columns.bins.len());
        let place = |places: &[i64], at: usize| places.get(at).copied().unwrap_or(0);
        for row in 0..=rows {
            for column in 0..=columns {
                let (x, y) = (place(&self.lefts, column), place(&self.tops, row));
                let own = self.areas.at(row, column);
                let (right, down) = (column.saturating_add(1), row.saturating_add(1));
                let above = row.checked_sub(1).and_then(|row| self.areas.at(row, column));
                let before = column.checked_sub(1).and_then(|column| self.areas.at(row, column));
                if row > 0 && row < rows && column < columns && own != above {
                    path.put(format_args!("M{x} {y}H{}", place(&self.lefts, right)))?;
                }
                if column > 0 && column < columns && row < rows && own != before {
                    path.put(format_args!("M{x} {y}V{}", place(&self.tops, down)))?;
                }
            }
        }
        Ok(path.into_text())
    }

    fn draw_label(&self, shapes: &mut Shapes, area: &Area) -> Memory<()> {
        let ((x, y), (width, height)) = self.block(area.rows, area.columns);
        if height < 13 {
            return Ok(());
        }
        let cell = self.cell(area);
        let label = self.labels.of(cell, signs_in(width.saturating_sub(4)))?;
        if label.is_empty() || text_width(&label) > width {
            return Ok(());
        }
        let class = label_class(self.owner(cell))?;
        let middle = (x.saturating_add(width / 2), y.saturating_add(height / 2));
        shapes.text(&class, middle, Anchor::Middle, &label)
    }

    /// The owner whose colour a cell has.
    fn owner(&self, cell: &PanelCell) -> Option<u32> {
        match cell.mark(self.labels.has_replicas) {
            Mark::Owned | Mark::Replicated | Mark::Moves => {
                cell.holders.top().first().map(|(owner, _)| *owner)
            }
            _ => None,
        }
    }

    /// What the pointer shows: who, and which indices.
    fn title(&self, area: &Area, names: &[Option<String>; 2]) -> Memory<String> {
        let mut page = Page::default();
        page.put(self.labels.of_title(self.cell(area))?)?;
        let grid = &self.panel.grid;
        let dims = [(&grid.rows, area.rows), (&grid.columns, area.columns)];
        for (name, (axis, (first, last))) in names.iter().zip(dims) {
            if let (Some(name), true) = (name, area.is_block) {
                let (start, end) = (axis.bins.range(first).0, axis.bins.range(last).0);
                page.put(format_args!(", {name}: {start} to {}", end.saturating_sub(1)))?;
            }
        }
        Ok(page.into_text())
    }
}

/// How wide a panel is: less, where the tensor has few columns for its rows.
fn panel_width(rows: &CellAxis, columns: &CellAxis) -> i64 {
    let count = columns.bins.len() as i64;
    let needed = count.saturating_mul(CELL * 3).clamp(MIN_SIDE, SIDE);
    if rows.dim.is_none() { SIDE } else { needed }
}

/// How high a panel is.
fn panel_height(rows: &CellAxis, columns: &CellAxis, most: i64) -> i64 {
    if rows.dim.is_none() {
        return ROW;
    }
    let count = rows.bins.len() as i64;
    let needed = count.saturating_mul(CELL + 8).clamp(64, most);
    // A tensor with as many rows as columns is about a square.
    let length = |axis: &CellAxis| {
        i128::from(axis.bins.end()).saturating_sub(axis.bins.start().into()).max(1)
    };
    let width = i128::from(panel_width(rows, columns));
    let square = width.saturating_mul(length(rows)).checked_div(length(columns)).unwrap_or(0);
    let square = i64::try_from(square).unwrap_or(most);
    square.clamp(needed.min(most), most)
}

/// Where the bins of an axis begin, and the last one ends. Small ones are larger than they are, to be seen.
fn places(axis: &CellAxis, first: i64, length: i64) -> Memory<Vec<i64>> {
    let count = axis.bins.len() as i64;
    let least = length.checked_div(count.saturating_mul(2)).unwrap_or(0).min(CELL);
    let rest = i128::from(length.saturating_sub(least.saturating_mul(count)));
    let total = i128::from(axis.bins.end()).saturating_sub(axis.bins.start().into()).max(1);
    let mut all = Vec::new();
    for (bin, &bound) in (0i64..).zip(&axis.bins.bounds) {
        let before = i128::from(bound).saturating_sub(axis.bins.start().into());
        let share = before.saturating_mul(rest).checked_div(total).unwrap_or(0);
        let share = i64::try_from(share).unwrap_or(0);
        all.try_push(first.saturating_add(least.saturating_mul(bin)).saturating_add(share))?;
    }
    Ok(all)
}

fn box_path((x, y): (i64, i64), (width, height): (i64, i64)) -> Memory<String> {
    page!("M{x} {y}h{width}v{height}h-{width}z")
}

/// Fills a box as a cell is filled.
pub(super) fn fill(
    shapes: &mut Shapes, cell: &PanelCell, labels: &Labels<'_>, place: (i64, i64), size: (i64, i64),
) -> Memory<()> {
    fill_path(shapes, cell, labels, &box_path(place, size)?)?;
    draw_strip(shapes, cell, labels, place, size)
}

fn fill_path(shapes: &mut Shapes, cell: &PanelCell, labels: &Labels<'_>, path: &str) -> Memory<()> {
    let owner = cell.holders.top().first().map(|(owner, _)| *owner);
    match (cell.mark(labels.has_replicas), owner) {
        (Mark::Owned | Mark::Replicated | Mark::Moves, Some(owner)) => shapes.owned(owner, path),
        (Mark::Overlap, _) => {
            shapes.path("mx", path)?;
            shapes.hatched("two", path)
        }
        (Mark::Gap, _) => shapes.hatched("gap", path),
        (Mark::PartGap, _) => {
            shapes.path("mx", path)?;
            shapes.hatched("gap", path)
        }
        (Mark::Stays, _) => shapes.path("st", path),
        _ => shapes.path("mx", path),
    }
}

/// The colours of a cell's owners at its lower edge: of replicas equally long, else by their elements.
fn draw_strip(
    shapes: &mut Shapes, cell: &PanelCell, labels: &Labels<'_>, (x, y): (i64, i64),
    (width, height): (i64, i64),
) -> Memory<()> {
    let mark = cell.mark(labels.has_replicas);
    let top = cell.holders.top();
    let is_all = cell.holders.owners as usize == top.len();
    if !matches!(mark, Mark::Replicated | Mark::Mixed | Mark::Overlap) || !is_all || top.len() < 2 {
        return Ok(());
    }
    let strip = (height / 5).clamp(4, 8);
    let bottom = y.saturating_add(height).saturating_sub(strip);
    let total = cell.holders.held.max(1);
    let mut before = 0i128;
    let mut sorted = [(u32::MAX, 0i64); super::cells::TOP];
    sorted.iter_mut().zip(top).for_each(|(place, own)| *place = *own);
    sorted.sort_unstable();
    for &(owner, elements) in sorted.iter().take(top.len()) {
        let at = |sum: i128| {
            let share = sum.saturating_mul(width.into()).checked_div(total).unwrap_or(0);
            x.saturating_add(i64::try_from(share).unwrap_or(0))
        };
        let start = at(before);
        before = before.saturating_add(elements.into());
        let length = at(before).saturating_sub(start);
        shapes.owned(owner, &box_path((start, bottom), (length, strip))?)?;
    }
    // The strip is apart from the first owner's colour.
    let end = x.saturating_add(width);
    shapes.path("ln", &page!("M{x} {bottom}H{end}")?)?;
    Ok(())
}
