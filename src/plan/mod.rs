//! Plans: which pieces move from one layout of a tensor to another.
//!
//! A plan holds a piece for each box of elements that one destination shard takes from one source
//! shard. Pieces come by destination shard, then by source shard, then by where they lie. Making one
//! takes `n * log(n)` for `n` source shards, and a question to their index for each destination
//! shard: in all about `n * log(n)` and the number of pieces. Layouts over meshes that are no boxes are
//! joined dimension by dimension (`product`).
//!
//! Source: what torch's checkpoint planner (`create_read_items_for_chunk_list`) answers by comparing
//! each pair of shards.

pub mod error;
mod first_held;
#[cfg(test)]
mod growth;
mod holders;
mod join;
mod merge;
mod nodes;
mod once;
mod owners;
mod parts;
mod piece;
mod pieces;
mod product;
mod rank_nodes;
mod reads;
mod relabel;
mod replicas;
mod routes;
mod runs;
mod space;
mod summary;
#[cfg(test)]
mod tests;
mod traffic;

use std::hash::Hash;
use std::ops::Range;

pub(crate) use once::OncePlans;
pub use owners::NodeOf;
use owners::Owners;

use crate::error::{Error, Result};
use crate::memory::{self, IntoShared, Shared};
use crate::model::dtype::DataType;
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::placement::Placement;
use crate::model::shards::{Shards, check_shard_ndim};
use crate::model::stable_hash::stable_hash;
use crate::sync::lazy::Lazy;
pub use error::PlanError;
pub use merge::MergeOptions;
pub(crate) use merge::ReadSpan;
use parts::PartBudget;
pub use piece::{Piece, PieceRows, StepRows, Window};
use pieces::Pieces;
use rank_nodes::RankNodes;
pub use reads::{PlanRead, PlanReads};
pub use relabel::Relabelling;
pub use routes::{Route, Routes};
pub use runs::Run;
use space::CommonSpace;
pub(crate) use space::check_same_tensor;
pub use summary::{OwnerTraffic, PlanSummary};

/// The pieces that move from one layout of a tensor to another. Immutable.
///
/// ```
/// use shardspec::model::{ChunkShardingSpec, Placement, ShardingSpec, TensorProperties, TensorShape};
/// use shardspec::plan::ReshardPlan;
///
/// let chunks = |ranks: i64| {
///     let placements = (0..ranks).map(Placement::on_rank).collect::<Result<Vec<_>, _>>()?;
///     ChunkShardingSpec::new(0.into(), placements.into_iter())?
///         .build_metadata(TensorShape::new(&[6]), TensorProperties::default())
/// };
/// let plan = ReshardPlan::new(&chunks(2)?, &chunks(3)?)?;
/// let pieces: Vec<_> = plan.pieces().map(|piece| (piece.source, piece.destination)).collect();
/// assert_eq!(pieces, [(0, 0), (0, 1), (1, 1), (1, 2)]);
/// # Ok::<(), shardspec::model::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ReshardPlan {
    source: Shared<Shards>,
    destination: Shared<Shards>,
    dtype: Option<DataType>,
    /// The destination shards it serves, ascending; `None`: all.
    wanted: Option<Vec<u32>>,
    /// Which ranks are near each other, if the plan was made for that.
    nodes: Option<Shared<RankNodes>>,
    pieces: Pieces,
    routes: Lazy<Routes>,
}

impl ReshardPlan {
    /// The plan from one layout of a tensor to another. Refused are layouts of tensors of other
    /// sizes, or of another element type where both state one.
    pub fn new(
        source: &ShardedTensorMetadata, destination: &ShardedTensorMetadata,
    ) -> Result<Self> {
        Self::between(source, destination, None, None)
    }

    /// As [`Self::new`], for some destination shards or for all, where it may be known which ranks are
    /// near each other. Of sources that hold the same elements, one of the same owner is read; else one
    /// on the node of the destination; else any.
    pub fn new_near(
        source: &ShardedTensorMetadata, destination: &ShardedTensorMetadata,
        wanted: Option<&[usize]>, node_of: Option<NodeOf<'_>>,
    ) -> Result<Self> {
        let wanted = wanted.map(|wanted| numbers_of(destination.shards(), wanted)).transpose()?;
        Self::between(source, destination, wanted, node_of)
    }

    /// As [`Self::new`], for some destination shards only: what a worker does that loads its own.
    pub fn for_destinations(
        source: &ShardedTensorMetadata, destination: &ShardedTensorMetadata, wanted: &[usize],
    ) -> Result<Self> {
        Self::new_near(source, destination, Some(wanted), None)
    }

