#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests: an overflow or a bad index is a failure"
)]

use super::*;
use crate::host::options::{Instructions, Stores};
use crate::model::placements::Placements;
use crate::model::shards::Shards;
use crate::model::{DataType, Placement, ShardedTensorMetadata, TensorProperties};

const ROWS: i64 = 48;
const COLUMNS: i64 = 600;

/// Columns that are cut at rows of their own: neighbours have a part of each other's rows only.
fn bricks() -> ShardedTensorMetadata {
    let columns: [(i64, &[i64]); 4] =
        [(0, &[0, 11, 30]), (150, &[0, 20, 41]), (290, &[0, 5, 17]), (450, &[0, 26])];
    let (mut offsets, mut sizes) = (vec![], vec![]);
    for (at, (column, rows)) in columns.iter().enumerate() {
        let end = columns.get(at + 1).map_or(COLUMNS, |next| next.0);
        for (number, &row) in rows.iter().enumerate() {
            let last = rows.get(number + 1).copied().unwrap_or(ROWS);
            offsets.extend([row, *column]);
            sizes.extend([last - row, end - column]);
        }
    }
    let placement = Placement::on_rank(0).unwrap();
    let placements = Placements::new(std::iter::repeat_n(placement, offsets.len() / 2)).unwrap();
    let shards = Shards::new(2, offsets, sizes, placements).unwrap();
    ShardedTensorMetadata::new(shards, &[ROWS, COLUMNS], TensorProperties::default()).unwrap()
}

fn view(data: &mut [u32], shape: &[i64]) -> HostView {
    HostView::new("view", data.as_mut_ptr().cast(), DataType::FLOAT32, shape, None).unwrap()
}

fn options(stores: Stores, instructions: Instructions) -> CopyOptions {
    CopyOptions { max_threads: 1, stores, instructions, prefetch: None }
}

#[test]
fn boxes_that_are_neighbours_for_a_part_of_their_rows_are_copied_by_rows_both_ways() {
    let metadata = bricks();
    let numel = (ROWS * COLUMNS) as usize;
    let mut full: Vec<u32> = (0..numel as u32).map(|at| at.wrapping_mul(0x9e37_79b1)).collect();
    for instructions in [Instructions::Best, Instructions::Portable] {
        let options = options(Stores::Stream, instructions);
        let boxes: Vec<_> = metadata.shards().iter().collect();
        let mut memory: Vec<Vec<u32>> =
            boxes.iter().map(|of| vec![0; of.sizes.iter().product::<i64>() as usize]).collect();
        let views: Vec<HostView> =
            memory.iter_mut().zip(&boxes).map(|(own, of)| view(own, of.sizes)).collect();
        let shards = LocalShards::new(&metadata, views.iter().enumerate()).unwrap();
        let source = view(&mut full, &[ROWS, COLUMNS]);
        let mut back = vec![0; numel];
        let destination = view(&mut back, &[ROWS, COLUMNS]);

        for parts in [Parts::Scatter(&source, &shards), Parts::Gather(&shards, &destination)] {
            let order = HostMemory::lay_out(parts, &options).unwrap().order;
            assert!(matches!(order, CopyOrder::Rows(_)), "that is the premise");
        }
        let scatter = HostTransfer::scatter(&metadata, &source, &shards, &options).unwrap();
        // SAFETY: `full` and `memory` are alive, and nothing else uses them.
        unsafe { scatter.run() };
        for (own, of) in memory.iter().zip(&boxes) {
            for (row, line) in own.chunks(of.sizes[1] as usize).enumerate() {
                let start =
                    (of.offsets[0] as usize + row) * COLUMNS as usize + of.offsets[1] as usize;
                assert_eq!(line, &full[start..start + line.len()], "row {row} of {:?}", of.offsets);
            }
        }
        let gather = HostTransfer::gather(&metadata, &shards, &destination, &options).unwrap();
        // SAFETY: `memory` and `back` are alive, and nothing else uses them.
        unsafe { gather.run() };
        assert_eq!(back, full);
    }
}

#[test]
fn a_copy_that_stays_in_the_caches_is_not_carried_out_by_rows() {
    let metadata = bricks();
    let first = std::ptr::without_provenance_mut(1 << 20);
    let new = |shape: &[i64]| HostView::new("view", first, DataType::FLOAT32, shape, None).unwrap();
    let views: Vec<HostView> = metadata.shards().iter().map(|of| new(of.sizes)).collect();
    let shards = LocalShards::new(&metadata, views.iter().enumerate()).unwrap();
    let parts = |full| Parts::Scatter(full, &shards);
    let full = new(&[ROWS, COLUMNS]);
    for (stores, by_rows) in [(Stores::Cached, false), (Stores::Stream, true)] {
        let order = HostMemory::lay_out(parts(&full), &options(stores, Instructions::Best));
        assert_eq!(matches!(order.unwrap().order, CopyOrder::Rows(_)), by_rows);
    }
}
