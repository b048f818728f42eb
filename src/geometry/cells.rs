//! Cutting a box along the borders of shards, until no border runs through any part: its cells.
//!
//! The cut is at the median border of the dimension with the most borders, so for `n` shards with
//! `d` dimensions there are at most `d * log2(2n)` cuts above a part. Cells are computed one by
//! one, because `n` shards that overlap may have `(2n)^d` of them and a caller may need only a few.
//! Cells that need not have been cut apart can be merged.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "boxes of the same shards have the same number of dimensions; the number of elements \
              of the box that is cut fits an i64"
)]

use std::cmp::Ordering;
use std::ops::Range;

use super::bounds::{Bounds, Relation};
use super::box_list::BoxList;
use super::steps;
use crate::memory::{self, Memory, TryVec};

/// The cells to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Only {
    /// All, each with all shards that hold it.
    All,
    /// Those that no shard holds. Where `disjoint` says that the shards overlap nowhere, parts that
    /// are held whole are known by their number of elements.
    Unheld { disjoint: bool },
}

/// The next part of a box that is cut.
#[allow(
    clippy::large_enum_variant,
    reason = "a cell is used where it is told, and needs no memory"
)]
pub(crate) enum Next<'a> {
    /// A box that no border runs through, and the shards that hold it, in no particular order.
    Cell(Bounds, &'a [u32]),
    /// There are no more.
    Done,
    /// There may be more, but finding the next takes more steps than are left.
    TooMany,
}

/// A box that is cut into cells. What is still to be cut lies on a stack of its own.
pub(crate) struct Cutter<'a> {
    shards: &'a BoxList,
    only: Only,
    parts: Vec<OpenPart>,
    /// The shards that may hold something of parts. Later lists belong to parts that come earlier.
    candidates: Vec<u32>,
    /// The shards that hold all of the part at hand.
    holders: Vec<u32>,
    borders: Vec<i64>,
    /// Number of shards that may still be compared.
    steps: u64,
}

/// A part that is still to be cut.
#[derive(Clone)]
struct OpenPart {
    bounds: Bounds,
    /// Its candidates.
    candidates: Range<usize>,
    /// How many of the holders hold what it was cut from.
    holders: usize,
}

impl<'a> Cutter<'a> {
    /// A box and the shards that may hold something of it. `steps` is the number of times that a
    /// shard and a part may be compared.
    pub(crate) fn new(
        shards: &'a BoxList, candidates: Vec<u32>, whole: Bounds, only: Only, steps: u64,
    ) -> Memory<Self> {
        let mut parts = Vec::new();
        if !whole.is_empty() {
            parts.try_push(OpenPart {
                bounds: whole,
                candidates: 0..candidates.len(),
                holders: 0,
            })?;
        }
        let (holders, borders) = Default::default();
        Ok(Self { shards, only, parts, candidates, holders, borders, steps })
    }

    /// Steps that are left.
    pub(crate) fn steps_left(&self) -> u64 {
        self.steps
    }

    /// The next cell.
    pub(crate) fn next(&mut self) -> Memory<Next<'_>> {
        while let Some(part) = self.parts.pop() {
            let looked_at = part.candidates.len() as u64 + 1;
            steps::count(part.candidates.len() + 1);
            let Some(left) = self.steps.checked_sub(looked_at) else {
                return Ok(Next::TooMany);
            };
            self.steps = left;
            self.candidates.truncate(part.candidates.end);
            self.holders.truncate(part.holders);
            let (cutting, held) = self.sort_out(&part)?;
            let is_held = !self.holders.is_empty() || held == i128::from(part.bounds.volume());
            let skipped = match self.only {
                Only::All => false,
                Only::Unheld { disjoint: true } => is_held,
                Only::Unheld { disjoint: false } => !self.holders.is_empty(),
            };
            if skipped {
                continue;
            }
            let candidates = &self.candidates[cutting.clone()];
            let border = median_border(self.shards, candidates, &part.bounds, &mut self.borders)?;
            let Some((dim, at)) = border else {
                return Ok(Next::Cell(part.bounds, &self.holders));
            };
            let (mut lower, mut upper) = (part.bounds, part.bounds);
            lower.high_mut()[dim] = at;
            upper.low_mut()[dim] = at;
            for bounds in [upper, lower] {
                let holders = self.holders.len();
                self.parts.try_push(OpenPart { bounds, candidates: cutting.clone(), holders })?;
            }
        }
        Ok(Next::Done)
    }

    /// Adds those candidates that hold all of a part to the holders, and those that hold some of it
    /// to the candidates. Returns the range of these and the number of elements that they hold.
    fn sort_out(&mut self, part: &OpenPart) -> Memory<(Range<usize>, i128)> {
        let start = self.candidates.len();
        let mut held = 0;
        for at in part.candidates.clone() {
            let candidate = self.candidates[at];
            match part.bounds.relation_to(self.shards, candidate as usize) {
                Relation::Apart => {}
                Relation::Around => self.holders.try_push(candidate)?,
                Relation::Across(elements) => {
                    held += i128::from(elements);
                    self.candidates.try_push(candidate)?;
                }
            }
        }
        Ok((start..self.candidates.len(), held))
    }
}

