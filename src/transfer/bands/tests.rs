use proptest::prelude::*;

use super::*;
use crate::model::DataType;
use crate::model::placements::Placements;

/// Offsets and sizes.
type Box = (Vec<i64>, Vec<i64>);

fn shards(boxes: &[Box]) -> Shards {
    let offsets = boxes.iter().flat_map(|one| one.0.clone()).collect();
    let sizes = boxes.iter().flat_map(|one| one.1.clone()).collect();
    let placement: crate::model::Placement = "rank:0/cpu".parse().unwrap();
    let placements = Placements::new(boxes.iter().map(|_| placement.clone())).unwrap();
    Shards::new(boxes[0].0.len(), offsets, sizes, placements).unwrap()
}

/// Cuts a tensor again and again: `(which box, dimension, place)`, each modulo what there is.
fn boxes(sizes: &[i64], cuts: &[(usize, usize, i64)]) -> Vec<Box> {
    let mut boxes = vec![(vec![0; sizes.len()], sizes.to_vec())];
    for &(which, dim, place) in cuts {
        let (which, dim) = (which % boxes.len(), dim % sizes.len());
        let (offset, size) = boxes[which].clone();
        if size[dim] > 1 {
            let place = 1 + place % (size[dim] - 1);
            boxes[which].1[dim] = place;
            let (mut offset, mut size) = (offset, size);
            (offset[dim], size[dim]) = (offset[dim] + place, size[dim] - place);
            boxes.push((offset, size));
        }
    }
    boxes
}

fn dims(sizes: &[i64]) -> Dims {
    let first = std::ptr::without_provenance_mut(1 << 20);
    Dims::of(&HostView::new("full", first, DataType::FLOAT32, sizes, None).unwrap()).unwrap()
}

proptest! {
    #[test]
    fn bands_have_each_element_once_and_their_boxes_share_all_rows(
        sizes in prop::collection::vec(2i64..9, 2..5),
        cuts in prop::collection::vec((any::<usize>(), any::<usize>(), 0i64..9), 0..20),
    ) {
        let (shards, dims) = (shards(&boxes(&sizes, &cuts)), dims(&sizes));
        let indices: Vec<usize> = (0..shards.len()).collect();
        let bands = BandCuts::new(&shards, &indices, &dims, usize::MAX).unwrap();
        let mut elements = vec![0; shards.len()];
        let done = bands.each(&mut |members, bounds| {
            let clip = |index: usize, dim: usize| bounds.clip_shard(&shards, index, dim);
            for &index in members {
                for &dim in dims.outer() {
                    assert_eq!(clip(index, dim), clip(members[0], dim), "rows of others");
                }
                let size = |dim| { let (low, high) = clip(index, dim); high - low };
                elements[index] += (0..sizes.len()).map(size).product::<i64>();
            }
            for pair in members.windows(2) {
                let (left, right) = (clip(pair[0], dims.inner()), clip(pair[1], dims.inner()));
                assert!(left.1 <= right.0, "out of order");
            }
            Some(())
        });
        prop_assert!(done.is_some());
        for (shard, elements) in shards.iter().zip(elements) {
            prop_assert_eq!(elements, shard.sizes.iter().product::<i64>());
        }
    }
}

#[test]
fn boxes_that_share_their_rows_are_cut_at_clean_borders_only() {
    // A grid of 3 by 2 by 2 boxes: a band for each place in the outer dimensions.
    let grid: Vec<_> =
        (0..12).map(|at| (vec![at / 4 * 5, at / 2 % 2 * 7, at % 2 * 3], vec![5, 7, 3])).collect();
    let (shards, dims) = (shards(&grid), dims(&[15, 14, 6]));
    let indices: Vec<usize> = (0..12).rev().collect();
    let bands = BandCuts::new(&shards, &indices, &dims, usize::MAX).unwrap();
    let mut seen = Vec::new();
    let done = bands.each(&mut |members, _| {
        seen.push(members.to_vec());
        Some(())
    });
    assert!(done.is_some());
    seen.sort_unstable();
    assert_eq!(seen, (0..6).map(|at| vec![2 * at, 2 * at + 1]).collect::<Vec<_>>());
}

#[test]
fn too_many_bands_are_given_up() {
    let columns: Vec<_> = (0..100).map(|at| (vec![at, at], vec![1, 1])).collect();
    let (shards, dims) = (shards(&columns), dims(&[100, 100]));
    let indices: Vec<usize> = (0..100).collect();
    let cut = |visits| {
        let bands = BandCuts::new(&shards, &indices, &dims, visits).unwrap();
        bands.each(&mut |_, _| Some(()))
    };
    assert_eq!(cut(200), None);
    assert_eq!(cut(2000), Some(()));
}

