//! Tensors that are read and moved together.

use std::ops::Range;

use crate::memory::{Memory, TryVec};

/// Divides tensors of these sizes into groups: a group ends with the tensor with which it has `limit`
/// bytes. Ranks that agree on the tensors have the same groups.
pub(super) fn groups(bytes: impl Iterator<Item = u64>, limit: u64) -> Memory<Vec<Range<usize>>> {
    let (mut groups, mut start, mut size, mut end) = (Vec::new(), 0usize, 0u64, 0usize);
    for own in bytes {
        size = size.saturating_add(own);
        end = end.saturating_add(1);
        if size >= limit {
            groups.try_push(start..end)?;
            (start, size) = (end, 0);
        }
    }
    if start < end {
        groups.try_push(start..end)?;
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_all_tensors_in_order_and_end_with_the_limit() {
        let of = |bytes: &[u64], limit| groups(bytes.iter().copied(), limit).unwrap();
        assert_eq!(of(&[], 8), []);
        assert_eq!(of(&[3, 4, 1, 9, 2], 8), [0..3, 3..4, 4..5]);
        assert_eq!(of(&[3, 4], 0), [0..1, 1..2]);
        assert_eq!(of(&[0, u64::MAX, u64::MAX], u64::MAX), [0..2, 2..3]);
    }
}
