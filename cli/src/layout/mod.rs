//! Layouts as a user writes them: a mesh, a text in one of several notations, and the tensors that it is
//! for.
//!
//! `text` reads one layout, `mesh` its mesh, and `words` the notation in which the library prints layouts.

mod mesh;
mod text;
mod words;

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};
use shardspec::files::write::name_matches;
use shardspec::interchange::{BuiltInSpec, spec_from_json, spec_to_json};
use shardspec::model::{
    DataType, MeshLayout, MeshShardingSpec, Result as ModelResult, ShardedTensorMetadata,
    ShardingSpec, TensorProperties, TensorShape,
};

use crate::arguments::{LayoutArguments, ShapeArguments};
use crate::failure::{Failure, Reason};

/// Between a pattern and its layout.
const ARROW: &str = "->";

/// A layout of tensors of any sizes.
#[derive(Debug, Clone)]
pub struct Layout {
    spec: BuiltInSpec,
    /// Whether vectors are replicated: biases of layers whose input is cut.
    keeps_vectors: bool,
}

/// A layout for the tensors whose names match a pattern.
#[derive(Debug)]
pub struct LayoutRule {
    /// `*`: all tensors.
    pub pattern: String,
    /// Where the user wrote it, for messages.
    pub place: String,
    pub layout: Layout,
}

/// Layouts for the tensors of a checkpoint. The first rule that matches a name decides.
#[derive(Debug, Default)]
pub struct Layouts {
    pub rules: Vec<LayoutRule>,
}

impl Layout {
    fn new(spec: MeshShardingSpec) -> Self {
        Self { spec: BuiltInSpec::Mesh(spec), keeps_vectors: false }
    }

    /// The layout over a mesh, if it is one.
    pub fn over_mesh(&self) -> Option<&MeshShardingSpec> {
        match &self.spec {
            BuiltInSpec::Mesh(spec) => Some(spec),
            BuiltInSpec::Chunk(_) | BuiltInSpec::Enumerable(_) => None,
        }
    }

    /// The shards of a tensor. A tensor without dimensions can't be cut: it is replicated over the mesh.
    pub fn build(
        &self, sizes: &[i64], dtype: Option<DataType>,
    ) -> ModelResult<ShardedTensorMetadata> {
        let properties = TensorProperties { dtype, ..TensorProperties::default() };
        let shape = TensorShape::new(sizes);
        match (self.over_mesh(), sizes) {
            (Some(spec), []) => uncut(spec)?.build_metadata(shape, properties),
            (Some(spec), [_]) if self.keeps_vectors => {
                uncut(spec)?.build_metadata(shape, properties)
            }
            _ => self.spec.as_spec().build_metadata(shape, properties),
        }
    }

    /// What every command says of a layout. `document` is the spec as the library writes it.
    pub fn json(&self) -> Value {
        let axes = self.over_mesh().map(|spec| {
            let axes = spec.mesh().axes().iter();
            axes.map(|axis| json!({"name": axis.name(), "size": axis.size()})).collect::<Vec<_>>()
        });
        let document = spec_to_json(self.spec.as_spec()).ok();
        let document: Option<Value> = document.and_then(|text| serde_json::from_str(&text).ok());
        json!({"mesh": axes, "text": self.to_string(), "document": document})
    }
}

/// In words.
impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.spec {
            BuiltInSpec::Mesh(spec) => write!(f, "{spec}"),
            BuiltInSpec::Chunk(spec) => write!(f, "{spec}"),
            BuiltInSpec::Enumerable(spec) => write!(f, "{spec}"),
        }
    }
}

/// The same mesh, and a whole tensor on each of its devices.
fn uncut(spec: &MeshShardingSpec) -> ModelResult<MeshShardingSpec> {
    MeshShardingSpec::new(spec.mesh().clone(), MeshLayout::default())
}

impl Layouts {
    /// The layouts of `--layout`.
    pub fn new(arguments: &LayoutArguments) -> Result<Self, Failure> {
        Self::parse("--layout", arguments.mesh.as_deref(), &arguments.layouts)
    }

    /// The layouts of some values of an option.
    pub fn parse(option: &str, mesh: Option<&str>, values: &[String]) -> Result<Self, Failure> {
        let mut layouts = Self::default();
        for value in values {
            match value.strip_prefix('@') {
                Some(path) => layouts.read_file(path, mesh)?,
                None => layouts.push(option.to_owned(), mesh, value)?,
            }
        }
        Ok(layouts)
    }

