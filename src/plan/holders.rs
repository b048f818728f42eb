//! The sources that hold a part, and which of them is read least.
//!
//! Replicas mostly are copies of each other: they have the same box. Thousands of parts may have
//! the same thousands of holders then, so the holders of a part are stored as their different
//! boxes, of which there are few. The shards with these boxes are in heaps: for each box and owner
//! its shards, by how much they are read, and for each list of owners that share boxes, the owners:
//! all of them, and those of each node. Entries of the second kind of heap may be outdated, because
//! an owner may be in several. An entry is corrected when it comes to the top. Reading more from an
//! owner only ever moves it down.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "numbers of owners and shards index arrays made for them, and all that is wanted has \
              fewer elements than a u128 counts"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::owners::{HolderScope, Owners};
use crate::error::Result;
use crate::geometry::{BoxList, overlap, range_of, steps};
use crate::memory::{self, Memory, TryVec};

/// Holders of parts, by a number that parts have.
pub(super) struct Holders {
    copies: Copies,
    /// Where boxes overlap, a list of boxes for each number: where they end, and all of them. Else a
    /// number is that of a box.
    ends: Vec<usize>,
    lists: Vec<u32>,
}

/// A source that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Choice {
    /// How much its owner is read, where that matters, and how much it is read itself.
    load: (u128, u128),
    pub(super) source: u32,
    bucket: usize,
}

impl Holders {
    pub(super) fn new(source: &BoxList, owners: &Owners<'_>) -> Result<Self> {
        let (ends, lists) = Default::default();
        Ok(Self { copies: Copies::new(source, owners)?, ends, lists })
    }

    /// The different boxes.
    pub(super) fn boxes(&self) -> &BoxList {
        &self.copies.boxes
    }

    /// Whether boxes share nothing, so that a part's number is that of its one box.
    pub(super) fn are_apart(&self) -> bool {
        self.copies.apart
    }

    /// Whether an owner has a box.
    pub(super) fn has(&self, owner: u32, number: u32) -> bool {
        self.copies.bucket(number, owner).is_some()
    }

    /// Adds a list of boxes and returns its number.
    pub(super) fn push(&mut self, boxes: &[u32]) -> Memory<u32> {
        let number = self.ends.len() as u32;
        self.lists.try_extend_from_slice(boxes)?;
        self.ends.try_push(self.lists.len())?;
        Ok(number)
    }

    /// The places of a part's boxes in the lists; `None` where the number is that of a box.
    fn boxes_of(&self, number: u32) -> Option<Range<usize>> {
        (!self.copies.apart).then(|| range_of(&self.ends, number as usize))
    }

    /// The boxes of a part, by their places among its boxes.
    fn count_of(&self, number: u32) -> usize {
        self.boxes_of(number).map_or(1, |range| range.len())
    }

    fn box_of(&self, number: u32, place: usize) -> u32 {
        self.boxes_of(number).map_or(number, |range| self.lists[range.start + place])
    }

    /// Of those holders that an owner has, the one that is read least.
    pub(super) fn least_of_owner(&self, number: u32, owner: u32) -> Option<Choice> {
        let places = 0..self.count_of(number);
        let least = |place| self.copies.least_of_owner(self.box_of(number, place), owner, 0);
        places.filter_map(least).min()
    }

    /// The holder, if there is only one.
    pub(super) fn only(&self, number: u32) -> Option<Choice> {
        let mut members = 0;
        let mut owner = 0;
        for place in 0..self.count_of(number) {
            let buckets = self.copies.buckets_of(self.box_of(number, place));
            members += buckets.iter().map(|bucket| bucket.shards.len()).take(2).sum::<usize>();
            if members > 1 {
                return None;
            }
            owner = buckets.first()?.owner;
        }
        self.least_of_owner(number, owner)
    }

    /// The holder in scope to read from next, where so much is read from each owner.
    pub(super) fn least(
        &mut self, number: u32, scope: HolderScope, load: &[u128],
    ) -> Option<Choice> {
        let mut least: Option<Choice> = None;
        for place in 0..self.count_of(number) {
            let of = self.box_of(number, place);
            let choice = self.copies.least(of, scope, load);
            least = [least, choice].into_iter().flatten().min();
        }
        least
    }

