//! What moves: strided copies in their simplest form.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "both views' reach fits an address space, so products of their sizes and strides do"
)]

use std::ops::Range;

use super::view::HostView;
use crate::core::error::Error;
use crate::core::{MAX_NDIM, Result};

/// One level of a nest of loops: how often, and how many bytes each side steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Loop {
    pub(super) count: usize,
    pub(super) source_step: isize,
    pub(super) destination_step: isize,
}

/// One copy: `run` bytes from `source` to `destination` for each turn of a nest of loops.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) source: *const u8,
    pub(super) destination: *mut u8,
    /// Bytes that are contiguous on both sides.
    pub(super) run: usize,
    /// Outermost first: destination steps fall, so that writing goes forward.
    loops: Range<usize>,
}

/// Which side of a plan's copies the full tensor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// It is taken apart.
    Source,
    /// It is put together.
    Destination,
}

/// Copies that may be carried out in any order.
#[derive(Debug)]
pub(crate) struct Plan {
    itemsize: usize,
    side: Side,
    pieces: Vec<Piece>,
    loops: Vec<Loop>,
}

// SAFETY: a plan does not follow its pointers; whoever does promises what that takes.
unsafe impl Send for Plan {}
// SAFETY: as above.
unsafe impl Sync for Plan {}

impl Plan {
    pub(crate) fn new(itemsize: usize, side: Side) -> Self {
        Self { itemsize, side, pieces: Vec::new(), loops: Vec::new() }
    }

    pub(super) fn itemsize(&self) -> usize {
        self.itemsize
    }

    /// Which side the full tensor is.
    pub(super) fn side(&self) -> Side {
        self.side
    }

    /// Number of pieces.
    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// A piece and its loops.
    pub(super) fn piece(&self, index: usize) -> (&Piece, &[Loop]) {
        let piece = &self.pieces[index];
        (piece, &self.loops[piece.loops.clone()])
    }

    /// Where a piece starts in the full tensor.
    pub(super) fn full_place(&self, index: usize) -> usize {
        let piece = &self.pieces[index];
        match self.side {
            Side::Source => piece.source.addr(),
            Side::Destination => piece.destination.addr(),
        }
    }

    /// A loop's step in the full tensor.
    pub(super) fn full_step(&self, level: &Loop) -> isize {
        match self.side {
            Side::Source => level.source_step,
            Side::Destination => level.destination_step,
        }
    }

    /// Adds a copy of all elements. Both views have the same shape.
    pub(crate) fn push(&mut self, source: &HostView, destination: &HostView) -> Result<()> {
        if source.is_empty() {
            return Ok(());
        }
        let mut nest = Nest::new(source, destination);
        nest.order();
        nest.merge();
        let run = nest.take_run(self.itemsize);
        let memory = |_| Error::OutOfMemory { what: "the plan", bytes: size_of::<Piece>() };
        self.loops.try_reserve(nest.depth).map_err(memory)?;
        self.pieces.try_reserve(1).map_err(memory)?;
        let start = self.loops.len();
        self.loops.extend_from_slice(&nest.loops[..nest.depth]);
        self.pieces.push(Piece {
            source: nest.source,
            destination: nest.destination,
            run,
            loops: start..self.loops.len(),
        });
        Ok(())
    }
}

/// A nest of loops while it is made simpler.
struct Nest {
    source: *const u8,
    destination: *mut u8,
    loops: [Loop; MAX_NDIM],
    depth: usize,
}

impl Nest {
    /// A loop for each dimension that has one to make, all going forward in the destination.
    fn new(source: &HostView, destination: &HostView) -> Self {
        let idle = Loop { count: 1, source_step: 0, destination_step: 0 };
        let mut nest = Self {
            source: source.first().cast_const(),
            destination: destination.first(),
            loops: [idle; MAX_NDIM],
            depth: 0,
        };
        let steps = source.strides().iter().zip(destination.strides());
        for (&size, (&source_step, &destination_step)) in source.shape().iter().zip(steps) {
            if size == 1 {
                continue;
            }
            let mut level = Loop {
                count: size as usize,
                source_step: source_step as isize,
                destination_step: destination_step as isize,
            };
            if level.destination_step < 0 {
                let last = level.count as isize - 1;
                nest.source = nest.source.wrapping_offset(last * level.source_step);
                nest.destination = nest.destination.wrapping_offset(last * level.destination_step);
                level.source_step = -level.source_step;
                level.destination_step = -level.destination_step;
            }
            nest.loops[nest.depth] = level;
            nest.depth += 1;
        }
        nest
    }

