//! `convert`: a checkpoint, written anew in another layout.

use std::fs::File;
use std::path::Path;

use serde_json::json;
use shardspec::files::StoredTensor;
use shardspec::files::write::{
    Conversion, ConvertOptions, Earlier, Files, Resume, WriteOptions, name_matches, whole_layout,
};
use shardspec::model::{Error, Result as ModelResult, ShardedTensorMetadata};

use crate::Answer;
use crate::arguments::ConvertArguments;
use crate::checkpoint;
use crate::failure::Failure;
use crate::layout::Layouts;
use crate::output::Output;
use crate::progress;
use crate::units;

pub fn run(arguments: &ConvertArguments, output: &mut Output, quiet: bool) -> Answer {
    let layouts = Layouts::new(&arguments.layout)?;
    let set = checkpoint::open(&arguments.source)?;
    for rule in &layouts.rules {
        if !set.tensors().iter().any(|tensor| name_matches(&rule.pattern, tensor.name())) {
            return Err(Failure::usage(format!(
                "{} no tensor of {} has a name that matches {:?}",
                rule.place, arguments.source, rule.pattern
            ))
            .hint(format!("`shardspec show {}` lists the names", arguments.source)));
        }
    }
    let files = if arguments.one_file { Files::One } else { Files::OfOwners };
    let options = ConvertOptions {
        write: WriteOptions { files, replace: arguments.replace },
        memory: arguments.memory,
        resume: if arguments.restart { Resume::StartAgain } else { Resume::Continue },
        ..ConvertOptions::default()
    };
    let mut layout_of = |tensor: &StoredTensor| -> ModelResult<ShardedTensorMetadata> {
        match layouts.of(tensor.name()) {
            Some(layout) => layout.build(tensor.sizes(), Some(tensor.dtype())),
            None => whole_layout(tensor),
        }
    };
    let destination = arguments.destination.trim_end_matches('/');
    let staging = Staging::lock(destination)?;
    let refused = |error: Error| failure(arguments, &error);
    let conversion =
        Conversion::new(&set, &arguments.destination, &mut layout_of, &options).map_err(refused)?;
    let earlier = conversion.earlier();
    let note = note(earlier, &staging.path, arguments.restart);
    if let (Some(note), false) = (&note, quiet) {
        eprintln!("shardspec: {note}");
    }
    let bar = progress::bar(conversion.bytes(), quiet).with_message("writing");
    let done = conversion.run(&mut |done, _| {
        bar.set_position(done);
        Ok(())
    });
    bar.finish_and_clear();
    done.map_err(|error| failure(arguments, &error).hint(staging.remedy()))?;
    let resumed = match earlier {
        Earlier::Written(bytes) => bytes,
        Earlier::Nothing | Earlier::Unusable => 0,
    };
    // The files have more bytes than their tensors, because each file has a header.
    let sizes =
        set.tensors().iter().map(|tensor| checkpoint::bytes_of(tensor.dtype(), tensor.sizes()));
    let tensor_bytes = sizes.fold(0u64, u64::saturating_add);
    if !quiet {
        output.line(format!(
            "{}: {} in {}, {}",
            arguments.destination,
            units::count(set.tensors().len(), "tensor"),
            units::count(conversion.file_count(), "file"),
            units::bytes(tensor_bytes)
        ));
    }
    output.json(&json!({
        "source": arguments.source,
        "destination": arguments.destination,
        "tensors": set.tensors().len(),
        "files": conversion.file_count(),
        "bytes": conversion.bytes(),
        "bytes_written_before": resumed,
        "started_again": earlier == Earlier::Unusable,
    }));
    Ok(true)
}

/// What is said of an earlier run.
fn note(earlier: Earlier, staging: &str, restart: bool) -> Option<String> {
    match earlier {
        Earlier::Written(bytes) => Some(format!(
            "{} are written already, in {staging}; continuing there",
            units::bytes(bytes)
        )),
        Earlier::Unusable if restart => {
            Some(format!("starting again, as --restart asks; {staging} is written anew"))
        }
        Earlier::Unusable => Some(format!(
            "starting again: {staging} is of another conversion, or the source has changed since"
        )),
        Earlier::Nothing => None,
    }
}

fn failure(arguments: &ConvertArguments, error: &Error) -> Failure {
    let failure = Failure::of("", error);
    match error {
        Error::InvalidArgument { argument: "path", problem } => {
            let text = problem.to_string();
            let remedy = if text.ends_with("or ask to replace it") {
                text.replace("ask to replace it", "pass --replace")
            } else {
                text
            };
            Failure::usage(remedy)
        }
        Error::Files(_) => failure.hint(format!(
            "`shardspec check {}` lists all that is wrong with the source",
            arguments.source
        )),
        _ => failure,
    }
}

/// The directory in which the new checkpoint is written, held by one command at a time.
struct Staging {
    path: String,
    /// Locked until the command ends.
    lock: Option<File>,
}

impl Staging {
    /// Makes the directory, unless it is there, and locks it.
    fn lock(destination: &str) -> Result<Self, Failure> {
        let path = format!("{destination}.saving");
        if let Err(error) = std::fs::create_dir(&path)
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            let action = "creating the directory for the new files";
            return Err(Failure::system(&path, action, &error));
        }
        let lock = File::open(&path)
            .map_err(|error| Failure::system(&path, "opening the directory", &error))?;
        match lock.try_lock() {
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(Failure::file(format!(
                    "{path}: another command writes this checkpoint at this time"
                )));
            }
            // File systems without locks are used without them.
            Ok(()) | Err(std::fs::TryLockError::Error(_)) => {}
        }
        Ok(Self { path, lock: Some(lock) })
    }

    /// What to do about a run that failed.
    fn remedy(&self) -> String {
        format!(
            "what was written is in {}: the same command continues there; or remove that directory",
            self.path
        )
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Left is a directory with files; an empty one is of no use. It can't be removed if it has files,
        // and is gone if all went well.
        let _ = std::fs::remove_dir(Path::new(&self.path));
        drop(self.lock.take());
    }
}
