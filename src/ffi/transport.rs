//! Transports: functions of the program that move messages for a communicator.

use std::ffi::{c_char, c_void};
use std::fmt::Display;
use std::mem::offset_of;

use crate::comm::{Communicator, Incoming, Outgoing, Short, StartedExchange};
use crate::declared::{self, Wait};
use crate::ffi::border::callback::{Context, Success, Table, ask, call};
use crate::ffi::border::guard::Outcome;
use crate::ffi::border::sized::Grows;
use crate::ffi::callback::shardspec_destroy_fn;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::memory::{Shared, try_uninit};
use crate::model::{Error, Result};
use crate::unwind;

/// One message of an exchange.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_message {
    /// The other rank of the message: the receiver of a send, or the sender of a receive.
    pub peer: i64,
    /// The address of the message's first byte. The transport must not write to the memory of a
    /// message that it sends.
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

/// Starts all messages of the arrays. Returns the status of success when all messages are complete.
/// Returns the status of a failure if a message can't complete.
///
/// The peer of a message is never the calling rank. A message is never empty. Sender and receiver
/// pass the same number of bytes for a message. Messages from one rank to another must arrive in
/// the order of their sends, within one exchange and across exchanges. The library calls the
/// function only on ranks with messages. The transport should start receives before sends. All
/// messages of one call must be in progress at the same time. If a transport first completes all
/// sends of a call, or first completes all receives, two ranks can wait for each other for ever.
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

/// Starts all messages of the arrays. Returns without waiting for another rank.
///
/// The function may write any value to `*exchange`. `test` and `wait` receive the value of
/// `*exchange`. The rules of `shardspec_exchange_fn` apply. The arrays of messages are valid during
/// this call only. The memory of the messages is valid until the exchange has ended. An exchange
/// ends when `test` writes 1 to `*done` or fails, or when `wait` returns. After the end, the
/// transport must not use the memory. The library does not use `*exchange` after the end. The
/// library starts at most one exchange at a time on a rank. A call that fails must start no
/// message.
pub type shardspec_exchange_start_fn = Option<
    unsafe extern "C-unwind" fn(
        ctx: *mut c_void,
        sends: *const shardspec_message,
        send_count: usize,
        receives: *const shardspec_message,
        receive_count: usize,
        exchange: *mut *mut c_void,
        err: *mut shardspec_error,
    ) -> shardspec_status,
>;

/// Writes 1 to `*done` if all messages of a started exchange are complete, else 0. The function
/// makes all progress that is possible without waiting for another rank.
pub type shardspec_exchange_test_fn = Option<
    unsafe extern "C-unwind" fn(
        ctx: *mut c_void,
        exchange: *mut c_void,
        done: *mut i32,
        err: *mut shardspec_error,
    ) -> shardspec_status,
>;

/// Returns the status of success when all messages of a started exchange are complete. Returns the
/// status of a failure if a message can't complete.
pub type shardspec_exchange_wait_fn = Option<
    unsafe extern "C-unwind" fn(
        ctx: *mut c_void,
        exchange: *mut c_void,
        err: *mut shardspec_error,
    ) -> shardspec_status,
>;

/// Makes all later exchanges fail, on every rank that the transport can reach. Exchanges that wait
/// at the time of the call also fail. For example, the function calls ncclCommAbort or closes the
/// connections. `reason` is a text for people. The text is valid during the call.
///
/// The library calls `abort` if a collective fails on this rank and other ranks may wait for
/// messages of this rank. `abort` makes the other ranks return. If an exception leaves `exchange`,
/// the library calls `abort` before the exception continues. `shardspec_comm_abort` also calls
/// `abort`. A program may call `shardspec_comm_abort` on any thread, so `abort` may run while
/// `exchange` runs on another thread.
pub type shardspec_abort_fn =
    Option<unsafe extern "C-unwind" fn(ctx: *mut c_void, reason: *const c_char)>;

/// Returns the number of the node of rank `rank`. Ranks on the same node have the same number.
/// Numbers of nodes are >= 0. A negative number means an unknown node. The library treats a rank
/// with an unknown node as alone on its node.
///
/// The function must return without waiting. All calls for a rank must return the same number. The
/// function can't fail. All ranks of a communicator must group the ranks into the same nodes. The
/// numbers of the nodes may differ between ranks. If ranks disagree about the nodes, collectives
/// with replicas return DISAGREEMENT.
pub type shardspec_node_fn =
    Option<unsafe extern "C-unwind" fn(ctx: *mut c_void, rank: i64) -> i64>;

