//! Whether the order of a list shows that its boxes lie apart.
//!
//! Most lists of shards are in the order of nested loops over the tensor: row after row, and in each row
//! column after column. Then boxes that follow each other are equal in the dimensions of outer loops, and
//! in the first dimension in which they differ, the later box starts at the end of the earlier one or
//! behind it.
//!
//! If that is so for all neighbours in the list, no two boxes overlap. Of the steps from a box to a later
//! one, take those in the outermost dimension: each of them passes the end of the box before it, and all
//! other steps change nothing there. So one pass without memory answers, and a list in another order
//! mostly ends it after a few boxes.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "dimensions are below the length of each row; ends of boxes fit an i64"
)]

use super::MAX_NDIM;
use super::box_list::{BoxList, BoxRow};
use super::steps;

/// Whether the order of the boxes shows that no two overlap. Empty boxes overlap nothing. If not, they
/// may overlap or not.
pub(super) fn are_apart(boxes: &BoxList) -> bool {
    // Loops over a number of dimensions that the compiler knows are several times faster.
    match boxes.ndim() {
        1 => are_rows_apart(boxes.rows::<1>(), 1),
        2 => are_rows_apart(boxes.rows::<2>(), 2),
        3 => are_rows_apart(boxes.rows::<3>(), 3),
        4 => are_rows_apart(boxes.rows::<4>(), 4),
        ndim => are_rows_apart(boxes.iter(), ndim),
    }
}

#[inline(always)]
fn are_rows_apart<'a>(rows: impl Iterator<Item = BoxRow<'a>>, ndim: usize) -> bool {
    let mut rows = rows.filter(|row| !row.sizes[..ndim].contains(&0));
    let Some(mut before) = rows.next() else {
        return true;
    };
    let (mut order, mut compared) = (LoopOrder::new(ndim), 1);
    let apart = rows.all(|next| {
        compared += 1;
        let forward = order.goes_forward(before, next, ndim);
        before = next;
        forward
    });
    steps::count(compared);
    apart
}

/// The dimensions in the order of the loops, as far as boxes have shown it.
struct LoopOrder {
    /// The outermost one first.
    dims: [u8; MAX_NDIM],
    /// In so many of the first ones all boxes are equal. The order among these is not known.
    unknown: usize,
}

impl LoopOrder {
    fn new(ndim: usize) -> Self {
        // There are at most MAX_NDIM.
        Self { dims: std::array::from_fn(|dim| dim as u8), unknown: ndim }
    }

    /// Whether the next box lies behind the one before it by the order of the loops.
    #[inline(always)]
    fn goes_forward(&mut self, before: BoxRow<'_>, next: BoxRow<'_>, ndim: usize) -> bool {
        // A bit for each loop, the lowest for the outermost.
        let (mut differ, mut behind) = (0u32, 0u32);
        for place in 0..ndim {
            let dim = usize::from(self.dims[place]);
            differ |= u32::from(is_other(before, next, dim)) << place;
            behind |= u32::from(is_behind(before, next, dim)) << place;
        }
        let first = differ & differ.wrapping_neg();
        if u64::from(first) >= 1 << self.unknown {
            return first & behind != 0;
        }
        first != 0 && self.learn(before, next)
    }

    /// Places dimensions in which boxes differ for the first time inside of those that stay unknown, the
    /// one that takes these boxes apart first. False if none does.
    #[cold]
    #[inline(never)]
    fn learn(&mut self, before: BoxRow<'_>, next: BoxRow<'_>) -> bool {
        let unknown = &mut self.dims[..self.unknown];
        let is_other = |dim: u8| is_other(before, next, usize::from(dim));
        let is_behind = |dim: u8| is_behind(before, next, usize::from(dim));
        unknown.sort_unstable_by_key(|&dim| (is_other(dim), !is_behind(dim), dim));
        self.unknown = unknown.iter().filter(|&&dim| !is_other(dim)).count();
        is_behind(self.dims[self.unknown])
    }
}

#[inline(always)]
fn is_other(before: BoxRow<'_>, next: BoxRow<'_>, dim: usize) -> bool {
    (before.offsets[dim] != next.offsets[dim]) | (before.sizes[dim] != next.sizes[dim])
}

