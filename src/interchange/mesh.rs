//! Meshes: the names and sizes of their axes, and axes that are pending a reduction.

use super::document::DocumentWriter;
use super::json::JsonReader;
use crate::error::Result;
use crate::memory::{IntoShared, TryVec, text, try_boxed_str, try_with_capacity};
use crate::model::{Mesh, MeshAxis, PartialAxis, Placements, Reduction};

/// Writes the axes of a mesh. Its placements are written apart.
pub(super) fn write_axes(out: &mut DocumentWriter<'_>, mesh: &Mesh) -> Result<()> {
    out.json.field("axis_names")?;
    out.json.texts(mesh.axes().iter().map(MeshAxis::name))?;
    // The number of devices fits 32 bits.
    Ok(out.numbers("axis_sizes", mesh.axes().iter().map(|axis| axis.size() as i64))?)
}

/// Writes the axes that are pending a reduction, if there are any.
pub(super) fn write_partial(out: &mut DocumentWriter<'_>, partial: &[PartialAxis]) -> Result<()> {
    if partial.is_empty() {
        return Ok(());
    }
    out.json.field("partial")?;
    out.json.list('[', partial, |json, PartialAxis { axis, reduction }| {
        json.write("{")?;
        json.field("axis")?;
        json.text(axis)?;
        json.field("reduction")?;
        json.text(reduction.name())?;
        json.write("}")
    })?;
    Ok(out.json.write("]")?)
}

/// The fields of a mesh and its partial axes, as they are read.
#[derive(Default)]
pub(super) struct AxisFields {
    /// With where they start.
    names: Option<(usize, Vec<Box<str>>)>,
    sizes: Option<Vec<i64>>,
    partial: Option<(usize, Vec<PartialAxis>)>,
}

impl AxisFields {
    /// Reads one of the fields. Whether it was one.
    pub(super) fn field(&mut self, json: &mut JsonReader<'_>, name: &str) -> Result<bool> {
        match name {
            "axis_names" => json.once(name, &mut self.names, |json| {
                let at = json.position();
                Ok((at, read_texts(json)?))
            })?,
            "axis_sizes" => json.once(name, &mut self.sizes, JsonReader::numbers)?,
            "partial" => json.once(name, &mut self.partial, |json| {
                let at = json.position();
                Ok((at, read_partial(json)?))
            })?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The mesh of an object that starts at a position, if it has one.
    pub(super) fn mesh(
        &self, json: &JsonReader<'_>, at: usize, placements: impl IntoShared<Placements>,
    ) -> Result<Option<Mesh>> {
        let (names_at, names, sizes) = match (&self.names, &self.sizes) {
            (None, None) => return Ok(None),
            (None, Some(_)) => {
                return Err(json.invalid_at(at, "it has axis_sizes and no axis_names"));
            }
            (Some(_), None) => {
                return Err(json.invalid_at(at, "it has axis_names and no axis_sizes"));
            }
            (Some((names_at, names)), Some(sizes)) => (*names_at, names, sizes),
        };
        if names.len() != sizes.len() {
            let (names, sizes) = (names.len(), sizes.len());
            let problem = text!("there are {names} axis_names and {sizes} axis_sizes");
            return Err(json.invalid_at(names_at, problem));
        }
        let mut axes = try_with_capacity(names.len())?;
        axes.extend(names.iter().zip(sizes).map(|(name, &size)| (&**name, size)));
        let mesh = Mesh::with_placements(&axes, placements);
        mesh.map(Some).map_err(|error| json.refused_at(names_at, error))
    }

    /// The axes that are pending a reduction, and where they start.
    pub(super) fn partial(&mut self) -> (usize, Vec<PartialAxis>) {
        self.partial.take().unwrap_or_default()
    }
}

/// An array of texts.
pub(super) fn read_texts(json: &mut JsonReader<'_>) -> Result<Vec<Box<str>>> {
    let mut texts = Vec::new();
    json.array(|json| Ok(texts.try_push(try_boxed_str(json.string()?.as_str())?)?))?;
    Ok(texts)
}

fn read_partial(json: &mut JsonReader<'_>) -> Result<Vec<PartialAxis>> {
    let mut all = Vec::new();
    json.array(|json| {
        let at = json.position();
        let (mut axis, mut reduction) = (None, None);
        json.object(|json, name| match name {
            "axis" => {
                json.once(name, &mut axis, |json| Ok(try_boxed_str(json.string()?.as_str())?))
            }
            "reduction" => json.once(name, &mut reduction, |json| {
                let at = json.position();
                let name = json.string()?;
                Reduction::parse(name.as_str()).map_err(|error| json.refused_at(at, error))
            }),
            _ => Err(json.unknown_field(name)),
        })?;
        let axis = json.required(at, "axis", axis)?;
        let reduction = json.required(at, "reduction", reduction)?;
        Ok(all.try_push(PartialAxis { axis, reduction })?)
    })?;
    Ok(all)
}
