//! Does a checkpoint hold what it says, and what a layout needs?

use std::collections::HashSet;

use serde_json::{Value, json};
use shardspec::files::write::name_matches;
use shardspec::files::{self, FileSet, FilesError, StoredTensor, WantedTensor};
use shardspec::model::Error;

use crate::Answer;
use crate::arguments::CheckArguments;
use crate::checkpoint;
use crate::failure::{self, Failure};
use crate::layout::{self, Layout, Layouts};
use crate::output::{Output, Paint};
use crate::units;

/// One thing that is wrong.
struct Problem {
    tensor: Option<String>,
    kind: &'static str,
    message: String,
}

/// Everything that is wrong, up to a limit, each thing once.
struct Problems {
    list: Vec<Problem>,
    known: HashSet<String>,
    limit: usize,
    more: bool,
}

impl Problems {
    fn push(&mut self, tensor: Option<&str>, kind: &'static str, message: String) {
        if !self.known.insert(message.clone()) {
            return;
        }
        if self.list.len() >= self.limit {
            self.more = true;
            return;
        }
        self.list.push(Problem { tensor: tensor.map(str::to_owned), kind, message });
    }

    fn push_error(&mut self, tensor: Option<&str>, error: &Error) {
        let own = match error {
            Error::Files(FilesError::NotStored { tensor, .. })
            | Error::Files(FilesError::ChunksOverlap { tensor, .. }) => Some(tensor.to_string()),
            _ => None,
        };
        self.push(own.as_deref().or(tensor), failure::name(error), error.to_string());
    }
}

pub fn run(layouts: &Layouts, arguments: &CheckArguments, output: &mut Output) -> Answer {
    let limit = arguments.limit.max(1);
    let mut problems = Problems { list: Vec::new(), known: HashSet::new(), limit, more: false };
    let subject = match (&arguments.path, &arguments.shape.sizes) {
        (Some(path), _) => {
            let set = checkpoint::open(path)?;
            check_set(path, &set, &mut problems)?;
            check_layouts(path, &set, layouts, &mut problems)?;
            let files = units::count(set.files().len(), "file");
            format!("{path}: {} in {files}", units::count(set.tensors().len(), "tensor"))
        }
        (None, Some(sizes)) => {
            let layout = layouts.one("--layout")?;
            let dtype = layout::dtype(&arguments.shape)?;
            if let Err(error) = layout.build(&sizes.0, dtype) {
                problems.push_error(None, &error);
            }
            format!("tensor {}, {}", units::sizes(&sizes.0), layout)
        }
        (None, None) => return Err(Failure::usage("pass a checkpoint, or --sizes and --layout")),
    };
    print(&subject, &problems, output);
    Ok(problems.list.is_empty())
}

/// What is wrong with the files.
fn check_set(path: &str, set: &FileSet, problems: &mut Problems) -> Result<(), Failure> {
    let found = files::check_set(set, problems.limit).map_err(|error| Failure::of(path, &error))?;
    for problem in &found.problems {
        problems.push_error(None, &problem.error);
    }
    problems.more |= found.more;
    Ok(())
}

/// What keeps the tensors from being read into their layouts.
fn check_layouts(
    path: &str, set: &FileSet, layouts: &Layouts, problems: &mut Problems,
) -> Result<(), Failure> {
    for rule in &layouts.rules {
        let pattern = &rule.pattern;
        if !set.tensors().iter().any(|tensor| name_matches(pattern, tensor.name())) {
            let message = match set.tensor(pattern) {
                Err(error) if !pattern.contains('*') => error.to_string(),
                _ => format!("no tensor has a name that matches {pattern:?}"),
            };
            problems.push(None, "NOT_FOUND", format!("{} {message}", rule.place));
        }
    }
    for tensor in set.tensors() {
        if let Some(layout) = layouts.of(tensor.name()) {
            check_layout(path, set, tensor, layout, problems)?;
        }
    }
    Ok(())
}

fn check_layout(
    path: &str, set: &FileSet, tensor: &StoredTensor, layout: &Layout, problems: &mut Problems,
) -> Result<(), Failure> {
    let name = tensor.name();
    let metadata = match layout.build(tensor.sizes(), Some(tensor.dtype())) {
        Ok(metadata) => metadata,
        Err(error) => {
            let message = format!("tensor {name:?}: {}: {error}", layout);
            problems.push(Some(name), failure::name(&error), message);
            return Ok(());
        }
    };
    let indices: Vec<usize> = (0..metadata.shards().len()).collect();
    let wanted = WantedTensor { name, layout: &metadata, indices: &indices };
    let found =
        files::check(set, &[wanted], problems.limit).map_err(|error| Failure::of(path, &error))?;
    for problem in &found.problems {
        problems.push_error(Some(name), &problem.error);
    }
    problems.more |= found.more;
    Ok(())
}

fn print(subject: &str, problems: &Problems, output: &mut Output) {
    if problems.list.is_empty() {
        output.line(format!("{subject}: {}", output.painted(Paint::Good, "nothing is wrong")));
    } else {
        let number = units::count(problems.list.len(), "problem");
        let more = if problems.more { " or more" } else { "" };
        let number = output.painted(Paint::Bad, &format!("{number}{more}"));
        output.line(format!("{subject}: {number}"));
    }
    for problem in &problems.list {
        output.line(format!("  {}", problem.message));
    }
    let list: Vec<Value> = problems
        .list
        .iter()
        .map(|one| json!({"tensor": one.tensor, "kind": one.kind, "message": one.message}))
        .collect();
    output.json(&json!({
        "subject": subject,
        "ok": problems.list.is_empty(),
        "problems": list,
        "more": problems.more,
    }));
}
