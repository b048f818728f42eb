//! Views of tensors.
//!
//! A view describes where a tensor is and how it is laid out. It owns nothing. It has the layout
//! of DLPack's `DLTensor`, so a `DLTensor *` may be passed by a cast.

use std::ffi::c_void;

use crate::ffi::dtype::shardspec_dtype;
use crate::geometry::MAX_NDIM;

/// Most dimensions that a tensor may have.
pub const SHARDSPEC_MAX_NDIM: usize = 32;
const _: () = assert!(SHARDSPEC_MAX_NDIM == MAX_NDIM);

/// DLPack's device type of ordinary memory.
pub const SHARDSPEC_DLPACK_DEVICE_CPU: i32 = 1;
/// DLPack's device type of memory from `cudaMallocHost`.
pub const SHARDSPEC_DLPACK_DEVICE_CUDA_HOST: i32 = 3;
/// DLPack's device type of memory from `hipMallocHost`.
pub const SHARDSPEC_DLPACK_DEVICE_ROCM_HOST: i32 = 11;

/// Where a tensor's memory is. The struct has the memory layout of DLPack's `DLDevice`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_device {
    /// A `SHARDSPEC_DLPACK_DEVICE_...` constant. The library can't read or write other memory.
    pub device_type: i32,
    /// Ignored.
    pub device_id: i32,
}

/// A tensor in the caller's memory. The struct has the memory layout of DLPack's `DLTensor`.
///
/// The element at index (i0, i1, ...) is at data + byte_offset + (i0 * strides[0] + ...) *
/// itemsize. Elements that are not whole bytes are packed. Such an element starts at bit number
/// (i0 * strides[0] + ...) * bits * lanes, counted from the least significant bit of the byte at
/// data + byte_offset. Strides may be negative. They may be 0 in tensors that are only read. Any
/// alignment is allowed. A tensor without elements may have NULL data.
///
/// Strides count elements, so the distance of neighbours is a whole number of elements. A field of
/// packed records (4 bytes each, 5 bytes apart) has no such stride. Pass its bytes instead:
/// elements of 8 bits, strides in bytes, and a last dimension with the bytes of an element and
/// stride 1. The metadata then has that dimension too. Whole records can be elements with `lanes`
/// of 8 bits. A view has no byte order and no flags for conjugation or negation: the library copies
/// bits unchanged.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_tensor_view {
    /// The memory.
    pub data: *mut c_void,
    /// Where it is.
    pub device: shardspec_device,
    /// Number of dimensions, 0 to 32.
    pub ndim: i32,
    /// The element type.
    pub dtype: shardspec_dtype,
    /// `ndim` sizes.
    pub shape: *mut i64,
    /// `ndim` strides, in elements, not bytes; NULL for row-major.
    pub strides: *mut i64,
    /// Bytes from `data` to the element at index 0.
    pub byte_offset: u64,
}

const _: () = assert!(size_of::<shardspec_tensor_view>() == 48);
