//! How wide and how high the cells of a text picture are.

use crate::draw::cells::CellAxis;
use crate::draw::cuts::Bins;
use crate::memory::{Memory, try_collect};

/// The most signs of a cell that needs fewer.
const USUAL_WIDTH: usize = 12;
/// The most lines of a cell.
const MAX_HEIGHT: usize = 3;
/// How many lines rows have in all, where they are few.
const USUAL_HEIGHT: usize = 4;
/// The widest cells of pictures with less and less room.
const CAPS: [usize; 9] = [24, 11, 9, 7, 5, 4, 3, 2, 1];

/// The widths of columns that need some signs for their labels, in a line of `room` signs. Columns of equal
/// size are equally wide, where there is room.
pub(super) fn column_widths(bins: &Bins, needed: &[usize], room: usize) -> Memory<Vec<usize>> {
    let count = needed.len();
    // Each column has a line at its left, and the last one another at its right.
    let room = room.saturating_sub(count).saturating_sub(1);
    let sizes = try_collect((0..count).map(|bin| bins.size(bin)))?;
    let is_even = sizes.windows(2).all(|pair| pair.first() == pair.last());
    let largest = needed.iter().copied().max().unwrap_or(1);
    for cap in CAPS {
        // With blanks around labels, if these fit.
        for blanks in [2, 0] {
            let width = |needed: usize| needed.saturating_add(blanks).min(cap);
            let widths = needed.iter().map(|&own| width(if is_even { largest } else { own }));
            if widths.clone().sum::<usize>() <= room {
                return widened(&sizes, try_collect(widths)?, room);
            }
        }
    }
    try_collect(needed.iter().map(|_| 1))
}

/// Widens columns towards the proportions of their sizes.
fn widened(sizes: &[i64], mut widths: Vec<usize>, room: usize) -> Memory<Vec<usize>> {
    let total: i128 = sizes.iter().map(|size| i128::from(*size)).sum();
    let mut target = room.min(USUAL_WIDTH.saturating_mul(sizes.len()));
    loop {
        let fair = |size: i64| {
            let share = i128::from(size).saturating_mul(target as i128).checked_div(total);
            usize::try_from(share.unwrap_or(0)).unwrap_or(0)
        };
        let wide = sizes.iter().zip(&widths).map(|(&size, &least)| fair(size).max(least));
        if wide.clone().sum::<usize>() <= room {
            let wide = try_collect(wide)?;
            widths.copy_from_slice(&wide);
            return Ok(widths);
        }
        match target.checked_sub(1) {
            Some(less) => target = less,
            None => return Ok(widths),
        }
    }
}

/// How many lines each row has.
pub(super) fn row_heights(rows: &CellAxis) -> Memory<Vec<usize>> {
    let count = rows.bins.len();
    let size = rows.bins.size(0);
    if count > 1 && (0..count).all(|bin| rows.bins.size(bin) == size) {
        return try_collect((0..count).map(|_| 1));
    }
    let total = i128::from(rows.bins.end()).saturating_sub(rows.bins.start().into()).max(1);
    try_collect((0..count).map(|bin| {
        if rows.dim.is_none() {
            return 1;
        }
        let lines =
            i128::from(rows.bins.size(bin)).saturating_mul(USUAL_HEIGHT as i128).saturating_mul(2);
        // Rounded to the next number.
        let half = lines.saturating_add(total).checked_div(total.saturating_mul(2)).unwrap_or(1);
        usize::try_from(half).unwrap_or(1).clamp(1, MAX_HEIGHT)
    }))
}
