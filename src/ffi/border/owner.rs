//! Owner arguments of the C API: texts, or NULL for all owners.

use std::ffi::c_char;

use crate::ffi::border::guard::Outcome;
use crate::ffi::border::pointer::optional_text;
use crate::memory::try_collect;
use crate::model::ShardedTensorMetadata;
use crate::transfer;

/// The shards of an owner argument; NULL: all.
pub(crate) unsafe fn owned(
    metadata: &ShardedTensorMetadata, owner: *const c_char,
) -> Outcome<Vec<usize>> {
    Ok(match optional_text("owner", owner)? {
        Some(owner) => try_collect(metadata.shards_of_owner(owner)?)?,
        None => try_collect(0..metadata.shards().len())?,
    })
}

/// Refuses local shards that are not exactly those of an owner argument; NULL allows any.
pub(crate) unsafe fn check_owner(
    metadata: &ShardedTensorMetadata, owner: *const c_char, indices: &[usize],
) -> Outcome {
    if let Some(owner) = optional_text("owner", owner)? {
        transfer::check_owner(metadata, owner, indices)?;
    }
    Ok(())
}
