//! Views, borrowed: a few numbers and two slices, where a [`HostView`](super::HostView) is large.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "whoever made the view checked its reach: no offset inside of it overflows"
)]

use crate::geometry::MAX_NDIM;
use crate::host::copy_list::{BitPointer, Units};
use crate::model::dtype::DataType;

#[cfg(test)]
mod tests;

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
    pub(super) units_of_a_byte: usize,
}

impl Start {
    /// The element `offsets` behind this one.
    pub(super) fn behind(self, offsets: &[i64], strides: &[i64]) -> Self {
        let steps = offsets.iter().zip(strides).map(|(offset, stride)| offset * stride);
        let units = steps.sum::<i64>() as isize + self.bit as isize;
        if self.units_of_a_byte == 1 {
            // A division takes longer than all else here.
            return Self { pointer: self.pointer.wrapping_offset(units), ..self };
        }
        let byte = self.units_of_a_byte as isize;
        let pointer = self.pointer.wrapping_offset(units.div_euclid(byte));
        Self { pointer, bit: units.rem_euclid(byte) as usize, ..self }
    }

    /// Where that is in memory.
    pub(super) fn place(self) -> BitPointer {
        BitPointer { byte: self.pointer, bit: self.bit }
    }
}

/// A view of which shape and strides are somewhere else. As there, places are counted in bytes, or in
/// bits where elements are packed.
#[derive(Clone, Copy)]
pub(crate) struct ViewRef<'a> {
    pub(super) start: Start,
    pub(super) dtype: DataType,
    /// Units of one element.
    pub(super) width: usize,
    pub(super) shape: &'a [i64],
    /// In units.
    pub(super) strides: &'a [i64],
}

/// Memory for the strides of a view, where no buffer has them.
pub(crate) type StrideRoom = [i64; MAX_NDIM];

/// Room that nothing was written to.
pub(crate) const STRIDE_ROOM: StrideRoom = [0; MAX_NDIM];

impl<'a> ViewRef<'a> {
    /// A view of no elements.
    pub(crate) const EMPTY: Self = Self {
        start: Start { pointer: std::ptr::null_mut(), bit: 0, units_of_a_byte: 1 },
        dtype: DataType::FLOAT32,
        width: 4,
        shape: &[0],
        strides: &[0],
    };

    /// A view that was checked when it was made; strides are in units, and the first element starts
    /// with a byte.
    #[inline]
    pub(super) fn trusted(
        pointer: *mut u8, (dtype, units): (DataType, Units), shape: &'a [i64], strides: &'a [i64],
    ) -> Self {
        let start = Start { pointer, bit: 0, units_of_a_byte: units.per_byte };
        Self { start, dtype, width: units.width, shape, strides }
    }

    /// Whether there are no elements.
    pub(crate) fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// Bytes of all elements.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        let units =
            self.shape.iter().fold(self.width, |units, &size| units.saturating_mul(size as usize));
        if self.start.units_of_a_byte == 1 { units } else { units.div_ceil(8) }
    }

    /// Whether elements may start or end inside of a byte.
    pub(crate) fn is_packed(&self) -> bool {
        self.start.units_of_a_byte > 1
    }

    /// How elements are counted.
    #[inline]
    pub(super) fn units(&self) -> Units {
        Units { width: self.width, per_byte: self.start.units_of_a_byte }
    }

    /// The element at `offsets`.
    pub(super) fn at(&self, offsets: &[i64]) -> Start {
        self.start.behind(offsets, self.strides)
    }

    /// Where the first element starts, counted in units from address 0.
    pub(super) fn place(&self) -> i128 {
        let Start { pointer, bit, units_of_a_byte } = self.start;
        pointer.addr() as i128 * units_of_a_byte as i128 + bit as i128
    }

    /// The addresses that the bytes lie between; `None` where there are no elements.
    #[inline]
    pub(super) fn extent(&self) -> Option<Reach> {
        self.extent_and_order().map(|(extent, _)| extent)
    }

    /// The same, and whether the elements are in row-major order as [`Self::is_row_major`] says.
    #[inline]
    pub(super) fn extent_and_order(&self) -> Option<(Reach, bool)> {
        if self.start.units_of_a_byte > 1 {
            return self.extent_and_order_of_bits();
        }
        // It was checked once; now 64 bits will do.
        let (mut before, mut behind) = (0, self.width as i64);
        let (mut next, mut is_row_major) = (behind, true);
        for (&size, &stride) in self.shape.iter().zip(self.strides).rev() {
            if size == 0 {
                return None;
            }
            let reach = (size - 1) * stride;
            before += reach.min(0);
            behind += reach.max(0);
            is_row_major &= size == 1 || stride == next;
            next = next.wrapping_mul(size);
        }
        let at = |offset: i64| self.start.pointer.addr().wrapping_add_signed(offset as isize);
        Some((Reach { low: at(before), high: at(behind) }, is_row_major))
    }

    /// The same for packed elements.
    #[inline(never)]
    fn extent_and_order_of_bits(&self) -> Option<(Reach, bool)> {
        if self.is_empty() {
            return None;
        }
        let (mut low, mut high) = (self.place(), self.place() + self.width as i128);
        for (size, stride) in self.shape.iter().zip(self.strides) {
            // Both factors fit 64 bits, and at most 32 such products are added.
            let reach = i128::from(size - 1) * i128::from(*stride);
            low += reach.min(0);
            high += reach.max(0);
        }
        // A shift, which rounds down: division of such numbers takes longer than all else here.
        let low = usize::try_from(low >> 3).ok()?;
        let high = usize::try_from((high + 7) >> 3).ok()?;
        Some((Reach { low, high }, self.is_row_major()))
    }

    /// Whether the elements, if they follow each other, share no byte with anything else.
    fn is_whole_bytes(&self) -> bool {
        if self.start.units_of_a_byte == 1 {
            return true;
        }
        let bits = self.shape.iter().fold(self.width, |bits, &n| bits.wrapping_mul(n as usize));
        self.start.bit == 0 && bits.is_multiple_of(8)
    }

    /// Whether the elements follow each other in row-major order, without a gap, in bytes of their
    /// own.
    pub(crate) fn is_row_major(&self) -> bool {
        let mut next = self.width as i64;
        let dims = self.shape.iter().zip(self.strides).rev();
        self.is_empty()
            || self.is_whole_bytes()
                && dims.filter(|(size, _)| **size > 1).all(|(&size, &stride)| {
                    let follows = stride == next;
                    next = next.saturating_mul(size);
                    follows
                })
    }
}
