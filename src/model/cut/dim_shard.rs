//! What one coordinate has of one dimension.

use crate::geometry::{DimMap, GeometryResult, Stretch};

/// What one coordinate has of one dimension, owned: most are intervals, which need no memory.
#[derive(Debug)]
pub(crate) enum DimShard {
    /// An interval without holes: start and length.
    Interval(i64, i64),
    /// Anything else.
    Map(DimMap),
}

impl DimShard {
    /// A whole dimension of `size` indices in a buffer of `length` places.
    pub(crate) fn whole(size: i64, length: i64) -> GeometryResult<Self> {
        if size == length {
            return Ok(Self::Interval(0, size));
        }
        Ok(Self::Map(DimMap::padded(0, size, length)?))
    }

    /// A buffer of so many places that holds these stretches, which share nothing.
    pub(super) fn of_stretches(length: i64, stretches: Vec<Stretch>) -> GeometryResult<Self> {
        Ok(Self::of_map(DimMap::trusted(length, stretches)?))
    }

    fn of_map(map: DimMap) -> Self {
        match map.as_interval() {
            Some(range) => Self::Interval(range.start, map.length()),
            None => Self::Map(map),
        }
    }

    /// How many places the buffer has, holes included.
    pub(crate) fn length(&self) -> i64 {
        match self {
            Self::Interval(_, length) => *length,
            Self::Map(map) => map.length(),
        }
    }

    /// The first index in the order of the buffer, if there is one.
    pub(crate) fn first(&self) -> Option<i64> {
        match self {
            Self::Interval(start, length) => (*length > 0).then_some(*start),
            Self::Map(map) => map.stretches().first().map(Stretch::global_start),
        }
    }

    /// What has the places `positions` of this one, in their order.
    pub(super) fn select(&self, positions: Self) -> GeometryResult<Self> {
        Ok(match (self, positions) {
            (Self::Interval(start, _), Self::Interval(from, length)) => {
                // Inside of this interval, whose end fits.
                Self::Interval(start.saturating_add(from), length)
            }
            (Self::Interval(0, _), positions) => positions,
            (Self::Interval(start, length), Self::Map(positions)) => {
                Self::of_map(DimMap::interval(*start, *length)?.select(&positions)?)
            }
            (Self::Map(map), Self::Interval(from, length)) => {
                Self::of_map(map.select(&DimMap::interval(from, length)?)?)
            }
            (Self::Map(map), Self::Map(positions)) => Self::of_map(map.select(&positions)?),
        })
    }
}
