//! Transfers.
//!
//! A transfer moves a batch of tensors between the ranks of a communicator. Each tensor moves from
//! one layout to another. Two metadata objects or a plan describe the two layouts. Source shards
//! may be replicas. Each element is then read from one of the replicas. Destination shards may be
//! replicas or overlap. Each destination shard is written completely. If destination shards of one
//! rank overlap, the rank receives each element once and copies it to the other shards.
//!
//! All ranks pass the same tensors, with the same tags, in the same order. There is one agreement
//! for the whole batch. Small pieces of different tensors travel in one message. If the tensors of
//! two ranks differ, all ranks return DISAGREEMENT. The error's message has the tags and the
//! layouts of the first tensor that differs. If a rank passes an invalid tensor, the error's
//! message has the tag of that tensor, and `index` is its position.
//!
//! `shardspec_comm_transfer` moves a batch once. To move a batch many times, call
//! `shardspec_transfer_prepare` once and `shardspec_transfer_run` each time. The preparation does
//! the agreement, the plan and the allocation of memory. A run sends only one small message in each
//! of ceil(log2 size) rounds before it moves data.
//!
//! `shardspec_comm_transfer_start` and `shardspec_transfer_start` do not wait for other ranks. They
//! create requests, which move the batch while the program does other work.

use std::ffi::c_char;

use crate::comm::{
    self, BatchTensor, Communicator, Options, PreparedTransfer, TensorLayouts, TensorShards,
};
use crate::ffi::border::guard::{Outcome, Refusal, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::pointer::{optional_text, out, slice};
use crate::ffi::border::sized::{Grows, sized_slice};
use crate::ffi::border::slot_map::SlotMap;
use crate::ffi::border::views::local_shards;
use crate::ffi::collective::{
    comm_options_argument, or_decline, shards_of_layout, shardspec_comm_options,
};
use crate::ffi::comm::shardspec_comm;
use crate::ffi::dtype::shardspec_dtype;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::plan::shardspec_plan;
use crate::ffi::view::shardspec_tensor_view;
use crate::memory::{Shared, Text, text};
use crate::model::{DataType, Error};
use crate::transfer::{LocalShards, ShardArguments};

/// One tensor of a batch, as one rank passes it. All fields except the shards are the same on all
/// ranks.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_comm_tensor {
    /// `sizeof(shardspec_comm_tensor)`.
    pub struct_size: u64,
    /// A name for the tensor, such as the name of a parameter, in UTF-8. NULL means no name.
    pub tag: *const c_char,
    /// The layout of the tensor, or NULL if `plan` is set.
    pub source: *const shardspec_metadata,
    /// The layout to which the tensor moves, or NULL if `plan` is set.
    pub destination: *const shardspec_metadata,
    /// A plan that replaces `source` and `destination`. The plan must cover all destination shards,
    /// and all of its shards must have placements.
    pub plan: *const shardspec_plan,
    /// All of this rank's shards of the source layout, in the order of their indices.
    pub source_shards: *const shardspec_tensor_view,
    /// Number of source shards.
    pub source_shard_count: usize,
    /// All of this rank's shards of the destination layout, in the order of their indices.
    pub destination_shards: *const shardspec_tensor_view,
    /// Number of destination shards.
    pub destination_shard_count: usize,
    /// The element type. With all zeros, the layouts or the shards decide. In a batch of several
    /// tensors, a rank without any shard of a tensor must pass the element type here, unless the
    /// layouts state it.
    pub dtype: shardspec_dtype,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `struct_size` comes first, and zeros are numbers and NULL.
unsafe impl Grows for shardspec_comm_tensor {
    const NAME: &'static str = "shardspec_comm_tensor";
    const FIRST_SIZE: usize = 80;
}

/// A prepared transfer, behind a handle; free it with `shardspec_transfer_free`.
pub struct shardspec_transfer {
    _opaque: [u8; 0],
}

impl Handle for shardspec_transfer {
    type Object = Shared<PreparedTransfer>;
    const NAME: &'static str = "shardspec_transfer";
    const KIND: u64 = 14;

    fn table() -> &'static SlotMap<Self::Object> {
        static TABLE: SlotMap<Shared<PreparedTransfer>> = SlotMap::new();
        &TABLE
    }
}

