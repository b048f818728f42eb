//! Across processes: what is asked of a transport, and the collectives built on it.
//!
//! No transport is linked. A [`Communicator`] knows its rank and size and does one thing, exchange:
//! it maps onto `MPI_Irecv`, `MPI_Isend` and `MPI_Waitall`, onto `ncclGroupStart` and `ncclGroupEnd`,
//! onto torch's `batch_isend_irecv`. [`local()`] makes communicators between threads.
//!
//! Every collective starts with an agreement in `ceil(log2 size)` rounds: when a rank passed what
//! can't be used, or something else than the others, all ranks return an error and nothing moved.
//! After it only the transport can fail.

mod agree;
mod batch;
mod carry_out;
mod channel;
mod engine;
pub mod error;
mod gather;
mod hub;
mod kept;
mod local;
mod message;
mod mover;
mod moves;
mod owners;
mod pending;
mod pipeline;
mod prepared;
mod prepared_transfer;
mod proposals;
mod reshard;
mod scatter;
mod schedule;
mod scoped_thread;
mod search;
mod short;
mod staging;
mod underway;
mod whole;
mod wire;

pub use agree::Reason;
pub use batch::{BatchTensor, TensorShards};
pub use carry_out::decline;
pub use error::CommError;
pub(crate) use error::TensorName;
pub use gather::{Gather, gather};
pub use local::{LocalCommunicator, local};
pub use message::exchange;
pub use moves::TensorLayouts;
pub use owners::{ShardRanks, own_shards};
pub use prepared_transfer::{PreparedTransfer, TransferRun, transfer};
pub use reshard::{Reshard, reshard};
pub use scatter::{Scatter, scatter};
pub(crate) use short::Short;
pub use whole::{Root, full_tensor};

use std::fmt::Display;

use crate::model::{Error, Result};
use crate::transfer::CopyOptions;

/// One message of an exchange: where it goes or comes from, and the memory it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Message<P> {
    /// The other rank.
    pub peer: usize,
    /// The first byte.
    pub pointer: P,
    /// How many bytes.
    pub bytes: usize,
}

/// A message to be sent.
pub type Outgoing = Message<*const u8>;
/// A message to be received.
pub type Incoming = Message<*mut u8>;

/// Some ranks that can send bytes to each other, as one of them sees it.
pub trait Communicator: Send + Sync {
    /// This rank, from 0 to `size() - 1`.
    fn rank(&self) -> usize;

    /// How many ranks there are, at least 1.
    fn size(&self) -> usize;

    /// Starts all of these messages, and returns when all are complete.
    ///
    /// Of several messages from one rank to another, the first that is sent is the first that is
    /// received, in one exchange and from one to the next. Both sides give a message the same number
    /// of bytes, at least 1; no message is to oneself. Ranks need not take part that have no message
    /// to exchange.
    ///
    /// On failure some messages may have arrived. What others learn of it is the transport's affair.
    ///
    /// # Safety
    ///
    /// The memory of every outgoing message may be read, that of every incoming one written, and
    /// nothing else uses either meanwhile.
    unsafe fn exchange(&self, sends: &[Outgoing], receives: &[Incoming]) -> Result<()>;

    /// Makes exchanges fail from now on, with this reason, on every rank that the transport can
    /// reach, those that wait in one included. May be called by any thread, also while another one
    /// exchanges.
    ///
    /// A collective that fails on this rank once other ranks may rely on it calls this, so that they
    /// do not wait for its messages. Where a transport can't do that, nothing is done.
    fn abort(&self, reason: &dyn Display) {
        let _ = reason;
    }
}

/// How a collective works. Nothing here changes what is moved.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Most bytes of memory that this rank spends on putting messages together. All ranks work with
    /// the least that one of them states, and with a few elements where it is less than those.
    pub memory_limit: u64,
    /// How to copy.
    pub copy: CopyOptions,
}

impl Options {
    /// 64 MiB.
    pub const DEFAULT_MEMORY_LIMIT: u64 = 64 << 20;
}

impl Default for Options {
    fn default() -> Self {
        Self { memory_limit: Self::DEFAULT_MEMORY_LIMIT, copy: CopyOptions::default() }
    }
}

/// Refuses a rank outside a communicator of `size` ranks.
pub(crate) fn check_rank(argument: &'static str, rank: usize, size: usize) -> Result<()> {
    if rank < size {
        return Ok(());
    }
    Err(Error::IndexOutOfRange { argument, index: rank as u64, count: size as u64 })
}
