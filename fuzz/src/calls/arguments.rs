//! Arguments of calls: memory that is as long as a function's comment asks for, with anything in it.

use std::ffi::{CStr, c_void};
use std::sync::OnceLock;

use shardspec::ffi::draw::shardspec_draw_options;
use shardspec::ffi::dtype::shardspec_dtype;
use shardspec::ffi::error::shardspec_error;
use shardspec::ffi::mesh_layout::{
    shardspec_cut, shardspec_mesh_layout, shardspec_pad, shardspec_partial, shardspec_segment,
};
use shardspec::ffi::properties::shardspec_tensor_properties;
use shardspec::ffi::shard_metadata::shardspec_shard_metadata;
use shardspec::ffi::tensor::shardspec_copy_options;
use shardspec::ffi::view::{shardspec_device, shardspec_tensor_view};

use super::{Function, Handles, Kind, Parameter};
use crate::random::Random;

/// What every word of an output is that was never written.
pub(super) const NEVER_WRITTEN: usize = 0xA5A5_A5A5_A5A5_A5A5;
/// Elements of an array whose length depends on an object, for each that a length counts.
const LONG: usize = 64;
/// Bytes between the starts of two tensors.
const SLOT: usize = 1 << 14;
/// Tensors of a call that have memory of their own.
const SLOTS: usize = 16;

/// Texts, each of which ends with a NUL.
const TEXTS: [&CStr; 24] = [
    c"rank:0/cpu",
    c"rank:1/cpu",
    c"rank:1/cuda:0",
    c"rank:2",
    c"cpu",
    c"trainer/cpu",
    c"",
    c"x",
    c"y",
    c"tp",
    c"rows",
    c"S(0)",
    c"S(1)R",
    c"_S(0, 2)",
    c"Partial(sum)",
    c"P('x')",
    c"P(None, 'y')",
    c"{replicated}",
    c"{devices=[2,1]<=[2]}",
    c"sharding<@mesh, [{\"x\"}, {}]>",
    c"float32",
    c"int4",
    c"\xff\xfe",
    c"trainer",
];
const NUMBERS: [i64; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, -1, -2, 31, 33, i64::MAX, i64::MIN, 1 << 40];

/// The memory of one call.
pub(super) struct Arguments {
    blocks: Vec<Box<[u64]>>,
    /// The outputs, by their blocks.
    outputs: Vec<usize>,
    error: Option<Box<shardspec_error>>,
    /// The views that were made.
    tensors: usize,
}

impl Arguments {
    pub(super) fn new() -> Self {
        Self { blocks: Vec::new(), outputs: Vec::new(), error: None, tensors: 0 }
    }

    /// Memory with some values: its address.
    fn keep<T: Copy>(&mut self, values: &[T]) -> usize {
        let bytes = size_of_val(values);
        let mut block = vec![0u64; bytes.div_ceil(8)].into_boxed_slice();
        // SAFETY: `block` is new and has at least the `bytes` that `values` has, and `T` is copied as bytes.
        unsafe {
            block.as_mut_ptr().cast::<u8>().copy_from(values.as_ptr().cast(), bytes);
        }
        let address = block.as_mut_ptr() as usize;
        self.blocks.push(block);
        address
    }

    /// Values for all arguments.
    pub(super) fn make(
        &mut self, function: &Function, handles: &Handles, random: &mut Random,
    ) -> Vec<usize> {
        let parameters = function.parameters;
        let mut values = vec![0; parameters.len()];
        for (value, parameter) in values.iter_mut().zip(parameters) {
            match parameter.kind {
                Kind::Value if parameter.is_length => {
                    *value = random.of_list(&[0, 1, 2, 2, 3, 4, 6])
                }
                Kind::Value => *value = number(random) as usize,
                _ => {}
            }
        }
        for (number, parameter) in parameters.iter().enumerate() {
            if parameter.kind != Kind::Value {
                let count: usize = parameter.lengths.iter().map(|&length| values[length]).product();
                values[number] = self.pointer(parameter, count, handles, random);
            }
        }
        values
    }

