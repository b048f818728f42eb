//! What a layout over a mesh is made of.

use std::fmt;
use std::ops::Range;

use super::super::sharding_dim::ShardingDim;
use crate::error::{Error, Result};
use crate::memory::{text, try_filled};
use crate::model::cut::{Cut, Rule, RuleKind, Segments};
use crate::model::mesh::{Mesh, MeshAxis};
use crate::model::reduction::PartialAxis;

/// How a tensor is laid out over a mesh.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct MeshLayout {
    /// In the order in which they are applied.
    pub cuts: Vec<MeshCut>,
    /// Dimensions that are lengthened before they are cut.
    pub pads: Vec<Pad>,
    /// Neighbouring dimensions that are one, row-major, before anything is padded and cut. Cuts and pads
    /// by position count dimensions as they are then.
    pub flatten: Option<Range<usize>>,
    /// Axes that are pending a reduction.
    pub partial: Vec<PartialAxis>,
}

/// A cut of one dimension over one axis of a mesh.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MeshCut {
    /// Which dimension.
    pub dim: ShardingDim,
    /// The name of the axis.
    pub axis: Box<str>,
    /// How.
    pub cut: Cut,
}

/// A dimension that is lengthened. What is added are holes: they have a place in the shard's buffer and
/// no element.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pad {
    /// Which dimension.
    pub dim: ShardingDim,
    /// To which length.
    pub to: PadTo,
}

/// The length of a padded dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PadTo {
    /// This length, which is at least the dimension's own.
    Size(i64),
    /// The next multiple of a number.
    Multiple(i64),
}

impl MeshLayout {
    /// Refuses what no tensor can be laid out by over this mesh.
    pub(super) fn check(&self, mesh: &Mesh) -> Result<()> {
        let mut is_used = try_filled(false, mesh.ndim())?;
        for (number, cut) in self.cuts.iter().enumerate() {
            cut.check(mesh, &mut is_used).map_err(|error| error.at("cuts", number))?;
        }
        for (number, pad) in self.pads.iter().enumerate() {
            pad.check().map_err(|error| error.at("pads", number))?;
        }
        for (number, partial) in self.partial.iter().enumerate() {
            let checked = claim(mesh, &partial.axis, &mut is_used);
            checked.map_err(|error| error.at("partials", number))?;
        }
        if let Some(dims) = &self.flatten
            && dims.len() < 2
        {
            let value = i64::try_from(dims.len()).unwrap_or(i64::MAX);
            return Err(Error::TooSmall { argument: "flatten_count", value, least: 2 });
        }
        Ok(())
    }

    /// Whether there is an axis along which all shards have the same elements.
    pub(super) fn replicates(&self, mesh: &Mesh) -> bool {
        let is_cut = |axis: &MeshAxis| self.cuts.iter().any(|cut| &*cut.axis == axis.name());
        mesh.axes().iter().any(|axis| axis.size() > 1 && !is_cut(axis))
    }
}

/// Takes an axis, which may be used once.
fn claim(mesh: &Mesh, name: &str, is_used: &mut [bool]) -> Result<usize> {
    let axis = mesh.axis("axis", name)?;
    if is_used.get_mut(axis).is_none_or(|used| std::mem::replace(used, true)) {
        let problem = text!("{name:?} is used twice; use each axis once");
        return Err(Error::invalid("axis", problem));
    }
    Ok(axis)
}

impl MeshCut {
    /// A cut of a dimension over an axis by a rule.
    pub fn new(dim: impl Into<ShardingDim>, axis: &str, cut: impl Into<Cut>) -> Result<Self> {
        let axis = crate::memory::try_boxed_str(axis)?;
        Ok(Self { dim: dim.into(), axis, cut: cut.into() })
    }

    fn check(&self, mesh: &Mesh, is_used: &mut [bool]) -> Result<()> {
        let axis = claim(mesh, &self.axis, is_used)?;
        let size = mesh.axes().get(axis).map_or(1, MeshAxis::size);
        self.cut.check(i64::try_from(size).unwrap_or(i64::MAX))
    }
}

impl Pad {
    fn check(&self) -> Result<()> {
        let (argument, value, least) = match self.to {
            PadTo::Size(size) => ("size", size, 0),
            PadTo::Multiple(multiple) => ("multiple", multiple, 1),
        };
        if value < least { Err(Error::TooSmall { argument, value, least }) } else { Ok(()) }
    }

    /// The length of a dimension of `size`.
    pub(super) fn length(&self, size: i64) -> Result<i64> {
        match self.to {
            PadTo::Size(length) if length < size => {
                Err(Error::TooSmall { argument: "size", value: length, least: size })
            }
            PadTo::Size(length) => Ok(length),
            PadTo::Multiple(multiple) => {
                let rest = size.checked_rem(multiple).unwrap_or(0);
                let more = if rest > 0 { multiple.saturating_sub(rest) } else { 0 };
                let overflow =
                    || Error::overflow(text!("{size} padded to a multiple of {multiple}"));
                size.checked_add(more).ok_or_else(overflow)
            }
        }
    }
}

impl fmt::Display for MeshLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        let mut next =
            |f: &mut fmt::Formatter<'_>| f.write_str(std::mem::replace(&mut comma, "; "));
        if let Some(dims) = &self.flatten {
            next(f)?;
            write!(f, "flatten dimensions {} to {}", dims.start, dims.end.saturating_sub(1))?;
        }
        for pad in &self.pads {
            next(f)?;
            match pad.to {
                PadTo::Size(size) => write!(f, "pad dimension {} to {size}", pad.dim)?,
                PadTo::Multiple(of) => {
                    write!(f, "pad dimension {} to a multiple of {of}", pad.dim)?
                }
            }
        }
        for MeshCut { dim, axis, cut } in &self.cuts {
            next(f)?;
            write!(f, "dimension {dim} over {axis} by {cut}")?;
        }
        for PartialAxis { axis, reduction } in &self.partial {
            next(f)?;
            write!(f, "partial {axis} ({reduction})")?;
        }
        if self.cuts.is_empty() {
            next(f)?;
            f.write_str("replicated")?;
        }
        Ok(())
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.segments {
            Segments::One => write!(f, "{}", self.rule),
            Segments::Equal(number) => write!(f, "{} in {number} equal segments", self.rule),
            Segments::Listed(segments) => {
                f.write_str("segments [")?;
                for (at, segment) in segments.iter().enumerate() {
                    let comma = if at > 0 { ", " } else { "" };
                    write!(f, "{comma}{} by {}", segment.size, segment.rule)?;
                }
                f.write_str("]")
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        match &self.kind {
            RuleKind::Chunk | RuleKind::Balanced => {}
            RuleKind::Sizes(values) | RuleKind::Weights(values) => write!(f, " {values:?}")?,
            RuleKind::Cyclic { block, first } => write!(f, " of {block} from {first}")?,
        }
        if self.granule != 1 {
            write!(f, ", granule {}", self.granule)?;
        }
        if self.repeat == Self::REPEAT_AS_NEEDED {
            f.write_str(", repeat as needed")?;
        } else if self.repeat != 1 {
            write!(f, ", repeat {}", self.repeat)?;
        }
        if self.even {
            f.write_str(", even")?;
        }
        Ok(())
    }
}
