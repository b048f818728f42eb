//! Which lengths may be cut into how many pieces.

use super::deal::Deal;
use super::segments::Cut;
use crate::error::{Error, Result};

impl Cut {
    /// Refuses a cut of `length` positions into the pieces of `count` coordinates that would not be
    /// made, and says why.
    pub fn check_length(&self, length: i64, count: i64) -> Result<()> {
        if count < 1 {
            return Err(Error::TooSmall { argument: "count", value: count, least: 1 });
        }
        if length < 0 {
            return Err(Error::TooSmall { argument: "length", value: length, least: 0 });
        }
        self.check(count)?;
        Deal::new(self, length, count).map(|_| ())
    }
}
