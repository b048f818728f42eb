use std::collections::HashSet;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;
use crate::model::DataType;
use crate::transfer::HostView;
use crate::transfer::alias::tests::{
    PACKED, assert_named, bytes, check, forms, overlaps_itself, records, units, view,
};
use crate::transfer::error::TransferError;

const BIT: DataType = DataType { code: 0, bits: 1, lanes: 1 };
const THREE_BITS: DataType = DataType { code: 0, bits: 3, lanes: 1 };

/// Of a dimension: its size, and a number that its stride is made of.
type Dim = (i64, i64);

/// How the strides of a tensor are made.
#[derive(Debug, Clone, Copy)]
enum Strides {
    /// Of any length.
    Any,
    /// All but the first are those of many other tensors of the group.
    Common,
    /// Each is the reach of those behind it, and a gap.
    Nested,
    /// As nested ones, in many dimensions.
    Deep,
    /// The last dimension is a row of elements that follow each other.
    Rows,
    /// So short that elements may be at the same place.
    Short,
}

/// Sizes and strides, in elements.
fn sizes_and_strides(kind: Strides, dims: &[Dim], common: &[i64]) -> (Vec<i64>, Vec<i64>) {
    let (mut sizes, mut strides): (Vec<i64>, Vec<i64>) = dims.iter().copied().unzip();
    match kind {
        Strides::Any => {}
        Strides::Common => {
            strides.iter_mut().skip(1).zip(common).for_each(|(stride, other)| *stride = *other);
        }
        Strides::Nested | Strides::Deep => {
            if matches!(kind, Strides::Deep) {
                strides = strides.iter().cycle().take(8).copied().collect();
                sizes = vec![2; 8];
            }
            let mut reach = 1;
            for (stride, size) in strides.iter_mut().zip(&sizes).rev() {
                *stride = reach + stride.abs() % 9;
                reach += *stride * (size - 1);
            }
        }
        Strides::Rows => {
            sizes.push(2 + strides[0].abs() % 30);
            strides.push(1);
        }
        Strides::Short => strides.iter_mut().for_each(|stride| *stride %= 7),
    }
    (sizes, strides)
}

/// Tensors in one small memory. Mostly their strides are more than there are digits.
fn any_group() -> impl Strategy<Value = Vec<HostView>> {
    let kind = prop_oneof![
        6 => Just(Strides::Any), 8 => Just(Strides::Common), 3 => Just(Strides::Nested),
        1 => Just(Strides::Deep), 3 => Just(Strides::Rows), 2 => Just(Strides::Short),
    ];
    let dims = prop::collection::vec((2i64..5, -3000i64..3000), 1..=3);
    let tensors = prop::collection::vec((0i64..6000, kind, dims), 5..50);
    let common = prop::array::uniform2(1i64..400);
    let dtype = prop::sample::select(vec![bytes(1), bytes(3), PACKED, THREE_BITS]);
    (tensors, common, dtype).prop_map(|(tensors, common, dtype)| {
        let made = tensors.iter().map(|(place, kind, dims)| {
            let (sizes, strides) = sizes_and_strides(*kind, dims, &common);
            let place = if dtype.is_packed() { place / 2 } else { *place };
            view(place, dtype, &sizes, &strides)
        });
        made.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1), ..ProptestConfig::with_cases(48)
    })]

    #[test]
    fn a_group_is_legal_until_one_is_added_that_shares_a_unit(
        tensors in any_group(), sources in 0usize..8,
    ) {
        let first_source = tensors.len() - sources.min(tensors.len() - 1);
        let (mut destinations, mut sources, mut left_out) = (vec![], vec![], vec![]);
        let mut written = HashSet::new();
        for (at, tensor) in tensors.iter().enumerate() {
            let is_source = at >= first_source;
            let own = units(tensor);
            let shares = own.keys().any(|unit| written.contains(unit));
            if shares || !is_source && overlaps_itself(tensor) {
                left_out.push((is_source, *tensor));
            } else if is_source {
                sources.push(*tensor);
            } else {
                destinations.push(*tensor);
                written.extend(own.into_keys());
            }
        }
        prop_assert_eq!(check(&destinations, &sources), Ok(()), "{:?}, {:?}", destinations, sources);
        for (is_source, tensor) in left_out.into_iter().take(2) {
            let side = if is_source { &mut sources } else { &mut destinations };
            side.push(tensor);
            assert_named(&check(&destinations, &sources), &destinations, &sources);
            (if is_source { &mut sources } else { &mut destinations }).pop();
        }
    }
}

