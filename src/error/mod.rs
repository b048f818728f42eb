//! The crate's error: data, not prose.
//!
//! Each layer has its own refusals, in a file `error.rs` beside its code: variants that carry the
//! values that a caller needs to act on them, and, next to them, which status and numbers the C API
//! reports for each. [`Error`] is any of them, or one of the refusals that every layer has.

mod describe;
mod indexed;
pub mod status;

use std::collections::TryReserveError;

pub use describe::{Describe, Foreign, Numbers};
pub(crate) use indexed::Indexed;
use status::*;

use crate::comm::CommError;
use crate::files::FilesError;
use crate::geometry;
use crate::interchange::InterchangeError;
use crate::memory::{self, OutOfMemory, Text, try_uninit};
use crate::model::ModelError;
use crate::notation::NotationError;
use crate::ops::OpError;
use crate::plan::PlanError;
use crate::transfer::TransferError;

/// The result of everything that can be refused.
pub type Result<T> = std::result::Result<T, Error>;

/// A refusal: what was wrong, with which value, and what would be right.
///
/// ```
/// use shardspec::comm::local;
/// use shardspec::model::Error;
///
/// let refused = local(0).err();
/// assert!(matches!(refused, Some(Error::InvalidArgument { argument: "size", .. })));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value that is never allowed for this argument.
    #[error("{argument}: {problem}")]
    InvalidArgument {
        /// The argument's name, as in the header.
        argument: &'static str,
        /// The problem and the remedy.
        problem: Text,
    },
    /// A number below the least that this argument may be.
    #[error("{argument}: {value} is too small; pass at least {least}")]
    TooSmall {
        /// The argument's name, as in the header.
        argument: &'static str,
        /// The number as it was given.
        value: i64,
        /// The least that is allowed.
        least: i64,
    },
    /// An index past the end of what it indexes.
    #[error("{argument}: {index} is out of range; there are {count}, counted from 0")]
    IndexOutOfRange {
        /// The argument's name, as in the header.
        argument: &'static str,
        /// The index asked for.
        index: u64,
        /// How many there are.
        count: u64,
    },
    /// Numbers of dimensions that should agree and do not.
    #[error("{what}: found {got} dimensions where {expected} are needed")]
    NdimMismatch {
        /// The object with the wrong number of dimensions.
        what: Text,
        /// The shard it is about, if it is about one.
        shard: Option<usize>,
        /// The number found.
        got: usize,
        /// The number needed.
        expected: usize,
    },
    /// A value that does not fit into 64 bits.
    #[error("{what} does not fit into a signed 64-bit integer")]
    Overflow {
        /// The number that would overflow.
        what: Text,
    },
    /// Something asked for that is not there.
    #[error("{what}")]
    NotFound {
        /// The missing object, and the place of the search.
        what: Text,
    },
    /// Something that is known, valid and not implemented.
    #[error("{what}")]
    Unsupported {
        /// The request and the remedy.
        what: Text,
    },
    /// The system has no memory left for the result.
    #[error("out of memory: {bytes} bytes for {what} could not be allocated")]
    OutOfMemory {
        /// The purpose of the memory.
        what: &'static str,
        /// How many bytes were asked for.
        bytes: usize,
    },
    /// The shards that a custom spec built were refused.
    #[error("spec of type '{type_name}': {error}")]
    InSpec {
        /// The spec's type name.
        type_name: Text,
        /// The problem.
        error: Box<Error>,
    },
    /// One element of an array argument was refused.
    #[error("{}", Indexed { argument, index: *.index, shard: *.shard, problem: error })]
    At {
        /// The argument's name, as in the header.
        argument: &'static str,
        /// The element's position in it.
        index: usize,
        /// The shard that the element stands for, where the refusal itself doesn't say so.
        shard: Option<usize>,
        /// The problem.
        error: Box<Error>,
    },
    /// An error of a sharding.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// An error of a text in the notation of another program.
    #[error(transparent)]
    Notation(#[from] NotationError),
    /// An error of a layout as JSON or as bytes.
    #[error(transparent)]
    Interchange(#[from] InterchangeError),
    /// An error of a plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// An error of a copy.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// An error of a collective.
    #[error(transparent)]
    Comm(#[from] CommError),
    /// An error of an op.
    #[error(transparent)]
    Op(#[from] OpError),
    /// An error of a checkpoint.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A function of the user's refused; what it said is passed on as it is.
    #[error("{}", .0.message)]
    Foreign(Box<Foreign>),
}

impl Describe for Error {
    fn describe(&self) -> (i32, Numbers) {
        let none = Numbers::NONE;
        match *self {
            Self::InvalidArgument { .. } => (SHARDSPEC_INVALID_ARGUMENT, none),
            Self::TooSmall { value, least, .. } => {
                (SHARDSPEC_INVALID_ARGUMENT, Numbers::measured(value, least))
            }
            Self::IndexOutOfRange { index, count, .. } => {
                (SHARDSPEC_INDEX_OUT_OF_RANGE, Numbers::measured(index as i64, count as i64))
            }
            Self::NdimMismatch { shard, got, expected, .. } => {
                let numbers = Numbers::measured(got as i64, expected as i64);
                (SHARDSPEC_NDIM_MISMATCH, Numbers { first: shard, ..numbers })
            }
            Self::Overflow { .. } => (SHARDSPEC_OVERFLOW, none),
            Self::NotFound { .. } => (SHARDSPEC_NOT_FOUND, none),
            Self::Unsupported { .. } => (SHARDSPEC_UNSUPPORTED, none),
            Self::OutOfMemory { .. } => (SHARDSPEC_OUT_OF_MEMORY, none),
            Self::InSpec { ref error, .. } => error.describe(),
            Self::At { index, shard, ref error, .. } => {
                let (status, numbers) = error.describe();
                (status, Numbers { index: Some(index), first: shard.or(numbers.first), ..numbers })
            }
            Self::Model(ref error) => error.describe(),
            Self::Notation(ref error) => error.describe(),
            Self::Interchange(ref error) => error.describe(),
            Self::Plan(ref error) => error.describe(),
            Self::Transfer(ref error) => error.describe(),
            Self::Comm(ref error) => error.describe(),
            Self::Op(ref error) => error.describe(),
            Self::Files(ref error) => error.describe(),
            Self::Foreign(ref said) => said.describe(),
        }
    }
}

impl Error {
    /// An [`Error::InvalidArgument`].
    pub fn invalid(argument: &'static str, problem: impl Into<Text>) -> Self {
        Self::InvalidArgument { argument, problem: problem.into() }
    }

    /// The same refusal, of something that a spec of type `type_name` built.
    pub fn in_spec(self, type_name: &str) -> Self {
        let type_name = Text::copy(type_name);
        self.wrapped(|error| Self::InSpec { type_name, error })
    }

    /// The same refusal, of element `index` of an array argument.
    pub fn at(self, argument: &'static str, index: usize) -> Self {
        self.wrapped(|error| Self::At { argument, index, shard: None, error })
    }

    /// The same refusal, of element `index` of an array argument, which stands for shard `shard`.
    pub(crate) fn at_shard(self, argument: &'static str, index: usize, shard: usize) -> Self {
        self.wrapped(|error| Self::At { argument, index, shard: Some(shard), error })
    }

    /// The result of `outer` for this error. Where there is no memory for that, the error itself.
    fn wrapped(self, outer: impl FnOnce(Box<Self>) -> Self) -> Self {
        match try_uninit() {
            Ok(place) => outer(Box::write(place, self)),
            Err(_) => self,
        }
    }

    /// An [`Error::Overflow`].
    pub fn overflow(what: impl Into<Text>) -> Self {
        Self::Overflow { what: what.into() }
    }
}

impl OutOfMemory {
    /// The refusal, with a word for what the memory was for.
    fn of_what(self, what: &'static str) -> Error {
        Error::OutOfMemory { what, bytes: self.bytes }
    }
}

impl From<OutOfMemory> for Error {
    fn from(refused: OutOfMemory) -> Self {
        refused.of_what("the result")
    }
}

impl From<TryReserveError> for Error {
    fn from(error: TryReserveError) -> Self {
        OutOfMemory::from(error).into()
    }
}

impl From<geometry::GeometryError> for Error {
    fn from(error: geometry::GeometryError) -> Self {
        use geometry::GeometryError as Wrong;
        let problem = match error {
            Wrong::OutOfMemory(refused) => return refused.into(),
            Wrong::Overflow => return Self::overflow("the number of boxes or places of a layout"),
            Wrong::TooManyBlocks => {
                let what = "a dim map has more than 4194304 blocks that must be handled one by \
                     one: those of flattened dimensions, or of a period that the other layout does \
                     not have; use larger blocks, or do not flatten";
                return Self::Unsupported { what: what.into() };
            }
            Wrong::TooManyDims => {
                let what = "a periodic dimension counts as two, and there are more than 32 dimensions, \
                            the most that is supported; use fewer periodic dimensions";
                return Self::Unsupported { what: what.into() };
            }
            Wrong::NotAStretch => {
                "starts must be >= 0, blocks must not overlap, and ends must fit 64 bits"
            }
            Wrong::PastTheEnd => {
                "a stretch ends past the end of the buffer, or the buffer has another length than the dim map"
            }
            Wrong::Twice => "two stretches share an index or a place in the buffer",
        };
        Self::invalid("stretches", problem)
    }
}

/// An empty vector with room for `len` elements, or a refusal instead of an abort.
pub(crate) fn try_with_capacity<T>(what: &'static str, len: usize) -> Result<Vec<T>> {
    memory::try_with_capacity(len).map_err(|refused| refused.of_what(what))
}

/// A copy of `slice`, or a refusal instead of an abort.
pub(crate) fn try_to_vec<T: Copy>(what: &'static str, slice: &[T]) -> Result<Vec<T>> {
    memory::try_to_vec(slice).map_err(|refused| refused.of_what(what))
}
