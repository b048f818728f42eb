//! The space in which the shards of two lists are boxes.

use crate::error::{Error, Result};
use crate::geometry::bounds::Bounds;
use crate::geometry::fold::{Digit, digits_of};
use crate::geometry::unfold::{BoxRows, Unfolded, region_of};
use crate::geometry::{ExtentList, Region};
use crate::memory::{Memory, Text, TryVec};
use crate::model::shards::Shards;
use crate::model::{ModelError, ShardedTensorMetadata};

/// Two lists of shards of one tensor as boxes of the same digits.
pub(super) struct CommonSpace<'a> {
    source: &'a Shards,
    destination: &'a Shards,
    /// Where not all of them are boxes already.
    unfolded: Option<[Unfolded; 2]>,
    /// The tensor's digits; of tensors that both sides have flattened alike, the flattened one's.
    tensor: Vec<Digit>,
}

impl<'a> CommonSpace<'a> {
    pub(super) fn new(source: &'a Shards, destination: &'a Shards) -> Result<Self> {
        let lists = [source.extents(), destination.extents()];
        if lists.iter().all(|list| list.are_boxes()) {
            return Ok(Self { source, destination, unfolded: None, tensor: Vec::new() });
        }
        let mut digits = if lists[0].flattening() == lists[1].flattening() {
            let mut digits = digits_of(&lists, false)?;
            let tensor = digits.first().map_or(&[][..], Vec::as_slice);
            let tensor = crate::memory::try_to_vec(tensor)?;
            digits.try_push(tensor)?;
            digits
        } else {
            let tensor = ExtentList::none(source.tensor_ndim());
            digits_of(&[lists[0], lists[1], &tensor], true)?
        };
        let mut last = || digits.pop().unwrap_or_default();
        let (tensor, of_destination, of_source) = (last(), last(), last());
        let unfolded =
            [Unfolded::new(lists[0], of_source)?, Unfolded::new(lists[1], of_destination)?];
        Ok(Self { source, destination, unfolded: Some(unfolded), tensor })
    }

    /// The boxes of the source and of the destination.
    pub(super) fn rows(&self) -> [BoxRows<'_>; 2] {
        match &self.unfolded {
            None => [self.source, self.destination].map(|shards| BoxRows::of_boxes(shards.boxes())),
            Some(unfolded) => [unfolded[0].rows(), unfolded[1].rows()],
        }
    }

    /// The digits that a step in a piece is in, for each side. `None`: its own dimensions.
    pub(super) fn digits(&self) -> Option<[&[Digit]; 2]> {
        self.unfolded.as_ref().map(|[source, destination]| [source.digits(), destination.digits()])
    }

    /// A box of the tensor that lies in a box of this space.
    pub(super) fn region(&self, bounds: &Bounds) -> Memory<Region> {
        if self.unfolded.is_some() { region_of(&self.tensor, bounds) } else { bounds.region() }
    }
}

/// Refuses metadata of tensors of different sizes or element types.
pub(crate) fn check_same_tensor(
    source: &ShardedTensorMetadata, destination: &ShardedTensorMetadata,
) -> Result<()> {
    let what = || Text::from("destination");
    let (expected, got) = (source.ndim(), destination.ndim());
    if got != expected {
        return Err(Error::NdimMismatch { what: what(), shard: None, got, expected });
    }
    let mut sizes = destination.sizes().iter().zip(source.sizes()).enumerate();
    if let Some((dim, (&got, &expected))) = sizes.find(|(_, (got, expected))| got != expected) {
        return Err(Error::Model(ModelError::ShapeMismatch {
            what: what(),
            shard: None,
            dim,
            got,
            expected,
        }));
    }
    match (source.properties().dtype, destination.properties().dtype) {
        (Some(expected), Some(got)) if got != expected => {
            Err(Error::Model(ModelError::DtypeMismatch {
                what: what(),
                shard: None,
                got,
                expected,
            }))
        }
        _ => Ok(()),
    }
}
