//! Counting the steps of algorithms, for tests of how they grow. It costs nothing outside of tests.

/// Counts some steps of this thread.
#[cfg(not(test))]
#[inline(always)]
pub(crate) fn count(_: usize) {}

#[cfg(test)]
pub(crate) use counted::{count, counted};

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "an overflow should fail the test")]
mod counted {
    use std::cell::Cell;

    thread_local! {
        static STEPS: Cell<u64> = const { Cell::new(0) };
    }

    /// Counts some steps of this thread.
    pub(crate) fn count(steps: usize) {
        STEPS.set(STEPS.get() + steps as u64);
    }

    /// The result of a function, and the number of its steps.
    pub(crate) fn counted<T>(run: impl FnOnce() -> T) -> (T, u64) {
        let before = STEPS.get();
        let answer = run();
        (answer, STEPS.get() - before)
    }
}
