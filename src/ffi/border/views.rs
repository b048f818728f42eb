//! Views as C passes them. They are read here, and nowhere else.

use crate::ffi::border::guard::{Outcome, Refusal};
use crate::ffi::border::pointer::{input, slice};
use crate::ffi::view::{
    SHARDSPEC_DLPACK_DEVICE_CPU, SHARDSPEC_DLPACK_DEVICE_CUDA_HOST,
    SHARDSPEC_DLPACK_DEVICE_ROCM_HOST, shardspec_device, shardspec_tensor_view,
};
use crate::geometry::MAX_NDIM;
use crate::memory::{Shared, text, try_collect, try_to_vec};
use crate::model::{DataType, Error, ShardedTensorMetadata, Shards};
use crate::transfer::{HostView, LocalShards, ShardArguments, TransferError, check_full};

/// A view that is lent to a callback.
pub(crate) struct LentView {
    host: HostView,
    strides: [i64; MAX_NDIM],
}

impl LentView {
    pub(crate) fn new(host: &HostView) -> Self {
        let mut strides = [0; MAX_NDIM];
        strides.iter_mut().zip(host.element_strides()).for_each(|(place, stride)| *place = stride);
        Self { host: *host, strides }
    }

    /// The view as C has it, for as long as this is borrowed. Its shape and strides are not
    /// written.
    pub(crate) fn view(&self) -> shardspec_tensor_view {
        let (shape, strides) = (self.host.shape().as_ptr(), self.strides.as_ptr());
        c_view(&self.host, CPU, shape.cast_mut(), strides.cast_mut())
    }
}

/// Where ordinary memory is.
pub(crate) const CPU: shardspec_device =
    shardspec_device { device_type: SHARDSPEC_DLPACK_DEVICE_CPU, device_id: 0 };

/// A view whose shape and strides are in two arrays. An empty one has NULL data.
pub(crate) fn c_view(
    host: &HostView, device: shardspec_device, shape: *mut i64, strides: *mut i64,
) -> shardspec_tensor_view {
    let data = if host.is_empty() { std::ptr::null_mut() } else { host.first().cast() };
    let (ndim, dtype) = (host.shape().len() as i32, host.dtype().into());
    shardspec_tensor_view { data, device, ndim, dtype, shape, strides, byte_offset: 0 }
}

/// A view argument as what the copies work with.
pub(crate) unsafe fn view_argument(
    argument: &'static str, view: *const shardspec_tensor_view,
) -> Outcome<HostView> {
    host_view(argument, input(argument, view)?)
}

/// Makes `host` what [`view_argument`] returns. A view is large: this moves none.
pub(crate) unsafe fn read_view(
    host: &mut HostView, argument: &'static str, view: *const shardspec_tensor_view,
) -> Outcome {
    describe(host, argument, input(argument, view)?)
}

/// A view, if it describes a tensor in host memory.
pub(crate) unsafe fn host_view(
    argument: &'static str, view: &shardspec_tensor_view,
) -> Outcome<HostView> {
    HostView::made(|host| describe(host, argument, view))
}

/// Makes `host` what [`host_view`] returns.
unsafe fn describe(
    host: &mut HostView, argument: &'static str, view: &shardspec_tensor_view,
) -> Outcome {
    let device_type = view.device.device_type;
    let known = [
        SHARDSPEC_DLPACK_DEVICE_CPU,
        SHARDSPEC_DLPACK_DEVICE_CUDA_HOST,
        SHARDSPEC_DLPACK_DEVICE_ROCM_HOST,
    ];
    if !known.contains(&device_type) {
        let what = argument.into();
        return Err(Error::Transfer(TransferError::UnsupportedDevice { what, device_type }).into());
    }
    let ndim = usize::try_from(view.ndim).ok().filter(|&ndim| ndim <= MAX_NDIM);
    let ndim = ndim.ok_or_else(|| {
        let problem = text!("its ndim is {}; it must be 0 to {MAX_NDIM}", view.ndim);
        Error::invalid(argument, problem)
    })?;
    let shape =
        slice(argument, view.shape.cast_const(), ndim).map_err(Refusal::in_field("shape"))?;
    let strides = if view.strides.is_null() || shape.contains(&0) {
        None
    } else {
        Some(
            slice(argument, view.strides.cast_const(), ndim)
                .map_err(Refusal::in_field("strides"))?,
        )
    };
    let offset = isize::try_from(view.byte_offset)
        .map_err(|_| Error::overflow(text!("{argument}: byte_offset {}", view.byte_offset)))?;
    let data = view.data.cast::<u8>();
    let first = if data.is_null() { data } else { data.wrapping_offset(offset) };
    Ok(host.set(argument, first, DataType::from(view.dtype), shape, strides)?)
}

