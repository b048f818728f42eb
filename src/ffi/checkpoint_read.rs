//! Reading tensors of a checkpoint. In the header it is part of the section of checkpoints.

use std::ffi::c_char;

use crate::ffi::border::guard::{Outcome, Refusal, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{fill_with, optional_out_slice, out, out_slice, slice, text};
use crate::ffi::border::report::Report;
use crate::ffi::border::sized::{Grows, SizedOut, sized_out, sized_slice};
use crate::ffi::border::slot_map::Protected;
use crate::ffi::border::views;
use crate::ffi::checkpoint::shardspec_checkpoint;
use crate::ffi::checkpoint_read_options::{options_argument, shardspec_checkpoint_read_options};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::sharded_tensor::shardspec_sharded_tensor;
use crate::ffi::view::shardspec_tensor_view;
use crate::files::{
    CheckpointRead, CoverageProblems, FileSet, ReadItem, ReadReport, WantedTensor, check, check_set,
};
use crate::memory::{Shared, try_collect, try_with_capacity};
use crate::model::{Error, ShardedTensorMetadata, Shards, TensorProperties};
use crate::transfer::{LocalShards, ShardedTensor, check_indices};

/// A tensor of a checkpoint, and the memory that receives its elements. Either the local shards of
/// `tensor` or the views in `shards` receive the elements. `shards` holds views of some shards of
/// `metadata`. If `tensor` and `metadata` are NULL, the whole tensor is shard 0. Set unused fields
/// to zero.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_checkpoint_item {
    /// `sizeof(shardspec_checkpoint_item)`. In an array, all structs have the same `struct_size`.
    pub struct_size: u64,
    /// The tensor's name in the checkpoint.
    pub name: *const c_char,
    /// A sharded tensor, or NULL. The read fills all local shards of this sharded tensor. If
    /// `tensor` is set, `metadata`, `indices`, `shards` and `shard_count` must be 0 or NULL.
    pub tensor: *const shardspec_sharded_tensor,
    /// The layout that the tensor gets in memory. NULL means a layout with one shard: the whole
    /// tensor.
    pub metadata: *const shardspec_metadata,
    /// The indices of the shards. NULL means shards 0 to `shard_count - 1`. In
    /// `shardspec_checkpoint_read_collective`, NULL means all shards of the calling rank.
    pub indices: *const usize,
    /// Views of the memory for the shards, with any strides. `shardspec_checkpoint_check` ignores
    /// this field.
    pub shards: *const shardspec_tensor_view,
    /// Number of shards.
    pub shard_count: usize,
}

// SAFETY: `shardspec_checkpoint_item` is `repr(C)` and begins with its `struct_size`. All other
// fields are numbers, and pointers that may be NULL, so zeros are a value of it.
unsafe impl Grows for shardspec_checkpoint_item {
    const NAME: &'static str = "shardspec_checkpoint_item";
    const FIRST_SIZE: usize = 56;
}

/// Numbers of reads and bytes that a reading function reports.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_checkpoint_read_report {
    /// The caller sets this field to `sizeof(shardspec_checkpoint_read_report)`.
    pub struct_size: u64,
    /// Number of reads from files.
    pub read_count: u64,
    /// Number of bytes that were read from files.
    pub bytes_read: u64,
    /// Number of bytes that the destinations need. A byte that two destinations need counts twice.
    pub bytes_needed: u64,
}

// SAFETY: `shardspec_checkpoint_read_report` is `repr(C)` and begins with its `struct_size`. All
// other fields are numbers, so zeros are a value of it.
unsafe impl Grows for shardspec_checkpoint_read_report {
    const NAME: &'static str = "shardspec_checkpoint_read_report";
    const FIRST_SIZE: usize = 32;
}

/// `shardspec_checkpoint_check` stops after this number of problems. If its argument `capacity` is
/// larger, the function stops after `capacity` problems.
pub const SHARDSPEC_CHECKPOINT_MAX_PROBLEMS: usize = 1024;

