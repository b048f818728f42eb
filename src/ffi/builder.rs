//! Building metadata.
//!
//! A callback that decides who owns what is given a builder and adds the shards to it. They are
//! numbered in the order in which they are added. Threads that the callback starts may add as well,
//! until it returns; from then on the builder is refused with SHARDSPEC_INVALID_HANDLE.

use std::ffi::c_char;

use crate::error::{try_to_vec, try_with_capacity};
use crate::ffi::border::guard::{Outcome, Refusal, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::inbox::Inbox;
use crate::ffi::border::pointer::{slice, text};
use crate::ffi::border::shards::{Rows, placements_from_texts};
use crate::ffi::border::slots::Slots;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::placement::shardspec_placement;
use crate::memory::{Memory, Shared, Text, try_boxed_str};
use crate::model::{Error, Placement, Placements, Result, Shards};

/// Where a callback puts shards, behind a handle. It is the library's: there is nothing to free.
pub struct shardspec_metadata_builder {
    _opaque: [u8; 0],
}

impl Handle for shardspec_metadata_builder {
    type Object = Shared<Builder>;
    const NAME: &'static str = "shardspec_metadata_builder";
    const KIND: u64 = 7;

    fn table() -> &'static Slots<Self::Object> {
        static TABLE: Slots<Shared<Builder>> = Slots::new();
        &TABLE
    }
}

/// The shards that a callback has added so far.
pub struct Builder {
    /// Type of the spec that is building.
    type_name: Box<str>,
    ndim: usize,
    added: Inbox<Rows>,
}

impl Builder {
    /// For shards of `ndim` dimensions, built by a spec of this type.
    pub(crate) fn new(type_name: &str, ndim: usize) -> Memory<Self> {
        Ok(Self { type_name: try_boxed_str(type_name)?, ndim, added: Inbox::new() })
    }

    /// Adds what `rows` makes of the shards' number of dimensions, if it is the tensor's. A refusal
    /// tells which type of spec was building.
    fn add(&self, ndim: usize, rows: impl FnOnce() -> Outcome<Rows>) -> Outcome {
        let rows = self.check_ndim(ndim).and_then(|()| rows());
        let rows = rows.map_err(|refusal| match refusal {
            Refusal::Core(error) => error.in_spec(&self.type_name).into(),
            other => other,
        })?;
        if self.added.leave(rows)? {
            Ok(())
        } else {
            Err(handle::invalid::<shardspec_metadata_builder>("builder"))
        }
    }

    fn check_ndim(&self, got: usize) -> Outcome {
        if got == self.ndim {
            return Ok(());
        }
        let what = Text::from("ndim: a shard");
        Err(Error::NdimMismatch { what, shard: None, got, expected: self.ndim }.into())
    }

    /// Ends the building: all shards in order, checked one by one.
    pub(crate) fn finish(&self) -> Result<Shards> {
        let all = self.added.close();
        let count = all.iter().map(|rows| rows.placements.len());
        let count = count.fold(0, usize::saturating_add);
        let mut offsets = try_with_capacity("offsets", count.saturating_mul(self.ndim))?;
        let mut sizes = try_with_capacity("sizes", count.saturating_mul(self.ndim))?;
        let mut placements = try_with_capacity("placements", count)?;
        for rows in all.iter() {
            offsets.extend_from_slice(&rows.offsets);
            sizes.extend_from_slice(&rows.sizes);
            placements.extend(rows.placements.iter().cloned());
        }
        Shards::new(self.ndim, offsets, sizes, Placements::new(placements.into_iter())?)
    }
}

/// One row.
unsafe fn row(
    offsets: *const i64, sizes: *const i64, ndim: usize, placement: Placement,
) -> Outcome<Rows> {
    let offsets = try_to_vec("offsets", slice("offsets", offsets, ndim)?)?;
    let sizes = try_to_vec("sizes", slice("sizes", sizes, ndim)?)?;
    Ok(Rows { offsets, sizes, placements: Placements::of_one(placement)? })
}

/// Adds a shard: the box of `sizes` elements at `offsets`, `ndim` numbers each, which lives at
/// `placement`, a text as `shardspec_placement_parse` reads it. That the shards cover the tensor
/// and overlap nowhere is checked when the callback has returned. A shard that is refused here was
/// not added.
///
/// Errors: NDIM_MISMATCH for another ndim than the tensor's, INVALID_PLACEMENT, INVALID_HANDLE when
/// the callback has returned, NULL_ARGUMENT, OUT_OF_MEMORY. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_builder_add_shard(
    builder: *mut shardspec_metadata_builder, offsets: *const i64, sizes: *const i64, ndim: usize,
    placement: *const c_char, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let builder = handle::get("builder", builder)?;
        builder.add(ndim, || {
            row(offsets, sizes, ndim, Placement::parse(text("placement", placement)?)?)
        })
    })
}

/// As `shardspec_metadata_builder_add_shard`, with a placement by its handle.
///
/// Ownership: the handle stays the caller's. Errors, threads: as
/// `shardspec_metadata_builder_add_shard`. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_builder_add_shard_with_placement_handle(
    builder: *mut shardspec_metadata_builder, offsets: *const i64, sizes: *const i64, ndim: usize,
    placement: *const shardspec_placement, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let builder = handle::get("builder", builder)?;
        let placement = handle::get("placement", placement)?;
        builder.add(ndim, || row(offsets, sizes, ndim, (*placement).clone()))
    })
}

/// Adds `shard_count` shards from flat arrays, as `shardspec_spec_new_enumerable_flat` takes them.
///
/// Errors: as `shardspec_metadata_builder_add_shard`; INDEX_OUT_OF_RANGE for a placement index,
/// INVALID_ARGUMENT for another number of placements; then no shard was added. Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_builder_add_shards(
    builder: *mut shardspec_metadata_builder, ndim: usize, offsets: *const i64, sizes: *const i64,
    shard_count: usize, placements: *const *const c_char, placement_count: usize,
    placement_indices: *const u32, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let builder = handle::get("builder", builder)?;
        builder.add(ndim, || {
            let placements = placements_from_texts(placements, placement_count)?;
            Rows::from_arrays(ndim, offsets, sizes, shard_count, placements, placement_indices)
        })
    })
}
