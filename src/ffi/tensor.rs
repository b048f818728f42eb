//! Tensors in host memory.
//!
//! A view says where a tensor is and how it is laid out; it owns nothing. It has the layout of
//! DLPack's `DLTensor`, so a `DLTensor *` may be passed by a cast.
//!
//! The functions move data between a tensor and its shards. All buffers are the caller's. Everything
//! is checked before the first byte is written: a call that fails has written nothing. Elements are
//! copied bit for bit. A buffer that is written must not share memory with one that is read, with
//! another that is written, or with itself; buffers that interleave without sharing a byte, or of
//! packed elements a bit, are fine. Bits of such a byte that no element has stay what they are.

use std::ffi::c_void;

use crate::ffi::border::guard::{Outcome, Refusal, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{input, out, out_slice, slice};
use crate::ffi::border::sized::{Grows, sized};
use crate::ffi::dtype::shardspec_dtype;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::spec::shardspec_spec;
use crate::geometry::MAX_NDIM;
use crate::memory::text;
use crate::model::{DataType, Error};
use crate::transfer::TransferError;
use crate::transfer::{self, CopyOptions, Extraction, HostView, Instructions, Stores};

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
/// What a view can't say: strides count elements, so neighbours are a whole number of elements
/// apart. A field of packed records (4 bytes each, 5 bytes apart) has no such stride, and one that
/// is rounded describes other memory. Pass its bytes: elements of 8 bits, with the strides in
/// bytes, and as last dimension the bytes of an element, with stride 1; the metadata has that
/// dimension too. Whole records can be elements: `lanes` of 8 bits. A view does not know the byte
/// order either, nor that elements are to be read conjugated or negated: bits are moved as they
/// are.
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

/// As many threads as pay, up to the processors of this process: the default.
pub const SHARDSPEC_COPY_THREADS_AUTO: u32 = 0;

/// Hint: write around the caches, for data that is not used again soon.
pub const SHARDSPEC_COPY_HINT_STREAM: u32 = 1;
/// Hint: write through the caches, for data that is used next.
pub const SHARDSPEC_COPY_HINT_CACHED: u32 = 2;
/// Use no instructions beyond those that every processor of this kind has. For tests.
pub const SHARDSPEC_COPY_HINT_PORTABLE: u32 = 4;

/// How to copy. Where it is NULL, or its numbers are 0, the library chooses by size and machine.
/// Nothing here changes what is copied.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_copy_options {
    /// `sizeof(shardspec_copy_options)`.
    pub struct_size: u64,
    /// Most threads to use, the caller's included. Small copies use one, whatever this says.
    pub max_threads: u32,
    /// `SHARDSPEC_COPY_HINT_STREAM` or `SHARDSPEC_COPY_HINT_CACHED`, and
    /// `SHARDSPEC_COPY_HINT_PORTABLE`, or'ed.
    pub hints: u32,
}

// SAFETY: numbers.
unsafe impl Grows for shardspec_copy_options {
    const NAME: &'static str = "shardspec_copy_options";
    const FIRST_SIZE: usize = 16;
}

/// An options argument; NULL: the defaults.
pub(crate) unsafe fn options_argument(
    options: *const shardspec_copy_options,
) -> Outcome<CopyOptions> {
    if options.is_null() {
        return Ok(CopyOptions::default());
    }
    let shardspec_copy_options { max_threads, hints, .. } = sized("options", options)?;
    let known =
        SHARDSPEC_COPY_HINT_STREAM | SHARDSPEC_COPY_HINT_CACHED | SHARDSPEC_COPY_HINT_PORTABLE;
    let stores = match hints & (SHARDSPEC_COPY_HINT_STREAM | SHARDSPEC_COPY_HINT_CACHED) {
        0 => Some(Stores::Auto),
        SHARDSPEC_COPY_HINT_STREAM => Some(Stores::Stream),
        SHARDSPEC_COPY_HINT_CACHED => Some(Stores::Cached),
        _ => None,
    };
    let stores = stores.filter(|_| hints & !known == 0).ok_or_else(|| {
        let problem = text!(
            "its hints are {hints}; pass 0 or SHARDSPEC_COPY_... constants, STREAM and CACHED not \
             both"
        );
        Error::invalid("options", problem)
    })?;
    let instructions = match hints & SHARDSPEC_COPY_HINT_PORTABLE {
        0 => Instructions::Best,
        _ => Instructions::Portable,
    };
    Ok(CopyOptions { max_threads: max_threads as usize, stores, instructions })
}

impl shardspec_copy_options {
    /// What [`options_argument`] makes these options of.
    pub(crate) fn from_copy(options: &CopyOptions) -> Self {
        let stores = match options.stores {
            Stores::Auto => 0,
            Stores::Stream => SHARDSPEC_COPY_HINT_STREAM,
            Stores::Cached => SHARDSPEC_COPY_HINT_CACHED,
        };
        Self {
            struct_size: size_of::<Self>() as u64,
            max_threads: u32::try_from(options.max_threads).unwrap_or(u32::MAX),
            hints: stores
                | match options.instructions {
                    Instructions::Portable => SHARDSPEC_COPY_HINT_PORTABLE,
                    Instructions::Avx2 | Instructions::Best => 0,
                },
        }
    }
}

