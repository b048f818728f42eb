//! The moves of a batch's tensors, planned once for all that have equal layouts.

use super::Communicator;
use super::layouts::TensorLayouts;
use super::moves::TensorMoves;
use crate::memory::{OutOfMemory, Shared};
use crate::model::Result;
use crate::sync::seed::Map;

/// The moves of the tensors so far.
#[derive(Default)]
pub struct KnownMoves {
    by_hashes: Map<[u64; 2], Shared<TensorMoves>>,
}

impl KnownMoves {
    /// The moves of a tensor with these layouts: those of an earlier tensor whose layouts are equal, or
    /// new ones.
    pub fn of(
        &mut self, comm: &dyn Communicator, layouts: TensorLayouts,
    ) -> Result<Shared<TensorMoves>> {
        let hashes = layouts.hashes();
        let known = self.by_hashes.get(&hashes);
        if let Some(known) = known.filter(|known| known.layouts().are_known_as(&layouts)) {
            return Ok(known.clone());
        }
        let moves = Shared::try_new(TensorMoves::hashed(comm, layouts, hashes)?)?;
        self.by_hashes.try_reserve(1).map_err(OutOfMemory::from)?;
        self.by_hashes.insert(hashes, moves.clone());
        Ok(moves)
    }
}
