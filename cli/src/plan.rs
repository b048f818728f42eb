//! `plan`: what moves between two layouts, from each owner to each other.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shardspec::files::{FileSet, StoredTensor};
use shardspec::model::{DataType, Placement, Shards};
use shardspec::plan::ReshardPlan;

use crate::Answer;
use crate::arguments::PlanArguments;
use crate::checkpoint::{self, bytes_of_elements};
use crate::failure::Failure;
use crate::layout::{self, Layout, Layouts};
use crate::output::Output;
use crate::picture::{self, Subject};
use crate::show::owner_of;
use crate::table::{Align, Table};
use crate::units;

/// The most owners of a side that a matrix has; more are listed by their traffic.
const MAX_OWNERS: usize = 12;
/// Routes that are listed instead.
const MAX_ROUTES: usize = 20;

/// Owners come by rank, and those that are no ranks by name.
type Owner = (i64, String);

/// What goes from one owner to another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Amount {
    elements: u64,
    bytes: u64,
    pieces: u64,
    tensors: u64,
}

impl Amount {
    fn add(&mut self, other: Self) {
        self.elements = self.elements.saturating_add(other.elements);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.pieces = self.pieces.saturating_add(other.pieces);
        self.tensors = self.tensors.saturating_add(other.tensors);
    }

    fn json(&self, has_bytes: bool) -> Value {
        json!({
            "elements": self.elements,
            "bytes": has_bytes.then_some(self.bytes),
            "pieces": self.pieces,
        })
    }

    /// As a text: bytes, or elements where no element type is known.
    fn text(&self, has_bytes: bool) -> String {
        if has_bytes { units::bytes(self.bytes) } else { format!("{} elements", self.elements) }
    }
}

/// What goes from each owner to each other.
#[derive(Debug, Default)]
struct Traffic {
    routes: BTreeMap<(Owner, Owner), Amount>,
}

impl Traffic {
    /// Adds the plan of one tensor.
    fn add(&mut self, plan: &ReshardPlan, dtype: Option<DataType>) -> Result<(), Failure> {
        let mut own = BTreeMap::<(Owner, Owner), Amount>::new();
        for pair in plan.shard_traffic() {
            let (source, destination, elements, pieces) =
                pair.map_err(|error| Failure::of("", &error))?;
            let key = (owner(plan.source(), source), owner(plan.destination(), destination));
            own.entry(key).or_default().add(Amount {
                elements: elements.unsigned_abs(),
                bytes: bytes_of_elements(dtype, elements),
                pieces: pieces.len() as u64,
                tensors: 0,
            });
        }
        for (key, amount) in own {
            self.routes.entry(key).or_default().add(Amount { tensors: 1, ..amount });
        }
        Ok(())
    }

    /// What goes from one owner to another, what stays, and how many messages the former is.
    fn sums(&self) -> (Amount, Amount, usize) {
        let (mut moved, mut kept, mut messages) = (Amount::default(), Amount::default(), 0);
        for ((source, destination), amount) in &self.routes {
            if source == destination {
                kept.add(*amount);
            } else {
                moved.add(*amount);
                messages += 1;
            }
        }
        (moved, kept, messages)
    }

    fn sources(&self) -> Vec<&Owner> {
        let mut owners: Vec<&Owner> = self.routes.keys().map(|(source, _)| source).collect();
        owners.dedup();
        owners
    }

    fn destinations(&self) -> Vec<&Owner> {
        let mut owners: Vec<&Owner> =
            self.routes.keys().map(|(_, destination)| destination).collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }
}

fn owner(shards: &Shards, shard: usize) -> Owner {
    let placement = shards.get(shard).map_or(&Placement::NONE, |shard| shard.placement);
    (placement.rank().unwrap_or(-1), owner_of(placement))
}

pub fn run(arguments: &PlanArguments, output: &mut Output) -> Answer {
    let mesh = arguments.mesh.as_deref();
    let mut from = Layouts::parse("--from", mesh, &arguments.from)?;
    let mut to = Layouts::parse("--to", mesh, &arguments.to)?;
    let path = match &arguments.path {
        Some(path) if layout::is_document(path) => {
            if !from.is_empty() {
                return Err(Failure::usage(format!("{path} is the source; leave out --from")));
            }
            from = Layouts::of_document(path)?;
            None
        }
        path => path.as_ref(),
    };
    if let Some(path) = &arguments.other {
        to = Layouts::of_document(path)?;
    }
    let mut traffic = Traffic::default();
    let (subject, dtype_is_known) = match path {
        Some(_) if arguments.drawing.svg.is_some() || arguments.diff => {
            return Err(Failure::usage(
                "--svg and --diff are for one tensor; pass --sizes and no checkpoint",
            ));
        }
        Some(path) => {
            let set = checkpoint::open(path)?;
            let tensors = checkpoint::chosen(&set, &arguments.tensors)?;
            for tensor in &tensors {
                let plan = plan_of(&set, tensor, &from, &to)?;
                traffic.add(&plan, Some(tensor.dtype()))?;
            }
            table(&traffic, output);
            (format!("{path}: {}", units::count(tensors.len(), "tensor")), true)
        }
        None => of_one_tensor(&from, &to, arguments, &mut traffic, output)?,
    };
    print(&subject, &traffic, dtype_is_known, output);
    Ok(true)
}

