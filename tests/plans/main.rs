//! Plans: what moves from where to where.

#[path = "../common/mod.rs"]
mod common;

mod models;
mod nodes;
mod plan_properties;
mod reads;
mod relabel;
mod reshard_properties;
mod stack;
mod summaries;
