//! Laying out a transfer as strided copies of bytes.
//!
//! Here, and nowhere else, what a shard owns of a tensor and what a plan says of two shards become
//! places in memory.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "windows lie inside of views, whose reach was checked"
)]

use super::bands::BandBounds;
use super::local_shards::LocalShards;
use super::view::HostView;
use super::view_ref::{Start, StrideRoom, ViewRef};
use crate::geometry::{DimExtent, MAX_NDIM};
use crate::host::copy_list::{BitPointer, CopyList, FullSide, Units};
use crate::memory::{Memory, text};
use crate::model::shards::Shard;
use crate::model::{Error, Result};
use crate::plan::{ReshardPlan, Window};

/// The parts that move between the two sides of a transfer.
#[derive(Clone, Copy)]
pub enum Parts<'a> {
    /// All elements of a view, to another of the same shape.
    Whole {
        /// Where they come from.
        source: &'a HostView,
        /// Where they go.
        destination: &'a HostView,
    },
    /// The part of each of these shards, out of a full tensor.
    Scatter(&'a HostView, &'a LocalShards),
    /// The same, into the tensor.
    Gather(&'a LocalShards, &'a HostView),
    /// The pieces of a plan that these destinations take.
    Pieces {
        /// The pieces.
        plan: &'a ReshardPlan,
        /// All shards that they take of are among these.
        sources: &'a LocalShards,
        /// Where pieces go.
        destinations: &'a LocalShards,
    },
}

impl Parts<'_> {
    /// The parts as copies.
    pub(crate) fn lay_out(self) -> Result<CopyList> {
        let mut copies = match self {
            Parts::Whole { .. } => CopyList::with_capacity(FullSide::Source, 1)?,
            Parts::Scatter(_, shards) => CopyList::with_capacity(FullSide::Source, shards.len())?,
            Parts::Gather(shards, _) => {
                CopyList::with_capacity(FullSide::Destination, shards.len())?
            }
            // Those of many shards are neighbours in the few that they come from, or go to.
            Parts::Pieces { sources, destinations, .. } if sources.len() < destinations.len() => {
                CopyList::new(FullSide::Source)
            }
            Parts::Pieces { .. } => CopyList::new(FullSide::Destination),
        };
        match self {
            Parts::Whole { source, destination } => copies.push(source, destination)?,
            Parts::Scatter(full, shards) | Parts::Gather(shards, full) => {
                copies.push_shards(full.by_ref(), shards)?;
            }
            Parts::Pieces { plan, sources, destinations } => {
                copies.push_pieces(plan, sources, destinations)?;
            }
        }
        copies.sort();
        Ok(copies)
    }

    /// The holes of shards that are written whole, to be filled with zeros before.
    pub(crate) fn holes(self) -> Memory<CopyList> {
        match self {
            Parts::Pieces { destinations, .. } => CopyList::of_holes(destinations),
            // Boxes have none.
            Parts::Whole { .. } | Parts::Scatter(..) | Parts::Gather(..) => {
                Ok(CopyList::new(FullSide::Destination))
            }
        }
    }
}

impl CopyList {
    /// The parts of shards' buffers where their holes are, as copies onto themselves.
    pub(crate) fn of_holes(shards: &LocalShards) -> Memory<Self> {
        let mut holes = Self::new(FullSide::Destination);
        if shards.layout().extents().table().is_empty() {
            return Ok(holes);
        }
        for number in 0..shards.len() {
            let Some(shard) = shards.layout().get(shards.index(number)) else {
                continue;
            };
            let own = shards.get(number);
            for (dim, extent) in shard.dims().enumerate() {
                let DimExtent::Map(map) = extent else {
                    continue;
                };
                let (mut offsets, mut sizes) = ([0; MAX_NDIM], [0; MAX_NDIM]);
                sizes[..own.shape.len()].copy_from_slice(own.shape);
                let places = map.holes_in();
                (offsets[dim], sizes[dim]) = (places.start, places.end - places.start);
                let ndim = own.shape.len();
                let (start, sizes) = (own.at(&offsets[..ndim]), &sizes[..ndim]);
                holes.push_like(own, sizes, [start, start], [own.strides, own.strides])?;
            }
        }
        Ok(holes)
    }

