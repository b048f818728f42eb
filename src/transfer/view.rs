//! Tensors in host memory, described but not owned.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "HostView::new checked dimensions and reach: no offset inside of a view overflows"
)]

use std::fmt;

use super::error::TransferError;
use super::view_ref::{Start, ViewRef};
use crate::geometry::MAX_NDIM;
use crate::geometry::region::checked_numel;
use crate::memory::{Text, text};
use crate::model::ModelError;
use crate::model::dtype::DataType;
use crate::model::{Error, Result};

#[cfg(test)]
mod tests;

/// A tensor somewhere in host memory: where its first element is, its shape, and how far apart
/// neighbours are. Nothing is read or written through it here.
///
/// Places are counted in the view's unit: bytes, or bits where elements are packed. Shape and strides
/// fit an address space: every element's place, relative to the first, fits an `isize`.
///
/// ```
/// use shardspec::transfer::HostView;
///
/// let array = ndarray::Array2::<f32>::zeros((4, 6));
/// let view = HostView::try_from(array.t().raw_view())?;
/// assert_eq!((view.shape(), view.bytes()), (&[6, 4][..], 96));
/// # Ok::<(), shardspec::model::Error>(())
/// ```
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

// SAFETY: a `HostView` has an address and does not follow it. Functions that do, such as
// `Transfer::run`, have a contract of their own.
unsafe impl Send for HostView {}
// SAFETY: a shared `HostView` gives numbers and an address, which never change.
unsafe impl Sync for HostView {}

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
        crate::model::sizes::check_ndim(argument, ndim)?;
        dtype.validate("dtype")?;
        let least = shape.iter().fold(1, |least, &size| size.min(least));
        if least < 0 {
            let size = shape.iter().find(|size| **size < 0).unwrap_or(&least);
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
        if least == 0 {
            self.shape[..ndim].copy_from_slice(shape);
            self.strides[..ndim].fill(0);
            return Ok(());
        }
        match self.set_elements(shape, strides) {
            Some(()) => Ok(()),
            None => Err(self.refusal(argument, shape, strides)),
        }
    }

    /// Sets shape and strides of a view that has elements. `None` where these do not fit an address
    /// space, or start at address 0.
    fn set_elements(&mut self, shape: &[i64], strides: Option<&[i64]>) -> Option<()> {
        let width = i64::try_from(self.width).ok()?;
        // In the end it is the units of all elements: no product of some sizes is larger.
        let mut row_major = width;
        // The elements' units, counted from the first one.
        let (mut before, mut behind) = (0_i64, width);
        for (dim, &size) in shape.iter().enumerate().rev() {
            let stride = match strides {
                None => row_major,
                Some(strides) => stride_of(strides[dim], size, width)?,
            };
            (self.shape[dim], self.strides[dim]) = (size, stride);
            row_major = row_major.checked_mul(size)?;
            let reach = (size - 1).checked_mul(stride)?;
            before = before.checked_add(reach.min(0))?;
            behind = behind.checked_add(reach.max(0))?;
        }
        behind.checked_sub(before)?;
        let (shift, up) = if self.dtype.is_packed() { (3, 7) } else { (0, 0) };
        let end = (behind >> shift) + i64::from(behind & up != 0);
        let at = |byte: i64| self.first.addr().checked_add_signed(isize::try_from(byte).ok()?);
        at(end)?;
        (at(before >> shift)? > 0).then_some(())
    }

    /// Why this is no view of elements.
    #[cold]
    #[inline(never)]
    fn refusal(&self, argument: &'static str, shape: &[i64], strides: Option<&[i64]>) -> Error {
        let width = self.width as i64;
        let is_near = |(&size, &stride)| stride_of(stride, size, width).is_some();
        let units = checked_numel(shape).and_then(|numel| numel.checked_mul(width));
        let are_near = strides.is_none_or(|strides| shape.iter().zip(strides).all(is_near));
        if self.first.is_null() && units.is_some() && are_near {
            return Error::Transfer(TransferError::NullData { argument });
        }
        Error::overflow(text!("{argument}: the reach of its shape and strides"))
    }

    /// The same, borrowed.
    #[inline]
    pub(crate) fn by_ref(&self) -> ViewRef<'_> {
        let (pointer, bit) = (self.first, self.bit());
        ViewRef {
            start: Start { pointer, bit, units_of_a_byte: self.units_of_a_byte() },
            dtype: self.dtype,
            width: self.width,
            shape: self.shape(),
            strides: self.strides(),
        }
    }

    /// How many of the view's units a byte has.
    pub(super) fn units_of_a_byte(&self) -> usize {
        if self.dtype.is_packed() { 8 } else { 1 }
    }

    /// Units of one element.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Where in its first byte the first element starts; not 0 only where elements are packed.
    pub(super) fn bit(&self) -> usize {
        usize::from(self.bit)
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

    /// Whether the elements follow each other in row-major order, without a gap, in bytes of their
    /// own.
    pub fn is_row_major(&self) -> bool {
        self.by_ref().is_row_major()
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
    pub(super) fn sub_box(&self, offsets: &[i64], sizes: &[i64]) -> Self {
        let mut part = *self;
        part.shape[..self.ndim].copy_from_slice(sizes);
        if !part.is_empty() {
            let start = self.by_ref().at(offsets);
            (part.first, part.bit) = (start.pointer, start.bit as u8);
        }
        part
    }

    /// Refuses a view of another shape.
    #[inline]
    pub(super) fn check_shape(
        &self, what: &str, shard: Option<usize>, expected: &[i64],
    ) -> Result<()> {
        let is_same = self.ndim == expected.len() && self.shape().iter().eq(expected);
        if is_same { Ok(()) } else { Err(self.other_shape(what, shard, expected)) }
    }

    #[cold]
    #[inline(never)]
    fn other_shape(&self, what: &str, shard: Option<usize>, expected: &[i64]) -> Error {
        let what = || shard.map_or_else(|| Text::copy(what), |index| text!("{what} {index}"));
        let ndim = expected.len();
        let mut pairs = self.shape().iter().zip(expected).enumerate();
        match pairs.find(|(_, (got, expected))| got != expected) {
            Some((dim, (&got, &expected))) if self.ndim == ndim => {
                Error::Model(ModelError::ShapeMismatch { what: what(), shard, dim, got, expected })
            }
            _ => {
                let (got, expected) = (self.ndim, ndim);
                Error::NdimMismatch { what: what(), shard, got, expected }
            }
        }
    }

    /// Refuses a view of another element type.
    #[inline]
    pub(super) fn check_dtype(
        &self, what: &str, shard: Option<usize>, expected: DataType,
    ) -> Result<()> {
        if self.dtype == expected { Ok(()) } else { Err(self.other_dtype(what, shard, expected)) }
    }

    #[cold]
    #[inline(never)]
    fn other_dtype(&self, what: &str, shard: Option<usize>, expected: DataType) -> Error {
        let what = shard.map_or_else(|| Text::copy(what), |index| text!("{what} {index}"));
        Error::Model(ModelError::DtypeMismatch { what, shard, got: self.dtype, expected })
    }
}

/// A stride in units, of one in elements of so many.
#[inline]
fn stride_of(stride: i64, size: i64, width: i64) -> Option<i64> {
    match stride.checked_mul(width) {
        // A single index never takes a step: torch and numpy leave arbitrary strides there.
        None if size == 1 => Some(0),
        units => units,
    }
}

impl From<ViewRef<'_>> for HostView {
    fn from(view: ViewRef<'_>) -> Self {
        let ViewRef { start, dtype, width, shape, strides } = view;
        let mut owned = Self {
            first: start.pointer,
            bit: start.bit as u8,
            dtype,
            width,
            ndim: shape.len(),
            ..Self::EMPTY
        };
        owned.shape[..shape.len()].copy_from_slice(shape);
        owned.strides[..shape.len()].copy_from_slice(strides);
        owned
    }
}

impl fmt::Debug for HostView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.dtype.is_packed() { "bits" } else { "bytes" };
        write!(f, "{} {:?} by {:?} {unit}", self.dtype, self.shape(), self.strides())
    }
}
