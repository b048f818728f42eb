//! Several tensors that move in one collective.

use std::fmt;
use std::hash::Hash;

use super::layouts::TensorLayouts;
use super::mover::{Buffers, Workload};
use super::moves::TensorMoves;
use super::prepared::{CollectiveCall, Prepared, itemsize_of};
use super::schedule::{Direction, PeerPiece, PeerPieces, Views};
use super::search::Batch;
use super::short::{CallText, Short};
use super::{Communicator, Options};
use crate::comm::{CommError, TensorName};
use crate::memory::{Shared, Text, TryVec, text, try_box, try_collect, try_with_capacity};
use crate::model::stable_hash::stable_hash;
use crate::model::{DataType, Error, Result};
use crate::transfer::{
    CopyList, FullSide, Side, StrideRoom, TensorShards, ViewRef, check_aliases,
    check_tensor_aliases,
};

/// One tensor of a batch, as one rank passes it.
#[derive(Debug, Clone)]
pub struct BatchTensor {
    /// The caller's name for it, the same on all ranks; may be empty.
    pub tag: Shared<Text>,
    /// What this rank moves of it. How it is cut and how it is to be cut are the same on all ranks.
    pub moves: Shared<TensorMoves>,
    /// Its element type, where neither the layouts nor the shards of this rank tell it.
    pub dtype: Option<DataType>,
    /// The shards of this rank.
    pub shards: TensorShards,
}

/// A tensor that was planned.
#[derive(Debug)]
struct PlannedTensor {
    tag: Shared<Text>,
    moves: Shared<TensorMoves>,
    dtype: Option<DataType>,
    /// Of tag, layouts and element type.
    digest: u64,
}

/// The tensors of a batch, planned.
#[derive(Debug)]
pub(super) struct PlannedBatch {
    tensors: Vec<PlannedTensor>,
}

/// Refusals of a batch have the position and the tag of the tensor that they are about.
pub(super) fn in_tensor(index: usize, tag: &Shared<Text>) -> impl FnOnce(Error) -> Error {
    move |error| match try_box(error.clone()) {
        Ok(error) => Error::Comm(CommError::InTensor { index, tag: tag.clone(), error }),
        Err(_) => error,
    }
}

impl PlannedBatch {
    /// Plans the tensors, and checks the shards of this rank.
    pub(super) fn new(comm: &dyn Communicator, tensors: &[BatchTensor]) -> Result<Self> {
        let mut planned = try_with_capacity(tensors.len())?;
        for (index, tensor) in tensors.iter().enumerate() {
            let new = plan_tensor(comm, tensor, tensors.len() > 1);
            planned.push(new.map_err(in_tensor(index, &tensor.tag))?);
        }
        Ok(Self { tensors: planned })
    }

    /// Plans a collective of one tensor: its errors do not name a tensor.
    pub(super) fn of_one(comm: &dyn Communicator, tensor: &BatchTensor) -> Result<Self> {
        Ok(Self { tensors: try_collect([plan_tensor(comm, tensor, false)?])? })
    }

    /// How many tensors there are.
    pub(super) fn len(&self) -> usize {
        self.tensors.len()
    }

    /// The tag of a tensor.
    pub(super) fn tag(&self, index: usize) -> Option<&Shared<Text>> {
        self.tensors.get(index).map(|tensor| &tensor.tag)
    }

    /// An error of a tensor.
    pub(super) fn in_tensor(&self, index: usize, error: Error) -> Error {
        match self.tag(index) {
            Some(tag) => in_tensor(index, tag)(error),
            None => error,
        }
    }

    /// The element type of the only tensor: ranks without shards need not know it.
    pub(super) fn dtype_of_one(&self) -> Option<DataType> {
        match &self.tensors[..] {
            [one] => one.dtype,
            _ => None,
        }
    }

    /// A hash of the first tensors, of all where there are no more.
    pub(super) fn digest_of_first(&self, count: usize) -> u64 {
        stable_hash(|hasher| {
            let first = self.tensors.iter().take(count);
            first.len().hash(hasher);
            first.for_each(|tensor| tensor.digest.hash(hasher));
        })
    }

