//! Local shards shared with other libraries.
//!
//! A local shard can be exported as a managed tensor of DLPack. Managed tensors of other libraries
//! can become local shards. Both directions work without a copy. All users of a shard share its
//! memory. The memory stays valid until the last user releases the shard.

use std::ffi::{c_char, c_void};
use std::mem;

use crate::ffi::border::guard::{Outcome, Refusal, guard};
use crate::ffi::border::handle;
use crate::ffi::border::owner::check_owner;
use crate::ffi::border::pointer::{out, slice};
use crate::ffi::border::views::{CPU, host_view};
use crate::ffi::dlpack::{
    SHARDSPEC_DLPACK_FLAG_IS_COPIED, SHARDSPEC_DLPACK_FLAG_READ_ONLY,
    SHARDSPEC_DLPACK_MAJOR_VERSION, legacy, lend, shardspec_legacy_managed_tensor,
    shardspec_managed_tensor, versioned,
};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::sharded_tensor::{give, shardspec_sharded_tensor};
use crate::ffi::view::shardspec_tensor_view;
use crate::memory::{OutOfMemory, Text, text, try_to_vec, try_with_capacity};
use crate::model::Error;
use crate::transfer::TransferError;
use crate::transfer::{HostView, Keeper, Keepers, LocalShards, ShardArguments, ShardedTensor};
use crate::unwind;

/// Lends a local shard to another library. `form` is the argument of [`lend`].
fn export<T>(
    tensor: &ShardedTensor, local: usize,
    form: impl FnOnce(shardspec_tensor_view, *mut c_void) -> T,
) -> Outcome<*mut T> {
    lend(&tensor.view(local)?, CPU, tensor.keeper(local)?, form)
}

/// Creates a managed tensor of local shard `local`, for another library.
///
/// Ownership: the caller passes `*out` to another library, or calls the deleter of `*out`. The
/// memory of the shard stays valid until the other library or the caller calls the deleter. The
/// caller may free the sharded tensor earlier.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_export_local(
    tensor: *const shardspec_sharded_tensor, local: usize, out: *mut *mut shardspec_managed_tensor,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let tensor = handle::get("tensor", tensor)?;
        place.set(export(&tensor, local, versioned(0))?);
        Ok(())
    })
}

/// Creates a managed tensor of local shard `local` for another library, in the form before DLPack
/// 1.0.
///
/// Ownership: the caller passes `*out` to another library, or calls the deleter of `*out`. The
/// memory of the shard stays valid until the other library or the caller calls the deleter. The
/// caller may free the sharded tensor earlier.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_export_local_legacy(
    tensor: *const shardspec_sharded_tensor, local: usize,
    out: *mut *mut shardspec_legacy_managed_tensor, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let tensor = handle::get("tensor", tensor)?;
        place.set(export(&tensor, local, legacy)?);
        Ok(())
    })
}

/// A managed tensor that the library owns. The deleter is called exactly once: when this value is
/// dropped.
struct OwnedManagedTensor(*mut shardspec_managed_tensor);

// SAFETY: an `OwnedManagedTensor` is only passed to its deleter, which the header asks to work on
// any thread.
unsafe impl Send for OwnedManagedTensor {}
// SAFETY: a shared `OwnedManagedTensor` gives nothing: its pointer is used where it is dropped.
unsafe impl Sync for OwnedManagedTensor {}

impl Drop for OwnedManagedTensor {
    fn drop(&mut self) {
        // SAFETY: the contract of `taking` is that a pointer that is not null points to a managed
        // tensor, whose `deleter` may be called once. Where the deleter is does not depend on the
        // version.
        unsafe {
            if !self.0.is_null()
                && let Some(deleter) = (*self.0).deleter
            {
                unwind::call("destroy", || deleter(self.0.cast()));
            }
        }
    }
}

/// The managed tensors that a caller passed, before the call has checked them. When this value is
/// dropped, the deleter of each tensor is called once.
struct Given<'a> {
    tensors: &'a [*mut shardspec_managed_tensor],
    /// The same pointers in ascending order, or `None` if there is no memory for a copy.
    sorted: Option<Vec<*mut shardspec_managed_tensor>>,
}

