//! Which file of a checkpoint holds what, and where. Every rank finds the same answer from the layouts.

use super::header::{self, EntryToWrite, WrittenPart};
use super::owners::WritingOwners;
use crate::files::safetensors::name_of_dtype;
use crate::geometry::checked_numel;
use crate::interchange::json::try_format;
use crate::memory::{
    Text, TryVec, text, try_boxed_str, try_collect, try_filled, try_to_vec, try_with_capacity,
};
use crate::model::{DataType, Error, Result, ShardedTensorMetadata, Shards, validate};
use crate::plan::ReshardPlan;

/// A tensor of a checkpoint that is written: its name, and its layout, which states the element type.
#[derive(Debug, Clone, Copy)]
pub struct TensorToWrite<'a> {
    /// Its name in the files.
    pub name: &'a str,
    /// Its layout over the ranks that write it.
    pub metadata: &'a ShardedTensorMetadata,
}

/// How tensors are divided among files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Files {
    /// The shards of each owner in files of their own.
    #[default]
    OfOwners,
    /// All tensors, whole, in one file that all owners write.
    One,
}

/// The files of a checkpoint, before they are written.
#[derive(Debug)]
pub(super) struct Arrangement {
    pub(super) files: Vec<ArrangedFile>,
    pub(super) tensors: Vec<ArrangedTensor>,
    /// The names of those who own shards, by number.
    pub(super) owners: Vec<Text>,
    /// Whether tensors are in several files.
    is_divided: bool,
}

/// A file before it is written.
#[derive(Debug)]
pub(super) struct ArrangedFile {
    pub(super) name: Box<str>,
    pub(super) header: Vec<u8>,
    /// All its bytes, with the header.
    pub(super) length: u64,
    /// What it has, in order: a tensor of the arrangement, and which of the tensor's places is here.
    pub(super) chunks: Vec<(u32, u32)>,
}

/// A tensor before it is written.
#[derive(Debug)]
pub(super) struct ArrangedTensor {
    pub(super) dtype: DataType,
    /// The shards that are written, ascending, with their owners' numbers.
    pub(super) shards: Vec<(u32, u32)>,
    /// Where each of them is stored; or where the whole tensor is.
    pub(super) places: Vec<StoredAt>,
    /// What goes from shards to the whole tensor, if that is stored.
    pub(super) whole: Option<ReshardPlan>,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredAt {
    pub(super) file: u32,
    pub(super) first_byte: u64,
    pub(super) bytes: u64,
}

impl Arrangement {
    /// The files of a checkpoint of these tensors.
    pub(super) fn new(tensors: &[TensorToWrite<'_>], files: Files) -> Result<Self> {
        check_names(tensors)?;
        let mut owners = WritingOwners::default();
        let mut arranged = try_with_capacity(tensors.len())?;
        for (at, tensor) in tensors.iter().enumerate() {
            let one = match files {
                Files::OfOwners => own_shards(tensor, &mut owners),
                Files::One => whole(tensor, &mut owners),
            };
            arranged.push(one.map_err(|error| error.at("tensors", at))?);
        }
        let mut arrangement =
            Self { files: Vec::new(), tensors: arranged, owners: owners.names, is_divided: false };
        arrangement.lay_out(tensors, files)?;
        Ok(arrangement)
    }

    /// Gives each chunk its place.
    fn lay_out(&mut self, tensors: &[TensorToWrite<'_>], files: Files) -> Result<()> {
        let mut chunks = self.chunks(tensors, files)?;
        self.is_divided =
            files == Files::OfOwners && chunks.iter().any(|chunk| !chunk.is_whole(tensors));
        // Wide elements first: then all of them are where processors like to have them.
        chunks.sort_by_key(|chunk| (chunk.file, std::cmp::Reverse(chunk.dtype.element_bits())));
        let count = chunks.chunk_by(|a, b| a.file == b.file).count();
        for (number, own) in (0u32..).zip(chunks.chunk_by(|a, b| a.file == b.file)) {
            let file = self.file(own, (number as usize, count), tensors)?;
            let mut next = file.header.len() as u64;
            for chunk in own {
                let bytes = chunk.entry(tensors)?.bytes;
                let place = self.tensors.get_mut(chunk.tensor);
                if let Some(place) = place.and_then(|tensor| tensor.places.get_mut(chunk.number)) {
                    *place = StoredAt { file: number, first_byte: next, bytes };
                }
                next = next.saturating_add(bytes);
            }
            self.files.try_push(file)?;
        }
        Ok(())
    }

    /// The chunks that are stored, with keys of their files: those of an owner's first chunk of each
    /// tensor, then those of its second, and so on, as a file has one of each name.
    fn chunks<'a>(&self, tensors: &[TensorToWrite<'a>], files: Files) -> Result<Vec<Chunk<'a>>> {
        let mut chunks = Vec::new();
        // For each owner the last tensor, and how many chunks of that the owner has so far. There may be
        // as many owners as tensors, so the list is not cleared for each tensor.
        let mut before = try_filled((0usize, 0u32), self.owners.len())?;
        for (at, (tensor, arranged)) in tensors.iter().zip(&self.tensors).enumerate() {
            let (metadata, dtype) = (tensor.metadata, arranged.dtype);
            if files == Files::One {
                let sizes = metadata.sizes();
                chunks.try_push(Chunk {
                    file: (0, 0),
                    tensor: at,
                    number: 0,
                    dtype,
                    sizes,
                    offsets: None,
                })?;
                continue;
            }
            for (number, &(shard, owner)) in arranged.shards.iter().enumerate() {
                let Some(own) = metadata.shards().boxes().get(shard as usize) else { continue };
                let Some(last) = before.get_mut(owner as usize) else { continue };
                let ordinal = if last.0 == at { last.1 } else { 0 };
                *last = (at, ordinal.saturating_add(1));
                let (file, offsets) = ((ordinal, owner), Some(own.offsets));
                chunks.try_push(Chunk {
                    file,
                    tensor: at,
                    number,
                    dtype,
                    sizes: own.sizes,
                    offsets,
                })?;
            }
        }
        Ok(chunks)
    }

