//! The command `shardspec`: for those who look at checkpoints and layouts before they write a program.
//!
//! `arguments` has what the user may write, `layout` reads layouts, and each command has a file or a folder.
//! A command returns whether its answer is yes, or a [`Failure`], which has the exit code.

mod arguments;
mod check;
mod checkpoint;
mod convert;
mod digest;
mod examples;
mod failure;
mod layout;
mod man;
mod output;
mod picture;
mod plan;
mod progress;
mod show;
mod table;
mod units;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::Parser;
use failure::Failure;
use output::Output;

/// What a command returns: whether its answer is yes.
type Answer = Result<bool, Failure>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut output = Output::new(arguments.json, arguments.color);
    let answer = run(&arguments, &mut output);
    let code = match answer.and_then(|yes| output.finish().map(|()| yes)) {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(failure) => failure.report(),
    };
    ExitCode::from(code)
}

fn run(arguments: &Arguments, output: &mut Output) -> Answer {
    match &arguments.command {
        Command::Show(show) => show::run(show, output),
        Command::Check(check) => check::run(check, output),
        Command::Plan(plan) => plan::run(plan, output),
        Command::Convert(convert) => convert::run(convert, output, arguments.quiet),
        Command::Digest(digest) => digest::run(digest, output, arguments.quiet),
        Command::Completions { shells, directory } => {
            man::completions(shells, directory.as_deref(), output)
        }
        Command::Man { directory } => man::pages(directory, output, arguments.quiet),
    }
}
