//! Views of tensors.
//!
//! A view describes where a tensor is in memory and how it is laid out. A view owns nothing. The
//! struct has the memory layout of DLPack's `DLTensor`, so a program can cast a `DLTensor *` to a
//! `shardspec_tensor_view *`.

use std::ffi::c_void;

use crate::ffi::dtype::shardspec_dtype;
use crate::geometry::MAX_NDIM;

/// The largest number of dimensions that a tensor may have.
pub const SHARDSPEC_MAX_NDIM: usize = 32;
const _: () = assert!(SHARDSPEC_MAX_NDIM == MAX_NDIM);

/// DLPack's device type for ordinary memory.
pub const SHARDSPEC_DLPACK_DEVICE_CPU: i32 = 1;
/// DLPack's device type for memory from `cudaMallocHost`.
pub const SHARDSPEC_DLPACK_DEVICE_CUDA_HOST: i32 = 3;
/// DLPack's device type for memory from `hipMallocHost`.
pub const SHARDSPEC_DLPACK_DEVICE_ROCM_HOST: i32 = 11;

/// The device that holds the memory of a tensor. The struct has the memory layout of DLPack's
/// `DLDevice`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_device {
    /// A `SHARDSPEC_DLPACK_DEVICE_...` constant. The library can't read or write memory of other
    /// device types.
    pub device_type: i32,
    /// The library ignores this field.
    pub device_id: i32,
}

/// A tensor in the caller's memory. The struct has the memory layout of DLPack's `DLTensor`.
///
/// The position p of the element at index (i0, i1, ...) is the sum of i0 * strides[0], i1 *
/// strides[1] and so on. The element is at address data + byte_offset + p * itemsize. The number
/// itemsize is the size of an element in bytes. If the size of an element is not a whole number of
/// bytes, elements are packed. A packed element starts at bit number p * bits * lanes, counted from
/// the least significant bit of the byte at data + byte_offset. Strides may be negative. Strides
/// may be 0 in tensors that the library only reads. Any alignment is allowed. `data` may be NULL if
/// the tensor has no elements.
///
/// Strides count elements, so the distance between neighbouring elements is a whole number of
/// elements. For example, no stride describes a field of 4 bytes in records of 5 bytes. For this
/// field, pass a view of the field's bytes. The view has elements of 8 bits, strides in bytes, and
/// an additional last dimension of size 4 with stride 1. The metadata must also have this last
/// dimension. A whole record of 5 bytes can be one element with 5 lanes of 8 bits. The library
/// copies bits unchanged. A view therefore has neither a byte order nor flags for conjugation or
/// negation.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_tensor_view {
    /// The address of the tensor's memory.
    pub data: *mut c_void,
    /// The device that holds the memory.
    pub device: shardspec_device,
    /// Number of dimensions, 0 to 32.
    pub ndim: i32,
    /// The element type.
    pub dtype: shardspec_dtype,
    /// The `ndim` sizes of the tensor.
    pub shape: *mut i64,
    /// The `ndim` strides of the tensor, which count elements. NULL means row-major.
    pub strides: *mut i64,
    /// Number of bytes from `data` to the element at index 0.
    pub byte_offset: u64,
}

const _: () = assert!(size_of::<shardspec_tensor_view>() == 48);