/// Finds all reasons why `item_count` items can't be read. Possible reasons are missing tensors and
/// files, missing elements, and two chunks that share only a part of their elements. Another
/// possible reason is a layout with other sizes or another element type than the stored tensor.
/// With `item_count` 0, the function checks the whole checkpoint. The function reads no element,
/// and ignores `shards` of the items.
///
/// `*problem_count` becomes the number of problems. The function stops counting at
/// `SHARDSPEC_CHECKPOINT_MAX_PROBLEMS`, or at `capacity` if `capacity` is larger. `problems` has
/// `capacity` elements, one for each problem. `problems` receives the first problems, in the order
/// of the items. Each problem has a status and a message. If `item_count` is not 0, `index` of each
/// problem is the position of the item in `items`. The caller sets each `struct_size` to
/// `sizeof(shardspec_error)`. With `capacity` 0, `problems` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: UNSUPPORTED if chunks overlap in too many ways; INVALID_ARGUMENT, INDEX_OUT_OF_RANGE,
/// OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. A problem of the checkpoint is a result
/// and not an error. The function returns OK with such a result.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_checkpoint_check(
    checkpoint: *const shardspec_checkpoint, items: *const shardspec_checkpoint_item,
    item_count: usize, problems: *mut shardspec_error, capacity: usize, problem_count: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = out("problem_count", problem_count)?;
        let room = problem_places(problems, capacity)?;
        let checkpoint = handle::get("checkpoint", checkpoint)?;
        let items = sized_slice("items", items, item_count)?;
        let items = items.convert(|item| wanted_item(&checkpoint, item))?;
        let wanted = items.iter().map(|item| WantedTensor {
            name: item.name,
            layout: &item.layout,
            indices: &item.indices,
        });
        let wanted = try_collect(wanted)?;
        let limit = capacity.max(SHARDSPEC_CHECKPOINT_MAX_PROBLEMS);
        let CoverageProblems { problems, .. } = match &*wanted {
            [] => check_set(&checkpoint, limit)?,
            wanted => check(&checkpoint, wanted, limit)?,
        };
        place.set(problems.len());
        for (place, problem) in room.iter().zip(problems) {
            let error = match problem.wanted {
                Some(item) => problem.error.at("items", item),
                None => problem.error,
            };
            place.refusal(&error.into());
        }
        Ok(())
    })
}

/// Reads tensors of a checkpoint into the memory of shards in this process. The function writes all
/// elements of the shards, and writes zeros into holes. By default, at most 4 threads read the
/// bytes, in the order of the bytes in the file. If needed bytes are near each other, one read gets
/// these bytes. If the bytes of a read are also contiguous in a shard, the function reads the bytes
/// directly into the shard.
///
/// Before the first read, the function makes all checks of `shardspec_checkpoint_check` and checks
/// the views. `options`, `whole` and `report` may be NULL. `whole` has `item_count` elements, one
/// for each item. `whole[i]` becomes 1 if item i was read completely, else 0. If the read itself
/// fails, the function still writes `whole` and `report`. After a failed read, the elements of
/// incomplete items are undefined.
///
/// For packed elements, a part is a range of elements that is contiguous in the file and in the
/// shard's memory. Each part must start and end at a byte boundary, in the file and in memory.
/// There is one exception: the last part of a row-major shard may end inside of a byte if the part
/// also ends the chunk. With this exception, the function may write the unused bits
/// behind the last element of the shard.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `progress`; `equal` and `hash` of custom placements; `destroy`, if another thread
/// frees a handle during the call.
/// Blocks: on the disk.
/// Errors: NOT_FOUND if a tensor does not exist; GAP if some elements are in no file (the message
/// names tensor, box and file); OVERLAP if two chunks share only a part of their elements;
/// SHAPE_MISMATCH, NDIM_MISMATCH or DTYPE_MISMATCH if a layout or a view does not fit; PARTIAL if
/// the elements of a layout are pending a reduction; ALIASED if destinations share memory;
/// UNSUPPORTED if a part of a shard starts or ends inside of a byte and the exception above does
/// not apply; UNSUPPORTED_DEVICE, INVALID_ARGUMENT, INDEX_OUT_OF_RANGE, OVERFLOW, INVALID_HANDLE,
/// NULL_ARGUMENT, OUT_OF_MEMORY. After one of these errors, nothing was written. During the read:
/// FILE_FAILED or INVALID_FILE if a file can't be read or has changed since the checkpoint was
/// opened (the message names file, byte and reason). If `progress` cancels the read, the function
/// returns the status of `progress`.
/// Threads: any. No other thread may use the destinations during the call.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_checkpoint_read(
    checkpoint: *const shardspec_checkpoint, items: *const shardspec_checkpoint_item,
    item_count: usize, options: *const shardspec_checkpoint_read_options, whole: *mut i32,
    report: *mut shardspec_checkpoint_read_report, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let whole = optional_out_slice("whole", whole, item_count)?;
        let report = optional_report(report)?;
        let checkpoint = handle::get("checkpoint", checkpoint)?;
        let (options, mut progress) = options_argument(options)?;
        let taken = sized_slice("items", items, item_count)?;
        let taken = taken.convert(|item| read_item(&checkpoint, item))?;
        let items = try_collect(taken.iter().map(|item| ReadItem {
            name: item.name,
            layout: &item.layout,
            shards: item.shards.clone(),
        }))?;
        let read = CheckpointRead::new(&checkpoint, &items, &options)?;
        let (done, result) = read.run(&mut |done, all| progress.tell(done, all));
        // Else it did not begin.
        if done.whole.len() == item_count {
            fill_with(whole, done.whole.iter().map(|&is_whole| i32::from(is_whole)));
            report.into_iter().for_each(|report| report.set(report_of(&done)));
        }
        Ok(result?)
    })
}

/// An item of a check.
struct WantedItem<'a> {
    name: &'a str,
    layout: ShardedTensorMetadata,
    indices: Vec<usize>,
}

/// An item of a read.
pub(crate) struct TakenItem<'a> {
    pub(crate) name: &'a str,
    pub(crate) layout: ShardedTensorMetadata,
    pub(crate) shards: Shared<LocalShards>,
    /// Keeps the memory of the shards, also where another thread frees the tensor.
    pub(crate) _tensor: Option<Protected<ShardedTensor>>,
}

