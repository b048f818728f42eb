//! Pictures of layouts as text.

use crate::draw::areas::{Area, Areas};
use crate::draw::canvas::{Canvas, Ink, line};
use crate::draw::label::{FORMS, Labels, Mark};
use crate::draw::layout_picture::LayoutPicture;
use crate::draw::options::PictureOptions;
use crate::draw::page::{INDENT, Page, page, width};
use crate::draw::panel::{Limits, Panel};
use crate::draw::text_legend;
use crate::draw::text_places::{column_widths, row_heights};
use crate::memory::{Memory, TryVec, try_filled};

/// The most rows of a panel of text.
const MAX_ROWS: usize = 12;
/// The most rows of each of several panels.
const MAX_SLICE_ROWS: usize = 6;
/// The most rows and columns of a summary, of whose cells only numbers are to be seen.
const MAX_SUMMARY: usize = 8;
/// The most slices.
const MAX_SLICES: usize = 4;
/// The most lines of a legend.
pub(super) const MAX_OWNERS: usize = 16;
/// The widest number of a row.
const MAX_MARGIN: usize = 20;

/// How many cells there is room for.
pub(super) fn limits(options: &PictureOptions<'_>, short_name: usize) -> Limits {
    let room = options.width.saturating_sub(MAX_MARGIN / 2);
    let columns = room.checked_div(short_name.clamp(1, 6).saturating_add(2)).unwrap_or(1);
    Limits {
        rows: MAX_ROWS,
        columns: columns.clamp(1, 64),
        slice_rows: MAX_SLICE_ROWS,
        slice_columns: columns.clamp(1, 64),
        slices: MAX_SLICES,
        summary: MAX_SUMMARY,
    }
}

/// A picture as lines of text.
pub(super) fn write(picture: &LayoutPicture<'_>, options: &PictureOptions<'_>) -> Memory<String> {
    let mut page = Page::default();
    page.paragraph(&picture.title, 0, INDENT, options.width)?;
    for note in &picture.notes {
        page.paragraph(note, INDENT, 2 * INDENT, options.width)?;
    }
    let labels = picture.labels(options.ascii);
    for panel in &picture.panels {
        page.put('\n')?;
        let caption = picture.caption(panel)?;
        if !caption.is_empty() {
            page.paragraph(&caption, INDENT, 2 * INDENT, options.width)?;
        }
        write_axes(&mut page, picture, panel, options.width)?;
        TextPanel::new(panel, &labels, options)?.print(&mut page)?;
    }
    page.put('\n')?;
    text_legend::write(&mut page, picture, options)?;
    write_explanations(&mut page, picture, &labels)?;
    Ok(page.into_text())
}

/// Which dimension goes which way.
fn write_axes(
    page: &mut Page, picture: &LayoutPicture<'_>, panel: &Panel, room: usize,
) -> Memory<()> {
    let name = |dim: Option<usize>| dim.map(|dim| picture.dim_name(dim)).transpose();
    let (rows, columns) = (name(panel.grid.rows.dim)?, name(panel.grid.columns.dim)?);
    let text = match (rows, columns) {
        (Some(rows), Some(columns)) => page!("{rows} down, {columns} across")?,
        (None, Some(columns)) => page!("{columns} across")?,
        _ => page!("a single element")?,
    };
    page.paragraph(&text, INDENT, 2 * INDENT, room)
}

fn write_explanations(
    page: &mut Page, picture: &LayoutPicture<'_>, labels: &Labels<'_>,
) -> Memory<()> {
    for form in FORMS.into_iter().filter(|form| labels.has_used(*form)) {
        let [sign, meaning] = picture.explanation(form, labels)?;
        page.repeat(' ', INDENT)?;
        page.put(&sign)?;
        page.repeat(' ', 6usize.saturating_sub(width(&sign)))?;
        page.line(meaning)?;
    }
    Ok(())
}

/// A panel whose places are known.
struct TextPanel<'a> {
    panel: &'a Panel,
    labels: &'a Labels<'a>,
    options: &'a PictureOptions<'a>,
    areas: Areas,
    /// The column of the canvas of each line between columns, and the row of each line between rows.
    lefts: Vec<usize>,
    tops: Vec<usize>,
}

