//! Lists of extents as products: what a list has of each dimension, each part once.
//!
//! Shards over a mesh are all combinations of few parts: 64 x 64 shards in two dimensions have 128. So
//! which shards of two such lists meet is found dimension by dimension, and not shard by shard.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "numbers of parts and slices are those that were stored; indices and places in buffers \
              fit an i64"
)]

use std::ops::Range;

use super::box_list::BoxList;
use super::extent::{DimExtent, ExtentList};
use super::fold::{Digit, Slices};
use super::{GeometryResult, range_of};
use crate::memory::{self, Memory, OutOfMemory, TryVec};
use crate::sync::seed::Map;

/// A dimension is at most this many digits, where nothing is flattened.
const MAX_DIGITS: usize = 2;

/// The number of no part.
const EMPTY: u32 = u32::MAX;

/// The different parts that the extents of a list have of each dimension.
pub(crate) struct ProductParts {
    /// For each extent and dimension the number of its part; [`EMPTY`] for all of an empty extent.
    numbers: Vec<u32>,
    dims: Vec<DimParts>,
}

#[derive(Default)]
struct DimParts {
    slices: Slices,
    /// Where the slices of each part end.
    ends: Vec<usize>,
}

/// What a part of a source and a part of a destination have in common: a box of digits.
pub(crate) struct Meeting {
    pub(crate) source: u32,
    /// The numbers of the slices that meet, of the source and of the destination.
    slices: [u32; 2],
    digits: usize,
    lengths: [i64; MAX_DIGITS],
    /// Where it starts in the buffers of the source and of the destination.
    pub(crate) starts: [i64; 2],
    /// How far a step in each digit is in these buffers.
    steps: [[i64; MAX_DIGITS]; 2],
}

/// What each part of a destination and the parts of a source have in common, in one dimension.
#[derive(Default)]
pub(crate) struct DimMeetings {
    all: Vec<Meeting>,
    /// Where the meetings of a slice of the destination with slices of one part of the source end.
    run_ends: Vec<usize>,
    /// Where the runs of a part of the destination with one part of the source end.
    group_ends: Vec<usize>,
    /// Where the groups of each part of the destination end.
    part_ends: Vec<usize>,
}

impl ProductParts {
    /// The parts of a list whose dimensions are not flattened, in these digits.
    pub(crate) fn new(list: &ExtentList, digits: &[Digit]) -> GeometryResult<Self> {
        let ndim = list.ndim();
        let numbers = memory::try_filled(EMPTY, list.len() * ndim)?;
        let mut all = Self { numbers, dims: memory::try_with_capacity(ndim)? };
        all.dims.resize_with(ndim, DimParts::default);
        let mut known: Map<(usize, i64, i64), u32> = Map::default();
        for (number, extent) in list.iter().enumerate().filter(|(_, extent)| !extent.is_empty()) {
            for dim in 0..ndim {
                let part = extent.dim(dim);
                let key = match (extent.map_number(dim), part) {
                    (None, DimExtent::Interval(start, size)) => (dim, start, size),
                    (map, _) => (dim, i64::from(map.unwrap_or(EMPTY)), -1),
                };
                let place = &mut all.numbers[number * ndim + dim];
                if let Some(&known) = known.get(&key) {
                    *place = known;
                    continue;
                }
                let own = &mut all.dims[dim];
                // A list has no more extents than a u32 counts.
                *place = own.ends.len() as u32;
                known.try_reserve(1).map_err(OutOfMemory::from)?;
                known.insert(key, *place);
                let of_dim = digits.partition_point(|digit| digit.dim < dim)
                    ..digits.partition_point(|digit| digit.dim <= dim);
                own.slices.push(&digits[of_dim], part)?;
                own.ends.try_push(own.slices.len())?;
            }
        }
        Ok(all)
    }

    /// The parts of an extent; `None` of an empty one.
    pub(crate) fn of_extent(&self, number: u32) -> Option<&[u32]> {
        let ndim = self.dims.len();
        let parts = &self.numbers[number as usize * ndim..][..ndim];
        parts.first().is_some_and(|&part| part != EMPTY).then_some(parts)
    }

    /// The extent of each combination of parts; `None` where a combination has not exactly one. The part of
    /// the last dimension changes fastest.
    pub(crate) fn grid(&self) -> Memory<Option<Vec<u32>>> {
        let ndim = self.dims.len().max(1);
        let extents = (0u32..).zip(self.numbers.chunks_exact(ndim));
        let extents = extents.filter(|(_, parts)| parts[0] != EMPTY);
        let all = self.dims.iter().try_fold(1usize, |all, dim| all.checked_mul(dim.ends.len()));
        if all != Some(extents.clone().count()) {
            return Ok(None);
        }
        let mut grid = memory::try_filled(EMPTY, all.unwrap_or(0))?;
        for (number, parts) in extents {
            let place = &mut grid[self.place(parts.iter().copied())];
            if *place != EMPTY {
                return Ok(None);
            }
            *place = number;
        }
        Ok(Some(grid))
    }

    /// The place of a combination of parts in the grid.
    pub(crate) fn place(&self, parts: impl Iterator<Item = u32>) -> usize {
        let counts = self.dims.iter().map(|dim| dim.ends.len());
        counts.zip(parts).fold(0, |place, (count, part)| place * count + part as usize)
    }

