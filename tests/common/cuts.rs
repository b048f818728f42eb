//! What cuts mean, by lists of indices; and specs from the cases of `tests/data/layouts.json`.

use serde_json::{Map, Value};
use shardspec::geometry::{DimExtent, DimMap, GeometryResult, Stretch};
use shardspec::model::{
    Cut, Mesh, MeshCut, MeshLayout, MeshShardingSpec, Pad, PadTo, Rule, RuleKind, Segment,
    Segments, Shards,
};

/// Blocks of `block` positions from `start` on, one of each `count`.
pub fn block_cyclic(length: i64, count: i64, block: i64, start: i64) -> GeometryResult<DimMap> {
    let step = count * block;
    let whole = if start + block > length { 0 } else { (length - start - block) / step + 1 };
    let (tail_start, mut local) = (start + whole * step, whole * block);
    let mut stretches = Vec::new();
    if whole > 0 {
        stretches.push(Stretch::new([start, 0], block, whole, [step, block]).unwrap());
    }
    if tail_start < length {
        let tail = length - tail_start;
        stretches.push(Stretch::interval(tail_start, local, tail).unwrap());
        local += tail;
    }
    DimMap::new(local, stretches)
}

/// Units in proportion to weights: largest remainder first, ties to the lower index.
fn apportion(units: i64, weights: &[i64]) -> Vec<i64> {
    let total: i64 = weights.iter().sum();
    let mut shares: Vec<i64> = weights.iter().map(|weight| units * weight / total).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|&index| (-(units * weights[index] % total), index));
    let left = units - shares.iter().sum::<i64>();
    order.iter().take(left as usize).for_each(|&index| shares[index] += 1);
    shares
}

/// The indices that each of `count` pieces has by a rule. `None` where it is refused.
fn pieces(indices: &[i64], count: i64, rule: &Rule) -> Option<Vec<Vec<i64>>> {
    let length = indices.len() as i64;
    if let RuleKind::Cyclic { block, first } = rule.kind {
        let mut pieces = vec![Vec::new(); count as usize];
        for (number, block) in indices.chunks(block as usize).enumerate() {
            pieces[((number as i64 + first) % count) as usize].extend_from_slice(block);
        }
        return Some(pieces);
    }
    let units: Vec<&[i64]> = indices.chunks(rule.granule as usize).collect();
    let number = units.len() as i64;
    if rule.even && (length % rule.granule != 0 || number % count != 0) {
        return None;
    }
    let sizes: Vec<i64> = match &rule.kind {
        RuleKind::Chunk => {
            let per = (number + count - 1) / count;
            (0..count).map(|piece| per.min(number - piece * per).max(0)).collect()
        }
        RuleKind::Balanced => {
            (0..count).map(|piece| number / count + i64::from(piece < number % count)).collect()
        }
        RuleKind::Weights(weights) => apportion(number, weights),
        RuleKind::Sizes(sizes) => {
            if sizes.iter().sum::<i64>() != length {
                return None;
            }
            let mut rest = indices;
            let mut pieces = Vec::new();
            for &size in sizes {
                let start = length - rest.len() as i64;
                if start % rule.granule != 0 && size > 0 {
                    return None;
                }
                let (own, others) = rest.split_at(size as usize);
                pieces.push(own.to_vec());
                rest = others;
            }
            return Some(pieces);
        }
        RuleKind::Cyclic { .. } => unreachable!(),
    };
    let mut units = units.into_iter();
    Some(
        sizes
            .iter()
            .map(|&size| units.by_ref().take(size as usize).flatten().copied().collect())
            .collect(),
    )
}

/// How many neighbouring coordinates have the same piece; no divisor of `count` where it is refused.
fn repeat_of(length: i64, count: i64, rule: &Rule) -> i64 {
    if rule.repeat != Rule::REPEAT_AS_NEEDED {
        return rule.repeat;
    }
    let unit = match rule.kind {
        RuleKind::Cyclic { block, .. } => block,
        _ => rule.granule,
    };
    let units = (length + unit - 1) / unit;
    match units {
        0 => 1,
        units if count <= units => 1,
        units if count % units == 0 => count / units,
        _ => count + 1,
    }
}

/// The indices that each of `count` coordinates has by a cut. `None` where it is refused.
pub fn dealt(indices: &[i64], count: i64, cut: &Cut) -> Option<Vec<Vec<i64>>> {
    let by_rule = |indices: &[i64], rule: &Rule| {
        let repeat = repeat_of(indices.len() as i64, count, rule);
        if count % repeat != 0 {
            return None;
        }
        let distinct = pieces(indices, count / repeat, rule)?;
        Some((0..count).map(|at| distinct[(at / repeat) as usize].clone()).collect::<Vec<_>>())
    };
    let segments: Vec<Segment> = match &cut.segments {
        Segments::One => return by_rule(indices, &cut.rule),
        Segments::Equal(number) => {
            let length = indices.len() as i64;
            let per = (length + number - 1) / number;
            let size = |segment: i64| per.min(length - segment * per).max(0);
            (0..*number).map(|at| Segment { size: size(at), rule: cut.rule.clone() }).collect()
        }
        Segments::Listed(segments) => segments.to_vec(),
    };
    if segments.iter().map(|segment| segment.size).sum::<i64>() != indices.len() as i64 {
        return None;
    }
    let mut all = vec![Vec::new(); count as usize];
    let mut rest = indices;
    for segment in &segments {
        let (own, others) = rest.split_at(segment.size as usize);
        for (all, own) in all.iter_mut().zip(by_rule(own, &segment.rule)?) {
            all.extend(own);
        }
        rest = others;
    }
    Some(all)
}