/// The parts of a box that no shard holds, by their offsets, and whether these are all. It ends
/// after `room` parts, and after comparing a shard and a part `steps` times; those that are left
/// stay in `steps`.
pub(crate) fn unheld(
    shards: &BoxList, candidates: Vec<u32>, whole: Bounds, disjoint: bool, room: usize,
    steps: &mut u64,
) -> Memory<(Cells, bool)> {
    let mut cells = Cells::new(whole.low().len());
    let mut cutter = Cutter::new(shards, candidates, whole, Only::Unheld { disjoint }, *steps)?;
    let complete = loop {
        match cutter.next()? {
            Next::Done => break true,
            Next::TooMany => break false,
            Next::Cell(..) if cells.len() >= room => break false,
            Next::Cell(bounds, _) => cells.push(0, &bounds)?,
        }
    };
    *steps = cutter.steps_left();
    cells.merge()?;
    Ok((cells, complete))
}

/// The median of the shards' borders that run through `part` in the dimension where most do.
/// `borders` is room for them.
pub(crate) fn median_border(
    shards: &BoxList, owners: &[u32], part: &Bounds, borders: &mut Vec<i64>,
) -> Memory<Option<(usize, i64)>> {
    let ndim = shards.ndim();
    let borders_of = |dim: usize| {
        let (low, high) = (part.low()[dim], part.high()[dim]);
        let ends = owners.iter().flat_map(move |&owner| {
            let at = owner as usize * ndim + dim;
            let start = shards.offsets()[at];
            [start, start + shards.sizes()[at]]
        });
        ends.filter(move |&end| low < end && end < high)
    };
    // A list of no shards may be one of another number of dimensions than the part has.
    let counts = (0..part.low().len()).map(|dim| (dim, borders_of(dim).count()));
    let Some((dim, count)) = counts.max_by_key(|(_, count)| *count).filter(|(_, n)| *n > 0) else {
        return Ok(None);
    };
    borders.clear();
    borders.try_extend(borders_of(dim))?;
    let (_, median, _) = borders.select_nth_unstable(count / 2);
    Ok(Some((dim, *median)))
}

/// Cells that were found, each with a number: only cells of the same number are merged.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    ndim: usize,
    numbers: Vec<u64>,
    /// For each, `ndim` lows and `ndim` highs.
    rows: Vec<i64>,
}

/// Passes over all dimensions, at most, to put cells together.
const MERGE_ROUNDS: usize = 32;

