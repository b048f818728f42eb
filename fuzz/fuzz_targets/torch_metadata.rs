//! The pickle `.metadata` of torch's distributed checkpoint, beside the files of a checkpoint of torch.
#![cfg_attr(fuzzing, no_main)]

use shardspec_fuzz::checkpoint::{Folder, exercise};
use shardspec_fuzz::torch::ITEMS;

shardspec_fuzz::target!(|metadata| {
    let folder = Folder::with("torch", &ITEMS);
    folder.write(".metadata", metadata);
    exercise(&folder.path(), metadata.len());
});
