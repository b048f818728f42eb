//! The safetensors format: a JSON header, and the tensors' bytes behind it.
//!
//! The header is read here and not by the `safetensors` crate: that one keeps a header in maps and
//! texts of the standard library, which end the process where memory is missing, and it does not say
//! where in the header something is wrong.
//!
//! Source: the format's description in the README of huggingface/safetensors, 0.7; the keys with which
//! torch's `HuggingFaceStorageWriter` says where a file's chunks lie in their tensors
//! (`DCP_SHARDING_INFO`, `saved_offsets`).

use super::error::FilesError;
use super::file_set_builder::{FileSetBuilder, NewChunk};
use super::formats::{Format, Place};
use super::numbered::missing_names;
use super::system::{OpenFile, SystemPath};
use crate::geometry::{MAX_NDIM, checked_numel};
use crate::interchange::document::{DocumentKind, Frame};
use crate::interchange::json::JsonReader;
use crate::memory::{Text, TryVec, text, try_boxed_str};
use crate::model::{DataType, Error, Result};
use crate::sync::seed::Map;

/// The end of the names of such files.
pub(super) const SUFFIX: &str = ".safetensors";
/// The format's own limit for the bytes of a header.
pub(super) const MAX_HEADER: u64 = 100_000_000;
/// Bytes of a header's length.
const LENGTH_BYTES: u64 = 8;
/// The name of the entry that is no tensor.
const TEXTS: &str = "__metadata__";
/// The text that says where chunks are in their tensors.
const SHARDING_INFO: &str = "DCP_SHARDING_INFO";
/// The text with which this library says how large tensors are whose chunks are in several files.
const LAYOUT: &str = "shardspec";

/// The names of element types.
const DTYPES: &[(&str, DataType)] = &[
    ("BOOL", dtype(6, 8)),
    ("U8", dtype(1, 8)),
    ("I8", dtype(0, 8)),
    ("U16", dtype(1, 16)),
    ("I16", dtype(0, 16)),
    ("U32", dtype(1, 32)),
    ("I32", dtype(0, 32)),
    ("U64", dtype(1, 64)),
    ("I64", dtype(0, 64)),
    ("F16", dtype(2, 16)),
    ("BF16", dtype(4, 16)),
    ("F32", dtype(2, 32)),
    ("F64", dtype(2, 64)),
    ("C64", dtype(5, 64)),
    ("F8_E4M3", dtype(10, 8)),
    ("F8_E4M3FNUZ", dtype(11, 8)),
    ("F8_E5M2", dtype(12, 8)),
    ("F8_E5M2FNUZ", dtype(13, 8)),
    ("F8_E8M0", dtype(14, 8)),
    ("F6_E2M3", dtype(15, 6)),
    ("F6_E3M2", dtype(16, 6)),
    ("F4", dtype(17, 4)),
];

const fn dtype(code: u8, bits: u8) -> DataType {
    DataType { code, bits, lanes: 1 }
}

/// The element type of that name.
pub(crate) fn dtype_of_name(name: &str) -> Option<DataType> {
    DTYPES.iter().find(|(known, _)| *known == name).map(|(_, dtype)| *dtype)
}

/// The name of an element type, if it has one.
pub(crate) fn name_of_dtype(dtype: DataType) -> Option<&'static str> {
    DTYPES.iter().find(|(_, known)| *known == dtype).map(|(name, _)| *name)
}

/// A single file.
pub(super) struct SafetensorsFile;

impl Format for SafetensorsFile {
    fn recognizes(&self, place: &Place) -> bool {
        match place {
            Place::File { name, start, .. } => {
                name.ends_with(SUFFIX) || start.get(LENGTH_BYTES as usize) == Some(&b'{')
            }
            Place::Directory { .. } => false,
        }
    }

    fn read(&self, place: Place, set: &mut FileSetBuilder) -> Result<()> {
        let Place::File { path, name, file, .. } = place else { return Ok(()) };
        add_file(set, &name, path, &file, &|_| true)
    }
}