/// What a shard has of each dimension: an index for each place of its buffer, -1 for a hole.
pub fn indices_of(shards: &Shards, shard: usize) -> Vec<Vec<i64>> {
    let listed = |dim: DimExtent<'_>| match dim {
        DimExtent::Interval(start, size) => (start..start + size).collect(),
        DimExtent::Map(map) => {
            (0..map.length()).map(|local| map.global(local).unwrap_or(-1)).collect()
        }
    };
    shards.get(shard).unwrap().dims().map(listed).collect()
}

/// The product of what a shard has of each dimension, as places in the row-major tensor; -1 for a hole.
pub fn elements_of(indices: &[Vec<i64>], sizes: &[i64]) -> Vec<i64> {
    indices.iter().zip(sizes).fold(vec![0], |places, (own, &size)| {
        let at =
            |place: i64, index: i64| if place < 0 || index < 0 { -1 } else { place * size + index };
        places.iter().flat_map(|&place| own.iter().map(move |&index| at(place, index))).collect()
    })
}

fn integers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|one| one.as_i64().unwrap()).collect()
}

fn number(cut: &Map<String, Value>, key: &str, default: i64) -> i64 {
    cut.get(key).map_or(default, |value| value.as_i64().unwrap())
}

fn rule_of(cut: &Map<String, Value>) -> Rule {
    let listed = |key: &str| integers(&cut[key]).into_boxed_slice();
    let kind = match cut.get("rule").map_or("chunk", |rule| rule.as_str().unwrap()) {
        "chunk" => RuleKind::Chunk,
        "balanced" => RuleKind::Balanced,
        "sizes" => RuleKind::Sizes(listed("sizes")),
        "weights" => RuleKind::Weights(listed("weights")),
        "cyclic" => {
            RuleKind::Cyclic { block: number(cut, "block", 1), first: number(cut, "first", 0) }
        }
        other => panic!("{other} is no rule"),
    };
    let even = cut.get("even").is_some_and(|even| even.as_bool().unwrap());
    Rule { kind, granule: number(cut, "granule", 1), repeat: number(cut, "repeat", 1), even }
}

fn cut_of(cut: &Map<String, Value>) -> Cut {
    let segments = match cut.get("segments") {
        None => Segments::One,
        Some(Value::Number(number)) => Segments::Equal(number.as_i64().unwrap()),
        Some(listed) => {
            let segment = |one: &Value| {
                let mut own = cut.clone();
                own.extend(one.as_object().unwrap().clone());
                Segment { size: number(&own, "size", 0), rule: rule_of(&own) }
            };
            Segments::Listed(listed.as_array().unwrap().iter().map(segment).collect())
        }
    };
    Cut { rule: rule_of(cut), segments }
}

/// A mesh whose axes are named `0`, `1` and so on.
pub fn numbered_mesh(sizes: &[i64]) -> Mesh {
    let names: Vec<String> = (0..sizes.len()).map(|axis| axis.to_string()).collect();
    let axes: Vec<(&str, i64)> =
        names.iter().map(String::as_str).zip(sizes.iter().copied()).collect();
    Mesh::new(&axes).unwrap()
}

/// The spec of a case of `layouts.json`, as far as it is one.
pub fn spec_of(case: &Value) -> shardspec::model::Result<MeshShardingSpec> {
    let mut layout = MeshLayout::default();
    for cut in case["cuts"].as_array().unwrap() {
        let cut = cut.as_object().unwrap();
        let axis = number(cut, "axis", 0).to_string();
        layout.cuts.push(MeshCut::new(number(cut, "dim", 0), &axis, cut_of(cut))?);
    }
    if let Some(pads) = case.get("pad") {
        for (dim, size) in pads.as_object().unwrap() {
            let dim: i64 = dim.parse().unwrap();
            layout.pads.push(Pad { dim: dim.into(), to: PadTo::Size(size.as_i64().unwrap()) });
        }
    }
    if let Some(flatten) = case.get("flatten") {
        let flatten = integers(flatten);
        layout.flatten = Some(flatten[0] as usize..(flatten[0] + flatten[1]) as usize);
    }
    MeshShardingSpec::new(numbered_mesh(&integers(&case["mesh"])), layout)
}
