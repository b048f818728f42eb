//! Layouts as JSON and as bytes, for files, for messages and for people.
//!
//! A document is a JSON object with a kind, a version and what it describes: [`spec_to_json`] and
//! [`metadata_to_json`] write all of a value, and [`spec_from_json`] and [`metadata_from_json`] make an
//! equal value of that. Equal values have equal texts. What is read is checked as if a program had built
//! it. [`plan_to_json`] writes a summary. Lists of shards are flat arrays.
//!
//! [`spec_to_binary`] and [`metadata_to_binary`] write the same text with its long arrays behind it, as
//! numbers of 32 or 64 bits, and a checksum.
//!
//! Each file of a part of a document has its writer beside its reader: `placements`, `dim_maps`, `shards`,
//! `mesh`, `rules`, `cuts`, `properties`, `spec`, `metadata` and `plan`. `document` has what all documents
//! have, `binary` puts arrays behind the text, and `json` is the reader and the writer of JSON, which
//! readers of files use too. The text is read in one pass and without recursion.

#![forbid(unsafe_code)]

mod binary;
mod cuts;
mod dim_maps;
pub(crate) mod document;
pub(crate) mod error;
pub(crate) mod json;
mod mesh;
mod metadata;
mod placements;
mod plan;
mod properties;
mod rules;
mod shards;
mod spec;

pub use binary::BinaryForm;
use document::{DocumentKind, DocumentWriter};
pub use error::InterchangeError;
use json::JsonReader;
pub use spec::BuiltInSpec;

use crate::error::Result;
use crate::model::{ShardedTensorMetadata, ShardingSpec};
use crate::plan::ReshardPlan;

/// The argument that a text comes in.
const TEXT: &str = "text";

/// A spec as JSON. A spec of the user's own type is refused, as it is code.
///
/// ```
/// use shardspec::interchange::{spec_from_json, spec_to_json};
/// use shardspec::model::{ChunkShardingSpec, Placement};
///
/// let ranks = [Placement::on_rank(0)?, Placement::on_rank(1)?];
/// let spec = ChunkShardingSpec::new(0.into(), ranks.into_iter())?;
/// let text = spec_to_json(&spec)?;
/// assert_eq!(
///     text,
///     r#"{"kind":"shardspec.spec","version":1,"chunk":{"dim":0,"placements":["rank:0/cpu","rank:1/cpu"]}}"#
/// );
/// assert!(spec_from_json(text.as_bytes())?.as_spec().equals(&spec));
/// # Ok::<(), shardspec::model::Error>(())
/// ```
pub fn spec_to_json(spec: &dyn ShardingSpec) -> Result<String> {
    let mut document = DocumentWriter::new(DocumentKind::Spec)?;
    spec::write(&mut document, spec)?;
    Ok(document.end()?.0)
}

/// The spec of a JSON text.
pub fn spec_from_json(text: &[u8]) -> Result<BuiltInSpec> {
    spec::read(&mut JsonReader::new(text, TEXT, 0))
}

/// Metadata as JSON.
pub fn metadata_to_json(metadata: &ShardedTensorMetadata) -> Result<String> {
    let mut document = DocumentWriter::new(DocumentKind::Metadata)?;
    metadata::write(&mut document, metadata)?;
    Ok(document.end()?.0)
}

/// The metadata of a JSON text.
pub fn metadata_from_json(text: &[u8]) -> Result<ShardedTensorMetadata> {
    metadata::read(&mut JsonReader::new(text, TEXT, 0))
}

/// The summary of a plan as JSON: which owner sends how much to which.
pub fn plan_to_json(plan: &ReshardPlan) -> Result<String> {
    let mut document = DocumentWriter::new(DocumentKind::Plan)?;
    plan::write(&mut document, plan)?;
    Ok(document.end()?.0)
}

/// A spec as bytes.
pub fn spec_to_binary(spec: &dyn ShardingSpec) -> Result<BinaryForm<'_>> {
    let mut document = DocumentWriter::with_arrays_behind(DocumentKind::Spec)?;
    spec::write(&mut document, spec)?;
    BinaryForm::new(document)
}

/// The spec of bytes.
pub fn spec_from_binary(bytes: &[u8]) -> Result<BuiltInSpec> {
    spec::read(&mut binary::open(bytes)?)
}

/// Metadata as bytes.
pub fn metadata_to_binary(metadata: &ShardedTensorMetadata) -> Result<BinaryForm<'_>> {
    let mut document = DocumentWriter::with_arrays_behind(DocumentKind::Metadata)?;
    metadata::write(&mut document, metadata)?;
    BinaryForm::new(document)
}

/// The metadata of bytes.
pub fn metadata_from_binary(bytes: &[u8]) -> Result<ShardedTensorMetadata> {
    metadata::read(&mut binary::open(bytes)?)
}
