//! Collectives that a function starts and a request continues.

use std::ffi::c_char;

use crate::comm::{self, PreparedTransfer, SharedCommunicator, Work};
use crate::ffi::border::batch::{run_argument, tensors_argument};
use crate::ffi::border::collective::{
    comm_options_argument, gather_arguments, or_decline, reshard_arguments, scatter_arguments,
};
use crate::ffi::border::guard::{Outcome, Refusal, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::out;
use crate::ffi::collective_options::shardspec_comm_options;
use crate::ffi::comm::shardspec_comm;
use crate::ffi::comm_tensor::shardspec_comm_tensor;
use crate::ffi::decline::reason_argument;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::request::{new_request, shardspec_request, start};
use crate::ffi::transfer::shardspec_transfer;
use crate::ffi::view::shardspec_tensor_view;
use crate::memory::Shared;

/// Starts the work of a collective. If the arguments are refused, the work of the request is to
/// send the refusal to the other ranks. Without a request, this function sends the refusal at once
/// and waits for the other ranks.
unsafe fn start_collective(
    comm: *const shardspec_comm, out: *mut *mut shardspec_request,
    work: impl FnOnce(&SharedCommunicator) -> Outcome<Box<dyn Work>>,
) -> Outcome {
    let comm = handle::get("comm", comm)?;
    comm.check_unclaimed()?;
    let place = or_decline(&*comm, self::out("out", out))?;
    let request = or_decline(&*comm, new_request())?;
    let work = work(&comm).or_else(|refusal| comm::decline_work::<Refusal>(&*comm, refusal));
    start(request, &comm, work)?;
    place.set(request);
    Ok(())
}

/// Starts a transfer of a batch of tensors. The rules of `shardspec_comm_transfer` apply. Other
/// ranks may call `shardspec_comm_transfer` instead of this function. `options` may be NULL.
///
/// The function checks the arguments and plans the messages. After the start, the request compares
/// the calls of all ranks and moves the tensors. If an argument is invalid, the function returns OK
/// and the request fails. The line "Errors" has the exceptions. `shardspec_request_test` or
/// `shardspec_request_wait` returns the error after the other ranks have received the error.
///
/// Ownership: the caller frees `*out`. The caller may free arrays, metadata, plans and tags when
/// the function returns. The memory of the shards belongs to the request until the request has
/// ended.
/// Calls back: `exchange`, `start`, `test`, `node` and `abort` of a custom transport; `equal` and
/// `hash` of custom placements; `destroy`, if another thread frees a handle during the call.
/// Blocks: on other ranks, only if `out` is NULL or memory runs out. In these cases, there is no
/// request, and the function itself sends the error to the other ranks.
/// Errors: INVALID_ARGUMENT if another request on the communicator has not ended; INVALID_HANDLE if
/// `comm` is not a valid handle; NULL_ARGUMENT if `comm` or `out` is NULL; OUT_OF_MEMORY. The
/// request returns all other errors of `shardspec_comm_transfer`.
/// Threads: any, but only one thread at a time may use the communicator. Until the request has
/// ended, no thread may write source shards or use destination shards.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_transfer_start(
    comm: *const shardspec_comm, tensors: *const shardspec_comm_tensor, tensor_count: usize,
    options: *const shardspec_comm_options, out: *mut *mut shardspec_request,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        start_collective(comm, out, |comm| {
            let tensors = tensors_argument(comm, tensors, tensor_count)?;
            let options = comm_options_argument(options)?;
            Ok(comm::transfer_work(comm, &tensors, options)?)
        })
    })
}

