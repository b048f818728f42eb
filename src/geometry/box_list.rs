//! Lists of boxes, stored as flat arrays.

use std::ops::Deref;

use super::MAX_NDIM;
use super::region::checked_numel;
use super::rtree::{Index, build};
use crate::memory::{self, Memory};
use crate::sync::lazy::Lazy;

/// Boxes of the same number of dimensions, in order. No end of one is past the largest index.
///
/// Once it was asked where boxes are, it keeps an [`Index`] as well.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BoxList {
    ndim: usize,
    len: usize,
    offsets: Vec<i64>,
    sizes: Vec<i64>,
    index: Lazy<Index>,
}

/// A borrowed box of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoxRow<'a> {
    /// Where it starts in each dimension.
    pub offsets: &'a [i64],
    /// How long it is in each dimension.
    pub sizes: &'a [i64],
}

impl BoxRow<'_> {
    /// Whether it holds no element.
    pub fn is_empty(&self) -> bool {
        self.sizes.contains(&0)
    }
}

impl BoxList {
    /// A list of `len` boxes: `offsets` and `sizes` have `len * ndim` numbers, box after box. None is
    /// negative, and sums of an offset and its size fit an `i64`: the caller has checked both.
    pub(crate) fn new(ndim: usize, len: usize, offsets: Vec<i64>, sizes: Vec<i64>) -> Self {
        debug_assert!(offsets.len() == sizes.len() && Some(sizes.len()) == len.checked_mul(ndim));
        Self { ndim, len, offsets, sizes, index: Lazy::default() }
    }

    /// A list of `len` boxes: `offsets` and `sizes` have `len * ndim` numbers, box after box. `None` where
    /// they have not, a number is negative, or an end does not fit an `i64`.
    pub fn new_checked(
        ndim: usize, len: usize, offsets: Vec<i64>, sizes: Vec<i64>,
    ) -> Option<Self> {
        let lengths = [offsets.len(), sizes.len()];
        let fits = ndim <= MAX_NDIM && lengths == [len.checked_mul(ndim)?; 2];
        let fine = fits && u32::try_from(len).is_ok() && Self::may_hold(&offsets, &sizes);
        fine.then(|| Self::new(ndim, len, offsets, sizes))
    }

    /// Whether these are offsets and sizes of boxes: none is negative, and no end is past the largest
    /// index.
    pub(crate) fn may_hold(offsets: &[i64], sizes: &[i64]) -> bool {
        // An end that is too large wraps round to a negative number, whose first bit is set.
        let bits = |(&offset, &size): (&i64, &i64)| offset | size | offset.wrapping_add(size);
        offsets.iter().zip(sizes).map(bits).fold(0, |all, bits| all | bits) >= 0
    }

    /// The same list in memory of its own.
    pub(crate) fn try_clone(&self) -> Memory<Self> {
        let offsets = memory::try_to_vec(&self.offsets)?;
        Ok(Self::new(self.ndim, self.len, offsets, memory::try_to_vec(&self.sizes)?))
    }

    /// Number of boxes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no boxes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of dimensions of every box.
    pub fn ndim(&self) -> usize {
        self.ndim
    }

    /// Where the boxes start: `len * ndim` numbers, box after box.
    pub fn offsets(&self) -> &[i64] {
        &self.offsets
    }

    /// How long they are in each dimension: `len * ndim` numbers, box after box.
    pub fn sizes(&self) -> &[i64] {
        &self.sizes
    }

    /// The index of the boxes, built on first use.
    pub fn index(&self) -> Memory<impl Deref<Target = Index>> {
        self.index.get_or_make(|| build(self.ndim, self.not_empty()?, &self.offsets, &self.sizes))
    }

    /// Box `number`.
    pub fn get(&self, number: usize) -> Option<BoxRow<'_>> {
        let start = number.checked_mul(self.ndim)?;
        let end = start.checked_add(self.ndim)?;
        if number >= self.len {
            return None;
        }
        Some(BoxRow { offsets: self.offsets.get(start..end)?, sizes: self.sizes.get(start..end)? })
    }

    /// The boxes in order.
    pub fn iter(&self) -> impl Iterator<Item = BoxRow<'_>> {
        (0..self.len()).filter_map(|number| self.get(number))
    }

    /// The boxes in order, of a list of `NDIM` dimensions: loops over a number of dimensions that the
    /// compiler knows are several times faster.
    pub(super) fn rows<const NDIM: usize>(&self) -> impl Iterator<Item = BoxRow<'_>> {
        let (offsets, _) = self.offsets.as_chunks::<NDIM>();
        let (sizes, _) = self.sizes.as_chunks::<NDIM>();
        offsets.iter().zip(sizes).map(|(offsets, sizes)| BoxRow { offsets, sizes })
    }

    /// The number of elements of all boxes together. `None` if one that is not empty reaches past a tensor
    /// of `sizes`, or if the tensor's elements are too many.
    pub(crate) fn elements_inside(&self, sizes: &[i64]) -> Option<i128> {
        checked_numel(sizes)?;
        match self.ndim {
            1 => elements_inside(self.rows::<1>(), sizes.first_chunk::<1>()?),
            2 => elements_inside(self.rows::<2>(), sizes.first_chunk::<2>()?),
            3 => elements_inside(self.rows::<3>(), sizes.first_chunk::<3>()?),
            4 => elements_inside(self.rows::<4>(), sizes.first_chunk::<4>()?),
            _ => elements_inside(self.iter(), sizes),
        }
    }

    /// The numbers of the boxes that hold an element, ascending. A list has no more boxes than a
    /// `u32` counts.
    pub(crate) fn not_empty(&self) -> Memory<Vec<u32>> {
        if !self.sizes.contains(&0) {
            return memory::try_collect(0..self.len as u32);
        }
        let not_empty = (0u32..).zip(self.iter()).filter(|(_, one)| !one.is_empty());
        memory::try_collect(not_empty.map(|(number, _)| number))
    }
}

#[inline(always)]
fn elements_inside<'a>(rows: impl Iterator<Item = BoxRow<'a>>, sizes: &[i64]) -> Option<i128> {
    let (mut sum, mut all_inside) = (0i128, true);
    for BoxRow { offsets, sizes: lengths } in rows {
        let (mut elements, mut inside) = (1i64, true);
        for ((&offset, &length), &size) in offsets.iter().zip(lengths).zip(sizes) {
            // A box that is inside has no more elements than the tensor.
            elements = elements.wrapping_mul(length);
            inside &= offset.wrapping_add(length) <= size;
        }
        let is_empty = lengths.contains(&0);
        all_inside &= inside | is_empty;
        sum = sum.wrapping_add(if is_empty { 0 } else { elements.into() });
    }
    all_inside.then_some(sum)
}