/// The shortest of the common strides. Each other one is twice as long as the one before.
const SHORTEST: i64 = 1000;
/// As many as there are digits, besides units.
const COMMON: i64 = MAX_DIGITS as i64 - 1;
const LONGEST: i64 = SHORTEST << (COMMON - 1);

/// Two units each, all in one memory: each of the common strides is there twice or more. No two share
/// a unit, and none has one whose place ends with hundreds.
fn of_common_strides() -> Vec<HostView> {
    let strides = (0..2 * COMMON).chain([0]).map(|at| SHORTEST << (at % COMMON));
    strides.enumerate().map(|(at, stride)| view(at as i64, bytes(1), &[2], &[stride])).collect()
}

/// How many boxes these become, and which become none. They share no unit.
fn boxes_of(destinations: &[HostView]) -> (usize, Vec<usize>) {
    let mut cost = SearchCost::default();
    let found = find_shared(&forms(destinations), destinations.len(), &mut cost).unwrap();
    match found {
        BoxSearch::Irregular(irregular) => (cost.boxes, irregular),
        shared @ BoxSearch::Shared(..) => panic!("{shared:?}"),
    }
}

#[test]
fn of_too_many_strides_the_rare_ones_make_a_box_of_each_turn_or_none() {
    let common = of_common_strides();
    for rare in [20, 7 * LONGEST] {
        let and_one = |turns| {
            let one = records(5 * LONGEST, 5, &[turns], &[rare]);
            boxes_of(&[&common[..], &[one]].concat())
        };
        assert_eq!(and_one(MAX_LONE_STEPS as i64), (common.len() + 16, vec![]), "{rare}");
        assert_eq!(
            and_one(MAX_LONE_STEPS as i64 + 1),
            (common.len(), vec![common.len()]),
            "{rare}"
        );
    }
}

#[test]
fn a_view_of_too_many_boxes_becomes_none_and_the_next_one_its_own() {
    let common = of_common_strides();
    let next = records(3 * LONGEST, 5, &[16], &[11 * LONGEST]);
    let and_two = |turns, run| {
        let one = records(5 * LONGEST + 500, run, &[turns], &[7 * LONGEST]);
        boxes_of(&[&common[..], &[one, next]].concat())
    };
    // Each turn begins in the middle of a row, and goes on past the ends of rows of each length.
    assert_eq!(and_two(16, 3500), (common.len() + 16 * 4 + 16, vec![]));
    assert_eq!(and_two(13, 4000), (common.len() + 16, vec![common.len()]), "5 for each turn");
    assert_eq!(and_two(16, 32000), (common.len() + 16, vec![common.len()]), "33 for each turn");
}

