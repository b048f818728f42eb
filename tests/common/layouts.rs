//! Random layouts of tensors whose shards are no boxes: block-cyclic, in segments, with holes, with
//! replicas, of flattened dimensions. And what they mean, index by index.

use shardspec::geometry::{BoxList, DimMap, ExtentList, Flattening};
use shardspec::model::{Placement, Placements, Shards};

use super::Random;
use super::cuts::{block_cyclic, elements_of};

/// A layout, and what its shards have: index by index, -1 for a hole.
pub struct Layout {
    pub sizes: Vec<i64>,
    pub shards: Shards,
    /// For each shard, its dim maps.
    pub maps: Vec<Vec<DimMap>>,
    pub flattening: Option<Flattening>,
    /// For each shard, its elements as places in the row-major tensor, in the order of its buffer.
    pub elements: Vec<Vec<i64>>,
    pub replicated: bool,
    ranks: i64,
}

/// What a random layout may have.
#[derive(Clone, Copy)]
pub struct Kinds {
    pub replicas: bool,
    pub flattened: bool,
    /// How many ranks have shards.
    pub ranks: i64,
}

impl Layout {
    pub fn random(random: &mut Random, sizes: &[i64], kinds: Kinds) -> Self {
        let flattening = (kinds.flattened && sizes.len() > 1 && random.below(2) == 0).then(|| {
            let start = random.below(sizes.len() - 1);
            let end = start + 2 + random.below(sizes.len() - start - 1);
            Flattening::new(sizes, start..end).unwrap().unwrap()
        });
        let flat = flattening.as_ref().map_or(sizes.to_vec(), |flat| flat.flat_sizes().unwrap());
        let is_flat = |dim: usize| flattening.as_ref().is_some_and(|f| f.dims_of(dim).len() > 1);
        let mut pieces: Vec<Vec<DimMap>> = Vec::new();
        for (dim, &size) in flat.iter().enumerate() {
            pieces.push(pieces_of(random, size, is_flat(dim)));
        }
        let copies = if kinds.replicas { 1 + random.below(2) } else { 1 };
        let mut chosen = product(&pieces);
        for _ in 1..copies {
            chosen.extend(chosen.clone());
        }
        random.shuffle(&mut chosen);
        let ranks = kinds.ranks;
        let shards = shards(random, flat.len(), &chosen, flattening.clone(), ranks);
        let elements = chosen.iter().map(|maps| elements_of(&listed(maps), &flat)).collect();
        let sizes = sizes.to_vec();
        Self { sizes, shards, maps: chosen, flattening, elements, replicated: copies > 1, ranks }
    }

    /// The shards of these indices, in this order.
    pub fn select(&self, random: &mut Random, indices: &[usize]) -> Shards {
        let chosen: Vec<_> = indices.iter().map(|&index| self.maps[index].clone()).collect();
        shards(random, self.shards.ndim(), &chosen, self.flattening.clone(), self.ranks)
    }
}

/// What shards of one dimension have: a partition of it.
fn pieces_of(random: &mut Random, size: i64, flattened: bool) -> Vec<DimMap> {
    let count = random.range(1, 5);
    let padded = |map: DimMap, by: i64| {
        let behind = DimMap::padded(0, 0, by).unwrap();
        DimMap::joined([&map, &behind]).unwrap()
    };
    let holes = if random.below(4) == 0 { random.range(0, 3) } else { 0 };
    let mut cut = |size: i64| -> Vec<DimMap> {
        if !flattened && random.below(2) == 0 {
            let block = random.range(1, 6);
            return (0..count)
                .map(|at| block_cyclic(size, count, block, at * block).unwrap())
                .collect();
        }
        let mut ends: Vec<i64> = (1..count).map(|_| random.range(0, size + 1)).collect();
        ends.extend([0, size]);
        ends.sort_unstable();
        ends.windows(2).map(|w| DimMap::interval(w[0], w[1] - w[0]).unwrap()).collect()
    };
    let first = cut(size);
    let pieces = if flattened || random_bool(&first) {
        first
    } else {
        // Segments: what a piece has of the first half, and then of the second.
        let half = size / 2;
        let (low, high) = (cut(half), cut(size - half));
        let behind = DimMap::interval(half, size - half).unwrap();
        low.iter()
            .zip(&high)
            .map(|(low, high)| DimMap::joined([low, &behind.select(high).unwrap()]).unwrap())
            .collect()
    };
    pieces.into_iter().map(|map| padded(map, holes)).collect()
}

/// A coin that depends on what was made.
fn random_bool(pieces: &[DimMap]) -> bool {
    pieces.iter().map(|map| map.stretches().len() as i64 + map.length()).sum::<i64>() % 3 != 0
}

fn product(pieces: &[Vec<DimMap>]) -> Vec<Vec<DimMap>> {
    pieces.iter().fold(vec![Vec::new()], |all, maps| {
        let longer = |one: &Vec<DimMap>| {
            let one = one.clone();
            maps.iter()
                .map(move |map| one.iter().chain([map]).cloned().collect())
                .collect::<Vec<_>>()
        };
        all.iter().flat_map(longer).collect()
    })
}

/// Shards of these dim maps, on ranks in any order.
pub fn shards(
    random: &mut Random, ndim: usize, chosen: &[Vec<DimMap>], flattening: Option<Flattening>,
    ranks: i64,
) -> Shards {
    let (mut offsets, mut sizes, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    let mut table: Vec<DimMap> = Vec::new();
    for map in chosen.iter().flatten() {
        sizes.push(map.length());
        match map.as_interval() {
            Some(interval) => {
                offsets.push(interval.start);
                numbers.push(ExtentList::INTERVAL);
            }
            None => {
                offsets.push(map.global(0).unwrap_or(0));
                let known = table.iter().position(|other| other == map);
                numbers.push(known.unwrap_or(table.len()) as u32);
                if known.is_none() {
                    table.push(map.clone());
                }
            }
        }
    }
    let boxes = BoxList::new_checked(ndim, chosen.len(), offsets, sizes).unwrap();
    let mut extents = ExtentList::with_maps(boxes, table, numbers).unwrap();
    if let Some(flattening) = flattening {
        extents = extents.flattened(flattening).unwrap();
    }
    let placements = chosen.iter().map(|_| Placement::on_rank(random.range(0, ranks)).unwrap());
    Shards::from_extents(extents, Placements::new(placements).unwrap()).unwrap()
}

/// An index for each place of each map, -1 for a hole.
fn listed(maps: &[DimMap]) -> Vec<Vec<i64>> {
    let all = |map: &DimMap| (0..map.length()).map(|at| map.global(at).unwrap_or(-1)).collect();
    maps.iter().map(all).collect()
}
