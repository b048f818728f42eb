//! Sharded tensors: who owns what, and the memory of the shards that are here.

use super::alias::{AliasCheck, Party};
use super::copies::Copies;
use super::cut::{Cut, Extraction};
use super::keeper::Keeper;
use super::view::HostView;
use super::{check_full, check_shard};
use crate::error::try_with_capacity;
use crate::geometry::region::{Region, checked_numel};
use crate::host::copy_list::{CopyList, FullSide};
use crate::host::options::CopyOptions;
use crate::memory::Buffer;
use crate::memory::{OutOfMemory, Text, text, try_collect, try_filled};
use crate::model::placements::Placements;
use crate::model::shards::{Shard, Shards};
use crate::model::{DataType, Error, Layout, MemoryFormat, Result, ShardedTensorMetadata};
use crate::sync::seed::Map;
use crate::transfer::TransferError;

/// What is in memory that was just allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// Anything.
    Uninitialized,
    /// Bytes of 0.
    Zero,
}

/// A shard that is in this process.
#[derive(Clone)]
struct LocalShard {
    /// Which shard of the metadata it is.
    index: usize,
    first: *mut u8,
    keeper: Keeper,
}

/// A tensor that is cut into shards, some of which are in this process.
///
/// Its metadata states the element type as soon as a shard is there to tell it. Strides of the
/// shards are stored flat, a number for each dimension.
pub struct ShardedTensor {
    metadata: ShardedTensorMetadata,
    /// By index, ascending.
    shards: Vec<LocalShard>,
    /// In elements.
    strides: Vec<i64>,
    communicator: Option<u64>,
}

// SAFETY: a sharded tensor does not look at its shards' memory; whoever does promises what that
// takes.
unsafe impl Send for ShardedTensor {}
// SAFETY: as above.
unsafe impl Sync for ShardedTensor {}

impl ShardedTensor {
    /// A tensor of which shards `indices` are here, in memory of its own.
    pub fn new(metadata: &ShardedTensorMetadata, indices: &[usize], fill: Fill) -> Result<Self> {
        check_properties(metadata)?;
        let dtype = metadata.properties().dtype.ok_or_else(|| {
            let problem = "the metadata states no dtype; build it with properties that do";
            Error::invalid("metadata", problem)
        })?;
        let mut tensor = Self::without_shards(metadata, Some(dtype), indices.len())?;
        for index in sorted(metadata, indices)? {
            let bytes = bytes_of(metadata.shards().at("indices", index)?.sizes, dtype)?;
            let buffer = Buffer::new(bytes)?;
            if fill == Fill::Zero {
                // SAFETY: the buffer's own bytes, that nobody else knows of.
                unsafe { buffer.as_ptr().write_bytes(0, buffer.len()) };
            }
            let (first, keeper) = (buffer.as_ptr(), Keeper::of_buffer(buffer)?);
            tensor.push_row_major(LocalShard { index, first, keeper })?;
        }
        Ok(tensor)
    }

    /// A tensor of which shards `indices` are here, copied out of the full one.
    ///
    /// # Safety
    ///
    /// Every element of `full` may be read, and nobody writes it meanwhile.
    pub unsafe fn from_full(
        metadata: &ShardedTensorMetadata, indices: &[usize], full: &HostView, options: &CopyOptions,
    ) -> Result<Self> {
        check_full(metadata, full)?;
        let tensor = Self::new(&metadata.with_dtype(full.dtype()), indices, Fill::Uninitialized)?;
        let mut plan = CopyList::new(FullSide::Source);
        for local in 0..tensor.shards.len() {
            let owned = metadata.shards().at("indices", tensor.index(local)?)?;
            plan.push_shard(full, owned, &tensor.view(local)?)?;
        }
        let mut own = tensor.shards.iter().map(|shard| shard.index);
        let view = |index: usize| {
            let local = tensor.shards.binary_search_by_key(&index, |shard| shard.index);
            tensor.view(local.ok()?).ok()
        };
        let copies = Copies::new(plan, metadata, full, &mut own, &view, options);
        // SAFETY: it reads `full` and writes memory that was allocated here.
        unsafe { copies.run(options) };
        Ok(tensor)
    }

