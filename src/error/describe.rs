//! The status of a refusal, and its numbers.

use std::fmt::Display;

use crate::memory::{Text, text};

/// A refusal as the C API reports it. Each error says this once, next to its variants.
pub trait Describe {
    /// One of the constants of [`status`](super::status), and what goes with it.
    fn describe(&self) -> (i32, Numbers);
}

/// The numbers of a refusal; [`NONE`](Self::NONE) where a field has nothing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// The shard it is about, the lower one where there are two.
    pub first: Option<usize>,
    /// The second shard it is about.
    pub second: Option<usize>,
    /// The dimension it is about.
    pub dim: Option<i64>,
    /// The position in an array argument.
    pub index: Option<usize>,
    /// The value that was refused, or 0.
    pub got: i64,
    /// The value it was measured against, or 0.
    pub limit: i64,
}

impl Numbers {
    /// Nothing to say.
    pub const NONE: Self =
        Self { first: None, second: None, dim: None, index: None, got: 0, limit: 0 };

    /// A refusal of one shard.
    pub(crate) fn of_shard(shard: usize) -> Self {
        Self { first: Some(shard), ..Self::NONE }
    }

    /// A value and what it was measured against.
    pub(crate) fn measured(got: i64, limit: i64) -> Self {
        Self { got, limit, ..Self::NONE }
    }

    /// The same, in a dimension.
    pub(crate) fn in_dim(self, dim: usize) -> Self {
        Self { dim: i64::try_from(dim).ok(), ..self }
    }
}

/// The failure of a callback: the fields of its error, unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of shardspec_error")]
pub struct Foreign {
    pub status: i32,
    pub first_shard: i64,
    pub second_shard: i64,
    pub dim: i32,
    pub got: i64,
    pub limit: i64,
    pub index: i64,
    pub message: Text,
}

impl Foreign {
    /// All that a refusal says.
    pub(crate) fn of(refusal: &(impl Describe + Display)) -> Self {
        let (status, numbers) = refusal.describe();
        let number = |value: Option<usize>| value.and_then(|value| value.try_into().ok());
        Self {
            status,
            first_shard: number(numbers.first).unwrap_or(-1),
            second_shard: number(numbers.second).unwrap_or(-1),
            dim: numbers.dim.and_then(|dim| dim.try_into().ok()).unwrap_or(-1),
            got: numbers.got,
            limit: numbers.limit,
            index: number(numbers.index).unwrap_or(-1),
            message: text!("{refusal}"),
        }
    }
}

impl Describe for Foreign {
    fn describe(&self) -> (i32, Numbers) {
        let numbers = Numbers {
            first: usize::try_from(self.first_shard).ok(),
            second: usize::try_from(self.second_shard).ok(),
            dim: Some(self.dim.into()),
            index: usize::try_from(self.index).ok(),
            got: self.got,
            limit: self.limit,
        };
        (self.status, numbers)
    }
}
