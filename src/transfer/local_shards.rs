//! Local shards: views of the shards of a tensor that are in this process.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "there are as many places and rows of strides as shards, checked when they came in"
)]

use super::view::HostView;
use super::view_ref::ViewRef;
use crate::error::try_with_capacity;
use crate::host::copy_list::Units;
use crate::memory::{Memory, Shared, TryVec, text, try_collect};
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::shards::Shards;
use crate::model::{DataType, Error, Result};

#[cfg(test)]
mod tests;

/// How refusals name the arguments that shards come in.
#[derive(Debug, Clone, Copy)]
pub struct ShardArguments {
    /// One of the shards.
    pub shard: &'static str,
    /// The array of views.
    pub views: &'static str,
    /// The array of indices.
    pub indices: &'static str,
}

impl ShardArguments {
    /// Where there are no others that they could be confused with.
    pub const SHARDS: Self = Self { shard: "shard", views: "shards", indices: "indices" };
}

/// Views of some shards of a layout, in the order of their indices, checked against the layout:
/// each has its shard's shape, and all have one element type. Of each view, only the parts that the
/// layout does not have are stored.
#[derive(Debug)]
pub struct LocalShards {
    /// All but where they are.
    forms: Shared<ShardForms>,
    firsts: Firsts,
}

/// What the views of shards are, wherever these are. Tensors of a batch share it where it is the same.
#[derive(Debug)]
struct ShardForms {
    layout: Shared<Shards>,
    arguments: ShardArguments,
    dtype: Option<DataType>,
    /// Those of the element type.
    units: Units,
    /// In the views' units, a number for each shard and dimension.
    strides: Vec<i64>,
    /// Ascending. Shards are counted by 32 bits. Empty where they are the first of the layout.
    indices: Vec<u32>,
    /// Where each was among those that came in. Empty where they came in order.
    positions: Vec<u32>,
}

/// The first byte of each shard. Memory for one would take longer than all else here.
#[derive(Debug)]
enum Firsts {
    One(*mut u8),
    Several(Vec<*mut u8>),
}

impl Firsts {
    fn all(&self) -> &[*mut u8] {
        match self {
            Self::One(first) => std::slice::from_ref(first),
            Self::Several(all) => all,
        }
    }
}

/// The shards of one tensor that one rank has, and those that it gets: all of them.
#[derive(Debug, Clone)]
pub struct TensorShards {
    /// Those that are read.
    pub source: Shared<LocalShards>,
    /// Those that are written.
    pub destination: Shared<LocalShards>,
}

// SAFETY: a `LocalShards` has addresses and follows none. Functions that do, such as
// `Transfer::run`, have a contract of their own.
unsafe impl Send for LocalShards {}
// SAFETY: a shared `LocalShards` gives numbers and addresses, which never change.
unsafe impl Sync for LocalShards {}

/// Local shards of which the views are still coming in.
#[derive(Debug)]
pub struct LocalShardsBuilder {
    /// In the order in which they came.
    forms: ShardForms,
    firsts: Vec<*mut u8>,
}

impl LocalShards {
    /// Room for `count` shards of a layout. `dtype` is the element type that they should have;
    /// where there is none, the first shard decides.
    pub fn builder(
        layout: &Shared<Shards>, arguments: ShardArguments, dtype: Option<DataType>, count: usize,
    ) -> Result<LocalShardsBuilder> {
        let forms = ShardForms {
            layout: layout.clone(),
            arguments,
            dtype,
            units: Units { width: 0, per_byte: 1 },
            strides: try_with_capacity("views of shards", count.saturating_mul(layout.ndim()))?,
            indices: Vec::new(),
            positions: Vec::new(),
        };
        Ok(LocalShardsBuilder { forms, firsts: try_with_capacity("views of shards", count)? })
    }

    /// The shards that have these indices in the metadata.
    pub fn new<'a>(
        metadata: &ShardedTensorMetadata, views: impl IntoIterator<Item = (usize, &'a HostView)>,
    ) -> Result<Self> {
        let (views, dtype) = (views.into_iter(), metadata.properties().dtype);
        let (layout, count) = (metadata.shared_shards(), views.size_hint().0);
        let mut shards = Self::builder(layout, ShardArguments::SHARDS, dtype, count)?;
        views.into_iter().try_for_each(|(index, view)| shards.push(index, view))?;
        shards.finish()
    }

    /// The layout that they are shards of.
    pub fn layout(&self) -> &Shared<Shards> {
        &self.forms.layout
    }

    /// How refusals name the arguments that they came in.
    pub(crate) fn arguments(&self) -> ShardArguments {
        self.forms.arguments
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.firsts.all().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.firsts.all().is_empty()
    }

    /// The index of shard `number` of these in the layout.
    #[inline]
    pub fn index(&self, number: usize) -> usize {
        if self.forms.indices.is_empty() { number } else { self.forms.indices[number] as usize }
    }

