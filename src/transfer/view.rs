//! Tensors in host memory, described but not owned.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "HostView::new checked dimensions and reach: no offset inside of a view overflows"
)]

use std::fmt;

use crate::geometry::MAX_NDIM;
use crate::geometry::region::checked_numel;
use crate::host::copy_list::BitPointer;
use crate::memory::{Text, text};
use crate::model::ModelError;
use crate::model::dtype::DataType;
use crate::model::shards::Shard;
use crate::model::{Error, Result};
use crate::plan::Window;
use crate::transfer::TransferError;

/// A tensor somewhere in host memory: where its first element is, its shape, and how far apart
/// neighbours are. Nothing is read or written through it here.
///
/// Places are counted in the view's unit: bytes, or bits where elements are packed. Shape and strides
/// fit an address space: every element's place, relative to the first, fits an `isize`.
#[derive(Clone, Copy)]
pub struct HostView {
    first: *mut u8,
    /// Where in the byte at `first` the first element starts: 0 where the unit is a byte.
    bit: u8,
    dtype: DataType,
    /// Units of one element.
    width: usize,
    ndim: usize,
    shape: [i64; MAX_NDIM],
    /// In units.
    strides: [i64; MAX_NDIM],
}

// SAFETY: a view does not follow its pointer; whoever does promises what that takes.
unsafe impl Send for HostView {}
// SAFETY: as above.
unsafe impl Sync for HostView {}

/// The addresses that a view's bytes lie between, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) low: usize,
    pub(super) high: usize,
}

impl Reach {
    pub(super) fn meets(self, other: Self) -> bool {
        self.low < other.high && other.low < self.high
    }
}

/// Where an element of a view is.
#[derive(Clone, Copy)]
pub(super) struct Start {
    pub(super) pointer: *mut u8,
    /// Where in that byte.
    pub(super) bit: usize,
    units_of_a_byte: usize,
}

impl Start {
    /// The first element of a view.
    pub(super) fn of(view: &HostView) -> Self {
        Self { pointer: view.first, bit: view.bit(), units_of_a_byte: view.units_of_a_byte() }
    }

    /// The element at `offsets` of a view.
    pub(super) fn at(view: &HostView, offsets: &[i64]) -> Self {
        Self::of(view).behind(offsets, view.strides())
    }

    /// The element `offsets` behind this one.
    pub(super) fn behind(mut self, offsets: &[i64], strides: &[i64]) -> Self {
        let steps = offsets.iter().zip(strides).map(|(offset, stride)| offset * stride);
        self.advance(steps.sum::<i64>() as isize);
        self
    }

    /// Where that is in memory.
    pub(super) fn place(self) -> BitPointer {
        BitPointer { byte: self.pointer, bit: self.bit }
    }

    pub(super) fn advance(&mut self, units: isize) {
        let (units, byte) = (units + self.bit as isize, self.units_of_a_byte as isize);
        self.pointer = self.pointer.wrapping_offset(units.div_euclid(byte));
        self.bit = units.rem_euclid(byte) as usize;
    }
}

impl HostView {
    /// A view of no elements.
    pub(crate) const EMPTY: Self = Self {
        first: std::ptr::null_mut(),
        bit: 0,
        dtype: DataType::FLOAT32,
        width: 4,
        ndim: 1,
        shape: [0; MAX_NDIM],
        strides: [0; MAX_NDIM],
    };

    /// A view of the memory at `first`, where the element at index 0 of each dimension is.
    ///
    /// `strides` are in elements; `None` means row-major. `argument` names the view in refusals:
    /// too many dimensions, negative sizes, a reach beyond the address space, and a null `first`
    /// where there are elements.
    pub fn new(
        argument: &'static str, first: *mut u8, dtype: DataType, shape: &[i64],
        strides: Option<&[i64]>,
    ) -> Result<Self> {
        Self::made(|view| view.set(argument, first, dtype, shape, strides))
    }

