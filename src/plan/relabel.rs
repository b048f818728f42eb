//! Which worker should be which in a new layout, so that the least has to move.
//!
//! Two layouts may differ by little more than the names of their workers. The placements of the
//! destination are permuted: all shards with one placement get another one. Of all permutations,
//! one is found in which the most elements stay with their owners. That is an assignment problem.
//! It is solved exactly, by shortest augmenting paths with potentials (the Hungarian method as
//! Jonker and Volgenant, "A Shortest Augmenting Path Algorithm for Dense and Sparse Linear
//! Assignment Problems", 1987, describe it for sparse problems): one search after the other, each
//! over pairs that share elements only.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "numbers of placements index arrays made for them; numbers of elements fit an i64 and \
              numbers of placements a u32, so all sums fit an i128"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Owners, ReshardPlan};
use crate::error::{Error, Result};
use crate::geometry::checked_numel;
use crate::memory::{self, Memory, Shared, TryVec, text};
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::placements::Placements;
use crate::sync::seed::Map;

/// A permutation of the placements of a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relabelling {
    /// For each distinct placement of the destination, the placement that its shards should get.
    pub placements: Vec<u32>,
    /// Elements that change owners between the two layouts as they are.
    pub moved_before: i64,
    /// Elements that change owners with the suggested placements: the minimum.
    pub moved_after: i64,
}

impl Relabelling {
    /// The best way to deal out the placements of a plan's destination. Where several are as good,
    /// one that changes as few placements as possible.
    ///
    /// Time: for `p` placements and `e` pairs of a placement and an owner that share elements, at
    /// worst `p * (e + p) * log(p)`; mostly far less, as searches end where a place is free.
    pub fn of(plan: &ReshardPlan) -> Result<Self> {
        let owners = Owners::new(plan.source(), plan.destination())?;
        let indices = plan.destination().placements().indices();
        let placement_owners = owners.of_destination_placements();
        let mut shared: Map<(u32, u32), i64> = Map::default();
        let mut total = 0i64;
        for piece in plan.pieces() {
            let owner = owners.of_source(piece.source as u32);
            let elements = checked_numel(piece.sizes).ok_or_else(too_many)?;
            total = total.checked_add(elements).ok_or_else(too_many)?;
            shared.try_reserve(1)?;
            // No more than the total, so it can't overflow.
            *shared.entry((indices[piece.destination], owner)).or_default() += elements;
        }
        let stay = |placement: u32, at: u32| {
            shared.get(&(placement, placement_owners[at as usize])).copied().unwrap_or(0)
        };
        let count = placement_owners.len() as u32;
        // The placements of each owner: by owner, then by number.
        let placed = (0u32..).zip(placement_owners).map(|(placement, &owner)| (owner, placement));
        let mut at_owner: Vec<(u32, u32)> = memory::try_collect(placed)?;
        at_owner.sort_unstable();
        let mut edges: Vec<Vec<(u32, i128)>> = memory::try_with_capacity(placement_owners.len())?;
        edges.resize_with(placement_owners.len(), Vec::new);
        for (&(placement, owner), &elements) in &shared {
            let start = at_owner.partition_point(|&(other, _)| other < owner);
            let places = at_owner[start..].iter().take_while(|(other, _)| *other == owner);
            let places = places.map(|&(_, at)| (at, i128::from(elements)));
            edges[placement as usize].try_extend(places)?;
        }
        let placements = assign(edges)?;
        let kept = |at: &dyn Fn(u32) -> u32| -> i64 { (0..count).map(|p| stay(p, at(p))).sum() };
        let moved_before = total - kept(&|placement| placement);
        let moved_after = total - kept(&|placement| placements[placement as usize]);
        Ok(Self { placements, moved_before, moved_after })
    }
}

impl ShardedTensorMetadata {
    /// Metadata with the same boxes, where the shards of distinct placement `i` get distinct
    /// placement `placements[i]`: what a [`Relabelling`] suggests.
    pub fn relabel(&self, placements: &[u32]) -> Result<Self> {
        let old = self.shards().placements();
        let (got, expected) = (placements.len(), old.distinct().len());
        if got != expected {
            let problem = text!("{got} for {expected} placements; pass one for each");
            return Err(Error::invalid("placement_indices", problem));
        }
        let new = |index: &u32| placements.get(*index as usize).copied().unwrap_or(u32::MAX);
        let indices: Vec<u32> = memory::try_collect(old.indices().iter().map(new))?;
        let placements = Placements::from_table(old.distinct(), &indices)?;
        self.placed(Shared::try_new(placements)?)
    }
}

fn too_many() -> Error {
    Error::overflow("the number of elements that the plan moves")
}

