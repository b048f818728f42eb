//! Requests.
//!
//! A request represents an exchange or a collective that a program has started. Until the request
//! has ended, the program may do other work. Functions with names that end in `_start` create
//! requests. `shardspec_request_test` makes progress with a request without waiting.
//! `shardspec_request_wait` completes a request.
//!
//! Between the program's calls, no thread of the library runs. A request therefore makes progress
//! only inside of `shardspec_request_test` and `shardspec_request_wait`. Other ranks wait for the
//! messages of this request, so a rank that never tests its request delays the other ranks. In one
//! collective, some ranks may call the function with `_start`, and the other ranks may call the
//! function without `_start`.
//!
//! - The buffers of a request must exist until the request has ended. Until the end of the request,
//!   the program may read source buffers but must not write them. Until the end of the request, the
//!   program must not use destination buffers. A request ends successfully when
//!   `shardspec_request_test` writes 1 or `shardspec_request_wait` returns OK. A request also ends
//!   when `shardspec_request_free` returns, or when a test or wait returns an error of the request.
//! - A communicator can have only one request at a time. Until the request has ended, other calls
//!   with the communicator return INVALID_ARGUMENT. If communicators share a transport
//!   (`shardspec_comm_new_group`), only one of these communicators can have a request at a time. To
//!   have two requests at the same time, create two communicators that do not share a transport.
//! - After a request has ended, `shardspec_request_test` and `shardspec_request_wait` return the
//!   same result each time.
//! - Functions with names that end in `_start` do not wait for other ranks. If this rank starts a
//!   collective with an invalid argument, the library still creates a request. The request sends
//!   the error to the other ranks. After this exchange of errors, `shardspec_request_test` or
//!   `shardspec_request_wait` returns the error. The requests of all other ranks return
//!   DISAGREEMENT.
//! - `shardspec_request_free` cancels a request that has not ended. The function aborts the
//!   communicator, so that the other ranks do not wait. After the function has returned, the
//!   program may use the buffers again. If the transport can't abort (MPI), the function completes
//!   the request instead.
//! - `shardspec_request_wait` may copy with a second thread, which ends before the function
//!   returns. `shardspec_request_test` copies the data that stays on this rank in parts of less
//!   than 8 MiB. Between two parts, the function checks the messages.
//! - If a transport has no `start`, a request makes progress only inside of
//!   `shardspec_request_wait`. Without `start`, `shardspec_request_test` writes 0 until the program
//!   calls `shardspec_request_wait`. Local communicators and `shardspec_mpi.h` have `start`.

use std::sync::{Mutex, TryLockError};

use crate::comm::{self, Request, SharedCommunicator, Work};
use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::pointer::out;
use crate::ffi::border::slot_map::SlotMap;
use crate::ffi::comm::{messages_argument, shardspec_comm};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::transport::shardspec_message;
use crate::model::Error;

/// A request, behind a handle. Free the handle with `shardspec_request_free`.
pub struct shardspec_request {
    _opaque: [u8; 0],
}

impl Handle for shardspec_request {
    type Object = Mutex<Request>;
    const NAME: &'static str = "shardspec_request";
    const KIND: u64 = 13;

    fn table() -> &'static SlotMap<Self::Object> {
        static TABLE: SlotMap<Mutex<Request>> = SlotMap::new();
        &TABLE
    }
}

/// Runs a function on a request that no other thread uses.
unsafe fn with_request<T>(
    request: *const shardspec_request, run: impl FnOnce(&mut Request) -> Outcome<T>,
) -> Outcome<T> {
    let request = handle::get("request", request)?;
    let mut request = match request.try_lock() {
        Ok(request) => request,
        // No code that could panic leaves a request half-done.
        Err(TryLockError::Poisoned(request)) => request.into_inner(),
        Err(TryLockError::WouldBlock) => {
            let problem = "another thread tests it or waits for it; one thread at a time does that";
            return Err(Error::invalid("request", problem).into());
        }
    };
    run(&mut request)
}

