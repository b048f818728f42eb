//! Layouts over a mesh as other programs write them, parsed and printed.
//!
//! [`parse`] makes a spec over a mesh of a text, and [`format()`] makes a text of a spec. Each notation has
//! a file, with its parser beside its printer. All texts are read by one lexer, in one pass and without
//! recursion: the work is proportional to the length of the text and the number of devices.
//!
//! Descriptors of ScaLAPACK are numbers: [`parse_descriptor`] and [`format_descriptor`] convert them.
//!
//! A spec that is printed in a notation and parsed again has the same layout for every tensor that both
//! accept. `even` is a condition on the sizes of a tensor, which no text has: JAX implies it, DTensor does not.

#![forbid(unsafe_code)]

mod axes;
mod dtensor;
pub(crate) mod error;
mod jax;
mod kind;
mod lexer;
mod plain;
mod printed;
mod scalapack;
mod shardy;
mod tiles;
mod xla;

pub use error::NotationError;
pub use kind::Notation;
pub use scalapack::{format_descriptor, numroc, parse_descriptor};

use crate::error::Result;
use crate::model::{Mesh, MeshShardingSpec};

/// The spec over a mesh that a text says.
///
/// ```
/// use shardspec::model::Mesh;
/// use shardspec::notation::{Notation, format, parse};
///
/// let mesh = Mesh::new(&[("dp", 2), ("tp", 4)])?;
/// let spec = parse(Notation::DTensor, "RS(1)", mesh)?;
/// assert_eq!(format(&spec, Notation::Jax, None)?, "P(None, 'tp')");
/// # Ok::<(), shardspec::model::Error>(())
/// ```
pub fn parse(notation: Notation, text: &str, mesh: Mesh) -> Result<MeshShardingSpec> {
    match notation {
        Notation::DTensor => dtensor::parse(text, mesh),
        Notation::Jax => jax::parse(text, mesh),
        Notation::Xla => xla::parse(text, mesh),
        Notation::Shardy => shardy::parse(text, mesh),
    }
}

/// A spec in a notation, for a tensor of `ndim` dimensions. Where that is `None`, the text has as many
/// dimensions as it needs. What the notation cannot say is refused.
pub fn format(spec: &MeshShardingSpec, notation: Notation, ndim: Option<usize>) -> Result<String> {
    match notation {
        Notation::DTensor => dtensor::format(spec, ndim),
        Notation::Jax => jax::format(spec, ndim),
        Notation::Xla => xla::format(spec, ndim),
        Notation::Shardy => shardy::format(spec, ndim),
    }
}