/// The views of all shards of the metadata of `full`.
pub(crate) unsafe fn all_shards(
    metadata: &ShardedTensorMetadata, full: &HostView, shards: *const shardspec_tensor_view,
    shard_count: usize,
) -> Outcome<LocalShards> {
    check_full(metadata, full)?;
    let expected = metadata.shards().len();
    if shard_count != expected {
        let problem = text!("{shard_count} views for {expected} shards; pass one for each shard");
        return Err(Error::invalid("shard_count", problem).into());
    }
    let shards = slice("shards", shards, shard_count)?;
    let (layout, arguments) = (metadata.shared_shards(), ShardArguments::SHARDS);
    local_shards(layout, arguments, Some(full.dtype()), 0..shard_count, shards)
}

/// The views of shards `indices` of the metadata.
pub(crate) unsafe fn some_shards(
    metadata: &ShardedTensorMetadata, indices: &[usize], shards: &[shardspec_tensor_view],
) -> Outcome<LocalShards> {
    let (layout, arguments) = (metadata.shared_shards(), ShardArguments::SHARDS);
    let dtype = metadata.properties().dtype;
    local_shards(layout, arguments, dtype, indices.iter().copied(), shards)
}

/// Indices of shards; where the pointer is NULL, those of the first `count`.
pub(crate) unsafe fn indices_or_first(
    argument: &'static str, indices: *const usize, count: usize,
) -> Outcome<Vec<usize>> {
    if indices.is_null() {
        return Ok(try_collect(0..count)?);
    }
    Ok(try_to_vec(slice(argument, indices, count)?)?)
}

/// The views of some shards: `views[i]` is shard `indices[i]` of the layout. They are read here,
/// and nowhere else.
pub(crate) unsafe fn local_shards(
    layout: &Shared<Shards>, arguments: ShardArguments, dtype: Option<DataType>,
    indices: impl IntoIterator<Item = usize>, views: &[shardspec_tensor_view],
) -> Outcome<LocalShards> {
    let mut shards = LocalShards::builder(layout, arguments, dtype, views.len())?;
    let (argument, mut host) = (arguments.views, HostView::EMPTY);
    for (at, (index, view)) in indices.into_iter().zip(views).enumerate() {
        describe(&mut host, argument, view).map_err(Refusal::at_shard(argument, at, index))?;
        shards.push(index, &host)?;
    }
    Ok(shards.finish()?)
}

/// The views of the shards that `before` has in other memory. `None` where these are not of the same
/// element type and in row-major order: then they must be read one by one.
pub(crate) unsafe fn shards_elsewhere(
    before: &LocalShards, views: &[shardspec_tensor_view],
) -> Outcome<Option<LocalShards>> {
    let mut few = [std::ptr::null_mut(); 4];
    let Some(firsts) = few.get_mut(..views.len()) else {
        return Ok(None);
    };
    for (number, (first, view)) in firsts.iter_mut().zip(views).enumerate() {
        let is_plain = view.device.device_type == SHARDSPEC_DLPACK_DEVICE_CPU
            && view.strides.is_null()
            && !view.data.is_null()
            && before.dtype() == Some(DataType::from(view.dtype));
        let Some(shape) = before.row_major_shape(number).filter(|_| is_plain) else {
            return Ok(None);
        };
        let own = slice("shape", view.shape.cast_const(), shape.len());
        if usize::try_from(view.ndim) != Ok(shape.len()) || !own.is_ok_and(|own| own == shape) {
            return Ok(None);
        }
        let Ok(offset) = isize::try_from(view.byte_offset) else {
            return Ok(None);
        };
        *first = view.data.cast::<u8>().wrapping_offset(offset);
    }
    Ok(before.elsewhere(firsts)?)
}
