//! Checkpoints: tensors that are stored in files, and the part of them that one process needs.
//!
//! A [`FileSet`] lists the tensors of a file or a directory, and for each the stored chunks: shards
//! whose placements are files. [`open()`] makes one, with a reader for each format. From there on no
//! step asks for the format. [`check`] proves that the chunks hold what is asked for. `file_copies`
//! turns a plan from chunks to local shards into strided copies from places in files, `reads` merges
//! those into few reads, and a [`CheckpointRead`] carries them out. `tensor_blocks` reads a tensor of any
//! size in blocks, one after the other: for [`digest()`] and for conversions.
//!
//! Files are read by `pread`, small reads in batches that `page_cache` asks the system for at once. None is
//! mapped: another process may truncate what it likes.

mod coverage;
mod digest;
pub mod error;
mod file_copies;
mod file_set_builder;
mod formats;
mod npy;
mod numbered;
mod open;
mod page_cache;
mod read;
mod readers;
mod reads;
mod request;
mod row_blocks;
mod safetensors;
mod safetensors_index;
mod stored;
mod system;
mod tensor_blocks;
mod torch;
pub mod write;

pub use coverage::{CoverageProblem, CoverageProblems, WantedTensor, check, check_set};
pub use digest::digest;
pub use error::FilesError;
pub use open::open;
pub use read::{CheckpointRead, Progress, ReadReport};
pub use readers::readers;
pub use reads::ReadOptions;
pub use request::ReadItem;
pub use stored::{AbsentTensor, ChunkPlace, FilePlacement, FileSet, StoredFile, StoredTensor};