const SOURCE_SHARDS: (&str, &str) = ("source_shards", "source_shard_count");
const DESTINATION_SHARDS: (&str, &str) = ("destination_shards", "destination_shard_count");

/// The tensors of this rank.
pub(crate) unsafe fn tensors_argument(
    comm: &dyn Communicator, tensors: *const shardspec_comm_tensor, count: usize,
) -> Outcome<Vec<BatchTensor>> {
    let mut index = 0usize;
    sized_slice("tensors", tensors, count)?.convert(|tensor| {
        let position = index;
        index = index.saturating_add(1);
        let tag = optional_text("tag", tensor.tag)?.unwrap_or("");
        batch_tensor(comm, &tensor, tag).map_err(Refusal::in_tensor(position, tag))
    })
}

unsafe fn batch_tensor(
    comm: &dyn Communicator, tensor: &shardspec_comm_tensor, tag: &str,
) -> Outcome<BatchTensor> {
    if tensor.reserved != 0 {
        return Err(Error::invalid("reserved", "it is not 0; set it to 0").into());
    }
    let layouts = layouts_of(tensor)?;
    let dtype = dtype_of(tensor)?;
    let known = dtype.or(layouts.dtype());
    let (pointer, count) = (tensor.source_shards, tensor.source_shard_count);
    let source = shards_of_layout(comm, layouts.source(), SOURCE_SHARDS, known, pointer, count)?;
    let (pointer, count) = (tensor.destination_shards, tensor.destination_shard_count);
    let (known, layout) = (known.or(source.dtype()), layouts.destination());
    let destination = shards_of_layout(comm, layout, DESTINATION_SHARDS, known, pointer, count)?;
    let (tag, shards) = (Shared::try_new(Text::copy(tag))?, TensorShards { source, destination });
    Ok(BatchTensor { tag, layouts, dtype, shards })
}

unsafe fn layouts_of(tensor: &shardspec_comm_tensor) -> Outcome<TensorLayouts> {
    if tensor.plan.is_null() {
        let source = (*handle::get("source", tensor.source)?).clone();
        let destination = (*handle::get("destination", tensor.destination)?).clone();
        return Ok(TensorLayouts::Pair { source, destination });
    }
    if !tensor.source.is_null() || !tensor.destination.is_null() {
        let problem = "source or destination is set too; pass a plan, or both layouts";
        return Err(Error::invalid("plan", problem).into());
    }
    Ok(TensorLayouts::Plan((*handle::get("plan", tensor.plan)?).clone()))
}

/// The element type of a tensor, if it is stated.
fn dtype_of(tensor: &shardspec_comm_tensor) -> Outcome<Option<DataType>> {
    let dtype = DataType::from(tensor.dtype);
    if (dtype.code, dtype.bits, dtype.lanes) == (0, 0, 0) {
        return Ok(None);
    }
    dtype.validate("dtype")?;
    Ok(Some(dtype))
}

/// The buffers of a run; `None`: those of the last one.
pub(crate) unsafe fn run_argument(
    transfer: &PreparedTransfer, tensors: *const shardspec_comm_tensor, count: usize,
) -> Outcome<Option<Vec<TensorShards>>> {
    if tensors.is_null() && count == 0 {
        return Ok(None);
    }
    let mut index = 0usize;
    let read = sized_slice("tensors", tensors, count)?.convert(|tensor| {
        let position = index;
        index = index.saturating_add(1);
        let (tag, own) = (optional_text("tag", tensor.tag)?, transfer.tag(position));
        shards_of_run(transfer, position, &tensor, tag).map_err(Refusal::in_tensor(position, own))
    })?;
    Ok(Some(read))
}