    /// Adds a copy of all elements. Both views have the same shape and element type.
    pub(crate) fn push(&mut self, source: &HostView, destination: &HostView) -> Memory<()> {
        self.push_views(source.by_ref(), destination.by_ref())
    }

    pub(crate) fn push_views(
        &mut self, source: ViewRef<'_>, destination: ViewRef<'_>,
    ) -> Memory<()> {
        let ViewRef { shape, .. } = destination;
        let (starts, strides) =
            ([source.start, destination.start], [source.strides, destination.strides]);
        self.push_like(destination, shape, starts, strides)
    }

    /// Adds a copy of the elements of a view to memory where they follow each other in row-major order;
    /// into the view where `unpacks` says so.
    pub(crate) fn push_packed(
        &mut self, view: ViewRef<'_>, packed: *mut u8, unpacks: bool,
    ) -> Memory<()> {
        if view.is_empty() {
            return Ok(());
        }
        let (here, packed) = (view.start.place(), BitPointer { byte: packed, bit: 0 });
        let places = if unpacks { [packed, here] } else { [here, packed] };
        let mut dense = view.width as isize;
        let dims = view.shape.iter().zip(view.strides).rev().map(|(&size, &stride)| {
            let steps = [stride as isize, dense];
            // A product of some sizes: that of all fits an address space.
            dense *= size as isize;
            (size as usize, if unpacks { [steps[1], steps[0]] } else { steps })
        });
        self.push_box(view.units(), places, dims)
    }

    /// Adds copies between a full tensor and what these shards own of it.
    pub(super) fn push_shards(&mut self, full: ViewRef<'_>, shards: &LocalShards) -> Memory<()> {
        for number in 0..shards.len() {
            let (own, index) = (shards.get(number), shards.index(number));
            if own.is_empty() {
                // It may be where there is no element.
                continue;
            }
            let row = index * full.shape.len()..(index + 1) * full.shape.len();
            let part = full.at(&shards.layout().offsets()[row]);
            self.push_part(full, own.shape, part, (own.start, own.strides))?;
        }
        Ok(())
    }

    /// Adds a copy between a full tensor and what shard `number` of these owns of a band of it. None
    /// where there is no memory.
    pub(super) fn push_band(
        &mut self, full: &HostView, shards: &LocalShards, number: usize, bounds: &BandBounds,
    ) -> Option<()> {
        let (full, own) = (full.by_ref(), shards.get(number));
        let owned = shards.layout().get(shards.index(number))?;
        let ndim = owned.offsets.len();
        let (mut places, mut own_places, mut sizes) = ([0; MAX_NDIM], [0; MAX_NDIM], [0; MAX_NDIM]);
        for (dim, (&offset, &size)) in owned.offsets.iter().zip(owned.sizes).enumerate() {
            let (low, high) = bounds.clip(offset, size, dim);
            *places.get_mut(dim)? = low;
            *own_places.get_mut(dim)? = low.checked_sub(offset)?;
            *sizes.get_mut(dim)? = high.checked_sub(low)?;
        }
        let (part, start) = (full.at(places.get(..ndim)?), own.at(own_places.get(..ndim)?));
        self.push_part(full, sizes.get(..ndim)?, part, (start, own.strides)).ok()
    }

