//! The pieces of a plan, and finding them where sources do not overlap.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "what lies inside of two shards has a start and an end between theirs, and no more \
              elements than a destination shard, whose number was checked"
)]

use super::{Piece, PieceRows};
use crate::geometry::bounds::Bounds;
use crate::geometry::cells::unheld;
use crate::geometry::region::checked_numel;
use crate::geometry::{BoxList, n_log_n};
use crate::memory::text;
use crate::model::error::{Error, Result};
use crate::model::placement::Placement;
use crate::model::shards::{Shard, Shards};

/// Pieces as flat arrays: two numbers, and three rows of a number for each dimension.
#[derive(Debug, Clone, Default)]
pub(super) struct Pieces {
    ndim: usize,
    pub(super) sources: Vec<u32>,
    pub(super) destinations: Vec<u32>,
    source_offsets: Vec<i64>,
    destination_offsets: Vec<i64>,
    sizes: Vec<i64>,
}

impl Pieces {
    pub(super) fn new(ndim: usize) -> Self {
        Self { ndim, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.sources.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<Piece<'_>> {
        let start = index.checked_mul(self.ndim)?;
        let row = start..start.checked_add(self.ndim)?;
        Some(Piece {
            source: *self.sources.get(index)? as usize,
            destination: *self.destinations.get(index)? as usize,
            source_offsets: self.source_offsets.get(row.clone())?,
            destination_offsets: self.destination_offsets.get(row.clone())?,
            sizes: self.sizes.get(row)?,
        })
    }

    /// Pieces `first` to `first + count - 1`.
    pub(super) fn rows(&self, first: usize, count: usize) -> Option<PieceRows<'_>> {
        let pieces = first..first.checked_add(count)?;
        let rows = first.checked_mul(self.ndim)?..pieces.end.checked_mul(self.ndim)?;
        Some(PieceRows {
            sources: self.sources.get(pieces.clone())?,
            destinations: self.destinations.get(pieces)?,
            source_offsets: self.source_offsets.get(rows.clone())?,
            destination_offsets: self.destination_offsets.get(rows.clone())?,
            sizes: self.sizes.get(rows)?,
        })
    }

    /// Source and destination of a piece.
    pub(super) fn shards_of(&self, index: usize) -> (u32, u32) {
        let shard = |shards: &[u32]| shards.get(index).copied().unwrap_or(u32::MAX);
        (shard(&self.sources), shard(&self.destinations))
    }

    /// Room for one more.
    fn reserve_one(&mut self) -> Result<()> {
        let Self { ndim, sources, destinations, source_offsets, destination_offsets, sizes } = self;
        let all = sources
            .try_reserve(1)
            .and_then(|()| destinations.try_reserve(1))
            .and_then(|()| source_offsets.try_reserve(*ndim))
            .and_then(|()| destination_offsets.try_reserve(*ndim))
            .and_then(|()| sizes.try_reserve(*ndim));
        all.map_err(|_| Error::OutOfMemory { what: "the plan", bytes: 8 + 24 * *ndim })
    }

    /// Adds a piece by its box in the tensor, which lies in both shards.
    pub(super) fn push(
        &mut self, (source, source_shard): (u32, Shard<'_>),
        (destination, destination_shard): (u32, Shard<'_>), bounds: &Bounds,
    ) -> Result<()> {
        self.reserve_one()?;
        let offset = |(start, from): (&i64, &i64)| start - from;
        self.source_offsets.extend(bounds.low().iter().zip(source_shard.offsets).map(offset));
        let to = destination_shard.offsets;
        self.destination_offsets.extend(bounds.low().iter().zip(to).map(offset));
        self.sizes.extend(bounds.lengths());
        self.sources.push(source);
        self.destinations.push(destination);
        Ok(())
    }

    /// Adds what a destination shard takes of a source shard that it meets; tells how many elements
    /// that is.
    fn push_common(
        &mut self, (source, source_shard): (u32, Shard<'_>),
        (destination, destination_shard): (u32, Shard<'_>),
    ) -> Result<i64> {
        self.reserve_one()?;
        let from = source_shard.offsets.iter().zip(source_shard.sizes);
        let to = destination_shard.offsets.iter().zip(destination_shard.sizes);
        let mut elements = 1;
        for ((from, from_size), (to, to_size)) in from.zip(to) {
            let start = *from.max(to);
            let size = (from + from_size).min(to + to_size) - start;
            self.source_offsets.push(start - from);
            self.destination_offsets.push(start - to);
            self.sizes.push(size);
            elements *= size;
        }
        self.sources.push(source);
        self.destinations.push(destination);
        Ok(elements)
    }

    /// Adds all pieces from source shards that overlap nowhere to those destination shards that are
    /// wanted.
    pub(super) fn join(
        &mut self, source: &Shards, destination: &Shards, wanted: Option<&[u32]>,
    ) -> Result<()> {
        let index = source.index()?;
        let mut found = Vec::new();
        let mut join_one = |number: u32| {
            let Some(shard) = destination.get(number as usize).filter(|shard| !shard.is_empty())
            else {
                return Ok(());
            };
            index.find_box(shard.offsets, shard.sizes, &mut found)?;
            let needed = numel_of(number, shard)?;
            let mut held = 0;
            for &from in &found {
                if let Some(source_shard) = source.get(from as usize) {
                    held += self.push_common((from, source_shard), (number, shard))?;
                }
            }
            if held == needed {
                Ok(())
            } else {
                Err(no_source(
                    source.boxes(),
                    std::mem::take(&mut found),
                    (number, shard),
                    true,
                    None,
                ))
            }
        };
        match wanted {
            // A list has no more shards than a u32 counts.
            None => (0..destination.len() as u32).try_for_each(join_one),
            Some(wanted) => wanted.iter().try_for_each(|&number| join_one(number)),
        }
    }
}

/// The number of elements of a destination shard, which must be one that 64 bits count.
pub(super) fn numel_of(number: u32, shard: Shard<'_>) -> Result<i64> {
    checked_numel(shard.sizes).ok_or_else(|| {
        Error::overflow(text!("the number of elements of destination shard {number}"))
    })
}

/// The refusal of a destination shard that the sources found for it do not hold all of, `missing` for
/// example.
pub(super) fn no_source(
    source: &BoxList, found: Vec<u32>, (number, shard): (u32, Shard<'_>), disjoint: bool,
    missing: Option<Bounds>,
) -> Error {
    // The largest of some: all may be more than there is memory for.
    const ROOM: usize = 1 << 12;
    const STEPS: u64 = 1 << 22;
    let wanted = Bounds::new(shard.offsets, shard.sizes);
    let steps = n_log_n(found.len()).saturating_mul(16).saturating_add(STEPS);
    let unheld = match unheld(source, found, wanted, disjoint, ROOM, steps) {
        Ok((unheld, _)) => unheld,
        Err(memory) => return memory.into(),
    };
    let unheld = (0..unheld.len()).map(|cell| unheld.bounds(cell));
    let largest = unheld.chain(missing).max_by_key(Bounds::volume);
    match largest.unwrap_or(wanted).region() {
        Ok(region) => {
            let placement: Placement = shard.placement.clone();
            Error::NoSource { destination: number as usize, placement, region }
        }
        Err(memory) => memory.into(),
    }
}
