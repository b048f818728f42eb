//! Hashes that are equal in every process.

use std::hash::{DefaultHasher, Hasher};

/// A hash that does not depend on the process: the keys are fixed.
pub(crate) fn stable_hash(feed: impl FnOnce(&mut DefaultHasher)) -> u64 {
    let mut hasher = DefaultHasher::new();
    feed(&mut hasher);
    hasher.finish()
}
