//! How much each owner has.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shardspec::model::{Placement, ShardedTensorMetadata};

use super::MAX_ROWS;
use super::ranges::owner_of;
use crate::checkpoint::bytes_of_elements;
use crate::output::Output;
use crate::table::{Align, Table};
use crate::units;

/// The shards and bytes of each owner, over any number of tensors. Ranks come by number.
#[derive(Debug, Default)]
pub struct OwnerBytes {
    owners: BTreeMap<(i64, String), (usize, u64)>,
}

impl OwnerBytes {
    /// Counts the shards of a tensor.
    pub fn add(&mut self, metadata: &ShardedTensorMetadata) {
        for shard in metadata.shards().iter() {
            let elements = shard.elements().unwrap_or(i64::MAX);
            let bytes = bytes_of_elements(metadata.properties().dtype, elements);
            self.count(shard.placement, bytes);
        }
    }

    fn count(&mut self, placement: &Placement, bytes: u64) {
        let key = (placement.rank().unwrap_or(-1), owner_of(placement));
        let (shards, sum) = self.owners.entry(key).or_default();
        *shards += 1;
        *sum = sum.saturating_add(bytes);
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let owners = self.owners.iter().map(
            |((_, name), (shards, bytes))| json!({"owner": name, "shards": shards, "bytes": bytes}),
        );
        owners.collect()
    }

    /// A line, where all have as much, or a table.
    pub fn print(&self, output: &mut Output, all: bool) {
        let (shards, bytes) = match self.owners.values().next() {
            Some(first) => *first,
            None => return,
        };
        if self.owners.len() > 1 && self.owners.values().all(|own| *own == (shards, bytes)) {
            output.line(format!(
                "each of {} has {} and {}",
                units::count(self.owners.len(), "owner"),
                units::count(shards, "shard"),
                units::bytes(bytes)
            ));
            return;
        }
        let columns = [("owner", Align::Left), ("shards", Align::Right), ("bytes", Align::Right)];
        let mut table = Table::new(&columns);
        let most = if all { usize::MAX } else { MAX_ROWS };
        for ((_, name), (shards, bytes)) in self.owners.iter().take(most) {
            table.push(vec![name.clone(), shards.to_string(), units::bytes(*bytes)]);
        }
        table.lines().iter().for_each(|line| output.line(line));
        if let Some(more) = self.owners.len().checked_sub(most).filter(|more| *more > 0) {
            output.line(format!("and {}; --all lists them", units::count(more, "other owner")));
        }
    }
}
