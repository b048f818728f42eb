//! Placements of many shards, equal ones stored once.

use super::placement::Placement;
use crate::error::{Error, Result, try_with_capacity};
use crate::memory::{self, TryVec};
use crate::sync::seed::Map;

/// A placement for each of many shards, equal ones stored once, numbered by first appearance.
///
/// That numbering makes two lists equal exactly when their arrays are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Placements {
    distinct: Vec<Placement>,
    indices: Vec<u32>,
}

impl Placements {
    /// The placements of shards, in order.
    pub fn new(placements: impl Iterator<Item = Placement>) -> Result<Self> {
        let mut indices = try_with_capacity("placement indices", placements.size_hint().0)?;
        let mut numbering = Numbering::default();
        let mut last = 0;
        for placement in placements {
            last = numbering.number(placement, last)?;
            indices.try_push(last)?;
        }
        Ok(Self { distinct: tight(numbering.distinct)?, indices })
    }

    /// `rank:0`, `rank:1` and so on.
    pub(crate) fn of_ranks(count: u32) -> Result<Self> {
        let mut distinct = try_with_capacity("placements", count as usize)?;
        for rank in 0..count {
            distinct.push(Placement::on_rank(rank.into())?);
        }
        Ok(Self { distinct, indices: memory::try_collect(0..count)? })
    }

    /// The placement of a single shard.
    pub fn of_one(placement: Placement) -> Result<Self> {
        Self::new(std::iter::once(placement))
    }

    /// The placements `table[index]` for each of `indices`, in the memory that both have where they are as
    /// a list of placements stores them.
    pub(crate) fn of_table(table: Vec<Placement>, indices: Vec<u32>) -> Result<Self> {
        if is_numbered_by_appearance(&indices, table.len()) && are_distinct(&table)? {
            return Ok(Self { distinct: tight(table)?, indices });
        }
        Self::from_table(&table, &indices)
    }

    /// The placements `table[index]` for each of `indices`.
    pub fn from_table(table: &[Placement], indices: &[u32]) -> Result<Self> {
        let past_end = |index: &u32| *index as usize >= table.len();
        if let Some(at) = indices.iter().position(past_end) {
            let (argument, count) = ("placement_indices", table.len() as u64);
            let index = indices.get(at).copied().unwrap_or_default().into();
            return Err(Error::IndexOutOfRange { argument, index, count }.at(argument, at));
        }
        // The table may hold a placement twice, or unused ones, so number by first appearance.
        let mut number_of = memory::try_filled(None, table.len())?;
        let mut numbering = Numbering::default();
        let mut last = 0;
        let mut own = try_with_capacity("placement indices", indices.len())?;
        for &index in indices {
            let (Some(number), Some(placement)) =
                (number_of.get_mut(index as usize), table.get(index as usize))
            else {
                continue;
            };
            last = match *number {
                Some(number) => number,
                None => numbering.number(placement.clone(), last)?,
            };
            *number = Some(last);
            own.push(last);
        }
        Ok(Self { distinct: tight(numbering.distinct)?, indices: own })
    }

    /// Number of shards.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there are no shards.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// The placement of shard `index`.
    pub fn get(&self, index: usize) -> Option<&Placement> {
        self.indices.get(index).and_then(|&number| self.distinct.get(number as usize))
    }

    /// The placements in the order of the shards.
    pub fn iter(&self) -> impl Iterator<Item = &Placement> {
        self.indices.iter().filter_map(|&number| self.distinct.get(number as usize))
    }

    /// The placements that differ, in the order of their first appearance.
    pub fn distinct(&self) -> &[Placement] {
        &self.distinct
    }

    /// For each shard, its placement's index in [`Self::distinct`].
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }
}

/// Numbers placements by their first appearance. Hashes are slow, and lists of millions of placements have
/// regular orders, so the map has placements only from the first on that needs it.
#[derive(Default)]
struct Numbering {
    distinct: Vec<Placement>,
    /// The highest rank of `distinct`. A placement of a higher rank is not among them.
    highest: Option<i64>,
    numbers: Map<Placement, u32>,
    /// How many of `distinct` were put into `numbers`.
    in_map: usize,
}

impl Numbering {
    /// The number of a placement. `last` is the number of the placement before it.
    fn number(&mut self, placement: Placement, last: u32) -> Result<u32> {
        let next = u32::try_from(self.distinct.len()).map_err(|_| too_many())?;
        let rank = placement.rank();
        if rank > self.highest {
            self.highest = rank;
            self.distinct.try_push(placement)?;
            return Ok(next);
        }
        if let Some(number) = self.guess(&placement, last) {
            return Ok(number);
        }
        self.fill_map()?;
        self.numbers.try_reserve(1)?;
        let number = *self.numbers.entry(placement.clone()).or_insert(next);
        if number == next {
            self.distinct.try_push(placement)?;
            self.in_map = self.distinct.len();
        }
        Ok(number)
    }

    /// The number, if lists of this order are common: runs of equal placements, or shards that are dealt to
    /// the placements in turns. Comparing custom placements calls the user's code, so they have one guess.
    fn guess(&self, placement: &Placement, last: u32) -> Option<u32> {
        let is_at = |number: u32| self.distinct.get(number as usize) == Some(placement);
        if is_at(last) {
            return Some(last);
        }
        let after = last.saturating_add(1);
        let turn = if (after as usize) < self.distinct.len() { after } else { 0 };
        (placement.as_custom().is_none() && is_at(turn)).then_some(turn)
    }

    /// Puts all of `distinct` into the map.
    fn fill_map(&mut self) -> Result<()> {
        let missing = self.distinct.get(self.in_map..).unwrap_or_default();
        self.numbers.try_reserve(missing.len())?;
        for (number, placement) in (self.in_map as u32..).zip(missing) {
            self.numbers.insert(placement.clone(), number);
        }
        self.in_map = self.distinct.len();
        Ok(())
    }
}

/// Whether each of so many numbers is first used after those below it.
fn is_numbered_by_appearance(indices: &[u32], count: usize) -> bool {
    let mut next = 0u32;
    let is_known = |&index: &u32| {
        // At most as many as there are, which a u32 counts.
        next = next.saturating_add(u32::from(index == next));
        index < next
    };
    indices.iter().all(is_known) && next as usize == count
}

/// Whether no placement is there twice. Ranks are often in order, which needs no map.
fn are_distinct(table: &[Placement]) -> Result<bool> {
    let ranks = table.iter().map(Placement::rank);
    if ranks.clone().zip(ranks.skip(1)).all(|(a, b)| a.is_some() && a < b) {
        return Ok(true);
    }
    let mut known = Map::default();
    known.try_reserve(table.len())?;
    Ok(table.iter().all(|placement| known.insert(placement, ()).is_none()))
}

/// The same in no more memory than it needs.
fn tight(distinct: Vec<Placement>) -> Result<Vec<Placement>> {
    Ok(distinct.try_into_boxed()?.into_vec())
}

/// The refusal of more shards or placements than are counted.
pub(super) fn too_many() -> Error {
    Error::overflow("the number of shards or placements (at most 4294967295)")
}
