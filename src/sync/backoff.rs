//! Waiting for other threads without a lock.

#![allow(clippy::arithmetic_side_effects, reason = "counters far from their ends")]

use std::time::Duration;

use crate::concurrency::spin_loop;
use crate::unwind::uncancelled;

/// Waiting for other threads without a lock: spins, then yields, then sleeps longer and longer.
pub(super) struct Backoff {
    turns: u32,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { turns: 0 }
    }

    /// Waits a moment, longer with each call.
    pub(super) fn wait(&mut self) {
        const SPINS: u32 = 64;
        const YIELDS: u32 = 128;
        const LONGEST: Duration = Duration::from_millis(1);
        // In a model, time is steps of other threads.
        if cfg!(loom) {
            return spin_loop();
        }
        self.turns = self.turns.saturating_add(1);
        match self.turns {
            ..SPINS => spin_loop(),
            SPINS..YIELDS => std::thread::yield_now(),
            turns => {
                let patience = Duration::from_micros(u64::from(turns - YIELDS + 1) * 10);
                uncancelled(|| std::thread::sleep(patience.min(LONGEST)));
            }
        }
    }
}
