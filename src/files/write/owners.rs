//! Those who write a checkpoint.

use crate::interchange::json::try_format;
use crate::memory::{Text, TryVec, try_collect, try_string, try_with_capacity};
use crate::model::{Error, Result, Shards};
use crate::sync::seed::Map;

/// Those who own shards, by number.
#[derive(Default)]
pub(super) struct WritingOwners {
    pub(super) names: Vec<Text>,
    numbers: Map<Text, u32>,
    /// Bytes that each writes.
    pub(super) loads: Vec<u64>,
}

impl WritingOwners {
    /// The numbers of the owners of shards.
    pub(super) fn of(&mut self, shards: &Shards) -> Result<Vec<u32>> {
        let placements = shards.placements();
        let mut table = try_with_capacity(placements.distinct().len())?;
        for placement in placements.distinct() {
            // Devices make no difference: a rank writes for all of its own.
            let name = match placement.rank() {
                Some(rank) => try_format(format_args!("rank:{rank}")),
                None => try_format(format_args!("{placement}")),
            };
            let name = Text::from(name?);
            table.push(self.number(name)?);
        }
        let owner = |placement: &u32| table.get(*placement as usize).copied().unwrap_or(0);
        Ok(try_collect(placements.indices().iter().map(owner))?)
    }

    fn number(&mut self, name: Text) -> Result<u32> {
        if let Some(&number) = self.numbers.get(&name) {
            return Ok(number);
        }
        let number = u32::try_from(self.names.len());
        let number = number.map_err(|_| Error::overflow("the number of owners of shards"))?;
        self.numbers.try_reserve(1)?;
        self.names.try_push(Text::from(try_string(&name)?))?;
        self.loads.try_push(0)?;
        self.numbers.insert(name, number);
        Ok(number)
    }
}