    /// What this rank moves.
    fn work(&self, comm: &dyn Communicator, shards: &[TensorShards]) -> Result<Workload> {
        let (mut sends, mut receives, mut copies) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (tensor, shards)) in self.tensors.iter().zip(shards).enumerate() {
            let pieces = tensor.moves.pieces();
            pieces.push_sends(index, &shards.source, &mut sends)?;
            pieces.push_receives(index, &shards.destination, &mut receives, &mut copies)?;
        }
        let (rank, size) = (comm.rank(), comm.size());
        Ok(Workload {
            sends: PeerPieces::new(rank, size, Direction::Sends, &sends)?,
            receives: PeerPieces::new(rank, size, Direction::Receives, &receives)?,
            copies,
        })
    }
}

/// The collective `call` that moves a batch.
pub(super) fn prepare_as(
    comm: &dyn Communicator, call: fmt::Arguments<'_>, batch: &Shared<PlannedBatch>,
    shards: Vec<TensorShards>, options: Options,
) -> Result<Prepared> {
    let itemsize = batch.tensors.iter().map(|tensor| itemsize_of(tensor.dtype)).max();
    let (all, dtype) = (batch.digest_of_first(batch.len()), batch.dtype_of_one());
    let call = CollectiveCall { text: call, parts: &[all], dtype, itemsize: itemsize.unwrap_or(1) };
    let work = batch.work(comm, &shards)?;
    let buffers = buffers_of(batch, shards)?;
    Prepared::new(&call, work, buffers, options)
}

/// The same, where ranks whose batches differ are answered with the tensor that differs.
pub(super) fn prepare(
    comm: &dyn Communicator, call: fmt::Arguments<'_>, batch: &Shared<PlannedBatch>,
    shards: Vec<TensorShards>, options: Options,
) -> Result<Prepared> {
    let mut prepared = prepare_as(comm, call, batch, shards, options)?;
    prepared.proposal.tensors = Some(batch.len());
    let asked: Box<dyn Batch + Send + Sync> = try_box(SharedAsBatch(batch.clone()))?;
    prepared.batch = Some(Shared::try_new(asked)?);
    Ok(prepared)
}

/// The buffers of a batch. Refuses destinations that share memory with anything else of it.
pub(super) fn buffers_of(
    batch: &Shared<PlannedBatch>, shards: Vec<TensorShards>,
) -> Result<Buffers> {
    match &shards[..] {
        [one] => check_aliases(Side::Shards(&one.destination), Side::Shards(&one.source))?,
        all => check_tensor_aliases(all).map_err(|(index, error)| batch.in_tensor(index, error))?,
    }
    let mut holes = Vec::new();
    let mut duplicates = CopyList::new(FullSide::Source);
    for (tensor, shards) in batch.tensors.iter().zip(&shards) {
        let own = CopyList::of_holes(&shards.destination)?;
        if own.len() > 0 {
            holes.try_push(own)?;
        }
        tensor.moves.push_duplicates(&shards.destination, &mut duplicates)?;
    }
    let views = try_box(BatchViews { batch: batch.clone(), shards })?;
    Ok(Buffers { views, holes, duplicates })
}

fn plan_tensor(
    comm: &dyn Communicator, tensor: &BatchTensor, must_know: bool,
) -> Result<PlannedTensor> {
    let BatchTensor { tag, moves, dtype, shards: TensorShards { source, destination } } = tensor;
    moves.check_own(comm, source, destination)?;
    let layouts = moves.layouts();
    let stated = dtype.or(layouts.dtype()).or(source.dtype()).or(destination.dtype());
    match stated {
        Some(dtype) => {
            source.check_dtype(dtype)?;
            destination.check_dtype(dtype)?;
        }
        None if must_know => {
            let problem = "no shard of it is on this rank, and its layouts state no element type; \
                           state the element type";
            return Err(Error::invalid("dtype", problem));
        }
        None => {}
    }
    // Of a batch of one, ranks without shards need not know it; of replicas, all ranks do.
    let is_known_to_all = must_know || matches!(layouts, TensorLayouts::Replicas { .. });
    let of_type = stated.filter(|_| is_known_to_all).map(|it| (it.code, it.bits, it.lanes));
    let digest = stable_hash(|hasher| (tag.as_str(), moves.hashes(), of_type).hash(hasher));
    Ok(PlannedTensor { tag: tag.clone(), moves: moves.clone(), dtype: stated, digest })
}

