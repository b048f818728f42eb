//! How long it takes to resolve a handle and to call an op, by its name and looked up, and what two
//! threads get done in the time of one: on handles and ops of their own, and on the same ones.
//!
//! `cargo bench -p shardspec-benches --bench dispatch`; criterion prints medians. The ratios at the end
//! are medians of rounds in which one thread and two take turns, so that a machine that slows down slows
//! both.

#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::undocumented_unsafe_blocks,
    reason = "a benchmark stops at what should not happen, and passes the pointers it makes"
)]
#![allow(missing_docs, reason = "criterion's macros make the functions")]

use std::ffi::{CString, c_char, c_void};
use std::hint::black_box;
use std::ptr::{null, null_mut};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use shardspec::ffi::error::{SHARDSPEC_OK, shardspec_error, shardspec_status};
use shardspec::ffi::local_shards::shardspec_sharded_tensor_local_count;
use shardspec::ffi::metadata::shardspec_spec_build_metadata;
use shardspec::ffi::op::*;
use shardspec::ffi::op_value::*;
use shardspec::ffi::properties::{shardspec_tensor_properties, shardspec_tensor_properties_init};
use shardspec::ffi::sharded_tensor::{
    SHARDSPEC_FILL_ZERO, shardspec_sharded_tensor, shardspec_sharded_tensor_new,
};
use shardspec::ffi::spec::{shardspec_spec, shardspec_spec_new_chunk};

/// Other ops that are registered meanwhile.
const OTHERS: usize = 1000;

/// An op that does nothing, as any C function might.
unsafe extern "C-unwind" fn nothing(
    _: *mut c_void, _: *const shardspec_spec, arguments: *const shardspec_op_arguments,
    _: *mut shardspec_value, _: usize, _: *mut shardspec_error,
) -> shardspec_status {
    black_box(arguments);
    SHARDSPEC_OK
}

fn register(name: &str) -> *mut shardspec_op {
    let (spec_type, name, mut op) = (c"chunk", CString::new(name).unwrap(), null_mut());
    let status = unsafe {
        let function: shardspec_op_fn = Some(nothing);
        let (spec_type, name) = (spec_type.as_ptr(), name.as_ptr());
        let out = &raw mut op;
        shardspec_op_register(spec_type, name, function, null_mut(), None, null(), out, null_mut())
    };
    assert_eq!(status, SHARDSPEC_OK);
    op
}

/// What one thread calls ops with.
struct Caller {
    spec: *mut shardspec_spec,
    tensor: *mut shardspec_sharded_tensor,
    op: *mut shardspec_op,
    name: CString,
}

// SAFETY: handles may be used by any thread.
unsafe impl Sync for Caller {}

impl Caller {
    fn new(name: &str) -> Self {
        let ranks = [c"rank:0".as_ptr(), c"rank:1".as_ptr()];
        let (mut spec, mut metadata, mut tensor) = (null_mut(), null_mut(), null_mut());
        let sizes = [4, 3];
        let mut properties: shardspec_tensor_properties = unsafe { std::mem::zeroed() };
        properties.struct_size = size_of::<shardspec_tensor_properties>() as u64;
        unsafe {
            assert_eq!(shardspec_tensor_properties_init(&raw mut properties, null_mut()), 0);
            assert_eq!(
                shardspec_spec_new_chunk(0, ranks.as_ptr(), 2, &raw mut spec, null_mut()),
                0
            );
            let (sizes, properties, out) =
                (sizes.as_ptr(), &raw const properties, &raw mut metadata);
            assert_eq!(
                shardspec_spec_build_metadata(spec, sizes, 2, properties, out, null_mut()),
                0
            );
            let (all, out): (*const c_char, _) = (null(), &raw mut tensor);
            let zero = SHARDSPEC_FILL_ZERO;
            assert_eq!(shardspec_sharded_tensor_new(metadata, all, zero, out, null_mut()), 0);
        }
        Self { spec, tensor, op: register(name), name: CString::new(name).unwrap() }
    }

