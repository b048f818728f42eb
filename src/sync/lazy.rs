//! Values that are computed on first use, without a lock.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// A value derived from its neighbouring fields, computed on first use.
///
/// No thread ever waits here, so a fork in another thread leaves nothing locked. Threads that need
/// the value at the same time each compute one. One of them stores its own, and the others use
/// theirs and drop them. Storing is the only call of `OnceLock` that could wait for another thread,
/// and only the thread that claimed the place makes it. A child that was forked between a claim and
/// its store, a few instructions, computes the value each time it needs it.
///
/// A derived value takes no part in comparisons, and a clone computes its own.
pub(crate) struct Lazy<T> {
    claimed: AtomicBool,
    value: OnceLock<T>,
}

/// A lazy value: the stored one, or one that only this caller has.
pub(crate) enum Made<'a, T> {
    Stored(&'a T),
    Own(T),
}

impl<T> Lazy<T> {
    /// The value, computed now if it is not stored.
    pub(crate) fn get_or_make<E>(
        &self, make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Made<'_, T>, E> {
        if let Some(value) = self.value.get() {
            return Ok(Made::Stored(value));
        }
        let value = make()?;
        if self.claimed.swap(true, Ordering::Relaxed) {
            return Ok(Made::Own(value));
        }
        Ok(Made::Stored(self.value.get_or_init(|| value)))
    }
}

impl<T> Deref for Made<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Stored(value) => value,
            Self::Own(value) => value,
        }
    }
}

impl<T> Default for Lazy<T> {
    fn default() -> Self {
        Self { claimed: AtomicBool::new(false), value: OnceLock::new() }
    }
}

impl<T> Clone for Lazy<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T> PartialEq for Lazy<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Lazy<T> {}

impl<T> Hash for Lazy<T> {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl<T> fmt::Debug for Lazy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.value.get().is_some() { "Lazy(made)" } else { "Lazy" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_ask_at_once_all_get_a_value_and_one_is_kept() {
        let lazy = Lazy::default();
        let started = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (lazy, started) = (&lazy, &started);
                scope.spawn(move || {
                    started.wait();
                    let made = lazy.get_or_make(|| Ok::<_, ()>(thread)).unwrap();
                    assert!((0..8).contains(&*made));
                });
            }
        });
        let kept = *lazy.get_or_make(|| Err(())).unwrap();
        assert_eq!(*lazy.get_or_make(|| Err(())).unwrap(), kept);
    }

    #[test]
    fn what_could_not_be_made_is_tried_again() {
        let lazy = Lazy::default();
        assert_eq!(lazy.get_or_make(|| Err("no memory")).err(), Some("no memory"));
        assert_eq!(*lazy.get_or_make(|| Ok::<_, ()>(3)).unwrap(), 3);
    }

    #[test]
    fn a_claim_without_a_store_blocks_no_thread() {
        let lazy = Lazy::default();
        lazy.claimed.store(true, Ordering::Relaxed);
        for value in [1, 2] {
            assert_eq!(*lazy.get_or_make(|| Ok::<_, ()>(value)).unwrap(), value);
        }
    }
}
