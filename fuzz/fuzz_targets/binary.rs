//! Layouts as bytes: as they are, and with lengths and a checksum that are right.
#![cfg_attr(fuzzing, no_main)]

use shardspec_fuzz::interchange::{exercise_binary, sealed};

shardspec_fuzz::target!(|input| {
    exercise_binary(input);
    exercise_binary(&sealed(input));
});
