//! Rules: how many of a number of positions each piece of a cut has.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "counts, granules and repeats are at least 1 where they divide"
)]

use super::error::CutProblem;
use crate::error::{Error, Result};
use crate::memory::text;

/// How the positions of a dimension, or of a segment of one, are dealt to the coordinates of an axis.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Which positions a piece has.
    pub kind: RuleKind,
    /// All but `Cyclic` count in units of so many positions, the last of which may be short; pieces
    /// of `Sizes` start at units.
    pub granule: i64,
    /// So many neighbouring coordinates have the same piece; or [`Rule::REPEAT_AS_NEEDED`].
    pub repeat: i64,
    /// Refuses what does not divide into whole units and pieces of equal size.
    pub even: bool,
}

/// Which positions a piece has, of `k` pieces of `n` units.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RuleKind {
    /// `ceil(n / k)` each, the last ones shorter or empty: `torch.chunk`, DTensor, JAX, MPI's BLOCK.
    Chunk,
    /// `n / k` each, the first `n % k` one more: `numpy.array_split`.
    Balanced,
    /// So many positions each. They must add up to the length.
    Sizes(Box<[i64]>),
    /// In proportion to weights: largest remainders first, ties to the lower piece. A weight of 0 gets
    /// nothing.
    Weights(Box<[i64]>),
    /// Every `k`-th block of `block` positions; the first block is that of piece `first % k`. MPI's
    /// CYCLIC, ScaLAPACK.
    Cyclic {
        /// Neighbouring positions of a block.
        block: i64,
        /// Which piece has the first block.
        first: i64,
    },
}

impl RuleKind {
    /// The rule's name, as it is written.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Chunk => "chunk",
            Self::Balanced => "balanced",
            Self::Sizes(_) => "sizes",
            Self::Weights(_) => "weights",
            Self::Cyclic { .. } => "cyclic",
        }
    }
}

impl From<RuleKind> for Rule {
    fn from(kind: RuleKind) -> Self {
        Self { kind, granule: 1, repeat: 1, even: false }
    }
}

impl Rule {
    /// The `repeat` that is chosen when a length is cut: 1 where there are as many units as coordinates,
    /// and else as many coordinates as there are for each unit. So 8 key-value heads are one each on 8
    /// coordinates, and one for 2 neighbouring coordinates each on 16. A number of coordinates that is
    /// larger than that of units and no multiple of it is refused.
    ///
    /// Units are those of the granule; of `Cyclic`, its blocks. Lists of pieces need a number.
    pub const REPEAT_AS_NEEDED: i64 = -1;

    /// Refuses numbers that no rule has, and lists that are not as long as an axis of `count`
    /// coordinates needs.
    pub(super) fn check(&self, count: i64) -> Result<()> {
        at_least("granule", self.granule, 1)?;
        if self.repeat != Self::REPEAT_AS_NEEDED {
            at_least("repeat", self.repeat, 1)?;
            if count % self.repeat != 0 {
                return Err(CutProblem::Repeat { repeat: self.repeat, count }.into());
            }
        }
        match &self.kind {
            RuleKind::Chunk | RuleKind::Balanced => Ok(()),
            RuleKind::Cyclic { block, first } => {
                at_least("block", *block, 1)?;
                at_least("first", *first, 0)
            }
            RuleKind::Sizes(sizes) => self.check_values("sizes", sizes, count),
            RuleKind::Weights(weights) => {
                self.check_values("weights", weights, count)?;
                if weights.iter().all(|&weight| weight == 0) {
                    let problem = "all are 0; give at least one piece a weight";
                    return Err(Error::invalid("weights", problem));
                }
                Ok(())
            }
        }
    }

    fn check_values(&self, argument: &'static str, values: &[i64], count: i64) -> Result<()> {
        if self.repeat == Self::REPEAT_AS_NEEDED {
            let problem = "listed pieces can't be repeated as needed; pass a number";
            return Err(Error::invalid("repeat", problem));
        }
        let (got, pieces) = (values.len(), count / self.repeat);
        if i64::try_from(got).ok() != Some(pieces) {
            let problem = text!("there are {got} for {pieces} pieces; pass one for each");
            return Err(Error::invalid(argument, problem));
        }
        match values.iter().position(|&value| value < 0) {
            None => Ok(()),
            Some(at) => {
                let value = values.get(at).copied().unwrap_or_default();
                Err(Error::TooSmall { argument, value, least: 0 }.at(argument, at))
            }
        }
    }

    /// Whether it deals blocks in turn, and not an interval to each.
    pub(super) fn is_cyclic(&self) -> bool {
        matches!(self.kind, RuleKind::Cyclic { .. })
    }

    /// How many neighbouring ones of `count` coordinates have the same piece of `length` positions.
    pub(super) fn repeat_of(&self, length: i64, count: i64) -> Result<i64> {
        if self.repeat != Self::REPEAT_AS_NEEDED {
            return Ok(self.repeat);
        }
        let unit = match self.kind {
            RuleKind::Cyclic { block, .. } => block,
            _ => self.granule,
        };
        let units = length / unit + i64::from(length % unit > 0);
        if units == 0 || count <= units {
            return Ok(1);
        }
        if count % units != 0 {
            return Err(CutProblem::SharedUnits { units, count }.into());
        }
        Ok(count / units)
    }
}

fn at_least(argument: &'static str, value: i64, least: i64) -> Result<()> {
    if value < least { Err(Error::TooSmall { argument, value, least }) } else { Ok(()) }
}
