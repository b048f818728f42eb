//! How loaders lay parameters out over a mesh: as cuts, and by the arithmetic that they do themselves.

#![allow(clippy::single_range_in_vec_init, reason = "lists of ranges, of which some have one")]

use std::ops::Range;

use shardspec::geometry::DimExtent;
use shardspec::model::{
    Cut, CutProblem, Mesh, MeshCut, MeshLayout, MeshShardingSpec, Pad, PadTo, Result, Rule,
    RuleKind, Segment, Segments, ShardedTensorMetadata, ShardingSpec, TensorProperties,
    TensorShape,
};

use super::models::{Features, Parameter, Split};

/// A vocabulary is padded to a multiple of so many rows for each rank.
pub const ROWS: i64 = 64;

/// Devices by data, expert and tensor parallel coordinates, and what is done with them.
#[derive(Clone, Copy, Debug)]
pub struct Loading {
    pub dp: i64,
    pub ep: i64,
    pub tp: i64,
    /// Whether dimension 0 of what a device would have is cut over `dp`.
    pub fsdp: bool,
    /// Whether heads that do not divide are dealt as evenly as they can be, instead of refused.
    pub balanced: bool,
}

/// Indices of a dimension as ranges, in the order of the buffer.
pub type Ranges = Vec<Range<i64>>;

impl Loading {
    pub fn new(dp: i64, ep: i64, tp: i64) -> Self {
        Self { dp, ep, tp, fsdp: false, balanced: false }
    }

    pub fn device_count(&self) -> i64 {
        self.dp * self.ep * self.tp
    }

    pub fn size(&self, axis: &str) -> i64 {
        match axis {
            "dp" => self.dp,
            "ep" => self.ep,
            _ => self.tp,
        }
    }

    /// Where a device is along an axis.
    fn coordinate(&self, axis: &str, device: i64) -> i64 {
        match axis {
            "dp" => device / self.tp / self.ep,
            "ep" => device / self.tp % self.ep,
            _ => device % self.tp,
        }
    }

    pub fn mesh(&self) -> Mesh {
        Mesh::new(&[("dp", self.dp), ("ep", self.ep), ("tp", self.tp)]).unwrap()
    }

    /// The layout of a parameter, as cuts.
    pub fn layout(&self, parameter: &Parameter) -> MeshLayout {
        let cut = |split: &Split| {
            let cut = cut_of(&split.segments, self.size(split.axis), self.balanced);
            MeshCut::new(split.dim as i64, split.axis, cut).unwrap()
        };
        let mut cuts: Vec<MeshCut> = parameter.splits.iter().map(cut).collect();
        if self.fsdp {
            cuts.push(MeshCut::new(0, "dp", RuleKind::Chunk).unwrap());
        }
        let pad = Pad { dim: 0.into(), to: PadTo::Multiple(ROWS * self.tp) };
        let pads = if parameter.is_vocabulary { vec![pad] } else { Vec::new() };
        MeshLayout { cuts, pads, ..MeshLayout::default() }
    }

    pub fn build(&self, parameter: &Parameter) -> Result<ShardedTensorMetadata> {
        built(self.mesh(), self.layout(parameter), &parameter.sizes)
    }

    /// Why a parameter can't be cut: the dimension and the problem.
    pub fn refusal(&self, parameter: &Parameter) -> Option<(usize, CutProblem)> {
        let mut features = parameter.splits.iter().flat_map(|split| {
            split.segments.iter().map(move |features| (split.dim, self.size(split.axis), features))
        });
        if self.balanced || parameter.is_vocabulary {
            return None;
        }
        features.find_map(|(dim, k, features)| {
            let Features { units, unit, shared, .. } = *features;
            let is_shared = shared && k % units == 0;
            let problem = CutProblem::Uneven { length: units * unit, granule: unit, pieces: k };
            (units % k != 0 && !is_shared).then_some((dim, problem))
        })
    }

    /// What a device has of each dimension by a loader's own arithmetic. Indices from the size on are
    /// padding.
    pub fn ranges(&self, parameter: &Parameter, device: i64) -> Vec<Ranges> {
        let mut all: Vec<Ranges> = parameter.sizes.iter().map(|&size| vec![0..size]).collect();
        for split in &parameter.splits {
            let (k, at) = (self.size(split.axis), self.coordinate(split.axis, device));
            if parameter.is_vocabulary {
                let rows = div_ceil(parameter.sizes[0], ROWS * k) * ROWS;
                all[0] = vec![at * rows..(at + 1) * rows];
                continue;
            }
            let (mut start, mut own) = (0, Vec::new());
            for features in &split.segments {
                let heads = self.units_of(features, k, at);
                let ends = [heads.start, heads.end].map(|head| start + head * features.unit);
                own.push(ends[0]..ends[1]);
                start += features.size();
            }
            all[split.dim] = own;
        }
        if self.fsdp {
            let all_rows = length(&all[0]);
            let rows = div_ceil(all_rows, self.dp);
            let first = (self.coordinate("dp", device) * rows).min(all_rows);
            all[0] = taken(&all[0], first, rows.min(all_rows - first));
        }
        all
    }

