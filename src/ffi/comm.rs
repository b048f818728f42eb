//! Communicators.
//!
//! A communicator is a group of ranks that exchange messages. Each rank has its own handle of the
//! communicator. The library is not linked with a transport such as MPI. A transport must have one
//! function, exchange. This function starts a set of messages and returns when all messages are
//! complete. `shardspec_mpi.h` implements exchange for MPI with MPI_Irecv, MPI_Isend and
//! MPI_Waitall. With NCCL, exchange consists of ncclGroupStart, ncclSend, ncclRecv and
//! ncclGroupEnd. With torch, exchange is batch_isend_irecv. A program without a transport can run
//! its ranks as threads, with `shardspec_comm_new_local`.
//!
//! On each rank, only one thread at a time may exchange messages with a communicator. Collectives
//! also exchange messages. If two threads of a rank exchange messages at the same time, the library
//! may refuse one call or confuse the messages.

use std::ffi::{c_char, c_void};

use crate::comm::{self, Communicator, Incoming, Message, Outgoing, SharedCommunicator};
use crate::ffi::border::callback::owning_table;
use crate::ffi::border::guard::{Outcome, Refusal, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::pointer::{optional_text, out, out_slice, slice};
use crate::ffi::border::sized::sized;
use crate::ffi::border::slot_map::SlotMap;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::transport::{Transport, shardspec_comm_vtable, shardspec_message};
use crate::memory::{try_collect_results, try_with_capacity};
use crate::model::{Error, Result};

/// A communicator, behind a handle. Free the handle with `shardspec_comm_free`.
pub struct shardspec_comm {
    _opaque: [u8; 0],
}

impl Handle for shardspec_comm {
    type Object = SharedCommunicator;
    const NAME: &'static str = "shardspec_comm";
    const KIND: u64 = 8;

    fn table() -> &'static SlotMap<Self::Object> {
        static TABLE: SlotMap<SharedCommunicator> = SlotMap::new();
        &TABLE
    }
}

/// A new handle for a communicator.
fn new_handle(communicator: impl Communicator + 'static) -> Result<*mut shardspec_comm> {
    handle::insert(SharedCommunicator::new(communicator)?)
}

/// An argument that is a rank.
pub(crate) fn rank_argument(argument: &'static str, rank: i64) -> Outcome<usize> {
    usize::try_from(rank).map_err(|_| Error::TooSmall { argument, value: rank, least: 0 }.into())
}

/// Creates a communicator of `size` ranks over a custom transport. The new handle is for rank
/// `rank`. The library calls `exchange` on the thread that calls a collective.
///
/// Ownership: the library copies the table. The library owns `ctx` from the call on, also if the
/// call fails. The library calls `destroy(ctx)` after the program has freed the communicator and
/// all calls with the communicator have returned. The caller frees `*out`.
/// Calls back: `destroy`, if the call fails.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `exchange` is NULL, `struct_size` is wrong or `size` is below 1;
/// INDEX_OUT_OF_RANGE if `rank` is not below `size`; NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_new(
    vtable: *const shardspec_comm_vtable, ctx: *mut c_void, rank: i64, size: i64,
    out: *mut *mut shardspec_comm, err: *mut shardspec_error,
) -> shardspec_status {
    guard(
        err,
        owning_table(ctx, vtable, |context| {
            let place = self::out("out", out)?;
            let table = sized("vtable", vtable)?;
            if size < 1 {
                return Err(Error::TooSmall { argument: "size", value: size, least: 1 }.into());
            }
            let (rank, size) = (rank_argument("rank", rank)?, rank_argument("size", size)?);
            comm::check_rank("rank", rank, size)?;
            place.set(new_handle(Transport::new(table, context, rank, size)?)?);
            Ok(())
        }),
    )
}

/// Creates a communicator for `size` threads of this process, one for each rank. The array `comms`
/// has `size` elements, one for each rank. `comms[r]` becomes the handle of rank `r`. Only one
/// thread at a time may exchange messages with a handle. The receiver of a message copies the
/// message once.
///
/// A rank that frees its communicator sends and receives no further messages. If another rank waits
/// for a message from this rank, all later exchanges of all ranks fail with TRANSPORT_FAILED. The
/// same happens if another rank waits until this rank has received a message. Exchanges also fail
/// if two ranks pass different lengths for a message. If a message can't arrive, the rank that
/// waits for the message returns with an error. In a child process after fork, the library refuses
/// exchanges.
///
/// Ownership: the caller frees each of `comms[0]` to `comms[size - 1]`.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `size` is 0; NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_new_local(
    size: usize, comms: *mut *mut shardspec_comm, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = out_slice("comms", comms, size)?;
        place.fill(&handles_of(comm::local(size)?)?);
        Ok(())
    })
}

/// Creates a communicator for `size` threads of this process. The communicator behaves like a
/// communicator over several nodes. Rank r is on node `nodes[r]`. Collectives of the communicator
/// prefer sources on the same node. This function is for tests: a test can check which sources the
/// collectives choose. Messages are copied in memory, like the messages of
/// `shardspec_comm_new_local`.
///
/// `nodes` holds `size` numbers >= 0, one for each rank. Ranks on the same node have equal numbers.
/// `comms[r]` becomes the handle of rank r.
///
/// Ownership: the caller keeps `nodes` and frees each of `comms[0]` to `comms[size - 1]`.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `size` is 0 or a node is negative; NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_new_local_on_nodes(
    nodes: *const i64, size: usize, comms: *mut *mut shardspec_comm, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = out_slice("comms", comms, size)?;
        let nodes = slice("nodes", nodes, size)?;
        place.fill(&handles_of(comm::local_on_nodes(nodes)?)?);
        Ok(())
    })
}

