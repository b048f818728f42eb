//! The rank of each shard.

#![allow(
    clippy::indexing_slicing,
    reason = "placements are numbered by the table that their ranks are looked up in"
)]

use super::Communicator;
use super::error::CommError;
use crate::memory::{Shared, text, try_collect, try_collect_results};
use crate::model::placement::Placement;
use crate::model::{Error, Result, Shards};
use crate::transfer::LocalShards;

/// The ranks of a communicator that own the shards of a tensor.
#[derive(Debug)]
pub struct ShardRanks {
    shards: Shared<Shards>,
    /// The rank of each distinct placement.
    ranks: Vec<usize>,
}

impl ShardRanks {
    /// The owners among `size` ranks. Refused are placements that name no rank (`trainer0/cpu`,
    /// `cuda:1`), and ranks from `size` on.
    pub fn new(shards: &Shared<Shards>, size: usize) -> Result<Self> {
        let placements = shards.placements();
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
        Ok(Self { shards: shards.clone(), ranks })
    }

    /// The rank that owns shard `index` of the layout.
    pub fn rank_of(&self, index: usize) -> usize {
        self.ranks[self.shards.placements().indices()[index] as usize]
    }

    /// The shards of `rank`, ascending.
    pub fn shards_of(&self, rank: usize) -> Result<Vec<usize>> {
        let all = 0..self.shards.len();
        Ok(try_collect(all.filter(|&index| self.rank_of(index) == rank))?)
    }

    /// Refuses shards that are not those of `rank`.
    pub(super) fn check_own(&self, rank: usize, shards: &LocalShards) -> Result<()> {
        shards.check_layout(&self.shards)?;
        let all = 0..self.shards.len();
        if all.filter(|&index| self.rank_of(index) == rank).eq(shards.indices()) {
            return Ok(());
        }
        let problem = text!(
            "they are not the shards of rank {rank}; pass all shards of that rank, and no \
                 others"
        );
        Err(Error::invalid(shards.arguments().views, problem))
    }
}

/// The shards of the rank that calls, ascending, of which it passes `count` views. Refuses another number;
/// `argument` says what it came in.
pub fn own_shards(
    comm: &dyn Communicator, shards: &Shared<Shards>, (argument, count): (&'static str, usize),
) -> Result<Vec<usize>> {
    let own = ShardRanks::new(shards, comm.size())?.shards_of(comm.rank())?;
    if count != own.len() {
        let problem = text!(
            "{count} views for the {} shards of this rank; pass one for each, in the order of their \
             indices",
            own.len()
        );
        return Err(Error::invalid(argument, problem));
    }
    Ok(own)
}
