//! A tensor as `torch.save` writes it: where its bytes are.

use super::class::Class;
use super::pickle::Pickle;
use super::value::{Id, Value};
use super::zip::{ByteSource, Record, records};
use super::{Malformed, Parsed};
use crate::geometry::checked_numel;
use crate::memory::text;
use crate::model::DataType;

/// A saved tensor, and the place of its elements.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SavedTensor {
    pub(crate) dtype: DataType,
    pub(crate) sizes: Vec<i64>,
    /// Elements from one index to the next; `None`: row-major.
    pub(crate) strides: Option<Vec<i64>>,
    /// Where its first element is, counted from the start of the archive.
    pub(crate) start: u64,
}

/// A description of one tensor is some hundred bytes long.
const MAX_DESCRIPTION: u64 = 1 << 20;

/// The tensor that an archive holds.
pub(crate) fn saved_tensor(source: &dyn ByteSource) -> Parsed<SavedTensor> {
    let records = records(source)?;
    let description = find(&records, None, "data.pkl")?;
    let folder = description.name.strip_suffix("data.pkl").unwrap_or("");
    let bytes = contents(source, description, MAX_DESCRIPTION)?;
    let pickle = Pickle::read(&bytes)?;
    let tensor = Tensor::read(&pickle, pickle.root())?;
    check_byte_order(source, &records, folder, tensor.dtype)?;
    let storage = find(&records, Some(folder), tensor.storage)?;
    tensor.place(storage)
}

/// The record of this name in a folder, or in the one folder that has it.
fn find<'a>(records: &'a [Record], folder: Option<&str>, name: &str) -> Parsed<&'a Record> {
    let is_it = |record: &&Record| {
        let at = record.name.strip_suffix(name);
        at.is_some_and(|at| match folder {
            Some(folder) => at == folder || at.strip_prefix(folder) == Some("data/"),
            None => at.strip_suffix('/').is_some_and(|own| !own.contains('/')),
        })
    };
    let mut found = records.iter().filter(is_it);
    match (found.next(), found.next()) {
        (Some(record), None) => Ok(record),
        (None, _) => Err(Malformed::new(text!("the archive has no record {name:?}"))),
        (Some(_), Some(_)) => {
            Err(Malformed::new(text!("the archive has two records {name:?}, and one is needed")))
        }
    }
}

fn contents(source: &dyn ByteSource, record: &Record, most: u64) -> Parsed<Vec<u8>> {
    if record.length > most {
        let problem =
            text!("record {:?} has {} bytes, more than any has", record.name, record.length);
        return Err(Malformed::new(problem));
    }
    // At most `most`.
    source.read(record.start, record.length as usize)
}

/// Refuses elements whose bytes are in another order than this machine's. Archives without the record
/// are older than it, and little-endian.
fn check_byte_order(
    source: &dyn ByteSource, records: &[Record], folder: &str, dtype: DataType,
) -> Parsed<()> {
    let own: &[u8] = if cfg!(target_endian = "little") { b"little" } else { b"big" };
    let mut named = records.iter();
    let is_it = |record: &&Record| record.name.strip_prefix(folder) == Some("byteorder");
    let bytes = match named.find(is_it) {
        Some(record) => contents(source, record, 16)?,
        None => crate::memory::try_to_vec(b"little")?,
    };
    match bytes.as_slice() {
        b"little" | b"big" if bytes == own || dtype.bits <= 8 => Ok(()),
        b"little" | b"big" => Err(Malformed::new(
            "its elements are stored in the byte order of another kind of machine; save it again there",
        )),
        _ => Err(Malformed::new("its record 'byteorder' is neither little nor big")),
    }
}

/// A tensor by its description.
struct Tensor<'a> {
    dtype: DataType,
    sizes: Vec<i64>,
    strides: Vec<i64>,
    /// Elements before the first one.
    first: i64,
    /// The name of the record with its bytes.
    storage: &'a str,
    /// The bytes that the storage should have.
    bytes: u64,
}

