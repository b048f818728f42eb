//! The errors of shardings.

use std::fmt;

use super::cut::CutProblem;
use super::dtype::DataType;
use super::placement::Placement;
use super::reduction::Reduction;
use crate::error::status::*;
use crate::error::{Describe, Error, Numbers};
use crate::geometry::{BlockProblem, Region};
use crate::memory::Text;

/// The error of a sharding: in the cuts of a tensor, or in the owners of its parts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A text that is no placement.
    #[error(
        "placement {text:?}: {reason}; valid are 'rank:<n>/<device>', 'rank:<n>', \
         '<worker>/<device>', '<worker>' and '<device>'"
    )]
    InvalidPlacement {
        /// The text as it was given.
        text: Text,
        /// Which part of it broke which rule.
        reason: Text,
    },
    /// A sharding dimension that the tensor does not have.
    #[error("{}", NoDim { dim: *dim, ndim: *ndim })]
    InvalidDim {
        /// The dimension asked for.
        dim: i64,
        /// How many dimensions there are.
        ndim: usize,
    },
    /// A sharding dimension given by a name that the tensor does not have.
    #[error("dim_name: the tensor has no dimension named {name:?}; its names are {names}")]
    UnknownDimName {
        /// The name asked for.
        name: Text,
        /// The names of the tensor's dimensions.
        names: Text,
    },
    /// An index of an element that is not there.
    #[error(
        "{argument}: index {index} in dimension {dim} is outside of the size {size}, counted from 0"
    )]
    OutsideTensor {
        /// The argument's name, as in the header.
        argument: &'static str,
        /// The dimension.
        dim: usize,
        /// The index in that dimension.
        index: i64,
        /// The size of the tensor, or of the shard, in that dimension.
        size: i64,
    },
    /// A shard with a negative offset or size.
    #[error("shard {shard}: {field} in dimension {dim} is {value}; it must be >= 0")]
    Negative {
        /// The shard's index.
        shard: usize,
        /// `offset` or `size`.
        field: &'static str,
        /// The dimension.
        dim: usize,
        /// The negative value.
        value: i64,
    },
    /// Two shards own the same elements.
    #[error(
        "shards {} and {} both own {region}{}; shards must not overlap",
        Named(*.first, &.placements[0]),
        Named(*.second, &.placements[1]),
        Others(*.more, ["other pair overlaps", "other pairs overlap"])
    )]
    Overlap {
        /// The lower of the two shard indices.
        first: usize,
        /// The higher of the two shard indices.
        second: usize,
        /// The placements of the two.
        placements: [Placement; 2],
        /// The box that both own.
        region: Region,
        /// How many other pairs overlap.
        more: More,
    },
    /// Elements that no shard owns.
    #[error(
        "no shard owns {region}{}{}; the shards must cover the whole tensor",
        NextTo(.neighbour.as_ref()),
        Others(*.more, ["other box has no owner", "other boxes have no owner"])
    )]
    Gap {
        /// A box that no shard owns, as large as it can be made in every dimension.
        region: Region,
        /// A shard next to it and its placement, if there is one.
        neighbour: Option<(usize, Placement)>,
        /// How many other boxes, that share nothing with it or each other, no shard owns.
        more: More,
    },
    /// A shard without a placement, where owners are asked for.
    #[error("shard {shard} has no placement; pass one for each shard")]
    NoPlacement {
        /// The shard's index.
        shard: usize,
    },
    /// A shard that reaches past the tensor.
    #[error(
        "shard {shard}: offset {offset} and size {size} in dimension {dim} exceed the tensor's \
         size {limit}"
    )]
    OutOfBounds {
        /// The shard's index.
        shard: usize,
        /// The dimension.
        dim: usize,
        /// Where the shard starts.
        offset: i64,
        /// How long it is.
        size: i64,
        /// The tensor's size in that dimension.
        limit: i64,
    },
    /// A cut that can't be made of so many positions.
    #[error("{}{problem}", InDim(*.dim))]
    IllegalCut {
        /// The dimension, where it is known.
        dim: Option<usize>,
        /// Why not.
        problem: CutProblem,
    },
    /// A shard that does not have whole blocks.
    #[error("shard {shard}: dimension {dim} {problem}")]
    IllegalBlocks {
        /// The shard's index.
        shard: usize,
        /// The dimension of the shard's buffer.
        dim: usize,
        /// What it has instead.
        problem: BlockProblem,
    },
    /// A tensor whose elements still have to be reduced.
    #[error(
        "the elements are partial: axis {axis:?} of the mesh is pending a reduction ({reduction}); \
         reduce them first"
    )]
    Partial {
        /// The axis's name.
        axis: Text,
        /// The reduction.
        reduction: Reduction,
    },
    /// A question that only another type of spec can answer.
    #[error("spec: it is a spec of type '{got}'; this call needs {expected}")]
    WrongSpecType {
        /// The spec's own type name.
        got: Text,
        /// The required value.
        expected: Text,
    },
    /// Two tensors that should have the same shape.
    #[error("{what}: size {got} in dimension {dim}, expected {expected}")]
    ShapeMismatch {
        /// The view that is wrong.
        what: Text,
        /// The shard it is about, if it is about one.
        shard: Option<usize>,
        /// The dimension that differs.
        dim: usize,
        /// Its size.
        got: i64,
        /// The size it should have.
        expected: i64,
    },
    /// Two tensors that should have the same element type.
    #[error("{what}: dtype {got}, expected {expected}")]
    DtypeMismatch {
        /// The view that is wrong.
        what: Text,
        /// The shard it is about, if it is about one.
        shard: Option<usize>,
        /// Its dtype.
        got: DataType,
        /// The dtype it should have.
        expected: DataType,
    },
}

