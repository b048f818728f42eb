//! Layouts that are cuts into equal chunks and nothing more: what the notations can say.

use super::{Notation, NotationError};
use crate::error::{Error, Result};
use crate::geometry::MAX_NDIM;
use crate::memory::{Text, TryVec, text, try_boxed_str};
use crate::model::{
    Cut, MeshAxis, MeshCut, MeshShardingSpec, PartialAxis, Reduction, Rule, RuleKind, Segments,
    ShardingDim, TensorShape,
};

/// One cut: by chunk, in whole segments.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlainCut {
    /// Which dimension. A negative one counts from the last.
    pub(super) dim: i64,
    /// The position of the axis in the mesh.
    pub(super) axis: usize,
    /// The number of equal segments.
    pub(super) segments: i64,
    /// Whether pieces of different sizes are refused.
    pub(super) even: bool,
}

/// A layout as the notations see it.
pub(super) struct PlainLayout<'a> {
    pub(super) notation: Notation,
    pub(super) spec: &'a MeshShardingSpec,
    /// In the order of the cuts.
    pub(super) cuts: Vec<PlainCut>,
}

/// A cut by chunk of one dimension over an axis.
pub(super) fn chunk(dim: i64, axis: &str, even: bool, segments: i64) -> Result<MeshCut> {
    let rule = Rule { even, ..RuleKind::Chunk.into() };
    let segments = if segments == 1 { Segments::One } else { Segments::Equal(segments) };
    MeshCut::new(dim, axis, Cut { rule, segments })
}

/// An axis that is pending a reduction.
pub(super) fn partial(axis: &str, reduction: Reduction) -> Result<PartialAxis> {
    Ok(PartialAxis { axis: try_boxed_str(axis)?, reduction })
}

/// The refusal of a part of a layout.
pub(super) fn unsayable(notation: Notation, what: impl Into<Text>) -> Error {
    NotationError::Unsayable { notation, what: what.into() }.into()
}

impl<'a> PlainLayout<'a> {
    /// The cuts of a spec. Refuses all that is more than that. With `ndim`, dimensions count from the
    /// first.
    pub(super) fn new(
        notation: Notation, spec: &'a MeshShardingSpec, ndim: Option<usize>,
    ) -> Result<Self> {
        let layout = spec.layout();
        if let Some(pad) = layout.pads.first() {
            return Err(unsayable(notation, text!("the padding of dimension {}", pad.dim)));
        }
        if layout.flatten.is_some() {
            return Err(unsayable(notation, "flattened dimensions"));
        }
        if let Some(ndim) = ndim.filter(|ndim| *ndim > MAX_NDIM) {
            let problem =
                text!("{ndim} dimensions are more than the {MAX_NDIM} that are supported");
            return Err(Error::invalid("ndim", problem));
        }
        let mut plain = Self { notation, spec, cuts: Vec::new() };
        for cut in &layout.cuts {
            plain.push(cut, ndim)?;
        }
        Ok(plain)
    }

    fn push(&mut self, cut: &MeshCut, ndim: Option<usize>) -> Result<()> {
        let MeshCut { dim, axis: name, cut } = cut;
        let axis = self.spec.mesh().axis("axis", name)?;
        let ShardingDim::Index(number) = *dim else {
            let what = text!("the dimension named {dim}; cut it by its number");
            return Err(unsayable(self.notation, what));
        };
        let dim = match ndim {
            // Of the shape, only the number of sizes matters.
            Some(ndim) => {
                let sizes = [0; MAX_NDIM];
                dim.resolve(TensorShape::new(sizes.get(..ndim).unwrap_or(&sizes)))? as i64
            }
            None => number,
        };
        let segments = match &cut.segments {
            Segments::One => 1,
            Segments::Equal(number) => *number,
            Segments::Listed(_) => {
                let what = text!("the listed segments of dimension {dim} over axis {name:?}");
                return Err(unsayable(self.notation, what));
            }
        };
        let rule = &cut.rule;
        let is_repeated = rule.repeat != 1 && self.size(axis) > 1;
        if !matches!(rule.kind, RuleKind::Chunk) || rule.granule != 1 || is_repeated {
            let what = text!(
                "the cut of dimension {dim} over axis {name:?} by {rule}; {} cuts by chunk only",
                self.notation
            );
            return Err(unsayable(self.notation, what));
        }
        Ok(self.cuts.try_push(PlainCut { dim, axis, segments, even: rule.even })?)
    }

