//! Summaries of plans: which owner sends how much to which. They are written, and not read.

use super::document::DocumentWriter;
use super::json::JsonWriter;
use crate::error::Result;
use crate::memory::{Memory, try_with_capacity};
use crate::model::Placement;
use crate::plan::{OwnerTraffic, PlanSummary, ReshardPlan};

/// Writes the summary of a plan into a document.
pub(super) fn write(out: &mut DocumentWriter<'_>, plan: &ReshardPlan) -> Result<()> {
    let summary = plan.summary()?;
    if let Some(dtype) = plan.dtype() {
        out.json.field("dtype")?;
        out.json.text_of(&dtype)?;
    }
    let (sources, destinations) = (plan.source().len(), plan.destination().len());
    let between = summary.traffic.iter().filter(|one| one.source != one.destination).count();
    let [elements, moved] = summary.elements()?;
    for (name, number) in [
        ("source_shards", sources as i64),
        ("destination_shards", destinations as i64),
        ("pieces", plan.len() as i64),
        ("messages", between as i64),
        ("elements", elements),
        ("moved_elements", moved),
    ] {
        out.json.field(name)?;
        out.json.number(number)?;
    }
    if let Some([bytes, moved]) = summary.bytes()? {
        for (name, number) in [("bytes", bytes), ("moved_bytes", moved)] {
            out.json.field(name)?;
            out.json.number(number)?;
        }
    }
    out.json.field("owners")?;
    out.json.list('[', &summary.owners, write_owner)?;
    out.json.write("]")?;
    out.object("traffic", |out| write_traffic(out, &summary))
}

/// Writes an owner: a rank, the name of a worker, or `null` where placements name none.
fn write_owner(json: &mut JsonWriter, owner: &Placement) -> Memory<()> {
    match (owner.rank(), owner.worker_name(), owner.as_custom()) {
        (Some(rank), ..) => json.format(format_args!("\"rank:{rank}\"")),
        (_, Some(name), _) => json.text(name),
        (.., Some(custom)) => json.text(custom.text()),
        _ => json.write("null"),
    }
}

/// Writes the columns of the traffic.
fn write_traffic(out: &mut DocumentWriter<'_>, summary: &PlanSummary) -> Result<()> {
    let mut column = |name: &str, number: &dyn Fn(&OwnerTraffic) -> Option<i64>| -> Result<()> {
        let mut numbers = try_with_capacity(summary.traffic.len())?;
        numbers.extend(summary.traffic.iter().filter_map(number));
        Ok(out.made_numbers(name, numbers)?)
    };
    column("sources", &|one| Some(one.source as i64))?;
    column("destinations", &|one| Some(one.destination as i64))?;
    column("pieces", &|one| Some(one.pieces as i64))?;
    column("elements", &|one| Some(one.elements))?;
    if summary.bytes()?.is_some() {
        column("bytes", &|one| one.bytes)?;
    }
    Ok(())
}