/// A directory of files without an index: ordinary ones, or those that torch's distributed checkpoint
/// wrote.
pub(super) struct SafetensorsDirectory;

impl Format for SafetensorsDirectory {
    fn recognizes(&self, place: &Place) -> bool {
        match place {
            Place::Directory { names, .. } => names.iter().any(|name| name.ends_with(SUFFIX)),
            Place::File { .. } => false,
        }
    }

    fn read(&self, place: Place, set: &mut FileSetBuilder) -> Result<()> {
        let Place::Directory { path, names } = place else { return Ok(()) };
        let mut own = Vec::new();
        own.try_extend(names.iter().filter(|name| name.ends_with(SUFFIX)).map(|name| &**name))?;
        for name in &own {
            let path = path.join(name)?;
            let file = OpenFile::open(&path, name)?;
            add_file(set, name, path, &file, &|_| true)?;
        }
        missing_names(&own, |name| Ok(set.add_missing_file(name)?))
    }
}

/// One tensor of a header.
struct HeaderEntry {
    name: Box<str>,
    dtype: DataType,
    sizes: Vec<i64>,
    /// Where its bytes start and end, counted from the end of the header.
    bytes: [u64; 2],
}

/// What a header says.
#[derive(Default)]
struct Header {
    entries: Vec<HeaderEntry>,
    texts: Vec<(Box<str>, Box<str>)>,
}

/// Adds a file, and those of its tensors that are wanted.
pub(super) fn add_file(
    set: &mut FileSetBuilder, name: &str, path: SystemPath, file: &OpenFile,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<()> {
    let (text, start) = header_text(name, file)?;
    let mut header = Header::read(JsonReader::new(&text, TEXTS, LENGTH_BYTES as usize))
        .map_err(|error| FilesError::in_file(name, error))?;
    header.check_bytes(name, start, file.length())?;
    let number = set.add_file(name, path, file)?;
    let (offsets, tensor_sizes) = (header.saved_offsets(name)?, header.tensor_sizes(name)?);
    for (key, text) in &header.texts {
        set.add_text(number, key, text)?;
    }
    for entry in header.entries.iter().filter(|entry| wanted(&entry.name)) {
        let chunk = [&offsets, &tensor_sizes]
            .map(|all| all.as_ref().and_then(|all| all.get(&*entry.name)).map(Vec::as_slice));
        add_entry(set, (name, number), start, entry, chunk)?;
    }
    Ok(())
}

/// The header of a file, and where the bytes behind it start.
fn header_text(name: &str, file: &OpenFile) -> Result<(Vec<u8>, u64)> {
    let short = |what: &'static str, end: u64| -> Error {
        let (file, length) = (Text::copy(name), file.length());
        FilesError::TooShort { file, length, what: what.into(), end }.into()
    };
    if file.length() < LENGTH_BYTES {
        return Err(short("the length of the header", LENGTH_BYTES));
    }
    let length = file.read(name, 0, LENGTH_BYTES as usize)?;
    let length = u64::from_le_bytes(length.try_into().unwrap_or_default());
    if length > MAX_HEADER {
        let problem = text!(
            "its header would have {length} bytes, and a header of the format has at most {MAX_HEADER}; \
             this is no safetensors file"
        );
        let file = Text::copy(name);
        return Err(FilesError::InvalidFile { file, offset: Some(0), problem }.into());
    }
    let end = LENGTH_BYTES.saturating_add(length);
    if file.length() < end {
        return Err(short("its header", end));
    }
    Ok((file.read(name, LENGTH_BYTES, length as usize)?, end))
}

impl Header {
    fn read(mut json: JsonReader<'_>) -> Result<Self> {
        let mut header = Self::default();
        json.object(|json, name| {
            if name == TEXTS {
                return json.object(|json, name| {
                    let text = json.string()?;
                    let pair = (try_boxed_str(name)?, try_boxed_str(text.as_str())?);
                    Ok(header.texts.try_push(pair)?)
                });
            }
            let entry = entry(json, name)?;
            Ok(header.entries.try_push(entry)?)
        })?;
        json.end()?;
        Ok(header)
    }

