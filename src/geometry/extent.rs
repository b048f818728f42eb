//! Extents: what a shard has of a tensor, a dim map for each dimension.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "dimensions and elements are those of the tensor, whose number of elements fits an i64"
)]

use std::ops::Range;

use super::box_list::{BoxList, BoxRow};
use super::region::checked_numel;
use super::{DimMap, GeometryError, GeometryResult};
use crate::memory::{OutOfMemory, Shared, TryVec, try_boxed_slice, try_filled, try_with_capacity};
use crate::sync::seed::Map;

/// Extents of the same number of dimensions, in order.
///
/// A dimension of which a shard has one interval without holes is an offset and a size. Other dim
/// maps are stored once and numbered, so a list of boxes is a [`BoxList`] and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExtentList {
    /// Where each extent starts, and how long its buffer is in each dimension.
    boxes: BoxList,
    maps: Option<Shared<DimMaps>>,
    flat: Option<Shared<Flattening>>,
}

/// Dim maps that are no intervals, and which dimensions of which extents have them.
#[derive(Debug, PartialEq, Eq, Hash)]
struct DimMaps {
    table: Vec<DimMap>,
    /// For each extent and dimension, the number of its dim map; [`ExtentList::INTERVAL`] for none.
    numbers: Vec<u32>,
}

/// Which neighbouring dimensions of the tensor are one dimension of the extents.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Flattening {
    /// The tensor's sizes.
    sizes: Box<[i64]>,
    /// For each dimension of the extents, where its dimensions of the tensor end.
    ends: Box<[usize]>,
}

/// The indices of one dimension that a shard has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DimExtent<'a> {
    /// An interval without holes: where it starts, and how long it is.
    Interval(i64, i64),
    /// Anything else.
    Map(&'a DimMap),
}

/// A borrowed extent of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent<'a> {
    /// Where it starts in each dimension. Of a dim map that is no interval, where its maker says.
    pub offsets: &'a [i64],
    /// How long the buffer is in each dimension.
    pub sizes: &'a [i64],
    maps: Option<(&'a [DimMap], &'a [u32])>,
}

impl DimMaps {
    /// Each map once, numbered by first use: so equal extents are equal lists, however they were made.
    fn numbered(table: Vec<DimMap>, mut numbers: Vec<u32>) -> GeometryResult<Self> {
        let mut known: Map<&DimMap, u32> = Map::default();
        known.try_reserve(table.len()).map_err(OutOfMemory::from)?;
        let mut renumbered = try_filled(ExtentList::INTERVAL, table.len())?;
        let mut used = try_with_capacity(table.len())?;
        for number in numbers.iter_mut().filter(|number| **number != ExtentList::INTERVAL) {
            let old = *number as usize;
            if renumbered[old] == ExtentList::INTERVAL {
                let next = used.len() as u32;
                renumbered[old] = *known.entry(&table[old]).or_insert(next);
                if renumbered[old] == next {
                    used.push(old);
                }
            }
            *number = renumbered[old];
        }
        if used.iter().copied().eq(0..table.len()) {
            return Ok(Self { table, numbers });
        }
        let mut own: Vec<Option<DimMap>> = crate::memory::try_collect(table.into_iter().map(Some))?;
        let table = used.iter().filter_map(|&old| own[old].take());
        Ok(Self { table: crate::memory::try_collect(table)?, numbers })
    }
}

impl Flattening {
    /// Dimensions `dims` of a tensor become one. `None` where there are no such dimensions.
    pub fn new(sizes: &[i64], dims: Range<usize>) -> GeometryResult<Option<Self>> {
        if dims.len() < 2 || dims.end > sizes.len() {
            return Ok(None);
        }
        let ends = (1..=dims.start).chain(dims.end..=sizes.len());
        let ends = crate::memory::try_collect(ends)?.into_boxed_slice();
        Ok(Some(Self { sizes: try_boxed_slice(sizes)?, ends }))
    }

    /// The same dimensions become one, of a tensor of as many other sizes.
    pub(crate) fn with_sizes(&self, sizes: &[i64]) -> GeometryResult<Self> {
        let ends = try_boxed_slice(&self.ends)?;
        Ok(Self { sizes: try_boxed_slice(sizes)?, ends })
    }

    /// The tensor's sizes.
    pub fn sizes(&self) -> &[i64] {
        &self.sizes
    }

    /// How many dimensions the extents have.
    pub fn ndim(&self) -> usize {
        self.ends.len()
    }

    /// The dimensions of the tensor that became one.
    pub fn flattened_dims(&self) -> Option<Range<usize>> {
        (0..self.ndim()).map(|dim| self.dims_of(dim)).find(|dims| dims.len() > 1)
    }

    /// The dimensions of the tensor that are one dimension of the extents.
    pub fn dims_of(&self, dim: usize) -> Range<usize> {
        let end = |dim: usize| self.ends.get(dim).copied().unwrap_or(self.sizes.len());
        dim.checked_sub(1).map_or(0, end)..end(dim)
    }

