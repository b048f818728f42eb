//! Tensors in host memory.
//!
//! These functions move data between a tensor and its shards. The caller owns all buffers. All
//! checks come before the first write. A call that fails has written nothing. Elements are copied
//! bit for bit. A destination must not share memory with a source or with another destination. Two
//! elements of a destination must not share memory. Buffers may interleave if no byte belongs to
//! two buffers. Buffers of packed elements may interleave if no bit belongs to two buffers. If some
//! bits of a written byte belong to no element, these bits stay unchanged.

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{out, out_slice};
use crate::ffi::border::sized::{Grows, sized};
use crate::ffi::border::views::{all_shards, c_view, read_view, view_argument};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::spec::shardspec_spec;
use crate::ffi::view::shardspec_tensor_view;
use crate::memory::text;
use crate::model::Error;
use crate::transfer::{
    self, CopyOptions, Extraction, HostTransfer, HostView, Instructions, Stores,
};

/// The default. The library chooses the number of threads, at most the number of processors that
/// this process may use.
pub const SHARDSPEC_COPY_THREADS_AUTO: u32 = 0;

/// Hint to use non-temporal stores, for data that is not used again soon.
pub const SHARDSPEC_COPY_HINT_STREAM: u32 = 1;
/// Hint to use cached stores, for data that is used next.
pub const SHARDSPEC_COPY_HINT_CACHED: u32 = 2;
/// Restricts the library to instructions that every processor of the same architecture has. This
/// hint is for tests.
pub const SHARDSPEC_COPY_HINT_PORTABLE: u32 = 4;

/// Options of a copy. If a function gets NULL instead of options, the library chooses all options
/// by the size of the copy and by the machine. The library also chooses each option that is 0. No
/// option changes the result.
///
/// Without hints, the library tries several vector sizes and prefetch distances in the first large
/// copies of a process. A trial copies at most about 1 MiB. Later copies use the fastest vector
/// size and prefetch distance. A hint turns these trials off for the copy that receives the hint.
/// The environment variable `SHARDSPEC_COPY_WAY` turns all trials off for the whole process. The
/// value `default` of this variable selects the vector size and the prefetch distance that the
/// library uses before the trials.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_copy_options {
    /// `sizeof(shardspec_copy_options)`.
    pub struct_size: u64,
    /// Maximum number of threads, including the calling thread. Small copies use one thread.
    pub max_threads: u32,
    /// 0, `SHARDSPEC_COPY_HINT_STREAM` or `SHARDSPEC_COPY_HINT_CACHED`. A bitwise OR can add
    /// `SHARDSPEC_COPY_HINT_PORTABLE` to each of these values.
    pub hints: u32,
}

// SAFETY: `shardspec_copy_options` is `repr(C)` and begins with its `struct_size`. All other fields
// are numbers, so zeros are a value of it.
unsafe impl Grows for shardspec_copy_options {
    const NAME: &'static str = "shardspec_copy_options";
    const FIRST_SIZE: usize = 16;
}

/// Reads an options argument. NULL means the defaults.
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
            "its hints are {hints}; pass 0 or SHARDSPEC_COPY_... constants, but not both STREAM \
             and CACHED"
        );
        Error::invalid("options", problem)
    })?;
    let instructions = match hints & SHARDSPEC_COPY_HINT_PORTABLE {
        0 => Instructions::Best,
        _ => Instructions::Portable,
    };
    Ok(CopyOptions { max_threads: max_threads as usize, stores, instructions, prefetch: None })
}

impl shardspec_copy_options {
    /// The struct that [`options_argument`] reads as these options.
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

/// Copies all elements of a view into another view of the same shape and element type. Both views
/// may have any strides. `options` may be NULL.
///
/// Ownership: the caller keeps both views and their memory.
/// Calls back: no.
/// Blocks: no.
/// Errors: SHAPE_MISMATCH, NDIM_MISMATCH or DTYPE_MISMATCH if the views differ; ALIASED if
/// `destination` shares memory with `source` or has two elements at the same place; UNSUPPORTED if
/// so many source elements have equal addresses that the check for ALIASED would take longer than
/// the copy; UNSUPPORTED_DEVICE, OVERFLOW, INVALID_ARGUMENT, NULL_ARGUMENT, OUT_OF_MEMORY. After an
/// error, nothing was written.
/// Threads: any. No other thread may use `destination` or write `source` during the call.
/// Source: torch's `Tensor.copy_`, for one element type.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_tensor_copy(
    source: *const shardspec_tensor_view, destination: *const shardspec_tensor_view,
    options: *const shardspec_copy_options, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let (mut from, mut to) = (HostView::EMPTY, HostView::EMPTY);
        read_view(&mut from, "source", source)?;
        read_view(&mut to, "destination", destination)?;
        HostTransfer::copy(&from, &to, &options_argument(options)?)?.run();
        Ok(())
    })
}

/// Copies shard `index` out of a tensor. The tensor may be in a mapped file. `full` has the sizes
/// of the tensor and `shard` has the sizes of that shard. Both views have the metadata's element
/// type, if the metadata states an element type. The function fills holes of the shard's buffer
/// with zeros. `options` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: PARTIAL if the elements are pending a reduction; UNSUPPORTED if so many source elements
/// have equal addresses that the check for ALIASED would take longer than the copy; SHAPE_MISMATCH,
/// NDIM_MISMATCH, DTYPE_MISMATCH, ALIASED, INDEX_OUT_OF_RANGE, INVALID_HANDLE, UNSUPPORTED_DEVICE,
/// OVERFLOW, INVALID_ARGUMENT, NULL_ARGUMENT, OUT_OF_MEMORY. After an error, nothing was written.
/// Threads: any. During the call, no other thread may write `full` or use `shard`.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_extract_shard(
    metadata: *const shardspec_metadata, index: usize, full: *const shardspec_tensor_view,
    shard: *const shardspec_tensor_view, options: *const shardspec_copy_options,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let (mut whole, mut part) = (HostView::EMPTY, HostView::EMPTY);
        read_view(&mut whole, "full", full)?;
        read_view(&mut part, "shard", shard)?;
        let options = options_argument(options)?;
        HostTransfer::extract(&metadata, index, &whole, &part, &options)?.run();
        Ok(())
    })
}

