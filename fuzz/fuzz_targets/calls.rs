//! Sequences of calls through the C interface, with any arguments that its comments allow.
#![cfg_attr(fuzzing, no_main)]

use shardspec_fuzz::calls::exercise_calls;

shardspec_fuzz::target!(|input| exercise_calls(input));
