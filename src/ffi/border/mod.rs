//! The parts of every export: the guard, the handle table, and checked pointers.

pub(crate) mod batch;
pub(crate) mod blank;
pub(crate) mod callback;
pub(crate) mod collective;
pub(crate) mod flat;
pub(crate) mod guard;
pub(crate) mod handle;
pub(crate) mod layout;
pub(crate) mod owner;
pub(crate) mod pointer;
pub(crate) mod refusal;
pub(crate) mod report;
pub(crate) mod shards;
pub(crate) mod sized;
pub(crate) mod treiber_stack;
pub(crate) mod views;

pub(crate) use crate::sync::slot_map;
