//! Describes how a tensor is cut across workers, computes who owns what, and moves the bytes.
//!
//! From the bottom up: [`memory`] is where everything gets its memory from, without ending the process
//! where there is none left. [`geometry`] is index space; [`model`] says who owns what; [`plan`] says
//! what moves from one layout to another; [`transfer`] joins buffers in, and moves host memory;
//! [`notation`] reads and writes layouts as other programs write them, [`interchange`] as JSON and as
//! bytes, and [`draw`] makes pictures of them;
//! [`comm`] moves it between processes, and [`files`] out of checkpoints. [`ops`] keeps the ops that
//! users hang on types of specs.
//! [`ffi`] is the C border over them; its header, `include/shardspec.h`, is the manual of the C
//! library.
//!
//! Most programs use [`model`] for who owns what, and [`transfer`] for the bytes. This one cuts the
//! columns of a matrix for two ranks, and joins them:
//!
//! ```
//! use ndarray::Array2;
//! use shardspec::model::{ChunkShardingSpec, Placement, ShardingSpec, TensorProperties, TensorShape};
//! use shardspec::transfer::{CopyOptions, HostView, ShardedTensor};
//!
//! # fn main() -> shardspec::model::Result<()> {
//! let ranks = [Placement::on_rank(0)?, Placement::on_rank(1)?];
//! let spec = ChunkShardingSpec::new(1.into(), ranks.into_iter())?;
//! let metadata = spec.build_metadata(TensorShape::new(&[5, 3]), TensorProperties::TORCH_DEFAULT)?;
//! assert_eq!(metadata.shards().at("index", 1)?.sizes, [5, 1]);
//!
//! let full = Array2::from_shape_fn((5, 3), |(row, column)| (3 * row + column) as f32);
//! let mut back = Array2::<f32>::zeros((5, 3));
//! let (source, options) = (HostView::try_from(full.raw_view())?, CopyOptions::default());
//! let destination = HostView::try_from(back.raw_view_mut().raw_view())?;
//! // SAFETY: both arrays are alive, and nothing else uses them.
//! unsafe {
//!     let tensor = ShardedTensor::from_full(&metadata, &[0, 1], &source, &options)?;
//!     tensor.gather(&destination, &options)?;
//! }
//! assert_eq!(back, full);
//! # Ok(())
//! # }
//! ```
//!
//! `docs/from-rust.md` shows the rest: plans, collectives, errors and specs of your own.

#[cfg(not(target_pointer_width = "64"))]
compile_error!("shardspec's handles need 64-bit pointers");

/// The blocks of Rust of the guide are tests of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../docs/from-rust.md")]
struct FromRust;

#[cfg(test)]
extern crate self as shardspec;

#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;

#[cfg(not(loom))]
pub mod collective_io;
pub mod comm;
mod concurrency;
mod declared;
#[cfg(not(loom))]
pub mod draw;
pub mod error;
#[cfg(not(loom))]
pub mod ffi;
pub mod files;
pub mod geometry;
mod host;
pub mod interchange;
pub mod memory;
pub mod model;
#[cfg(loom)]
#[path = "../models/models.rs"]
pub mod models;
pub mod notation;
pub mod ops;
pub mod plan;
mod sync;
pub mod transfer;
mod unwind;