/// Adds the plan of a tensor that is in no file, and draws it. What it is called, and whether its element
/// type is known.
fn of_one_tensor(
    from: &Layouts, to: &Layouts, arguments: &PlanArguments, traffic: &mut Traffic,
    output: &mut Output,
) -> Result<(String, bool), Failure> {
    let (from, to) = (from.one("--from")?, to.one("--to")?);
    let sizes = arguments.shape.sizes.as_ref().map(|sizes| sizes.0.as_slice());
    let Some(sizes) = sizes.or(from.sizes()).or(to.sizes()) else {
        return Err(Failure::usage("both layouts are of tensors of any sizes; pass --sizes"));
    };
    let dtype = layout::dtype(&arguments.shape)?;
    let built =
        |layout: &Layout| layout.build(sizes, dtype).map_err(|error| Failure::of(layout, &error));
    let (source, destination) = (built(from)?, built(to)?);
    let plan = ReshardPlan::new(&source, &destination);
    let plan = plan.map_err(|error| Failure::of("", &error))?;
    let dtype = dtype.or(source.properties().dtype).or(destination.properties().dtype);
    traffic.add(&plan, dtype)?;
    output.line(format!("from {from}"));
    output.line(format!("to   {to}"));
    output.line("");
    let difference = Subject::Difference(&source, &destination);
    let written = if arguments.diff { difference } else { Subject::Plan(&plan) };
    picture::write(written, &arguments.drawing, output)?;
    if arguments.diff {
        picture::print(difference, &arguments.drawing, output)?;
    }
    picture::print(Subject::Plan(&plan), &arguments.drawing, output)?;
    let dtype_text = dtype.map_or(String::new(), |dtype| format!(" {dtype}"));
    Ok((format!("tensor {}{dtype_text}", units::sizes(sizes)), dtype.is_some()))
}

/// The plan of a tensor of a checkpoint.
fn plan_of(
    set: &FileSet, tensor: &StoredTensor, from: &Layouts, to: &Layouts,
) -> Result<ReshardPlan, Failure> {
    let refused = |error| Failure::of(format!("tensor {:?}", tensor.name()), &error);
    let layout_of = |layouts: &Layouts| match layouts.of(tensor.name()) {
        Some(layout) => layout.build(tensor.sizes(), Some(tensor.dtype())),
        None => shardspec::files::write::whole_layout(tensor),
    };
    let destination = layout_of(to).map_err(refused)?;
    if !from.is_empty() {
        let source = layout_of(from).map_err(refused)?;
        return ReshardPlan::new(&source, &destination).map_err(refused);
    }
    let plan =
        ReshardPlan::from_shards(tensor.chunks().clone(), destination.shared_shards().clone());
    plan.map_err(|error| {
        let more = if set.missing_files().is_empty() { "" } else { "; files are missing" };
        Failure::of(format!("tensor {:?}{more}", tensor.name()), &error)
            .hint("`shardspec check` lists all that is wrong with a checkpoint")
    })
}

/// The sum over some tensors, as a table.
fn table(traffic: &Traffic, output: &mut Output) {
    if traffic.sources().len().max(traffic.destinations().len()) <= MAX_OWNERS {
        matrix(traffic).lines().iter().for_each(|line| output.line(line));
    } else {
        list(traffic, output);
    }
    output.line("");
}

fn print(subject: &str, traffic: &Traffic, has_bytes: bool, output: &mut Output) {
    let (moved, kept, messages) = traffic.sums();
    output.line(format!(
        "{subject}: {} in {} between owners, {} stay where they are",
        moved.text(has_bytes),
        units::count(messages, "message"),
        kept.text(has_bytes)
    ));
    let routes: Vec<Value> = traffic
        .routes
        .iter()
        .map(|((source, destination), amount)| {
            json!({
                "source": source.1,
                "destination": destination.1,
                "elements": amount.elements,
                "bytes": has_bytes.then_some(amount.bytes),
                "pieces": amount.pieces,
                "tensors": amount.tensors,
                "stays": source == destination,
            })
        })
        .collect();
    output.json(&json!({
        "subject": subject,
        "messages": messages,
        "moved": moved.json(has_bytes),
        "kept": kept.json(has_bytes),
        "routes": routes,
    }));
}

/// A row for each source and a column for each destination. What stays is in brackets.
fn matrix(traffic: &Traffic) -> Table {
    let (sources, destinations) = (traffic.sources(), traffic.destinations());
    let mut columns = vec![("from \\ to", Align::Left)];
    columns.extend(destinations.iter().map(|owner| (owner.1.as_str(), Align::Right)));
    let mut table = Table::new(&columns);
    for source in sources {
        let mut row = vec![source.1.clone()];
        for destination in &destinations {
            let key = (source.clone(), (*destination).clone());
            row.push(match traffic.routes.get(&key) {
                None => "-".to_owned(),
                Some(amount) if source == *destination => format!("({})", amount.text(true)),
                Some(amount) => amount.text(true),
            });
        }
        table.push(row);
    }
    table
}

/// The routes with the most traffic.
fn list(traffic: &Traffic, output: &mut Output) {
    let mut routes: Vec<_> = traffic.routes.iter().filter(|(key, _)| key.0 != key.1).collect();
    routes.sort_by_key(|(_, amount)| std::cmp::Reverse((amount.bytes, amount.elements)));
    let columns = [("from", Align::Left), ("to", Align::Left), ("moves", Align::Right)];
    let mut table = Table::new(&columns);
    for ((source, destination), amount) in routes.iter().take(MAX_ROUTES) {
        table.push(vec![source.1.clone(), destination.1.clone(), amount.text(true)]);
    }
    table.lines().iter().for_each(|line| output.line(line));
    if let Some(more) = routes.len().checked_sub(MAX_ROUTES).filter(|more| *more > 0) {
        output.line(format!(
            "and {} with less; --json lists all",
            units::count(more, "other message")
        ));
    }
}
