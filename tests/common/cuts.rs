//! Dim maps from the cuts of a layout, as `tests/data/layouts.json` writes them.

use serde_json::{Map, Value};
use shardspec::geometry::{DimMap, Result, Stretch};

/// A cut that was refused, and why.
pub type Cut<T> = std::result::Result<T, String>;

fn number(cut: &Map<String, Value>, key: &str, default: i64) -> i64 {
    cut.get(key).map_or(default, |value| value.as_i64().unwrap())
}

fn numbers(cut: &Map<String, Value>, key: &str) -> Vec<i64> {
    cut[key].as_array().unwrap().iter().map(|value| value.as_i64().unwrap()).collect()
}

/// `units` in proportion to weights: largest remainder first, ties to the lower index.
fn apportion(units: i64, weights: &[i64]) -> Cut<Vec<i64>> {
    let total: i64 = weights.iter().sum();
    if total <= 0 || weights.iter().any(|&weight| weight < 0) {
        return Err("weights must be >= 0 and not all 0".to_owned());
    }
    let mut shares: Vec<i64> = weights.iter().map(|weight| units * weight / total).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|&index| (-(units * weights[index] % total), index));
    let left = units - shares.iter().sum::<i64>();
    order.iter().take(left as usize).for_each(|&index| shares[index] += 1);
    Ok(shares)
}

/// The positions of `length` that piece `piece` of `count` has.
fn piece(length: i64, count: i64, piece: i64, cut: &Map<String, Value>) -> Cut<DimMap> {
    let rule = cut.get("rule").map_or("chunk", |rule| rule.as_str().unwrap());
    let granule = number(cut, "granule", 1);
    let units = (length + granule - 1) / granule;
    if rule == "cyclic" {
        return Ok(cyclic(length, count, piece, cut).unwrap());
    }
    if cut.contains_key("even") && (length % granule != 0 || units % count != 0) {
        return Err("does not divide evenly".to_owned());
    }
    let sizes = match rule {
        "chunk" => {
            let per = (units + count - 1) / count;
            (0..count).map(|index| per.min(units - index * per).max(0)).collect()
        }
        "balanced" => {
            (0..count).map(|index| units / count + i64::from(index < units % count)).collect()
        }
        "weights" => apportion(units, &numbers(cut, "weights"))?,
        "sizes" => return listed(length, count, piece, granule, &numbers(cut, "sizes")),
        _ => panic!("{rule} is no rule"),
    };
    let start: i64 = sizes[..piece as usize].iter().sum();
    let (start, end) = (start * granule, (start + sizes[piece as usize]) * granule);
    Ok(DimMap::interval(start.min(length), end.min(length) - start.min(length)).unwrap())
}

fn listed(length: i64, count: i64, piece: i64, granule: i64, sizes: &[i64]) -> Cut<DimMap> {
    if sizes.len() as i64 != count || sizes.iter().sum::<i64>() != length {
        return Err("sizes do not add up".to_owned());
    }
    let mut start = 0;
    let mut own = 0;
    for (index, &size) in sizes.iter().enumerate() {
        if start % granule != 0 && size != 0 {
            return Err("a piece starts inside of a granule".to_owned());
        }
        if (index as i64) < piece {
            own += size;
        }
        start += size;
    }
    Ok(DimMap::interval(own, sizes[piece as usize]).unwrap())
}

/// Every `count`-th block: one stretch, and a shorter block at the end.
pub fn cyclic(length: i64, count: i64, piece: i64, cut: &Map<String, Value>) -> Result<DimMap> {
    let (block, first) = (number(cut, "block", 1), number(cut, "first", 0));
    let start = (piece - first).rem_euclid(count) * block;
    block_cyclic(length, count, block, start)
}

/// Blocks of `block` positions from `start` on, one of each `count`.
pub fn block_cyclic(length: i64, count: i64, block: i64, start: i64) -> Result<DimMap> {
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

/// The positions of `length` that coordinate `at` of an axis of `count` has.
fn dealt(length: i64, count: i64, at: i64, cut: &Map<String, Value>) -> Cut<DimMap> {
    let Some(segments) = cut.get("segments") else {
        let repeat = number(cut, "repeat", 1);
        if count % repeat != 0 {
            return Err("repeat does not divide the axis".to_owned());
        }
        return piece(length, count / repeat, at / repeat, cut);
    };
    let mut whole = cut.clone();
    whole.remove("segments");
    let segments: Vec<Map<String, Value>> = match segments {
        Value::Number(segments) => {
            let segments = segments.as_i64().unwrap();
            let per = (length + segments - 1) / segments;
            let size = |index: i64| per.min(length - index * per).max(0);
            let one = |index| Map::from_iter([("size".to_owned(), Value::from(size(index)))]);
            (0..segments).map(one).collect()
        }
        listed => {
            listed.as_array().unwrap().iter().map(|one| one.as_object().unwrap().clone()).collect()
        }
    };
    let mut start = 0;
    let mut own = Vec::new();
    for mut segment in segments {
        let size = segment.remove("size").unwrap().as_i64().unwrap();
        let mut rule = whole.clone();
        rule.extend(segment);
        let positions = dealt(size, count, at, &rule)?;
        own.push(DimMap::interval(start, size).unwrap().select(&positions).unwrap());
        start += size;
    }
    if start != length {
        return Err("segments do not add up".to_owned());
    }
    Ok(DimMap::joined(&own).unwrap())
}

/// For every device of a mesh, row-major, the dim map of each dimension.
pub fn extents(case: &Value) -> Cut<Vec<Vec<DimMap>>> {
    let integers = |value: &Value| -> Vec<i64> {
        value.as_array().unwrap().iter().map(|one| one.as_i64().unwrap()).collect()
    };
    let (mut dims, mesh) = (integers(&case["sizes"]), integers(&case["mesh"]));
    if let Some(flatten) = case.get("flatten") {
        let flatten = integers(flatten);
        let range = flatten[0] as usize..(flatten[0] + flatten[1]) as usize;
        let flat = dims[range.clone()].iter().product();
        dims.splice(range, [flat]);
    }
    let whole = |(dim, &size): (usize, &i64)| {
        let padded = case.get("pad").and_then(|pad| pad.get(dim.to_string()));
        let length = padded.map_or(size, |length| length.as_i64().unwrap().max(size));
        DimMap::padded(0, size, length).unwrap()
    };
    let whole: Vec<DimMap> = dims.iter().enumerate().map(whole).collect();
    let devices: i64 = mesh.iter().product();
    (0..devices)
        .map(|device| {
            let mut extent = whole.clone();
            for cut in case["cuts"].as_array().unwrap() {
                let cut = cut.as_object().unwrap();
                let (dim, axis) = (number(cut, "dim", 0) as usize, number(cut, "axis", 0) as usize);
                let inner: i64 = mesh[axis + 1..].iter().product();
                let at = device / inner % mesh[axis];
                let positions = dealt(extent[dim].length(), mesh[axis], at, cut)?;
                extent[dim] = extent[dim].select(&positions).unwrap();
            }
            Ok(extent)
        })
        .collect()
}
