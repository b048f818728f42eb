//! Tensors in host memory.
//!
//! The functions move data between a tensor and its shards. All buffers are the caller's. Everything
//! is checked before the first byte is written: a call that fails has written nothing. Elements are
//! copied bit for bit. A buffer that is written must not share memory with one that is read, with
//! another that is written, or with itself; buffers that interleave without sharing a byte, or of
//! packed elements a bit, are fine. Bits of such a byte that no element has stay what they are.

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{out, out_slice};
use crate::ffi::border::sized::{Grows, sized};
use crate::ffi::border::views::{all_shards, c_view, view_argument};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::spec::shardspec_spec;
use crate::ffi::view::shardspec_tensor_view;
use crate::memory::text;
use crate::model::Error;
use crate::transfer::{self, CopyOptions, Extraction, HostTransfer, Instructions, Stores};

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

/// Copies all elements of a view into another of the same shape and element type. Both may have any
/// strides. `options` may be NULL.
///
/// Ownership: the caller keeps both views and their memory. Errors: SHAPE_MISMATCH, NDIM_MISMATCH and
/// DTYPE_MISMATCH where the views differ, ALIASED where `destination` shares memory with `source` or
/// where its strides put two elements at the same place, UNSUPPORTED_DEVICE, UNSUPPORTED for a source
/// with far more elements than memory, if the search for memory that it shares with the destination
/// would take longer than the copy, OVERFLOW, INVALID_ARGUMENT, NULL_ARGUMENT, OUT_OF_MEMORY; then
/// nothing was written. Threads: any; nobody else may use `destination` or write `source` meanwhile.
/// Source: torch's `Tensor.copy_`, of one element type. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_tensor_copy(
    source: *const shardspec_tensor_view, destination: *const shardspec_tensor_view,
    options: *const shardspec_copy_options, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let source = view_argument("source", source)?;
        let destination = view_argument("destination", destination)?;
        HostTransfer::copy(&source, &destination, &options_argument(options)?)?.run();
        Ok(())
    })
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
        let options = options_argument(options)?;
        HostTransfer::extract(&metadata, index, &full, &shard, &options)?.run();
        Ok(())
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
/// metadata's, empty shards included. The function fills holes in their buffers with zeros. Source
/// and destinations as in
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
        let options = options_argument(options)?;
        let shards = all_shards(&metadata, &full, shards, shard_count)?;
        HostTransfer::scatter(&metadata, &full, &shards, &options)?.run();
        Ok(())
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
        let options = options_argument(options)?;
        let shards = all_shards(&metadata, &full, shards, shard_count)?;
        HostTransfer::gather(&metadata, &shards, &full, &options)?.run();
        Ok(())
    })
}
