//! Linked tensors: scales, zero points and packed words have an element for each block of another
//! tensor's elements, and are cut where that is cut.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "dimensions and shards index lists that are as long as there are such; blocks are at least 1 long"
)]

use super::metadata::ShardedTensorMetadata;
use super::properties::TensorProperties;
use super::shards::Shards;
use crate::error::{Error, Result, try_with_capacity};
use crate::geometry::division::{DimBlocks, DivideError};
use crate::geometry::{BoxList, DimExtent, DimMap, ExtentList, Flattening};
use crate::memory::{TryVec, text, try_filled, try_to_vec};
use crate::model::ModelError;

impl ShardedTensorMetadata {
    /// The layout of a tensor that has one element for each block of this one: scales of a quantised
    /// weight, or words into which several elements are packed.
    ///
    /// `block_sizes` has a number for each dimension; dimension `d` has `ceil(size / block_sizes[d])`
    /// blocks, the last of which may be short. The shard of a block is the one that has its elements.
    /// Mesh, replicas, partial axes, names of dimensions and placements stay as they are; the element type
    /// is unknown. Padding stays padding.
    ///
    /// Refused are shards that have a part of a block, that have not each block in one piece, or whose
    /// padding ends inside of a block; and blocks of flattened dimensions that are not neighbours there.
    pub fn blocks(&self, block_sizes: &[i64]) -> Result<Self> {
        let expected = self.ndim();
        if block_sizes.len() != expected {
            let (what, got) = ("block_sizes".into(), block_sizes.len());
            return Err(Error::NdimMismatch { what, shard: None, got, expected });
        }
        if let Some(at) = block_sizes.iter().position(|&block| block < 1) {
            let (argument, value) = ("block_sizes", block_sizes[at]);
            return Err(Error::TooSmall { argument, value, least: 1 }.at(argument, at));
        }
        let mut sizes = try_with_capacity("sizes", expected)?;
        let dims = self.sizes().iter().zip(block_sizes);
        sizes.extend(dims.map(|(&size, &block)| DimBlocks { size, block }.count()));
        let extents = self.shards().extents();
        let mut image = match extents.flattening() {
            None => image_of(extents, &own_blocks(self.sizes(), block_sizes)?)?,
            Some(flat) => image_of(extents, &flat_blocks(flat, block_sizes)?)?,
        };
        if let Some(flat) = extents.flattening() {
            image = image.flattened(flat.with_sizes(&sizes)?)?;
        }
        let shards = Shards::from_extents(image, self.shards().placements().clone())?;
        let properties = TensorProperties { dtype: None, ..*self.properties() };
        self.with_shards(shards, &sizes, properties)
    }
}

fn own_blocks(sizes: &[i64], block_sizes: &[i64]) -> Result<Vec<DimBlocks>> {
    let mut all = try_with_capacity("block sizes", sizes.len())?;
    all.extend(sizes.iter().zip(block_sizes).map(|(&size, &block)| DimBlocks { size, block }));
    Ok(all)
}

/// Blocks of the tensor as blocks of the dimensions of its extents.
fn flat_blocks(flat: &Flattening, block_sizes: &[i64]) -> Result<Vec<DimBlocks>> {
    let mut all = try_with_capacity("block sizes", flat.ndim())?;
    let sizes = flat.flat_sizes()?;
    for (dim, size) in sizes.into_iter().enumerate() {
        let dims = flat.dims_of(dim);
        let (own, blocks) = (&flat.sizes()[dims.clone()], &block_sizes[dims.clone()]);
        let block = neighbours(own, blocks).ok_or_else(|| {
            let (first, last) = (dims.start, dims.end - 1);
            let what = text!(
                "block_sizes: dimensions {first} to {last} of sizes {own:?} are flattened, and \
                 blocks of {blocks:?} are not contiguous there; pass blocks of one dimension that \
                 divide it, with 1 for the dimensions before it and the whole size for those after \
                 it"
            );
            Error::Unsupported { what }
        })?;
        all.push(DimBlocks { size, block });
    }
    Ok(all)
}