    /// The plan from a whole tensor, as one shard, to shards of it: all, or the `wanted` ones.
    pub fn from_whole(
        destination: &ShardedTensorMetadata, wanted: Option<&[usize]>,
    ) -> Result<Self> {
        let whole = destination.whole_at(Placement::NONE)?;
        match wanted {
            None => Self::new(&whole, destination),
            Some(wanted) => Self::for_destinations(&whole, destination, wanted),
        }
    }

    /// The plan from shards to the whole tensor, as one shard.
    pub fn to_whole(source: &ShardedTensorMetadata) -> Result<Self> {
        Self::to_whole_at(source, Placement::NONE, None)
    }

    /// The plan from shards to the whole tensor, as one shard at a placement. Of replicas, those of the
    /// same owner are read first, and then those on its node, where nodes are known.
    pub fn to_whole_at(
        source: &ShardedTensorMetadata, placement: Placement, node_of: Option<NodeOf<'_>>,
    ) -> Result<Self> {
        Self::new_near(source, &source.whole_at(placement)?, None, node_of)
    }

    /// A hash of which source each piece is read from, and which pieces there are; equal in every
    /// process.
    pub(crate) fn choice_hash(&self) -> u64 {
        stable_hash(|hasher| self.pieces.reads().hash(hasher))
    }

    /// The plan from any shards to any others. Destination shards may overlap and need not cover
    /// anything. What no source holds is refused, [`PlanError::NoSource`]. A list of no shards may
    /// be one of any number of dimensions. All shards without placements count as the shards of one
    /// owner.
    ///
    /// Source shards may overlap too: each element is then read from one of the sources that hold
    /// it. That is a source with the same owner as the destination, if there is one. Other parts
    /// are assigned to the source whose owner reads least so far, the largest parts first. Parts
    /// larger than a fair share are divided among their holders. Sources that overlap in very many
    /// ways are read in fewer and larger parts, and too many ways are refused,
    /// [`Error::Unsupported`].
    pub fn from_shards(
        source: impl IntoShared<Shards>, destination: impl IntoShared<Shards>,
    ) -> Result<Self> {
        let (source, destination) = (source.into_shared()?, destination.into_shared()?);
        Self::with_effort(source, destination, None, (PartBudget::USUAL, None))
    }

    /// As [`Self::from_shards`], where it is known which ranks are near each other; see
    /// [`Self::new_near`].
    pub fn from_shards_near(
        source: impl IntoShared<Shards>, destination: impl IntoShared<Shards>, node_of: NodeOf<'_>,
    ) -> Result<Self> {
        let (source, destination) = (source.into_shared()?, destination.into_shared()?);
        Self::with_effort(source, destination, None, (PartBudget::USUAL, Some(node_of)))
    }

    /// As [`Self::from_shards`], for some destination shards only.
    pub fn from_shards_for(
        source: impl IntoShared<Shards>, destination: impl IntoShared<Shards>, wanted: &[usize],
    ) -> Result<Self> {
        let (source, destination) = (source.into_shared()?, destination.into_shared()?);
        let wanted = Some(numbers_of(&destination, wanted)?);
        Self::with_effort(source, destination, wanted, (PartBudget::USUAL, None))
    }

    fn with_effort(
        source: Shared<Shards>, destination: Shared<Shards>, wanted: Option<Vec<u32>>,
        effort: (PartBudget, Option<NodeOf<'_>>),
    ) -> Result<Self> {
        let source = Shards::with_ndim_if_empty(source, destination.ndim())?;
        let destination = Shards::with_ndim_if_empty(destination, source.ndim())?;
        let (expected, got) = (source.tensor_ndim(), destination.tensor_ndim());
        check_shard_ndim(0, "offsets and sizes", got, expected)?;
        let effort = source.has_overlap()?.then_some(effort);
        let pieces = pieces_between(&source, &destination, wanted.as_deref(), effort)?;
        let (dtype, nodes, routes) = Default::default();
        Ok(Self { source, destination, dtype, wanted, nodes, pieces, routes })
    }

    fn between(
        source: &ShardedTensorMetadata, destination: &ShardedTensorMetadata,
        wanted: Option<Vec<u32>>, node_of: Option<NodeOf<'_>>,
    ) -> Result<Self> {
        source.check_movable()?;
        destination.check_movable()?;
        check_same_tensor(source, destination)?;
        let dtype = source.properties().dtype.or(destination.properties().dtype);
        let effort = source.has_replicas().then_some((PartBudget::USUAL, node_of));
        let (source, destination) = (source.shared_shards(), destination.shared_shards());
        let pieces = pieces_between(source, destination, wanted.as_deref(), effort)?;
        Ok(Self {
            source: source.clone(),
            destination: destination.clone(),
            dtype,
            wanted,
            nodes: None,
            pieces,
            routes: Lazy::default(),
        })
    }

    /// The shards that are read.
    pub fn source(&self) -> &Shared<Shards> {
        &self.source
    }

    /// The shards that are written.
    pub fn destination(&self) -> &Shared<Shards> {
        &self.destination
    }

    /// The element type, where one of the layouts states it.
    pub fn dtype(&self) -> Option<DataType> {
        self.dtype
    }

    /// Whether the plan serves a destination shard.
    pub fn serves(&self, destination: usize) -> bool {
        match &self.wanted {
            None => destination < self.destination.len(),
            Some(wanted) => {
                u32::try_from(destination).is_ok_and(|index| wanted.binary_search(&index).is_ok())
            }
        }
    }

    /// Number of dimensions of every piece: that of the shards, where they are boxes.
    pub fn piece_ndim(&self) -> usize {
        self.pieces.ndim()
    }

    /// Number of pieces.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Whether nothing is needed at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Piece `index`.
    pub fn piece(&self, index: usize) -> Option<Piece<'_>> {
        self.pieces.get(index)
    }