    /// An argument that is a pointer, to so many elements if it is an array.
    fn pointer(
        &mut self, parameter: &Parameter, count: usize, handles: &Handles, random: &mut Random,
    ) -> usize {
        if let Kind::Handle(kind) = parameter.kind {
            return handles.any(kind, random);
        }
        if random.one_in(24) {
            return 0;
        }
        let is_array = !parameter.lengths.is_empty();
        let count = match (is_array, parameter.is_long) {
            (_, true) => count.max(1) * LONG,
            (true, false) => count,
            (false, false) => 1,
        };
        match parameter.kind {
            Kind::Handle(_) | Kind::Value => 0,
            Kind::Handles(kind) => {
                let all: Vec<usize> = (0..count).map(|_| handles.any(kind, random)).collect();
                self.keep(&all)
            }
            Kind::NewHandle(_) => self.new_output(1, 8),
            Kind::Output(bytes) => self.new_output(count, bytes),
            Kind::Text => text(random),
            Kind::Texts => {
                let all: Vec<usize> = (0..count).map(|_| text(random)).collect();
                self.keep(&all)
            }
            Kind::Input(1) => {
                let all: Vec<u8> = (0..count).map(|_| random.below(256) as u8).collect();
                self.keep(&all)
            }
            Kind::Input(4) => {
                let all: Vec<u32> = (0..count).map(|_| number(random) as u32).collect();
                self.keep(&all)
            }
            Kind::Input(_) => {
                let all: Vec<i64> = (0..count).map(|_| number(random)).collect();
                self.keep(&all)
            }
            Kind::Views => {
                let all: Vec<_> = (0..count).map(|_| self.view(random)).collect();
                self.keep(&all)
            }
            Kind::Dtype => self.keep(&[dtype(random)]),
            Kind::Properties => {
                let small = |random: &mut Random| random.of_list(&[0, 0, 0, 1, 2, -1, 9]);
                self.keep(&[shardspec_tensor_properties {
                    struct_size: struct_size::<shardspec_tensor_properties>(random),
                    dtype: dtype(random),
                    layout: small(random),
                    memory_format: small(random),
                    requires_grad: small(random),
                    pin_memory: small(random),
                    reserved: 0,
                }])
            }
            Kind::CopyOptions => self.keep(&[shardspec_copy_options {
                struct_size: struct_size::<shardspec_copy_options>(random),
                max_threads: random.of_list(&[0, 1, 1, 2]),
                hints: random.of_list(&[0, 0, 1, 2, 4, 5, 3, 8]),
            }]),
            Kind::DrawOptions => self.draw_options(random),
            Kind::Cuts => {
                let all: Vec<_> = (0..count).map(|_| self.cut(random)).collect();
                self.keep(&all)
            }
            Kind::MeshLayout => self.mesh_layout(random),
            Kind::Partials => {
                let all: Vec<_> = (0..count).map(|_| partial(random)).collect();
                self.keep(&all)
            }
            Kind::ShardMetadatas => {
                let all: Vec<_> = (0..count).map(|_| self.shard_metadata(random)).collect();
                self.keep(&all)
            }
            Kind::Stretches => {
                let all: Vec<i64> = (0..6 * count).map(|_| number(random)).collect();
                self.keep(&all)
            }
            Kind::Error => {
                // SAFETY: zeros are a `shardspec_error`: all its fields are numbers, and the message is empty.
                let mut error: Box<shardspec_error> = Box::new(unsafe { std::mem::zeroed() });
                error.struct_size = size_of::<shardspec_error>() as u64;
                let address = &raw mut *error as usize;
                self.error = Some(error);
                address
            }
        }
    }

    fn new_output(&mut self, count: usize, bytes: usize) -> usize {
        let address = self.keep(&vec![NEVER_WRITTEN; (count * bytes).div_ceil(8)]);
        self.outputs.push(self.blocks.len() - 1);
        address
    }

    /// The first word of an output.
    pub(super) fn output(&self, address: usize) -> usize {
        let block = self.blocks.iter().find(|block| block.as_ptr() as usize == address);
        block.map_or(0, |block| block[0] as usize)
    }

    /// A call that failed has written nothing.
    pub(super) fn check_untouched(&self, name: &str) {
        for &output in &self.outputs {
            let is_untouched =
                self.blocks[output].iter().all(|word| *word as usize == NEVER_WRITTEN);
            assert!(is_untouched, "{name} failed and has written an output");
        }
    }

