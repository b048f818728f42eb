//! Do the stored chunks hold what is asked for? Answered for all tensors before the first byte is read.

use super::error::FilesError;
use super::stored::{AbsentTensor, FileSet, StoredTensor};
use crate::geometry::bounds::Bounds;
use crate::geometry::{Region, gap};
use crate::memory::{Text, TryVec, text};
use crate::model::{Error, ModelError, Result, ShardedTensorMetadata, validate};
use crate::plan::{PlanError, ReshardPlan};

/// Pairs of chunks that overlap, of one tensor, that are looked at: replicas are such pairs too.
const MAX_PAIRS: usize = 1 << 12;

/// What is asked of a set of files: some shards of the layout of a tensor.
#[derive(Debug, Clone, Copy)]
pub struct WantedTensor<'a> {
    /// The tensor's name.
    pub name: &'a str,
    /// The layout that it is to be read into.
    pub layout: &'a ShardedTensorMetadata,
    /// Shards of that layout.
    pub indices: &'a [usize],
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverageProblem {
    /// The number of what was asked for, if the problem belongs to one.
    pub wanted: Option<usize>,
    /// What is wrong.
    pub error: Error,
}

/// Everything that is wrong, up to a limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CoverageProblems {
    /// The problems, in the order of what was asked for.
    pub problems: Vec<CoverageProblem>,
    /// Whether there may be others.
    pub more: bool,
}

impl CoverageProblems {
    /// Adds a problem, if there is room. Running out of memory is a refusal and no problem of files.
    fn push(&mut self, wanted: Option<usize>, error: Error, limit: usize) -> Result<()> {
        if matches!(error, Error::OutOfMemory { .. }) {
            return Err(error);
        }
        if self.problems.len() >= limit {
            self.more = true;
            return Ok(());
        }
        Ok(self.problems.try_push(CoverageProblem { wanted, error })?)
    }
}