    /// The axis of a position.
    pub(super) fn axis(&self, axis: usize) -> Option<&MeshAxis> {
        self.spec.mesh().axes().get(axis)
    }

    pub(super) fn size(&self, axis: usize) -> i64 {
        self.axis(axis).map_or(1, |axis| i64::try_from(axis.size()).unwrap_or(i64::MAX))
    }

    pub(super) fn name(&self, axis: usize) -> &str {
        self.axis(axis).map_or("", MeshAxis::name)
    }

    /// The reduction that an axis is pending.
    pub(super) fn reduction(&self, axis: usize) -> Option<Reduction> {
        let mut all = self.spec.layout().partial.iter();
        all.find(|partial| *partial.axis == *self.name(axis)).map(|partial| partial.reduction)
    }

    /// Refuses reductions that are no sums.
    pub(super) fn only_sums(&self) -> Result<()> {
        for partial in &self.spec.layout().partial {
            if partial.reduction != Reduction::Sum {
                let what = text!(
                    "axis {:?}, which is pending a reduction ({}); {} has sums only",
                    partial.axis,
                    partial.reduction,
                    self.notation
                );
                return Err(unsayable(self.notation, what));
            }
        }
        Ok(())
    }

    /// For each dimension up to the last one that is cut, or of `ndim`, its axes, outermost first, in a
    /// notation that lists the axes of a dimension. Segments become the axes that they stand for.
    pub(super) fn axes_of_dims(&self, ndim: Option<usize>) -> Result<Vec<Vec<usize>>> {
        let last = self.cuts.iter().map(|cut| cut.dim).max();
        let mut dims = Vec::new();
        let count = match (ndim, last) {
            (Some(ndim), _) => ndim,
            (None, None) => 0,
            (None, Some(last)) => usize::try_from(last).unwrap_or(0).saturating_add(1),
        };
        if count > MAX_NDIM {
            let what = text!(
                "dimension {}; it is past the {MAX_NDIM} that are supported",
                count.saturating_sub(1)
            );
            return Err(unsayable(self.notation, what));
        }
        for dim in 0..count {
            dims.try_push(self.axes_of_dim(dim as i64)?)?;
        }
        if let Some(cut) = self.cuts.iter().find(|cut| cut.dim < 0) {
            let what = text!(
                "dimension {}, which counts from the last; pass the tensor's number of dimensions as ndim",
                cut.dim
            );
            return Err(unsayable(self.notation, what));
        }
        Ok(dims)
    }

    /// [`Self::axes_of_dims`] in a notation of equal tiles. Refuses several cuts of a dimension that are not
    /// even: their pieces are not the tiles of all axes together.
    pub(super) fn tiled_dims(&self, ndim: Option<usize>) -> Result<Vec<Vec<usize>>> {
        let dims = self.axes_of_dims(ndim)?;
        for (dim, axes) in dims.iter().enumerate() {
            let several = axes.iter().filter(|axis| self.size(**axis) > 1).count() > 1;
            let is_uneven = |cut: &&PlainCut| cut.dim == dim as i64 && !cut.even;
            if let Some(cut) = self.cuts.iter().find(is_uneven).filter(|_| several) {
                let name = self.name(cut.axis);
                let what = text!(
                    "the cuts of dimension {dim} over several axes that may be uneven; make the cut over \
                     axis {name:?} even"
                );
                return Err(unsayable(self.notation, what));
            }
        }
        Ok(dims)
    }

    /// The axes of a dimension, outermost first.
    ///
    /// A cut into `n` segments stands for one that comes after axes of `n` coordinates, over which the
    /// dimension is cut later. So each axis, from the last cut to the first, goes behind as many axes
    /// as its segments are coordinates.
    fn axes_of_dim(&self, dim: i64) -> Result<Vec<usize>> {
        let mut order: Vec<usize> = Vec::new();
        for cut in self.cuts.iter().filter(|cut| cut.dim == dim).rev() {
            let mut product = 1i64;
            let mut place = 0;
            while product < cut.segments
                && let Some(&before) = order.get(place)
            {
                product = product.saturating_mul(self.size(before));
                place = place.saturating_add(1);
            }
            if product != cut.segments {
                let what = text!(
                    "the {} segments of dimension {dim} over axis {:?}; no axes of so many \
                     coordinates cut the dimension after it",
                    cut.segments,
                    self.name(cut.axis)
                );
                return Err(unsayable(self.notation, what));
            }
            order.try_reserve(1)?;
            order.insert(place, cut.axis);
        }
        Ok(order)
    }
}