/// Of 3 bits apart, digits are up to a third of the bits.
#[test]
fn views_that_are_more_than_64_bits_of_digits_apart_are_compared() {
    const FAR: i64 = 1 << 60;
    // Its last element is the first bit of a byte, and its first one the fourth bit of another.
    let first = view(1, BIT, &[8], &[-3]);
    // Digit `i64::MAX` from there.
    let last = view(3 * FAR - 2, BIT, &[1], &[1]);
    let longest = |place| view(place, BIT, &[i64::MAX / 3], &[3]);
    let between = [0, 1, 2].map(|at| longest(at * (FAR - 16)));
    for (behind, shares) in [(0, false), (1, true)] {
        let mut sources = between.to_vec();
        sources.push(longest(3 * (FAR - 16) + behind));
        match check(&[first, last], &sources) {
            Ok(()) => assert!(!shares),
            Err(Error::Transfer(TransferError::Aliased { first, second, .. })) => {
                assert!(shares);
                assert_eq!((first, second), (Some(1), Some(3)));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// The places, counted from the origin, of the units of boxes of digits. Each is written as its digits say:
/// as many of the longest stride as fit, then of the next one in what is left.
fn places_of(boxes: &DigitBoxes, strides: &[i128]) -> Vec<i128> {
    let mut places = vec![];
    let digits = strides.len() + 1;
    for (offsets, sizes) in boxes.offsets.chunks(digits).zip(boxes.sizes.chunks(digits)) {
        let mut of_box = vec![0];
        for (digit, (&offset, &size)) in offsets.iter().zip(sizes).enumerate() {
            let stride = strides.get(digit).copied().unwrap_or(1);
            let room = if digit == 0 { i128::MAX } else { strides[digit - 1] };
            let turns =
                |place| (offset..offset + size).map(move |n| place + i128::from(n) * stride);
            of_box = of_box.into_iter().flat_map(turns).collect();
            let last = i128::from(offset + size - 1) * stride;
            assert!(last < room, "digit {digit} of {offsets:?} {sizes:?} by {strides:?}");
        }
        places.extend(of_box);
    }
    places
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(2), ..ProptestConfig::with_cases(1600)
    })]

    #[test]
    fn the_boxes_of_a_view_have_each_of_its_units(
        digits in prop::collection::btree_set(2i128..90, 0..4),
        dims in prop::collection::vec((1i64..7, -45i64..90, any::<bool>(), 0usize..4), 1..4),
        place in 0i64..200,
    ) {
        let strides: Vec<i128> = digits.into_iter().rev().collect();
        // Mostly its strides are digits, and the last dimension has elements beside each other.
        let of_dim = |at: usize, own: i64, is_own: bool, digit: usize| match strides.get(digit) {
            Some(stride) if !is_own => *stride as i64,
            None if at + 1 == dims.len() => 1,
            _ => own,
        };
        let of_dims: Vec<i64> = dims.iter().enumerate()
            .map(|(at, &(_, own, is_own, digit))| of_dim(at, own, is_own, digit)).collect();
        let sizes: Vec<i64> = dims.iter().map(|(size, ..)| *size).collect();
        let tensor = view(place + 400, bytes(1), &sizes, &of_dims);
        let forms = forms(&[tensor]);
        let (form, origin) = (forms.get(0), forms.get(0).low - i128::from(place));
        let mut boxes = DigitBoxes::new(strides.len() + 1, 1).unwrap();
        let written = BoxWriter::new(&strides).write(&form, origin, 7, &mut boxes).unwrap();
        let mut expected: Vec<i128> =
            units(&tensor).into_keys().map(|unit| unit - origin).collect();
        expected.sort_unstable();
        if !written {
            let is_lone = |step: &Step| {
                step.count >= MAX_LONE_STEPS && !strides.contains(&step.stride)
            };
            let turns = form.runs() as usize * form.run as usize;
            prop_assert!(turns >= MAX_BOXES || form.steps.iter().any(is_lone), "{:?}", form);
            prop_assert_eq!(boxes.len(), 0);
            return Ok(());
        }
        prop_assert!(boxes.owners.iter().all(|&owner| owner == 7));
        let mut places = places_of(&boxes, &strides);
        places.sort_unstable();
        if overlaps_itself(&tensor) {
            places.dedup();
        }
        prop_assert_eq!(places, expected, "{:?} by {:?}", form, strides);
    }
}

/// A stride of 100, and maybe another one; where a view begins, its run, its steps, and its boxes.
type Cut = (&'static [i128], i128, i128, &'static [(i128, i128)], usize);

#[test]
fn a_view_is_cut_at_the_ends_of_rows_only() {
    const CUTS: &[Cut] = &[
        (&[100], 0, 100, &[], 1),
        (&[100], 90, 10, &[], 1),
        // What is in the first row, whole rows, and what is left.
        (&[100], 90, 20, &[], 2),
        (&[100], 90, 310, &[], 2),
        (&[100], 90, 315, &[], 3),
        (&[100], 0, 315, &[], 3),
        // Turns that no end of a row cuts, and one that it does.
        (&[100, 6], 90, 4, &[(6, 4)], 2),
        (&[100, 6], 96, 4, &[(12, 1)], 2),
        (&[100, 6], 96, 4, &[(6, 3)], 2),
        (&[100, 6], 92, 4, &[(6, 3)], 5),
        (&[100, 10], 75, 2, &[(10, 5)], 2),
        (&[100, 10], 75, 2, &[(10, 35)], 3),
        (&[100, 10], 75, 2, &[(100, 4), (10, 5)], 2),
        (&[100, 10], 79, 2, &[(10, 2)], 4),
        // Each turn of a step that is no digit.
        (&[100], 10, 5, &[(7, 3)], 4),
        (&[100], 82, 5, &[(7, 3)], 5),
    ];
    for &(strides, low, run, steps, expected) in CUTS {
        let steps: Vec<Step> =
            steps.iter().map(|&(stride, count)| Step { stride, count }).collect();
        let form = Form { low: low + 1000, run, steps: &steps };
        let mut boxes = DigitBoxes::new(strides.len() + 1, 1).unwrap();
        let written = BoxWriter::new(strides).write(&form, 1000, 0, &mut boxes).unwrap();
        assert_eq!((written, boxes.len()), (true, expected), "{form:?} by {strides:?}");
    }
}
