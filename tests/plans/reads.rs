//! Reads of a plan against its runs, block by block, on random layouts and options.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use crate::common::plans::{metadata, on_ranks, random_layout};
use crate::common::{Boxes, Random};
use shardspec::plan::{MergeOptions, PlanReads, ReshardPlan, Run};

/// Each block of some runs: source, destination, where it is in both, and its bytes.
fn blocks<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<[i64; 5]> {
    let mut all: Vec<_> = runs
        .flat_map(|run| {
            (0..run.count).map(move |block| {
                let source = run.source_offset + block * run.source_stride;
                let destination = run.destination_offset + block * run.destination_stride;
                [run.source as i64, run.destination as i64, source, destination, run.length]
            })
        })
        .collect();
    all.sort_unstable();
    all
}

/// The runs of reads, with offsets in the source.
fn in_source(found: &PlanReads) -> Vec<Run> {
    let mut runs = found.runs.clone();
    for read in &found.reads {
        for run in &mut runs[read.runs.clone()] {
            let ends = [run.source_offset, run.source_offset + (run.count - 1) * run.source_stride];
            assert!(ends.iter().all(|end| (0..=read.length - run.length).contains(end)), "{run:?}");
            assert_eq!(run.source, read.source);
            run.source_offset += read.offset;
        }
    }
    runs
}

/// Asserts what the reads of some runs promise.
fn assert_reads(found: &PlanReads, runs: &[Run], options: &MergeOptions) {
    assert_eq!(blocks(in_source(found).iter()), blocks(runs.iter()));
    assert!(found.reads.is_sorted_by_key(|read| (read.source, read.offset)), "{found:?}");
    let mut next = 0;
    for read in &found.reads {
        assert_eq!(read.runs.start, next);
        next = read.runs.end;
        let own = &found.runs[read.runs.clone()];
        let all = blocks(own.iter());
        let needed: i64 = all.iter().map(|block| block[4]).sum();
        assert!(all.len() == 1 || read.length as u64 <= options.max_read, "{read:?}");
        let is_small = read.length as f64 <= options.over_read * needed as f64;
        assert!(is_small || options.max_gap > 0, "{read:?} of {needed} needed bytes");
        assert!(all.iter().any(|block| block[2] == 0));
        assert!(all.iter().any(|block| block[2] + block[4] == read.length));
    }
    assert_eq!(next, found.runs.len());
}

#[test]
fn reads_get_each_block_of_all_runs_and_no_more_than_the_options_allow() {
    let (mut random, mut joined, mut divided) = (Random::new(11), 0, 0);
    for _ in 0..400 {
        let sizes: Vec<i64> = (0..random.range(1, 3)).map(|_| random.range(1, 12)).collect();
        let both = [0, 1].map(|_| {
            let cuts = random.below(20);
            metadata(random_layout(&sizes, cuts, 3, &mut random), &sizes)
        });
        let plan = ReshardPlan::new(&both[0], &both[1]).unwrap();
        let options = MergeOptions {
            max_gap: [0, 0, 2, 8][random.below(4)],
            over_read: [1.0, 1.5, 2.0, 1e9][random.below(4)],
            max_read: [1, 8, 50, 1 << 20][random.below(4)],
        };
        let pieces = 0..plan.len();
        let runs = plan.runs(pieces.clone(), 2).unwrap();
        let found = plan.reads_of_bits(pieces, 16, &options).unwrap();
        assert_reads(&found, &runs, &options);
        joined += usize::from(found.reads.len() < blocks(runs.iter()).len());
        divided += usize::from(found.runs.len() > runs.len());
    }
    assert!(joined > 100 && divided > 20, "{joined} {divided}");
}

/// A column of two bytes of nine rows of four: in one read where the options allow it, and else row by row.
#[test]
fn a_column_is_as_many_reads_as_the_options_ask_for() {
    let columns = Boxes::of(2, &[(&[0, 0], &[9, 2]), (&[0, 2], &[9, 2])]);
    let source = on_ranks(&Boxes::of(2, &[(&[0, 0], &[9, 4])]), &[0]);
    let plan = ReshardPlan::from_shards(source, on_ranks(&columns, &[1, 2])).unwrap();
    let lengths = |max_gap, over_read, max_read| {
        let options = MergeOptions { max_gap, over_read, max_read };
        let found = plan.reads_of_bits(plan.pieces_into(0), 8, &options).unwrap();
        found.reads.iter().map(|read| read.length).collect::<Vec<_>>()
    };
    assert_eq!(lengths(2, 1.0, 1 << 20), [34]);
    assert_eq!(lengths(0, 2.0, 1 << 20), [34]);
    assert_eq!(lengths(0, 1.5, 1 << 20), [6, 6, 6, 6, 2]);
    assert_eq!(lengths(0, 1.4, 1 << 20), [2; 9]);
    assert_eq!(lengths(1, 1.0, 1 << 20), [2; 9]);
    assert_eq!(lengths(2, 1.0, 10), [10; 3]);
    assert_eq!(lengths(2, 1.0, 2), [2; 9]);
}

/// What the bytes of several destinations add up to needs more than 64 bits.
#[test]
fn copies_of_a_huge_shard_are_one_read() {
    let (size, most) = ([i64::MAX / 2], u64::MAX / 4);
    let one = on_ranks(&Boxes::of(1, &[(&[0], &size)]), &[0]);
    let copies = on_ranks(&Boxes::of(1, &[(&[0][..], &size[..]); 9]), &[0; 9]);
    let plan = ReshardPlan::from_shards(one, copies).unwrap();
    let options = MergeOptions { over_read: 1.0, max_gap: 0, ..MergeOptions::default() };
    let found = plan.reads_of_bits(0..plan.len(), 8, &options).unwrap();
    assert_eq!((found.reads.len(), found.runs.len()), (1, 9));
    assert_eq!(found.reads[0].length as u64, most);
}