    /// A file of some chunks, one behind the other.
    fn file(
        &self, chunks: &[Chunk<'_>], (number, count): (usize, usize), tensors: &[TensorToWrite<'_>],
    ) -> Result<ArrangedFile> {
        let mut zeros = Vec::new();
        zeros.try_resize(crate::geometry::MAX_NDIM, 0i64)?;
        let mut entries = try_with_capacity(chunks.len())?;
        for chunk in chunks {
            let mut entry = chunk.entry(tensors)?;
            if chunk.offsets.is_none() {
                entry.offsets = zeros.get(..entry.sizes.len()).unwrap_or_default();
            }
            entries.push(entry);
        }
        let number = number.saturating_add(1);
        let owner =
            chunks.first().filter(|chunk| chunk.offsets.is_some()).map(|chunk| chunk.file.1);
        let owner = owner.and_then(|owner| self.owners.get(owner as usize)).map(Text::as_str);
        let part = WrittenPart { number, count, owner };
        let header = header::header(&entries, part, self.is_divided)?;
        let name = match (self.is_divided, count) {
            (true, _) => {
                try_format(format_args!("shard-{number:05}-model-00001-of-00001.safetensors"))
            }
            (false, 1) => try_format(format_args!("model.safetensors")),
            (false, _) => try_format(format_args!("model-{number:05}-of-{count:05}.safetensors")),
        }?;
        let bytes =
            entries.iter().try_fold(header.len() as u64, |sum, own| sum.checked_add(own.bytes));
        let length = bytes.filter(|bytes| i64::try_from(*bytes).is_ok());
        let length = length.ok_or_else(|| Error::overflow(text!("the length of file {name}")))?;
        let chunks =
            try_collect(chunks.iter().map(|chunk| (chunk.tensor as u32, chunk.number as u32)))?;
        Ok(ArrangedFile { name: try_boxed_str(&name)?, header, length, chunks })
    }

