//! Layouts as JSON: a spec or metadata.
#![cfg_attr(fuzzing, no_main)]

use shardspec_fuzz::interchange::exercise_json;

shardspec_fuzz::target!(|input| exercise_json(input));
