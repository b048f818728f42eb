//! A communicator that handles, groups and requests share.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};

use super::group::Group;
use super::started::StartedExchange;
use super::{Communicator, Incoming, Outgoing};
use crate::memory::{Shared, try_box};
use crate::model::{Error, Result};

/// A communicator with several owners. While a request is under way on it, or on one that was made
/// from it or that it was made from, it refuses all other exchanges.
#[derive(Clone)]
pub struct SharedCommunicator {
    inner: Shared<Box<dyn Communicator>>,
    /// A request is under way on the transport.
    claimed: Shared<AtomicBool>,
}

impl SharedCommunicator {
    /// A communicator with one owner.
    pub fn new(communicator: impl Communicator + 'static) -> Result<Self> {
        let communicator: Box<dyn Communicator> = try_box(communicator)?;
        let claimed = Shared::try_new(AtomicBool::new(false))?;
        Ok(Self { inner: Shared::try_new(communicator)?, claimed })
    }

    /// Some of its ranks as a communicator over the same transport; see [`Group::new`].
    pub fn group(
        &self, members: Option<&[usize]>, placement_ranks: Option<&[i64]>,
    ) -> Result<Self> {
        let group = Group::new(self.inner.clone(), members, placement_ranks)?;
        let group: Box<dyn Communicator> = try_box(group)?;
        Ok(Self { inner: Shared::try_new(group)?, claimed: self.claimed.clone() })
    }

    /// Claims the transport for a request, until the claim is dropped.
    pub(super) fn claim(&self) -> Result<Claim> {
        if self.claimed.swap(true, Ordering::Acquire) {
            return Err(in_use());
        }
        Ok(Claim { comm: self.clone() })
    }

    /// Refuses a communicator on which a request is under way.
    pub fn check_unclaimed(&self) -> Result<()> {
        if self.claimed.load(Ordering::Acquire) { Err(in_use()) } else { Ok(()) }
    }
}

fn in_use() -> Error {
    let problem = "a request on it is not complete; wait for that, free it, or use another \
                   communicator";
    Error::invalid("comm", problem)
}

/// The right of a request to exchange.
pub(super) struct Claim {
    comm: SharedCommunicator,
}

impl Claim {
    /// The communicator, which exchanges for the request.
    pub(super) fn comm(&self) -> &dyn Communicator {
        &**self.comm.inner
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.comm.claimed.store(false, Ordering::Release);
    }
}

impl Communicator for SharedCommunicator {
    fn rank(&self) -> usize {
        self.inner.rank()
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn placement_rank(&self, rank: usize) -> i64 {
        self.inner.placement_rank(rank)
    }

    fn rank_placed(&self, placement_rank: i64) -> Option<usize> {
        self.inner.rank_placed(placement_rank)
    }

    fn node(&self, rank: usize) -> Option<i64> {
        self.inner.node(rank)
    }

    fn fingerprint(&self) -> u64 {
        self.inner.fingerprint()
    }

    unsafe fn exchange(&self, sends: &[Outgoing], receives: &[Incoming]) -> Result<()> {
        self.check_unclaimed()?;
        // SAFETY: the contract of `exchange` is the same for the communicator `inner`, with the
        // same `sends` and `receives`.
        unsafe { self.inner.exchange(sends, receives) }
    }

    unsafe fn start(
        &self, sends: &[Outgoing], receives: &[Incoming],
    ) -> Result<Option<Box<dyn StartedExchange>>> {
        self.check_unclaimed()?;
        // SAFETY: the contract of `start` is the same for the communicator `inner`, with the same
        // `sends` and `receives`.
        unsafe { self.inner.start(sends, receives) }
    }

    fn can_abort(&self) -> bool {
        self.inner.can_abort()
    }

    fn abort(&self, reason: &dyn Display) {
        self.inner.abort(reason);
    }
}
