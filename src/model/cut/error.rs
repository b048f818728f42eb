//! What a cut of a length can be refused for.

use std::fmt;

/// Why so many positions can't be cut like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CutProblem {
    /// `repeat` does not divide the number of coordinates.
    Repeat {
        /// Neighbouring coordinates that share a piece.
        repeat: i64,
        /// Coordinates of the axis.
        count: i64,
    },
    /// More coordinates than units, and no multiple of them, where units are repeated as needed.
    SharedUnits {
        /// Units to cut.
        units: i64,
        /// Coordinates of the axis.
        count: i64,
    },
    /// An even cut of what does not divide.
    Uneven {
        /// Positions to cut.
        length: i64,
        /// Positions of a unit.
        granule: i64,
        /// Pieces to make.
        pieces: i64,
    },
    /// Sizes of pieces that add up to something else than the length.
    Sizes {
        /// What they add up to; `None` where that does not fit 64 bits.
        sum: Option<i64>,
        /// Positions to cut.
        length: i64,
    },
    /// A piece that starts inside of a unit.
    InsideUnit {
        /// The piece's number.
        piece: usize,
        /// Where it starts.
        start: i64,
        /// Positions of a unit.
        granule: i64,
    },
    /// Sizes of segments that add up to something else than the length.
    Segments {
        /// What they add up to; `None` where that does not fit 64 bits.
        sum: Option<i64>,
        /// Positions to cut.
        length: i64,
    },
    /// More segments than are taken apart one by one.
    ManySegments {
        /// How many there are.
        count: i64,
        /// How many there may be.
        most: i64,
    },
}

/// A sum, as far as it is known.
struct TotalOrMore(Option<i64>);

impl fmt::Display for TotalOrMore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(sum) => write!(f, "{sum}"),
            None => f.write_str("more than 64 bits count"),
        }
    }
}

impl fmt::Display for CutProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Repeat { repeat, count } => write!(
                f,
                "repeat {repeat} does not divide the {count} coordinates of the axis; pass a divisor"
            ),
            Self::SharedUnits { units, count } => write!(
                f,
                "{count} coordinates can't share {units} units equally; pass a multiple of {units}, or at \
                 most {units}"
            ),
            Self::Uneven { length, granule: 1, pieces } => {
                let pad = Multiple(length, i128::from(pieces));
                write!(
                    f,
                    "{length} does not divide into {pieces} equal pieces; pad to {pad} or drop 'even'"
                )
            }
            Self::Uneven { length, granule, pieces } => {
                let pad = Multiple(length, i128::from(pieces).saturating_mul(granule.into()));
                write!(
                    f,
                    "{length} does not divide into {pieces} equal pieces of whole units of {granule}; pad \
                     to {pad} or drop 'even'"
                )
            }
            Self::Sizes { sum, length } => {
                write!(f, "the sizes of the pieces add up to {}, not to {length}", TotalOrMore(sum))
            }
            Self::InsideUnit { piece, start, granule } => {
                let before = start.saturating_sub(start.checked_rem(granule).unwrap_or(0));
                write!(
                    f,
                    "piece {piece} starts at {start}, inside of a unit of {granule}; start it at {before} \
                     or {}",
                    before.saturating_add(granule)
                )
            }
            Self::Segments { sum, length } => {
                write!(
                    f,
                    "the sizes of the segments add up to {}, not to {length}",
                    TotalOrMore(sum)
                )
            }
            Self::ManySegments { count, most } => write!(
                f,
                "{count} segments of a cyclic rule are more than the {most} that are supported"
            ),
        }
    }
}

/// The next multiple from a number on.
struct Multiple(i64, i128);

impl fmt::Display for Multiple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, of) = *self;
        let rest = i128::from(number).checked_rem(of).unwrap_or(0);
        let more = if rest == 0 { 0 } else { of.saturating_sub(rest) };
        write!(f, "{}", i128::from(number).saturating_add(more))
    }
}
