//! How much stack questions about many boxes need, and plans. The library is optimised here, as it is for users.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use shardspec::model::{ShardedTensorMetadata, TensorProperties, validate};
use shardspec::plan::{Relabelling, ReshardPlan};

use crate::common::Boxes;
use crate::common::families::Cut;
use crate::common::hard::{FAMILIES, family, slabs};

#[test]
fn a_stack_of_64_kib_is_enough() {
    let ask = || {
        for name in FAMILIES {
            let Cut { sizes, boxes } = family(name, 6000);
            let shards = boxes.shards();
            let index = shards.boxes().index().unwrap();
            let mut found = Vec::new();
            for shard in shards.iter().step_by(101) {
                assert!(index.owner(shard.offsets).is_some());
                index.find_box(shard.offsets, shard.sizes, &mut found).unwrap();
            }
            let _ = validate::check_non_overlapping(&shards);
            validate::overlaps(&shards, 10).unwrap();
            validate::gaps(&shards, &sizes, 10).unwrap();
            let _ = ShardedTensorMetadata::new(shards.clone(), &sizes, TensorProperties::default());
            let first = shards.get(0).unwrap();
            let wanted = Boxes::of(sizes.len(), &[(first.offsets, first.sizes)]).shards();
            ReshardPlan::from_shards(shards.clone(), wanted).unwrap();
        }
        let crossing = slabs(16).boxes.shards();
        let plan = ReshardPlan::from_shards(crossing.clone(), crossing).unwrap();
        plan.runs(0..plan.len(), 4).unwrap();
        drop(plan.routes().unwrap());
        Relabelling::of(&plan).unwrap();
    };
    let thread = std::thread::Builder::new().stack_size(64 << 10).spawn(ask).unwrap();
    thread.join().unwrap();
}