/// Starts a scatter: copies a tensor on rank `source_rank` into the shards of all ranks. The
/// arguments and rules of `shardspec_comm_scatter` apply. Other ranks may call
/// `shardspec_comm_scatter` instead of this function.
///
/// The function checks the arguments. After the start, the request compares the calls of all ranks
/// and moves the data. If an argument is invalid, the function returns OK and the request fails.
/// The line "Errors" has the exceptions. `shardspec_request_test` or `shardspec_request_wait`
/// returns the error after the other ranks have received the error.
///
/// Ownership: the caller frees `*out`. The caller may free arrays and metadata when the function
/// returns. The memory of `full` and of the shards belongs to the request until the request has
/// ended.
/// Calls back: `exchange`, `start`, `test`, `node` and `abort` of a custom transport; `equal` and
/// `hash` of custom placements; `destroy`, if another thread frees a handle during the call.
/// Blocks: on other ranks, only if `out` is NULL or memory runs out. In these cases, there is no
/// request, and the function itself sends the error to the other ranks.
/// Errors: INVALID_ARGUMENT if another request on the communicator has not ended; INVALID_HANDLE if
/// `comm` is not a valid handle; NULL_ARGUMENT if `comm` or `out` is NULL; OUT_OF_MEMORY. The
/// request returns all other errors of `shardspec_comm_scatter`.
/// Threads: any, but only one thread at a time may use the communicator. Until the request has
/// ended, no thread may write `full` or use the shards.
/// Source: MPI_Iscatterv.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_scatter_start(
    comm: *const shardspec_comm, metadata: *const shardspec_metadata, source_rank: i64,
    full: *const shardspec_tensor_view, shards: *const shardspec_tensor_view, shard_count: usize,
    options: *const shardspec_comm_options, out: *mut *mut shardspec_request,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        start_collective(comm, out, |comm| {
            let metadata = handle::get("metadata", metadata)?;
            let mine = scatter_arguments(
                comm,
                &metadata,
                source_rank,
                full,
                shards,
                shard_count,
                options,
            )?;
            Ok(comm::scatter_work(comm, mine)?)
        })
    })
}

/// Starts a gather: copies the shards of all ranks into a tensor on rank `destination_rank`, or on
/// every rank. The arguments and rules of `shardspec_comm_gather` apply. Other ranks may call
/// `shardspec_comm_gather` instead of this function.
///
/// The function checks the arguments. After the start, the request compares the calls of all ranks
/// and moves the data. If an argument is invalid, the function returns OK and the request fails.
/// The line "Errors" has the exceptions. `shardspec_request_test` or `shardspec_request_wait`
/// returns the error after the other ranks have received the error.
///
/// Ownership: the caller frees `*out`. The caller may free arrays and metadata when the function
/// returns. The memory of `full` and of the shards belongs to the request until the request has
/// ended.
/// Calls back: `exchange`, `start`, `test`, `node` and `abort` of a custom transport; `equal` and
/// `hash` of custom placements; `destroy`, if another thread frees a handle during the call.
/// Blocks: on other ranks, only if `out` is NULL or memory runs out. In these cases, there is no
/// request, and the function itself sends the error to the other ranks.
/// Errors: INVALID_ARGUMENT if another request on the communicator has not ended; INVALID_HANDLE if
/// `comm` is not a valid handle; NULL_ARGUMENT if `comm` or `out` is NULL; OUT_OF_MEMORY. The
/// request returns all other errors of `shardspec_comm_gather`.
/// Threads: any, but only one thread at a time may use the communicator. Until the request has
/// ended, no thread may write the shards or use `full`.
/// Source: MPI_Igatherv, MPI_Iallgatherv.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_gather_start(
    comm: *const shardspec_comm, metadata: *const shardspec_metadata, destination_rank: i64,
    shards: *const shardspec_tensor_view, shard_count: usize, full: *const shardspec_tensor_view,
    options: *const shardspec_comm_options, out: *mut *mut shardspec_request,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        start_collective(comm, out, |comm| {
            let metadata = handle::get("metadata", metadata)?;
            let rank = destination_rank;
            let mine = gather_arguments(comm, &metadata, rank, shards, shard_count, full, options)?;
            Ok(comm::gather_work(comm, mine)?)
        })
    })
}

