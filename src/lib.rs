//! Describes how a tensor is cut across workers, computes who owns what, and moves the bytes.
//!
//! [`core`] is the geometry: specs, metadata, validation, plans. [`copy`] moves host memory along it,
//! and [`comm`] moves it between processes. [`ops`] keeps the ops that users hang on types of specs.
//! [`memory`] is where they get theirs from, without ending the process where there is none left.
//! [`ffi`] is the C border over them; its header, `include/shardspec.h`, is the manual of the C
//! library.

#[cfg(not(target_pointer_width = "64"))]
compile_error!("shardspec's handles need 64-bit pointers");

#[cfg(test)]
extern crate self as shardspec;

#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;

pub mod comm;
pub mod copy;
pub mod core;
pub mod ffi;
pub mod geometry;
pub mod memory;
pub mod ops;
mod sync;
mod unwind;