    /// Their indices in the layout, ascending.
    pub fn indices(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        (0..self.len()).map(|number| self.index(number))
    }

    /// The number among these of shard `index` of the layout, if it is one of them.
    pub fn number_of(&self, index: usize) -> Option<usize> {
        if self.forms.indices.is_empty() {
            return (index < self.len()).then_some(index);
        }
        self.forms.indices.binary_search(&u32::try_from(index).ok()?).ok()
    }

    /// Where shard `number` of these was among those that came in.
    pub(super) fn position(&self, number: usize) -> usize {
        if self.forms.positions.is_empty() { number } else { self.forms.positions[number] as usize }
    }

    /// The element type, if it was known before, or there are any shards.
    pub fn dtype(&self) -> Option<DataType> {
        self.forms.dtype
    }

    /// Shard `number` of these.
    pub fn view(&self, number: usize) -> HostView {
        self.get(number).into()
    }

    /// Shard `number` of these, borrowed.
    #[inline]
    pub(crate) fn get(&self, number: usize) -> ViewRef<'_> {
        let (ndim, index) = (self.forms.layout.ndim(), self.index(number));
        let shape = &self.forms.layout.sizes()[index * ndim..][..ndim];
        let strides = &self.forms.strides[number * ndim..][..ndim];
        // There is a type where there is a shard.
        let dtype = self.forms.dtype.unwrap_or(DataType::FLOAT32);
        ViewRef::trusted(self.firsts.all()[number], (dtype, self.forms.units), shape, strides)
    }

    /// Bytes of so many elements, one behind the other.
    pub(crate) fn bytes_of(&self, elements: usize) -> usize {
        let units = elements.saturating_mul(self.forms.units.width);
        if self.forms.units.per_byte == 1 {
            units
        } else {
            units.div_ceil(self.forms.units.per_byte)
        }
    }

    /// The addresses that the bytes of all shards lie between, half-open. `None` where there are no
    /// elements.
    pub(crate) fn reach(&self) -> Option<(usize, usize)> {
        let reaches = (0..self.len()).filter_map(|number| self.get(number).extent());
        reaches.map(|reach| (reach.low, reach.high)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// Refuses shards of another layout than `expected`.
    pub(crate) fn check_layout(&self, expected: &Shared<Shards>) -> Result<()> {
        if Shared::ptr_eq(&self.forms.layout, expected) || self.forms.layout == *expected {
            return Ok(());
        }
        let problem = "they are shards of another layout; pass those of this one";
        Err(Error::invalid(self.forms.arguments.views, problem))
    }

    /// Refuses shards that are not of the same indices, element type and strides as `before`, which are
    /// of the same layout. `true` where any is in other memory.
    pub(crate) fn check_like(&self, before: &Self) -> Result<()> {
        let ShardArguments { shard, views, .. } = self.forms.arguments;
        if !self.indices().eq(before.indices()) {
            let problem = "they are other shards than before; pass the same";
            return Err(Error::invalid(views, problem));
        }
        if let Some(dtype) = before.forms.dtype {
            self.check_dtype(dtype)?;
        }
        for number in 0..self.len() {
            let (own, its) = (self.get(number), before.get(number));
            let alike = own.strides == its.strides || own.is_row_major() && its.is_row_major();
            if !alike {
                let index = self.index(number);
                let problem = text!("{shard} {index} has other strides than before; pass the same");
                return Err(Error::invalid(views, problem).at(views, self.position(number)));
            }
        }
        Ok(())
    }

    /// The first bytes of shard `number` of these, and of others of the same indices. `None` where the two
    /// have other strides or elements.
    pub(crate) fn like(&self, number: usize, others: &Self) -> Option<[*mut u8; 2]> {
        let is_like = Shared::ptr_eq(&self.forms, &others.forms)
            || self.forms.units == others.forms.units
                && self.get(number).strides == others.get(number).strides;
        is_like.then(|| [self.firsts.all()[number], others.firsts.all()[number]])
    }

    /// The shape of shard `number` of these, if it is in row-major order.
    pub(crate) fn row_major_shape(&self, number: usize) -> Option<&[i64]> {
        let own = self.get(number);
        own.is_row_major().then_some(own.shape)
    }

    /// Shards of the same shapes and strides in other memory. `None` where they are not given in the order of
    /// their indices, or one would not fit an address space there.
    pub(crate) fn elsewhere(&self, firsts: &[*mut u8]) -> Memory<Option<Self>> {
        if firsts.len() != self.len() || !self.forms.positions.is_empty() {
            return Ok(None);
        }
        for (number, (new, old)) in firsts.iter().zip(self.firsts.all()).enumerate() {
            let Some(reach) = self.get(number).extent() else {
                return Ok(None);
            };
            let (before, behind) = (old.addr() - reach.low, reach.high - old.addr());
            if new.addr() <= before || new.addr().checked_add(behind).is_none() {
                return Ok(None);
            }
        }
        let firsts = match firsts {
            [one] => Firsts::One(*one),
            all => Firsts::Several(try_collect(all.iter().copied())?),
        };
        Ok(Some(Self { forms: self.forms.clone(), firsts }))
    }

    /// Whether these shards are in the same memory as others of the same indices.
    pub(crate) fn is_in_memory_of(&self, other: &Self) -> bool {
        self.firsts.all() == other.firsts.all()
    }

    /// Refuses shards of other elements than `expected`.
    pub(crate) fn check_dtype(&self, expected: DataType) -> Result<()> {
        if self.is_empty() || self.forms.dtype == Some(expected) {
            return Ok(());
        }
        let check =
            self.view(0).check_dtype(self.forms.arguments.shard, Some(self.index(0)), expected);
        check.map_err(|error| error.at(self.forms.arguments.views, self.position(0)))
    }
}

/// The shape of the buffer of a shard.
fn shape_of(layout: &Shards, index: usize) -> Option<&[i64]> {
    Some(layout.boxes().get(index)?.sizes)
}

impl LocalShardsBuilder {
    /// Adds shard `index` of the layout. Refuses a view of another shape or element type.
    #[inline]
    pub fn push(&mut self, index: usize, view: &HostView) -> Result<()> {
        let (forms, at) = (&mut self.forms, self.firsts.len());
        let ShardArguments { shard, views, indices } = forms.arguments;
        let Some(shape) = shape_of(&forms.layout, index) else {
            let (argument, index, count) = (indices, index as u64, forms.layout.len() as u64);
            return Err(Error::IndexOutOfRange { argument, index, count }.at(indices, at));
        };
        let expected = *forms.dtype.get_or_insert(view.dtype());
        view.check_shape(shard, Some(index), shape)
            .and_then(|()| view.check_dtype(shard, Some(index), expected))
            .map_err(|error| error.at(views, at))?;
        if at == 0 {
            forms.units = view.by_ref().units();
        }
        if index != at || !forms.indices.is_empty() {
            self.push_index(index)?;
        }
        self.firsts.try_push(view.first())?;
        // A call to copy a few numbers would take longer.
        view.strides().iter().try_for_each(|&stride| self.forms.strides.try_push(stride))?;
        Ok(())
    }

    /// Notes the index of the next shard, where it is not the first ones that are here.
    fn push_index(&mut self, index: usize) -> Result<()> {
        let indices = &mut self.forms.indices;
        if indices.is_empty() {
            *indices = try_with_capacity("indices", self.firsts.capacity().max(1))?;
            indices.extend(0..self.firsts.len() as u32);
        }
        Ok(indices.try_push(index as u32)?)
    }

    /// All that came in, by index. Refuses a shard that came twice.
    pub fn finish(self) -> Result<LocalShards> {
        let Self { forms, firsts } = self;
        let positions = order_of(&forms.indices, forms.arguments.indices)?;
        if positions.is_empty() {
            let forms = Shared::try_new(forms)?;
            return Ok(LocalShards { forms, firsts: Firsts::Several(firsts) });
        }
        let ndim = forms.layout.ndim();
        let indices = try_collect(positions.iter().map(|&at| forms.indices[at as usize]))?;
        let firsts = try_collect(positions.iter().map(|&at| firsts[at as usize]))?;
        let mut strides = try_with_capacity("views of shards", forms.strides.len())?;
        for &at in &positions {
            strides.extend_from_slice(&forms.strides[at as usize * ndim..][..ndim]);
        }
        let forms = Shared::try_new(ShardForms { indices, strides, positions, ..forms })?;
        Ok(LocalShards { forms, firsts: Firsts::Several(firsts) })
    }
}

/// The positions of indices in the order of these; none where they ascend. Refuses an index that is there
/// twice.
pub(super) fn order_of(indices: &[u32], argument: &'static str) -> Result<Vec<u32>> {
    if indices.iter().zip(indices.iter().skip(1)).all(|(a, b)| a < b) {
        return Ok(Vec::new());
    }
    let index = |at: u32| indices[at as usize];
    let mut positions = try_collect(0..indices.len() as u32)?;
    positions.sort_unstable_by_key(|&at| (index(at), at));
    let pairs = positions.iter().zip(positions.iter().skip(1));
    let twice = pairs.filter(|&(&a, &b)| index(a) == index(b)).map(|(_, &again)| again);
    match twice.min() {
        None => Ok(positions),
        Some(again) => {
            let problem = text!("shard {} is given twice; pass each shard once", index(again));
            Err(Error::invalid(argument, problem).at(argument, again as usize))
        }
    }
}
