//! Managed tensors of other libraries that become local shards: any versions, flags, shapes and element
//! types, given once, twice or not at all. Each deleter is called exactly once, and when it may be.

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use shardspec::ffi::dlpack::shardspec_managed_tensor;
use shardspec::ffi::dlpack_shards::{
    shardspec_sharded_tensor_export_local, shardspec_sharded_tensor_new_from_managed,
};
use shardspec::ffi::dtype::shardspec_dtype;
use shardspec::ffi::interchange::shardspec_metadata_new_from_json;
use shardspec::ffi::local_shards::shardspec_sharded_tensor_gather;
use shardspec::ffi::metadata::shardspec_metadata;
use shardspec::ffi::sharded_tensor::shardspec_sharded_tensor_free;
use shardspec::ffi::view::{shardspec_device, shardspec_tensor_view};

use crate::random::Random;

/// A tensor of 6 rows of 4 in 3 shards.
const METADATA: &str = r#"{"kind":"shardspec.metadata","version":1,"sizes":[6,4],"shards":{"ndim":2,"offsets":[0,0,2,0,4,0],"sizes":[2,4,2,4,2,4],"placements":["rank:0/cpu","rank:1/cpu","rank:2/cpu"]}}"#;
const SHARDS: usize = 3;
const SHAPE: [i64; 2] = [2, 4];
/// Managed tensors of one call.
const MAX_TENSORS: usize = 6;
/// Bytes of a tensor, which starts in their middle.
const SLOT: usize = 1 << 10;
/// The number of bytes of the largest element.
const MAX_ITEM: usize = 8;

/// A managed tensor as another library makes it: its deleter frees it.
#[repr(C)]
struct Managed {
    tensor: shardspec_managed_tensor,
    shape: [i64; 3],
    strides: [i64; 3],
}

/// Counts the call, and frees the tensor.
unsafe extern "C-unwind" fn delete(tensor: *mut c_void) {
    // SAFETY: `tensor` is the `Managed` that `managed` has leaked, at the start of which is the tensor. It
    // is freed once, or the count says that it was freed before.
    unsafe {
        let calls = &*(*tensor.cast::<Managed>()).tensor.manager_ctx.cast::<AtomicUsize>();
        assert_eq!(calls.fetch_add(1, Ordering::Relaxed), 0, "a deleter was called twice");
        drop(Box::from_raw(tensor.cast::<Managed>()));
    }
}

fn metadata() -> *const shardspec_metadata {
    static METADATA_HANDLE: OnceLock<usize> = OnceLock::new();
    let handle = *METADATA_HANDLE.get_or_init(|| {
        let mut metadata = null_mut();
        // SAFETY: `METADATA` has so many bytes, and `metadata` is a place for a handle.
        let status = unsafe {
            shardspec_metadata_new_from_json(
                METADATA.as_ptr().cast(),
                METADATA.len(),
                &mut metadata,
                null_mut(),
            )
        };
        assert_eq!(status, 0);
        metadata as usize
    });
    handle as *const shardspec_metadata
}

/// A managed tensor at a place, and whether it may be a shard.
fn managed(
    memory: *mut u8, dtype: shardspec_dtype, calls: &AtomicUsize, random: &mut Random,
) -> (*mut shardspec_managed_tensor, bool) {
    let major = random.of_list(&[1, 1, 1, 1, 1, 1, 1, 1, 0, 2]);
    let flags = random.of_list(&[0, 0, 0, 0, 0, 0, 2, 2, 1, 3, 4]);
    let device_type = random.of_list(&[1, 1, 1, 1, 1, 1, 1, 3, 11, 2, 0, -1]);
    let ndim = random.of_list(&[2, 2, 2, 2, 2, 2, 2, 2, 1, 3, 0, -1, 33]);
    let is_shape = !random.one_in(12);
    let shape = if is_shape { [SHAPE[0], SHAPE[1], 1] } else { [SHAPE[1], SHAPE[0], 1] };
    let (strides, is_apart) = random.of_list(&[
        ([4, 1, 1], true),
        ([1, 2, 1], true),
        ([-5, 1, 1], true),
        ([9, -2, 1], true),
        ([0, 1, 1], false),
        ([1, 1, 1], false),
    ]);
    let has_strides = !random.one_in(4);
    let has_data = !random.one_in(24);
    let managed = Box::leak(Box::new(Managed {
        tensor: shardspec_managed_tensor {
            major,
            minor: random.below(3) as u32,
            manager_ctx: std::ptr::from_ref(calls).cast_mut().cast(),
            deleter: Some(delete),
            flags,
            tensor: shardspec_tensor_view {
                data: if has_data { memory.cast() } else { null_mut() },
                device: shardspec_device { device_type, device_id: 0 },
                ndim,
                dtype,
                shape: null_mut(),
                strides: null_mut(),
                byte_offset: random.of_list(&[0, 0, 8]),
            },
        },
        shape,
        strides,
    }));
    managed.tensor.tensor.shape = managed.shape.as_mut_ptr();
    if has_strides {
        managed.tensor.tensor.strides = managed.strides.as_mut_ptr();
    }
    let is_known = major == 1 && matches!(flags, 0 | 2) && matches!(device_type, 1 | 3 | 11);
    let fits = is_shape && ndim == 2 && has_data && (is_apart || !has_strides);
    (&raw mut managed.tensor, is_known && fits)
}

