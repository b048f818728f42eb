//! What shards have of dimensions where that is no interval: a table of dim maps, as flat arrays.

use super::document::DocumentWriter;
use super::json::JsonReader;
use crate::error::{Error, Result};
use crate::geometry::{DimMap, ExtentList, Stretch};
use crate::memory::{TryVec, text, try_with_capacity};

/// Numbers of a stretch: where it starts in the tensor and in the shard, the length and the number of its
/// blocks, and their steps in both.
const NUMBERS_OF_STRETCH: usize = 6;

/// A table of dim maps, and which of them each dimension of each shard has.
pub(super) struct NumberedMaps {
    /// Where the object starts.
    pub(super) at: usize,
    pub(super) table: Vec<DimMap>,
    pub(super) numbers: Vec<u32>,
}

/// Writes the fields of the dim maps of extents.
pub(super) fn write(out: &mut DocumentWriter<'_>, extents: &ExtentList) -> Result<()> {
    let mut numbers = try_with_capacity(extents.boxes().sizes().len())?;
    for extent in extents.iter() {
        let dims = 0..extents.ndim();
        numbers.extend(dims.map(|dim| extent.map_number(dim).map_or(-1, i64::from)));
    }
    let (mut lengths, mut counts, mut stretches) = (Vec::new(), Vec::new(), Vec::new());
    for map in extents.table() {
        lengths.try_push(map.length())?;
        // No more than a u32 counts.
        counts.try_push(map.stretches().len() as i64)?;
        for stretch in map.stretches() {
            stretches.try_extend([
                stretch.global_start(),
                stretch.local_start(),
                stretch.length(),
                stretch.count(),
                stretch.global_step(),
                stretch.local_step(),
            ])?;
        }
    }
    out.made_numbers("numbers", numbers)?;
    out.made_numbers("lengths", lengths)?;
    out.made_numbers("stretch_counts", counts)?;
    Ok(out.made_numbers("stretches", stretches)?)
}

/// Reads the object of dim maps.
pub(super) fn read(json: &mut JsonReader<'_>) -> Result<NumberedMaps> {
    let at = json.position();
    let (mut numbers, mut lengths, mut counts, mut stretches) = (None, None, None, None);
    json.object(|json, name| match name {
        "numbers" => json.once(name, &mut numbers, JsonReader::long_numbers),
        "lengths" => json.once(name, &mut lengths, JsonReader::long_numbers),
        "stretch_counts" => json.once(name, &mut counts, JsonReader::long_numbers),
        "stretches" => json.once(name, &mut stretches, JsonReader::long_numbers),
        _ => Err(json.unknown_field(name)),
    })?;
    let numbers = json.required(at, "numbers", numbers)?;
    let lengths = json.required(at, "lengths", lengths)?;
    let counts = json.required(at, "stretch_counts", counts)?;
    let stretches = json.required(at, "stretches", stretches)?;
    if counts.len() != lengths.len() {
        let problem = text!(
            "there are {} lengths and {} stretch_counts; each dim map has one of both",
            lengths.len(),
            counts.len()
        );
        return Err(json.invalid_at(at, problem));
    }
    let numbers = table_numbers(json, at, &numbers, lengths.len())?;
    let mut rest = stretches.as_slice();
    let mut table = try_with_capacity(lengths.len())?;
    for (number, (&length, &count)) in lengths.iter().zip(&counts).enumerate() {
        let (own, behind) = take_stretches(rest, count).ok_or_else(|| {
            let problem =
                text!("dim map {number} has {count} stretches of 6 numbers, which are not there");
            json.invalid_at(at, problem)
        })?;
        rest = behind;
        let map = dim_map(length, own);
        table.push(map.map_err(|error| json.refused_at(at, error.at("dim_maps", number)))?);
    }
    if !rest.is_empty() {
        let problem = text!("{} numbers of stretches are left over", rest.len());
        return Err(json.invalid_at(at, problem));
    }
    Ok(NumberedMaps { at, table, numbers })
}

/// The numbers of dim maps, with [`ExtentList::INTERVAL`] for -1.
fn table_numbers(
    json: &JsonReader<'_>, at: usize, numbers: &[i64], count: usize,
) -> Result<Vec<u32>> {
    let mut own = try_with_capacity(numbers.len())?;
    for (place, &number) in numbers.iter().enumerate() {
        let known = u32::try_from(number).ok().filter(|&number| (number as usize) < count);
        own.push(match (number, known) {
            (-1, _) => ExtentList::INTERVAL,
            (_, Some(number)) => number,
            (_, None) => {
                let problem = text!(
                    "numbers[{place}] is {number}, and there are {count} dim maps, counted from 0; \
                     -1 is none"
                );
                return Err(json.invalid_at(at, problem));
            }
        });
    }
    Ok(own)
}

/// The numbers of so many stretches, and those behind them.
fn take_stretches(numbers: &[i64], count: i64) -> Option<(&[i64], &[i64])> {
    let count = usize::try_from(count).ok()?.checked_mul(NUMBERS_OF_STRETCH)?;
    numbers.split_at_checked(count)
}

fn dim_map(length: i64, numbers: &[i64]) -> Result<DimMap> {
    let (rows, _) = numbers.as_chunks::<NUMBERS_OF_STRETCH>();
    let mut stretches = try_with_capacity(rows.len())?;
    for (at, &[global, local, block, count, global_step, local_step]) in rows.iter().enumerate() {
        let stretch = Stretch::new([global, local], block, count, [global_step, local_step]);
        stretches.push(stretch.ok_or_else(|| {
            let problem = "starts must be >= 0, lengths and counts >= 1, blocks must not overlap, and ends \
                           must fit 64 bits";
            Error::invalid("stretches", problem).at("stretches", at)
        })?);
    }
    Ok(DimMap::new(length, stretches)?)
}
