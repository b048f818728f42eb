//! Long arrays of numbers that stand behind a JSON text.

use crate::memory::{Text, text};

/// Arrays start at multiples of so many bytes.
pub(crate) const ALIGNMENT: usize = 8;

/// The bytes behind a text, and how far they were read.
#[derive(Debug)]
pub(crate) struct NumberReader<'a> {
    rest: &'a [u8],
}

impl<'a> NumberReader<'a> {
    /// Arrays one behind the other.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next array: so many numbers of `width` bytes. On refusal, says why.
    pub(super) fn take(&mut self, count: u64, width: usize) -> Result<&'a [u8], Text> {
        let left = self.rest.len();
        let bytes = usize::try_from(count).ok().and_then(|count| count.checked_mul(width));
        let parts = bytes.and_then(|bytes| self.rest.split_at_checked(bytes));
        let Some((array, rest)) = parts else {
            let problem = text!(
                "an array of {count} numbers of {width} bytes is not there; {left} bytes are left"
            );
            return Err(problem);
        };
        let padding = array.len().next_multiple_of(ALIGNMENT).saturating_sub(array.len());
        match rest.split_at_checked(padding) {
            Some((zeros, rest)) if zeros.iter().all(|&byte| byte == 0) => {
                self.rest = rest;
                Ok(array)
            }
            _ => Err("the bytes between two arrays are not 0".into()),
        }
    }

    /// Whether all was read.
    pub(super) fn is_end(&self) -> bool {
        self.rest.is_empty()
    }
}
