//! Building metadata.
//!
//! A callback that cuts a tensor receives a builder, and adds the tensor's shards to the builder.
//! Shards are numbered in the order of the calls that add shards. Threads that the callback starts
//! may also add shards until the callback returns. After the callback has returned, functions
//! refuse the builder with SHARDSPEC_INVALID_HANDLE.

use std::ffi::c_char;

use crate::error::{try_to_vec, try_with_capacity};
use crate::ffi::border::guard::{Outcome, Refusal, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::pointer::{slice, text};
use crate::ffi::border::slot_map::SlotMap;
use crate::ffi::border::treiber_stack::TreiberStack;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::placement::shardspec_placement;
use crate::ffi::shards::shardspec_shards;
use crate::memory::{Memory, Shared, Text, try_boxed_str};
use crate::model::{Error, Placement, Placements, Result, Shards};

/// A builder of metadata, behind a handle. The library owns the builder, so there is nothing to
/// free.
pub struct shardspec_metadata_builder {
    _opaque: [u8; 0],
}

impl Handle for shardspec_metadata_builder {
    type Object = Shared<MetadataBuilder>;
    const NAME: &'static str = "shardspec_metadata_builder";
    const KIND: u64 = 7;

    fn table() -> &'static SlotMap<Self::Object> {
        static TABLE: SlotMap<Shared<MetadataBuilder>> = SlotMap::new();
        &TABLE
    }
}

/// The shards of one call.
enum Added {
    /// A box.
    One {
        offsets: Vec<i64>,
        sizes: Vec<i64>,
        placement: Placement,
    },
    List(Shared<Shards>),
}

impl Added {
    fn len(&self) -> usize {
        match self {
            Self::One { .. } => 1,
            Self::List(shards) => shards.len(),
        }
    }
}

/// The shards that a callback has added so far.
pub struct MetadataBuilder {
    /// Type of the spec that is building.
    type_name: Box<str>,
    ndim: usize,
    added: TreiberStack<Added>,
}

impl MetadataBuilder {
    /// For shards of `ndim` dimensions, built by a spec of this type.
    pub(crate) fn new(type_name: &str, ndim: usize) -> Memory<Self> {
        Ok(Self { type_name: try_boxed_str(type_name)?, ndim, added: TreiberStack::new() })
    }

    /// Adds shards of the tensor's number of dimensions. A refusal names the type of spec that is
    /// building.
    fn add(&self, make: impl FnOnce() -> Outcome<Added>) -> Outcome {
        let added = make().map_err(|refusal| match refusal {
            Refusal::Core(error) => error.in_spec(&self.type_name).into(),
            other => other,
        })?;
        if self.added.push(added)? {
            Ok(())
        } else {
            Err(handle::invalid::<shardspec_metadata_builder>("builder"))
        }
    }

    /// One box.
    unsafe fn add_one(
        &self, offsets: *const i64, sizes: *const i64, ndim: usize,
        placement: impl FnOnce() -> Outcome<Placement>,
    ) -> Outcome {
        self.add(|| {
            self.check_ndim(ndim)?;
            let placement = placement()?;
            let offsets = try_to_vec("offsets", slice("offsets", offsets, ndim)?)?;
            let sizes = try_to_vec("sizes", slice("sizes", sizes, ndim)?)?;
            Ok(Added::One { offsets, sizes, placement })
        })
    }

    fn check_ndim(&self, got: usize) -> Outcome {
        if got == self.ndim {
            return Ok(());
        }
        let what = Text::from("ndim: a shard");
        Err(Error::NdimMismatch { what, shard: None, got, expected: self.ndim }.into())
    }

