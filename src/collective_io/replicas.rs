//! What one rank reads of a tensor, and what it receives.

use crate::comm::{self, BatchTensor, Communicator, TensorLayouts, TensorMoves, TensorShards};
use crate::files::{ReadItem, StoredTensor};
use crate::geometry::checked_numel;
use crate::memory::{IntoShared, Shared, Text, text, try_filled, try_with_capacity};
use crate::model::{Error, Placement, Placements, Result, ShardedTensorMetadata, Shards};
use crate::plan::ReshardPlan;
use crate::transfer::{LocalShards, ShardArguments};

/// A tensor of a collective read, as one rank sees it.
pub(super) struct SharedTensor<'a> {
    /// What this rank reads.
    pub(super) read: ReadItem<'a>,
    /// From the shards that are read to the others with the same elements.
    pub(super) moved: BatchTensor,
    /// Bytes of the elements that this rank receives.
    pub(super) received: u64,
    /// Bytes of the tensor: the same on all ranks.
    pub(super) bytes: u64,
}

impl<'a> SharedTensor<'a> {
    /// Divides the shards of this rank. `readers` has the shard that is read for each shard of the layout.
    /// Refuses shards that are not those of this rank.
    pub(super) fn new(
        comm: &dyn Communicator, tensor: &StoredTensor, item: &ReadItem<'a>, readers: &[u32],
    ) -> Result<Self> {
        let (layout, shards) = (item.layout, &item.shards);
        check_own(comm, layout, shards)?;
        let reads = |shard: usize| readers.get(shard).is_none_or(|&own| own as usize == shard);
        let all = || 0..layout.shards().len();
        let receiving = try_collect_filtered(all(), |&shard| !reads(shard))?;
        // Those that others receive from.
        let mut giving = try_with_capacity(receiving.len())?;
        let reader = |shard: &usize| readers.get(*shard).map(|&own| own as usize);
        giving.extend(receiving.iter().filter_map(reader));
        giving.sort_unstable();
        giving.dedup();

        let listed = |list: &[usize]| layout.shards().select(list).and_then(shared);
        let (sources, destinations) = (listed(&giving)?, listed(&receiving)?);
        let moved = TensorShards {
            source: Shared::try_new(some_of(shards, &sources, &giving)?)?,
            destination: Shared::try_new(some_of(shards, &destinations, &receiving)?)?,
        };
        let plan = Shared::try_new(ReshardPlan::from_shards(sources, destinations)?)?;
        let layouts = TensorLayouts::Replicas { layout: layout.clone(), plan };
        let own_reads = try_collect_filtered(shards.indices(), |&shard| reads(shard))?;
        let received = shards.indices().filter(|&shard| !reads(shard));
        let elements = received.map(|shard| elements_of(layout, shard));
        let elements = elements.fold(0, u64::saturating_add);
        Ok(Self {
            read: ReadItem {
                name: item.name,
                layout,
                shards: Shared::try_new(of_same_layout(shards, &own_reads)?)?,
            },
            moved: BatchTensor {
                tag: Shared::try_new(Text::try_copy(item.name)?)?,
                moves: Shared::try_new(TensorMoves::new(comm, layouts)?)?,
                dtype: Some(tensor.dtype()),
                shards: moved,
            },
            received: bytes_of(tensor, elements),
            bytes: bytes_of(tensor, checked_numel(tensor.sizes()).unwrap_or(0).unsigned_abs()),
        })
    }
}

/// Refuses other shards than those of the rank that calls.
fn check_own(
    comm: &dyn Communicator, layout: &ShardedTensorMetadata, shards: &LocalShards,
) -> Result<()> {
    shards.check_layout(layout.shared_shards())?;
    let own = comm::own_shards(comm, layout.shared_shards(), ("shard_count", shards.len()))?;
    if own.iter().copied().eq(shards.indices()) {
        return Ok(());
    }
    let problem = text!(
        "they are not the shards of rank {}; pass all shards of that rank, and no others",
        comm.placement_rank(comm.rank())
    );
    Err(Error::invalid("indices", problem))
}

fn try_collect_filtered(
    numbers: impl ExactSizeIterator<Item = usize>, keep: impl Fn(&usize) -> bool,
) -> Result<Vec<usize>> {
    let mut kept = try_with_capacity(numbers.len())?;
    kept.extend(numbers.filter(keep));
    Ok(kept)
}

fn shared(shards: Shards) -> Result<Shared<Shards>> {
    Ok(shards.into_shared()?)
}

/// Those of the local shards that `list` names, as shards of `layout`, whose shard `i` is shard `list[i]` of
/// theirs.
fn some_of(shards: &LocalShards, layout: &Shared<Shards>, list: &[usize]) -> Result<LocalShards> {
    let mut some =
        LocalShards::builder(layout, ShardArguments::SHARDS, shards.dtype(), shards.len())?;
    for (number, index) in shards.indices().enumerate() {
        if let Ok(at) = list.binary_search(&index) {
            some.push(at, &shards.view(number))?;
        }
    }
    some.finish()
}

/// Those of the local shards that have these indices, which ascend.
fn of_same_layout(shards: &LocalShards, indices: &[usize]) -> Result<LocalShards> {
    let arguments = ShardArguments::SHARDS;
    let mut some = LocalShards::builder(shards.layout(), arguments, shards.dtype(), indices.len())?;
    for (number, index) in shards.indices().enumerate() {
        if indices.binary_search(&index).is_ok() {
            some.push(index, &shards.view(number))?;
        }
    }
    some.finish()
}

/// How many elements a shard has.
fn elements_of(layout: &ShardedTensorMetadata, shard: usize) -> u64 {
    let elements = layout.shards().get(shard).and_then(|shard| shard.extent.elements());
    elements.unwrap_or(0).unsigned_abs()
}

fn bytes_of(tensor: &StoredTensor, elements: u64) -> u64 {
    tensor.dtype().storage_bytes(elements).map_or(u64::MAX, |bytes| bytes as u64)
}

/// The layout that has the whole tensor on each rank of a communicator.
pub fn on_every_rank(
    comm: &dyn Communicator, tensor: &StoredTensor,
) -> Result<ShardedTensorMetadata> {
    let (whole, ndim, count) = (tensor.whole()?, tensor.sizes().len(), comm.size());
    let mut sizes = try_with_capacity(count.saturating_mul(ndim))?;
    (0..count).for_each(|_| sizes.extend_from_slice(tensor.sizes()));
    let mut placements = try_with_capacity(count)?;
    for rank in 0..count {
        placements.push(Placement::on_rank(comm.placement_rank(rank))?);
    }
    let placements = Placements::new(placements.into_iter())?;
    let shards = Shards::new(ndim, try_filled(0, sizes.len())?, sizes, placements)?;
    let properties = *whole.properties();
    ShardedTensorMetadata::with_replicas(shared(shards)?, tensor.sizes(), properties)
}
