//! The errors of checkpoints.

use std::ffi::CStr;
use std::fmt;

use crate::error::status::*;
use crate::error::{Describe, Error, Numbers};
use crate::geometry::Region;
use crate::interchange::InterchangeError;
use crate::memory::{Text, text};

/// The error of a file, or of what a set of files holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// The system refused an operation on a file.
    #[error("{file}: {action} failed{}: {}", AtByte(*.offset), SystemReason(*.code))]
    System {
        /// The file.
        file: Text,
        /// The operation.
        action: &'static str,
        /// Where in the file, if that matters.
        offset: Option<u64>,
        /// The system's number of the reason.
        code: i32,
    },
    /// A file that is not what its format asks for.
    #[error("{file}{}: {problem}", AtByte(*.offset))]
    InvalidFile {
        /// The file.
        file: Text,
        /// Where in the file, if it is known.
        offset: Option<u64>,
        /// What is wrong there.
        problem: Text,
    },
    /// A file without bytes that it should have.
    #[error("{file}: it has {length} bytes, and {what} ends at byte {end}; copy the file again")]
    TooShort {
        /// The file.
        file: Text,
        /// How many bytes it has.
        length: u64,
        /// What is not all there.
        what: Text,
        /// Where that would end.
        end: u64,
    },
    /// A file that was written, truncated or replaced after it was opened.
    #[error("{file}: it has changed since the checkpoint was opened; open the checkpoint again")]
    Changed {
        /// The file.
        file: Text,
    },
    /// A tensor that is not in the files.
    #[error("{what}")]
    NoTensor {
        /// Which tensor, and where it should be.
        what: Text,
    },
    /// Elements of a tensor that no file holds.
    #[error("tensor {tensor:?}: no file holds {region}{place}")]
    NotStored {
        /// The tensor's name.
        tensor: Text,
        /// The elements.
        region: Region,
        /// Where they should be, if that is known.
        place: Text,
    },
    /// Two chunks of a tensor that hold some of the same elements, but not all.
    #[error(
        "tensor {tensor:?}: chunks {first} (file {}) and {second} (file {}) both hold {region}, and are \
         no replicas of each other; remove the file that does not belong to the set",
        .files[0],
        .files[1]
    )]
    ChunksOverlap {
        /// The tensor's name.
        tensor: Text,
        /// The lower of the two chunks' numbers.
        first: usize,
        /// The higher of the two.
        second: usize,
        /// Their files.
        files: [Text; 2],
        /// What both hold.
        region: Region,
    },
}

impl FilesError {
    /// The refusal of a JSON text that is in a file, as one of the file.
    pub(super) fn in_file(file: &str, error: Error) -> Error {
        let Error::Interchange(InterchangeError::Invalid { at, problem, .. }) = error else {
            return error;
        };
        Self::InvalidFile { file: Text::copy(file), offset: Some(at as u64), problem }.into()
    }

    /// The refusal of a text that a file has besides its tensors, as one of the file.
    pub(super) fn in_text_of(file: &str, error: Error) -> Error {
        match error {
            Error::Interchange(InterchangeError::Invalid { argument, problem, .. }) => {
                let problem = text!("its {argument}: {problem}");
                Self::InvalidFile { file: Text::copy(file), offset: None, problem }.into()
            }
            Error::Interchange(InterchangeError::Unknown { argument, what, .. }) => {
                Error::Unsupported { what: text!("{file}: its {argument}: {what}") }
            }
            other => other,
        }
    }
}

impl Describe for FilesError {
    fn describe(&self) -> (i32, Numbers) {
        let none = Numbers::NONE;
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        match *self {
            Self::System { offset, code, .. } => {
                let numbers = Numbers::measured(code.into(), number(offset.unwrap_or(0)));
                (SHARDSPEC_FILE_FAILED, numbers)
            }
            Self::InvalidFile { offset, .. } => {
                (SHARDSPEC_INVALID_FILE, Numbers::measured(number(offset.unwrap_or(0)), 0))
            }
            Self::TooShort { length, end, .. } => {
                (SHARDSPEC_INVALID_FILE, Numbers::measured(number(length), number(end)))
            }
            Self::Changed { .. } => (SHARDSPEC_INVALID_FILE, none),
            Self::NoTensor { .. } => (SHARDSPEC_NOT_FOUND, none),
            Self::NotStored { .. } => (SHARDSPEC_GAP, none),
            Self::ChunksOverlap { first, second, .. } => {
                (SHARDSPEC_OVERLAP, Numbers { second: Some(second), ..Numbers::of_shard(first) })
            }
        }
    }
}

/// Where in a file.
struct AtByte(Option<u64>);

impl fmt::Display for AtByte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |offset| write!(f, " at byte {offset}"))
    }
}

/// The system's words for a number of its own. The standard library's would need memory.
struct SystemReason(i32);

impl fmt::Display for SystemReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = [0u8; 128];
        #[cfg(unix)]
        // SAFETY: `strerror_r` writes at most as many bytes as `words` has.
        unsafe {
            libc::strerror_r(self.0, words.as_mut_ptr().cast(), words.len())
        };
        match CStr::from_bytes_until_nul(&words).ok().and_then(|words| words.to_str().ok()) {
            Some(words) if !words.is_empty() => write!(f, "{words} (error {})", self.0),
            _ => write!(f, "error {}", self.0),
        }
    }
}