    /// Refuses tensors whose bytes are not one behind the other, all of the file's and no more; and
    /// names that are there twice.
    fn check_bytes(&mut self, file: &str, start: u64, length: u64) -> Result<()> {
        let invalid = |problem| {
            let file = Text::copy(file);
            Err(FilesError::InvalidFile { file, offset: None, problem }.into())
        };
        self.entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let mut pairs = self.entries.iter().zip(self.entries.iter().skip(1));
        if let Some((twice, _)) = pairs.find(|(a, b)| a.name == b.name) {
            return invalid(text!("its header has tensor {:?} twice", twice.name));
        }
        self.entries.sort_unstable_by_key(|entry| entry.bytes);
        let mut end = 0;
        for HeaderEntry { name, dtype, sizes, bytes } in &self.entries {
            let expected = checked_numel(sizes).and_then(|numel| u64::try_from(numel).ok());
            let Some(expected) = expected.and_then(|numel| dtype.storage_bytes(numel)) else {
                return invalid(text!(
                    "tensor {name:?} of sizes {sizes:?} has more bytes than memory can have"
                ));
            };
            if bytes[1].checked_sub(bytes[0]) != Some(expected as u64) {
                return invalid(text!(
                    "tensor {name:?} is at bytes {} to {} behind the header, and {sizes:?} {dtype} have \
                     {expected} bytes",
                    bytes[0],
                    bytes[1]
                ));
            }
            if bytes[0] != end {
                return invalid(text!(
                    "tensor {name:?} starts at byte {} behind the header, and the one before ends at \
                     byte {end}; tensors follow each other without a gap or an overlap",
                    bytes[0]
                ));
            }
            end = bytes[1];
        }
        let Some(all) = start.checked_add(end).filter(|&all| all <= length) else {
            let name = self.entries.last().map_or("", |entry| &*entry.name);
            let (file, what) = (Text::copy(file), text!("tensor {name:?}"));
            let end = start.saturating_add(end);
            return Err(FilesError::TooShort { file, length, what, end }.into());
        };
        if all < length {
            return invalid(text!(
                "it has {length} bytes, and its last tensor ends at byte {all}; the format has nothing \
                 behind the tensors"
            ));
        }
        Ok(())
    }

    /// Where chunks are in their tensors, if the file says so.
    fn saved_offsets(&self, file: &str) -> Result<Option<NumbersByTensor>> {
        let offsets = |json: &mut JsonReader<'_>| numbers_by_tensor(json, "saved_offsets");
        self.of_text(SHARDING_INFO, file, offsets)
    }

    /// How large the tensors are, if the file says so.
    fn tensor_sizes(&self, file: &str) -> Result<Option<NumbersByTensor>> {
        self.of_text(LAYOUT, file, |json| {
            let (mut sizes, mut frame) = (Map::default(), Frame::new(DocumentKind::File));
            json.object(|json, field| match field {
                "kind" | "version" => frame.field(json, field),
                "tensors" => {
                    sizes = numbers_by_tensor(json, "sizes")?;
                    Ok(())
                }
                _ => json.skip(),
            })?;
            Ok(sizes)
        })
    }

    /// What a text of the file says, if it is there.
    fn of_text<T>(
        &self, name: &'static str, file: &str, read: impl FnOnce(&mut JsonReader<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let Some((_, text)) = self.texts.iter().find(|(own, _)| **own == *name) else {
            return Ok(None);
        };
        let mut json = JsonReader::new(text.as_bytes(), name, 0);
        let value = read(&mut json).and_then(|value| json.end().map(|()| value));
        value.map(Some).map_err(|error| FilesError::in_text_of(file, error))
    }
}

/// Numbers for each of some tensors.
type NumbersByTensor = Map<Box<str>, Vec<i64>>;

