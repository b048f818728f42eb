//! ScaLAPACK's array descriptors: nine integers that say how a matrix is dealt to a grid of processes.
//!
//! Source: `DESCINIT`, `CHK1MAT` and `NUMROC` of ScaLAPACK.

use super::NotationError;
use crate::error::{Error, Result};
use crate::memory::{Text, TryVec, text};
use crate::model::{
    Cut, Mesh, MeshAxis, MeshCut, MeshLayout, MeshShardingSpec, Rule, RuleKind, Segments,
    TensorShape,
};

/// The names of the entries, in their order.
const ENTRIES: [&str; 9] = ["DTYPE", "CTXT", "M", "N", "MB", "NB", "RSRC", "CSRC", "LLD"];

/// The type of dense matrices.
const DENSE: i64 = 1;

/// How many of `length` rows (or columns) the coordinate `process` of `count` has, where blocks of
/// `block` are dealt in turn and `source` has the first block. ScaLAPACK's `NUMROC`.
///
/// ```
/// use shardspec::notation::numroc;
///
/// // 10 rows in blocks of 2: the processes have 0 1 8 9, 2 3, 4 5 and 6 7.
/// assert_eq!(numroc(10, 2, 0, 0, 4)?, 4);
/// # Ok::<(), shardspec::model::Error>(())
/// ```
pub fn numroc(length: i64, block: i64, process: i64, source: i64, count: i64) -> Result<i64> {
    for (argument, value, least) in [("n", length, 0), ("nb", block, 1), ("nprocs", count, 1)] {
        if value < least {
            return Err(Error::TooSmall { argument, value, least });
        }
    }
    for (argument, value) in [("iproc", process), ("isrcproc", source)] {
        if value < 0 {
            return Err(Error::TooSmall { argument, value, least: 0 });
        }
        if value >= count {
            let (index, count) = (value as u64, count as u64);
            return Err(Error::IndexOutOfRange { argument, index, count });
        }
    }
    Ok(rows_of(length, block, process, source, count))
}

#[allow(
    clippy::arithmetic_side_effects,
    reason = "the block and the count are at least 1, the coordinates are below the count, and the answer is at \
              most the length"
)]
fn rows_of(length: i64, block: i64, process: i64, source: i64, count: i64) -> i64 {
    let distance = if process >= source { process - source } else { count - source + process };
    let blocks = length / block;
    let own = blocks / count * block;
    match distance.cmp(&(blocks % count)) {
        std::cmp::Ordering::Less => own + block,
        std::cmp::Ordering::Equal => own + length % block,
        std::cmp::Ordering::Greater => own,
    }
}

/// The refusal of an entry, counted from 0.
fn wrong(entry: usize, value: i64, problem: impl Into<Text>) -> Error {
    let name = ENTRIES.get(entry).copied().unwrap_or("");
    NotationError::Entry { entry, name, value, problem: problem.into() }.into()
}

fn unsayable(what: impl Into<Text>) -> Error {
    NotationError::NoDescriptor { what: what.into() }.into()
}

/// The rows and columns of the grid of processes that a mesh is.
fn grid(mesh: &Mesh) -> Result<[&MeshAxis; 2]> {
    let [rows, columns] = mesh.axes() else {
        let problem = text!("a descriptor needs a grid, a mesh of 2 axes; the mesh is {mesh}");
        return Err(Error::invalid("mesh", problem));
    };
    Ok([rows, columns])
}

fn size(axis: &MeshAxis) -> i64 {
    i64::try_from(axis.size()).unwrap_or(i64::MAX)
}

/// The coordinate of a device along the rows of a grid.
fn row_of(mesh: &Mesh, device: usize) -> Result<i64> {
    Ok(mesh.coordinates(device)?.first().map_or(0, |&row| row as i64))
}

