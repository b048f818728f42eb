use super::*;
use crate::transfer::HostView;
use crate::transfer::alias::form::{Forms, Keep};
use crate::transfer::alias::tests::{
    PACKED, bytes, forms, overlaps_itself as has_a_unit_twice, records,
    share_units as have_a_unit_in_common, view,
};

/// The answer for a view, within so many steps.
fn itself(view: &HostView, steps: u64) -> Option<bool> {
    overlaps_itself(&mut Raw::of(view.by_ref()), &mut Patience::new(steps))
}

#[test]
fn what_the_strides_show_of_one_view_takes_no_step() {
    for (shape, strides) in [
        // Nested, with gaps or without any.
        (&[3, 3, 3][..], &[9, 3, 1][..]),
        (&[3, 3, 3], &[-30, 3, 8]),
        // More units than there is room for.
        (&[3, 3], &[1, 1]),
        (&[5, 2, 4], &[2, 3, 1]),
        // As many, but not nested.
        (&[2, 2, 2], &[2, 2, 3]),
        (&[2, 5], &[0, 100]),
        // No sum is a multiple of what the steps have in common.
        (&[2, 2, 2], &[4, 6, 9]),
    ] {
        for dtype in [bytes(1), bytes(3), PACKED] {
            let view = view(0, dtype, shape, strides);
            assert_eq!(itself(&view, 0), Some(has_a_unit_twice(&view)), "{view:?}");
        }
    }
}

#[test]
fn what_the_ends_and_the_common_divisor_show_of_two_views_takes_no_step() {
    let a = |place, strides: &[i64], sizes: &[i64]| records(place, 1, sizes, strides);
    for (one, other) in [
        // The last unit of one is the first of the other.
        (a(10, &[10], &[3]), a(0, &[5], &[3])),
        (a(0, &[5], &[3]), a(10, &[10], &[3])),
        // One ends where the other begins.
        (a(0, &[5], &[3]), a(11, &[10], &[3])),
        (a(11, &[5], &[3]), a(0, &[5], &[3])),
        (a(0, &[10], &[5]), a(5, &[10], &[2])),
        (a(0, &[100, 10], &[3, 5]), a(95, &[40, 10], &[3, 2])),
    ] {
        let all = forms(&[one, other]);
        let said = share_units(&all.get(0), &all.get(1), &mut Patience::new(0));
        assert_eq!(said, Some(have_a_unit_in_common(&one, &other)), "{one:?}, {other:?}");
    }
}

/// The longest step comes first, and is taken only as often as the rest can make up for.
#[test]
fn of_two_strides_one_number_of_the_longer_is_tried() {
    let one = records(0, 1, &[10], &[10]);
    for other in [records(11, 1, &[3], &[7]), records(5, 1, &[4], &[101])] {
        let all = forms(&[one, other]);
        for (first, second) in [(0, 1), (1, 0)] {
            let within =
                |steps| share_units(&all.get(first), &all.get(second), &mut Patience::new(steps));
            assert!(!have_a_unit_in_common(&one, &other), "that is the premise");
            assert_eq!((within(0), within(1)), (None, Some(false)), "{other:?}");
        }
    }
}

/// Strides of about the same length: only a look at most of their sums shows which there are.
fn strides(numbers: std::ops::RangeInclusive<i64>) -> Vec<i64> {
    let mix = |k: i64| {
        let mixed = (k as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 33
    };
    numbers.map(|k| (1 << 36) + 1 + 2 * mix(k) as i64).collect()
}

/// Views of 4096 units, no two of which share one; of the last two, that is hard to see. If they are to
/// share one, the search finds it at its end.
pub(in super::super) fn hard_to_compare(share: bool) -> [HostView; 2] {
    let sum = |numbers| strides(numbers).iter().sum::<i64>();
    let behind = sum(7..=12) - sum(13..=18) + (1 << 40);
    let [a, b] = [(1 << 40, 1..=12), (behind + i64::from(!share), 13..=24)];
    let of = |(place, numbers)| view(place, bytes(1), &[2; 12], &strides(numbers));
    [of(a), of(b)]
}

#[test]
fn a_search_is_given_up_after_its_steps_and_takes_these_from_all_searches() {
    for share in [false, true] {
        let [one, other] = hard_to_compare(share);
        assert_eq!(have_a_unit_in_common(&one, &other), share, "that is the premise");
        let all = forms(&[one, other]);
        let mut patience = Patience::new(1 << 40);
        for searches in 1..=2 {
            assert_eq!(share_units(&all.get(0), &all.get(1), &mut patience), None);
            let taken = (1 << 40) - patience.left();
            let most = searches * (MAX_STEPS_OF_SEARCH + 1);
            assert!((searches * MAX_STEPS_OF_SEARCH..=most).contains(&taken), "{taken}");
        }
        let mut little = Patience::new(100);
        assert_eq!(share_units(&all.get(0), &all.get(1), &mut little), None);
        assert_eq!(little.left(), 0);
    }
}

#[test]
fn one_view_is_given_up_as_well() {
    let [one, _] = hard_to_compare(false);
    assert!(!has_a_unit_twice(&one), "that is the premise");
    assert_eq!(itself(&one, 1 << 40), None);
    let mut all = Forms::with_capacity(1).unwrap();
    all.push(Raw::of(one.by_ref()), Keep::Twice).unwrap();
    assert_eq!(all.get(0).runs(), 1 << 12);
}
