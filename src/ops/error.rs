//! What an op can be refused for.

use crate::error::status::*;
use crate::error::{Describe, Numbers};
use crate::memory::Text;

/// What is wrong with a registration of an op, or with a call of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpError {
    /// Something by that name is there already.
    #[error(
        "{what} is registered already; replace it with SHARDSPEC_OP_FLAG_REPLACE, or unregister it \
         first"
    )]
    AlreadyExists {
        /// What is there.
        what: Text,
    },
    /// Something that can't end while it is in use.
    #[error(
        "{what} is running; it can't be unregistered inside itself, nor inside another op while \
         calls of it run"
    )]
    Busy {
        /// What is in use.
        what: Text,
    },
    /// An op was called without any argument.
    #[error("op '{op}' was called without arguments; pass at least a sharded tensor")]
    NoArguments {
        /// The op's name.
        op: Text,
    },
    /// An op was called without a sharded tensor among its arguments.
    #[error("op '{op}' was called without a sharded tensor; none of its arguments is one")]
    NoShardedTensor {
        /// The op's name.
        op: Text,
    },
    /// An op was called with sharded tensors of different communicators.
    #[error(
        "op '{op}' was called with sharded tensors of different communicators; all must have the \
         same"
    )]
    CommunicatorMismatch {
        /// The op's name.
        op: Text,
    },
}

impl Describe for OpError {
    fn describe(&self) -> (i32, Numbers) {
        let status = match self {
            Self::AlreadyExists { .. } => SHARDSPEC_ALREADY_EXISTS,
            Self::Busy { .. } => SHARDSPEC_BUSY,
            Self::NoArguments { .. } => SHARDSPEC_NO_ARGUMENTS,
            Self::NoShardedTensor { .. } => SHARDSPEC_NO_SHARDED_TENSOR,
            Self::CommunicatorMismatch { .. } => SHARDSPEC_COMMUNICATOR_MISMATCH,
        };
        (status, Numbers::NONE)
    }
}
