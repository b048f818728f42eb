//! Layouts as bytes: as they are, and with lengths and a checksum that are right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shardspec_fuzz::interchange::{exercise_binary, sealed};

fuzz_target!(|input: &[u8]| {
    exercise_binary(input);
    exercise_binary(&sealed(input));
});
