//! The errors of notations.

use super::Notation;
use crate::error::status::*;
use crate::error::{Describe, Numbers};
use crate::memory::Text;

/// The error of a text in a notation, or of a layout that a notation has no text for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotationError {
    /// A text that does not follow its notation.
    #[error("text: byte {at}: found {found}, expected {expected} ({notation})")]
    Unexpected {
        /// The notation.
        notation: Notation,
        /// Where, in bytes from the start of the text.
        at: usize,
        /// What is there.
        found: Text,
        /// What may be there.
        expected: Text,
    },
    /// A text that follows its notation and does not fit the mesh or itself.
    #[error("text: byte {at}: {problem} ({notation})")]
    Wrong {
        /// The notation.
        notation: Notation,
        /// Where, in bytes from the start of the text.
        at: usize,
        /// The problem and the remedy.
        problem: Text,
    },
    /// A part of a notation that this library does not interpret.
    #[error("text: byte {at}: {what} ({notation})")]
    NotInterpreted {
        /// The notation.
        notation: Notation,
        /// Where, in bytes from the start of the text.
        at: usize,
        /// The name of the part, and the reason.
        what: Text,
    },
    /// A layout that a notation has no text for.
    #[error("spec: {notation} has no text for {what}")]
    Unsayable {
        /// The notation.
        notation: Notation,
        /// The part of the layout, and the reason.
        what: Text,
    },
    /// An entry of a descriptor of ScaLAPACK that is not allowed.
    #[error("descriptor: {name} is {value} (entry {}); {problem}", .entry.saturating_add(1))]
    Entry {
        /// Its position, counted from 0.
        entry: usize,
        /// Its name.
        name: &'static str,
        /// The value as it was given.
        value: i64,
        /// The problem and the remedy.
        problem: Text,
    },
    /// A layout that no descriptor of ScaLAPACK has.
    #[error("spec: a descriptor of ScaLAPACK has no entry for {what}")]
    NoDescriptor {
        /// The part of the layout, and the reason.
        what: Text,
    },
}

impl Describe for NotationError {
    fn describe(&self) -> (i32, Numbers) {
        let at = |at: usize| Numbers { index: Some(at), ..Numbers::NONE };
        match *self {
            Self::Unexpected { at: byte, .. } | Self::Wrong { at: byte, .. } => {
                (SHARDSPEC_INVALID_ARGUMENT, at(byte))
            }
            Self::NotInterpreted { at: byte, .. } => (SHARDSPEC_UNSUPPORTED, at(byte)),
            Self::Unsayable { .. } | Self::NoDescriptor { .. } => {
                (SHARDSPEC_UNSUPPORTED, Numbers::NONE)
            }
            Self::Entry { entry, value, .. } => {
                (SHARDSPEC_INVALID_ARGUMENT, Numbers { got: value, ..at(entry) })
            }
        }
    }
}
