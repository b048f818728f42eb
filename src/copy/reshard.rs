//! Carrying out a plan between shards in this process.

#![allow(
    clippy::indexing_slicing,
    reason = "views are asked for by numbers and indices that come from their own list"
)]

use std::collections::{HashMap, HashSet};

use super::alias::{Destinations, Views};
use super::options::CopyOptions;
use super::plan::{Plan, Side};
use super::view::HostView;
use super::{Result, kernel};
use crate::core::shards::Shards;
use crate::core::{DataType, Error, ReshardPlan};
use crate::memory::text;

/// Shards that are here: the index of each, and where it is.
pub type LocalShards<'a> = &'a [(usize, HostView)];

/// Copies what the destination shards that are here take, from the source shards that are here; no
/// other memory is used. All that they take must be here.
///
/// # Safety
///
/// Every element of the sources may be read and every element of the destinations written, and
/// nobody else uses any of them meanwhile.
pub unsafe fn reshard(
    plan: &ReshardPlan, sources: LocalShards<'_>, destinations: LocalShards<'_>,
    options: &CopyOptions,
) -> Result<()> {
    let mut dtype = plan.dtype();
    let side = ("source", "source_indices", "sources");
    check_shards(side, plan.source(), sources, &mut dtype)?;
    let side = ("destination", "destination_indices", "destinations");
    check_shards(side, plan.destination(), destinations, &mut dtype)?;
    if dtype.is_none() {
        // Nobody is here to be copied to.
        return Ok(());
    }
    let here: HashMap<usize, &HostView> =
        sources.iter().map(|(index, view)| (*index, view)).collect();
    let mut copies = Plan::new(Side::Destination);
    let mut written = Destinations::new();
    for (index, destination) in destinations {
        if !plan.serves(*index) {
            let what = text!("destination {index}: the plan was made without this shard");
            return Err(Error::NotFound { what });
        }
        written.add(*index, destination)?;
        for piece in plan.pieces_in(plan.pieces_into(*index)) {
            let source = here.get(&piece.source).ok_or_else(|| Error::NotFound {
                what: text!(
                    "source {}: it is not among the sources, and destination {index} takes of it",
                    piece.source
                ),
            })?;
            let from = source.sub_box(piece.source_offsets, piece.sizes);
            copies.push(&from, &destination.sub_box(piece.destination_offsets, piece.sizes))?;
        }
    }
    let indices = |shards: LocalShards<'_>| -> Vec<usize> {
        shards.iter().map(|(index, _)| *index).collect()
    };
    let (to, from) = (indices(destinations), indices(sources));
    written.check_apart(
        Views { indices: &to, view: &|number| destinations[number].1 },
        Views { indices: &from, view: &|number| sources[number].1 },
    )?;
    let places: HashMap<usize, HostView> = destinations.iter().copied().collect();
    written.check_each_other::<Error>(&|index| Ok(places[&index]))?;
    // SAFETY: what is copied reads the sources and writes the destinations only, none of which
    // overlap; the plan writes no element twice.
    unsafe { kernel::run(&copies, options) };
    Ok(())
}

/// Refuses what can't be the shards it is said to be. All have one element type, the plan's where it
/// has one.
fn check_shards(
    (side, indices, views): (&str, &'static str, &'static str), shards: &Shards,
    here: LocalShards<'_>, dtype: &mut Option<DataType>,
) -> Result<()> {
    let mut seen = HashSet::with_capacity(here.len());
    for (at, (index, view)) in here.iter().enumerate() {
        let shard = shards.at(indices, *index).map_err(|error| error.at(indices, at))?;
        let expected = *dtype.get_or_insert(view.dtype());
        view.check_shape(side, Some(*index), shard.sizes)
            .and_then(|()| view.check_dtype(side, Some(*index), expected))
            .map_err(|error| error.at(views, at))?;
        if !seen.insert(index) {
            let twice = Error::invalid(indices, text!("shard {index} is given twice"));
            return Err(twice.at(indices, at));
        }
    }
    Ok(())
}
