//! The pickle `.metadata` of torch's distributed checkpoint, beside the files of a checkpoint of torch.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shardspec_fuzz::checkpoint::{Folder, exercise};
use shardspec_fuzz::torch::ITEMS;

fuzz_target!(|metadata: &[u8]| {
    let folder = Folder::with("torch", &ITEMS);
    folder.write(".metadata", metadata);
    exercise(&folder.path(), metadata.len());
});
