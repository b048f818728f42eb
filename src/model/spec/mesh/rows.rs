//! The shards of a layout over a mesh.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "axes and dimensions index lists that are as long as there are such; entries of a dimension are \
              the product of the sizes of its axes, which is at most the number of devices, a u32"
)]

use super::super::sharding_dim::ShardingDim;
use super::super::sharding_spec::TensorShape;
use super::layout::MeshLayout;
use crate::error::{Error, Result, try_with_capacity};
use crate::geometry::{BoxList, DimMap, ExtentList, Flattening};
use crate::memory::{Memory, TryVec, text, try_filled, try_to_vec};
use crate::model::cut::{Cut, Deal, DimShard};
use crate::model::mesh::Mesh;
use crate::model::shards::{Shards, flattening_of};
use crate::model::sizes::check_sizes;

/// The shards of a tensor of this shape, one for each device; and whether coordinates of a cut axis share
/// elements.
pub(super) fn shards(
    mesh: &Mesh, layout: &MeshLayout, shape: TensorShape<'_>,
) -> Result<(Shards, bool)> {
    let mut repeats = false;
    let dims = CutDims::new(layout, shape)?;
    let mut tables = dims.tables(layout, shape)?;
    for (number, cut) in layout.cuts.iter().enumerate() {
        let mut cut_one = |tables: &mut [DimTable]| {
            let dim = dims.position(&cut.dim, shape)?;
            let axis = mesh.axis("axis", &cut.axis)?;
            let cut = tables[dim].cut(&cut.cut, axis, mesh.axes()[axis].size());
            repeats |= cut.map_err(|error| error.in_dim(dim))?;
            Ok::<(), Error>(())
        };
        cut_one(&mut tables).map_err(|error| error.at("cuts", number))?;
    }
    let mut extents = extents(mesh, &dims.sizes, tables)?;
    if let Some(flattening) = dims.flattening {
        extents = extents.flattened(flattening)?;
    }
    Ok((Shards::from_extents(extents, mesh.placements().clone())?, repeats))
}

/// The dimensions that are cut: the tensor's, or with some of them flattened to one.
struct CutDims {
    sizes: Vec<i64>,
    flattening: Option<Flattening>,
}

impl CutDims {
    fn new(layout: &MeshLayout, shape: TensorShape<'_>) -> Result<Self> {
        let Some(flat) = &layout.flatten else {
            return Ok(Self { sizes: try_to_vec(shape.sizes)?, flattening: None });
        };
        let flattening = flattening_of(shape.sizes, flat.start, flat.len())?;
        Ok(Self { sizes: flattening.flat_sizes()?, flattening: Some(flattening) })
    }

    /// The position of a dimension among these.
    fn position(&self, dim: &ShardingDim, shape: TensorShape<'_>) -> Result<usize> {
        let Some(flattening) = &self.flattening else {
            return dim.resolve(shape);
        };
        let ShardingDim::Name(name) = dim else {
            return dim.resolve(TensorShape::new(&self.sizes));
        };
        let own = dim.resolve(shape)?;
        let mut all = 0..flattening.ndim();
        let found = all.find(|&dim| flattening.dims_of(dim) == (own..own + 1));
        found.ok_or_else(|| {
            let problem = text!("{name:?} is flattened with others; name the dimension by number");
            Error::invalid("dim_name", problem)
        })
    }

    /// Each dimension whole, as it is padded.
    fn tables(&self, layout: &MeshLayout, shape: TensorShape<'_>) -> Result<Vec<DimTable>> {
        let mut lengths = try_to_vec(&self.sizes)?;
        let mut is_padded = try_filled(false, lengths.len())?;
        for (number, pad) in layout.pads.iter().enumerate() {
            let padded = self.position(&pad.dim, shape);
            let padded = padded.and_then(|dim| {
                if std::mem::replace(&mut is_padded[dim], true) {
                    let problem = text!("dimension {dim} is padded twice; pad it once");
                    return Err(Error::invalid("dim", problem));
                }
                lengths[dim] = pad.length(self.sizes[dim])?;
                Ok(())
            });
            padded.map_err(|error| error.at("pads", number))?;
        }
        check_sizes(&lengths)?;
        let mut tables = try_with_capacity("dimensions", lengths.len())?;
        for (&size, &length) in self.sizes.iter().zip(&lengths) {
            tables.push(DimTable::whole(size, length)?);
        }
        Ok(tables)
    }
}

/// What the coordinates of the axes that cut a dimension have of it.
struct DimTable {
    /// For each coordinate of its axes, the axis of the first cut varying slowest.
    entries: Vec<DimShard>,
    /// The axes in the order of the cuts, and their sizes.
    axes: Vec<(usize, usize)>,
}

