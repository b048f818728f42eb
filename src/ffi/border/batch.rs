//! The tensors of a batch, as C passes them.

use crate::comm::{
    BatchTensor, Communicator, KnownMoves, PreparedTransfer, TensorLayouts, TensorMoves,
    TensorShards, check_view_count,
};
use crate::ffi::border::guard::{Outcome, Refusal};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{optional_text, slice};
use crate::ffi::border::sized::sized_slice;
use crate::ffi::border::views::{local_shards, shards_elsewhere};
use crate::ffi::comm_tensor::shardspec_comm_tensor;
use crate::ffi::view::shardspec_tensor_view;
use crate::memory::{OutOfMemory, Shared, Text, TryVec, text};
use crate::model::{DataType, Error, Shards};
use crate::sync::seed::Map;
use crate::transfer::{LocalShards, ShardArguments};

/// The names of the two arguments that a list of shards comes in.
type ListNames = (&'static str, &'static str);

const SOURCE_SHARDS: ListNames = ("source_shards", "source_shard_count");
const DESTINATION_SHARDS: ListNames = ("destination_shards", "destination_shard_count");

/// The tensors of this rank.
pub(crate) unsafe fn tensors_argument(
    comm: &dyn Communicator, tensors: *const shardspec_comm_tensor, count: usize,
) -> Outcome<Vec<BatchTensor>> {
    let (mut index, mut known) = (0usize, KnownTensors::default());
    sized_slice("tensors", tensors, count)?.convert(|tensor| {
        let position = index;
        index = index.saturating_add(1);
        let tag = optional_text("tag", tensor.tag)?.unwrap_or("");
        batch_tensor(comm, &tensor, tag, &mut known).map_err(Refusal::in_tensor(position, tag))
    })
}

unsafe fn batch_tensor(
    comm: &dyn Communicator, tensor: &shardspec_comm_tensor, tag: &str, known: &mut KnownTensors,
) -> Outcome<BatchTensor> {
    if tensor.reserved != 0 {
        return Err(Error::invalid("reserved", "it is not 0; set it to 0").into());
    }
    let KnownTensor { moves, shards: before } = known.of(comm, tensor)?;
    let (dtype, layouts) = (dtype_of(tensor)?, moves.layouts());
    let stated = dtype.or(layouts.dtype());
    let (views, count) = (tensor.source_shards, tensor.source_shard_count);
    let (own, like) =
        ((layouts.source(), moves.own_sources()), before.as_ref().map(|it| &it.source));
    let source = rank_shards_like(like, own, SOURCE_SHARDS, stated, views, count)?;
    let (views, count) = (tensor.destination_shards, tensor.destination_shard_count);
    let own = (layouts.destination(), moves.own_destinations());
    let (stated, like) = (stated.or(source.dtype()), before.as_ref().map(|it| &it.destination));
    let destination = rank_shards_like(like, own, DESTINATION_SHARDS, stated, views, count)?;
    let (tag, shards) =
        (Shared::try_new(Text::try_copy(tag)?)?, TensorShards { source, destination });
    let moves = moves.clone();
    before.get_or_insert_with(|| shards.clone());
    Ok(BatchTensor { tag, moves, dtype, shards })
}

/// The tensors so far. Tensors that come with the same handles have the same layouts, and are not
/// compared.
#[derive(Default)]
struct KnownTensors {
    last: Option<(LayoutHandles, usize)>,
    by_handles: Map<LayoutHandles, usize>,
    all: Vec<KnownTensor>,
    known: KnownMoves,
}

/// What tensors with the same handles have in common.
struct KnownTensor {
    moves: Shared<TensorMoves>,
    /// The shards of the first one.
    shards: Option<TensorShards>,
}

/// The handles of a source, a destination and a plan. A handle that was freed is never given again.
type LayoutHandles = [usize; 3];

impl KnownTensors {
    unsafe fn of(
        &mut self, comm: &dyn Communicator, tensor: &shardspec_comm_tensor,
    ) -> Outcome<&mut KnownTensor> {
        let handles = [tensor.source.addr(), tensor.destination.addr(), tensor.plan.addr()];
        let last = self.last.filter(|(last, _)| *last == handles).map(|(_, number)| number);
        let number = match last.or_else(|| self.by_handles.get(&handles).copied()) {
            Some(number) => number,
            None => {
                let (moves, shards) = (self.known.of(comm, layouts_of(tensor)?)?, None);
                self.by_handles.try_reserve(1).map_err(OutOfMemory::from)?;
                self.all.try_push(KnownTensor { moves, shards })?;
                let number = self.all.len().saturating_sub(1);
                self.by_handles.insert(handles, number);
                number
            }
        };
        self.last = Some((handles, number));
        // There is one for each number.
        let gone = || Error::invalid("tensors", "they changed during the call");
        Ok(self.all.get_mut(number).ok_or_else(gone)?)
    }
}

