//! Which shards have the same elements, and which of them an element's owner is.

use super::metadata::ShardedTensorMetadata;
use crate::error::Result;

/// What a shard is among those that have the same elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replica {
    /// How many shards of a lower index have the same elements at the same places of their buffers.
    pub number: usize,
    /// The lowest shard that has them: where each element is to be written or read once, this one does.
    pub primary: usize,
}

impl ShardedTensorMetadata {
    /// What a shard is among those with the same elements at the same places of their buffers. A shard
    /// that has no element is its own primary.
    ///
    /// The first question about metadata with replicas takes `n * log(n)` for `n` shards; the answers are
    /// kept.
    pub fn replica(&self, shard: usize) -> Result<Replica> {
        self.shards().at("shard", shard)?;
        let alone = Replica { number: 0, primary: shard };
        if !self.has_replicas() {
            return Ok(alone);
        }
        let found = self.shards().equal()?.get(shard);
        Ok(found.map_or(alone, |(primary, number)| Replica {
            number: number as usize,
            primary: primary as usize,
        }))
    }
}
