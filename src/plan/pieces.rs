//! The pieces of a plan, as flat arrays.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "rows are as long as their boxes have dimensions; what lies inside of two shards has a start and an end between theirs, and no more \
              elements than a destination shard, whose number was checked"
)]

use super::first_held::FirstHeld;
use super::piece::{Piece, PieceRows, StepRows, Window};
use super::space::CommonSpace;
use crate::error::{Error, Result};
use crate::geometry::BoxRow;
use crate::geometry::bounds::Bounds;
use crate::geometry::fold::Digit;
use crate::geometry::product::Meeting;
use crate::geometry::region::checked_numel;
use crate::geometry::unfold::BoxRows;
use crate::memory::{self, Memory};

/// Pieces as flat arrays: two numbers, and rows of a number for each dimension.
#[derive(Debug, Clone, Default)]
pub(super) struct Pieces {
    ndim: usize,
    /// Numbers of dimensions of the shards' buffers.
    of_sides: [usize; 2],
    pub(super) sources: Vec<u32>,
    pub(super) destinations: Vec<u32>,
    /// Where pieces start in the buffers of either side.
    offsets: [Vec<i64>; 2],
    sizes: Vec<i64>,
    /// Where pieces are no boxes of the buffers.
    strides: Option<Strides>,
}

/// In which dimensions of the buffers the dimensions of pieces go, and how far.
#[derive(Debug, Clone)]
struct Strides {
    dims: [Vec<usize>; 2],
    steps: [Vec<i64>; 2],
}

impl Pieces {
    pub(super) fn new(space: &CommonSpace<'_>) -> Result<Self> {
        Self::between(space.rows(), space.digits())
    }

    /// Pieces from destination shards to destination shards.
    pub(super) fn within_destination(space: &CommonSpace<'_>) -> Result<Self> {
        Self::between([space.rows()[1]; 2], space.digits().map(|digits| [digits[1]; 2]))
    }

    fn between(rows: [BoxRows<'_>; 2], digits: Option<[&[Digit]; 2]>) -> Result<Self> {
        let mut pieces = match digits {
            Some(digits) => Self::in_digits(digits, 0)?,
            None => Self { ndim: rows[0].boxes.ndim(), ..Self::default() },
        };
        pieces.of_sides = rows.map(|rows| rows.ndim());
        Ok(pieces)
    }

    /// Pieces as boxes of these digits of either side, between buffers of `ndim` dimensions.
    pub(super) fn in_digits(digits: [&[Digit]; 2], ndim: usize) -> Result<Self> {
        let dims = |digits: &[Digit]| memory::try_collect(digits.iter().map(|digit| digit.dim));
        let dims = [dims(digits[0])?, dims(digits[1])?];
        let strides = Some(Strides { dims, steps: Default::default() });
        Ok(Self { ndim: digits[0].len(), of_sides: [ndim; 2], strides, ..Self::default() })
    }

    pub(super) fn len(&self) -> usize {
        self.sources.len()
    }

    pub(super) fn ndim(&self) -> usize {
        self.ndim
    }

    /// Whether they are boxes of the shards' buffers.
    pub(super) fn are_boxes(&self) -> bool {
        self.strides.is_none()
    }

    /// What is read of which sources, as flat arrays: sources, and where pieces start, and their sizes.
    pub(super) fn reads(&self) -> (&[u32], [&[i64]; 2]) {
        (&self.sources, [&self.offsets[0], &self.sizes])
    }

    pub(super) fn get(&self, index: usize) -> Option<Piece<'_>> {
        let (source, destination) = (*self.sources.get(index)?, *self.destinations.get(index)?);
        let windows = (self.window(0, index)?, self.window(1, index)?);
        Some(Piece {
            source: source as usize,
            destination: destination as usize,
            source_window: windows.0,
            destination_window: windows.1,
            sizes: windows.0.sizes,
        })
    }