    /// Whether any owner in scope holds a part.
    pub(super) fn are_in(&self, number: u32, scope: HolderScope) -> bool {
        let mut places = 0..self.count_of(number);
        places.any(|place| self.copies.sharers(self.box_of(number, place), scope).is_some())
    }

    /// Says that so much more is read from a source that was chosen.
    pub(super) fn read(&mut self, choice: Choice, elements: u128) {
        // It is the first of its bucket.
        if let Some(mut top) = self.copies.buckets[choice.bucket].shards.peek_mut() {
            let Reverse((load, _)) = &mut *top;
            *load += elements;
        }
    }

    /// Visits the owners of holders in scope; some perhaps more than once, and those that were visited
    /// as holders of another part perhaps not at all.
    pub(super) fn visit_owners(
        &mut self, number: u32, scope: HolderScope, visit: &mut dyn FnMut(u32),
    ) {
        for place in 0..self.count_of(number) {
            let of = self.box_of(number, place);
            self.copies.visit_owners(of, scope, visit);
        }
    }

    /// How many owners in scope hold a part, or `limit`, if that is less.
    pub(super) fn owner_count(
        &self, number: u32, scope: HolderScope, limit: usize,
    ) -> Memory<usize> {
        let count = self.count_of(number);
        let owners = |place| {
            let sharers = self.copies.sharers(self.box_of(number, place), scope);
            sharers.map_or(&[][..], |sharers| &sharers.owners)
        };
        let least = (0..count).map(|place| owners(place).len()).max().unwrap_or(0);
        if count == 1 || least >= limit {
            return Ok(least.min(limit));
        }
        let all = (0..count).flat_map(|place| owners(place).iter().copied());
        let mut all: Vec<u32> = memory::try_collect(all)?;
        steps::count(all.len());
        all.sort_unstable();
        all.dedup();
        Ok(all.len().min(limit))
    }
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

impl Sharers {
    fn new(owners: impl IntoIterator<Item = u32>) -> Memory<Self> {
        let owners: Vec<u32> = memory::try_collect(owners)?;
        let heap = (0..owners.len() as u32).map(|place| Reverse((0, place)));
        let heap = BinaryHeap::from(memory::try_collect(heap)?);
        Ok(Self { owners, heap, visited: false })
    }

    /// The owner that is read least.
    fn least(&mut self, load: &[u128]) -> Option<u32> {
        loop {
            steps::count(1);
            let mut top = self.heap.peek_mut()?;
            let Reverse((known, place)) = *top;
            let owner = self.owners[place as usize];
            if load[owner as usize] == known {
                return Some(owner);
            }
            // It sinks to where it belongs when the borrow ends.
            *top = Reverse((load[owner as usize], place));
        }
    }
}

/// A list of owners that share boxes: all of them, and those of each node, by its number.
struct SharerList {
    all: Sharers,
    by_node: Vec<(u32, Sharers)>,
}

impl SharerList {
    fn new(all: Vec<u32>, owners: &Owners<'_>) -> Memory<Self> {
        let mut by_node = Vec::new();
        if owners.have_nodes() {
            let placed = all.iter().enumerate();
            let placed = placed.map(|(place, &owner)| (owners.node_of(owner), place, owner));
            let mut sorted: Vec<_> = memory::try_collect(placed)?;
            sorted.sort_unstable();
            for same in sorted.chunk_by(|a, b| a.0 == b.0) {
                let sharers = Sharers::new(same.iter().map(|&(_, _, owner)| owner))?;
                by_node.try_push((same[0].0, sharers))?;
            }
        }
        Ok(Self { all: Sharers::new(all)?, by_node })
    }

    fn node(&self, node: u32) -> Option<usize> {
        self.by_node.binary_search_by_key(&node, |(node, _)| *node).ok()
    }

    fn within(&self, scope: HolderScope) -> Option<&Sharers> {
        match scope {
            HolderScope::Everywhere => Some(&self.all),
            HolderScope::Node(node) => Some(&self.by_node[self.node(node)?].1),
        }
    }

