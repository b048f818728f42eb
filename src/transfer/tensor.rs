//! Sharded tensors: who owns what, and the memory of the shards that are here.

use super::alias::{Side, check_aliases};
use super::error::TransferError;
use super::host_memory::HostTransfer;
use super::keeper::Keeper;
use super::local_shards::{LocalShards, ShardArguments, order_of};
use super::sharder::{Extraction, Sharder};
use super::transfer::check_full;
use super::view::HostView;
use crate::error::try_with_capacity;
use crate::geometry::region::{Region, checked_numel};
use crate::host::options::CopyOptions;
use crate::host::populate::populate;
use crate::memory::Buffer;
use crate::memory::{OutOfMemory, Shared, Text, text, try_collect, try_filled};
use crate::model::placements::Placements;
use crate::model::shards::{Shard, Shards};
use crate::model::{DataType, Error, Layout, MemoryFormat, Result, ShardedTensorMetadata};
use crate::plan::ReshardPlan;
use crate::sync::seed::Map;

/// The contents of newly allocated memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// Anything.
    Uninitialized,
    /// Bytes of 0.
    Zero,
}

/// The owners of the memory of local shards.
#[derive(Debug)]
pub enum Keepers {
    /// All of it.
    One(Keeper),
    /// That of each shard, in the order in which their views came in.
    Each(Vec<Keeper>),
}

/// A tensor that is cut into shards, some of which are in this process.
///
/// Its metadata states the element type if there is a local shard.
///
/// ```
/// use shardspec::model::{ChunkShardingSpec, Placement, ShardingSpec, TensorProperties, TensorShape};
/// use shardspec::transfer::{Fill, ShardedTensor};
///
/// let ranks = [Placement::on_rank(0)?, Placement::on_rank(1)?];
/// let metadata = ChunkShardingSpec::new(0.into(), ranks.into_iter())?
///     .build_metadata(TensorShape::new(&[5, 3]), TensorProperties::TORCH_DEFAULT)?;
/// let tensor = ShardedTensor::new(&metadata, &[1], Fill::Zero)?;
/// assert_eq!((tensor.index(0)?, tensor.view(0)?.shape()), (1, &[2, 3][..]));
/// # Ok::<(), shardspec::model::Error>(())
/// ```
#[derive(Debug)]
pub struct ShardedTensor {
    metadata: ShardedTensorMetadata,
    shards: Shared<LocalShards>,
    keepers: Keepers,
    communicator: Option<u64>,
}

impl ShardedTensor {
    /// A tensor of which shards `indices` are here, in memory of its own.
    pub fn new(metadata: &ShardedTensorMetadata, indices: &[usize], fill: Fill) -> Result<Self> {
        check_properties(metadata)?;
        let dtype = metadata.properties().dtype.ok_or_else(|| {
            let problem = "the metadata states no dtype; build it with properties that do";
            Error::invalid("metadata", problem)
        })?;
        let (layout, arguments) = (metadata.shared_shards(), ShardArguments::SHARDS);
        let mut shards = LocalShards::builder(layout, arguments, Some(dtype), indices.len())?;
        let mut keepers = try_with_capacity("local shards", indices.len())?;
        check_indices(layout, indices)?;
        for &index in indices {
            let sizes = layout.at("indices", index)?.sizes;
            let buffer = Buffer::new(bytes_of(sizes, dtype)?)?;
            if fill == Fill::Zero {
                // SAFETY: `buffer` was allocated above with so many bytes, and no view of it exists yet.
                unsafe { buffer.as_ptr().write_bytes(0, buffer.len()) };
            }
            shards.push(index, &HostView::new("local", buffer.as_ptr(), dtype, sizes, None)?)?;
            keepers.push(Keeper::of_buffer(buffer)?);
        }
        let (shards, keepers) = (Shared::try_new(shards.finish()?)?, Keepers::Each(keepers));
        Ok(Self { metadata: metadata.clone(), shards, keepers, communicator: None })
    }

