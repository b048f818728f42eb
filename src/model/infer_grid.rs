//! From a grid of boxes to the mesh over which it is cut.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "dimensions and shards index lists that are as long as there are such; ends of boxes fit an \
              i64; numbers of coordinates are at least 1, and their product is at most that of shards"
)]

use std::fmt::Write;

use super::cut::RuleKind;
use super::mesh::Mesh;
use super::placements::Placements;
use super::shards::Shards;
use super::spec::{MeshCut, MeshLayout, MeshShardingSpec};
use crate::error::Result;
use crate::geometry::{BoxList, MAX_NDIM};
use crate::memory::{
    Memory, Shared, TryVec, try_collect, try_collect_results, try_filled, try_with_capacity,
};

/// The mesh spec that gives exactly these shards, if they are a grid of boxes.
pub(super) fn mesh_spec(shards: &Shards) -> Result<Option<MeshShardingSpec>> {
    if !shards.extents().are_boxes() || shards.len() < 2 {
        return Ok(None);
    }
    let Some(grid) = Grid::new(shards.boxes())? else {
        return Ok(None);
    };
    if let Some(axes) = grid.axes_in_order()? {
        return grid.spec(&axes, shards.placements().clone());
    }
    let Some(order) = grid.order()? else {
        return Ok(None);
    };
    let placements = order.iter().filter_map(|&shard| shards.placements().get(shard));
    let placements = Shared::try_new(Placements::new(placements.cloned())?)?;
    grid.spec(&grid.axes_by_dim()?, placements)
}

/// An axis of the mesh.
#[derive(Clone, Copy)]
struct GridAxis {
    /// The dimension that it cuts; of replicas there is none.
    dim: Option<usize>,
    size: usize,
}

/// The pieces of one dimension: intervals that follow each other, and behind them empty ones.
struct GridDim {
    /// Where they start and how long they are.
    pieces: Vec<(i64, i64)>,
    /// How many empty ones there are behind them.
    empty: usize,
}

impl GridDim {
    /// The pieces that boxes have of a dimension, if they are pieces of a grid.
    fn new(boxes: &BoxList, dim: usize) -> Memory<Option<Self>> {
        let mut all = try_collect(boxes.iter().map(|one| (one.offsets[dim], one.sizes[dim])))?;
        let is_empty = |&&(_, size): &&(i64, i64)| size == 0;
        let empty = all.iter().filter(is_empty).count();
        all.sort_unstable();
        let (mut pieces, mut end, mut each) = (Vec::new(), 0, 0);
        for same in all.chunk_by(|a, b| a == b).filter(|same| same[0].1 > 0) {
            let (start, size) = same[0];
            each = if pieces.is_empty() { same.len() } else { each };
            if start != end || same.len() != each {
                return Ok(None);
            }
            end = start + size;
            pieces.try_push(same[0])?;
        }
        // As a mesh has them, empty pieces are at the end.
        let at_end = all.iter().filter(is_empty).all(|&(start, _)| start == end);
        if !at_end || empty.checked_rem(each).is_some_and(|rest| rest != 0) {
            return Ok(None);
        }
        // Where all are empty, the dimension is.
        let empty = empty.checked_div(each).unwrap_or(1);
        Ok(Some(Self { pieces, empty }))
    }

    /// How many pieces there are, empty ones as well.
    fn count(&self) -> usize {
        self.pieces.len() + self.empty
    }

    /// The number of a piece; that of the first empty one for each of them.
    fn number(&self, start: i64, size: i64) -> usize {
        if size == 0 { self.pieces.len() } else { self.pieces.partition_point(|one| one.0 < start) }
    }

    /// The rule that gives these pieces.
    fn rule(&self) -> Memory<RuleKind> {
        let (size, count) = (self.pieces.last().map_or(0, |last| last.0 + last.1), self.count());
        let starts = || (0..=count).map(|at| self.pieces.get(at).map_or(size, |one| one.0));
        let (count, units) = (count as i64, size);
        let (least, rest) = (units / count, units % count);
        let chunk =
            (0..).map(|at: i64| (least + i64::from(rest > 0)).saturating_mul(at).min(units));
        if starts().eq(chunk.take(self.count() + 1)) {
            return Ok(RuleKind::Chunk);
        }
        let balanced = (0..=count).map(|at| least * at + at.min(rest));
        if starts().eq(balanced) {
            return Ok(RuleKind::Balanced);
        }
        let empty = std::iter::repeat_n(0, self.empty);
        let sizes = try_collect(self.pieces.iter().map(|one| one.1).chain(empty))?;
        Ok(RuleKind::Sizes(sizes.try_into_boxed()?))
    }
}

/// Boxes that are combinations of pieces of each dimension.
struct Grid {
    dims: Vec<GridDim>,
    /// For each box, the number of its piece of each dimension.
    rows: Vec<usize>,
    /// How many boxes there are.
    count: usize,
    /// How many combinations there are, empty pieces counted on their own.
    cells: usize,
}