/// A table with the functions of a transport.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_comm_vtable {
    /// `sizeof(shardspec_comm_vtable)`.
    pub struct_size: u64,
    /// Frees `ctx`. NULL means that there is nothing to free.
    pub destroy: shardspec_destroy_fn,
    /// Exchanges messages. NULL is not allowed.
    pub exchange: shardspec_exchange_fn,
    /// The status that `exchange`, `start`, `test` and `wait` return on success: 0,
    /// `SHARDSPEC_CALLBACK_OK` or `SHARDSPEC_CALLBACK_OK_IN_ERR`.
    pub success_status: shardspec_status,
    /// This field must be 0.
    pub reserved: i32,
    /// Makes exchanges fail on all ranks. With NULL, the library has no way to report a failure to
    /// the other ranks.
    pub abort: shardspec_abort_fn,
    /// Returns the node of a rank. If several source shards hold an element, the library prefers a
    /// source shard on the rank of the destination. If no source shard is on this rank, the library
    /// prefers a source shard on the node of the destination. With NULL, the library treats all
    /// nodes as unknown.
    pub node: shardspec_node_fn,
    /// Starts an exchange, for requests. `start`, `test` and `wait` are either all set or all NULL.
    /// With NULL, a request calls `exchange` instead, inside of `shardspec_request_wait`.
    pub start: shardspec_exchange_start_fn,
    /// Tests whether a started exchange is complete.
    pub test: shardspec_exchange_test_fn,
    /// Waits until a started exchange is complete.
    pub wait: shardspec_exchange_wait_fn,
}

// SAFETY: `shardspec_comm_vtable` is `repr(C)` and begins with its `struct_size`. All other fields
// are numbers, and functions that may be NULL, so zeros are a value of it.
unsafe impl Grows for shardspec_comm_vtable {
    const NAME: &'static str = "shardspec_comm_vtable";
    const FIRST_SIZE: usize = 24;
}

// SAFETY: `destroy` is the second field of `shardspec_comm_vtable`, as is asserted below.
unsafe impl Table for shardspec_comm_vtable {}
const _: () = assert!(offset_of!(shardspec_comm_vtable, destroy) == size_of::<u64>());

/// A transport of the user's, and the exchange that it started.
struct Functions {
    table: shardspec_comm_vtable,
    success: Success,
    context: Context,
}

impl Functions {
    fn abort(&self, reason: &dyn Display) {
        let Some(abort) = self.table.abort else {
            return;
        };
        let reason = Short::<{ REASON - 1 }>::new(reason);
        let mut text = [0; REASON];
        for (place, byte) in text.iter_mut().zip(reason.as_str().bytes()) {
            *place = byte as c_char;
        }
        // SAFETY: the contract of `Context` is that `abort` may be called with this `ctx`. The
        // `text` ends in a NUL, and exists until it returns.
        unwind::call("abort", || unsafe { abort(self.context.ctx(), text.as_ptr()) });
    }
}

/// A communicator over a transport of the user's.
pub(crate) struct Transport {
    functions: Shared<Functions>,
    rank: usize,
    size: usize,
}

impl Transport {
    /// The transport of a table, for rank `rank` of `size`.
    pub(crate) fn new(
        table: shardspec_comm_vtable, context: Context, rank: usize, size: usize,
    ) -> Outcome<Self> {
        let refused = |problem: &'static str| Err(Error::invalid("vtable", problem).into());
        if table.exchange.is_none() {
            return refused("its exchange is NULL; pass a function");
        }
        let starts = [table.start.is_some(), table.test.is_some(), table.wait.is_some()];
        if starts.contains(&true) && starts.contains(&false) {
            return refused("one of start, test and wait is NULL; set all three, or none");
        }
        let success = Success::of(table.success_status, table.reserved)?;
        let functions = Shared::try_new(Functions { table, success, context })?;
        Ok(Self { functions, rank, size })
    }
}

impl Communicator for Transport {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn node(&self, rank: usize) -> Option<i64> {
        let node = self.functions.table.node?;
        // SAFETY: the contract of `Context` is that `node` may be called with this `ctx`.
        let number = ask("node", || unsafe { node(self.functions.context.ctx(), rank as i64) });
        // A number that no other rank has stands for a node that is not known.
        Some(if number < 0 { (rank as i64).wrapping_neg().wrapping_sub(1) } else { number })
    }

