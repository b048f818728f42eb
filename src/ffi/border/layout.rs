//! Layouts over a mesh as C passes them: structs that can grow.

use std::ffi::c_char;

use crate::ffi::border::guard::{Outcome, Refusal};
use crate::ffi::border::pointer::{optional_text, slice, text};
use crate::ffi::border::sized::{sized, sized_slice};
use crate::ffi::mesh_layout::*;
use crate::memory::{TryVec, text, try_boxed_slice, try_boxed_str};
use crate::model::{
    Cut, Error, MeshCut, MeshLayout, Pad, PadTo, PartialAxis, Reduction, Rule, RuleKind, Segment,
    Segments, ShardingDim,
};

/// The reductions by their numbers, from 1 on.
const REDUCTIONS: [Reduction; 8] = [
    Reduction::Sum,
    Reduction::Avg,
    Reduction::Product,
    Reduction::Min,
    Reduction::Max,
    Reduction::Band,
    Reduction::Bor,
    Reduction::Bxor,
];

/// The number of a reduction, a `SHARDSPEC_REDUCTION_...` constant.
pub(crate) fn number_of(reduction: Reduction) -> i32 {
    let mut numbered = REDUCTIONS.iter().zip(SHARDSPEC_REDUCTION_SUM..);
    numbered.find(|(known, _)| **known == reduction).map_or(0, |(_, number)| number)
}

/// The reduction of a number; 0 is the sum.
fn reduction_of(number: i32) -> Outcome<Reduction> {
    let mut numbered = REDUCTIONS.iter().zip(SHARDSPEC_REDUCTION_SUM..);
    let found = numbered.find(|(_, known)| *known == number.max(SHARDSPEC_REDUCTION_SUM));
    Ok(found.filter(|_| number >= 0).map(|(reduction, _)| *reduction).ok_or_else(|| {
        let problem = text!("{number} is not a reduction; pass a SHARDSPEC_REDUCTION_... constant");
        Error::invalid("reduction", problem)
    })?)
}

/// The dimension of a name, or where there is none the one of a number.
pub(crate) unsafe fn dim_argument(dim: i64, dim_name: *const c_char) -> Outcome<ShardingDim> {
    match optional_text("dim_name", dim_name)? {
        None => Ok(ShardingDim::Index(dim)),
        Some("") => Err(Error::invalid("dim_name", "it is empty; name a dimension").into()),
        Some(name) => Ok(ShardingDim::Name(try_boxed_str(name)?)),
    }
}

/// What a cut or a segment says of its rule. 0 and no values: nothing.
#[derive(Clone, Copy, Default)]
struct RuleFields<'a> {
    rule: i32,
    even: i32,
    granule: i64,
    repeat: i64,
    block: i64,
    first: i64,
    values: &'a [i64],
}

/// The first number that says something.
fn own_or(own: i64, inherited: i64, default: i64) -> i64 {
    [own, inherited].into_iter().find(|&number| number != 0).unwrap_or(default)
}

impl RuleFields<'_> {
    /// The rule, of a segment of a cut that says `of_cut`.
    fn in_cut(&self, of_cut: &Self) -> Outcome<Rule> {
        let rule = if self.rule != 0 { self.rule } else { of_cut.rule };
        let values = if self.values.is_empty() { of_cut.values } else { self.values };
        let block = own_or(self.block, of_cut.block, 1);
        let kind = match rule {
            0 | SHARDSPEC_RULE_CHUNK => RuleKind::Chunk,
            SHARDSPEC_RULE_BALANCED => RuleKind::Balanced,
            SHARDSPEC_RULE_SIZES => RuleKind::Sizes(try_boxed_slice(values)?),
            SHARDSPEC_RULE_WEIGHTS => RuleKind::Weights(try_boxed_slice(values)?),
            SHARDSPEC_RULE_CYCLIC => {
                RuleKind::Cyclic { block, first: own_or(self.first, of_cut.first, 0) }
            }
            other => {
                let problem = text!("{other} is not a rule; pass a SHARDSPEC_RULE_... constant");
                return Err(Error::invalid("rule", problem).into());
            }
        };
        self.check_used(&kind)?;
        Ok(Rule {
            kind,
            granule: own_or(self.granule, of_cut.granule, 1),
            repeat: own_or(self.repeat, of_cut.repeat, 1),
            even: own_or(self.even.into(), of_cut.even.into(), -1) > 0,
        })
    }

    /// Refuses fields that the rule ignores.
    fn check_used(&self, kind: &RuleKind) -> Outcome {
        let unused = |argument, rule: &str| {
            let problem = text!("the rule '{}' has none; pass it with {rule}", kind.name());
            Err(Error::invalid(argument, problem).into())
        };
        let lists = matches!(kind, RuleKind::Sizes(_) | RuleKind::Weights(_));
        let is_cyclic = matches!(kind, RuleKind::Cyclic { .. });
        match self {
            Self { even, .. } if !(-1..=1).contains(even) => {
                Err(Error::invalid("even", text!("{even} is not -1, 0 or 1")).into())
            }
            Self { values: [_, ..], .. } if !lists => {
                unused("values", "SHARDSPEC_RULE_SIZES or SHARDSPEC_RULE_WEIGHTS")
            }
            Self { block, .. } if *block != 0 && !is_cyclic => {
                unused("block", "SHARDSPEC_RULE_CYCLIC")
            }
            Self { first, .. } if *first != 0 && !is_cyclic => {
                unused("first", "SHARDSPEC_RULE_CYCLIC")
            }
            _ => Ok(()),
        }
    }
}

