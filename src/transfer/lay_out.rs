//! Copies between views, laid out as strided copies of bytes.

use super::view::{HostView, Start};
use crate::host::copy_list::{CopyList, FullSide, Units};
use crate::memory::Memory;
use crate::model::shards::Shard;

impl CopyList {
    /// Adds a copy of all elements. Both views have the same shape and element type.
    pub(crate) fn push(&mut self, source: &HostView, destination: &HostView) -> Memory<()> {
        let starts = [Start::of(source), Start::of(destination)];
        let strides = [source.strides(), destination.strides()];
        self.push_like(destination, destination.shape(), starts, strides)
    }

    /// Adds a copy between a shard and what it owns of the full tensor.
    pub(crate) fn push_shard(
        &mut self, full: &HostView, owned: Shard<'_>, shard: &HostView,
    ) -> Memory<()> {
        if owned.is_empty() {
            // It may be where there is no element.
            return Ok(());
        }
        let (part, own) = (Start::at(full, owned.offsets), Start::of(shard));
        self.push_part(full, owned.sizes, part, (own, shard.strides()))
    }

    /// Adds a copy between a box of the full tensor, which starts at `part`, and one of a shard, of which
    /// start and strides are given.
    pub(super) fn push_part(
        &mut self, full: &HostView, sizes: &[i64], part: Start, (own, strides): (Start, &[i64]),
    ) -> Memory<()> {
        match self.side() {
            FullSide::Source => self.push_like(full, sizes, [part, own], [full.strides(), strides]),
            FullSide::Destination => {
                self.push_like(full, sizes, [own, part], [strides, full.strides()])
            }
        }
    }

    /// Adds a copy of a box of such elements as `view` has, from the first side to the second.
    fn push_like(
        &mut self, view: &HostView, sizes: &[i64], starts: [Start; 2], strides: [&[i64]; 2],
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
        let units = Units { width: view.width(), per_byte: view.units_of_a_byte() };
        self.push_box(units, starts.map(Start::place), dims)
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
