//! The file `.metadata`: which tensors there are, and in which part of which file each chunk is.
//!
//! Source: torch's `torch/distributed/checkpoint/metadata.py` and `filesystem.py`.

use super::class::Class;
use super::item::dtype_of;
use super::pickle::Pickle;
use super::value::{Id, Value};
use super::{Malformed, Parsed};
use crate::geometry::checked_numel;
use crate::memory::{TryVec, text, try_boxed_str};
use crate::model::DataType;

/// A tensor of a checkpoint.
#[derive(Debug)]
pub(crate) struct TorchTensor {
    pub(crate) name: Box<str>,
    pub(crate) dtype: DataType,
    pub(crate) sizes: Vec<i64>,
    pub(crate) chunks: Vec<TorchChunk>,
}

/// A box of a tensor, and the archive that holds it.
#[derive(Debug)]
pub(crate) struct TorchChunk {
    pub(crate) offsets: Vec<i64>,
    pub(crate) sizes: Vec<i64>,
    /// The path of its file in the directory.
    pub(crate) file: Box<str>,
    /// Where its archive is in the file.
    pub(crate) start: u64,
    pub(crate) length: u64,
}

/// What a checkpoint holds.
#[derive(Debug, Default)]
pub(crate) struct TorchCheckpoint {
    /// In the order of the file.
    pub(crate) tensors: Vec<TorchTensor>,
    /// The names of what is no tensor.
    pub(crate) others: Vec<Box<str>>,
}

/// A part of a file, and the chunk that it is of.
struct StoredItem<'a> {
    name: &'a str,
    offsets: Vec<i64>,
    info: Id,
}

impl TorchCheckpoint {
    /// Reads the bytes of a file `.metadata`.
    pub(crate) fn read(bytes: &[u8]) -> Parsed<Self> {
        let pickle = Pickle::read(bytes)?;
        let root = pickle.root();
        let items = items(&pickle, pickle.need(root, Class::Metadata, "storage_data")?)?;
        let entries = pickle.need(root, Class::Metadata, "state_dict_metadata")?;
        let mut checkpoint = Self::default();
        // Lists may be shared: without a bound, a short file could name many chunks.
        let mut left = items.len();
        for &(name, entry) in pickle.dict(entries)? {
            let name = pickle.text(name)?;
            match pickle.get(entry) {
                Value::Object { class: Class::BytesStorage, .. } => {
                    checkpoint.others.try_push(try_boxed_str(name)?)?;
                }
                _ => {
                    checkpoint.tensors.try_push(tensor(&pickle, &items, name, entry, &mut left)?)?
                }
            }
        }
        Ok(checkpoint)
    }
}

/// All parts of files, by name and offsets.
fn items<'a>(pickle: &Pickle<'a>, storage: Id) -> Parsed<Vec<StoredItem<'a>>> {
    let mut items = Vec::new();
    for &(index, info) in pickle.dict(storage)? {
        let name = pickle.text(pickle.need(index, Class::Index, "fqn")?)?;
        let offsets = pickle.field(index, Class::Index, "offset")?;
        let offsets = match offsets.filter(|offsets| !pickle.is_none(*offsets)) {
            Some(offsets) => pickle.sizes(offsets)?,
            None => Vec::new(),
        };
        items.try_push(StoredItem { name, offsets, info })?;
    }
    items.sort_unstable_by(|a, b| (a.name, &a.offsets).cmp(&(b.name, &b.offsets)));
    let mut pairs = items.iter().zip(items.iter().skip(1));
    match pairs.find(|(a, b)| a.name == b.name && a.offsets == b.offsets) {
        None => Ok(items),
        Some((twice, _)) => {
            Err(Malformed::new(text!("{:?} has two items at {:?}", twice.name, twice.offsets)))
        }
    }
}

fn tensor(
    pickle: &Pickle<'_>, items: &[StoredItem<'_>], name: &str, entry: Id, left: &mut usize,
) -> Parsed<TorchTensor> {
    let of_tensor = |problem: Malformed| match problem {
        Malformed::Problem(problem) => Malformed::new(text!("tensor {name:?}: {problem}")),
        other => other,
    };
    let need = |field| pickle.need(entry, Class::TensorStorage, field);
    let dtype = dtype(pickle, need("properties").map_err(of_tensor)?).map_err(of_tensor)?;
    let sizes = pickle.sizes(need("size")?).map_err(of_tensor)?;
    if checked_numel(&sizes).is_none() {
        return Err(of_tensor(Malformed::new("its number of elements does not fit 64 bits")));
    }
    let list = pickle.sequence(need("chunks")?).map_err(of_tensor)?;
    *left = left.checked_sub(list.len()).ok_or_else(|| {
        of_tensor(Malformed::new("there are more chunks than items that hold them"))
    })?;
    let mut chunks = Vec::new();
    for &chunk in list {
        chunks.try_push(read_chunk(pickle, items, name, chunk).map_err(of_tensor)?)?;
    }
    Ok(TorchTensor { name: try_boxed_str(name)?, dtype, sizes, chunks })
}

/// The element type, which an object's state has first.
fn dtype(pickle: &Pickle<'_>, properties: Id) -> Parsed<DataType> {
    let state = pickle.object(properties, Class::Properties)?.1;
    let state = state.ok_or_else(|| Malformed::new("its properties are not set"))?;
    let first = pickle.sequence(state)?.first().copied();
    dtype_of(pickle, first.ok_or_else(|| Malformed::new("its properties are empty"))?)
}

fn read_chunk(
    pickle: &Pickle<'_>, items: &[StoredItem<'_>], name: &str, chunk: Id,
) -> Parsed<TorchChunk> {
    let offsets = pickle.sizes(pickle.need(chunk, Class::Chunk, "offsets")?)?;
    let sizes = pickle.sizes(pickle.need(chunk, Class::Chunk, "sizes")?)?;
    let found = items.binary_search_by(|item| (item.name, &item.offsets).cmp(&(name, &offsets)));
    let item = found.ok().and_then(|at| items.get(at));
    let info =
        item.ok_or_else(|| Malformed::new(text!("no item holds its chunk at {offsets:?}")))?.info;
    let transforms = pickle.field(info, Class::StorageInfo, "transform_descriptors")?;
    if let Some(transforms) = transforms.filter(|transforms| !pickle.is_none(*transforms))
        && !pickle.sequence(transforms)?.is_empty()
    {
        let problem = "its bytes are compressed or transformed by an extension; save it without";
        return Err(Malformed::new(problem));
    }
    let need = |field| pickle.need(info, Class::StorageInfo, field);
    let file = pickle.text(need("relative_path")?)?;
    check_relative(file)?;
    let number = |field| {
        let value = pickle.int(need(field)?)?;
        u64::try_from(value).map_err(|_| Malformed::new(text!("the {field} {value} is negative")))
    };
    let (start, length) = (number("offset")?, number("length")?);
    Ok(TorchChunk { offsets, sizes, file: try_boxed_str(file)?, start, length })
}

/// Refuses a path that leaves the directory of the checkpoint.
fn check_relative(path: &str) -> Parsed<()> {
    let leaves = path.is_empty()
        || path.contains(['\0', '\\'])
        || path.split('/').any(|part| matches!(part, "" | "." | ".."));
    if leaves {
        let problem = text!("{path:?} is no path of a file in the directory of the checkpoint");
        return Err(Malformed::new(problem));
    }
    Ok(())
}
