//! Layouts over a mesh: cuts, pads and flattened dimensions.

use std::ops::Range;

use super::document::DocumentWriter;
use super::json::{JsonReader, JsonWriter};
use super::rules::{self, RuleReader};
use crate::error::Result;
use crate::memory::{Memory, TryVec, try_boxed_str};
use crate::model::{Cut, MeshCut, MeshLayout, Pad, PadTo, Segment, Segments, ShardingDim};

/// Writes the fields of a layout, but for partial axes.
pub(super) fn write(out: &mut DocumentWriter<'_>, layout: &MeshLayout) -> Result<()> {
    if let Some(dims) = &layout.flatten {
        let (first, count) = (dims.start, dims.len());
        out.json.field("flatten")?;
        out.json.format(format_args!("{{\"first\":{first},\"count\":{count}}}"))?;
    }
    if !layout.pads.is_empty() {
        out.json.field("pads")?;
        out.json.list('[', &layout.pads, write_pad)?;
        out.json.write("]")?;
    }
    out.json.field("cuts")?;
    out.json.list('[', &layout.cuts, write_cut)?;
    Ok(out.json.write("]")?)
}

/// Writes a dimension: its number or its name.
pub(super) fn write_dim(json: &mut JsonWriter, dim: &ShardingDim) -> Memory<()> {
    json.field("dim")?;
    match dim {
        ShardingDim::Index(dim) => json.number(*dim),
        ShardingDim::Name(name) => json.text(name),
    }
}

fn write_pad(json: &mut JsonWriter, pad: &Pad) -> Memory<()> {
    json.write("{")?;
    write_dim(json, &pad.dim)?;
    let (field, number) = match pad.to {
        PadTo::Size(size) => ("size", size),
        PadTo::Multiple(multiple) => ("multiple", multiple),
    };
    json.field(field)?;
    json.number(number)?;
    json.write("}")
}

fn write_cut(json: &mut JsonWriter, MeshCut { dim, axis, cut }: &MeshCut) -> Memory<()> {
    json.write("{")?;
    write_dim(json, dim)?;
    json.field("axis")?;
    json.text(axis)?;
    // Listed segments have rules of their own.
    rules::write(json, &cut.rule, matches!(cut.segments, Segments::Listed(_)))?;
    match &cut.segments {
        Segments::One => {}
        Segments::Equal(count) => {
            json.field("segments")?;
            json.number(*count)?;
        }
        Segments::Listed(segments) => {
            json.field("segments")?;
            json.list('[', segments, |json, Segment { size, rule }| {
                json.write("{")?;
                json.field("size")?;
                json.number(*size)?;
                rules::write(json, rule, false)?;
                json.write("}")
            })?;
            json.write("]")?;
        }
    }
    json.write("}")
}

/// The fields of a layout, as they are read.
#[derive(Default)]
pub(super) struct LayoutFields {
    flatten: Option<Range<usize>>,
    pads: Option<Vec<Pad>>,
    cuts: Option<Vec<MeshCut>>,
}

impl LayoutFields {
    /// Reads one of the fields. Whether it was one.
    pub(super) fn field(&mut self, json: &mut JsonReader<'_>, name: &str) -> Result<bool> {
        match name {
            "flatten" => json.once(name, &mut self.flatten, read_flatten)?,
            "pads" => json.once(name, &mut self.pads, |json| read_all(json, read_pad))?,
            "cuts" => json.once(name, &mut self.cuts, |json| read_all(json, read_cut))?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The layout, without partial axes.
    pub(super) fn finish(self) -> MeshLayout {
        MeshLayout {
            cuts: self.cuts.unwrap_or_default(),
            pads: self.pads.unwrap_or_default(),
            flatten: self.flatten,
            partial: Vec::new(),
        }
    }
}

/// An array, each value of which is read by `read`.
fn read_all<T>(
    json: &mut JsonReader<'_>, read: impl Fn(&mut JsonReader<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut all = Vec::new();
    json.array(|json| Ok(all.try_push(read(json)?)?))?;
    Ok(all)
}

/// A dimension: its number or its name.
pub(super) fn read_dim(json: &mut JsonReader<'_>) -> Result<ShardingDim> {
    if json.is_string() {
        return Ok(ShardingDim::Name(try_boxed_str(json.string()?.as_str())?));
    }
    json.number().map(ShardingDim::Index)
}

fn read_flatten(json: &mut JsonReader<'_>) -> Result<Range<usize>> {
    let at = json.position();
    let (mut first, mut count) = (None, None);
    json.object(|json, name| match name {
        "first" => json.once(name, &mut first, JsonReader::narrow::<usize>),
        "count" => json.once(name, &mut count, JsonReader::narrow::<usize>),
        _ => Err(json.unknown_field(name)),
    })?;
    let first = json.required(at, "first", first)?;
    let count = json.required(at, "count", count)?;
    let end = first.checked_add(count);
    Ok(first..end.ok_or_else(|| json.invalid_at(at, "first + count does not fit into 64 bits"))?)
}

fn read_pad(json: &mut JsonReader<'_>) -> Result<Pad> {
    let at = json.position();
    let (mut dim, mut size, mut multiple) = (None, None, None);
    json.object(|json, name| match name {
        "dim" => json.once(name, &mut dim, read_dim),
        "size" => json.once(name, &mut size, JsonReader::number),
        "multiple" => json.once(name, &mut multiple, JsonReader::number),
        _ => Err(json.unknown_field(name)),
    })?;
    let to = match (size, multiple) {
        (Some(size), None) => PadTo::Size(size),
        (None, Some(multiple)) => PadTo::Multiple(multiple),
        _ => return Err(json.invalid_at(at, "a pad has either a size or a multiple")),
    };
    Ok(Pad { dim: json.required(at, "dim", dim)?, to })
}

fn read_cut(json: &mut JsonReader<'_>) -> Result<MeshCut> {
    let at = json.position();
    let (mut dim, mut axis, mut segments) = (None, None, None);
    let mut rule = RuleReader::default();
    json.object(|json, name| match name {
        "dim" => json.once(name, &mut dim, read_dim),
        "axis" => json.once(name, &mut axis, |json| Ok(try_boxed_str(json.string()?.as_str())?)),
        "segments" => json.once(name, &mut segments, read_segments),
        _ => rule.field(json, name),
    })?;
    let rule = rule.finish(json, at)?;
    let cut = Cut { rule, segments: segments.unwrap_or(Segments::One) };
    let dim = json.required(at, "dim", dim)?;
    Ok(MeshCut { dim, axis: json.required(at, "axis", axis)?, cut })
}

fn read_segments(json: &mut JsonReader<'_>) -> Result<Segments> {
    if !json.is_array() {
        return json.number().map(Segments::Equal);
    }
    let segments = read_all(json, |json| {
        let at = json.position();
        let (mut size, mut rule) = (None, RuleReader::default());
        json.object(|json, name| match name {
            "size" => json.once(name, &mut size, JsonReader::number),
            _ => rule.field(json, name),
        })?;
        let size = json.required(at, "size", size)?;
        Ok(Segment { size, rule: rule.finish(json, at)? })
    })?;
    Ok(Segments::Listed(segments.try_into_boxed()?))
}
