//! How the geometry grows: families that are hard for one algorithm or another, at `n` and at `4 * n`,
//! with steps counted.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use super::ReshardPlan;
use crate::common::families::{self, Cut};
use crate::common::hard::{FAMILIES, family, slabs};
use crate::common::plans::{on_random_ranks, on_ranks};
use crate::common::{Boxes, Random, naive};
use crate::geometry::steps::counted;
use crate::model::{
    Mesh, MeshCut, MeshLayout, MeshShardingSpec, RuleKind, ShardingSpec, Shards, TensorShape,
    validate,
};

/// Asserts that four times as much takes at most as many steps as `n * log(n)` says, with a little
/// more for what does not fit in exactly. `run` returns how many there are and how many steps they
/// took.
#[track_caller]
fn assert_grows_as_n_log_n(name: &str, run: impl FnMut(i64) -> (usize, u64), n: i64) {
    assert_grows_as(name, run, n, 1);
}

/// The same for `n * log(n)^power`.
#[track_caller]
fn assert_grows_as(name: &str, mut run: impl FnMut(i64) -> (usize, u64), n: i64, power: i32) {
    let ((few, few_steps), (many, many_steps)) = (run(n), run(4 * n));
    let cost = |count: usize| count as f64 * (count as f64).log2().powi(power);
    let allowed = 1.25 * cost(many) / cost(few);
    let grown = many_steps as f64 / few_steps as f64;
    println!("{name}: {few}: {few_steps}, {many}: {many_steps}; {grown:.2} of {allowed:.2}");
    assert!(grown <= allowed, "{name}: {grown:.2} times as many steps, not {allowed:.2}");
    // What is slow from the start grows slowly.
    let each = many_steps as f64 / cost(many);
    assert!(each < 600.0, "{name}: {each:.0} * n * log(n) steps");
}

#[test]
fn an_index_is_built_in_n_log_n_and_an_owner_is_found_in_a_polylog() {
    let few = 4000;
    for name in FAMILIES {
        let steps = [few, 4 * few].map(|n| {
            let shards = family(name, n).boxes.shards();
            let (index, build) = counted(|| shards.boxes().index().unwrap());
            assert!(index.depth() <= crate::geometry::rtree::MAX_DEPTH, "{name}");
            let find = || shards.iter().for_each(|s| assert!(index.owner(s.offsets).is_some()));
            (shards.len(), [build, counted(find).1])
        });
        for (number, what) in ["build", "owners"].into_iter().enumerate() {
            let run = |n| {
                let (count, steps) = steps[usize::from(n > few)];
                (count, steps[number])
            };
            assert_grows_as_n_log_n(&format!("{what} {name}"), run, few);
        }
    }
}

#[test]
fn overlaps_and_gaps_are_looked_for_in_n_log_n_and_in_30_dimensions_in_a_polylog() {
    // Boxes of 30 dimensions that no plane separates are searched dimension by dimension: see
    // `geometry::search` for why nothing better is to be had there.
    let power = |name: &str| if name == "gadgets" { 3 } else { 1 };
    for name in FAMILIES {
        let overlap = |n| {
            let shards = family(name, n).boxes.shards();
            (shards.len(), counted(|| shards.has_overlap().unwrap()).1)
        };
        assert_grows_as(&format!("overlap {name}"), overlap, 4000, power(name));
        if ["nested", "nested in 3-D", "equal"].contains(&name) {
            continue;
        }
        let gap = |n| {
            let Cut { sizes, boxes } = family(name, n);
            let shards = boxes.shards();
            (shards.len(), counted(|| validate::check_tensor(&shards, &sizes)).1.max(1))
        };
        assert_grows_as_n_log_n(&format!("gap {name}"), gap, 4000);
    }
}