impl<'a> Given<'a> {
    /// Refuses an array with a misaligned pointer. No pointer of a refused array is dereferenced.
    fn new(tensors: &'a [*mut shardspec_managed_tensor]) -> Outcome<Self> {
        if let Some(index) = tensors.iter().position(|tensor| !tensor.is_aligned()) {
            let problem = "the pointer does not point to a managed tensor: it is not aligned";
            return Err(Error::invalid("shards", problem).at("shards", index).into());
        }
        let sorted = try_to_vec(tensors).ok().map(|mut sorted| {
            sorted.sort_unstable();
            sorted
        });
        Ok(Self { tensors, sorted })
    }

    /// Refuses null pointers, and tensors that occur twice.
    fn check(&self) -> Outcome {
        if let Some(index) = self.tensors.iter().position(|tensor| tensor.is_null()) {
            return Err(Refusal::at("shards", index)(Refusal::NullArgument("shards")));
        }
        let bytes = size_of_val(self.tensors);
        let sorted = self.sorted.as_deref().ok_or(OutOfMemory { bytes })?;
        if let Some((tensor, _)) = sorted.iter().zip(sorted.iter().skip(1)).find(|(a, b)| a == b) {
            let index = self.tensors.iter().rposition(|given| given == tensor).unwrap_or_default();
            let problem = "this managed tensor is given twice; pass each once";
            return Err(Error::invalid("shards", problem).at("shards", index).into());
        }
        Ok(())
    }

    /// Makes a keeper of each tensor. The tensors must have passed `check`.
    fn take(mut self) -> Outcome<Vec<Keeper>> {
        let mut taken = try_with_capacity(self.tensors.len())?;
        let mut all = mem::take(&mut self.tensors).iter();
        // From here on each is owned by itself, also those that can't be kept.
        self.sorted = None;
        while let Some(&tensor) = all.next() {
            match Keeper::of_lease(OwnedManagedTensor(tensor)) {
                Ok(keeper) => taken.push(keeper),
                Err(refused) => {
                    all.for_each(|&tensor| drop(OwnedManagedTensor(tensor)));
                    return Err(refused.into());
                }
            }
        }
        Ok(taken)
    }
}

impl Drop for Given<'_> {
    fn drop(&mut self) {
        if let Some(sorted) = &mut self.sorted {
            sorted.dedup();
            sorted.iter().for_each(|&tensor| drop(OwnedManagedTensor(tensor)));
            return;
        }
        // No memory is needed here, which there is none of.
        for (index, tensor) in self.tensors.iter().enumerate() {
            if !self.tensors.iter().take(index).any(|earlier| earlier == tensor) {
                drop(OwnedManagedTensor(*tensor));
            }
        }
    }
}

/// The body of an export that takes over managed tensors. The library owns the tensors before it
/// reads `err`. The deleters are therefore called for every error in the other arguments.
///
/// # Safety
///
/// The contract of [`slice`] holds. Each pointer is null, misaligned or points to a managed tensor.
/// From now on, the library owns each managed tensor, and may call its deleter once, on any thread.
unsafe fn taking<'a>(
    shards: *const *mut shardspec_managed_tensor, shard_count: usize,
    body: impl FnOnce(Given<'a>) -> Outcome,
) -> impl FnOnce() -> Outcome {
    let given = slice("shards", shards, shard_count).and_then(Given::new);
    move || body(given?)
}

