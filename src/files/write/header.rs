//! The header of a safetensors file, and the texts in it.
//!
//! Source: the format's description in the `safetensors` repository; `DCP_SHARDING_INFO` of torch's
//! `torch/distributed/checkpoint/_hf_utils.py`.

use crate::interchange::document::{DocumentKind, begin};
use crate::interchange::json::JsonWriter;
use crate::memory::{Memory, TryVec};

/// A tensor, or a chunk of one, as a header lists it.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntryToWrite<'a> {
    pub(super) name: &'a str,
    /// The format's name of its element type.
    pub(super) dtype: &'static str,
    /// The sizes of what is in the file.
    pub(super) sizes: &'a [i64],
    /// The sizes of the tensor.
    pub(super) tensor_sizes: &'a [i64],
    /// Where the chunk starts in the tensor.
    pub(super) offsets: &'a [i64],
    pub(super) bytes: u64,
}

/// Which file of a checkpoint a header is of.
#[derive(Debug, Clone, Copy)]
pub(super) struct WrittenPart<'a> {
    /// Its number, counted from 1.
    pub(super) number: usize,
    /// How many files there are.
    pub(super) count: usize,
    /// Who has its chunks, unless all have written it.
    pub(super) owner: Option<&'a str>,
}

/// A header with its length before it: entries one behind the other, in this order. `is_divided`: whether
/// entries are chunks of tensors.
pub(super) fn header(
    entries: &[EntryToWrite<'_>], part: WrittenPart<'_>, is_divided: bool,
) -> Memory<Vec<u8>> {
    let mut json = JsonWriter::default();
    json.write("{\"__metadata__\":{\"format\":\"pt\"")?;
    if is_divided {
        json.write(",\"DCP_VERSION\":\"1.0\",\"DCP_SHARDING_INFO\":")?;
        json.text(&sharding_info(entries)?)?;
    }
    json.write(",\"shardspec\":")?;
    json.text(&layout(entries, part)?)?;
    json.write("}")?;
    let mut start = 0u64;
    for entry in entries {
        let end = start.saturating_add(entry.bytes);
        json.write(",")?;
        json.text(entry.name)?;
        json.format(format_args!(":{{\"dtype\":\"{}\",\"shape\":", entry.dtype))?;
        json.numbers(entry.sizes.iter().copied())?;
        json.format(format_args!(",\"data_offsets\":[{start},{end}]}}"))?;
        start = end;
    }
    json.write("}")?;
    // The bytes of the tensors start at a multiple of 8.
    while !json.as_str().len().is_multiple_of(8) {
        json.write(" ")?;
    }
    let mut bytes = Vec::new();
    bytes.try_extend_from_slice(&(json.as_str().len() as u64).to_le_bytes())?;
    bytes.try_extend_from_slice(json.as_str().as_bytes())?;
    Ok(bytes)
}

/// What torch reads: where each chunk starts.
fn sharding_info(entries: &[EntryToWrite<'_>]) -> Memory<String> {
    let mut json = JsonWriter::default();
    json.list('{', entries, |json, entry| {
        json.text(entry.name)?;
        json.write(":{\"saved_offsets\":")?;
        json.numbers(entry.offsets.iter().copied())?;
        json.write("}")
    })?;
    json.write("}")?;
    Ok(json.into_string())
}

/// What this library adds: how large each tensor is and what this file has of it, whose file this is, and
/// how many files there are.
fn layout(entries: &[EntryToWrite<'_>], part: WrittenPart<'_>) -> Memory<String> {
    let WrittenPart { number, count, owner } = part;
    let mut json = begin(DocumentKind::File)?;
    json.format(format_args!(",\"file\":{number},\"file_count\":{count}"))?;
    if let Some(owner) = owner {
        json.field("owner")?;
        json.text(owner)?;
    }
    json.field("tensors")?;
    json.list('{', entries, |json, entry| {
        json.text(entry.name)?;
        json.write(":{\"sizes\":")?;
        json.numbers(entry.tensor_sizes.iter().copied())?;
        json.write(",\"offsets\":")?;
        json.numbers(entry.offsets.iter().copied())?;
        json.write("}")
    })?;
    json.write("}}")?;
    Ok(json.into_string())
}

/// The index of files that hold whole tensors: which file has which.
pub(super) fn index<'a>(
    total: u64, entries: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Memory<String> {
    let mut json = JsonWriter::default();
    json.format(format_args!("{{\"metadata\":{{\"total_size\":{total}}},\"weight_map\":"))?;
    json.list('{', entries, |json, (name, file)| {
        json.text(name)?;
        json.write(":")?;
        json.text(file)
    })?;
    json.write("}}\n")?;
    Ok(json.into_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_json_with_the_layout_in_it() {
        let entry = EntryToWrite {
            name: "a\"b\\c\n\u{1}é",
            dtype: "BF16",
            sizes: &[2, 3],
            tensor_sizes: &[4, 3],
            offsets: &[2, 0],
            bytes: 12,
        };
        let other = EntryToWrite { name: "w", dtype: "F32", bytes: 24, ..entry };
        let part = WrittenPart { number: 2, count: 3, owner: Some("rank:1") };
        let bytes = header(&[entry, other], part, true).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        assert_eq!((length % 8, length as usize), (0, bytes.len() - 8));
        let json: serde_json::Value = serde_json::from_slice(&bytes[8..]).unwrap();
        assert_eq!(json[entry.name]["shape"], serde_json::json!([2, 3]));
        assert_eq!(json["w"]["data_offsets"], serde_json::json!([12, 36]));
        let text = |name: &str| json["__metadata__"][name].as_str().unwrap();
        let info: serde_json::Value = serde_json::from_str(text("DCP_SHARDING_INFO")).unwrap();
        assert_eq!(info[entry.name]["saved_offsets"], serde_json::json!([2, 0]));
        let layout: serde_json::Value = serde_json::from_str(text("shardspec")).unwrap();
        assert_eq!(layout["tensors"]["w"]["sizes"], serde_json::json!([4, 3]));
        assert_eq!((&layout["file"], &layout["file_count"]), (&2.into(), &3.into()));
        let names = ["kind", "owner"].map(|name| layout[name].as_str().unwrap());
        assert_eq!((names, &layout["version"]), (["shardspec.file", "rank:1"], &1.into()));
    }

    #[test]
    fn an_index_of_no_tensors_is_json() {
        let none = index(0, []).unwrap();
        assert_eq!(none, "{\"metadata\":{\"total_size\":0},\"weight_map\":{}}\n");
    }
}