unsafe fn shards_of_run(
    transfer: &PreparedTransfer, index: usize, tensor: &shardspec_comm_tensor, tag: Option<&str>,
) -> Outcome<TensorShards> {
    if let Some(tag) = tag.filter(|&tag| tag != transfer.tag(index)) {
        let problem = text!("it is '{tag}'; pass the tensors in the order of the preparation");
        return Err(Error::invalid("tag", problem).into());
    }
    let Some(before) = transfer.shards(index) else {
        let problem = text!("there are more than the {} tensors of the transfer", transfer.len());
        return Err(Error::invalid("tensor_count", problem).into());
    };
    let (pointer, count) = (tensor.source_shards, tensor.source_shard_count);
    let source = shards_like(&before.source, SOURCE_SHARDS, pointer, count)?;
    let (pointer, count) = (tensor.destination_shards, tensor.destination_shard_count);
    let destination = shards_like(&before.destination, DESTINATION_SHARDS, pointer, count)?;
    Ok(TensorShards { source, destination })
}

/// Shards of the same indices as others.
unsafe fn shards_like(
    before: &LocalShards, (views, count): (&'static str, &'static str),
    shards: *const shardspec_tensor_view, shard_count: usize,
) -> Outcome<Shared<LocalShards>> {
    if shard_count != before.len() {
        let problem = text!("{shard_count} views for the {} shards of this rank", before.len());
        return Err(Error::invalid(count, problem).into());
    }
    let shards = slice(views, shards, shard_count)?;
    let arguments = ShardArguments { views, ..ShardArguments::SHARDS };
    let read = local_shards(before.layout(), arguments, before.dtype(), before.indices(), shards)?;
    Ok(Shared::try_new(read)?)
}

/// A transfer that is not agreed on yet, and its handle: afterwards no memory is needed.
fn prepared(
    comm: &dyn Communicator, tensors: &[BatchTensor], options: Options,
) -> Outcome<(Shared<PreparedTransfer>, *mut shardspec_transfer)> {
    let transfer = Shared::try_new(PreparedTransfer::new(comm, tensors, options)?)?;
    let made = handle::insert(transfer.clone())?;
    Ok((transfer, made))
}

/// Moves a batch of tensors between the ranks. Every rank passes the same `tensor_count` tensors,
/// with its own shards. `options` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
/// placements; `destroy`, if another thread frees a handle during the call.
/// Blocks: on other ranks.
/// Errors: INVALID_PLACEMENT if a shard is on no rank of the communicator; GAP if no source has an
/// element; INVALID_ARGUMENT if the number of shards is wrong, a plan covers only some destinations
/// or no element type is known; ALIASED if a destination shares memory with another buffer, also of
/// another tensor; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE, OVERFLOW,
/// PARTIAL, INVALID_HANDLE, NULL_ARGUMENT. With these, the error's `index` is the position of the
/// tensor. DISAGREEMENT if another rank has an error, or if ranks pass other tensors, tags, layouts
/// or element types or another order. After one of these, nothing was written on any rank. After
/// TRANSPORT_FAILED, OUT_OF_MEMORY or a status of a custom transport, destinations may be partly
/// written.
/// Threads: any, but only one thread at a time may use the communicator. During the call, no other
/// thread may write source shards or use destination shards.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_transfer(
    comm: *const shardspec_comm, tensors: *const shardspec_comm_tensor, tensor_count: usize,
    options: *const shardspec_comm_options, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let comm = handle::get("comm", comm)?;
        let comm: &dyn Communicator = &*comm;
        let tensors = or_decline(comm, tensors_argument(comm, tensors, tensor_count))?;
        let options = or_decline(comm, comm_options_argument(options))?;
        comm::transfer(comm, &tensors, options)
    })
}

