//! Placements of your own.
//!
//! A place that an owner and a device can't say: a rack, a storage tier, a node of your scheduler. It
//! is a type's name, a text to show, the rank that reaches it if there is one, and a `ctx` that the
//! library only keeps. It goes wherever a placement's handle goes and comes back from metadata as it
//! was.
//!
//! Source: torch's abstract class `PlacementSpec`.

use std::ffi::{c_char, c_void};
use std::hash::Hash;

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

/// What a type of placement does.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_placement_vtable {
    /// `sizeof(shardspec_placement_vtable)`.
    pub struct_size: u64,
    /// Ends the life of `ctx`; NULL: nothing to end.
    pub destroy: shardspec_destroy_fn,
    /// Whether two placements of this type and of the same rank are the same place; NULL: they are
    /// when their texts are. Metadata holds the first of those that are equal, and not the others.
    pub equal: shardspec_equal_fn,
    /// A hash that is equal for equal placements, asked only where there is an `equal`; NULL: only
    /// the type's name and the rank are hashed, and a list of many different placements takes long
    /// to make.
    pub hash: shardspec_hash_fn,
}

// SAFETY: `struct_size` comes first, and zeros are NULL functions.
unsafe impl Grows for shardspec_placement_vtable {
    const NAME: &'static str = "shardspec_placement_vtable";
    const FIRST_SIZE: usize = 32;
}

// SAFETY: `destroy` comes second.
unsafe impl Table for shardspec_placement_vtable {}

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
            // Only what made a `ctx` knows what it is.
            (Some(equal), Some(its)) => {
                std::ptr::fn_addr_eq(equal, its)
                    // SAFETY: the user passed the function to be called like this.
                    && ask(|| unsafe { equal(self.context.ctx(), other.context.ctx()) }) != 0
            }
            _ => false,
        }
    }

    fn hash_value(&self) -> u64 {
        match (self.equal, self.hash) {
            // SAFETY: the user passed the function to be called like this.
            (Some(_), Some(hash)) => ask(|| unsafe { hash(self.context.ctx()) }),
            (Some(_), None) => 0,
            (None, _) => stable_hash(|hasher| self.text.hash(hasher)),
        }
    }
}

/// A placement of a type of your own, called `type_name`. Names with a dot, such as "acme.rack",
/// are never those of types that later versions build in. `text` is what is shown of it; `rank` is
/// the rank that owns it, or -1 where none does: it is what `shardspec_metadata_shards_of_rank` and
/// everything that sends goes by. Placements of different type names or ranks are never equal.
/// `vtable` may be NULL: then nothing ends the life of `ctx`, and placements of the same type and
/// rank are equal when their texts are.
///
/// Ownership: texts and table are copied; `ctx` is the placement's from here on, whatever this
/// returns, until `destroy` ends it: when the handle was freed and no spec or metadata holds the
/// placement any more. The caller frees `*out`. Errors: INVALID_ARGUMENT for the type name "device",
/// an empty name or text, a rank below -1 or a table of a wrong struct_size, NULL_ARGUMENT,
/// OUT_OF_MEMORY. Threads: any; the functions may run on several at once. Since: ABI 0.
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

/// The `ctx` of a placement of your own type. It lives as long as the placement: keep the handle
/// while you use it.
///
/// Ownership: it stays the placement's. Errors: NOT_FOUND for a placement of another type than
/// `type_name`, INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
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
