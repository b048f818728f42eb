//! What the processor can do, and how much its caches hold: asked once.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Instructions to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "levels of x86-64"))]
pub(super) enum Level {
    /// What every processor of the architecture has: SSE2 on x86-64.
    Portable,
    Avx2,
    Avx512,
}

/// The machine, as far as copying is concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Machine {
    pub(super) level: Level,
    /// Processors that this process may use.
    pub(super) processors: usize,
    /// Bytes of destination from which on stores go around the caches.
    pub(super) stream_from: usize,
}

impl Machine {
    pub(super) fn get() -> Self {
        // Relaxed numbers instead of a lock that a fork might leave held: asking twice is harmless.
        static PROCESSORS: AtomicUsize = AtomicUsize::new(0);
        static STREAM_FROM: AtomicUsize = AtomicUsize::new(0);
        Self {
            level: level(),
            processors: known_or(&PROCESSORS, || {
                std::thread::available_parallelism().map_or(1, usize::from)
            }),
            // Source and destination share the cache, and others use it too.
            stream_from: known_or(&STREAM_FROM, || {
                last_cache().map_or(DEFAULT_STREAM_FROM, |bytes| bytes / 4)
            }),
        }
    }
}

fn known_or(known: &AtomicUsize, ask: impl FnOnce() -> usize) -> usize {
    match known.load(Ordering::Relaxed) {
        0 => {
            let answer = ask();
            known.store(answer, Ordering::Relaxed);
            answer
        }
        answer => answer,
    }
}

const DEFAULT_STREAM_FROM: usize = 4 << 20;

#[cfg(target_arch = "x86_64")]
fn level() -> Level {
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
        Level::Avx512
    } else if is_x86_feature_detected!("avx2") {
        Level::Avx2
    } else {
        Level::Portable
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn level() -> Level {
    Level::Portable
}

/// Bytes of the last-level cache, where the system tells.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn last_cache() -> Option<usize> {
    [libc::_SC_LEVEL3_CACHE_SIZE, libc::_SC_LEVEL2_CACHE_SIZE].into_iter().find_map(|name| {
        // SAFETY: sysconf only reads its argument.
        let bytes = unsafe { libc::sysconf(name) };
        usize::try_from(bytes).ok().filter(|&bytes| bytes > 0)
    })
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn last_cache() -> Option<usize> {
    None
}