/// How many neighbouring elements of flattened dimensions are a block, if they are neighbours.
fn neighbours(sizes: &[i64], blocks: &[i64]) -> Option<i64> {
    let mut length = 1i64;
    for (dim, (&size, &block)) in sizes.iter().zip(blocks).enumerate().rev() {
        if sizes[..dim].iter().all(|&outer| outer <= 1) {
            // There is nothing before it, so its last block may be short.
            return Some(length.saturating_mul(block));
        }
        if block >= size {
            length = length.saturating_mul(size.max(1));
            continue;
        }
        let is_single = |(&size, &block): (&i64, &i64)| size <= 1 || block == 1;
        let alone = sizes[..dim].iter().zip(&blocks[..dim]).all(is_single);
        return (alone && size % block == 0).then(|| length.saturating_mul(block));
    }
    Some(length)
}

/// What dim maps of the table have become: in each dimension, each is divided once.
struct Images {
    /// For each dimension and dim map of the old table, its place in the new one.
    places: Vec<Option<ImagePlace>>,
    table: Vec<DimMap>,
}

/// Where the image of a dim map is.
#[derive(Clone, Copy)]
struct ImagePlace {
    offset: i64,
    length: i64,
    number: u32,
}

impl Images {
    fn place(
        &mut self, at: usize, map: &DimMap, blocks: DimBlocks, offset: i64,
    ) -> std::result::Result<ImagePlace, DivideError> {
        if let Some(known) = self.places[at] {
            return Ok(known);
        }
        let image = blocks.of_map(map)?;
        let length = image.length();
        let place = match image.as_interval() {
            Some(interval) if length > 0 => {
                ImagePlace { offset: interval.start, length, number: ExtentList::INTERVAL }
            }
            _ => {
                let first = image.stretches().first().map(|first| first.global_start());
                let empty = blocks.of_interval(offset, 0).map_or(0, |(start, _)| start);
                let number = self.table.len() as u32;
                self.table.try_push(image)?;
                ImagePlace { offset: first.unwrap_or(empty), length, number }
            }
        };
        self.places[at] = Some(place);
        Ok(place)
    }
}

/// The blocks that extents have.
fn image_of(extents: &ExtentList, blocks: &[DimBlocks]) -> Result<ExtentList> {
    let (count, ndim) = (extents.len(), extents.ndim());
    let mut offsets = try_to_vec(extents.boxes().offsets())?;
    let mut sizes = try_to_vec(extents.boxes().sizes())?;
    let (maps, cells) = (extents.table().len(), sizes.len());
    let mut numbers = try_filled(ExtentList::INTERVAL, if maps == 0 { 0 } else { cells })?;
    let mut images =
        Images { places: try_filled(None, maps.saturating_mul(ndim))?, table: Vec::new() };
    for (shard, extent) in extents.iter().enumerate() {
        for (dim, &own) in blocks.iter().enumerate() {
            let at = shard * ndim + dim;
            let place = match (extent.dim(dim), extent.map_number(dim)) {
                (DimExtent::Map(map), Some(number)) => {
                    images.place(dim * maps + number as usize, map, own, extent.offsets[dim])
                }
                _ => own.of_interval(offsets[at], sizes[at]).map_err(DivideError::from).map(
                    |(offset, length)| ImagePlace { offset, length, number: ExtentList::INTERVAL },
                ),
            };
            let place = place.map_err(|error| match error {
                DivideError::Block(problem) => {
                    ModelError::IllegalBlocks { shard, dim, problem }.into()
                }
                DivideError::Other(error) => Error::from(error),
            })?;
            (offsets[at], sizes[at]) = (place.offset, place.length);
            if let Some(number) = numbers.get_mut(at) {
                *number = place.number;
            }
        }
    }
    let boxes = BoxList::new(ndim, count, offsets, sizes);
    if images.table.is_empty() {
        return Ok(ExtentList::of_boxes(boxes));
    }
    Ok(ExtentList::with_maps(boxes, images.table, numbers)?)
}
