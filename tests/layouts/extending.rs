//! Specs and placements of a Rust user's own: the traits are all that the rest of the crate asks for.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

use ndarray::{RawArrayView, arr2};
use shardspec::model::spec::{BUILT_IN_TYPE_NAMES, check_own_type_name};
use shardspec::model::{
    ChunkShardingSpec, CustomPlacement, Error, Placement, Placements, Result,
    ShardedTensorMetadata, ShardingDim, ShardingSpec, Shards, TensorProperties, TensorShape,
};
use shardspec::transfer::{CopyOptions, Extraction, HostView, Sharder};

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
impl Sharder for SplitAt {
    unsafe fn shard(&self, extraction: &Extraction<'_>) -> Result<()> {
        let (first, index) = (extraction.shard().first().cast::<f32>(), extraction.index());
        // SAFETY: the shard is row-major and has at least one element.
        unsafe { first.write(index as f32) };
        Ok(())
    }
}

/// A shelf in a rack, of which only the rack matters.
#[derive(Debug)]
struct Rack {
    number: u64,
    text: String,
    rank: Option<i64>,
}

impl CustomPlacement for Rack {
    fn type_name(&self) -> &str {
        "test.rack"
    }

    fn text(&self) -> &str {
        &self.text
    }

    fn rank(&self) -> Option<i64> {
        self.rank
    }

    fn equals(&self, other: &dyn CustomPlacement) -> bool {
        other.downcast_ref().is_some_and(|other: &Self| other.number == self.number)
    }

    fn hash_value(&self) -> u64 {
        self.number
    }
}

fn rack(number: u64, shelf: u64) -> Placement {
    let text = format!("rack {number}, shelf {shelf}");
    Placement::custom(Rack { number, text, rank: Some(number.cast_signed()) }).unwrap()
}

/// A place that is what it is called.
#[derive(Debug)]
struct Called(&'static str, &'static str);

impl CustomPlacement for Called {
    fn type_name(&self) -> &str {
        self.0
    }

    fn text(&self) -> &str {
        self.1
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
    let cut = |spec: &dyn Sharder| {
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
    for name in BUILT_IN_TYPE_NAMES.iter().copied().chain([""]) {
        let refused = check_own_type_name(name).unwrap_err();
        assert!(matches!(refused, Error::InvalidArgument { argument: "type_name", .. }), "{name}");
    }
}

#[test]
fn equal_placements_are_stored_once_whatever_their_types() {
    let of_shard = |shard: u64| match shard % 3 {
        0 => rack(shard % 2, shard),
        1 => Placement::custom(Called("test.called", "rank:0/cpu")).unwrap(),
        _ => Placement::on_rank(0).unwrap(),
    };
    let placements = Placements::new((0..60).map(of_shard)).unwrap();
    let texts: Vec<String> = placements.distinct().iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["rack 0, shelf 0", "rank:0/cpu", "rank:0/cpu", "rack 1, shelf 3"]);
    let again = Placements::new((0..60).map(|shard| of_shard(shard + 60))).unwrap();
    assert_eq!(placements, again);
    let reordered = Placements::new((1..61).map(of_shard)).unwrap();
    assert_ne!(placements, reordered);
    let indices: Vec<u32> = (0..60).collect();
    let table: Vec<Placement> = (0..60).map(of_shard).collect();
    assert_eq!(placements, Placements::from_table(&table, &indices).unwrap());
}

#[test]
fn a_placement_of_ones_own_tells_its_type_and_its_rank_and_no_device() {
    let own = rack(7, 1);
    assert_eq!((own.type_name(), own.rank(), own.worker_name()), ("test.rack", Some(7), None));
    assert!(own.device().is_none());
    assert_eq!(own.as_custom().unwrap().downcast_ref::<Rack>().unwrap().number, 7);
    let device = Placement::on_rank(7).unwrap();
    assert_eq!(device.type_name(), Placement::TYPE_NAME);
    assert!(device.as_custom().is_none());
    assert!(own.same_owner(&device) && !own.same_owner(&Placement::on_rank(6).unwrap()));
    let nowhere = Placement::custom(Called("test.called", "nowhere")).unwrap();
    assert!(!nowhere.same_owner(&own) && nowhere.same_owner(&nowhere.clone()));
    assert_ne!(own, device);
}

#[test]
fn a_placement_needs_a_type_of_its_own_a_text_and_no_negative_rank() {
    for (type_name, text) in [("", "here"), ("device", "here"), ("test.called", "")] {
        assert!(Placement::custom(Called(type_name, text)).is_err(), "{type_name:?} {text:?}");
    }
    let rack = Rack { number: 1, text: "rack 1".into(), rank: Some(-1) };
    let refused = Placement::custom(rack).unwrap_err();
    assert!(matches!(refused, Error::TooSmall { argument: "rank", value: -1, .. }), "{refused}");
}
