//! Parts of plans that no caller sees: parts that are taken off, and what an owner receives once.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use proptest::prelude::*;

use super::parts::PartBudget;
use super::{Piece, PlanError, ReshardPlan, Window};
use crate::common::cuts::{elements_of, indices_of};
use crate::common::layouts::{Kinds, Layout, shards};
use crate::common::plans::{on_random_ranks, on_ranks};
use crate::common::{Boxes, Random};
use crate::memory::Shared;
use crate::model::{Error, Result, Shards};

/// Where something is in a tensor or in a buffer, in the order of its elements.
type Places = Vec<i64>;

/// [`ReshardPlan::from_shards`] with a budget of its own.
fn within(budget: PartBudget, source: Shards, destination: Shards) -> Result<ReshardPlan> {
    let (source, destination) = (Shared::try_new(source)?, Shared::try_new(destination)?);
    ReshardPlan::with_effort(source, destination, None, (budget, None))
}

/// The elements of each shard as places in the tensor, in the order of its buffer; -1 for a hole.
fn elements(list: &Shards, sizes: &[i64]) -> Vec<Places> {
    (0..list.len()).map(|shard| elements_of(&indices_of(list, shard), sizes)).collect()
}

/// The places of a window in a buffer of these sizes.
fn places(window: &Window<'_>, sizes: &[i64]) -> Places {
    let stride = |dim: usize| sizes[dim + 1..].iter().product::<i64>();
    let first = window.offsets.iter().enumerate().map(|(dim, at)| at * stride(dim)).sum();
    let step = |dim: usize| match window.strides {
        None => stride(dim),
        Some((dims, steps)) => steps[dim] * stride(dims[dim]),
    };
    window.sizes.iter().enumerate().fold(vec![first], |places, (dim, &size)| {
        places.iter().flat_map(|at| (0..size).map(move |turn| at + turn * step(dim))).collect()
    })
}

fn owner(list: &Shards, shard: usize) -> Option<i64> {
    list.get(shard).unwrap().placement.rank()
}

/// What a plan writes: for each place of each destination shard, the source shard. Each is written once,
/// with the element that belongs there, and pieces are in their order.
fn written(plan: &ReshardPlan, sizes: &[i64]) -> Vec<Vec<Option<usize>>> {
    let pieces: Vec<_> = plan.pieces().collect();
    assert!(pieces.is_sorted_by_key(|piece| (piece.destination, piece.source)));
    let (from, to) = (elements(plan.source(), sizes), elements(plan.destination(), sizes));
    let mut written: Vec<Vec<_>> = to.iter().map(|own| vec![None; own.len()]).collect();
    for piece in pieces {
        let shape = |list: &Shards, shard: usize| list.get(shard).unwrap().sizes.to_vec();
        let read = places(&piece.source_window, &shape(plan.source(), piece.source));
        let filled =
            places(&piece.destination_window, &shape(plan.destination(), piece.destination));
        assert_eq!(read.len(), piece.elements());
        for (read, filled) in read.into_iter().zip(filled) {
            let element = to[piece.destination][filled as usize];
            assert_eq!(from[piece.source][read as usize], element);
            let before = written[piece.destination][filled as usize].replace(piece.source);
            assert_eq!(before, None, "{piece:?} writes again");
        }
    }
    written
}

/// Asserts that of the shards of an owner the first that holds an element receives it, and that all others
/// take it from there. Returns how many elements are received, or `None` where no shards of one owner
/// have any in common.
fn received_once(source: Shards, destination: Shards, sizes: &[i64]) -> Option<usize> {
    let plan = ReshardPlan::from_shards(source, destination).unwrap();
    let destination = plan.destination();
    let held = elements(destination, sizes);
    let mut first = std::collections::BTreeMap::new();
    let mut shared = false;
    for (shard, own) in held.iter().enumerate() {
        for &element in own.iter().filter(|&&element| element >= 0) {
            shared |= *first.entry((owner(destination, shard), element)).or_insert(shard) != shard;
        }
    }
    let plans = plan.again_received_once().unwrap();
    assert_eq!(plans.is_some(), shared);
    let plans = plans?;
    let received = written(&plans.received, sizes);
    let copied = written(&plans.copied.unwrap(), sizes);
    for (shard, own) in held.iter().enumerate() {
        for (place, element) in own.iter().enumerate().filter(|(_, element)| **element >= 0) {
            let from = first[&(owner(destination, shard), *element)];
            let (received, copied) = (received[shard][place], copied[shard][place]);
            assert_eq!(received.is_some(), from == shard, "shard {shard} at {place}");
            assert_eq!(copied, (from != shard).then_some(from), "shard {shard} at {place}");
        }
    }
    Some(received.iter().flatten().flatten().count())
}