/// Prepares a transfer of a batch of tensors. All ranks call this function together. In the call,
/// the ranks agree on the batch, plan the messages and allocate memory for packing. Nothing is
/// moved. `shardspec_transfer_run` then moves the tensors, any number of times. `options` may be
/// NULL.
///
/// Ownership: the caller frees `*out`, on all ranks, in any order. The caller may free the metadata
/// and the plans before `*out`. The transfer keeps the addresses of the shards. The memory of the
/// shards must exist during each run that uses it.
/// Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
/// placements; `destroy`, if another thread frees a handle during the call.
/// Blocks: on other ranks.
/// Errors: INVALID_PLACEMENT if a shard is on no rank of the communicator; GAP if no source has an
/// element; INVALID_ARGUMENT if the number of shards is wrong, a plan covers only some destinations
/// or no element type is known; ALIASED if a destination shares memory with another buffer, also of
/// another tensor; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE, OVERFLOW,
/// PARTIAL, INVALID_HANDLE, NULL_ARGUMENT. With these, the error's `index` is the position of the
/// tensor. DISAGREEMENT if another rank has an error, or if ranks pass other tensors, tags, layouts
/// or element types or another order. TRANSPORT_FAILED, or the status of a custom transport, if the
/// transport fails; OUT_OF_MEMORY.
/// Threads: any, but only one thread at a time may use the communicator.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_transfer_prepare(
    comm: *const shardspec_comm, tensors: *const shardspec_comm_tensor, tensor_count: usize,
    options: *const shardspec_comm_options, out: *mut *mut shardspec_transfer,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let comm = handle::get("comm", comm)?;
        let comm: &dyn Communicator = &*comm;
        let place = or_decline(comm, self::out("out", out))?;
        let tensors = or_decline(comm, tensors_argument(comm, tensors, tensor_count))?;
        let options = or_decline(comm, comm_options_argument(options))?;
        let (transfer, made) = or_decline(comm, prepared(comm, &tensors, options))?;
        match transfer.agree(comm) {
            Ok(()) => place.set(made),
            Err(error) => {
                handle::free("transfer", made)?;
                return Err(error.into());
            }
        }
        Ok(())
    })
}

/// Runs a prepared transfer: moves all its tensors. All ranks call this function together, with the
/// communicator with which the transfer was prepared.
///
/// With `tensors` NULL and `tensor_count` 0, the run uses the buffers of the last run that returned OK,
/// or those of `shardspec_transfer_prepare`. Otherwise `tensors` has all tensors in the same order,
/// with shards of the same shapes, strides and element types. The run uses only the shards of
/// `tensors`. Each `tag` must be NULL or equal the tag of the preparation. The other fields are
/// ignored. The first run with other buffers takes a little longer than the next runs.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
/// placements; `destroy`, if another thread frees a handle during the call.
/// Blocks: on other ranks.
/// Errors: INVALID_ARGUMENT if the communicator, the number of tensors, a tag or strides are not
/// those of the preparation, or if another thread runs the transfer; DISAGREEMENT if another rank
/// has an error or runs another transfer; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH,
/// UNSUPPORTED_DEVICE, ALIASED, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT. After one of these,
/// nothing was written on any rank, and the transfer can run again. After TRANSPORT_FAILED,
/// OUT_OF_MEMORY or a status of a custom transport, destinations may be partly written.
/// Threads: any, but only one thread at a time may use the communicator. During the call, no other
/// thread may write source shards or use destination shards.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_transfer_run(
    transfer: *const shardspec_transfer, comm: *const shardspec_comm,
    tensors: *const shardspec_comm_tensor, tensor_count: usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let comm = handle::get("comm", comm)?;
        let comm: &dyn Communicator = &*comm;
        let transfer = or_decline(comm, handle::get("transfer", transfer))?;
        let shards = or_decline(comm, run_argument(&transfer, tensors, tensor_count))?;
        PreparedTransfer::run(&transfer, comm, shards)
    })
}

/// Writes the fingerprint of a transfer to `*out`: a hash of 64 bits. The fingerprint covers the
/// number of ranks and the order, tags, layouts and element types of the tensors. The fingerprint
/// is the same on all ranks.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_transfer_fingerprint(
    transfer: *const shardspec_transfer, out: *mut u64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("transfer", transfer)?.fingerprint());
        Ok(())
    })
}

/// Frees a prepared transfer and its memory. NULL is allowed. The other ranks need not free the
/// transfer at the same time.
///
/// Ownership: the caller gives up `transfer`.
/// Calls back: `destroy`, if nothing else uses the object.
/// Blocks: no.
/// Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
/// Threads: any. A run of another thread completes normally.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_transfer_free(
    transfer: *mut shardspec_transfer, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || handle::free("transfer", transfer))
}
