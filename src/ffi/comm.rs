//! Communicators.
//!
//! Some ranks that can send bytes to each other, as one of them sees it. The library links no
//! transport. It asks for one function, exchange: start all of these messages, return when all are
//! complete. With MPI that is MPI_Irecv, MPI_Isend and MPI_Waitall (`shardspec_mpi.h` is that), with
//! NCCL ncclGroupStart, ncclSend, ncclRecv and ncclGroupEnd, with torch batch_isend_irecv. A program
//! that has no transport runs its ranks as threads: `shardspec_comm_new_local`.
//!
//! A rank is one thread at a time: two calls by one communicator at the same time are refused or mix
//! up their messages.

use std::ffi::{c_char, c_void};
use std::fmt::Display;
use std::mem::offset_of;

use crate::comm::{self, Communicator, Incoming, Message, Outgoing, Short};
use crate::ffi::border::callback::{Context, Success, Table, call, owning_table};
use crate::ffi::border::guard::{Outcome, Refusal, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::pointer::{optional_text, out, out_slice, slice};
use crate::ffi::border::sized::{Grows, sized};
use crate::ffi::border::slots::Slots;
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

    fn table() -> &'static Slots<Self::Object> {
        static TABLE: Slots<Box<dyn Communicator>> = Slots::new();
        &TABLE
    }
}

/// One message of an exchange.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_message {
    /// The rank that it goes to, or comes from.
    pub peer: i64,
    /// Its first byte. Memory that is sent is read and not written.
    pub pointer: *mut c_void,
    /// How many bytes.
    pub byte_count: usize,
}

// A message is laid out as in the library, so that an exchange needs no memory for those of C.
const _: () = {
    assert!(size_of::<shardspec_message>() == size_of::<Outgoing>());
    assert!(offset_of!(shardspec_message, peer) == offset_of!(Outgoing, peer));
    assert!(offset_of!(shardspec_message, pointer) == offset_of!(Outgoing, pointer));
    assert!(offset_of!(shardspec_message, byte_count) == offset_of!(Outgoing, bytes));
};

/// Starts all of these messages and returns when all are complete, or when it is known that they
/// can't be.
///
/// What the library gives it: no message is to oneself or without bytes; both sides give a message
/// the same number of bytes. Of several messages from one rank to another, the first that is sent is
/// the first that is received, in one exchange and from one to the next. A rank that has no message
/// does not take part. Receives should be started before sends, and neither may wait for the other.
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

/// Makes exchanges fail from now on, on every rank that the transport can reach, those that wait in
/// one included: ncclCommAbort, or closing the connections. `reason` is a text for people. It is
/// the library's, and ends with the call.
///
/// A collective that fails on this rank after other ranks began to rely on it calls this, so that
/// they return too and do not wait for its messages. It is called too when an exception leaves
/// `exchange`, before the exception continues. From `shardspec_comm_abort` it may run on any
/// thread, also while `exchange` runs.
pub type shardspec_abort_fn =
    Option<unsafe extern "C-unwind" fn(ctx: *mut c_void, reason: *const c_char)>;

/// What a transport does.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_comm_vtable {
    /// `sizeof(shardspec_comm_vtable)`.
    pub struct_size: u64,
    /// Ends the life of `ctx`; NULL: nothing to end.
    pub destroy: shardspec_destroy_fn,
    /// Moves messages. Not NULL.
    pub exchange: shardspec_exchange_fn,
    /// What `exchange` returns for success: 0, `SHARDSPEC_CALLBACK_OK`, or `..._IN_ERR`.
    pub success_status: shardspec_status,
    /// 0.
    pub reserved: i32,
    /// Makes exchanges fail on all ranks. With NULL, other ranks learn of a failure only through the
    /// transport.
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
        call("exchange of the communicator", self.success, |err| {
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
        unwind::call(|| unsafe { abort(self.context.ctx(), text.as_ptr()) });
    }
}

/// Bytes of the reason that `abort` is told, the NUL included.
const REASON: usize = 512;

