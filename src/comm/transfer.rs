//! What every collective does with what it has to move: agree first, then move it.

use super::agree::{Proposal, Reason, Staging as Staged, agree};
use super::pipeline::{self, Staging, Transfer};
use super::schedule::{Terms, staged_bytes};
use super::{Communicator, Options};
use crate::core::metadata::stable_hash;
use crate::core::{DataType, Result};
use crate::memory::Text;

/// A collective on one rank, when everything on this rank was found right.
pub(super) struct Prepared<'a> {
    /// What was called, in words that tell it from other calls.
    call: Text,
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
        call: Text, parts: &[u64], dtype: Option<DataType>, transfer: Transfer<'a>,
        options: Options,
    ) -> Result<Self> {
        let digest = stable_hash(|hasher| {
            std::hash::Hash::hash(&call, hasher);
            std::hash::Hash::hash(parts, hasher);
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
        Ok(Self { call, digest, dtype, transfer, staged, staging, options })
    }

    fn proposal(&self) -> Proposal {
        Proposal {
            digest: self.digest,
            call: self.call.clone(),
            dtype: self.dtype,
            memory_limit: self.options.memory_limit,
            staging: self.staged,
        }
    }
}

/// Takes part in a collective as a rank that can't: whatever the others called, all of them are told
/// why, and nothing moves. The reason is given back.
pub fn decline<E: Reason>(comm: &dyn Communicator, reason: E) -> E {
    // What others said does not matter: this rank says what it refused itself.
    let _ = agree(comm, Err(reason.told()));
    reason
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
    // SAFETY: the caller's promise is passed on.
    unsafe { pipeline::run(comm, &transfer, terms, &staging, &options.copy) }?;
    Ok(())
}
