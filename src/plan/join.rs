//! Finding the pieces of a plan where sources do not overlap.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "what lies inside of two shards has no more elements than a destination shard, whose \
              number was checked"
)]

use super::first_held::FirstHeld;
use super::pieces::Pieces;
use super::space::CommonSpace;
use crate::error::{Error, Result};
use crate::geometry::bounds::Bounds;
use crate::geometry::cells::unheld;
use crate::geometry::region::checked_numel;
use crate::geometry::unfold::BoxRows;
use crate::geometry::{BoxList, BoxRow, n_log_n};
use crate::memory::{TryVec, text};
use crate::model::shards::Shards;
use crate::plan::PlanError;

impl Pieces {
    /// Adds what a destination box takes of the source boxes that it meets. Returns the number of elements.
    fn push_found(
        &mut self, rows: [BoxRows<'_>; 2], found: &[u32], (number, one): (u32, BoxRow<'_>),
        first: Option<&FirstHeld>,
    ) -> Result<i64> {
        let boxes =
            found.iter().filter_map(|&from| Some((from, rows[0].boxes.get(from as usize)?)));
        if self.are_boxes() && first.is_none() {
            return boxes.map(|from| self.push_common(from, (number, one))).sum();
        }
        let asked = Bounds::new(one.offsets, one.sizes);
        let (mut common, mut held) = (asked, 0);
        for (from, from_box) in boxes {
            common.become_common(&asked, from_box);
            held += common.volume();
            self.push_first(rows, [from, number], &common, first)?;
        }
        Ok(held)
    }

    /// Adds all pieces from source shards that overlap nowhere to the `wanted` destination shards, and
    /// of these only what is `first` held by them.
    pub(super) fn join(
        &mut self, space: &CommonSpace<'_>, destination: &Shards, wanted: Option<&[u32]>,
        first: Option<&FirstHeld>,
    ) -> Result<()> {
        let [source, to] = space.rows();
        let index = source.boxes.index()?;
        let mut found = Vec::new();
        let mut join_one = |number: u32| {
            let Some(one) = to.boxes.get(number as usize).filter(|one| !one.is_empty()) else {
                return Ok(());
            };
            index.find_box(one.offsets, one.sizes, &mut found)?;
            let shard = to.extent_of(number);
            let needed = numel_of(shard, one.sizes)?;
            let held = self.push_found([source, to], &found, (number, one), first)?;
            if held == needed {
                return Ok(());
            }
            let (found, wanted) = (std::mem::take(&mut found), ((shard, destination), one));
            Err(no_source(space, source.boxes, found, wanted, true, None))
        };
        match wanted {
            // A list has no more boxes than a u32 counts.
            None => (0..to.boxes.len() as u32).try_for_each(join_one),
            Some(wanted) => {
                wanted.iter().flat_map(|&shard| to.of_extent(shard)).try_for_each(&mut join_one)
            }
        }?;
        self.sort()
    }

    /// Adds those of all pieces from source shards that overlap nowhere that come from the `wanted` source
    /// shards, in the order of all.
    pub(super) fn join_from(&mut self, space: &CommonSpace<'_>, wanted: &[u32]) -> Result<()> {
        let [source, to] = space.rows();
        let index = to.boxes.index()?;
        let (mut found, mut pairs) = (Vec::new(), Vec::new());
        for from in wanted.iter().flat_map(|&shard| source.of_extent(shard)) {
            let Some(one) = source.boxes.get(from as usize).filter(|one| !one.is_empty()) else {
                continue;
            };
            index.find_box(one.offsets, one.sizes, &mut found)?;
            pairs.try_extend(found.iter().map(|&number| (number, from)))?;
        }
        pairs.sort_unstable();
        for same in pairs.chunk_by(|one, next| one.0 == next.0) {
            found.clear();
            found.try_extend(same.iter().map(|&(_, from)| from))?;
            let number = same.first().map_or(0, |&(number, _)| number);
            if let Some(one) = to.boxes.get(number as usize) {
                self.push_found([source, to], &found, (number, one), None)?;
            }
        }
        self.sort()
    }
}

/// The number of elements of a destination shard, which must be one that 64 bits count.
pub(super) fn numel_of(shard: u32, sizes: &[i64]) -> Result<i64> {
    checked_numel(sizes).ok_or_else(|| {
        Error::overflow(text!("the number of elements of destination shard {shard}"))
    })
}

/// The refusal of a box of a destination shard that the sources found for it do not hold all of,
/// `missing` for example.
pub(super) fn no_source(
    space: &CommonSpace<'_>, source: &BoxList, found: Vec<u32>,
    ((shard, destination), wanted): ((u32, &Shards), BoxRow<'_>), disjoint: bool,
    missing: Option<Bounds>,
) -> Error {
    // The largest of some: all may be more than there is memory for.
    const ROOM: usize = 1 << 12;
    const STEPS: u64 = 1 << 22;
    let wanted = Bounds::new(wanted.offsets, wanted.sizes);
    let mut steps = n_log_n(found.len()).saturating_mul(16).saturating_add(STEPS);
    let unheld = match unheld(source, found, wanted, disjoint, ROOM, &mut steps) {
        Ok((unheld, _)) => unheld,
        Err(memory) => return memory.into(),
    };
    let unheld = (0..unheld.len()).map(|cell| unheld.bounds(cell));
    let largest = unheld.chain(missing).max_by_key(Bounds::volume);
    let placement = destination.placement_of(shard as usize);
    match space.region(&largest.unwrap_or(wanted)) {
        Ok(region) => {
            Error::Plan(PlanError::NoSource { destination: shard as usize, placement, region })
        }
        Err(memory) => memory.into(),
    }
}
