//! Layouts as other programs write them. The first byte is the notation, the second the mesh, the third the
//! number of dimensions.
#![cfg_attr(fuzzing, no_main)]

use shardspec_fuzz::notations::{exercise_descriptor, exercise_text, mesh};

shardspec_fuzz::target!(|input| {
    let Some((&[notation, which, number], rest)) = input.split_first_chunk() else { return };
    if notation % 8 == 4 {
        return exercise_descriptor(rest, number.into());
    }
    let Ok(text) = std::str::from_utf8(rest) else { return };
    exercise_text(notation, text, mesh(which), usize::from(number % 40));
});
