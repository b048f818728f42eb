//! The arithmetic of `torch.chunk`.
//!
//! Source: `get_split_size`, `get_chunked_dim_size` and `get_chunk_sharding_params` of
//! `torch.distributed._shard.sharding_spec._internals`.

use crate::error::{Error, Result};
use crate::memory::text;

/// Length of every chunk but the last non-empty one when `dim_size` elements are cut into
/// `chunk_count` chunks: `ceil(dim_size / chunk_count)`.
pub fn split_size(dim_size: i64, chunk_count: i64) -> Result<i64> {
    at_least("dim_size", dim_size, 0)?;
    at_least("chunk_count", chunk_count, 1)?;
    // Rounds up without the addition that could overflow.
    let floor = dim_size.checked_div(chunk_count).unwrap_or(0);
    let rest = dim_size.checked_rem(chunk_count).unwrap_or(0);
    Ok(floor.saturating_add(i64::from(rest > 0)))
}

/// Length of chunk `index` when `dim_size` elements are cut into pieces of `split_size`: the full
/// piece, what is left for the last one, and 0 past the end.
pub fn chunked_dim_size(dim_size: i64, split_size: i64, index: i64) -> Result<i64> {
    at_least("dim_size", dim_size, 0)?;
    at_least("split_size", split_size, 0)?;
    at_least("index", index, 0)?;
    // A start beyond 64 bits is past the end as well.
    let start = split_size.saturating_mul(index);
    Ok(dim_size.saturating_sub(start).clamp(0, split_size))
}

/// Where chunk `index` starts: `split_size * index`, also past the end of the dimension.
pub(crate) fn chunk_offset(split_size: i64, index: i64) -> Result<i64> {
    split_size
        .checked_mul(index)
        .ok_or_else(|| Error::overflow(text!("offset {split_size} * {index} of chunk {index}")))
}

/// Refuses a value below the least that its argument may be.
pub(crate) fn at_least(argument: &'static str, value: i64, least: i64) -> Result<()> {
    if value < least { Err(Error::TooSmall { argument, value, least }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_those_of_torch() {
        let chunks = |size: i64, count: i64| -> Vec<i64> {
            let split = split_size(size, count).unwrap();
            (0..count).map(|index| chunked_dim_size(size, split, index).unwrap()).collect()
        };
        assert_eq!(chunks(5, 4), [2, 2, 1, 0]);
        assert_eq!(chunks(0, 2), [0, 0]);
        assert_eq!(chunks(8, 4), [2, 2, 2, 2]);
        assert_eq!(chunks(1, 3), [1, 0, 0]);
    }

    #[test]
    fn the_largest_integers_are_cut_without_overflow() {
        assert_eq!(split_size(i64::MAX, 1), Ok(i64::MAX));
        assert_eq!(split_size(i64::MAX, i64::MAX), Ok(1));
        assert_eq!(split_size(i64::MAX, 2), Ok(i64::MAX / 2 + 1));
        assert_eq!(chunked_dim_size(i64::MAX, i64::MAX, i64::MAX), Ok(0));
        assert_eq!(chunked_dim_size(i64::MAX, i64::MAX / 2 + 1, 1), Ok(i64::MAX / 2));
    }

    #[test]
    fn values_that_cannot_be_cut_are_refused() {
        assert!(split_size(-1, 2).is_err());
        assert!(split_size(1, 0).is_err());
        assert!(split_size(1, i64::MIN).is_err());
        assert!(chunked_dim_size(1, -1, 0).is_err());
        assert!(chunked_dim_size(1, 1, -1).is_err());
    }
}
