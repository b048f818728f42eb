//! Where the chunks of safetensors files lie in their tensors: what torch's distributed checkpoint says of
//! three files, and what this library says, on one line each.
#![cfg_attr(fuzzing, no_main)]

use shardspec_fuzz::checkpoint::{Folder, exercise};
use shardspec_fuzz::safetensors::{as_json_string, file_with_header};

shardspec_fuzz::target!(|input| {
    let folder = Folder::empty();
    let mut lines = input.split(|&byte| byte == b'\n');
    for number in 1..=3 {
        let mut header = br#"{"__metadata__":{"DCP_SHARDING_INFO":"#.to_vec();
        header.extend(as_json_string(lines.next().unwrap_or(b"{}")));
        if number == 3
            && let Some(layout) = lines.next()
        {
            header.extend(br#","shardspec":"#);
            header.extend(as_json_string(layout));
        }
        header.extend(br#"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"#);
        header.extend(br#""b":{"dtype":"I8","shape":[4],"data_offsets":[24,28]}}"#);
        let name = format!("shard-0000{number}-model-00001-of-00001.safetensors");
        folder.write(&name, &file_with_header(&header, &[number; 28]));
    }
    exercise(&folder.path(), input.len());
});
