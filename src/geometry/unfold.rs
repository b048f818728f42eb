//! Extents as boxes of digits, each with its place in its extent's buffer.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "rows are as long as there are digits or dimensions, and numbers of boxes are those \
              that were stored; indices and places in buffers fit an i64"
)]

use super::bounds::Bounds;
use super::box_list::BoxList;
use super::extent::{DimExtent, Extent, ExtentList};
use super::fold::{Digit, Slices, digits_of};
use super::product::next_of_product;
use super::region::Region;
use super::{GeometryError, GeometryResult, Index, MAX_NDIM};
use crate::memory::{Memory, TryVec, try_with_capacity};
use crate::sync::lazy::Made;
use crate::sync::seed::Map;

/// The boxes that extents are, in digits. Those of one extent follow each other.
#[derive(Debug)]
pub(crate) struct Unfolded {
    digits: Vec<Digit>,
    boxes: BoxList,
    /// For each box, the number of its extent.
    extents: Vec<u32>,
    /// For each box, where its low corner is in the buffer: a number for each dimension.
    starts: Vec<i64>,
    /// For each box, how far a step in each digit is in the buffer's dimension.
    steps: Vec<i64>,
}

/// Extents as boxes: of a list of boxes, the list itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoxRows<'a> {
    pub(crate) boxes: &'a BoxList,
    unfolded: Option<&'a Unfolded>,
}

impl Unfolded {
    /// The boxes of the extents of a list, in these digits.
    pub(crate) fn new(list: &ExtentList, digits: Vec<Digit>) -> GeometryResult<Self> {
        let ndim = list.ndim();
        let mut own = Maker { digits: &digits, ..Maker::default() };
        for dim in 0..ndim {
            let first = digits.partition_point(|digit| digit.dim < dim);
            let end = digits.partition_point(|digit| digit.dim <= dim);
            own.of_dims.try_push((first, end))?;
        }
        // A list has no more extents than a u32 counts.
        for (number, extent) in (0u32..).zip(list.iter()) {
            if !extent.is_empty() {
                own.push(number, extent)?;
            }
        }
        let Maker { lows, mut highs, extents, starts, steps, .. } = own;
        highs.iter_mut().zip(&lows).for_each(|(high, low)| *high -= low);
        let boxes = BoxList::new(digits.len(), extents.len(), lows, highs);
        Ok(Self { digits, boxes, extents, starts, steps })
    }

    pub(crate) fn rows(&self) -> BoxRows<'_> {
        BoxRows { boxes: &self.boxes, unfolded: Some(self) }
    }

    pub(crate) fn digits(&self) -> &[Digit] {
        &self.digits
    }

    fn ndim(&self) -> usize {
        self.digits.last().map_or(0, |digit| digit.dim + 1)
    }
}

/// The rows of boxes while they are made.
#[derive(Default)]
struct Maker<'a> {
    digits: &'a [Digit],
    /// Each dimension's digits: the first, and past the last.
    of_dims: Vec<(usize, usize)>,
    lows: Vec<i64>,
    highs: Vec<i64>,
    extents: Vec<u32>,
    starts: Vec<i64>,
    steps: Vec<i64>,
    /// The boxes of dim maps, each unfolded once, and of the intervals of the current extent.
    slices: Vec<Slices>,
    of_maps: Map<(usize, u32), usize>,
}

