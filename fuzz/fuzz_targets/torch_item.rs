//! A file of items of torch's distributed checkpoint: archives, each with the pickle of a tensor.
#![cfg_attr(fuzzing, no_main)]

use shardspec_fuzz::checkpoint::{Folder, exercise};
use shardspec_fuzz::torch::{ITEMS, METADATA};

shardspec_fuzz::target!(|file| {
    let folder = Folder::with("torch", &[ITEMS[1], ITEMS[2], METADATA]);
    folder.write("__0_0.distcp", file);
    exercise(&folder.path(), METADATA.1.len() + file.len());
});
