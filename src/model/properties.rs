//! Properties of a tensor besides its sizes: torch's `TensorProperties`.

use super::dtype::DataType;

/// How the elements are arranged: `torch.layout`, with the numbers of `c10::Layout`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are torch's own")]
pub enum Layout {
    #[default]
    Strided = 0,
    SparseCoo = 1,
    SparseCsr = 2,
    Mkldnn = 3,
    SparseCsc = 4,
    SparseBsr = 5,
    SparseBsc = 6,
    Jagged = 7,
}

/// The order of dimensions in memory: `torch.memory_format`, with the numbers of
/// `c10::MemoryFormat`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are torch's own")]
pub enum MemoryFormat {
    #[default]
    Contiguous = 0,
    Preserve = 1,
    ChannelsLast = 2,
    ChannelsLast3d = 3,
}

impl Layout {
    /// All layouts, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Strided,
        Self::SparseCoo,
        Self::SparseCsr,
        Self::Mkldnn,
        Self::SparseCsc,
        Self::SparseBsr,
        Self::SparseBsc,
        Self::Jagged,
    ];

    /// Its name, as torch writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Strided => "strided",
            Self::SparseCoo => "sparse_coo",
            Self::SparseCsr => "sparse_csr",
            Self::Mkldnn => "mkldnn",
            Self::SparseCsc => "sparse_csc",
            Self::SparseBsr => "sparse_bsr",
            Self::SparseBsc => "sparse_bsc",
            Self::Jagged => "jagged",
        }
    }
}

impl MemoryFormat {
    /// All memory formats, in the order of their numbers.
    pub const ALL: [Self; 4] =
        [Self::Contiguous, Self::Preserve, Self::ChannelsLast, Self::ChannelsLast3d];

    /// Its name, as torch writes it but for an ending in `_format`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Contiguous => "contiguous",
            Self::Preserve => "preserve",
            Self::ChannelsLast => "channels_last",
            Self::ChannelsLast3d => "channels_last_3d",
        }
    }
}

/// Properties of a sharded tensor besides its sizes. Carried with the metadata; only `dtype` has an
/// effect here: when it is stated, data of another type is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct TensorProperties {
    /// The element type; `None` where it is not stated.
    pub dtype: Option<DataType>,
    /// How the elements are arranged.
    pub layout: Layout,
    /// Whether autograd records operations on the tensor.
    pub requires_grad: bool,
    /// The order of dimensions in memory.
    pub memory_format: MemoryFormat,
    /// Whether local shards are to be in page-locked memory.
    pub pin_memory: bool,
}

impl TensorProperties {
    /// torch's defaults: `float32`, strided, contiguous, no gradient, not pinned.
    pub const TORCH_DEFAULT: Self = Self {
        dtype: Some(DataType::FLOAT32),
        layout: Layout::Strided,
        requires_grad: false,
        memory_format: MemoryFormat::Contiguous,
        pin_memory: false,
    };
}
