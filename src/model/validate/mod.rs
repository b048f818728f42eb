//! Do shards partition a tensor? Overlaps, bounds, gaps.
//!
//! Source of the rules: `validate_non_overlapping_shards_metadata` and `check_tensor` of
//! `torch.distributed._shard.sharding_spec._internals`. An empty shard owns nothing: it overlaps
//! nothing and exceeds no bound.

mod all;
mod common;
mod refuse;

pub use all::{Gaps, Overlap, gaps, overlaps};
pub use refuse::{check_coverage, check_non_overlapping, check_tensor};
