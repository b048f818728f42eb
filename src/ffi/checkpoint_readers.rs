//! The readers of replicas. In the header, this file is part of the section on checkpoints.

use crate::ffi::border::guard::{Outcome, Refusal, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{answer_by, slice};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::files;
use crate::memory::{try_collect, try_with_capacity};
use crate::model::ShardedTensorMetadata;

/// Chooses one shard of each set of shards with the same elements: the reader of the set. The owner
/// of the reader reads these elements from files. With these readers, all ranks together read each
/// element once. `metadatas` holds the layouts of `metadata_count` tensors.
///
/// `readers` receives one number for each shard of the first layout, then for each shard of the
/// second layout, and so on. The number is an index of a shard in the same layout. If the number is
/// the shard's own index, the shard's owner reads the shard from files. If the number is another
/// index, the shard receives its elements from the shard with that index. The function handles the
/// sets with the largest shards first. In each set, the function chooses the shard of the owner
/// that has the fewest bytes to read so far. If a layout states no element type, an element counts
/// as a byte. Equal layouts give equal readers in every process.
///
/// `capacity` is the number of elements of `readers`. `*needed` becomes the number of shards of all
/// layouts. `needed` may be NULL. With `capacity` 0, the function writes only `*needed`.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
/// needed); INVALID_HANDLE, NULL_ARGUMENT, INVALID_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_checkpoint_choose_readers(
    metadatas: *const *const shardspec_metadata, metadata_count: usize, readers: *mut u32,
    capacity: usize, needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let layouts = layouts_argument(metadatas, metadata_count)?;
        let chosen = files::readers(&try_collect(layouts.iter())?)?;
        let len = chosen.iter().map(Vec::len).sum();
        let flat = || chosen.iter().flatten().copied();
        answer_by("readers", readers, capacity, needed, len, |place| place.fill_with(flat()))
    })
}

unsafe fn layouts_argument(
    metadatas: *const *const shardspec_metadata, count: usize,
) -> Outcome<Vec<ShardedTensorMetadata>> {
    let handles = slice("metadatas", metadatas, count)?;
    let mut layouts = try_with_capacity(count)?;
    for (at, &handle) in handles.iter().enumerate() {
        let metadata = handle::get("metadatas", handle).map_err(Refusal::at("metadatas", at))?;
        layouts.push((*metadata).clone());
    }
    Ok(layouts)
}
