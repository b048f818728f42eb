//! A file of NumPy: a whole one, or the dictionary of one.
#![cfg_attr(fuzzing, no_main)]

use shardspec_fuzz::checkpoint::{Folder, exercise};

shardspec_fuzz::target!(|input| {
    let folder = Folder::empty();
    if input.starts_with(b"\x93NUMPY") {
        folder.write("array.npy", input);
    } else {
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        let header = &input[..input.len().min(usize::from(u16::MAX))];
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header);
        file.extend((0..2048).map(|at| at as u8));
        folder.write("array.npy", &file);
    }
    exercise(&folder.path_of("array.npy"), input.len());
});
