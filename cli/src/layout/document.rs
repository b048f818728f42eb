//! Documents of the library as layouts: specs and metadata, as JSON and as bytes.

use std::fs::File;
use std::io::Read;

use shardspec::interchange::{
    BuiltInSpec, metadata_from_binary, metadata_from_json, spec_from_binary, spec_from_json,
};
use shardspec::model::{Result as ModelResult, ShardedTensorMetadata};

use crate::failure::{Failure, Reason};

/// How the bytes of a document begin.
const BINARY: &[u8] = b"\x8cshard";
/// The kinds of documents, as their texts have them.
const SPEC: &str = "\"shardspec.spec\"";
const METADATA: &str = "\"shardspec.metadata\"";

/// What a document describes.
#[derive(Debug, Clone)]
pub enum Document {
    /// Of tensors of any sizes.
    Spec(BuiltInSpec),
    /// Of one tensor.
    Metadata(Box<ShardedTensorMetadata>),
}

/// Whether a path is a file with a document.
pub fn is_at(path: &str) -> bool {
    let mut start = [0; 64];
    let length = File::open(path).and_then(|mut file| file.read(&mut start)).unwrap_or(0);
    let start = start.get(..length).unwrap_or_default();
    if start.starts_with(BINARY) {
        return true;
    }
    start.trim_ascii_start().starts_with(b"{")
        && std::fs::read(path).is_ok_and(|bytes| is_text(&bytes))
}

/// Whether bytes are the text of a document.
pub fn is_text(bytes: &[u8]) -> bool {
    kind_of(bytes).is_some()
}

/// The document in a file.
pub fn read(path: &str) -> Result<Document, Failure> {
    let bytes =
        std::fs::read(path).map_err(|error| Failure::system(path, "reading the layout", &error))?;
    parse(&bytes).map_err(|error| Failure::of(path, &error).because(Reason::File))
}

/// The document of a text or of bytes.
fn parse(bytes: &[u8]) -> ModelResult<Document> {
    let metadata = |metadata| Document::Metadata(Box::new(metadata));
    if !bytes.starts_with(BINARY) {
        return match kind_of(bytes) {
            Some(METADATA) => metadata_from_json(bytes).map(metadata),
            _ => spec_from_json(bytes).map(Document::Spec),
        };
    }
    // The kind is in the text behind 32 bytes of lengths.
    match kind_of(bytes.get(..256).unwrap_or(bytes)) {
        Some(METADATA) => metadata_from_binary(bytes).map(metadata),
        _ => spec_from_binary(bytes).map(Document::Spec),
    }
}

/// The kind that stands first in a text, if one does.
fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    let at = |kind: &str| bytes.windows(kind.len()).position(|part| part == kind.as_bytes());
    let kinds = [SPEC, METADATA].into_iter().filter_map(|kind| Some((at(kind)?, kind)));
    kinds.min().map(|(_, kind)| kind)
}
