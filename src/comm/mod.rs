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
mod collective_work;
mod engine;
pub mod error;
mod gather;
mod group;
mod hub;
mod kept;
mod known_moves;
mod layouts;
mod local;
mod local_exchange;
mod message;
mod move_plans;
mod mover;
mod moves;
mod owners;
mod pending;
mod pipeline;
mod prepared;
mod prepared_transfer;
mod proposals;
mod rank_pieces;
mod request;
mod reshard;
mod scatter;
mod schedule;
mod scoped_thread;
mod search;
mod shared;
mod short;
mod staging;
mod started;
mod transfer_once;
mod underway;
mod whole;
mod wire;

pub use agree::Reason;
pub use batch::BatchTensor;
pub use carry_out::{decline, report};
pub use collective_work::{
    decline_work, gather_work, prepare_work, report_work, reshard_work, run_work, scatter_work,
    transfer_work,
};
pub use error::CommError;
pub(crate) use error::TensorName;
pub use gather::{Gather, gather};
pub use group::Group;
pub use known_moves::KnownMoves;
pub use layouts::TensorLayouts;
pub use local::{LocalCommunicator, local, local_on_nodes};
pub use message::exchange;
pub use moves::TensorMoves;
pub use owners::{ShardRanks, check_view_count, own_shards};
pub use prepared_transfer::{Preparation, PreparedTransfer, TransferRun};
pub use request::{Request, Work, own_messages};
pub use reshard::{Reshard, reshard};
pub use scatter::{Scatter, scatter};
pub use shared::SharedCommunicator;
pub(crate) use short::Short;
pub use started::StartedExchange;
pub use transfer_once::{agree_on, transfer};
pub use whole::{Root, full_tensor};

use std::fmt::Display;

use crate::model::{Error, Result};
use crate::transfer::CopyOptions;
pub use crate::transfer::TensorShards;

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

    /// The rank that placements, root arguments and errors name one of these ranks by.
    fn placement_rank(&self, rank: usize) -> i64 {
        rank as i64
    }

    /// The rank of this communicator that placements name so.
    fn rank_placed(&self, placement_rank: i64) -> Option<usize> {
        usize::try_from(placement_rank).ok().filter(|&rank| rank < self.size())
    }

    /// The node of a rank: ranks with equal numbers are near each other. `None`: nothing is known. All
    /// ranks answer alike, but for the numbers themselves.
    fn node(&self, rank: usize) -> Option<i64> {
        let _ = rank;
        None
    }

    /// A number that is equal on ranks that name their ranks alike.
    fn fingerprint(&self) -> u64 {
        0
    }

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

    /// Starts an exchange and returns without waiting for another rank. `None`, and nothing was
    /// started, where the transport can't do that.
    ///
    /// Until the exchange has ended, no other one is started or done by this communicator.
    ///
    /// # Safety
    ///
    /// As [`Self::exchange`], until the exchange has ended. The lists of messages are used during this
    /// call only.
    unsafe fn start(
        &self, sends: &[Outgoing], receives: &[Incoming],
    ) -> Result<Option<Box<dyn StartedExchange>>> {
        let _ = (sends, receives);
        Ok(None)
    }

    /// Whether [`Self::abort`] wakes other ranks.
    fn can_abort(&self) -> bool {
        false
    }

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

/// The rank of a communicator that an argument names as placements do.
pub(crate) fn rank_placed(
    comm: &dyn Communicator, argument: &'static str, rank: usize,
) -> Result<usize> {
    let placed = i64::try_from(rank).ok().and_then(|rank| comm.rank_placed(rank));
    placed.ok_or_else(|| {
        if comm.fingerprint() == 0 {
            return Error::IndexOutOfRange {
                argument,
                index: rank as u64,
                count: comm.size() as u64,
            };
        }
        Error::Comm(CommError::NotInGroup { argument, rank, size: comm.size() })
    })
}

/// Refuses a rank outside a communicator of `size` ranks.
pub(crate) fn check_rank(argument: &'static str, rank: usize, size: usize) -> Result<()> {
    if rank < size {
        return Ok(());
    }
    Err(Error::IndexOutOfRange { argument, index: rank as u64, count: size as u64 })
}