/// Each shard has more blocks in a dimension if there are more devices, and each block is a piece.
#[test]
fn plans_between_blocks_over_meshes_take_as_many_steps_as_pieces() {
    let plan = |devices: i64| {
        let over = |axes: [i64; 3]| {
            let names = ["x", "y", "z"];
            let axes: Vec<_> = names.iter().zip(axes).map(|(name, size)| (*name, size)).collect();
            let cut = || RuleKind::Cyclic { block: 16, first: 0 };
            let cuts = names.iter().enumerate();
            let cuts = cuts.map(|(dim, name)| MeshCut::new(dim as i64, name, cut()).unwrap());
            let layout = MeshLayout { cuts: cuts.collect(), ..MeshLayout::default() };
            let spec = MeshShardingSpec::new(Mesh::new(&axes).unwrap(), layout).unwrap();
            spec.build_metadata(TensorShape::new(&[1 << 14; 3]), Default::default()).unwrap()
        };
        let (source, destination) = (over([devices / 16, 4, 4]), over([4, 4, devices / 16]));
        let (plan, steps) = counted(|| ReshardPlan::new(&source, &destination).unwrap());
        (plan.len(), steps)
    };
    assert_grows_as_n_log_n("blocks over meshes", plan, 128);
}

/// One search per shard for the shards that it meets. (Sticks that cross pass through the bounding
/// boxes of many others; a search then compares `n^(1 - 1/d)` of them.)
#[test]
fn boxes_that_meet_few_shards_look_at_few() {
    for name in ["peeled, columns first", "peeled", "pinwheels", "halved", "partition"] {
        let ask = |n| {
            let shards = family(name, n).boxes.shards();
            let index = shards.boxes().index().unwrap();
            let mut found = Vec::new();
            let ask = || {
                for shard in shards.iter() {
                    index.find_box(shard.offsets, shard.sizes, &mut found).unwrap();
                }
            };
            (shards.len(), counted(ask).1)
        };
        assert_grows_as_n_log_n(&format!("boxes {name}"), ask, 4000);
    }
}

fn plan_steps(source: Shards, destination: Shards) -> (usize, u64) {
    let count = source.len() + destination.len();
    let (plan, steps) = counted(|| ReshardPlan::from_shards(source, destination).unwrap());
    (count + plan.len(), steps)
}

#[test]
fn many_replicas_for_many_destinations_are_planned_in_n_log_n() {
    let on = |boxes: &Boxes, ranks: &dyn Fn(i64) -> i64| {
        on_ranks(boxes, &(0..boxes.len() as i64).map(ranks).collect::<Vec<_>>())
    };
    let equal = |n: i64| {
        let mut boxes = Boxes::new(2);
        (0..n).for_each(|_| boxes.push(&[0, 0], &[7, 9]));
        boxes
    };
    // All ranks hold the same box, and all others take it.
    let run = |n: i64| plan_steps(on(&equal(n), &|at| at), on(&equal(n), &|at| n + at));
    assert_grows_as_n_log_n("replicas of one box", run, 1000);
    // One rank holds them all.
    let run = |n: i64| plan_steps(on(&equal(n), &|_| 3), on(&equal(n), &|at| n + at));
    assert_grows_as_n_log_n("replicas on one rank", run, 1000);
    // Each holds what it takes itself.
    let run = |n: i64| plan_steps(on(&equal(n), &|at| at), on(&equal(n), &|at| at));
    assert_grows_as_n_log_n("replicas that stay", run, 1000);
    // All hold all rows, and one takes them.
    let run = |n: i64| {
        let rows = families::grid(&[n / 16, 1], &[1, 5]).boxes;
        let mut copies = Boxes::new(2);
        (0..16).for_each(|_| copies.extend(&rows));
        plan_steps(on(&copies, &|at| at / (n / 16)), on(&rows, &|_| 99))
    };
    assert_grows_as_n_log_n("replicas of rows", run, 1000);
    // One more source makes it replicas that overlap in another way.
    let run = |n: i64| {
        let mut boxes = equal(n);
        boxes.push(&[3, 3], &[20, 20]);
        plan_steps(on(&boxes, &|at| at), on(&equal(n), &|at| 2 * n + at))
    };
    assert_grows_as_n_log_n("replicas and another box", run, 1000);
}

