use super::*;
use crate::transfer::HostView;
use crate::transfer::alias::pair::tests::hard_to_compare;
use crate::transfer::alias::tests::{bytes, check, forms, records, share_units, view};
use crate::transfer::alias::{SearchCost, compare};

/// Where a form begins, its run, and its strides and counts.
type Parts<'a> = (i128, i128, &'a [(i128, i128)]);

fn forms_of(of: &[Parts<'_>]) -> Forms {
    let mut forms = Forms::with_capacity(of.len()).unwrap();
    for &(low, run, steps) in of {
        let steps: Vec<Step> =
            steps.iter().map(|&(stride, count)| Step { stride, count }).collect();
        forms.push_form(&Form { low, run, steps: &steps }).unwrap();
    }
    forms
}

/// The steps to find the runs of a form between two places, and these runs: turns that lie beside
/// them are not looked into.
fn walk(
    form: &Form<'_>, low: i128, steps: &[Step], part: (i128, i128), runs: &mut Vec<(i128, i128)>,
) -> u64 {
    let Some((own, inner)) = steps.split_first() else {
        runs.push((low.max(part.0), (low + form.run).min(part.1)));
        return 1;
    };
    let mut taken = 1;
    for turn in 0..=own.count {
        let start = low + turn * own.stride;
        if start < part.1 && start + reach_of(inner) + form.run > part.0 {
            taken += walk(form, start, inner, part, runs);
        }
    }
    taken
}

#[test]
fn a_part_of_memory_has_its_runs_and_no_turn_beside_it_is_looked_into() {
    let all = forms_of(&[
        (-9, 2, &[(20, 3), (7, 1)]),
        (-3, 3, &[(5, 9)]),
        (4, 1, &[(30, 1), (8, 3), (2, 2)]),
        (0, 4, &[(3, 5)]),
        (12, 9, &[]),
    ]);
    for from in -20..80 {
        for to in from + 1..from + 40 {
            let (mut runs, mut taken) = (vec![], 0);
            for form in all.iter() {
                let meets = form.low < to && form.end() > from;
                let of_form = walk(&form, form.low, form.steps, (from, to), &mut runs);
                taken += if meets { of_form } else { 1 };
                if !meets {
                    runs.retain(|(start, end)| start < end);
                }
            }
            let mut scan = Scan { runs: vec![], at_once: usize::MAX, steps: taken };
            assert!(scan.collect(&all, from, to).unwrap() == Collected::All, "{from}..{to}");
            let found: Vec<_> = scan.runs.iter().map(|run| (run.start, run.end)).collect();
            assert_eq!((found, scan.steps), (runs, 0), "{from}..{to}");
        }
    }
}

#[test]
fn a_search_ends_at_the_last_unit_and_is_too_much_with_a_step_less() {
    // Of each: the number of destinations, of steps, and what is found.
    let apart = forms_of(&[(-5, 4, &[]), (0, 5, &[])]);
    assert_eq!(find_in(&apart, 2, 2, 2).unwrap(), Found::Nothing);
    assert_eq!(find_in(&apart, 2, 2, 1).unwrap(), Found::TooMuch);
    let behind = forms_of(&[(0, 4, &[]), (5, 5, &[])]);
    assert_eq!(find_in(&behind, 2, 2, 2).unwrap(), Found::Nothing);
    let twice = forms_of(&[(-5, 2, &[(5, 2)]), (1, 1, &[])]);
    assert_eq!(find_in(&twice, 2, 9, 5).unwrap(), Found::Shared(0, 1));
}

/// Windows of 4 runs each, and then longer and longer ones without any.
#[test]
fn where_runs_are_rare_more_memory_is_looked_at_at_once() {
    const RUNS: i128 = 1024;
    let all = forms_of(&[(0, 1, &[(2, RUNS - 1)]), (1 << 20, 1, &[])]);
    // 6 steps for each of the windows with runs, and 7 for each time that one is halved or doubled.
    let steps = 6 * RUNS as u64 / 4 + 7 * 40;
    assert_eq!(find_in(&all, 2, 4, steps).unwrap(), Found::Nothing);
}

/// What is found among these, and what it took.
fn found(views: &[HostView], destinations: usize) -> (Found, SearchCost) {
    let mut cost = SearchCost::default();
    (compare(&forms(views), destinations, &mut cost).unwrap(), cost)
}

#[test]
fn views_that_are_hard_to_compare_are_looked_at_run_by_run() {
    let simple = records(5 + (1 << 41), 3, &[40], &[1000]);
    for share in [false, true] {
        let [a, b] = hard_to_compare(share);
        let views = [simple, a, b];
        assert!(!share_units(&simple, &a) && !share_units(&simple, &b), "that is the premise");
        for destinations in 2..=3 {
            let (found, cost) = found(&views, destinations);
            let expected = if share { Found::Shared(1, 2) } else { Found::Nothing };
            assert_eq!(found, expected, "{destinations}");
            // Both with the simple one, and with each other.
            assert_eq!((cost.pairs, cost.scanned), (3, 2), "{destinations}: {cost:?}");
            let hard = 1 << 14;
            assert!((hard..hard + 100).contains(&cost.steps), "{cost:?}");
        }
    }
}

#[test]
fn of_views_that_are_hard_to_compare_sources_may_share_units() {
    let [a, b] = hard_to_compare(false);
    let [_, of_a] = hard_to_compare(true);
    // The destination shares no unit with the two sources, which are the same.
    assert_eq!(found(&[a, b, b], 1).0, Found::Nothing);
    assert_eq!(found(&[a, b, b], 2).0, Found::Shared(1, 2));
    assert_eq!(found(&[b, a, of_a], 2).0, Found::Shared(1, 2));
    assert_eq!(found(&[b, a, of_a], 1).0, Found::Nothing);
}

/// Each has a stride of its own, and no two have a unit in common.
fn many_strides() -> Vec<HostView> {
    (0..170).map(|at| view(at, bytes(1), &[70], &[1000 * (at + 1)])).collect()
}

#[test]
fn of_more_views_than_are_compared_in_pairs_none_is_left_out() {
    let mut views = many_strides();
    let (nothing, cost) = found(&views, views.len());
    assert_eq!(nothing, Found::Nothing);
    let most = 64 * views.len() as u64;
    assert_eq!((cost.pairs, cost.scanned), (most, views.len()));
    // It has a unit in common with number 139 alone.
    let last = view(139 + 16 * 140_000, bytes(1), &[2], &[7]);
    views.push(last);
    let sharing: Vec<usize> = (0..170).filter(|&at| share_units(&views[at], &last)).collect();
    assert_eq!(sharing, [139], "that is the premise");
    assert_eq!(found(&views, views.len()).0, Found::Shared(139, 170));
    assert!(check(&views, &[]).is_err());
}

#[test]
fn sources_with_strides_of_their_own_may_share_units() {
    let (destination, other) = (view(500, bytes(1), &[1], &[1]), view(0, bytes(1), &[17], &[1007]));
    let mut views = many_strides();
    assert!(share_units(&views[0], &other), "that is the premise");
    views.insert(0, destination);
    views.push(other);
    assert_eq!(found(&views, 1).0, Found::Nothing);
    assert_eq!(found(&views, 0).0, Found::Nothing);
    assert_eq!(found(&views, 2).0, Found::Shared(171, 1));
}