    /// The view that `make` makes of an empty one.
    pub(crate) fn made<E>(
        make: impl FnOnce(&mut Self) -> std::result::Result<(), E>,
    ) -> std::result::Result<Self, E> {
        let mut view = Self::EMPTY;
        make(&mut view)?;
        Ok(view)
    }

    /// Makes this the view that [`Self::new`] returns. A view is large: to hand one on takes longer
    /// than to make it. What a refusal leaves is of no use.
    pub(crate) fn set(
        &mut self, argument: &'static str, first: *mut u8, dtype: DataType, shape: &[i64],
        strides: Option<&[i64]>,
    ) -> Result<()> {
        let ndim = shape.len();
        crate::model::shards::check_ndim(argument, ndim)?;
        dtype.validate("dtype")?;
        if let Some(size) = shape.iter().find(|size| **size < 0) {
            let problem = text!("its shape holds the negative size {size}");
            return Err(Error::invalid(argument, problem));
        }
        if strides.is_some_and(|strides| strides.len() != ndim) {
            let problem = text!("it has {ndim} dimensions and another number of strides");
            return Err(Error::invalid(argument, problem));
        }
        let bits = dtype.element_bits();
        self.width = if dtype.is_packed() { bits } else { bits / 8 };
        (self.first, self.bit, self.dtype, self.ndim) = (first, 0, dtype, ndim);
        self.shape[..ndim].copy_from_slice(shape);
        if shape.contains(&0) {
            self.strides[..ndim].fill(0);
            return Ok(());
        }
        let too_far = || Error::overflow(text!("{argument}: the reach of its shape and strides"));
        self.set_strides(strides).ok_or_else(too_far)?;
        if first.is_null() {
            return Err(Error::Transfer(TransferError::NullData { argument }));
        }
        self.checked_extent().map(|_| ()).ok_or_else(too_far)
    }

    fn set_strides(&mut self, strides: Option<&[i64]>) -> Option<()> {
        let width = i64::try_from(self.width).ok()?;
        checked_numel(self.shape())?.checked_mul(width)?;
        let mut row_major = width;
        for dim in (0..self.ndim).rev() {
            self.strides[dim] = match strides.map(|strides| strides[dim]) {
                None => row_major,
                // A single index never takes a step: torch and numpy leave arbitrary strides there.
                Some(stride) if self.shape[dim] == 1 => stride.checked_mul(width).unwrap_or(0),
                Some(stride) => stride.checked_mul(width)?,
            };
            row_major = row_major.checked_mul(self.shape[dim])?;
        }
        Some(())
    }

    fn checked_extent(&self) -> Option<Reach> {
        let (mut low, mut high) = (self.place(), self.place() + self.width as i128);
        for (size, stride) in self.shape().iter().zip(self.strides()) {
            // Both factors fit 64 bits, and at most 32 such products are added.
            let reach = i128::from(size - 1) * i128::from(*stride);
            low += reach.min(0);
            high += reach.max(0);
        }
        isize::try_from(high - low).ok()?;
        // A shift, which rounds down: division of such numbers takes longer than all else here.
        let log_unit = self.units_of_a_byte().trailing_zeros();
        let up = self.units_of_a_byte() as i128 - 1;
        let low = usize::try_from(low >> log_unit).ok()?;
        let high = usize::try_from((high + up) >> log_unit).ok()?;
        (low > 0).then_some(Reach { low, high })
    }

    /// How many of the view's units a byte has.
    pub(super) fn units_of_a_byte(&self) -> usize {
        if self.dtype.is_packed() { 8 } else { 1 }
    }

    /// Where the first element starts, counted in units from address 0.
    pub(super) fn place(&self) -> i128 {
        self.first.addr() as i128 * self.units_of_a_byte() as i128 + i128::from(self.bit)
    }

    /// Units of one element.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Where in its first byte the first element starts; not 0 only where elements are packed.
    pub(super) fn bit(&self) -> usize {
        usize::from(self.bit)
    }

