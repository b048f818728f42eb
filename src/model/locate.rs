//! Questions to metadata about places: which shards meet a box, who owns an element, and an
//! element's index in the tensor and in its shard.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "indices are checked against the tensor or the shard that they are in first"
)]

use super::metadata::ShardedTensorMetadata;
use crate::error::{Error, Result, try_with_capacity};
use crate::geometry::rtree::MAX_SEARCHES;
use crate::geometry::unfold::Space;
use crate::geometry::{Extent, Index, MAX_NDIM};
use crate::memory::{self, Text, text};
use crate::model::ModelError;

/// Where elements are: for each its shard, and its index in that shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// A shard for each element.
    pub shards: Vec<usize>,
    /// A row of an index for each dimension, for each element.
    pub indices: Vec<i64>,
}

impl ShardedTensorMetadata {
    /// Indices of the shards that share an element with a box, ascending. The box may reach past
    /// the tensor.
    pub fn shards_in_box(&self, offsets: &[i64], sizes: &[i64]) -> Result<Vec<usize>> {
        for (argument, numbers) in [("offsets", offsets), ("sizes", sizes)] {
            self.check_ndim(argument, numbers.len())?;
            if let Some(&value) = numbers.iter().find(|value| **value < 0) {
                return Err(Error::TooSmall { argument, value, least: 0 });
            }
        }
        let (mut inside, mut found) = ([0; MAX_NDIM], Vec::new());
        for (dim, &limit) in self.sizes().iter().enumerate() {
            let end = offsets[dim].saturating_add(sizes[dim]).min(limit);
            inside[dim] = end.saturating_sub(offsets[dim]).max(0);
        }
        self.shards().space()?.find_box(offsets, &inside[..sizes.len()], &mut found)?;
        Ok(memory::try_collect(found.into_iter().map(|shard| shard as usize))?)
    }

    /// The shard that owns an element.
    pub fn shard_at(&self, element: &[i64]) -> Result<usize> {
        self.check_ndim("element", element.len())?;
        let space = self.shards().space()?;
        self.owner_in(&space, &*space.rows().boxes.index()?, "element", element)
    }

    /// Where elements are, given as rows of an index for each dimension. `count` says how many they
    /// are, as a tensor may have no dimensions.
    pub fn locate(&self, elements: &[i64], count: usize) -> Result<Located> {
        let own = count.saturating_mul(self.shards().ndim());
        let mut indices = try_with_capacity("indices", own)?;
        let shards = self.locate_each(elements, count, Some(&mut indices))?;
        Ok(Located { shards, indices })
    }

    /// The shards that own elements: those of [`Self::locate`].
    pub fn shards_of_elements(&self, elements: &[i64], count: usize) -> Result<Vec<usize>> {
        self.locate_each(elements, count, None)
    }

    fn locate_each(
        &self, elements: &[i64], count: usize, mut indices: Option<&mut Vec<i64>>,
    ) -> Result<Vec<usize>> {
        let ndim = self.ndim();
        check_rows("elements", elements.len(), (count, ndim))?;
        let space = self.shards().space()?;
        let index = space.rows().boxes.index()?;
        let mut shards = try_with_capacity("shards", count)?;
        if self.is_plain() && ndim > 0 {
            self.locate_in_boxes(&index, elements, &mut shards, indices)?;
            return Ok(shards);
        }
        for number in 0..count {
            let element = &elements[number * ndim..(number + 1) * ndim];
            let owner = self.owner_in(&space, &index, "elements", element);
            let owner = owner.map_err(|error| error.at("elements", number))?;
            if let Some(indices) = &mut indices {
                self.push_local(owner, element, indices);
            }
            shards.push(owner);
        }
        Ok(shards)
    }

    /// The same where each element is in one box, some elements at once.
    fn locate_in_boxes(
        &self, index: &Index, elements: &[i64], shards: &mut Vec<usize>,
        mut indices: Option<&mut Vec<i64>>,
    ) -> Result<()> {
        let ndim = self.ndim();
        for rows in elements.chunks(MAX_SEARCHES * ndim) {
            let places = index.places_of(rows, ndim);
            for (element, place) in rows.chunks_exact(ndim).zip(places) {
                let place = check_inside("elements", element, self.sizes())
                    .and_then(|()| place.ok_or_else(|| nobody(element)))
                    .map_err(|error| error.at("elements", shards.len()))?;
                if let Some(indices) = &mut indices {
                    index.push_local(place, element, indices);
                }
                shards.push(index.shard_of_place(place));
            }
        }
        Ok(())
    }

