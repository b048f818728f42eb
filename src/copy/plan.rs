//! What moves: strided copies in their simplest form.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "both views' reach fits an address space, so products of their sizes and strides do"
)]

use std::ops::Range;

use super::view::{HostView, Start};
use crate::core::Result;
use crate::core::shards::Shard;
use crate::geometry::{Loop, LoopNest};
use crate::memory::TryVec;

/// Runs from this length on are copied one by one: many at once would gain nothing.
pub(super) const LONG: usize = 32 << 10;

/// One copy: `run` bytes from `source` to `destination` for each turn of a nest of loops. Or `run`
/// bits, where that can't be said in bytes; then steps are in bits too.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) source: *const u8,
    pub(super) destination: *mut u8,
    /// What is contiguous on both sides.
    pub(super) run: usize,
    /// The bits of their bytes with which source and destination start, if bits are copied.
    pub(super) bits: Option<[usize; 2]>,
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
    side: Side,
    pieces: Vec<Piece>,
    loops: Vec<Loop>,
    bytes: usize,
}

// SAFETY: a plan does not follow its pointers; whoever does promises what that takes.
unsafe impl Send for Plan {}
// SAFETY: as above.
unsafe impl Sync for Plan {}

impl Plan {
    pub(crate) fn new(side: Side) -> Self {
        Self { side, pieces: Vec::new(), loops: Vec::new(), bytes: 0 }
    }

    /// Which side the full tensor is.
    pub(super) fn side(&self) -> Side {
        self.side
    }

    /// Bytes to copy.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
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

    /// Where the pieces end that run side by side with piece `first`.
    pub(super) fn end_of_neighbours(&self, first: usize) -> usize {
        let (piece, loops) = self.piece(first);
        let mut end = first + 1;
        if loops.is_empty() || piece.run >= LONG || piece.bits.is_some() {
            return end;
        }
        let mut place = self.full_place(first).wrapping_add(piece.run);
        while end < self.len() {
            let (next, next_loops) = self.piece(end);
            let alike = next_loops.len() == loops.len()
                && loops
                    .iter()
                    .zip(next_loops)
                    .all(|(a, b)| a.count == b.count && self.full_step(a) == self.full_step(b));
            if !alike || next.run >= LONG || next.bits.is_some() || self.full_place(end) != place {
                break;
            }
            place = place.wrapping_add(next.run);
            end += 1;
        }
        end
    }

    /// A loop's step in the shard.
    pub(super) fn shard_step(&self, level: &Loop) -> isize {
        match self.side {
            Side::Source => level.destination_step,
            Side::Destination => level.source_step,
        }
    }

    /// Adds a copy of all elements. Both views have the same shape and element type.
    pub(crate) fn push(&mut self, source: &HostView, destination: &HostView) -> Result<()> {
        let starts = [Start::of(source), Start::of(destination)];
        let strides = [source.strides(), destination.strides()];
        self.push_like(destination, destination.shape(), starts, strides)
    }

    /// Adds a copy between a shard and what it owns of the full tensor.
    pub(crate) fn push_shard(
        &mut self, full: &HostView, owned: Shard<'_>, shard: &HostView,
    ) -> Result<()> {
        if owned.is_empty() {
            // It may be where there is no element.
            return Ok(());
        }
        let (part, own) = (Start::at(full, owned.offsets), Start::of(shard));
        self.push_box(full, owned.sizes, part, (own, shard.strides()))
    }

    /// Adds a copy between a box of the full tensor, which starts at `part`, and one of a shard, of which
    /// start and strides are given.
    pub(super) fn push_box(
        &mut self, full: &HostView, sizes: &[i64], part: Start, (own, strides): (Start, &[i64]),
    ) -> Result<()> {
        match self.side {
            Side::Source => self.push_like(full, sizes, [part, own], [full.strides(), strides]),
            Side::Destination => {
                self.push_like(full, sizes, [own, part], [strides, full.strides()])
            }
        }
    }

    /// Adds a copy of a box of such elements as `view` has, from the first side to the second.
    fn push_like(
        &mut self, view: &HostView, sizes: &[i64], starts: [Start; 2], strides: [&[i64]; 2],
    ) -> Result<()> {
        if sizes.contains(&0) {
            return Ok(());
        }
        let steps = strides[0].iter().zip(strides[1]);
        let first = self.loops.len();
        let bits = starts.map(|start| start.bit as isize);
        let mut nest = LoopNest::new(&mut self.loops, bits, view.width());
        for (&size, (&source_step, &destination_step)) in sizes.iter().zip(steps).rev() {
            nest.repeat(size as usize, source_step as isize, destination_step as isize)?;
        }
        nest.simplify();
        let units = view.units_of_a_byte();
        let whole = units == 1 || nest.coarsen(units);
        let (run, [source, destination]) = (nest.run(), nest.starts());
        let [source, destination] = if whole {
            [(source, 0), (destination, 0)]
        } else {
            let byte = units as isize;
            [source, destination].map(|at| (at.div_euclid(byte), at.rem_euclid(byte) as usize))
        };
        self.bytes = self.bytes.saturating_add(view.bytes_of(sizes));
        self.pieces.try_push(Piece {
            source: starts[0].pointer.cast_const().wrapping_offset(source.0),
            destination: starts[1].pointer.wrapping_offset(destination.0),
            run,
            bits: (!whole).then_some([source.1, destination.1]),
            loops: first..self.loops.len(),
        })?;
        Ok(())
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
        let mut plan = Plan::new(Side::Source);
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

    #[test]
    fn packed_elements_are_counted_in_bytes_where_all_is_whole_bytes() {
        let int4 = DataType { code: 0, bits: 4, lanes: 1 };
        let first = std::ptr::without_provenance_mut(1 << 20);
        let part = |columns: i64, offset: i64, size: i64| {
            let full = HostView::new("full", first, int4, &[6, columns], None).unwrap();
            let shard = HostView::new("shard", first, int4, &[6, size], None).unwrap();
            let mut plan = Plan::new(Side::Source);
            plan.push(&full.sub_box(&[0, offset], &[6, size]), &shard).unwrap();
            let (piece, loops) = plan.piece(0);
            (piece.run, piece.bits, loops.first().copied())
        };
        let rows =
            |source_step, destination_step| Some(Loop { count: 6, source_step, destination_step });
        assert_eq!(part(8, 2, 4), (2, None, rows(4, 2)));
        assert_eq!(part(8, 1, 4), (16, Some([4, 0]), rows(32, 16)));
        assert_eq!(part(8, 2, 3), (12, Some([0, 0]), rows(32, 12)));
        assert_eq!(part(7, 0, 4), (16, Some([0, 0]), rows(28, 16)));
        assert_eq!(part(8, 0, 8), (24, None, None));
    }
}
