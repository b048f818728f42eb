//! Cutting a tensor into blocks that follow each other in row-major order.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "blocks lie inside of a view, whose sizes fit an address space"
)]

use super::view::HostView;
use crate::geometry::MAX_NDIM;

/// The blocks of a view: boxes that each have at most so many bytes, and at least one element.
///
/// Packed one behind the other, row-major, they are the packed view. How a view is cut depends on
/// its shape and element size only, so that two ranks cut their views of one box alike.
#[derive(Debug, Clone)]
pub struct Blocks {
    view: HostView,
    /// The dimension that is cut: those before it have one index in each block, those after it are
    /// whole.
    dim: usize,
    /// Indices of that dimension in a block, at most.
    height: i64,
    /// Where the next block starts; `None` when there is none.
    next: Option<[i64; MAX_NDIM]>,
}

impl Blocks {
    /// Cuts `view` into blocks of at most `most` bytes.
    pub fn new(view: HostView, most: usize) -> Self {
        let shape = view.shape();
        // The least that the dimensions from `dim + 1` on hold.
        let (mut dim, mut row) = (shape.len().saturating_sub(1), view.width() as i64);
        let most = most.saturating_mul(view.units_of_a_byte());
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        while dim > 0 && row.saturating_mul(shape[dim]) <= most {
            row = row.saturating_mul(shape[dim]);
            dim -= 1;
        }
        // A view without dimensions is one element, and one block.
        let longest = shape.get(dim).map_or(1, |size| (*size).max(1));
        let height = (most / row.max(1)).clamp(1, longest);
        let next = (!view.is_empty()).then_some([0; MAX_NDIM]);
        Self { view, dim, height, next }
    }

    /// Where the block after the one at `start` starts.
    fn after(&self, mut start: [i64; MAX_NDIM]) -> Option<[i64; MAX_NDIM]> {
        let shape = self.view.shape();
        let mut step = self.height;
        for dim in (0..=self.dim.min(shape.len().checked_sub(1)?)).rev() {
            start[dim] += step;
            if start[dim] < shape[dim] {
                return Some(start);
            }
            start[dim] = 0;
            step = 1;
        }
        None
    }
}

impl Iterator for Blocks {
    type Item = HostView;

    fn next(&mut self) -> Option<HostView> {
        let start = self.next?;
        self.next = self.after(start);
        let ndim = self.view.shape().len();
        let mut sizes = [1; MAX_NDIM];
        sizes[..ndim].copy_from_slice(self.view.shape());
        if self.dim < ndim {
            sizes[..self.dim].fill(1);
            sizes[self.dim] = self.height.min(self.view.shape()[self.dim] - start[self.dim]);
        }
        Some(self.view.sub_box(&start[..ndim], &sizes[..ndim]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DataType;

    fn blocks(shape: &[i64], most: usize) -> Vec<HostView> {
        let first = std::ptr::without_provenance_mut(1 << 20);
        let view = HostView::new("view", first, DataType::FLOAT32, shape, None).unwrap();
        Blocks::new(view, most).collect()
    }

    /// In a row-major tensor, blocks in order follow each other without a gap.
    fn assert_are_a_cut(shape: &[i64], most: usize) {
        let mut place = 1 << 20;
        for block in blocks(shape, most) {
            assert_eq!(block.first().addr(), place, "{shape:?} by {most}");
            assert!(block.is_row_major(), "{block:?} of {shape:?} by {most}");
            assert!(block.bytes() <= most.max(4), "{block:?} of {shape:?} by {most}");
            place += block.bytes();
        }
        assert_eq!(place - (1 << 20), 4 * shape.iter().product::<i64>() as usize);
    }

    #[test]
    fn blocks_are_a_cut_in_row_major_order_whatever_the_shape_and_size() {
        let shapes: [&[i64]; 8] =
            [&[], &[7], &[5, 3], &[3, 5, 7], &[2, 1, 9, 1], &[1, 1], &[0, 3], &[4, 0]];
        for shape in shapes {
            for most in [1, 4, 5, 8, 12, 20, 36, 60, 64, 100, 140, 1 << 20, usize::MAX] {
                assert_are_a_cut(shape, most);
            }
        }
    }

    #[test]
    fn what_fits_is_one_block_and_else_blocks_are_as_high_as_they_may_be() {
        assert_eq!(blocks(&[100, 10], 4000).len(), 1);
        assert_eq!(blocks(&[100, 10], 3999).len(), 2);
        assert_eq!(blocks(&[100, 10], 400)[0].shape(), [10, 10]);
        assert_eq!(blocks(&[100, 10], 39)[0].shape(), [1, 9]);
        assert_eq!(blocks(&[3, 4, 5], 40)[1].shape(), [1, 2, 5]);
        assert_eq!(blocks(&[], 1).len(), 1);
    }
}
