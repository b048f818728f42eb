//! Pictures of layouts as SVG.

use crate::draw::label::{FORMS, LabelForm, Labels, Mark};
use crate::draw::layout_picture::LayoutPicture;
use crate::draw::options::PictureOptions;
use crate::draw::panel::{Limits, Panel, PanelCell};
use crate::draw::svg_legend;
use crate::draw::svg_page::{Anchor, LINE, MARGIN, Shapes, TITLE, small_width, text_width};
use crate::draw::svg_panel::SvgPanel;
use crate::memory::Memory;

/// The most lines of a legend.
pub(super) const MAX_OWNERS: usize = 20;
/// The distance between panels and the legend.
const GAP: i64 = 32;

/// How many cells there is room for. More would be too small, and a picture too large.
pub(super) const LIMITS: Limits =
    Limits { rows: 24, columns: 32, slice_rows: 12, slice_columns: 16, slices: 4, summary: 12 };

/// The meanings of marks: with the colours of the owners, and of more owners than have colours.
const MARKS: [(Mark, [&str; 2]); 8] = [
    (
        Mark::Replicated,
        [
            "replicas: the strip has the owners' colours",
            "replicas: the colour is the first owner's",
        ],
    ),
    (
        Mark::Mixed,
        ["several owners: the strip has their shares", "several owners have a part of the cell"],
    ),
    (Mark::Overlap, ["overlap: several owners have the same elements"; 2]),
    (Mark::Gap, ["gap: no owner has the elements"; 2]),
    (Mark::PartGap, ["gap: a part of the cell has no owner"; 2]),
    (Mark::Moves, ["moves: the colour is the new owner's"; 2]),
    (Mark::MovesPartly, ["a part of the cell moves"; 2]),
    (Mark::Stays, ["stays with its owner"; 2]),
];

/// A picture as an SVG document.
pub(super) fn write(picture: &LayoutPicture<'_>, options: &PictureOptions<'_>) -> Memory<String> {
    let labels = picture.labels(false);
    let mut shapes = Shapes::new(number_of(picture))?;
    shapes.text("ti", (MARGIN, TITLE), Anchor::Start, &picture.title)?;
    let mut top = TITLE.saturating_add(LINE);
    for note in &picture.notes {
        shapes.text("fa", (MARGIN, top), Anchor::Start, note)?;
        top = top.saturating_add(LINE);
    }
    let (mut bottom, mut right) = (top, MARGIN);
    for panel in &picture.panels {
        let place = (MARGIN, bottom);
        let end = draw_panel(&mut shapes, picture, panel, &labels, place)?;
        (right, bottom) = (right.max(end.0), end.1);
    }
    let left = if right > MARGIN { right.saturating_add(GAP) } else { MARGIN };
    let legend = svg_legend::draw(&mut shapes, picture, (left, top))?;
    let end = draw_key(&mut shapes, picture, &labels, (left, legend.1))?;
    let width = legend.0.max(end.0).max(title_end(picture)).saturating_add(MARGIN);
    let height = bottom.max(end.1).saturating_add(MARGIN);
    shapes.into_svg(&picture.title, (width, height), options.theme)
}

/// Where the longest line above the panels ends.
fn title_end(picture: &LayoutPicture<'_>) -> i64 {
    let title = text_width(&picture.title).saturating_mul(5) / 4;
    let notes = picture.notes.iter().map(|note| text_width(note));
    notes.max().unwrap_or(0).max(title).saturating_add(MARGIN)
}

fn draw_panel(
    shapes: &mut Shapes, picture: &LayoutPicture<'_>, panel: &Panel, labels: &Labels<'_>,
    (left, mut top): (i64, i64),
) -> Memory<(i64, i64)> {
    let caption = picture.caption(panel)?;
    if !caption.is_empty() {
        top = top.saturating_add(8);
        shapes.text("sm", (left, top), Anchor::Start, &caption)?;
        top = top.saturating_add(LINE);
    }
    let name = |dim: Option<usize>| dim.map(|dim| picture.dim_name(dim)).transpose();
    let names = [name(panel.grid.rows.dim)?, name(panel.grid.columns.dim)?];
    let is_small = picture.panels.len() > 1;
    let own = SvgPanel::new(panel, labels, &names, (left, top), is_small)?;
    own.draw(shapes, &names)?;
    Ok(own.end())
}

/// The meanings of what is not an owner's colour.
fn draw_key(
    shapes: &mut Shapes, picture: &LayoutPicture<'_>, labels: &Labels<'_>,
    (left, mut top): (i64, i64),
) -> Memory<(i64, i64)> {
    let mut right = left;
    let cells = || picture.panels.iter().flat_map(|panel| &panel.cells);
    for (mark, meanings) in MARKS {
        // The cell with the fewest owners shows their colours.
        let own = cells().filter(|cell| cell.mark(labels.has_replicas) == mark);
        let Some(cell) = own.min_by_key(|cell| cell.holders.owners) else { continue };
        let has_strip = cell.holders.top().len() == cell.holders.owners as usize;
        let [with_strip, without] = meanings;
        let meaning = if has_strip { with_strip } else { without };
        let place = (left, top.saturating_sub(7));
        super::svg_panel::fill(shapes, cell, labels, place, (14, 14))?;
        shapes.text("sm", (left.saturating_add(22), top), Anchor::Start, meaning)?;
        right = right.max(left.saturating_add(22).saturating_add(small_width(meaning)));
        top = top.saturating_add(LINE);
    }
    let explained = [LabelForm::Overlap, LabelForm::Gap, LabelForm::PartGap, LabelForm::Stays];
    let is_open = |form: &LabelForm| labels.has_used(*form) && !explained.contains(form);
    for form in FORMS.into_iter().filter(is_open) {
        let [sign, meaning] = picture.explanation(form, labels)?;
        shapes.text("sm", (left, top), Anchor::Start, &sign)?;
        let start = left.saturating_add(44);
        shapes.text("sm fa", (start, top), Anchor::Start, &meaning)?;
        right = right.max(start.saturating_add(small_width(&meaning)));
        top = top.saturating_add(LINE);
    }
    Ok((right, top))
}

/// A number that is different for pictures that differ.
fn number_of(picture: &LayoutPicture<'_>) -> u64 {
    let mix = |number: u64, next: u64| (number ^ next).wrapping_mul(0x0100_0000_01b3);
    let title =
        picture.title.bytes().fold(0xcbf2_9ce4_8422_2325, |number, byte| mix(number, byte.into()));
    let cells = picture.panels.iter().flat_map(|panel| &panel.cells);
    cells.fold(title, |number, cell: &PanelCell| mix(number, cell.key ^ cell.volume as u64))
}
