use super::*;
use crate::transfer::alias::tests::{records, units};

/// Strides and counts.
fn steps(of: &[(i128, i128)]) -> Vec<Step> {
    of.iter().map(|&(stride, count)| Step { stride, count }).collect()
}

/// Shape, strides, the run of the form, and its steps.
type Case = (&'static [i64], &'static [i64], i128, &'static [(i128, i128)]);

#[test]
fn a_form_has_as_few_levels_as_its_units_need_and_the_longest_stride_first() {
    let once: &[Case] = &[
        (&[], &[], 1, &[]),
        (&[3, 4], &[4, 1], 12, &[]),
        (&[4, 3], &[-1, 4], 12, &[]),
        (&[3, 4], &[10, 2], 1, &[(10, 2), (2, 3)]),
        (&[4, 1, 3], &[2, 77, 10], 1, &[(10, 2), (2, 3)]),
        // The next turn goes on where the steps of the one before end, or before that.
        (&[3, 4], &[8, 2], 1, &[(2, 11)]),
        (&[3, 4], &[4, 2], 1, &[(2, 7)]),
        (&[3, 4], &[2, 2], 1, &[(2, 5)]),
        (&[2, 3, 4], &[48, 8, 2], 1, &[(48, 1), (2, 11)]),
        (&[2, 3, 4], &[24, 8, 2], 1, &[(2, 23)]),
        // There is a gap, or it goes on between two of them.
        (&[3, 4], &[12, 2], 1, &[(12, 2), (2, 3)]),
        (&[3, 4], &[5, 2], 1, &[(5, 2), (2, 3)]),
        (&[3, 2], &[0, 5], 1, &[(5, 1)]),
    ];
    let twice: &[Case] = &[
        (&[3, 4], &[4, 1], 12, &[]),
        (&[3, 4], &[3, 1], 4, &[(3, 2)]),
        (&[3, 4], &[8, 2], 1, &[(2, 11)]),
        (&[3, 4], &[4, 2], 1, &[(4, 2), (2, 3)]),
        (&[3, 2], &[0, 5], 1, &[(5, 1), (0, 2)]),
    ];
    for (keep, cases) in [(Keep::Once, once), (Keep::Twice, twice)] {
        for &(shape, strides, run, expected) in cases {
            let mut raw = Raw::of(records(0, 1, shape, strides).by_ref());
            let (own, own_steps) = raw.simplified(keep);
            let said = (own, own_steps.to_vec());
            assert_eq!(said, (run, steps(expected)), "{keep:?}: {shape:?} by {strides:?}");
        }
    }
}

#[test]
fn a_form_begins_at_its_lowest_unit_and_ends_behind_its_last() {
    let view = records(100, 3, &[4, 5, 2], &[-7, 40, -200]);
    let mut forms = Forms::with_capacity(1).unwrap();
    forms.push(Raw::of(view.by_ref()), Keep::Once).unwrap();
    let (low, end) = (forms.get(0).low, forms.get(0).end());
    let places = units(&view);
    assert_eq!(places.keys().min(), Some(&low));
    assert_eq!(places.keys().max(), Some(&(end - 1)));
}

#[test]
fn the_runs_of_a_form_are_counted_and_the_number_is_limited() {
    const MANY: i128 = i64::MAX as i128;
    for (of, expected) in [
        (&[][..], 1),
        (&[(9, 4)], 5),
        (&[(90, 6), (9, 4)], 35),
        (&[(90, MANY)], 1 << 63),
        (&[(90, MANY), (9, 1)], u64::MAX),
        (&[(90, MANY), (9, MANY), (3, 2)], u64::MAX),
    ] {
        let form = Form { low: 0, run: 2, steps: &steps(of) };
        assert_eq!(form.runs(), expected, "{of:?}");
    }
}

#[test]
fn a_view_in_smaller_units_has_all_parts_of_its_units() {
    let raw = Raw::of(records(5, 2, &[3, 2], &[7, -30]).by_ref());
    let mut forms = Forms::with_capacity(2).unwrap();
    forms.push(raw.clone(), Keep::Once).unwrap();
    forms.push(raw.in_parts(8), Keep::Once).unwrap();
    let (whole, parts) = (forms.get(0), forms.get(1));
    let times_eight: Vec<Step> =
        whole.steps.iter().map(|step| Step { stride: step.stride * 8, ..*step }).collect();
    assert_eq!((parts.low, parts.run), (whole.low * 8, whole.run * 8));
    assert_eq!(parts.steps, times_eight);
}
