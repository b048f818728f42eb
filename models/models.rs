//! Models: small programs of a few threads, of which loom runs every order that matters.
//!
//! What a model checks is its name. Besides, every model fails where a place is written by one thread and not
//! ordered against its other uses, where all threads wait, and where a thread waits for ever for another.

// Loom's programs fail by panicking.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod local_models;
mod registry_models;
mod slot_map_models;
mod small_models;

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::concurrency::{TrackedCell, modelled};

pub use modelled::weaken;

/// A program for loom.
pub struct Model {
    pub name: &'static str,
    /// How often threads may be preempted in one run; they may wait any number of times.
    preemptions: usize,
    body: fn(),
}

impl Model {
    /// Runs the program in every order; how many there were.
    pub fn explore(&self) -> u32 {
        modelled::explore(self.preemptions, self.body)
    }

    /// Runs the program in some orders, which have all its accesses. The orderings of these.
    pub fn sites(&self) -> Vec<String> {
        modelled::explore(1, self.body);
        modelled::sites()
    }
}

/// All models.
pub fn models() -> impl Iterator<Item = &'static Model> {
    let all = [
        slot_map_models::MODELS,
        registry_models::MODELS,
        local_models::MODELS,
        small_models::MODELS,
    ];
    all.into_iter().flatten()
}

/// How many witnesses were dropped in this run.
static DROPS: AtomicUsize = AtomicUsize::new(0);

/// An object that threads share: looking at it and dropping it are accesses that loom orders.
struct Witness {
    number: usize,
    place: TrackedCell<usize>,
}

// SAFETY: the `place` of a `Witness` is used by threads of a model, which loom orders or fails.
unsafe impl Sync for Witness {}

impl Witness {
    fn new(number: usize) -> Self {
        let witness = Self { number, place: TrackedCell::new(0) };
        // SAFETY: `place` is of a value that no other thread has.
        unsafe { *witness.place.write() = number };
        witness
    }

    fn look(&self) -> usize {
        // SAFETY: `place` is written by `drop` only, and loom fails a run in which that is not after this.
        let seen = unsafe { *self.place.read() };
        assert_eq!(seen, self.number, "an object was used after it was dropped");
        seen
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // SAFETY: `place` is of this object, which is dropped; loom fails a run in which it is used.
        unsafe { *self.place.write() = usize::MAX };
        DROPS.fetch_add(1, Ordering::Relaxed);
    }
}

/// Begins a program: none was dropped.
fn no_drops() {
    DROPS.store(0, Ordering::Relaxed);
}

fn drops() -> usize {
    DROPS.load(Ordering::Relaxed)
}