    fn within_mut(&mut self, scope: HolderScope) -> Option<&mut Sharers> {
        match scope {
            HolderScope::Everywhere => Some(&mut self.all),
            HolderScope::Node(node) => {
                let place = self.node(node)?;
                Some(&mut self.by_node[place].1)
            }
        }
    }
}

/// Sources by their boxes.
struct Copies {
    /// The different boxes.
    boxes: BoxList,
    /// Whether they share nothing.
    apart: bool,
    /// Where the buckets of each box end.
    bucket_ends: Vec<usize>,
    /// The buckets of the first box, by owner, then those of the second, and so on.
    buckets: Vec<Bucket>,
    /// For each box, who shares it.
    sharers_of: Vec<u32>,
    sharers: Vec<SharerList>,
}

impl Copies {
    fn new(source: &BoxList, owners: &Owners<'_>) -> Result<Self> {
        let mut members = source.not_empty()?;
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
        let boxes = BoxList::new(source.ndim(), ends.len(), offsets, sizes);
        let apart = overlap::find(&boxes)?.is_none();
        let (bucket_ends, buckets, sharers_of, sharers) = Default::default();
        let mut copies = Self { boxes, apart, bucket_ends, buckets, sharers_of, sharers };
        copies.fill_buckets(owners, &members, &ends)?;
        Ok(copies)
    }

    fn fill_buckets(&mut self, owners: &Owners<'_>, members: &[u32], ends: &[usize]) -> Memory<()> {
        // For each box its owners in the order of their first shards, one box after the other.
        let (mut lists, mut list_ends) = (Vec::new(), Vec::new());
        let mut sorted: Vec<(u32, u32)> = Vec::new();
        for number in 0..ends.len() as u32 {
            sorted.clear();
            let members = members[range_of(ends, number as usize)].iter();
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
        self.find_sharers(owners, &lists, &list_ends)
    }

    /// Boxes with the same list of owners share their heaps.
    fn find_sharers(
        &mut self, owners: &Owners<'_>, lists: &[(u32, u32)], list_ends: &[usize],
    ) -> Memory<()> {
        let owners_of = |&number: &u32| {
            lists[range_of(list_ends, number as usize)].iter().map(|&(_, owner)| owner)
        };
        let mut order: Vec<u32> = memory::try_collect(0..list_ends.len() as u32)?;
        order.sort_unstable_by(|a, b| owners_of(a).cmp(owners_of(b)).then(a.cmp(b)));
        self.sharers_of = memory::try_filled(0, order.len())?;
        for same in order.chunk_by(|a, b| owners_of(a).eq(owners_of(b))) {
            let number = self.sharers.len() as u32;
            let list = SharerList::new(memory::try_collect(owners_of(&same[0]))?, owners)?;
            self.sharers.try_push(list)?;
            same.iter().for_each(|&of| self.sharers_of[of as usize] = number);
        }
        Ok(())
    }

    fn buckets_of(&self, number: u32) -> &[Bucket] {
        &self.buckets[range_of(&self.bucket_ends, number as usize)]
    }

    fn bucket(&self, number: u32, owner: u32) -> Option<usize> {
        let range = range_of(&self.bucket_ends, number as usize);
        let found = self.buckets[range.clone()].binary_search_by_key(&owner, |bucket| bucket.owner);
        found.ok().map(|place| range.start + place)
    }

    /// The shard with a box that is read least of those of an owner, of which so much is read.
    fn least_of_owner(&self, number: u32, owner: u32, owner_load: u128) -> Option<Choice> {
        steps::count(1);
        let bucket = self.bucket(number, owner)?;
        let Reverse((load, source)) = *self.buckets[bucket].shards.peek()?;
        Some(Choice { load: (owner_load, load), source, bucket })
    }

    /// The same of the owner in scope that is read least.
    fn least(&mut self, number: u32, scope: HolderScope, load: &[u128]) -> Option<Choice> {
        let list = &mut self.sharers[self.sharers_of[number as usize] as usize];
        let owner = list.within_mut(scope)?.least(load)?;
        self.least_of_owner(number, owner, load[owner as usize])
    }

    /// The owners in scope that have a box; none where there is none.
    fn sharers(&self, number: u32, scope: HolderScope) -> Option<&Sharers> {
        self.sharers[self.sharers_of[number as usize] as usize].within(scope)
    }

    fn visit_owners(&mut self, number: u32, scope: HolderScope, visit: &mut dyn FnMut(u32)) {
        let list = &mut self.sharers[self.sharers_of[number as usize] as usize];
        let Some(sharers) = list.within_mut(scope) else {
            return;
        };
        if !std::mem::replace(&mut sharers.visited, true) {
            steps::count(sharers.owners.len());
            sharers.owners.iter().for_each(|&owner| visit(owner));
        }
    }
}