    /// As [`Self::from_full`], where `spec`, which built the metadata, fills the shards.
    ///
    /// # Safety
    ///
    /// As [`Self::from_full`].
    pub unsafe fn from_spec(
        spec: &dyn Cut, metadata: &ShardedTensorMetadata, indices: &[usize], full: &HostView,
        options: &CopyOptions,
    ) -> Result<Self> {
        check_full(metadata, full)?;
        let tensor = Self::new(&metadata.with_dtype(full.dtype()), indices, Fill::Uninitialized)?;
        for local in 0..tensor.shards.len() {
            let (index, view) = (tensor.index(local)?, tensor.view(local)?);
            let extraction = Extraction::new(metadata, index, full, &view, options)?;
            // SAFETY: the caller's promise is passed on; the shard's memory was allocated here.
            unsafe { spec.shard(&extraction)? };
        }
        Ok(tensor)
    }

    /// A tensor of shards that are here already: `views[i]` is shard `indices[i]`, kept by
    /// `keeper(i)`. Refused are views of another shape or element type than the metadata's, or that
    /// share memory.
    pub fn from_local(
        metadata: &ShardedTensorMetadata, indices: &[usize], views: &[HostView],
        keeper: impl Fn(usize) -> Result<Keeper>,
    ) -> Result<Self> {
        check_properties(metadata)?;
        if views.len() != indices.len() {
            let (got, expected) = (views.len(), indices.len());
            let problem = text!("{got} views for {expected} shards; pass one for each shard");
            return Err(Error::invalid("shard_count", problem));
        }
        let order = order_of(metadata, indices)?;
        let view_at = |at: usize| {
            let (index, count) = (at as u64, views.len() as u64);
            views.get(at).ok_or(Error::IndexOutOfRange { argument: "shards", index, count })
        };
        let dtype = metadata.properties().dtype.or(views.first().map(HostView::dtype));
        let mut tensor = Self::without_shards(metadata, dtype, views.len())?;
        let mut aliases = AliasCheck::new();
        for &(index, at) in &order {
            let view = view_at(at)?;
            let owned = metadata.shards().at("index", index)?;
            check_shard(owned, index, dtype.unwrap_or(view.dtype()), view)
                .map_err(|error| error.at("shards", at))?;
            aliases.add_destination(Party::Shard(index), view)?;
            let (first, keeper) = (view.first(), keeper(at)?);
            tensor.strides.extend(view.element_strides());
            tensor.shards.push(LocalShard { index, first, keeper });
        }
        aliases.finish(&|_, party| {
            let position = match party {
                Party::Full => None,
                Party::Shard(index) => order.binary_search_by_key(&index, |(index, _)| *index).ok(),
            };
            let position = position.and_then(|position| order.get(position));
            view_at(position.map_or(usize::MAX, |(_, at)| *at)).copied()
        })?;
        Ok(tensor)
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

    fn without_shards(
        metadata: &ShardedTensorMetadata, dtype: Option<DataType>, count: usize,
    ) -> Result<Self> {
        let numbers = count.saturating_mul(metadata.ndim());
        Ok(Self {
            metadata: dtype.map_or_else(|| metadata.clone(), |dtype| metadata.with_dtype(dtype)),
            shards: try_with_capacity("local shards", count)?,
            strides: try_with_capacity("strides", numbers)?,
            communicator: None,
        })
    }

    fn push_row_major(&mut self, shard: LocalShard) -> Result<()> {
        let sizes = self.metadata.shards().at("indices", shard.index)?.sizes;
        let start = self.strides.len();
        let mut stride = 1i64;
        for &size in sizes.iter().rev() {
            self.strides.push(stride);
            // Nothing overflows where there are elements; where there are none nothing matters.
            stride = stride.saturating_mul(size);
        }
        self.strides.get_mut(start..).unwrap_or_default().reverse();
        self.shards.push(shard);
        Ok(())
    }

    /// Who owns what.
    pub fn metadata(&self) -> &ShardedTensorMetadata {
        &self.metadata
    }

    /// How many shards are here.
    pub fn local_count(&self) -> usize {
        self.shards.len()
    }

    /// Which shard of the metadata local shard `local` is. They are numbered in the metadata's
    /// order.
    pub fn index(&self, local: usize) -> Result<usize> {
        Ok(self.shard(local)?.index)
    }

    /// Local shard `local`.
    pub fn view(&self, local: usize) -> Result<HostView> {
        let shard = self.shard(local)?;
        let sizes = self.metadata.shards().at("local", shard.index)?.sizes;
        let start = local.saturating_mul(sizes.len());
        let strides = self.strides.get(start..start.saturating_add(sizes.len()));
        // There is a dtype where there is a shard.
        let dtype = self.metadata.properties().dtype.unwrap_or(DataType::FLOAT32);
        HostView::new("local", shard.first, dtype, sizes, strides)
    }

    /// What keeps the memory of local shard `local`: it outlives the tensor for whoever holds a
    /// clone.
    pub fn keeper(&self, local: usize) -> Result<Keeper> {
        Ok(self.shard(local)?.keeper.clone())
    }

    fn shard(&self, local: usize) -> Result<&LocalShard> {
        let (index, count) = (local as u64, self.shards.len() as u64);
        self.shards.get(local).ok_or(Error::IndexOutOfRange { argument: "local", index, count })
    }

    /// Copies all shards into the full tensor. Each that owns something must be here.
    ///
    /// # Safety
    ///
    /// Every element of the shards may be read and every element of `full` written, and nobody else
    /// uses any of them meanwhile.
    pub unsafe fn gather(&self, full: &HostView, options: &CopyOptions) -> Result<()> {
        let mut locals = try_filled(None, self.metadata.shards().len())?;
        for (local, shard) in self.shards.iter().enumerate() {
            if let Some(place) = locals.get_mut(shard.index) {
                *place = Some(local);
            }
        }
        let describe = |index: usize, view: &mut HostView| {
            if let Some(local) = locals.get(index).copied().flatten() {
                *view = self.view(local)?;
                return Ok(());
            }
            let missing = self.metadata.shards().at("index", index)?;
            if !missing.is_empty() {
                let placement = missing.placement.clone();
                return Err(Error::Transfer(TransferError::NotLocal { shard: index, placement }));
            }
            view.set("shard", std::ptr::null_mut(), full.dtype(), missing.sizes, None)
        };
        // SAFETY: the caller's promises are passed on.
        unsafe { super::gather(&self.metadata, describe, full, options) }
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
            let what = text!("descriptions: shard {at}, {region}, is none of the metadata's");
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

/// Shard indices in ascending order, each with its position in `indices`.
fn order_of(metadata: &ShardedTensorMetadata, indices: &[usize]) -> Result<Vec<(usize, usize)>> {
    let mut order = try_with_capacity("indices", indices.len())?;
    for (at, &index) in indices.iter().enumerate() {
        metadata.shards().at("indices", index).map_err(|error| error.at("indices", at))?;
        order.push((index, at));
    }
    order.sort_unstable();
    let mut pairs = order.iter().zip(order.iter().skip(1));
    if let Some((_, &(index, at))) = pairs.find(|((a, _), (b, _))| a == b) {
        let problem = text!("shard {index} is given twice; pass each local shard once");
        return Err(Error::invalid("indices", problem).at("indices", at));
    }
    Ok(order)
}

fn sorted(
    metadata: &ShardedTensorMetadata, indices: &[usize],
) -> Result<impl Iterator<Item = usize>> {
    Ok(order_of(metadata, indices)?.into_iter().map(|(index, _)| index))
}

fn bytes_of(sizes: &[i64], dtype: DataType) -> Result<usize> {
    let numel = checked_numel(sizes).and_then(|numel| u64::try_from(numel).ok());
    numel
        .and_then(|numel| dtype.storage_bytes(numel))
        .ok_or_else(|| Error::overflow(text!("the bytes of a shard of {sizes:?} {dtype}")))
}