    /// What the parts of a destination in the same digits and these have in common, by dimension.
    pub(crate) fn meetings(&self, destination: &Self) -> GeometryResult<Vec<DimMeetings>> {
        let mut all = memory::try_with_capacity(self.dims.len())?;
        for (source, destination) in self.dims.iter().zip(&destination.dims) {
            all.push(DimMeetings::new(source, destination)?);
        }
        Ok(all)
    }
}

impl DimParts {
    fn digits(&self) -> usize {
        self.slices.lows.len() / self.slices.len().max(1)
    }

    /// The slices as boxes.
    fn boxes(&self) -> Memory<BoxList> {
        let lows = memory::try_to_vec(&self.slices.lows)?;
        let sizes = self.slices.highs.iter().zip(&lows).map(|(high, low)| high - low);
        let sizes = memory::try_collect(sizes)?;
        Ok(BoxList::new(self.digits(), self.slices.len(), lows, sizes))
    }

    fn row(&self, slice: usize) -> Range<usize> {
        slice * self.digits()..(slice + 1) * self.digits()
    }
}

impl DimMeetings {
    fn new(source: &DimParts, destination: &DimParts) -> GeometryResult<Self> {
        let mut meetings = Self::default();
        let (boxes, asked) = (source.boxes()?, destination.boxes()?);
        let index = boxes.index()?;
        let mut found = Vec::new();
        for part in 0..destination.ends.len() {
            let first = meetings.all.len();
            for slice in range_of(&destination.ends, part) {
                let Some(one) = asked.get(slice) else { continue };
                index.find_box(one.offsets, one.sizes, &mut found)?;
                for &other in &found {
                    let slices = [other as usize, slice];
                    meetings.all.try_push(Meeting::new([source, destination], slices))?;
                }
            }
            meetings.close_part(first)?;
        }
        Ok(meetings)
    }

    /// Sorts the meetings of a part of the destination, and notes where they end.
    fn close_part(&mut self, first: usize) -> Memory<()> {
        let own = &mut self.all[first..];
        own.sort_unstable_by_key(|meeting| (meeting.source, meeting.slices[1], meeting.slices[0]));
        let mut end = first;
        for group in own.chunk_by(|one, next| one.source == next.source) {
            for run in group.chunk_by(|one, next| one.slices[1] == next.slices[1]) {
                end += run.len();
                self.run_ends.try_push(end)?;
            }
            self.group_ends.try_push(self.run_ends.len())?;
        }
        self.part_ends.try_push(self.group_ends.len())
    }

    /// The groups of a part of the destination: each has the meetings with one part of the source, by
    /// rising number of that part.
    pub(crate) fn groups_of(&self, part: u32) -> Range<usize> {
        range_of(&self.part_ends, part as usize)
    }

    /// The runs of a group: each has the meetings of one slice of the destination.
    pub(crate) fn runs_of(&self, group: usize) -> Range<usize> {
        range_of(&self.group_ends, group)
    }

    /// The meetings of a run, by rising number of the source's slice.
    pub(crate) fn run(&self, run: usize) -> &[Meeting] {
        &self.all[range_of(&self.run_ends, run)]
    }
}

impl Meeting {
    /// What two slices that meet have in common.
    fn new(parts: [&DimParts; 2], slices: [usize; 2]) -> Self {
        // A part's slices follow those of the part before.
        let source = parts[0].ends.partition_point(|&end| end <= slices[0]) as u32;
        let rows = [0, 1].map(|side| parts[side].row(slices[side]));
        let digits = rows[0].len();
        let mut meeting = Self {
            source,
            slices: slices.map(|slice| slice as u32),
            digits,
            lengths: [0; MAX_DIGITS],
            starts: [0, 1].map(|side| parts[side].slices.starts[slices[side]]),
            steps: [[0; MAX_DIGITS]; 2],
        };
        for digit in 0..digits {
            let of = |side: usize, values: fn(&Slices) -> &Vec<i64>| {
                values(&parts[side].slices)[rows[side].start + digit]
            };
            let lows = [0, 1].map(|side| of(side, |slices| &slices.lows));
            let low = lows[0].max(lows[1]);
            let high = of(0, |slices| &slices.highs).min(of(1, |slices| &slices.highs));
            meeting.lengths[digit] = high - low;
            for side in [0, 1] {
                let step = of(side, |slices| &slices.steps);
                meeting.steps[side][digit] = step;
                meeting.starts[side] += (low - lows[side]) * step;
            }
        }
        meeting
    }

    /// Its lengths in the digits of the dimension.
    pub(crate) fn lengths(&self) -> &[i64] {
        &self.lengths[..self.digits]
    }

    /// Steps of these digits in the buffer of one side.
    pub(crate) fn steps(&self, side: usize) -> &[i64] {
        &self.steps[side][..self.digits]
    }
}

/// The next combination of one of `count(dim)` for each dimension, the last dimension first; `false`
/// behind the last one, where `turn` is the first one again.
pub(crate) fn next_of_product(turn: &mut [usize], count: impl Fn(usize) -> usize) -> bool {
    for dim in (0..turn.len()).rev() {
        turn[dim] += 1;
        if turn[dim] < count(dim) {
            return true;
        }
        turn[dim] = 0;
    }
    false
}
