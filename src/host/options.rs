//! How to copy.

/// Whether to write through the caches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stores {
    /// By size: around the caches when the destinations are larger than what the caches can use.
    #[default]
    Auto,
    /// Around the caches, for data that is not used again soon.
    Stream,
    /// Through the caches, for data that is used next.
    Cached,
}

/// The most instructions that may be used; the processor may have fewer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Instructions {
    /// All that the processor has.
    #[default]
    Best,
    /// Up to AVX2 on x86-64.
    Avx2,
    /// Those that every processor of this kind has.
    Portable,
}

/// How to copy. Nothing here changes what is copied.
#[derive(Debug, Clone, Copy, Default)]
pub struct CopyOptions {
    /// Most threads to use, the caller's included; 0: as many as pay, up to the processors of this
    /// process. Small copies use one, whatever this says.
    pub max_threads: usize,
    /// Whether to write through the caches.
    pub stores: Stores,
    /// The most instructions to use.
    pub instructions: Instructions,
}
