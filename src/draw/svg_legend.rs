//! The legend of an SVG: who holds how much.

use crate::draw::layout_picture::LayoutPicture;
use crate::draw::page::{Thousands, page};
use crate::draw::svg_page::{Anchor, LINE, Shapes, text_width};
use crate::draw::text_legend::columns;
use crate::memory::{Memory, TryVec};

/// The longest bar.
const BAR: i64 = 88;
/// The side of a box with an owner's colour, and where its name begins.
const SWATCH: i64 = 14;
const NAME: i64 = 22;

/// Draws the legend; returns where it ends.
pub(super) fn draw(
    shapes: &mut Shapes, picture: &LayoutPicture<'_>, (left, top): (i64, i64),
) -> Memory<(i64, i64)> {
    let legend = &picture.legend;
    let has_padding = !picture.is_change() && legend.total.more > 0;
    let mut lines: Vec<[String; 4]> = Vec::new();
    lines.try_push(match (picture.is_change(), has_padding) {
        (true, _) => [page!("owner")?, page!("keeps")?, page!("receives")?, page!("gives up")?],
        (_, true) => [page!("owner")?, page!("elements")?, page!("of all")?, page!("padding")?],
        _ => [page!("owner")?, page!("shards")?, page!("elements")?, page!("of all")?],
    })?;
    for row in &legend.rows {
        let [name, shards, elements, share] = columns(picture, row)?;
        lines.try_push(if has_padding {
            [name, elements, share, page!("{}", Thousands(row.totals.more))?]
        } else {
            [name, shards, elements, share]
        })?;
    }
    // Names begin at the left, numbers end at the right.
    let mut widths = [0i64; 4];
    for line in &lines {
        for (most, text) in widths.iter_mut().zip(line) {
            *most = text_width(text).max(*most);
        }
    }
    let mut ends = [left.saturating_add(NAME); 4];
    let mut end = left.saturating_add(NAME);
    for (place, width) in ends.iter_mut().zip(widths) {
        end = end.saturating_add(width);
        *place = end;
        end = end.saturating_add(16);
    }
    let mut y = top.saturating_add(10);
    for (at, line) in lines.iter().enumerate() {
        let row = at.checked_sub(1).and_then(|at| legend.rows.get(at));
        let class = if row.is_some() { "" } else { "sm fa" };
        for (column, (text, &end)) in line.iter().zip(&ends).enumerate() {
            let (x, anchor) = match column {
                0 => (left.saturating_add(NAME), Anchor::Start),
                _ => (end, Anchor::End),
            };
            shapes.text(class, (x, y), anchor, text)?;
        }
        if let Some(row) = row {
            if row.first == row.last {
                let place = (left, y.saturating_sub(SWATCH / 2));
                shapes.owned(row.first, &box_of(place, (SWATCH, SWATCH))?)?;
            }
            draw_bar(shapes, picture, (end, y), (row.totals.elements, row.totals.more))?;
        }
        y = y.saturating_add(LINE);
    }
    if legend.omitted > 0 {
        let text = page!("and {} more owners", Thousands(legend.omitted as i128))?;
        shapes.text("fa", (left.saturating_add(NAME), y), Anchor::Start, &text)?;
        y = y.saturating_add(LINE);
    }
    if legend.total.more > 0 {
        let place = (left, y.saturating_sub(SWATCH / 2));
        shapes.hatched("gap", &box_of(place, (SWATCH, SWATCH))?)?;
        let text = if picture.is_change() { "receives" } else { "padding of buffers" };
        shapes.text("sm", (left.saturating_add(NAME), y), Anchor::Start, text)?;
        y = y.saturating_add(LINE);
    }
    Ok((end.saturating_add(BAR), y.saturating_add(6)))
}

fn box_of((x, y): (i64, i64), (width, height): (i64, i64)) -> Memory<String> {
    page!("M{x} {y}h{width}v{height}h-{width}z")
}

/// How much there is of the first and of the second number.
fn draw_bar(
    shapes: &mut Shapes, picture: &LayoutPicture<'_>, (x, y): (i64, i64),
    (first, second): (i128, i128),
) -> Memory<()> {
    if first == 0 && second == 0 && !picture.is_change() {
        return shapes.text("fa", (x, y), Anchor::Start, "empty");
    }
    let length = |amount: i128| {
        let scaled = amount.saturating_mul(BAR.into()).checked_div(picture.legend.most);
        let least = i64::from(amount > 0);
        i64::try_from(scaled.unwrap_or(0)).unwrap_or(0).clamp(least, BAR)
    };
    let (full, all) = (length(first), length(first.saturating_add(second)));
    let top = y.saturating_sub(5);
    if full > 0 {
        shapes.rect("am", (x, top), (full, 10))?;
    }
    let light = all.saturating_sub(full).max(i64::from(second > 0));
    if light > 0 {
        let place = (x.saturating_add(full), top);
        shapes.hatched("gap", &box_of(place, (light, 10))?)?;
        shapes.rect("fr", place, (light, 10))?;
    }
    Ok(())
}
