//! Plans against their definition, on random layouts: each pair of shards compared, each element
//! looked for.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use crate::common::plans::{metadata, naive_rows, on_random_ranks, on_ranks, random_layout, rows};
use crate::common::{Boxes, Random};
use proptest::prelude::*;
use shardspec::model::ModelError;
use shardspec::model::{DataType, Error, ShardedTensorMetadata, Shards, TensorProperties};
use shardspec::plan::PlanError;
use shardspec::plan::{Piece, ReshardPlan};

/// The elements of a piece, as indices into the tensor.
fn elements(plan: &ReshardPlan, piece: &Piece<'_>) -> Vec<Vec<i64>> {
    let shard = plan.destination().get(piece.destination).unwrap();
    let mut all = vec![vec![]];
    for (dim, &size) in piece.sizes.iter().enumerate() {
        let start = shard.offsets[dim] + piece.destination_window.offsets[dim];
        all = all
            .into_iter()
            .flat_map(|index: Vec<i64>| {
                (start..start + size).map(move |at| [&index[..], &[at]].concat())
            })
            .collect();
    }
    all
}

fn holds(shards: &Shards, shard: usize, element: &[i64]) -> bool {
    let shard = shards.get(shard).unwrap();
    (0..element.len()).all(|dim| {
        let start = shard.offsets[dim];
        start <= element[dim] && element[dim] < start + shard.sizes[dim]
    })
}

fn numel(sizes: &[i64]) -> i64 {
    sizes.iter().product()
}

/// Asserts what every plan promises: pieces in order and inside of both shards, and each element
/// that a destination shard wants in exactly one of them.
fn assert_serves(plan: &ReshardPlan, wanted: impl Fn(usize) -> bool) {
    let (source, destination) = (plan.source(), plan.destination());
    let rows = rows(plan);
    assert!(rows.is_sorted_by_key(|row| (row.1, row.0)), "{rows:?}");
    for (number, shard) in destination.iter().enumerate() {
        let mut written = std::collections::BTreeSet::new();
        let pieces = plan.pieces_into(number);
        assert!(plan.serves(number) == wanted(number));
        for piece in plan.pieces_in(pieces.clone()) {
            assert_eq!(piece.destination, number);
            let from = source.get(piece.source).unwrap();
            for dim in 0..shard.sizes.len() {
                let place = from.offsets[dim] + piece.source_window.offsets[dim];
                assert_eq!(place, shard.offsets[dim] + piece.destination_window.offsets[dim]);
            }
            for element in elements(plan, &piece) {
                assert!(holds(source, piece.source, &element), "{piece:?}: {element:?}");
                assert!(holds(destination, number, &element), "{piece:?}: {element:?}");
                assert!(written.insert(element), "{piece:?} writes again");
            }
        }
        let needed = if wanted(number) { numel(shard.sizes) } else { 0 };
        assert_eq!(written.len() as i64, needed, "destination shard {number}");
    }
}