impl<'a> TextPanel<'a> {
    fn new(
        panel: &'a Panel, labels: &'a Labels<'a>, options: &'a PictureOptions<'a>,
    ) -> Memory<Self> {
        let areas = Areas::new(panel)?;
        let rows = &panel.grid.rows;
        let number = page!("{}", rows.bins.end())?;
        let margin = if rows.dim.is_some() { width(&number).saturating_add(1) } else { 0 };
        let first = INDENT.saturating_add(margin);
        let mut needed = try_filled(1usize, panel.grid.columns.bins.len())?;
        // Where columns are few, labels may be longer.
        let usual = options.width.checked_div(needed.len().saturating_mul(2)).unwrap_or(0);
        let usual = usual.clamp(9, 24);
        for area in &areas.all {
            need(&mut needed, area, labels.usual_width(cell_of(panel, area), usual)?);
        }
        let room = options.width.saturating_sub(first);
        let widths = column_widths(&panel.grid.columns.bins, &needed, room)?;
        let heights = row_heights(rows)?;
        let places = |first: usize, sizes: Vec<usize>| {
            let mut place = first;
            let mut all = Vec::new();
            all.try_push(place)?;
            for size in sizes {
                place = place.saturating_add(size).saturating_add(1);
                all.try_push(place)?;
            }
            Ok::<_, crate::memory::OutOfMemory>(all)
        };
        // The numbers of columns stand above the first line.
        let (lefts, tops) = (places(first, widths)?, places(1, heights)?);
        Ok(Self { panel, labels, options, areas, lefts, tops })
    }

    fn print(&self, page: &mut Page) -> Memory<()> {
        let end = |places: &[usize]| places.last().copied().unwrap_or(0).saturating_add(1);
        // The last number of columns may be longer than one sign.
        let width = end(&self.lefts).saturating_add(MAX_MARGIN).min(self.options.width);
        let mut canvas = Canvas::new(width, end(&self.tops))?;
        self.draw_numbers(&mut canvas)?;
        self.fill_cells(&mut canvas);
        self.draw_lines(&mut canvas);
        for area in &self.areas.all {
            self.draw_label(&mut canvas, area)?;
        }
        canvas.print(page, self.options.color)
    }

    /// The numbers of indices at lines: each where there is room, the last one in any case.
    fn draw_numbers(&self, canvas: &mut Canvas) -> Memory<()> {
        let grid = &self.panel.grid;
        if grid.columns.dim.is_some() {
            let numbers = grid.columns.bins.bounds.iter().map(|bound| page!("{bound}"));
            let numbers = crate::memory::try_collect_results(numbers)?;
            let last = numbers.len().saturating_sub(1);
            let last_width = numbers.last().map_or(0, |number| width(number));
            let last_start = self.lefts.last().copied().unwrap_or(0);
            // At the right edge, the last number ends where the line ends.
            let last_start = last_start.min(self.options.width.saturating_sub(last_width));
            let mut free = 0;
            for (at, (number, &left)) in numbers.iter().zip(&self.lefts).enumerate() {
                let left = if at == last { last_start } else { left };
                let end = left.saturating_add(width(number));
                if left >= free && (at == last || end < last_start) {
                    canvas.write(0, left, number, Ink::Faint);
                    free = end.saturating_add(1);
                }
            }
        }
        if grid.rows.dim.is_some() {
            let first = self.lefts.first().copied().unwrap_or(0);
            for (bound, &top) in grid.rows.bins.bounds.iter().zip(&self.tops) {
                let number = page!("{bound}")?;
                let start = first.saturating_sub(width(&number)).saturating_sub(1);
                canvas.write(top, start, &number, Ink::Faint);
            }
        }
        Ok(())
    }

    /// The colours of areas, and the signs that fill those without an owner or with too many.
    fn fill_cells(&self, canvas: &mut Canvas) {
        for row in 0..self.panel.grid.rows.bins.len() {
            for column in 0..self.panel.grid.columns.bins.len() {
                let Some(cell) = self.cell(row, column) else { continue };
                let (sign, ink) = self.filling(cell);
                let (place, size) = self.inner((row, row), (column, column));
                // Over lines inside of an area too, which are not drawn.
                let (height, width) = (size.0.saturating_add(1), size.1.saturating_add(1));
                canvas.fill(place, (height, width), sign, ink);
            }
        }
    }

    fn cell(&self, row: usize, column: usize) -> Option<&super::panel::PanelCell> {
        let width = self.panel.grid.columns.bins.len();
        self.panel.cells.get(row.checked_mul(width)?.checked_add(column)?)
    }