    /// Where an element of the tensor is in a dimension of the extents.
    pub(crate) fn flat_index(&self, dim: usize, element: &[i64]) -> i64 {
        self.dims_of(dim).fold(0, |index, inner| index * self.sizes[inner] + element[inner])
    }

    /// Adds the tensor's indices of an index of a dimension of the extents.
    pub(crate) fn push_unflattened(&self, dim: usize, mut index: i64, element: &mut Vec<i64>) {
        let (dims, first) = (self.dims_of(dim), element.len());
        element.extend(dims.clone().map(|_| 0));
        for (place, inner) in element[first..].iter_mut().zip(dims).rev() {
            *place = index % self.sizes[inner];
            index /= self.sizes[inner];
        }
    }

    /// The tensor's sizes as the extents have them.
    pub fn flat_sizes(&self) -> GeometryResult<Vec<i64>> {
        let flat = |dim| {
            let sizes = self.sizes.get(self.dims_of(dim)).unwrap_or_default();
            checked_numel(sizes).ok_or(GeometryError::Overflow)
        };
        let mut sizes = crate::memory::try_with_capacity(self.ndim())?;
        for dim in 0..self.ndim() {
            sizes.push(flat(dim)?);
        }
        Ok(sizes)
    }
}

impl ExtentList {
    /// The number of a dim map that is an interval without holes.
    pub const INTERVAL: u32 = u32::MAX;

    /// A list of boxes.
    pub fn of_boxes(boxes: BoxList) -> Self {
        Self { boxes, maps: None, flat: None }
    }

    /// A list of no extents: of its kind, what has `ndim` dimensions and none of them flattened.
    pub(crate) fn none(ndim: usize) -> Self {
        Self::of_boxes(BoxList::new(ndim, 0, Vec::new(), Vec::new()))
    }

    /// A list of extents: in each place where `numbers` has something else than [`Self::INTERVAL`],
    /// that dim map of the table in place of the box's interval. `boxes` has how long the buffers are;
    /// `numbers` as many numbers as `boxes.sizes()`. Refused are numbers and buffers that don't fit.
    pub fn with_maps(
        boxes: BoxList, table: Vec<DimMap>, numbers: Vec<u32>,
    ) -> GeometryResult<Self> {
        if numbers.len() != boxes.sizes().len() {
            return Err(GeometryError::PastTheEnd);
        }
        for (&number, &size) in numbers.iter().zip(boxes.sizes()) {
            if number != Self::INTERVAL
                && table.get(number as usize).is_none_or(|map| map.length() != size)
            {
                return Err(GeometryError::PastTheEnd);
            }
        }
        if numbers.iter().all(|&number| number == Self::INTERVAL) {
            return Ok(Self::of_boxes(boxes));
        }
        let maps = DimMaps::numbered(table, numbers)?;
        Ok(Self { boxes, maps: Some(Shared::try_new(maps)?), flat: None })
    }

    /// The same extents with these dim maps, and none that they had.
    pub fn with_other_maps(self, table: Vec<DimMap>, numbers: Vec<u32>) -> GeometryResult<Self> {
        Ok(Self { flat: self.flat, ..Self::with_maps(self.boxes, table, numbers)? })
    }

    /// The same extents, of a tensor of which some dimensions are one here.
    pub fn flattened(self, flattening: Flattening) -> GeometryResult<Self> {
        if flattening.ndim() != self.ndim() {
            return Err(GeometryError::PastTheEnd);
        }
        Ok(Self { flat: Some(Shared::try_new(flattening)?), ..self })
    }

    /// The same list in memory of its own, but for dim maps.
    pub(crate) fn try_clone(&self) -> GeometryResult<Self> {
        let (maps, flat) = (self.maps.clone(), self.flat.clone());
        Ok(Self { boxes: self.boxes.try_clone()?, maps, flat })
    }

    /// Some extents of this list, in the order of `numbers`. Refused is a number that there is not.
    pub(crate) fn select(&self, numbers: &[usize]) -> GeometryResult<Self> {
        let room = numbers.len().saturating_mul(self.ndim());
        let mut offsets = try_with_capacity(room)?;
        let mut sizes = try_with_capacity(room)?;
        let mut maps = Vec::new();
        for &number in numbers {
            let extent = self.get(number).ok_or(GeometryError::PastTheEnd)?;
            offsets.extend_from_slice(extent.offsets);
            sizes.extend_from_slice(extent.sizes);
            if let Some((_, row)) = extent.maps {
                maps.try_extend_from_slice(row)?;
            }
        }
        let boxes = BoxList::new(self.ndim(), numbers.len(), offsets, sizes);
        let maps = match &self.maps {
            Some(own) if maps.iter().any(|&number| number != Self::INTERVAL) => {
                let mut table = try_with_capacity(own.table.len())?;
                for map in &own.table {
                    table.push(map.try_clone()?);
                }
                Some(Shared::try_new(DimMaps::numbered(table, maps)?)?)
            }
            _ => None,
        };
        Ok(Self { boxes, maps, flat: self.flat.clone() })
    }

