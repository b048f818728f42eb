//! Lists of shards: flat arrays of offsets and sizes, placements, and what is no box.

use super::dim_maps;
use super::document::DocumentWriter;
use super::json::JsonReader;
use super::placements::{self, PlacementFields};
use crate::error::Result;
use crate::geometry::MAX_NDIM;
use crate::memory::text;
use crate::model::Shards;
use crate::model::shards::flattening_of;

/// Writes the fields of a list of shards.
pub(super) fn write<'a>(out: &mut DocumentWriter<'a>, shards: &'a Shards) -> Result<()> {
    let extents = shards.extents();
    out.json.field("ndim")?;
    out.json.format(format_args!("{}", shards.ndim()))?;
    out.long_numbers("offsets", shards.offsets())?;
    out.long_numbers("sizes", shards.sizes())?;
    placements::write(out, shards.placements())?;
    if !extents.table().is_empty() {
        out.object("dim_maps", |out| dim_maps::write(out, extents))?;
    }
    if let Some(flattening) = extents.flattening() {
        let dims = flattening.flattened_dims().unwrap_or_default();
        out.object("flattened", |out| {
            out.numbers("sizes", flattening.sizes().iter().copied())?;
            let (first, count) = (dims.start, dims.len());
            Ok(out.json.format(format_args!(",\"first\":{first},\"count\":{count}"))?)
        })?;
    }
    Ok(())
}

/// The dimensions of a tensor that are one in its shards.
struct FlattenedDims {
    at: usize,
    sizes: Vec<i64>,
    first: usize,
    count: usize,
}

/// The fields of a list of shards, as they are read.
#[derive(Default)]
struct ShardFields {
    ndim: Option<usize>,
    offsets: Option<Vec<i64>>,
    sizes: Option<Vec<i64>>,
    maps: Option<dim_maps::NumberedMaps>,
    flattened: Option<FlattenedDims>,
    placements: PlacementFields,
}

/// Reads an object that is a list of shards.
pub(super) fn read(json: &mut JsonReader<'_>) -> Result<Shards> {
    let at = json.position();
    let mut fields = ShardFields::default();
    json.object(|json, name| match name {
        "ndim" => json.once(name, &mut fields.ndim, read_ndim),
        "offsets" => json.once(name, &mut fields.offsets, JsonReader::long_numbers),
        "sizes" => json.once(name, &mut fields.sizes, JsonReader::long_numbers),
        "dim_maps" => json.once(name, &mut fields.maps, dim_maps::read),
        "flattened" => json.once(name, &mut fields.flattened, read_flattened),
        _ => fields.placements.field(json, name),
    })?;
    fields.finish(json, at)
}

impl ShardFields {
    fn finish(self, json: &JsonReader<'_>, at: usize) -> Result<Shards> {
        let refused = |error| json.refused_at(at, error);
        let ndim = json.required(at, "ndim", self.ndim)?;
        let offsets = json.required(at, "offsets", self.offsets)?;
        let sizes = json.required(at, "sizes", self.sizes)?;
        let placements = self.placements.finish(json, at)?;
        let shards = Shards::new(ndim, offsets, sizes, placements).map_err(refused)?;
        if self.maps.is_none() && self.flattened.is_none() {
            return Ok(shards);
        }
        let mut extents = shards.extents().try_clone().map_err(|error| refused(error.into()))?;
        if let Some(maps) = self.maps {
            let refused = |error| json.refused_at(maps.at, error);
            extents = extents.with_other_maps(maps.table, maps.numbers).map_err(refused)?;
        }
        if let Some(FlattenedDims { at, sizes, first, count }) = self.flattened {
            let flattening = flattening_of(&sizes, first, count);
            let flattening = flattening.map_err(|error| json.refused_at(at, error))?;
            if flattening.ndim() != ndim {
                let problem = text!(
                    "a tensor of {} dimensions of which {count} are one has {} then, and the shards \
                     have {ndim}",
                    sizes.len(),
                    flattening.ndim()
                );
                return Err(json.invalid_at(at, problem));
            }
            extents = extents.flattened(flattening).map_err(|error| refused(error.into()))?;
        }
        Shards::from_extents(extents, shards.placements().clone()).map_err(refused)
    }
}

fn read_ndim(json: &mut JsonReader<'_>) -> Result<usize> {
    let at = json.position();
    let ndim = json.narrow()?;
    if ndim > MAX_NDIM {
        let problem = text!("{ndim} dimensions are more than the {MAX_NDIM} that are supported");
        return Err(json.invalid_at(at, problem));
    }
    Ok(ndim)
}

fn read_flattened(json: &mut JsonReader<'_>) -> Result<FlattenedDims> {
    let at = json.position();
    let (mut sizes, mut first, mut count) = (None, None, None);
    json.object(|json, name| match name {
        "sizes" => json.once(name, &mut sizes, JsonReader::numbers),
        "first" => json.once(name, &mut first, JsonReader::narrow),
        "count" => json.once(name, &mut count, JsonReader::narrow),
        _ => Err(json.unknown_field(name)),
    })?;
    let sizes = json.required(at, "sizes", sizes)?;
    let first = json.required(at, "first", first)?;
    Ok(FlattenedDims { at, sizes, first, count: json.required(at, "count", count)? })
}