#[test]
fn rows_are_those_of_the_smallest_steps_whatever_the_order_of_the_dimensions() {
    let first = std::ptr::without_provenance_mut(1 << 20);
    let dims = |dtype, shape: &[i64], strides: Option<&[i64]>| {
        let view = HostView::new("full", first, dtype, shape, strides).unwrap();
        Dims::of(&view).map(|dims| (dims.outer().to_vec(), dims.inner()))
    };
    let float = DataType::FLOAT32;
    assert_eq!(dims(float, &[4, 1, 6], None), Some((vec![0], 2)));
    assert_eq!(dims(float, &[4, 5, 6], Some(&[1, 24, 4])), Some((vec![1, 2], 0)));
    assert_eq!(dims(float, &[4, 5, 6], Some(&[30, 1, 5])), Some((vec![0, 2], 1)));
    assert_eq!(dims(float, &[4, 5, 6], Some(&[5, 1, 20])), Some((vec![2, 0], 1)));
    assert_eq!(dims(float, &[4, 5], Some(&[10, 2])), None);
    assert_eq!(dims(float, &[4, 5], Some(&[5, -1])), None);
    assert_eq!(dims(float, &[1, 5], None), None);
    assert_eq!(dims(DataType { code: 0, bits: 4, lanes: 1 }, &[4, 6], None), None);
}

#[test]
fn a_row_has_the_bytes_of_its_elements() {
    let first = std::ptr::without_provenance_mut(1 << 20);
    let strides: &[i64] = &[1, 24, 4];
    let full = HostView::new("full", first, DataType::FLOAT32, &[4, 5, 6], Some(strides)).unwrap();
    assert_eq!(Dims::of(&full).unwrap().row_bytes(&full), 16);
}

/// Rows by column: each column of one element is cut at these.
fn columns(of: &[&[i64]]) -> Vec<Box> {
    let boxes = of.iter().enumerate().flat_map(|(column, cuts)| {
        let pairs = cuts.windows(2);
        pairs.map(move |pair| (vec![pair[0], column as i64], vec![pair[1] - pair[0], 1]))
    });
    boxes.collect()
}

#[test]
fn boxes_are_listed_by_where_they_begin_and_in_outer_dimensions_by_where_they_end() {
    let boxes = columns(&[&[0, 9], &[0, 2, 3, 9], &[0, 5, 9], &[0, 1, 8, 9]]);
    let (shards, dims) = (shards(&boxes), dims(&[9, 4]));
    let indices: Vec<usize> = (0..boxes.len()).rev().collect();
    let bands = BandCuts::new(&shards, &indices, &dims, usize::MAX).unwrap();
    let sorted = |key: &dyn Fn(&Box) -> i64| {
        let mut order = indices.clone();
        order.sort_unstable_by_key(|&index| (key(&boxes[index]), index));
        order
    };
    let by_row = sorted(&|one| one.0[0]);
    let by_last_row = sorted(&|one| one.0[0] + one.1[0]);
    let by_column = sorted(&|one| one.0[1]);
    assert_eq!(bands.members, [by_row, by_last_row, by_column].concat());
}

#[test]
fn the_border_inside_of_the_fewest_boxes_is_cut_first_and_of_such_the_middle_one() {
    let best = |rows, of: &[&[i64]]| {
        let boxes = columns(of);
        let (shards, dims) = (shards(&boxes), dims(&[rows, of.len() as i64]));
        let indices: Vec<usize> = (0..boxes.len()).collect();
        let bands = BandCuts::new(&shards, &indices, &dims, usize::MAX).unwrap();
        bands.best_border(&(0..bands.members.len()), boxes.len())
    };
    assert_eq!(best(8, &[&[0, 8], &[0, 8]]), None);
    // Row 2 is inside of one box; row 4, which is the middle one, is inside of two.
    assert_eq!(best(8, &[&[0, 2, 4, 6, 8], &[0, 2, 8], &[0, 8]]), Some((0, 2)));
    // Of two that are alike, the first.
    assert_eq!(best(9, &[&[0, 1, 4, 9], &[0, 1, 4, 9]]), Some((0, 1)));
    assert_eq!(best(9, &[&[0, 2, 4, 6, 9], &[0, 2, 4, 6, 9]]), Some((0, 4)));
}

#[test]
fn three_lists_of_a_box_are_one_visit() {
    let side_by_side = |sizes: &[i64], visits| {
        let last = sizes.len() - 1;
        let boxes: Vec<Box> = (0..100)
            .map(|at| {
                let (mut offset, mut size) = (vec![0; sizes.len()], sizes.to_vec());
                (offset[last], size[last]) = (at, 1);
                (offset, size)
            })
            .collect();
        let (shards, dims) = (shards(&boxes), dims(sizes));
        let indices: Vec<usize> = (0..100).collect();
        let bands = BandCuts::new(&shards, &indices, &dims, visits).unwrap();
        bands.each(&mut |_, _| Some(()))
    };
    assert_eq!((side_by_side(&[3, 100], 99), side_by_side(&[3, 100], 100)), (None, Some(())));
    let three = &[3, 2, 100];
    assert_eq!((side_by_side(three, 199), side_by_side(three, 200)), (None, Some(())));
}
