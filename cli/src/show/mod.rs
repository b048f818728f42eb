//! `show`: the tensors of a checkpoint, or a layout.

mod checkpoint;
mod layout;
mod owners;
mod ranges;

use crate::Answer;
use crate::arguments::ShowArguments;
use crate::failure::Failure;
use crate::layout::{self as layouts, Layouts};
use crate::output::Output;

pub use owners::OwnerBytes;
pub use ranges::owner_of;

/// The most rows of a table of shards, where not all were asked for.
const MAX_ROWS: usize = 64;

pub fn run(arguments: &ShowArguments, output: &mut Output) -> Answer {
    match &arguments.path {
        Some(path) if layouts::is_document(path) => {
            if !arguments.layout.layouts.is_empty() || arguments.files {
                let problem =
                    format!("{path} is a layout; --layout and --files are for checkpoints");
                return Err(Failure::usage(problem));
            }
            layout::run(&Layouts::of_document(path)?, arguments, output)
        }
        Some(path) => checkpoint::run(path, arguments, output),
        None => layout::run(&Layouts::new(&arguments.layout)?, arguments, output),
    }
}
