//! `model.safetensors.index.json`, beside two files of a set.
#![cfg_attr(fuzzing, no_main)]

use shardspec_fuzz::checkpoint::{Folder, exercise};
use shardspec_fuzz::safetensors::file_with_header;

const FIRST: &[u8] = br#"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},
"b":{"dtype":"I8","shape":[4],"data_offsets":[24,28]}}"#;
const SECOND: &[u8] = br#"{"c":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]}}"#;

shardspec_fuzz::target!(|index| {
    let folder = Folder::empty();
    folder.write("model-00001-of-00002.safetensors", &file_with_header(FIRST, &[1; 28]));
    folder.write("model-00002-of-00002.safetensors", &file_with_header(SECOND, &[2; 8]));
    folder.write("model.safetensors.index.json", index);
    exercise(&folder.path(), index.len());
});
