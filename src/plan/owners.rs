//! Who reads and who writes: the owners of source and destination shards, by numbers.

use crate::geometry::unfold::BoxRows;
use crate::memory::{self, Memory, TryVec};
use crate::model::placement::Owner;
use crate::model::placements::Placements;
use crate::model::shards::Shards;
use crate::sync::seed::Map;

/// The owners of two lists of shards, numbered alike: equal numbers are equal owners. Devices make no
/// difference: what moves between those of one owner stays in its process.
#[derive(Debug)]
pub(crate) struct Owners<'a> {
    source: OwnerSide<'a>,
    destination: OwnerSide<'a>,
    count: usize,
    /// The node of each owner. Empty where nothing is known of nodes.
    nodes: Vec<u32>,
}

/// The nodes of ranks: equal numbers for ranks that are near each other. `None`: not known.
pub type NodeOf<'a> = &'a dyn Fn(i64) -> Option<i64>;

/// Among which holders one is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HolderScope {
    /// Those of one node.
    Node(u32),
    /// All.
    Everywhere,
}

/// The identity of an owner: the rank, for every type of placement that has one.
#[derive(PartialEq, Eq, Hash)]
enum OwnerKey<'a> {
    Rank(i64),
    Other(&'a Owner),
}

#[derive(Debug)]
struct OwnerSide<'a> {
    placements: &'a Placements,
    /// For each distinct placement, its owner.
    owners: Vec<u32>,
    /// What numbers are those of, if they are not those of shards.
    rows: Option<BoxRows<'a>>,
}

impl<'a> Owners<'a> {
    pub(crate) fn new(source: &'a Shards, destination: &'a Shards) -> Memory<Self> {
        let mut numbers: Map<OwnerKey<'_>, u32> = Map::default();
        let mut side = |shards: &'a Shards| -> Memory<OwnerSide<'a>> {
            let mut owners = Vec::new();
            for placement in shards.placements().distinct() {
                let next = numbers.len() as u32;
                let key =
                    placement.rank().map_or(OwnerKey::Other(placement.owner()), OwnerKey::Rank);
                numbers.try_reserve(1)?;
                owners.try_push(*numbers.entry(key).or_insert(next))?;
            }
            Ok(OwnerSide { placements: shards.placements(), owners, rows: None })
        };
        let (source, destination) = (side(source)?, side(destination)?);
        Ok(Self { source, destination, count: numbers.len(), nodes: Vec::new() })
    }

    /// The same, with the nodes of the owners that are ranks. Any other owner is on a node of its own.
    pub(crate) fn on_nodes(mut self, node_of: Option<NodeOf<'_>>) -> Memory<Self> {
        let Some(node_of) = node_of else {
            return Ok(self);
        };
        let mut nodes: Vec<Option<i64>> = memory::try_filled(None, self.count)?;
        for side in [&self.source, &self.destination] {
            for (placement, &owner) in side.placements.distinct().iter().zip(&side.owners) {
                if let Some(node) = nodes.get_mut(owner as usize) {
                    *node = placement.rank().and_then(node_of);
                }
            }
        }
        let mut numbers: Map<i64, u32> = Map::default();
        for (owner, node) in (0u32..).zip(nodes) {
            // A node is named by its first owner, whatever number it has on this rank.
            let first = match node {
                None => owner,
                Some(node) => {
                    numbers.try_reserve(1)?;
                    *numbers.entry(node).or_insert(owner)
                }
            };
            self.nodes.try_push(first)?;
        }
        Ok(self)
    }

    /// Whether anything is known of nodes.
    pub(super) fn have_nodes(&self) -> bool {
        !self.nodes.is_empty()
    }

    /// The node of an owner, where nodes are known.
    pub(super) fn node_of(&self, owner: u32) -> u32 {
        self.nodes.get(owner as usize).copied().unwrap_or(owner)
    }

    /// The same of the boxes of shards.
    pub(super) fn of_rows(self, [source, destination]: [BoxRows<'a>; 2]) -> Self {
        let (from, to) = (self.source, self.destination);
        Self {
            source: OwnerSide { rows: Some(source), ..from },
            destination: OwnerSide { rows: Some(destination), ..to },
            count: self.count,
            nodes: self.nodes,
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn of_source(&self, shard: u32) -> u32 {
        self.source.of(shard)
    }

    pub(crate) fn of_destination(&self, shard: u32) -> u32 {
        self.destination.of(shard)
    }

    /// For each distinct placement of the source, its owner.
    pub(super) fn of_source_placements(&self) -> &[u32] {
        &self.source.owners
    }

    /// For each distinct placement of the destination, its owner.
    pub(crate) fn of_destination_placements(&self) -> &[u32] {
        &self.destination.owners
    }
}

impl OwnerSide<'_> {
    fn of(&self, number: u32) -> u32 {
        let shard = self.rows.map_or(number, |rows| rows.extent_of(number));
        let placement = self.placements.indices().get(shard as usize);
        let owner = placement.and_then(|&placement| self.owners.get(placement as usize));
        owner.copied().unwrap_or(u32::MAX)
    }
}
