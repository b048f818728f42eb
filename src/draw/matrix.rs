//! How much a plan moves from owner to owner, before it is text or SVG.

use crate::draw::owner_table::OwnerTable;
use crate::draw::page::{Amount, page};
use crate::error::Result;
use crate::memory::{Memory, TryVec, try_collect, try_filled};
use crate::plan::ReshardPlan;

/// The elements that go from owners to owners. Where there are many owners, neighbours are taken together.
pub(super) struct Matrix<'a> {
    pub(super) owners: OwnerTable<'a>,
    pub(super) sources: Vec<OwnerGroup>,
    pub(super) destinations: Vec<OwnerGroup>,
    /// For each source and each destination, what goes from an owner to another one.
    moves: Vec<i128>,
    /// What stays with its owner: for each source and each destination.
    stays: Vec<i128>,
    /// The most that goes from one group to another.
    pub(super) most: i128,
    /// All that goes from an owner to another one, and all that stays.
    pub(super) moved: i128,
    pub(super) stayed: i128,
    /// Bits of an element, if the plan knows them.
    pub(super) bits: Option<usize>,
    pub(super) pieces: usize,
}

/// Neighbouring owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OwnerGroup {
    pub(super) first: u32,
    pub(super) last: u32,
    /// How many of these have shards.
    pub(super) count: u32,
}

impl<'a> Matrix<'a> {
    /// The traffic of a plan between at most so many groups of sources and of destinations.
    pub(super) fn new(plan: &'a ReshardPlan, most: [usize; 2]) -> Result<Self> {
        let [most_sources, most_destinations] = most;
        let owners = OwnerTable::of_processes(&[&**plan.source(), &**plan.destination()])?;
        let (sources, source_numbers) = groups(&owners, 0, plan, most_sources)?;
        let (destinations, destination_numbers) = groups(&owners, 1, plan, most_destinations)?;
        let len = sources.len().saturating_mul(destinations.len());
        let (moves, stays) = (try_filled(0i128, len)?, try_filled(0i128, len)?);
        let bits = plan.dtype().map(|dtype| dtype.element_bits());
        let mut matrix = Self {
            owners,
            sources,
            destinations,
            moves,
            stays,
            most: 0,
            moved: 0,
            stayed: 0,
            bits,
            pieces: plan.len(),
        };
        for piece in plan.pieces() {
            let source = matrix.owners.owner_of(0, piece.source as u32);
            let destination = matrix.owners.owner_of(1, piece.destination as u32);
            let elements = piece
                .sizes
                .iter()
                .fold(1i128, |product, size| product.saturating_mul(i128::from(*size)));
            let number = |numbers: &[u32], owner: u32| {
                numbers.get(owner as usize).copied().unwrap_or(0) as usize
            };
            let row = number(&source_numbers, source);
            let at = row
                .saturating_mul(matrix.destinations.len())
                .saturating_add(number(&destination_numbers, destination));
            // Shards without placements count as the shards of one owner.
            let has_placement = [source, destination].map(|own| matrix.owners.has_placement(own));
            let is_same = match has_placement {
                [true, true] => source == destination,
                [from, to] => !from && !to,
            };
            let sums = if is_same { &mut matrix.stays } else { &mut matrix.moves };
            if let Some(sum) = sums.get_mut(at) {
                *sum = sum.saturating_add(elements);
            }
            let sum = if is_same { &mut matrix.stayed } else { &mut matrix.moved };
            *sum = sum.saturating_add(elements);
        }
        matrix.most = matrix.moves.iter().copied().max().unwrap_or(0);
        Ok(matrix)
    }

    /// What goes from the owners of a group to others.
    pub(super) fn moves(&self, source: usize, destination: usize) -> i128 {
        self.at(&self.moves, source, destination)
    }

    /// What stays with the owners that both groups have.
    pub(super) fn stays(&self, source: usize, destination: usize) -> i128 {
        self.at(&self.stays, source, destination)
    }

    fn at(&self, amounts: &[i128], source: usize, destination: usize) -> i128 {
        let row = source.saturating_mul(self.destinations.len());
        amounts.get(row.saturating_add(destination)).copied().unwrap_or(0)
    }

    /// All that a source sends to other owners.
    pub(super) fn sent(&self, source: usize) -> i128 {
        let all = 0..self.destinations.len();
        all.fold(0, |sum: i128, destination| sum.saturating_add(self.moves(source, destination)))
    }

    /// All that a destination receives from other owners.
    pub(super) fn received(&self, destination: usize) -> i128 {
        let all = 0..self.sources.len();
        all.fold(0, |sum: i128, source| sum.saturating_add(self.moves(source, destination)))
    }

    /// A number of elements, in bytes if these are known.
    pub(super) fn amount(&self, elements: i128) -> Amount {
        Amount { elements, bits: self.bits }
    }

    /// What amounts are counted in.
    pub(super) fn unit(&self) -> &'static str {
        if self.bits.is_some() { "bytes" } else { "elements" }
    }

    pub(super) fn title(&self) -> Memory<String> {
        let (moved, stayed) = (self.amount(self.moved), self.amount(self.stayed));
        let noun = if self.bits.is_some() { "" } else { " elements" };
        let pieces = crate::draw::page::Thousands(self.pieces as i128);
        let plural = if self.pieces == 1 { "" } else { "s" };
        page!("What moves: {moved}{noun} between owners, {stayed} stay, in {pieces} piece{plural}")
    }

    /// The name of a group.
    pub(super) fn name(&self, group: &OwnerGroup) -> Memory<String> {
        if group.first == group.last {
            return self.owners.name(group.first);
        }
        self.short_name(group)
    }

    /// The shortest name of a group.
    pub(super) fn short_name(&self, group: &OwnerGroup) -> Memory<String> {
        let first = self.owners.short_name(group.first)?;
        if group.first == group.last {
            return Ok(first);
        }
        match (self.owners.rank(group.first), self.owners.rank(group.last)) {
            (Some(_), Some(last)) => page!("{first}-{last}"),
            _ => page!("{} owners", group.count),
        }
    }

    /// Whether owners are taken together.
    pub(super) fn has_groups(&self) -> bool {
        self.sources.iter().chain(&self.destinations).any(|group| group.count > 1)
    }
}

/// The owners of a list in at most `most` groups, and for each owner the number of its group.
fn groups(
    owners: &OwnerTable<'_>, list: usize, plan: &ReshardPlan, most: usize,
) -> Memory<(Vec<OwnerGroup>, Vec<u32>)> {
    let shards = if list == 0 { plan.source() } else { plan.destination() };
    let count = owners.count_with(list, shards.len());
    let mut has_shards = try_filled(false, count)?;
    for shard in 0..shards.len() as u32 {
        if let Some(place) = has_shards.get_mut(owners.owner_of(list, shard) as usize) {
            *place = true;
        }
    }
    let own = (0u32..).zip(&has_shards).filter(|(_, has)| **has).map(|(owner, _)| owner);
    let own = try_collect(own)?;
    let each = own.len().div_ceil(most.max(1)).max(1);
    let mut groups = Vec::new();
    let mut numbers = try_filled(0u32, count)?;
    for (number, members) in (0u32..).zip(own.chunks(each)) {
        if let (Some(&first), Some(&last)) = (members.first(), members.last()) {
            groups.try_push(OwnerGroup { first, last, count: members.len() as u32 })?;
        }
        for &member in members {
            if let Some(place) = numbers.get_mut(member as usize) {
                *place = number;
            }
        }
    }
    Ok((groups, numbers))
}