    /// A tensor of which shards `indices` are here, copied out of the full one.
    ///
    /// # Safety
    ///
    /// Every element of `full` may be read, and nothing writes it meanwhile.
    pub unsafe fn from_full(
        metadata: &ShardedTensorMetadata, indices: &[usize], full: &HostView, options: &CopyOptions,
    ) -> Result<Self> {
        check_full(metadata, full)?;
        let tensor = Self::new(&metadata.with_dtype(full.dtype()), indices, Fill::Uninitialized)?;
        let views = (0..tensor.local_count()).map(|local| tensor.shards.view(local));
        populate(views.map(|view| (view.first(), view.bytes())), options);
        // SAFETY: the contract of `from_full` lets `scatter` read `full`. The memory of `tensor` was
        // allocated here, and nothing else knows of it.
        unsafe { HostTransfer::scatter(metadata, full, &tensor.shards, options)?.run() };
        Ok(tensor)
    }

    /// As [`Self::from_full`], where `spec`, which built the metadata, fills the shards.
    ///
    /// # Safety
    ///
    /// As [`Self::from_full`].
    pub unsafe fn from_spec(
        spec: &dyn Sharder, metadata: &ShardedTensorMetadata, indices: &[usize], full: &HostView,
        options: &CopyOptions,
    ) -> Result<Self> {
        check_full(metadata, full)?;
        let tensor = Self::new(&metadata.with_dtype(full.dtype()), indices, Fill::Uninitialized)?;
        for (local, index) in tensor.shards.indices().enumerate() {
            let view = tensor.shards.view(local);
            let extraction = Extraction::new(metadata, index, full, &view, options)?;
            // SAFETY: the contract of `from_spec` lets `spec` read the full tensor. The memory of the shard
            // was allocated here, and nothing else knows of it.
            unsafe { spec.shard(&extraction)? };
        }
        Ok(tensor)
    }

    /// The local shards of one tensor into those of another, as a plan says. Refused are tensors of other
    /// layouts than the plan was made for, whatever the sizes of their shards.
    pub fn reshard(
        plan: &ReshardPlan, source: &Self, destination: &Self, options: &CopyOptions,
    ) -> Result<HostTransfer> {
        for (argument, tensor, planned) in
            [("source", source, plan.source()), ("destination", destination, plan.destination())]
        {
            let layout = tensor.shards.layout();
            if !Shared::ptr_eq(layout, planned) && **layout != **planned {
                let (got, expected) = (layout.fingerprint(), planned.fingerprint());
                return Err(TransferError::OtherLayout { argument, got, expected }.into());
            }
        }
        HostTransfer::reshard(plan, &source.shards, &destination.shards, options)
    }

    /// A tensor of shards that are here already. Refused are shards that share memory.
    pub fn from_local(
        metadata: &ShardedTensorMetadata, shards: LocalShards, keepers: Keepers,
    ) -> Result<Self> {
        check_properties(metadata)?;
        shards.check_layout(metadata.shared_shards())?;
        if let Keepers::Each(each) = &keepers
            && each.len() != shards.len()
        {
            let (got, expected) = (each.len(), shards.len());
            let problem = text!("{got} keepers for {expected} shards; pass one for each shard");
            return Err(Error::invalid("keepers", problem));
        }
        let stated = metadata.properties().dtype.or(shards.dtype());
        let metadata = stated.map_or_else(|| metadata.clone(), |dtype| metadata.with_dtype(dtype));
        stated.map_or(Ok(()), |dtype| shards.check_dtype(dtype))?;
        check_aliases(Side::Shards(&shards), Side::maybe_full(&None))?;
        let shards = Shared::try_new(shards)?;
        Ok(Self { metadata, shards, keepers, communicator: None })
    }

    /// The tensor, with the communicator that its collectives use.
    #[must_use]
    pub fn with_communicator(self, communicator: u64) -> Self {
        Self { communicator: Some(communicator), ..self }
    }

    /// The communicator that its collectives use, if it has one.
    pub fn communicator(&self) -> Option<u64> {
        self.communicator
    }

    /// Who owns what.
    pub fn metadata(&self) -> &ShardedTensorMetadata {
        &self.metadata
    }

    /// The shards that are here.
    pub fn shards(&self) -> &Shared<LocalShards> {
        &self.shards
    }

