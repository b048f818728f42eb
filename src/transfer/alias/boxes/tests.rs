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
