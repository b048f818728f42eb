//! Fewer boxes that have the same elements: neighbours in the list that together are a box become one.
//!
//! Lists of cuts of cuts are often in the order in which they were cut, depth first. Then the boxes of a
//! part follow each other. A stack keeps boxes; a box that makes a box together with the last one there
//! joins it, and the box that they become is tried with the one below. So a partition by such cuts ends as
//! one box, in one pass.
//!
//! The boxes that became one do not overlap, as they lie side by side. So two boxes of the list overlap
//! exactly when two boxes that remain do.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "rows are as long as there are dimensions; ends of boxes fit an i64"
)]

use super::box_list::BoxList;
use super::steps;
use crate::memory::{Memory, TryVec};

/// Boxes on the stack from which on a list that joins less than half of its boxes is given up.
const MIN_STACK: usize = 1 << 12;

/// The boxes that remain; `None` if these are more than half of the list.
///
/// The list is read from its front, and if that joins too few, from its end: of a tensor that was peeled
/// slice by slice, the last two boxes join first.
pub(super) fn join(boxes: &BoxList) -> Memory<Option<BoxList>> {
    // Loops over a number of dimensions that the compiler knows are several times faster.
    let join_from = |end: bool| match boxes.ndim() {
        0 => Ok(None),
        1 => join_rows(boxes, 1, end),
        2 => join_rows(boxes, 2, end),
        3 => join_rows(boxes, 3, end),
        4 => join_rows(boxes, 4, end),
        ndim => join_rows(boxes, ndim, end),
    };
    let joined = join_from(false)?;
    if joined.is_some() { Ok(joined) } else { join_from(true) }
}

#[inline(always)]
fn join_rows(boxes: &BoxList, ndim: usize, from_end: bool) -> Memory<Option<BoxList>> {
    let (mut offsets, mut sizes) = (Vec::<i64>::new(), Vec::<i64>::new());
    let mut count = 0;
    for number in 0..boxes.len() {
        let row = if from_end { boxes.len() - 1 - number } else { number };
        let row = row * ndim..(row + 1) * ndim;
        let (own_offsets, own_sizes) = (&boxes.offsets()[row.clone()], &boxes.sizes()[row]);
        if own_sizes.contains(&0) {
            continue;
        }
        if count > MIN_STACK && count > number / 2 {
            steps::count(number);
            return Ok(None);
        }
        offsets.try_extend_from_slice(own_offsets)?;
        sizes.try_extend_from_slice(own_sizes)?;
        count += 1;
        while count > 1 && join_last(&mut offsets, &mut sizes, ndim) {
            count -= 1;
        }
    }
    steps::count(boxes.len());
    let few = count <= boxes.len() / 2;
    Ok(few.then(|| BoxList::new(ndim, count, offsets, sizes)))
}

