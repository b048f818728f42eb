//! Writing checkpoints: each rank its own shards, and all of it appears at once.
//!
//! `arrange` gives every shard its place in a file, from the layouts alone, so that ranks need not ask
//! each other. `staging` keeps what is written aside until all of it is there. `shards` writes the
//! bytes of local shards to their places, by way of `gather` where they are many small runs. `convert` writes what
//! another set of files holds, and `conversion_mark` notes how much of it is written.

mod arrange;
mod conversion_mark;
mod convert;
mod gather;
mod header;
mod output;
mod owners;
mod pattern;
mod shards;
mod staging;

use arrange::Arrangement;
pub use arrange::{Files, TensorToWrite};
pub use convert::{Conversion, ConvertOptions, Earlier, Resume, convert, whole_layout};
pub use pattern::name_matches;
use staging::SaveDirectory;

use crate::memory::{TryVec, text};
use crate::model::{Error, Result};
use crate::transfer::LocalShards;
use shards::{ShardWriter, sources_of};

/// How a checkpoint is written. All ranks pass the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteOptions {
    /// How tensors are divided among files.
    pub files: Files,
    /// Whether a checkpoint that is there already is replaced.
    pub replace: bool,
}

/// Writes the shards that are here, `shards[i]` those of `tensors[i]`, into files beside `path`. Nothing
/// is at `path` before [`commit`]. Each owner of one of these shards has all its shards here.
///
/// # Safety
///
/// Every element of the shards may be read, and nothing writes any of them meanwhile.
pub unsafe fn write(
    path: &str, tensors: &[TensorToWrite<'_>], shards: &[LocalShards], options: &WriteOptions,
) -> Result<()> {
    let arrangement = Arrangement::new(tensors, options.files)?;
    let staging = SaveDirectory::new(path, &arrangement, options.replace)?;
    let owners = owners_here(&arrangement, tensors, shards)?;
    for &owner in &owners {
        staging.begin(owner)?;
    }
    let sources = sources_of(&arrangement, &owners)?;
    for sources in sources.chunk_by(|a, b| a.0 == b.0) {
        let number = sources.first().map_or(0, |source| source.0);
        let Some(file) = arrangement.files.get(number as usize) else { continue };
        // SAFETY: the contract of this `write` is that of `ShardWriter::write`, for all `shards`.
        let written =
            unsafe { ShardWriter::new(&arrangement, shards).write(&staging, file, sources) };
        if let Err(error) = written {
            // The refusal says more than another one about what could not be removed.
            if options.files == Files::OfOwners {
                let _ = staging.discard(file);
            }
            return Err(error);
        }
    }
    owners.iter().try_for_each(|&owner| staging.finish(owner))
}

/// Puts a checkpoint at `path`, in one step, of which all owners have written their shards with the same
/// tensors and options. What was there is replaced, or nothing changes.
pub fn commit(path: &str, tensors: &[TensorToWrite<'_>], options: &WriteOptions) -> Result<()> {
    let arrangement = Arrangement::new(tensors, options.files)?;
    let staging = SaveDirectory::new(path, &arrangement, options.replace)?;
    let index = arrangement.index(tensors)?;
    staging.commit(&arrangement, index.as_deref())
}

/// The owners whose shards are here. Refused are owners of which some are not.
fn owners_here(
    arrangement: &Arrangement, tensors: &[TensorToWrite<'_>], shards: &[LocalShards],
) -> Result<Vec<u32>> {
    let mut here = Vec::new();
    for (arranged, local) in arrangement.tensors.iter().zip(shards) {
        let own =
            arranged.shards.iter().filter(|(shard, _)| local.number_of(*shard as usize).is_some());
        here.try_extend(own.map(|(_, owner)| *owner))?;
    }
    here.sort_unstable();
    here.dedup();
    for (at, (arranged, local)) in arrangement.tensors.iter().zip(shards).enumerate() {
        let is_here = |owner: &u32| here.binary_search(owner).is_ok();
        let mut missing = arranged
            .shards
            .iter()
            .filter(|(shard, owner)| is_here(owner) && local.number_of(*shard as usize).is_none());
        if let Some(&(shard, owner)) = missing.next() {
            let owner = arrangement.owners.get(owner as usize);
            let problem = text!(
                "shard {shard} of tensor {:?} is missing, and other shards of '{}' are here; pass all \
                 shards of an owner together",
                tensors.get(at).map_or("", |tensor| tensor.name),
                owner.map_or("", |owner| owner.as_str())
            );
            return Err(Error::invalid("shards", problem).at("tensors", at));
        }
        local.check_dtype(arranged.dtype).map_err(|error| error.at("tensors", at))?;
    }
    Ok(here)
}
