//! Completions for shells, and manual pages.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::Answer;
use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::output::Output;

/// Prints completions, or writes them into a directory.
pub fn completions(shells: &[Shell], directory: Option<&Path>, output: &mut Output) -> Answer {
    if shells.len() > 1 && directory.is_none() {
        return Err(Failure::usage("completions for several shells go to files; pass --directory"));
    }
    for &shell in shells {
        let mut command = Arguments::command();
        let Some(directory) = directory else {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut command, "shardspec", &mut text);
            output.write(&text);
            continue;
        };
        clap_complete::generate_to(shell, &mut command, "shardspec", directory)
            .map_err(|error| Failure::system(directory.display(), "writing completions", &error))?;
    }
    Ok(true)
}

/// Writes a page for the command, and one for each of its commands.
pub fn pages(directory: &Path, output: &mut Output, quiet: bool) -> Answer {
    let done = clap_mangen::generate_to(Arguments::command(), directory);
    done.map_err(|error| Failure::system(directory.display(), "writing manual pages", &error))?;
    if !quiet {
        output.line(format!("{}: manual pages are written", directory.display()));
    }
    Ok(true)
}
