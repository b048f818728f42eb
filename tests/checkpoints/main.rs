//! Checkpoints: what is written, opened, read and converted.

#[path = "../common/mod.rs"]
mod common;

mod collective_read;
mod convert;
mod files;
mod read;
mod torch;
mod write;
