//! A box of a tensor in blocks that are each contiguous in row-major order, and not too large.

use crate::memory::{Memory, TryVec, try_filled};

/// The blocks of a box, in row-major order.
#[derive(Debug, Default)]
pub(super) struct RowBlocks {
    /// Where blocks start in the tensor, block after block.
    pub(super) offsets: Vec<i64>,
    /// How long they are.
    pub(super) sizes: Vec<i64>,
    /// How many they are.
    pub(super) count: usize,
}

impl RowBlocks {
    /// The blocks of the box of `sizes` elements at `offsets`, of at most `most` elements each, and of a
    /// multiple of `step` elements, but for the last: one more than `most` where that can't be.
    pub(super) fn new(offsets: &[i64], sizes: &[i64], most: i64, step: i64) -> Memory<Self> {
        let mut blocks = Self::default();
        if sizes.contains(&0) {
            return Ok(blocks);
        }
        let (dim, inner) = cut_dim(sizes, most);
        let size = sizes.get(dim).copied().unwrap_or(1);
        let rows = most.checked_div(inner).unwrap_or(1).max(1);
        let rows = rows.checked_div(step).unwrap_or(1).max(1).saturating_mul(step).min(size);
        let mut at = try_filled(0i64, sizes.len())?;
        loop {
            blocks.push(offsets, sizes, &at, (dim, rows))?;
            if !next(&mut at, sizes, dim, rows) {
                return Ok(blocks);
            }
        }
    }

    /// Adds the block at `at`: one index of each dimension before `dim`, `rows` of that one.
    fn push(
        &mut self, offsets: &[i64], sizes: &[i64], at: &[i64], (dim, rows): (usize, i64),
    ) -> Memory<()> {
        let dims = offsets.iter().zip(sizes).zip(at).enumerate();
        for (own, ((&offset, &size), &at)) in dims {
            self.offsets.try_push(offset.saturating_add(at))?;
            self.sizes.try_push(match own.cmp(&dim) {
                std::cmp::Ordering::Less => 1,
                std::cmp::Ordering::Equal => rows.min(size.saturating_sub(at)),
                std::cmp::Ordering::Greater => size,
            })?;
        }
        self.count = self.count.saturating_add(1);
        Ok(())
    }
}

/// The dimension that is cut into rows, and the elements of a row: as many dimensions behind it as fit.
fn cut_dim(sizes: &[i64], most: i64) -> (usize, i64) {
    let mut inner = 1i64;
    for (dim, &size) in sizes.iter().enumerate().rev() {
        match inner.checked_mul(size).filter(|elements| *elements <= most) {
            Some(elements) if dim > 0 => inner = elements,
            _ => return (dim, inner),
        }
    }
    (0, 1)
}

/// The start of the next block, if there is one.
fn next(at: &mut [i64], sizes: &[i64], dim: usize, rows: i64) -> bool {
    let dims = at.iter_mut().zip(sizes).enumerate().take(dim.saturating_add(1));
    for (own, (at, &size)) in dims.rev() {
        *at = at.saturating_add(if own == dim { rows } else { 1 });
        if *at < size {
            return true;
        }
        *at = 0;
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "small numbers")]
    use super::*;

    /// The positions of the elements of all blocks, in the box's row-major order.
    fn positions(offsets: &[i64], sizes: &[i64], most: i64, step: i64) -> (Vec<i64>, i64) {
        let blocks = RowBlocks::new(offsets, sizes, most, step).unwrap();
        let (mut all, mut largest) = (Vec::new(), 0);
        for (start, part) in
            blocks.offsets.chunks(sizes.len()).zip(blocks.sizes.chunks(sizes.len()))
        {
            let numel: i64 = part.iter().product();
            largest = largest.max(numel);
            for element in 0..numel {
                let (mut rest, mut at, mut stride) = (element, 0, 1);
                for dim in (0..sizes.len()).rev() {
                    at += (start[dim] - offsets[dim] + rest % part[dim]) * stride;
                    rest /= part[dim];
                    stride *= sizes[dim];
                }
                all.push(at);
            }
        }
        (all, largest)
    }

    #[test]
    fn blocks_are_one_behind_the_other_and_small() {
        for sizes in [[1, 1, 1], [2, 3, 4], [5, 1, 7], [1, 9, 2], [4, 4, 4]] {
            let numel: i64 = sizes.iter().product();
            for most in 1..=numel + 1 {
                for step in [1, 8] {
                    let (all, largest) = positions(&[3, 0, 5], &sizes, most, step);
                    assert_eq!(all, (0..numel).collect::<Vec<_>>(), "{sizes:?} {most}");
                    assert!(step == 8 || largest <= most, "{sizes:?} {most}: {largest}");
                }
            }
        }
    }

    #[test]
    fn a_scalar_is_one_block_and_nothing_is_none() {
        assert_eq!(RowBlocks::new(&[], &[], 1, 1).unwrap().count, 1);
        assert_eq!(RowBlocks::new(&[0, 0], &[3, 0], 1, 1).unwrap().count, 0);
    }
}
