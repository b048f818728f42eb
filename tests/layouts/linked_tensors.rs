//! Tensors with one element for each block of another one's: scales, zero points, packed words.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a wrong index should fail the test"
)]

use crate::common::Random;
use crate::common::cuts::{indices_of, numbered_mesh};
use shardspec::geometry::{BlockProblem, BoxList, DimMap, ExtentList, Stretch};
use shardspec::model::{
    Cut, DataType, Error, MeshCut, MeshLayout, MeshShardingSpec, ModelError, Pad, PadTo,
    PartialAxis, Placement, Placements, Reduction, Result, Rule, RuleKind, Segment, Segments,
    ShardedTensorMetadata, ShardingSpec, Shards, TensorProperties, TensorShape,
};

/// The blocks of a buffer's places, an index or -1 each, in a dimension whose blocks are these lists of
/// indices. `None` where a block is not whole.
fn blocks_of(places: &[i64], blocks: &[Vec<i64>], length: usize) -> Option<Vec<i64>> {
    let mut found = Vec::new();
    let mut rest = places;
    while let Some(&first) = rest.first() {
        let room = length.min(rest.len());
        let block = blocks.iter().position(|block| block[0] == first);
        let own = match block {
            Some(block) => rest.strip_prefix(&*blocks[block])?,
            None if first == -1 => rest,
            None => return None,
        };
        // What is left of the room are holes; only a short block may end the buffer early.
        let taken = rest.len() - own.len();
        let is_short_end = block.is_some() && own.is_empty();
        if rest.len() < length && !is_short_end {
            return None;
        }
        if rest[taken..room].iter().any(|&place| place != -1) {
            return None;
        }
        found.push(block.map_or(-1, |block| block as i64));
        rest = &rest[room..];
    }
    Some(found)
}

fn dim_blocks(size: i64, block: i64) -> Vec<Vec<i64>> {
    let all: Vec<i64> = (0..size).collect();
    all.chunks(block as usize).map(<[i64]>::to_vec).collect()
}

/// The same by lists of all indices: for each shard what it has of each dimension, if all have whole blocks.
fn expected(metadata: &ShardedTensorMetadata, block_sizes: &[i64]) -> Option<Vec<Vec<Vec<i64>>>> {
    let image = |shard| -> Option<Vec<Vec<i64>>> {
        let own = indices_of(metadata.shards(), shard);
        let dims = own.iter().zip(metadata.sizes().iter().zip(block_sizes));
        dims.map(|(places, (&size, &block))| {
            blocks_of(places, &dim_blocks(size, block), block as usize)
        })
        .collect()
    };
    (0..metadata.shards().len()).map(image).collect()
}

fn images(metadata: &ShardedTensorMetadata) -> Vec<Vec<Vec<i64>>> {
    (0..metadata.shards().len()).map(|shard| indices_of(metadata.shards(), shard)).collect()
}

fn is_illegal(error: &Error) -> bool {
    matches!(error, Error::Model(ModelError::IllegalBlocks { .. }))
}

fn build(mesh: &[i64], layout: MeshLayout, sizes: &[i64]) -> Result<ShardedTensorMetadata> {
    let spec = MeshShardingSpec::new(numbered_mesh(mesh), layout)?;
    spec.build_metadata(TensorShape::new(sizes), TensorProperties::default())
}

fn random_rule(random: &mut Random, block: i64) -> Rule {
    let kind = match random.below(3) {
        0 => RuleKind::Chunk,
        1 => RuleKind::Balanced,
        _ => RuleKind::Cyclic {
            block: if random.below(3) > 0 { block } else { random.range(1, 7) },
            first: random.range(0, 3),
        },
    };
    let granule = if matches!(kind, RuleKind::Cyclic { .. }) || random.below(4) == 0 {
        1
    } else {
        block * random.range(1, 3)
    };
    Rule { granule, ..kind.into() }
}