    /// The heads, blocks or experts of rank `at` of `k`.
    fn units_of(&self, features: &Features, k: i64, at: i64) -> Range<i64> {
        let Features { units, group, shared, .. } = *features;
        let groups = units / group;
        if shared && k > units && k % units == 0 {
            let unit = at / (k / units);
            return unit..unit + 1;
        }
        if !self.balanced {
            return units / k * at..units / k * (at + 1);
        }
        // All groups stay whole, unless each is shared by a number of ranks.
        let group = if k % groups == 0 { 1 } else { group };
        let groups = units / group;
        let first = |at: i64| (groups / k * at + at.min(groups % k)) * group;
        first(at)..first(at + 1)
    }
}

/// Metadata of a tensor that is laid out over a mesh.
pub fn built(mesh: Mesh, layout: MeshLayout, sizes: &[i64]) -> Result<ShardedTensorMetadata> {
    let spec = MeshShardingSpec::new(mesh, layout)?;
    spec.build_metadata(TensorShape::new(sizes), TensorProperties::default())
}

/// The cut of some features over `k` ranks.
pub fn cut_of(segments: &[Features], k: i64, balanced: bool) -> Cut {
    let rule = |features: &Features| rule_of(features, k, balanced);
    let alike = segments.iter().all(|features| *features == segments[0]);
    match segments {
        [one] => Cut { rule: rule(one), segments: Segments::One },
        [one, ..] if alike => {
            Cut { rule: rule(one), segments: Segments::Equal(segments.len() as i64) }
        }
        _ => {
            let segment =
                |features: &Features| Segment { size: features.size(), rule: rule(features) };
            let listed = Segments::Listed(segments.iter().map(segment).collect());
            Cut { rule: RuleKind::Chunk.into(), segments: listed }
        }
    }
}

fn rule_of(features: &Features, k: i64, balanced: bool) -> Rule {
    let Features { units, unit, group, shared } = *features;
    let repeat = if shared && k > units && k % units == 0 { k / units } else { 1 };
    if !balanced {
        return Rule { granule: unit, repeat, even: true, ..RuleKind::Chunk.into() };
    }
    let group = if k % (units / group) == 0 { 1 } else { group };
    Rule { granule: unit * group, repeat, ..RuleKind::Balanced.into() }
}

pub fn div_ceil(a: i64, b: i64) -> i64 {
    (a + b - 1) / b
}

pub fn length(ranges: &[Range<i64>]) -> i64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

/// Places `first` and so on, `count` of them.
fn taken(ranges: &[Range<i64>], mut first: i64, mut count: i64) -> Ranges {
    let mut taken = Vec::new();
    for range in ranges {
        let all = range.end - range.start;
        let (skipped, start) = (first.min(all), range.start + first.min(all));
        let own = count.min(all - skipped);
        taken.push(start..start + own);
        (first, count) = (first - skipped, count - own);
    }
    taken
}

/// Ranges without those that are empty, neighbours as one, up to an end.
pub fn normal(ranges: &[Range<i64>], end: i64) -> Ranges {
    let mut normal: Ranges = Vec::new();
    for range in ranges {
        let range = range.start.min(end)..range.end.min(end);
        match normal.last_mut() {
            _ if range.is_empty() => {}
            Some(last) if last.end == range.start => last.end = range.end,
            _ => normal.push(range),
        }
    }
    normal
}

/// What the library says that a shard has of a dimension, in the order of its buffer.
pub fn ranges_of(dim: DimExtent<'_>) -> Ranges {
    match dim {
        DimExtent::Interval(start, size) => vec![start..start + size],
        DimExtent::Map(map) => {
            let mut blocks = Vec::new();
            for stretch in map.stretches() {
                blocks.extend((0..stretch.count()).map(|block| {
                    let local = stretch.local_start() + block * stretch.local_step();
                    let start = stretch.global_start() + block * stretch.global_step();
                    (local, start..start + stretch.length())
                }));
            }
            blocks.sort_by_key(|(local, _)| *local);
            blocks.into_iter().map(|(_, range)| range).collect()
        }
    }
}

/// How many indices two lists of ranges, none of which holds one twice, have in common.
pub fn common(some: &[Range<i64>], others: &[Range<i64>]) -> i64 {
    let both = |a: &Range<i64>, b: &Range<i64>| (a.end.min(b.end) - a.start.max(b.start)).max(0);
    some.iter().map(|a| others.iter().map(|b| both(a, b)).sum::<i64>()).sum()
}
