//! A number that is different in every process, and in every copy of the library in one.

use std::collections::HashMap;
use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::unwind::uncancelled;

/// The number. It is not 0.
pub(crate) fn seed() -> u64 {
    static SEED: AtomicU64 = AtomicU64::new(0);
    match SEED.load(Ordering::Relaxed) {
        0 => {
            // Its own address, as a child process may have what its parent had.
            let copy = std::ptr::from_ref(&SEED).addr();
            let made = uncancelled(|| RandomState::new().hash_one(copy)) | 1;
            let first = SEED.compare_exchange(0, made, Ordering::Relaxed, Ordering::Relaxed);
            first.map_or_else(|first| first, |_| made)
        }
        seed => seed,
    }
}

/// Mixes the seed with a number: what comes out looks random, and is the same every time.
pub(crate) fn random_of(number: u64) -> u64 {
    // The finaliser of SplitMix64.
    let mut mixed = seed() ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// Hashers of maps. The standard library's own ask the system for a random number in each thread, and
/// a thread that was cancelled would end there.
#[derive(Clone)]
pub(crate) struct Seeded(DefaultHasher);

impl Default for Seeded {
    fn default() -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(seed());
        Self(hasher)
    }
}

impl BuildHasher for Seeded {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        self.0.clone()
    }
}

/// A map by hash.
pub(crate) type Map<K, V> = HashMap<K, V, Seeded>;
