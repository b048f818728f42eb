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
        let rank_placed = |rank: i64| usize::try_from(rank).ok().filter(|&rank| rank < size);
        Self::placed(shards, size, false, rank_placed)
    }

    /// The owners among the ranks of a communicator, by the ranks that it has in placements.
    pub(super) fn of(comm: &dyn Communicator, shards: &Shared<Shards>) -> Result<Self> {
        let in_group = comm.fingerprint() != 0;
        Self::placed(shards, comm.size(), in_group, |rank| comm.rank_placed(rank))
    }

    fn placed(
        shards: &Shared<Shards>, size: usize, in_group: bool,
        rank_placed: impl Fn(i64) -> Option<usize>,
    ) -> Result<Self> {
        let placements = shards.placements();
        let rank = |(number, placement): (usize, &Placement)| {
            placement.rank().and_then(&rank_placed).ok_or_else(|| {
                let mut numbers = placements.indices().iter();
                let shard = numbers.position(|&own| own as usize == number).unwrap_or(0);
                match placement.rank() {
                    None => Error::Comm(CommError::NoRank { shard, placement: placement.clone() }),
                    Some(rank) => Error::Comm(CommError::RankOutside {
                        shard,
                        placement: placement.clone(),
                        rank,
                        size,
                        in_group,
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
}

/// The shards of a tensor as one rank sees them: the ranks that own them, and its own.
#[derive(Debug)]
pub(super) struct RankShards {
    ranks: ShardRanks,
    /// Ascending.
    own: Vec<usize>,
}

impl RankShards {
    /// Those of the rank that calls.
    pub(super) fn of(comm: &dyn Communicator, shards: &Shared<Shards>) -> Result<Self> {
        let ranks = ShardRanks::of(comm, shards)?;
        let own = ranks.shards_of(comm.rank())?;
        Ok(Self { ranks, own })
    }

    /// The rank that owns shard `index` of the layout.
    pub(super) fn rank_of(&self, index: usize) -> usize {
        self.ranks.rank_of(index)
    }

    /// The shards of this rank, ascending.
    pub(super) fn own(&self) -> &[usize] {
        &self.own
    }

    /// Refuses shards that are not those of the rank that calls, which is this one.
    pub(super) fn check(&self, comm: &dyn Communicator, shards: &LocalShards) -> Result<()> {
        shards.check_layout(&self.ranks.shards)?;
        if shards.indices().eq(self.own.iter().copied()) {
            return Ok(());
        }
        let problem = text!(
            "they are not the shards of rank {}; pass all shards of that rank, and no others",
            comm.placement_rank(comm.rank())
        );
        Err(Error::invalid(shards.arguments().views, problem))
    }
}

/// The node of a rank that placements name so; `None` where a communicator knows nothing of nodes.
pub(super) fn node_placed(comm: &dyn Communicator) -> Option<impl Fn(i64) -> Option<i64>> {
    comm.node(comm.rank())?;
    Some(move |rank| comm.node(comm.rank_placed(rank)?))
}

/// The shards of the rank that calls, ascending, of which it passes `count` views. Refuses another number;
/// `argument` says what it came in.
pub fn own_shards(
    comm: &dyn Communicator, shards: &Shared<Shards>, (argument, count): (&'static str, usize),
) -> Result<Vec<usize>> {
    let own = ShardRanks::of(comm, shards)?.shards_of(comm.rank())?;
    check_view_count(&own, (argument, count))?;
    Ok(own)
}

/// Refuses another number of views than one for each shard of a rank; `argument` says how many there are.
pub fn check_view_count(own: &[usize], (argument, count): (&'static str, usize)) -> Result<()> {
    if count == own.len() {
        return Ok(());
    }
    let problem = text!(
        "{count} views for the {} shards of this rank; pass one for each, in the order of their \
         indices",
        own.len()
    );
    Err(Error::invalid(argument, problem))
}