/// [`rank_shards`], where they may be like those of another tensor.
unsafe fn rank_shards_like(
    like: Option<&Shared<LocalShards>>, owned: (&Shared<Shards>, &[usize]), names: ListNames,
    dtype: Option<DataType>, shards: *const shardspec_tensor_view, shard_count: usize,
) -> Outcome<Shared<LocalShards>> {
    // No shards say nothing of their type, which another tensor may have stated.
    let fits = |like: &&Shared<LocalShards>| {
        shard_count > 0 && like.len() == shard_count && (dtype.is_none() || dtype == like.dtype())
    };
    if let Some(like) = like.filter(fits)
        && let Some(same) = shards_elsewhere(like, slice(names.0, shards, shard_count)?)?
    {
        return Ok(Shared::try_new(same)?);
    }
    rank_shards(owned, names, dtype, shards, shard_count)
}

unsafe fn layouts_of(tensor: &shardspec_comm_tensor) -> Outcome<TensorLayouts> {
    if tensor.plan.is_null() {
        let source = (*handle::get("source", tensor.source)?).clone();
        let destination = (*handle::get("destination", tensor.destination)?).clone();
        return Ok(TensorLayouts::Pair { source, destination });
    }
    if !tensor.source.is_null() || !tensor.destination.is_null() {
        let problem = "source or destination is set too; pass a plan, or both layouts";
        return Err(Error::invalid("plan", problem).into());
    }
    Ok(TensorLayouts::Plan((*handle::get("plan", tensor.plan)?).clone()))
}

/// The element type of a tensor, if it is stated.
fn dtype_of(tensor: &shardspec_comm_tensor) -> Outcome<Option<DataType>> {
    let dtype = DataType::from(tensor.dtype);
    if (dtype.code, dtype.bits, dtype.lanes) == (0, 0, 0) {
        return Ok(None);
    }
    dtype.validate("dtype")?;
    Ok(Some(dtype))
}

/// Some shards of a layout, by their indices: those of the rank that calls. `dtype` is their element
/// type, if it is known.
pub(crate) unsafe fn rank_shards(
    owned: (&Shared<Shards>, &[usize]), names: ListNames, dtype: Option<DataType>,
    shards: *const shardspec_tensor_view, shard_count: usize,
) -> Outcome<Shared<LocalShards>> {
    let ((layout, own), (views, count)) = (owned, names);
    check_view_count(own, (count, shard_count))?;
    let arguments = ShardArguments { views, ..ShardArguments::SHARDS };
    let shards = slice(views, shards, shard_count)?;
    let shards = local_shards(layout, arguments, dtype, own.iter().copied(), shards)?;
    Ok(Shared::try_new(shards)?)
}

/// The buffers of a run; `None`: those of the last one.
pub(crate) unsafe fn run_argument(
    transfer: &PreparedTransfer, tensors: *const shardspec_comm_tensor, count: usize,
) -> Outcome<Option<Vec<TensorShards>>> {
    if tensors.is_null() && count == 0 {
        return Ok(None);
    }
    let mut index = 0usize;
    let read = sized_slice("tensors", tensors, count)?.convert(|tensor| {
        let position = index;
        index = index.saturating_add(1);
        let (tag, own) = (optional_text("tag", tensor.tag)?, transfer.tag(position));
        shards_of_run(transfer, position, &tensor, tag).map_err(Refusal::in_tensor(position, own))
    })?;
    Ok(Some(read))
}

unsafe fn shards_of_run(
    transfer: &PreparedTransfer, index: usize, tensor: &shardspec_comm_tensor, tag: Option<&str>,
) -> Outcome<TensorShards> {
    if let Some(tag) = tag.filter(|&tag| tag != transfer.tag(index)) {
        let problem = text!("it is '{tag}'; pass the tensors in the order of the preparation");
        return Err(Error::invalid("tag", problem).into());
    }
    let Some(before) = transfer.shards(index) else {
        let problem = text!("there are more than the {} tensors of the transfer", transfer.len());
        return Err(Error::invalid("tensor_count", problem).into());
    };
    let (pointer, count) = (tensor.source_shards, tensor.source_shard_count);
    let source = shards_like(&before.source, SOURCE_SHARDS, pointer, count)?;
    let (pointer, count) = (tensor.destination_shards, tensor.destination_shard_count);
    let destination = shards_like(&before.destination, DESTINATION_SHARDS, pointer, count)?;
    Ok(TensorShards { source, destination })
}

/// Shards of the same indices as others.
unsafe fn shards_like(
    before: &LocalShards, (views, count): ListNames, shards: *const shardspec_tensor_view,
    shard_count: usize,
) -> Outcome<Shared<LocalShards>> {
    if shard_count != before.len() {
        let problem = text!("{shard_count} views for the {} shards of this rank", before.len());
        return Err(Error::invalid(count, problem).into());
    }
    let shards = slice(views, shards, shard_count)?;
    let arguments = ShardArguments { views, ..ShardArguments::SHARDS };
    let read = local_shards(before.layout(), arguments, before.dtype(), before.indices(), shards)?;
    Ok(Shared::try_new(read)?)
}
