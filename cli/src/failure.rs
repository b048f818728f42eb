//! What stops a command: the message, what to do, and the exit code.

use std::fmt;
use std::io::Write;

use shardspec::error::Describe;
use shardspec::error::status::{
    SHARDSPEC_FILE_FAILED, SHARDSPEC_GAP, SHARDSPEC_INTERNAL, SHARDSPEC_INVALID_FILE,
    SHARDSPEC_NOT_FOUND, SHARDSPEC_OUT_OF_MEMORY, SHARDSPEC_OVERLAP, SHARDSPEC_UNSUPPORTED,
    name_of,
};
use shardspec::model::Error;

/// Why a command stops. The numbers are the exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The arguments are wrong, or do not fit the files.
    Usage = 2,
    /// A file can't be read or written, or lacks something.
    File = 3,
    /// The case is not supported, or there is too little memory for it.
    Unable = 4,
}

/// A command that stops.
#[derive(Debug)]
pub struct Failure {
    reason: Reason,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// Arguments that are wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { reason: Reason::Usage, message: message.into(), hint: None }
    }

    /// A file that can't be read or written.
    pub fn file(message: impl Into<String>) -> Self {
        Self { reason: Reason::File, message: message.into(), hint: None }
    }

    /// An operation of the system on a path that failed.
    pub fn system(path: impl fmt::Display, action: &str, error: &std::io::Error) -> Self {
        Self::file(format!("{path}: {action} failed: {error}"))
    }

    /// An error of the library. `subject` is put before its message.
    pub fn of(subject: impl fmt::Display, error: &Error) -> Self {
        let reason = match error.describe().0 {
            SHARDSPEC_FILE_FAILED
            | SHARDSPEC_INVALID_FILE
            | SHARDSPEC_NOT_FOUND
            | SHARDSPEC_GAP
            | SHARDSPEC_OVERLAP => Reason::File,
            SHARDSPEC_UNSUPPORTED | SHARDSPEC_OUT_OF_MEMORY | SHARDSPEC_INTERNAL => Reason::Unable,
            _ => Reason::Usage,
        };
        let subject = subject.to_string();
        let colon = if subject.is_empty() { "" } else { ": " };
        Self { reason, message: format!("{subject}{colon}{error}"), hint: None }
    }

    /// The same with another reason.
    pub fn because(self, reason: Reason) -> Self {
        Self { reason, ..self }
    }

    /// The same with a line that says what to do.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Prints it to stderr. The exit code.
    pub fn report(&self) -> u8 {
        let mut text = format!("shardspec: {}\n", self.message);
        if let Some(hint) = &self.hint {
            text.push_str(&format!("  {hint}\n"));
        }
        // There is no other place to report to.
        let _ = std::io::stderr().write_all(text.as_bytes());
        self.reason as u8
    }
}

/// The name of an error's status, such as `GAP`.
pub fn name(error: &Error) -> &'static str {
    name_of(error.describe().0).unwrap_or("UNKNOWN")
}