    /// The text of the index, if the files are of the kind that has one: several, of whole tensors.
    pub(super) fn index(&self, tensors: &[TensorToWrite<'_>]) -> Result<Option<String>> {
        if self.is_divided || self.files.len() < 2 {
            return Ok(None);
        }
        let bytes = self.tensors.iter().flat_map(|tensor| &tensor.places).map(|place| place.bytes);
        let total = bytes.fold(0u64, u64::saturating_add);
        let names = self.files.iter().flat_map(|file| {
            let tensors = file.chunks.iter().filter_map(|&(at, _)| tensors.get(at as usize));
            tensors.map(|tensor| (tensor.name, &*file.name))
        });
        Ok(Some(header::index(total, names)?))
    }

    /// A number that is the same for equal files only, nearly always.
    pub(super) fn fingerprint(&self) -> u64 {
        crate::model::stable_hash::stable_hash(|hasher| {
            use std::hash::Hash;
            for file in &self.files {
                (&file.name, &file.header, file.length).hash(hasher);
            }
        })
    }
}

/// A chunk that is stored, and a key of its file.
#[derive(Debug, Clone, Copy)]
struct Chunk<'a> {
    file: (u32, u32),
    tensor: usize,
    /// Which of the tensor's places is its own.
    number: usize,
    dtype: DataType,
    sizes: &'a [i64],
    /// `None`: it is the whole tensor.
    offsets: Option<&'a [i64]>,
}

