//! The legend of a text: who holds how much.

use crate::draw::canvas::put_swatch;
use crate::draw::layout_picture::{LayoutPicture, numel};
use crate::draw::legend::OwnerRow;
use crate::draw::options::PictureOptions;
use crate::draw::page::{INDENT, Page, Percent, Thousands, page, width};
use crate::memory::{Memory, TryVec};

/// The length of the longest bar.
const BAR: usize = 16;

/// The lines of a legend. The first one has the headings.
pub(super) fn write(
    page: &mut Page, picture: &LayoutPicture<'_>, options: &PictureOptions<'_>,
) -> Memory<()> {
    let legend = &picture.legend;
    let mut lines: Vec<[String; 4]> = Vec::new();
    lines.try_push(if picture.is_change() {
        [page!("owner")?, page!("keeps")?, page!("receives")?, page!("gives up")?]
    } else {
        [page!("owner")?, page!("shards")?, page!("elements")?, page!("of all")?]
    })?;
    for row in &legend.rows {
        lines.try_push(columns(picture, row)?)?;
    }
    let mut widths = [0; 4];
    for line in &lines {
        for (most, column) in widths.iter_mut().zip(line) {
            *most = width(column).max(*most);
        }
    }
    for (at, line) in lines.iter().enumerate() {
        let row = at.checked_sub(1).and_then(|at| legend.rows.get(at));
        put_line(page, line, &widths, row, options)?;
        if let Some(row) = row {
            let used: usize = widths.iter().sum::<usize>().saturating_add(INDENT + 6);
            put_bar(page, picture, row, (options, options.width.saturating_sub(used)))?;
        }
        page.put('\n')?;
    }
    if legend.omitted > 0 {
        page.repeat(' ', INDENT)?;
        page.line(format_args!("and {} more owners", Thousands(legend.omitted as i128)))?;
    }
    put_bar_key(page, picture, options)
}

/// The name of owners.
pub(super) fn name(picture: &LayoutPicture<'_>, row: &OwnerRow) -> Memory<String> {
    let owners = &picture.layouts.owners;
    if row.first == row.last {
        return owners.name(row.first);
    }
    match (owners.rank(row.first), owners.rank(row.last)) {
        (Some(first), Some(last)) => page!("ranks {first} to {last}"),
        _ => page!("{} to {}", owners.name(row.first)?, owners.short_name(row.last)?),
    }
}

/// The texts of a line.
pub(super) fn columns(picture: &LayoutPicture<'_>, row: &OwnerRow) -> Memory<[String; 4]> {
    let totals = &row.totals;
    // Of several owners, each has these numbers.
    let each = if row.first == row.last { "" } else { "each " };
    let amount = |count: i128| page!("{each}{}", Thousands(count));
    let name = name(picture, row)?;
    if picture.is_change() {
        let numbers = [totals.elements, totals.more, totals.given].map(amount);
        let [keeps, receives, gives] = numbers;
        return Ok([name, keeps?, receives?, gives?]);
    }
    let whole = numel(picture.layouts.sizes());
    let share = page!("{}", Percent { part: totals.elements, whole })?;
    Ok([name, amount(totals.shards.into())?, amount(totals.elements)?, share])
}

fn put_line(
    page: &mut Page, line: &[String; 4], widths: &[usize; 4], row: Option<&OwnerRow>,
    options: &PictureOptions<'_>,
) -> Memory<()> {
    page.repeat(' ', INDENT)?;
    for (at, (column, &most)) in line.iter().zip(widths).enumerate() {
        let blanks = most.saturating_sub(width(column));
        match (at, row) {
            (0, Some(row)) => {
                let is_one = row.first == row.last;
                put_swatch(page, row.first, column, options.color && is_one)?;
                page.repeat(' ', blanks)?;
            }
            (0, None) => {
                page.put(column)?;
                page.repeat(' ', blanks)?;
            }
            _ => {
                page.repeat(' ', blanks.saturating_add(2))?;
                page.put(column)?;
            }
        }
    }
    Ok(())
}

/// How much there is of the first and of the second number, as a bar, where there is room.
fn put_bar(
    page: &mut Page, picture: &LayoutPicture<'_>, row: &OwnerRow,
    (options, room): (&PictureOptions<'_>, usize),
) -> Memory<()> {
    let (first, second) = (row.totals.elements, row.totals.more);
    if room < BAR.saturating_add(2) {
        return Ok(());
    }
    if first == 0 && second == 0 {
        return page.put(if picture.is_change() { "" } else { "  empty" });
    }
    let [full, light] = bar_signs(options);
    let length = |amount: i128| {
        let scaled = amount.saturating_mul(BAR as i128);
        let rounded = scaled.saturating_add(picture.legend.most / 2);
        let length = rounded.checked_div(picture.legend.most).unwrap_or(0);
        usize::try_from(length).unwrap_or(0).min(BAR)
    };
    let all = length(first.saturating_add(second)).max(1);
    // What there is is to be seen, however little.
    let of_first = length(first).max(usize::from(first > 0)).min(all);
    let of_second = all.saturating_sub(of_first).max(usize::from(second > 0));
    page.put("  ")?;
    page.repeat(full, of_first)?;
    page.repeat(light, of_second)?;
    if second > 0 && !picture.is_change() {
        let note = page!(" +{} padding", Thousands(second))?;
        if width(&note).saturating_add(BAR).saturating_add(3) <= room {
            page.put(note)?;
        }
    }
    Ok(())
}

fn bar_signs(options: &PictureOptions<'_>) -> [char; 2] {
    if options.ascii { ['#', '.'] } else { ['█', '░'] }
}

fn put_bar_key(
    page: &mut Page, picture: &LayoutPicture<'_>, options: &PictureOptions<'_>,
) -> Memory<()> {
    let [full, light] = bar_signs(options);
    let [first, second] =
        if picture.is_change() { ["keeps", "receives"] } else { ["elements", "padding"] };
    if picture.legend.total.more == 0 {
        return Ok(());
    }
    page.repeat(' ', INDENT)?;
    page.line(format_args!("{full}{full}   {first}, {light}{light} {second}"))
}
