//! Reading on several ranks together. In the header it is part of the section of checkpoints.

use crate::collective_io::{self, CollectiveReadOptions};
use crate::comm::{self, Communicator};
use crate::ffi::border::collective::{comm_options_argument, or_decline};
use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{fill_with, optional_out_slice, slice, text};
use crate::ffi::border::sized::sized_slice;
use crate::ffi::border::views;
use crate::ffi::checkpoint::shardspec_checkpoint;
use crate::ffi::checkpoint_read::{
    TakenItem, optional_report, report_of, shardspec_checkpoint_item,
    shardspec_checkpoint_read_report, tensor_item,
};
use crate::ffi::checkpoint_read_options::{options_argument, shardspec_checkpoint_read_options};
use crate::ffi::collective_options::shardspec_comm_options;
use crate::ffi::comm::shardspec_comm;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::files::{FileSet, ReadItem};
use crate::memory::{Shared, try_collect, try_to_vec};

/// Reads tensors of a checkpoint on all ranks of a communicator together. The result is equal to
/// the result of `shardspec_checkpoint_read` on each rank. If several shards have the same
/// elements, one rank reads the elements and sends the elements to the ranks of the other shards.
/// The shard of this one rank is the reader of the elements. For the layouts of the items,
/// `shardspec_checkpoint_choose_readers` returns the readers that this function chooses. All ranks
/// read about equally many bytes.
///
/// All ranks pass the same names and layouts in the same order. Each rank passes all of its own
/// shards. For this function, `indices` NULL in an item means all shards of this rank, in the order
/// of the shards' indices. If `metadata` and `tensor` of an item are NULL, every rank receives the
/// whole tensor. Each rank opens the checkpoint itself.
///
/// The ranks agree on the tensors before the first read. In each step, the ranks read a group of
/// tensors. A group ends with the tensor that brings the size of the group to 1 GiB or more. After
/// the reads of a group, each rank sends the elements that other ranks need. Each rank reads shards
/// into their destinations, and sends messages directly from these destinations. `options` limits
/// the memory for reads, and `comm_options` limits the memory for messages. A read also includes
/// small gaps between needed parts, so several ranks may read the bytes of a gap.
///
/// `options` and `comm_options` may be NULL, and may differ between ranks. The callback `progress`
/// of `options` receives the number of bytes that this rank has read or received. `whole` has
/// `item_count` elements, one for each item, and may be NULL. `whole[i]` becomes 1 if item i is
/// complete on this rank, else 0. `report` may be NULL. `report` counts the reads of this rank and
/// the bytes that the destinations of this rank need. After a failure during the read, the function
/// also writes `whole` and `report`.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `progress`; `exchange`, `node` and `abort` of a custom transport; `equal` and `hash`
/// of custom placements; `destroy`, if another thread frees a handle during the call.
/// Blocks: on the disk and on other ranks.
/// Errors: INVALID_PLACEMENT if a shard belongs to no rank of the communicator; INVALID_ARGUMENT if
/// the shards of an item are not exactly the shards of this rank; NOT_FOUND if a tensor does not
/// exist; GAP if some elements are in no file; OVERLAP if two chunks share only a part of their
/// elements; SHAPE_MISMATCH, NDIM_MISMATCH or DTYPE_MISMATCH if a layout or a view does not fit;
/// PARTIAL if the elements of a layout are pending a reduction; ALIASED if destinations share
/// memory; DISAGREEMENT if another rank returns an error, or if names, layouts or element types
/// differ between ranks (the message has both values); UNSUPPORTED, UNSUPPORTED_DEVICE,
/// INDEX_OUT_OF_RANGE, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. After one of these
/// errors, nothing was written on any rank. During the read: FILE_FAILED or INVALID_FILE if this
/// rank can't read a file (the message names file, byte and reason); OUT_OF_MEMORY; the status of
/// `progress` if `progress` cancels the read. If a rank fails during the read, all other ranks
/// return DISAGREEMENT with the rank, its status and its message. If `progress` cancels the read on
/// a rank after all bytes of this rank have arrived, only this rank fails, with the status of
/// `progress`. TRANSPORT_FAILED, or the status of a custom transport, if the transport fails.
/// Threads: any, but only one thread at a time may use the communicator. During the call, no other
/// thread may use the destinations.
/// Source: MPI_File_read_all.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_checkpoint_read_collective(
    checkpoint: *const shardspec_checkpoint, comm: *const shardspec_comm,
    items: *const shardspec_checkpoint_item, item_count: usize,
    options: *const shardspec_checkpoint_read_options, comm_options: *const shardspec_comm_options,
    whole: *mut i32, report: *mut shardspec_checkpoint_read_report, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let comm = handle::get("comm", comm)?;
        let comm: &dyn Communicator = &*comm;
        let whole = or_decline(comm, optional_out_slice("whole", whole, item_count))?;
        let report = or_decline(comm, optional_report(report))?;
        let checkpoint = or_decline(comm, handle::get("checkpoint", checkpoint))?;
        let (read, mut progress) = or_decline(comm, options_argument(options))?;
        let moves = or_decline(comm, comm_options_argument(comm_options))?;
        let taken = or_decline(comm, items_argument(comm, &checkpoint, items, item_count))?;
        let items = taken.iter().map(|item| ReadItem {
            name: item.name,
            layout: &item.layout,
            shards: item.shards.clone(),
        });
        let items = or_decline(comm, try_collect(items).map_err(Into::into))?;
        let options =
            CollectiveReadOptions { read, comm: moves, ..CollectiveReadOptions::default() };
        let mut tell = |done, all| progress.tell(done, all);
        let (done, result) = collective_io::read(comm, &checkpoint, &items, &options, &mut tell);
        // Else it did not begin.
        if done.whole.len() == item_count {
            fill_with(whole, done.whole.iter().map(|&is_whole| i32::from(is_whole)));
            report.into_iter().for_each(|report| report.set(report_of(&done)));
        }
        result
    })
}

unsafe fn items_argument<'a>(
    comm: &dyn Communicator, checkpoint: &FileSet, items: *const shardspec_checkpoint_item,
    count: usize,
) -> Outcome<Vec<TakenItem<'a>>> {
    let items = sized_slice("items", items, count)?;
    items.convert(|item| own_item(comm, checkpoint, item))
}

/// An item with the shards of the rank that calls.
unsafe fn own_item<'a>(
    comm: &dyn Communicator, checkpoint: &FileSet, item: shardspec_checkpoint_item,
) -> Outcome<TakenItem<'a>> {
    let name = text("name", item.name)?;
    if let Some(taken) = tensor_item(name, &item)? {
        return Ok(taken);
    }
    let layout = if item.metadata.is_null() {
        collective_io::on_every_rank(comm, checkpoint.tensor(name)?)?
    } else {
        (*handle::get("metadata", item.metadata)?).clone()
    };
    let count = ("shard_count", item.shard_count);
    let indices = if item.indices.is_null() {
        comm::own_shards(comm, layout.shared_shards(), count)?
    } else {
        try_to_vec(slice("indices", item.indices, item.shard_count)?)?
    };
    let shards = slice("shards", item.shards, item.shard_count)?;
    let shards = Shared::try_new(views::some_shards(&layout, &indices, shards)?)?;
    Ok(TakenItem { name, layout, shards, _tensor: None })
}