/// Everything that keeps some shards from being read, at most `limit` problems.
pub fn check(set: &FileSet, wanted: &[WantedTensor<'_>], limit: usize) -> Result<CoverageProblems> {
    let mut found = CoverageProblems::default();
    for (number, one) in wanted.iter().enumerate() {
        let Err(error) = set.tensor(one.name).and_then(|tensor| plan_for(set, tensor, one)) else {
            continue;
        };
        let regions = match &error {
            Error::Files(FilesError::NotStored { .. }) => gaps(set, one, limit)?,
            _ => Vec::new(),
        };
        if regions.is_empty() {
            found.push(Some(number), error, limit)?;
        }
        for region in regions {
            let tensor = set.tensor(one.name)?;
            found.push(Some(number), not_stored(set, tensor, region), limit)?;
        }
        if found.more {
            break;
        }
    }
    Ok(found)
}

/// Everything that is wrong with a set of files, at most `limit` problems: files and tensors that should
/// be there, elements that no file holds, and chunks that overlap.
pub fn check_set(set: &FileSet, limit: usize) -> Result<CoverageProblems> {
    let mut found = CoverageProblems::default();
    for error in absent(set) {
        found.push(None, error, limit)?;
    }
    for tensor in set.tensors() {
        if found.more {
            break;
        }
        if let Err(error) = check_chunks(set, tensor) {
            found.push(None, error, limit)?;
        }
        for region in validate::gaps(tensor.chunks(), tensor.sizes(), limit)?.boxes {
            found.push(None, not_stored(set, tensor, region), limit)?;
        }
    }
    Ok(found)
}

/// Refuses a set of which tensors or files are missing, by what the others say.
pub(super) fn check_complete(set: &FileSet) -> Result<()> {
    absent(set).next().map_or(Ok(()), Err)
}

/// A refusal for each tensor that should be there, or else for each file.
fn absent(set: &FileSet) -> impl Iterator<Item = Error> {
    let tensors =
        set.absent().iter().filter_map(|AbsentTensor { name, .. }| set.tensor(name).err());
    let no_names = set.absent().is_empty();
    let files = set.missing_files().iter().filter(move |_| no_names).map(|file| {
        let what = text!("file {file} of the set is missing, as the names of the others say");
        FilesError::NoTensor { what }.into()
    });
    tensors.chain(files)
}

/// The plan from the chunks of a tensor to some shards of a layout. Refused are a layout of another
/// tensor, chunks that contradict each other, and elements that no chunk holds.
pub(super) fn plan_for(
    set: &FileSet, tensor: &StoredTensor, wanted: &WantedTensor<'_>,
) -> Result<ReshardPlan> {
    let WantedTensor { layout, indices, .. } = *wanted;
    layout.check_movable()?;
    check_same(tensor, layout)?;
    check_chunks(set, tensor)?;
    let (chunks, shards) = (tensor.chunks().clone(), layout.shared_shards().clone());
    ReshardPlan::from_shards_for(chunks, shards, indices).map_err(|error| match error {
        Error::Plan(PlanError::NoSource { region, .. }) => not_stored(set, tensor, region),
        error => error,
    })
}

/// Refuses the layout of a tensor of other sizes or another element type.
fn check_same(tensor: &StoredTensor, layout: &ShardedTensorMetadata) -> Result<()> {
    let what = || text!("tensor {:?}: the layout", tensor.name());
    let (expected, got) = (tensor.sizes().len(), layout.ndim());
    if got != expected {
        return Err(Error::NdimMismatch { what: what(), shard: None, got, expected });
    }
    let mut sizes = layout.sizes().iter().zip(tensor.sizes()).enumerate();
    // Where the files do not say how long the tensor is, the layout does.
    let differs = |got: i64, expected: i64| {
        if tensor.are_sizes_inferred() { got < expected } else { got != expected }
    };
    if let Some((dim, (&got, &expected))) = sizes.find(|(_, (got, size))| differs(**got, **size)) {
        let (what, shard) = (what(), None);
        return Err(ModelError::ShapeMismatch { what, shard, dim, got, expected }.into());
    }
    match layout.properties().dtype {
        Some(got) if got != tensor.dtype() => {
            let (what, shard, expected) = (what(), None, tensor.dtype());
            Err(ModelError::DtypeMismatch { what, shard, got, expected }.into())
        }
        _ => Ok(()),
    }
}

/// Refuses chunks that have some elements in common, but not all: replicas have all.
fn check_chunks(set: &FileSet, tensor: &StoredTensor) -> Result<()> {
    let chunks = tensor.chunks();
    if chunks.len() < 2 || !chunks.has_overlap()? {
        return Ok(());
    }
    let file = |chunk: usize| {
        let file = tensor.place(chunk).and_then(|place| set.files().get(place.file as usize));
        Text::copy(file.map_or("", |file| file.name()))
    };
    for validate::Overlap { first, second, region } in validate::overlaps(chunks, MAX_PAIRS)? {
        let boxes = (chunks.boxes().get(first), chunks.boxes().get(second));
        if boxes.0 != boxes.1 {
            let (tensor, files) = (Text::copy(tensor.name()), [file(first), file(second)]);
            return Err(FilesError::ChunksOverlap { tensor, first, second, files, region }.into());
        }
    }
    Ok(())
}

/// The parts of a tensor that no chunk holds and some shards need.
fn gaps(set: &FileSet, wanted: &WantedTensor<'_>, limit: usize) -> Result<Vec<Region>> {
    let tensor = set.tensor(wanted.name)?;
    let shards = wanted.layout.shards();
    let mut gaps = validate::gaps(tensor.chunks(), wanted.layout.sizes(), limit)?.boxes;
    if shards.extents().are_boxes() {
        let needs = |gap: &Region| {
            let gap = Bounds::new(&gap.offsets, &gap.sizes);
            wanted.indices.iter().any(|&index| {
                shards.boxes().get(index).is_some_and(|own| {
                    let own = Bounds::new(own.offsets, own.sizes);
                    !own.is_empty() && !own.common(&gap).is_empty()
                })
            })
        };
        gaps.retain(needs);
    }
    Ok(gaps)
}

/// The refusal of a part of a tensor that no chunk holds.
fn not_stored(set: &FileSet, tensor: &StoredTensor, region: Region) -> Error {
    let near =
        gap::neighbour(tensor.chunks().boxes(), &Bounds::new(&region.offsets, &region.sizes));
    let near = near.and_then(|chunk| tensor.place(chunk));
    let near = near.and_then(|place| set.files().get(place.file as usize));
    let place = match (set.missing_files(), near) {
        ([file], _) => text!("; {file} is missing"),
        ([file, ..], _) => {
            text!(
                "; {} files of the set are missing, {file} for example",
                set.missing_files().len()
            )
        }
        ([], Some(near)) => text!(
            "; the elements beside these are in {}, so the file before or after that one may be missing",
            near.name()
        ),
        ([], None) => text!("; a file of the set may be missing"),
    };
    FilesError::NotStored { tensor: Text::copy(tensor.name()), region, place }.into()
}
