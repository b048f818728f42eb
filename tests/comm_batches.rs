//! Batches of tensors with equal layouts, and what is in their messages.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests: an overflow or a bad index is a failure, and buffers are made to fit"
)]

use std::alloc::{GlobalAlloc, Layout, System};

use shardspec::comm::{
    BatchTensor, Communicator, Incoming, KnownMoves, LocalCommunicator, Options, Outgoing,
    TensorLayouts, TensorShards, local, transfer,
};
use shardspec::memory::{Shared, Text};
use shardspec::model::{
    ChunkShardingSpec, DataType, Error, Placement, Result, ShardedTensorMetadata, ShardingDim,
    ShardingSpec, TensorProperties, TensorShape,
};
use shardspec::transfer::{HostView, LocalShards};

mod common;

use common::Random;
use common::ranks::on_each;

/// Memory that was not initialised has no zeros here.
struct Dirty;

unsafe impl GlobalAlloc for Dirty {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let memory = unsafe { System.alloc(layout) };
        if !memory.is_null() {
            unsafe { memory.write_bytes(0xff, layout.size()) };
        }
        memory
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) };
    }
}

#[global_allocator]
static DIRTY: Dirty = Dirty;

/// `count` chunks of a dimension, dealt to the ranks in turn.
fn chunks(sizes: &[i64], dim: i64, count: usize, ranks: usize) -> ShardedTensorMetadata {
    let owners = (0..count).map(|chunk| Placement::on_rank((chunk % ranks) as i64).unwrap());
    let owners: Vec<_> = owners.collect();
    let spec = ChunkShardingSpec::new(ShardingDim::from(dim), owners.into_iter()).unwrap();
    spec.build_metadata(TensorShape::new(sizes), TensorProperties::default()).unwrap()
}

/// The shards of one rank of a matrix of int32, row-major or column-major.
struct Held {
    views: Vec<(usize, HostView)>,
    data: Vec<Vec<i32>>,
    column_major: bool,
}

impl Held {
    fn new(metadata: &ShardedTensorMetadata, rank: usize, column_major: bool) -> Self {
        let int32 = DataType { code: 0, bits: 32, lanes: 1 };
        let (mut views, mut data) = (Vec::new(), Vec::new());
        for index in metadata.shards_of_rank(rank as i64) {
            let sizes = metadata.shards().get(index).unwrap().sizes;
            let mut own = vec![-1; (sizes[0] * sizes[1]) as usize + 1];
            let strides = column_major.then(|| [1, sizes[0]]);
            let strides = strides.as_ref().map(|strides| &strides[..]);
            let first = own.as_mut_ptr().cast();
            views.push((index, HostView::new("shard", first, int32, sizes, strides).unwrap()));
            data.push(own);
        }
        Self { views, data, column_major }
    }

    fn shards(&self, metadata: &ShardedTensorMetadata) -> Shared<LocalShards> {
        let views = self.views.iter().map(|(index, view)| (*index, view));
        Shared::try_new(LocalShards::new(metadata, views).unwrap()).unwrap()
    }

    /// Calls `each` with the row and the column of each element in the tensor.
    fn each(&mut self, metadata: &ShardedTensorMetadata, mut each: impl FnMut(i64, i64, &mut i32)) {
        for ((index, _), data) in self.views.iter().zip(&mut self.data) {
            let shard = metadata.shards().get(*index).unwrap();
            let (rows, columns) = (shard.sizes[0], shard.sizes[1]);
            for row in 0..rows {
                for column in 0..columns {
                    let at = if self.column_major {
                        row + column * rows
                    } else {
                        row * columns + column
                    };
                    each(shard.offsets[0] + row, shard.offsets[1] + column, &mut data[at as usize]);
                }
            }
        }
    }
}

fn text(text: &str) -> Shared<Text> {
    Shared::try_new(Text::copy(text)).unwrap()
}