    fn push(&mut self, place: String, mesh: Option<&str>, value: &str) -> Result<(), Failure> {
        let (pattern, text) = match value.split_once(ARROW) {
            Some((pattern, text)) => (pattern.trim(), text.trim()),
            None => ("*", value.trim()),
        };
        if let Some(path) = text.strip_prefix('@') {
            let layout = document(path, &read(path)?)?;
            self.rules.push(LayoutRule { pattern: pattern.to_owned(), place, layout });
            return Ok(());
        }
        let layout = text::parse(text, mesh).map_err(|problem| {
            Failure::usage(format!("{place} {text:?}: {problem}"))
                .hint("`shardspec show --help` lists the ways to write a layout")
        })?;
        self.rules.push(LayoutRule { pattern: pattern.to_owned(), place, layout });
        Ok(())
    }

    /// A file with the JSON document of a spec, or with a layout in each line. `--mesh MESH` is for the lines
    /// behind it.
    fn read_file(&mut self, path: &str, mesh: Option<&str>) -> Result<(), Failure> {
        let text = read(path)?;
        if text.trim_start().starts_with('{') && text.contains("\"kind\"") {
            let layout = document(path, &text)?;
            let (pattern, place) = ("*".to_owned(), path.to_owned());
            self.rules.push(LayoutRule { pattern, place, layout });
            return Ok(());
        }
        let mut mesh = mesh;
        for (number, line) in (1..).zip(text.lines()) {
            let line = without_comment(line).trim();
            if let Some(own) = line.strip_prefix("--mesh") {
                mesh = Some(own.trim_start_matches(['=', ' ', '\t']));
            } else if !line.is_empty() {
                self.push(format!("{path}:{number}:"), mesh, line)?;
            }
        }
        Ok(())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The layout of the tensor of a name.
    pub fn of(&self, name: &str) -> Option<&Layout> {
        let mut rules = self.rules.iter();
        rules.find(|rule| name_matches(&rule.pattern, name)).map(|rule| &rule.layout)
    }

    /// The one layout of a tensor that has no name.
    pub fn one(&self, option: &str) -> Result<&Layout, Failure> {
        match self.rules.as_slice() {
            [rule] if rule.pattern == "*" => Ok(&rule.layout),
            [] => Err(Failure::usage(format!("{option} is missing; --sizes needs one layout"))),
            _ => Err(Failure::usage(format!(
                "{option}: patterns and several layouts are for checkpoints; with --sizes, write one layout"
            ))),
        }
    }

    /// The one layout, and its shards of a tensor of these sizes, where no checkpoint is given.
    pub fn of_shape(
        &self, shape: &ShapeArguments,
    ) -> Result<(&Layout, ShardedTensorMetadata), Failure> {
        let layout = self.one("--layout")?;
        let Some(sizes) = &shape.sizes else {
            return Err(Failure::usage("pass a checkpoint, or --sizes and --layout"));
        };
        let built = layout.build(&sizes.0, dtype(shape)?);
        Ok((layout, built.map_err(|error| Failure::of(layout, &error))?))
    }
}

/// The text of a file.
fn read(path: &str) -> Result<String, Failure> {
    std::fs::read_to_string(Path::new(path))
        .map_err(|error| Failure::system(path, "reading the layouts", &error))
}

/// The layout of a JSON document.
fn document(path: &str, text: &str) -> Result<Layout, Failure> {
    let spec = spec_from_json(text.as_bytes())
        .map_err(|error| Failure::of(path, &error).because(Reason::File))?;
    Ok(Layout { spec, keeps_vectors: false })
}

/// The element type of `--dtype`.
pub fn dtype(shape: &ShapeArguments) -> Result<Option<DataType>, Failure> {
    let parse =
        |text: &String| DataType::parse(text).map_err(|error| Failure::of("--dtype", &error));
    shape.dtype.as_ref().map(parse).transpose()
}

/// A line up to the first `#` that begins it or follows a blank.
fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    for (at, letter) in line.char_indices() {
        if letter == '#' && before.is_whitespace() {
            return line.get(..at).unwrap_or(line);
        }
        before = letter;
    }
    line
}