    /// How many shards are here.
    pub fn local_count(&self) -> usize {
        self.shards.len()
    }

    /// Which shard of the metadata local shard `local` is. They are numbered in the metadata's
    /// order.
    pub fn index(&self, local: usize) -> Result<usize> {
        Ok(self.shards.index(self.checked(local)?))
    }

    /// Local shard `local`.
    pub fn view(&self, local: usize) -> Result<HostView> {
        Ok(self.shards.view(self.checked(local)?))
    }

    /// The owner of the memory of local shard `local`. A clone keeps that memory after the tensor
    /// is dropped.
    pub fn keeper(&self, local: usize) -> Result<Keeper> {
        let position = self.shards.position(self.checked(local)?);
        match &self.keepers {
            Keepers::One(keeper) => Some(keeper),
            Keepers::Each(keepers) => keepers.get(position),
        }
        .cloned()
        .ok_or_else(|| self.out_of_range(local))
    }

    /// A number of a local shard, if it is one.
    fn checked(&self, local: usize) -> Result<usize> {
        if local < self.local_count() { Ok(local) } else { Err(self.out_of_range(local)) }
    }

    fn out_of_range(&self, local: usize) -> Error {
        let (index, count) = (local as u64, self.local_count() as u64);
        Error::IndexOutOfRange { argument: "local", index, count }
    }

    /// Copies all shards into the full tensor. Each that owns something must be here.
    ///
    /// # Safety
    ///
    /// Every element of the shards may be read and every element of `full` written, and nothing
    /// else uses any of them meanwhile.
    pub unsafe fn gather(&self, full: &HostView, options: &CopyOptions) -> Result<()> {
        // SAFETY: the contract of `ShardedTensor::gather` lets this read `shards` and write `full`, which
        // is the contract of `run`.
        unsafe { HostTransfer::gather(&self.metadata, &self.shards, full, options)?.run() };
        Ok(())
    }
}

/// Which shards of the metadata these are: each is there with the same box and the same placement,
/// and none is given twice.
pub fn indices_of(metadata: &ShardedTensorMetadata, described: &Shards) -> Result<Vec<usize>> {
    let known = Described::new(metadata.shards())?;
    let numbers = known.numbers_of(described.placements())?;
    // How many of those that are alike were found, at the place of the first. Empty shards may have
    // the same box, and even the same placement.
    let mut found = try_filled(0u32, known.order.len())?;
    let mut indices = try_with_capacity("indices", described.len())?;
    for (at, (shard, number)) in described.iter().zip(numbers).enumerate() {
        let place = number.and_then(|number| {
            let first = known.first_of(&shard, number);
            let count = found.get_mut(first)?;
            let place = first.saturating_add(*count as usize);
            *count = count.saturating_add(1);
            known.is_at(place, &shard, number).then_some(place)
        });
        match place.and_then(|place| known.order.get(place)) {
            Some(&index) => indices.push(index as usize),
            None => return Err(known.refusal(at, &shard)),
        }
    }
    Ok(indices)
}

/// Offsets and sizes of a shard, and the number of its placement.
type Key<'a> = ((&'a [i64], &'a [i64]), u32);

/// Shards in the order of their boxes, then of their placements, to be found by both.
struct Described<'a> {
    shards: &'a Shards,
    order: Vec<u32>,
}

impl<'a> Described<'a> {
    fn new(shards: &'a Shards) -> Result<Self> {
        // Shards are counted by 32 bits.
        let mut order = try_collect(0..shards.len() as u32)?;
        let key = |index: &u32| Self::key(shards, *index);
        order.sort_unstable_by(|a, b| key(a).cmp(&key(b)).then(a.cmp(b)));
        Ok(Self { shards, order })
    }