    /// Number of extents.
    pub fn len(&self) -> usize {
        self.boxes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.boxes.is_empty()
    }

    /// Number of dimensions of every extent and its buffer.
    pub fn ndim(&self) -> usize {
        self.boxes.ndim()
    }

    /// Number of dimensions of the tensor.
    pub fn tensor_ndim(&self) -> usize {
        self.flattening().map_or(self.ndim(), |flat| flat.sizes().len())
    }

    /// Whether each of them is a box of the tensor.
    pub fn are_boxes(&self) -> bool {
        self.maps.is_none() && self.flat.is_none()
    }

    /// Where they start, and how long their buffers are: all there is to say of boxes.
    pub fn boxes(&self) -> &BoxList {
        &self.boxes
    }

    /// Which dimensions of the tensor are one here.
    pub fn flattening(&self) -> Option<&Flattening> {
        self.flat.as_deref()
    }

    /// The dim maps that are no intervals, each once.
    pub fn table(&self) -> &[DimMap] {
        self.maps.as_deref().map_or(&[], |maps| maps.table.as_slice())
    }

    /// Extent `number`.
    pub fn get(&self, number: usize) -> Option<Extent<'_>> {
        let BoxRow { offsets, sizes } = self.boxes.get(number)?;
        let maps = match self.maps.as_deref() {
            None => None,
            Some(maps) => {
                let start = number.checked_mul(self.ndim())?;
                let row = maps.numbers.get(start..start.checked_add(self.ndim())?)?;
                Some((maps.table.as_slice(), row))
            }
        };
        Some(Extent { offsets, sizes, maps })
    }

    /// The extents in order.
    pub fn iter(&self) -> impl Iterator<Item = Extent<'_>> {
        (0..self.len()).filter_map(|number| self.get(number))
    }
}

impl<'a> Extent<'a> {
    /// The number of the dim map of a dimension, if that is no interval without holes.
    pub fn map_number(&self, dim: usize) -> Option<u32> {
        let number = self.maps?.1.get(dim).copied()?;
        (number != ExtentList::INTERVAL).then_some(number)
    }

    /// The indices that it has of a dimension; none of one that does not exist.
    pub fn dim(&self, dim: usize) -> DimExtent<'a> {
        let map = self.map_number(dim).and_then(|number| self.maps?.0.get(number as usize));
        let interval = || {
            let value = |values: &[i64]| values.get(dim).copied().unwrap_or(0);
            DimExtent::Interval(value(self.offsets), value(self.sizes))
        };
        map.map_or_else(interval, DimExtent::Map)
    }

    /// The indices that it has of each dimension.
    pub fn dims(&self) -> impl Iterator<Item = DimExtent<'a>> + use<'a> {
        let own = *self;
        (0..own.sizes.len()).map(move |dim| own.dim(dim))
    }

    /// Whether it is one interval without holes of every dimension.
    pub fn is_box(&self) -> bool {
        self.maps.is_none_or(|(_, row)| row.iter().all(|&number| number == ExtentList::INTERVAL))
    }

    /// Whether it holds no element.
    pub fn is_empty(&self) -> bool {
        self.sizes.contains(&0)
            || (self.maps.is_some() && self.dims().any(|dim| dim.elements() == 0))
    }

    /// How many elements it holds; `None` where an `i64` does not count them.
    pub fn elements(&self) -> Option<i64> {
        if self.maps.is_none() {
            return checked_numel(self.sizes);
        }
        if self.is_empty() {
            return Some(0);
        }
        self.dims().try_fold(1i64, |all, dim| all.checked_mul(dim.elements()))
    }
}

impl DimExtent<'_> {
    /// How many indices it has.
    pub fn elements(&self) -> i64 {
        match self {
            Self::Interval(_, size) => *size,
            Self::Map(map) => map.elements(),
        }
    }

    /// Past the last of its indices; 0 where it has none.
    pub fn end(&self) -> i64 {
        match *self {
            Self::Interval(_, 0) => 0,
            Self::Interval(start, size) => start.saturating_add(size),
            Self::Map(map) => map.end(),
        }
    }

    /// The index at a place of the buffer; `None` for a hole and past the end.
    pub fn global(&self, local: i64) -> Option<i64> {
        match *self {
            Self::Interval(start, size) => {
                (0..size).contains(&local).then(|| start.saturating_add(local))
            }
            Self::Map(map) => map.global(local),
        }
    }

    /// The place of an index in the buffer; `None` where it does not have it.
    pub fn local(&self, global: i64) -> Option<i64> {
        match *self {
            Self::Interval(start, size) => {
                let local = global.checked_sub(start)?;
                (0..size).contains(&local).then_some(local)
            }
            Self::Map(map) => map.local(global),
        }
    }
}
