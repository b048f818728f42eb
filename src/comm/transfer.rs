//! What every collective does with what it has to move: agree first, then move it.

use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};

use super::agree::{CallText, Proposal, Reason, Staging as Staged, agree};
use super::pipeline::{self, Staging, Transfer};
use super::schedule::{Terms, staged_bytes};
use super::short::Short;
use super::underway::Underway;
use super::{Communicator, Options};
use crate::error::Foreign;
use crate::model::stable_hash::stable_hash;
use crate::model::{DataType, Result};

/// A collective on one rank, when everything on this rank was found right.
pub(super) struct Prepared<'a> {
    /// What was called, in words that tell it from other calls.
    call: CallText,
    /// What must be the same on all ranks.
    digest: u64,
    dtype: Option<DataType>,
    transfer: Transfer<'a>,
    staged: Staged,
    staging: Staging,
    options: Options,
}

impl<'a> Prepared<'a> {
    /// `parts` are the hashes of what was called on what, besides the words for it.
    pub(super) fn new(
        call: fmt::Arguments<'_>, parts: &[u64], dtype: Option<DataType>, transfer: Transfer<'a>,
        options: Options,
    ) -> Result<Self> {
        let digest = stable_hash(|hasher| {
            // All of the text, whatever of it is kept.
            let _ = Hashed(hasher).write_fmt(call);
            parts.hash(hasher);
        });
        let staged = Staged {
            sends: transfer.sends.need_staging(),
            receives: transfer.receives.need_staging(),
        };
        // Other ranks can only make this less: memory is found before anybody relies on it.
        let most = staged_bytes(options.memory_limit, staged).unwrap_or(0).max(transfer.itemsize);
        let wanted = |needed: bool, bytes: usize| if needed { most.min(bytes) } else { 0 };
        let staging = Staging::new(
            wanted(staged.sends, transfer.sends.bytes()),
            wanted(staged.receives, transfer.receives.bytes()),
        )?;
        let call = Short::new(&call);
        Ok(Self { call, digest, dtype, transfer, staged, staging, options })
    }

    fn proposal(&self) -> Proposal {
        Proposal {
            digest: self.digest,
            call: self.call,
            dtype: self.dtype,
            memory_limit: self.options.memory_limit,
            staging: self.staged,
        }
    }
}

/// Feeds a text to a hasher as it is written.
struct Hashed<'a, H>(&'a mut H);

impl<H: Hasher> fmt::Write for Hashed<'_, H> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

/// Takes part in a collective as a rank that can't: whatever the others called, all of them are told
/// why, and nothing moves. The reason is given back.
pub fn decline<E: Reason>(comm: &dyn Communicator, reason: E) -> E {
    // What others said does not matter: this rank says what it refused itself.
    let _ = agree(comm, Err(Foreign::of(&reason)));
    reason.on_rank(comm.rank())
}

/// Agrees with all other ranks, and moves what was prepared; or tells them why this rank can't.
///
/// # Safety
///
/// What is to be sent may be read, what is to be received may be written, and nobody else uses
/// either meanwhile.
pub(super) unsafe fn carry_out<E: Reason>(
    comm: &dyn Communicator, prepared: std::result::Result<Prepared<'_>, E>,
) -> std::result::Result<(), E> {
    let prepared = prepared.map_err(|reason| decline(comm, reason))?;
    let agreed = agree(comm, Ok(prepared.proposal()))?;
    let Prepared { transfer, staging, options, .. } = prepared;
    let terms = Terms::new(&agreed, comm.size(), transfer.itemsize);
    // All other ranks are moving too.
    let underway = Underway::new(comm);
    // SAFETY: the caller's promise is passed on.
    let moved = unsafe { pipeline::run(comm, &transfer, terms, &staging, &options.copy) };
    Ok(underway.end(moved)?)
}