    fn filling(&self, cell: &super::panel::PanelCell) -> (char, Ink) {
        let owner = cell.holders.top().first().map_or(Ink::Plain, |(owner, _)| Ink::Owner(*owner));
        let is_ascii = self.options.ascii;
        match cell.mark(self.labels.has_replicas) {
            Mark::Owned | Mark::Replicated | Mark::Moves => (' ', owner),
            Mark::Mixed | Mark::MovesPartly | Mark::PartGap => (' ', Ink::Plain),
            Mark::Stays => (if is_ascii { '.' } else { '·' }, Ink::Faint),
            Mark::Overlap => (if is_ascii { 'x' } else { '╳' }, Ink::Plain),
            Mark::Gap => (if is_ascii { '/' } else { '╱' }, Ink::Plain),
        }
    }

    /// Where the inner part of rows and columns is, and how large it is.
    fn inner(
        &self, rows: (usize, usize), columns: (usize, usize),
    ) -> ((usize, usize), (usize, usize)) {
        let span = |places: &[usize], (first, last): (usize, usize)| {
            let place = |at: usize| places.get(at).copied().unwrap_or(0);
            let start = place(first).saturating_add(1);
            (start, place(last.saturating_add(1)).saturating_sub(start))
        };
        let (top, height) = span(&self.tops, rows);
        let (left, width) = span(&self.lefts, columns);
        ((top, left), (height, width))
    }

    /// The lines between areas.
    fn draw_lines(&self, canvas: &mut Canvas) {
        let (rows, columns) = (self.tops.len(), self.lefts.len());
        for row in 0..rows {
            for column in 0..columns {
                self.draw_node(canvas, row, column);
            }
        }
    }

    /// The place where lines meet, and the lines from there to the right and down.
    fn draw_node(&self, canvas: &mut Canvas, row: usize, column: usize) {
        let before = |at: usize| at.checked_sub(1);
        let area = |row: Option<usize>, column: Option<usize>| self.areas.at(row?, column?);
        let (above, left) = (before(row), before(column));
        let [nw, ne] = [area(above, left), area(above, Some(column))];
        let [sw, se] = [area(Some(row), left), area(Some(row), Some(column))];
        let (up, down, to_left, to_right) = (nw != ne, sw != se, nw != sw, ne != se);
        let place = |places: &[usize], at: usize| places.get(at).copied().unwrap_or(0);
        let (y, x) = (place(&self.tops, row), place(&self.lefts, column));
        let is_ascii = self.options.ascii;
        if up || down || to_left || to_right {
            canvas.set(y, x, line(up, down, to_left, to_right, is_ascii), Ink::Plain);
        }
        if to_right && column.saturating_add(1) < self.lefts.len() {
            let sign = line(false, false, true, true, is_ascii);
            for x in x.saturating_add(1)..place(&self.lefts, column.saturating_add(1)) {
                canvas.set(y, x, sign, Ink::Plain);
            }
        }
        if down && row.saturating_add(1) < self.tops.len() {
            let sign = line(true, true, false, false, is_ascii);
            for y in y.saturating_add(1)..place(&self.tops, row.saturating_add(1)) {
                canvas.set(y, x, sign, Ink::Plain);
            }
        }
    }

    /// The label in the middle of an area.
    fn draw_label(&self, canvas: &mut Canvas, area: &Area) -> Memory<()> {
        let last = |(start, end): (usize, usize)| (start, end.saturating_sub(1));
        let ((top, left), (height, room)) = self.inner(last(area.rows), last(area.columns));
        let cell = cell_of(self.panel, area);
        let label = self.labels.of(cell, room)?;
        let own = width(&label);
        let row = top.saturating_add(height.saturating_sub(1) / 2);
        let column = left.saturating_add(room.saturating_sub(own) / 2);
        let (_, ink) = self.filling(cell);
        // Blanks around it keep it apart from signs that fill the area.
        if own > 0 && own.saturating_add(2) <= room {
            canvas.set(row, column.saturating_sub(1), ' ', ink);
            canvas.set(row, column.saturating_add(own), ' ', ink);
        }
        let ink = if ink == Ink::Faint { Ink::Plain } else { ink };
        canvas.write(row, column, &label, ink);
        Ok(())
    }
}

/// A cell of an area.
fn cell_of<'a>(panel: &'a Panel, area: &Area) -> &'a super::panel::PanelCell {
    const NOTHING: &super::panel::PanelCell = &super::panel::PanelCell::NOTHING;
    panel.cells.get(area.cell).unwrap_or(NOTHING)
}

/// Makes room for a label in the columns that its area has.
fn need(needed: &mut [usize], area: &Area, label: usize) {
    let (start, end) = area.columns;
    let count = end.saturating_sub(start).max(1);
    let lines = count.saturating_sub(1);
    let each = label.saturating_sub(lines).div_ceil(count);
    for column in needed.get_mut(start..end).unwrap_or_default() {
        *column = each.max(*column);
    }
}
