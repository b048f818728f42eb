//! What fuzz targets share. A module for each thing that is fuzzed; `memory` is for all of them, and `many`
//! runs those that are built without libFuzzer.

pub mod calls;
pub mod cases;
pub mod checkpoint;
pub mod dlpack;
mod guarded;
pub mod interchange;
pub mod many;
pub mod memory;
mod models;
mod mutate;
pub mod notations;
mod random;
pub mod safetensors;
pub mod torch;
pub mod transfers;

#[cfg(fuzzing)]
pub use libfuzzer_sys;

/// The program of a target, from a function of an input: libFuzzer with `--cfg fuzzing`, else `many`.
#[macro_export]
macro_rules! target {
    ($run:expr) => {
        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_target!(|input: &[u8]| {
            let run: fn(&[u8]) = $run;
            run(input)
        });

        #[cfg(not(fuzzing))]
        fn main() {
            let run: fn(&[u8]) = $run;
            $crate::many::main(run);
        }
    };
}
