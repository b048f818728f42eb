use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::model::DataType;

pub(super) const PACKED: DataType = DataType { code: 0, bits: 4, lanes: 1 };

pub(super) fn bytes(count: u16) -> DataType {
    DataType { code: 1, bits: 8, lanes: count }
}

/// A view whose memory is never accessed; strides are in elements.
pub(super) fn view(place: i64, dtype: DataType, shape: &[i64], strides: &[i64]) -> HostView {
    let first = std::ptr::without_provenance_mut((1 << 40) + place as usize);
    HostView::new("view", first, dtype, shape, Some(strides)).unwrap()
}

/// Such a view of records: strides and the place are in bytes.
pub(super) fn records(place: i64, width: u16, shape: &[i64], strides: &[i64]) -> HostView {
    let shape: Vec<i64> = shape.iter().copied().chain([i64::from(width)]).collect();
    let strides: Vec<i64> = strides.iter().copied().chain([1]).collect();
    view(place, bytes(1), &shape, &strides)
}

/// How often a view has each unit.
pub(super) fn units(view: &HostView) -> HashMap<i128, u32> {
    let mut places = vec![view.by_ref().place()];
    for (&size, &stride) in view.shape().iter().zip(view.strides()) {
        let turns = |place| (0..size).map(move |at| place + i128::from(at * stride));
        places = places.into_iter().flat_map(turns).collect();
    }
    let mut units = HashMap::new();
    for place in places {
        for unit in 0..view.width() as i128 {
            *units.entry(place + unit).or_insert(0) += 1;
        }
    }
    units
}

pub(super) fn overlaps_itself(view: &HostView) -> bool {
    units(view).values().any(|&count| count > 1)
}

pub(super) fn share_units(a: &HostView, b: &HostView) -> bool {
    let other = units(b);
    units(a).keys().any(|unit| other.contains_key(unit))
}

/// What the check says of some destinations and sources.
pub(super) fn check(destinations: &[HostView], sources: &[HostView]) -> Result<()> {
    check_aliases(Side::Row(0, destinations), Side::Row(0, sources))
}

pub(super) fn forms(views: &[HostView]) -> Forms {
    let mut forms = Forms::with_capacity(views.len()).unwrap();
    views.iter().for_each(|view| forms.push(Raw::of(view.by_ref()), Keep::Once).unwrap());
    forms
}

/// Whether that is what a look at each unit says; the views that are named do share one.
fn assert_right(destinations: &[HostView], sources: &[HostView]) {
    let said = check(destinations, sources);
    let twice = destinations.iter().any(overlaps_itself);
    let both = destinations.iter().enumerate().any(|(at, view)| {
        let others = destinations[at + 1..].iter().chain(sources);
        others.into_iter().any(|other| share_units(view, other))
    });
    match &said {
        Ok(()) => assert!(!twice && !both, "missed: {destinations:?}, {sources:?}"),
        refused => assert_named(refused, destinations, sources),
    }
}

/// Whether these were refused, and the views that are named do share a unit.
pub(super) fn assert_named(refused: &Result<()>, destinations: &[HostView], sources: &[HostView]) {
    match refused {
        Err(Error::Transfer(TransferError::Aliased { what, first: Some(first), second: None })) => {
            assert!(overlaps_itself(&destinations[*first]), "{what}: {destinations:?}");
        }
        Err(Error::Transfer(TransferError::Aliased {
            what,
            first: Some(first),
            second: Some(second),
        })) => {
            let others = if what.starts_with("destination") { sources } else { destinations };
            assert!(
                share_units(&destinations[*first], &others[*second]),
                "{what}: {destinations:?}, {sources:?}"
            );
        }
        other => panic!("{other:?}: {destinations:?}, {sources:?}"),
    }
}

prop_compose! {
    /// Up to 5 dimensions, any strides.
    fn any_view()(
        dims in prop::collection::vec((1i64..4, -12i64..13, 1i64..8), 0..=5), place in 0i64..40,
        dtype in prop::sample::select(vec![bytes(1), bytes(3), PACKED]),
    ) -> HostView {
        let shape: Vec<i64> = dims.iter().map(|(size, ..)| *size).collect();
        let strides: Vec<i64> = dims.iter().map(|(_, stride, factor)| stride * factor).collect();
        view(place, dtype, &shape, &strides)
    }
}

