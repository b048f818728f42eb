//! Lists of placements: equal placements are stored once, whatever the order of the list is.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::Random;
use shardspec::model::{CustomPlacement, Mesh, Placement, Placements};

/// A placement that counts how often it is hashed.
#[derive(Debug)]
struct Counted {
    rank: Option<i64>,
    text: String,
    hashes: Arc<AtomicUsize>,
}

impl CustomPlacement for Counted {
    fn type_name(&self) -> &str {
        "test.counted"
    }

    fn text(&self) -> &str {
        &self.text
    }

    fn rank(&self) -> Option<i64> {
        self.rank
    }

    fn hash_value(&self) -> u64 {
        self.hashes.fetch_add(1, Ordering::Relaxed);
        0
    }
}

/// One of few placements of all kinds.
fn any_placement(random: &mut Random, hashes: &Arc<AtomicUsize>) -> Placement {
    let number = random.range(0, 6);
    let text = match random.below(6) {
        0 => format!("rank:{number}"),
        1 => format!("rank:{number}/cuda:{}", random.below(2)),
        2 => format!("worker{number}"),
        3 => format!("cuda:{number}"),
        4 => return Placement::NONE,
        _ => {
            let rank = Some(number).filter(|rank| *rank < 4);
            let text = format!("place {}", random.below(2));
            return Placement::custom(Counted { rank, text, hashes: hashes.clone() }).unwrap();
        }
    };
    Placement::parse(&text).unwrap()
}

/// A list in a random order: parts that ascend, that take turns, that repeat, or that are arbitrary.
fn any_list(random: &mut Random) -> Vec<Placement> {
    let hashes = Arc::default();
    let mut list = Vec::new();
    while list.len() < 4 || random.below(4) > 0 {
        let (first, count) = (random.range(0, 8), random.range(1, 8));
        let on_rank = |rank| Placement::on_rank(rank).unwrap();
        match random.below(4) {
            0 => list.extend((first..first + count).map(on_rank)),
            1 => list.extend((0..3 * count).map(|at| on_rank(first + at % count))),
            2 => {
                let one = any_placement(random, &hashes);
                list.extend((0..count).map(|_| one.clone()));
            }
            _ => list.extend((0..count).map(|_| any_placement(random, &hashes))),
        }
    }
    list
}

#[test]
fn placements_of_any_order_are_stored_once_and_numbered_by_first_appearance() {
    let mut random = Random::new(5);
    for _ in 0..2000 {
        let list = any_list(&mut random);
        let mut distinct: Vec<Placement> = Vec::new();
        let mut indices = Vec::new();
        for placement in &list {
            let known = distinct.iter().position(|other| other == placement);
            indices.push(known.unwrap_or(distinct.len()) as u32);
            if known.is_none() {
                distinct.push(placement.clone());
            }
        }
        let placements = Placements::new(list.iter().cloned()).unwrap();
        assert_eq!(placements.distinct(), distinct, "{list:?}");
        assert_eq!(placements.indices(), indices, "{list:?}");

        // A table that has unused entries, and entries twice.
        let table: Vec<Placement> = list.iter().cloned().chain(any_list(&mut random)).collect();
        let mut order: Vec<u32> = (0..list.len() as u32).collect();
        assert_eq!(Placements::from_table(&table, &order).unwrap(), placements, "{table:?}");
        random.shuffle(&mut order);
        let shuffled = Placements::new(order.iter().map(|&at| list[at as usize].clone())).unwrap();
        assert_eq!(Placements::from_table(&table, &order).unwrap(), shuffled, "{table:?}");
    }
}

#[test]
fn ascending_ranks_and_runs_of_one_placement_are_not_hashed() {
    let hashes = Arc::<AtomicUsize>::default();
    let counted = |rank| {
        let text = "somewhere".to_owned();
        Placement::custom(Counted { rank: Some(rank), text, hashes: hashes.clone() }).unwrap()
    };
    let list: Vec<Placement> = (0..200).map(|at| counted(at / 2 * 3)).collect();
    assert_eq!(Placements::new(list.iter().cloned()).unwrap().distinct().len(), 100);
    let indices: Vec<u32> = (0..200).collect();
    assert_eq!(Placements::from_table(&list, &indices).unwrap().distinct().len(), 100);
    assert_eq!(hashes.load(Ordering::Relaxed), 0);

    // An earlier rank again: now each of them is hashed once.
    let again = list.iter().chain(&list[2..3]).cloned();
    assert_eq!(Placements::new(again).unwrap().indices()[198..], [99, 99, 1]);
    assert_eq!(hashes.load(Ordering::Relaxed), 101);
}

#[test]
fn a_mesh_without_placements_is_on_the_ranks_in_order() {
    let mesh = Mesh::new(&[("dp", 3), ("tp", 4)]).unwrap();
    let ranks = (0..12).map(|rank| Placement::on_rank(rank).unwrap());
    assert_eq!(**mesh.placements(), Placements::new(ranks.clone()).unwrap());
    let placed = Mesh::with_placements(&[("dp", 3), ("tp", 4)], Placements::new(ranks).unwrap());
    assert_eq!(placed.unwrap(), mesh);
}
