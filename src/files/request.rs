//! What a read is asked for: tensors, layouts, and the memory of local shards.

use super::coverage::{WantedTensor, plan_for};
use super::stored::{FileSet, StoredTensor};
use crate::memory::{Shared, TryVec, text, try_collect, try_with_capacity};
use crate::model::{Error, ModelError, Result, ShardedTensorMetadata};
use crate::plan::ReshardPlan;
use crate::transfer::{LocalShards, Side, check_aliases};

/// Pairs of tensors between whose ends the memory of both is: each is compared.
const MAX_PAIRS: usize = 1 << 20;

/// One tensor to be read, and where its elements go.
#[derive(Debug)]
pub struct ReadItem<'a> {
    /// Its name in the files.
    pub name: &'a str,
    /// The layout that it is read into.
    pub layout: &'a ShardedTensorMetadata,
    /// Some shards of that layout.
    pub shards: Shared<LocalShards>,
}

impl ReadItem<'_> {
    /// The tensor, and the plan from its chunks to the shards. Refuses shards of another element type, and
    /// those that share memory.
    pub(super) fn plan<'s>(&self, set: &'s FileSet) -> Result<(&'s StoredTensor, ReshardPlan)> {
        let tensor = set.tensor(self.name)?;
        self.shards.check_layout(self.layout.shared_shards())?;
        if let (Some(got), false) = (self.shards.dtype(), self.shards.is_empty())
            && got != tensor.dtype()
        {
            let (expected, shard) = (tensor.dtype(), None);
            let what = text!("tensor {:?}: the shards", tensor.name());
            return Err(ModelError::DtypeMismatch { what, shard, got, expected }.into());
        }
        check_aliases(Side::Shards(&self.shards), Side::maybe_full(&None))?;
        let indices = try_collect(self.shards.indices())?;
        let wanted = WantedTensor { name: self.name, layout: self.layout, indices: &indices };
        let plan = plan_for(set, tensor, &wanted)?;
        Ok((tensor, plan))
    }
}

/// Refuses tensors that share memory with each other.
pub(super) fn check_apart(items: &[ReadItem<'_>], argument: &'static str) -> Result<()> {
    let mut reaches = try_with_capacity(items.len())?;
    for (number, item) in items.iter().enumerate() {
        if let Some((low, high)) = item.shards.reach() {
            reaches.push((low, high, number));
        }
    }
    reaches.sort_unstable();
    // Those that end behind the start of the next one.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut pairs = 0usize;
    for (low, high, number) in reaches {
        open.retain(|&(end, _)| end > low);
        for &(_, other) in &open {
            let (Some(one), Some(other)) = (items.get(number), items.get(other)) else { continue };
            pairs = pairs.saturating_add(1);
            check_pair(one, other, pairs).map_err(|error| error.at(argument, number))?;
        }
        open.try_push((high, number))?;
    }
    Ok(())
}

fn check_pair(one: &ReadItem<'_>, other: &ReadItem<'_>, pairs: usize) -> Result<()> {
    let undecided = |why: &str| {
        let what = text!(
            "the memory for {:?} begins between the ends of that for {:?}, and {why}; read them in two \
             calls",
            one.name,
            other.name
        );
        Err(Error::Unsupported { what })
    };
    if one.shards.dtype() != other.shards.dtype() {
        return undecided("the element types differ");
    }
    if pairs > MAX_PAIRS {
        return undecided("there are too many such pairs");
    }
    check_aliases(Side::Shards(&one.shards), Side::Shards(&other.shards))
}
