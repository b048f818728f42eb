//! Communicators.
//!
//! A communicator is a group of ranks that exchange messages. Its handle belongs to one of these
//! ranks. The library links no transport. It requires one function of a transport, exchange: start
//! a set of messages and return when all are complete. In MPI these are MPI_Irecv, MPI_Isend and
//! MPI_Waitall (`shardspec_mpi.h`), in NCCL ncclGroupStart, ncclSend, ncclRecv and ncclGroupEnd, in
//! torch batch_isend_irecv. A program without a transport can run its ranks as threads, with
//! `shardspec_comm_new_local`.
//!
//! A rank makes one call at a time. Two concurrent calls with one communicator are refused or mix
//! up their messages.

use std::ffi::{c_char, c_void};
use std::fmt::Display;
use std::mem::offset_of;

use crate::comm::{self, Communicator, Incoming, Message, Outgoing, Short};
use crate::declared::{self, Wait};
use crate::ffi::border::callback::{Context, Success, Table, call, owning_table};
use crate::ffi::border::guard::{Outcome, Refusal, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::pointer::{optional_text, out, out_slice, slice};
use crate::ffi::border::sized::{Grows, sized};
use crate::ffi::border::slot_map::SlotMap;
use crate::ffi::callback::shardspec_destroy_fn;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::memory::{try_box, try_collect_results, try_with_capacity};
use crate::model::{Error, Result};
use crate::unwind;

/// A communicator, behind a handle; free it with `shardspec_comm_free`.
pub struct shardspec_comm {
    _opaque: [u8; 0],
}

impl Handle for shardspec_comm {
    type Object = Box<dyn Communicator>;
    const NAME: &'static str = "shardspec_comm";
    const KIND: u64 = 8;

    fn table() -> &'static SlotMap<Self::Object> {
        static TABLE: SlotMap<Box<dyn Communicator>> = SlotMap::new();
        &TABLE
    }
}

/// One message of an exchange.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_message {
    /// The rank that receives or sends the message.
    pub peer: i64,
    /// The first byte of the message. The transport does not write memory of messages that it
    /// sends.
    pub pointer: *mut c_void,
    /// Number of bytes.
    pub byte_count: usize,
}

// A message is laid out as in the library, so that an exchange needs no memory for those of C.
const _: () = {
    assert!(size_of::<shardspec_message>() == size_of::<Outgoing>());
    assert!(offset_of!(shardspec_message, peer) == offset_of!(Outgoing, peer));
    assert!(offset_of!(shardspec_message, pointer) == offset_of!(Outgoing, pointer));
    assert!(offset_of!(shardspec_message, byte_count) == offset_of!(Outgoing, bytes));
};

/// Starts all of these messages and returns when all are complete, or when the transport knows that
/// some can't complete.
///
/// No message has the own rank as its peer, and none is empty. Sender and receiver pass the same
/// number of bytes for a message. Messages from one rank to another arrive in the order in which
/// they are sent, in one exchange and across exchanges. A rank without messages does not call the
/// function. The transport should start receives before sends. Neither may wait for the other.
pub type shardspec_exchange_fn = Option<
    unsafe extern "C-unwind" fn(
        ctx: *mut c_void,
        sends: *const shardspec_message,
        send_count: usize,
        receives: *const shardspec_message,
        receive_count: usize,
        err: *mut shardspec_error,
    ) -> shardspec_status,
>;

/// Makes all later exchanges fail, on every rank that the transport can reach. Exchanges that are
/// waiting fail too. Examples are ncclCommAbort and closing the connections. `reason` is a text for
/// people; it is valid during the call.
///
/// A collective that fails on this rank calls it if other ranks already rely on this rank. The
/// other ranks then return instead of waiting for its messages. The library also calls it when an
/// exception leaves `exchange`, before the exception continues. `shardspec_comm_abort` calls it on
/// any thread, also while `exchange` runs.
pub type shardspec_abort_fn =
    Option<unsafe extern "C-unwind" fn(ctx: *mut c_void, reason: *const c_char)>;

