//! The C border. The functions here convert arguments, check pointers and call other modules. The
//! other modules decide the meaning of a call.
//!
//! There is one file of exports for each noun of the header. The exports use the functions of
//! `border`. A file becomes one section of `include/shardspec.h`, or a part of a section. The
//! section begins with the text at the top of its first file.
//!
//! All exports have one contract, which is the first page of the header (`abi/first_page.txt`). A
//! pointer that is not NULL points to memory of its type. The length or the `struct_size` says how
//! much memory. During the call, no other code changes the memory of an input or uses the memory of
//! an output. Exports pass each pointer to a function of `border`. The `# Safety` section of that
//! function is the contract for one kind of argument. The contract of the exports contains these
//! contracts. For this reason, a call of such a function has no `SAFETY` comment. Code that itself
//! dereferences a pointer has a `SAFETY` comment.

#![allow(
    non_camel_case_types,
    unsafe_op_in_unsafe_fn,
    clippy::missing_safety_doc,
    clippy::undocumented_unsafe_blocks,
    rustdoc::broken_intra_doc_links,
    rustdoc::invalid_html_tags,
    reason = "names and comments are those of C; what a caller promises about its pointers is the \
              same for all exports and stated at the top of the header"
)]

pub(crate) mod border;

pub mod builder;
pub mod callback;
pub mod checkpoint;
pub mod checkpoint_collective;
pub mod checkpoint_read;
pub mod checkpoint_read_options;
pub mod checkpoint_readers;
pub mod checkpoint_write;
pub mod chunk;
pub mod collective;
pub mod collective_options;
mod collective_start;
pub mod comm;
pub mod comm_group;
mod comm_tensor;
pub mod custom_placement;
pub mod custom_spec;
pub mod decline;
pub mod digest;
pub mod dlpack;
pub mod dlpack_shards;
pub mod draw;
pub mod dtype;
pub mod error;
pub mod error_text;
pub mod extent;
pub mod extent_read;
pub mod flat;
pub mod interchange;
pub mod local_shards;
pub mod locate;
pub mod mesh;
pub mod mesh_layout;
pub mod mesh_spec;
pub mod metadata;
pub mod metadata_labels;
pub mod metadata_shards;
pub mod notation;
pub mod op;
pub mod op_value;
pub mod placement;
pub mod plan;
pub mod plan_execute;
pub mod plan_nodes;
pub mod plan_reads;
pub mod properties;
pub mod request;
pub mod scalapack;
pub mod shard_metadata;
pub mod sharded_tensor;
pub mod shards;
pub mod spec;
pub mod spec_infer;
pub mod status;
pub mod structs;
pub mod tensor;
pub mod traffic;
pub mod transfer;
pub mod transport;
pub mod version;
pub mod view;