impl Cells {
    pub(crate) fn new(ndim: usize) -> Self {
        Self { ndim, ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    pub(crate) fn push(&mut self, number: u64, bounds: &Bounds) -> Memory<()> {
        self.rows.try_reserve(2 * self.ndim)?;
        self.numbers.try_push(number)?;
        self.rows.extend_from_slice(bounds.low());
        self.rows.extend_from_slice(bounds.high());
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.numbers.clear();
        self.rows.clear();
    }

    pub(crate) fn number(&self, cell: usize) -> u64 {
        self.numbers[cell]
    }

    /// The cells of a number, where they are sorted by it.
    pub(crate) fn of_number(&self, number: u64) -> Range<usize> {
        let first = self.numbers.partition_point(|&other| other < number);
        first..self.numbers.partition_point(|&other| other <= number)
    }

    pub(crate) fn bounds(&self, cell: usize) -> Bounds {
        Bounds::from_row(self.row(cell))
    }

    fn row(&self, cell: usize) -> &[i64] {
        &self.rows[cell * 2 * self.ndim..(cell + 1) * 2 * self.ndim]
    }

    /// Makes one of cells that are neighbours, have the same number and together are a box, last
    /// dimension first, and sorts them by their numbers, then by where they lie.
    ///
    /// That may make others fit together, so it starts again; 32 times at most, so that a spiral does
    /// not take as many passes as it has cells.
    pub(crate) fn merge(&mut self) -> Memory<()> {
        let mut order = self.sorted_by(|cells, a, b| cells.by_place(a, b))?;
        let alone = |pair: &[u32]| self.numbers[pair[0] as usize] != self.numbers[pair[1] as usize];
        if !order.windows(2).all(alone) {
            let mut before = usize::MAX;
            for _ in 0..MERGE_ROUNDS {
                if self.len() == before {
                    break;
                }
                before = self.len();
                for dim in (0..self.ndim).rev() {
                    self.merge_along(dim)?;
                }
            }
            order = self.sorted_by(|cells, a, b| cells.by_place(a, b))?;
        }
        self.reorder(&order, |_, _| false)
    }

    fn merge_along(&mut self, dim: usize) -> Memory<()> {
        let ndim = self.ndim;
        let low = |cells: &Self, cell: usize| cells.row(cell)[dim];
        let order = self.sorted_by(|cells, a, b| {
            cells.by_line(a, b, dim).then_with(|| low(cells, a).cmp(&low(cells, b)))
        })?;
        self.reorder(&order, |kept: (u64, &mut [i64]), next: (u64, &[i64])| {
            let same = |at: usize| kept.1[at] == next.1[at];
            let others = (0..ndim).filter(|&other| other != dim);
            let joins = kept.0 == next.0
                && kept.1[ndim + dim] == next.1[dim]
                && others.clone().all(|other| same(other) && same(ndim + other));
            if joins {
                kept.1[ndim + dim] = next.1[ndim + dim];
            }
            joins
        })
    }

    fn sorted_by(&self, compare: impl Fn(&Self, usize, usize) -> Ordering) -> Memory<Vec<u32>> {
        steps::count(self.len());
        let mut order = memory::try_collect(0..self.len() as u32)?;
        order.sort_unstable_by(|&a, &b| compare(self, a as usize, b as usize).then(a.cmp(&b)));
        Ok(order)
    }

    /// Sorts the cells. `joins` merges the next cell into the one before it and returns whether it
    /// did.
    fn reorder(
        &mut self, order: &[u32], joins: impl Fn((u64, &mut [i64]), (u64, &[i64])) -> bool,
    ) -> Memory<()> {
        let width = 2 * self.ndim;
        let mut numbers: Vec<u64> = memory::try_with_capacity(order.len())?;
        let mut rows: Vec<i64> = memory::try_with_capacity(self.rows.len())?;
        for &cell in order {
            let next = (self.numbers[cell as usize], self.row(cell as usize));
            if let Some(&last) = numbers.last() {
                let start = rows.len() - width;
                if joins((last, &mut rows[start..]), next) {
                    continue;
                }
            }
            numbers.push(next.0);
            rows.extend_from_slice(next.1);
        }
        (self.numbers, self.rows) = (numbers, rows);
        Ok(())
    }

    fn by_place(&self, a: usize, b: usize) -> Ordering {
        self.numbers[a].cmp(&self.numbers[b]).then_with(|| self.row(a).cmp(self.row(b)))
    }

    /// By number, then by all dimensions but one.
    fn by_line(&self, a: usize, b: usize, dim: usize) -> Ordering {
        let (row_a, row_b) = (self.row(a), self.row(b));
        let span = |row: &[i64], other: usize| (row[other], row[self.ndim + other]);
        let others = (0..self.ndim).filter(|&other| other != dim);
        let by_span = |other: usize| span(row_a, other).cmp(&span(row_b, other));
        let numbers = self.numbers[a].cmp(&self.numbers[b]);
        numbers.then_with(|| others.map(by_span).find(|o| o.is_ne()).unwrap_or(Ordering::Equal))
    }
}