/// A layout whose shards mostly have whole blocks.
fn random_layout(random: &mut Random, sizes: &[i64], blocks: &[i64], mesh: &[i64]) -> MeshLayout {
    let mut layout = MeshLayout::default();
    for axis in 0..mesh.len() {
        if random.below(5) == 0 {
            continue;
        }
        let dim = random.below(sizes.len());
        let rule = random_rule(random, blocks[dim]);
        let is_first = layout.cuts.iter().all(|cut| cut.dim != (dim as i64).into());
        let segments = match random.below(4) {
            0 => Segments::Equal(random.range(1, 4)),
            1 if is_first && layout.pads.is_empty() => {
                let first = random.range(0, sizes[dim] / blocks[dim] + 1) * blocks[dim];
                let segment = |random: &mut Random, size| Segment {
                    size,
                    rule: random_rule(random, blocks[dim]),
                };
                let both = [segment(random, first), segment(random, sizes[dim] - first)];
                Segments::Listed(both.into())
            }
            _ => Segments::One,
        };
        let cut = Cut { rule, segments };
        layout.cuts.push(MeshCut::new(dim as i64, &axis.to_string(), cut).unwrap());
        let is_listed = matches!(layout.cuts.last().unwrap().cut.segments, Segments::Listed(_));
        if is_first && !is_listed && random.below(4) == 0 {
            let multiple = if random.below(4) == 0 { 5 } else { 2 * blocks[dim] };
            let pad = Pad { dim: (dim as i64).into(), to: PadTo::Multiple(multiple) };
            layout.pads.push(pad);
        }
    }
    layout
}

#[test]
fn blocks_of_random_layouts_are_those_of_lists_of_indices() {
    let mut random = Random::new(17);
    let (mut divided, mut refused) = (0, 0);
    for _ in 0..6000 {
        let ndim = random.below(3) + 1;
        let sizes: Vec<i64> = (0..ndim).map(|_| random.range(0, 40)).collect();
        let blocks: Vec<i64> = (0..ndim).map(|_| random.range(1, 6)).collect();
        let mesh: Vec<i64> = (0..random.below(4)).map(|_| random.range(1, 4)).collect();
        let layout = random_layout(&mut random, &sizes, &blocks, &mesh);
        let text = layout.to_string();
        let Ok(metadata) = build(&mesh, layout, &sizes) else { continue };
        match (metadata.blocks(&blocks), expected(&metadata, &blocks)) {
            (Ok(image), Some(expected)) => {
                assert_eq!(images(&image), expected, "{sizes:?} by {blocks:?}: {text}");
                check(&metadata, &image, &blocks);
                divided += 1;
            }
            (Err(error), None) if is_illegal(&error) => refused += 1,
            (got, expected) => {
                panic!("{sizes:?} by {blocks:?}: {text}: {got:?}, expected {expected:?}")
            }
        }
    }
    assert!(divided > 3000 && refused > 600, "{divided} divided, {refused} refused");
}

/// The image is metadata that would be accepted, and carries what it was made of.
fn check(metadata: &ShardedTensorMetadata, image: &ShardedTensorMetadata, blocks: &[i64]) {
    let sizes: Vec<i64> = metadata
        .sizes()
        .iter()
        .zip(blocks)
        .map(|(size, block)| (size + block - 1) / block)
        .collect();
    assert_eq!(image.sizes(), sizes);
    let (shards, properties) = (image.shared_shards(), *image.properties());
    if metadata.has_replicas() {
        ShardedTensorMetadata::with_replicas(shards, &sizes, properties).unwrap();
    } else {
        ShardedTensorMetadata::new(shards, &sizes, properties).unwrap();
    }
    assert_eq!(image.has_replicas(), metadata.has_replicas());
    assert_eq!(image.mesh(), metadata.mesh());
    assert_eq!(image.shards().placements(), metadata.shards().placements());
}

