//! A file of items of torch's distributed checkpoint: archives, each with the pickle of a tensor.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shardspec_fuzz::checkpoint::{Folder, exercise};
use shardspec_fuzz::torch::{ITEMS, METADATA};

fuzz_target!(|file: &[u8]| {
    let folder = Folder::with("torch", &[ITEMS[1], ITEMS[2], METADATA]);
    folder.write("__0_0.distcp", file);
    exercise(&folder.path(), METADATA.1.len() + file.len());
});
