//! The sources that hold a part, and which of them is read least.
//!
//! The usual replicas are copies: of each two, either both have the same box or they share nothing.
//! Thousands of parts may have the same thousands of holders then, so these are kept in heaps: for each
//! box and owner its shards, by how much they are read, and for each list of owners that share boxes,
//! the owners. What lies in the second kind of heap may be outdated, as an owner may be in several; it
//! is put right when it comes to the top. Reading more from an owner only ever moves it down.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "numbers of owners and shards index arrays made for them, and all that is wanted has \
              fewer elements than a u128 counts"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::owners::Owners;
use crate::core::error::Result;
use crate::core::placement::Placement;
use crate::core::shards::{Placements, Shards};
use crate::core::steps;
use crate::core::validate;
use crate::memory::{self, Memory, TryVec};

/// Holders of parts, by a number that parts have.
pub(super) enum Holders {
    Listed(Listed),
    Copies(Copies),
}

impl Holders {
    /// Of those holders that an owner has, the one that is read least.
    pub(super) fn least_of_owner(&self, number: u32, owner: u32) -> Option<u32> {
        match self {
            Self::Listed(listed) => {
                let own = listed.of(number).iter().filter(|(_, other)| *other == owner);
                own.map(|&(shard, _)| shard).min_by_key(|&shard| listed.key(shard))
            }
            Self::Copies(copies) => copies.least_of_owner(number, owner),
        }
    }

    /// The holder, if there is only one.
    pub(super) fn only(&self, number: u32) -> Option<u32> {
        match self {
            Self::Listed(listed) => match listed.of(number) {
                [(shard, _)] => Some(*shard),
                _ => None,
            },
            Self::Copies(copies) => match copies.members_of(number) {
                [shard] => Some(*shard),
                _ => None,
            },
        }
    }

    /// The holder to read from next, where so much is read from each owner.
    pub(super) fn least(
        &mut self, number: u32, load: &[u128], owners: &Owners<'_>,
    ) -> Memory<Option<u32>> {
        match self {
            Self::Listed(listed) => {
                let holders = listed.of(number).iter();
                let least = holders
                    .min_by_key(|(shard, owner)| (load[*owner as usize], listed.key(*shard)));
                Ok(least.map(|&(shard, _)| shard))
            }
            Self::Copies(copies) => copies.least(number, load, owners),
        }
    }

    /// Says that so much more is read from a holder.
    pub(super) fn read(&mut self, number: u32, owner: u32, shard: u32, elements: u128) {
        match self {
            Self::Listed(listed) => listed.load[shard as usize] += elements,
            Self::Copies(copies) => copies.read(number, owner, elements),
        }
    }

    /// Visits the owners of holders; some perhaps more than once, and those that were visited as
    /// holders of another part perhaps not at all.
    pub(super) fn visit_owners(&mut self, number: u32, visit: &mut dyn FnMut(u32)) {
        match self {
            Self::Listed(listed) => {
                listed.of(number).iter().for_each(|&(_, owner)| visit(owner));
            }
            Self::Copies(copies) => copies.visit_owners(number, visit),
        }
    }

    /// How many owners hold a part.
    pub(super) fn owner_count(&self, number: u32) -> Memory<usize> {
        match self {
            Self::Listed(listed) => {
                let owners = listed.of(number).iter().map(|&(_, owner)| owner);
                let mut owners: Vec<u32> = memory::try_collect(owners)?;
                owners.sort_unstable();
                owners.dedup();
                Ok(owners.len())
            }
            Self::Copies(copies) => Ok(copies.buckets_of(number).len()),
        }
    }
}

/// A list for each part: of holders, and their owners.
#[derive(Default)]
pub(super) struct Listed {
    ends: Vec<usize>,
    holders: Vec<(u32, u32)>,
    /// How much is read from each source shard.
    load: Vec<u128>,
}

impl Listed {
    pub(super) fn new(sources: usize) -> Memory<Self> {
        Ok(Self { load: memory::try_filled(0, sources)?, ..Self::default() })
    }