/// Makes a sharded tensor of managed tensors, and uses and frees it in some order.
pub fn exercise_dlpack(input: &[u8]) {
    let random = &mut Random::of(input);
    let calls: [AtomicUsize; MAX_TENSORS] = Default::default();
    let mut memory = vec![0u8; MAX_TENSORS * SLOT];
    let dtype = |random: &mut Random| {
        let (code, bits, lanes) =
            random.of_list(&[(2, 32, 1), (2, 32, 1), (0, 8, 1), (2, 64, 1), (0, 8, 0)]);
        shardspec_dtype { code, bits, lanes }
    };
    let (common, count) = (dtype(random), random.of_list(&[3, 3, 3, 2, 1, 0, 4]));
    let (mut tensors, mut indices, mut is_legal) = (Vec::new(), Vec::new(), true);
    let mut common = common;
    for at in 0..count {
        let own = if random.one_in(16) { dtype(random) } else { common };
        // Without a type in the metadata, the first tensor has the one that the others must have.
        if at == 0 {
            common = own;
        }
        let place = memory[at * SLOT + SLOT / 2..].as_mut_ptr();
        let (tensor, fits) = managed(place, own, &calls[at], random);
        is_legal &= fits && own == common && own.lanes > 0;
        tensors.push(tensor);
        indices.push(if random.one_in(16) { random.below(SHARDS + 1) } else { at });
    }
    // Some that are missing, and some that are given twice.
    let mut given = tensors.clone();
    if count > 0 && random.one_in(10) {
        let (at, other) = (random.below(count), random.below(count));
        let by = if random.one_in(2) { null_mut() } else { tensors[other] };
        is_legal &= by == given[at];
        given[at] = by;
    }
    let is_given: Vec<bool> = tensors.iter().map(|tensor| given.contains(tensor)).collect();
    let mut sorted = indices.clone();
    sorted.sort_unstable();
    is_legal &= sorted.windows(2).all(|pair| pair[0] < pair[1]);
    is_legal &= sorted.iter().all(|&index| index < SHARDS);
    let mut sharded = null_mut();
    // SAFETY: `given` and `indices` are arrays of one length. The library owns the managed tensors from now on.
    let status = unsafe {
        shardspec_sharded_tensor_new_from_managed(
            metadata(),
            null(),
            indices.as_ptr(),
            given.as_ptr(),
            count,
            &mut sharded,
            null_mut(),
        )
    };
    assert_eq!(status == 0, is_legal, "status {status} of a call that is legal: {is_legal}");
    if status == 0 {
        // Local shards are in the order of their indices.
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|&at| indices[at]);
        use_and_free(sharded, common, &order, &calls, random);
    }
    for (at, tensor) in tensors.iter().enumerate() {
        if is_given[at] {
            assert_eq!(calls[at].load(Ordering::Relaxed), 1, "deleter {at}");
        } else {
            // SAFETY: the library has not got this `tensor`, so it is still ours.
            unsafe { delete(tensor.cast()) };
        }
    }
}

/// Gathers, exports shards, and frees the tensor and what was exported in any order.
fn use_and_free(
    sharded: *mut shardspec::ffi::sharded_tensor::shardspec_sharded_tensor, dtype: shardspec_dtype,
    order: &[usize], calls: &[AtomicUsize], random: &mut Random,
) {
    let count = order.len();
    let is_free = |at: usize| calls[at].load(Ordering::Relaxed) > 0;
    let mut full = vec![0u8; 24 * MAX_ITEM];
    let mut shape = [6, 4];
    let view = shardspec_tensor_view {
        data: full.as_mut_ptr().cast(),
        device: shardspec_device { device_type: 1, device_id: 0 },
        ndim: 2,
        dtype,
        shape: shape.as_mut_ptr(),
        strides: null_mut(),
        byte_offset: 0,
    };
    // SAFETY: `view` is of `full`, which is long enough for elements of `MAX_ITEM` bytes.
    let status = unsafe { shardspec_sharded_tensor_gather(sharded, &view, null(), null_mut()) };
    assert_eq!(status == 0, count == SHARDS, "gathering {count} shards: {status}");
    let mut exported = Vec::new();
    for (local, &at) in order.iter().enumerate() {
        if random.one_in(2) {
            let mut managed = null_mut();
            // SAFETY: `sharded` is alive, and `managed` is a place for a pointer.
            let status = unsafe {
                shardspec_sharded_tensor_export_local(sharded, local, &mut managed, null_mut())
            };
            assert_eq!(status, 0);
            exported.push((at, managed));
        }
    }
    assert!((0..count).all(|at| !is_free(at)), "a shard in use was freed");
    // SAFETY: `sharded` is alive, and this is the only call that frees it.
    let status = unsafe { shardspec_sharded_tensor_free(sharded, null_mut()) };
    assert_eq!(status, 0);
    for at in 0..count {
        let is_exported = exported.iter().any(|&(other, _)| other == at);
        assert_eq!(is_free(at), !is_exported, "shard {at}");
    }
    random.shuffle(&mut exported);
    for (at, managed) in exported {
        // SAFETY: `managed` is a managed tensor of the library, whose deleter is called this once.
        unsafe { ((*managed).deleter.expect("a deleter"))(managed.cast()) };
        assert!(is_free(at), "shard {at}");
    }
}