/// The tensor of an item, if that is where it goes.
unsafe fn tensor_of(item: &shardspec_checkpoint_item) -> Outcome<Option<Protected<ShardedTensor>>> {
    if item.tensor.is_null() {
        return Ok(None);
    }
    if !item.metadata.is_null() || !item.indices.is_null() || item.shard_count != 0 {
        let problem = "tensor and another destination are set; set tensor, or metadata and shards";
        return Err(Error::invalid("items", problem).into());
    }
    Ok(Some(handle::get("tensor", item.tensor)?))
}

/// The indices of an item's shards.
unsafe fn indices_of(item: &shardspec_checkpoint_item) -> Outcome<Vec<usize>> {
    views::indices_or_first("indices", item.indices, item.shard_count)
}

/// The layout of an item that has no sharded tensor.
unsafe fn layout_of(
    checkpoint: &FileSet, name: &str, item: &shardspec_checkpoint_item,
) -> Outcome<ShardedTensorMetadata> {
    if item.metadata.is_null() {
        return Ok(checkpoint.tensor(name)?.whole()?);
    }
    Ok((*handle::get("metadata", item.metadata)?).clone())
}

unsafe fn wanted_item<'a>(
    checkpoint: &FileSet, item: shardspec_checkpoint_item,
) -> Outcome<WantedItem<'a>> {
    let name = text("name", item.name)?;
    if let Some(tensor) = tensor_of(&item)? {
        let indices = try_collect(tensor.shards().indices())?;
        return Ok(WantedItem { name, layout: tensor.metadata().clone(), indices });
    }
    // A tensor that is not there is a problem to be listed.
    let missing = item.metadata.is_null() && checkpoint.find(name).is_none();
    let layout = if missing { nothing()? } else { layout_of(checkpoint, name, &item)? };
    let indices = if missing { Vec::new() } else { indices_of(&item)? };
    check_indices(layout.shards(), &indices)?;
    Ok(WantedItem { name, layout, indices })
}

unsafe fn read_item<'a>(
    checkpoint: &FileSet, item: shardspec_checkpoint_item,
) -> Outcome<TakenItem<'a>> {
    let name = text("name", item.name)?;
    if let Some(taken) = tensor_item(name, &item)? {
        return Ok(taken);
    }
    let layout = layout_of(checkpoint, name, &item)?;
    let indices = indices_of(&item)?;
    let shards = slice("shards", item.shards, item.shard_count)?;
    let shards = views::some_shards(&layout, &indices, shards)?;
    Ok(TakenItem { name, layout, shards: Shared::try_new(shards)?, _tensor: None })
}

/// The item, if it goes to the local shards of a tensor.
pub(crate) unsafe fn tensor_item<'a>(
    name: &'a str, item: &shardspec_checkpoint_item,
) -> Outcome<Option<TakenItem<'a>>> {
    let Some(tensor) = tensor_of(item)? else { return Ok(None) };
    let (layout, shards) = (tensor.metadata().clone(), tensor.shards().clone());
    Ok(Some(TakenItem { name, layout, shards, _tensor: Some(tensor) }))
}

/// The layout of no shards.
fn nothing() -> Result<ShardedTensorMetadata, Error> {
    ShardedTensorMetadata::new(Shards::from_list(&[])?, &[0], TensorProperties::default())
}

/// Places for problems.
unsafe fn problem_places(problems: *mut shardspec_error, capacity: usize) -> Outcome<Vec<Report>> {
    // Refuses NULL, and more than memory can have.
    out_slice("problems", problems, capacity)?;
    let mut places = try_with_capacity(capacity)?;
    for at in 0..capacity {
        let place = problems.wrapping_add(at);
        // SAFETY: `out_slice` found `problems` not null and aligned, and its contract is that `capacity`
        // elements are there, of which `place` is one. Each begins with its size, which the caller has set.
        let size = unsafe { (&raw const (*place).struct_size).read() };
        let is_whole = size == size_of::<shardspec_error>() as u64;
        match Report::open(place) {
            Ok(report) if is_whole => places.push(report),
            _ => {
                let problem =
                    "its struct_size is not sizeof(shardspec_error); set it in every element";
                let refused = Error::invalid("problems", problem).into();
                return Err(Refusal::at("problems", at)(refused));
            }
        }
    }
    Ok(places)
}

pub(crate) unsafe fn optional_report<'a>(
    report: *mut shardspec_checkpoint_read_report,
) -> Outcome<Option<SizedOut<'a, shardspec_checkpoint_read_report>>> {
    if report.is_null() {
        return Ok(None);
    }
    sized_out("report", report).map(Some)
}

pub(crate) fn report_of(done: &ReadReport) -> shardspec_checkpoint_read_report {
    let ReadReport { reads, bytes_read, bytes_needed, .. } = *done;
    let struct_size = size_of::<shardspec_checkpoint_read_report>() as u64;
    shardspec_checkpoint_read_report { struct_size, read_count: reads, bytes_read, bytes_needed }
}
