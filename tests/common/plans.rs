//! Layouts for tests of plans, and what the definitions say of them.

use shardspec::model::{Placement, Placements, ShardedTensorMetadata, Shards, TensorProperties};
use shardspec::plan::ReshardPlan;

use super::{Boxes, Random};

/// One piece: source, destination, offsets in each, sizes.
pub type Row = (usize, usize, Vec<i64>, Vec<i64>, Vec<i64>);

pub fn rows(plan: &ReshardPlan) -> Vec<Row> {
    let row = |piece: shardspec::plan::Piece<'_>| {
        let offsets =
            (piece.source_window.offsets.to_vec(), piece.destination_window.offsets.to_vec());
        (piece.source, piece.destination, offsets.0, offsets.1, piece.sizes.to_vec())
    };
    plan.pieces().map(row).collect()
}

/// The pieces between shards that do not overlap, by comparing each pair.
pub fn naive_rows(source: &Shards, destination: &Shards) -> Vec<Row> {
    let mut rows = Vec::new();
    for (to, wanted) in destination.iter().enumerate() {
        for (from, held) in source.iter().enumerate() {
            let dims = 0..source.ndim();
            let start = |dim: usize| held.offsets[dim].max(wanted.offsets[dim]);
            let end = |dim: usize| {
                let held_end = held.offsets[dim] + held.sizes[dim];
                held_end.min(wanted.offsets[dim] + wanted.sizes[dim])
            };
            if dims.clone().all(|dim| start(dim) < end(dim)) {
                rows.push((
                    from,
                    to,
                    dims.clone().map(|dim| start(dim) - held.offsets[dim]).collect(),
                    dims.clone().map(|dim| start(dim) - wanted.offsets[dim]).collect(),
                    dims.map(|dim| end(dim) - start(dim)).collect(),
                ));
            }
        }
    }
    rows
}

/// Cuts a box again and again at random places, empty parts included, and deals the parts out to
/// `ranks` ranks.
pub fn random_layout(sizes: &[i64], cuts: usize, ranks: i64, random: &mut Random) -> Shards {
    let mut boxes = vec![(vec![0i64; sizes.len()], sizes.to_vec())];
    for _ in 0..cuts {
        if sizes.is_empty() {
            break;
        }
        let at = random.below(boxes.len());
        let dim = random.below(sizes.len());
        let cut = random.range(0, boxes[at].1[dim] + 1);
        let (mut offsets, mut rest) = boxes[at].clone();
        boxes[at].1[dim] = cut;
        offsets[dim] += cut;
        rest[dim] -= cut;
        boxes.push((offsets, rest));
    }
    random.shuffle(&mut boxes);
    on_random_ranks(sizes.len(), boxes, ranks, random)
}

pub fn on_random_ranks(
    ndim: usize, boxes: Vec<(Vec<i64>, Vec<i64>)>, ranks: i64, random: &mut Random,
) -> Shards {
    let rank = || Placement::on_rank(random.range(0, ranks)).unwrap();
    let placements = Placements::new(std::iter::repeat_with(rank).take(boxes.len())).unwrap();
    let (offsets, sizes): (Vec<_>, Vec<_>) = boxes.into_iter().unzip();
    Shards::new(ndim, offsets.concat(), sizes.concat(), placements).unwrap()
}

pub fn metadata(shards: Shards, sizes: &[i64]) -> ShardedTensorMetadata {
    ShardedTensorMetadata::new(shards, sizes, TensorProperties::default()).unwrap()
}

/// Boxes as shards, box `i` on rank `ranks[i]`.
pub fn on_ranks(boxes: &Boxes, ranks: &[i64]) -> Shards {
    let placements = ranks.iter().map(|&rank| Placement::on_rank(rank).unwrap());
    let placements = Placements::new(placements).unwrap();
    Shards::new(boxes.ndim, boxes.offsets.clone(), boxes.sizes.clone(), placements).unwrap()
}
