//! Texts that grow part by part, or are refused.

use std::fmt::{self, Write};

use super::Notation;
use super::plain::unsayable;
use crate::error::Result;
use crate::memory::{OutOfMemory, text};

/// A text that is being written.
pub(super) struct Printed(String);

impl Printed {
    pub(super) fn new() -> Self {
        Self(String::new())
    }

    /// Appends a part.
    pub(super) fn push(&mut self, part: fmt::Arguments<'_>) -> Result<()> {
        // Nothing else can fail: numbers and texts are written as they are.
        self.write_fmt(part).map_err(|_| OutOfMemory { bytes: self.0.len() }.into())
    }

    /// Appends values with a separator between them.
    pub(super) fn list<T>(
        &mut self, separator: &str, values: impl IntoIterator<Item = T>,
        mut print: impl FnMut(&mut Self, T) -> Result<()>,
    ) -> Result<()> {
        for (number, value) in values.into_iter().enumerate() {
            if number > 0 {
                self.push(format_args!("{separator}"))?;
            }
            print(self, value)?;
        }
        Ok(())
    }

    /// Appends a name in the first kind of quotes that it does not contain.
    pub(super) fn name(&mut self, notation: Notation, quotes: &str, name: &str) -> Result<()> {
        let free = quotes.chars().find(|quote| !name.contains(*quote));
        match free.filter(|_| !name.contains(['\\', '\n'])) {
            Some(quote) => self.push(format_args!("{quote}{name}{quote}")),
            None => {
                Err(unsayable(notation, text!("the name {name:?} of an axis; rename the axis")))
            }
        }
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl Write for Printed {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0.try_reserve(part.len()).map_err(|_| fmt::Error)?;
        self.0.push_str(part);
        Ok(())
    }
}