#[test]
fn the_first_of_an_owners_boxes_receives_an_element_and_all_others_take_it_from_there() {
    let (mut random, mut alone) = (Random::new(31), 0);
    for _ in 0..300 {
        let sizes: Vec<i64> = (0..1 + random.below(3)).map(|_| random.range(1, 7)).collect();
        let mut boxes: Vec<(Vec<i64>, Vec<i64>)> = Vec::new();
        for _ in 0..1 + random.below(8) {
            let one = |(at, size): (i64, i64), random: &mut Random| random.range(0, size - at + 1);
            let start: Vec<i64> = sizes.iter().map(|&size| random.range(0, size)).collect();
            let ends = start.iter().copied().zip(sizes.iter().copied());
            let lengths = ends.map(|end| one(end, &mut random)).collect();
            let is_again = !boxes.is_empty() && random.below(4) == 0;
            boxes.push(if is_again { boxes[0].clone() } else { (start, lengths) });
        }
        let kinds = Kinds { replicas: true, flattened: false, ranks: 3 };
        let source = Layout::random(&mut random, &sizes, kinds).shards;
        let destination = on_random_ranks(sizes.len(), boxes, 4, &mut random);
        alone += usize::from(received_once(source, destination, &sizes).is_none());
    }
    assert!((50..250).contains(&alone), "{alone}");
}

#[test]
fn the_first_of_an_owners_shards_receives_an_element_where_shards_are_no_boxes() {
    let mut random = Random::new(32);
    for _ in 0..150 {
        let sizes: Vec<i64> = (0..1 + random.below(2)).map(|_| random.range(1, 10)).collect();
        let mut layout = |replicas| {
            Layout::random(&mut random, &sizes, Kinds { replicas, flattened: false, ranks: 3 })
        };
        let (source, one, other) = (layout(false), layout(true), layout(false));
        let both: Vec<_> = one.maps.iter().chain(&other.maps).cloned().collect();
        let destination = shards(&mut random, sizes.len(), &both, None, 3);
        received_once(source.shards, destination, &sizes);
    }
}

/// Boxes of one owner, each a little shorter than the one before.
#[test]
fn a_box_is_received_whole_if_it_meets_more_than_256_boxes_of_its_owner() {
    let received = |count: i64| {
        let whole = on_ranks(&Boxes::of(1, &[(&[0], &[300])]), &[0]);
        let mut boxes = Boxes::new(1);
        (0..count).for_each(|shorter| boxes.push(&[0], &[300 - shorter]));
        let plan = ReshardPlan::from_shards(whole, boxes.shards()).unwrap();
        let plans = plan.again_received_once().unwrap();
        let elements =
            |plan: &ReshardPlan| plan.pieces().map(|piece| piece.elements()).sum::<usize>();
        plans.map_or(elements(&plan), |plans| elements(&plans.received))
    };
    assert_eq!(received(256), 300);
    assert_eq!(received(257), (0..257).map(|shorter| 300 - shorter).sum::<usize>());
}

/// Rows and columns of a square that cross, and behind them the square: to cut it along all borders takes too
/// long. So it is received whole, and nothing of it is copied as well.
#[test]
fn a_box_that_takes_too_long_to_cut_is_received_whole_and_not_copied() {
    let (count, side) = (120, 240);
    let mut boxes = Boxes::new(2);
    (0..count).for_each(|row| boxes.push(&[2 * row, 0], &[1, side]));
    (0..count).for_each(|column| boxes.push(&[0, 2 * column], &[side, 1]));
    boxes.push(&[0, 0], &[side, side]);
    let square = on_ranks(&Boxes::of(2, &[(&[0, 0], &[side, side])]), &[0]);
    let plan = ReshardPlan::from_shards(square, boxes.shards()).unwrap();
    let plans = plan.again_received_once().unwrap().unwrap();
    let copied = plans.copied.unwrap();
    let elements = |plan: &ReshardPlan, shard: usize| {
        plan.pieces_in(plan.pieces_into(shard)).map(|piece| piece.elements() as i64).sum::<i64>()
    };
    for shard in 0..boxes.len() {
        let expected = match shard as i64 {
            row if row < count => [side, 0],
            column if column < 2 * count => [side - count, count],
            _ => [side * side, 0],
        };
        assert_eq!([&plans.received, &copied].map(|plan| elements(plan, shard)), expected);
    }
}

