//! Copies on the host. They compute for seconds, so the program is optimised: `tools/rustc_for_tests.sh`.

#[path = "../common/mod.rs"]
mod common;

mod extract;
mod kernels;
mod packed;
mod properties;
mod replicas;
mod stack;
