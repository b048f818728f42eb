//! A cut: its rule, and the segments that are cut each on its own.

use super::rule::{Rule, RuleKind};
use crate::error::{Error, Result};

/// A cut of a dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cut {
    /// How its positions are dealt; of segments, what they say themselves.
    pub rule: Rule,
    /// Whether positions are first divided into segments, each of which is cut on its own.
    pub segments: Segments,
}

/// The segments of a cut. The piece of a coordinate is its pieces of all segments, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segments {
    /// There is one, which is all.
    One,
    /// So many of equal size: `ceil(length / n)` each, the last ones shorter or empty.
    Equal(i64),
    /// Of these sizes, which add up to the length, each with its own rule.
    Listed(Box<[Segment]>),
}

/// A segment of a dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Segment {
    /// How many positions it has.
    pub size: i64,
    /// How they are dealt.
    pub rule: Rule,
}

impl From<RuleKind> for Cut {
    fn from(kind: RuleKind) -> Self {
        Self { rule: kind.into(), segments: Segments::One }
    }
}

impl Cut {
    /// Refuses numbers that no cut has, and what does not suit an axis of `count` coordinates.
    pub fn check(&self, count: i64) -> Result<()> {
        match &self.segments {
            Segments::One => self.rule.check(count),
            Segments::Equal(number) => {
                if *number < 1 {
                    return Err(Error::TooSmall { argument: "segments", value: *number, least: 1 });
                }
                self.rule.check(count)
            }
            Segments::Listed(segments) => {
                for (at, segment) in segments.iter().enumerate() {
                    let size = segment.size;
                    let checked = if size < 0 {
                        Err(Error::TooSmall { argument: "size", value: size, least: 0 })
                    } else {
                        segment.rule.check(count)
                    };
                    checked.map_err(|error| error.at("segments", at))?;
                }
                Ok(())
            }
        }
    }
}
