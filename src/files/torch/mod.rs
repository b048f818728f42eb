//! Checkpoints of `torch.distributed.checkpoint`: a pickle of what is where, and files of tensors.
//!
//! `.metadata` is a [`pickle`] of names, sizes and places ([`metadata`]). Each place is a piece of a
//! `.distcp` file that holds one tensor as `torch.save` writes it: a [`zip`] archive whose `data.pkl`
//! describes the tensor and whose `data/0` has its bytes ([`item`]). Nothing of a file is run.

mod class;
mod cursor;
mod item;
mod machine;
mod metadata;
mod op;
mod open;
mod pickle;
#[cfg(test)]
mod tests;
mod value;
mod zip;

pub(super) use open::TorchDirectory;

use crate::memory::{OutOfMemory, Text};
use crate::model::Error;

/// What is wrong with a file, without the name of the file.
#[derive(Debug)]
pub(crate) enum Malformed {
    /// The file can't be read as what it should be.
    Problem(Text),
    /// It can't be read, or there is no memory for what it holds.
    Failed(Error),
}

/// The result of reading part of a file.
pub(crate) type Parsed<T> = Result<T, Malformed>;

impl Malformed {
    fn new(problem: impl Into<Text>) -> Self {
        Self::Problem(problem.into())
    }
}

impl From<OutOfMemory> for Malformed {
    fn from(refused: OutOfMemory) -> Self {
        Self::Failed(refused.into())
    }
}