#[test]
fn crossing_slabs_are_planned_without_all_cells_of_their_arrangement() {
    for ndim in [8, 16, 20, 32] {
        let Cut { boxes, .. } = slabs(ndim);
        let ranks: Vec<i64> = (0..ndim as i64).collect();
        let source = on_ranks(&boxes, &ranks);
        // The elements of each slab are taken once more elsewhere.
        let destination = on_ranks(&boxes, &vec![99; ndim]);
        let (plan, steps) = counted(|| ReshardPlan::from_shards(source, destination).unwrap());
        assert!(steps < 4_000_000, "{ndim}: {steps}");
        assert!(plan.len() <= 100_000, "{ndim}: {}", plan.len());
        for (number, wanted) in plan.destination().iter().enumerate() {
            let pieces = plan.pieces_in(plan.pieces_into(number));
            let elements: i64 = pieces.map(|piece| piece.sizes.iter().product::<i64>()).sum();
            assert_eq!(elements, wanted.sizes.iter().product::<i64>());
        }
    }
}

#[test]
fn a_few_gaps_between_crossing_slabs_are_told_without_all_others() {
    // 32 dimensions take half a minute here, where the library is not optimised: tests/layouts has them.
    for (ndim, limit) in [(12, 1), (12, 0), (20, 10), (4, 100)] {
        let Cut { sizes, boxes } = slabs(ndim);
        let shards = boxes.shards();
        let (gaps, steps) = counted(|| validate::gaps(&shards, &sizes, limit).unwrap());
        assert!(steps < 8_000_000, "{ndim}: {steps}");
        assert_eq!(gaps.boxes.len(), limit.min(1 << ndim));
        assert_eq!(gaps.more, limit < 1 << ndim);
        for gap in &gaps.boxes {
            assert!(!naive::any_meets(&boxes, &gap.offsets, &gap.sizes));
        }
    }
}

#[test]
fn sources_that_overlap_at_random_are_planned_in_few_steps() {
    for (ndim, count, side) in [(3, 241, 1000), (8, 40, 50), (2, 2000, 100_000)] {
        let mut random = Random::new(6);
        let sizes = vec![side; ndim];
        let mut boxes = vec![(vec![0; ndim], sizes.clone())];
        for _ in 1..count {
            let offsets: Vec<i64> = sizes.iter().map(|&size| random.range(0, size)).collect();
            let lengths =
                sizes.iter().zip(&offsets).map(|(size, at)| random.range(0, size - at) + 1);
            boxes.push((offsets.clone(), lengths.collect()));
        }
        let source = on_random_ranks(ndim, boxes, 8, &mut random);
        let destination = on_ranks(&Boxes::of(ndim, &[(&vec![0; ndim], &sizes)]), &[99]);
        let (plan, steps) = counted(|| ReshardPlan::from_shards(source, destination).unwrap());
        assert!(steps < 20_000_000, "{ndim}-D: {steps}");
        let elements: i64 = plan.pieces().map(|piece| piece.sizes.iter().product::<i64>()).sum();
        assert_eq!(elements, sizes.iter().product::<i64>());
    }
}

#[test]
fn counting_runs_makes_none_of_them() {
    let side = 1 << 14;
    let whole = Boxes::of(3, &[(&[0; 3], &[side; 3])]);
    let column = Boxes::of(3, &[(&[0, 0, 0], &[side, side, 1]), (&[0, 1, 1], &[side, 9, 7])]);
    let plan =
        ReshardPlan::from_shards(on_ranks(&whole, &[0]), on_ranks(&column, &[0, 0])).unwrap();
    let (count, steps) = counted(|| plan.count_runs_of_bits(0..2, 32).unwrap());
    assert_eq!((count, steps), (1 + side as usize, 2));
    assert_eq!(plan.runs(1..2, 4).unwrap().len(), side as usize);
}