#[test]
fn tensors_with_equal_layouts_arrive_whatever_their_strides_are() {
    const RANKS: usize = 3;
    // Kinds of sizes, source and destination: shards for each rank, none, and several.
    type Kind = ([i64; 2], [(i64, usize); 2]);
    let kinds: [Kind; 4] = [
        ([6, 9], [(0, 3), (1, 3)]),
        ([7, 4], [(1, 2), (0, 7)]),
        ([5, 8], [(0, 5), (0, 2)]),
        ([3, 3], [(0, 3), (0, 3)]),
    ];
    for seed in 0..20 {
        let sent = on_each(local(RANKS).unwrap(), |comm| {
            let mut random = Random::new(seed);
            let mut known = KnownMoves::default();
            let (mut tensors, mut held) = (Vec::new(), Vec::new());
            for number in 0..40 {
                let (sizes, cuts) = kinds[random.below(kinds.len())];
                let [source, destination] =
                    cuts.map(|(dim, count)| chunks(&sizes, dim, count, RANKS));
                let orders = [random.below(4) == 0, random.below(4) == 0];
                let mut from = Held::new(&source, comm.rank(), orders[0]);
                let to = Held::new(&destination, comm.rank(), orders[1]);
                from.each(&source, |row, column, place| {
                    *place = number * 1000 + (row * 10 + column) as i32
                });
                let layouts = TensorLayouts::Pair {
                    source: source.clone(),
                    destination: destination.clone(),
                };
                tensors.push(BatchTensor {
                    tag: text(&format!("{number}")),
                    moves: known.of(&comm, layouts).unwrap(),
                    dtype: Some(DataType { code: 0, bits: 32, lanes: 1 }),
                    shards: TensorShards {
                        source: from.shards(&source),
                        destination: to.shards(&destination),
                    },
                });
                held.push((from, to, destination, number));
            }
            unsafe { transfer::<Error>(&comm, &tensors, Options::default()) }.unwrap();
            for (_, to, destination, number) in &mut held {
                to.each(destination, |row, column, place| {
                    assert_eq!(*place, *number * 1000 + (row * 10 + column) as i32);
                });
            }
            // Equal layouts share what is planned.
            let distinct: std::collections::BTreeSet<_> =
                tensors.iter().map(|tensor| std::ptr::from_ref(&*tensor.moves).addr()).collect();
            distinct.len()
        });
        assert!(sent.iter().all(|&distinct| distinct <= kinds.len()), "{sent:?}");
    }
}

/// Looks at the messages that are no agreement.
struct Tapped(LocalCommunicator);

impl Communicator for Tapped {
    fn rank(&self) -> usize {
        self.0.rank()
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    unsafe fn exchange(&self, sends: &[Outgoing], receives: &[Incoming]) -> Result<()> {
        for sent in sends.iter().filter(|sent| sent.bytes != 1024) {
            // Two pieces of 12 bits, each in two bytes.
            let bytes = unsafe { std::slice::from_raw_parts(sent.pointer, sent.bytes) };
            assert_eq!(bytes.len(), 4);
            assert_eq!([bytes[1] >> 4, bytes[3] >> 4], [0, 0], "{bytes:x?}");
        }
        unsafe { self.0.exchange(sends, receives) }
    }
}

#[test]
fn messages_of_packed_elements_have_no_bit_that_was_not_written() {
    let int4 = DataType { code: 0, bits: 4, lanes: 1 };
    let comms = local(2).unwrap().into_iter().map(Tapped).collect();
    on_each(comms, |comm: Tapped| {
        let (rows, columns) = (chunks(&[2, 6], 0, 2, 2), chunks(&[2, 6], 1, 2, 2));
        let (mut row, mut column) = ([0x21u8, 0x43, 0x65], [[0u8; 3]; 2]);
        let (from, to) = (row.as_mut_ptr(), column.each_mut().map(|one| one.as_mut_ptr()));
        let mut known = KnownMoves::default();
        let tensor = |number: usize, known: &mut KnownMoves| {
            let view = |first: *mut u8, sizes: [i64; 2]| {
                HostView::new("shard", first, int4, &sizes, None).unwrap()
            };
            let local = |metadata, view: &HostView| {
                let shards = LocalShards::new(metadata, [(comm.rank(), view)]).unwrap();
                Shared::try_new(shards).unwrap()
            };
            let layouts =
                TensorLayouts::Pair { source: rows.clone(), destination: columns.clone() };
            BatchTensor {
                tag: text(""),
                moves: known.of(&comm, layouts).unwrap(),
                dtype: None,
                shards: TensorShards {
                    source: local(&rows, &view(from, [1, 6])),
                    destination: local(&columns, &view(to[number], [2, 3])),
                },
            }
        };
        let tensors = [tensor(0, &mut known), tensor(1, &mut known)];
        unsafe { transfer::<Error>(&comm, &tensors, Options::default()) }.unwrap();
        // Elements 0 to 2 or 3 to 5 of both rows.
        let wanted = if comm.rank() == 0 { [0x21, 0x13, 0x32] } else { [0x54, 0x46, 0x65] };
        assert_eq!(to.map(|first| unsafe { first.cast::<[u8; 3]>().read() }), [wanted; 2]);
    });
}
