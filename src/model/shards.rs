//! Lists of shards, stored as flat arrays.
//!
//! A list of `n` shards with `d` dimensions takes `16 * d + 4` bytes a shard and 24 bytes for each
//! placement that differs from all before it. Once it was asked where shards are, it keeps an
//! [`Index`] as well.

use std::ops::Deref;

use super::placement::Placement;
use crate::error::{Error, Result, try_with_capacity};
use crate::geometry::unfold::{OwnSpace, Space};
use crate::geometry::{BoxList, Extent, ExtentList, Flattening, MAX_NDIM};
use crate::memory::{self, IntoShared, Shared, TryVec, text};
use crate::model::ModelError;
use crate::sync::lazy::Lazy;
use crate::sync::seed::Map;

/// One shard: torch's `ShardMetadata`. It owns the box of `sizes` elements at `offsets` of the
/// tensor, and lives at `placement`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ShardMetadata {
    /// Where the shard starts in each dimension.
    pub offsets: Vec<i64>,
    /// How many elements it has in each dimension.
    pub sizes: Vec<i64>,
    /// Where it lives.
    pub placement: Placement,
}

/// A borrowed shard of a list: what it owns, and where it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard<'a> {
    /// What it owns.
    pub extent: Extent<'a>,
    /// Where it lives.
    pub placement: &'a Placement,
}

impl<'a> Deref for Shard<'a> {
    type Target = Extent<'a>;

    fn deref(&self) -> &Extent<'a> {
        &self.extent
    }
}

/// A placement for each of many shards, equal ones stored once, numbered by first appearance.
///
/// That numbering makes two lists equal exactly when their arrays are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Placements {
    distinct: Vec<Placement>,
    indices: Vec<u32>,
}

impl Placements {
    /// The placements of shards, in order.
    pub fn new(placements: impl Iterator<Item = Placement>) -> Result<Self> {
        let mut indices = try_with_capacity("placement indices", placements.size_hint().0)?;
        let mut distinct = Vec::new();
        let mut numbers = Map::default();
        for placement in placements {
            // Runs of equal placements are the rule in lists that many shards share.
            if let Some(&last) = indices.last()
                && distinct.get(last as usize) == Some(&placement)
            {
                indices.try_push(last)?;
                continue;
            }
            let next = u32::try_from(distinct.len()).map_err(|_| too_many())?;
            numbers.try_reserve(1)?;
            let number = *numbers.entry(placement.clone()).or_insert(next);
            if number == next {
                distinct.try_push(placement)?;
            }
            indices.try_push(number)?;
        }
        Ok(Self { distinct: tight(distinct)?, indices })
    }

    /// The placement of a single shard.
    pub fn of_one(placement: Placement) -> Result<Self> {
        Self::new(std::iter::once(placement))
    }

    /// The placements `table[index]` for each of `indices`.
    pub fn from_table(table: &[Placement], indices: &[u32]) -> Result<Self> {
        let past_end = |index: &u32| *index as usize >= table.len();
        if let Some(at) = indices.iter().position(past_end) {
            let (argument, count) = ("placement_indices", table.len() as u64);
            let index = indices.get(at).copied().unwrap_or_default().into();
            return Err(Error::IndexOutOfRange { argument, index, count }.at(argument, at));
        }
        // The table may hold a placement twice, or unused ones, so number by first appearance.
        let mut number_of = memory::try_filled(None, table.len())?;
        let mut distinct: Vec<Placement> = Vec::new();
        let mut numbers: Map<&Placement, u32> = Map::default();
        let mut own = try_with_capacity("placement indices", indices.len())?;
        for &index in indices {
            let (Some(number), Some(placement)) =
                (number_of.get_mut(index as usize), table.get(index as usize))
            else {
                continue;
            };
            if let Some(number) = *number {
                own.push(number);
                continue;
            }
            // The table has at most as many entries as a u32 can name.
            let next = distinct.len() as u32;
            numbers.try_reserve(1)?;
            let new = *numbers.entry(placement).or_insert(next);
            if new == next {
                distinct.try_push(placement.clone())?;
            }
            *number = Some(new);
            own.push(new);
        }
        Ok(Self { distinct: tight(distinct)?, indices: own })
    }

    /// Number of shards.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there are no shards.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// The placement of shard `index`.
    pub fn get(&self, index: usize) -> Option<&Placement> {
        self.indices.get(index).and_then(|&number| self.distinct.get(number as usize))
    }

    /// The placements in the order of the shards.
    pub fn iter(&self) -> impl Iterator<Item = &Placement> {
        self.indices.iter().filter_map(|&number| self.distinct.get(number as usize))
    }

    /// The placements that differ, in the order of their first appearance.
    pub fn distinct(&self) -> &[Placement] {
        &self.distinct
    }

    /// For each shard, its placement's index in [`Self::distinct`].
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }
}

/// The same in no more memory than it needs.
fn tight(distinct: Vec<Placement>) -> Result<Vec<Placement>> {
    Ok(distinct.try_into_boxed()?.into_vec())
}