/// Makes progress with a request without waiting for other ranks. Writes 1 to `*done` if the
/// request has ended successfully, and 0 if the request has not ended. The function copies data
/// that has arrived.
///
/// Ownership: the caller keeps the request, and frees the request after its end.
/// Calls back: `start`, `test` and `abort` of a custom transport; `destroy`, if another thread
/// frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if another thread uses the request; INVALID_HANDLE, NULL_ARGUMENT. If
/// the request fails, the function returns the error of the request's exchange or collective.
/// Threads: any, but only one thread at a time may use the request.
/// Source: MPI_Test.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_request_test(
    request: *const shardspec_request, done: *mut i32, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = out("done", done)?;
        let ended = with_request(request, |request| Ok(request.test()?))?;
        place.set(i32::from(ended));
        Ok(())
    })
}

/// Completes a request. The function returns OK when all data of this rank has arrived and the
/// program may use the buffers again.
///
/// Ownership: the caller keeps the request, and frees it later.
/// Calls back: `exchange`, `start`, `wait` and `abort` of a custom transport; `destroy`, if another
/// thread frees a handle during the call.
/// Blocks: on other ranks.
/// Errors: INVALID_ARGUMENT if another thread uses the request; INVALID_HANDLE, NULL_ARGUMENT. If
/// the request fails, the function returns the error of the request's exchange or collective.
/// Threads: any, but only one thread at a time may use the request.
/// Source: MPI_Wait.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_request_wait(
    request: *const shardspec_request, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || with_request(request, |request| Ok(request.wait()?)))
}

/// Frees a request. NULL is allowed. If the request has not ended, the function cancels the request
/// and aborts the communicator. After the abort, the other ranks stop waiting, and all later
/// exchanges of the communicator fail. If the transport has no `abort`, the function completes the
/// request instead and ignores its result.
///
/// Ownership: after the function has returned, the caller may use the buffers of the request again.
/// Calls back: `abort`, `exchange` and `wait` of a custom transport, if the request has not ended;
/// `destroy`, if nothing else uses the communicator.
/// Blocks: on other ranks, if the request has not ended, until nothing uses the buffers.
/// Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
/// Threads: any. Calls that run on other threads with this handle complete normally. The library
/// frees the request after these calls.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_request_free(
    request: *mut shardspec_request, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || handle::free("request", request))
}

/// A handle for work that is to be started.
pub(crate) fn new_request() -> Outcome<*mut shardspec_request> {
    Ok(handle::insert(Mutex::new(Request::default()))?)
}

/// Starts work by such a handle, which is freed where that is refused.
pub(crate) unsafe fn start(
    handle: *mut shardspec_request, comm: &SharedCommunicator, work: Outcome<Box<dyn Work>>,
) -> Outcome {
    let begun = work.and_then(|work| {
        with_request(handle, |request| Ok(request.begin(comm, work)?))?;
        // What can be sent already is on its way. A failure is the result of the request.
        let _ = with_request(handle, |request| Ok(request.test()?));
        Ok(())
    });
    if begun.is_err() {
        handle::free("request", handle)?;
    }
    begun
}

/// Starts an exchange of messages between ranks. The rules of `shardspec_comm_exchange` for
/// messages apply. Other ranks may call `shardspec_comm_exchange` instead of this function.
///
/// Ownership: the caller frees `*out`. The library reads the arrays during the call only. The
/// memory of the messages belongs to the request until the request has ended.
/// Calls back: `start` and `test` of a custom transport; `destroy`, if another thread frees a
/// handle during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if another request on the communicator has not ended;
/// INDEX_OUT_OF_RANGE if a peer is not a rank of the communicator; INVALID_ARGUMENT if the messages
/// of the calling rank to itself differ in number or length between `sends` and `receives`;
/// NULL_ARGUMENT, INVALID_HANDLE, OUT_OF_MEMORY. After one of these errors, nothing was sent.
/// `shardspec_request_test` and `shardspec_request_wait` return errors of the transport.
/// Threads: any, but only one thread at a time may use the communicator.
/// Source: MPI_Isend, MPI_Irecv.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_exchange_start(
    comm: *const shardspec_comm, sends: *const shardspec_message, send_count: usize,
    receives: *const shardspec_message, receive_count: usize, out: *mut *mut shardspec_request,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let comm = handle::get("comm", comm)?;
        let place = self::out("out", out)?;
        let (sends, receives) = messages_argument(sends, send_count, receives, receive_count)?;
        let work = comm::own_messages(&*comm, &sends, &receives)?;
        let request = new_request()?;
        start(request, &comm, Ok(work))?;
        place.set(request);
        Ok(())
    })
}
