//! Managed tensors of other libraries as local shards: all deleters are called exactly once.
#![cfg_attr(fuzzing, no_main)]

use shardspec_fuzz::dlpack::exercise_dlpack;

shardspec_fuzz::target!(|input| exercise_dlpack(input));