/// A permutation of the rows of `edges` with the largest sum of weights; pairs without an edge weigh
/// nothing. Of several, one that moves as few as possible: each row also has a small weight for
/// staying where it is, less than the smallest difference of sums.
fn assign(mut edges: Vec<Vec<(u32, i128)>>) -> Memory<Vec<u32>> {
    let scale = edges.len() as i128 + 1;
    for (row, edges) in (0u32..).zip(&mut edges) {
        edges.sort_unstable();
        edges.iter_mut().for_each(|(_, weight)| *weight *= scale);
        match edges.binary_search_by_key(&row, |(column, _)| *column) {
            Ok(place) => edges[place].1 += 1,
            Err(place) => {
                edges.try_push((row, 1))?;
                edges[place..].rotate_right(1);
            }
        }
    }
    let mut matching = Matching::new(&edges)?;
    for row in 0..edges.len() as u32 {
        matching.add(row)?;
    }
    // Placements without a gain get the remaining places.
    let mut free = (0u32..).zip(&matching.row_of).filter(|(_, row)| row.is_none());
    let columns = matching.column_of.iter();
    memory::try_collect(columns.map(|column| column.or_else(|| Some(free.next()?.0)).unwrap_or(0)))
}

/// A matching of the rows added so far with the largest weight, not all rows need be in it, and
/// prices that prove it: for each edge, the prices of its row and its column are at least its
/// weight, and just that if it is in the matching; rows and columns outside of it have price 0.
struct Matching<'a> {
    edges: &'a [Vec<(u32, i128)>],
    row_price: Vec<i128>,
    column_price: Vec<i128>,
    column_of: Vec<Option<u32>>,
    row_of: Vec<Option<u32>>,
    /// For each column, how far it is from the row added last, and from which row one came there.
    reached: Vec<Option<(i128, u32)>>,
}

/// Where the cheapest change ends.
#[derive(Clone, Copy)]
enum End {
    /// At a free column.
    Free(u32),
    /// At a row that gives up its column, or the new one, which gets none.
    Without(u32),
}

impl<'a> Matching<'a> {
    fn new(edges: &'a [Vec<(u32, i128)>]) -> Memory<Self> {
        let count = edges.len();
        Ok(Self {
            edges,
            row_price: memory::try_filled(0, count)?,
            column_price: memory::try_filled(0, count)?,
            column_of: memory::try_filled(None, count)?,
            row_of: memory::try_filled(None, count)?,
            reached: memory::try_filled(None, count)?,
        })
    }

    /// Adds a row: finds the cheapest way to change who has which column.
    fn add(&mut self, new: u32) -> Memory<()> {
        let edges = &self.edges[new as usize];
        // At least what it can gain, as all ways start with it.
        let most = edges.iter().map(|&(_, weight)| weight).max();
        self.row_price[new as usize] = most.unwrap_or(0).max(0);
        let (mut rows, mut columns) = (Vec::new(), Vec::new());
        rows.try_push((new, 0))?;
        let (mut end, mut cost) = (End::Without(new), self.row_price[new as usize]);
        // Columns by their distance, each with the row it was reached from.
        let mut open = BinaryHeap::new();
        let mut touched = Vec::new();
        self.reach_from(new, 0, cost, &mut open, &mut touched)?;
        while let Some(Reverse((distance, column))) = open.pop() {
            if distance >= cost {
                break;
            }
            if self.reached[column as usize].is_none_or(|(best, _)| best < distance) {
                continue;
            }
            let Some(row) = self.row_of[column as usize] else {
                (end, cost) = (End::Free(column), distance);
                break;
            };
            columns.try_push((column, distance))?;
            rows.try_push((row, distance))?;
            let price = self.row_price[row as usize];
            if distance + price < cost {
                (end, cost) = (End::Without(row), distance + price);
            }
            self.reach_from(row, distance, cost, &mut open, &mut touched)?;
        }
        for (row, distance) in rows.into_iter().filter(|(_, distance)| *distance < cost) {
            self.row_price[row as usize] -= cost - distance;
        }
        for (column, distance) in columns.into_iter().filter(|(_, distance)| *distance < cost) {
            self.column_price[column as usize] += cost - distance;
        }
        self.change(end, new);
        for column in touched {
            self.reached[column as usize] = None;
        }
        Ok(())
    }

    /// Looks at the columns that a row at some distance could take.
    fn reach_from(
        &mut self, row: u32, distance: i128, cost: i128,
        open: &mut BinaryHeap<Reverse<(i128, u32)>>, touched: &mut Vec<u32>,
    ) -> Memory<()> {
        for &(column, weight) in &self.edges[row as usize] {
            let prices = self.row_price[row as usize] + self.column_price[column as usize];
            let distance = distance + prices - weight;
            let known = &mut self.reached[column as usize];
            if distance < cost && known.is_none_or(|(best, _)| distance < best) {
                if known.is_none() {
                    touched.try_push(column)?;
                }
                *known = Some((distance, row));
                open.try_reserve(1)?;
                open.push(Reverse((distance, column)));
            }
        }
        Ok(())
    }