impl Maker<'_> {
    fn push(&mut self, number: u32, extent: Extent<'_>) -> GeometryResult<()> {
        let ndim = self.of_dims.len();
        let mut chosen = [0; MAX_NDIM];
        for (dim, chosen) in chosen[..ndim].iter_mut().enumerate() {
            *chosen = self.slices_of(extent, dim)?;
        }
        let chosen = &chosen[..ndim];
        let mut turn = [0; MAX_NDIM];
        loop {
            u32::try_from(self.extents.len() + 1).map_err(|_| GeometryError::Overflow)?;
            self.extents.try_push(number)?;
            for dim in 0..ndim {
                let (slices, at) = (&self.slices[chosen[dim]], turn[dim]);
                let count = self.of_dims[dim].1 - self.of_dims[dim].0;
                let row = at * count..(at + 1) * count;
                self.lows.try_extend_from_slice(&slices.lows[row.clone()])?;
                self.highs.try_extend_from_slice(&slices.highs[row.clone()])?;
                self.steps.try_extend_from_slice(&slices.steps[row])?;
                self.starts.try_push(slices.starts[at])?;
            }
            if !next_of_product(&mut turn[..ndim], |dim| self.slices[chosen[dim]].len()) {
                return Ok(());
            }
        }
    }

    /// The place of a dimension's boxes among the slices. The first places are for intervals.
    fn slices_of(&mut self, extent: Extent<'_>, dim: usize) -> GeometryResult<usize> {
        while self.slices.len() < self.of_dims.len() {
            self.slices.try_push(Slices::default())?;
        }
        let (first, end) = self.of_dims[dim];
        let digits = &self.digits[first..end];
        let (Some(number), of_dim @ DimExtent::Map(_)) = (extent.map_number(dim), extent.dim(dim))
        else {
            self.slices[dim].clear();
            self.slices[dim].push(digits, extent.dim(dim))?;
            return Ok(dim);
        };
        if let Some(&known) = self.of_maps.get(&(dim, number)) {
            return Ok(known);
        }
        let mut slices = Slices::default();
        slices.push(digits, of_dim)?;
        self.slices.try_push(slices)?;
        self.of_maps.try_reserve(1).map_err(crate::memory::OutOfMemory::from)?;
        self.of_maps.insert((dim, number), self.slices.len() - 1);
        Ok(self.slices.len() - 1)
    }
}

impl<'a> BoxRows<'a> {
    /// The boxes of a list of boxes.
    pub(crate) fn of_boxes(boxes: &'a BoxList) -> Self {
        Self { boxes, unfolded: None }
    }

    /// The number of the extent that a box is of.
    pub(crate) fn extent_of(&self, number: u32) -> u32 {
        self.unfolded.map_or(number, |unfolded| unfolded.extents[number as usize])
    }

    /// The boxes of an extent.
    pub(crate) fn of_extent(&self, extent: u32) -> std::ops::Range<u32> {
        let Some(Unfolded { extents, .. }) = self.unfolded else {
            return extent..extent + 1;
        };
        let first = extents.partition_point(|&other| other < extent);
        let end = extents.partition_point(|&other| other <= extent);
        first as u32..end as u32
    }

    /// Number of dimensions of the buffers.
    pub(crate) fn ndim(&self) -> usize {
        self.unfolded.map_or(self.boxes.ndim(), Unfolded::ndim)
    }

    /// Where an element of a box is in the buffer of its extent: written to `local`, a number for each
    /// dimension.
    pub(crate) fn local(&self, number: u32, element: &[i64], local: &mut [i64]) {
        let row = self.boxes.ndim() * number as usize..self.boxes.ndim() * (number as usize + 1);
        let behind = element.iter().zip(&self.boxes.offsets()[row.clone()]);
        let Some(Unfolded { digits, starts, steps, .. }) = self.unfolded else {
            local.iter_mut().zip(behind).for_each(|(local, (at, low))| *local = at - low);
            return;
        };
        let ndim = self.ndim();
        local.copy_from_slice(&starts[ndim * number as usize..ndim * (number as usize + 1)]);
        for (((at, low), step), digit) in behind.zip(&steps[row]).zip(digits) {
            local[digit.dim] += (at - low) * step;
        }
    }

    /// How far a step in each digit of a box is in the buffer's dimension. `None`: 1.
    pub(crate) fn steps(&self, number: u32) -> Option<&'a [i64]> {
        let count = self.boxes.ndim();
        self.unfolded.map(|unfolded| &unfolded.steps[count * number as usize..][..count])
    }
}

