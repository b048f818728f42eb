//! The owners of drawn shards, and their names.

use crate::draw::page::{page, shortened, width};
use crate::memory::{Memory, TryVec, try_collect, try_filled};
use crate::model::placement::{Owner, Placement};
use crate::model::shards::Shards;
use crate::sync::seed::Map;

/// The most signs of an owner's name.
const MAX_NAME: usize = 20;

/// The owners of one or two lists of shards, numbered from 0: ranks by their number first, then others by
/// their first shard.
///
/// An owner is a process. Where one has shards on several devices, each of these counts as an owner. A
/// shard without a placement is an owner of its own.
pub(super) struct OwnerTable<'a> {
    lists: Vec<&'a Shards>,
    /// For each list, the owner of each of its different placements; `None` for no placement.
    of_placements: Vec<Vec<Option<u32>>>,
    /// For each owner, one of its placements.
    placements: Vec<&'a Placement>,
    /// Whether devices count as owners.
    by_device: bool,
    /// Whether all owners are the same rank, whose number then says nothing.
    is_one_rank: bool,
}

/// What makes two placements the same owner.
#[derive(PartialEq, Eq, Hash)]
enum SameOwner<'a> {
    Rank(i64),
    Other(&'a Owner),
    Placement(&'a Placement),
}

impl<'a> OwnerTable<'a> {
    /// The owners of lists.
    pub(super) fn new(lists: &[&'a Shards]) -> Memory<Self> {
        let mut by_device = false;
        for list in lists {
            by_device |= has_owner_twice(list)?;
        }
        Self::numbered(lists, by_device)
    }

    /// The owners of lists, whatever their devices.
    pub(super) fn of_processes(lists: &[&'a Shards]) -> Memory<Self> {
        Self::numbered(lists, false)
    }

    fn numbered(lists: &[&'a Shards], by_device: bool) -> Memory<Self> {
        let mut numbers: Map<SameOwner<'_>, u32> = Map::default();
        let mut placements: Vec<&Placement> = Vec::new();
        let mut of_placements = Vec::new();
        for list in lists {
            let mut own = Vec::new();
            for placement in list.placements().distinct() {
                if placement.is_none() {
                    own.try_push(None)?;
                    continue;
                }
                let next = placements.len() as u32;
                numbers.try_reserve(1)?;
                let number = *numbers.entry(same_owner(placement, by_device)).or_insert(next);
                if number == next {
                    placements.try_push(placement)?;
                }
                own.try_push(Some(number))?;
            }
            of_placements.try_push(own)?;
        }
        drop(numbers);
        let mut table = Self {
            lists: try_collect(lists.iter().copied())?,
            of_placements,
            placements,
            by_device,
            is_one_rank: false,
        };
        table.sort_by_rank()?;
        let ranks = table.placements.iter().map(|placement| placement.rank());
        let first = table.placements.first().and_then(|placement| placement.rank());
        table.is_one_rank = by_device && first.is_some() && ranks.clone().all(|rank| rank == first);
        Ok(table)
    }

    /// Gives ranks the first numbers, in their order.
    fn sort_by_rank(&mut self) -> Memory<()> {
        let mut order: Vec<u32> = try_collect(0..self.placements.len() as u32)?;
        let key = |number: &u32| {
            let rank = self.placements.get(*number as usize).and_then(|placement| placement.rank());
            (rank.unwrap_or(i64::MAX), *number)
        };
        order.sort_unstable_by_key(key);
        let mut place = try_filled(0u32, order.len())?;
        for (new, &old) in (0u32..).zip(&order) {
            if let Some(place) = place.get_mut(old as usize) {
                *place = new;
            }
        }
        for number in self.of_placements.iter_mut().flatten().flatten() {
            *number = place.get(*number as usize).copied().unwrap_or(*number);
        }
        let placements = order.iter().filter_map(|&old| self.placements.get(old as usize).copied());
        self.placements = try_collect(placements)?;
        Ok(())
    }

    /// How many owners there may be, without and with a placement.
    pub(super) fn count(&self) -> usize {
        let is_unplaced = self.of_placements.iter().flatten().any(Option::is_none);
        let unplaced =
            if is_unplaced { self.lists.first().map_or(0, |list| list.len()) } else { 0 };
        self.placements.len().saturating_add(unplaced)
    }

    /// How many numbers of owners there may be, where a list has `len` shards.
    pub(super) fn count_with(&self, list: usize, len: usize) -> usize {
        let own = self.of_placements.get(list);
        let is_unplaced = own.is_some_and(|own| own.iter().any(Option::is_none));
        self.placements.len().saturating_add(if is_unplaced { len } else { 0 })
    }

    /// Whether an owner has a placement.
    pub(super) fn has_placement(&self, owner: u32) -> bool {
        (owner as usize) < self.placements.len()
    }

    /// The owner of a shard of a list.
    pub(super) fn owner_of(&self, list: usize, shard: u32) -> u32 {
        let placement = self
            .lists
            .get(list)
            .and_then(|shards| shards.placements().indices().get(shard as usize).copied());
        let owners = self.of_placements.get(list);
        let owner = placement.and_then(|number| owners?.get(number as usize).copied().flatten());
        // A shard without a placement comes after all placements.
        owner.unwrap_or_else(|| (self.placements.len() as u32).saturating_add(shard))
    }

    /// The shards of a list by their owners: for each owner, where its shards are among those that are
    /// returned second.
    pub(super) fn by_owner(&self, list: usize) -> Memory<ShardsByOwner> {
        let len = self.lists.get(list).map_or(0, |shards| shards.len()) as u32;
        let mut ends = try_filled(0u32, self.count().saturating_add(1))?;
        for shard in 0..len {
            let owner = self.owner_of(list, shard) as usize;
            if let Some(end) = ends.get_mut(owner.saturating_add(1)) {
                *end = end.saturating_add(1);
            }
        }
        let mut sum = 0u32;
        for end in &mut ends {
            sum = sum.saturating_add(*end);
            *end = sum;
        }
        let (mut next, mut shards) =
            (try_collect(ends.iter().copied())?, try_filled(0, len as usize)?);
        for shard in 0..len {
            let Some(next) = next.get_mut(self.owner_of(list, shard) as usize) else { continue };
            if let Some(place) = shards.get_mut(*next as usize) {
                *place = shard;
            }
            *next = next.saturating_add(1);
        }
        Ok(ShardsByOwner { ends, shards })
    }

    /// The rank of an owner, if that is what it is called by.
    pub(super) fn rank(&self, owner: u32) -> Option<i64> {
        if self.by_device {
            return None;
        }
        self.placements.get(owner as usize)?.rank()
    }

    /// The name of an owner: "rank 3".
    pub(super) fn name(&self, owner: u32) -> Memory<String> {
        match self.placements.get(owner as usize) {
            Some(_) if self.rank(owner).is_some() => {
                page!("rank {}", self.rank(owner).unwrap_or(0))
            }
            Some(_) => self.short_name(owner),
            None => page!("shard {}", (owner as usize).saturating_sub(self.placements.len())),
        }
    }

    /// The shortest name of an owner: "3".
    pub(super) fn short_name(&self, owner: u32) -> Memory<String> {
        let Some(placement) = self.placements.get(owner as usize) else {
            return page!("#{}", (owner as usize).saturating_sub(self.placements.len()));
        };
        if let Some(rank) = self.rank(owner) {
            return page!("{rank}");
        }
        let text = match (placement.worker_name(), placement.device(), placement.rank()) {
            (Some(name), _, _) if !self.by_device => shortened(name, MAX_NAME)?,
            (_, Some(device), Some(_)) if self.is_one_rank => page!("{device}")?,
            (_, Some(device), Some(rank)) => page!("{rank}/{device}")?,
            _ => page!("{placement}")?,
        };
        shortened(&text, MAX_NAME)
    }

    /// The width of the longest short name of the first owners.
    pub(super) fn short_width(&self) -> Memory<usize> {
        let (count, mut most) = (self.count(), 1);
        // Of many owners, the last ones have the longest numbers.
        for owner in (0..count.min(64)).chain(count.saturating_sub(64)..count) {
            most = most.max(width(&self.short_name(owner as u32)?));
        }
        Ok(most)
    }
}

/// The shards of a list in the order of their owners.
pub(super) struct ShardsByOwner {
    /// For each owner, how many shards owners before it have; at the end, how many there are.
    ends: Vec<u32>,
    shards: Vec<u32>,
}

impl ShardsByOwner {
    /// The shards of each owner that has some.
    pub(super) fn groups(&self) -> impl Iterator<Item = (u32, &[u32])> {
        let ranges = self.ends.iter().zip(self.ends.iter().skip(1));
        (0u32..).zip(ranges).filter_map(|(owner, (&start, &end))| {
            let own = self.shards.get(start as usize..end as usize)?;
            (!own.is_empty()).then_some((owner, own))
        })
    }

    /// The shards of an owner.
    pub(super) fn of(&self, owner: u32) -> &[u32] {
        let end = |owner: u32| self.ends.get(owner as usize).copied().unwrap_or(0) as usize;
        self.shards.get(end(owner)..end(owner.saturating_add(1))).unwrap_or_default()
    }
}

fn same_owner(placement: &Placement, by_device: bool) -> SameOwner<'_> {
    if by_device {
        return SameOwner::Placement(placement);
    }
    placement.rank().map_or(SameOwner::Other(placement.owner()), SameOwner::Rank)
}

/// Whether an owner of a list has several placements, as a process with several devices does.
fn has_owner_twice(list: &Shards) -> Memory<bool> {
    let mut seen: Map<SameOwner<'_>, ()> = Map::default();
    for placement in list.placements().distinct().iter().filter(|placement| !placement.is_none()) {
        seen.try_reserve(1)?;
        if seen.insert(same_owner(placement, false), ()).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
