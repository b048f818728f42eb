//! Pieces between layouts that are products of their dimensions, such as those over a mesh.
//!
//! If the source has each combination of its parts of the dimensions once, its shards that meet a shard
//! of the destination are all combinations of parts that meet. They are found in the time that it takes
//! to list them. Pieces are the same as those of `Pieces::join`, in the same order: two ranks of which one
//! plans in this way and the other in that way agree.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "parts and groups are those that were stored, and what lies inside of a destination shard \
              has no more elements than that shard, whose number was checked"
)]

use super::pieces::Pieces;
use crate::error::{Error, Result};
use crate::geometry::MAX_NDIM;
use crate::geometry::fold::digits_of;
use crate::geometry::product::{DimMeetings, Meeting, ProductParts, next_of_product};
use crate::geometry::steps;
use crate::model::shards::Shards;

/// The pieces of the `wanted` destination shards. `None` where the layouts are no such products, or where
/// a destination shard is refused: then the general way says why.
pub(super) fn join(
    source: &Shards, destination: &Shards, wanted: Option<&[u32]>,
) -> Result<Option<Pieces>> {
    let lists = [source.extents(), destination.extents()];
    let flattened = lists.iter().any(|list| list.flattening().is_some());
    if flattened || lists.iter().all(|list| list.are_boxes()) {
        return Ok(None);
    }
    let digits = digits_of(&lists, false)?;
    let [of_source, of_destination] = &digits[..] else {
        return Ok(None);
    };
    let sources = ProductParts::new(lists[0], of_source)?;
    let Some(grid) = sources.grid()? else {
        return Ok(None);
    };
    let destinations = ProductParts::new(lists[1], of_destination)?;
    let join = Join { sources: &sources, grid: &grid, meetings: &sources.meetings(&destinations)? };
    let mut pieces = Pieces::in_digits([of_source, of_destination], lists[0].ndim())?;
    let mut serve = |number: u32| {
        let Some(parts) = destinations.of_extent(number) else {
            return Ok(true);
        };
        match lists[1].get(number as usize).and_then(|extent| extent.elements()) {
            Some(needed) => Ok(join.serve(number, parts, &mut pieces)? == needed),
            None => Ok::<bool, Error>(false),
        }
    };
    // A list has no more shards than a u32 counts.
    let mut all = 0..destination.len() as u32;
    let served = match wanted {
        None => all.try_fold(true, |served, number| Ok::<_, Error>(served && serve(number)?)),
        Some(wanted) => {
            wanted.iter().try_fold(true, |served, &number| Ok(served && serve(number)?))
        }
    }?;
    if !served {
        return Ok(None);
    }
    pieces.sort()?;
    Ok(Some(pieces))
}

struct Join<'a> {
    sources: &'a ProductParts,
    /// The source of each combination of parts.
    grid: &'a [u32],
    meetings: &'a [DimMeetings],
}

impl Join<'_> {
    /// Adds the pieces of a destination shard. Returns the number of their elements.
    fn serve(&self, number: u32, parts: &[u32], pieces: &mut Pieces) -> Result<i64> {
        let groups = |dim: usize| self.meetings[dim].groups_of(parts[dim]);
        if (0..parts.len()).any(|dim| groups(dim).is_empty()) {
            return Ok(0);
        }
        let mut turn = [0; MAX_NDIM];
        let turn = &mut turn[..parts.len()];
        let mut held = 0;
        loop {
            let group = |dim: usize| groups(dim).start + turn[dim];
            held += self.push_all(number, &group, pieces)?;
            if !next_of_product(turn, |dim| groups(dim).len()) {
                return Ok(held);
            }
        }
    }

    /// Adds the pieces of a destination shard and the source that is in a group of each dimension: all
    /// combinations, by the destination's slices and then by the source's. Returns the number of their
    /// elements.
    fn push_all(
        &self, number: u32, group: &dyn Fn(usize) -> usize, pieces: &mut Pieces,
    ) -> Result<i64> {
        let runs = |dim: usize| self.meetings[dim].runs_of(group(dim));
        let mut memory = ([&[][..]; MAX_NDIM], [0; MAX_NDIM], [0; MAX_NDIM]);
        let ndim = self.meetings.len();
        let (chosen, run, turn) =
            (&mut memory.0[..ndim], &mut memory.1[..ndim], &mut memory.2[..ndim]);
        let (mut held, mut source) = (0, None);
        loop {
            for (dim, meetings) in chosen.iter_mut().enumerate() {
                *meetings = self.meetings[dim].run(runs(dim).start + run[dim]);
            }
            let parts = chosen.iter().map(|meetings| meetings[0].source);
            let source = *source.get_or_insert_with(|| self.grid[self.sources.place(parts)]);
            loop {
                steps::count(1);
                let dims = chosen.iter().zip(&*turn).map(|(meetings, &at)| &meetings[at]);
                held += dims.clone().flat_map(Meeting::lengths).product::<i64>();
                pieces.push_product([source, number], dims)?;
                if !next_of_product(turn, |dim| chosen[dim].len()) {
                    break;
                }
            }
            if !next_of_product(run, |dim| runs(dim).len()) {
                return Ok(held);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::Random;
    use crate::common::layouts::{Kinds, Layout};
    use crate::plan::piece::Window;
    use crate::plan::space::CommonSpace;

    /// Each piece in words.
    fn listed(pieces: &Pieces) -> Vec<String> {
        let window = |of: &Window<'_>| format!("{:?} {:?}", of.offsets, of.strides);
        (0..pieces.len())
            .map(|at| pieces.get(at).unwrap())
            .map(|piece| {
                let windows = [&piece.source_window, &piece.destination_window].map(window);
                format!("{} {} {:?} {windows:?}", piece.source, piece.destination, piece.sizes)
            })
            .collect()
    }

    #[test]
    fn products_have_the_pieces_that_looking_for_each_box_finds_in_their_order() {
        let mut random = Random::new(5);
        let kinds = Kinds { replicas: false, flattened: false, ranks: 4 };
        let mut joined = 0;
        for round in 0..400 {
            let sizes: Vec<i64> = (0..1 + round % 3).map(|_| random.range(1, 40)).collect();
            let [source, destination] =
                [(); 2].map(|()| Layout::random(&mut random, &sizes, kinds).shards);
            let chosen = [random.below(destination.len()) as u32];
            let wanted = (round % 4 == 0).then_some(&chosen[..]);
            let Some(pieces) = join(&source, &destination, wanted).unwrap() else {
                continue;
            };
            joined += 1;
            let space = CommonSpace::new(&source, &destination).unwrap();
            let mut others = Pieces::new(&space).unwrap();
            others.join(&space, &destination, wanted, None).unwrap();
            assert_eq!(listed(&pieces), listed(&others), "{source:?} {destination:?}");
        }
        // All others are boxes only, or have two parts of a dimension that are alike.
        assert!(joined > 200, "{joined}");
    }
}
