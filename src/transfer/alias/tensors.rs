//! Tensors of a batch that share memory with each other.

#![allow(clippy::result_large_err, reason = "an error and a position, returned once for a batch")]

use super::{Side, check_aliases, shared_memory_of_tensors, undecided};
use crate::memory::{Memory, Shared, TryVec};
use crate::model::{Error, Result};
use crate::transfer::local_shards::LocalShards;
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

/// Destination and source shards of a tensor.
type Sides = (Shared<LocalShards>, Shared<LocalShards>);

/// Refuses destinations that share memory with each other, with themselves, or with a source, of the
/// same tensor or of another one. The error has the tensor that it is about.
pub(crate) fn check_tensor_aliases(tensors: &[Sides]) -> std::result::Result<(), (usize, Error)> {
    for (index, (destination, source)) in tensors.iter().enumerate() {
        check_aliases(Side::Shards(destination), Side::Shards(source))
            .map_err(|error| (index, error))?;
    }
    let mut all = shards_of(tensors).map_err(|refused| (0, refused.into()))?;
    all.sort_unstable_by_key(|shard| shard.reach.low);
    check_neighbours(tensors, &all)
}

fn shards_of(tensors: &[Sides]) -> Memory<Vec<TensorShard>> {
    let mut all = Vec::new();
    for (tensor, (destination, source)) in tensors.iter().enumerate() {
        for (shards, is_destination) in [(destination, true), (source, false)] {
            for number in 0..shards.len() {
                if let Some(reach) = shards.get(number).extent() {
                    all.try_push(TensorShard { reach, tensor, number, is_destination })?;
                }
            }
        }
    }
    Ok(all)
}

/// Compares shards of different tensors between whose ends others begin. They are sorted by where they
/// begin.
fn check_neighbours(
    tensors: &[Sides], all: &[TensorShard],
) -> std::result::Result<(), (usize, Error)> {
    let mut pairs = PAIRS_OF_SHARD.saturating_mul(all.len());
    for (at, one) in all.iter().enumerate() {
        let rest = all.get(at.saturating_add(1)..).unwrap_or(&[]);
        for other in rest.iter().take_while(|other| other.reach.low < one.reach.high) {
            if one.tensor == other.tensor || !(one.is_destination || other.is_destination) {
                continue;
            }
            let (first, second) = if one.is_destination { (one, other) } else { (other, one) };
            if pairs == 0 {
                return Err((first.tensor, undecided()));
            }
            pairs = pairs.saturating_sub(1);
            check_pair(tensors, first, second).map_err(|error| (first.tensor, error))?;
        }
    }
    Ok(())
}

/// Refuses a destination that shares memory with a shard of another tensor.
fn check_pair(tensors: &[Sides], to: &TensorShard, other: &TensorShard) -> Result<()> {
    let shards = |shard: &TensorShard| {
        let (destination, source) = tensors.get(shard.tensor)?;
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