    /// The addresses that the bytes lie between; `None` where there are no elements.
    pub(super) fn extent(&self) -> Option<Reach> {
        if self.is_empty() {
            return None;
        }
        if self.units_of_a_byte() > 1 {
            return self.checked_extent();
        }
        // It was checked once; now 64 bits will do.
        let (mut before, mut behind) = (0, self.width as i64);
        for (size, stride) in self.shape().iter().zip(self.strides()) {
            let reach = (size - 1) * stride;
            before += reach.min(0);
            behind += reach.max(0);
        }
        let at = |offset: i64| self.first.addr().wrapping_add_signed(offset as isize);
        Some(Reach { low: at(before), high: at(behind) })
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.shape().contains(&0)
    }

    /// Where the element at index 0 of each dimension is.
    pub fn first(&self) -> *mut u8 {
        self.first
    }

    /// The element type.
    pub fn dtype(&self) -> DataType {
        self.dtype
    }

    /// Bytes of one element; refused where elements are packed.
    pub fn itemsize(&self) -> Result<usize> {
        self.dtype.itemsize()
    }

    /// Sizes.
    pub fn shape(&self) -> &[i64] {
        &self.shape[..self.ndim]
    }

    /// From one index to the next, for each dimension: bytes, or bits where elements are packed.
    pub fn strides(&self) -> &[i64] {
        &self.strides[..self.ndim]
    }

    /// Elements from one index to the next, for each dimension.
    pub fn element_strides(&self) -> impl ExactSizeIterator<Item = i64> + Clone {
        let width = self.width as i64;
        self.strides().iter().map(move |stride| stride / width)
    }

    /// Bytes of all elements.
    pub fn bytes(&self) -> usize {
        self.bytes_of(self.shape())
    }

    /// Bytes of the elements of a box.
    pub(super) fn bytes_of(&self, sizes: &[i64]) -> usize {
        let units =
            sizes.iter().fold(self.width, |units, &size| units.saturating_mul(size as usize));
        units.div_ceil(self.units_of_a_byte())
    }

    /// Whether the elements, if they follow each other, share no byte with anything else.
    fn is_whole_bytes(&self) -> bool {
        if !self.dtype.is_packed() {
            return true;
        }
        let bits = self.shape().iter().fold(self.width, |bits, &n| bits.wrapping_mul(n as usize));
        self.bit == 0 && bits.is_multiple_of(8)
    }

    /// Whether the elements follow each other in row-major order, without a gap, in bytes of their
    /// own.
    pub fn is_row_major(&self) -> bool {
        let mut next = self.width as i64;
        let dims = self.shape().iter().zip(self.strides()).rev();
        self.is_empty()
            || self.is_whole_bytes()
                && dims.filter(|(size, _)| **size > 1).all(|(&size, &stride)| {
                    let follows = stride == next;
                    next = next.saturating_mul(size);
                    follows
                })
    }

    /// A view of other memory with the same element type; strides are in units. What is described
    /// was checked when a view of it was made.
    pub(super) fn elsewhere(&self, first: *mut u8, shape: &[i64], strides: &[i64]) -> Self {
        let mut view = Self { first, ..*self };
        view.shape[..self.ndim].copy_from_slice(shape);
        view.strides[..self.ndim].copy_from_slice(strides);
        view
    }

    /// A row-major view of other memory with the same shape and element type.
    pub(crate) fn row_major_at(&self, first: *mut u8) -> Self {
        let mut dense = Self { first, bit: 0, ..*self };
        let mut next = self.width as i64;
        for dim in (0..self.ndim).rev() {
            dense.strides[dim] = next;
            next = next.saturating_mul(self.shape[dim].max(1));
        }
        dense
    }

    /// The box of `sizes` elements at `offsets`. It must lie inside of the view, or be empty.
    pub(crate) fn sub_box(&self, offsets: &[i64], sizes: &[i64]) -> Self {
        let mut part = *self;
        part.shape[..self.ndim].copy_from_slice(sizes);
        if !part.is_empty() {
            let start = Start::at(self, offsets);
            (part.first, part.bit) = (start.pointer, start.bit as u8);
        }
        part
    }