/// The numbers of a field that each tensor has.
fn numbers_by_tensor(json: &mut JsonReader<'_>, name: &str) -> Result<NumbersByTensor> {
    let mut all = Map::default();
    json.object(|json, tensor| {
        let mut numbers = Vec::new();
        json.object(|json, field| match field {
            _ if field == name => json.sizes(&mut numbers),
            _ => json.skip(),
        })?;
        all.try_reserve(1)?;
        all.insert(try_boxed_str(tensor)?, numbers);
        Ok(())
    })?;
    Ok(all)
}

/// One tensor of a header, behind its name.
fn entry(json: &mut JsonReader<'_>, name: &str) -> Result<HeaderEntry> {
    let (mut dtype, mut sizes, mut bytes) = (None, None, None);
    json.object(|json, field| {
        match field {
            "dtype" => {
                let text = json.string()?;
                let Some(known) = dtype_of_name(text.as_str()) else {
                    let what = text!(
                        "tensor {name:?}: the element type {:?} is not known to this version",
                        text.as_str()
                    );
                    return Err(Error::Unsupported { what });
                };
                dtype = Some(known);
            }
            "shape" => {
                let mut shape = Vec::new();
                json.sizes(&mut shape)?;
                sizes = Some(shape);
            }
            "data_offsets" => {
                let mut pair = Vec::new();
                json.sizes(&mut pair)?;
                // They came as numbers that are not negative.
                bytes = <[i64; 2]>::try_from(pair).ok().map(|pair| pair.map(i64::cast_unsigned));
            }
            _ => json.skip()?,
        }
        Ok(())
    })?;
    let (Some(dtype), Some(sizes), Some(bytes)) = (dtype, sizes, bytes) else {
        let problem = text!("tensor {name:?} has no dtype, no shape or no two data_offsets");
        return Err(json.invalid(problem));
    };
    if sizes.len() > MAX_NDIM {
        let problem = text!(
            "tensor {name:?} has {} dimensions; at most {MAX_NDIM} are supported",
            sizes.len()
        );
        return Err(json.invalid(problem));
    }
    Ok(HeaderEntry { name: try_boxed_str(name)?, dtype, sizes, bytes })
}

/// Adds a tensor of a header, or a chunk of one that other files have chunks of.
fn add_entry(
    set: &mut FileSetBuilder, (name, file): (&str, u32), start: u64, entry: &HeaderEntry,
    [offsets, tensor_sizes]: [Option<&[i64]>; 2],
) -> Result<()> {
    let HeaderEntry { name: tensor, dtype, sizes, bytes } = entry;
    let (ndim, zeros) = (sizes.len(), [0; MAX_NDIM]);
    let invalid = |problem| {
        let file = Text::copy(name);
        Err(FilesError::InvalidFile { file, offset: None, problem }.into())
    };
    let number = match (set.tensor_named(tensor), offsets) {
        (None, None) => set.add_tensor(tensor, *dtype, ndim, Some(sizes))?,
        (None, Some(_)) => {
            let known = tensor_sizes.filter(|sizes| sizes.len() == ndim);
            set.add_tensor(tensor, *dtype, ndim, known)?
        }
        (Some(_), None) => {
            return invalid(text!(
                "tensor {tensor:?} is in another file of the directory too, and no index says which one \
                 counts; remove one, or open one file"
            ));
        }
        (Some(number), Some(_)) => number,
    };
    if (set.dtype_of(number), set.ndim_of(number)) != (Some(*dtype), Some(ndim)) {
        return invalid(text!(
            "tensor {tensor:?} is {dtype} of {ndim} dimensions here, and something else in another file"
        ));
    }
    let offsets = offsets.or(zeros.get(..ndim)).unwrap_or(&[]);
    let first_byte = start.saturating_add(bytes[0]);
    set.add_chunk(number, NewChunk { offsets, sizes, strides: None, file, first_byte })
}
