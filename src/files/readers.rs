//! Who reads what several have: one reader for each set of replicas, so that files are read once.

use std::cmp::Reverse;

use crate::geometry::checked_numel;
use crate::memory::{TryVec, try_collect, try_filled, try_with_capacity};
use crate::model::{Placement, Result, ShardedTensorMetadata};
use crate::sync::seed::Map;

/// Who owns a shard: the rank, for every type of placement that has one.
#[derive(PartialEq, Eq, Hash)]
enum ReaderKey<'a> {
    Rank(i64),
    Place(&'a Placement),
}

/// Shards of a layout that have the same elements.
struct ReplicaSet {
    layout: usize,
    bytes: u64,
    /// Where its members are among the shards of its layout in the order of sets.
    first: usize,
    end: usize,
}

/// The owners of the shards of a layout, and its shards in the order of their sets.
struct LayoutShards {
    owners: Vec<u32>,
    order: Vec<u32>,
}

/// For each shard of each layout, the shard that is read from files for it: itself, or one with the same
/// elements. Of those with the same elements, the owner that reads the fewest bytes so far reads, the
/// largest sets first. Equal layouts always have equal readers, in every process.
///
/// Bytes are those of the stated element type; of layouts that state none, an element counts as a byte.
pub fn readers(layouts: &[&ShardedTensorMetadata]) -> Result<Vec<Vec<u32>>> {
    let mut numbers: Map<ReaderKey<'_>, u32> = Map::default();
    let mut all = try_with_capacity(layouts.len())?;
    for layout in layouts {
        all.push(LayoutShards::new(layout, &mut numbers)?);
    }
    let mut loads = try_filled(0u64, numbers.len())?;
    let mut sets = Vec::new();
    let mut readers = try_with_capacity(layouts.len())?;
    for (number, (layout, own)) in layouts.iter().zip(&all).enumerate() {
        // Each shard reads for itself, where nothing else is found below.
        readers.push(try_collect(0..layout.shards().len() as u32)?);
        own.each_set(layout, |bytes, first, end| {
            if end.saturating_sub(first) > 1 {
                return Ok(sets.try_push(ReplicaSet { layout: number, bytes, first, end })?);
            }
            let load = own.order.get(first).and_then(|&shard| loads.get_mut(own.owner(shard)));
            load.into_iter().for_each(|load| *load = load.saturating_add(bytes));
            Ok(())
        })?;
    }
    sets.sort_unstable_by_key(|set: &ReplicaSet| (Reverse(set.bytes), set.layout, set.first));
    for set in sets {
        let (Some(own), Some(readers)) = (all.get(set.layout), readers.get_mut(set.layout)) else {
            continue;
        };
        let members = own.order.get(set.first..set.end).unwrap_or(&[]);
        let load = |shard: u32| loads.get(own.owner(shard)).copied().unwrap_or(u64::MAX);
        let Some(&reader) = members.iter().min_by_key(|&&shard| (load(shard), shard)) else {
            continue;
        };
        if let Some(load) = loads.get_mut(own.owner(reader)) {
            *load = load.saturating_add(set.bytes);
        }
        for &shard in members {
            if let Some(place) = readers.get_mut(shard as usize) {
                *place = reader;
            }
        }
    }
    Ok(readers)
}

impl LayoutShards {
    fn new<'a>(
        layout: &'a ShardedTensorMetadata, numbers: &mut Map<ReaderKey<'a>, u32>,
    ) -> Result<Self> {
        let placements = layout.shards().placements();
        let mut distinct = try_with_capacity(placements.distinct().len())?;
        for placement in placements.distinct() {
            let key = placement.rank().map_or(ReaderKey::Place(placement), ReaderKey::Rank);
            // There are at most as many as shards, which 32 bits count.
            let next = numbers.len() as u32;
            numbers.try_reserve(1)?;
            distinct.push(*numbers.entry(key).or_insert(next));
        }
        let owner = |&number: &u32| distinct.get(number as usize).copied().unwrap_or(u32::MAX);
        let owners = try_collect(placements.indices().iter().map(owner))?;
        let mut keyed: Vec<(usize, u32)> = try_with_capacity(owners.len())?;
        for shard in 0..owners.len() as u32 {
            keyed.push((layout.replica(shard as usize)?.primary, shard));
        }
        keyed.sort_unstable();
        let order = try_collect(keyed.into_iter().map(|(_, shard)| shard))?;
        Ok(Self { owners, order })
    }

    fn owner(&self, shard: u32) -> usize {
        self.owners.get(shard as usize).copied().unwrap_or(u32::MAX) as usize
    }

    /// Calls `each` with the bytes of each set of shards with the same elements, and where it is in the
    /// order.
    fn each_set(
        &self, layout: &ShardedTensorMetadata,
        mut each: impl FnMut(u64, usize, usize) -> Result<()>,
    ) -> Result<()> {
        let primary = |at: usize| -> Result<Option<usize>> {
            let shard = self.order.get(at).map(|&shard| shard as usize);
            shard.map(|shard| Ok(layout.replica(shard)?.primary)).transpose()
        };
        let bits = layout.properties().dtype.map_or(8, |dtype| dtype.element_bits() as u64);
        let mut first = 0usize;
        while let Some(own) = primary(first)? {
            let mut end = first.saturating_add(1);
            while primary(end)? == Some(own) {
                end = end.saturating_add(1);
            }
            let sizes = layout.shards().at("shard", own)?.sizes;
            let numel = checked_numel(sizes).unwrap_or(i64::MAX).unsigned_abs();
            each(numel.saturating_mul(bits) / 8, first, end)?;
            first = end;
        }
        Ok(())
    }
}
