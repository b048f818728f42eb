//! Digests of tensors that are in shards: the CRC-64/NVME of the elements in row-major order.
//!
//! The shards are laid out as copies into a row-major tensor that is nowhere. What the copies would
//! write is summed where it lies.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "two loops for each dimension of a shard; windows lie inside of views, whose reach was \
              checked"
)]

use super::local_shards::LocalShards;
use super::view::HostView;
use super::view_ref::ViewRef;
use crate::geometry::{DimExtent, MAX_NDIM, Stretch};
use crate::host::copy_list::{CopyList, FullSide};
use crate::host::digest::{MessagePlace, constant, register};
use crate::host::options::CopyOptions;
use crate::memory::{Text, text, try_filled};
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::shards::Shard;
use crate::model::{DataType, Error, Result};
use crate::plan::ReshardPlan;

#[cfg(test)]
mod tests;

/// The address that a tensor that is nowhere would have.
const NOWHERE: usize = 64;

/// The part of these shards in the digest of their tensor. The exclusive or of such parts over all shards
/// of the layout, each counted once, is the CRC-64/NVME of the tensor's row-major bytes.
///
/// Each element is counted with one of the shards that have it. Which one follows from the layout: that
/// from which a gather reads it.
///
/// # Safety
///
/// Every element of the shards may be read and is not written meanwhile.
pub unsafe fn digest(
    metadata: &ShardedTensorMetadata, shards: &LocalShards, options: &CopyOptions,
) -> Result<u64> {
    let Some(dtype) = check(metadata, shards)? else {
        return Ok(0);
    };
    let whole = RowMajorMessage::new("metadata", dtype, metadata.sizes())?;
    if whole.place.bytes == 0 {
        return Ok(0);
    }
    let copies = own_parts(metadata, shards, &whole.view)?;
    check_whole_bytes(&copies)?;
    // The constant is counted with the first byte, which is in one part of one shard.
    let has_first = (0..copies.len()).any(|at| copies.full_place(at) == whole.place.start);
    // SAFETY: the contract of `digest` lets `register` read the shards, and `own_parts` cut the
    // sources of `copies` out of their views. Destinations of `copies` are inside of `whole.place`,
    // which is no memory.
    let sum = unsafe { register(&copies, whole.place, options) };
    Ok(if has_first { sum ^ constant(whole.place, options) } else { sum })
}

/// The CRC-64/NVME of each of these shards alone, in the order in which they came in: of its buffer's bytes
/// in row-major order, where holes are zeros. Replicas that hold the same elements have the same.
///
/// # Safety
///
/// Every element of the shards may be read and is not written meanwhile.
pub unsafe fn shard_digests(
    metadata: &ShardedTensorMetadata, shards: &LocalShards, options: &CopyOptions,
) -> Result<Vec<u64>> {
    let mut digests = try_filled(0, shards.len())?;
    let Some(dtype) = check(metadata, shards)? else {
        return Ok(digests);
    };
    for number in 0..shards.len() {
        let (own, index) = (shards.get(number), shards.index(number));
        let shard = metadata.shards().at("indices", index)?;
        let message = RowMajorMessage::new("shard", dtype, shard.sizes)?;
        let mut copies = CopyList::new(FullSide::Destination);
        push_elements(&mut copies, shard, own, message.view.by_ref())?;
        check_whole_bytes(&copies)?;
        // SAFETY: the contract of `shard_digests` lets `register` read the shards, and the sources
        // of `copies` are elements of this one. Destinations are inside of `message.place`, which
        // is no memory.
        let sum = unsafe { register(&copies, message.place, options) };
        digests[shards.position(number)] = sum ^ constant(message.place, options);
    }
    Ok(digests)
}

/// Refuses shards of another layout or element type, and elements that have to be reduced first. The
/// element type, if there are any shards.
fn check(metadata: &ShardedTensorMetadata, shards: &LocalShards) -> Result<Option<DataType>> {
    metadata.check_movable()?;
    shards.check_layout(metadata.shared_shards())?;
    if let Some(expected) = metadata.properties().dtype {
        shards.check_dtype(expected)?;
    }
    Ok(shards.dtype().filter(|_| !shards.is_empty()))
}

/// A row-major tensor that is nowhere.
struct RowMajorMessage {
    view: HostView,
    place: MessagePlace,
}

