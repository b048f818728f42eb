//! Plans: what moves from where to where.

#[path = "../common/mod.rs"]
mod common;

mod answers;
mod choices;
mod models;
mod nodes;
mod plan_properties;
mod reads;
mod relabel;
mod reshard_properties;
mod runs;
mod stack;
mod summaries;