/// A view that is lent to a callback.
pub(crate) struct LentView {
    host: HostView,
    strides: [i64; MAX_NDIM],
}

impl LentView {
    pub(crate) fn new(host: &HostView) -> Self {
        let mut strides = [0; MAX_NDIM];
        strides.iter_mut().zip(host.element_strides()).for_each(|(place, stride)| *place = stride);
        Self { host: *host, strides }
    }

    /// The view as C has it, for as long as this is borrowed. Nobody writes to its shape and strides.
    pub(crate) fn view(&self) -> shardspec_tensor_view {
        let (shape, strides) = (self.host.shape().as_ptr(), self.strides.as_ptr());
        c_view(&self.host, CPU, shape.cast_mut(), strides.cast_mut())
    }
}

/// Where ordinary memory is.
pub(crate) const CPU: shardspec_device =
    shardspec_device { device_type: SHARDSPEC_DLPACK_DEVICE_CPU, device_id: 0 };

/// A view whose shape and strides are in two arrays. An empty one has NULL data.
pub(crate) fn c_view(
    host: &HostView, device: shardspec_device, shape: *mut i64, strides: *mut i64,
) -> shardspec_tensor_view {
    let data = if host.is_empty() { std::ptr::null_mut() } else { host.first().cast() };
    let (ndim, dtype) = (host.shape().len() as i32, host.dtype().into());
    shardspec_tensor_view { data, device, ndim, dtype, shape, strides, byte_offset: 0 }
}

/// A view argument as what the copies work with.
pub(crate) unsafe fn view_argument(
    argument: &'static str, view: *const shardspec_tensor_view,
) -> Outcome<HostView> {
    host_view(argument, input(argument, view)?)
}

/// A view, if it describes a tensor in host memory.
pub(crate) unsafe fn host_view(
    argument: &'static str, view: &shardspec_tensor_view,
) -> Outcome<HostView> {
    HostView::made(|host| describe(host, argument, view))
}

/// Makes `host` what [`host_view`] returns.
unsafe fn describe(
    host: &mut HostView, argument: &'static str, view: &shardspec_tensor_view,
) -> Outcome {
    let device_type = view.device.device_type;
    let known = [
        SHARDSPEC_DLPACK_DEVICE_CPU,
        SHARDSPEC_DLPACK_DEVICE_CUDA_HOST,
        SHARDSPEC_DLPACK_DEVICE_ROCM_HOST,
    ];
    if !known.contains(&device_type) {
        let what = argument.into();
        return Err(Error::Transfer(TransferError::UnsupportedDevice { what, device_type }).into());
    }
    let ndim = usize::try_from(view.ndim).ok().filter(|&ndim| ndim <= MAX_NDIM);
    let ndim = ndim.ok_or_else(|| {
        let problem = text!("its ndim is {}; it must be 0 to {MAX_NDIM}", view.ndim);
        Error::invalid(argument, problem)
    })?;
    let shape =
        slice(argument, view.shape.cast_const(), ndim).map_err(Refusal::in_field("shape"))?;
    let strides = if view.strides.is_null() || shape.contains(&0) {
        None
    } else {
        Some(
            slice(argument, view.strides.cast_const(), ndim)
                .map_err(Refusal::in_field("strides"))?,
        )
    };
    let offset = isize::try_from(view.byte_offset)
        .map_err(|_| Error::overflow(text!("{argument}: byte_offset {}", view.byte_offset)))?;
    let data = view.data.cast::<u8>();
    let first = if data.is_null() { data } else { data.wrapping_offset(offset) };
    Ok(host.set(argument, first, DataType::from(view.dtype), shape, strides)?)
}

/// Copies shard `index` out of the tensor: what a rank does with a mapped file that holds all of it.
/// `full` has the metadata's sizes, `shard` the sizes of that shard, both the metadata's element type
/// if that is stated. `options` may be NULL.
///
/// Ownership: nothing moves. Errors: SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH,
/// UNSUPPORTED_DEVICE, ALIASED, UNSUPPORTED for a source with far more elements than memory, if the
/// search for memory that it shares with a destination would take longer than the copy, OVERFLOW,
/// INDEX_OUT_OF_RANGE, INVALID_ARGUMENT, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY; then nothing
/// was written.
/// Threads: any; nobody else may use the buffers meanwhile, but `full` may be read. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_extract_shard(
    metadata: *const shardspec_metadata, index: usize, full: *const shardspec_tensor_view,
    shard: *const shardspec_tensor_view, options: *const shardspec_copy_options,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let full = view_argument("full", full)?;
        let shard = view_argument("shard", shard)?;
        Ok(transfer::extract(&metadata, index, &full, &shard, &options_argument(options)?)?)
    })
}