/// Where the extents of a list are boxes, and what is asked of them is.
#[allow(clippy::large_enum_variant, reason = "there is one at a time, and it needs no memory")]
pub(crate) enum Space<'a> {
    /// The tensor's own indices.
    Boxes(&'a BoxList),
    /// Digits.
    Unfolded(Made<'a, OwnSpace>),
}

impl Space<'_> {
    #[inline(always)]
    pub(crate) fn rows(&self) -> BoxRows<'_> {
        match self {
            Self::Boxes(boxes) => BoxRows::of_boxes(boxes),
            Self::Unfolded(own) => own.unfolded.rows(),
        }
    }

    /// A box of the tensor that lies in a box of this space: all of it, where that is one box.
    pub(crate) fn region(&self, bounds: &Bounds) -> Memory<Region> {
        match self {
            Self::Boxes(_) => bounds.region(),
            Self::Unfolded(own) => region_of(&own.tensor, bounds),
        }
    }

    /// Adds the boxes of the tensor that make up a box of this space, up to `limit` of them.
    /// Returns whether these are all.
    pub(crate) fn push_regions(
        &self, bounds: &Bounds, limit: usize, regions: &mut Vec<Region>,
    ) -> Memory<bool> {
        match self {
            Self::Boxes(_) => {
                let fits = regions.len() < limit;
                if fits {
                    regions.try_push(bounds.region()?)?;
                }
                Ok(fits)
            }
            Self::Unfolded(own) => push_regions(&own.tensor, bounds, limit, regions),
        }
    }

    /// A tensor of these sizes as boxes of this space.
    pub(crate) fn whole(&self, sizes: &[i64]) -> GeometryResult<Vec<Bounds>> {
        let mut whole = Vec::new();
        match self {
            Self::Boxes(_) => whole.try_push(Bounds::of_sizes(sizes))?,
            Self::Unfolded(own) => {
                let unfolded = own.unfold(&[0; MAX_NDIM][..sizes.len()], sizes)?;
                for number in 0..unfolded.boxes.len() {
                    whole.try_push(Bounds::of(&unfolded.boxes, number))?;
                }
            }
        }
        Ok(whole)
    }

    /// The extents that share an element with a box of the tensor, ascending, in place of what `found`
    /// held.
    pub(crate) fn find_box(
        &self, offsets: &[i64], sizes: &[i64], found: &mut Vec<u32>,
    ) -> GeometryResult<()> {
        let own = match self {
            Self::Boxes(boxes) => return Ok(boxes.index()?.find_box(offsets, sizes, found)?),
            Self::Unfolded(own) => own,
        };
        let (rows, mut some) = (own.unfolded.rows(), Vec::new());
        let index = rows.boxes.index()?;
        found.clear();
        if sizes.contains(&0) {
            return Ok(());
        }
        for asked in own.unfold(offsets, sizes)?.boxes.iter() {
            index.find_box(asked.offsets, asked.sizes, &mut some)?;
            found.try_extend(some.iter().map(|&number| rows.extent_of(number)))?;
        }
        found.sort_unstable();
        found.dedup();
        Ok(())
    }

    /// An extent that has an element of the tensor: the only one, where no two share any, or else the
    /// first. `index` is that of [`Self::rows`].
    #[inline(always)]
    pub(crate) fn owner(
        &self, index: &Index, element: &[i64], only: bool,
    ) -> Memory<Option<usize>> {
        let found = |place: &[i64]| if only { index.owner(place) } else { index.first_at(place) };
        Ok(match self {
            Self::Boxes(_) => found(element),
            Self::Unfolded(own) => {
                let number = found(&own.element(element)?);
                number.map(|number| own.unfolded.extents[number] as usize)
            }
        })
    }
}

/// A list and the tensor that it is of, in digits of both: what questions to one list are asked of.
#[derive(Debug)]
pub(crate) struct OwnSpace {
    pub(crate) unfolded: Unfolded,
    /// The tensor's digits.
    tensor: Vec<Digit>,
}

