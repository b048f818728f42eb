//! Families of boxes that are hard for one algorithm or another, with answers known by how they
//! are made. They are large: an algorithm that is quadratic on one of them takes minutes.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use crate::common::families::{self, Cut};
use crate::common::{Boxes, Random, hard, naive};
use shardspec::geometry::Region;
use shardspec::model::ModelError;
use shardspec::model::error::More;
use shardspec::model::{Error, validate};

#[track_caller]
fn assert_partitions(cut: &Cut) {
    let shards = cut.boxes.shards();
    assert_eq!(validate::check_non_overlapping(&shards), Ok(()));
    assert_eq!(validate::check_tensor(&shards, &cut.sizes), Ok(()));
}

/// Asserts that this partition passes in order and shuffled, that one box more on a random element
/// is found, and that one box less is.
#[track_caller]
fn assert_told_apart_from_its_neighbours(cut: &Cut) {
    let mut random = Random::new(cut.boxes.len() as u64);
    assert_partitions(cut);
    let Cut { sizes, mut boxes } = cut.clone();
    boxes = boxes.shuffled(&mut random);
    assert_partitions(&Cut { sizes: sizes.clone(), boxes: boxes.clone() });

    let element: Vec<i64> = sizes.iter().map(|&size| random.range(0, size)).collect();
    boxes.push(&element, &vec![1; sizes.len()]);
    let last = boxes.len() - 1;
    assert_overlap_at(&boxes, last, &element);
    boxes.remove(last);

    let dropped = random.below(boxes.len());
    let region = Region::new(boxes.offsets(dropped), boxes.sizes(dropped));
    boxes.remove(dropped);
    let shards = boxes.shards();
    assert_eq!(validate::check_non_overlapping(&shards), Ok(()));
    assert_only_gap(validate::check_tensor(&shards, &sizes), &region);
}

/// Asserts that one box is left to nobody, and that it is this one.
#[track_caller]
fn assert_only_gap(result: shardspec::model::Result<()>, expected: &Region) {
    match result {
        Err(Error::Model(ModelError::Gap { region, more: More::NONE, .. })) => {
            assert_eq!(&region, expected)
        }
        other => panic!("{other:?}"),
    }
}