fn sizes() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(0i64..9, 0..=4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn pieces_are_those_of_comparing_each_pair(
        sizes in sizes(), cuts in (0usize..30, 0usize..30), seed: u64,
    ) {
        let mut random = Random::new(seed);
        let source = metadata(random_layout(&sizes, cuts.0, 3, &mut random), &sizes);
        let destination = metadata(random_layout(&sizes, cuts.1, 3, &mut random), &sizes);
        let plan = ReshardPlan::new(&source, &destination).unwrap();
        let expected = naive_rows(source.shards(), destination.shards());
        prop_assert_eq!(rows(&plan), expected.clone());
        prop_assert_eq!(plan.len(), expected.len());
        assert_serves(&plan, |_| true);

        let rank = |shards: &Shards, shard: usize| shards.get(shard).unwrap().placement.rank();
        let stays = |row: &crate::common::plans::Row| {
            rank(source.shards(), row.0) == rank(destination.shards(), row.1)
        };
        prop_assert_eq!(plan.is_local().unwrap(), expected.iter().all(stays));
        prop_assert_eq!(plan.is_identity(), source.shards() == destination.shards());

        let wanted: Vec<usize> = (0..destination.shards().len()).filter(|_| random.below(3) == 0).collect();
        let some = ReshardPlan::for_destinations(&source, &destination, &wanted).unwrap();
        let expected: Vec<_> = expected.into_iter().filter(|row| wanted.contains(&row.1)).collect();
        prop_assert_eq!(rows(&some), expected);
        assert_serves(&some, |shard| wanted.contains(&shard));
    }

    #[test]
    fn routes_and_traffic_add_up_the_pieces(
        sizes in sizes(), cuts in (0usize..30, 0usize..30), seed: u64,
    ) {
        let mut random = Random::new(seed);
        let source = random_layout(&sizes, cuts.0, 3, &mut random);
        let destination = random_layout(&sizes, cuts.1, 4, &mut random);
        let plan = ReshardPlan::from_shards(source.clone(), destination.clone()).unwrap();
        let rank = |shards: &Shards, shard: usize| shards.get(shard).unwrap().placement.rank();
        let routes = plan.routes().unwrap();
        let mut seen = 0;
        for route in routes.all() {
            let pieces = routes.pieces(route);
            prop_assert!(pieces.is_sorted() && !pieces.is_empty());
            seen += pieces.len();
            let pieces = pieces.iter().map(|&index| plan.piece(index as usize).unwrap());
            let mut elements = 0;
            for piece in pieces {
                elements += numel(piece.sizes);
                prop_assert_eq!(rank(&source, piece.source), route.source);
                prop_assert_eq!(rank(&destination, piece.destination), route.destination);
            }
            prop_assert_eq!(elements, route.elements);
            prop_assert_eq!(routes.between(route.source, route.destination), Some(route));
            prop_assert!(routes.from(route.source).contains(route));
        }
        prop_assert_eq!(seen, plan.len());
        prop_assert!(routes.all().is_sorted_by_key(|route| (route.source, route.destination)));
        prop_assert!(routes.between(Some(77), None).is_none());
        let traffic: Vec<_> = plan.shard_traffic().map(|pair| pair.unwrap()).collect();
        let expected: Vec<_> = plan.pieces().enumerate().map(|(index, piece)| {
            (piece.source, piece.destination, numel(piece.sizes), index..index + 1)
        }).collect();
        prop_assert_eq!(traffic, expected);
    }

    /// Moving a byte for each element by nothing but the runs puts every element where it belongs.
    #[test]
    fn runs_move_each_byte_to_its_place(
        sizes in sizes(), cuts in (0usize..12, 0usize..12), itemsize in 1i64..4, seed: u64,
    ) {
        let mut random = Random::new(seed);
        let source = random_layout(&sizes, cuts.0, 3, &mut random);
        let destination = random_layout(&sizes, cuts.1, 3, &mut random);
        let plan = ReshardPlan::from_shards(source.clone(), destination.clone()).unwrap();
        let runs = plan.runs(0..plan.len(), itemsize).unwrap();
        // A byte says which one it is of which element.
        let buffer = |shard: &shardspec::model::Shard<'_>| -> Vec<i64> {
            let mut places = vec![0i64];
            for (dim, &size) in shard.sizes.iter().enumerate() {
                let next = |at: i64| (0..size).map(move |i| (at, shard.offsets[dim] + i));
                let whole = sizes[dim];
                places = places.into_iter().flat_map(next).map(|(at, i)| at * whole + i).collect();
            }
            places.into_iter().flat_map(|at| (0..itemsize).map(move |byte| at * itemsize + byte)).collect()
        };
        let from: Vec<Vec<i64>> = source.iter().map(|shard| buffer(&shard)).collect();
        let mut to: Vec<Vec<i64>> = destination.iter().map(|s| vec![-1; buffer(&s).len()]).collect();
        for run in &runs {
            prop_assert!(run.length > 0 && run.count > 0);
            prop_assert_eq!(run.count == 1, run.source_stride == 0 && run.destination_stride == 0);
            for block in 0..run.count {
                let source_start = run.source_offset + block * run.source_stride;
                let start = run.destination_offset + block * run.destination_stride;
                for byte in 0..run.length {
                    let place = &mut to[run.destination][(start + byte) as usize];
                    prop_assert_eq!(*place, -1, "written twice");
                    *place = from[run.source][(source_start + byte) as usize];
                }
            }
        }
        let expected: Vec<Vec<i64>> = destination.iter().map(|shard| buffer(&shard)).collect();
        prop_assert_eq!(to, expected);
    }

    #[test]
    fn equal_layouts_need_local_copies_only(sizes in sizes(), cuts in 0usize..30, seed: u64) {
        let layout = random_layout(&sizes, cuts, 4, &mut Random::new(seed));
        let metadata = metadata(layout, &sizes);
        let plan = ReshardPlan::new(&metadata, &metadata.clone()).unwrap();
        prop_assert!(plan.is_local().unwrap() && plan.is_identity());
        prop_assert!(plan.pieces().all(|piece| piece.source == piece.destination));
    }

    /// Sources of any boxes, some of them twice: what all hold is served, each element once and by
    /// a source of the same rank where there is one, and else the refusal is true.
    #[test]
    fn of_sources_that_overlap_one_is_chosen_for_each_element(
        sizes in prop::collection::vec(1i64..7, 0..=4), cuts in (0usize..6, 0usize..6),
        copies in 1usize..4, drop_one: bool, seed: u64,
    ) {
        let mut random = Random::new(seed);
        let ndim = sizes.len();
        let mut boxes = Vec::new();
        for copy in 0..copies {
            // Sometimes copies of the same boxes, sometimes others that overlap in any way.
            let mut seed = if random.below(2) == 0 { Random::new(seed ^ 1) } else { Random::new(seed ^ (copy as u64 + 7)) };
            let layout = random_layout(&sizes, cuts.0, 3, &mut seed);
            boxes.extend(layout.iter().map(|shard| (shard.offsets.to_vec(), shard.sizes.to_vec())));
        }
        if drop_one {
            boxes.swap_remove(random.below(boxes.len()));
        }
        random.shuffle(&mut boxes);
        let source = on_random_ranks(ndim, boxes, 4, &mut random);
        let mut wanted = Vec::new();
        for _ in 0..2 {
            let layout = random_layout(&sizes, cuts.1, 4, &mut random);
            wanted.extend(layout.iter().map(|shard| (shard.offsets.to_vec(), shard.sizes.to_vec())));
        }
        wanted.truncate(1 + random.below(wanted.len()));
        let destination = on_random_ranks(ndim, wanted, 4, &mut random);
        let held_by = |element: &[i64]| (0..source.len()).filter(|&shard| holds(&source, shard, element)).collect::<Vec<_>>();
        match ReshardPlan::from_shards(source.clone(), destination.clone()) {
            Ok(plan) => {
                assert_serves(&plan, |_| true);
                for piece in plan.pieces() {
                    let rank = |shards: &Shards, shard: usize| shards.get(shard).unwrap().placement.rank();
                    let own = rank(&destination, piece.destination);
                    for element in elements(&plan, &piece) {
                        let local = held_by(&element).iter().any(|&shard| rank(&source, shard) == own);
                        prop_assert_eq!(local, rank(&source, piece.source) == own, "{:?}", piece);
                    }
                }
            }
            Err(Error::Plan(PlanError::NoSource { destination: shard, region, .. })) => {
                let wanted = destination.get(shard).unwrap();
                prop_assert!(!region.is_empty());
                let mut all = vec![vec![]];
                for dim in 0..ndim {
                    let (start, size) = (region.offsets[dim], region.sizes[dim]);
                    prop_assert!(wanted.offsets[dim] <= start);
                    prop_assert!(start + size <= wanted.offsets[dim] + wanted.sizes[dim]);
                    all = all.into_iter().flat_map(|index: Vec<i64>| (start..start + size).map(move |at| [&index[..], &[at]].concat())).collect();
                }
                for element in all {
                    prop_assert!(held_by(&element).is_empty(), "{:?} is held", element);
                }
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        }
    }

    /// The same where ranks are on nodes: an element that no source of the same rank holds is read on
    /// the same node, if any source there holds it.
    #[test]
    fn of_sources_that_overlap_a_near_one_is_chosen(
        sizes in prop::collection::vec(1i64..7, 1..=3), cuts in (0usize..6, 0usize..6),
        copies in 2usize..5, nodes in prop::collection::vec(0i64..3, 6), seed: u64,
    ) {
        let mut random = Random::new(seed);
        let mut boxes = Vec::new();
        for copy in 0..copies {
            let mut seed = Random::new(if random.below(2) == 0 { seed ^ 1 } else { seed ^ (copy as u64 + 7) });
            let layout = random_layout(&sizes, cuts.0, 3, &mut seed);
            boxes.extend(layout.iter().map(|shard| (shard.offsets.to_vec(), shard.sizes.to_vec())));
        }
        let source = on_random_ranks(sizes.len(), boxes, 6, &mut random);
        let wanted = random_layout(&sizes, cuts.1, 6, &mut random);
        let wanted = wanted.iter().map(|shard| (shard.offsets.to_vec(), shard.sizes.to_vec())).collect();
        let destination = on_random_ranks(sizes.len(), wanted, 6, &mut random);
        // Of one rank the node is not known.
        let node_of = |rank: i64| (rank != 5).then(|| nodes[rank as usize]);
        let plan = ReshardPlan::from_shards_near(source.clone(), destination.clone(), &node_of).unwrap();
        assert_serves(&plan, |_| true);
        let rank = |shards: &Shards, shard: usize| shards.get(shard).unwrap().placement.rank().unwrap();
        // 0: the same rank, 1: the same node, 2: another one.
        let distance = |from: i64, to: i64| match (from == to, node_of(from), node_of(to)) {
            (true, ..) => 0,
            (_, Some(a), Some(b)) if a == b => 1,
            _ => 2,
        };
        for piece in plan.pieces() {
            let own = rank(&destination, piece.destination);
            let chosen = distance(rank(&source, piece.source), own);
            for element in elements(&plan, &piece) {
                let held = (0..source.len()).filter(|&shard| holds(&source, shard, &element));
                let least = held.map(|shard| distance(rank(&source, shard), own)).min().unwrap();
                prop_assert_eq!(chosen, least, "{:?}", piece);
            }
        }
        // Numbers of nodes are names: others give the same plan.
        let renamed = |rank: i64| node_of(rank).map(|node| 100 - node);
        let other = ReshardPlan::from_shards_near(source, destination, &renamed).unwrap();
        prop_assert_eq!(rows(&plan), rows(&other));
    }

    /// Full copies on several ranks, none of which wants anything itself: nobody reads more than
    /// one piece above another, and never more than if all were read from the first that has it.
    #[test]
    fn reads_are_balanced_between_copies(
        sizes in prop::collection::vec(1i64..9, 1..=3), cuts in 0usize..12, copies in 2i64..6, seed: u64,
    ) {
        let mut random = Random::new(seed);
        let mut boxes = Boxes::new(sizes.len());
        for _ in 0..copies {
            boxes.push(&vec![0; sizes.len()], &sizes);
        }
        let source = on_ranks(&boxes, &(0..copies).collect::<Vec<_>>());
        let layout = random_layout(&sizes, cuts, 1, &mut random);
        let mut wanted = Boxes::new(sizes.len());
        layout.iter().for_each(|shard| wanted.push(shard.offsets, shard.sizes));
        let destination = on_ranks(&wanted, &vec![99; wanted.len()]);
        let plan = ReshardPlan::from_shards(source, destination).unwrap();
        assert_serves(&plan, |_| true);
        let mut load = vec![0; copies as usize];
        plan.pieces().for_each(|piece| load[piece.source] += numel(piece.sizes));
        let largest = plan.pieces().map(|piece| numel(piece.sizes)).max().unwrap();
        let (least, most) = (*load.iter().min().unwrap(), *load.iter().max().unwrap());
        prop_assert!(most - least <= largest, "{:?}", load);
        prop_assert!(plan.len() == 1 || most < numel(&sizes), "{:?}", load);
    }
}

