//! Shards and placements as C passes them: structs, flat arrays, texts, handles.

use std::ffi::c_char;

use crate::error::{try_to_vec, try_with_capacity};
use crate::ffi::border::guard::{Outcome, Refusal};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{slice, text};
use crate::ffi::placement::shardspec_placement;
use crate::ffi::shard_metadata::shardspec_shard_metadata;
use crate::memory::text;
use crate::model::shards::check_shard_ndim;
use crate::model::{Error, Placement, Placements, Shards};

/// A placement from its text.
unsafe fn placement_argument(
    argument: &'static str, placement: *const c_char,
) -> Outcome<Placement> {
    Ok(Placement::parse(text(argument, placement)?)?)
}

/// A placement from its text; null: none. Functions that need an owner refuse it.
unsafe fn optional_placement(
    argument: &'static str, placement: *const c_char,
) -> Outcome<Placement> {
    if placement.is_null() {
        return Ok(Placement::NONE);
    }
    placement_argument(argument, placement)
}

/// Placements from their texts.
pub(crate) unsafe fn placements_from_texts(
    placements: *const *const c_char, count: usize,
) -> Outcome<Vec<Placement>> {
    placements_by(placement_argument, placements, count)
}

/// [`placements_from_texts`] for shards, which may have none.
pub(crate) unsafe fn optional_placements_from_texts(
    placements: *const *const c_char, count: usize,
) -> Outcome<Vec<Placement>> {
    placements_by(optional_placement, placements, count)
}

unsafe fn placements_by(
    read: unsafe fn(&'static str, *const c_char) -> Outcome<Placement>,
    placements: *const *const c_char, count: usize,
) -> Outcome<Vec<Placement>> {
    let texts = slice("placements", placements, count)?;
    let mut parsed = try_with_capacity("placements", count)?;
    for (index, &placement) in texts.iter().enumerate() {
        let placement = read("placements", placement);
        parsed.push(placement.map_err(Refusal::at("placements", index))?);
    }
    Ok(parsed)
}

/// Placements from their handles.
pub(crate) unsafe fn placements_from_handles(
    placements: *const *const shardspec_placement, count: usize,
) -> Outcome<Vec<Placement>> {
    let handles = slice("placements", placements, count)?;
    let mut placements = try_with_capacity("placements", count)?;
    for (index, &placement) in handles.iter().enumerate() {
        let placement = handle::get("placements", placement);
        placements.push((*placement.map_err(Refusal::at("placements", index))?).clone());
    }
    Ok(placements)
}

/// Shards from flat arrays: a row of offsets and one of sizes for each. Shard i has placement
/// `placements[placement_indices[i]]`, with null indices `placements[i]`.
pub(crate) unsafe fn shards_from_arrays(
    (offsets, sizes, placement_indices): (*const i64, *const i64, *const u32), ndim: usize,
    shard_count: usize, placements: Vec<Placement>,
) -> Outcome<Shards> {
    let len = shard_count
        .checked_mul(ndim)
        .ok_or_else(|| Error::invalid("shard_count", text!("{shard_count} shards are too many")))?;
    let offsets = slice("offsets", offsets, len)?;
    let sizes = slice("sizes", sizes, len)?;
    let placements = if placement_indices.is_null() {
        let count = placements.len();
        if count != shard_count {
            let problem = text!(
                "{count} placements for {shard_count} shards; pass one for each shard, or \
                 placement_indices"
            );
            return Err(Error::invalid("placement_count", problem).into());
        }
        Placements::new(placements.into_iter())?
    } else {
        let indices = slice("placement_indices", placement_indices, shard_count)?;
        Placements::from_table(&placements, indices)?
    };
    let offsets = try_to_vec("offsets", offsets)?;
    Ok(Shards::new(ndim, offsets, try_to_vec("sizes", sizes)?, placements)?)
}

/// The offsets, the sizes and the placement, if it has one, of shard `index` in a struct.
unsafe fn parts<'a>(
    argument: &'static str, index: usize, shard: &'a shardspec_shard_metadata, ndim: usize,
) -> Outcome<(&'a [i64], &'a [i64], Placement)> {
    check_shard_ndim(index, "offsets and sizes", shard.ndim, ndim)?;
    let offsets = slice(argument, shard.offsets, ndim).map_err(Refusal::in_field("offsets"))?;
    let sizes = slice(argument, shard.sizes, ndim).map_err(Refusal::in_field("sizes"))?;
    let placement = optional_placement(argument, shard.placement);
    Ok((offsets, sizes, placement.map_err(Refusal::in_field("placement"))?))
}

/// Shards from an array of structs.
pub(crate) unsafe fn shards_from_structs(
    shards: *const shardspec_shard_metadata, count: usize,
) -> Outcome<Shards> {
    let argument = "shards";
    let structs = slice(argument, shards, count)?;
    let ndim = structs.first().map_or(0, |shard| shard.ndim);
    let mut offsets = try_with_capacity("offsets", count.saturating_mul(ndim.min(32)))?;
    let mut sizes = try_with_capacity("sizes", count.saturating_mul(ndim.min(32)))?;
    let mut placements = try_with_capacity("placements", count)?;
    for (index, shard) in structs.iter().enumerate() {
        let (own_offsets, own_sizes, placement) = parts(argument, index, shard, ndim)
            .map_err(Refusal::at_shard(argument, index, index))?;
        offsets.extend_from_slice(own_offsets);
        sizes.extend_from_slice(own_sizes);
        placements.push(placement);
    }
    let placements = Placements::new(placements.into_iter())?;
    Ok(Shards::new(ndim, offsets, sizes, placements)?)
}
