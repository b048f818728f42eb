//! Which rank has which shard.

#![allow(
    clippy::indexing_slicing,
    reason = "placements are numbered by the table that their ranks are looked up in"
)]

use crate::comm::CommError;
use crate::memory::{try_collect, try_collect_results};
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::placement::Placement;
use crate::model::{Error, Result};

/// The ranks of a communicator that the shards of a tensor live on.
#[derive(Debug, Clone)]
pub struct Owners<'a> {
    metadata: &'a ShardedTensorMetadata,
    /// The rank of each distinct placement.
    ranks: Vec<usize>,
}

impl<'a> Owners<'a> {
    /// The owners among `size` ranks. Refused are placements that name no rank (`trainer0/cpu`,
    /// `cuda:1`), and ranks from `size` on.
    pub fn new(metadata: &'a ShardedTensorMetadata, size: usize) -> Result<Self> {
        let placements = metadata.shards().placements();
        let rank = |(number, placement): (usize, &Placement)| {
            let rank = placement.rank().and_then(|rank| usize::try_from(rank).ok());
            rank.filter(|&rank| rank < size).ok_or_else(|| {
                let mut numbers = placements.indices().iter();
                let shard = numbers.position(|&own| own as usize == number).unwrap_or(0);
                match placement.rank() {
                    None => Error::Comm(CommError::NoRank { shard, placement: placement.clone() }),
                    Some(rank) => Error::Comm(CommError::RankOutside {
                        shard,
                        placement: placement.clone(),
                        rank,
                        size,
                    }),
                }
            })
        };
        let ranks = try_collect_results(placements.distinct().iter().enumerate().map(rank))?;
        Ok(Self { metadata, ranks })
    }

    /// The rank that shard `index` of the metadata lives on.
    pub fn rank_of(&self, index: usize) -> usize {
        self.ranks[self.metadata.shards().placements().indices()[index] as usize]
    }

    /// The shards that live on `rank`, ascending.
    pub fn shards_of(&self, rank: usize) -> Result<Vec<usize>> {
        let all = 0..self.metadata.shards().len();
        Ok(try_collect(all.filter(|&index| self.rank_of(index) == rank))?)
    }
}
