//! Tensors that may share memory: refused exactly where they share a bit.
#![cfg_attr(fuzzing, no_main)]

use shardspec_fuzz::transfers::exercise_aliases;

shardspec_fuzz::target!(|input| exercise_aliases(input));