    /// The elements at places in shards, as rows of an index for each dimension of the tensor:
    /// [`Self::locate`] the other way round. `indices` holds a row for each of `shards`.
    pub fn globalize(&self, shards: &[usize], indices: &[i64]) -> Result<Vec<i64>> {
        let ndim = self.shards().ndim();
        check_rows("indices", indices.len(), (shards.len(), ndim))?;
        let own = shards.len().saturating_mul(self.ndim());
        let mut elements = try_with_capacity("elements", own)?;
        for (number, &index) in shards.iter().enumerate() {
            let shard = self.shards().at("shards", index);
            let shard = shard.map_err(|error| error.at("shards", number))?;
            let row = &indices[number * ndim..(number + 1) * ndim];
            check_inside("local_indices", row, shard.sizes)
                .map_err(|error| error.at("local_indices", number))?;
            self.push_global(shard.extent, row, &mut elements)
                .map_err(|error| error.at("local_indices", number))?;
        }
        Ok(elements)
    }

    /// Adds the place of an element in the buffer of a shard that has it.
    fn push_local(&self, shard: usize, element: &[i64], indices: &mut Vec<i64>) {
        let Some(shard) = self.shards().get(shard) else {
            return;
        };
        if self.shards().extents().are_boxes() {
            indices.extend(element.iter().zip(shard.offsets).map(|(at, offset)| at - offset));
            return;
        }
        let flat = self.shards().extents().flattening();
        for (dim, own) in shard.dims().enumerate() {
            let index = match flat {
                None => element[dim],
                Some(flat) => flat.flat_index(dim, element),
            };
            // The shard has it, so it has a place.
            indices.push(own.local(index).unwrap_or(0));
        }
    }

    /// Adds the element at a place of the buffer of a shard.
    fn push_global(
        &self, extent: Extent<'_>, place: &[i64], elements: &mut Vec<i64>,
    ) -> Result<()> {
        for (dim, (own, &at)) in extent.dims().zip(place).enumerate() {
            let Some(index) = own.global(at) else {
                let what =
                    text!("local index {at} in dimension {dim} is a hole; it holds no element");
                return Err(Error::NotFound { what });
            };
            match self.shards().extents().flattening() {
                None => elements.push(index),
                Some(flat) => flat.push_unflattened(dim, index, elements),
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn owner_in(
        &self, space: &Space<'_>, index: &Index, argument: &'static str, element: &[i64],
    ) -> Result<usize> {
        check_inside(argument, element, self.sizes())?;
        let owner = space.owner(index, element, !self.has_replicas())?;
        owner.ok_or_else(|| nobody(element))
    }

    #[inline]
    fn check_ndim(&self, what: &str, got: usize) -> Result<()> {
        let expected = self.ndim();
        if got == expected {
            return Ok(());
        }
        Err(Error::NdimMismatch { what: Text::copy(what), shard: None, got, expected })
    }
}

/// The refusal of an element without an owner. Shards cover their tensor, so there is none.
#[cold]
fn nobody(element: &[i64]) -> Error {
    Error::NotFound { what: text!("no shard owns element {element:?}") }
}

/// Refuses another number of numbers than rows of so many take.
fn check_rows(argument: &'static str, got: usize, (count, ndim): (usize, usize)) -> Result<()> {
    if Some(got) == count.checked_mul(ndim) {
        return Ok(());
    }
    let problem = text!("{got} numbers are not {count} rows of {ndim}; pass a row for each");
    Err(Error::invalid(argument, problem))
}

/// Refuses an index that is outside of sizes.
#[inline(always)]
fn check_inside(argument: &'static str, element: &[i64], sizes: &[i64]) -> Result<()> {
    let mut pairs = element.iter().zip(sizes).enumerate();
    match pairs.find(|(_, (at, size))| **at < 0 || at >= size) {
        None => Ok(()),
        Some((dim, (&index, &size))) => {
            Err(Error::Model(ModelError::OutsideTensor { argument, dim, index, size }))
        }
    }
}