/// Fills shard `index` as `spec` does it: what a worker calls to get its shard of a tensor that it
/// has. `metadata` is what the spec built for that tensor, the other arguments are those of
/// `shardspec_metadata_extract_shard`, which does the same for all specs but those that fill shards
/// themselves.
///
/// Ownership: nothing moves. Errors: as `shardspec_metadata_extract_shard`, and what the `fill_shard`
/// function of the spec's type returns; all checks come before it is called.
/// Threads: as `shardspec_metadata_extract_shard`. Source: torch's `ShardingSpec.shard`, for one
/// destination. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_fill_shard(
    spec: *const shardspec_spec, metadata: *const shardspec_metadata, index: usize,
    full: *const shardspec_tensor_view, shard: *const shardspec_tensor_view,
    options: *const shardspec_copy_options, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let spec = handle::get("spec", spec)?;
        let metadata = handle::get("metadata", metadata)?;
        let full = view_argument("full", full)?;
        let shard = view_argument("shard", shard)?;
        let options = options_argument(options)?;
        Ok(spec.shard(&Extraction::new(&metadata, index, &full, &shard, &options)?)?)
    })
}

/// Describes shard `index` inside of `full`, without copying: `*out` becomes a view of the same
/// memory with the shape and strides of the shard, which are written to `shape` and `strides`, each
/// with room for `capacity` numbers, at least one for each dimension. An empty shard has NULL data.
///
/// Ownership: `out->shape` and `out->strides` are the caller's own two arrays; the data is
/// `full`'s. Errors: as `shardspec_metadata_extract_shard`, BUFFER_TOO_SMALL, and UNSUPPORTED where
/// the elements are packed and the shard starts inside of a byte. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_view_shard(
    metadata: *const shardspec_metadata, index: usize, full: *const shardspec_tensor_view,
    shape: *mut i64, strides: *mut i64, capacity: usize, out: *mut shardspec_tensor_view,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        let whole = view_argument("full", full)?;
        let shape_place = out_slice("shape", shape, capacity)?;
        let strides_place = out_slice("strides", strides, capacity)?;
        shape_place.check_capacity("shape", metadata.ndim())?;
        strides_place.check_capacity("strides", metadata.ndim())?;
        let part = transfer::view_shard(&metadata, index, &whole)?;
        shape_place.fill(part.shape());
        strides_place.fill_with(part.element_strides());
        place.set(c_view(&part, (*full).device, shape, strides));
        Ok(())
    })
}

/// Copies every shard out of the tensor: `shards[i]` is where shard i goes, `shard_count` equals the
/// metadata's, empty shards included. Source and destinations as in
/// `shardspec_metadata_extract_shard`.
///
/// Ownership: nothing moves. Errors: as `shardspec_metadata_extract_shard`; the error's
/// `first_shard` and `index` tell which view was refused; INVALID_ARGUMENT for another shard_count.
/// Threads: any; nobody else may use the buffers meanwhile, but `full` may be read. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_scatter(
    metadata: *const shardspec_metadata, full: *const shardspec_tensor_view,
    shards: *const shardspec_tensor_view, shard_count: usize,
    options: *const shardspec_copy_options, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let full = view_argument("full", full)?;
        transfer::check_shard_count(&metadata, shard_count)?;
        let shards = slice("shards", shards, shard_count)?;
        let options = options_argument(options)?;
        let shard = |index, host: &mut _| describe_shard(host, "shards", shards, index, index);
        transfer::scatter(&metadata, &full, shard, &options)
    })
}

/// Copies every shard into the tensor: what `shardspec_metadata_scatter` took apart. `shards[i]` is
/// shard i, `shard_count` equals the metadata's; every element of `full` is written.
///
/// Ownership: nothing moves. Errors: as `shardspec_metadata_scatter`.
/// Threads: any; nobody else may use the buffers meanwhile, but the shards may be read.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_gather(
    metadata: *const shardspec_metadata, shards: *const shardspec_tensor_view, shard_count: usize,
    full: *const shardspec_tensor_view, options: *const shardspec_copy_options,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let full = view_argument("full", full)?;
        transfer::check_shard_count(&metadata, shard_count)?;
        let shards = slice("shards", shards, shard_count)?;
        let options = options_argument(options)?;
        let shard = |index, host: &mut _| describe_shard(host, "shards", shards, index, index);
        transfer::gather(&metadata, shard, &full, &options)
    })
}

/// The view of shard `index` of the metadata, which is at `place` of an array argument.
pub(crate) unsafe fn shard_view(
    argument: &'static str, shards: &[shardspec_tensor_view], place: usize, index: usize,
) -> Outcome<HostView> {
    HostView::made(|host| describe_shard(host, argument, shards, place, index))
}

/// Makes `host` what [`shard_view`] returns.
unsafe fn describe_shard(
    host: &mut HostView, argument: &'static str, shards: &[shardspec_tensor_view], place: usize,
    index: usize,
) -> Outcome {
    let view = shards.get(place).ok_or_else(|| Refusal::NullArgument(argument))?;
    describe(host, argument, view).map_err(Refusal::at_shard(argument, place, index))
}