impl Describe for ModelError {
    fn describe(&self) -> (i32, Numbers) {
        let none = Numbers::NONE;
        match *self {
            Self::InvalidPlacement { .. } => (SHARDSPEC_INVALID_PLACEMENT, none),
            Self::InvalidDim { dim, ndim } => {
                let numbers = Numbers { dim: Some(dim), ..Numbers::measured(dim, ndim as i64) };
                (SHARDSPEC_INVALID_DIM, numbers)
            }
            Self::UnknownDimName { .. } => (SHARDSPEC_INVALID_DIM, none),
            Self::OutsideTensor { dim, index, size, .. } => {
                (SHARDSPEC_INDEX_OUT_OF_RANGE, Numbers::measured(index, size).in_dim(dim))
            }
            Self::Negative { shard, dim, value, .. } => {
                let numbers = Numbers { got: value, ..Numbers::of_shard(shard) };
                (SHARDSPEC_INVALID_ARGUMENT, numbers.in_dim(dim))
            }
            Self::Overlap { first, second, .. } => {
                let numbers = Numbers { second: Some(second), ..Numbers::of_shard(first) };
                (SHARDSPEC_OVERLAP, numbers)
            }
            Self::Gap { .. } => (SHARDSPEC_GAP, none),
            Self::NoPlacement { shard } => (SHARDSPEC_NULL_ARGUMENT, Numbers::of_shard(shard)),
            Self::OutOfBounds { shard, dim, offset, size, limit } => {
                let got = offset.saturating_add(size);
                let numbers = Numbers { got, limit, ..Numbers::of_shard(shard) };
                (SHARDSPEC_OUT_OF_BOUNDS, numbers.in_dim(dim))
            }
            Self::IllegalCut { dim, .. } => {
                (SHARDSPEC_ILLEGAL_CUT, dim.map_or(none, |dim| none.in_dim(dim)))
            }
            Self::IllegalBlocks { shard, dim, problem } => {
                let (got, limit) = match problem {
                    BlockProblem::Inside { index, start, end } => {
                        (index, end.saturating_sub(start))
                    }
                    BlockProblem::Apart { start, block, .. } => (start, block),
                    BlockProblem::Padding { length, block } => (length, block),
                };
                let numbers = Numbers { got, limit, ..Numbers::of_shard(shard) };
                (SHARDSPEC_ILLEGAL_CUT, numbers.in_dim(dim))
            }
            Self::Partial { .. } => (SHARDSPEC_PARTIAL, none),
            Self::WrongSpecType { .. } => (SHARDSPEC_WRONG_SPEC_TYPE, none),
            Self::ShapeMismatch { shard, dim, got, expected, .. } => {
                let numbers = Numbers { first: shard, ..Numbers::measured(got, expected) };
                (SHARDSPEC_SHAPE_MISMATCH, numbers.in_dim(dim))
            }
            Self::DtypeMismatch { shard, .. } => {
                (SHARDSPEC_DTYPE_MISMATCH, Numbers { first: shard, ..none })
            }
        }
    }
}

impl From<CutProblem> for ModelError {
    fn from(problem: CutProblem) -> Self {
        Self::IllegalCut { dim: None, problem }
    }
}

impl From<CutProblem> for Error {
    fn from(problem: CutProblem) -> Self {
        Self::Model(problem.into())
    }
}

impl Error {
    /// The same refusal, where it is one of a cut, of a cut of dimension `dim`.
    pub(crate) fn in_dim(mut self, dim: usize) -> Self {
        let mut error = &mut self;
        while let Self::At { error: inner, .. } = error {
            error = inner;
        }
        if let Self::Model(ModelError::IllegalCut { dim: of, .. }) = error {
            *of = Some(dim);
        }
        self
    }
}

/// How many more there are of what an error names one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct More {
    /// So many were counted.
    pub count: usize,
    /// Whether these are all. If not, there may be others: counting ends somewhere.
    pub all: bool,
}

impl More {
    /// There are no more.
    pub const NONE: Self = Self { count: 0, all: true };
}

/// A shard by its number and its placement, if it has one.
pub(crate) struct Named<'a>(pub(crate) usize, pub(crate) &'a Placement);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(shard, placement) = self;
        if placement.is_none() { write!(f, "{shard}") } else { write!(f, "{shard} ({placement})") }
    }
}

/// The shard that a gap is next to.
struct NextTo<'a>(Option<&'a (usize, Placement)>);

impl fmt::Display for NextTo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((shard, placement)) => write!(f, ", next to shard {}", Named(*shard, placement)),
            None => Ok(()),
        }
    }
}

/// How many others there are, with the words for one and for several.
struct Others(More, [&'static str; 2]);

impl fmt::Display for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(More { count, all }, [one, several]) = *self;
        match (count, all) {
            (0, _) => Ok(()),
            (1, true) => write!(f, ", and 1 {one}"),
            (_, true) => write!(f, ", and {count} {several}"),
            (_, false) => write!(f, ", and at least {count} {several}"),
        }
    }
}

/// The dimension that a cut is of, where it is known.
struct InDim(Option<usize>);

impl fmt::Display for InDim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |dim| write!(f, "dimension {dim}: "))
    }
}

/// Why a dimension can't be cut.
struct NoDim {
    dim: i64,
    ndim: usize,
}

impl fmt::Display for NoDim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dim, ndim } = self;
        if *ndim == 0 {
            return f.write_str(
                "dim: a tensor without dimensions can't be cut; list its one shard instead",
            );
        }
        write!(
            f,
            "dim: {dim} is not a dimension of a {ndim}-dimensional tensor; pass -{ndim} <= dim < \
             {ndim}"
        )
    }
}