    /// Ends the building: all shards in order, checked one by one.
    pub(crate) fn finish(&self) -> Result<Shared<Shards>> {
        let all = self.added.close();
        let count = all.iter().map(Added::len).fold(0, usize::saturating_add);
        let mut offsets = try_with_capacity("offsets", count.saturating_mul(self.ndim))?;
        let mut sizes = try_with_capacity("sizes", count.saturating_mul(self.ndim))?;
        let mut placements = try_with_capacity("placements", count)?;
        for added in all.iter() {
            match added {
                Added::One { offsets: own_offsets, sizes: own_sizes, placement } => {
                    offsets.extend_from_slice(own_offsets);
                    sizes.extend_from_slice(own_sizes);
                    placements.push(placement.clone());
                }
                Added::List(shards) if shards.len() == count => return Ok(shards.clone()),
                Added::List(shards) if shards.extents().are_boxes() => {
                    offsets.extend_from_slice(shards.offsets());
                    sizes.extend_from_slice(shards.sizes());
                    placements.extend(shards.placements().iter().cloned());
                }
                Added::List(_) => {
                    let what = "shards that are not boxes must be added in one list, together with \
                         all other shards";
                    return Err(Error::Unsupported { what: Text::from(what) });
                }
            }
        }
        let placements = Placements::new(placements.into_iter())?;
        Ok(Shared::try_new(Shards::new(self.ndim, offsets, sizes, placements)?)?)
    }
}

/// Adds a shard. The shard is the box that starts at `offsets` and has the sizes `sizes`. `offsets`
/// and `sizes` hold `ndim` numbers each. `placement` is a text in the form that
/// `shardspec_placement_parse` reads. After the callback, the library checks that the shards cover
/// the tensor and do not overlap. If the function fails, it adds no shard.
///
/// Ownership: the library copies all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: NDIM_MISMATCH if the tensor does not have `ndim` dimensions; INVALID_HANDLE if the
/// callback has returned; INVALID_ARGUMENT if `placement` is not valid UTF-8; INVALID_PLACEMENT,
/// NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_builder_add_shard(
    builder: *mut shardspec_metadata_builder, offsets: *const i64, sizes: *const i64, ndim: usize,
    placement: *const c_char, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let builder = handle::get("builder", builder)?;
        builder
            .add_one(offsets, sizes, ndim, || Ok(Placement::parse(text("placement", placement)?)?))
    })
}

/// Adds a shard. The shard is the box that starts at `offsets` and has the sizes `sizes`. `offsets`
/// and `sizes` hold `ndim` numbers each. `placement` is the handle of a built-in or custom
/// placement. After the callback, the library checks that the shards cover the tensor and do not
/// overlap. If the function fails, it adds no shard.
///
/// Ownership: the library copies the arrays. The caller keeps the handle `placement`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: NDIM_MISMATCH if the tensor does not have `ndim` dimensions; INVALID_HANDLE if the
/// callback has returned or a handle is not valid; NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_builder_add_shard_with_placement_handle(
    builder: *mut shardspec_metadata_builder, offsets: *const i64, sizes: *const i64, ndim: usize,
    placement: *const shardspec_placement, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let builder = handle::get("builder", builder)?;
        let placement = handle::get("placement", placement)?;
        builder.add_one(offsets, sizes, ndim, || Ok((*placement).clone()))
    })
}

/// Adds the shards of a list. Each shard needs a placement. If some shards of the tensor are not
/// boxes, the callback must add all shards in one list. If the function fails, it adds no shard.
///
/// Ownership: the caller keeps the list, and may free it right after the call.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: NDIM_MISMATCH if the list has another number of dimensions than the tensor;
/// NULL_ARGUMENT if a pointer is NULL or a shard has no placement; INVALID_HANDLE if the callback
/// has returned or a handle is not valid; OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_builder_add_shards(
    builder: *mut shardspec_metadata_builder, shards: *const shardspec_shards,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let builder = handle::get("builder", builder)?;
        let shards = handle::get("shards", shards)?;
        builder.add(|| {
            // Those that are flattened have fewer; that is checked with the metadata.
            if !shards.is_empty() && shards.extents().flattening().is_none() {
                builder.check_ndim(shards.tensor_ndim())?;
            }
            shards.check_placed()?;
            Ok(Added::List(shards.clone()))
        })
    })
}
