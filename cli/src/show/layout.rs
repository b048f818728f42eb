//! A layout of a tensor that is in no file.

use serde_json::{Value, json};
use shardspec::model::{DataType, ShardedTensorMetadata};

use super::ranges::{elements_of, json_of};
use super::{MAX_ROWS, OwnerBytes};
use crate::Answer;
use crate::arguments::ShowArguments;
use crate::checkpoint::bytes_of_elements;
use crate::layout::Layouts;
use crate::output::Output;
use crate::picture::{self, Subject};
use crate::table::{Align, Table};
use crate::units;

pub fn run(layouts: &Layouts, arguments: &ShowArguments, output: &mut Output) -> Answer {
    let (layout, metadata) = layouts.of_shape(&arguments.shape)?;
    let dtype = metadata.properties().dtype;
    let mut owners = OwnerBytes::default();
    owners.add(&metadata);
    picture::write(Subject::Layout(&metadata), &arguments.drawing, output)?;
    let fingerprint = units::hex(metadata.shards().fingerprint());
    if output.is_json() {
        let shards = metadata.shards().iter().enumerate();
        let shards: Vec<Value> = shards.map(|(index, shard)| json_of(index, shard)).collect();
        output.json(&json!({
            "sizes": metadata.sizes(),
            "dtype": dtype.map(|dtype| dtype.to_string()),
            "layout": layout.json(),
            "fingerprint": fingerprint,
            "has_replicas": metadata.has_replicas(),
            "shards": shards,
            "owners": owners.json(),
        }));
        return Ok(true);
    }
    output.line(format!("{}, {}", tensor(&metadata, dtype), layout));
    output.line("");
    picture::print(Subject::Layout(&metadata), &arguments.drawing, output)?;
    shards(&metadata, dtype, arguments.all, output);
    Ok(true)
}

fn tensor(metadata: &ShardedTensorMetadata, dtype: Option<DataType>) -> String {
    let sizes = units::sizes(metadata.sizes());
    match dtype {
        None => format!("tensor {sizes}"),
        Some(dtype) => {
            let bytes = bytes_of_elements(Some(dtype), metadata.numel());
            format!("tensor {sizes} {dtype}, {}", units::bytes(bytes))
        }
    }
}

/// A row for each shard.
fn shards(
    metadata: &ShardedTensorMetadata, dtype: Option<DataType>, all: bool, output: &mut Output,
) {
    let mut columns = vec![
        ("shard", Align::Right),
        ("placement", Align::Left),
        ("sizes", Align::Left),
        ("elements", Align::Left),
    ];
    if dtype.is_some() {
        columns.push(("bytes", Align::Right));
    }
    if metadata.has_replicas() {
        columns.push(("replica of", Align::Left));
    }
    let mut table = Table::new(&columns);
    let most = if all { usize::MAX } else { MAX_ROWS };
    for (index, shard) in metadata.shards().iter().enumerate().take(most) {
        let mut row = vec![
            index.to_string(),
            shard.placement.to_string(),
            units::sizes(shard.sizes),
            elements_of(shard),
        ];
        if dtype.is_some() {
            let elements = shard.elements().unwrap_or(i64::MAX);
            row.push(units::bytes(bytes_of_elements(dtype, elements)));
        }
        if metadata.has_replicas() {
            let replica = metadata.replica(index);
            let primary = replica.map_or(index, |replica| replica.primary);
            row.push(if primary == index { String::new() } else { format!("shard {primary}") });
        }
        table.push(row);
    }
    table.lines().iter().for_each(|line| output.line(line));
    if let Some(more) = metadata.shards().len().checked_sub(most).filter(|more| *more > 0) {
        output.line(format!("and {}; --all lists them", units::count(more, "other shard")));
    }
}
