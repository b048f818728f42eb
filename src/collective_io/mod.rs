//! Where files and communicators meet: reads of checkpoints in which ranks share the work.
//!
//! Of shards with the same elements, one rank reads, [`readers`](crate::files::readers). The bytes go
//! straight into its own shard. A transfer takes them from there to the other shards with those
//! elements, on whichever ranks these are. No rank has memory for elements besides its own shards and
//! what a transfer packs.
//!
//! The ranks agree on the tensors before the first read. Then they read some tensors, agree that all of
//! them could, move what was read, and go on with the next tensors.

mod groups;
mod read;
mod replicas;

pub use read::{CollectiveReadOptions, read};
pub use replicas::on_every_rank;
