//! Opening checkpoints, and choosing tensors of them.

use serde_json::{Value, json};
use shardspec::files::write::name_matches;
use shardspec::files::{FileSet, StoredTensor};
use shardspec::geometry::checked_numel;
use shardspec::model::{DataType, Error};

use crate::failure::{Failure, Reason};

/// The checkpoint at a path.
pub fn open(path: &str) -> Result<FileSet, Failure> {
    shardspec::files::open(path).map_err(|error| match error {
        // Whatever is wrong with a path is wrong with what is there.
        Error::OutOfMemory { .. } => Failure::of(path, &error),
        _ => Failure::of("", &error).because(Reason::File),
    })
}

/// The tensors whose names match one of some patterns; without patterns, all. Refused is a pattern that no
/// name matches.
pub fn chosen<'a>(set: &'a FileSet, patterns: &[String]) -> Result<Vec<&'a StoredTensor>, Failure> {
    for pattern in patterns {
        if !set.tensors().iter().any(|tensor| name_matches(pattern, tensor.name())) {
            let failure = match set.tensor(pattern) {
                Err(error) if !pattern.contains('*') => Failure::of("", &error),
                _ => Failure::usage(format!("--tensor {pattern:?}: no tensor has such a name")),
            };
            return Err(failure.because(Reason::Usage).hint(
                "`shardspec show PATH` lists the names; `*` in a pattern stands for any characters",
            ));
        }
    }
    let is_chosen = |tensor: &&StoredTensor| {
        patterns.is_empty() || patterns.iter().any(|own| name_matches(own, tensor.name()))
    };
    Ok(set.tensors().iter().filter(is_chosen).collect())
}

/// The bytes of a tensor or a shard of these sizes.
pub fn bytes_of(dtype: DataType, sizes: &[i64]) -> u64 {
    let numel = checked_numel(sizes).unwrap_or(i64::MAX).unsigned_abs();
    dtype.storage_bytes(numel).map_or(u64::MAX, |bytes| bytes as u64)
}

/// The bytes of so many elements.
pub fn bytes_of_elements(dtype: Option<DataType>, elements: i64) -> u64 {
    dtype.map_or(0, |dtype| bytes_of(dtype, &[elements]))
}

/// What every command says of a tensor.
pub fn json_of(tensor: &StoredTensor) -> Value {
    json!({
        "name": tensor.name(),
        "dtype": tensor.dtype().to_string(),
        "sizes": tensor.sizes(),
        "bytes": bytes_of(tensor.dtype(), tensor.sizes()),
    })
}
