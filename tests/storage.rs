//! What metadata costs in memory, counted by the allocator.

#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicIsize, Ordering};

use shardspec::model::{
    ChunkShardingSpec, CustomPlacement, EnumerableShardingSpec, Mesh, MeshCut, MeshLayout,
    MeshShardingSpec, Placement, Placements, RuleKind, ShardingDim, ShardingSpec, Shards,
    TensorProperties, TensorShape,
};

/// Bytes that are allocated and not freed.
static LIVE: AtomicIsize = AtomicIsize::new(0);

/// The most of them at any time, since a test set it.
static PEAK: AtomicIsize = AtomicIsize::new(0);

/// Counts bytes that were allocated more, or freed.
fn count(bytes: isize) {
    let before = LIVE.fetch_add(bytes, Ordering::Relaxed);
    PEAK.fetch_max(before + bytes, Ordering::Relaxed);
}

struct Counting;

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SHARDS: usize = 1_000_000;

/// Held by a test while it counts: there is one count for all of them.
static COUNTING: Mutex<()> = Mutex::new(());

/// Bytes that `make` leaves allocated, for each shard, and what it made.
fn bytes_a_shard<T>(make: impl FnOnce() -> T) -> (f64, T) {
    let before = LIVE.load(Ordering::Relaxed);
    let made = make();
    ((LIVE.load(Ordering::Relaxed) - before) as f64 / SHARDS as f64, made)
}

/// A placement of which all differ.
#[derive(Debug)]
struct Own;

impl CustomPlacement for Own {
    fn type_name(&self) -> &str {
        "test.own"
    }

    fn text(&self) -> &str {
        "somewhere"
    }

    fn equals(&self, _: &dyn CustomPlacement) -> bool {
        false
    }
}

fn row(index: usize, ndim: usize) -> impl Iterator<Item = i64> {
    (0..ndim).map(move |dim| if dim == 0 { index as i64 } else { 0 })
}

fn spec_of_rows(ndim: usize, placements: Placements) -> EnumerableShardingSpec {
    let offsets = (0..SHARDS).flat_map(|index| row(index, ndim)).collect();
    let shards = Shards::new(ndim, offsets, vec![1; SHARDS * ndim], placements).unwrap();
    EnumerableShardingSpec::new(shards).unwrap()
}

fn tensor(ndim: usize) -> Vec<i64> {
    let mut sizes = vec![1; ndim];
    sizes[0] = SHARDS as i64;
    sizes
}

/// One test, so that nothing else allocates meanwhile.
#[test]
fn a_million_shards_cost_their_numbers_and_32_bytes_each_and_are_stored_once() {
    let _alone = COUNTING.lock().unwrap();
    for ndim in [1, 2, 4] {
        let allowed = (2 * 8 * ndim + 32) as f64;
        let sizes = tensor(ndim);
        let on_few = (0..SHARDS).map(|index| Placement::on_rank(index as i64 % 64).unwrap());
        let (bytes, spec) = bytes_a_shard(|| spec_of_rows(ndim, Placements::new(on_few).unwrap()));
        assert!(bytes <= allowed, "{ndim}-D, 64 placements: {bytes} bytes a shard");
        // Metadata of an enumerable spec shares the spec's arrays.
        let (bytes, metadata) = bytes_a_shard(|| {
            spec.build_metadata(TensorShape::new(&sizes), TensorProperties::default()).unwrap()
        });
        assert!(bytes < 0.01, "{ndim}-D, metadata: {bytes} bytes a shard more");
        drop((spec, metadata));

        // Placements of the user's own cost no more, beyond what they are themselves.
        let own: Vec<Placement> = (0..64).map(|_| Placement::custom(Own).unwrap()).collect();
        let on_own = (0..SHARDS).map(|index| own[index % 64].clone());
        let (bytes, spec) = bytes_a_shard(|| spec_of_rows(ndim, Placements::new(on_own).unwrap()));
        assert!(bytes <= allowed, "{ndim}-D, placements of an own type: {bytes} bytes a shard");
        drop((spec, own));

        let on_many = (0..SHARDS).map(|index| Placement::on_rank(index as i64).unwrap());
        let (bytes, spec) = bytes_a_shard(|| spec_of_rows(ndim, Placements::new(on_many).unwrap()));
        assert!(bytes <= allowed, "{ndim}-D, a million placements: {bytes} bytes a shard");
        drop(spec);

        let placements = (0..SHARDS).map(|index| Placement::on_rank(index as i64 % 64).unwrap());
        let spec = ChunkShardingSpec::new(ShardingDim::Index(0), placements).unwrap();
        let (bytes, metadata) = bytes_a_shard(|| {
            spec.build_metadata(TensorShape::new(&sizes), TensorProperties::default()).unwrap()
        });
        assert!(bytes <= allowed, "{ndim}-D, chunks: {bytes} bytes a shard");
        drop(metadata);
    }
}

#[test]
fn a_million_shards_of_a_block_cyclic_grid_take_40_mib() {
    let _alone = COUNTING.lock().unwrap();
    let mesh = Mesh::new(&[("p", 1000), ("q", 1000)]).unwrap();
    let cyclic = || RuleKind::Cyclic { block: 64, first: 0 };
    let cuts =
        vec![MeshCut::new(0, "p", cyclic()).unwrap(), MeshCut::new(1, "q", cyclic()).unwrap()];
    let spec = MeshShardingSpec::new(mesh, MeshLayout { cuts, ..MeshLayout::default() }).unwrap();
    let shape = TensorShape::new(&[1 << 20, 1 << 20]);
    let build = || spec.build_metadata(shape, TensorProperties::default()).unwrap();
    // Offsets, sizes and the numbers of dim maps, of which rows and columns share a thousand.
    let (bytes, metadata) = bytes_a_shard(build);
    assert_eq!(metadata.shards().len(), SHARDS);
    assert!(bytes * SHARDS as f64 <= (40 << 20) as f64, "{bytes} bytes a shard");
}

#[test]
fn a_mesh_of_a_million_ranks_takes_28_bytes_each_also_while_it_is_made() {
    let _alone = COUNTING.lock().unwrap();
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let (bytes, mesh) = bytes_a_shard(|| Mesh::new(&[("p", 1000), ("q", 1000)]).unwrap());
    let peak = (PEAK.load(Ordering::Relaxed) - before) as f64 / SHARDS as f64;
    assert_eq!(mesh.device_count(), SHARDS);
    assert!(bytes < 28.1 && peak < 28.1, "{bytes} bytes a device, {peak} while it was made");
}