impl RowMajorMessage {
    fn new(argument: &'static str, dtype: DataType, sizes: &[i64]) -> Result<Self> {
        let first = std::ptr::without_provenance_mut(NOWHERE);
        let view = HostView::new(argument, first, dtype, sizes, None)?;
        let numel = sizes.iter().fold(1i64, |numel, &size| numel.saturating_mul(size));
        let bits = i128::from(numel) * dtype.element_bits() as i128;
        if bits % 8 != 0 {
            let what = text!(
                "{argument}: {numel} packed elements of {dtype} end inside a byte; pad the tensor \
                 to whole bytes"
            );
            return Err(Error::Unsupported { what });
        }
        Ok(Self { view, place: MessagePlace { start: NOWHERE, bytes: view.bytes() } })
    }
}

/// What these shards have of a tensor, each element with one of the shards that have it, as copies into
/// the tensor.
fn own_parts(
    metadata: &ShardedTensorMetadata, shards: &LocalShards, whole: &HostView,
) -> Result<CopyList> {
    let mut copies = CopyList::new(FullSide::Destination);
    if metadata.is_plain() {
        copies.push_shards(whole.by_ref(), shards)?;
        return Ok(copies);
    }
    let plan = ReshardPlan::to_whole(metadata)?;
    for (number, index) in shards.indices().enumerate() {
        let own = shards.view(number);
        for piece in plan.pieces_in(plan.pieces_between(index, 0)) {
            copies.push(
                &own.window(&piece.source_window),
                &whole.window(&piece.destination_window),
            )?;
        }
    }
    Ok(copies)
}

/// Adds copies of all elements of a shard to their places in a buffer of the same shape: holes are left
/// out.
fn push_elements(
    copies: &mut CopyList, shard: Shard<'_>, own: ViewRef<'_>, message: ViewRef<'_>,
) -> Result<()> {
    if shard.is_box() {
        return Ok(copies.push_like(
            own,
            own.shape,
            [own.start, message.start],
            [own.strides, message.strides],
        )?);
    }
    // A stretch of each dimension, in all combinations.
    let mut turn = [0usize; MAX_NDIM];
    let turn = &mut turn[..own.shape.len()];
    loop {
        let mut offsets = [0; MAX_NDIM];
        let (mut sizes, mut steps) = ([1; 2 * MAX_NDIM], [[0; 2 * MAX_NDIM]; 2]);
        for (dim, extent) in shard.dims().enumerate() {
            let Some(places) = stretch_of(extent, own.shape[dim], turn[dim]) else {
                // No stretch at all: nothing but holes.
                return Ok(());
            };
            offsets[dim] = places.start;
            (sizes[2 * dim], sizes[2 * dim + 1]) = (places.count, places.length);
            for (steps, view) in steps.iter_mut().zip([own, message]) {
                steps[2 * dim] = view.strides[dim] * places.step;
                steps[2 * dim + 1] = view.strides[dim];
            }
        }
        let (ndim, levels) = (turn.len(), 2 * turn.len());
        let starts = [own, message].map(|view| view.at(&offsets[..ndim]));
        let [from, to] = &steps;
        copies.push_like(own, &sizes[..levels], starts, [&from[..levels], &to[..levels]])?;
        let next = shard.dims().enumerate().find(|&(dim, extent)| {
            turn[dim] += 1;
            let more = stretch_of(extent, own.shape[dim], turn[dim]).is_some();
            if !more {
                turn[dim] = 0;
            }
            more
        });
        if next.is_none() {
            return Ok(());
        }
    }
}

/// Places of a dimension of a buffer: `count` times `length` neighbours, `step` apart.
struct PlacesInDim {
    start: i64,
    length: i64,
    count: i64,
    step: i64,
}

/// The places of stretch `at` of a dimension of a buffer of this length, if there are so many.
fn stretch_of(extent: DimExtent<'_>, length: i64, at: usize) -> Option<PlacesInDim> {
    let whole = PlacesInDim { start: 0, length, count: 1, step: 0 };
    let of_stretch = |stretch: &Stretch| PlacesInDim {
        start: stretch.local_start(),
        length: stretch.length(),
        count: stretch.count(),
        step: stretch.local_step(),
    };
    match extent {
        DimExtent::Map(map) if map.holes() > 0 => map.stretches().get(at).map(of_stretch),
        _ => (at == 0).then_some(whole),
    }
}

/// Refuses parts that start or end inside of a byte.
fn check_whole_bytes(copies: &CopyList) -> Result<()> {
    if (0..copies.len()).all(|at| copies.piece(at).0.bits.is_none()) {
        return Ok(());
    }
    let what = Text::from(
        "shards: elements are packed, and a shard starts or ends inside a byte, in memory or in \
         the tensor; cut at whole bytes, and pass views whose rows are whole bytes",
    );
    Err(Error::Unsupported { what })
}
