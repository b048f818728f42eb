//! Layouts as a user writes them: a mesh, a text in one of several notations, and the tensors that it is
//! for.
//!
//! `text` reads one layout, `mesh` its mesh, and `words` the notation in which the library prints layouts.

mod mesh;
mod text;
mod words;

use std::path::Path;

use serde_json::{Value, json};
use shardspec::files::write::name_matches;
use shardspec::model::{
    DataType, MeshLayout, MeshShardingSpec, Result as ModelResult, ShardedTensorMetadata,
    ShardingSpec, TensorProperties, TensorShape,
};

use crate::arguments::{LayoutArguments, ShapeArguments};
use crate::failure::Failure;

/// Between a pattern and its layout.
const ARROW: &str = "->";

/// A layout over a mesh.
#[derive(Debug, Clone)]
pub struct Layout {
    pub spec: MeshShardingSpec,
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
        Self { spec, keeps_vectors: false }
    }

    /// The spec for a tensor of so many dimensions. A tensor without dimensions can't be cut.
    fn spec_for(&self, ndim: usize) -> ModelResult<MeshShardingSpec> {
        if ndim == 0 || (ndim == 1 && self.keeps_vectors) {
            return MeshShardingSpec::new(self.spec.mesh().clone(), MeshLayout::default());
        }
        Ok(self.spec.clone())
    }

    /// The shards of a tensor.
    pub fn build(
        &self, sizes: &[i64], dtype: Option<DataType>,
    ) -> ModelResult<ShardedTensorMetadata> {
        let properties = TensorProperties { dtype, ..TensorProperties::default() };
        self.spec_for(sizes.len())?.build_metadata(TensorShape::new(sizes), properties)
    }

    /// What every command says of a layout.
    pub fn json(&self) -> Value {
        let axes = self.spec.mesh().axes().iter();
        let axes: Vec<Value> =
            axes.map(|axis| json!({"name": axis.name(), "size": axis.size()})).collect();
        json!({"mesh": axes, "text": self.spec.to_string()})
    }
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
        let layout = text::parse(text, mesh).map_err(|problem| {
            Failure::usage(format!("{place} {text:?}: {problem}"))
                .hint("`shardspec show --help` lists the ways to write a layout")
        })?;
        self.rules.push(LayoutRule { pattern: pattern.to_owned(), place, layout });
        Ok(())
    }

    /// A file with a layout in each line. `--mesh MESH` is for the lines behind it.
    fn read_file(&mut self, path: &str, mesh: Option<&str>) -> Result<(), Failure> {
        let text = std::fs::read_to_string(Path::new(path))
            .map_err(|error| Failure::system(path, "reading the layouts", &error))?;
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