impl shardspec_segment {
    unsafe fn to_core(self, of_cut: &RuleFields<'_>) -> Outcome<Segment> {
        let Self { size, rule, even, granule, repeat, block, first, .. } = self;
        let values = slice("segments", self.values, self.value_count);
        let values = values.map_err(Refusal::in_field("values"))?;
        let own = RuleFields { rule, even, granule, repeat, block, first, values };
        Ok(Segment { size, rule: own.in_cut(of_cut)? })
    }
}

/// How a cut deals positions.
unsafe fn cut_of(argument: &'static str, cut: &shardspec_cut) -> Outcome<Cut> {
    let shardspec_cut { rule, even, granule, repeat, block, first, .. } = *cut;
    let values = slice(argument, cut.values, cut.value_count);
    let values = values.map_err(Refusal::in_field("values"))?;
    let own = RuleFields { rule, even, granule, repeat, block, first, values };
    if cut.segments.is_null() || cut.segment_count == 0 {
        let segments = match i64::try_from(cut.segment_count) {
            Ok(0) => Segments::One,
            count => Segments::Equal(count.unwrap_or(i64::MAX)),
        };
        return Ok(Cut { rule: own.in_cut(&RuleFields::default())?, segments });
    }
    let listed = sized_slice("segments", cut.segments, cut.segment_count)?;
    let listed = listed.convert(|segment| segment.to_core(&own))?.try_into_boxed()?;
    // Each segment has a rule of its own, so the cut's own is the same for all such cuts.
    Ok(Cut { rule: RuleKind::Chunk.into(), segments: Segments::Listed(listed) })
}

impl shardspec_cut {
    unsafe fn to_core(self) -> Outcome<MeshCut> {
        let axis = text("cuts", self.axis).map_err(Refusal::in_field("axis"))?;
        let axis = try_boxed_str(axis)?;
        Ok(MeshCut {
            dim: dim_argument(self.dim, self.dim_name)?,
            axis,
            cut: cut_of("cuts", &self)?,
        })
    }
}

/// A cut by itself, and the name of its axis, if it has one.
pub(crate) unsafe fn cut_argument<'a>(
    cut: *const shardspec_cut,
) -> Outcome<(shardspec_cut, Option<&'a str>, Cut)> {
    let cut = sized("cut", cut)?;
    let axis = optional_text("cut", cut.axis).map_err(Refusal::in_field("axis"))?;
    Ok((cut, axis, cut_of("cut", &cut)?))
}

/// How several cuts deal positions.
pub(crate) unsafe fn cuts_argument(cuts: *const shardspec_cut, count: usize) -> Outcome<Vec<Cut>> {
    sized_slice("cuts", cuts, count)?.convert(|cut| cut_of("cuts", &cut))
}

impl shardspec_pad {
    unsafe fn to_core(self) -> Outcome<Pad> {
        let to = match (self.size, self.multiple) {
            (0, multiple) if multiple != 0 => PadTo::Multiple(multiple),
            (size, 0) if size != 0 => PadTo::Size(size),
            (size, multiple) => {
                let problem = text!(
                    "its size is {size} and its multiple {multiple}; set one of them, the other is 0"
                );
                return Err(Error::invalid("pads", problem).into());
            }
        };
        Ok(Pad { dim: dim_argument(self.dim, self.dim_name)?, to })
    }
}

impl shardspec_partial {
    unsafe fn to_core(self) -> Outcome<PartialAxis> {
        let axis = text("partials", self.axis).map_err(Refusal::in_field("axis"))?;
        if self.reserved != 0 {
            return Err(Error::invalid("reserved", text!("{} is not 0", self.reserved)).into());
        }
        Ok(PartialAxis { axis: try_boxed_str(axis)?, reduction: reduction_of(self.reduction)? })
    }
}

/// A layout argument.
pub(crate) unsafe fn layout_argument(layout: *const shardspec_mesh_layout) -> Outcome<MeshLayout> {
    let layout = sized("layout", layout)?;
    let cuts = sized_slice("cuts", layout.cuts, layout.cut_count)?;
    let pads = sized_slice("pads", layout.pads, layout.pad_count)?;
    Ok(MeshLayout {
        cuts: cuts.convert(|cut| cut.to_core())?,
        pads: pads.convert(|pad| pad.to_core())?,
        flatten: layout.flatten()?,
        partial: partials_argument(layout.partials, layout.partial_count)?,
    })
}

/// Partial axes as an argument.
pub(crate) unsafe fn partials_argument(
    partials: *const shardspec_partial, count: usize,
) -> Outcome<Vec<PartialAxis>> {
    sized_slice("partials", partials, count)?.convert(|partial| partial.to_core())
}

impl shardspec_mesh_layout {
    fn flatten(&self) -> Outcome<Option<std::ops::Range<usize>>> {
        let value = self.flatten_first;
        let first = usize::try_from(value).map_err(|_| Error::TooSmall {
            argument: "flatten_first",
            value,
            least: 0,
        })?;
        let end = first.saturating_add(self.flatten_count);
        Ok((self.flatten_count > 0).then_some(first..end))
    }
}
