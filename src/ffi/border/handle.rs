//! Handles: what C holds in place of our objects.
//!
//! A handle is a key in the shape of a pointer and is never dereferenced. From the top: 4 bits for
//! the kind (so no address of a user's own memory is one), 28 for the slot, 32 for the generation.

use crate::core::Error;
use crate::ffi::border::guard::{Outcome, Refusal};
use crate::ffi::border::slots::{Pin, Slots};

const KIND_SHIFT: u32 = 60;
const KEY_MASK: u64 = (1 << KIND_SHIFT) - 1;

/// An opaque type of the header, and the objects that its handles name.
pub(crate) trait Handle: Sized + 'static {
    /// What a handle names.
    type Object: Send + Sync;
    /// The type's name in C.
    const NAME: &'static str;
    /// A number from 1 to 15 of its own.
    const KIND: u64;

    /// Where the objects are.
    fn table() -> &'static Slots<Self::Object>;
}

/// A new handle for `object`.
pub(crate) fn insert<H: Handle>(object: H::Object) -> Result<*mut H, Error> {
    let key = H::table()
        .insert(object)
        .ok_or(Error::OutOfMemory { what: "one more handle", bytes: 64 })?;
    Ok(std::ptr::without_provenance_mut((H::KIND << KIND_SHIFT | key) as usize))
}

/// A handle that is lent to a callback: it is freed when this is dropped.
pub(crate) struct Lent<H: Handle> {
    handle: *mut H,
}

/// A handle for `object` that lives as long as what is returned.
pub(crate) fn lend<H: Handle>(object: H::Object) -> Result<Lent<H>, Error> {
    insert(object).map(|handle| Lent { handle })
}

impl<H: Handle> Lent<H> {
    /// What the callback is given.
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

/// The object behind a handle; it stays for as long as the pin does, whoever frees the handle.
pub(crate) fn get<H: Handle>(argument: &'static str, handle: *const H) -> Outcome<Pin<H::Object>> {
    if handle.is_null() {
        return Err(Refusal::NullArgument(argument));
    }
    key_of(handle).and_then(|key| H::table().pin(key)).ok_or(invalid::<H>(argument))
}

/// Frees a handle; freeing null is fine.
pub(crate) fn free<H: Handle>(argument: &'static str, handle: *mut H) -> Outcome {
    if handle.is_null() {
        return Ok(());
    }
    match key_of(handle).map(|key| H::table().free(key)) {
        Some(true) => Ok(()),
        _ => Err(invalid::<H>(argument)),
    }
}

/// The refusal of a handle that names no live object of its kind.
pub(crate) fn invalid<H: Handle>(argument: &'static str) -> Refusal {
    Refusal::InvalidHandle { argument, kind: H::NAME }
}

/// The key, if the handle is of this kind.
fn key_of<H: Handle>(handle: *const H) -> Option<u64> {
    let bits = handle.addr() as u64;
    (bits >> KIND_SHIFT == H::KIND).then_some(bits & KEY_MASK)
}