    /// A window of the buffer that this is a view of.
    pub(crate) fn window(&self, window: &Window<'_>) -> Self {
        let Some((dims, steps)) = window.strides else {
            return self.sub_box(window.offsets, window.sizes);
        };
        let (mut part, ndim) = (*self, window.sizes.len());
        part.ndim = ndim;
        part.shape[..ndim].copy_from_slice(window.sizes);
        for (stride, (&dim, step)) in part.strides.iter_mut().zip(dims.iter().zip(steps)) {
            *stride = self.strides[dim] * step;
        }
        let start = Start::at(self, window.offsets);
        (part.first, part.bit) = (start.pointer, start.bit as u8);
        part
    }

    /// The part that a shard owns. The shard must lie inside of the view, or be empty.
    pub(crate) fn part(&self, shard: Shard<'_>) -> Self {
        self.sub_box(shard.offsets, shard.sizes)
    }

    /// Refuses a view of another shape.
    pub(super) fn check_shape(
        &self, what: &str, shard: Option<usize>, expected: &[i64],
    ) -> Result<()> {
        let what = || shard.map_or_else(|| Text::copy(what), |index| text!("{what} {index}"));
        if self.ndim != expected.len() {
            let (got, expected) = (self.ndim, expected.len());
            return Err(Error::NdimMismatch { what: what(), shard, got, expected });
        }
        let mut pairs = self.shape().iter().zip(expected).enumerate();
        match pairs.find(|(_, (got, expected))| got != expected) {
            None => Ok(()),
            Some((dim, (&got, &expected))) => Err(Error::Model(ModelError::ShapeMismatch {
                what: what(),
                shard,
                dim,
                got,
                expected,
            })),
        }
    }

    /// Refuses a view of another element type.
    pub(super) fn check_dtype(
        &self, what: &str, shard: Option<usize>, expected: DataType,
    ) -> Result<()> {
        if self.dtype == expected {
            return Ok(());
        }
        let what = shard.map_or_else(|| Text::copy(what), |index| text!("{what} {index}"));
        Err(Error::Model(ModelError::DtypeMismatch { what, shard, got: self.dtype, expected }))
    }
}

impl fmt::Debug for HostView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.dtype.is_packed() { "bits" } else { "bytes" };
        write!(f, "{} {:?} by {:?} {unit}", self.dtype, self.shape(), self.strides())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that there is of a view.
    fn all(view: &HostView) -> (*mut u8, usize, DataType, usize, Vec<i64>, Vec<i64>) {
        let (shape, strides) = (view.shape().to_vec(), view.strides().to_vec());
        (view.first, view.bit(), view.dtype, view.width, shape, strides)
    }

    type Form<'a> = (DataType, &'a [i64], Option<&'a [i64]>);

    #[test]
    fn a_view_that_is_set_again_keeps_nothing_of_what_it_was() {
        let int4 = DataType { code: 0, bits: 4, lanes: 1 };
        let first = std::ptr::without_provenance_mut(1 << 20);
        let forms: [Form<'_>; 6] = [
            (DataType::FLOAT32, &[2; MAX_NDIM / 2], None),
            (int4, &[3, 5], Some(&[-5, 1])),
            (DataType::FLOAT32, &[3, 0], Some(&[7, 7])),
            (DataType::FLOAT32, &[], None),
            (int4, &[4], None),
            (DataType::FLOAT32, &[1, 6], Some(&[9, 2])),
        ];
        let new = |(dtype, shape, strides): Form<'_>| {
            HostView::new("view", first, dtype, shape, strides).unwrap()
        };
        for (before, after) in forms.iter().flat_map(|a| forms.iter().map(|b| (*a, *b))) {
            let mut view = new(before);
            if let [_, columns] = *before.1 {
                view = view.sub_box(&[0, 1], &[1, (columns - 1).max(0)]);
            }
            view.set("view", first, after.0, after.1, after.2).unwrap();
            assert_eq!(all(&view), all(&new(after)), "{after:?} after {before:?}");
        }
    }
}
