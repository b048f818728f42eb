//! Boxes of digits as boxes of the tensor, element by element.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use super::*;
use crate::common::cuts::block_cyclic;
use crate::geometry::DimMap;

/// All elements of a box, the last dimension first.
fn elements(low: &[i64], sizes: &[i64]) -> Vec<Vec<i64>> {
    low.iter().zip(sizes).fold(vec![Vec::new()], |all, (&low, &size)| {
        let longer = |one: Vec<i64>| (low..low + size).map(move |at| [&one[..], &[at]].concat());
        all.into_iter().flat_map(longer).collect()
    })
}

/// Where elements of digits are in the tensor.
fn of_digits(digits: &[Digit], elements: Vec<Vec<i64>>) -> Vec<Vec<i64>> {
    let ndim = digits.last().map_or(0, |digit| digit.dim + 1);
    let places = elements.into_iter().map(|element| {
        let mut place = vec![0; ndim];
        digits.iter().zip(element).for_each(|(digit, at)| place[digit.dim] += at * digit.weight);
        place
    });
    let mut places: Vec<_> = places.collect();
    places.sort_unstable();
    places
}

/// All boxes of digits of tensors of one and of two dimensions.
#[test]
fn a_box_of_digits_is_boxes_of_the_tensor_that_have_its_elements() {
    let tensors: [&[(usize, i64, i64)]; 3] = [
        &[(0, 6, 2), (0, 2, 3), (0, 1, 2)],
        &[(0, 3, 2), (0, 1, 3), (1, 2, 2), (1, 1, 2)],
        &[(0, 1, 3), (1, 1, 2)],
    ];
    for tensor in tensors {
        let digits: Vec<_> = tensor.iter().map(|&(dim, weight, _)| Digit { dim, weight }).collect();
        let spans =
            |size: i64| (0..size).flat_map(move |low| (1..=size - low).map(move |n| [low, n]));
        let boxes =
            tensor.iter().fold(vec![Vec::new()], |all: Vec<Vec<[i64; 2]>>, &(_, _, size)| {
                let longer =
                    |one: Vec<[i64; 2]>| spans(size).map(move |span| [&one[..], &[span]].concat());
                all.into_iter().flat_map(longer).collect()
            });
        for spans in boxes {
            let (low, sizes): (Vec<i64>, Vec<i64>) =
                spans.iter().map(|span| (span[0], span[1])).unzip();
            let (bounds, all) = (Bounds::new(&low, &sizes), elements(&low, &sizes));
            let expected = of_digits(&digits, all);
            let mut regions = Vec::new();
            assert!(push_regions(&digits, &bounds, usize::MAX, &mut regions).unwrap());
            let held = |regions: &[Region]| {
                let of = |region: &Region| elements(&region.offsets, &region.sizes);
                let mut held: Vec<_> = regions.iter().flat_map(of).collect();
                held.sort_unstable();
                held
            };
            assert_eq!(held(&regions), expected);
            assert_eq!(region_of(&digits, &bounds).unwrap(), regions[0]);
            // It is one box of the tensor if it has all elements between its first and its last one.
            let (first, last) = (&expected[0], &expected[expected.len() - 1]);
            let around: Vec<i64> =
                first.iter().zip(last).map(|(low, high)| high - low + 1).collect();
            let is_one = elements(first, &around).len() == expected.len();
            assert_eq!(regions.len() == 1, is_one, "{spans:?}");
            for limit in 0..regions.len() {
                let mut some = Vec::new();
                assert!(!push_regions(&digits, &bounds, limit, &mut some).unwrap());
                assert_eq!(some, regions[..limit]);
            }
        }
    }
}

#[test]
fn boxes_are_given_up_to_the_limit() {
    let boxes = BoxList::new(1, 0, Vec::new(), Vec::new());
    let (space, bounds) = (Space::Boxes(&boxes), Bounds::new(&[2], &[3]));
    for limit in 0..3 {
        let mut regions = Vec::new();
        for place in 0..3 {
            let fits = space.push_regions(&bounds, limit, &mut regions).unwrap();
            assert_eq!((fits, regions.len()), (place < limit, limit.min(place + 1)));
        }
    }
}

/// Blocks of two in turn, in both dimensions.
#[test]
fn extents_that_meet_a_box_are_found_in_place_of_what_was_found_before() {
    let maps: Vec<DimMap> = (0..3).map(|part| block_cyclic(11, 3, 2, 2 * part).unwrap()).collect();
    let lengths: Vec<i64> = maps.iter().map(DimMap::length).collect();
    let parts: Vec<[usize; 2]> = (0..9).map(|number| [number / 3, number % 3]).collect();
    let sizes = parts.iter().flatten().map(|&part| lengths[part]).collect();
    let boxes = BoxList::new_checked(2, 9, vec![0; 18], sizes).unwrap();
    let numbers = parts.iter().flatten().map(|&part| part as u32).collect();
    let list = ExtentList::with_maps(boxes, maps.clone(), numbers).unwrap();
    let space = Space::Unfolded(Made::Own(OwnSpace::new(&list).unwrap()));
    let mut found = vec![7, 7];
    for low in 0..11 {
        for size in 0..=11 - low {
            for [offsets, sizes] in [[[low, 3], [size, 1]], [[1, low], [4, size]]] {
                space.find_box(&offsets, &sizes, &mut found).unwrap();
                let has = |part: usize, dim: usize| {
                    (offsets[dim]..offsets[dim] + sizes[dim])
                        .any(|at| maps[part].local(at).is_some())
                };
                let expected = (0..9)
                    .filter(|&number| (0..2).all(|dim| has(parts[number as usize][dim], dim)));
                assert_eq!(found, expected.collect::<Vec<u32>>(), "{offsets:?} {sizes:?}");
            }
        }
    }
}
