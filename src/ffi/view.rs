//! Views of tensors.
//!
//! A view says where a tensor is and how it is laid out; it owns nothing. It has the layout of
//! DLPack's `DLTensor`, so a `DLTensor *` may be passed by a cast.

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

/// Where a tensor's memory is. The layout of DLPack's `DLDevice`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_device {
    /// A `SHARDSPEC_DLPACK_DEVICE_...` constant: other memory can't be read or written here.
    pub device_type: i32,
    /// Not looked at.
    pub device_id: i32,
}

/// A tensor in somebody's memory. The layout of DLPack's `DLTensor`.
///
/// The element at index (i0, i1, ...) is at data + byte_offset + (i0 * strides[0] + ...) * itemsize.
/// Elements that are no whole bytes are packed: it is the bits from number (i0 * strides[0] + ...) *
/// bits * lanes on, counted from the least significant bit of the byte at data + byte_offset.
/// Strides may be negative, and 0 in tensors that are only read. Any alignment will do. A tensor
/// without elements may have NULL data.
///
/// What a view can't say: strides count elements, so neighbours are a whole number of elements apart.
/// A field of packed records (4 bytes each, 5 bytes apart) has no such stride, and one that is rounded
/// describes other memory. Pass its bytes: elements of 8 bits, with the strides in bytes, and as last
/// dimension the bytes of an element, with stride 1; the metadata has that dimension too. Whole records
/// can be elements: `lanes` of 8 bits. A view does not know the byte order either, nor that elements
/// are to be read conjugated or negated: bits are moved as they are.
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