/// The spec of the matrix of a descriptor over a grid, a mesh of two axes. `device` is the process whose
/// descriptor it is: its local leading dimension is checked.
pub fn parse_descriptor(
    descriptor: &[i64; 9], mesh: Mesh, device: usize,
) -> Result<MeshShardingSpec> {
    let [kind, _, m, n, mb, nb, row_source, column_source, leading] = *descriptor;
    let [rows, columns] = grid(&mesh)?;
    let row = row_of(&mesh, device)?;
    if kind != DENSE {
        let problem = "only 1, a dense matrix, is supported; 501 and 502 are band matrices";
        return Err(wrong(0, kind, problem));
    }
    let least = [(2, m, 0), (3, n, 0), (4, mb, 1), (5, nb, 1)];
    if let Some((entry, value, least)) = least.into_iter().find(|(_, value, least)| value < least) {
        return Err(wrong(entry, value, text!("pass at least {least}")));
    }
    for (entry, value, axis) in [(6, row_source, rows), (7, column_source, columns)] {
        if !(0..size(axis)).contains(&value) {
            let problem = text!(
                "the grid has {} coordinates along axis {:?}; pass one of them",
                size(axis),
                axis.name()
            );
            return Err(wrong(entry, value, problem));
        }
    }
    let own = rows_of(m, mb, row, row_source, size(rows));
    if leading < own.max(1) {
        let problem = text!(
            "row {row} of the grid has {own} rows of the matrix; pass at least {}",
            own.max(1)
        );
        return Err(wrong(8, leading, problem));
    }
    let mut layout = MeshLayout::default();
    for (dim, axis, block, first) in [(0, rows, mb, row_source), (1, columns, nb, column_source)] {
        let kind = RuleKind::Cyclic { block, first };
        layout.cuts.try_push(MeshCut::new(dim, axis.name(), Cut::from(kind))?)?;
    }
    MeshShardingSpec::new(mesh, layout)
}

/// The descriptor of a matrix of these sizes for the process `device`. The local leading dimension is the
/// least that is allowed: the process's rows, or 1 where it has none.
pub fn format_descriptor(
    spec: &MeshShardingSpec, sizes: [i64; 2], context: i64, device: usize,
) -> Result<[i64; 9]> {
    let mesh = spec.mesh();
    let [rows, columns] = grid(mesh)?;
    let row = row_of(mesh, device)?;
    for (argument, value) in [("rows", sizes[0]), ("columns", sizes[1])] {
        if value < 0 {
            return Err(Error::TooSmall { argument, value, least: 0 });
        }
    }
    let layout = spec.layout();
    if let Some(pad) = layout.pads.first() {
        return Err(unsayable(text!("the padding of dimension {}", pad.dim)));
    }
    if layout.flatten.is_some() {
        return Err(unsayable("flattened dimensions"));
    }
    if let Some(partial) = layout.partial.first() {
        return Err(unsayable(text!("axis {:?}, which is pending a reduction", partial.axis)));
    }
    let [m, n] = sizes;
    let (mb, row_source) = blocks(spec, 0, m, rows)?;
    let (nb, column_source) = blocks(spec, 1, n, columns)?;
    let own = rows_of(m, mb, row, row_source, size(rows));
    Ok([DENSE, context, m, n, mb, nb, row_source, column_source, own.max(1)])
}

/// The block of a dimension and the coordinate that has the first one.
fn blocks(spec: &MeshShardingSpec, dim: usize, length: i64, axis: &MeshAxis) -> Result<(i64, i64)> {
    let mut own = None;
    for MeshCut { dim: of, axis: over, cut } in &spec.layout().cuts {
        if of.resolve(TensorShape::new(&[0, 0]))? != dim {
            continue;
        }
        if **over != *axis.name() {
            let name = axis.name();
            return Err(unsayable(text!(
                "a cut of dimension {dim} over axis {over:?}; a descriptor cuts it over {name:?}"
            )));
        }
        own = Some(cut);
    }
    let whole = length.max(1);
    let Some(Cut { rule, segments }) = own else {
        if axis.size() > 1 {
            return Err(unsayable(text!("replicas along axis {:?}", axis.name())));
        }
        return Ok((whole, 0));
    };
    let Rule { kind, granule, repeat, .. } = rule;
    let is_plain = *segments == Segments::One && *repeat == 1;
    match kind {
        RuleKind::Cyclic { block, first } if is_plain => {
            Ok((*block, first.checked_rem(size(axis)).unwrap_or(0)))
        }
        // Equal chunks are blocks of which each coordinate has one.
        RuleKind::Chunk if is_plain && *granule == 1 => {
            let count = size(axis);
            let each = length.checked_div(count).unwrap_or(0);
            let rest = i64::from(length.checked_rem(count).unwrap_or(0) > 0);
            Ok((each.saturating_add(rest).max(1), 0))
        }
        _ => Err(unsayable(text!(
            "the cut of dimension {dim} over axis {:?}; a descriptor deals blocks in turn",
            axis.name()
        ))),
    }
}