impl OwnSpace {
    pub(crate) fn new(list: &ExtentList) -> GeometryResult<Self> {
        let mut digits = digits_of(&[list, &ExtentList::none(list.tensor_ndim())], true)?;
        let tensor = digits.pop().unwrap_or_default();
        Ok(Self { unfolded: Unfolded::new(list, digits.pop().unwrap_or_default())?, tensor })
    }

    /// A box of the tensor as boxes of digits.
    pub(crate) fn unfold(&self, offsets: &[i64], sizes: &[i64]) -> GeometryResult<Unfolded> {
        let mut rows = [try_with_capacity(offsets.len())?, try_with_capacity(sizes.len())?];
        rows[0].extend_from_slice(offsets);
        rows[1].extend_from_slice(sizes);
        let [offsets, sizes] = rows;
        let one = ExtentList::of_boxes(BoxList::new(self.tensor_ndim(), 1, offsets, sizes));
        Unfolded::new(&one, crate::memory::try_to_vec(&self.tensor)?)
    }

    /// The digits of an element of the tensor.
    pub(crate) fn element(&self, element: &[i64]) -> Memory<Vec<i64>> {
        let mut rest = crate::memory::try_to_vec(element)?;
        let mut digits = try_with_capacity(self.tensor.len())?;
        digits.extend(self.tensor.iter().map(|&Digit { dim, weight }| {
            let digit = rest[dim] / weight;
            rest[dim] %= weight;
            digit
        }));
        Ok(digits)
    }

    fn tensor_ndim(&self) -> usize {
        self.tensor.last().map_or(0, |digit| digit.dim + 1)
    }
}

/// See [`Space::push_regions`].
fn push_regions(
    digits: &[Digit], bounds: &Bounds, limit: usize, regions: &mut Vec<Region>,
) -> Memory<bool> {
    // Each box of the tensor has one value of the digits outside of those that are whole.
    let first = region_of(digits, bounds)?;
    let mut outer = [false; MAX_NDIM];
    for (at, digit) in digits.iter().enumerate() {
        outer[at] = first.sizes[digit.dim] < digit.weight;
    }
    let mut place = *bounds;
    loop {
        if regions.len() >= limit {
            return Ok(false);
        }
        regions.try_push(region_of(digits, &place)?)?;
        let next = (0..digits.len()).rev().filter(|&at| outer[at]).find(|&at| {
            place.low_mut()[at] += 1;
            let more = place.low()[at] < bounds.high()[at];
            if !more {
                place.low_mut()[at] = bounds.low()[at];
            }
            more
        });
        if next.is_none() {
            return Ok(true);
        }
    }
}

/// A box of the tensor of these digits that lies in a box of them: all of it where that is one box, else
/// its first blocks.
pub(crate) fn region_of(digits: &[Digit], bounds: &Bounds) -> Memory<Region> {
    let ndim = digits.last().map_or(0, |digit| digit.dim + 1);
    let (mut lows, mut sizes) = ([0; MAX_NDIM], [1; MAX_NDIM]);
    // As long as all inner digits are whole, an outer one's range is neighbouring indices.
    let mut whole = [true; MAX_NDIM];
    for (at, digit) in digits.iter().enumerate().rev() {
        let (low, high) = (bounds.low()[at], bounds.high()[at]);
        lows[digit.dim] += low * digit.weight;
        if whole[digit.dim] {
            sizes[digit.dim] = (high - low) * digit.weight;
        }
        let outer = at.checked_sub(1).map(|outer| digits[outer]);
        if let Some(outer) = outer.filter(|outer| outer.dim == digit.dim) {
            whole[digit.dim] &= low == 0 && high * digit.weight == outer.weight;
        }
    }
    Region::try_new(&lows[..ndim], &sizes[..ndim])
}

#[cfg(test)]
mod tests;
