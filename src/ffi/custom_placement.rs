//! Custom placements.
//!
//! A custom placement describes a place by more than an owner and a device. Examples of such places
//! are a rack, a storage tier and a node of a scheduler. A custom placement consists of the name of
//! its type, a text, a rank or -1, and a `ctx` of the caller. Functions that take the handle of a
//! placement also accept the handle of a custom placement. Metadata returns custom placements
//! unchanged.
//!
//! Source: torch's abstract class `PlacementSpec`.

use std::ffi::{c_char, c_void};
use std::hash::Hash;
use std::mem::offset_of;

use crate::ffi::border::callback::{Context, Table, ask, owning_table};
use crate::ffi::border::guard::guard;
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{out, text};
use crate::ffi::border::sized::{Grows, sized};
use crate::ffi::callback::{shardspec_destroy_fn, shardspec_equal_fn, shardspec_hash_fn};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::placement::shardspec_placement;
use crate::memory::{text, try_boxed_str};
use crate::model::stable_hash::stable_hash;
use crate::model::{CustomPlacement, Error, Placement};

/// A table with the functions of a type of placement.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_placement_vtable {
    /// `sizeof(shardspec_placement_vtable)`.
    pub struct_size: u64,
    /// Frees `ctx`. NULL means that there is nothing to free.
    pub destroy: shardspec_destroy_fn,
    /// Returns a nonzero value if two placements with this type name and equal ranks are equal,
    /// else 0. With NULL, two placements with this type name and equal ranks are equal if their
    /// texts are equal. If several shards of metadata have equal placements, the metadata keeps
    /// only the first of these placements for all of these shards.
    pub equal: shardspec_equal_fn,
    /// Returns a hash of a placement. Equal placements must have equal hashes. The library uses
    /// `hash` only if `equal` is set. With `hash` NULL, the library hashes the name of the type and
    /// the rank of the placement. Without `hash`, different placements with the same type name and
    /// rank have equal hashes. A list with many such placements takes a long time to create,
    /// because the library compares these placements in pairs.
    pub hash: shardspec_hash_fn,
}

// SAFETY: `shardspec_placement_vtable` is `repr(C)` and begins with its `struct_size`. All other
// fields are functions that may be NULL, so zeros are a value of it.
unsafe impl Grows for shardspec_placement_vtable {
    const NAME: &'static str = "shardspec_placement_vtable";
    const FIRST_SIZE: usize = 32;
}

// SAFETY: `destroy` is the second field of `shardspec_placement_vtable`, as is asserted below.
unsafe impl Table for shardspec_placement_vtable {}
const _: () = assert!(offset_of!(shardspec_placement_vtable, destroy) == size_of::<u64>());

/// A placement of the user's.
#[derive(Debug)]
struct ForeignPlacement {
    type_name: Box<str>,
    text: Box<str>,
    rank: Option<i64>,
    equal: shardspec_equal_fn,
    hash: shardspec_hash_fn,
    context: Context,
}

impl CustomPlacement for ForeignPlacement {
    fn type_name(&self) -> &str {
        &self.type_name
    }

    fn text(&self) -> &str {
        &self.text
    }

    fn rank(&self) -> Option<i64> {
        self.rank
    }

    fn equals(&self, other: &dyn CustomPlacement) -> bool {
        let Some(other) = other.downcast_ref::<Self>() else {
            return false;
        };
        match (self.equal, other.equal) {
            (None, None) => self.text == other.text,
            // Addresses of functions say nothing: some languages make a new one for each object.
            (Some(equal), Some(_)) => {
                self.type_name == other.type_name
                    // SAFETY: the contract of `Context` is that `equal` may be called with the
                    // `ctx` of any two objects of the type that has this name.
                    && ask("equal", || unsafe { equal(self.context.ctx(), other.context.ctx()) }) != 0
            }
            _ => false,
        }
    }

    fn hash_value(&self) -> u64 {
        match (self.equal, self.hash) {
            // SAFETY: the contract of `Context` is that `hash` may be called with the `ctx` that
            // came with it.
            (Some(_), Some(hash)) => ask("hash", || unsafe { hash(self.context.ctx()) }),
            (Some(_), None) => 0,
            (None, _) => stable_hash(|hasher| self.text.hash(hasher)),
        }
    }
}

/// Creates a placement of a custom type, called `type_name`.
///
/// Use a name with a dot, such as "acme.rack", because later versions will not use such names for
/// built-in types. `text` is the text that `shardspec_placement_text` returns. `rank` is the rank
/// of the placement, or -1 for a placement without a rank. Collectives, plans and
/// `shardspec_metadata_shards_of_rank` use this rank. Placements with different type names or ranks
/// are never equal. To compare two placements with the same type name and rank, the library calls
/// `equal` with the `ctx` of each placement. With `vtable` NULL, the library never frees `ctx`, and
/// compares placements with the same type name and rank by their texts.
///
/// Ownership: the library copies the texts and the table. The library owns `ctx` from the beginning
/// of the call, also if the call fails. The library calls `destroy(ctx)` when the handle has been
/// freed and no other object uses the placement. The caller frees `*out`.
/// Calls back: `destroy`, if the call fails.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `type_name` is "device", `type_name` or `text` is empty or has a
/// control character, `rank` is below -1 or `struct_size` is wrong; NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any. The functions of `vtable` may run on several threads at once.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_placement_new_custom(
    type_name: *const c_char, text: *const c_char, rank: i64,
    vtable: *const shardspec_placement_vtable, ctx: *mut c_void,
    out: *mut *mut shardspec_placement, err: *mut shardspec_error,
) -> shardspec_status {
    guard(
        err,
        owning_table(ctx, vtable, |context| {
            let place = self::out("out", out)?;
            let type_name = try_boxed_str(self::text("type_name", type_name)?)?;
            let text = try_boxed_str(self::text("text", text)?)?;
            let (equal, hash) = if vtable.is_null() {
                (None, None)
            } else {
                let table = sized("vtable", vtable)?;
                (table.equal, table.hash)
            };
            let rank = Some(rank).filter(|rank| *rank != -1);
            let placement = ForeignPlacement { type_name, text, rank, equal, hash, context };
            place.set(handle::insert(Placement::custom(placement)?)?);
            Ok(())
        }),
    )
}

/// Writes the `ctx` of a custom placement to `*out`. The `ctx` is valid until the placement is
/// freed. Do not free the handle while you use the `ctx`.
///
/// Ownership: the placement still owns `ctx`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: NOT_FOUND if the type of the placement is not `type_name`; INVALID_ARGUMENT if
/// `type_name` is not valid UTF-8; INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_placement_custom_ctx(
    placement: *const shardspec_placement, type_name: *const c_char, out: *mut *mut c_void,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let placement = handle::get("placement", placement)?;
        let type_name = self::text("type_name", type_name)?;
        let custom = placement.as_custom().filter(|custom| custom.type_name() == type_name);
        let foreign = custom.and_then(|custom| custom.downcast_ref::<ForeignPlacement>());
        let what = || {
            let actual = placement.type_name();
            text!("placement: '{}' is of type '{actual}', not '{type_name}'", *placement)
        };
        let foreign = foreign.ok_or_else(|| Error::NotFound { what: what() })?;
        place.set(foreign.context.ctx());
        Ok(())
    })
}
