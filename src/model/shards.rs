//! Lists of shards, stored as flat arrays.
//!
//! A list of `n` shards with `d` dimensions takes `16 * d + 4` bytes a shard and 24 bytes for each
//! placement that differs from all before it. Once it was asked where shards are, it keeps an
//! [`Index`](crate::geometry::Index) as well.

use std::hash::Hash;
use std::ops::Deref;

use super::placement::Placement;
use super::placements::{Placements, too_many};
use super::sizes::{check_ndim, check_sizes};
use super::stable_hash::stable_hash;
use crate::error::{Error, Result};
use crate::geometry::equal::EqualExtents;
use crate::geometry::unfold::{OwnSpace, Space};
use crate::geometry::{BoxList, Extent, ExtentList, Flattening, overlap};
use crate::memory::{IntoShared, Memory, Shared, TryVec, text, try_with_capacity};
use crate::model::ModelError;
use crate::sync::lazy::Lazy;

/// One shard: torch's `ShardMetadata`. It owns the box of `sizes` elements at `offsets` of the
/// tensor, and has a placement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ShardMetadata {
    /// Where the shard starts in each dimension.
    pub offsets: Vec<i64>,
    /// How many elements it has in each dimension.
    pub sizes: Vec<i64>,
    /// Its placement.
    pub placement: Placement,
}

/// A borrowed shard of a list: its elements and its placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard<'a> {
    /// Its elements.
    pub extent: Extent<'a>,
    /// Its placement.
    pub placement: &'a Placement,
}

impl<'a> Deref for Shard<'a> {
    type Target = Extent<'a>;

    fn deref(&self) -> &Extent<'a> {
        &self.extent
    }
}

/// Shards of the same number of dimensions, in order. Cheap to clone where the parts are shared.
///
/// ```
/// use shardspec::model::{Placement, Placements, Shards};
///
/// let placements = Placements::new([Placement::on_rank(0)?, Placement::on_rank(1)?].into_iter())?;
/// let shards = Shards::new(1, vec![0, 4], vec![4, 2], placements)?;
/// let ends: Vec<i64> = shards.iter().map(|shard| shard.offsets[0] + shard.sizes[0]).collect();
/// assert_eq!(ends, [4, 6]);
/// # Ok::<(), shardspec::model::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shards {
    extents: ExtentList,
    placements: Shared<Placements>,
    /// The shards as boxes of digits, where they are not boxes of the tensor.
    own: Lazy<OwnSpace>,
    /// Which of them own the same.
    equal: Lazy<EqualExtents>,
    /// Whether two of them own the same element.
    overlap: Lazy<bool>,
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
        Ok(Self {
            extents: ExtentList::of_boxes(boxes),
            placements,
            own: Lazy::default(),
            equal: Lazy::default(),
            overlap: Lazy::default(),
        })
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
        let (own, equal, overlap) = Default::default();
        Ok(Self { extents, placements, own, equal, overlap })
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

    /// This list. An empty list gets `ndim` dimensions: it fits any number of them.
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
        let flattening = flattening_of(sizes, first, count)?;
        if self.extents.flattening().is_some() {
            let problem = "they are flattened already; flatten the list that they were made of";
            return Err(Error::invalid("shards", problem));
        }
        check_shard_ndim(0, "offsets and sizes", self.ndim(), flattening.ndim())?;
        let extents = self.extents.try_clone()?.flattened(flattening)?;
        Ok(Self {
            extents,
            placements: self.placements.clone(),
            own: Lazy::default(),
            equal: Lazy::default(),
            overlap: Lazy::default(),
        })
    }

    /// The same boxes at other placements, one for each.
    pub(crate) fn placed(&self, placements: Shared<Placements>) -> Result<Self> {
        Self::from_extents(self.extents.try_clone()?, placements)
    }

    /// Some shards of this list, in the order of `indices`. Refused is an index that there is not.
    pub(crate) fn select(&self, indices: &[usize]) -> Result<Self> {
        let own = self.placements.indices();
        let mut numbers = try_with_capacity(indices.len())?;
        for &index in indices {
            numbers.push(own.get(index).copied().unwrap_or(u32::MAX));
        }
        let placements = Placements::from_table(self.placements.distinct(), &numbers)?;
        Self::from_extents(self.extents.select(indices)?, placements)
    }

    /// 64 bits of what each shard has, in which order, and where it lives: equal lists have equal ones, in
    /// every process.
    pub fn fingerprint(&self) -> u64 {
        stable_hash(|hasher| self.hash(hasher))
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

    /// Number of dimensions of the tensor that they are shards of.
    pub fn tensor_ndim(&self) -> usize {
        self.extents.tensor_ndim()
    }

    /// Their elements.
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

    /// Their placements.
    pub fn placements(&self) -> &Shared<Placements> {
        &self.placements
    }

    /// The placement of shard `index`; no placement, where there is no such shard.
    pub(crate) fn placement_of(&self, index: usize) -> Placement {
        self.placements.get(index).cloned().unwrap_or(Placement::NONE)
    }

    /// The space in which they own boxes.
    #[inline(always)]
    pub(crate) fn space(&self) -> Result<Space<'_>> {
        if self.extents.are_boxes() {
            return Ok(Space::Boxes(self.boxes()));
        }
        Ok(Space::Unfolded(self.own.get_or_make(|| OwnSpace::new(&self.extents))?))
    }

    /// Which of them own the same, found when it is first asked for.
    pub(crate) fn equal(&self) -> Memory<impl Deref<Target = EqualExtents>> {
        self.equal.get_or_make(|| EqualExtents::new(&self.extents))
    }

    /// Whether two of them own the same element, found when it is first asked for.
    pub(crate) fn has_overlap(&self) -> Result<bool> {
        let find = || Ok::<_, Error>(overlap::find(self.space()?.rows().boxes)?.is_some());
        Ok(*self.overlap.get_or_make(find)?)
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

/// Dimensions `first` and so on, `count` of them, of a tensor of `sizes` as one.
pub(crate) fn flattening_of(sizes: &[i64], first: usize, count: usize) -> Result<Flattening> {
    check_sizes(sizes)?;
    if count < 2 {
        let value = i64::try_from(count).unwrap_or(i64::MAX);
        return Err(Error::TooSmall { argument: "dim_count", value, least: 2 });
    }
    let end = first.checked_add(count).filter(|end| *end <= sizes.len());
    let flattening = end.map(|end| Flattening::new(sizes, first..end)).transpose()?.flatten();
    flattening.ok_or_else(|| {
        let last = first.saturating_add(count).saturating_sub(1);
        let dim = i64::try_from(last).unwrap_or(i64::MAX);
        ModelError::InvalidDim { dim, ndim: sizes.len() }.into()
    })
}

/// The values in one pass for the usual case; the culprit is looked for only when there is one.
fn check_values(ndim: usize, offsets: &[i64], sizes: &[i64]) -> Result<()> {
    if BoxList::may_hold(offsets, sizes) {
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
