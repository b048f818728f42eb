//! Work on a communicator that goes on in steps, while the caller does something else.

use super::message::{SortedMessages, copy};
use super::pending::PendingExchange;
use super::shared::{Claim, SharedCommunicator};
use super::{Communicator, Incoming, Outgoing};
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

    /// How many exchanges were completed so far: where a step completes none, the next one would wait.
    fn completed(&self) -> u64;
}

/// A collective or an exchange that was started and may not be complete.
///
/// It claims its communicator: until it has ended, that makes no other exchange. Dropped before its
/// end, it aborts the communicator, so that other ranks do not wait for this one.
pub struct Request {
    /// Gone when it has ended. What it uses is dropped before the communicator is free again.
    under_way: Option<(Box<dyn Work>, Claim)>,
    /// How it failed, if it did.
    failure: Option<Foreign>,
}

impl Request {
    /// A request for work of which nothing is done yet.
    pub fn new(comm: &SharedCommunicator, work: Box<dyn Work>) -> Result<Self> {
        Ok(Self { under_way: Some((work, comm.claim()?)), failure: None })
    }

    /// Does what can be done without waiting for other ranks; whether the request has ended. Its
    /// failure is returned each time.
    ///
    /// # Safety
    ///
    /// As [`Work::step`], until the request has ended or is dropped.
    pub unsafe fn test(&mut self) -> Result<bool> {
        while let Some((work, claim)) = &mut self.under_way {
            let before = work.completed();
            // SAFETY: the caller's promise is passed on.
            let done = unsafe { work.step(claim.comm(), false) };
            if matches!(done, Ok(false)) && work.completed() == before {
                return Ok(false);
            }
            self.end_with(done);
        }
        self.outcome().map(|()| true)
    }

    /// Does all that is left.
    ///
    /// # Safety
    ///
    /// As [`Work::step`], until the request has ended or is dropped.
    pub unsafe fn wait(&mut self) -> Result<()> {
        while let Some((work, claim)) = &mut self.under_way {
            // SAFETY: the caller's promise is passed on.
            let done = unsafe { work.step(claim.comm(), true) };
            self.end_with(done);
        }
        self.outcome()
    }

    /// Ends the request, unless a step has left something to do.
    fn end_with(&mut self, done: Result<bool>) {
        match done {
            Ok(false) => return,
            Ok(true) => {}
            Err(error) => self.failure = Some(Foreign::of(&error)),
        }
        self.under_way = None;
    }

    fn outcome(&self) -> Result<()> {
        self.failure.as_ref().map_or(Ok(()), |failure| Err(passed_on(failure)))
    }
}

/// An error that is returned unchanged, perhaps several times.
fn passed_on(failure: &Foreign) -> Error {
    try_box(failure.clone()).map_or_else(Error::from, Error::Foreign)
}

impl Drop for Request {
    fn drop(&mut self) {
        if let Some((_, claim)) = &self.under_way
            && claim.comm().size() > 1
        {
            claim.comm().abort(&"a request was freed before it was complete");
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

// SAFETY: the messages' memory is used by `step` only, whose caller promised that it is there.
unsafe impl Send for OwnMessages {}

impl Work for OwnMessages {
    unsafe fn step(&mut self, comm: &dyn Communicator, wait: bool) -> Result<bool> {
        let SortedMessages { own, sends, receives } = &mut self.messages;
        // SAFETY: the caller's promise, and both have as many bytes.
        own.drain(..).for_each(|pair| unsafe { copy(pair) });
        if sends.is_empty() && receives.is_empty() {
            return Ok(true);
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { self.exchange.complete(comm, sends, receives, wait) }
    }

    fn completed(&self) -> u64 {
        self.exchange.completed()
    }
}
