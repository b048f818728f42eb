use super::*;
use crate::error::status::*;
use crate::model::{Mesh, PartialAxis, Placement, Placements, Reduction, Shards, TensorProperties};
use crate::transfer::tests::{local, status, with_holes};

const INT4: DataType = DataType { code: 0, bits: 4, lanes: 1 };
const BYTE: DataType = DataType { code: 1, bits: 8, lanes: 1 };

/// A tensor of these sizes, each on both of two ranks.
fn twice(sizes: &[i64]) -> ShardedTensorMetadata {
    let ranks = (0..2).map(|rank| Placement::on_rank(rank).unwrap());
    let placements = Placements::new(ranks).unwrap();
    let shards = Shards::new(sizes.len(), vec![0; 2 * sizes.len()], sizes.repeat(2), placements);
    let properties = TensorProperties::default();
    ShardedTensorMetadata::with_replicas(shards.unwrap(), sizes, properties).unwrap()
}

/// Both digests are refused with this status, before anything is read.
fn assert_refused(metadata: &ShardedTensorMetadata, shards: &LocalShards, expected: i32) {
    let options = CopyOptions::default();
    // SAFETY: no shard is read, because both calls are refused.
    let said = unsafe {
        [
            status(digest(metadata, shards, &options)),
            status(shard_digests(metadata, shards, &options)),
        ]
    };
    assert_eq!(said, [expected; 2]);
}

#[test]
fn shards_that_are_not_those_of_the_metadata_have_no_digest() {
    let metadata = twice(&[2, 3]);
    assert_refused(&metadata, &local(&twice(&[3, 2]), BYTE, &[0]), SHARDSPEC_INVALID_ARGUMENT);
    let typed = metadata.with_dtype(DataType::FLOAT32);
    assert_refused(&typed, &local(&metadata, BYTE, &[0]), SHARDSPEC_DTYPE_MISMATCH);
    let partial = [PartialAxis { axis: "tp".into(), reduction: Reduction::Sum }];
    let partial = metadata.on_mesh(&Mesh::new(&[("tp", 2)]).unwrap(), &partial).unwrap();
    assert_refused(&partial, &local(&partial, BYTE, &[0]), SHARDSPEC_PARTIAL);
}

#[test]
fn rows_that_begin_inside_of_a_byte_have_no_digest() {
    let metadata = twice(&[2, 4]);
    let first = std::ptr::without_provenance_mut(4096);
    let view = HostView::new("view", first, INT4, &[2, 4], Some(&[5, 1])).unwrap();
    // Of two replicas, each is read for a part of the elements.
    let shards = LocalShards::new(&metadata, [(0, &view), (1, &view)]).unwrap();
    assert_refused(&metadata, &shards, SHARDSPEC_UNSUPPORTED);
}

#[test]
fn holes_of_several_dimensions_count_as_zeros() {
    let (with_holes, whole) = (with_holes(), twice(&[5, 5]));
    let mut memory: Vec<u8> = (1..26).collect();
    let digest_of = |metadata: &ShardedTensorMetadata, memory: &mut [u8]| {
        let view = HostView::new("view", memory.as_mut_ptr(), BYTE, &[5, 5], None).unwrap();
        let shards = LocalShards::new(metadata, [(0, &view)]).unwrap();
        // SAFETY: `memory` is alive, and nothing writes it meanwhile.
        unsafe { shard_digests(metadata, &shards, &CopyOptions::default()) }.unwrap()
    };
    let found = digest_of(&with_holes, &mut memory);
    for (at, byte) in memory.iter_mut().enumerate() {
        if [3, 4].contains(&(at / 5)) || [3, 4].contains(&(at % 5)) {
            *byte = 0;
        }
    }
    assert_eq!(found, digest_of(&whole, &mut memory));
    assert_eq!(found, digest_of(&with_holes, &mut memory));
}