impl DimTable {
    fn whole(size: i64, length: i64) -> Result<Self> {
        let mut entries = Vec::new();
        entries.try_push(DimShard::whole(size, length)?)?;
        Ok(Self { entries, axes: Vec::new() })
    }

    /// Deals every entry to the coordinates of an axis; returns whether some of them share elements.
    fn cut(&mut self, cut: &Cut, axis: usize, count: usize) -> Result<bool> {
        let mut repeats = false;
        let mut entries = try_with_capacity("dim maps", self.entries.len() * count)?;
        let mut deal: Option<Deal<'_>> = None;
        for whole in &self.entries {
            // Most entries are as long as the one before.
            let ready = match deal.take() {
                Some(ready) if ready.length() == whole.length() => ready,
                _ => Deal::new(cut, whole.length(), count as i64)?,
            };
            for at in 0..count {
                entries.push(ready.of(whole, at as i64)?);
            }
            repeats |= ready.repeats();
            deal = Some(ready);
        }
        self.axes.try_push((axis, count))?;
        self.entries = entries;
        Ok(repeats)
    }

    /// How far a step along each axis of the mesh is among the entries.
    fn steps(&self, ndim: usize) -> Memory<Vec<usize>> {
        let mut steps = try_filled(0, ndim)?;
        let mut step = 1;
        for &(axis, size) in self.axes.iter().rev() {
            steps[axis] = step;
            step *= size;
        }
        Ok(steps)
    }
}

/// The entries of a dimension as rows have them.
struct EntryColumns {
    offsets: Vec<i64>,
    lengths: Vec<i64>,
    numbers: Vec<u32>,
    /// How far a step along each axis of the mesh is among the entries.
    steps: Vec<usize>,
}

impl EntryColumns {
    fn new(table: DimTable, size: i64, ndim: usize, maps: &mut Vec<DimMap>) -> Result<Self> {
        let count = table.entries.len();
        let mut columns = Self {
            offsets: try_with_capacity("offsets", count)?,
            lengths: try_with_capacity("sizes", count)?,
            numbers: try_with_capacity("dim maps", count)?,
            steps: table.steps(ndim)?,
        };
        for entry in table.entries {
            // As DTensor has it: what is empty starts at the end of the dimension.
            columns.offsets.push(entry.first().unwrap_or(size));
            columns.lengths.push(entry.length());
            columns.numbers.push(match entry {
                DimShard::Interval(..) => ExtentList::INTERVAL,
                DimShard::Map(map) => {
                    maps.try_push(map)?;
                    maps.len() as u32 - 1
                }
            });
        }
        Ok(columns)
    }
}

/// For each device, row-major, its entry of each dimension.
fn extents(mesh: &Mesh, sizes: &[i64], tables: Vec<DimTable>) -> Result<ExtentList> {
    let (ndim, count) = (tables.len(), mesh.device_count());
    // The list stores equal ones once.
    let mut maps = Vec::new();
    let mut columns = try_with_capacity("dimensions", ndim)?;
    for (table, &size) in tables.into_iter().zip(sizes) {
        columns.push(EntryColumns::new(table, size, mesh.ndim(), &mut maps)?);
    }
    let len = count.saturating_mul(ndim);
    let mut offsets = try_with_capacity("offsets", len)?;
    let mut lengths = try_with_capacity("sizes", len)?;
    let mut numbers = try_with_capacity("dim maps", if maps.is_empty() { 0 } else { len })?;
    let mut coordinates = try_filled(0, mesh.ndim())?;
    let mut entries = try_filled(0, ndim)?;
    for _ in 0..count {
        for (columns, &entry) in columns.iter().zip(&entries) {
            let entry: usize = entry;
            offsets.push(columns.offsets[entry]);
            lengths.push(columns.lengths[entry]);
            if !maps.is_empty() {
                numbers.push(columns.numbers[entry]);
            }
        }
        // The next device: the last axis first.
        for (axis, coordinate) in coordinates.iter_mut().enumerate().rev() {
            *coordinate += 1;
            let is_end = *coordinate == mesh.axes()[axis].size();
            let back = if is_end { std::mem::take(coordinate) - 1 } else { 0 };
            for (entry, columns) in entries.iter_mut().zip(&columns) {
                let step = columns.steps[axis];
                *entry = if is_end { *entry - back * step } else { *entry + step };
            }
            if !is_end {
                break;
            }
        }
    }
    let boxes = BoxList::new(ndim, count, offsets, lengths);
    if maps.is_empty() {
        return Ok(ExtentList::of_boxes(boxes));
    }
    Ok(ExtentList::with_maps(boxes, maps, numbers)?)
}
