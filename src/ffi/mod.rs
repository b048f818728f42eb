//! The C border: converts, checks pointers, delegates. No meaning is decided here.
//!
//! One file of exports for each noun of the header; `border` is what they are made of. Each file
//! becomes one section of `include/shardspec.h`, headed by the text at its top.
//!
//! All exports have one contract, which is the first page of the header (`abi/first_page.txt`): a pointer
//! that is not NULL points to as much memory of its type as its length or its `struct_size` says, which
//! does not change or is not used otherwise during the call. Exports pass each pointer to a function of
//! `border`, whose `# Safety` section is that contract for one kind of argument. So calls of these
//! functions need no argument of their own. What follows a pointer itself has one.

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