fn too_many() -> Error {
    Error::overflow("the number of shards or placements (at most 4294967295)")
}

/// Shards of the same number of dimensions, in order. Cheap to clone where the parts are shared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shards {
    extents: ExtentList,
    placements: Shared<Placements>,
    /// What they own in boxes, where it is none.
    own: Lazy<OwnSpace>,
}

impl Shards {
    /// Checks and stores shards given as flat arrays: `offsets` and `sizes` have
    /// `placements.len() * ndim` elements, shard after shard.
    ///
    /// Refused are more than 32 dimensions, negative offsets and sizes (torch's
    /// `ShardMetadata.__post_init__`), and ends (`offset + size`) beyond 64 bits.
    pub fn new(
        ndim: usize, offsets: Vec<i64>, sizes: Vec<i64>, placements: impl IntoShared<Placements>,
    ) -> Result<Self> {
        let placements = placements.into_shared()?;
        check_ndim("ndim", ndim)?;
        u32::try_from(placements.len()).map_err(|_| too_many())?;
        let expected = placements.len().saturating_mul(ndim);
        for (argument, got) in [("offsets", offsets.len()), ("sizes", sizes.len())] {
            if got != expected {
                return Err(Error::invalid(
                    argument,
                    text!(
                        "{got} values for {} shards with {ndim} dimensions; pass {expected}",
                        placements.len()
                    ),
                ));
            }
        }
        check_values(ndim, &offsets, &sizes)?;
        let boxes = BoxList::new(ndim, placements.len(), offsets, sizes);
        Ok(Self { extents: ExtentList::of_boxes(boxes), placements, own: Lazy::default() })
    }

    /// Shards that own extents, each at its placement.
    pub fn from_extents(
        extents: ExtentList, placements: impl IntoShared<Placements>,
    ) -> Result<Self> {
        let placements = placements.into_shared()?;
        if placements.len() != extents.len() {
            let (got, expected) = (placements.len(), extents.len());
            let problem = text!("{got} placements for {expected} shards; pass one for each shard");
            return Err(Error::invalid("placements", problem));
        }
        check_ndim("ndim", extents.ndim())?;
        check_values(extents.ndim(), extents.boxes().offsets(), extents.boxes().sizes())?;
        Ok(Self { extents, placements, own: Lazy::default() })
    }

    /// Stores shards given one by one. Refused are, besides what [`Self::new`] refuses, offsets and
    /// sizes of different lengths, and shards with different numbers of dimensions.
    pub fn from_list(list: &[ShardMetadata]) -> Result<Self> {
        let ndim = list.first().map_or(0, |shard| shard.offsets.len());
        let mut offsets = Vec::new();
        let mut sizes = Vec::new();
        for (index, shard) in list.iter().enumerate() {
            check_shard_ndim(index, "sizes", shard.sizes.len(), shard.offsets.len())?;
            check_shard_ndim(index, "offsets", shard.offsets.len(), ndim)?;
            offsets.try_extend_from_slice(&shard.offsets)?;
            sizes.try_extend_from_slice(&shard.sizes)?;
        }
        let placements = Placements::new(list.iter().map(|shard| shard.placement.clone()))?;
        Self::new(ndim, offsets, sizes, placements)
    }

    /// A list of no shards, of any number of dimensions.
    pub(crate) fn none(ndim: usize) -> Result<Self> {
        Self::new(ndim, Vec::new(), Vec::new(), Placements::new(std::iter::empty())?)
    }

    /// This list; of no shards, one of as many dimensions as asked for: nobody could say how many a
    /// list of none has.
    pub(crate) fn with_ndim_if_empty(this: Shared<Self>, ndim: usize) -> Result<Shared<Self>> {
        if this.is_empty() && this.ndim() != ndim {
            return Ok(Shared::try_new(Self::none(ndim)?)?);
        }
        Ok(this)
    }

    /// Refuses shards without a placement.
    pub(crate) fn check_placed(&self) -> Result<()> {
        if !self.placements.distinct().iter().any(Placement::is_none) {
            return Ok(());
        }
        match self.placements.iter().position(Placement::is_none) {
            None => Ok(()),
            Some(shard) => Err(Error::Model(ModelError::NoPlacement { shard })),
        }
    }

    /// The same shards, of a tensor of `sizes` of which `count` dimensions from `first` on are one.
    pub fn flattened(&self, sizes: &[i64], first: usize, count: usize) -> Result<Self> {
        super::metadata::check_sizes(sizes)?;
        if count < 2 {
            let least = 2;
            let value = i64::try_from(count).unwrap_or(i64::MAX);
            return Err(Error::TooSmall { argument: "dim_count", value, least });
        }
        let end = first.checked_add(count).filter(|end| *end <= sizes.len());
        let flattening = end.map(|end| Flattening::new(sizes, first..end)).transpose()?.flatten();
        let Some(flattening) = flattening else {
            let last = first.saturating_add(count).saturating_sub(1);
            let dim = i64::try_from(last).unwrap_or(i64::MAX);
            return Err(ModelError::InvalidDim { dim, ndim: sizes.len() }.into());
        };
        if self.extents.flattening().is_some() {
            let problem = "they are flattened already; flatten the list that they were made of";
            return Err(Error::invalid("shards", problem));
        }
        check_shard_ndim(0, "offsets and sizes", self.ndim(), flattening.ndim())?;
        let extents = self.extents.try_clone()?.flattened(flattening)?;
        Ok(Self { extents, placements: self.placements.clone(), own: Lazy::default() })
    }

