//! Copies between a full tensor and its shards, laid out so that the tensor is gone through once.
//!
//! Where boxes lie side by side for a part of their rows only, they would be copied one by one: the
//! lines of memory at their borders are moved for each of them, and a processor that is to read a part
//! of each row fetches the rest as well, which takes twice as long. So they are cut into bands whose
//! rows are copied whole, in the order in which they lie in the tensor.

use super::bands::{Bands, Bounds, Dims};
use super::view::{HostView, Start};
use crate::error::try_with_capacity;
use crate::geometry::MAX_NDIM;
use crate::host::copy_list::CopyList;
use crate::host::options::CopyOptions;
use crate::host::{self, Sweep};
use crate::model::Result;
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::shards::Shard;

/// Bytes of a copy for each look at a box: with more of these cutting would take too long beside it.
const BYTES_PER_VISIT: usize = 4 << 10;
/// Looks at a box that are not worth counting.
const VISITS: usize = 512;

/// Copies, and the order in which they are carried out.
pub(super) enum Copies {
    /// As it is best for each kind of pieces.
    Pieces(CopyList),
    /// By the rows of the full tensor.
    Rows(Sweep),
}

impl Copies {
    /// That of a plan which copies the shards `indices` from or to `full`; `view(i)` is shard `i`, as
    /// when the plan was made.
    pub(super) fn new(
        plan: CopyList, metadata: &ShardedTensorMetadata, full: &HostView,
        indices: &mut dyn ExactSizeIterator<Item = usize>,
        view: &dyn Fn(usize) -> Option<HostView>, options: &CopyOptions,
    ) -> Self {
        if !host::is_streamed(plan.bytes(), options) {
            return Self::Pieces(plan);
        }
        let dims =
            Dims::of(full).filter(|dims| host::pays_by_rows(&plan, dims.row_bytes(full), options));
        let rows =
            dims.and_then(|dims| by_rows(&plan, metadata, full, &dims, indices, view, options));
        rows.map_or(Self::Pieces(plan), Self::Rows)
    }

    /// Copies everything.
    ///
    /// # Safety
    ///
    /// As `host::run`.
    pub(super) unsafe fn run(&self, options: &CopyOptions) {
        // SAFETY: the caller's promise is passed on.
        unsafe {
            match self {
                Self::Pieces(plan) => host::run(plan, options),
                Self::Rows(sweep) => host::run_sweep(sweep, options),
            }
        }
    }
}

/// None where there would be too many bands, where they would not be gone through in order, or where
/// there is no memory for them.
fn by_rows(
    plan: &CopyList, metadata: &ShardedTensorMetadata, full: &HostView, dims: &Dims,
    indices: &mut dyn ExactSizeIterator<Item = usize>, view: &dyn Fn(usize) -> Option<HostView>,
    options: &CopyOptions,
) -> Option<Sweep> {
    let (shards, visits) = (metadata.shards(), VISITS.max(plan.bytes() / BYTES_PER_VISIT));
    if indices.len() > visits {
        return None;
    }
    let mut own = Own::new(indices.len(), shards.ndim()).ok()?;
    for index in indices.filter(|&index| shards.get(index).is_some_and(|shard| !shard.is_empty())) {
        own.push(index, &view(index)?);
    }
    let bands = Bands::new(shards, &own.indices, dims, visits).ok()?;
    let (mut parts, mut ends, mut outputs) = (CopyList::new(plan.side()), Vec::new(), Vec::new());
    bands.each(&mut |members, bounds| {
        outputs.try_reserve(members.len()).ok()?;
        for &index in members {
            let number = own.indices.binary_search(&index).ok()?;
            own.push_part(&mut parts, full, shards.get(index)?, number, bounds)?;
            outputs.push(number);
        }
        ends.try_reserve(1).ok()?;
        ends.push(outputs.len());
        Some(())
    })?;
    Sweep::new(parts, &ends, outputs, own.indices.len(), options)
}

/// Where the shards are, by ascending index. Of their views only what their metadata doesn't tell.
struct Own {
    indices: Vec<usize>,
    starts: Vec<Start>,
    strides: Vec<i64>,
}

impl Own {
    fn new(count: usize, ndim: usize) -> Result<Self> {
        Ok(Self {
            indices: try_with_capacity("bands", count)?,
            starts: try_with_capacity("bands", count)?,
            strides: try_with_capacity("bands", count.saturating_mul(ndim))?,
        })
    }

    fn push(&mut self, index: usize, view: &HostView) {
        self.indices.push(index);
        self.starts.push(Start::of(view));
        self.strides.extend_from_slice(view.strides());
    }

    /// Adds a copy of what shard `indices[number]`, which owns `owned`, has of a band.
    fn push_part(
        &self, plan: &mut CopyList, full: &HostView, owned: Shard<'_>, number: usize,
        bounds: &Bounds,
    ) -> Option<()> {
        let ndim = owned.offsets.len();
        let (mut places, mut own_places, mut sizes) = ([0; MAX_NDIM], [0; MAX_NDIM], [0; MAX_NDIM]);
        for (dim, (&offset, &size)) in owned.offsets.iter().zip(owned.sizes).enumerate() {
            let (low, high) = bounds.clip(offset, size, dim);
            *places.get_mut(dim)? = low;
            *own_places.get_mut(dim)? = low.checked_sub(offset)?;
            *sizes.get_mut(dim)? = high.checked_sub(low)?;
        }
        let strides = self.strides.chunks(ndim).nth(number)?;
        let start = self.starts.get(number)?.behind(own_places.get(..ndim)?, strides);
        let part = Start::at(full, places.get(..ndim)?);
        plan.push_part(full, sizes.get(..ndim)?, part, (start, strides)).ok()
    }
}
