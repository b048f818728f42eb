//! The arithmetic of chunks.
//!
//! Source: `get_split_size`, `get_chunked_dim_size` and `get_chunk_sharding_params` of
//! `torch.distributed._shard.sharding_spec._internals`.

use crate::ffi::border::guard::guard;
use crate::ffi::border::handle;
use crate::ffi::border::pointer::out;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::spec::{chunk_spec, shardspec_spec};
use crate::model::chunk::{chunked_dim_size, split_size};
use crate::model::spec::chunk_sharding_params;

/// Writes to `*out` the size of a full chunk of a dimension. The dimension has `dim_size` elements
/// and is cut into `chunk_count` chunks. The size of a full chunk is ceil(dim_size / chunk_count).
///
/// Ownership: the caller keeps all arguments.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `dim_size` is negative or `chunk_count` is below 1; NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_chunk_split_size(
    dim_size: i64, chunk_count: i64, out: *mut i64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(split_size(dim_size, chunk_count)?);
        Ok(())
    })
}

/// Writes to `*out` the size of chunk `index` of a dimension. The dimension has `dim_size` elements
/// and is cut into chunks of `split_size` elements. The last chunk may be shorter. Chunks past the
/// end of the dimension have size 0.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if a number is negative; NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_chunk_dim_size(
    dim_size: i64, split_size: i64, index: i64, out: *mut i64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(chunked_dim_size(dim_size, split_size, index)?);
        Ok(())
    })
}

/// Writes the offset and the size of the chunk that a chunk spec gives to the rank `rank`. The
/// dimension of the spec has `dim_size` elements and is cut into `world_size` chunks. Chunk i
/// belongs to the spec's placement i. If several placements are on `rank`, the function uses the
/// first one. For an empty chunk, the function writes the offset `dim_size`. In metadata that the
/// spec builds, the offset of the same chunk may be larger than `dim_size`.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: NOT_FOUND if no placement is on `rank`; WRONG_SPEC_TYPE if the spec is not a chunk spec;
/// INVALID_ARGUMENT if `dim_size` is negative or `world_size` is below 1; INVALID_HANDLE,
/// NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_chunk_sharding_params(
    spec: *const shardspec_spec, dim_size: i64, world_size: i64, rank: i64, offset: *mut i64,
    size: *mut i64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let (offset_place, size_place) = (out("offset", offset)?, out("size", size)?);
        let spec = handle::get("spec", spec)?;
        let params = chunk_sharding_params(chunk_spec(&**spec)?, dim_size, world_size, rank)?;
        offset_place.set(params.0);
        size_place.set(params.1);
        Ok(())
    })
}