    /// A list; tells its number.
    pub(super) fn push(&mut self, holders: &[u32], owners: &Owners<'_>) -> Memory<u32> {
        let number = self.ends.len() as u32;
        let owned = |&shard: &u32| (shard, owners.of_source(shard));
        self.holders.try_extend(holders.iter().map(owned))?;
        self.ends.try_push(self.holders.len())?;
        Ok(number)
    }

    fn of(&self, number: u32) -> &[(u32, u32)] {
        let holders = &self.holders[range_of(&self.ends, number)];
        steps::count(holders.len());
        holders
    }

    fn key(&self, shard: u32) -> (u128, u32) {
        (self.load[shard as usize], shard)
    }
}

fn range_of(ends: &[usize], number: u32) -> Range<usize> {
    let number = number as usize;
    let start = if number == 0 { 0 } else { ends[number - 1] };
    start..ends[number]
}

/// How much something is read, and its number: the first of those that are read least is the largest.
type ByLoad = Reverse<(u128, u32)>;

/// The shards of one box that one owner has.
struct Bucket {
    owner: u32,
    shards: BinaryHeap<ByLoad>,
}

/// Owners that share boxes: by how much they are read and by their place in the list.
struct Sharers {
    owners: Vec<u32>,
    heap: BinaryHeap<ByLoad>,
    visited: bool,
}

/// Sources of which each two have the same box or share nothing. A part's number is that of its box.
pub(super) struct Copies {
    /// The different boxes.
    boxes: Shards,
    /// Where the members of each box end.
    ends: Vec<usize>,
    /// The shards with the first box, ascending, then those with the second, and so on.
    members: Vec<u32>,
    /// Where the buckets of each box end.
    bucket_ends: Vec<usize>,
    /// The buckets of the first box, by owner, then those of the second, and so on.
    buckets: Vec<Bucket>,
    /// For each box, who shares it.
    sharers_of: Vec<u32>,
    sharers: Vec<Sharers>,
}

