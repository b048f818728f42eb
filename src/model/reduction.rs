//! Reductions that elements may be pending.

use std::fmt;

use crate::error::{Error, Result};
use crate::memory::text;

/// How the values that several devices have of one element become one: torch's `Partial` and the
/// reductions of `torch.distributed`. The library never computes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// They are added up.
    Sum,
    /// Their mean.
    Avg,
    /// They are multiplied.
    Product,
    /// The least.
    Min,
    /// The largest.
    Max,
    /// And of their bits.
    Band,
    /// Or of their bits.
    Bor,
    /// Exclusive or of their bits.
    Bxor,
}

/// An axis whose devices have parts of the elements' values, to be reduced.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartialAxis {
    /// The name of the axis.
    pub axis: Box<str>,
    /// How they become one.
    pub reduction: Reduction,
}

/// Every reduction and its name, as torch writes it.
const NAMES: &[(Reduction, &str)] = &[
    (Reduction::Sum, "sum"),
    (Reduction::Avg, "avg"),
    (Reduction::Product, "product"),
    (Reduction::Min, "min"),
    (Reduction::Max, "max"),
    (Reduction::Band, "band"),
    (Reduction::Bor, "bor"),
    (Reduction::Bxor, "bxor"),
];

impl Reduction {
    /// The reduction of a name.
    pub fn parse(name: &str) -> Result<Self> {
        let known = NAMES.iter().find(|(_, known)| *known == name);
        known.map(|(reduction, _)| *reduction).ok_or_else(|| {
            let problem = text!(
                "{name:?} is not a reduction; pass sum, avg, product, min, max, band, bor or \
                     bxor"
            );
            Error::invalid("reduction", problem)
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }
}

impl fmt::Display for Reduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
