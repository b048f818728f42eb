//! Tensor properties.
//!
//! Tensor properties have the fields of torch's `TensorProperties`. Metadata stores the properties
//! of its tensor. If the properties state an element type, copies accept only buffers of this type.
//! A sharded tensor requires the layout `torch.strided` and the memory format
//! `torch.contiguous_format`.

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::sized::{Grows, sized, sized_out};
use crate::ffi::dtype::shardspec_dtype;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::memory::text;
use crate::model::{DataType, Error, Layout, MemoryFormat, TensorProperties};

/// `torch.strided`. The `SHARDSPEC_LAYOUT_...` constants have the numbers of torch's `c10::Layout`.
pub const SHARDSPEC_LAYOUT_STRIDED: i32 = 0;
/// `torch.sparse_coo`.
pub const SHARDSPEC_LAYOUT_SPARSE_COO: i32 = 1;
/// `torch.sparse_csr`.
pub const SHARDSPEC_LAYOUT_SPARSE_CSR: i32 = 2;
/// `torch._mkldnn`.
pub const SHARDSPEC_LAYOUT_MKLDNN: i32 = 3;
/// `torch.sparse_csc`.
pub const SHARDSPEC_LAYOUT_SPARSE_CSC: i32 = 4;
/// `torch.sparse_bsr`.
pub const SHARDSPEC_LAYOUT_SPARSE_BSR: i32 = 5;
/// `torch.sparse_bsc`.
pub const SHARDSPEC_LAYOUT_SPARSE_BSC: i32 = 6;
/// `torch.jagged`.
pub const SHARDSPEC_LAYOUT_JAGGED: i32 = 7;

/// `torch.contiguous_format`. Memory formats have the numbers of torch's `c10::MemoryFormat`.
pub const SHARDSPEC_MEMORY_FORMAT_CONTIGUOUS: i32 = 0;
/// `torch.preserve_format`.
pub const SHARDSPEC_MEMORY_FORMAT_PRESERVE: i32 = 1;
/// `torch.channels_last`.
pub const SHARDSPEC_MEMORY_FORMAT_CHANNELS_LAST: i32 = 2;
/// `torch.channels_last_3d`.
pub const SHARDSPEC_MEMORY_FORMAT_CHANNELS_LAST_3D: i32 = 3;

/// Properties of a tensor. Start with `shardspec_tensor_properties_init`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_tensor_properties {
    /// `sizeof(shardspec_tensor_properties)`.
    pub struct_size: u64,
    /// The element type. With {0, 0, 0}, the properties state no element type, and the library
    /// moves data of any type.
    pub dtype: shardspec_dtype,
    /// A `SHARDSPEC_LAYOUT_...` constant.
    pub layout: i32,
    /// A `SHARDSPEC_MEMORY_FORMAT_...` constant.
    pub memory_format: i32,
    /// torch's property `requires_grad`: 1 or 0.
    pub requires_grad: i32,
    /// torch's property `pin_memory`: 1 or 0.
    pub pin_memory: i32,
    /// This field must be 0.
    pub reserved: i32,
}

// SAFETY: `shardspec_tensor_properties` is `repr(C)` and begins with its `struct_size`. All other
// fields are numbers, so zeros are a value of it.
unsafe impl Grows for shardspec_tensor_properties {
    const NAME: &'static str = "shardspec_tensor_properties";
    const FIRST_SIZE: usize = 32;
}

const NOT_STATED: shardspec_dtype = shardspec_dtype { code: 0, bits: 0, lanes: 0 };

impl shardspec_tensor_properties {
    /// The core's properties, if every field has a value that it may have.
    fn to_core(self) -> Outcome<TensorProperties> {
        let field = |name: &'static str, value: i32, what: &str| {
            Error::invalid(name, text!("{value} is {what}"))
        };
        if self.reserved != 0 {
            return Err(field("properties.reserved", self.reserved, "not 0").into());
        }
        let by_number = |number: i32| usize::try_from(number).ok();
        let layout = by_number(self.layout).and_then(|number| Layout::ALL.get(number).copied());
        let memory_format =
            by_number(self.memory_format).and_then(|number| MemoryFormat::ALL.get(number).copied());
        let flag = |name, value| match value {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(field(name, value, "neither 0 nor 1")),
        };
        let dtype = if self.dtype == NOT_STATED {
            None
        } else {
            Some(DataType::from(self.dtype).validate("properties.dtype")?)
        };
        Ok(TensorProperties {
            dtype,
            layout: layout.ok_or_else(|| {
                let what = "not a SHARDSPEC_LAYOUT_... constant";
                field("properties.layout", self.layout, what)
            })?,
            memory_format: memory_format.ok_or_else(|| {
                let what = "not a SHARDSPEC_MEMORY_FORMAT_... constant";
                field("properties.memory_format", self.memory_format, what)
            })?,
            requires_grad: flag("properties.requires_grad", self.requires_grad)?,
            pin_memory: flag("properties.pin_memory", self.pin_memory)?,
        })
    }

    pub(crate) fn from_core(properties: &TensorProperties) -> Self {
        Self {
            struct_size: size_of::<Self>() as u64,
            dtype: properties.dtype.map_or(NOT_STATED, shardspec_dtype::from),
            layout: properties.layout as i32,
            memory_format: properties.memory_format as i32,
            requires_grad: properties.requires_grad.into(),
            pin_memory: properties.pin_memory.into(),
            reserved: 0,
        }
    }
}

/// A properties argument; NULL: nothing is stated.
pub(crate) unsafe fn properties_argument(
    properties: *const shardspec_tensor_properties,
) -> Outcome<TensorProperties> {
    if properties.is_null() {
        return Ok(TensorProperties::default());
    }
    sized("properties", properties)?.to_core()
}

/// Writes torch's defaults to `*out`: float32, strided, contiguous, `requires_grad` 0 and
/// `pin_memory` 0. The caller sets `out->struct_size` before the call: `shardspec_tensor_properties
/// p = { sizeof p };`.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `struct_size` is wrong; NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_tensor_properties_init(
    out: *mut shardspec_tensor_properties, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = sized_out("out", out)?;
        place.set(shardspec_tensor_properties::from_core(&TensorProperties::TORCH_DEFAULT));
        Ok(())
    })
}
