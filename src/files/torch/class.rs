//! The names that a pickle of a checkpoint may use. All others are refused.

use std::fmt;

use super::{Malformed, Parsed};
use crate::memory::text;
use crate::model::DataType;

/// A class or function of torch or Python that a checkpoint may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Metadata,
    TensorStorage,
    BytesStorage,
    Chunk,
    Index,
    Properties,
    MemoryFormat,
    StorageMeta,
    StorageInfo,
    Size,
    /// An element type. Elements that torch packs are of as many lanes.
    Dtype(DataType),
    /// A typed storage, of which elements are counted.
    Storage(DataType),
    /// A storage of which bytes are counted.
    UntypedStorage,
    /// `_get_layout`: the name of a memory layout.
    Layout,
    OrderedDict,
    Path,
    RebuildTensor,
    RebuildTyped,
    RebuildParameter,
    Getattr,
}

const CHECKPOINT: &str = "torch.distributed.checkpoint.metadata";

/// Where each class is, and its name there. The first place is the one that messages show.
const CLASSES: &[(&str, &str, Class)] = &[
    (CHECKPOINT, "Metadata", Class::Metadata),
    (CHECKPOINT, "TensorStorageMetadata", Class::TensorStorage),
    (CHECKPOINT, "BytesStorageMetadata", Class::BytesStorage),
    (CHECKPOINT, "ChunkStorageMetadata", Class::Chunk),
    (CHECKPOINT, "MetadataIndex", Class::Index),
    (CHECKPOINT, "TensorProperties", Class::Properties),
    (CHECKPOINT, "_MEM_FORMAT_ENCODING", Class::MemoryFormat),
    (CHECKPOINT, "StorageMeta", Class::StorageMeta),
    ("torch.distributed.checkpoint.filesystem", "_StorageInfo", Class::StorageInfo),
    // Where torch 2.2 and older had them.
    ("torch.distributed._shard.sharded_tensor.metadata", "TensorProperties", Class::Properties),
    (
        "torch.distributed._shard.sharded_tensor.metadata",
        "MEM_FORMAT_ENCODING",
        Class::MemoryFormat,
    ),
    ("torch", "Size", Class::Size),
    ("torch.serialization", "_get_layout", Class::Layout),
    ("torch._utils", "_rebuild_tensor_v2", Class::RebuildTensor),
    ("torch._utils", "_rebuild_tensor_v3", Class::RebuildTyped),
    ("torch._utils", "_rebuild_parameter", Class::RebuildParameter),
    ("torch.storage", "UntypedStorage", Class::UntypedStorage),
    ("torch", "UntypedStorage", Class::UntypedStorage),
    ("collections", "OrderedDict", Class::OrderedDict),
    ("pathlib", "PosixPath", Class::Path),
    ("pathlib", "WindowsPath", Class::Path),
    ("pathlib", "PurePosixPath", Class::Path),
    ("pathlib._local", "PosixPath", Class::Path),
    ("builtins", "getattr", Class::Getattr),
];

/// Element types whose names in torch differ from those in this library, or are of several lanes.
const DTYPES: &[(&str, DataType)] = &[
    ("float", DataType { code: 2, bits: 32, lanes: 1 }),
    ("double", DataType { code: 2, bits: 64, lanes: 1 }),
    ("half", DataType { code: 2, bits: 16, lanes: 1 }),
    ("bfloat16", DataType { code: 4, bits: 16, lanes: 1 }),
    ("short", DataType { code: 0, bits: 16, lanes: 1 }),
    ("int", DataType { code: 0, bits: 32, lanes: 1 }),
    ("long", DataType { code: 0, bits: 64, lanes: 1 }),
    ("float4_e2m1fn_x2", DataType { code: 17, bits: 4, lanes: 2 }),
];

/// Element types that have the same names in torch and in this library.
const SAME_NAMES: &[&str] = &[
    "bool",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "float16",
    "float32",
    "float64",
    "complex32",
    "complex64",
    "complex128",
    "float8_e4m3fn",
    "float8_e5m2",
    "float8_e4m3fnuz",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
];

/// The typed storages, which torch has for its older element types.
const STORAGES: &[(&str, &str)] = &[
    ("DoubleStorage", "float64"),
    ("FloatStorage", "float32"),
    ("HalfStorage", "float16"),
    ("BFloat16Storage", "bfloat16"),
    ("LongStorage", "int64"),
    ("IntStorage", "int32"),
    ("ShortStorage", "int16"),
    ("CharStorage", "int8"),
    ("ByteStorage", "uint8"),
    ("BoolStorage", "bool"),
    ("ComplexFloatStorage", "complex64"),
    ("ComplexDoubleStorage", "complex128"),
];

impl Class {
    /// The class of a name, if it is one that belongs into a checkpoint.
    pub(super) fn find(module: &str, name: &str) -> Parsed<Self> {
        let mut known = CLASSES.iter();
        if let Some((.., class)) = known.find(|(place, own, _)| *place == module && *own == name) {
            return Ok(*class);
        }
        let of_torch = (module == "torch").then(|| Self::of_torch(name)).flatten();
        of_torch.ok_or_else(|| refused(module, name))
    }

    fn of_torch(name: &str) -> Option<Self> {
        if let Some(dtype) = dtype_of(name) {
            return Some(Self::Dtype(dtype));
        }
        let (_, dtype) = STORAGES.iter().find(|(storage, _)| *storage == name)?;
        dtype_of(dtype).map(Self::Storage)
    }

    /// The refusal of a known name that is used for something else than in a checkpoint.
    pub(super) fn refusal(self) -> Malformed {
        let mut known = CLASSES.iter();
        let (module, name) = known
            .find(|(.., class)| *class == self)
            .map_or(("torch", "dtype"), |(module, name, _)| (module, name));
        refused(module, name)
    }
}

/// The element type that torch calls by this name.
fn dtype_of(name: &str) -> Option<DataType> {
    let own = DTYPES.iter().find(|(other, _)| *other == name).map(|(_, dtype)| *dtype);
    own.or_else(|| {
        let same = SAME_NAMES.contains(&name);
        same.then(|| DataType::parse(name).ok()).flatten()
    })
}

#[cold]
fn refused(module: &str, name: &str) -> Malformed {
    Malformed::new(text!(
        "the pickle names {module}.{name}, which does not belong into a checkpoint; nothing of it was run"
    ))
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dtype(dtype) => write!(f, "torch.{dtype}"),
            Self::Storage(dtype) => write!(f, "storage of {dtype}"),
            other => {
                let mut known = CLASSES.iter();
                f.write_str(
                    known.find(|(.., class)| class == other).map_or("class", |(_, name, _)| name),
                )
            }
        }
    }
}
