//! The errors of collectives.

use std::fmt::{self, Display, Formatter};

use crate::error::status::*;
use crate::error::{Describe, Error, Numbers};
use crate::memory::{Shared, Text};
use crate::model::placement::Placement;

/// The error of a collective: in its ranks, or in their arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommError {
    /// A shard without a rank, where ranks are required.
    #[error(
        "shard {shard}: its placement '{placement}' names no rank; pass 'rank:<n>' or \
         'rank:<n>/<device>'"
    )]
    NoRank {
        /// The shard's index.
        shard: usize,
        /// Its placement.
        placement: Placement,
    },
    /// A shard on a rank that the communicator does not have.
    #[error(
        "shard {shard}: its placement '{placement}' is outside the {} of {size} ranks{}",
        if *.in_group { "group" } else { "communicator" },
        if *.in_group { "" } else { ", counted from 0" }
    )]
    RankOutside {
        /// The shard's index.
        shard: usize,
        /// Its placement.
        placement: Placement,
        /// The rank in it.
        rank: i64,
        /// How many ranks there are.
        size: usize,
        /// Whether these ranks are some of another communicator's.
        in_group: bool,
    },
    /// An argument that names a rank which is not in a group.
    #[error(
        "{argument}: rank {rank} is not in the group of {size} ranks; pass the placement rank of one \
         of them"
    )]
    NotInGroup {
        /// The argument.
        argument: &'static str,
        /// The rank in it.
        rank: usize,
        /// How many ranks the group has.
        size: usize,
    },
    /// A rank of a collective that must pass the whole tensor, or memory for it, passed none.
    #[error("full: is NULL on {} {rank}; {}", .role.unwrap_or("rank"), match .role {
        Some("source_rank") => "pass the tensor there",
        Some(_) => "pass memory for the tensor there",
        None => "pass memory for the tensor on every rank",
    })]
    NoFull {
        /// The argument that names the rank, if one does.
        role: Option<&'static str>,
        /// The rank.
        rank: i64,
    },
    /// A rank of a collective passed what can't be used, or something else than the others.
    #[error("rank {rank}: {message}; nothing was moved on any rank")]
    Disagreement {
        /// The rank.
        rank: i64,
        /// The status that it returned, or 0 if it did not refuse anything.
        status: i32,
        /// The shard that its refusal is about, if it is about one.
        shard: Option<usize>,
        /// The dimension that its refusal is about, if it is about one.
        dim: Option<usize>,
        /// The position in an array argument that its refusal is about, if it is about one.
        index: Option<usize>,
        /// The rank's message, or its fault.
        message: Text,
    },
    /// A rank failed in a part of a collective that began after all ranks had agreed.
    #[error("rank {rank}: {message}; destinations of this rank may be incomplete")]
    RankFailed {
        /// The rank.
        rank: i64,
        /// The status that it returned.
        status: i32,
        /// The rank's message.
        message: Text,
    },
    /// An error of one tensor of a batch.
    #[error("{}: {error}", TensorName { index: *.index, tag })]
    InTensor {
        /// The position of the tensor.
        index: usize,
        /// The caller's name for it.
        tag: Shared<Text>,
        /// The problem.
        error: Box<Error>,
    },
    /// The transport between ranks failed.
    #[error("{what}")]
    TransportFailed {
        /// The fault, and the ranks it is between.
        what: Text,
    },
}

/// How texts name a tensor of a batch.
pub(crate) struct TensorName<'a> {
    /// Its position.
    pub(crate) index: usize,
    /// The caller's name for it; may be empty.
    pub(crate) tag: &'a str,
}

impl Display for TensorName<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { index, tag } = self;
        if tag.is_empty() {
            write!(f, "tensors[{index}]")
        } else {
            write!(f, "tensors[{index}] '{tag}'")
        }
    }
}

impl Describe for CommError {
    fn describe(&self) -> (i32, Numbers) {
        let none = Numbers::NONE;
        match *self {
            Self::NoRank { shard, .. } => (SHARDSPEC_INVALID_PLACEMENT, Numbers::of_shard(shard)),
            Self::RankOutside { shard, rank, size, .. } => {
                let numbers = Numbers::measured(rank, size as i64);
                (SHARDSPEC_INVALID_PLACEMENT, Numbers { first: Some(shard), ..numbers })
            }
            Self::NotInGroup { rank, size, .. } => {
                (SHARDSPEC_INDEX_OUT_OF_RANGE, Numbers::measured(rank as i64, size as i64))
            }
            Self::NoFull { rank, .. } => (SHARDSPEC_NULL_ARGUMENT, Numbers::measured(rank, 0)),
            Self::Disagreement { rank, status, shard, dim, index, .. } => {
                let dim = dim.and_then(|dim| i64::try_from(dim).ok());
                let numbers = Numbers::measured(rank, status.into());
                (SHARDSPEC_DISAGREEMENT, Numbers { first: shard, dim, index, ..numbers })
            }
            Self::RankFailed { rank, status, .. } => {
                (SHARDSPEC_DISAGREEMENT, Numbers::measured(rank, status.into()))
            }
            Self::InTensor { index, ref error, .. } => {
                let (status, numbers) = error.describe();
                (status, Numbers { index: Some(index), ..numbers })
            }
            Self::TransportFailed { .. } => (SHARDSPEC_TRANSPORT_FAILED, none),
        }
    }
}