impl Copies {
    /// `None` where sources overlap in other ways.
    pub(super) fn new(source: &Shards, owners: &Owners<'_>) -> Result<Option<Self>> {
        let owning = (0u32..).zip(source.iter()).filter(|(_, shard)| !shard.is_empty());
        let mut members: Vec<u32> = memory::try_collect(owning.map(|(number, _)| number))?;
        let box_of = |&number: &u32| {
            let row = number as usize * source.ndim()..(number as usize + 1) * source.ndim();
            (&source.offsets()[row.clone()], &source.sizes()[row])
        };
        steps::count(members.len());
        members.sort_unstable_by_key(|number| (box_of(number), *number));
        let (mut offsets, mut sizes, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for group in members.chunk_by(|a, b| box_of(a) == box_of(b)) {
            offsets.try_extend_from_slice(box_of(&group[0]).0)?;
            sizes.try_extend_from_slice(box_of(&group[0]).1)?;
            ends.try_push(ends.last().copied().unwrap_or(0) + group.len())?;
        }
        let placements = Placements::new(std::iter::repeat_n(Placement::NONE, ends.len()))?;
        let boxes = Shards::new(source.ndim(), offsets, sizes, placements)?;
        if validate::has_overlap(&boxes)? {
            return Ok(None);
        }
        let (bucket_ends, buckets, sharers_of, sharers) = Default::default();
        let mut copies = Self { boxes, ends, members, bucket_ends, buckets, sharers_of, sharers };
        copies.fill_buckets(owners)?;
        Ok(Some(copies))
    }

    /// The different boxes, which share nothing.
    pub(super) fn boxes(&self) -> &Shards {
        &self.boxes
    }

    fn fill_buckets(&mut self, owners: &Owners<'_>) -> Memory<()> {
        // For each box its owners in the order of their first shards, one box after the other.
        let (mut lists, mut list_ends) = (Vec::new(), Vec::new());
        let mut sorted: Vec<(u32, u32)> = Vec::new();
        for number in 0..self.ends.len() as u32 {
            sorted.clear();
            let members = self.members_of(number).iter();
            sorted.try_extend(members.map(|&shard| (owners.of_source(shard), shard)))?;
            sorted.sort_unstable();
            let start = lists.len();
            for bucket in sorted.chunk_by(|a, b| a.0 == b.0) {
                let shards = bucket.iter().map(|&(_, shard)| Reverse((0, shard)));
                let shards = BinaryHeap::from(memory::try_collect(shards)?);
                self.buckets.try_push(Bucket { owner: bucket[0].0, shards })?;
                lists.try_push((bucket[0].1, bucket[0].0))?;
            }
            self.bucket_ends.try_push(self.buckets.len())?;
            lists[start..].sort_unstable();
            list_ends.try_push(lists.len())?;
        }
        self.find_sharers(&lists, &list_ends)
    }

    /// Boxes with the same list of owners share one heap.
    fn find_sharers(&mut self, lists: &[(u32, u32)], list_ends: &[usize]) -> Memory<()> {
        let owners_of =
            |&number: &u32| lists[range_of(list_ends, number)].iter().map(|&(_, owner)| owner);
        let mut order: Vec<u32> = memory::try_collect(0..list_ends.len() as u32)?;
        order.sort_unstable_by(|a, b| owners_of(a).cmp(owners_of(b)).then(a.cmp(b)));
        self.sharers_of = memory::try_filled(0, order.len())?;
        for same in order.chunk_by(|a, b| owners_of(a).eq(owners_of(b))) {
            let number = self.sharers.len() as u32;
            let owners: Vec<u32> = memory::try_collect(owners_of(&same[0]))?;
            let heap = (0..owners.len() as u32).map(|place| Reverse((0, place)));
            let heap = BinaryHeap::from(memory::try_collect(heap)?);
            self.sharers.try_push(Sharers { owners, heap, visited: false })?;
            same.iter().for_each(|&of| self.sharers_of[of as usize] = number);
        }
        Ok(())
    }

    fn members_of(&self, number: u32) -> &[u32] {
        &self.members[range_of(&self.ends, number)]
    }

    fn buckets_of(&self, number: u32) -> &[Bucket] {
        &self.buckets[range_of(&self.bucket_ends, number)]
    }

    fn bucket(&self, number: u32, owner: u32) -> Option<usize> {
        let range = range_of(&self.bucket_ends, number);
        let found = self.buckets[range.clone()].binary_search_by_key(&owner, |bucket| bucket.owner);
        found.ok().map(|place| range.start + place)
    }

    fn least_of_owner(&self, number: u32, owner: u32) -> Option<u32> {
        steps::count(1);
        let bucket = &self.buckets[self.bucket(number, owner)?];
        bucket.shards.peek().map(|Reverse((_, shard))| *shard)
    }

    fn least(&mut self, number: u32, load: &[u128], owners: &Owners<'_>) -> Memory<Option<u32>> {
        let sharers = &mut self.sharers[self.sharers_of[number as usize] as usize];
        let owner = loop {
            steps::count(1);
            let Some(mut top) = sharers.heap.peek_mut() else {
                return Ok(None);
            };
            let Reverse((known, place)) = *top;
            let owner = sharers.owners[place as usize];
            if load[owner as usize] == known {
                break owner;
            }
            // It sinks to where it belongs when the borrow ends.
            *top = Reverse((load[owner as usize], place));
        };
        debug_assert!((owner as usize) < owners.count());
        Ok(self.least_of_owner(number, owner))
    }

    /// The shard that is read is the one that [`Self::least_of_owner`] told.
    fn read(&mut self, number: u32, owner: u32, elements: u128) {
        if let Some(bucket) = self.bucket(number, owner)
            && let Some(mut top) = self.buckets[bucket].shards.peek_mut()
        {
            let Reverse((load, _)) = &mut *top;
            *load += elements;
        }
    }

    fn visit_owners(&mut self, number: u32, visit: &mut dyn FnMut(u32)) {
        let sharers = &mut self.sharers[self.sharers_of[number as usize] as usize];
        if !std::mem::replace(&mut sharers.visited, true) {
            steps::count(sharers.owners.len());
            sharers.owners.iter().for_each(|&owner| visit(owner));
        }
    }
}
