//! Layouts as a user writes them: a mesh, a text in one of several notations, and the tensors that it is
//! for.
//!
//! `text` reads one layout, `mesh` its mesh, `words` the notation in which the library prints layouts, and
//! `document` the documents of specs and metadata that the library writes.

mod document;
mod mesh;
mod text;
mod words;

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};
use shardspec::files::write::name_matches;
use shardspec::interchange::{BuiltInSpec, metadata_to_json, spec_to_json};
use shardspec::model::{
    DataType, Error, Mesh, MeshLayout, MeshShardingSpec, Result as ModelResult,
    ShardedTensorMetadata, ShardingSpec, TensorProperties, TensorShape,
};

use crate::arguments::{LayoutArguments, ShapeArguments};
use crate::failure::Failure;
use crate::units;

use document::Document;
pub use document::is_at as is_document;

/// Between a pattern and its layout.
const ARROW: &str = "->";

/// A layout of tensors of any sizes, or of one tensor.
#[derive(Debug, Clone)]
pub struct Layout {
    document: Document,
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
        Self { document: Document::Spec(BuiltInSpec::Mesh(spec)), keeps_vectors: false }
    }

    /// The layout over a mesh, if it is one.
    pub fn over_mesh(&self) -> Option<&MeshShardingSpec> {
        match &self.document {
            Document::Spec(BuiltInSpec::Mesh(spec)) => Some(spec),
            Document::Spec(_) | Document::Metadata(_) => None,
        }
    }

    /// The sizes of the one tensor that it is of, if it is.
    pub fn sizes(&self) -> Option<&[i64]> {
        match &self.document {
            Document::Spec(_) => None,
            Document::Metadata(metadata) => Some(metadata.sizes()),
        }
    }

    fn mesh(&self) -> Option<&Mesh> {
        match &self.document {
            Document::Spec(_) => self.over_mesh().map(MeshShardingSpec::mesh),
            Document::Metadata(metadata) => metadata.mesh(),
        }
    }

    /// The shards of a tensor. A tensor without dimensions can't be cut: it is replicated over the mesh.
    pub fn build(
        &self, sizes: &[i64], dtype: Option<DataType>,
    ) -> ModelResult<ShardedTensorMetadata> {
        let spec = match &self.document {
            Document::Spec(spec) => spec,
            Document::Metadata(metadata) => return of_one_tensor(metadata, sizes, dtype),
        };
        let properties = TensorProperties { dtype, ..TensorProperties::default() };
        let shape = TensorShape::new(sizes);
        match (self.over_mesh(), sizes) {
            (Some(spec), []) => uncut(spec)?.build_metadata(shape, properties),
            (Some(spec), [_]) if self.keeps_vectors => {
                uncut(spec)?.build_metadata(shape, properties)
            }
            _ => spec.as_spec().build_metadata(shape, properties),
        }
    }

    /// What every command says of a layout. `document` is the spec or the metadata as the library writes it.
    pub fn json(&self) -> Value {
        let axes = self.mesh().map(|mesh| {
            let axes = mesh.axes().iter();
            axes.map(|axis| json!({"name": axis.name(), "size": axis.size()})).collect::<Vec<_>>()
        });
        let document = match &self.document {
            Document::Spec(spec) => spec_to_json(spec.as_spec()),
            Document::Metadata(metadata) => metadata_to_json(metadata),
        };
        let document: Option<Value> =
            document.ok().and_then(|text| serde_json::from_str(&text).ok());
        json!({"mesh": axes, "text": self.to_string(), "document": document})
    }
}

/// In words.
impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.document {
            Document::Spec(BuiltInSpec::Mesh(spec)) => write!(f, "{spec}"),
            Document::Spec(BuiltInSpec::Chunk(spec)) => write!(f, "{spec}"),
            Document::Spec(BuiltInSpec::Enumerable(spec)) => write!(f, "{spec}"),
            Document::Metadata(metadata) => {
                let shards = units::count(metadata.shards().len(), "shard");
                write!(f, "metadata of {shards} of {}", units::sizes(metadata.sizes()))
            }
        }
    }
}

/// The shards that a document lists, which are of a tensor of certain sizes.
fn of_one_tensor(
    metadata: &ShardedTensorMetadata, sizes: &[i64], dtype: Option<DataType>,
) -> ModelResult<ShardedTensorMetadata> {
    if metadata.sizes() != sizes {
        let (own, sizes) = (units::sizes(metadata.sizes()), units::sizes(sizes));
        let problem = format!(
            "the metadata is of a tensor of {own}, and this one has {sizes}; pass a spec for others"
        );
        return Err(Error::invalid("layout", problem));
    }
    Ok(dtype.map_or_else(|| metadata.clone(), |dtype| metadata.with_dtype(dtype)))
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

    /// The layout of a document.
    pub fn of_document(path: &str) -> Result<Self, Failure> {
        let mut layouts = Self::default();
        layouts.push_document("*", path.to_owned(), path)?;
        Ok(layouts)
    }

    fn push(&mut self, place: String, mesh: Option<&str>, value: &str) -> Result<(), Failure> {
        let (pattern, text) = match value.split_once(ARROW) {
            Some((pattern, text)) => (pattern.trim(), text.trim()),
            None => ("*", value.trim()),
        };
        if let Some(path) = text.strip_prefix('@') {
            self.push_document(pattern, place, path)?;
            return Ok(());
        }
        let layout = text::parse(text, mesh).map_err(|problem| {
            Failure::usage(format!("{place} {text:?}: {problem}"))
                .hint("`shardspec show --help` lists the ways to write a layout")
        })?;
        self.rules.push(LayoutRule { pattern: pattern.to_owned(), place, layout });
        Ok(())
    }

    fn push_document(&mut self, pattern: &str, place: String, path: &str) -> Result<(), Failure> {
        let layout = Layout { document: document::read(path)?, keeps_vectors: false };
        self.rules.push(LayoutRule { pattern: pattern.to_owned(), place, layout });
        Ok(())
    }

    /// A file with a document, or with a layout in each line. `--mesh MESH` is for the lines behind it.
    fn read_file(&mut self, path: &str, mesh: Option<&str>) -> Result<(), Failure> {
        if document::is_at(path) {
            return self.push_document("*", path.to_owned(), path);
        }
        let text = read(path)?;
        if text.trim_start().starts_with('{') && text.contains("\"kind\"") {
            // A document of a kind that is no layout: the reader says which.
            return self.push_document("*", path.to_owned(), path);
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
        let sizes = shape.sizes.as_ref().map(|sizes| sizes.0.as_slice());
        let Some(sizes) = sizes.or(layout.sizes()) else {
            let problem = format!("{layout} is of tensors of any sizes; pass --sizes");
            return Err(Failure::usage(problem));
        };
        let built = layout.build(sizes, dtype(shape)?);
        Ok((layout, built.map_err(|error| Failure::of(layout, &error))?))
    }
}

/// The text of a file.
fn read(path: &str) -> Result<String, Failure> {
    std::fs::read_to_string(Path::new(path))
        .map_err(|error| Failure::system(path, "reading the layouts", &error))
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