impl Grid {
    /// The grid that these boxes may be, by the pieces that they have and their number.
    fn new(boxes: &BoxList) -> Memory<Option<Self>> {
        let (ndim, count) = (boxes.ndim(), boxes.len());
        let mut dims = try_with_capacity(ndim)?;
        let mut rows = try_filled(0, count * ndim)?;
        let mut cells = 1usize;
        for dim in 0..ndim {
            let Some(own) = GridDim::new(boxes, dim)? else {
                return Ok(None);
            };
            cells = cells.saturating_mul(own.count());
            for (row, one) in rows.chunks_exact_mut(ndim).zip(boxes.iter()) {
                row[dim] = own.number(one.offsets[dim], one.sizes[dim]);
            }
            dims.push(own);
        }
        Ok((count % cells == 0).then_some(Self { dims, rows, count, cells }))
    }

    fn row(&self, shard: usize) -> &[usize] {
        let ndim = self.dims.len();
        &self.rows[shard * ndim..(shard + 1) * ndim]
    }

    /// The dimensions that are cut.
    fn cut_dims(&self) -> impl Iterator<Item = (usize, &GridDim)> {
        self.dims.iter().enumerate().filter(|(_, own)| own.count() > 1)
    }

    /// The axes of a mesh whose devices are the boxes in their order, if there is one.
    fn axes_in_order(&self) -> Memory<Option<Vec<GridAxis>>> {
        // How far it is from a piece to the next, for each dimension.
        let mut steps = Vec::new();
        for (dim, _) in self.cut_dims() {
            let first = (0..self.count).find(|&shard| self.row(shard)[dim] > 0);
            steps.try_push((first.unwrap_or(0), dim))?;
        }
        steps.sort_unstable();
        let (mut axes, mut next) = (Vec::new(), 1);
        let ends = steps.iter().map(|&(step, dim)| (step, Some(dim)));
        for (step, dim) in ends.chain([(self.count, None)]) {
            // What is between the axes of dimensions are replicas.
            if step < next || step % next != 0 {
                return Ok(None);
            }
            if step > next {
                axes.try_push(GridAxis { dim: None, size: step / next })?;
            }
            next = step;
            if dim.is_some() {
                let size = dim.map_or(1, |dim| self.dims[dim].count());
                axes.try_push(GridAxis { dim, size })?;
                next = step.saturating_mul(size);
            }
        }
        axes.reverse();
        let is_there = |shard: usize| {
            steps.iter().all(|&(step, dim)| {
                let own = &self.dims[dim];
                self.row(shard)[dim] == (shard / step % own.count()).min(own.pieces.len())
            })
        };
        Ok((0..self.count).all(is_there).then_some(axes))
    }

    /// An axis of the replicas, and one for each dimension that is cut.
    fn axes_by_dim(&self) -> Memory<Vec<GridAxis>> {
        let mut axes = Vec::new();
        if self.count > self.cells {
            axes.try_push(GridAxis { dim: None, size: self.count / self.cells })?;
        }
        for (dim, own) in self.cut_dims() {
            axes.try_push(GridAxis { dim: Some(dim), size: own.count() })?;
        }
        Ok(axes)
    }

    /// The boxes in the order of a mesh of those axes, if each combination of pieces has its share.
    fn order(&self) -> Memory<Option<Vec<usize>>> {
        let ndim = self.dims.len();
        let mut cells = try_filled(0, self.rows.len())?;
        for (device, row) in cells.chunks_exact_mut(ndim.max(1)).enumerate() {
            let mut rest = device % self.cells;
            for (place, own) in row.iter_mut().zip(&self.dims).rev() {
                *place = (rest % own.count()).min(own.pieces.len());
                rest /= own.count();
            }
        }
        let cell = |device: usize| &cells[device * ndim..(device + 1) * ndim];
        let mut shards = try_collect(0..self.count)?;
        shards.sort_unstable_by_key(|&shard| (self.row(shard), shard));
        let mut devices = try_collect(0..self.count)?;
        devices.sort_unstable_by_key(|&device| (cell(device), device));
        let mut order = try_filled(0, self.count)?;
        for (&shard, &device) in shards.iter().zip(&devices) {
            if self.row(shard) != cell(device) {
                return Ok(None);
            }
            order[device] = shard;
        }
        Ok(Some(order))
    }

    /// The spec over a mesh of these axes.
    fn spec(
        &self, axes: &[GridAxis], placements: Shared<Placements>,
    ) -> Result<Option<MeshShardingSpec>> {
        if axes.len() > MAX_NDIM {
            return Ok(None);
        }
        let names = axes.iter().enumerate().map(|(at, axis)| match axis.dim {
            Some(dim) => name_of("dim", dim),
            None => name_of("replica", at),
        });
        let names = try_collect_results(names)?;
        let sizes = axes.iter().map(|axis| axis.size as i64);
        let named = try_collect(names.iter().map(String::as_str).zip(sizes))?;
        let cuts = names.iter().zip(axes).filter_map(|(name, axis)| Some((name, axis.dim?)));
        let cuts = try_collect_results(
            cuts.map(|(name, dim)| MeshCut::new(dim as i64, name, self.dims[dim].rule()?)),
        )?;
        let layout = MeshLayout { cuts, ..MeshLayout::default() };
        let mesh = Mesh::with_placements(&named, placements)?;
        MeshShardingSpec::new(mesh, layout).map(Some)
    }
}

/// A word and a number.
fn name_of(word: &str, number: usize) -> Result<String> {
    let mut name = String::new();
    // As many digits as a number of dimensions has, and more.
    name.try_reserve(word.len() + 20)?;
    // There is room for it.
    let _ = write!(name, "{word}{number}");
    Ok(name)
}
