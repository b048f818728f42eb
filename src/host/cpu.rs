//! What the processor can do, and how much its caches hold: asked once.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::processors;
use crate::host::options::Instructions;
use crate::unwind::uncancelled;

/// Instructions to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// What every processor of the architecture has: SSE2 on x86-64, NEON on aarch64.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// Whether lines are put together in registers, whatever the lengths of their parts.
    pub(super) fn has_masks(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self == Self::Avx512;
        #[cfg(not(target_arch = "x86_64"))]
        return false;
    }

    /// The level of the most instructions to use.
    pub(super) fn most(instructions: Instructions) -> Self {
        match instructions {
            #[cfg(target_arch = "x86_64")]
            Instructions::Best => Self::Avx512,
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => Self::Avx2,
            _ => Self::Portable,
        }
    }
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
            processors: known_or(&PROCESSORS, processors::count),
            // Source and destination share the cache, and others use it too.
            stream_from: known_or(&STREAM_FROM, || {
                last_cache().map_or(DEFAULT_STREAM_FROM, |bytes| bytes / 4)
            }),
        }
    }
}

#[cfg(test)]
impl Machine {
    /// All levels that this processor has.
    pub(super) fn levels(&self) -> Vec<Level> {
        let levels = [
            Level::Portable,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512,
        ];
        levels.into_iter().filter(|&level| level <= self.level).collect()
    }
}

fn known_or(known: &AtomicUsize, ask: impl FnOnce() -> usize) -> usize {
    match known.load(Ordering::Relaxed) {
        0 => {
            let answer = uncancelled(ask);
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

/// Bytes of the last-level cache of one processor, where the system tells. (`sysconf` tells those of
/// all caches of a package together.)
#[cfg(target_os = "linux")]
fn last_cache() -> Option<usize> {
    let sizes = [
        "/sys/devices/system/cpu/cpu0/cache/index3/size",
        "/sys/devices/system/cpu/cpu0/cache/index2/size",
    ];
    sizes.into_iter().find_map(|path| {
        let mut room = [0; 64];
        let text = processors::read(path, &mut room)?;
        let kib: usize = text.trim().strip_suffix('K')?.parse().ok()?;
        kib.checked_mul(1 << 10).filter(|&bytes| bytes > 0)
    })
}

#[cfg(not(target_os = "linux"))]
fn last_cache() -> Option<usize> {
    None
}