    /// The pieces, by destination shard, then by source shard, then by where they lie.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        self.pieces_in(0..self.len())
    }

    /// Some of the pieces.
    pub fn pieces_in(&self, range: Range<usize>) -> impl Iterator<Item = Piece<'_>> {
        range.filter_map(|index| self.piece(index))
    }

    /// The indices of the pieces that a destination shard takes.
    pub fn pieces_into(&self, destination: usize) -> Range<usize> {
        let destinations = &self.pieces.destinations;
        let start = destinations.partition_point(|&index| (index as usize) < destination);
        let end = destinations.partition_point(|&index| index as usize <= destination);
        start..end
    }

    /// The indices of the pieces that a destination shard takes from a source shard.
    pub fn pieces_between(&self, source: usize, destination: usize) -> Range<usize> {
        let pieces = self.pieces_into(destination);
        let sources = self.pieces.sources.get(pieces.clone()).unwrap_or(&[]);
        let start = sources.partition_point(|&index| (index as usize) < source);
        let end = sources.partition_point(|&index| index as usize <= source);
        pieces.start.saturating_add(start)..pieces.start.saturating_add(end)
    }

    /// Pieces `first` to `first + count - 1` as flat arrays.
    pub fn rows(&self, first: usize, count: usize) -> Result<PieceRows<'_>> {
        self.pieces.rows(first, count).ok_or(Error::IndexOutOfRange {
            argument: "first_piece + piece_count",
            index: first.saturating_add(count) as u64,
            count: self.len() as u64,
        })
    }

    /// Whether every piece stays with its owner: nothing goes from one process to another.
    pub fn is_local(&self) -> Result<bool> {
        let owners = Owners::new(&self.source, &self.destination)?;
        let mut pairs = self.pieces.sources.iter().zip(&self.pieces.destinations);
        Ok(pairs.all(|(&source, &destination)| {
            owners.of_source(source) == owners.of_destination(destination)
        }))
    }

    /// Whether every destination shard that is served is the source shard of the same index, with
    /// the same box and the same placement: nothing needs to be done at all.
    pub fn is_identity(&self) -> bool {
        let same = |index: usize| match (self.source.get(index), self.destination.get(index)) {
            (Some(source), Some(destination)) => source == destination,
            _ => false,
        };
        if self.source.extents().flattening() != self.destination.extents().flattening() {
            return false;
        }
        match &self.wanted {
            None => self.source.len() == self.destination.len() && (0..self.source.len()).all(same),
            Some(wanted) => wanted.iter().all(|&index| same(index as usize)),
        }
    }
}

/// The numbers of some destination shards, ascending, each once.
fn numbers_of(destination: &Shards, wanted: &[usize]) -> Result<Vec<u32>> {
    let mut numbers = memory::try_with_capacity(wanted.len())?;
    for (at, &index) in wanted.iter().enumerate() {
        destination
            .at("destination_indices", index)
            .map_err(|error| error.at("destination_indices", at))?;
        // A list has no more shards than a u32 counts.
        numbers.push(index as u32);
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// All pieces of the `wanted` destination shards. Source shards may overlap only with a budget,
/// `effort`.
fn pieces_between(
    source: &Shards, destination: &Shards, wanted: Option<&[u32]>,
    effort: Option<(PartBudget, Option<NodeOf<'_>>)>,
) -> Result<Pieces> {
    if effort.is_none()
        && let Some(pieces) = product::join(source, destination, wanted)?
    {
        return Ok(pieces);
    }
    let space = CommonSpace::new(source, destination)?;
    let mut pieces = Pieces::new(&space)?;
    match effort {
        None => pieces.join(&space, destination, wanted, None)?,
        Some(effort) => {
            let wanted = (wanted, None);
            replicas::join(&mut pieces, &space, source, destination, wanted, effort)?;
        }
    }
    Ok(pieces)
}
