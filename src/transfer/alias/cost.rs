//! The cost of a search for shared memory, for tests of its growth.

/// Counters of one comparison of views.
#[derive(Debug, Default)]
pub(super) struct SearchCost {
    /// Boxes that the views became.
    pub(super) boxes: usize,
    /// Pairs of views that were compared.
    pub(super) pairs: u64,
    /// Steps of these comparisons.
    pub(super) steps: u64,
    /// Views that were compared run by run.
    pub(super) scanned: usize,
}