impl<'a> Tensor<'a> {
    fn read(pickle: &Pickle<'a>, root: Id) -> Parsed<Self> {
        let root = match pickle.get(root) {
            // A parameter is a tensor, and whether it has a gradient.
            Value::Object { class: Class::RebuildParameter, arguments, .. } => {
                *pickle.sequence(*arguments)?.first().ok_or_else(other)?
            }
            _ => root,
        };
        let (arguments, dtype) = match pickle.get(root) {
            Value::Object { class: Class::RebuildTensor, arguments, .. } => {
                (pickle.sequence(*arguments)?, None)
            }
            Value::Object { class: Class::RebuildTyped, arguments, .. } => {
                let arguments = pickle.sequence(*arguments)?;
                let dtype = *arguments.get(6).ok_or_else(other)?;
                (arguments, Some(dtype_of(pickle, dtype)?))
            }
            _ => return Err(other()),
        };
        let &[storage, first, sizes, strides, ..] = arguments else {
            return Err(other());
        };
        let storage = Storage::read(pickle, storage)?;
        let dtype = dtype.or(storage.dtype).ok_or_else(other)?;
        Ok(Self {
            dtype,
            sizes: pickle.sizes(sizes)?,
            strides: pickle.sizes(strides)?,
            first: pickle.int(first)?,
            storage: storage.name,
            bytes: storage.bytes,
        })
    }

    /// Where its elements are, in the record of its bytes.
    fn place(self, record: &Record) -> Parsed<SavedTensor> {
        if record.length != self.bytes {
            let problem = text!(
                "record {:?} has {} bytes where its tensor has {}",
                record.name,
                record.length,
                self.bytes
            );
            return Err(Malformed::new(problem));
        }
        let outside = || Malformed::new("its elements lie outside of its bytes");
        if self.sizes.len() != self.strides.len() || checked_numel(&self.sizes).is_none() {
            return Err(other());
        }
        let itemsize = self.dtype.itemsize().map_err(|_| other())? as u64;
        let first = u64::try_from(self.first).ok().and_then(|first| first.checked_mul(itemsize));
        let first = first.ok_or_else(outside)?;
        let reach = self.reach().and_then(|reach| u64::try_from(reach).ok()?.checked_mul(itemsize));
        let end = reach.and_then(|reach| first.checked_add(reach));
        if end.is_none_or(|end| end > record.length) {
            return Err(outside());
        }
        let start = record.start.saturating_add(first);
        let strides = (!self.is_row_major()).then_some(self.strides);
        Ok(SavedTensor { dtype: self.dtype, sizes: self.sizes, strides, start })
    }

    /// Elements from the first one to the end of the last one.
    fn reach(&self) -> Option<i64> {
        if self.sizes.contains(&0) {
            return Some(0);
        }
        let mut dims = self.sizes.iter().zip(&self.strides);
        dims.try_fold(1i64, |reach, (&size, &stride)| {
            reach.checked_add(size.checked_sub(1)?.checked_mul(stride)?)
        })
    }

    fn is_row_major(&self) -> bool {
        let mut next = Some(1i64);
        let dims = self.sizes.iter().zip(&self.strides).rev();
        let in_order = dims.fold(true, |in_order, (&size, &stride)| {
            let fits = size == 1 || next == Some(stride);
            next = next.and_then(|next| next.checked_mul(size));
            in_order && fits
        });
        in_order || self.sizes.contains(&0)
    }
}

/// The bytes that a tensor is a view of.
struct Storage<'a> {
    name: &'a str,
    bytes: u64,
    dtype: Option<DataType>,
}

impl<'a> Storage<'a> {
    fn read(pickle: &Pickle<'a>, id: Id) -> Parsed<Self> {
        let Value::Persistent(name) = *pickle.get(id) else {
            return Err(other());
        };
        let &[kind, class, name, _, count] = pickle.sequence(name)? else {
            return Err(other());
        };
        if pickle.text(kind)? != "storage" {
            return Err(other());
        }
        let dtype = match *pickle.get(class) {
            Value::Class(Class::Storage(dtype)) => Some(dtype),
            Value::Class(Class::UntypedStorage) => None,
            _ => return Err(other()),
        };
        let itemsize = dtype.map_or(Ok(1), DataType::itemsize).map_err(|_| other())?;
        let bytes = u64::try_from(pickle.int(count)?).ok();
        let bytes = bytes.and_then(|count| count.checked_mul(itemsize as u64));
        Ok(Self { name: pickle.text(name)?, bytes: bytes.ok_or_else(other)?, dtype })
    }
}

pub(super) fn dtype_of(pickle: &Pickle<'_>, id: Id) -> Parsed<DataType> {
    match *pickle.get(id) {
        Value::Class(Class::Dtype(dtype)) => Ok(dtype),
        ref other => Err(Malformed::new(text!("a torch.dtype is expected where {other} is"))),
    }
}

#[cold]
fn other() -> Malformed {
    Malformed::new("it holds something else than one plain tensor")
}