    fn window(&self, side: usize, index: usize) -> Option<Window<'_>> {
        let ([offsets, other], [ndim, other_ndim]) = (&self.offsets, self.of_sides);
        let (offsets, ndim) = if side == 0 { (offsets, ndim) } else { (other, other_ndim) };
        let strides = match &self.strides {
            None => None,
            Some(Strides { dims: [dims, other_dims], steps: [steps, other_steps] }) => {
                let (dims, steps) =
                    if side == 0 { (dims, steps) } else { (other_dims, other_steps) };
                Some((dims.as_slice(), row_of(steps, self.ndim, index)?))
            }
        };
        let (offsets, sizes) =
            (row_of(offsets, ndim, index)?, row_of(&self.sizes, self.ndim, index)?);
        Some(Window { offsets, sizes, strides })
    }

    /// Pieces `first` to `first + count - 1`.
    pub(super) fn rows(&self, first: usize, count: usize) -> Option<PieceRows<'_>> {
        let pieces = first..first.checked_add(count)?;
        let rows_of = |numbers, ndim: usize| {
            <[i64]>::get(numbers, first.checked_mul(ndim)?..pieces.end.checked_mul(ndim)?)
        };
        let steps = match &self.strides {
            None => None,
            Some(Strides { dims: [from, to], steps: [source, destination] }) => Some(StepRows {
                source_dims: from,
                destination_dims: to,
                source_steps: rows_of(source, self.ndim)?,
                destination_steps: rows_of(destination, self.ndim)?,
            }),
        };
        Some(PieceRows {
            sources: self.sources.get(pieces.clone())?,
            destinations: self.destinations.get(pieces.clone())?,
            source_offsets: rows_of(&self.offsets[0], self.of_sides[0])?,
            destination_offsets: rows_of(&self.offsets[1], self.of_sides[1])?,
            sizes: rows_of(&self.sizes, self.ndim)?,
            steps,
        })
    }

    /// Source and destination of a piece.
    pub(super) fn shards_of(&self, index: usize) -> (u32, u32) {
        let shard = |shards: &[u32]| shards.get(index).copied().unwrap_or(u32::MAX);
        (shard(&self.sources), shard(&self.destinations))
    }

    /// The number of elements of some pieces.
    pub(super) fn numel(&self, pieces: impl Iterator<Item = usize>) -> Result<i64> {
        let numel = |index| checked_numel(row_of(&self.sizes, self.ndim, index)?);
        pieces
            .map(numel)
            .try_fold(0i64, |sum, numel| sum.checked_add(numel?))
            .ok_or_else(|| Error::overflow("the number of elements that the plan moves"))
    }

    /// Room for one more.
    fn reserve_one(&mut self) -> Result<()> {
        let Self { ndim, of_sides, sources, destinations, offsets, sizes, strides } = self;
        let [source_offsets, destination_offsets] = offsets;
        let mut all = sources
            .try_reserve(1)
            .and_then(|()| destinations.try_reserve(1))
            .and_then(|()| source_offsets.try_reserve(of_sides[0]))
            .and_then(|()| destination_offsets.try_reserve(of_sides[1]))
            .and_then(|()| sizes.try_reserve(*ndim));
        if let Some(Strides { steps: [source, destination], .. }) = strides {
            all = all.and_then(|()| source.try_reserve(*ndim));
            all = all.and_then(|()| destination.try_reserve(*ndim));
        }
        all.map_err(|_| Error::OutOfMemory { what: "the plan", bytes: 8 + 24 * *ndim })
    }

    /// Adds what a source box and a destination box have in common, or a part of it, by its box in the
    /// space that both are in.
    pub(super) fn push(
        &mut self, rows: [BoxRows<'_>; 2], numbers: [u32; 2], bounds: &Bounds,
    ) -> Result<()> {
        self.reserve_one()?;
        for side in [0, 1] {
            let offsets = &mut self.offsets[side];
            let first = offsets.len();
            offsets.resize(first + self.of_sides[side], 0);
            rows[side].local(numbers[side], bounds.low(), &mut offsets[first..]);
            if let (Some(strides), Some(steps)) =
                (&mut self.strides, rows[side].steps(numbers[side]))
            {
                strides.steps[side].extend_from_slice(steps);
            }
        }
        self.sizes.extend(bounds.lengths());
        self.sources.push(rows[0].extent_of(numbers[0]));
        self.destinations.push(rows[1].extent_of(numbers[1]));
        Ok(())
    }

    /// Adds what two shards have in common, by what their parts have in common in each dimension.
    pub(super) fn push_product<'a>(
        &mut self, [source, destination]: [u32; 2], dims: impl Iterator<Item = &'a Meeting> + Clone,
    ) -> Result<()> {
        self.reserve_one()?;
        for side in [0, 1] {
            self.offsets[side].extend(dims.clone().map(|meeting| meeting.starts[side]));
            if let Some(strides) = &mut self.strides {
                strides.steps[side].extend(dims.clone().flat_map(|meeting| meeting.steps(side)));
            }
        }
        self.sizes.extend(dims.flat_map(Meeting::lengths));
        self.sources.push(source);
        self.destinations.push(destination);
        Ok(())
    }

    /// The same of what is `first` held by the destination box.
    pub(super) fn push_first(
        &mut self, rows: [BoxRows<'_>; 2], numbers: [u32; 2], bounds: &Bounds,
        first: Option<&FirstHeld>,
    ) -> Result<()> {
        match first {
            None => self.push(rows, numbers, bounds),
            Some(first) => first.of_part(numbers[1], bounds, |part| self.push(rows, numbers, part)),
        }
    }

    /// Adds what a destination box takes of a source box that it meets, where they are boxes of the
    /// tensor. Returns the number of elements.
    pub(super) fn push_common(
        &mut self, (source, source_box): (u32, BoxRow<'_>),
        (destination, destination_box): (u32, BoxRow<'_>),
    ) -> Result<i64> {
        self.reserve_one()?;
        let from = source_box.offsets.iter().zip(source_box.sizes);
        let to = destination_box.offsets.iter().zip(destination_box.sizes);
        let mut elements = 1;
        let [source_offsets, destination_offsets] = &mut self.offsets;
        for ((from, from_size), (to, to_size)) in from.zip(to) {
            let start = *from.max(to);
            let size = (from + from_size).min(to + to_size) - start;
            source_offsets.push(start - from);
            destination_offsets.push(start - to);
            self.sizes.push(size);
            elements *= size;
        }
        self.sources.push(source);
        self.destinations.push(destination);
        Ok(elements)
    }

    /// Puts pieces in their order: boxes of one shard come one after the other, and what they take of
    /// one source is not together.
    pub(super) fn sort(&mut self) -> Result<()> {
        let Some(strides) = &self.strides else {
            return Ok(());
        };
        let count =
            u32::try_from(self.len()).map_err(|_| Error::overflow("the number of pieces"))?;
        let key = |&at: &u32| (self.destinations[at as usize], self.sources[at as usize], at);
        if (0..count).is_sorted_by_key(|at| key(&at)) {
            return Ok(());
        }
        let mut order: Vec<u32> = memory::try_collect(0..count)?;
        order.sort_unstable_by_key(key);
        let numbers =
            |numbers: &[u32]| memory::try_collect(order.iter().map(|&at| numbers[at as usize]));
        let rows = |rows: &[i64], ndim: usize| -> Memory<Vec<i64>> {
            let mut sorted = memory::try_with_capacity(rows.len())?;
            order.iter().for_each(|&at| sorted.extend(&rows[at as usize * ndim..][..ndim]));
            Ok(sorted)
        };
        let steps = [rows(&strides.steps[0], self.ndim)?, rows(&strides.steps[1], self.ndim)?];
        let offsets =
            [rows(&self.offsets[0], self.of_sides[0])?, rows(&self.offsets[1], self.of_sides[1])?];
        let (sources, destinations) = (numbers(&self.sources)?, numbers(&self.destinations)?);
        self.sizes = rows(&self.sizes, self.ndim)?;
        (self.sources, self.destinations, self.offsets) = (sources, destinations, offsets);
        if let Some(strides) = &mut self.strides {
            strides.steps = steps;
        }
        Ok(())
    }
}

/// Row `index` of rows of `ndim` numbers.
fn row_of(numbers: &[i64], ndim: usize, index: usize) -> Option<&[i64]> {
    let start = index.checked_mul(ndim)?;
    numbers.get(start..start.checked_add(ndim)?)
}
