//! Tensors of a batch that share memory with each other.

#![allow(clippy::result_large_err, reason = "an error and a position, returned once for a batch")]

use super::cost::SearchCost;
use super::form::{Forms, Keep, Raw};
use super::scan::Found;
use super::{Side, check_aliases, compare, shared_memory_of_tensors, undecided};
use crate::memory::{Memory, TryVec, try_with_capacity};
use crate::model::{Error, Result};
use crate::transfer::local_shards::{LocalShards, TensorShards};
use crate::transfer::view_ref::Reach;

#[cfg(test)]
mod tests;

/// A shard of one of the tensors.
#[derive(Clone, Copy)]
struct TensorShard {
    reach: Reach,
    tensor: usize,
    number: usize,
    is_destination: bool,
}

/// Refuses destinations that share memory with each other, with themselves, or with a source, of the
/// same tensor or of another one. The error has the tensor that it is about.
pub(crate) fn check_tensor_aliases(
    tensors: &[TensorShards],
) -> std::result::Result<(), (usize, Error)> {
    let places = Places::new(tensors).map_err(|refused| (0, refused.into()))?;
    for &tensor in &places.doubtful {
        let TensorShards { destination, source } = &tensors[tensor];
        check_aliases(Side::Shards(destination), Side::Shards(source))
            .map_err(|error| (tensor, error))?;
    }
    check_tangled(tensors, &places)
}

/// Where the shards of all tensors are.
struct Places {
    /// By where they begin.
    shards: Vec<TensorShard>,
    /// The tensors whose own shards must be compared, ascending: mostly none. All other tensors have
    /// destinations in row-major order, between whose ends nothing else begins.
    doubtful: Vec<usize>,
}

impl Places {
    fn new(tensors: &[TensorShards]) -> Memory<Self> {
        let counts = tensors.iter().map(|it| it.destination.len().saturating_add(it.source.len()));
        let mut shards = try_with_capacity(counts.fold(0, usize::saturating_add))?;
        let mut doubtful = Vec::new();
        for (tensor, TensorShards { destination, source }) in tensors.iter().enumerate() {
            let mut is_in_order = true;
            // In the order in which programs mostly allocate them, which is soon sorted.
            for (side, is_destination) in [(source, false), (destination, true)] {
                for number in 0..side.len() {
                    let Some((reach, is_row_major)) = side.get(number).extent_and_order() else {
                        continue;
                    };
                    is_in_order &= is_row_major || !is_destination;
                    shards.try_push(TensorShard { reach, tensor, number, is_destination })?;
                }
            }
            if !is_in_order {
                doubtful.try_push(tensor)?;
            }
        }
        shards.sort_unstable_by_key(|shard| shard.reach.low);
        let mut places = Self { shards, doubtful };
        places.find_tangled()?;
        Ok(places)
    }

    /// Adds the tensors of tangled shards to the doubtful ones.
    fn find_tangled(&mut self) -> Memory<()> {
        for tangled in tangled(&self.shards).filter(|tangled| tangled.len() > 1) {
            self.doubtful.try_extend(tangled.iter().map(|shard| shard.tensor))?;
        }
        self.doubtful.sort_unstable();
        self.doubtful.dedup();
        Ok(())
    }
}

/// Shards in groups, of which none begins before another one ends. They are sorted by where they begin.
fn tangled(mut shards: &[TensorShard]) -> impl Iterator<Item = &[TensorShard]> {
    std::iter::from_fn(move || {
        let mut end = shards.first()?.reach.high;
        let begins_behind = |shard: &TensorShard| {
            let is_behind = shard.reach.low >= end;
            end = end.max(shard.reach.high);
            is_behind
        };
        let rest = shards.get(1..).unwrap_or(&[]).iter().position(begins_behind);
        let count = rest.map_or(shards.len(), |rest| rest.saturating_add(1));
        let (group, behind) = shards.split_at_checked(count)?;
        shards = behind;
        Some(group)
    })
}

/// Compares shards of different tensors between whose ends others begin.
fn check_tangled(
    tensors: &[TensorShards], places: &Places,
) -> std::result::Result<(), (usize, Error)> {
    for group in tangled(&places.shards) {
        let tensor = group[0].tensor;
        if group.iter().any(|shard| shard.tensor != tensor) {
            let found = find_shared(tensors, group).map_err(|error| (tensor, error))?;
            if let Some((one, other)) = found {
                let (first, second) = (shards_of(tensors, &one), shards_of(tensors, &other));
                let (first, second) = (first.index(one.number), second.index(other.number));
                return Err((one.tensor, shared_memory_of_tensors(first, other.tensor, second)));
            }
        }
    }
    Ok(())
}

/// The shards of one side of a tensor.
fn shards_of<'a>(tensors: &'a [TensorShards], shard: &TensorShard) -> &'a LocalShards {
    let TensorShards { destination, source } = &tensors[shard.tensor];
    if shard.is_destination { destination } else { source }
}

/// Two shards of a group that share memory, a destination first. Those of one tensor share none:
/// they were compared before.
fn find_shared(
    tensors: &[TensorShards], group: &[TensorShard],
) -> Result<Option<(TensorShard, TensorShard)>> {
    let mut order: Vec<TensorShard> = try_with_capacity(group.len())?;
    order.extend(group.iter().filter(|shard| shard.is_destination));
    let destinations = order.len();
    order.extend(group.iter().filter(|shard| !shard.is_destination));
    let view = |shard: &TensorShard| shards_of(tensors, shard).get(shard.number);
    // Where some elements are packed, all are counted in bits.
    let is_in_bits = group.iter().any(|shard| view(shard).is_packed());
    let mut forms = Forms::with_capacity(order.len())?;
    for shard in &order {
        let view = view(shard);
        let parts = if is_in_bits && !view.is_packed() { 8 } else { 1 };
        forms.push(Raw::of(view).in_parts(parts), Keep::Once)?;
    }
    match compare(&forms, destinations, &mut SearchCost::default())? {
        Found::Nothing => Ok(None),
        Found::Shared(a, b) => Ok(Some((order[a.min(b)], order[a.max(b)]))),
        Found::TooMuch => Err(undecided()),
    }
}
