//! Metadata: who owns what of one tensor.

use super::document::{DocumentKind, DocumentWriter, Frame};
use super::json::JsonReader;
use super::mesh::{self, AxisFields, read_texts};
use super::properties;
use super::shards;
use crate::error::Result;
use crate::memory::{text, try_with_capacity};
use crate::model::{ShardedTensorMetadata, Shards, TensorProperties};

/// Writes metadata into a document.
pub(super) fn write<'a>(
    out: &mut DocumentWriter<'a>, metadata: &'a ShardedTensorMetadata,
) -> Result<()> {
    out.numbers("sizes", metadata.sizes().iter().copied())?;
    properties::write(out, metadata.properties())?;
    if let Some(names) = metadata.dim_names() {
        out.json.field("dim_names")?;
        out.json.texts(names.iter().map(|name| &**name))?;
    }
    if let Some(mesh) = metadata.mesh() {
        // Its placements are those of the shards.
        mesh::write_axes(out, mesh)?;
        mesh::write_partial(out, metadata.partial())?;
    }
    if metadata.has_replicas() {
        out.json.field("replicas")?;
        out.json.write("true")?;
    }
    out.object("shards", |out| shards::write(out, metadata.shards()))
}

/// The fields of metadata, as they are read.
#[derive(Default)]
struct MetadataFields {
    sizes: Option<Vec<i64>>,
    properties: Option<TensorProperties>,
    /// With where they start.
    dim_names: Option<(usize, Vec<Box<str>>)>,
    replicas: Option<bool>,
    shards: Option<Shards>,
    axes: AxisFields,
}

/// Reads the document of metadata.
pub(super) fn read(json: &mut JsonReader<'_>) -> Result<ShardedTensorMetadata> {
    let at = json.position();
    let (mut frame, mut fields) = (Frame::new(DocumentKind::Metadata), MetadataFields::default());
    json.object(|json, name| match name {
        "sizes" => json.once(name, &mut fields.sizes, JsonReader::numbers),
        "properties" => json.once(name, &mut fields.properties, properties::read),
        "dim_names" => json.once(name, &mut fields.dim_names, |json| {
            let at = json.position();
            Ok((at, read_texts(json)?))
        }),
        "replicas" => json.once(name, &mut fields.replicas, JsonReader::boolean),
        "shards" => json.once(name, &mut fields.shards, shards::read),
        _ if fields.axes.field(json, name)? => Ok(()),
        _ => frame.field(json, name),
    })?;
    json.end()?;
    frame.check(json, at)?;
    fields.finish(json, at)
}

impl MetadataFields {
    fn finish(mut self, json: &JsonReader<'_>, at: usize) -> Result<ShardedTensorMetadata> {
        let sizes = json.required(at, "sizes", self.sizes)?;
        let shards = json.required(at, "shards", self.shards)?;
        let properties = self.properties.unwrap_or_default();
        let metadata = match self.replicas {
            Some(true) => ShardedTensorMetadata::with_replicas(shards, &sizes, properties),
            _ => ShardedTensorMetadata::new(shards, &sizes, properties),
        };
        let mut metadata = metadata.map_err(|error| json.refused_at(at, error))?;
        let (partial_at, partial) = self.axes.partial();
        match self.axes.mesh(json, at, metadata.shards().placements().clone())? {
            Some(mesh) => {
                let on_mesh = metadata.on_mesh(&mesh, &partial);
                metadata = on_mesh.map_err(|error| json.refused_at(partial_at, error))?;
            }
            None => {
                if let Some(first) = partial.first() {
                    let problem =
                        text!("axis {:?} is of no mesh; axis_names are needed", first.axis);
                    return Err(json.invalid_at(partial_at, problem));
                }
            }
        }
        let Some((names_at, names)) = self.dim_names else { return Ok(metadata) };
        let mut borrowed = try_with_capacity(names.len())?;
        borrowed.extend(names.iter().map(|name| &**name));
        metadata.named(&borrowed).map_err(|error| json.refused_at(names_at, error))
    }
}