#[test]
fn one_large_read_is_shared_by_all_who_can_serve_it() {
    let full: (&[i64], &[i64]) = (&[0, 0], &[8, 6]);
    let source = on_ranks(&Boxes::of(2, &[full; 4]), &[0, 1, 2, 3]);
    let destination = on_ranks(&Boxes::of(2, &[full]), &[7]);
    let plan = ReshardPlan::from_shards(source, destination).unwrap();
    let pieces: Vec<_> = plan.pieces().map(|p| (p.source, p.sizes.to_vec())).collect();
    assert_eq!(pieces, (0..4).map(|shard| (shard, vec![2, 6])).collect::<Vec<_>>());
}

#[test]
fn what_a_rank_holds_itself_counts_as_read_from_it() {
    // Ranks 0 and 1 both hold both halves; rank 0 wants the first one, rank 9 the second.
    let (first, second): ((&[i64], &[i64]), _) = ((&[0], &[4]), (&[4][..], &[4][..]));
    let source = on_ranks(&Boxes::of(1, &[first, second, first, second]), &[0, 0, 1, 1]);
    let destination = on_ranks(&Boxes::of(1, &[first, second]), &[0, 9]);
    let plan = ReshardPlan::from_shards(source, destination).unwrap();
    let pairs: Vec<_> = plan.pieces().map(|piece| (piece.source, piece.destination)).collect();
    assert_eq!(pairs, [(0, 0), (3, 1)]);
}

