//! A collective on one rank, before any other rank knows of it.

use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};

use super::Options;
use super::mover::{Buffers, Workload};
use super::proposals::{Proposal, Staging};
use super::schedule::staged_bytes;
use super::search::SharedBatch;
use super::short::Short;
use super::staging::StagingMemory;
use crate::model::stable_hash::stable_hash;
use crate::model::{DataType, Result};

/// A collective on one rank, when everything on this rank was found right.
pub(super) struct Prepared {
    pub(super) proposal: Proposal,
    /// The tensors, where the proposal is a batch.
    pub(super) batch: Option<SharedBatch>,
    pub(super) work: Workload,
    pub(super) buffers: Buffers,
    pub(super) staging: StagingMemory,
    pub(super) options: Options,
}

/// What a rank proposes to the others.
pub(super) struct CollectiveCall<'t> {
    /// The call as text, different from that of any other call.
    pub(super) text: fmt::Arguments<'t>,
    /// The hashes of what was called on what, besides the words for it.
    pub(super) parts: &'t [u64],
    pub(super) dtype: Option<DataType>,
    /// The most bytes of an element.
    pub(super) itemsize: usize,
}

impl<'t> CollectiveCall<'t> {
    /// A call on one tensor.
    pub(super) fn on_tensor(
        text: fmt::Arguments<'t>, parts: &'t [u64], dtype: Option<DataType>,
    ) -> Self {
        Self { text, parts, dtype, itemsize: itemsize_of(dtype) }
    }
}

/// Bytes of an element. Where there is no element type there are no elements either, and 1 will do.
pub(super) fn itemsize_of(dtype: Option<DataType>) -> usize {
    dtype.and_then(|dtype| dtype.storage_bytes(1)).unwrap_or(1)
}

impl Prepared {
    pub(super) fn new(
        call: &CollectiveCall<'_>, work: Workload, buffers: Buffers, options: Options,
    ) -> Result<Self> {
        let digest = stable_hash(|hasher| {
            // All of the text, whatever of it is kept.
            let _ = Hashed(hasher).write_fmt(call.text);
            call.parts.hash(hasher);
        });
        let (sent, sends) = work.sends.placed(&*buffers.views).staging();
        let (received, receives) = work.receives.placed(&*buffers.views).staging();
        let staging = Staging { sends, receives };
        // Other ranks can only lower this limit: the memory is allocated before any rank relies on
        // it. An element of another rank is never staged here.
        let itemsize = itemsize_of(call.dtype).max(call.itemsize);
        let most = staged_bytes(options.memory_limit, staging).unwrap_or(0).max(itemsize);
        let wanted = |needed: bool, bytes: usize| if needed { most.min(bytes) } else { 0 };
        let memory = StagingMemory::new(wanted(sends, sent), wanted(receives, received))?;
        let proposal = Proposal {
            digest,
            call: Short::new(&call.text),
            dtype: call.dtype,
            memory_limit: options.memory_limit,
            itemsize,
            staging,
            tensors: None,
        };
        Ok(Self { proposal, batch: None, work, buffers, staging: memory, options })
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
