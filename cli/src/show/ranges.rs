//! Owners, and the elements of shards, as texts.

use serde_json::{Value, json};
use shardspec::geometry::DimExtent;
use shardspec::model::{Placement, Shard};

/// Stretches of a dimension that are shown.
const MAX_STRETCHES: usize = 4;

/// The name of an owner: a rank, a worker or a file.
pub fn owner_of(placement: &Placement) -> String {
    match (placement.rank(), placement.worker_name(), placement.as_custom()) {
        (Some(rank), _, _) => format!("rank:{rank}"),
        (None, Some(name), _) => name.to_owned(),
        (None, None, Some(custom)) => custom.text().to_owned(),
        (None, None, None) if placement.is_none() => "nobody".to_owned(),
        (None, None, None) => placement.to_string(),
    }
}

/// The elements of a shard as slices: `[0:4, 3:5]`, and `0:2+8:10` for a dimension of two stretches.
pub fn elements_of(shard: Shard<'_>) -> String {
    let dims: Vec<String> = shard.dims().map(dim).collect();
    format!("[{}]", dims.join(", "))
}

fn dim(extent: DimExtent<'_>) -> String {
    let slice = |start: i64, length: i64| format!("{start}:{}", start.saturating_add(length));
    let map = match extent {
        DimExtent::Interval(start, size) => return slice(start, size),
        DimExtent::Map(map) => map,
    };
    let intervals = map.stretches().iter().flat_map(|stretch| {
        (0..stretch.count()).map(move |turn| {
            let step = stretch.global_step().saturating_mul(turn);
            (stretch.global_start().saturating_add(step), stretch.length())
        })
    });
    let mut shown: Vec<String> =
        intervals.take(MAX_STRETCHES + 1).map(|(start, length)| slice(start, length)).collect();
    if shown.len() > MAX_STRETCHES {
        shown.truncate(MAX_STRETCHES);
        shown.push("…".to_owned());
    }
    let holes = match map.holes() {
        0 => String::new(),
        holes => format!(" ({holes} padding)"),
    };
    if shown.is_empty() { format!("nothing{holes}") } else { shown.join("+") + &holes }
}

/// A shard for programs: for each dimension, the stretches of indices that it has.
pub fn json_of(index: usize, shard: Shard<'_>) -> Value {
    let dims: Vec<Value> = shard
        .dims()
        .map(|extent| match extent {
            DimExtent::Interval(start, size) => {
                json!({"length": size, "stretches": [{"start": start, "length": size, "count": 1, "step": 0}]})
            }
            DimExtent::Map(map) => {
                let stretches: Vec<Value> = map
                    .stretches()
                    .iter()
                    .map(|stretch| {
                        json!({
                            "start": stretch.global_start(),
                            "length": stretch.length(),
                            "count": stretch.count(),
                            "step": stretch.global_step(),
                        })
                    })
                    .collect();
                json!({"length": map.length(), "stretches": stretches})
            }
        })
        .collect();
    json!({
        "index": index,
        "placement": shard.placement.to_string(),
        "owner": owner_of(shard.placement),
        "elements": shard.elements(),
        "dims": dims,
    })
}