    /// Largest destination steps outermost.
    fn order(&mut self) {
        self.loops[..self.depth].sort_by_key(|level| std::cmp::Reverse(level.destination_step));
    }

    /// Makes one loop of two where the inner one's end is the outer one's next turn on both sides.
    fn merge(&mut self) {
        let mut kept = 0;
        for at in 1..self.depth {
            let (outer, inner) = (self.loops[kept], self.loops[at]);
            let turns = inner.count as isize;
            if outer.source_step == inner.source_step * turns
                && outer.destination_step == inner.destination_step * turns
            {
                self.loops[kept] = Loop { count: outer.count * inner.count, ..inner };
            } else {
                kept += 1;
                self.loops[kept] = inner;
            }
        }
        self.depth = self.depth.min(kept + 1);
    }

    /// Takes the innermost loop away if it is contiguous on both sides; the bytes of a run.
    fn take_run(&mut self, itemsize: usize) -> usize {
        let item = itemsize as isize;
        let Some(innermost) = self.depth.checked_sub(1).map(|last| self.loops[last]) else {
            return itemsize;
        };
        if innermost.source_step != item || innermost.destination_step != item {
            return itemsize;
        }
        self.depth -= 1;
        itemsize * innermost.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::DataType;

    fn view(shape: &[i64], strides: &[i64]) -> HostView {
        let first = std::ptr::without_provenance_mut(1 << 20);
        HostView::new("view", first, DataType::FLOAT32, shape, Some(strides)).unwrap()
    }

    fn piece(source: &HostView, destination: &HostView) -> (usize, Vec<(usize, isize, isize)>) {
        let mut plan = Plan::new(4, Side::Source);
        plan.push(source, destination).unwrap();
        let (piece, loops) = plan.piece(0);
        let loops = loops.iter().map(|l| (l.count, l.source_step, l.destination_step)).collect();
        (piece.run, loops)
    }

    #[test]
    fn contiguous_tensors_are_one_run() {
        let dense = view(&[4, 5, 6], &[30, 6, 1]);
        assert_eq!(piece(&dense, &dense), (4 * 120, vec![]));
    }

    #[test]
    fn columns_are_a_run_for_each_row() {
        let columns = view(&[4, 5, 6], &[300, 60, 1]);
        let dense = view(&[4, 5, 6], &[30, 6, 1]);
        assert_eq!(piece(&columns, &dense), (24, vec![(20, 240, 24)]));
    }

    #[test]
    fn equal_layouts_of_any_kind_are_one_run() {
        let column_major = view(&[4, 5, 6], &[1, 4, 20]);
        assert_eq!(piece(&column_major, &column_major), (480, vec![]));
        let backwards = view(&[4, 5], &[-5, -1]);
        assert_eq!(piece(&backwards, &backwards), (80, vec![]));
    }

    #[test]
    fn a_transposed_source_is_moved_element_by_element_in_the_order_of_the_destination() {
        let transposed = view(&[4, 5], &[1, 4]);
        let dense = view(&[4, 5], &[5, 1]);
        assert_eq!(piece(&transposed, &dense), (4, vec![(4, 4, 20), (5, 16, 4)]));
    }

    #[test]
    fn a_single_element_is_one_run() {
        assert_eq!(piece(&view(&[], &[]), &view(&[], &[])), (4, vec![]));
        assert_eq!(piece(&view(&[1, 1], &[77, -3]), &view(&[1, 1], &[0, 9])), (4, vec![]));
    }
}