    /// Changes who has which column, back from the end to the new row.
    fn change(&mut self, end: End, new: u32) {
        let mut column = match end {
            End::Free(column) => Some(column),
            End::Without(row) => self.column_of[row as usize].take(),
        };
        while let Some(taken) = column {
            let Some((_, row)) = self.reached[taken as usize] else {
                break;
            };
            self.row_of[taken as usize] = Some(row);
            let before = self.column_of[row as usize].replace(taken);
            column = if row == new { None } else { before };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn weight(edges: &[Vec<(u32, i128)>], columns: &[u32]) -> i128 {
        let weight_of = |row: usize, column: u32| {
            edges[row].iter().find(|(at, _)| *at == column).map_or(0, |(_, weight)| *weight)
        };
        columns.iter().enumerate().map(|(row, &column)| weight_of(row, column)).sum()
    }

    /// The largest weight, and of that the most rows that stay, by trying every permutation.
    fn best(edges: &[Vec<(u32, i128)>], chosen: &mut Vec<u32>) -> (i128, usize) {
        let count = edges.len() as u32;
        if chosen.len() == edges.len() {
            let stay = (0u32..).zip(chosen.iter()).filter(|(row, column)| row == *column).count();
            return (weight(edges, chosen), stay);
        }
        let mut found = (i128::MIN, 0);
        for column in (0..count).filter(|column| !chosen.contains(column)).collect::<Vec<_>>() {
            chosen.push(column);
            found = found.max(best(edges, chosen));
            chosen.pop();
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn no_permutation_of_up_to_8_is_better(
            count in 0usize..=8, largest in prop_oneof![1i64..8, 1i64..=i64::MAX / 8],
            weights in prop::collection::vec((any::<u32>(), any::<u8>()), 64), density in 0u8..=255,
        ) {
            let edge = |row: usize, column: usize| {
                let (weight, chance) = weights[row * 8 + column];
                // Small numbers make ties, large ones come near the limit.
                let weight = if largest < 8 { i64::from(weight) % 4 } else { largest - i64::from(weight) % largest };
                (chance <= density && weight > 0).then_some((column as u32, i128::from(weight)))
            };
            // In any order: here from the last column to the first.
            let columns = || (0..count).rev();
            let edges: Vec<Vec<_>> =
                (0..count).map(|row| columns().filter_map(|column| edge(row, column)).collect()).collect();
            let columns = assign(edges.clone()).unwrap();
            let mut sorted = columns.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..count as u32).collect::<Vec<_>>());
            let stay = (0u32..).zip(&columns).filter(|(row, column)| row == *column).count();
            let (most, most_stay) = best(&edges, &mut Vec::new());
            prop_assert_eq!((weight(&edges, &columns), stay), (most, most_stay));
        }
    }

    /// A row and a column weigh their pair at most, and just as much if they are a pair; and nothing
    /// where they have none.
    fn assert_proved(matching: &Matching, rows: usize) {
        for (row, edges) in matching.edges.iter().enumerate().take(rows) {
            for &(column, weight) in edges {
                let prices = matching.row_price[row] + matching.column_price[column as usize];
                assert!(prices >= weight, "{row} {column}");
                assert!(
                    matching.column_of[row] != Some(column) || prices == weight,
                    "{row} {column}"
                );
            }
        }
        let paid = matching.row_price.iter().zip(&matching.column_of);
        let paid = paid.chain(matching.column_price.iter().zip(&matching.row_of));
        assert!(paid.into_iter().all(|(&price, pair)| price == 0 || (price > 0 && pair.is_some())));
    }

    #[test]
    fn prices_prove_each_step_that_no_other_pairs_weigh_more() {
        let mut random = crate::common::Random::new(77);
        for _ in 0..500 {
            let count = 1 + random.below(12);
            let edges: Vec<Vec<(u32, i128)>> = (0..count)
                .map(|_| {
                    (0..count as u32).map(|column| (column, random.range(1, 60).into())).collect()
                })
                .collect();
            let mut matching = Matching::new(&edges).unwrap();
            for row in 0..count {
                matching.add(row as u32).unwrap();
                assert_proved(&matching, row + 1);
            }
        }
    }

    #[test]
    fn a_thousand_in_a_circle_all_find_their_own() {
        let edges: Vec<Vec<(u32, i128)>> = (0..1000)
            .map(|row| vec![((row + 8) % 1000, 100), ((row + 5) % 1000, 99), (row, 1)])
            .collect();
        let columns = assign(edges).unwrap();
        assert!((0u32..).zip(&columns).all(|(row, column)| *column == (row + 8) % 1000));
    }
}
