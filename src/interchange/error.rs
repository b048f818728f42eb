//! The errors of layouts as JSON and as bytes.

use crate::error::status::*;
use crate::error::{Describe, Error, Numbers};
use crate::memory::{Text, try_uninit};

/// The error of a text or of bytes that a layout is read from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InterchangeError {
    /// Something that does not follow the form.
    #[error("{argument}: byte {at}: {problem}")]
    Invalid {
        /// The argument's name, as in the header.
        argument: &'static str,
        /// Where, in bytes from the start.
        at: usize,
        /// The problem and the remedy.
        problem: Text,
    },
    /// Something that this version of the library does not know.
    #[error("{argument}: byte {at}: {what}")]
    Unknown {
        /// The argument's name, as in the header.
        argument: &'static str,
        /// Where, in bytes from the start.
        at: usize,
        /// The name of it, and the remedy.
        what: Text,
    },
    /// A value that follows the form and is refused for what it says.
    #[error("{argument}: byte {at}: {error}")]
    Value {
        /// The argument's name, as in the header.
        argument: &'static str,
        /// Where, in bytes from the start.
        at: usize,
        /// The refusal.
        error: Box<Error>,
    },
}

impl InterchangeError {
    /// The refusal of a value, with its place. Where there is no memory for that, the refusal itself.
    pub(crate) fn of_value(argument: &'static str, at: usize, error: Error) -> Error {
        match try_uninit() {
            Ok(place) => Self::Value { argument, at, error: Box::write(place, error) }.into(),
            Err(_) => error,
        }
    }
}

impl Describe for InterchangeError {
    fn describe(&self) -> (i32, Numbers) {
        let at = |at: usize| Numbers { index: Some(at), ..Numbers::NONE };
        match *self {
            Self::Invalid { at: byte, .. } => (SHARDSPEC_INVALID_ARGUMENT, at(byte)),
            Self::Unknown { at: byte, .. } => (SHARDSPEC_UNSUPPORTED, at(byte)),
            Self::Value { at: byte, ref error, .. } => {
                let (status, numbers) = error.describe();
                (status, Numbers { index: Some(byte), ..numbers })
            }
        }
    }
}