#[inline(always)]
fn is_behind(before: BoxRow<'_>, next: BoxRow<'_>, dim: usize) -> bool {
    next.offsets[dim] >= before.offsets[dim] + before.sizes[dim]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(ndim: usize, boxes: &[&[i64]]) -> BoxList {
        let offsets = boxes.iter().flat_map(|row| &row[..ndim]).copied().collect();
        let sizes = boxes.iter().flat_map(|row| &row[ndim..]).copied().collect();
        BoxList::new_checked(ndim, boxes.len(), offsets, sizes).unwrap()
    }

    #[test]
    fn loops_in_any_order_of_dimensions_are_recognised() {
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        for order in orders {
            let mut rows = Vec::new();
            for turn in 0..27i64 {
                let digits = [turn / 9, turn / 3 % 3, turn % 3];
                let mut row = [0, 0, 0, 5, 5, 5];
                order.iter().zip(digits).for_each(|(&dim, digit)| row[dim] = 5 * digit);
                rows.push(row);
            }
            let rows: Vec<&[i64]> = rows.iter().map(|row| &row[..]).collect();
            assert!(are_apart(&list(3, &rows)), "{order:?}");
            let again: Vec<&[i64]> = [&rows[..], &rows[13..14]].concat();
            assert!(!are_apart(&list(3, &again)), "{order:?}");
        }
    }

    #[test]
    fn rows_may_have_columns_and_gaps_of_their_own() {
        let rows: [&[i64]; 5] =
            [&[0, 0, 2, 3], &[0, 5, 2, 1], &[2, 0, 9, 0], &[2, 1, 1, 9], &[4, 0, 1, 1]];
        assert!(are_apart(&list(2, &rows)));
    }

    #[test]
    fn a_box_that_reaches_into_a_later_one_is_seen() {
        // The last column of the first row is a row longer.
        let rows: [&[i64]; 4] = [&[0, 0, 1, 1], &[0, 1, 2, 1], &[1, 0, 1, 1], &[1, 1, 1, 1]];
        assert!(!are_apart(&list(2, &rows)));
        let equal: [&[i64]; 2] = [&[1, 1, 1, 1]; 2];
        assert!(!are_apart(&list(2, &equal)));
        let none: [&[i64]; 2] = [&[1, 1, 0, 1]; 2];
        assert!(are_apart(&list(2, &none)));
        let no_dims: [&[i64]; 2] = [&[]; 2];
        assert!(!are_apart(&list(0, &no_dims)));
    }

    /// Whether the loops over dimensions in some order go forward from box to box, by the definition.
    fn is_in_loop_order(ndim: usize, rows: &[&[i64]]) -> bool {
        fn orders(rest: &[usize]) -> Vec<Vec<usize>> {
            let with = |&dim: &usize| {
                let others: Vec<usize> =
                    rest.iter().copied().filter(|&other| other != dim).collect();
                orders(&others).into_iter().map(move |order| [vec![dim], order].concat())
            };
            if rest.is_empty() { vec![vec![]] } else { rest.iter().flat_map(with).collect() }
        }
        let full: Vec<_> = rows.iter().filter(|row| !row[ndim..].contains(&0)).collect();
        orders(&(0..ndim).collect::<Vec<_>>()).iter().any(|order| {
            full.windows(2).all(|pair| {
                let (before, next) = (pair[0], pair[1]);
                let is_other =
                    |dim: usize| (before[dim], before[ndim + dim]) != (next[dim], next[ndim + dim]);
                let first = order.iter().copied().find(|&dim| is_other(dim));
                first.is_some_and(|dim| next[dim] >= before[dim] + before[ndim + dim])
            })
        })
    }

    /// All lists of three boxes on a grid of 3 by 2.
    #[test]
    fn three_boxes_are_apart_if_the_loops_of_some_order_go_forward() {
        let spans =
            |size: i64| (0..size).flat_map(move |at| (0..=size - at).map(move |len| (at, len)));
        let all: Vec<[i64; 4]> =
            spans(3).flat_map(|x| spans(2).map(move |y| [x.0, y.0, x.1, y.1])).collect();
        let mut answers = [0; 2];
        for (number, first) in all.iter().enumerate() {
            for second in &all {
                for third in all.iter().skip(number % 3).step_by(3) {
                    let rows: [&[i64]; 3] = [first, second, third];
                    let said = are_apart(&list(2, &rows));
                    // Which of several orders the first boxes allow is learned once.
                    assert!(!said || is_in_loop_order(2, &rows), "{rows:?}");
                    answers[usize::from(said)] += 1;
                }
                let rows: [&[i64]; 2] = [first, second];
                assert_eq!(are_apart(&list(2, &rows)), is_in_loop_order(2, &rows), "{rows:?}");
            }
        }
        assert!(answers.iter().all(|&count| count > 1000), "{answers:?}");
    }
}
