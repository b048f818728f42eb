//! Tensors of any strides in memory that ends at pages which can't be used: one byte too many ends the
//! process. Every other byte that is no element's is known, and compared.

use std::ptr;

use shardspec::model::DataType;
use shardspec::transfer::HostView;

use crate::random::Random;

/// What every byte is that was never written.
const GUARD: u8 = 0xA5;
/// Bytes of a page; a multiple of the system's would do as well.
const PAGE: usize = 4096;
/// The longest tensor with its gaps.
const MAX_BYTES: usize = 2 * PAGE;

/// Pages between two that can't be used. They are used again and again.
pub struct Pages {
    start: *mut u8,
}

impl Pages {
    /// New ones.
    pub fn new() -> Self {
        let length = MAX_BYTES + 2 * PAGE;
        // SAFETY: `start` is a place for `length` bytes that the system chooses. The pages at both ends of
        // them are made unusable before anything else knows `start`.
        let start = unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let both = libc::PROT_READ | libc::PROT_WRITE;
            let start = libc::mmap(ptr::null_mut(), length, both, flags, -1, 0);
            assert_ne!(start, libc::MAP_FAILED, "pages");
            assert_eq!(libc::mprotect(start, PAGE, libc::PROT_NONE), 0);
            assert_eq!(libc::mprotect(start.add(PAGE + MAX_BYTES), PAGE, libc::PROT_NONE), 0);
            start.cast::<u8>()
        };
        Self { start: start.wrapping_add(PAGE) }
    }
}

impl Default for Pages {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let start = self.start.wrapping_sub(PAGE).cast();
        // SAFETY: `start` is where `new` has mapped these pages, and no view of them is used any more.
        unsafe { libc::munmap(start, MAX_BYTES + 2 * PAGE) };
    }
}

/// A tensor in such pages. Its lowest byte is the first of them, or its highest one is the last.
pub struct Guarded<'a> {
    pages: &'a Pages,
    pub shape: Vec<i64>,
    /// In elements.
    pub strides: Vec<i64>,
    /// Where the element at index 0 starts, in bits from the start of the pages.
    first: usize,
    pub dtype: DataType,
}

impl<'a> Guarded<'a> {
    /// A tensor whose elements do not overlap, all bytes of which are guards. `None`: it is too large.
    pub fn new(
        pages: &'a Pages, shape: &[i64], dtype: DataType, random: &mut Random,
    ) -> Option<Self> {
        let is_plain = random.one_in(3);
        let mut order: Vec<usize> = (0..shape.len()).rev().collect();
        if !is_plain {
            random.shuffle(&mut order);
        }
        let (mut strides, mut step, mut low) = (vec![0i64; shape.len()], 1i64, 0i64);
        let mut reach = 0i64;
        for dim in order {
            if !is_plain {
                step += random.of_list(&[0, 0, 0, 1, 2, 5]);
            }
            strides[dim] = step;
            let own = step * (shape[dim] - 1).max(0);
            reach += own;
            if !is_plain && random.one_in(4) {
                strides[dim] = -step;
                low += own;
            }
            // The stride of a dimension of one element, or of a tensor without any, means nothing.
            if !is_plain && shape[dim] <= 1 && random.one_in(4) {
                strides[dim] = random.of_list(&[0, -1, 3, 1 << 20]);
            }
            step *= shape[dim].max(1);
        }
        let bits = dtype.element_bits() as i64;
        let bytes = ((reach + 1) * bits).unsigned_abs().div_ceil(8) as usize;
        if bytes > MAX_BYTES {
            return None;
        }
        let ends_at_the_guard = random.one_in(2);
        let lowest = if ends_at_the_guard { MAX_BYTES - bytes } else { 0 };
        // A view of packed elements starts with a byte: what lies before the first one is whole bytes.
        let before = (low * bits) as usize;
        let first = if before.is_multiple_of(8) { 8 * lowest + before } else { return None };
        // SAFETY: `pages` has `MAX_BYTES` bytes between its guards, and a case gives it to one tensor only.
        unsafe { pages.start.write_bytes(GUARD, MAX_BYTES) };
        Some(Self { pages, shape: shape.to_vec(), strides, first, dtype })
    }

    /// A view of it.
    pub fn view(&self) -> HostView {
        let first = self.pages.start.wrapping_add(self.first / 8);
        HostView::new("tensor", first, self.dtype, &self.shape, Some(&self.strides))
            .expect("a tensor in memory has a view")
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the `MAX_BYTES` bytes of `pages` were filled by `new`, and no copy runs meanwhile.
        unsafe { std::slice::from_raw_parts(self.pages.start, MAX_BYTES) }
    }

    /// The bit at which an element starts.
    fn place(&self, index: &[i64]) -> usize {
        let steps: i64 = index.iter().zip(&self.strides).map(|(at, step)| at * step).sum();
        (self.first as i64 + steps * self.dtype.element_bits() as i64) as usize
    }

    /// The bits of an element.
    pub fn element(&self, index: &[i64]) -> Vec<u8> {
        let (start, bits) = (self.place(index), self.dtype.element_bits());
        let mut element = vec![0; bits.div_ceil(8)];
        for bit in 0..bits {
            let at = start + bit;
            element[bit / 8] |= (self.bytes()[at / 8] >> (at % 8) & 1) << (bit % 8);
        }
        element
    }

    /// Writes elements by chance.
    pub fn fill(&mut self, random: &mut Random) {
        for index in indices(&self.shape) {
            let (start, mut value) = (self.place(&index), 0);
            for bit in 0..self.dtype.element_bits() {
                if bit % 64 == 0 {
                    value = random.next();
                }
                let at = start + bit;
                // SAFETY: bit `at` is one of an element, and so in `pages`, which this tensor alone uses.
                let byte = unsafe { &mut *self.pages.start.add(at / 8) };
                *byte = *byte & !(1 << (at % 8)) | ((value & 1) as u8) << (at % 8);
                value >>= 1;
            }
        }
    }

    /// Whether a bit that is no element's was changed.
    pub fn is_disturbed(&self) -> bool {
        let mut own = vec![0u8; MAX_BYTES];
        for index in indices(&self.shape) {
            let start = self.place(&index);
            (start..start + self.dtype.element_bits()).for_each(|at| own[at / 8] |= 1 << (at % 8));
        }
        self.bytes().iter().zip(own).any(|(byte, own)| (byte ^ GUARD) & !own != 0)
    }
}

/// All indices of a shape, row-major.
pub fn indices(shape: &[i64]) -> Vec<Vec<i64>> {
    let longer = |all: Vec<Vec<i64>>, &size: &i64| {
        let with = |index: Vec<i64>| (0..size).map(move |at| [&index[..], &[at]].concat());
        all.into_iter().flat_map(with).collect()
    };
    shape.iter().fold(vec![Vec::new()], longer)
}