/// Handles for communicators: for all or for none.
fn handles_of(
    communicators: Vec<impl Communicator + 'static>,
) -> Outcome<Vec<*mut shardspec_comm>> {
    let mut handles = try_with_capacity(communicators.len())?;
    for communicator in communicators {
        match new_handle(communicator) {
            // There is room for all.
            Ok(handle) => handles.push(handle),
            Err(error) => {
                handles.into_iter().try_for_each(|handle| handle::free("comms", handle))?;
                return Err(error.into());
            }
        }
    }
    Ok(handles)
}

/// Frees a communicator. NULL is allowed. With MPI, every rank must free its communicator before
/// MPI_Finalize.
///
/// Ownership: the caller gives up `comm`.
/// Calls back: `destroy`, if nothing else uses the object.
/// Blocks: no.
/// Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
/// Threads: any. Calls that run on other threads with this handle complete normally. `destroy` runs
/// after these calls.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_free(
    comm: *mut shardspec_comm, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || handle::free("comm", comm))
}

/// Writes to `*out` the rank of the handle `comm`. Ranks are numbered from 0 to size - 1.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_rank(
    comm: *const shardspec_comm, out: *mut i64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("comm", comm)?.rank() as i64);
        Ok(())
    })
}

/// Writes the number of ranks to `*out`.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_size(
    comm: *const shardspec_comm, out: *mut i64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("comm", comm)?.size() as i64);
        Ok(())
    })
}

/// Exchanges messages between ranks. The functions of a custom transport may call this function,
/// but only with another communicator.
///
/// A rank may send messages to itself. The library copies these messages without the transport. The
/// i-th send of a rank to itself goes to the rank's i-th receive from itself. The library ignores
/// empty messages. The transport receives only messages with data between two different ranks.
/// Ranks without messages may omit the call.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `exchange` of a custom transport; `destroy`, if another thread frees a handle during
/// the call.
/// Blocks: on other ranks.
/// Errors: INDEX_OUT_OF_RANGE if a peer is not a rank of the communicator; INVALID_ARGUMENT if the
/// messages of the calling rank to itself differ in number or length between `sends` and
/// `receives`; NULL_ARGUMENT, INVALID_HANDLE. After one of these errors, nothing was written.
/// TRANSPORT_FAILED, or the status of a custom transport, if the transport fails. Some messages may
/// have arrived before the failure.
/// Threads: any, but only one thread at a time may use the communicator.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_exchange(
    comm: *const shardspec_comm, sends: *const shardspec_message, send_count: usize,
    receives: *const shardspec_message, receive_count: usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let comm = handle::get("comm", comm)?;
        let (sends, receives) = messages_argument(sends, send_count, receives, receive_count)?;
        Ok(comm::exchange(&*comm, &sends, &receives)?)
    })
}

/// Makes all later exchanges of a communicator fail, on every rank that its transport can reach.
/// Ranks that wait in an exchange return TRANSPORT_FAILED.
///
/// A local communicator reaches all ranks of its group. The error messages of these ranks contain
/// `reason`. `reason` may be NULL. For a custom transport, the function calls `abort` of the
/// transport's table. If `abort` is NULL, the function does nothing. If a collective fails on one
/// rank after all ranks have agreed on the arguments, the collective itself calls this function.
///
/// Ownership: the library copies `reason`. Every rank must still free its communicator.
/// Calls back: `abort` of a custom transport; `destroy`, if another thread frees a handle during
/// the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `reason` is not UTF-8; INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any, also while another thread exchanges messages.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_abort(
    comm: *const shardspec_comm, reason: *const c_char, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let comm = handle::get("comm", comm)?;
        comm.abort(&optional_text("reason", reason)?.unwrap_or("no reason was given"));
        Ok(())
    })
}

/// The messages of an exchange.
pub(crate) unsafe fn messages_argument(
    sends: *const shardspec_message, send_count: usize, receives: *const shardspec_message,
    receive_count: usize,
) -> Outcome<(Vec<Outgoing>, Vec<Incoming>)> {
    let sends = slice("sends", sends, send_count)?;
    let receives = slice("receives", receives, receive_count)?;
    let sends = sends.iter().enumerate();
    let sends = sends.map(|(at, sent)| message("sends", at, sent, <*mut u8>::cast_const));
    let sends: Vec<Outgoing> = try_collect_results(sends)?;
    let receives = receives.iter().enumerate();
    let receives =
        receives.map(|(at, received)| message("receives", at, received, |pointer| pointer));
    Ok((sends, try_collect_results(receives)?))
}

/// A message argument, whose memory is there if it has bytes.
fn message<P>(
    argument: &'static str, at: usize, message: &shardspec_message, pointer: impl Fn(*mut u8) -> P,
) -> Outcome<Message<P>> {
    let peer = rank_argument(argument, message.peer).map_err(Refusal::at(argument, at))?;
    // SAFETY: `out_slice` compares numbers, and bytes have no alignment. What it returns is
    // dropped, so that nothing is read or written at `pointer`.
    unsafe { out_slice(argument, message.pointer.cast::<u8>(), message.byte_count) }
        .map_err(Refusal::at(argument, at))?;
    Ok(Message { peer, pointer: pointer(message.pointer.cast()), bytes: message.byte_count })
}