/// Calls the `fill_shard` function of the spec's type to fill shard `index` of a tensor. If the
/// type has no such function, the library copies the shard from `full`. `metadata` is the metadata
/// that `spec` built for the tensor. `full` has the sizes of the tensor and `shard` has the sizes
/// of that shard. Both views have the metadata's element type, if the metadata states an element
/// type. `options` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `fill_shard` of a custom spec; `equal` and `hash` of custom placements; `destroy`,
/// if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: UNSUPPORTED if so many source elements have equal addresses that the check for ALIASED
/// would take longer than the copy; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, ALIASED,
/// INDEX_OUT_OF_RANGE, INVALID_HANDLE, UNSUPPORTED_DEVICE, OVERFLOW, INVALID_ARGUMENT,
/// NULL_ARGUMENT, OUT_OF_MEMORY. After one of these errors, nothing was written. The library calls
/// `fill_shard` of the spec after all checks. If `fill_shard` fails, this function returns the
/// status of `fill_shard`.
/// Threads: any. During the call, no other thread may write `full` or use `shard`.
/// Source: torch's `ShardingSpec.shard`, for one destination.
/// Since: ABI 0.
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

/// Writes to `*out` a view of shard `index` inside of `full`, without a copy of the data. The
/// function writes the view's shape and strides into `shape` and `strides`. The two arrays have
/// room for `capacity` numbers each. `capacity` must be at least the number of dimensions of the
/// tensor. For an empty shard, `out->data` becomes NULL.
///
/// Ownership: `out->shape` and `out->strides` point to the caller's two arrays. `out->data` points
/// into the memory of `full`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: UNSUPPORTED if the shard is not a box, or if elements are packed and the shard starts
/// inside of a byte; PARTIAL if the elements are pending a reduction; SHAPE_MISMATCH,
/// NDIM_MISMATCH, DTYPE_MISMATCH, INDEX_OUT_OF_RANGE, BUFFER_TOO_SMALL, UNSUPPORTED_DEVICE,
/// OVERFLOW, INVALID_ARGUMENT, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
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
        // SAFETY: `view_argument` read the view at `full`, so it is not null and is aligned, and the contract
        // of `input` is that it does not change.
        let device = unsafe { (*full).device };
        place.set(c_view(&part, device, shape, strides));
        Ok(())
    })
}

/// Copies every shard out of a tensor. `full` has the sizes of the tensor. `shards[i]` is the
/// destination of shard i. `shard_count` is the number of all shards, empty shards included. All
/// views have the metadata's element type, if the metadata states an element type. The function
/// fills holes of the shards' buffers with zeros. `options` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH or ALIASED if a view does not fit (the
/// error's `first_shard` and `index` are both the index of the shard); INVALID_ARGUMENT if
/// `shard_count` is wrong; PARTIAL if the elements are pending a reduction; UNSUPPORTED if so many
/// source elements have equal addresses that the check for ALIASED would take longer than the copy;
/// INVALID_HANDLE, UNSUPPORTED_DEVICE, OVERFLOW, INVALID_ARGUMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
/// After an error, nothing was written.
/// Threads: any. During the call, no other thread may write `full` or use `shards`.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_scatter(
    metadata: *const shardspec_metadata, full: *const shardspec_tensor_view,
    shards: *const shardspec_tensor_view, shard_count: usize,
    options: *const shardspec_copy_options, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let mut whole = HostView::EMPTY;
        read_view(&mut whole, "full", full)?;
        let options = options_argument(options)?;
        let shards = all_shards(&metadata, &whole, shards, shard_count)?;
        HostTransfer::scatter(&metadata, &whole, &shards, &options)?.run();
        Ok(())
    })
}

/// Copies every shard into a tensor. The function is the inverse of `shardspec_metadata_scatter`.
/// `shards[i]` is shard i. `shard_count` is the number of all shards, empty shards included. `full`
/// has the sizes of the tensor. The function writes every element of `full`. All views have the
/// metadata's element type, if the metadata states an element type. `options` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH or ALIASED if a view does not fit (the
/// error's `first_shard` and `index` are both the index of the shard); INVALID_ARGUMENT if
/// `shard_count` is wrong; PARTIAL if the elements are pending a reduction; UNSUPPORTED if so many
/// source elements have equal addresses that the check for ALIASED would take longer than the copy;
/// INVALID_HANDLE, UNSUPPORTED_DEVICE, OVERFLOW, INVALID_ARGUMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
/// After an error, nothing was written.
/// Threads: any. During the call, no other thread may write `shards` or use `full`.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_gather(
    metadata: *const shardspec_metadata, shards: *const shardspec_tensor_view, shard_count: usize,
    full: *const shardspec_tensor_view, options: *const shardspec_copy_options,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let mut whole = HostView::EMPTY;
        read_view(&mut whole, "full", full)?;
        let options = options_argument(options)?;
        let shards = all_shards(&metadata, &whole, shards, shard_count)?;
        HostTransfer::gather(&metadata, &shards, &whole, &options)?.run();
        Ok(())
    })
}