    /// The shards of these indices, in this order.
    pub fn select(&self, indices: &[usize]) -> Result<Self> {
        let mut placements = try_with_capacity("placements", indices.len())?;
        for &index in indices {
            placements.push(self.at("indices", index)?.placement.clone());
        }
        // All of them are there.
        let extents = self.extents.select(indices)?.ok_or_else(too_many)?;
        let placements = Placements::new(placements.into_iter())?.into_shared()?;
        Ok(Self { extents, placements, own: Lazy::default() })
    }

    /// The same boxes at other placements, one for each.
    pub(crate) fn placed(&self, placements: Shared<Placements>) -> Result<Self> {
        Self::from_extents(self.extents.try_clone()?, placements)
    }

    /// Number of shards.
    pub fn len(&self) -> usize {
        self.placements.len()
    }

    /// Whether there are no shards.
    pub fn is_empty(&self) -> bool {
        self.placements.is_empty()
    }

    /// Number of dimensions of every shard.
    pub fn ndim(&self) -> usize {
        self.extents.ndim()
    }

    /// What they own.
    pub fn extents(&self) -> &ExtentList {
        &self.extents
    }

    /// Where they start and how long their buffers are: of boxes, what they own.
    pub fn boxes(&self) -> &BoxList {
        self.extents.boxes()
    }

    /// Where the shards start: `len * ndim` values, shard after shard.
    pub fn offsets(&self) -> &[i64] {
        self.boxes().offsets()
    }

    /// How many elements they have in each dimension: `len * ndim` values, shard after shard.
    pub fn sizes(&self) -> &[i64] {
        self.boxes().sizes()
    }

    /// Where they live.
    pub fn placements(&self) -> &Shared<Placements> {
        &self.placements
    }

    /// The space in which they own boxes.
    pub(crate) fn space(&self) -> Result<Space<'_>> {
        if self.extents.are_boxes() {
            return Ok(Space::Boxes(self.boxes()));
        }
        Ok(Space::Unfolded(self.own.get_or_make(|| OwnSpace::new(&self.extents))?))
    }

    /// Shard `index`.
    pub fn get(&self, index: usize) -> Option<Shard<'_>> {
        Some(Shard { extent: self.extents.get(index)?, placement: self.placements.get(index)? })
    }

    /// Shard `index`, or a refusal that names the argument it came from.
    pub fn at(&self, argument: &'static str, index: usize) -> Result<Shard<'_>> {
        self.get(index).ok_or_else(|| Error::IndexOutOfRange {
            argument,
            index: index as u64,
            count: self.len() as u64,
        })
    }

    /// The shards in order.
    pub fn iter(&self) -> impl Iterator<Item = Shard<'_>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

/// The values in one pass for the usual case; the culprit is looked for only when there is one.
fn check_values(ndim: usize, offsets: &[i64], sizes: &[i64]) -> Result<()> {
    let fine = |(&offset, &size): (&i64, &i64)| {
        (offset >= 0) & (size >= 0) & offset.checked_add(size).is_some()
    };
    if offsets.iter().zip(sizes).all(fine) {
        return Ok(());
    }
    // Without dimensions there is no value to be wrong.
    let rows = offsets.chunks(ndim.max(1)).zip(sizes.chunks(ndim.max(1)));
    for (shard, (offsets, sizes)) in rows.enumerate() {
        for (dim, (&offset, &size)) in offsets.iter().zip(sizes).enumerate() {
            for (field, value) in [("offset", offset), ("size", size)] {
                if value < 0 {
                    return Err(Error::Model(ModelError::Negative { shard, field, dim, value }));
                }
            }
            if offset.checked_add(size).is_none() {
                return Err(Error::overflow(text!(
                    "shard {shard}: offset {offset} + size {size} in dimension {dim}"
                )));
            }
        }
    }
    Ok(())
}

/// Refuses more than [`MAX_NDIM`] dimensions.
pub(crate) fn check_ndim(argument: &'static str, ndim: usize) -> Result<()> {
    if ndim > MAX_NDIM {
        return Err(Error::invalid(
            argument,
            text!("{ndim} dimensions are more than the {MAX_NDIM} that are supported"),
        ));
    }
    Ok(())
}

/// Refuses a shard whose `field` does not have the number of dimensions it should have.
pub(crate) fn check_shard_ndim(
    shard: usize, field: &str, got: usize, expected: usize,
) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    let what = text!("shard {shard}: {field}");
    Err(Error::NdimMismatch { what, shard: Some(shard), got, expected })
}