    unsafe fn exchange(&self, sends: &[Outgoing], receives: &[Incoming]) -> Result<()> {
        let Functions { table, success, context } = &*self.functions;
        let Some(exchange) = table.exchange else {
            return Err(Error::invalid("vtable", "its exchange is NULL"));
        };
        declared::blocks(Wait::OtherRanks);
        call("exchange", "exchange of the communicator", *success, |err| {
            // SAFETY: the contract of `Context` is that `exchange` may be called with this `ctx`,
            // and that of `Communicator::exchange` covers the memory of the messages. A message
            // looks like a `shardspec_message`, as is asserted above.
            unsafe {
                exchange(
                    context.ctx(),
                    sends.as_ptr().cast(),
                    sends.len(),
                    receives.as_ptr().cast(),
                    receives.len(),
                    err,
                )
            }
        })
    }

    unsafe fn start(
        &self, sends: &[Outgoing], receives: &[Incoming],
    ) -> Result<Option<Box<dyn StartedExchange>>> {
        let Functions { table, success, context } = &*self.functions;
        let (Some(start), Some(test), Some(wait)) = (table.start, table.test, table.wait) else {
            return Ok(None);
        };
        // Allocated before anything is started.
        let place = try_uninit::<TransportExchange>()?;
        let mut exchange = std::ptr::null_mut();
        let out = &raw mut exchange;
        call("start", "start of the communicator", *success, |err| {
            // SAFETY: the contract of `Context` is that `start` may be called with this `ctx`, and
            // that of `Communicator::start` covers the memory of the messages. A message looks like
            // a `shardspec_message`, as is asserted above.
            unsafe {
                start(
                    context.ctx(),
                    sends.as_ptr().cast(),
                    sends.len(),
                    receives.as_ptr().cast(),
                    receives.len(),
                    out,
                    err,
                )
            }
        })?;
        let functions = self.functions.clone();
        let started = TransportExchange { functions, test, wait, exchange, ended: false };
        let started: Box<TransportExchange> = Box::write(place, started);
        Ok(Some(started))
    }

    fn can_abort(&self) -> bool {
        self.functions.table.abort.is_some()
    }

    fn abort(&self, reason: &dyn Display) {
        self.functions.abort(reason);
    }
}

/// The functions of a table that move a started exchange on, when they are there.
type TestFn = unsafe extern "C-unwind" fn(
    *mut c_void,
    *mut c_void,
    *mut i32,
    *mut shardspec_error,
) -> shardspec_status;
type WaitFn =
    unsafe extern "C-unwind" fn(*mut c_void, *mut c_void, *mut shardspec_error) -> shardspec_status;

/// An exchange that a transport of the user's started.
struct TransportExchange {
    functions: Shared<Functions>,
    test: TestFn,
    wait: WaitFn,
    exchange: *mut c_void,
    ended: bool,
}

// SAFETY: a `TransportExchange` never follows `exchange`, and the contract of `Context` is that its
// functions may run on any thread.
unsafe impl Send for TransportExchange {}

impl StartedExchange for TransportExchange {
    fn test(&mut self) -> Result<bool> {
        let Functions { success, context, .. } = &*self.functions;
        let mut done = 0;
        let out = &raw mut done;
        let tested = call("test", "test of the communicator", *success, |err| {
            // SAFETY: the contract of `Context` is that `test` may be called with this `ctx` and
            // what `start` wrote, until the exchange has ended. Then this value is dropped.
            unsafe { (self.test)(context.ctx(), self.exchange, out, err) }
        });
        self.ended = tested.is_err() || done != 0;
        tested.map(|()| done != 0)
    }

    fn wait(&mut self) -> Result<()> {
        let Functions { success, context, .. } = &*self.functions;
        self.ended = true;
        declared::blocks(Wait::OtherRanks);
        call("wait", "wait of the communicator", *success, |err| {
            // SAFETY: the contract of `Context` is that `wait` may be called with this `ctx` and
            // what `start` wrote, until the exchange has ended.
            unsafe { (self.wait)(context.ctx(), self.exchange, err) }
        })
    }
}

impl Drop for TransportExchange {
    fn drop(&mut self) {
        if !self.ended {
            self.functions.abort(&"a request was freed before it was complete");
            // No rank reads its messages, but their memory is the caller's again after this.
            let _ = self.wait();
        }
    }
}

/// Bytes of the reason that `abort` receives, the NUL included.
const REASON: usize = 512;