/// Boxes of an array of records, as a program that fills its fields and columns passes them: each
/// takes some of the indices of each dimension, maybe every second one, backwards, or all but the
/// last.
fn parts_of_array() -> impl Strategy<Value = (Vec<HostView>, Vec<HostView>)> {
    let shape = prop::collection::vec(1i64..6, 1..=4);
    let pad = prop::collection::vec(0i64..3, 4);
    let part = (any::<u64>(), prop::collection::vec((0i64..6, 1i64..6, 1i64..4, any::<bool>()), 4));
    let parts = prop::collection::vec(part, 1..8);
    (shape, pad, 1i64..6, parts, 0usize..8).prop_map(|(shape, pad, fields, parts, sources)| {
        let mut strides = vec![0; shape.len()];
        let mut next = fields * 2 + pad[0];
        for dim in (0..shape.len()).rev() {
            strides[dim] = next;
            next = (next + pad[dim] / 2) * shape[dim];
        }
        let views = parts.iter().map(|(field, dims)| {
            let field = (*field % fields as u64) as i64;
            let (mut place, mut sizes, mut steps) = (2 * field, vec![], vec![]);
            for (dim, &(offset, size, step, back)) in dims[..shape.len()].iter().enumerate() {
                let offset = offset % shape[dim];
                let size = size.min((shape[dim] - offset - 1) / step + 1);
                let first = if back { offset + (size - 1) * step } else { offset };
                place += first * strides[dim];
                sizes.push(size);
                steps.push(strides[dim] * if back { -step } else { step });
            }
            records(place, 2, &sizes, &steps)
        });
        let mut views: Vec<HostView> = views.collect();
        let sources = views.split_off(views.len() - sources.min(views.len() - 1));
        (views, sources)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_view_is_refused_exactly_when_it_has_a_unit_twice(view in any_view()) {
        assert_right(&[view], &[]);
        let mut forms = Forms::with_capacity(1).unwrap();
        forms.push(Raw::of(view.by_ref()), Keep::Twice).unwrap();
        if !view.strides().iter().zip(view.shape()).any(|(&stride, &size)| stride == 0 && size > 1) {
            let found = scan::find_shared(&forms, 1).unwrap();
            prop_assert_eq!(found == Found::Shared(0, 0), overlaps_itself(&view), "{:?}", view);
        }
        let unlimited = &mut Patience::new(u64::MAX);
        if let Some(said) = pair::overlaps_itself(&mut Raw::of(view.by_ref()), unlimited) {
            prop_assert_eq!(said, overlaps_itself(&view), "{:?}", view);
        }
    }

    #[test]
    fn a_form_has_the_units_of_its_view(view in any_view()) {
        let forms = forms(&[view]);
        let form = forms.get(0);
        let mut places = vec![form.low];
        for step in form.steps {
            let turns = |place| (0..=step.count).map(move |turn| place + turn * step.stride);
            places = places.into_iter().flat_map(turns).collect();
        }
        let mut of_form: Vec<i128> =
            places.into_iter().flat_map(|place| place..place + form.run).collect();
        of_form.sort_unstable();
        of_form.dedup();
        let mut of_view: Vec<i128> = units(&view).into_keys().collect();
        of_view.sort_unstable();
        prop_assert_eq!(of_form, of_view, "{:?}", view);
    }

    #[test]
    fn two_views_are_refused_exactly_when_they_share_a_unit(
        a in any_view(), b in any_view(), place in 0i64..60,
    ) {
        let b = view(
            place, a.dtype(), b.shape(), &b.element_strides().collect::<Vec<_>>(),
        );
        assert_right(&[a, b], &[]);
        assert_right(&[a], &[b]);
        let forms = forms(&[a, b]);
        let shared = share_units(&a, &b);
        let unlimited = &mut Patience::new(u64::MAX);
        if let Some(said) = pair::share_units(&forms.get(0), &forms.get(1), unlimited) {
            prop_assert_eq!(said, shared, "{:?} and {:?}", a, b);
        }
    }

    #[test]
    fn parts_of_an_array_are_refused_exactly_when_they_share_a_unit(
        (destinations, sources) in parts_of_array(),
    ) {
        assert_right(&destinations, &sources);
    }

    #[test]
    fn boxes_and_runs_say_what_a_look_at_each_unit_says(
        (destinations, sources) in parts_of_array(), at_once in 2usize..9,
    ) {
        let apart: Vec<HostView> =
            destinations.into_iter().filter(|view| !overlaps_itself(view)).collect();
        let all: Vec<HostView> = apart.iter().chain(&sources).copied().collect();
        let forms = forms(&all);
        let shared = |first: usize, second: usize| {
            first.min(second) < apart.len() && share_units(&all[first], &all[second])
        };
        let pairs = || (0..all.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
        match scan::find_in(&forms, apart.len(), at_once, u64::MAX).unwrap() {
            Found::Shared(first, second) => prop_assert!(shared(first, second)),
            Found::Nothing => prop_assert!(!pairs().any(|(a, b)| shared(a, b))),
            Found::TooMuch => prop_assert!(false, "any number of steps was allowed"),
        }
        match boxes::find_shared(&forms, apart.len(), &mut SearchCost::default()).unwrap() {
            BoxSearch::Shared(first, second) => prop_assert!(shared(first, second)),
            BoxSearch::Irregular(irregular) => {
                let regular = |at: &usize| irregular.binary_search(at).is_err();
                let missed =
                    pairs().find(|(a, b)| regular(a) && regular(b) && shared(*a, *b));
                prop_assert_eq!(missed, None, "{:?}", all);
            }
        }
    }
}

#[test]
fn of_runs_those_that_share_a_unit_are_named() {
    for state in 0..4000u64 {
        let mut numbers = state.wrapping_mul(6_364_136_223_846_793_005) >> 8;
        let mut below = |count: u64| {
            let number = numbers % count;
            numbers /= count;
            number as i64
        };
        let mut runs = |count: i64| -> Vec<HostView> {
            (0..count).map(|_| view(below(40), bytes(1), &[1 + below(6)], &[1])).collect()
        };
        let (destinations, sources) = (runs(1 + state as i64 % 3), runs(state as i64 / 3 % 4));
        assert_right(&destinations, &sources);
    }
    let run = |place, size| view(place, bytes(1), &[size], &[1]);
    assert_right(&[run(0, 2), run(10, 2)], &[run(1, 2), run(2, 9)]);
    assert_right(&[run(7, 2)], &[run(0, 5), run(3, 5)]);
}

#[test]
fn views_are_compared_with_those_that_begin_before_they_end() {
    type Places<'a> = &'a [(usize, usize)];
    let cases: &[(Places<'_>, Places<'_>, (usize, usize))] = &[
        (&[], &[], (0, 0)),
        (&[(0, 10)], &[(10, 20)], (1, 0)),
        (&[(0, 10), (5, 20)], &[(19, 25), (30, 31)], (2, 1)),
        (&[(20, 30)], &[(0, 5), (3, 8), (8, 9)], (0, 2)),
        (&[(20, 30), (21, 22), (29, 40)], &[(40, 41)], (3, 0)),
        (&[(7, 9)], &[(7, 8), (8, 12)], (1, 2)),
    ];
    let extent = |&(low, high): &_| ViewExtent { extent: Reach { low, high }, number: 0 };
    let extents = |places: Places<'_>| places.iter().map(extent).collect::<Vec<_>>();
    for &(written, read, expected) in cases {
        let said = tangled(&extents(written), &extents(read));
        assert_eq!(said, expected, "{written:?}, {read:?}");
    }
}

/// What it takes to find that nothing is shared.
fn cost(destinations: &[HostView], sources: &[HostView]) -> SearchCost {
    let all: Vec<HostView> = destinations.iter().chain(sources).copied().collect();
    let mut cost = SearchCost::default();
    let found = compare(&forms(&all), destinations.len(), &mut cost).unwrap();
    assert_eq!(found, Found::Nothing, "of {}", all.len());
    assert_eq!(check(destinations, sources), Ok(()));
    cost
}

type Family = (&'static str, fn(i64) -> (Vec<HostView>, Vec<HostView>));

/// What legal programs pass, by number of views.
const FAMILIES: &[Family] = &[
    ("columns of a matrix", |n| {
        ((0..n).map(|at| view(4 * at, bytes(4), &[50, 1], &[n, 1])).collect(), vec![])
    }),
    ("fields of 4 bytes in records of 5", |n| {
        ((0..n).map(|at| records(5 * at + 1, 4, &[40], &[5 * n])).collect(), vec![])
    }),
    ("even columns to odd ones", |n| {
        let column = |at| view(8 * at, bytes(8), &[30, 1], &[2 * n, 1]);
        ((0..n).map(|at| column(2 * at + 1)).collect(), (0..n).map(|at| column(2 * at)).collect())
    }),
    ("fields of 3 by 3 records", |n| {
        ((0..n).map(|at| records(7 * at, 7, &[3, 3], &[21 * n, 7 * n])).collect(), vec![])
    }),
    ("fields of padded rows of records", |n| {
        let strides = [30 * n + 77, 7 * n + 3];
        ((0..n).map(|at| records(7 * at + 2, 5, &[3, 3], &strides)).collect(), vec![])
    }),
    ("blocks of a matrix, from its middle on", |n| {
        let blocks = (0..n).map(|at| {
            let (row, column) = (at / 8, at % 8 + 3);
            view(4 * (row * 10 * 80 + column * 10), bytes(4), &[10, 10], &[80, 1])
        });
        (blocks.collect(), vec![])
    }),
    ("rows and columns of one matrix", |n| {
        // The upper half by rows, the lower by columns.
        let row = |at: i64| view(at * n, bytes(1), &[n], &[1]);
        let column = |at: i64| view(n * n + at, bytes(1), &[9], &[n]);
        ((0..n).map(row).chain((0..n).map(column)).collect(), vec![])
    }),
    ("the diagonals of a matrix", |n| {
        let above = (0..n / 2).map(|at| view(at, bytes(1), &[n - at], &[n + 1]));
        let below = (1..n / 2).map(|at| view(at * n, bytes(1), &[n - at], &[n + 1]));
        (above.chain(below).collect(), vec![])
    }),
    ("all from one source", |n| {
        let source = view(0, bytes(2), &[20, n], &[2 * n, 2]);
        let column = |at| view(4 * at + 2, bytes(2), &[20, 1], &[2 * n, 1]);
        ((0..n).map(column).collect(), vec![source; n as usize])
    }),
    ("every second element, backwards", |n| {
        let half =
            |at: i64, start: i64| view(at * 64 + start + 60, bytes(1), &[5, 4, 2], &[-12, -3, 1]);
        ((0..n).map(|at| half(at, 0)).collect(), vec![])
    }),
];

#[test]
fn what_legal_programs_pass_takes_steps_in_proportion() {
    for (name, family) in FAMILIES {
        for n in [500, 2000] {
            let (destinations, sources) = family(n);
            let count = destinations.len() + sources.len();
            let cost = cost(&destinations, &sources);
            assert!(cost.boxes <= 4 * count, "{name}: {cost:?} for {count}");
            assert_eq!((cost.pairs, cost.scanned), (0, 0), "{name}: {cost:?} for {count}");
        }
    }
}

#[test]
fn one_view_more_than_fits_is_found_among_all_others() {
    for (name, family) in FAMILIES {
        let (mut destinations, sources) = family(600);
        let (at, same) = (destinations.len() / 3, destinations.len() / 2);
        destinations[at] = destinations[same];
        let refused = check(&destinations, &sources);
        let expected = (Some(at), Some(same));
        match refused {
            Err(Error::Transfer(TransferError::Aliased { first, second, .. })) => {
                assert_eq!((first, second), expected, "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// Of the Conway-Guy sequence: no two subsets have the same sum, though no number is larger than all
/// smaller ones together.
fn distinct_sums(count: usize) -> Vec<i64> {
    let mut sequence = vec![0i64, 1];
    for at in 1..count {
        let back = (2.0 * at as f64).sqrt().round() as usize;
        sequence.push(2 * sequence[at] - sequence[at - back]);
    }
    (0..count).map(|at| sequence[count] - sequence[at]).collect()
}

#[test]
fn a_view_whose_strides_do_not_nest_is_legal_where_no_element_is_there_twice() {
    let strides = distinct_sums(18);
    assert!(!overlaps_itself(&view(0, bytes(1), &[2; 18], &strides)), "that is the premise");
    assert_eq!(check(&[view(0, bytes(1), &[2; 18], &strides)], &[]), Ok(()));
    let mut twice = strides.clone();
    twice[17] = strides[3] - strides[5] + strides[9];
    assert!(check(&[view(0, bytes(1), &[2; 18], &twice)], &[]).is_err());
    // Two of them, one of which fills gaps of the other.
    let free = 1 + strides.iter().min().unwrap();
    let two = [view(0, bytes(1), &[2; 10], &strides[8..]), view(0, bytes(1), &[2], &[free])];
    assert_right(&[two[0]], &[two[1]]);
}

#[test]
fn a_source_with_more_elements_than_memory_is_decided_or_refused_in_words() {
    // 2^40 elements in 2^21 bytes.
    let wide = view(0, bytes(1), &[1 << 20, 1 << 20], &[1, 1]);
    let inside = view(1 << 20, bytes(1), &[4], &[1]);
    let behind = view(1 << 22, bytes(1), &[4], &[1]);
    assert!(matches!(
        check(&[inside], &[wide]),
        Err(Error::Transfer(TransferError::Aliased { .. }))
    ));
    assert_eq!(check(&[behind], &[wide]), Ok(()));
    assert!(matches!(check(&[wide], &[]), Err(Error::Transfer(TransferError::Aliased { .. }))));
}
