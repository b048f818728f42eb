//! `check`: what is wrong with a checkpoint, with a layout, or with degrees of parallelism.

mod coverage;
mod degrees;
mod lengths;
mod report;

use crate::Answer;
use crate::arguments::CheckArguments;
use crate::failure::Failure;
use crate::layout::Layouts;
use crate::output::Output;

pub fn run(arguments: &CheckArguments, output: &mut Output) -> Answer {
    if !arguments.lengths.is_empty() {
        return lengths::run(&arguments.lengths, arguments.max_degree, output);
    }
    let layouts = Layouts::new(&arguments.layout)?;
    if arguments.path.is_none() && layouts.is_empty() {
        return Err(Failure::usage("--sizes needs a --layout to check"));
    }
    match &arguments.degrees {
        Some(axis) => degrees::run(axis, &layouts, arguments, output),
        None => coverage::run(&layouts, arguments, output),
    }
}