/// Starts a reshard: moves a tensor from the layout `source` to the layout `destination`.
/// The arguments and rules of `shardspec_comm_reshard` apply. Other ranks may call
/// `shardspec_comm_reshard` instead of this function.
///
/// The function checks the arguments and plans the messages. After the start, the request compares
/// the calls of all ranks and moves the data. If an argument is invalid, the function returns OK
/// and the request fails. The line "Errors" has the exceptions. `shardspec_request_test` or
/// `shardspec_request_wait` returns the error after the other ranks have received the error.
///
/// Ownership: the caller frees `*out`. The caller may free arrays and metadata when the function
/// returns. The memory of the shards belongs to the request until the request has ended.
/// Calls back: `exchange`, `start`, `test`, `node` and `abort` of a custom transport; `equal` and
/// `hash` of custom placements; `destroy`, if another thread frees a handle during the call.
/// Blocks: on other ranks, only if `out` is NULL or memory runs out. In these cases, there is no
/// request, and the function itself sends the error to the other ranks.
/// Errors: INVALID_ARGUMENT if another request on the communicator has not ended; INVALID_HANDLE if
/// `comm` is not a valid handle; NULL_ARGUMENT if `comm` or `out` is NULL; OUT_OF_MEMORY. The
/// request returns all other errors of `shardspec_comm_reshard`.
/// Threads: any, but only one thread at a time may use the communicator. Until the request has
/// ended, no thread may write `source_shards` or use `destination_shards`.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_reshard_start(
    comm: *const shardspec_comm, source: *const shardspec_metadata,
    source_shards: *const shardspec_tensor_view, source_shard_count: usize,
    destination: *const shardspec_metadata, destination_shards: *const shardspec_tensor_view,
    destination_shard_count: usize, options: *const shardspec_comm_options,
    out: *mut *mut shardspec_request, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        start_collective(comm, out, |comm| {
            let (source, destination) =
                (handle::get("source", source)?, handle::get("destination", destination)?);
            let mine = reshard_arguments(
                comm,
                [&*source, &*destination],
                source_shards,
                source_shard_count,
                destination_shards,
                destination_shard_count,
                options,
            )?;
            Ok(comm::reshard_work(comm, mine)?)
        })
    })
}

/// Starts the preparation of a transfer. The arguments and rules of `shardspec_transfer_prepare`
/// apply. Other ranks may call `shardspec_transfer_prepare` instead of this function.
///
/// The function checks the arguments, plans the messages and allocates memory for packing. After
/// the start, the request compares the calls of all ranks. The transfer can run when the request
/// has ended with OK. Before the end of the request, and after an error of the request, a run of
/// this transfer returns INVALID_ARGUMENT.
///
/// If an argument is invalid, the function returns OK with `*transfer` NULL, and the request fails.
/// The line "Errors" has the exceptions. `shardspec_request_test` or `shardspec_request_wait`
/// returns the error after the other ranks have received the error.
///
/// Ownership: the caller frees `*out` and `*transfer`, in any order. The caller may free arrays,
/// metadata, plans and tags when the function returns. The transfer keeps the addresses of the
/// shards. The request does not use the memory of the shards.
/// Calls back: `exchange`, `start`, `test`, `node` and `abort` of a custom transport; `equal` and
/// `hash` of custom placements; `destroy`, if another thread frees a handle during the call.
/// Blocks: on other ranks, only if `transfer` or `out` is NULL or memory runs out. In these cases,
/// there is no request, and the function itself sends the error to the other ranks.
/// Errors: INVALID_ARGUMENT if another request on the communicator has not ended; INVALID_HANDLE if
/// `comm` is not a valid handle; NULL_ARGUMENT if `comm`, `transfer` or `out` is NULL;
/// OUT_OF_MEMORY. The request returns all other errors of `shardspec_transfer_prepare`.
/// Threads: any, but only one thread at a time may use the communicator.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_transfer_prepare_start(
    comm: *const shardspec_comm, tensors: *const shardspec_comm_tensor, tensor_count: usize,
    options: *const shardspec_comm_options, transfer: *mut *mut shardspec_transfer,
    out: *mut *mut shardspec_request, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = {
            let comm = handle::get("comm", comm)?;
            comm.check_unclaimed()?;
            or_decline(&*comm, self::out("transfer", transfer))?
        };
        let mut made = std::ptr::null_mut();
        let started = start_collective(comm, out, |comm| {
            let tensors = tensors_argument(comm, tensors, tensor_count)?;
            let transfer = PreparedTransfer::new(comm, &tensors, comm_options_argument(options)?)?;
            let transfer = Shared::try_new(transfer)?;
            let work = comm::prepare_work(&transfer)?;
            made = handle::insert(transfer)?;
            Ok(work)
        });
        match started {
            Ok(()) => place.set(made),
            Err(_) => handle::free("transfer", made)?,
        }
        started
    })
}