    /// A call that failed has filled its error.
    pub(super) fn check_error(&self, name: &str, status: i32) {
        let Some(error) = &self.error else { return };
        assert_eq!(error.status, status, "{name}");
        let bytes: Vec<u8> = error.message.iter().map(|&letter| letter as u8).collect();
        let message = CStr::from_bytes_until_nul(&bytes).expect("a message ends with a NUL");
        let message = message.to_str().expect("a message is UTF-8");
        assert!(!message.is_empty(), "{name}: no message");
    }

    /// A tensor of a few elements, all of which are in memory, or none of which are looked at.
    fn view(&mut self, random: &mut Random) -> shardspec_tensor_view {
        let ndim = random.of_list(&[0, 1, 1, 2, 2, 3, -1, 33]);
        let count = usize::try_from(ndim).unwrap_or(0);
        let shape: Vec<i64> = (0..count).map(|_| random.of_list(&[0, 1, 2, 3, 4, 4, 6])).collect();
        let strides: Vec<i64> = (0..count).map(|_| random.range(-9, 10)).collect();
        // More dimensions than there may be are refused before anything is read.
        let has_memory = count <= 3;
        let strides = if random.one_in(2) { 0 } else { self.keep(&strides) };
        let slot = if random.one_in(12) { 0 } else { self.tensors % SLOTS };
        self.tensors += 1;
        let middle = slot * SLOT + SLOT / 2 + random.below(16);
        let data = if random.one_in(32) { 0 } else { memory() + middle };
        let device_type = random.of_list(&[1, 1, 1, 1, 1, 1, 1, 3, 2, 0]);
        shardspec_tensor_view {
            data: if has_memory { data as *mut c_void } else { std::ptr::null_mut() },
            device: shardspec_device { device_type, device_id: 0 },
            ndim,
            dtype: dtype(random),
            shape: if random.one_in(48) { 0 } else { self.keep(&shape) } as *mut i64,
            strides: strides as *mut i64,
            byte_offset: random.of_list(&[0, 0, 0, 1, 64]),
        }
    }

    fn draw_options(&mut self, random: &mut Random) -> usize {
        let (axis_count, window_ndim) = (random.below(4), random.of_list(&[0, 0, 1, 2, 3]));
        let numbers = |random: &mut Random| (0..4).map(|_| number(random)).collect::<Vec<i64>>();
        let [axes, offsets, sizes] = [(); 3].map(|()| {
            let values = numbers(random);
            self.keep(&values)
        });
        self.keep(&[shardspec_draw_options {
            struct_size: struct_size::<shardspec_draw_options>(random),
            format: random.of_list(&[0, 0, 1, 1, 2]),
            theme: random.of_list(&[0, 1, 2, 3]),
            color: random.of_list(&[0, 1, 2]),
            ascii: random.of_list(&[0, 1, 2]),
            width: random.of_list(&[0, 40, 80, 400, 39, 401]),
            axes: axes as *const usize,
            axis_count,
            window_offsets: offsets as *const i64,
            window_sizes: sizes as *const i64,
            window_ndim,
        }])
    }

    fn values(&mut self, random: &mut Random) -> (*const i64, usize) {
        let values: Vec<i64> = (0..random.below(4)).map(|_| number(random)).collect();
        (self.keep(&values) as *const i64, values.len())
    }

    fn cut(&mut self, random: &mut Random) -> shardspec_cut {
        let segments: Vec<shardspec_segment> = (0..random.of_list(&[0, 0, 0, 1, 2]))
            .map(|_| {
                let (values, value_count) = self.values(random);
                shardspec_segment {
                    struct_size: struct_size::<shardspec_segment>(random),
                    size: number(random),
                    rule: random.below(7) as i32,
                    even: random.of_list(&[0, 0, 1, 2]),
                    granule: random.of_list(&[0, 1, 1, 2, -1]),
                    repeat: random.of_list(&[0, 1, 1, 2, -1]),
                    block: random.of_list(&[0, 1, 2, 3]),
                    first: random.of_list(&[0, 0, 1, -1]),
                    values,
                    value_count,
                }
            })
            .collect();
        let (values, value_count) = self.values(random);
        shardspec_cut {
            struct_size: struct_size::<shardspec_cut>(random),
            dim: random.of_list(&[0, 0, 1, 2, -1, 5]),
            dim_name: if random.one_in(8) { text(random) } else { 0 } as *const _,
            axis: text(random) as *const _,
            rule: random.of_list(&[1, 1, 2, 3, 4, 5, 5, 0, 6]),
            even: random.of_list(&[0, 0, 1, 2]),
            granule: random.of_list(&[0, 1, 1, 2, -1]),
            repeat: random.of_list(&[0, 1, 1, 2, -1]),
            block: random.of_list(&[0, 1, 2, 3]),
            first: random.of_list(&[0, 0, 1, -1]),
            values,
            value_count,
            segments: self.keep(&segments) as *const _,
            segment_count: segments.len(),
        }
    }

