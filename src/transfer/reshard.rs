//! Carrying out a plan between shards in this process.

use super::Result;
use super::alias::{AliasCheck, Party, Role};
use super::view::HostView;
use crate::error::try_with_capacity;
use crate::host;
use crate::host::copy_list::{CopyList, FullSide};
use crate::host::options::CopyOptions;
use crate::memory::text;
use crate::model::shards::Shards;
use crate::model::{DataType, Error};
use crate::plan::ReshardPlan;

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
    let from = ByIndex::new(side, plan.source(), sources, &mut dtype)?;
    let side = ("destination", "destination_indices", "destinations");
    let to = ByIndex::new(side, plan.destination(), destinations, &mut dtype)?;
    if dtype.is_none() {
        // Nobody is here to be copied to.
        return Ok(());
    }
    let mut copies = CopyList::new(FullSide::Destination);
    let mut aliases = AliasCheck::new();
    for (index, destination) in destinations {
        if !plan.serves(*index) {
            let what = text!("destination {index}: the plan was made without this shard");
            return Err(Error::NotFound { what });
        }
        aliases.add_destination(Party::Shard(*index), destination)?;
        for piece in plan.pieces_in(plan.pieces_into(*index)) {
            let source = from.get(piece.source).ok_or_else(|| Error::NotFound {
                what: text!(
                    "source {}: it is not among the sources, and destination {index} takes of it",
                    piece.source
                ),
            })?;
            let part = source.window(&piece.source_window);
            copies.push(&part, &destination.window(&piece.destination_window))?;
        }
    }
    for (index, source) in sources {
        aliases.add_source(Party::Shard(*index), source)?;
    }
    aliases.finish::<Error>(&|role, party| {
        let side = if role == Role::Destination { &to } else { &from };
        // Only those are asked for that were added.
        let view = if let Party::Shard(index) = party { side.get(index) } else { None };
        Ok(*view.unwrap_or(&HostView::EMPTY))
    })?;
    // SAFETY: what is copied reads the sources and writes the destinations only, none of which
    // overlap; the plan writes no element twice.
    unsafe { host::run(&copies, options) };
    Ok(())
}

/// Shards that are here, found by their indices.
struct ByIndex<'a> {
    /// Where each is in the list, by index.
    order: Vec<(usize, usize)>,
    shards: LocalShards<'a>,
}

impl<'a> ByIndex<'a> {
    /// Refuses what can't be the shards it is said to be. All have one element type, the plan's where
    /// it has one.
    fn new(
        (side, indices, views): (&str, &'static str, &'static str), all: &Shards,
        shards: LocalShards<'a>, dtype: &mut Option<DataType>,
    ) -> Result<Self> {
        let mut order = try_with_capacity("shards", shards.len())?;
        for (at, (index, view)) in shards.iter().enumerate() {
            let shard = all.at(indices, *index).map_err(|error| error.at(indices, at))?;
            let expected = *dtype.get_or_insert(view.dtype());
            view.check_shape(side, Some(*index), shard.sizes)
                .and_then(|()| view.check_dtype(side, Some(*index), expected))
                .map_err(|error| error.at(views, at))?;
            order.push((*index, at));
        }
        order.sort_unstable();
        let pairs = order.iter().zip(order.iter().skip(1));
        let twice = pairs.filter(|((a, _), (b, _))| a == b).map(|(_, again)| again);
        if let Some((index, at)) = twice.min_by_key(|(_, at)| *at) {
            let twice = Error::invalid(indices, text!("shard {index} is given twice"));
            return Err(twice.at(indices, *at));
        }
        Ok(Self { order, shards })
    }

    fn get(&self, index: usize) -> Option<&HostView> {
        let place = self.order.binary_search_by_key(&index, |(index, _)| *index).ok()?;
        let (_, at) = self.order.get(place)?;
        self.shards.get(*at).map(|(_, view)| view)
    }
}
