//! Layouts: what of a tensor is where, in every way of describing it.
//!
//! One program for many files, here and in the other folders: each program is compiled with `common`, and linked.

#[path = "../common/mod.rs"]
mod common;

mod diagnostics;
mod digest;
mod extending;
mod extents;
mod geometry_dim_maps;
mod geometry_lists;
mod golden;
mod index_properties;
mod infer_grids;
mod interchange;
mod legal_degrees;
mod linked_tensors;
mod mesh_layouts;
mod mesh_nesting;
mod notations;
mod notations_scalapack;
mod parity;
mod pictures;
mod placement_lists;
mod replicas;
mod sharded_tensor;
mod validation_families;
