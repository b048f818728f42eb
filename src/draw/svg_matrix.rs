//! The traffic of a plan as SVG.

use crate::draw::matrix::Matrix;
use crate::draw::options::PictureOptions;
use crate::draw::page::page;
use crate::draw::svg_page::{Anchor, LINE, MARGIN, Shapes, TITLE, text_width};
use crate::draw::text_matrix::entry;
use crate::memory::Memory;

/// The most groups of owners on each side.
pub(super) const MAX_GROUPS: [usize; 2] = [24; 2];
/// The largest and the least width of a cell, and what all of them have together.
const MAX_WIDTH: i64 = 84;
const MIN_WIDTH: i64 = 24;
const ALL: i64 = 672;
/// The height of a cell.
const HEIGHT: i64 = 24;
/// The width of the column of sums.
const SUMS: i64 = 84;

/// A matrix as an SVG document: a row for each source, a column for each destination.
pub(super) fn write(matrix: &Matrix<'_>, options: &PictureOptions<'_>) -> Memory<String> {
    let title = matrix.title()?;
    let mut number = matrix.moved as u64 ^ (matrix.stayed as u64).rotate_left(32);
    number = number.wrapping_add(matrix.pieces as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut shapes = Shapes::new(number)?;
    shapes.text("ti", (MARGIN, TITLE), Anchor::Start, &title)?;
    let columns = matrix.destinations.len().max(1) as i64;
    let width = ALL.checked_div(columns).unwrap_or(ALL).clamp(MIN_WIDTH, MAX_WIDTH);
    let mut names = text_width("received");
    for group in &matrix.sources {
        names = names.max(text_width(&matrix.name(group)?));
    }
    let left = MARGIN.saturating_add(names).saturating_add(28);
    let top = TITLE.saturating_add(3 * LINE);
    let right = left.saturating_add(width.saturating_mul(columns));
    let bottom = top.saturating_add(HEIGHT.saturating_mul(matrix.sources.len() as i64));
    let cells = MatrixCells { matrix, left, top, right, bottom, width };
    cells.draw_names(&mut shapes)?;
    for source in 0..matrix.sources.len() {
        for destination in 0..matrix.destinations.len() {
            cells.draw_cell(&mut shapes, source, destination)?;
        }
    }
    cells.draw_sums(&mut shapes)?;
    let end = cells.draw_key(&mut shapes)?;
    let width = right.saturating_add(SUMS).saturating_add(MARGIN);
    let width = width.max(text_width(&title).saturating_mul(5) / 4).max(440);
    shapes.into_svg(&title, (width, end.saturating_add(MARGIN)), options.theme)
}

struct MatrixCells<'a> {
    matrix: &'a Matrix<'a>,
    left: i64,
    top: i64,
    right: i64,
    bottom: i64,
    width: i64,
}

