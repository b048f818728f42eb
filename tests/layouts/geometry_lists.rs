//! Lists of boxes, dim maps and flattened dimensions: what their small questions answer.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use crate::common::cuts::block_cyclic;
use shardspec::geometry::{BoxList, DimMap, ExtentList, Flattening, MAX_NDIM, Region, Stretch};
use shardspec::model::{Error, ModelError, Placement, Placements, Shards, validate};
use shardspec::plan::ReshardPlan;

/// The smallest numbers add up to 0, and two signs may cancel each other: none may go unseen.
#[test]
fn negative_numbers_are_refused_however_many_boxes_have_them() {
    let list = |offsets: &[i64], sizes: &[i64]| {
        BoxList::new_checked(1, sizes.len(), offsets.to_vec(), sizes.to_vec()).is_some()
    };
    assert!(list(&[0, 7], &[7, i64::MAX - 7]));
    assert!(!list(&[i64::MIN], &[i64::MIN]));
    assert!(!list(&[i64::MAX], &[i64::MAX]));
    for wrong in [-1, i64::MIN] {
        for count in 1..5 {
            assert!(!list(&vec![wrong; count], &vec![3; count]), "{count} offsets {wrong}");
            assert!(!list(&vec![3; count], &vec![wrong; count]), "{count} sizes {wrong}");
        }
    }
}

#[test]
fn numbers_for_other_boxes_and_too_many_dimensions_are_refused() {
    let is_list = |ndim, len, [offsets, sizes]: [usize; 2]| {
        BoxList::new_checked(ndim, len, vec![0; offsets], vec![1; sizes]).is_some()
    };
    assert!(is_list(2, 3, [6, 6]));
    for lengths in [[5, 6], [6, 5], [5, 5], [8, 8], [0, 0]] {
        assert!(!is_list(2, 3, lengths), "{lengths:?}");
    }
    assert!(is_list(MAX_NDIM, 1, [MAX_NDIM; 2]));
    assert!(!is_list(MAX_NDIM + 1, 1, [MAX_NDIM + 1; 2]));
    assert!(!is_list(usize::MAX, 2, [0, 0]));
}

#[test]
fn a_list_of_boxes_without_dimensions_ends_as_well() {
    let list = BoxList::new_checked(0, 2, Vec::new(), Vec::new()).unwrap();
    assert!(list.get(1).is_some());
    assert_eq!(list.get(2), None);
    assert_eq!(list.iter().count(), 2);
}

#[test]
fn a_list_says_whether_it_is_empty() {
    for count in 0..3 {
        let list =
            || BoxList::new_checked(2, count, vec![1; 2 * count], vec![1; 2 * count]).unwrap();
        assert_eq!(list().is_empty(), count == 0);
        let extents = ExtentList::of_boxes(list());
        assert_eq!((extents.is_empty(), extents.len()), (count == 0, count));
    }
}

#[test]
fn the_flattened_dimensions_are_those_that_became_one() {
    for ndim in 2..5 {
        for start in 0..ndim {
            for end in start + 2..=ndim {
                let flat = Flattening::new(&vec![3; ndim], start..end).unwrap().unwrap();
                assert_eq!(flat.flattened_dims(), Some(start..end));
                assert_eq!(flat.ndim(), ndim - (end - start) + 1);
            }
        }
    }
}

#[test]
fn dimensions_that_there_are_not_are_not_flattened() {
    for dims in [0..0, 0..1, 1..2, 1..3, 0..3, 2..4] {
        assert_eq!(Flattening::new(&[3, 3], dims.clone()), Ok(None), "{dims:?}");
    }
}

#[test]
fn holes_are_behind_all_elements_or_may_be_anywhere() {
    let holes = |length, parts: &[(i64, i64, i64)]| {
        let stretch =
            |&(global, local, length): &_| Stretch::interval(global, local, length).unwrap();
        DimMap::new(length, parts.iter().map(stretch).collect()).unwrap().holes_in()
    };
    assert_eq!(holes(5, &[(7, 0, 5)]), 5..5);
    assert_eq!(holes(8, &[(7, 0, 5)]), 5..8);
    assert_eq!(holes(8, &[(7, 3, 2), (1, 0, 3)]), 5..8);
    assert_eq!(holes(8, &[(7, 1, 5)]), 0..8);
    assert_eq!(holes(8, &[(7, 0, 2), (1, 3, 5)]), 0..8);
    assert_eq!(holes(8, &[]), 0..8);
}

#[test]
fn a_dim_map_ends_past_its_largest_index_wherever_that_stands() {
    assert_eq!(DimMap::interval(0, 0).unwrap().end(), 0);
    assert_eq!(DimMap::interval(3, 4).unwrap().end(), 7);
    assert_eq!(block_cyclic(20, 2, 3, 3).unwrap().end(), 18);
    let stretches = vec![Stretch::interval(30, 0, 2).unwrap(), Stretch::interval(5, 2, 6).unwrap()];
    assert_eq!(DimMap::new(8, stretches).unwrap().end(), 32);
}

