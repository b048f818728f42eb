//! A safetensors file: a header, or a whole file with the length of its header.
#![cfg_attr(fuzzing, no_main)]

use shardspec_fuzz::checkpoint::{Folder, exercise};
use shardspec_fuzz::safetensors::{file_with_header, stated_bytes};

shardspec_fuzz::target!(|input| {
    let folder = Folder::empty();
    // The ninth byte of a file opens its header.
    let is_whole = input.first() != Some(&b'{') && input.get(8) == Some(&b'{');
    if is_whole {
        folder.write("model.safetensors", input);
    } else {
        let values = vec![1; stated_bytes(input)];
        folder.write("model.safetensors", &file_with_header(input, &values));
    }
    exercise(&folder.path_of("model.safetensors"), input.len());
});
