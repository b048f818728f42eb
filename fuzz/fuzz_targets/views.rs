//! Tensors of any strides that are scattered, extracted and gathered, against indexing.
#![cfg_attr(fuzzing, no_main)]

use shardspec_fuzz::transfers::exercise_views;

shardspec_fuzz::target!(|input| exercise_views(input));