#[test]
fn layouts_of_different_tensors_are_refused() {
    let layout = |sizes: &[i64], dtype| {
        let properties = TensorProperties { dtype, ..TensorProperties::default() };
        let shards = random_layout(sizes, 3, 2, &mut Random::new(1));
        ShardedTensorMetadata::new(shards, sizes, properties).unwrap()
    };
    let float = Some(DataType::FLOAT32);
    let int = Some(DataType { code: 0, bits: 32, lanes: 1 });
    let refusal = |a, b| ReshardPlan::new(&a, &b).unwrap_err();
    let error = refusal(layout(&[4, 6], None), layout(&[4, 5], None));
    assert!(
        matches!(
            error,
            Error::Model(ModelError::ShapeMismatch { dim: 1, got: 5, expected: 6, .. })
        ),
        "{error}"
    );
    let error = refusal(layout(&[4, 6], None), layout(&[24], None));
    assert!(matches!(error, Error::NdimMismatch { got: 1, expected: 2, .. }), "{error}");
    let error = refusal(layout(&[4], float), layout(&[4], int));
    assert!(matches!(error, Error::Model(ModelError::DtypeMismatch { .. })), "{error}");
    for (a, b, dtype) in [(None, float, float), (int, None, int), (None, None, None)] {
        let plan = ReshardPlan::new(&layout(&[4], a), &layout(&[4], b)).unwrap();
        assert_eq!(plan.dtype(), dtype);
    }
    let (a, b) = (layout(&[4], None), layout(&[4], None));
    let error = ReshardPlan::for_destinations(&a, &b, &[0, 4]).unwrap_err();
    assert!(
        matches!(error, Error::At { argument: "destination_indices", index: 1, .. }),
        "{error}"
    );
}

