//! Describes how a tensor is cut across workers, computes who owns what, and moves the bytes.
//!
//! From the bottom up: [`memory`] is where everything gets its memory from, without ending the process
//! where there is none left. [`geometry`] is index space; [`model`] says who owns what; [`plan`] says
//! what moves from one layout to another; [`transfer`] joins buffers in, and moves host memory;
//! [`comm`] moves it between processes. [`ops`] keeps the ops that users hang on types of specs.
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
mod declared;
pub mod error;
pub mod ffi;
pub mod geometry;
mod host;
pub mod memory;
pub mod model;
pub mod ops;
pub mod plan;
mod sync;
pub mod transfer;
mod unwind;