    fn resolve(&self) {
        let mut count = 0;
        let status = unsafe {
            shardspec_sharded_tensor_local_count(black_box(self.tensor), &raw mut count, null_mut())
        };
        assert_eq!((status, count), (SHARDSPEC_OK, 2));
    }

    /// With two arguments, one of them a sharded tensor, and a place for a result.
    fn with_arguments(
        &self, call: impl FnOnce(*const shardspec_op_arguments, *mut shardspec_value) -> i32,
    ) {
        let none = shardspec_value {
            kind: SHARDSPEC_VALUE_NONE,
            reserved: 0,
            integer: 0,
            real: 0.0,
            pointer: null_mut(),
        };
        let (kind, pointer) = (SHARDSPEC_VALUE_SHARDED_TENSOR, self.tensor.cast());
        let tensor = shardspec_value { kind, pointer, ..none };
        let number = shardspec_value { kind: SHARDSPEC_VALUE_I64, integer: 3, ..none };
        let (args, mut result) = ([tensor, number], none);
        let arguments = shardspec_op_arguments {
            struct_size: size_of::<shardspec_op_arguments>() as u64,
            args: args.as_ptr(),
            arg_count: args.len(),
            kwarg_names: null(),
            kwargs: null(),
            kwarg_count: 0,
            comm: null_mut(),
        };
        assert_eq!(call(&raw const arguments, &raw mut result), SHARDSPEC_OK);
    }

    fn call(&self) {
        self.with_arguments(|arguments, result| unsafe {
            shardspec_op_call(black_box(self.op), self.spec, arguments, result, 1, null_mut())
        });
    }

    fn dispatch(&self) {
        self.with_arguments(|arguments, result| unsafe {
            let name = black_box(self.name.as_ptr());
            shardspec_op_dispatch(self.spec, name, arguments, result, 1, null_mut())
        });
    }
}

/// What is measured, and its name.
type Deed = (&'static str, fn(&Caller));
const DEEDS: [Deed; 3] = [
    ("resolve a handle", Caller::resolve),
    ("call an op that was looked up", Caller::call),
    ("dispatch an op by name", Caller::dispatch),
];

fn one_thread(criterion: &mut Criterion) {
    for other in 0..OTHERS {
        register(&format!("bench.other{other}"));
    }
    let caller = Caller::new("bench.one thread");
    for (name, deed) in DEEDS {
        criterion.bench_function(name, |bencher| bencher.iter(|| deed(&caller)));
    }
}

/// How long all of these threads take for `turns` each.
fn time(callers: &[&Caller], deed: fn(&Caller), turns: u32) -> Duration {
    let start = Barrier::new(callers.len() + 1);
    std::thread::scope(|scope| {
        for &caller in callers {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                (0..turns).for_each(|_| deed(caller));
            });
        }
        start.wait();
        // The scope ends when the last thread does.
        Instant::now()
    })
    .elapsed()
}

/// The middle one of some ratios.
fn median(mut ratios: Vec<f64>) -> f64 {
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

fn two_threads(_: &mut Criterion) {
    const ROUNDS: usize = 31;
    const TURNS: u32 = 400_000;
    let (one, two) = (Caller::new("bench.first"), Caller::new("bench.second"));
    println!("\nwhat two threads get done in the time of one: on their own, on the same");
    for (name, deed) in DEEDS {
        let throughput =
            |callers: &[&Caller]| callers.len() as f64 / time(callers, deed, TURNS).as_secs_f64();
        let rounds = (0..ROUNDS).map(|_| {
            let alone = throughput(&[&one]);
            (throughput(&[&one, &two]) / alone, throughput(&[&one, &one]) / alone)
        });
        let (own, shared) = rounds.unzip();
        println!("{name:<30} {:.2} x, {:.2} x", median(own), median(shared));
    }
}

criterion_group!(benches, one_thread, two_threads);
criterion_main!(benches);
