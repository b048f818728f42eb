//! The two ends of a transfer.

#![allow(clippy::indexing_slicing, reason = "views are asked for by numbers below their count")]

use super::local_shards::LocalShards;
use super::view::HostView;
use super::view_ref::ViewRef;

/// The views on one side of a transfer: those that are read, or those that are written. They are
/// numbered from 0.
#[derive(Clone, Copy)]
pub(crate) enum Side<'a> {
    /// Of an argument of this name; none where what it names is in another process.
    Tensor(&'static str, &'a [HostView]),
    /// Shards from this index on.
    Row(usize, &'a [HostView]),
    /// Any shards.
    Shards(&'a LocalShards),
}

/// Which view it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Party {
    /// That of an argument of this name.
    Tensor(&'static str),
    /// The shard of this index.
    Shard(usize),
}

/// The argument that a whole tensor is passed by.
pub(super) const FULL: &str = "full";

impl<'a> Side<'a> {
    /// A whole tensor.
    pub(crate) fn full(full: &'a HostView) -> Self {
        Self::Tensor(FULL, std::slice::from_ref(full))
    }

    /// A whole tensor, if it is in this process.
    pub(crate) fn maybe_full(full: &'a Option<HostView>) -> Self {
        Self::Tensor(FULL, full.as_slice())
    }

    /// How many views there are.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Tensor(_, views) | Self::Row(_, views) => views.len(),
            Self::Shards(shards) => shards.len(),
        }
    }

    /// View `number`; there must be one.
    #[inline]
    pub(super) fn get(self, number: usize) -> ViewRef<'a> {
        match self {
            Self::Tensor(_, views) | Self::Row(_, views) => views[number].by_ref(),
            Self::Shards(shards) => shards.get(number),
        }
    }

    /// Which one view `number` is.
    pub(super) fn party(self, number: usize) -> Party {
        match self {
            Self::Tensor(name, _) => Party::Tensor(name),
            Self::Row(first, _) => Party::Shard(first.saturating_add(number)),
            Self::Shards(shards) => Party::Shard(shards.index(number)),
        }
    }
}
