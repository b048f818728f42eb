//! Which dimension is cut.

use std::fmt;

use super::sharding_spec::TensorShape;
use crate::error::{Error, Result};
use crate::memory::{Text, text};
use crate::model::ModelError;

/// The dimension that is cut.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ShardingDim {
    /// By position; negative ones count from the end.
    Index(i64),
    /// By name, looked up among the names of the tensor's dimensions.
    Name(Box<str>),
}

impl ShardingDim {
    /// The dimension's position among those of a tensor of this shape.
    pub(crate) fn resolve(&self, shape: TensorShape<'_>) -> Result<usize> {
        let ndim = shape.sizes.len();
        match self {
            Self::Index(dim) => {
                let from_front =
                    if *dim < 0 { dim.checked_add_unsigned(ndim as u64) } else { Some(*dim) };
                from_front
                    .and_then(|dim| usize::try_from(dim).ok())
                    .filter(|&dim| dim < ndim)
                    .ok_or(Error::Model(ModelError::InvalidDim { dim: *dim, ndim }))
            }
            Self::Name(name) => {
                let names = shape.dim_names.unwrap_or(&[]);
                let mut positions = (0..ndim).filter(|dim| names.get(*dim) == Some(&&**name));
                let first = positions.next();
                if positions.next().is_some() {
                    let problem = text!("{name:?} names two dimensions; give each its own name");
                    return Err(Error::invalid("dim_names", problem));
                }
                first.ok_or_else(|| {
                    Error::Model(ModelError::UnknownDimName {
                        name: Text::copy(name),
                        names: text!("{names:?}"),
                    })
                })
            }
        }
    }
}

impl From<i64> for ShardingDim {
    fn from(dim: i64) -> Self {
        Self::Index(dim)
    }
}

impl fmt::Display for ShardingDim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(dim) => write!(f, "{dim}"),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
}
