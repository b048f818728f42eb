//! Handles: what C holds in place of our objects.
//!
//! A handle is a key in the shape of a pointer and is never dereferenced. It is below 2^47, so that
//! runtimes whose numbers are doubles, or whose pointers have 47 bits, hold it exactly. Its lowest 4
//! bits are its kind, which is not 0, so no address that is aligned to 16 bytes is a handle: none of
//! `malloc`, that is. Above the kind is the key of a slot map.

use crate::ffi::border::guard::{Outcome, Refusal};
use crate::model::Error;
use crate::sync::hazard::Use;
use crate::sync::key::KEY_BITS;
use crate::sync::slot_map::{ProtectError, Protected, SlotMap};

/// Bits of a handle that are its kind, below the key.
const KIND_BITS: u32 = 4;
const _: () = assert!(KIND_BITS + KEY_BITS == 47);

/// An opaque type of the header, and the objects that its handles name.
pub(crate) trait Handle: Sized + 'static {
    /// The type of the objects.
    type Object: Send + Sync;
    /// The type's name in C.
    const NAME: &'static str;
    /// A number from 1 to 15 of its own.
    const KIND: u64;

    /// Where the objects are.
    fn table() -> &'static SlotMap<Self::Object>;

    /// The number that [`label`] returns for an object.
    fn label_of(_: &Self::Object) -> u64 {
        0
    }
}

/// A new handle for `object`.
pub(crate) fn insert<H: Handle>(object: H::Object) -> Result<*mut H, Error> {
    let label = H::label_of(&object);
    let key = H::table().insert(object, label).ok_or_else(out_of_memory)?;
    Ok(of_key(key))
}

/// The handle that a key is to C.
pub(crate) fn of_key<H: Handle>(key: u64) -> *mut H {
    std::ptr::without_provenance_mut((key << KIND_BITS | H::KIND) as usize)
}

/// A handle that is lent to a callback: it is freed when this is dropped.
pub(crate) struct Lent<H: Handle> {
    handle: *mut H,
}

/// A handle for `object`, which is freed when the returned value is dropped.
pub(crate) fn lend<H: Handle>(object: H::Object) -> Result<Lent<H>, Error> {
    insert(object).map(|handle| Lent { handle })
}

impl<H: Handle> Lent<H> {
    /// The handle for the callback.
    pub(crate) fn handle(&self) -> *mut H {
        self.handle
    }
}

impl<H: Handle> Drop for Lent<H> {
    fn drop(&mut self) {
        // The callback may have freed it itself: then there is nothing left to do.
        let _ = free("lent", self.handle);
    }
}

/// The object behind a handle. It exists as long as the returned value, also when the handle is freed.
#[inline(always)]
pub(crate) fn get<H: Handle>(
    argument: &'static str, handle: *const H,
) -> Outcome<Protected<H::Object>> {
    let key = key(argument, handle)?;
    H::table().protect(key, Use::Reads).map_err(|why| unprotected::<H>(argument, why))
}

/// The refusal of a handle whose object can't be used.
#[cold]
pub(crate) fn unprotected<H: Handle>(argument: &'static str, why: ProtectError) -> Refusal {
    match why {
        ProtectError::Gone => invalid::<H>(argument),
        ProtectError::OutOfMemory => out_of_memory().into(),
    }
}

/// The label of the object behind a handle, without protecting it.
#[inline(always)]
pub(crate) fn label<H: Handle>(argument: &'static str, handle: *const H) -> Outcome<u64> {
    let key = key(argument, handle)?;
    H::table().label(key).ok_or_else(|| invalid::<H>(argument))
}

/// Frees a handle; freeing null is fine.
pub(crate) fn free<H: Handle>(argument: &'static str, handle: *mut H) -> Outcome {
    if handle.is_null() {
        return Ok(());
    }
    if H::table().free(key(argument, handle)?) { Ok(()) } else { Err(invalid::<H>(argument)) }
}

/// The refusal of a handle without an object of its kind.
#[cold]
pub(crate) fn invalid<H: Handle>(argument: &'static str) -> Refusal {
    Refusal::InvalidHandle { argument, kind: H::NAME }
}

/// The key that a handle is, if it is one of this kind.
#[inline(always)]
pub(crate) fn key<H: Handle>(argument: &'static str, handle: *const H) -> Outcome<u64> {
    if handle.is_null() {
        return Err(Refusal::NullArgument(argument));
    }
    // The kind moves to the top, above the bits that are 0 in every handle: one comparison of both.
    let bits = (handle.addr() as u64).rotate_right(KIND_BITS);
    if bits >> KEY_BITS == H::KIND << (u64::BITS - KIND_BITS - KEY_BITS) {
        Ok(handle.addr() as u64 >> KIND_BITS)
    } else {
        Err(invalid::<H>(argument))
    }
}

fn out_of_memory() -> Error {
    Error::OutOfMemory { what: "one more handle", bytes: 64 }
}
