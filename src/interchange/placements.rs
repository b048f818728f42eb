//! Placements as two fields: those that differ, and which of them each shard has.

use super::document::DocumentWriter;
use super::json::JsonReader;
use crate::error::{Error, Result};
use crate::memory::{TryVec, text, try_collect};
use crate::model::{Placement, Placements};

/// Writes the placements of shards or devices. Where each has its own, their order says all.
pub(super) fn write<'a>(out: &mut DocumentWriter<'a>, placements: &'a Placements) -> Result<()> {
    let (distinct, owners) = (placements.distinct(), placements.indices());
    out.json.field("placements")?;
    out.json.list('[', distinct, |json, placement| {
        check_writable(placement)?;
        Ok::<_, Error>(json.text_of(placement)?)
    })?;
    out.json.write("]")?;
    if distinct.len() != owners.len() {
        out.short_numbers("owners", owners)?;
    }
    Ok(())
}

/// Refuses a placement whose text does not say all of it.
fn check_writable(placement: &Placement) -> Result<()> {
    if placement.as_custom().is_some() {
        let what = text!(
            "placement '{placement}' is of the custom type '{}', which is code of the program's; use \
             ranks, workers or devices",
            placement.type_name()
        );
        return Err(Error::Unsupported { what });
    }
    Ok(())
}

/// The fields of placements, as they are read.
#[derive(Default)]
pub(super) struct PlacementFields {
    distinct: Option<Vec<Placement>>,
    /// With where they start.
    owners: Option<(usize, Vec<u32>)>,
}

impl PlacementFields {
    /// Reads one of the fields. Others are unknown.
    pub(super) fn field(&mut self, json: &mut JsonReader<'_>, name: &str) -> Result<()> {
        match name {
            "placements" => json.once(name, &mut self.distinct, read_placements),
            "owners" => json
                .once(name, &mut self.owners, |json| Ok((json.position(), json.short_numbers()?))),
            _ => Err(json.unknown_field(name)),
        }
    }

    /// The placements that the fields of an object say, which starts at a position.
    pub(super) fn finish(self, json: &JsonReader<'_>, at: usize) -> Result<Placements> {
        let distinct = json.required(at, "placements", self.distinct)?;
        let count = distinct.len();
        let Some((owners_at, owners)) = self.owners else {
            let end = u32::try_from(count).map_err(|_| Error::overflow("the number of shards"))?;
            return Placements::of_table(distinct, try_collect(0..end)?);
        };
        if owners.iter().max().is_none_or(|&most| (most as usize) < count) {
            return Placements::of_table(distinct, owners);
        }
        let mut wrong = owners.iter().enumerate().filter(|(_, owner)| **owner as usize >= count);
        let (shard, owner) = wrong.next().unwrap_or((0, &0));
        let problem =
            text!("owners[{shard}] is {owner}, and there are {count} placements, counted from 0");
        Err(json.invalid_at(owners_at, problem))
    }
}

fn read_placements(json: &mut JsonReader<'_>) -> Result<Vec<Placement>> {
    let mut distinct = Vec::new();
    json.array(|json| {
        let at = json.position();
        let text = json.string()?;
        let placement = Placement::parse(text.as_str());
        Ok(distinct.try_push(placement.map_err(|error| json.refused_at(at, error))?)?)
    })?;
    Ok(distinct)
}