/// The functions of a transport.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_comm_vtable {
    /// `sizeof(shardspec_comm_vtable)`.
    pub struct_size: u64,
    /// Frees `ctx`. NULL where there is nothing to free.
    pub destroy: shardspec_destroy_fn,
    /// Exchanges messages. Not NULL.
    pub exchange: shardspec_exchange_fn,
    /// The status of success of `exchange`: 0, `SHARDSPEC_CALLBACK_OK`, or `..._IN_ERR`.
    pub success_status: shardspec_status,
    /// 0.
    pub reserved: i32,
    /// Makes exchanges fail on all ranks. With NULL, only the transport itself can report a failure
    /// to other ranks.
    pub abort: shardspec_abort_fn,
}

// SAFETY: `struct_size` comes first, and zeros are NULL functions.
unsafe impl Grows for shardspec_comm_vtable {
    const NAME: &'static str = "shardspec_comm_vtable";
    const FIRST_SIZE: usize = 24;
}

// SAFETY: `destroy` comes second.
unsafe impl Table for shardspec_comm_vtable {}

/// A transport of the user's.
struct Transport {
    table: shardspec_comm_vtable,
    success: Success,
    context: Context,
    rank: usize,
    size: usize,
}

impl Communicator for Transport {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    unsafe fn exchange(&self, sends: &[Outgoing], receives: &[Incoming]) -> Result<()> {
        let Some(exchange) = self.table.exchange else {
            return Err(Error::invalid("vtable", "its exchange is NULL"));
        };
        declared::blocks(Wait::OtherRanks);
        call("exchange", "exchange of the communicator", self.success, |err| {
            // SAFETY: the user passed the function to be called like this.
            unsafe {
                exchange(
                    self.context.ctx(),
                    sends.as_ptr().cast(),
                    sends.len(),
                    receives.as_ptr().cast(),
                    receives.len(),
                    err,
                )
            }
        })
    }

    fn abort(&self, reason: &dyn Display) {
        let Some(abort) = self.table.abort else {
            return;
        };
        let reason = Short::<{ REASON - 1 }>::new(reason);
        let mut text = [0; REASON];
        for (place, byte) in text.iter_mut().zip(reason.as_str().bytes()) {
            *place = byte as c_char;
        }
        // SAFETY: the user passed the function to be called like this.
        unwind::call("abort", || unsafe { abort(self.context.ctx(), text.as_ptr()) });
    }
}

/// Bytes of the reason that `abort` receives, the NUL included.
const REASON: usize = 512;

fn new_handle(communicator: impl Communicator + 'static) -> Result<*mut shardspec_comm> {
    let communicator: Box<dyn Communicator> = try_box(communicator)?;
    handle::insert(communicator)
}

/// An argument that is a rank.
pub(crate) fn rank_argument(argument: &'static str, rank: i64) -> Outcome<usize> {
    usize::try_from(rank).map_err(|_| Error::TooSmall { argument, value: rank, least: 0 }.into())
}

/// Creates a communicator over a custom transport, for rank `rank` of `size` ranks. The library
/// calls `exchange` on the thread that calls a collective.
///
/// Ownership: the library copies the table. It owns `ctx` from the call on, also when the call
/// fails, and calls `destroy(ctx)` after the communicator was freed and no call uses it. The caller
/// frees `*out`.
/// Calls back: `destroy`, if the call fails.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT for a table without `exchange` or with a wrong struct_size, and for a
/// size below 1, INDEX_OUT_OF_RANGE for a rank that is not below the size, NULL_ARGUMENT,
/// OUT_OF_MEMORY.
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
            if table.exchange.is_none() {
                let problem = "its exchange is NULL; pass a function";
                return Err(Error::invalid("vtable", problem).into());
            }
            if size < 1 {
                return Err(Error::TooSmall { argument: "size", value: size, least: 1 }.into());
            }
            let (rank, size) = (rank_argument("rank", rank)?, rank_argument("size", size)?);
            comm::check_rank("rank", rank, size)?;
            let success = Success::of(table.success_status, table.reserved)?;
            place.set(new_handle(Transport { table, success, context, rank, size })?);
            Ok(())
        }),
    )
}