fn new_handle(communicator: impl Communicator + 'static) -> Result<*mut shardspec_comm> {
    let communicator: Box<dyn Communicator> = try_box(communicator)?;
    handle::insert(communicator)
}

/// An argument that is a rank.
pub(crate) fn rank_argument(argument: &'static str, rank: i64) -> Outcome<usize> {
    usize::try_from(rank).map_err(|_| Error::TooSmall { argument, value: rank, least: 0 }.into())
}

/// A communicator over a transport of your own, for rank `rank` of `size`. Its `exchange` is called
/// on the thread that calls a collective.
///
/// Ownership: the table is copied; `ctx` is the communicator's from here on, whatever this returns,
/// until `destroy` ends it: when the communicator was freed and nothing uses it any more. The
/// caller frees `*out`. Errors: INVALID_ARGUMENT for a table without `exchange` or of a wrong
/// struct_size, and for a size below 1, INDEX_OUT_OF_RANGE for a rank that is not below the size,
/// NULL_ARGUMENT, OUT_OF_MEMORY. Threads: any. Since: ABI 0.
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
                let problem = "its exchange is NULL; a transport must move messages";
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

/// `size` communicators between the threads of this process: `out[r]` is for rank `r`, and for one
/// thread at a time. A message is one copy, made by its receiver.
///
/// When a rank that others wait for frees its communicator, or two ranks disagree about a message's
/// length, all exchanges of this group fail from then on with TRANSPORT_FAILED and the reason: nobody
/// waits for what will not come. In a child process after fork, exchanges are refused.
///
/// Ownership: the caller frees each of `out[0]` to `out[size - 1]`. Errors: INVALID_ARGUMENT for
/// size 0, NULL_ARGUMENT, OUT_OF_MEMORY. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_new_local(
    size: usize, out: *mut *mut shardspec_comm, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = out_slice("out", out, size)?;
        let mut handles = try_with_capacity(size)?;
        for communicator in comm::local(size)? {
            match new_handle(communicator) {
                // There is room for all.
                Ok(handle) => handles.push(handle),
                Err(error) => {
                    handles.into_iter().try_for_each(|handle| handle::free("out", handle))?;
                    return Err(error.into());
                }
            }
        }
        place.fill(&handles);
        Ok(())
    })
}

/// Frees a communicator. NULL is fine. With MPI, every rank frees its own before MPI_Finalize.
///
/// Errors: INVALID_HANDLE, also when it was freed before. Threads: any, also while another thread
/// uses the handle: a call under way finishes, and `destroy` runs after it. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_free(
    comm: *mut shardspec_comm, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || handle::free("comm", comm))
}

/// This rank: 0 to size - 1.
///
/// Errors: INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
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

/// Number of ranks.
///
/// Errors: INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
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

/// Exchanges messages of your own: what the collectives are made of, and what a transport that wraps
/// another calls. Messages to oneself are copied, the i-th that is sent to the i-th that is received;
/// those without bytes are left out; the transport sees neither. Ranks need not call it that have
/// nothing to exchange.
///
/// Ownership: nothing moves. Errors: INDEX_OUT_OF_RANGE for a peer outside the communicator,
/// INVALID_ARGUMENT for messages to oneself that differ in number or bytes on both sides,
/// NULL_ARGUMENT, INVALID_HANDLE: then nothing was written. TRANSPORT_FAILED, and whatever status a
/// transport of your own returns: then some messages may have arrived. Threads: any, one at a time
/// for each communicator. Since: ABI 0.
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

/// Makes exchanges by this communicator fail from now on, on every rank that its transport can reach:
/// a rank that waits in one returns TRANSPORT_FAILED. For local communicators these are all ranks of
/// the group, and `reason`, which may be NULL, is in their messages. For a transport of your own,
/// `abort` of its table is called; where that is NULL, nothing happens.
///
/// A collective that fails on one rank after the agreement calls this function itself.
///
/// Ownership: `reason` is copied; every rank still frees its communicator. Errors: INVALID_ARGUMENT
/// for a reason that is not UTF-8, INVALID_HANDLE, NULL_ARGUMENT. Threads: any, also while another
/// thread exchanges. Since: ABI 0.
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
