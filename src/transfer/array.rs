//! Arrays of `ndarray` as views.

use ndarray::{Dimension, RawArrayView};

use super::view::HostView;
use crate::memory::try_collect;
use crate::model::dtype::DataType;
use crate::model::{Error, Result};

/// Types that a [`HostView`] of an `ndarray` array can hold.
pub trait Element {
    /// Their DLPack type.
    const DTYPE: DataType;
}

macro_rules! elements {
    ($($rust:ty: $code:literal $bits:literal),*) => {
        $(impl Element for $rust {
            const DTYPE: DataType = DataType { code: $code, bits: $bits, lanes: 1 };
        })*
    };
}
elements!(i8: 0 8, i16: 0 16, i32: 0 32, i64: 0 64, u8: 1 8, u16: 1 16, u32: 1 32, u64: 1 64);
elements!(f32: 2 32, f64: 2 64, bool: 6 8);

/// The same array. It must not have more than 32 dimensions.
impl<T: Element, D: Dimension> TryFrom<RawArrayView<T, D>> for HostView {
    type Error = Error;

    fn try_from(array: RawArrayView<T, D>) -> Result<Self> {
        let to_i64 = |size: &usize| i64::try_from(*size).unwrap_or(i64::MAX);
        let shape = try_collect(array.shape().iter().map(to_i64))?;
        let strides = try_collect(array.strides().iter().map(|stride| *stride as i64))?;
        let first = array.as_ptr().cast_mut().cast();
        Self::new("array", first, T::DTYPE, &shape, Some(&strides))
    }
}