impl<'a> Chunk<'a> {
    fn is_whole(&self, tensors: &[TensorToWrite<'_>]) -> bool {
        tensors.get(self.tensor).is_some_and(|tensor| tensor.metadata.sizes() == self.sizes)
    }

    fn entry(&self, tensors: &[TensorToWrite<'a>]) -> Result<EntryToWrite<'a>> {
        let Some(&TensorToWrite { name, metadata }) = tensors.get(self.tensor) else {
            return Err(Error::invalid("tensors", "one is missing"));
        };
        let dtype = name_of_dtype(self.dtype).ok_or_else(|| unnamed(self.dtype))?;
        let numel = checked_numel(self.sizes).and_then(|numel| u64::try_from(numel).ok());
        let bits = numel.and_then(|numel| numel.checked_mul(self.dtype.element_bits() as u64));
        let bits = bits.ok_or_else(|| Error::overflow(text!("the bytes of tensor {name:?}")))?;
        if !bits.is_multiple_of(8) {
            let what = text!(
                "tensor {name:?}: a part of it does not end with a byte; cut it where bytes end"
            );
            return Err(Error::Unsupported { what });
        }
        let (sizes, offsets) = (self.sizes, self.offsets.unwrap_or_default());
        Ok(EntryToWrite {
            name,
            dtype,
            sizes,
            tensor_sizes: metadata.sizes(),
            offsets,
            bytes: bits / 8,
        })
    }
}

/// Refuses a list in which a name is missing or there twice.
fn check_names(tensors: &[TensorToWrite<'_>]) -> Result<()> {
    let mut names = try_collect(tensors.iter().enumerate().map(|(at, tensor)| (tensor.name, at)))?;
    names.sort_unstable();
    let refused =
        |at: usize, problem: Text| Err(Error::invalid("tensors.name", problem).at("tensors", at));
    if let Some((name, at)) =
        names.iter().find(|(name, _)| name.is_empty() || *name == "__metadata__")
    {
        return refused(*at, text!("{name:?} is no name of a tensor; pass another one"));
    }
    let twice = names.iter().zip(names.iter().skip(1)).find(|(a, b)| a.0 == b.0);
    twice.map_or(Ok(()), |(_, (name, at))| {
        refused(*at, text!("{name:?} is there twice; pass each tensor once"))
    })
}

fn dtype_of(tensor: &TensorToWrite<'_>) -> Result<DataType> {
    let dtype = tensor.metadata.properties().dtype.ok_or_else(|| {
        let problem = "it states no element type; pass properties with one where metadata is built";
        Error::invalid("metadata", problem)
    })?;
    if name_of_dtype(dtype).is_none() {
        return Err(unnamed(dtype));
    }
    Ok(dtype)
}

fn unnamed(dtype: DataType) -> Error {
    let what =
        text!("dtype {dtype}: the safetensors format has no name for it; pass a view of bytes");
    Error::Unsupported { what }
}

/// A tensor of which each owner stores what it has. Of replicas, the owner with the least to write
/// stores one.
fn own_shards(tensor: &TensorToWrite<'_>, owners: &mut WritingOwners) -> Result<ArrangedTensor> {
    let (metadata, dtype) = (tensor.metadata, dtype_of(tensor)?);
    metadata.check_movable()?;
    let shards = metadata.shards();
    if !shards.extents().are_boxes() {
        let what = "a layout whose shards are no boxes is stored in one file only; choose one file";
        return Err(Error::Unsupported { what: what.into() });
    }
    let numbers = owners.of(shards)?;
    let chosen = chosen_shards(shards, &numbers, dtype, owners)?;
    if chosen.is_empty() {
        return Err(Error::invalid("metadata", "it has no shards, so nothing can be written"));
    }
    if metadata.has_replicas() {
        check_apart(shards, &chosen)?;
    }
    let nowhere = StoredAt { file: 0, first_byte: 0, bytes: 0 };
    let places = try_filled(nowhere, chosen.len())?;
    Ok(ArrangedTensor { dtype, shards: chosen, places, whole: None })
}

/// One shard of each set of equal ones, without empty shards; of a tensor without elements, its first.
fn chosen_shards(
    shards: &Shards, numbers: &[u32], dtype: DataType, owners: &mut WritingOwners,
) -> Result<Vec<(u32, u32)>> {
    let equal = shards.equal()?;
    let mut sets = Vec::new();
    for (shard, own) in (0u32..).zip(shards.boxes().iter()).filter(|(_, own)| !own.is_empty()) {
        let bytes = checked_numel(own.sizes).and_then(|numel| u64::try_from(numel).ok());
        let bytes = bytes.and_then(|numel| dtype.storage_bytes(numel)).unwrap_or(usize::MAX);
        let first = equal.get(shard as usize).map_or(shard, |(first, _)| first);
        sets.try_push((first, shard, bytes as u64))?;
    }
    sets.sort_unstable();
    let mut chosen = Vec::new();
    for set in sets.chunk_by(|a, b| a.0 == b.0) {
        let owner = |shard: u32| numbers.get(shard as usize).copied().unwrap_or(0);
        let load = |shard: u32| owners.loads.get(owner(shard) as usize).copied().unwrap_or(0);
        let least = set.iter().min_by_key(|(_, shard, _)| (load(*shard), *shard));
        let Some(&(_, shard, bytes)) = least else { continue };
        chosen.try_push((shard, owner(shard)))?;
        if let Some(load) = owners.loads.get_mut(owner(shard) as usize) {
            *load = load.saturating_add(bytes);
        }
    }
    if let (true, Some(&owner)) = (chosen.is_empty(), numbers.first()) {
        chosen.try_push((0, owner))?;
    }
    chosen.sort_unstable();
    Ok(chosen)
}

/// Refuses shards that have some elements in common, and not all.
fn check_apart(shards: &Shards, chosen: &[(u32, u32)]) -> Result<()> {
    let (mut offsets, mut sizes) = (Vec::new(), Vec::new());
    let mut placements = try_with_capacity(chosen.len())?;
    for &(shard, _) in chosen {
        let Some(own) = shards.boxes().get(shard as usize) else { continue };
        offsets.try_extend_from_slice(own.offsets)?;
        sizes.try_extend_from_slice(own.sizes)?;
        placements.push(shards.placement_of(shard as usize));
    }
    let placements = crate::model::Placements::new(placements.into_iter())?;
    let apart = Shards::new(shards.ndim(), offsets, sizes, placements)?;
    validate::check_non_overlapping(&apart)
}

/// A tensor that is stored whole, in one file.
fn whole(tensor: &TensorToWrite<'_>, owners: &mut WritingOwners) -> Result<ArrangedTensor> {
    let dtype = dtype_of(tensor)?;
    let plan = ReshardPlan::to_whole(tensor.metadata)?;
    let numbers = owners.of(tensor.metadata.shards())?;
    let mut sources = try_collect(plan.pieces().map(|piece| piece.source as u32))?;
    sources.sort_unstable();
    sources.dedup();
    let owner = |shard: u32| numbers.get(shard as usize).copied().unwrap_or(0);
    let mut shards = try_collect(sources.into_iter().map(|shard| (shard, owner(shard))))?;
    if let (true, Some(&owner)) = (shards.is_empty(), numbers.first()) {
        // A tensor without elements: an owner notes that nothing is missing.
        shards.try_push((0, owner))?;
    }
    let places = try_to_vec(&[StoredAt { file: 0, first_byte: 0, bytes: 0 }])?;
    Ok(ArrangedTensor { dtype, shards, places, whole: Some(plan) })
}
