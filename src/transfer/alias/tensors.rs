//! Tensors of a batch that share memory with each other.

#![allow(clippy::result_large_err, reason = "an error and a position, returned once for a batch")]

use super::{Side, check_aliases, shared_memory_of_tensors, undecided};
use crate::memory::{Memory, TryVec, try_with_capacity};
use crate::model::{Error, Result};
use crate::transfer::local_shards::TensorShards;
use crate::transfer::view_ref::Reach;

/// Pairs of shards that are compared for each shard.
const PAIRS_OF_SHARD: usize = 64;

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
        let Some(TensorShards { destination, source }) = tensors.get(tensor) else {
            continue;
        };
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
        let known = self.doubtful.len();
        for tangled in tangled(&self.shards).filter(|tangled| tangled.len() > 1) {
            self.doubtful.try_extend(tangled.iter().map(|shard| shard.tensor))?;
        }
        if self.doubtful.len() > known {
            self.doubtful.sort_unstable();
            self.doubtful.dedup();
        }
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
    let mut pairs = PAIRS_OF_SHARD.saturating_mul(places.shards.len());
    for group in tangled(&places.shards) {
        let is_other =
            |shard: &TensorShard| group.first().is_some_and(|it| it.tensor != shard.tensor);
        if group.iter().any(is_other) {
            check_neighbours(tensors, group, &mut pairs)?;
        }
    }
    Ok(())
}

/// The same of one group.
fn check_neighbours(
    tensors: &[TensorShards], group: &[TensorShard], pairs: &mut usize,
) -> std::result::Result<(), (usize, Error)> {
    for (at, one) in group.iter().enumerate() {
        let rest = group.get(at.saturating_add(1)..).unwrap_or(&[]);
        for other in rest.iter().take_while(|other| other.reach.low < one.reach.high) {
            if one.tensor == other.tensor || !(one.is_destination || other.is_destination) {
                continue;
            }
            let (first, second) = if one.is_destination { (one, other) } else { (other, one) };
            if *pairs == 0 {
                return Err((first.tensor, undecided()));
            }
            *pairs = pairs.saturating_sub(1);
            check_pair(tensors, first, second).map_err(|error| (first.tensor, error))?;
        }
    }
    Ok(())
}

/// Refuses a destination that shares memory with a shard of another tensor.
fn check_pair(tensors: &[TensorShards], to: &TensorShard, other: &TensorShard) -> Result<()> {
    let shards = |shard: &TensorShard| {
        let TensorShards { destination, source } = tensors.get(shard.tensor)?;
        Some(if shard.is_destination { destination } else { source })
    };
    let (Some(own), Some(its)) = (shards(to), shards(other)) else {
        return Ok(());
    };
    let (a, b) = (own.view(to.number), its.view(other.number));
    let shares = match a.dtype().is_packed() == b.dtype().is_packed() {
        true => {
            let one = std::slice::from_ref;
            match check_aliases(Side::Tensor("", one(&a)), Side::Tensor("", one(&b))) {
                Ok(()) => false,
                Err(Error::Transfer(_)) => true,
                Err(error) => return Err(error),
            }
        }
        // Bits against bytes: the ends decide.
        false => true,
    };
    if !shares {
        return Ok(());
    }
    Err(shared_memory_of_tensors(own.index(to.number), other.tensor, its.index(other.number)))
}