/// Shards that are on ranks of their own.
fn on_own_ranks(extents: ExtentList) -> Shards {
    let ranks = (0..extents.len() as i64).map(|rank| Placement::on_rank(rank).unwrap());
    let placements = Placements::new(ranks.collect::<Vec<_>>().into_iter()).unwrap();
    Shards::from_extents(extents, placements).unwrap()
}

/// One shard that has every other index of the first dimensions, and two of each other one.
fn partly_periodic(ndim: usize, periodic: usize) -> Shards {
    let every_other = DimMap::new(2, vec![Stretch::new([0, 0], 1, 2, [2, 1]).unwrap()]).unwrap();
    let boxes = BoxList::new_checked(ndim, 1, vec![0; ndim], vec![2; ndim]).unwrap();
    let number = |dim| if dim < periodic { 0 } else { ExtentList::INTERVAL };
    let numbers = (0..ndim).map(number).collect();
    on_own_ranks(ExtentList::with_maps(boxes, vec![every_other], numbers).unwrap())
}

/// One shard that has every other index of each of so many dimensions.
fn periodic(ndim: usize) -> Shards {
    partly_periodic(ndim, ndim)
}

#[test]
fn a_dimension_that_is_not_periodic_counts_as_one() {
    for (ndim, periodic) in [(20, 1), (31, 1), (20, 12)] {
        let [source, destination] = [(); 2].map(|()| partly_periodic(ndim, periodic));
        assert_eq!(ReshardPlan::from_shards(source, destination).unwrap().len(), 1);
    }
}

/// The even and the odd indices of the last dimension of a tensor that has its first two flattened.
#[test]
fn a_periodic_dimension_beside_flattened_ones_is_unfolded_by_its_period() {
    let half = 500_000_000;
    let sizes = [2, 2, 2 * half];
    let every_other =
        |start| DimMap::new(half, vec![Stretch::new([start, 0], 1, half, [2, 1]).unwrap()]);
    let of = |starts: [i64; 2]| {
        let boxes = BoxList::new_checked(2, 2, vec![0; 4], vec![4, half, 4, half]).unwrap();
        let table = starts.map(|start| every_other(start).unwrap()).to_vec();
        let numbers = vec![ExtentList::INTERVAL, 0, ExtentList::INTERVAL, 1];
        let flat = Flattening::new(&sizes, 0..2).unwrap().unwrap();
        let extents = ExtentList::with_maps(boxes, table, numbers).unwrap();
        on_own_ranks(extents.flattened(flat).unwrap())
    };
    assert_eq!(validate::check_non_overlapping(&of([0, 1])), Ok(()));
    let twice = validate::check_non_overlapping(&of([1, 1])).unwrap_err();
    assert!(matches!(twice, Error::Model(ModelError::Overlap { .. })), "{twice}");
}

#[test]
fn whole_rows_of_flattened_dimensions_are_one_box() {
    let flat = Flattening::new(&[6, 5], 0..2).unwrap().unwrap();
    // Rows 0 and 1, and the others.
    let parts = BoxList::new_checked(1, 2, vec![0, 10], vec![10, 20]).unwrap();
    let source = on_own_ranks(ExtentList::of_boxes(parts).flattened(flat).unwrap());
    let whole = BoxList::new_checked(2, 1, vec![0; 2], vec![6, 5]).unwrap();
    let destination = on_own_ranks(ExtentList::of_boxes(whole));
    assert_eq!(ReshardPlan::from_shards(source, destination).unwrap().len(), 2);
}

#[test]
fn periodic_dimensions_count_as_two_and_more_than_32_are_refused() {
    for (ndim, is_fine) in [(1, true), (16, true), (17, false), (18, false), (32, false)] {
        let (source, destination) = (periodic(ndim), periodic(ndim));
        let result = ReshardPlan::from_shards(source, destination);
        match result {
            Ok(plan) => assert!(is_fine && plan.len() == 1, "{ndim} dimensions"),
            Err(error) => {
                let text = error.to_string();
                assert!(
                    !is_fine && text.contains("more than 32 dimensions"),
                    "{ndim} dimensions: {text}"
                );
            }
        }
    }
}

/// A dimension of five indices is two periods of two, which have owners, and an index more.
#[test]
fn a_gap_behind_whole_periods_is_found_there() {
    let every_other =
        |start| DimMap::new(2, vec![Stretch::new([start, 0], 1, 2, [2, 1]).unwrap()]).unwrap();
    let boxes = BoxList::new_checked(1, 2, vec![0; 2], vec![2; 2]).unwrap();
    let table = vec![every_other(0), every_other(1)];
    let shards = on_own_ranks(ExtentList::with_maps(boxes, table, vec![0, 1]).unwrap());
    validate::check_tensor(&shards, &[4]).unwrap();
    let refused = validate::check_tensor(&shards, &[5]);
    let Err(Error::Model(ModelError::Gap { region, .. })) = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(*region, Region::new(&[4], &[1]));
}
