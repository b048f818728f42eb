//! Ranges of ranks: what a box holds of one dimension.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "ranks are in order: none is less than the lowest"
)]

/// Half-open range of start ranks that a box holds in one dimension. Two boxes meet in that
/// dimension exactly when their ranges do.
#[derive(Clone, Copy)]
pub(crate) struct RankSpan {
    pub(crate) low: u32,
    pub(crate) high: u32,
}

impl RankSpan {
    pub(super) fn meets(self, other: Self) -> bool {
        (self.low < other.high) & (other.low < self.high)
    }

    pub(super) fn holds(self, other: Self) -> bool {
        (self.low <= other.low) & (other.high <= self.high)
    }

    pub(super) fn hull(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    pub(super) fn common(self, other: Self) -> Self {
        Self { low: self.low.max(other.low), high: self.high.min(other.high) }
    }

    /// Both halves of a segment. A box that only reaches into a segment leaves it at least two ranks
    /// wide, so no half is empty.
    pub(super) fn halves(self) -> [Option<Self>; 2] {
        if self.low >= self.high {
            return [None; 2];
        }
        let middle = self.low + (self.high - self.low) / 2;
        let half = |low: u32, high: u32| (low < high).then_some(Self { low, high });
        [half(self.low, middle), half(middle, self.high)]
    }

    pub(super) const NOTHING: Self = Self { low: u32::MAX, high: 0 };
    pub(super) const EVERYTHING: Self = Self { low: 0, high: u32::MAX };
}