/// Three intervals that overlap serve each destination shard.
#[test]
fn parts_of_all_destination_shards_are_taken_off_within_one_budget() {
    let line = |cuts: &[[i64; 2]]| {
        let mut boxes = Boxes::new(1);
        cuts.iter().for_each(|[start, length]| boxes.push(&[*start], &[*length]));
        boxes.shards()
    };
    let try_within = |steps: u64, wanted: &[[i64; 2]]| {
        let source = line(&[[0, 4], [2, 4], [4, 4]]);
        within(PartBudget::taking(steps), source, line(wanted))
    };
    let least = |wanted: &[[i64; 2]]| (0..1 << 12).find(|&steps| try_within(steps, wanted).is_ok());
    // What one source holds is no question.
    assert_eq!(least(&[[0, 4], [3, 2], [4, 4]]), Some(0));
    let one = least(&[[0, 8]]).unwrap();
    assert!(one > 0);
    assert_eq!(least(&[[0, 8]; 2]), Some(2 * one));
    let refused = try_within(2 * one - 1, &[[0, 8]; 2]).unwrap_err();
    assert!(matches!(refused, Error::Unsupported { .. }));
    assert!(refused.to_string().contains("destination shard 1: 3 different boxes"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// What is taken off one source after the other serves each element once, from the same owner
    /// where it can, as what is cut along all borders does.
    #[test]
    fn parts_that_are_taken_off_serve_every_element_once(
        sizes in prop::collection::vec(1i64..7, 1..=4), count in 1usize..12, wanted in 1usize..6,
        seed: u64,
    ) {
        let mut random = Random::new(seed);
        let ndim = sizes.len();
        let mut some = |count: usize| -> Vec<(Vec<i64>, Vec<i64>)> {
            let mut one = || {
                let offsets: Vec<i64> = sizes.iter().map(|&size| random.range(0, size)).collect();
                let lengths = sizes.iter().zip(&offsets).map(|(s, at)| random.range(0, s - at) + 1);
                (offsets.clone(), lengths.collect())
            };
            (0..count).map(|_| one()).collect()
        };
        let (sources, wanted) = (some(count), some(wanted));
        let source = on_random_ranks(ndim, sources, 3, &mut random);
        let destination = on_random_ranks(ndim, wanted, 3, &mut random);
        let held = |shards: &Shards, at: &[i64]| -> Vec<usize> {
            let holds = |shard: &usize| {
                let shard = shards.get(*shard).unwrap();
                (0..ndim).all(|d| (shard.offsets[d]..shard.offsets[d] + shard.sizes[d]).contains(&at[d]))
            };
            (0..shards.len()).filter(holds).collect()
        };
        let rank = |shards: &Shards, shard: usize| shards.get(shard).unwrap().placement.rank();
        let all: Vec<Vec<i64>> = (0..sizes.iter().product::<i64>()).map(|number| {
            let mut rest = number;
            sizes.iter().map(|&size| { let at = rest % size; rest /= size; at }).collect()
        }).collect();
        let lacks = all.iter().any(|at| !held(&destination, at).is_empty() && held(&source, at).is_empty());
        let plan = match within(PartBudget::NO_CUTS, source.clone(), destination.clone()) {
            Ok(plan) => plan,
            Err(Error::Plan(PlanError::NoSource { region, .. })) => {
                prop_assert!(lacks);
                prop_assert!(held(&source, &region.offsets).is_empty());
                return Ok(());
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        prop_assert!(!lacks);
        for at in &all {
            for to in held(&destination, at) {
                let wanted = destination.get(to).unwrap();
                let serves = |piece: &Piece<'_>| (0..ndim).all(|d| {
                    let start = wanted.offsets[d] + piece.destination_window.offsets[d];
                    (start..start + piece.sizes[d]).contains(&at[d])
                });
                let pieces: Vec<_> = plan.pieces_in(plan.pieces_into(to)).filter(serves).collect();
                prop_assert_eq!(pieces.len(), 1);
                let holders = held(&source, at);
                prop_assert!(holders.contains(&pieces[0].source));
                let own = rank(&destination, to);
                let local = holders.iter().any(|&shard| rank(&source, shard) == own);
                prop_assert_eq!(local, rank(&source, pieces[0].source) == own);
            }
        }
    }
}
