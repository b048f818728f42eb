//! Runs of packed elements: which of them end where bytes do.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use crate::common::Boxes;
use crate::common::plans::on_ranks;
use shardspec::model::Error;
use shardspec::plan::ReshardPlan;

/// The plan from an interval to another one.
fn plan(source: [i64; 2], destination: [i64; 2]) -> ReshardPlan {
    let interval =
        |[start, length]: [i64; 2]| on_ranks(&Boxes::of(1, &[(&[start][..], &[length][..])]), &[0]);
    ReshardPlan::from_shards(interval(source), interval(destination)).unwrap()
}

#[test]
fn bytes_that_end_inside_of_a_shard_are_never_taken_in_part() {
    // Of 14 elements of 4 bits the first seven: the byte of the last one has an element of nobody's.
    let first = plan([0, 14], [0, 7]);
    assert!(matches!(first.runs_of_bits(0..1, 4), Err(Error::Unsupported { .. })));
    assert!(matches!(first.count_runs_of_bits(0..1, 4), Err(Error::Unsupported { .. })));
    // The last seven start inside of that byte.
    assert!(matches!(plan([0, 14], [7, 7]).runs_of_bits(0..1, 4), Err(Error::Unsupported { .. })));
}

#[test]
fn elements_of_one_bit_are_moved_in_bytes() {
    let plan = plan([0, 32], [8, 16]);
    let runs = plan.runs_of_bits(0..1, 1).unwrap();
    let [run] = &runs[..] else { panic!("{runs:?}") };
    assert_eq!((run.source_offset, run.destination_offset, run.length), (1, 0, 2));
    assert_eq!(plan.count_runs_of_bits(0..1, 1).unwrap(), 1);
}

#[test]
fn elements_without_bits_are_refused_by_the_name_of_their_number() {
    for bits in [0, -8] {
        let refused = plan([0, 8], [0, 8]).runs_of_bits(0..1, bits).unwrap_err();
        let Error::TooSmall { argument, value, least } = refused else { panic!("{refused}") };
        assert_eq!((argument, value, least), ("bits", bits, 1));
    }
}