/// Asserts that the overlap found is the one of the box `intruder`, which is one element.
#[track_caller]
fn assert_overlap_at(boxes: &Boxes, intruder: usize, element: &[i64]) {
    match validate::check_non_overlapping(&boxes.shards()) {
        Err(Error::Model(ModelError::Overlap { first, second, region, .. })) => {
            assert_eq!(region, Region::new(element, &vec![1; element.len()]));
            assert_eq!(second, intruder);
            assert_eq!(naive::intersection(boxes, first, second), Some(region));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn grids_are_told_apart_from_their_neighbours() {
    for counts in [&[20_000][..], &[128, 128], &[2, 8192], &[8192, 2], &[25, 25, 26], &[7; 5]] {
        let cell: Vec<i64> = (1..=counts.len() as i64).collect();
        assert_told_apart_from_its_neighbours(&families::grid(counts, &cell));
    }
}

#[test]
fn nested_grids_of_unequal_cells_are_told_apart_from_their_neighbours() {
    let mut random = Random::new(1);
    for outer in [&[12, 12][..], &[5, 5, 5], &[3, 3, 3, 3]] {
        assert_told_apart_from_its_neighbours(&families::nested_grids(outer, 40, &mut random));
    }
}

#[test]
fn rows_with_columns_of_their_own_are_told_apart_from_their_neighbours() {
    let mut random = Random::new(8);
    for (rows, columns) in [(100, 150), (2, 9000), (9000, 2)] {
        let Cut { sizes, boxes } = families::ragged(rows, columns, &mut random);
        assert_told_apart_from_its_neighbours(&with_dims_in_order(&sizes, &boxes, &[1, 0]));
        assert_told_apart_from_its_neighbours(&Cut { sizes, boxes });
    }
}

/// The same boxes, whose dimension `dim` is another one, `order[dim]`.
fn with_dims_in_order(sizes: &[i64], boxes: &Boxes, order: &[usize]) -> Cut {
    let moved = |row: &[i64]| order.iter().map(|&dim| row[dim]).collect::<Vec<_>>();
    let mut turned = Boxes::new(order.len());
    for index in 0..boxes.len() {
        turned.push(&moved(boxes.offsets(index)), &moved(boxes.sizes(index)));
    }
    Cut { sizes: moved(sizes), boxes: turned }
}

#[test]
fn loops_and_cuts_in_any_order_of_dimensions_are_told_apart_from_their_neighbours() {
    let mut random = Random::new(6);
    let grid = families::grid(&[20, 30, 25], &[3, 1000, 1 << 30]);
    let cut = families::partition(&[1 << 20; 3], 15_000, &mut random);
    for Cut { sizes, boxes } in [grid, cut] {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            assert_told_apart_from_its_neighbours(&with_dims_in_order(&sizes, &boxes, &order));
        }
    }
}

#[test]
fn slabs_that_all_meet_in_one_dimension_are_told_apart_from_their_neighbours() {
    let Cut { sizes, boxes } = families::slabs(10_000);
    assert_told_apart_from_its_neighbours(&with_dims_in_order(&sizes, &boxes, &[1, 0]));
    assert_told_apart_from_its_neighbours(&Cut { sizes, boxes });
}

#[test]
fn rods_through_each_other_in_3_d_are_told_apart_from_their_neighbours() {
    assert_told_apart_from_its_neighbours(&families::packed_rods(24));
}

#[test]
fn what_rods_leave_is_found_as_a_gap() {
    let Cut { sizes, boxes } = families::rods(60);
    let shards = boxes.shards();
    assert_eq!(validate::check_non_overlapping(&shards), Ok(()));
    match validate::check_tensor(&shards, &sizes) {
        Err(Error::Model(ModelError::Gap { region, .. })) => {
            naive::assert_is_maximal_gap(&region, &sizes, |offsets, sizes| {
                naive::any_meets(&boxes, offsets, sizes)
            });
        }
        other => panic!("{other:?}"),
    }
}

/// Slabs that cross leave as many gaps as a tensor has corners.
#[test]
fn a_few_of_the_gaps_between_slabs_of_32_dimensions_are_told_without_all_others() {
    let Cut { sizes, boxes } = hard::slabs(32);
    let gaps = validate::gaps(&boxes.shards(), &sizes, 10).unwrap();
    assert!(gaps.boxes.len() == 10 && gaps.more);
    for gap in &gaps.boxes {
        assert!(!naive::any_meets(&boxes, &gap.offsets, &gap.sizes));
    }
}

#[test]
fn cuts_of_16_and_32_dimensions_are_told_apart_from_their_neighbours() {
    let mut random = Random::new(2);
    for ndim in [16, 32] {
        // 3^32 * 2^12 elements are about as many as 64 bits count.
        let levels = if ndim == 16 { 14 } else { 12 };
        assert_told_apart_from_its_neighbours(&families::halved(ndim, levels));
        let sizes: Vec<i64> = vec![if ndim == 16 { 15 } else { 3 }; ndim];
        assert_told_apart_from_its_neighbours(&families::partition(&sizes, 16_384, &mut random));
    }
}

#[test]
fn boxes_that_differ_in_one_dimension_only_are_told_apart_from_their_neighbours() {
    for dim in 0..4 {
        let mut counts = [1; 4];
        counts[dim] = 20_000;
        assert_told_apart_from_its_neighbours(&families::grid(&counts, &[9; 4]));
    }
}

#[test]
fn twenty_thousand_equal_boxes_overlap() {
    let mut boxes = Boxes::new(3);
    for _ in 0..20_000 {
        boxes.push(&[4, 5, 6], &[1, 2, 3]);
    }
    match validate::check_non_overlapping(&boxes.shards()) {
        Err(Error::Model(ModelError::Overlap { first, second, region, .. })) => {
            assert!(first < second && second < 20_000);
            assert_eq!(region, Region::new(&[4, 5, 6], &[1, 2, 3]));
        }
        other => panic!("{other:?}"),
    }
}

/// Sparse boxes, none of which touches another, and one that shares one corner element with one.
#[test]
fn one_shared_element_among_twenty_thousand_boxes_is_found() {
    let mut random = Random::new(3);
    let Cut { mut boxes, .. } = families::grid(&[20, 25, 40], &[7, 7, 7]);
    boxes.sizes.iter_mut().for_each(|size| *size = 5);
    assert_eq!(validate::check_non_overlapping(&boxes.shards()), Ok(()));
    boxes = boxes.shuffled(&mut random);
    for _ in 0..20 {
        // It starts in the last element of a box and ends before the next ones start.
        let host = random.below(boxes.len());
        let corner: Vec<i64> = boxes.offsets(host).iter().map(|offset| offset + 4).collect();
        boxes.push(&corner, &[3; 3]);
        let last = boxes.len() - 1;
        match validate::check_non_overlapping(&boxes.shards()) {
            Err(Error::Model(ModelError::Overlap { first, second, region, .. })) => {
                assert_eq!((first, second), (host, last));
                assert_eq!(region, Region::new(&corner, &[1; 3]));
            }
            other => panic!("{other:?}"),
        }
        boxes.remove(last);
    }
}

#[test]
fn boxes_that_touch_do_not_overlap() {
    // Around the centre box, one in every direction: faces, edges and corners touch.
    let cut = families::grid_of(&[vec![0, 2, 5, 9], vec![0, 1, 4, 6], vec![0, 3, 4, 8]]);
    assert_told_apart_from_its_neighbours(&cut);
}

#[test]
fn coordinates_near_the_largest_integer_are_handled() {
    let far = i64::MAX - 20;
    let mut cut = families::grid(&[5, 4], &[4, 5]);
    cut.boxes.offsets.iter_mut().for_each(|offset| *offset += far);
    let shards = cut.boxes.shards();
    assert_eq!(validate::check_non_overlapping(&shards), Ok(()));
    cut.boxes.push(&[i64::MAX - 1, i64::MAX - 1], &[1, 1]);
    let last = cut.boxes.len() - 1;
    assert_overlap_at(&cut.boxes, last, &[i64::MAX - 1, i64::MAX - 1]);

    // One row of as many elements as 64 bits count.
    let borders: Vec<i64> = (0..=16_384).map(|at| i64::MAX / 16_384 * at).collect();
    let mut borders = vec![vec![0, 1], borders];
    *borders[1].last_mut().unwrap() = i64::MAX;
    assert_told_apart_from_its_neighbours(&families::grid_of(&borders));

    let whole = Boxes::of(1, &[(&[0], &[i64::MAX]), (&[i64::MAX], &[0]), (&[7], &[0])]);
    assert_partitions(&Cut { sizes: vec![i64::MAX], boxes: whole });
}

/// A list of no shards may be one of any number of dimensions.
#[test]
fn no_shards_leave_the_whole_of_any_tensor_as_a_gap() {
    let none = Boxes::new(2).shards();
    for sizes in [&[] as &[i64], &[3], &[3, 2], &[3, 2, 4]] {
        let whole = Region::new(&vec![0; sizes.len()], sizes);
        assert_only_gap(validate::check_tensor(&none, sizes), &whole);
        assert_only_gap(validate::check_coverage(&none, sizes), &whole);
        let found = validate::gaps(&none, sizes, 10).unwrap();
        assert_eq!((found.boxes, found.more), (vec![whole], false), "{sizes:?}");
    }
}

#[test]
fn a_tensor_without_elements_has_no_gaps_where_shards_overlap_behind_its_end() {
    let twice = Boxes::of(2, &[(&[0, 0], &[2, 5]), (&[1, 0], &[2, 5])]).shards();
    for sizes in [[0, 5], [3, 0], [0, 0]] {
        let found = validate::gaps(&twice, &sizes, 10).unwrap();
        assert_eq!((found.boxes, found.more), (vec![], false), "{sizes:?}");
    }
}

/// An empty tensor has no gaps, and a tensor without dimensions has one element.
#[test]
fn tensors_of_no_elements_and_of_no_dimensions_are_handled() {
    let empty = Boxes::of(2, &[(&[0, 0], &[0, 5])]);
    assert_partitions(&Cut { sizes: vec![0, 5], boxes: empty.clone() });
    assert_partitions(&Cut { sizes: vec![0, 0], boxes: empty });

    let scalars = |count: usize| {
        let placement = shardspec::model::Placement::on_rank(0).unwrap();
        let placements = std::iter::repeat_n(placement, count);
        let placements = shardspec::model::Placements::new(placements).unwrap();
        shardspec::model::Shards::new(0, vec![], vec![], placements).unwrap()
    };
    assert_eq!(validate::check_non_overlapping(&scalars(1)), Ok(()));
    assert_eq!(validate::check_tensor(&scalars(1), &[]), Ok(()));
    let region = Region::new(&[], &[]);
    match validate::check_non_overlapping(&scalars(2)) {
        Err(Error::Model(ModelError::Overlap {
            first: 0,
            second: 1,
            region: both,
            more: More::NONE,
            ..
        })) => {
            assert_eq!(both, region);
        }
        other => panic!("{other:?}"),
    }
    assert_only_gap(validate::check_tensor(&scalars(0), &[]), &region);
}