/// Makes one of the last two boxes, if they are one. They are if they are equal in all dimensions but one,
/// and one starts there where the other ends.
#[inline(always)]
fn join_last(offsets: &mut Vec<i64>, sizes: &mut Vec<i64>, ndim: usize) -> bool {
    let last = offsets.len() - ndim;
    let before = last - ndim;
    let (mut others, mut along) = (0, 0);
    for dim in 0..ndim {
        let own = (offsets[last + dim], sizes[last + dim]);
        if own != (offsets[before + dim], sizes[before + dim]) {
            (others, along) = (others + 1, dim);
        }
    }
    let (low, size) = (offsets[before + along], sizes[before + along]);
    let (own_low, own_size) = (offsets[last + along], sizes[last + along]);
    if others != 1 || (low + size != own_low && own_low + own_size != low) {
        return false;
    }
    offsets[before + along] = low.min(own_low);
    sizes[before + along] = size + own_size;
    offsets.truncate(last);
    sizes.truncate(last);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::Random;
    use crate::common::families::{self, Cut};
    use crate::geometry::box_list::BoxRow;

    fn list(Cut { boxes, .. }: Cut) -> BoxList {
        let count = boxes.len();
        BoxList::new_checked(boxes.ndim, count, boxes.offsets, boxes.sizes).unwrap()
    }

    #[test]
    fn a_partition_in_the_order_of_its_cuts_becomes_one_box() {
        let mut random = Random::new(3);
        for ndim in 1..=6 {
            let sizes = vec![1 << 20; ndim];
            let cut = families::partition(&sizes, 5000, &mut random);
            let joined = join(&list(cut)).unwrap().unwrap();
            assert_eq!((joined.len(), joined.sizes()), (1, &sizes[..]));
        }
    }

    #[test]
    fn a_tensor_that_was_peeled_becomes_one_box() {
        for ndim in 1..=5 {
            let joined = join(&list(families::peeled(ndim, 20_000))).unwrap().unwrap();
            assert_eq!(joined.len(), 1);
        }
    }

    #[test]
    fn boxes_that_remain_have_the_elements_of_the_list() {
        let mut random = Random::new(4);
        for _ in 0..200 {
            let mut cut = families::partition(&[12, 12], 30, &mut random);
            let removed = random.below(cut.boxes.len());
            cut.boxes.remove(removed);
            let twice = random.below(cut.boxes.len());
            let (offsets, sizes) = (cut.boxes.offsets(twice), cut.boxes.sizes(twice));
            let (offsets, sizes) = (offsets.to_vec(), sizes.to_vec());
            cut.boxes.push(&offsets, &sizes);
            let boxes = list(cut);
            let Some(joined) = join(&boxes).unwrap() else { continue };
            let owners = |list: &BoxList, element: [i64; 2]| {
                let has = |row: BoxRow<'_>| {
                    (0..2)
                        .all(|dim| (0..row.sizes[dim]).contains(&(element[dim] - row.offsets[dim])))
                };
                list.iter().filter(|row| has(*row)).count()
            };
            for element in (0..144).map(|at| [at / 12, at % 12]) {
                assert_eq!(owners(&joined, element), owners(&boxes, element));
            }
        }
    }

    #[test]
    fn a_list_that_joins_few_is_given_up() {
        let mut random = Random::new(5);
        let Cut { sizes, boxes } = families::grid(&[100, 100], &[3, 3]);
        let boxes = boxes.shuffled(&mut random);
        assert_eq!(join(&list(Cut { sizes, boxes })).unwrap(), None);
    }

    /// Intervals by where they start and how long they are.
    fn line(intervals: impl IntoIterator<Item = (i64, i64)>) -> BoxList {
        let (offsets, sizes): (Vec<_>, Vec<_>) = intervals.into_iter().unzip();
        BoxList::new_checked(1, offsets.len(), offsets, sizes).unwrap()
    }

    #[test]
    fn boxes_that_become_half_as_many_are_joined_and_more_are_not() {
        for pairs in 1..6 {
            let joined = |alone: i64| {
                let starts = (0..pairs).flat_map(|pair| [4 * pair, 4 * pair + 1]);
                let others = (0..alone).map(|at| 100 + 2 * at);
                join(&line(starts.chain(others).map(|start| (start, 1)))).unwrap()
            };
            assert_eq!(joined(0), Some(line((0..pairs).map(|pair| (4 * pair, 2)))));
            assert_eq!(joined(1), None);
            assert_eq!(joined(2), None);
        }
    }

    /// Boxes that are apart, then many that are one, then as many apart.
    #[test]
    fn more_than_4096_boxes_of_which_all_remain_end_a_look_from_either_side() {
        let joined = |alone: i64| {
            let apart = |start: i64| (0..alone).map(move |at| (start + 2 * at, 1));
            let one = (0..3 * alone).map(|at| (3 * alone + at, 1));
            join(&line(apart(0).chain(one).chain(apart(7 * alone)))).unwrap()
        };
        assert_eq!(joined(4095).map(|list| list.len()), Some(2 * 4095 + 1));
        assert_eq!(joined(4096), None);
    }

    /// Two lines that are peeled from both ends in turn, the second in the opposite order. Each becomes
    /// one box at its middle.
    #[test]
    fn more_than_4096_boxes_that_would_join_late_end_a_look_from_either_side() {
        let joined = |half: i64| {
            let peeled = (0..half).flat_map(|at| [(at, 1), (2 * half - at, 1)]);
            let peeled: Vec<_> = peeled.chain([(half, 1)]).collect();
            let again = peeled.iter().rev().map(|&(start, size)| (start + 3 * half, size));
            join(&line(peeled.iter().copied().chain(again))).unwrap()
        };
        assert_eq!(joined(1000).map(|list| list.len()), Some(2));
        assert_eq!(joined(2100), None);
    }
}
