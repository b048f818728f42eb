//! Work on a communicator that goes on in steps, while the caller does something else.

use super::message::{SortedMessages, copy};
use super::pending::PendingExchange;
use super::shared::{Claim, SharedCommunicator};
use super::{Communicator, Incoming, Outgoing};
use crate::comm::CommError;
use crate::error::Foreign;
use crate::memory::try_box;
use crate::model::{Error, Result};

/// What a request does, step by step.
pub trait Work: Send {
    /// Does some of the work; `true` when all is done. With `wait` false it does not wait for other
    /// ranks. After an error there is nothing left to do, and nothing uses the caller's memory.
    ///
    /// # Safety
    ///
    /// From the first step until all is done, failed or dropped, the memory of the request exists, and
    /// nothing else uses what is written or writes what is read.
    unsafe fn step(&mut self, comm: &dyn Communicator, wait: bool) -> Result<bool>;

    /// Does all that is left, and waits for other ranks.
    ///
    /// # Safety
    ///
    /// As [`Self::step`].
    unsafe fn finish(&mut self, comm: &dyn Communicator) -> Result<()> {
        // SAFETY: the contract of `finish` is that of `step`, for all steps until it returns.
        while !unsafe { self.step(comm, true)? } {}
        Ok(())
    }

    /// A number that grows with each step after which the next one need not wait: where a step without
    /// waiting leaves it alone, the next one would have nothing to do either.
    fn completed(&self) -> u64;
}

/// A collective or an exchange that was started and may not be complete.
///
/// It claims its communicator: until it has ended, that makes no other exchange. Dropped before its
/// end, it aborts the communicator, so that other ranks do not wait for this one; where the
/// communicator can't do that, it is completed.
#[derive(Default)]
pub struct Request {
    /// Gone when it has ended. What it uses is dropped before the communicator is free again.
    under_way: Option<(Box<dyn Work>, Claim)>,
    /// How it failed, if it did.
    failure: Option<Foreign>,
    /// A panic has ended a call of it.
    interrupted: bool,
}

impl Request {
    /// A request for work of which nothing is done yet.
    pub fn new(comm: &SharedCommunicator, work: Box<dyn Work>) -> Result<Self> {
        let mut made = Self::default();
        made.begin(comm, work)?;
        Ok(made)
    }

    /// Gives work to a request that has none.
    pub(crate) fn begin(&mut self, comm: &SharedCommunicator, work: Box<dyn Work>) -> Result<()> {
        self.under_way = Some((work, comm.claim()?));
        Ok(())
    }

    /// Does what can be done without waiting for other ranks; whether the request has ended. Its
    /// failure is returned each time.
    ///
    /// # Safety
    ///
    /// As [`Work::step`], until the request has ended or is dropped.
    pub unsafe fn test(&mut self) -> Result<bool> {
        // SAFETY: the contract of `test` is that of `Work::step`, and `go_on` runs no work that has
        // ended.
        self.go_on(|work, comm| unsafe {
            loop {
                let before = work.completed();
                if work.step(comm, false)? {
                    return Ok(true);
                }
                if work.completed() == before {
                    return Ok(false);
                }
            }
        })?;
        Ok(self.under_way.is_none())
    }

    /// Does all that is left.
    ///
    /// # Safety
    ///
    /// As [`Work::step`], until the request has ended or is dropped.
    pub unsafe fn wait(&mut self) -> Result<()> {
        // SAFETY: the contract of `wait` is that of `Work::step`, and so of `Work::finish`.
        self.go_on(|work, comm| unsafe { work.finish(comm).map(|()| true) })
    }

    /// Does some work, if there is any; its failure, then and later. The function returns whether all
    /// is done. A panic in it ends the request.
    fn go_on(
        &mut self, some: impl FnOnce(&mut dyn Work, &dyn Communicator) -> Result<bool>,
    ) -> Result<()> {
        if let Some(mut under_way) = self.under_way.take() {
            self.interrupted = true;
            let (work, claim) = &mut under_way;
            let done = some(&mut **work, claim.comm());
            self.interrupted = false;
            match done {
                Ok(false) => self.under_way = Some(under_way),
                Ok(true) => {}
                Err(error) => self.failure = Some(Foreign::of(&error)),
            }
        }
        if self.interrupted {
            let what = "a panic ended a call of the request";
            return Err(Error::Comm(CommError::TransportFailed { what: what.into() }));
        }
        self.failure.as_ref().map_or(Ok(()), |failure| Err(passed_on(failure)))
    }
}

/// An error that is returned unchanged, perhaps several times.
pub(super) fn passed_on(failure: &Foreign) -> Error {
    try_box(failure.clone()).map_or_else(Error::from, Error::Foreign)
}

impl Drop for Request {
    fn drop(&mut self) {
        let Some((work, claim)) = &mut self.under_way else {
            return;
        };
        let comm = claim.comm();
        if comm.size() == 1 {
            return;
        }
        if comm.can_abort() {
            comm.abort(&"a request was freed before it was complete");
        } else {
            // The other ranks would wait for ever.
            // SAFETY: the contract of `Work::step` is that the memory of the request exists until
            // it is dropped, which is now, and `finish` uses it.
            let _ = unsafe { work.finish(comm) };
        }
    }
}

/// The exchange of any messages, as [`exchange`](super::exchange()) does it.
pub fn own_messages(
    comm: &dyn Communicator, sends: &[Outgoing], receives: &[Incoming],
) -> Result<Box<dyn Work>> {
    let messages = SortedMessages::new(comm, sends, receives)?;
    let work: Box<dyn Work> =
        try_box(OwnMessages { exchange: PendingExchange::default(), messages })?;
    Ok(work)
}

/// Messages of the caller's own.
struct OwnMessages {
    // Dropped first: until then the transport may use the messages' memory.
    exchange: PendingExchange,
    messages: SortedMessages,
}

// SAFETY: the memory of `OwnMessages` is used by `step` only, and its contract is that the memory
// exists, on whichever thread it runs.
unsafe impl Send for OwnMessages {}

impl Work for OwnMessages {
    unsafe fn step(&mut self, comm: &dyn Communicator, wait: bool) -> Result<bool> {
        let SortedMessages { own, sends, receives } = &mut self.messages;
        // SAFETY: `copy` gets a `pair` with as many bytes on both sides, and the contract of `step`
        // covers both.
        own.drain(..).for_each(|pair| unsafe { copy(pair) });
        if sends.is_empty() && receives.is_empty() {
            return Ok(true);
        }
        // SAFETY: the contract of `step` is that of `complete`: it gets the same messages until
        // they are complete.
        unsafe { self.exchange.complete(comm, sends, receives, wait) }
    }

    fn completed(&self) -> u64 {
        self.exchange.completed()
    }
}
