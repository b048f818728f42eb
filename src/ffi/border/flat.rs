//! Views as numbers in flat arrays. They are read here, and nowhere else.

use std::ffi::c_void;

use crate::ffi::border::guard::{Outcome, Refusal};
use crate::ffi::border::pointer::{input, slice};
use crate::ffi::dtype::shardspec_dtype;
use crate::memory::text;
use crate::model::{DataType, Error, ShardedTensorMetadata};
use crate::transfer::{HostView, LocalShards, ShardArguments};

/// Where some shards are, and their shapes and strides, as the caller passed them.
pub(crate) type FlatShards = (*mut c_void, *const u64, *const i64, *const i64);

/// The element type of a call: the one that is passed, or that of the layouts.
pub(crate) unsafe fn dtype_argument(
    dtype: *const shardspec_dtype, stated: Option<DataType>,
) -> Outcome<DataType> {
    if !dtype.is_null() {
        return Ok(DataType::from(*input("dtype", dtype)?).validate("dtype")?);
    }
    Ok(stated.ok_or_else(|| {
        let problem = "is NULL, and no element type is stated; pass that of the buffers";
        Error::invalid("dtype", problem)
    })?)
}

/// Makes `host` the view of a whole tensor of the metadata at `first`.
pub(crate) unsafe fn read_full(
    host: &mut HostView, metadata: &ShardedTensorMetadata, dtype: DataType, first: *mut u8,
    full_strides: *const i64,
) -> Outcome {
    let sizes = metadata.sizes();
    let strides = rows("full_strides", full_strides, 1, sizes.len())?;
    Ok(host.set("full", first, dtype, sizes, strides)?)
}

/// The views of all shards of the metadata.
pub(crate) unsafe fn all_flat(
    metadata: &ShardedTensorMetadata, dtype: DataType,
    (base, byte_offsets, shapes, strides): FlatShards, shard_count: usize,
) -> Outcome<LocalShards> {
    let expected = metadata.shards().len();
    if shard_count != expected {
        let problem = text!("{shard_count} shards of {expected}; pass all shards");
        return Err(Error::invalid("shard_count", problem).into());
    }
    let (layout, ndim) = (metadata.shared_shards(), metadata.shards().ndim());
    let byte_offsets = slice("byte_offsets", byte_offsets, shard_count)?;
    let shapes = rows("shapes", shapes, shard_count, ndim)?;
    let strides = rows("strides", strides, shard_count, ndim)?;
    let arguments = ShardArguments::SHARDS;
    let mut local = LocalShards::builder(layout, arguments, Some(dtype), shard_count)?;
    let mut host = HostView::EMPTY;
    for (index, (shard, &offset)) in metadata.shards().iter().zip(byte_offsets).enumerate() {
        let shape = row(shapes, index, ndim).unwrap_or(shard.sizes);
        let (first, strides) = (address(base, offset), row(strides, index, ndim));
        let set = host.set(arguments.views, first, dtype, shape, strides).map_err(Refusal::from);
        set.map_err(Refusal::at_shard(arguments.views, index, index))?;
        local.push(index, &host)?;
    }
    Ok(local.finish()?)
}

/// Rows of `ndim` numbers, one after the other; none for NULL.
pub(crate) unsafe fn rows<'a>(
    argument: &'static str, rows: *const i64, count: usize, ndim: usize,
) -> Outcome<Option<&'a [i64]>> {
    if rows.is_null() {
        return Ok(None);
    }
    slice(argument, rows, count.saturating_mul(ndim)).map(Some)
}

/// Row `at` of some rows.
fn row(rows: Option<&[i64]>, at: usize, ndim: usize) -> Option<&[i64]> {
    let start = at.saturating_mul(ndim);
    rows?.get(start..start.saturating_add(ndim))
}

/// The place `offset` bytes behind a base. Without a base, the offset is an address.
fn address(base: *mut c_void, offset: u64) -> *mut u8 {
    if base.is_null() {
        return std::ptr::with_exposed_provenance_mut(offset as usize);
    }
    base.cast::<u8>().wrapping_add(offset as usize)
}
