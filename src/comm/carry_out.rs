//! Carrying out a collective: agree first, then move.

use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};

use super::agree::{CallText, Proposal, Reason, Staging, agree};
use super::pipeline::{self, StagingMemory, Workload};
use super::schedule::{Terms, staged_bytes};
use super::short::Short;
use super::underway::Underway;
use super::{Communicator, Options};
use crate::error::Foreign;
use crate::model::stable_hash::stable_hash;
use crate::model::{DataType, Error};

/// A collective on one rank, when everything on this rank was found right.
pub(super) struct Prepared<'a> {
    /// The call as text, different from that of any other call.
    call: CallText,
    /// The parts that must be equal on all ranks.
    digest: u64,
    dtype: Option<DataType>,
    workload: Workload<'a>,
    itemsize: usize,
    staged: Staging,
    staging: StagingMemory,
    options: Options,
}

impl<'a> Prepared<'a> {
    /// `parts` are the hashes of what was called on what, besides the words for it.
    pub(super) fn new(
        call: fmt::Arguments<'_>, parts: &[u64], dtype: Option<DataType>, workload: Workload<'a>,
        options: Options,
    ) -> Result<Self, Error> {
        let digest = stable_hash(|hasher| {
            // All of the text, whatever of it is kept.
            let _ = Hashed(hasher).write_fmt(call);
            parts.hash(hasher);
        });
        let staged = Staging {
            sends: workload.sends.need_staging(),
            receives: workload.receives.need_staging(),
        };
        // Where there is no element type there are no elements either, and 1 will do.
        let itemsize = dtype.and_then(|dtype| dtype.storage_bytes(1)).unwrap_or(1);
        // Other ranks can only lower this limit: the memory is allocated before any rank relies on
        // it.
        let most = staged_bytes(options.memory_limit, staged).unwrap_or(0).max(itemsize);
        let wanted = |needed: bool, bytes: usize| if needed { most.min(bytes) } else { 0 };
        let staging = StagingMemory::new(
            wanted(staged.sends, workload.sends.bytes()),
            wanted(staged.receives, workload.receives.bytes()),
        )?;
        let call = Short::new(&call);
        Ok(Self { call, digest, dtype, workload, itemsize, staged, staging, options })
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

/// Takes part in a collective with a refusal: all ranks receive the refusal, whatever they called,
/// and nothing moves. Returns the refusal.
pub fn decline<E: Reason>(comm: &dyn Communicator, reason: E) -> E {
    // The refusals of others do not matter: this rank reports its own.
    let _ = agree(comm, Err(Foreign::of(&reason)));
    reason.on_rank(comm.rank())
}

/// Agrees with all other ranks and moves what was prepared, or sends them the refusal of this rank.
///
/// # Safety
///
/// Memory to send may be read, memory to receive may be written, and nothing else uses
/// either meanwhile.
pub(super) unsafe fn carry_out<E: Reason>(
    comm: &dyn Communicator, prepared: Result<Prepared<'_>, Error>,
) -> Result<(), E> {
    let prepared = prepared.map_err(|reason| decline(comm, E::from(reason)))?;
    let agreed = agree(comm, Ok(prepared.proposal()))?;
    let Prepared { workload, itemsize, staging, options, .. } = prepared;
    let terms = Terms::new(&agreed, comm.size(), itemsize);
    // All other ranks are moving too.
    let underway = Underway::new(comm);
    // SAFETY: the caller's promise is passed on.
    let moved = unsafe { pipeline::run(comm, &workload, terms, &staging, &options.copy) };
    Ok(underway.end(moved)?)
}