/// Dim maps in any order, with holes anywhere, whose stretches are no whole blocks though together they
/// may be.
#[test]
fn blocks_of_listed_dim_maps_are_those_of_lists_of_indices() {
    let mut random = Random::new(29);
    let (mut divided, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let (size, block) = (random.range(1, 30), random.range(1, 5));
        let mut order: Vec<i64> = (0..(size + block - 1) / block).collect();
        if random.below(2) == 0 {
            random.shuffle(&mut order);
        }
        let holes = |random: &mut Random| match random.below(8) {
            0 => block,
            1 => random.range(0, block + 1),
            _ => 0,
        };
        // Two shards, each of whose blocks are taken apart into runs.
        let mut both = [(0, Vec::new()), (0, Vec::new())];
        for block_number in order {
            let (length, stretches) = &mut both[random.below(2)];
            *length += holes(&mut random);
            let start = block_number * block;
            let end = (start + block).min(size);
            let mut at = start;
            while at < end {
                let run = random.range(1, end - at + 1);
                stretches.push(Stretch::interval(at, *length, run).unwrap());
                *length += run;
                at += run;
                if random.below(40) == 0 {
                    *length += 1;
                }
            }
            if end - start < block && random.below(2) == 0 {
                *length += block - (end - start);
            }
        }
        let lengths: Vec<i64> = both.iter().map(|(length, _)| *length).collect();
        let table: Vec<_> =
            both.into_iter().map(|(length, own)| DimMap::new(length, own).unwrap()).collect();
        let boxes = BoxList::new_checked(1, 2, vec![0, 0], lengths).unwrap();
        let extents = ExtentList::with_maps(boxes, table, vec![0, 1]).unwrap();
        let on_rank_0 = || Placement::on_rank(0).unwrap();
        let placements = Placements::new([on_rank_0(), on_rank_0()].into_iter()).unwrap();
        let shards = Shards::from_extents(extents, placements).unwrap();
        let properties = TensorProperties::default();
        let metadata = ShardedTensorMetadata::new(shards, &[size], properties).unwrap();
        match (metadata.blocks(&[block]), expected(&metadata, &[block])) {
            (Ok(image), Some(expected)) => {
                assert_eq!(images(&image), expected);
                check(&metadata, &image, &[block]);
                divided += 1;
            }
            (Err(error), None) if is_illegal(&error) => refused += 1,
            (got, expected) => panic!("{metadata:?} by {block}: {got:?}, expected {expected:?}"),
        }
    }
    assert!(divided > 5000 && refused > 5000, "{divided} divided, {refused} refused");
}

