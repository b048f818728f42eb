//! Shards in the dimensions that are drawn.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::geometry::fold::Digit;
use crate::geometry::unfold::Unfolded;
use crate::geometry::{DimExtent, DimMap, Extent, Flattening, GeometryError};
use crate::memory::{Memory, Text, TryVec, try_to_vec};
use crate::model::error::ModelError;
use crate::model::shards::Shards;

/// Blocks of flattened dimensions that are taken apart; a list of shards may be larger than that.
const MAX_BLOCKS: u64 = 1 << 22;

/// The shards of a list in the dimensions that are drawn: those of the tensor. Flattened dimensions are
/// taken apart. Where that would take too long, they are drawn as the one dimension that they are in the
/// shards.
pub(super) struct DrawnShards<'a> {
    pub(super) shards: &'a Shards,
    /// Boxes of the tensor, of shards of which dimensions are flattened.
    unfolded: Option<Unfolded>,
    /// The sizes of the tensor in the dimensions that are drawn.
    pub(super) sizes: Vec<i64>,
    /// The dimensions of the tensor that are drawn as one.
    pub(super) drawn_flat: Option<Range<usize>>,
}

impl<'a> DrawnShards<'a> {
    /// Shards of a tensor of these sizes.
    pub(super) fn new(shards: &'a Shards, sizes: &[i64]) -> Result<Self> {
        let (expected, got) = (shards.tensor_ndim(), sizes.len());
        if expected != got && !shards.is_empty() {
            let what = Text::from("sizes");
            return Err(Error::NdimMismatch { what, shard: None, got, expected });
        }
        let sizes_of_tensor = try_to_vec(sizes)?;
        let whole = Self { shards, unfolded: None, sizes: sizes_of_tensor, drawn_flat: None };
        let Some(flattening) = shards.extents().flattening() else {
            return Ok(whole);
        };
        check_flattened(flattening, sizes)?;
        let unfolded = if block_count(shards) <= MAX_BLOCKS {
            Unfolded::new(shards.extents(), digits(flattening)?)
        } else {
            Err(GeometryError::TooManyBlocks)
        };
        match unfolded {
            Ok(unfolded) => Ok(Self { unfolded: Some(unfolded), ..whole }),
            Err(GeometryError::OutOfMemory(error)) => Err(error.into()),
            Err(_) => {
                let (sizes, drawn_flat) = (flattening.flat_sizes()?, flattening.flattened_dims());
                Ok(Self { sizes, drawn_flat, ..whole })
            }
        }
    }

    /// The numbers of the products that a shard is.
    pub(super) fn products_of(&self, shard: u32) -> Range<usize> {
        match &self.unfolded {
            None => shard as usize..(shard as usize).saturating_add(1),
            Some(unfolded) => {
                let own = unfolded.rows().of_extent(shard);
                own.start as usize..own.end as usize
            }
        }
    }

    /// Number of products of all shards.
    pub(super) fn product_count(&self) -> usize {
        let unfolded = self.unfolded.as_ref();
        unfolded.map_or(self.shards.len(), |unfolded| unfolded.rows().boxes.len())
    }

    /// The indices that a product has of a dimension, and the number of their dim map if they have one.
    pub(super) fn dim(&self, product: usize, dim: usize) -> (DimExtent<'_>, Option<u32>) {
        let nothing = (DimExtent::Interval(0, 0), None);
        match &self.unfolded {
            None => {
                let extent = self.shards.extents().get(product);
                extent.map_or(nothing, |extent| (extent.dim(dim), extent.map_number(dim)))
            }
            Some(unfolded) => {
                let row = unfolded.rows().boxes.get(product);
                let interval = row.and_then(|row| {
                    Some(DimExtent::Interval(*row.offsets.get(dim)?, *row.sizes.get(dim)?))
                });
                interval.map_or(nothing, |interval| (interval, None))
            }
        }
    }

    /// The dim maps that products may have.
    pub(super) fn maps(&self) -> &[DimMap] {
        if self.unfolded.is_some() { &[] } else { self.shards.extents().table() }
    }
}

/// How many blocks shards have, where each is taken apart in every dimension.
fn block_count(shards: &Shards) -> u64 {
    let blocks = |dim: DimExtent<'_>| match dim {
        DimExtent::Interval(..) => 1,
        DimExtent::Map(map) => {
            map.stretches().iter().fold(0u64, |sum, one| sum.saturating_add(one.count() as u64))
        }
    };
    let of_shard = |extent: Extent<'_>| {
        extent.dims().fold(1u64, |product, dim| product.saturating_mul(blocks(dim)))
    };
    let extents = shards.extents();
    if extents.table().is_empty() {
        return extents.len() as u64;
    }
    extents.iter().fold(0, |sum, extent| sum.saturating_add(of_shard(extent)))
}

/// Refuses sizes of a tensor that is not the one whose dimensions were flattened.
fn check_flattened(flattening: &Flattening, sizes: &[i64]) -> Result<()> {
    let mut pairs = sizes.iter().zip(flattening.sizes()).enumerate();
    match pairs.find(|(_, (got, expected))| got != expected) {
        None => Ok(()),
        Some((dim, (&got, &expected))) => {
            let what = Text::from("sizes");
            Err(ModelError::ShapeMismatch { what, shard: None, dim, got, expected }.into())
        }
    }
}

/// The tensor's dimensions as digits of the dimensions of extents.
fn digits(flattening: &Flattening) -> Memory<Vec<Digit>> {
    let mut digits = Vec::new();
    for dim in 0..flattening.ndim() {
        let dims = flattening.dims_of(dim);
        for inner in dims.clone() {
            let behind = flattening.sizes().get(inner.saturating_add(1)..dims.end);
            let sizes = behind.unwrap_or_default().iter();
            let weight = sizes.fold(1i64, |weight, size| weight.saturating_mul((*size).max(1)));
            digits.try_push(Digit { dim, weight })?;
        }
    }
    Ok(digits)
}
