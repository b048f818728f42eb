//! What fuzz targets share. A module for each thing that is fuzzed; `memory` is for all of them.

pub mod checkpoint;
pub mod interchange;
pub mod memory;
pub mod notations;
pub mod safetensors;
pub mod torch;
