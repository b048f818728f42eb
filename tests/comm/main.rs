//! Collectives and transfers between ranks, which are threads here.

#[path = "../common/mod.rs"]
mod common;

mod collectives;
mod extent_transfers;
mod faults;
mod local;
mod mesh_metadata;
mod nodes;
mod once;
mod scale;
mod steps;
