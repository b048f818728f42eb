//! Runs the models: `models` all of them, `models NAME` one.
//!
//! `models --sites NAME` runs one and lists the orderings of its accesses. `models --weaken PLACE ARGUMENT
//! ORDERING NAME` runs one with that ordering at that place; `models/weaken.py` does this for all.

use std::process::{Command, ExitCode};
use std::time::Instant;

use shardspec::models::{Model, models, weaken};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => run_all(),
        ["--list"] => models().for_each(|model| println!("{}", model.name)),
        ["--sites", name] => {
            model(name).sites().iter().for_each(|site| println!("{site}"));
        }
        ["--weaken", place, argument, ordering, name] => {
            weaken(place, argument == "failure", ordering);
            model(name).explore();
        }
        [name] => run(model(name)),
        _ => panic!("arguments: nothing, or the name of a model"),
    }
    ExitCode::SUCCESS
}

fn model(name: &str) -> &'static Model {
    let found = models().find(|model| model.name == name);
    found.unwrap_or_else(|| panic!("no model is named {name}; `models --list` lists them"))
}

fn run(model: &Model) {
    let start = Instant::now();
    let runs = model.explore();
    println!("{:9} orders in {:5.1} s  {}", runs, start.elapsed().as_secs_f64(), model.name);
}

/// Each model in a process of its own, two at a time: loom keeps what a run leaves behind.
fn run_all() {
    let own = std::env::current_exe().expect("this program has a path");
    let mut names: Vec<&str> = models().map(|model| model.name).collect();
    let count = names.len();
    names.reverse();
    let names = std::sync::Mutex::new(names);
    let next = || names.lock().ok().and_then(|mut names| names.pop());
    let work = || {
        while let Some(name) = next() {
            let status = Command::new(&own).arg(name).status().expect("this program runs again");
            if !status.success() {
                eprintln!("the model {name} failed: {status}");
                std::process::exit(1);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    println!("{count} models: no order breaks a promise");
}
