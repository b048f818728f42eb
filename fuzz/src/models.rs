//! The brute force of the library's tests, and their random layouts, with choices of a fuzzer.

#![allow(dead_code, reason = "the tests of the library use what no target does")]

#[path = "../../tests/common/copies.rs"]
pub mod copies;
#[path = "../../tests/common/cuts.rs"]
pub mod cuts;
#[path = "../../tests/common/layouts.rs"]
pub mod layouts;
#[path = "../../tests/common/meshes.rs"]
pub mod meshes;

use crate::random::Random;