    /// Adds copies of all pieces that these destinations take. Refuses destinations that the plan is not
    /// for, and missing sources.
    fn push_pieces(
        &mut self, plan: &ReshardPlan, sources: &LocalShards, destinations: &LocalShards,
    ) -> Result<()> {
        for (number, index) in destinations.indices().enumerate() {
            if !plan.serves(index) {
                let what = text!("destination {index}: the plan was made without this shard");
                return Err(Error::NotFound { what });
            }
            let to = destinations.get(number);
            let (mut first, mut second) = ([0; MAX_NDIM], [0; MAX_NDIM]);
            for piece in plan.pieces_in(plan.pieces_into(index)) {
                let from = sources.number_of(piece.source).ok_or_else(|| Error::NotFound {
                    what: text!(
                        "source {}: it was not passed, but destination {index} needs it",
                        piece.source
                    ),
                })?;
                let from = sources.get(from).window(&piece.source_window, &mut first);
                let to = to.window(&piece.destination_window, &mut second);
                self.push_views(from, to)?;
            }
        }
        Ok(())
    }

    /// Adds a copy between a box of the full tensor, which starts at `part`, and one of a shard, of which
    /// start and strides are given.
    fn push_part(
        &mut self, full: ViewRef<'_>, sizes: &[i64], part: Start, (own, strides): (Start, &[i64]),
    ) -> Memory<()> {
        match self.side() {
            FullSide::Source => self.push_like(full, sizes, [part, own], [full.strides, strides]),
            FullSide::Destination => {
                self.push_like(full, sizes, [own, part], [strides, full.strides])
            }
        }
    }

    /// Adds a copy of a box of such elements as `view` has, from the first side to the second.
    pub(super) fn push_like(
        &mut self, view: ViewRef<'_>, sizes: &[i64], starts: [Start; 2], strides: [&[i64]; 2],
    ) -> Memory<()> {
        if sizes.contains(&0) {
            return Ok(());
        }
        let steps = strides[0].iter().zip(strides[1]);
        let dims = sizes.iter().zip(steps).rev();
        // Sizes and strides of memory: the library asks for 64-bit addresses.
        let dims = dims.map(|(&size, (&source, &destination))| {
            (size as usize, [source as isize, destination as isize])
        });
        self.push_box(view.units(), starts.map(Start::place), dims)
    }
}

impl LocalShards {
    /// Where a window of shard `number` of these starts, how its elements are counted, and how far a
    /// step in each of its dimensions goes, in these units. `room` holds the steps where the view does
    /// not.
    pub(crate) fn window<'w>(
        &'w self, number: usize, window: &Window<'w>, room: &'w mut [i64; MAX_NDIM],
    ) -> (BitPointer, Units, &'w [i64]) {
        let part = self.get(number).window(window, room);
        (part.start.place(), part.units(), part.strides)
    }
}

impl HostView {
    /// The part of this tensor that a shard owns.
    pub(crate) fn part(&self, shard: Shard<'_>) -> Self {
        self.sub_box(shard.offsets, shard.sizes)
    }

    /// A window of the buffer that this is a view of.
    pub(crate) fn window(&self, window: &Window<'_>) -> Self {
        self.by_ref().window(window, &mut [0; MAX_NDIM]).into()
    }
}

impl<'a> ViewRef<'a> {
    /// A window of this buffer, of which `room` holds the strides where the buffer does not.
    pub(crate) fn window<'w>(self, window: &Window<'w>, room: &'w mut StrideRoom) -> ViewRef<'w>
    where
        'a: 'w,
    {
        let (start, shape) = (self.at(window.offsets), window.sizes);
        let Some((dims, steps)) = window.strides else {
            return ViewRef { start, shape, ..self };
        };
        for (stride, (&dim, step)) in room.iter_mut().zip(dims.iter().zip(steps)) {
            *stride = self.strides[dim] * step;
        }
        ViewRef { start, shape, strides: &room[..shape.len()], ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Loop;
    use crate::model::DataType;

    fn view(shape: &[i64], strides: &[i64]) -> HostView {
        let first = std::ptr::without_provenance_mut(1 << 20);
        HostView::new("view", first, DataType::FLOAT32, shape, Some(strides)).unwrap()
    }

    fn piece(source: &HostView, destination: &HostView) -> (usize, Vec<(usize, isize, isize)>) {
        let mut plan = CopyList::new(FullSide::Source);
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
            let mut plan = CopyList::new(FullSide::Source);
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