#[test]
fn what_continues_is_one_run() {
    let layout = |boxes: &[(&[i64], &[i64])]| {
        metadata(on_ranks(&Boxes::of(3, boxes), &vec![0; boxes.len()]), &[4, 6, 5])
    };
    let whole = layout(&[(&[0, 0, 0], &[4, 6, 5])]);
    let run = |halves: &ShardedTensorMetadata| {
        let plan = ReshardPlan::new(&whole, halves).unwrap();
        let runs = plan.runs(plan.pieces_into(1), 4).unwrap();
        let numbers = |run: &shardspec::plan::Run| {
            let source = (run.source_offset, run.source_stride);
            (source, (run.destination_offset, run.destination_stride), run.length, run.count)
        };
        runs.iter().map(numbers).collect::<Vec<_>>()
    };
    let rows = layout(&[(&[0, 0, 0], &[2, 6, 5]), (&[2, 0, 0], &[2, 6, 5])]);
    assert_eq!(run(&rows), [((240, 0), (0, 0), 240, 1)]);
    let middle = layout(&[(&[0, 0, 0], &[4, 3, 5]), (&[0, 3, 0], &[4, 3, 5])]);
    assert_eq!(run(&middle), [((60, 120), (0, 60), 60, 4)]);
    let last = layout(&[(&[0, 0, 0], &[4, 6, 4]), (&[0, 0, 4], &[4, 6, 1])]);
    assert_eq!(run(&last), [((16, 20), (0, 4), 4, 24)]);
    let inside =
        layout(&[(&[0, 0, 0], &[4, 2, 5]), (&[0, 2, 1], &[4, 4, 4]), (&[0, 2, 0], &[4, 4, 1])]);
    let outer = |i: i64| ((44 + 120 * i, 20), (64 * i, 16), 16, 4);
    assert_eq!(run(&inside), [outer(0), outer(1), outer(2), outer(3)]);
}

