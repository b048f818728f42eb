//! How to copy.

pub use crate::memory::PrefetchInto;

/// Which stores a copy uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stores {
    /// By size: non-temporal stores when the destinations are larger than the caches are good for.
    #[default]
    Auto,
    /// Non-temporal (streaming) stores, for data that is not used again soon.
    Stream,
    /// Cached stores, for data that is used next.
    Cached,
}

/// The largest set of instructions that may be used; the processor may have fewer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Instructions {
    /// All that the processor has.
    #[default]
    Best,
    /// Up to AVX2 on x86-64.
    Avx2,
    /// Those that every processor of the architecture has.
    Portable,
}

/// How memory is prefetched before it is read, where non-temporal stores are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefetch {
    /// How far ahead of themselves long runs are prefetched, in bytes; 0: not at all.
    pub ahead: usize,
    /// Into which cache.
    pub into: PrefetchInto,
}

/// How to copy. Nothing here changes what is copied.
///
/// With the default of `stores`, `instructions` and `prefetch`, a large copy tries several ways on its
/// first megabytes, and goes on with the fastest. Any other value fixes the way.
#[derive(Debug, Clone, Copy, Default)]
pub struct CopyOptions {
    /// Most threads to use, the caller's included; 0: as many as pay, up to the processors of this
    /// process. Small copies use one, whatever this says.
    pub max_threads: usize,
    /// Which stores to use.
    pub stores: Stores,
    /// The largest set of instructions to use.
    pub instructions: Instructions,
    /// How memory is prefetched.
    pub prefetch: Option<Prefetch>,
}