    fn mesh_layout(&mut self, random: &mut Random) -> usize {
        let cuts: Vec<_> = (0..random.below(3)).map(|_| self.cut(random)).collect();
        let pads: Vec<_> = (0..random.of_list(&[0, 0, 1])).map(|_| pad(random)).collect();
        let partials: Vec<_> = (0..random.of_list(&[0, 0, 1])).map(|_| partial(random)).collect();
        let layout = shardspec_mesh_layout {
            struct_size: struct_size::<shardspec_mesh_layout>(random),
            cuts: self.keep(&cuts) as *const _,
            cut_count: cuts.len(),
            pads: self.keep(&pads) as *const _,
            pad_count: pads.len(),
            partials: self.keep(&partials) as *const _,
            partial_count: partials.len(),
            flatten_first: random.of_list(&[0, 0, 1, -1]),
            flatten_count: random.of_list(&[0, 0, 2, 3, 40]),
        };
        self.keep(&[layout])
    }

    fn shard_metadata(&mut self, random: &mut Random) -> shardspec_shard_metadata {
        let ndim = random.of_list(&[1, 2, 2, 2, 3, 33]);
        let [offsets, sizes] = [(); 2].map(|()| {
            let values: Vec<i64> = (0..ndim).map(|_| number(random)).collect();
            self.keep(&values) as *const i64
        });
        let placement = if random.one_in(4) { 0 } else { text(random) } as *const _;
        shardspec_shard_metadata { ndim, offsets, sizes, placement }
    }
}

/// A number, mostly a small one.
fn number(random: &mut Random) -> i64 {
    if random.one_in(4) { random.of_list(&NUMBERS) } else { random.range(0, 7) }
}

fn text(random: &mut Random) -> usize {
    random.of_list(&TEXTS).as_ptr() as usize
}

fn dtype(random: &mut Random) -> shardspec_dtype {
    let (code, bits, lanes) = random.of_list(&[
        (2, 32, 1),
        (2, 32, 1),
        (2, 32, 1),
        (0, 8, 1),
        (2, 64, 1),
        (0, 4, 1),
        (6, 8, 1),
        (0, 0, 0),
        (0, 8, 0),
        (9, 7, 3),
        (255, 1, 1),
    ]);
    shardspec_dtype { code, bits, lanes }
}

/// A size of a struct that is not larger than the struct.
fn struct_size<T>(random: &mut Random) -> u64 {
    let size = size_of::<T>() as u64;
    random.of_list(&[size, size, size, size, size, size, size, 0, 8, size - 1])
}

fn pad(random: &mut Random) -> shardspec_pad {
    shardspec_pad {
        struct_size: struct_size::<shardspec_pad>(random),
        dim: random.of_list(&[0, 1, -1, 5]),
        dim_name: std::ptr::null(),
        size: random.of_list(&[0, 0, 8, -1, 12]),
        multiple: random.of_list(&[0, 4, 8, -1]),
    }
}

fn partial(random: &mut Random) -> shardspec_partial {
    shardspec_partial {
        struct_size: struct_size::<shardspec_partial>(random),
        axis: text(random) as *const _,
        reduction: random.below(10) as i32,
        reserved: random.of_list(&[0, 0, 0, 1]),
    }
}

/// Memory of tensors. Shards keep using it, so it lives as long as the process.
fn memory() -> usize {
    static MEMORY: OnceLock<usize> = OnceLock::new();
    *MEMORY
        .get_or_init(|| Box::leak(vec![0u8; SLOT * SLOTS].into_boxed_slice()).as_mut_ptr() as usize)
}
