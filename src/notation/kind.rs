//! The notations that there are.

use std::fmt;

/// A notation of another program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notation {
    /// The placements of torch's DTensor: `S(0)R`.
    DTensor,
    /// JAX's `PartitionSpec`: `P('x', None)`.
    Jax,
    /// XLA's shardings: `{devices=[2,1]<=[2]}`.
    Xla,
    /// Shardy's shardings: `sharding<@mesh, [{"x"}, {}]>`.
    Shardy,
}

impl Notation {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::DTensor => "DTensor",
            Self::Jax => "JAX",
            Self::Xla => "XLA",
            Self::Shardy => "Shardy",
        }
    }
}

impl fmt::Display for Notation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
