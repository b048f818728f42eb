//! Plans between two layouts, carried out, against brute force.
#![cfg_attr(fuzzing, no_main)]

use shardspec_fuzz::transfers::exercise_plans;

shardspec_fuzz::target!(|input| exercise_plans(input));
