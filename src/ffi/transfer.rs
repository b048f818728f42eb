//! Transfers.
//!
//! A transfer moves a batch of tensors between the ranks of a communicator. Each tensor moves from
//! one layout to another. Two metadata objects or a plan describe the two layouts. If source shards
//! are replicas, the library reads each element from only one replica. Destination shards may be
//! replicas, and may overlap. The library writes each destination shard completely. If destination
//! shards of one rank overlap, the rank receives each element once. The rank copies a shared
//! element to every shard that holds the element.
//!
//! All ranks pass the same tensors, with the same tags, in the same order. The ranks compare the
//! whole batch once, and not each tensor separately. Small pieces of different tensors travel in
//! one message. If the tensors of two ranks differ, all ranks return DISAGREEMENT. The error's
//! message has the tags and the layouts of the first tensor that differs. If a rank passes an
//! invalid tensor, the error's message has the tag of the tensor, and `index` is the tensor's
//! position.
//!
//! `shardspec_comm_transfer` moves a batch once. To move a batch many times, call
//! `shardspec_transfer_prepare` once and `shardspec_transfer_run` each time. In the preparation,
//! the ranks agree on the batch, plan the messages and allocate memory. When a transfer runs on n
//! ranks, all ranks first agree to run the same transfer. The agreement takes ceil(log2 n) rounds.
//! In each round, each rank sends one small message. After these rounds, the ranks move the data.
//!
//! `shardspec_comm_transfer_start`, `shardspec_transfer_prepare_start` and
//! `shardspec_transfer_start` do not wait for other ranks. These functions create requests. Between
//! two tests of a request, the program may do other work.

use crate::comm::{self, BatchTensor, Communicator, Options, PreparedTransfer};
use crate::ffi::border::batch::{run_argument, tensors_argument};
use crate::ffi::border::collective::{comm_options_argument, or_decline};
use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::pointer::out;
use crate::ffi::border::slot_map::SlotMap;
use crate::ffi::collective_options::shardspec_comm_options;
use crate::ffi::comm::shardspec_comm;
use crate::ffi::comm_tensor::shardspec_comm_tensor;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::memory::Shared;

/// A prepared transfer, behind a handle. Free the handle with `shardspec_transfer_free`.
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

/// A transfer that the ranks have not agreed on yet, and its handle. The handle is created before
/// the agreement, because an allocation after the agreement could fail on one rank alone.
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
/// Errors: INVALID_PLACEMENT if a shard belongs to no rank of the communicator; GAP if an element
/// that a destination needs is in no source; INVALID_ARGUMENT if the number of shards is wrong, a
/// plan covers only some destinations or no element type is known; ALIASED if a destination shares
/// memory with another buffer of any tensor; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH,
/// UNSUPPORTED_DEVICE, OVERFLOW, PARTIAL, INVALID_HANDLE, NULL_ARGUMENT. With these errors, the
/// error's `index` is the position of the tensor. DISAGREEMENT if another rank has an error, or if
/// the tensors, their order, tags, layouts or element types differ between ranks. After one of
/// these errors, nothing was written on any rank. After TRANSPORT_FAILED, OUT_OF_MEMORY or a status
/// of a custom transport, destinations may be partly written.
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
/// the ranks agree on the batch, plan the messages and allocate memory for packing. No data moves.
/// After the preparation, `shardspec_transfer_run` can move the tensors any number of times.
/// `options` may be NULL.
///
/// Ownership: the caller frees `*out`, on all ranks, in any order. The caller may free the metadata
/// and the plans before `*out`. The transfer keeps the addresses of the shards. The memory of the
/// shards must exist during each run with these shards.
/// Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
/// placements; `destroy`, if another thread frees a handle during the call.
/// Blocks: on other ranks.
/// Errors: INVALID_PLACEMENT if a shard belongs to no rank of the communicator; GAP if an element
/// that a destination needs is in no source; INVALID_ARGUMENT if the number of shards is wrong, a
/// plan covers only some destinations or no element type is known; ALIASED if a destination shares
/// memory with another buffer of any tensor; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH,
/// UNSUPPORTED_DEVICE, OVERFLOW, PARTIAL, INVALID_HANDLE, NULL_ARGUMENT. With these errors, the
/// error's `index` is the position of the tensor. DISAGREEMENT if another rank has an error, or if
/// the tensors, their order, tags, layouts or element types differ between ranks. TRANSPORT_FAILED,
/// or the status of a custom transport, if the transport fails; OUT_OF_MEMORY.
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
/// communicator of the preparation.
///
/// With `tensors` NULL and `tensor_count` 0, the run uses the buffers of the last run that returned
/// OK. If no run has returned OK yet, the run uses the buffers of the preparation. To use other
/// buffers, pass all tensors of the preparation again in `tensors`, in the same order. Each shard
/// must have the shape, strides and element type that the shard had in the preparation. The run
/// uses the shards of `tensors`, compares the tags, and ignores all other fields. Each `tag` must
/// be NULL or be equal to the tag of the preparation. The first run with new buffers takes a little
/// longer than the next runs with the same buffers.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `exchange` and `abort` of a custom transport; `destroy`, if another thread frees a
/// handle during the call.
/// Blocks: on other ranks.
/// Errors: INVALID_ARGUMENT if the communicator, the number of tensors, a tag or strides differ
/// from the preparation, or if another thread runs the transfer; DISAGREEMENT if another rank has
/// an error or runs another transfer; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH,
/// UNSUPPORTED_DEVICE, ALIASED, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT. After one of these errors,
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

/// Writes the fingerprint of a transfer to `*out`: a hash of 64 bits. The fingerprint depends on
/// the number of ranks, and on the order, tags, layouts and element types of the tensors. All ranks
/// have the same fingerprint.
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

/// Frees a prepared transfer and its memory. NULL is allowed. Different ranks may free the transfer
/// at different times.
///
/// Ownership: the caller gives up `transfer`.
/// Calls back: `destroy`, if nothing else uses the object.
/// Blocks: no.
/// Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
/// Threads: any. A run of this transfer on another thread completes normally.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_transfer_free(
    transfer: *mut shardspec_transfer, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || handle::free("transfer", transfer))
}
