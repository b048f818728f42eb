//! Specs of a Rust user's own: the trait is all that the rest of the crate asks for.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

use ndarray::{RawArrayView, arr2};
use shardspec::copy::{CopyOptions, Cut, Extraction, HostView};
use shardspec::core::spec::{BUILT_IN_TYPE_NAMES, check_own_type_name};
use shardspec::core::{
    ChunkShardingSpec, Error, Placement, Placements, Result, ShardedTensorMetadata, ShardingDim,
    ShardingSpec, Shards, TensorProperties, TensorShape,
};

/// Splits the rows at one place, as a fraction of them.
#[derive(Debug, PartialEq)]
struct SplitAt {
    tenths: i64,
}

impl ShardingSpec for SplitAt {
    fn type_name(&self) -> &str {
        "test.split"
    }

    fn build_metadata(
        &self, shape: TensorShape<'_>, properties: TensorProperties,
    ) -> Result<ShardedTensorMetadata> {
        let (rows, columns) = (shape.sizes[0], shape.sizes[1]);
        let at = rows * self.tenths / 10;
        let placements = Placements::new((0..2).map(|rank| Placement::on_rank(rank).unwrap()))?;
        let sizes = vec![at, columns, rows - at, columns];
        let shards = Shards::new(2, vec![0, 0, at, 0], sizes, placements)?;
        ShardedTensorMetadata::new(shards, shape.sizes, properties)
    }

    fn equals(&self, other: &dyn ShardingSpec) -> bool {
        other.downcast_ref() == Some(self)
    }

    fn hash_value(&self) -> u64 {
        self.tenths.unsigned_abs()
    }
}

/// Fills a shard with its index.
impl Cut for SplitAt {
    unsafe fn shard(&self, extraction: &Extraction<'_>) -> Result<()> {
        let (first, index) = (extraction.shard().first().cast::<f32>(), extraction.index());
        // SAFETY: the shard is row-major and has at least one element.
        unsafe { first.write(index as f32) };
        Ok(())
    }
}

fn build(spec: &dyn ShardingSpec) -> ShardedTensorMetadata {
    spec.build_metadata(TensorShape::new(&[5, 2]), TensorProperties::default()).unwrap()
}

fn chunks() -> ChunkShardingSpec {
    let placements = (0..2).map(|rank| Placement::on_rank(rank).unwrap());
    ChunkShardingSpec::new(ShardingDim::Index(0), placements).unwrap()
}

#[test]
fn nothing_after_the_metadata_knows_which_spec_made_it() {
    assert_eq!(build(&SplitAt { tenths: 6 }), build(&chunks()));
    assert_ne!(build(&SplitAt { tenths: 3 }), build(&chunks()));
}

#[test]
fn a_spec_that_decides_by_the_tensor_has_no_placements_before() {
    let specs: [&dyn ShardingSpec; 2] = [&SplitAt { tenths: 6 }, &chunks()];
    assert!(specs[0].placements().is_none());
    assert_eq!(specs[1].placements().map(Placements::len), Some(2));
    assert!(!specs[0].equals(specs[1]) && !specs[1].equals(specs[0]));
}

#[test]
fn cutting_by_a_spec_copies_boxes_unless_the_spec_fills_shards_itself() {
    let full = arr2(&[[1_f32, 2.], [3., 4.], [5., 6.], [7., 8.], [9., 10.]]);
    let full: HostView = RawArrayView::from(full.raw_view()).try_into().unwrap();
    let cut = |spec: &dyn Cut| {
        let mut shard = arr2(&[[0_f32; 2]; 2]);
        let view: HostView = shard.raw_view_mut().raw_view().try_into().unwrap();
        let (metadata, options) = (build(spec), CopyOptions::default());
        let extraction = Extraction::new(&metadata, 1, &full, &view, &options).unwrap();
        // SAFETY: both arrays live, and nobody else uses them.
        unsafe { spec.shard(&extraction) }.unwrap();
        shard
    };
    assert_eq!(cut(&chunks()), arr2(&[[7., 8.], [9., 10.]]));
    assert_eq!(cut(&SplitAt { tenths: 6 }), arr2(&[[1., 0.], [0., 0.]]));
}

#[test]
fn a_type_of_ones_own_has_a_name_of_its_own() {
    assert_eq!(check_own_type_name("test.split"), Ok(()));
    for name in BUILT_IN_TYPE_NAMES.into_iter().chain([""]) {
        let refused = check_own_type_name(name).unwrap_err();
        assert!(matches!(refused, Error::InvalidArgument { argument: "type_name", .. }), "{name}");
    }
}
