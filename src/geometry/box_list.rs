//! Lists of boxes, stored as flat arrays.

use std::ops::Deref;

use super::region::Region;
use super::rtree::Index;
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

    /// The same box, in memory of its own.
    pub fn region(&self) -> Memory<Region> {
        Region::try_new(self.offsets, self.sizes)
    }
}

impl BoxList {
    /// A list of `len` boxes: `offsets` and `sizes` have `len * ndim` numbers, box after box. None is
    /// negative, and sums of an offset and its size fit an `i64`: the caller has checked both.
    pub(crate) fn new(ndim: usize, len: usize, offsets: Vec<i64>, sizes: Vec<i64>) -> Self {
        debug_assert!(offsets.len() == sizes.len() && Some(sizes.len()) == len.checked_mul(ndim));
        Self { ndim, len, offsets, sizes, index: Lazy::default() }
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

    /// The index that tells where boxes are, made when it is first asked for.
    pub fn index(&self) -> Memory<impl Deref<Target = Index>> {
        self.index.get_or_make(|| Index::new(self))
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

    /// The numbers of the boxes that hold an element, ascending. A list has no more boxes than a `u32`
    /// counts.
    pub(crate) fn not_empty(&self) -> Memory<Vec<u32>> {
        let not_empty = (0u32..).zip(self.iter()).filter(|(_, one)| !one.is_empty());
        memory::try_collect(not_empty.map(|(number, _)| number))
    }

    /// The box that two boxes share.
    pub(crate) fn shared_region(&self, first: usize, second: usize) -> Memory<Region> {
        let [first, second] = [first, second].map(|number| super::bounds::Bounds::of(self, number));
        first.common(&second).region()
    }
}
