//! The processor's instructions and the sizes of its caches, detected once.

mod processors;

use std::sync::atomic::{AtomicUsize, Ordering};

use super::options::{CopyOptions, Instructions};
use crate::unwind::uncancelled;

/// Bytes of a cache line.
pub(super) const LINE: usize = 64;

/// Instructions to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// The instructions of every processor of the architecture: SSE2 on x86-64, NEON on aarch64.
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// All levels, the lowest first.
    #[cfg(target_arch = "x86_64")]
    pub(super) const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];
    #[cfg(not(target_arch = "x86_64"))]
    pub(super) const ALL: [Self; 1] = [Self::Portable];

    /// The level with a name.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"portable" => Some(Self::Portable),
            #[cfg(target_arch = "x86_64")]
            b"avx2" => Some(Self::Avx2),
            #[cfg(target_arch = "x86_64")]
            b"avx512" => Some(Self::Avx512),
            _ => None,
        }
    }

    /// Whether masked loads combine the parts of a line in a register, whatever their lengths.
    pub(super) fn has_masks(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self == Self::Avx512;
        #[cfg(not(target_arch = "x86_64"))]
        return false;
    }

    /// The highest level that the processor has and the options allow.
    pub(super) fn new(options: &CopyOptions) -> Self {
        Machine::get().level.min(Self::max(options.instructions))
    }

    /// The highest level that `instructions` allow.
    fn max(instructions: Instructions) -> Self {
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
    /// All processors of the machine, or of the part of one that a virtual machine has.
    pub(super) online: usize,
    /// Bytes of the last-level cache of one processor, where the system reports it.
    pub(super) last_cache: Option<usize>,
}

impl Machine {
    pub(super) fn get() -> Self {
        // Relaxed numbers instead of a lock that a fork might leave held: detecting twice is
        // harmless.
        static PROCESSORS: AtomicUsize = AtomicUsize::new(0);
        static ONLINE: AtomicUsize = AtomicUsize::new(0);
        static LAST_CACHE: AtomicUsize = AtomicUsize::new(0);
        let last_cache = known_or(&LAST_CACHE, || last_cache().unwrap_or(NOT_REPORTED));
        Self {
            level: level(),
            processors: known_or(&PROCESSORS, processors::count),
            online: known_or(&ONLINE, processors::online),
            last_cache: Some(last_cache).filter(|&bytes| bytes != NOT_REPORTED),
        }
    }
}

#[cfg(test)]
impl Machine {
    /// All levels that this processor has.
    pub(super) fn levels(&self) -> Vec<Level> {
        Level::ALL.into_iter().filter(|&level| level <= self.level).collect()
    }
}

fn known_or(known: &AtomicUsize, detect: impl FnOnce() -> usize) -> usize {
    match known.load(Ordering::Relaxed) {
        0 => {
            let answer = uncancelled(detect);
            known.store(answer, Ordering::Relaxed);
            answer
        }
        answer => answer,
    }
}

/// The size of a cache that the system does not report.
const NOT_REPORTED: usize = usize::MAX;

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

/// Bytes of the last-level cache of one processor, where the system reports it. (`sysconf` reports
/// the sum of all caches of a package.)
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
