//! The sizes that a tensor can have.

use crate::error::{Error, Result};
use crate::geometry::{MAX_NDIM, checked_numel};
use crate::memory::text;

/// Refuses sizes that no tensor can have: too many, negative, or more elements than 64 bits count.
pub(crate) fn check_sizes(sizes: &[i64]) -> Result<()> {
    check_ndim("sizes", sizes.len())?;
    if let Some((dim, size)) = sizes.iter().enumerate().find(|(_, size)| **size < 0) {
        let problem = text!("size {size} in dimension {dim} is negative; it must be >= 0");
        return Err(Error::invalid("sizes", problem));
    }
    match checked_numel(sizes) {
        Some(_) => Ok(()),
        None => Err(Error::overflow(text!("sizes: the number of elements of {sizes:?}"))),
    }
}

/// Refuses more than [`MAX_NDIM`] dimensions.
pub(crate) fn check_ndim(argument: &'static str, ndim: usize) -> Result<()> {
    if ndim > MAX_NDIM {
        return Err(Error::invalid(
            argument,
            text!("{ndim} dimensions are more than the {MAX_NDIM} that are supported"),
        ));
    }
    Ok(())
}