/// The view of a managed tensor, if its memory may be the memory of a local shard.
///
/// # Safety
///
/// `tensor` points to a managed tensor of any version, which begins with the version.
unsafe fn managed_view(tensor: *const shardspec_managed_tensor) -> Outcome<HostView> {
    // SAFETY: the contract of `managed_view` is that these fields of `tensor` are there in all versions.
    let (major, minor) = unsafe { ((*tensor).major, (*tensor).minor) };
    if major != SHARDSPEC_DLPACK_MAJOR_VERSION {
        let what = text!("the managed tensor is of DLPack {major}.{minor}; pass one of version 1");
        return Err(Error::Unsupported { what }.into());
    }
    // SAFETY: the contract of `managed_view` is that a managed tensor of this version is at `tensor`, of
    // which all versions with this major number have the same fields.
    let tensor = unsafe { &*tensor };
    if tensor.flags & SHARDSPEC_DLPACK_FLAG_READ_ONLY != 0 {
        return Err(Error::Transfer(TransferError::ReadOnly { what: Text::from("shards") }).into());
    }
    let unknown = tensor.flags & !SHARDSPEC_DLPACK_FLAG_IS_COPIED;
    if unknown != 0 {
        let what = text!("the managed tensor has the flags {unknown}, which have no meaning here");
        return Err(Error::Unsupported { what }.into());
    }
    host_view("shards", &tensor.tensor)
}

/// Creates a sharded tensor from managed tensors of other libraries. `shards[i]` is shard
/// `indices[i]` of the metadata. The caller may cast a `DLManagedTensorVersioned *` of DLPack to
/// `shardspec_managed_tensor *`.
///
/// Each tensor has the sizes of its shard, with any strides. All tensors have the metadata's
/// element type. If the metadata states no element type, all tensors have one common type. With an
/// `owner`, the shards must be exactly the shards of that owner. With `owner` NULL, any shards are
/// allowed.
///
/// Ownership: the library owns the managed tensors from the call on, also if the call fails. The
/// caller keeps the array `shards` and frees `*out`. The library calls the deleter of each managed
/// tensor exactly once, on any thread. If the call fails, the library calls the deleters before the
/// call returns. After a successful call, the library calls the deleter of a shard when the sharded
/// tensor and all exports of this shard have been freed. An export is a managed tensor made from
/// the shard. In three cases, the library calls fewer deleters. An element of `shards` that is NULL
/// has no deleter. If `shards` is NULL, misaligned or larger than memory, the library calls no
/// deleter. If one element of `shards` is misaligned, the library calls the deleter of no element.
/// Calls back: `deleter` of each shard, if the call fails; `destroy`, if another thread frees a
/// handle during the call.
/// Blocks: no.
/// Errors: READ_ONLY if a managed tensor has the read-only flag; UNSUPPORTED if a managed tensor
/// has a major version of DLPack other than 1, or has unknown flags; INVALID_ARGUMENT if a managed
/// tensor or a shard occurs twice, or if the shards are not exactly the shards of `owner`;
/// SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE or ALIASED if a tensor does
/// not fit its shard; INDEX_OUT_OF_RANGE, INVALID_PLACEMENT, OVERFLOW, INVALID_HANDLE,
/// NULL_ARGUMENT, OUT_OF_MEMORY. The error's `first_shard` is the index of the shard, and `index`
/// is its position in `shards`.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_new_from_managed(
    metadata: *const shardspec_metadata, owner: *const c_char, indices: *const usize,
    shards: *const *mut shardspec_managed_tensor, shard_count: usize,
    out: *mut *mut shardspec_sharded_tensor, err: *mut shardspec_error,
) -> shardspec_status {
    guard(
        err,
        taking(shards, shard_count, |given| {
            given.check()?;
            let place = self::out("out", out)?;
            let metadata = handle::get("metadata", metadata)?;
            let indices = slice("indices", indices, shard_count)?;
            check_owner(&metadata, owner, indices)?;
            let (layout, dtype) = (metadata.shared_shards(), metadata.properties().dtype);
            let mut shards =
                LocalShards::builder(layout, ShardArguments::SHARDS, dtype, shard_count)?;
            for (at, (&tensor, &index)) in given.tensors.iter().zip(indices).enumerate() {
                let view = managed_view(tensor).map_err(Refusal::at_shard("shards", at, index))?;
                shards.push(index, &view)?;
            }
            let (shards, keepers) = (shards.finish()?, Keepers::Each(given.take()?));
            give(place, ShardedTensor::from_local(&metadata, shards, keepers)?)
        }),
    )
}
