//! Tensors of whole bytes at a chosen place in a cache line, with guard bytes around them and in
//! their gaps, and copying them element by element.

#![allow(clippy::undocumented_unsafe_blocks, reason = "memory is made to fit")]

use std::alloc::{Layout, alloc, dealloc};

use shardspec::model::DataType;
use shardspec::transfer::HostView;

use super::Random;
use super::tensor::GUARD;

/// A line, the most that a kernel writes at once: a guard must not be smaller.
const LINE: usize = 64;
/// Places that are multiples of this apart drive each other out of a cache; kernels look for them.
const ALIGNMENT: usize = 1 << 10;

/// How a tensor lies in memory.
#[derive(Clone, Debug)]
pub struct Form {
    /// Where in a cache line its lowest byte is.
    pub place: usize,
    /// Dimensions from the one whose neighbours are nearest on; else the last one is that.
    pub order: Option<Vec<usize>>,
    /// Elements left out behind each turn of a dimension, by its rank in that order.
    pub gaps: Vec<i64>,
    /// Dimensions that go backwards, as bits.
    pub backwards: usize,
    /// Guard bytes on either side. Without any, what is read or written beside the tensor is beside
    /// the allocation, for tools that notice.
    pub guard: usize,
}

impl Form {
    /// Row-major, without a gap.
    pub fn dense(random: &mut Random) -> Self {
        let places = [0, 0, 16, 32, 48, 1, 4, 8, 63, random.below(LINE)];
        let guard = LINE * random.below(2);
        let place = places[random.below(places.len())];
        Self { place, order: None, gaps: Vec::new(), backwards: 0, guard }
    }

    /// Row-major, with a gap behind each row and each plane.
    pub fn padded(row: i64, plane: i64, random: &mut Random) -> Self {
        Self { gaps: vec![0, row, plane], ..Self::dense(random) }
    }

    /// Any order of dimensions, some of them backwards, with gaps between elements too.
    pub fn of_any_kind(ndim: usize, random: &mut Random) -> Self {
        let mut order: Vec<usize> = (0..ndim).rev().collect();
        match random.below(4) {
            0 => order.reverse(),
            1 => random.shuffle(&mut order),
            _ => {}
        }
        let gap = |random: &mut Random| [0, 0, 0, 1, 16][random.below(5)];
        let gaps = (0..ndim).map(|_| gap(random)).collect();
        let backwards = random.below(1 << ndim) & random.below(1 << ndim);
        Self { order: Some(order), gaps, backwards, ..Self::dense(random) }
    }
}

/// A tensor.
pub struct Strided {
    start: *mut u8,
    layout: Layout,
    /// Where the element at index 0 starts.
    first: usize,
    dtype: DataType,
    pub shape: Vec<i64>,
    /// In elements.
    strides: Vec<i64>,
}

impl Strided {
    /// All of its bytes are guards.
    pub fn new(shape: &[i64], dtype: DataType, form: &Form) -> Self {
        let item = dtype.element_bits() / 8;
        let in_rows = (0..shape.len()).rev().collect();
        let order = form.order.clone().unwrap_or(in_rows);
        let mut strides = vec![0i64; shape.len()];
        let (mut step, mut reach, mut low) = (1, 0, 0);
        for (rank, &dim) in order.iter().enumerate() {
            step += form.gaps.get(rank).copied().unwrap_or(0);
            strides[dim] = step;
            reach += step * (shape[dim] - 1);
            if form.backwards >> dim & 1 == 1 {
                strides[dim] = -step;
                low += step * (shape[dim] - 1);
            }
            step *= shape[dim];
        }
        let lowest = form.guard + form.place;
        let len = lowest + (reach + 1) as usize * item + form.guard;
        let layout = Layout::from_size_align(len, ALIGNMENT).unwrap();
        let start = unsafe { alloc(layout) };
        assert!(!start.is_null());
        unsafe { start.write_bytes(GUARD, len) };
        let first = lowest + low as usize * item;
        Self { start, layout, first, dtype, shape: shape.to_vec(), strides }
    }

    pub fn view(&self) -> HostView {
        let first = self.start.wrapping_add(self.first);
        HostView::new("strided", first, self.dtype, &self.shape, Some(&self.strides)).unwrap()
    }

    pub fn bytes(&self) -> &[u8] {
        unsafe { std::slice::from_raw_parts(self.start, self.layout.size()) }
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        unsafe { std::slice::from_raw_parts_mut(self.start, self.layout.size()) }
    }

    /// Makes guards of all bytes.
    pub fn wipe(&mut self) {
        self.bytes_mut().fill(GUARD);
    }

    /// What all bytes are after the elements of `source` from `offsets` on were copied here, and
    /// before that all of them were guards.
    pub fn with_elements_of(&self, source: &Self, offsets: &[i64]) -> Vec<u8> {
        let mut bytes = vec![GUARD; self.layout.size()];
        let source_bytes = source.bytes();
        self.each_row(source, offsets, |to, from, count, to_step, from_step, item| {
            // Elements without gaps are one long element.
            let is_dense = to_step == item as i64 && from_step == to_step;
            let (count, len) = if is_dense { (1, item * count as usize) } else { (count, item) };
            for at in 0..count {
                let (to, from) = ((to + at * to_step) as usize, (from + at * from_step) as usize);
                bytes[to..to + len].copy_from_slice(&source_bytes[from..from + len]);
            }
        });
        bytes
    }

    /// The rows of both along the last dimension: where they start, their elements, and the steps.
    fn each_row(
        &self, source: &Self, offsets: &[i64], mut row: impl FnMut(i64, i64, i64, i64, i64, usize),
    ) {
        let item = (self.dtype.element_bits() / 8) as i64;
        let last = self.shape.len() - 1;
        let place = |tensor: &Self, index: &[i64]| {
            let steps: i64 = index.iter().zip(&tensor.strides).map(|(at, step)| at * step).sum();
            steps * item
        };
        let first = (self.first as i64, source.first as i64 + place(source, offsets));
        let mut index = vec![0i64; self.shape.len()];
        loop {
            let places = (first.0 + place(self, &index), first.1 + place(source, &index));
            let steps = (self.strides[last] * item, source.strides[last] * item);
            row(places.0, places.1, self.shape[last], steps.0, steps.1, item as usize);
            let Some(dim) = (0..last).rev().find(|&dim| index[dim] + 1 < self.shape[dim]) else {
                return;
            };
            index[dim] += 1;
            index[dim + 1..].fill(0);
        }
    }
}

impl Drop for Strided {
    fn drop(&mut self) {
        unsafe { dealloc(self.start, self.layout) }
    }
}