/// Blocks of flattened dimensions are divided where they are neighbours in the flattened order.
#[test]
fn blocks_of_flattened_dimensions_are_those_of_lists_of_indices_or_are_refused() {
    let mut random = Random::new(31);
    let (mut divided, mut refused, mut unsupported) = (0, 0, 0);
    for _ in 0..6000 {
        let sizes = [random.range(1, 5), random.range(1, 9), random.range(1, 9)];
        let block = |random: &mut Random, size: i64| match random.below(3) {
            0 => size,
            1 => 1,
            _ => random.range(1, 5),
        };
        let blocks = sizes.map(|size| block(&mut random, size));
        let counts: Vec<i64> =
            sizes.iter().zip(blocks).map(|(size, block)| (size + block - 1) / block).collect();
        let flatten = if random.below(2) == 0 { 0..2 } else { 1..3 };
        let flat: i64 = sizes[flatten.clone()].iter().product();
        // The flat indices of each block.
        let mut lists = vec![Vec::new(); counts[flatten.clone()].iter().product::<i64>() as usize];
        for at in 0..flat {
            let inner = sizes[flatten.end - 1];
            let of = |dim: usize, index: i64| index / blocks[dim];
            let (outer, last) = (of(flatten.start, at / inner), of(flatten.end - 1, at % inner));
            lists[(outer * counts[flatten.end - 1] + last) as usize].push(at);
        }
        let length = lists[0].len();
        let granule = if random.below(4) == 0 { 1 } else { length as i64 };
        let rule = Rule { granule, ..RuleKind::Balanced.into() };
        let flat_dim = flatten.start as i64;
        let cut = Cut { rule, segments: Segments::One };
        let mut layout = MeshLayout {
            cuts: vec![MeshCut::new(flat_dim, "0", cut).unwrap()],
            flatten: Some(flatten.clone()),
            ..MeshLayout::default()
        };
        // How long a block is that is longer than its dimension depends on who counts.
        let fits = sizes.iter().zip(blocks).all(|(size, block)| block <= *size);
        if fits && random.below(2) == 0 {
            let to = PadTo::Multiple(length as i64 * 2);
            layout.pads.push(Pad { dim: flat_dim.into(), to });
        }
        let metadata = build(&[random.range(1, 5)], layout, &sizes).unwrap();
        let other = if flatten.start == 0 { 2 } else { 0 };
        let expected: Option<Vec<_>> = (0..metadata.shards().len())
            .map(|shard| {
                let own = indices_of(metadata.shards(), shard);
                let flat = blocks_of(&own[flatten.start], &lists, length)?;
                let alone = &own[1 - flatten.start];
                let alone = blocks_of(
                    alone,
                    &dim_blocks(sizes[other], blocks[other]),
                    blocks[other] as usize,
                )?;
                Some(if flatten.start == 0 { vec![flat, alone] } else { vec![alone, flat] })
            })
            .collect();
        match metadata.blocks(&blocks) {
            Ok(image) => {
                assert_eq!(Some(images(&image)), expected, "{sizes:?} by {blocks:?}: {metadata:?}");
                check(&metadata, &image, &blocks);
                divided += 1;
            }
            Err(error) if is_illegal(&error) => {
                assert_eq!(expected, None, "{error}: {sizes:?} by {blocks:?}: {metadata:?}");
                refused += 1;
            }
            Err(Error::Unsupported { .. }) => unsupported += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(
        divided > 1000 && refused > 250 && unsupported > 500,
        "{divided} {refused} {unsupported}"
    );
}

fn cut_by(kind: RuleKind, granule: i64) -> Cut {
    Cut { rule: Rule { granule, ..kind.into() }, segments: Segments::One }
}

fn along(dim: i64, cut: Cut) -> MeshLayout {
    MeshLayout { cuts: vec![MeshCut::new(dim, "0", cut).unwrap()], ..MeshLayout::default() }
}

#[test]
fn scales_and_packed_words_are_cut_where_their_weight_is() {
    let image = |sizes: &[i64], blocks: &[i64], dim: usize, count, granule| -> [Vec<i64>; 2] {
        let layout = along(dim as i64, cut_by(RuleKind::Chunk, granule));
        let weight = build(&[count], layout, sizes).unwrap();
        let own = |metadata: &ShardedTensorMetadata| -> Vec<i64> {
            metadata.shards().iter().map(|shard| shard.sizes[dim]).collect()
        };
        [own(&weight), own(&weight.blocks(blocks).unwrap())]
    };
    assert_eq!(image(&[512, 640], &[1, 128], 1, 2, 128), [[384, 256], [3, 2]]);
    assert_eq!(image(&[232], &[16], 0, 4, 16), [[64, 64, 64, 40], [4, 4, 4, 3]]);
    assert_eq!(image(&[4304], &[32], 0, 2, 32), [[2176, 2128], [68, 67]]);
    // Eight values of four bits in each word.
    let [values, words] = image(&[11008, 4096], &[8, 1], 0, 6, 8);
    assert_eq!(values, [1840, 1840, 1840, 1840, 1840, 1808]);
    assert_eq!(words, values.iter().map(|size| size / 8).collect::<Vec<_>>());
}

#[test]
fn a_cut_inside_of_a_block_is_refused_with_the_nearest_that_would_do() {
    let sizes = RuleKind::Sizes(vec![100, 156].into());
    let metadata = build(&[2], along(0, sizes.into()), &[256]).unwrap();
    let refused = metadata.blocks(&[128]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "shard 0: dimension 0 is cut at 100, inside of the block 0..128; cut at 0 or 128"
    );
    let problem = BlockProblem::Inside { index: 100, start: 0, end: 128 };
    let (shard, dim) = (0, 0);
    assert_eq!(refused, Error::Model(ModelError::IllegalBlocks { shard, dim, problem }));

    // The last block is short.
    let sizes = RuleKind::Sizes(vec![256, 24, 20].into());
    let metadata = build(&[3], along(1, sizes.into()), &[4, 300]).unwrap();
    assert_eq!(
        metadata.blocks(&[1, 128]).unwrap_err().to_string(),
        "shard 1: dimension 1 is cut at 280, inside of the block 256..300; cut at 256 or 300"
    );

    let cyclic = RuleKind::Cyclic { block: 96, first: 0 };
    let metadata = build(&[2], along(0, cyclic.into()), &[1024]).unwrap();
    assert_eq!(
        metadata.blocks(&[64]).unwrap_err().to_string(),
        "shard 0: dimension 0 is cut at 96, inside of the block 64..128; cut at 64 or 128"
    );

    let layout = MeshLayout {
        pads: vec![Pad { dim: 0.into(), to: PadTo::Size(1010) }],
        ..MeshLayout::default()
    };
    let metadata = build(&[1], layout, &[1000]).unwrap();
    assert_eq!(
        metadata.blocks(&[128]).unwrap_err().to_string(),
        "shard 0: dimension 0 has 1010 places in the buffer, which end inside of a block of 128; pad to a \
         multiple of 128"
    );

    let layout = MeshLayout { flatten: Some(0..2), ..MeshLayout::default() };
    let metadata = build(&[1], layout, &[4, 6]).unwrap();
    let refused = metadata.blocks(&[2, 3]).unwrap_err();
    assert!(matches!(refused, Error::Unsupported { .. }));
    assert_eq!(metadata.blocks(&[2, 6]).unwrap().sizes(), [2, 1]);

    assert_eq!(
        metadata.blocks(&[2, 0]).unwrap_err().to_string(),
        "block_sizes[1]: 0 is too small; pass at least 1"
    );
    assert!(matches!(metadata.blocks(&[2]), Err(Error::NdimMismatch { .. })));
}

#[test]
fn what_is_known_of_a_weight_is_known_of_its_scales() {
    let layout = MeshLayout {
        partial: vec![PartialAxis { axis: "1".into(), reduction: Reduction::Sum }],
        ..along(0, cut_by(RuleKind::Chunk, 4))
    };
    let metadata = build(&[2, 2], layout, &[10, 4]).unwrap();
    let metadata = metadata.with_dtype(DataType::FLOAT32).with_dim_names(&["out", "in"]).unwrap();
    let scales = metadata.blocks(&[4, 4]).unwrap();
    assert_eq!(scales.partial(), metadata.partial());
    assert_eq!(scales.dim_names(), metadata.dim_names());
    assert_eq!(scales.mesh(), metadata.mesh());
    assert!(scales.has_replicas());
    assert_eq!(scales.properties().dtype, None);
    assert_eq!(scales.sizes(), [3, 1]);
    // Blocks of one element are the elements.
    let same = metadata.blocks(&[1, 1]).unwrap();
    assert_eq!(same.with_dtype(DataType::FLOAT32), metadata);
}

/// Stretches stay stretches: nothing grows with the number of blocks.
#[test]
fn a_trillion_elements_are_divided_by_their_stretches() {
    let length = 1_000_000_000_007;
    let cyclic = RuleKind::Cyclic { block: 4096, first: 1 };
    let metadata = build(&[6], along(0, cyclic.into()), &[length]).unwrap();
    let scales = metadata.blocks(&[128]).unwrap();
    assert_eq!(scales.sizes(), [7_812_500_001]);
    assert!(scales.shards().extents().table().iter().all(|map| map.stretches().len() <= 2));
    for at in [0, 31, 32, 4_000_000_000, 7_812_500_000] {
        let whole = metadata.shard_at(&[at * 128]).unwrap();
        assert_eq!(scales.shard_at(&[at]).unwrap(), whole);
    }
    assert!(metadata.blocks(&[4097]).is_err());
    assert!(is_illegal(&metadata.blocks(&[1 << 40]).unwrap_err()));
    let replicated = build(&[6], MeshLayout::default(), &[length]).unwrap();
    assert_eq!(replicated.blocks(&[i64::MAX]).unwrap().sizes(), [1]);
}