impl PlannedTensor {
    /// The tensor for people.
    fn text(&self, index: usize) -> CallText {
        let layouts = self.moves.layouts();
        let (from, to) = (layouts.source().len(), layouts.destination().len());
        let dtype = self.dtype.map_or(Text::from("any type"), |dtype| text!("{dtype}"));
        let name = TensorName { index, tag: self.tag.as_str() };
        match layouts.sizes() {
            Some(sizes) => {
                Short::new(&format_args!("{name} ({dtype} of {sizes:?}, {from} to {to} shards)"))
            }
            None => {
                Short::new(&format_args!("{name} ({dtype}, a plan from {from} to {to} shards)"))
            }
        }
    }
}

/// The batch that others ask about its tensors.
struct SharedAsBatch(Shared<PlannedBatch>);

impl Batch for SharedAsBatch {
    fn digest_of_first(&self, count: usize) -> u64 {
        self.0.digest_of_first(count)
    }

    fn text_of_last(&self, count: usize) -> CallText {
        let index = count.saturating_sub(1);
        match self.0.tensors.get(index) {
            Some(tensor) => tensor.text(index),
            None => Short::new(&format_args!("only {} tensors", self.0.len())),
        }
    }
}

/// The pieces of a batch in the buffers of this rank.
struct BatchViews {
    batch: Shared<PlannedBatch>,
    shards: Vec<TensorShards>,
}

impl BatchViews {
    fn tensor(&self, piece: &PeerPiece) -> Option<(&TensorMoves, &TensorShards)> {
        let tensor = self.batch.tensors.get(piece.tensor)?;
        Some((&tensor.moves, self.shards.get(piece.tensor)?))
    }

    /// The moves and the shards of two pieces, where these are the same one of two tensors with the same
    /// layouts.
    fn same_moves(
        &self, piece: &PeerPiece, other: &PeerPiece,
    ) -> Option<(&TensorMoves, &TensorShards, &TensorShards)> {
        let ((moves, shards), (its_moves, its_shards)) = (self.tensor(piece)?, self.tensor(other)?);
        let is_same = piece.number == other.number && std::ptr::eq(moves, its_moves);
        is_same.then_some((moves, shards, its_shards))
    }
}

impl Views for BatchViews {
    fn view<'v>(
        &'v self, direction: Direction, piece: &PeerPiece, room: &'v mut StrideRoom,
    ) -> ViewRef<'v> {
        let Some((moves, shards)) = self.tensor(piece) else {
            return ViewRef::EMPTY;
        };
        let shards = match direction {
            Direction::Sends => &shards.source,
            Direction::Receives => &shards.destination,
        };
        moves.view(direction, piece.number, shards, room)
    }

    fn same_shards(
        &self, direction: Direction, piece: &PeerPiece, other: &PeerPiece,
    ) -> Option<[*mut u8; 2]> {
        let (moves, shards, its_shards) = self.same_moves(piece, other)?;
        match direction {
            Direction::Sends => {
                moves.same_shards(direction, piece.number, &shards.source, &its_shards.source)
            }
            Direction::Receives => {
                let (own, its) = (&shards.destination, &its_shards.destination);
                moves.same_shards(direction, piece.number, own, its)
            }
        }
    }

    fn same_pairs(&self, piece: &PeerPiece, other: &PeerPiece) -> Option<[[*mut u8; 2]; 2]> {
        let (moves, shards, its_shards) = self.same_moves(piece, other)?;
        let its = (&*its_shards.source, &*its_shards.destination);
        moves.same_pairs(piece.number, (&shards.source, &shards.destination), its)
    }

    fn pair<'v>(&'v self, piece: &PeerPiece, rooms: &'v mut [StrideRoom; 2]) -> [ViewRef<'v>; 2] {
        let Some((moves, shards)) = self.tensor(piece) else {
            return [ViewRef::EMPTY; 2];
        };
        moves.pair(piece.number, (&shards.source, &shards.destination), rooms)
    }
}
