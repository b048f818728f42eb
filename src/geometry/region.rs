//! Boxes of index space: the one geometric figure that everything here is made of.

use std::fmt;

use crate::memory::{self, Memory};

/// A half-open box of a tensor's index space: in dimension `d` it holds the indices
/// `offsets[d] .. offsets[d] + sizes[d]`.
///
/// Shown as slices: `[0:4, 3:5]`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Region {
    /// Where the box starts, for each dimension.
    pub offsets: Box<[i64]>,
    /// How long it is, for each dimension.
    pub sizes: Box<[i64]>,
}

impl Region {
    /// The box with these offsets and sizes.
    pub fn new(offsets: &[i64], sizes: &[i64]) -> Self {
        Self { offsets: offsets.into(), sizes: sizes.into() }
    }

    /// The box with these offsets and sizes, if there is memory for it.
    pub(crate) fn try_new(offsets: &[i64], sizes: &[i64]) -> Memory<Self> {
        let offsets = memory::try_boxed_slice(offsets)?;
        Ok(Self { offsets, sizes: memory::try_boxed_slice(sizes)? })
    }

    /// Whether the box holds no element. A box of no dimensions holds one.
    pub fn is_empty(&self) -> bool {
        self.sizes.contains(&0)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (dim, (offset, size)) in self.offsets.iter().zip(&self.sizes).enumerate() {
            let comma = if dim == 0 { "" } else { ", " };
            write!(f, "{comma}{offset}:{}", offset.saturating_add(*size))?;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The number of elements of a box or tensor of these sizes; `None` when it does not fit an `i64`.
///
/// Sizes must not be negative. A zero anywhere makes the product zero, whatever the others are.
pub fn checked_numel(sizes: &[i64]) -> Option<i64> {
    if sizes.contains(&0) {
        return Some(0);
    }
    sizes.iter().try_fold(1i64, |volume, &size| volume.checked_mul(size))
}
