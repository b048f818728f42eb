//! The tensors of a batch, as C passes them.

use crate::comm::{
    BatchTensor, Communicator, KnownMoves, PreparedTransfer, TensorLayouts, TensorMoves,
    TensorShards, check_view_count,
};
use crate::ffi::border::guard::{Outcome, Refusal};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{optional_text, slice};
use crate::ffi::border::sized::sized_slice;
use crate::ffi::border::views::local_shards;
use crate::ffi::comm_tensor::shardspec_comm_tensor;
use crate::ffi::view::shardspec_tensor_view;
use crate::memory::{OutOfMemory, Shared, Text, text};
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
    let (mut index, mut moves) = (0usize, MovesByHandles::default());
    sized_slice("tensors", tensors, count)?.convert(|tensor| {
        let position = index;
        index = index.saturating_add(1);
        let tag = optional_text("tag", tensor.tag)?.unwrap_or("");
        batch_tensor(comm, &tensor, tag, &mut moves).map_err(Refusal::in_tensor(position, tag))
    })
}

unsafe fn batch_tensor(
    comm: &dyn Communicator, tensor: &shardspec_comm_tensor, tag: &str, known: &mut MovesByHandles,
) -> Outcome<BatchTensor> {
    if tensor.reserved != 0 {
        return Err(Error::invalid("reserved", "it is not 0; set it to 0").into());
    }
    let moves = known.of(comm, tensor)?;
    let (dtype, layouts) = (dtype_of(tensor)?, moves.layouts());
    let known = dtype.or(layouts.dtype());
    let (views, count) = (tensor.source_shards, tensor.source_shard_count);
    let own = (layouts.source(), moves.own_sources());
    let source = rank_shards(own, SOURCE_SHARDS, known, views, count)?;
    let (views, count) = (tensor.destination_shards, tensor.destination_shard_count);
    let (own, known) =
        ((layouts.destination(), moves.own_destinations()), known.or(source.dtype()));
    let destination = rank_shards(own, DESTINATION_SHARDS, known, views, count)?;
    let (tag, shards) = (Shared::try_new(Text::copy(tag))?, TensorShards { source, destination });
    Ok(BatchTensor { tag, moves, dtype, shards })
}

/// The moves of the tensors so far. Tensors that come with the same handles have the same layouts, and
/// are not compared.
#[derive(Default)]
struct MovesByHandles {
    last: Option<(LayoutHandles, Shared<TensorMoves>)>,
    by_handles: Map<LayoutHandles, Shared<TensorMoves>>,
    known: KnownMoves,
}

/// The handles of a source, a destination and a plan. A handle that was freed is never given again.
type LayoutHandles = [usize; 3];

impl MovesByHandles {
    unsafe fn of(
        &mut self, comm: &dyn Communicator, tensor: &shardspec_comm_tensor,
    ) -> Outcome<Shared<TensorMoves>> {
        let handles = [tensor.source.addr(), tensor.destination.addr(), tensor.plan.addr()];
        if let Some((_, moves)) = self.last.as_ref().filter(|(last, _)| *last == handles) {
            return Ok(moves.clone());
        }
        let moves = match self.by_handles.get(&handles) {
            Some(moves) => moves.clone(),
            None => {
                let moves = self.known.of(comm, layouts_of(tensor)?)?;
                self.by_handles.try_reserve(1).map_err(OutOfMemory::from)?;
                self.by_handles.insert(handles, moves.clone());
                moves
            }
        };
        self.last = Some((handles, moves.clone()));
        Ok(moves)
    }
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
