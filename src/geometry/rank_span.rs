//! Ranges of ranks: what a box holds of one dimension.

#![allow(clippy::arithmetic_side_effects, reason = "half of a difference lies between both ranks")]

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
        let middle = self.low + self.high.saturating_sub(self.low) / 2;
        let half = |low: u32, high: u32| (low < high).then_some(Self { low, high });
        [half(self.low, middle), half(middle, self.high)]
    }

    pub(super) const NOTHING: Self = Self { low: u32::MAX, high: 0 };
    pub(super) const EVERYTHING: Self = Self { low: 0, high: u32::MAX };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_the_sets_of_their_ranks() {
        let spans = || (0..6u32).flat_map(|low| (low..6).map(move |high| RankSpan { low, high }));
        let ranks = |span: RankSpan| -> Vec<u32> { (span.low..span.high).collect() };
        let of =
            |spans: &[RankSpan]| spans.iter().flat_map(|&span| ranks(span)).collect::<Vec<_>>();
        for one in spans() {
            let halves: Vec<RankSpan> = one.halves().into_iter().flatten().collect();
            assert_eq!(of(&halves), ranks(one));
            assert!(halves.iter().all(|half| half.low < half.high));
            assert!(halves.len() == 2 || ranks(one).len() < 2);
            assert!(ranks(RankSpan::EVERYTHING.common(one)) == ranks(one));
            assert!(RankSpan::EVERYTHING.holds(one) && !RankSpan::NOTHING.meets(one));
            let hull = RankSpan::NOTHING.hull(one);
            assert_eq!((hull.low, hull.high), (one.low, one.high));
            for other in spans().filter(|other| other.low < other.high && one.low < one.high) {
                let both: Vec<u32> =
                    ranks(one).into_iter().filter(|rank| ranks(other).contains(rank)).collect();
                assert_eq!(one.meets(other), !both.is_empty());
                assert_eq!(one.holds(other), both == ranks(other));
                assert_eq!(ranks(one.common(other)), both);
                let hull = one.hull(other);
                assert!(hull.holds(one) && hull.holds(other));
                assert_eq!(hull.low, one.low.min(other.low));
                assert_eq!(hull.high, one.high.max(other.high));
            }
        }
        assert!(RankSpan::NOTHING.halves().into_iter().flatten().next().is_none());
    }
}
