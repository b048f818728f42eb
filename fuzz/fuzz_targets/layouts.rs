//! Specs over meshes, legal or not, against lists of indices.
#![cfg_attr(fuzzing, no_main)]

use shardspec_fuzz::cases::exercise_layout;

shardspec_fuzz::target!(|input| exercise_layout(input));
