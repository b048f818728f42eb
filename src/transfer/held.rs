//! The shards that one rank holds: some of a tensor's, in the order of their indices.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "there are as many places and rows of strides as shards, checked when they are stored"
)]

use super::alias::{AliasCheck, Party, Role};
use super::view::HostView;
use crate::error::try_with_capacity;
use crate::memory::{TryVec, text};
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::{DataType, Error, Result};

/// Views of the shards that a rank holds, checked against their metadata, and small: of each view
/// only what the metadata does not tell is stored.
#[derive(Debug)]
pub struct HeldShards<'a> {
    metadata: &'a ShardedTensorMetadata,
    /// Which shards.
    indices: Vec<usize>,
    firsts: Vec<*mut u8>,
    /// In bytes, `ndim` for each shard.
    strides: Vec<i64>,
    /// One of the views, if there is any: others differ from it in place, shape and strides only.
    sample: Vec<HostView>,
    dtype: Option<DataType>,
}

/// How a caller passes the views of the shards that a rank holds.
#[derive(Debug, Clone, Copy)]
pub struct Passed {
    /// The argument's name.
    pub views: &'static str,
    /// The name of the argument that says how many they are, and how many that is.
    pub count: (&'static str, usize),
}

// SAFETY: no pointer is followed here; whoever does promises what that takes.
unsafe impl Send for HeldShards<'_> {}
// SAFETY: as above.
unsafe impl Sync for HeldShards<'_> {}

impl<'a> HeldShards<'a> {
    /// The shards `indices` of the metadata, where `view(n, indices[n])` is shard `indices[n]`, or
    /// why not.
    /// Refused are another number of views than of shards, and views of other shapes or element types
    /// than their shards'; `dtype` is the type that they should have, if it is known.
    pub fn new<E: From<Error>>(
        metadata: &'a ShardedTensorMetadata, indices: Vec<usize>,
        Passed { views, count: (argument, count) }: Passed,
        view: impl Fn(usize, usize) -> std::result::Result<HostView, E>, dtype: Option<DataType>,
    ) -> std::result::Result<Self, E> {
        if count != indices.len() {
            let problem = text!(
                "{count} views for the {} shards of this rank; pass one for each, in the order of \
                 their indices",
                indices.len()
            );
            return Err(Error::invalid(argument, problem).into());
        }
        let firsts = try_with_capacity("views of shards", indices.len())?;
        let strides =
            try_with_capacity("views of shards", indices.len().saturating_mul(metadata.ndim()))?;
        let dtype = dtype.or(metadata.properties().dtype);
        let mut held = Self { metadata, indices, firsts, strides, sample: Vec::new(), dtype };
        for number in 0..held.indices.len() {
            let index = held.indices[number];
            let view = view(number, index)?;
            let sizes = metadata.shards().at("index", index)?.sizes;
            let expected = *held.dtype.get_or_insert(view.dtype());
            view.check_shape("shard", Some(index), sizes)
                .and_then(|()| view.check_dtype("shard", Some(index), expected))
                .map_err(|error| error.at(views, number))?;
            held.firsts.push(view.first());
            held.strides.extend_from_slice(view.strides());
            if held.sample.is_empty() {
                held.sample.try_push(view).map_err(Error::from)?;
            }
        }
        Ok(held)
    }

    /// Refuses shards that share memory with each other, with themselves, or with the tensor that
    /// they are to be copied from.
    pub fn check_as_destinations(&self, full: Option<&HostView>) -> Result<()> {
        let mut aliases = self.as_destinations()?;
        if let Some(full) = full {
            aliases.add_source(Party::Full, full)?;
        }
        self.check(aliases, self, full)
    }

    /// Refuses a tensor that shares memory with itself, or with the shards that are to be copied
    /// into it.
    pub fn check_as_sources(&self, full: &HostView) -> Result<()> {
        let mut aliases = AliasCheck::new();
        aliases.add_destination(Party::Full, full)?;
        self.add_as_sources(&mut aliases)?;
        self.check(aliases, self, Some(full))
    }

    /// Refuses shards that share memory with each other, with themselves, or with those that are to
    /// be copied into them.
    pub fn check_with_sources(&self, sources: &HeldShards<'_>) -> Result<()> {
        let mut aliases = self.as_destinations()?;
        sources.add_as_sources(&mut aliases)?;
        self.check(aliases, sources, None)
    }

    fn as_destinations(&self) -> Result<AliasCheck> {
        let mut aliases = AliasCheck::new();
        for (number, &index) in self.indices.iter().enumerate() {
            aliases.add_destination(Party::Shard(index), &self.view(number))?;
        }
        Ok(aliases)
    }

    fn add_as_sources(&self, aliases: &mut AliasCheck) -> Result<()> {
        let mut all = self.indices.iter().enumerate();
        all.try_for_each(|(number, &index)| {
            aliases.add_source(Party::Shard(index), &self.view(number))
        })
    }

    /// Checks these shards, or `full`, against `sources`, or `full`.
    fn check(
        &self, aliases: AliasCheck, sources: &HeldShards<'_>, full: Option<&HostView>,
    ) -> Result<()> {
        aliases.finish(&|role, party| {
            let held = if role == Role::Destination { self } else { sources };
            let found = match party {
                Party::Full => full.copied(),
                Party::Shard(index) => held.number_of(index).map(|number| held.view(number)),
            };
            // Only those are asked for that were added.
            Ok::<_, Error>(found.unwrap_or(HostView::EMPTY))
        })
    }

    /// The number of shard `index` among those that are held, if it is one of them.
    pub fn number_of(&self, index: usize) -> Option<usize> {
        self.indices.binary_search(&index).ok()
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether the rank holds none.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Their indices in the metadata, ascending.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// The element type, if it was known before, there are any shards, or the metadata states it.
    pub fn dtype(&self) -> Option<DataType> {
        self.dtype
    }

    /// Bytes of an element. Where there is no element type there are no elements either, and 1 will do.
    pub fn itemsize(&self) -> usize {
        self.dtype.and_then(|dtype| dtype.storage_bytes(1)).unwrap_or(1)
    }

    /// The view of shard `indices()[number]`.
    pub fn view(&self, number: usize) -> HostView {
        let ndim = self.metadata.ndim();
        let shards = self.metadata.shards();
        let rows = self.indices[number] * ndim;
        self.sample[0].elsewhere(
            self.firsts[number],
            &shards.sizes()[rows..rows + ndim],
            &self.strides[number * ndim..(number + 1) * ndim],
        )
    }
}
