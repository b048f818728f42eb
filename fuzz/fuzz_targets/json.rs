//! Layouts as JSON: a spec or metadata.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shardspec_fuzz::interchange::exercise_json;

fuzz_target!(|input: &[u8]| exercise_json(input));
