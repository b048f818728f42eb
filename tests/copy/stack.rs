//! How much of the caller's stack a copy needs, whichever kernel does it.

#![cfg(target_os = "linux")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests: an overflow or a bad index is a failure, and buffers are made to fit"
)]

use std::ffi::c_void;

use shardspec::model::{DataType, ShardedTensorMetadata, TensorProperties};
use shardspec::plan::ReshardPlan;
use shardspec::transfer::{CopyOptions, HostView, Instructions, Stores};

use crate::common::Boxes;
use crate::common::copies::{extract, gather, reshard, scatter};
use crate::common::tensor::of_bytes;

/// The 64 KiB of stack that callers have at least, less 8 for the C border. Builds for debugging take
/// more.
const MAX_USED: usize = if cfg!(debug_assertions) { 160 << 10 } else { 56 << 10 };
const STACK: usize = 1 << 20;
const UNTOUCHED: u8 = 0xA5;

/// Runs `work` on a thread of its own; the bytes of the stack that it used.
fn stack_of(work: &mut dyn FnMut()) -> usize {
    extern "C" fn run(work: *mut c_void) -> *mut c_void {
        unsafe { (*work.cast::<&mut dyn FnMut()>())() };
        std::ptr::null_mut()
    }
    unsafe {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let stack = libc::mmap(std::ptr::null_mut(), STACK, protection, flags, -1, 0);
        assert_ne!(stack, libc::MAP_FAILED);
        stack.cast::<u8>().write_bytes(UNTOUCHED, STACK);
        let mut attributes = std::mem::zeroed();
        assert_eq!(libc::pthread_attr_init(&raw mut attributes), 0);
        assert_eq!(libc::pthread_attr_setstack(&raw mut attributes, stack, STACK), 0);
        let (mut thread, mut work) = (0, work);
        let argument = (&raw mut work).cast();
        let started = libc::pthread_create(&raw mut thread, &raw const attributes, run, argument);
        assert_eq!(started, 0);
        assert_eq!(libc::pthread_join(thread, std::ptr::null_mut()), 0);
        libc::pthread_attr_destroy(&raw mut attributes);
        let bytes = std::slice::from_raw_parts(stack.cast::<u8>(), STACK);
        let untouched = bytes.iter().take_while(|&&byte| byte == UNTOUCHED).count();
        libc::munmap(stack, STACK);
        STACK - untouched
    }
}

/// Boxes that divide a matrix: by columns, by rows, by blocks.
fn layouts(sizes: [i64; 2], parts: i64) -> Vec<ShardedTensorMetadata> {
    let divided = |cuts: [i64; 2]| {
        let mut boxes = Boxes::new(2);
        for at in 0..cuts[0] * cuts[1] {
            let place = [at / cuts[1], at % cuts[1]];
            let bound = |at: i64, dim: usize| at * sizes[dim] / cuts[dim];
            let offsets = [bound(place[0], 0), bound(place[1], 1)];
            let ends = [bound(place[0] + 1, 0), bound(place[1] + 1, 1)];
            boxes.push(&offsets, &[ends[0] - offsets[0], ends[1] - offsets[1]]);
        }
        ShardedTensorMetadata::new(boxes.shards(), &sizes, TensorProperties::default()).unwrap()
    };
    vec![divided([1, parts]), divided([parts, 1]), divided([4, parts])]
}

/// Copies back and forth: to rows, to columns, and from one to the other.
fn copies(metadata: &ShardedTensorMetadata, dtype: DataType, options: &CopyOptions) {
    let sizes = metadata.sizes();
    let bytes = |sizes: &[i64]| dtype.storage_bytes(sizes.iter().product::<i64>() as u64).unwrap();
    let mut full = vec![7u8; bytes(sizes)];
    let mut shards: Vec<Vec<u8>> =
        metadata.shards().iter().map(|shard| vec![0u8; bytes(shard.sizes)]).collect();
    for transposed in [false, true] {
        let view = |memory: &mut Vec<u8>, sizes: &[i64]| {
            let strides = [1, sizes[0]];
            let strides = transposed.then_some(&strides[..]);
            HostView::new("view", memory.as_mut_ptr(), dtype, sizes, strides).unwrap()
        };
        let whole = HostView::new("full", full.as_mut_ptr(), dtype, sizes, None).unwrap();
        let views: Vec<HostView> = shards
            .iter_mut()
            .zip(metadata.shards().iter())
            .map(|(memory, shard)| view(memory, shard.sizes))
            .collect();
        let each = |index: usize| views[index];
        unsafe {
            scatter(metadata, &whole, each, options).unwrap();
            gather(metadata, each, &whole, options).unwrap();
            extract(metadata, 0, &whole, &views[0], options).unwrap();
        }
    }
}

#[test]
fn a_copy_needs_little_stack_whichever_kernel_does_it() {
    let packed = DataType { code: 0, bits: 4, lanes: 1 };
    let mut most = (0, String::new());
    for dtype in [of_bytes(1), of_bytes(2), of_bytes(4), of_bytes(16), of_bytes(3), packed] {
        for (rows, columns, parts) in [(700, 900, 7), (300, 4000, 600)] {
            for metadata in layouts([rows, columns], parts) {
                for stores in [Stores::Stream, Stores::Cached] {
                    for instructions in [Instructions::Best, Instructions::Portable] {
                        for max_threads in [1, 3] {
                            let options =
                                CopyOptions { max_threads, stores, instructions, prefetch: None };
                            let used = stack_of(&mut || copies(&metadata, dtype, &options));
                            if used > most.0 {
                                let shards = metadata.shards().len();
                                most = (used, format!("{dtype} {shards} shards {options:?}"));
                            }
                        }
                    }
                }
            }
        }
    }
    println!("{} bytes: {}", most.0, most.1);
    assert!(most.0 <= MAX_USED, "{} bytes: {}", most.0, most.1);
}

/// Interleaved views that no one array explains: everything that looks for shared memory has a say.
#[test]
fn a_check_of_tangled_views_needs_little_stack() {
    let mut boxes = Boxes::new(18);
    boxes.push(&[0; 18], &[2; 18]);
    let second: Vec<i64> = [2].into_iter().chain([0; 17]).collect();
    boxes.push(&second, &[2; 18]);
    let total: Vec<i64> = [4].into_iter().chain([2; 17]).collect();
    let metadata =
        ShardedTensorMetadata::new(boxes.shards(), &total, TensorProperties::default()).unwrap();
    let plan = ReshardPlan::new(&metadata, &metadata).unwrap();
    // Powers of 3 and their neighbours do not nest.
    let strides: Vec<i64> = (0..18).map(|at| (1 << at) + i64::from(at % 3 == 1)).collect();
    let mut memory = vec![0u8; 4 << 20];
    let mut source = vec![0u8; 2 << 18];
    let at = |memory: &mut Vec<u8>, place: usize, strides: Option<&[i64]>| {
        let first = memory.as_mut_ptr().wrapping_add(place);
        HostView::new("view", first, of_bytes(1), &[2; 18], strides).unwrap()
    };
    let sources = [(0, at(&mut source, 0, None)), (1, at(&mut source, 1 << 18, None))];
    let written =
        [(0, at(&mut memory, 0, Some(&strides))), (1, at(&mut memory, 1, Some(&strides)))];
    let used = stack_of(&mut || {
        let options = CopyOptions::default();
        // Whether it is refused does not matter here.
        let _ = unsafe { reshard(&plan, &sources, &written, &options) };
    });
    println!("{used} bytes");
    assert!(used <= MAX_USED, "{used} bytes");
}
