//! Moving host memory between a tensor and its shards.
//!
//! First everything is checked and laid out as a plan of strided copies, then it is carried out:
//! a refusal leaves every destination as it was.

mod alias;
mod array;
mod bands;
mod blocks;
mod copies;
mod cut;
pub mod error;
mod held;
mod keeper;
mod lay_out;
mod reshard;
mod tensor;
mod view;

pub use crate::host::options::{CopyOptions, Instructions, Stores};
pub use crate::memory::Buffer;
pub use array::Element;
pub use blocks::Blocks;
pub use cut::{Cut, Extraction};
pub use error::TransferError;
pub use held::{HeldShards, Passed};
pub use keeper::Keeper;
pub use reshard::{LocalShards, reshard};
pub use tensor::{Fill, ShardedTensor, check_owner, indices_of};
pub use view::HostView;

use crate::model::metadata::ShardedTensorMetadata;
use crate::model::shards::Shard;

type Result<T, E = Error> = std::result::Result<T, E>;
use crate::model::{DataType, Error};

pub(crate) use crate::host::copy_list::{CopyList, FullSide};

use crate::memory::text;
use alias::{AliasCheck, Party};
use copies::Copies;

/// The part of `full` that shard `index` owns, without copying. Refused where that starts inside of a
/// byte.
pub fn view_shard(
    metadata: &ShardedTensorMetadata, index: usize, full: &HostView,
) -> Result<HostView> {
    check_full(metadata, full)?;
    let part = full.part(metadata.shards().at("index", index)?);
    if part.bit() != 0 {
        let what = text!(
            "shard {index}: its elements are packed, and it starts with bit {} of a byte, which a \
             view can't say; extract it, or cut at a multiple of 8 bits",
            part.bit()
        );
        return Err(Error::Unsupported { what });
    }
    Ok(part)
}

/// Copies shard `index` out of the full tensor.
///
/// # Safety
///
/// Every element of `full` may be read and every element of `shard` written, and nobody else uses
/// either meanwhile.
pub unsafe fn extract(
    metadata: &ShardedTensorMetadata, index: usize, full: &HostView, shard: &HostView,
    options: &CopyOptions,
) -> Result<()> {
    let extraction = Extraction::new(metadata, index, full, shard, options)?;
    // SAFETY: the caller's promise is passed on.
    unsafe { extraction.run() };
    Ok(())
}

/// Copies all shards out of the full tensor; `shard(i, view)` makes `view` that of where shard `i`
/// goes, or says why not.
///
/// # Safety
///
/// Every element of `full` may be read and every element of each shard written, and nobody else uses
/// any of them meanwhile. `shard` answers alike each time it is asked.
pub unsafe fn scatter<E: From<Error>>(
    metadata: &ShardedTensorMetadata, full: &HostView,
    shard: impl Fn(usize, &mut HostView) -> Result<(), E>, options: &CopyOptions,
) -> Result<(), E> {
    check_full(metadata, full)?;
    let mut plan = CopyList::new(FullSide::Source);
    let mut aliases = AliasCheck::new();
    let mut view = HostView::EMPTY;
    for (index, owned) in metadata.shards().iter().enumerate() {
        shard(index, &mut view)?;
        let check = check_shard(owned, index, full.dtype(), &view);
        check.map_err(|error| error.at("shards", index))?;
        aliases.add_destination(Party::Shard(index), &view)?;
        plan.push_shard(full, owned, &view).map_err(Error::from)?;
    }
    aliases.add_source(Party::Full, full)?;
    let view = |index| HostView::made(|view| shard(index, view));
    aliases.finish(&|_, party| match party {
        Party::Full => Ok(*full),
        Party::Shard(index) => view(index),
    })?;
    let (mut all, view) = (0..metadata.shards().len(), |index| view(index).ok());
    let copies = Copies::new(plan, metadata, full, &mut all, &view, options);
    // SAFETY: it reads `full` and writes the shards only, none of which overlap.
    unsafe { copies.run(options) };
    Ok(())
}

/// Copies all shards into the full tensor; `shard(i, view)` makes `view` that of shard `i`, or says why
/// not.
///
/// # Safety
///
/// Every element of each shard may be read and every element of `full` written, and nobody else uses
/// any of them meanwhile. `shard` answers alike each time it is asked.
pub unsafe fn gather<E: From<Error>>(
    metadata: &ShardedTensorMetadata, shard: impl Fn(usize, &mut HostView) -> Result<(), E>,
    full: &HostView, options: &CopyOptions,
) -> Result<(), E> {
    check_full(metadata, full)?;
    let mut plan = CopyList::new(FullSide::Destination);
    let mut aliases = AliasCheck::new();
    aliases.add_destination(Party::Full, full)?;
    let mut view = HostView::EMPTY;
    for (index, owned) in metadata.shards().iter().enumerate() {
        shard(index, &mut view)?;
        let check = check_shard(owned, index, full.dtype(), &view);
        check.map_err(|error| error.at("shards", index))?;
        aliases.add_source(Party::Shard(index), &view)?;
        plan.push_shard(full, owned, &view).map_err(Error::from)?;
    }
    let view = |index| HostView::made(|view| shard(index, view));
    aliases.finish(&|_, party| match party {
        Party::Full => Ok(*full),
        Party::Shard(index) => view(index),
    })?;
    let (mut all, view) = (0..metadata.shards().len(), |index| view(index).ok());
    let copies = Copies::new(plan, metadata, full, &mut all, &view, options);
    // SAFETY: it reads the shards and writes `full` only, which do not overlap.
    unsafe { copies.run(options) };
    Ok(())
}

/// Refuses a full tensor that is not the one the metadata is about.
pub(crate) fn check_full(metadata: &ShardedTensorMetadata, full: &HostView) -> Result<()> {
    full.check_shape("full", None, metadata.sizes())?;
    match metadata.properties().dtype {
        Some(expected) => full.check_dtype("full", None, expected),
        None => Ok(()),
    }
}

/// Refuses a buffer that cannot hold shard `index`.
fn check_shard(shard: Shard<'_>, index: usize, dtype: DataType, view: &HostView) -> Result<()> {
    view.check_shape("shard", Some(index), shard.sizes)?;
    view.check_dtype("shard", Some(index), dtype)
}

/// Refuses a number of shards other than the metadata's.
pub fn check_shard_count(metadata: &ShardedTensorMetadata, got: usize) -> Result<()> {
    let expected = metadata.shards().len();
    if got != expected {
        let problem = text!("{got} views for {expected} shards; pass one for each shard");
        return Err(Error::invalid("shard_count", problem));
    }
    Ok(())
}
