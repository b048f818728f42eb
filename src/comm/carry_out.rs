//! Carrying out a collective: agree first, then move.

use super::Communicator;
use super::agree::{Reason, agree};
use super::engine::CollectiveEngine;
use super::prepared::Prepared;
use crate::comm::CommError;
use crate::error::Foreign;
use crate::model::{Error, Result};

/// Takes part in a collective with a refusal: all ranks receive the refusal, whatever they called,
/// and nothing moves. Returns the refusal.
pub fn decline<E: Reason>(comm: &dyn Communicator, reason: E) -> E {
    // The refusals of others do not matter: this rank reports its own.
    let _ = agree(comm, Err(Foreign::of(&reason)));
    reason.on_rank(comm.placement_rank(comm.rank()))
}

/// Takes part in a collective with a refusal that was found before the call: all other ranks
/// receive it, and nothing moves. Fails where they can't be reached.
pub fn report(comm: &dyn Communicator, reason: Foreign) -> Result<()> {
    match agree(comm, Err(reason)) {
        // That of this rank, or of a lower one.
        Ok(_) | Err(Error::Comm(CommError::Disagreement { .. })) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Agrees with all other ranks and moves what was prepared, or sends them the refusal of this rank.
///
/// # Safety
///
/// Memory to send may be read, memory to receive may be written, and nothing else uses
/// either meanwhile.
pub(super) unsafe fn carry_out<E: Reason>(
    comm: &dyn Communicator, prepared: Result<Prepared>,
) -> std::result::Result<(), E> {
    let engine = prepared.and_then(|prepared| Ok(CollectiveEngine::new(comm, prepared)?));
    let mut engine = engine.map_err(|reason| decline(comm, E::from(reason)))?;
    // SAFETY: the contract of `carry_out` is that of `CollectiveEngine::run`: `engine` moves what
    // was prepared.
    Ok(unsafe { engine.run(comm) }?)
}
