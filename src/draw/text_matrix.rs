//! The traffic of a plan as text.

use crate::draw::canvas::{Canvas, Ink, line};
use crate::draw::matrix::Matrix;
use crate::draw::options::PictureOptions;
use crate::draw::page::{INDENT, Page, page, width};
use crate::memory::{Memory, TryVec};

/// The widest amount: "1,023 KiB", in brackets.
const AMOUNT: usize = 11;
/// The widest name of a source.
const NAME: usize = 12;
/// The most sources.
const MAX_GROUPS: usize = 16;

/// How many groups of sources and of destinations there may be: a line has room for some destinations.
pub(super) fn groups(options: &PictureOptions<'_>) -> [usize; 2] {
    let room = options.width.saturating_sub(INDENT + NAME + 2);
    // Each column has a blank before it; the last one is for the sums.
    let columns = room.checked_div(AMOUNT + 1).unwrap_or(1);
    [MAX_GROUPS, columns.saturating_sub(1).clamp(1, MAX_GROUPS)]
}

/// A matrix as lines of text: a row for each source, a column for each destination.
pub(super) fn write(matrix: &Matrix<'_>, options: &PictureOptions<'_>) -> Memory<String> {
    let mut page = Page::default();
    page.paragraph(&matrix.title()?, 0, INDENT, options.width)?;
    page.put('\n')?;
    if matrix.sources.is_empty() || matrix.destinations.is_empty() {
        page.line("  no owners")?;
        return Ok(page.into_text());
    }
    let rows = rows(matrix)?;
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        for (at, text) in row.iter().enumerate() {
            match widths.get_mut(at) {
                Some(most) => *most = width(text).max(*most),
                None => widths.try_push(width(text))?,
            }
        }
    }
    draw(matrix, &rows, &widths, options)?.print(&mut page, options.color)?;
    page.put('\n')?;
    let unit = matrix.unit();
    page.line(format_args!("  row: from, column: to, amounts in {unit}"))?;
    if matrix.stayed > 0 {
        page.line("  (n) stays with its owner, and is in no sum")?;
    }
    if matrix.has_groups() {
        page.line("  a-b: the owners from a to b together")?;
    }
    Ok(page.into_text())
}

/// The texts of all rows: headings, sources, and sums.
fn rows(matrix: &Matrix<'_>) -> Memory<Vec<Vec<String>>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut head = Vec::new();
    head.try_push(page!("from / to")?)?;
    for group in &matrix.destinations {
        head.try_push(matrix.name(group)?)?;
    }
    head.try_push(page!("sent")?)?;
    rows.try_push(head)?;
    for (source, group) in matrix.sources.iter().enumerate() {
        let mut row = Vec::new();
        row.try_push(matrix.name(group)?)?;
        for destination in 0..matrix.destinations.len() {
            row.try_push(entry(matrix, source, destination)?)?;
        }
        row.try_push(page!("{}", matrix.amount(matrix.sent(source)))?)?;
        rows.try_push(row)?;
    }
    let mut sums = Vec::new();
    sums.try_push(page!("received")?)?;
    for destination in 0..matrix.destinations.len() {
        sums.try_push(page!("{}", matrix.amount(matrix.received(destination)))?)?;
    }
    sums.try_push(page!("{}", matrix.amount(matrix.moved))?)?;
    rows.try_push(sums)?;
    Ok(rows)
}

/// What goes from a source to a destination.
pub(super) fn entry(matrix: &Matrix<'_>, source: usize, destination: usize) -> Memory<String> {
    let (moves, stays) = (matrix.moves(source, destination), matrix.stays(source, destination));
    match (moves, stays) {
        (0, 0) => page!("-"),
        (0, stays) => page!("({})", matrix.amount(stays)),
        (moves, _) => page!("{}", matrix.amount(moves)),
    }
}

/// The rows in a frame, numbers at the right of their columns.
fn draw(
    matrix: &Matrix<'_>, rows: &[Vec<String>], widths: &[usize], options: &PictureOptions<'_>,
) -> Memory<Canvas> {
    let mut lefts = Vec::new();
    let mut left = INDENT;
    for width in widths {
        lefts.try_push(left)?;
        left = left.saturating_add(*width).saturating_add(2);
    }
    let is_ascii = options.ascii;
    let mut canvas = Canvas::new(left, rows.len().saturating_add(2))?;
    let last_column = widths.len().saturating_sub(1);
    for (at, row) in rows.iter().enumerate() {
        // A line below the headings, and one above the sums.
        let y = at.saturating_add(usize::from(at > 0));
        let y = y.saturating_add(usize::from(at.saturating_add(1) == rows.len()));
        for (column, ((text, &left), &most)) in row.iter().zip(&lefts).zip(widths).enumerate() {
            let blanks = if column == 0 { 0 } else { most.saturating_sub(width(text)) };
            let source = at.checked_sub(1).filter(|source| *source < matrix.sources.len());
            let destination = column.checked_sub(1).filter(|_| column < last_column);
            let ink = match (source, destination) {
                (Some(_), Some(_)) if text == "-" => Ink::Faint,
                _ => Ink::Plain,
            };
            canvas.write(y, left.saturating_add(blanks), text, ink);
        }
    }
    let sign = line(false, false, true, true, is_ascii);
    for y in [1, rows.len()] {
        for x in INDENT..left.saturating_sub(2) {
            canvas.set(y, x, sign, Ink::Plain);
        }
    }
    Ok(canvas)
}
