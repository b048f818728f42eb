//! Which of the sources that hold the same elements are read.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use crate::common::Boxes;
use crate::common::plans::on_ranks;
use shardspec::model::Error;
use shardspec::plan::{PlanError, ReshardPlan};

/// A box of `N` dimensions, by where it starts and how long it is.
type Cut<const N: usize> = ([i64; N], [i64; N]);

fn boxes<const N: usize>(cuts: impl Iterator<Item = Cut<N>>) -> Boxes {
    let mut boxes = Boxes::new(N);
    cuts.for_each(|(offsets, sizes)| boxes.push(&offsets, &sizes));
    boxes
}

/// The plan from boxes on ranks to boxes of a rank that has none of them.
fn plan<const N: usize>(source: &[(Cut<N>, i64)], wanted: &[Cut<N>]) -> ReshardPlan {
    let ranks: Vec<i64> = source.iter().map(|(_, rank)| *rank).collect();
    let source = on_ranks(&boxes(source.iter().map(|(cut, _)| *cut)), &ranks);
    let destination = on_ranks(&boxes(wanted.iter().copied()), &vec![99; wanted.len()]);
    ReshardPlan::from_shards(source, destination).unwrap()
}

/// For each piece its destination, its source, and where it starts in the destination.
fn choices(plan: &ReshardPlan) -> Vec<(usize, usize, Vec<i64>)> {
    let start = |piece: shardspec::plan::Piece<'_>| piece.destination_window.offsets.to_vec();
    plan.pieces().map(|piece| (piece.destination, piece.source, start(piece))).collect()
}

fn sources(plan: &ReshardPlan) -> Vec<usize> {
    plan.pieces().map(|piece| piece.source).collect()
}

fn piece_sizes(plan: &ReshardPlan) -> Vec<&[i64]> {
    plan.pieces().map(|piece| piece.sizes).collect()
}

fn line(start: i64, length: i64) -> Cut<1> {
    ([start], [length])
}

#[test]
fn what_only_one_rank_holds_counts_before_copies_are_given() {
    let source = [(line(4, 4), 0), (line(4, 4), 1), (line(0, 4), 1)];
    let wanted = [line(0, 1), line(1, 1), line(2, 1), line(3, 1), line(4, 2), line(6, 2)];
    // Rank 1 reads four elements anyway, so rank 0 gives all of the others.
    assert_eq!(sources(&plan(&source, &wanted)), [2, 2, 2, 2, 0, 0]);
}

#[test]
fn of_copies_of_one_rank_each_is_read_as_much() {
    let wanted = [line(0, 2), line(2, 2), line(4, 2), line(6, 2)];
    assert_eq!(sources(&plan(&[(line(0, 8), 0); 2], &wanted)), [0, 1, 0, 1]);
}

#[test]
fn of_copies_that_are_read_as_much_the_first_shard_is_read() {
    let source = [(line(0, 4), 0), (line(0, 4), 1), (line(4, 4), 1), (line(4, 4), 0)];
    let plan = plan(&source, &[line(4, 4)]);
    assert_eq!(choices(&plan), [(0, 2, vec![0]), (0, 3, vec![2])]);
}

#[test]
fn the_largest_parts_are_given_first() {
    let plan = plan(&[(line(0, 4), 0), (line(0, 4), 1)], &[line(0, 1), line(1, 1), line(2, 2)]);
    assert_eq!(choices(&plan), [(0, 1, vec![0]), (1, 1, vec![0]), (2, 0, vec![0])]);
}

/// Each of three ranks holds two of three boxes.
#[test]
fn parts_that_are_no_more_than_a_fair_share_stay_whole() {
    let [a, b, c] = [0, 4, 8].map(|start| line(start, 4));
    let source = [(a, 0), (a, 1), (b, 0), (b, 2), (c, 1), (c, 2)];
    assert_eq!(sources(&plan(&source, &[a, b, c])), [0, 3, 4]);
}

#[test]
fn a_part_that_boxes_of_several_ranks_hold_is_shared_by_all_of_them() {
    let plan = plan(&[(line(0, 10), 0), (line(0, 12), 1)], &[line(0, 10)]);
    assert_eq!(choices(&plan), [(0, 0, vec![0]), (0, 1, vec![5])]);
}

/// Two ranks hold both of two boxes that overlap. Eight others could read a part that is small.
#[test]
fn a_part_is_divided_by_the_ranks_that_hold_it_and_not_by_their_shards() {
    let (large, larger, small) = (line(0, 100), line(0, 101), line(200, 1));
    let mut source = vec![(large, 0), (large, 1), (larger, 1), (larger, 0)];
    source.extend((2..10).map(|rank| (small, rank)));
    let plan = plan(&source, &[large, small]);
    assert_eq!(piece_sizes(&plan), [[50], [50], [1]]);
    let rank = |shard: usize| plan.source().get(shard).unwrap().placement.rank().unwrap();
    let mut ranks: Vec<i64> = plan.pieces().map(|piece| rank(piece.source)).collect();
    ranks[..2].sort_unstable();
    assert_eq!(ranks, [0, 1, 2]);
}

#[test]
fn a_part_is_divided_along_the_first_dimension_that_is_long_enough() {
    let divided = |sizes: [i64; 2], copies: usize| {
        let whole = ([0, 0], sizes);
        let source: Vec<_> = (0..copies as i64).map(|rank| (whole, rank)).collect();
        let plan = plan(&source, &[whole]);
        piece_sizes(&plan).iter().map(|sizes| sizes.to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(divided([2, 8], 2), [[1, 8]; 2]);
    assert_eq!(divided([5, 8], 2), [[3, 8], [2, 8]]);
    assert_eq!(divided([1, 8], 2), [[1, 4]; 2]);
    assert_eq!(divided([2, 9], 3), [[2, 3]; 3]);
    // Where none is, along the longest, among fewer ranks.
    assert_eq!(divided([2, 3], 4), [[2, 1]; 3]);
}

/// No straight cut divides five boxes, and copies of equal boxes do not follow each other.
#[test]
fn copies_of_boxes_that_share_nothing_are_read_whole_in_whatever_order_they_come() {
    let wheel =
        [([0, 0], [1, 2]), ([0, 2], [2, 1]), ([2, 1], [1, 2]), ([1, 0], [2, 1]), ([1, 1], [1, 1])];
    let source: Vec<_> =
        [0, 1].iter().flat_map(|&rank| wheel.map(move |cut| (cut, rank))).collect();
    let plan = plan(&source, &[([0, 0], [3, 3])]);
    let mut read: Vec<_> = plan.pieces().map(|it| (it.source % 5, it.sizes.to_vec())).collect();
    read.sort_unstable();
    let whole = wheel.iter().map(|(_, sizes)| sizes.to_vec()).enumerate();
    assert_eq!(read, whole.collect::<Vec<_>>());
}

#[test]
fn what_no_copy_holds_is_refused() {
    let source = on_ranks(&boxes([line(0, 4), line(0, 4)].into_iter()), &[0, 1]);
    let destination = on_ranks(&boxes([line(0, 4), line(2, 4)].into_iter()), &[9, 9]);
    let refused = ReshardPlan::from_shards(source, destination).unwrap_err();
    let Error::Plan(PlanError::NoSource { destination, region, .. }) = refused else {
        panic!("{refused}")
    };
    assert_eq!((destination, &region.offsets[..], &region.sizes[..]), (1, &[4][..], &[2][..]));
}
