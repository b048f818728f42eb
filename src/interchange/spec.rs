//! Specs: an object with one field, which is the type.

use super::cuts::{self, LayoutFields, read_dim, write_dim};
use super::document::{DocumentKind, DocumentWriter, Frame};
use super::json::JsonReader;
use super::mesh::{self, AxisFields};
use super::placements::{self, PlacementFields};
use super::shards;
use crate::error::{Error, Result};
use crate::memory::text;
use crate::model::{
    ChunkShardingSpec, EnumerableShardingSpec, MeshLayout, MeshShardingSpec, ShardingSpec,
};

/// A spec of one of the types that are built in: all of it is data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BuiltInSpec {
    /// Equal chunks of a dimension.
    Chunk(ChunkShardingSpec),
    /// Listed shards.
    Enumerable(EnumerableShardingSpec),
    /// Cuts over a mesh.
    Mesh(MeshShardingSpec),
}

impl BuiltInSpec {
    /// The spec as any spec is used.
    pub fn as_spec(&self) -> &dyn ShardingSpec {
        match self {
            Self::Chunk(spec) => spec,
            Self::Enumerable(spec) => spec,
            Self::Mesh(spec) => spec,
        }
    }
}

/// Writes a spec into a document.
pub(super) fn write<'a>(out: &mut DocumentWriter<'a>, spec: &'a dyn ShardingSpec) -> Result<()> {
    if let Some(spec) = spec.downcast_ref::<ChunkShardingSpec>() {
        return out.object("chunk", |out| {
            write_dim(&mut out.json, spec.dim())?;
            placements::write(out, spec.placements())
        });
    }
    if let Some(spec) = spec.downcast_ref::<EnumerableShardingSpec>() {
        return out.object("enumerable", |out| shards::write(out, spec.shards()));
    }
    if let Some(spec) = spec.downcast_ref::<MeshShardingSpec>() {
        return out.object("mesh", |out| {
            mesh::write_axes(out, spec.mesh())?;
            placements::write(out, spec.mesh().placements())?;
            cuts::write(out, spec.layout())?;
            mesh::write_partial(out, &spec.layout().partial)
        });
    }
    let what = text!(
        "spec: a spec of the custom type '{}' is code of the program's and can't be written; write the \
         metadata that it builds",
        spec.type_name()
    );
    Err(Error::Unsupported { what })
}

/// Reads the document of a spec.
pub(super) fn read(json: &mut JsonReader<'_>) -> Result<BuiltInSpec> {
    let at = json.position();
    let (mut frame, mut spec) = (Frame::new(DocumentKind::Spec), None);
    json.object(|json, name| {
        let read: fn(&mut JsonReader<'_>) -> Result<BuiltInSpec> = match name {
            "chunk" => read_chunk,
            "enumerable" => read_enumerable,
            "mesh" => read_mesh,
            _ => return frame.field(json, name),
        };
        if spec.is_some() {
            let problem = "a spec has one type, and this is the second one";
            return Err(json.invalid_at(json.name_position(), problem));
        }
        spec = Some(read(json)?);
        Ok(())
    })?;
    json.end()?;
    frame.check(json, at)?;
    spec.ok_or_else(|| {
        json.invalid_at(
            at,
            "it has no type; one of the fields chunk, enumerable and mesh is needed",
        )
    })
}

fn read_chunk(json: &mut JsonReader<'_>) -> Result<BuiltInSpec> {
    let at = json.position();
    let (mut dim, mut placements) = (None, PlacementFields::default());
    json.object(|json, name| match name {
        "dim" => json.once(name, &mut dim, read_dim),
        _ => placements.field(json, name),
    })?;
    let dim = json.required(at, "dim", dim)?;
    let placements = placements.finish(json, at)?;
    let spec = ChunkShardingSpec::new(dim, placements.iter().cloned());
    spec.map(BuiltInSpec::Chunk).map_err(|error| json.refused_at(at, error))
}

fn read_enumerable(json: &mut JsonReader<'_>) -> Result<BuiltInSpec> {
    let at = json.position();
    let spec = EnumerableShardingSpec::new(shards::read(json)?);
    spec.map(BuiltInSpec::Enumerable).map_err(|error| json.refused_at(at, error))
}

fn read_mesh(json: &mut JsonReader<'_>) -> Result<BuiltInSpec> {
    let at = json.position();
    let (mut axes, mut layout) = (AxisFields::default(), LayoutFields::default());
    let mut placements = PlacementFields::default();
    json.object(|json, name| {
        if axes.field(json, name)? || layout.field(json, name)? {
            return Ok(());
        }
        placements.field(json, name)
    })?;
    let placements = placements.finish(json, at)?;
    let mesh = json.required(at, "axis_names", axes.mesh(json, at, placements)?)?;
    let layout = MeshLayout { partial: axes.partial().1, ..layout.finish() };
    let spec = MeshShardingSpec::new(mesh, layout);
    spec.map(BuiltInSpec::Mesh).map_err(|error| json.refused_at(at, error))
}
