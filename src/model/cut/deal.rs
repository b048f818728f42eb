//! Dealing the positions of a length to the coordinates of an axis.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "positions lie inside of the length that is cut, which fits an i64"
)]

use super::dim_shard::DimShard;
use super::error::CutProblem;
use super::positions::Positions;
use super::rule::Rule;
use super::segments::{Cut, Segments};
use crate::error::Result;
use crate::geometry::Stretch;
use crate::memory::TryVec;

/// Segments that are taken apart one by one, where a rule deals no intervals.
const MAX_SEGMENTS: i64 = 1 << 16;

/// A cut of a length, ready to be asked for each coordinate.
pub(crate) struct Deal<'a> {
    length: i64,
    parts: Vec<SegmentRun<'a>>,
}

/// Segments of equal length that follow each other and are cut alike.
struct SegmentRun<'a> {
    /// Where the first one starts.
    start: i64,
    /// How long each is.
    size: i64,
    /// How many there are.
    count: i64,
    positions: Positions<'a>,
}

impl<'a> Deal<'a> {
    /// A cut, which was checked, of `length` positions for `count` coordinates.
    pub(crate) fn new(cut: &'a Cut, length: i64, count: i64) -> Result<Self> {
        let mut parts = Vec::new();
        let mut push = |rule: &'a Rule, start, size, number| {
            let positions = Positions::new(rule, size, count)?;
            parts.try_push(SegmentRun { start, size, count: number, positions })?;
            Ok::<(), crate::error::Error>(())
        };
        match &cut.segments {
            Segments::One => push(&cut.rule, 0, length, 1)?,
            Segments::Equal(number) => {
                let size = length / number + i64::from(length % number > 0);
                let whole = length.checked_div(size).unwrap_or(0);
                if cut.rule.is_cyclic() && whole > MAX_SEGMENTS {
                    let (count, most) = (whole, MAX_SEGMENTS);
                    return Err(CutProblem::ManySegments { count, most }.into());
                }
                let rest = length - whole * size;
                push(&cut.rule, 0, size, whole)?;
                if rest > 0 {
                    push(&cut.rule, whole * size, rest, 1)?;
                }
                if whole + i64::from(rest > 0) < *number {
                    // Empty ones have nothing, but a rule may refuse to cut them.
                    push(&cut.rule, length, 0, 0)?;
                }
            }
            Segments::Listed(segments) => {
                let mut sizes = segments.iter();
                let sum = sizes.try_fold(0i64, |sum, segment| sum.checked_add(segment.size));
                if sum != Some(length) {
                    return Err(CutProblem::Segments { sum, length }.into());
                }
                let mut start = 0;
                for (at, segment) in segments.iter().enumerate() {
                    let pushed = push(&segment.rule, start, segment.size, 1);
                    pushed.map_err(|error| error.at("segments", at))?;
                    start += segment.size;
                }
            }
        }
        Ok(Self { length, parts })
    }

    /// How many positions are dealt.
    pub(crate) fn length(&self) -> i64 {
        self.length
    }

    /// Whether neighbouring coordinates share positions.
    pub(crate) fn repeats(&self) -> bool {
        self.parts.iter().any(|part| part.positions.repeats())
    }

    /// What the coordinate `at` has of `whole`, which is as long as what is dealt.
    pub(crate) fn of(&self, whole: &DimShard, at: i64) -> Result<DimShard> {
        Ok(whole.select(self.positions(at)?)?)
    }

    /// The positions of a coordinate, in the order of its buffer.
    fn positions(&self, at: i64) -> Result<DimShard> {
        if let [SegmentRun { count: 1, positions, .. }] = self.parts.as_slice()
            && let Some((start, length)) = positions.interval(at)
        {
            return Ok(DimShard::Interval(start, length));
        }
        let (mut stretches, mut local) = (Vec::new(), 0);
        for part in &self.parts {
            local += part.push(at, local, &mut stretches)?;
        }
        Ok(DimShard::of_stretches(local, stretches)?)
    }
}

impl SegmentRun<'_> {
    /// Adds a coordinate's positions; returns how many they are.
    fn push(&self, at: i64, local: i64, stretches: &mut Vec<Stretch>) -> Result<i64> {
        if let Some((start, length)) = self.positions.interval(at) {
            let starts = [self.start + start, local];
            let blocks = Stretch::new(starts, length, self.count, [self.size, length]);
            stretches.try_extend(blocks)?;
            return Ok(length * self.count);
        }
        let mut all = 0;
        for number in 0..self.count {
            let starts = [self.start + number * self.size, local + all];
            all += self.positions.push(at, starts, stretches)?;
        }
        Ok(all)
    }
}
