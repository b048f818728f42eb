//! Keepers: owners of the memory of shards.

use std::any::Any;
use std::fmt;

use crate::memory::Buffer;
use crate::memory::{self, Shared, try_box};

/// An owner of memory that may have several. With the last of them the memory is freed, or given
/// back to whom it was borrowed from; until then, each may use it.
#[derive(Clone)]
pub struct Keeper {
    _kept: Shared<Kept>,
}

enum Kept {
    Own { _buffer: Buffer },
    Lent { _until_dropped: Box<dyn Any + Send + Sync> },
}

impl Keeper {
    /// The first owner of a buffer.
    pub fn of_buffer(buffer: Buffer) -> memory::Memory<Self> {
        Ok(Self { _kept: Shared::try_new(Kept::Own { _buffer: buffer })? })
    }

    /// The first owner of memory that is lent until `lease` is dropped; also where this fails, it is.
    pub fn of_lease(lease: impl Any + Send + Sync) -> memory::Memory<Self> {
        let lease = try_box(lease)?;
        Ok(Self { _kept: Shared::try_new(Kept::Lent { _until_dropped: lease })? })
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keeper")
    }
}