/// Starts a run of a prepared transfer. The rules of `shardspec_transfer_run` apply. Other ranks
/// may call `shardspec_transfer_run` instead of this function.
///
/// With `tensors` NULL and `tensor_count` 0, the run uses the buffers of the last run that returned
/// OK. If no run has returned OK yet, the run uses the buffers of the preparation. A transfer can
/// have only one run at a time. Each prepared transfer remembers the buffers of its own runs, also
/// if another transfer has the same tensors. To run two transfers at the same time, prepare each
/// transfer with its own communicator. If an argument is invalid, the function returns OK and the
/// request fails. The line "Errors" has the exceptions. `shardspec_request_test` or
/// `shardspec_request_wait` returns the error after the other ranks have received the error.
///
/// Ownership: the caller frees `*out`. The caller may free the arrays and `transfer` when the
/// function returns. The memory of the shards belongs to the request until the request has ended.
/// Calls back: `exchange`, `start`, `test` and `abort` of a custom transport; `destroy`, if another
/// thread frees a handle during the call.
/// Blocks: on other ranks, only if `out` is NULL or memory runs out. In these cases, there is no
/// request, and the function itself sends the error to the other ranks.
/// Errors: INVALID_ARGUMENT if another request on the communicator has not ended; INVALID_HANDLE if
/// `comm` is not a valid handle; NULL_ARGUMENT if `comm` or `out` is NULL; OUT_OF_MEMORY. The
/// request returns all other errors of `shardspec_transfer_run`, including the errors about the
/// argument `transfer`. After the request has ended, the transfer can run again, also after an
/// error.
/// Threads: any, but only one thread at a time may use the communicator. Until the request has
/// ended, no thread may write source shards or use destination shards.
/// Source: MPI_Start.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_transfer_start(
    transfer: *const shardspec_transfer, comm: *const shardspec_comm,
    tensors: *const shardspec_comm_tensor, tensor_count: usize, out: *mut *mut shardspec_request,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        start_collective(comm, out, |comm| {
            let transfer = handle::get("transfer", transfer)?;
            let shards = run_argument(&transfer, tensors, tensor_count)?;
            Ok(comm::run_work(&transfer, comm, shards)?)
        })
    })
}

/// Starts a request that takes part in the collective of the other ranks and reports an error of
/// this rank. If the program can't pass valid arguments, call this function instead of the function
/// that starts the collective. `status` and `message` are the arguments of
/// `shardspec_comm_decline`.
///
/// All other ranks return DISAGREEMENT from their collective, with the number of this rank,
/// `status` and `message`. No data moves. The request ends with OK when the other ranks have
/// received `status` and `message`.
///
/// Ownership: the caller frees `*out`. The caller may free `message` when the function returns.
/// Calls back: `exchange`, `start`, `test` and `abort` of a custom transport; `destroy`, if another
/// thread frees a handle during the call.
/// Blocks: on other ranks, only if `out` is NULL or memory runs out. In these cases, there is no
/// request, and the function itself sends the error to the other ranks.
/// Errors: INVALID_ARGUMENT if another request on the communicator has not ended; INVALID_HANDLE if
/// `comm` is not a valid handle; NULL_ARGUMENT if `comm` or `out` is NULL; OUT_OF_MEMORY. The
/// request returns INVALID_ARGUMENT if `status` is below 1 or `message` is not UTF-8; NULL_ARGUMENT
/// if `message` is NULL; TRANSPORT_FAILED, or the status of a custom transport, if the transport
/// fails.
/// Threads: any, but only one thread at a time may use the communicator.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_decline_start(
    comm: *const shardspec_comm, status: shardspec_status, message: *const c_char,
    out: *mut *mut shardspec_request, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        start_collective(comm, out, |comm| {
            Ok(comm::report_work(comm, reason_argument(status, message)?)?)
        })
    })
}
