//! Whether boxes overlap, by marking the cells that they hold of a grid, whose planes run through all
//! starts of boxes.
//!
//! Two boxes share an element exactly when they share a cell: in each dimension the later of their starts
//! is in both. Boxes of grids, of rows with columns of their own, and of most tables of blocks have few
//! cells, so that marking a bit for each is one pass. Others would have too many, and are left to the
//! search of [`super::search`].

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "ranks are below the numbers of starts, whose product was checked"
)]

use super::MAX_NDIM;
use super::ranks::RankedDim;
use super::steps;
use crate::memory::{self, Memory};

/// Bits of the grid for each box: as much memory as an offset of each.
const MAX_BITS_OF_BOX: usize = 64;
/// Words of the grid that are looked at for each box.
const MAX_STEPS_OF_BOX: usize = 16;

/// Whether no two boxes share a cell; `None` if marking takes too long, or needs too much memory.
pub(super) fn are_disjoint(dims: &[RankedDim]) -> Memory<Option<bool>> {
    let Some((last, outer)) = dims.split_last() else {
        return Ok(None);
    };
    let boxes = last.spans.len();
    // Spans end at the number of starts or before.
    let cells = dims.iter().try_fold(1usize, |cells, dim| cells.checked_mul(dim.starts));
    let Some(cells) = cells.filter(|&cells| cells / MAX_BITS_OF_BOX <= boxes) else {
        return Ok(None);
    };
    let mut marks = Marks { words: memory::try_filled(0, cells / 64 + 1)? };
    let mut steps = boxes.saturating_mul(MAX_STEPS_OF_BOX);
    steps::count(boxes);
    for (at, span) in last.spans.iter().enumerate() {
        let mut rows = Rows::of(outer, last.starts, at);
        while let Some(row) = rows.next() {
            let (from, to) = (row + span.low as usize, row + span.high as usize);
            let looked_at = 1 + (to - from) / 64;
            let Some(left) = steps.checked_sub(looked_at) else {
                return Ok(None);
            };
            steps = left;
            if !marks.mark(from, to) {
                return Ok(Some(false));
            }
        }
    }
    Ok(Some(true))
}

/// A bit for each cell.
struct Marks {
    words: Vec<u64>,
}

impl Marks {
    /// Marks cells `from..to`, of which there is one at least. False if one was marked before.
    fn mark(&mut self, from: usize, to: usize) -> bool {
        let (first, last) = (from / 64, (to - 1) / 64);
        let (start, end) = (u64::MAX << (from % 64), u64::MAX >> (63 - (to - 1) % 64));
        if first == last {
            return self.mark_word(first, start & end);
        }
        let inner = (first + 1..last).all(|word| self.mark_word(word, u64::MAX));
        inner && self.mark_word(first, start) && self.mark_word(last, end)
    }

    fn mark_word(&mut self, word: usize, mask: u64) -> bool {
        let old = self.words[word];
        self.words[word] = old | mask;
        old & mask == 0
    }
}

/// The rows of a box: a row for each rank that it holds in all dimensions but the last.
struct Rows<'a> {
    dims: &'a [RankedDim],
    /// Cells of a row of the grid.
    width: usize,
    at: usize,
    ranks: [u32; MAX_NDIM],
    done: bool,
}

impl<'a> Rows<'a> {
    fn of(dims: &'a [RankedDim], width: usize, at: usize) -> Self {
        let mut ranks = [0; MAX_NDIM];
        ranks.iter_mut().zip(dims).for_each(|(rank, dim)| *rank = dim.spans[at].low);
        Self { dims, width, at, ranks, done: false }
    }

    /// Where the next row starts.
    fn next(&mut self) -> Option<usize> {
        if self.done {
            return None;
        }
        let places = self.dims.iter().zip(&self.ranks);
        let row = places.fold(0, |row, (dim, &rank)| row * dim.starts + rank as usize);
        self.done = true;
        for (dim, rank) in self.dims.iter().zip(&mut self.ranks).rev() {
            let span = dim.spans[self.at];
            *rank += 1;
            if *rank < span.high {
                self.done = false;
                break;
            }
            *rank = span.low;
        }
        Some(row * self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::{Boxes, Random, families, naive};
    use crate::geometry::box_list::BoxList;
    use crate::geometry::ranks::ranked_dims;

    #[test]
    fn marks_say_what_comparing_every_pair_says() {
        let mut random = Random::new(9);
        let mut answers = [0; 2];
        for round in 0..500 {
            let ndim = 1 + round % 3;
            // In one dimension a box may hold cells of several words.
            let sizes: Vec<i64> =
                (0..ndim).map(|_| random.range(1, [400, 24, 9][ndim - 1])).collect();
            let mut boxes = families::partition(&sizes, 2 + random.below(200), &mut random).boxes;
            if random.below(2) == 0 {
                let offsets: Vec<i64> = sizes.iter().map(|&size| random.range(0, size)).collect();
                let lengths: Vec<i64> = sizes
                    .iter()
                    .zip(&offsets)
                    .map(|(size, at)| random.range(1, size - at + 1))
                    .collect();
                boxes.remove(random.below(boxes.len()));
                boxes.push(&offsets, &lengths);
            }
            let count = boxes.len();
            let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
            let apart = pairs.into_iter().all(|(a, b)| naive::intersection(&boxes, a, b).is_none());
            let Boxes { offsets, sizes, .. } = boxes;
            let list = BoxList::new_checked(ndim, count, offsets, sizes).unwrap();
            let dims = ranked_dims(&list, &list.not_empty().unwrap()).unwrap();
            if let Some(said) = are_disjoint(&dims).unwrap() {
                assert_eq!(said, apart, "{list:?}");
                answers[usize::from(apart)] += 1;
            }
        }
        assert!(answers.iter().all(|&count| count > 60), "{answers:?}");
    }

    fn dims_of(Boxes { ndim, offsets, sizes }: Boxes) -> Vec<RankedDim> {
        let list = BoxList::new_checked(ndim, sizes.len() / ndim, offsets, sizes).unwrap();
        ranked_dims(&list, &list.not_empty().unwrap()).unwrap()
    }

    /// Each in a row and a column of its own: there are more cells than memory for them.
    #[test]
    fn boxes_with_many_cells_are_left_to_others() {
        let mut boxes = Boxes::new(4);
        (0..200).for_each(|at| boxes.push(&[at; 4], &[1; 4]));
        assert_eq!(are_disjoint(&dims_of(boxes)).unwrap(), None);
    }

    /// Columns that are as high as the grid, whose rows are marked one by one.
    #[test]
    fn boxes_of_many_short_rows_are_left_to_others() {
        let (rows, columns) = (64, 100);
        let mut boxes = Boxes::new(2);
        (0..rows).for_each(|row| boxes.push(&[row, 0], &[1, 1]));
        (1..columns).for_each(|column| boxes.push(&[0, column], &[rows, 1]));
        assert_eq!(are_disjoint(&dims_of(boxes)).unwrap(), None);
    }
}
