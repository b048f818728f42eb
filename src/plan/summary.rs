//! What a plan moves, in a few numbers: how much from which owner to which.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "numbers of pieces and owners index arrays made for them"
)]

use super::ReshardPlan;
use super::owners::Owners;
use crate::error::{Error, Result, try_with_capacity};
use crate::memory::{self, TryVec};
use crate::model::placement::Placement;

/// What moves from one owner to another, or stays with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerTraffic {
    /// The owner that is read, by its number in the summary.
    pub source: usize,
    /// The owner that is written.
    pub destination: usize,
    /// Number of pieces.
    pub pieces: usize,
    /// Number of elements.
    pub elements: i64,
    /// Bytes of all these elements together, where the element type is known.
    pub bytes: Option<i64>,
}

/// How much a plan moves from which owner to which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanSummary {
    /// A placement of each owner: first those of source shards, then others of destination shards.
    pub owners: Vec<Placement>,
    /// By source, then by destination. Owners between which nothing moves are left out.
    pub traffic: Vec<OwnerTraffic>,
}

impl ReshardPlan {
    /// How much the plan moves from which owner to which.
    pub fn summary(&self) -> Result<PlanSummary> {
        let owners = Owners::new(&self.source, &self.destination)?;
        // Sorted by keys that are made once.
        let mut keyed: Vec<(u64, usize)> = try_with_capacity("the summary", self.len())?;
        keyed.extend((0..self.len()).map(|piece| {
            let (source, destination) = self.pieces.shards_of(piece);
            let (source, destination) =
                (owners.of_source(source), owners.of_destination(destination));
            (u64::from(source) << 32 | u64::from(destination), piece)
        }));
        keyed.sort_unstable();
        let mut traffic = Vec::new();
        for pieces in keyed.chunk_by(|a, b| a.0 == b.0) {
            let key = pieces[0].0;
            let elements = self.pieces.numel(pieces.iter().map(|&(_, piece)| piece))?;
            traffic.try_push(OwnerTraffic {
                source: (key >> 32) as usize,
                destination: key as u32 as usize,
                pieces: pieces.len(),
                elements,
                bytes: self.bytes_of(elements)?,
            })?;
        }
        Ok(PlanSummary { owners: self.placement_of_each(&owners)?, traffic })
    }

    /// Bytes of so many elements, the last of which may be a part of one.
    fn bytes_of(&self, elements: i64) -> Result<Option<i64>> {
        let Some(dtype) = self.dtype else { return Ok(None) };
        let bits = i128::from(elements) * dtype.element_bits() as i128;
        let bytes = i64::try_from((bits + 7) / 8);
        bytes.map(Some).map_err(|_| Error::overflow("the number of bytes that the plan moves"))
    }

    fn placement_of_each(&self, owners: &Owners<'_>) -> Result<Vec<Placement>> {
        let mut first = memory::try_filled(None, owners.count())?;
        let sides = [
            (owners.of_source_placements(), &self.source),
            (owners.of_destination_placements(), &self.destination),
        ];
        for (numbers, shards) in sides {
            for (&number, placement) in numbers.iter().zip(shards.placements().distinct()) {
                first[number as usize].get_or_insert(placement);
            }
        }
        Ok(memory::try_collect(first.into_iter().flatten().cloned())?)
    }
}

impl PlanSummary {
    /// Elements of all traffic, and of that between different owners.
    pub fn elements(&self) -> Result<[i64; 2]> {
        self.sums(|one| Some(one.elements)).map(|sums| sums.unwrap_or_default())
    }

    /// Bytes of all traffic, and of that between different owners, where the element type is known.
    pub fn bytes(&self) -> Result<Option<[i64; 2]>> {
        self.sums(|one| one.bytes)
    }

    fn sums(&self, number: impl Fn(&OwnerTraffic) -> Option<i64>) -> Result<Option<[i64; 2]>> {
        let mut sums = [0i64; 2];
        for one in &self.traffic {
            let Some(own) = number(one) else { return Ok(None) };
            let moved = if one.source == one.destination { 0 } else { own };
            for (sum, more) in sums.iter_mut().zip([own, moved]) {
                let overflow = || Error::overflow("the elements or bytes that the plan moves");
                *sum = sum.checked_add(more).ok_or_else(overflow)?;
            }
        }
        Ok(Some(sums))
    }
}