/// Creates `size` communicators for threads of this process and writes their handles into the
/// array `comms`, which has room for `size` of them. `comms[r]` is for rank `r`. One thread at a
/// time uses each of them. The receiver of a message copies it, once.
///
/// If a rank frees its communicator while others wait for it, or two ranks disagree about the
/// length of a message, all later exchanges of the group fail with TRANSPORT_FAILED and the reason.
/// No rank waits for a message that can't arrive. In a child process after fork, exchanges are
/// refused.
///
/// Ownership: the caller frees each of `comms[0]` to `comms[size - 1]`.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT for size 0, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_new_local(
    size: usize, comms: *mut *mut shardspec_comm, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = out_slice("comms", comms, size)?;
        let mut handles = try_with_capacity(size)?;
        for communicator in comm::local(size)? {
            match new_handle(communicator) {
                // There is room for all.
                Ok(handle) => handles.push(handle),
                Err(error) => {
                    handles.into_iter().try_for_each(|handle| handle::free("comms", handle))?;
                    return Err(error.into());
                }
            }
        }
        place.fill(&handles);
        Ok(())
    })
}

/// Frees a communicator. NULL is allowed. With MPI, every rank frees its communicator before
/// MPI_Finalize.
///
/// Calls back: `destroy`, if nothing else uses the object.
/// Blocks: no.
/// Errors: INVALID_HANDLE, also for a handle that was freed before.
/// Threads: any. A call of another thread that uses the handle completes normally, and `destroy`
/// runs after it.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_free(
    comm: *mut shardspec_comm, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || handle::free("comm", comm))
}

/// Writes this rank to `*out`: 0 to size - 1.
///
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

/// Exchanges messages between ranks. A transport that wraps another one can call it too.
///
/// The library itself copies messages whose peer is the own rank: the i-th send to the i-th
/// receive. It skips empty messages. The transport receives neither. Ranks without messages need
/// not call the function.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `exchange` of a custom transport; `destroy`, if another thread frees a handle during
/// the call.
/// Blocks: on other ranks.
/// Errors: INDEX_OUT_OF_RANGE for a peer outside of the communicator, INVALID_ARGUMENT where
/// messages to the own rank differ in number or bytes from those received, NULL_ARGUMENT,
/// INVALID_HANDLE. After one of these, nothing was written. TRANSPORT_FAILED and any status of a
/// custom transport; some messages may then have arrived.
/// Threads: any, one at a time for each communicator.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_exchange(
    comm: *const shardspec_comm, sends: *const shardspec_message, send_count: usize,
    receives: *const shardspec_message, receive_count: usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let comm = handle::get("comm", comm)?;
        let sends = slice("sends", sends, send_count)?;
        let receives = slice("receives", receives, receive_count)?;
        let sends = sends.iter().enumerate();
        let sends = sends.map(|(at, sent)| message("sends", at, sent, <*mut u8>::cast_const));
        let sends: Vec<Outgoing> = try_collect_results(sends)?;
        let receives = receives.iter().enumerate();
        let receives =
            receives.map(|(at, received)| message("receives", at, received, |pointer| pointer));
        let receives: Vec<Incoming> = try_collect_results(receives)?;
        Ok(comm::exchange(&**comm, &sends, &receives)?)
    })
}

/// Makes all later exchanges of a communicator fail, on every rank that its transport can reach.
/// Ranks that wait in an exchange return TRANSPORT_FAILED.
///
/// Local communicators reach all ranks of their group, and the message of the error contains
/// `reason`, which may be NULL. For a custom transport, the function calls `abort` of its table;
/// with `abort` NULL, it does nothing. A collective that fails on one rank after the agreement
/// calls this function itself.
///
/// Ownership: the library copies `reason`. Every rank still frees its communicator.
/// Calls back: `abort` of a custom transport; `destroy`, if another thread frees a handle during
/// the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT for a reason that is not UTF-8, INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any, also while another thread exchanges.
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

/// A message argument, whose memory is there if it has bytes.
fn message<P>(
    argument: &'static str, at: usize, message: &shardspec_message, pointer: impl Fn(*mut u8) -> P,
) -> Outcome<Message<P>> {
    let peer = rank_argument(argument, message.peer).map_err(Refusal::at(argument, at))?;
    // SAFETY: bytes have no alignment, and nothing is read here.
    unsafe { out_slice(argument, message.pointer.cast::<u8>(), message.byte_count) }
        .map_err(Refusal::at(argument, at))?;
    Ok(Message { peer, pointer: pointer(message.pointer.cast()), bytes: message.byte_count })
}
