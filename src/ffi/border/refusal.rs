//! Why a call was refused, as seen from C.

use std::fmt;

use crate::comm::{Reason, TensorName};
use crate::error::status::*;
use crate::error::{Describe, Error, Indexed, Numbers};
use crate::memory::{OutOfMemory, Text, text, try_uninit};

/// Why a call was refused, as seen from C: the core's reasons and the border's own.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The core said no.
    Core(Error),
    /// A pointer that must not be null was.
    NullArgument(&'static str),
    /// A pointer inside of a struct that must not be null was.
    NullField { argument: &'static str, field: &'static str },
    /// A handle without an object of its kind.
    InvalidHandle { argument: &'static str, kind: &'static str },
    /// The caller's buffer is too small for what would be written.
    BufferTooSmall { argument: &'static str, got: usize, needed: usize },
    /// One element of an array argument was refused by the border; `shard` is the one that it
    /// stands for.
    At { argument: &'static str, index: usize, shard: Option<usize>, refusal: Box<Refusal> },
    /// A tensor of a batch was refused by the border.
    InTensor { index: usize, tag: Text, refusal: Box<Refusal> },
    /// This rank of a collective refused what it was passed.
    OnRank { rank: i64, refusal: Box<Refusal> },
}

impl Refusal {
    /// A function that turns a refusal into one of element `index` of an array argument.
    pub(crate) fn at(argument: &'static str, index: usize) -> impl FnOnce(Self) -> Self {
        move |refusal| match refusal {
            Self::Core(error) => Self::Core(error.at(argument, index)),
            // It has its position.
            refusal @ Self::InTensor { .. } => refusal,
            refusal => refusal.placed(argument, index, None),
        }
    }

    /// A function that turns a refusal into one of element `index` of an array argument, which is
    /// shard `shard`.
    pub(crate) fn at_shard(
        argument: &'static str, index: usize, shard: usize,
    ) -> impl FnOnce(Self) -> Self {
        move |refusal| match refusal {
            Self::Core(error) => Self::Core(error.at_shard(argument, index, shard)),
            refusal => refusal.placed(argument, index, Some(shard)),
        }
    }

    /// A function that turns a refusal into one of tensor `index` of a batch.
    pub(crate) fn in_tensor(index: usize, tag: &str) -> impl FnOnce(Self) -> Self {
        move |refusal| {
            refusal.wrapped(|refusal| Self::InTensor { index, tag: Text::copy(tag), refusal })
        }
    }

    /// The same refusal, by rank `rank` of a collective.
    pub(crate) fn on_rank(self, rank: i64) -> Self {
        self.wrapped(|refusal| Self::OnRank { rank, refusal })
    }

    /// A function that turns the refusal of a pointer into one of a pointer inside of a struct.
    pub(crate) fn in_field(field: &'static str) -> impl FnOnce(Self) -> Self {
        move |refusal| match refusal {
            Self::NullArgument(argument) => Self::NullField { argument, field },
            Self::Core(Error::InvalidArgument { argument, problem }) => {
                Error::invalid(argument, text!("its {field}: {problem}")).into()
            }
            refusal => refusal,
        }
    }

    /// The same refusal, with a position.
    #[cold]
    fn placed(self, argument: &'static str, index: usize, shard: Option<usize>) -> Self {
        self.wrapped(|refusal| Self::At { argument, index, shard, refusal })
    }

    /// The result of `outer` for this refusal. Where there is no memory for that, the refusal
    /// itself.
    fn wrapped(self, outer: impl FnOnce(Box<Self>) -> Self) -> Self {
        match try_uninit() {
            Ok(place) => outer(Box::write(place, self)),
            Err(_) => self,
        }
    }
}

impl Describe for Refusal {
    fn describe(&self) -> (i32, Numbers) {
        let none = Numbers::NONE;
        match *self {
            Self::Core(ref error) => error.describe(),
            Self::NullArgument(_) | Self::NullField { .. } => (SHARDSPEC_NULL_ARGUMENT, none),
            Self::InvalidHandle { .. } => (SHARDSPEC_INVALID_HANDLE, none),
            Self::BufferTooSmall { got, needed, .. } => {
                (SHARDSPEC_BUFFER_TOO_SMALL, Numbers::measured(got as i64, needed as i64))
            }
            Self::OnRank { ref refusal, .. } => refusal.describe(),
            Self::InTensor { index, ref refusal, .. } => {
                let (status, numbers) = refusal.describe();
                (status, Numbers { index: Some(index), ..numbers })
            }
            Self::At { index, shard, ref refusal, .. } => {
                let (status, numbers) = refusal.describe();
                (status, Numbers { index: Some(index), first: shard.or(numbers.first), ..numbers })
            }
        }
    }
}

/// Other ranks receive the refusal that the caller receives.
impl Reason for Refusal {
    fn on_rank(self, rank: i64) -> Self {
        Self::on_rank(self, rank)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Core(error) => error.fmt(f),
            Self::NullArgument(argument) => write!(f, "{argument}: is NULL; pass a pointer"),
            Self::NullField { argument, field } => {
                write!(f, "{argument}.{field}: is NULL; pass a pointer")
            }
            Self::InvalidHandle { argument, kind } => write!(
                f,
                "{argument}: is no live {kind}: it was freed, is of another kind, or was never made \
                 by this library"
            ),
            Self::BufferTooSmall { argument, got, needed } => {
                write!(f, "{argument}: capacity {got} is too small; {needed} are needed")
            }
            Self::OnRank { rank, refusal } => write!(f, "rank {rank}: {refusal}"),
            Self::InTensor { index, tag, refusal } => {
                write!(f, "{}: {refusal}", TensorName { index: *index, tag: tag.as_str() })
            }
            Self::At { argument, index, shard, refusal } => {
                let (index, shard) = (*index, *shard);
                Indexed { argument, index, shard, problem: refusal }.fmt(f)
            }
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<OutOfMemory> for Refusal {
    fn from(error: OutOfMemory) -> Self {
        Self::Core(error.into())
    }
}

/// The result of an export's body.
pub(crate) type Outcome<T = ()> = std::result::Result<T, Refusal>;