    fn key(shards: &Shards, index: u32) -> Option<Key<'_>> {
        let shard = shards.get(index as usize)?;
        let number = shards.placements().indices().get(index as usize)?;
        Some(((shard.offsets, shard.sizes), *number))
    }

    /// The numbers that the placements of other shards have here.
    fn numbers_of(&self, others: &Placements) -> Result<Vec<Option<u32>>> {
        let distinct = self.shards.placements().distinct();
        let mut known = Map::default();
        known.try_reserve(distinct.len()).map_err(OutOfMemory::from)?;
        known.extend((0u32..).zip(distinct).map(|(number, placement)| (placement, number)));
        let same = try_collect(others.distinct().iter().map(|other| known.get(other).copied()))?;
        let each = others.indices().iter().map(|&number| same.get(number as usize).copied()?);
        Ok(try_collect(each)?)
    }

    /// Where the first shard with this box and placement is, or where it would be.
    fn first_of(&self, shard: &Shard<'_>, number: u32) -> usize {
        let wanted = Some(((shard.offsets, shard.sizes), number));
        self.order.partition_point(|&index| Self::key(self.shards, index) < wanted)
    }

    fn is_at(&self, place: usize, shard: &Shard<'_>, number: u32) -> bool {
        let wanted = Some(((shard.offsets, shard.sizes), number));
        self.order.get(place).is_some_and(|&index| Self::key(self.shards, index) == wanted)
    }

    /// Why described shard `at` is none of these.
    fn refusal(&self, at: usize, shard: &Shard<'_>) -> Error {
        let region = match Region::try_new(shard.offsets, shard.sizes) {
            Ok(region) => region,
            Err(memory) => return memory.into(),
        };
        let key = |index: u32| Self::key(self.shards, index).map(|(bounds, _)| bounds);
        let wanted = Some((shard.offsets, shard.sizes));
        let place = self.order.partition_point(|&index| key(index) < wanted);
        if self.order.get(place).is_none_or(|&index| key(index) != wanted) {
            let what = text!("descriptions: shard {at}, {region}, is not a shard of the metadata");
            return Error::NotFound { what };
        }
        let problem = text!(
            "shard {at}, {region}, is not placed at {} in the metadata, or was given before",
            shard.placement
        );
        Error::invalid("descriptions", problem)
    }
}

/// Refuses local shards that are not all the shards of their owner (torch's
/// `_init_from_local_shards_and_global_metadata`).
pub fn check_owner(metadata: &ShardedTensorMetadata, owner: &str, indices: &[usize]) -> Result<()> {
    let owned = try_collect(metadata.shards_of_owner(owner)?)?;
    if let Some(index) = indices.iter().find(|index| owned.binary_search(index).is_err()) {
        let problem = text!("shard {index} is not one of {owner}'s");
        return Err(Error::invalid("owner", problem));
    }
    if indices.len() != owned.len() {
        let (got, count) = (indices.len(), owned.len());
        let problem = text!("{got} shards were passed, and {owner} owns {count}; pass all");
        return Err(Error::invalid("owner", problem));
    }
    Ok(())
}

/// Refuses tensors whose elements are not arranged as shards can be (torch's
/// `_init_from_local_shards_and_global_metadata`).
fn check_properties(metadata: &ShardedTensorMetadata) -> Result<()> {
    let properties = metadata.properties();
    if properties.layout != Layout::Strided {
        let what = Text::from("metadata: only the layout torch.strided can be sharded");
        return Err(Error::Unsupported { what });
    }
    if properties.memory_format != MemoryFormat::Contiguous {
        let what =
            Text::from("metadata: only the memory format torch.contiguous_format can be sharded");
        return Err(Error::Unsupported { what });
    }
    Ok(())
}

/// Refuses indices of no shard, and those that are given twice.
pub fn check_indices(layout: &Shards, indices: &[usize]) -> Result<()> {
    let mut known = try_with_capacity("indices", indices.len())?;
    for (at, &index) in indices.iter().enumerate() {
        layout.at("indices", index).map_err(|error| error.at("indices", at))?;
        // Shards are counted by 32 bits.
        known.push(index as u32);
    }
    order_of(&known, "indices").map(drop)
}

fn bytes_of(sizes: &[i64], dtype: DataType) -> Result<usize> {
    let numel = checked_numel(sizes).and_then(|numel| u64::try_from(numel).ok());
    numel
        .and_then(|numel| dtype.storage_bytes(numel))
        .ok_or_else(|| Error::overflow(text!("the bytes of a shard of {sizes:?} {dtype}")))
}
