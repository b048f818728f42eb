//! Shards that are copied alone, out of rows of which others have the rest.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "tests: an overflow is a failure, and so is what fails to be made"
)]

use shardspec::transfer::{CopyOptions, Stores};

use crate::common::Random;
use crate::common::families::grid_of;
use crate::common::strided::Form;
use crate::common::tensor::of_bytes;
use crate::kernels::{evenly, every_way, round_trip};

/// Bytes of a cache line.
const LINE: usize = 64;

/// Turns of one row and more, runs that are whole lines and others, destinations that begin with a line and
/// inside of one.
#[test]
fn a_shard_that_is_extracted_alone_has_each_run_of_each_turn() {
    let random = &mut Random::new(3);
    for run in [63, 64, 65, 96, 100, 127, 128, 200, 448, 1000, 1024, 1536, 1537, 1600, 4096, 4160] {
        for (planes, rows) in [(1, 1), (1, 2), (1, 70), (2, 3), (5, 1), (3, 17), (9, 40)] {
            let cuts = [vec![0, planes], evenly(2, rows, rows), evenly(3, run, run)];
            let begins_a_line = random.below(2) == 0;
            let form = |random: &mut Random, is_full: bool| match (is_full, begins_a_line) {
                (true, _) => Form::padded(random.range(0, 70), random.range(0, 70), random),
                (false, true) => Form { place: 0, ..Form::dense(random) },
                (false, false) => Form::dense(random),
            };
            let ways = every_way();
            let ways = &ways[..3];
            round_trip(&grid_of(&cuts), of_bytes(1), ways, form, random).unwrap();
        }
    }
}

#[test]
fn a_large_shard_that_is_extracted_alone_is_whole_on_several_threads() {
    let random = &mut Random::new(4);
    for (run, planes, rows) in [(25, 40, 1500), (160, 9, 1001), (256, 11, 700), (32, 700, 70)] {
        let cuts = [vec![0, planes], vec![0, rows], evenly(2, run, run)];
        let ways = [3, 1].map(|max_threads| CopyOptions {
            max_threads,
            stores: Stores::Stream,
            ..CopyOptions::default()
        });
        round_trip(&grid_of(&cuts), of_bytes(4), &ways, |random, _| Form::dense(random), random)
            .unwrap();
    }
}

/// Rows of shards that begin with a line, as squares in registers need it: of whole squares, and of more
/// rows and columns.
#[test]
fn a_transposed_tensor_round_trips_where_rows_of_shards_begin_with_a_line() {
    let random = &mut Random::new(5);
    for item in [1, 2, 4, 8] {
        let side = (LINE / item) as i64;
        for (rows, columns) in [(1, 1), (1, 2), (2, 1), (3, 9), (5, 3), (9, 2)] {
            for (more_rows, more_columns) in [(0, 0), (0, 1), (3, 0), (side - 1, 5)] {
                // A column of the tensor is a row of a shard's memory, with a gap that makes it whole lines.
                let (height, width) = (rows * side + more_rows, columns * side + more_columns);
                let gap = (side - height % side) % side;
                let cuts = [evenly(2, width, width), vec![0, height]];
                let form = |random: &mut Random, is_full: bool| {
                    if is_full {
                        Form { order: Some(vec![0, 1]), ..Form::dense(random) }
                    } else {
                        Form { place: 0, ..Form::padded(gap, 0, random) }
                    }
                };
                let ways = every_way();
                let ways = &ways[..4];
                round_trip(&grid_of(&cuts), of_bytes(item), ways, form, random).unwrap();
            }
        }
    }
}