impl MatrixCells<'_> {
    fn place(&self, source: usize, destination: usize) -> (i64, i64) {
        let x = self.width.saturating_mul(destination as i64).saturating_add(self.left);
        (x, HEIGHT.saturating_mul(source as i64).saturating_add(self.top))
    }

    fn draw_names(&self, shapes: &mut Shapes) -> Memory<()> {
        let middle = |start: i64, end: i64| start.saturating_add(end) / 2;
        let above = self.top.saturating_sub(30);
        let place = (middle(self.left, self.right), above);
        shapes.text("sm fa", place, Anchor::Middle, "to →")?;
        let place = (MARGIN.saturating_add(2), middle(self.top, self.bottom));
        shapes.upright("sm fa", place, "← from")?;
        for (source, group) in self.matrix.sources.iter().enumerate() {
            let (x, y) = self.place(source, 0);
            let place = (x.saturating_sub(8), y.saturating_add(HEIGHT / 2));
            shapes.text("", place, Anchor::End, &self.matrix.name(group)?)?;
        }
        let mut free = i64::MIN;
        for (destination, group) in self.matrix.destinations.iter().enumerate() {
            let mut name = self.matrix.name(group)?;
            if text_width(&name) > self.width.saturating_sub(4) {
                name = self.matrix.short_name(group)?;
            }
            let (x, y) = self.place(0, destination);
            let half = text_width(&name) / 2;
            let x = x.saturating_add(self.width / 2);
            if x.saturating_sub(half) >= free {
                let place = (x, y.saturating_sub(12));
                shapes.text("", place, Anchor::Middle, &name)?;
                free = x.saturating_add(half).saturating_add(4);
            }
        }
        Ok(())
    }

    fn draw_cell(&self, shapes: &mut Shapes, source: usize, destination: usize) -> Memory<()> {
        let (moves, stays) =
            (self.matrix.moves(source, destination), self.matrix.stays(source, destination));
        let (x, y) = self.place(source, destination);
        let inner = (x.saturating_add(1), y.saturating_add(1));
        let size = (self.width.saturating_sub(2), HEIGHT - 2);
        if moves == 0 && stays == 0 {
            return shapes.rect("st", inner, size);
        }
        let percent = shade(moves, self.matrix.most);
        if moves > 0 {
            let groups =
                (self.matrix.sources.get(source), self.matrix.destinations.get(destination));
            let title = match groups {
                (Some(from), Some(to)) => page!(
                    "{} to {}: {}",
                    self.matrix.name(from)?,
                    self.matrix.name(to)?,
                    self.matrix.amount(moves)
                )?,
                _ => String::new(),
            };
            shapes.shade(inner, size, percent, &title)?;
        }
        if stays > 0 {
            shapes.rect("fr", inner, size)?;
        }
        let text = entry(self.matrix, source, destination)?;
        if text_width(&text) > size.0 {
            return Ok(());
        }
        let class = if percent > 55 { "on" } else { "" };
        let middle = (x.saturating_add(self.width / 2), y.saturating_add(HEIGHT / 2));
        shapes.text(class, middle, Anchor::Middle, &text)
    }

    fn draw_sums(&self, shapes: &mut Shapes) -> Memory<()> {
        let end = self.right.saturating_add(SUMS);
        let place = (end, self.top.saturating_sub(12));
        shapes.text("sm fa", place, Anchor::End, "sent")?;
        for source in 0..self.matrix.sources.len() {
            let (_, y) = self.place(source, 0);
            let sum = page!("{}", self.matrix.amount(self.matrix.sent(source)))?;
            shapes.text("", (end, y.saturating_add(HEIGHT / 2)), Anchor::End, &sum)?;
        }
        let y = self.bottom.saturating_add(HEIGHT / 2 + 2);
        shapes.text("sm fa", (self.left.saturating_sub(8), y), Anchor::End, "received")?;
        for destination in 0..self.matrix.destinations.len() {
            let (x, _) = self.place(0, destination);
            let sum = page!("{}", self.matrix.amount(self.matrix.received(destination)))?;
            if text_width(&sum) <= self.width {
                let x = x.saturating_add(self.width / 2);
                shapes.text("", (x, y), Anchor::Middle, &sum)?;
            }
        }
        let all = page!("{}", self.matrix.amount(self.matrix.moved))?;
        shapes.text("", (end, y), Anchor::End, &all)
    }

    /// The meanings of colours; returns where they end.
    fn draw_key(&self, shapes: &mut Shapes) -> Memory<i64> {
        let mut y = self.bottom.saturating_add(2 * HEIGHT);
        let x = self.left;
        for step in 0..5i128 {
            let place = (x.saturating_add((step as i64).saturating_mul(20)), y.saturating_sub(7));
            let percent = step.saturating_mul(19).saturating_add(20);
            shapes.shade(place, (18, 14), percent.min(99), "")?;
        }
        let text = page!("little to {} from one to another", self.matrix.amount(self.matrix.most))?;
        shapes.text("sm", (x.saturating_add(108), y), Anchor::Start, &text)?;
        y = y.saturating_add(LINE + 2);
        if self.matrix.stayed > 0 {
            shapes.rect("fr", (x, y.saturating_sub(7)), (18, 14))?;
            let text = "(n) stays with its owner, and is in no sum";
            shapes.text("sm", (x.saturating_add(28), y), Anchor::Start, text)?;
            y = y.saturating_add(LINE);
        }
        Ok(y)
    }
}

/// How striking an amount is, in percent: what there is of the most, but never nothing.
fn shade(amount: i128, most: i128) -> i128 {
    let percent = amount.saturating_mul(79).checked_div(most).unwrap_or(0);
    percent.saturating_add(20).clamp(1, 99)
}