#[test]
fn runs_past_64_bits_are_refused() {
    let huge = Boxes::of(1, &[(&[0], &[i64::MAX / 2])]);
    let huge = metadata(on_ranks(&huge, &[0]), &[i64::MAX / 2]);
    let plan = ReshardPlan::new(&huge, &huge).unwrap();
    assert!(plan.runs(0..1, 2).is_ok());
    assert!(matches!(plan.runs(0..1, 3), Err(Error::Overflow { .. })));
    assert!(matches!(plan.runs(0..1, 0), Err(Error::TooSmall { .. })));
}

/// Elements of 4 bits, two in each byte: half of the columns, and columns that end inside of a byte.
#[test]
fn runs_of_packed_elements_are_named_where_bytes_end() {
    let layout = |boxes: &[(&[i64], &[i64])]| {
        metadata(on_ranks(&Boxes::of(2, boxes), &vec![0; boxes.len()]), &[64, 256])
    };
    let whole = layout(&[(&[0, 0], &[64, 256])]);
    let halves = layout(&[(&[0, 0], &[64, 128]), (&[0, 128], &[64, 128])]);
    let plan = ReshardPlan::new(&whole, &halves).unwrap();
    let runs = plan.runs_of_bits(plan.pieces_into(1), 4).unwrap();
    let [run] = &runs[..] else { panic!("{runs:?}") };
    assert_eq!((run.source_offset, run.source_stride), (64, 128));
    assert_eq!((run.destination_offset, run.destination_stride), (0, 64));
    assert_eq!((run.length, run.count), (64, 64));
    assert_eq!(plan.count_runs_of_bits(plan.pieces_into(1), 4).unwrap(), 1);
    assert_eq!(plan.runs_of_bits(0..2, 32).unwrap(), plan.runs(0..2, 4).unwrap());

    let odd = layout(&[(&[0, 0], &[64, 127]), (&[0, 127], &[64, 129])]);
    let plan = ReshardPlan::new(&whole, &odd).unwrap();
    assert!(matches!(plan.runs_of_bits(0..1, 4), Err(Error::Unsupported { .. })));
    assert!(matches!(plan.count_runs_of_bits(0..1, 4), Err(Error::Unsupported { .. })));
    // Seven elements of 4 bits end inside of a byte, but nothing comes after them.
    let seven = on_ranks(&Boxes::of(1, &[(&[0], &[7])]), &[0]);
    let plan = ReshardPlan::from_shards(seven.clone(), seven).unwrap();
    assert_eq!(plan.runs_of_bits(0..1, 4).unwrap()[0].length, 4);
    assert!(matches!(plan.runs_of_bits(0..1, 0), Err(Error::TooSmall { .. })));
}
