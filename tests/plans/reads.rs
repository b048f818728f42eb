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

/// How many blocks are in one read, merged one by one: the first and all that the options join to it.
fn blocks_of_a_read(length: u64, step: u64, count: u64, options: &MergeOptions) -> u64 {
    let joins = |blocks: &u64| {
        let (bytes, needed) = (length + (blocks - 1) * step, length * blocks);
        let is_near = step - length <= options.max_gap;
        bytes <= options.max_read && (is_near || bytes as f64 <= options.over_read * needed as f64)
    };
    (2..=count).take_while(joins).last().unwrap_or(1)
}

/// Columns of a matrix of bytes: all rows that are in one read are one run, as long as every row is near.
#[test]
fn a_run_is_divided_where_a_read_ends_and_nowhere_else() {
    let (mut random, mut whole, mut divided) = (Random::new(12), 0, 0);
    for _ in 0..1000 {
        let [count, width] = [random.range(2, 9), random.range(2, 9)];
        let length = random.range(1, width);
        let source = on_ranks(&Boxes::of(2, &[(&[0, 0], &[count, width])]), &[0]);
        let columns = on_ranks(&Boxes::of(2, &[(&[0, 0], &[count, length])]), &[1]);
        let plan = ReshardPlan::from_shards(source, columns).unwrap();
        let options = MergeOptions {
            max_gap: random.below(8) as u64,
            over_read: [1.0, 1.5, 2.0, 3.0][random.below(4)],
            max_read: [1, 4, 9, 20, 35, 1 << 20][random.below(6)],
        };
        let found = plan.reads_of_bits(0..1, 8, &options).unwrap();
        let (long, step, rows) = (length as u64, width as u64, count as u64);
        let each = blocks_of_a_read(long, step, rows, &options);
        let lengths: Vec<u64> = found.reads.iter().map(|read| read.length as u64).collect();
        let rows_from = |first: u64| each.min(rows - first);
        let expected = (0..rows).step_by(each as usize);
        let expected = expected.map(|first| long + (rows_from(first) - 1) * step);
        assert_eq!(
            lengths,
            expected.collect::<Vec<_>>(),
            "{count} * {length} of {width}: {options:?}"
        );
        let all_are_near = MergeOptions { max_read: u64::MAX, ..options };
        if blocks_of_a_read(long, step, rows, &all_are_near) == rows {
            assert_eq!(found.runs.len(), found.reads.len(), "{options:?}");
            whole += usize::from(found.reads.len() == 1);
            divided += usize::from((2..count as usize).contains(&found.reads.len()));
        }
    }
    assert!(whole > 50 && divided > 50, "{whole} {divided}");
}

/// Five blocks of two bytes at steps of four, and a byte behind a gap.
#[test]
fn what_a_read_needs_counts_every_block_of_its_runs() {
    let source = on_ranks(&Boxes::of(2, &[(&[0, 0], &[6, 4])]), &[0]);
    let parts = Boxes::of(2, &[(&[0, 0], &[5, 2]), (&[5, 3], &[1, 1])]);
    let plan = ReshardPlan::from_shards(source, on_ranks(&parts, &[1, 1])).unwrap();
    let lengths = |over_read| {
        let options = MergeOptions { max_gap: 2, over_read, max_read: 1 << 20 };
        let found = plan.reads_of_bits(0..2, 8, &options).unwrap();
        found.reads.iter().map(|read| read.length).collect::<Vec<_>>()
    };
    // All of them are 24 bytes, of which 11 are needed.
    assert_eq!(lengths(2.2), [24]);
    assert_eq!(lengths(2.1), [18, 1]);
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
