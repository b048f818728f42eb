//! What the running export declares in its comment, checked wherever it could be broken.
//!
//! The comment of each export says which functions of the user it may call (`Calls back:`) and what
//! it may wait for (`Blocks:`). The build makes a table of these lines. With debug assertions,
//! [`enter`] notes where in the source the export is, and the places that call a function of the
//! user's, or that wait, look the export up. Where the comment does not declare it, the process
//! ends with a message. Without debug assertions, nothing of this is compiled.

/// What an export may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The other ranks of a communicator.
    OtherRanks,
    /// Other threads of the caller's.
    OtherThreads,
    /// Files.
    Disk,
}

#[cfg(not(debug_assertions))]
mod imp {
    use super::Wait;

    pub(crate) struct RunningExport;

    #[inline(always)]
    pub(crate) fn enter() -> RunningExport {
        RunningExport
    }

    #[inline(always)]
    pub(crate) fn calls_back(_: &'static str) {}

    #[inline(always)]
    pub(crate) fn blocks(_: Wait) {}
}

#[cfg(debug_assertions)]
mod imp {
    use std::cell::Cell;
    use std::panic::Location;

    use super::Wait;

    /// An export, and what its comment declares.
    pub(super) struct Export {
        pub(super) name: &'static str,
        pub(super) file: &'static str,
        /// The line of its `fn`.
        pub(super) line: u32,
        pub(super) calls_back: &'static [&'static str],
        pub(super) blocks: &'static [Wait],
    }

    /// All exports, each file's in the order of their lines.
    static EXPORTS: &[Export] = include!(concat!(env!("OUT_DIR"), "/declared.rs"));

    thread_local! {
        /// Where the guard of the export is that this thread runs.
        static RUNNING: Cell<Option<&'static Location<'static>>> = const { Cell::new(None) };
    }

    /// An export that runs on this thread, until this is dropped. A callback may run another one.
    pub(crate) struct RunningExport {
        before: Option<&'static Location<'static>>,
    }

    impl Drop for RunningExport {
        fn drop(&mut self) {
            RUNNING.set(self.before);
        }
    }

    #[track_caller]
    pub(crate) fn enter() -> RunningExport {
        RunningExport { before: RUNNING.replace(Some(Location::caller())) }
    }

    pub(crate) fn calls_back(callback: &'static str) {
        check(&format_args!("calls back `{callback}`"), |export| {
            export.calls_back.contains(&callback)
        });
    }

    pub(crate) fn blocks(wait: Wait) {
        check(&format_args!("waits ({wait:?})"), |export| export.blocks.contains(&wait));
    }

    /// The export whose guard is there.
    pub(super) fn export_at(file: &str, line: u32) -> Option<&'static Export> {
        let of_file = EXPORTS.iter().filter(|export| file.ends_with(export.file));
        of_file.take_while(|export| export.line <= line).last()
    }

    /// What is wrong, if the export that runs declares something else.
    pub(super) fn violation(
        running: Option<(&str, u32)>, what: &dyn std::fmt::Display,
        is_declared: impl Fn(&Export) -> bool,
    ) -> Option<String> {
        // Threads of the library, and functions that other libraries call, run no export.
        let (file, line) = running?;
        match export_at(file, line) {
            Some(export) if is_declared(export) => None,
            export => {
                let name = export.map_or("an unknown export", |export| export.name);
                Some(format!(
                    "{file}:{line}: {name} {what}, which its comment does not declare: correct its \
                     lines `Calls back:` and `Blocks:`"
                ))
            }
        }
    }

    fn check(what: &dyn std::fmt::Display, is_declared: impl Fn(&Export) -> bool) {
        let running = RUNNING.get().map(|location| (location.file(), location.line()));
        if let Some(message) = violation(running, what, is_declared) {
            eprintln!("{message}");
            // A panic would become a status, which a test might expect.
            std::process::abort();
        }
    }
}

#[cfg_attr(loom, allow(unused_imports, reason = "models have no exports"))]
pub(crate) use imp::{blocks, calls_back, enter};

#[cfg(all(test, debug_assertions))]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::arithmetic_side_effects,
        reason = "tests fail by panicking"
    )]

    use super::Wait;
    use super::imp::{Export, export_at, violation};

    const FILE: &str = "src/ffi/comm.rs";

    fn line_of(name: &str) -> u32 {
        let found = (1..1000).filter_map(|line| export_at(FILE, line).map(|at| (line, at.name)));
        found.into_iter().find(|(_, found)| *found == name).map(|(line, _)| line).unwrap()
    }

    fn found(name: &str, is_declared: impl Fn(&Export) -> bool) -> Option<String> {
        // A guard is some lines below the export's name.
        violation(Some((FILE, line_of(name) + 3)), &"does it", is_declared)
    }

    #[test]
    fn an_export_does_what_its_comment_declares_and_nothing_else() {
        let calls =
            |callback: &'static str| move |export: &Export| export.calls_back.contains(&callback);
        assert_eq!(found("shardspec_comm_exchange", calls("exchange")), None);
        assert_eq!(found("shardspec_comm_abort", calls("abort")), None);
        assert_eq!(found("shardspec_comm_free", calls("destroy")), None);
        let message = found("shardspec_comm_rank", calls("exchange")).unwrap();
        assert!(
            message.contains("shardspec_comm_rank does it, which its comment does not declare")
        );
        assert!(found("shardspec_comm_new_local", calls("destroy")).is_some());
        let waits = |export: &Export| export.blocks.contains(&Wait::OtherRanks);
        assert_eq!(found("shardspec_comm_exchange", waits), None);
        assert!(found("shardspec_comm_size", waits).is_some());
    }

    #[test]
    fn a_place_without_an_export_declares_nothing() {
        assert!(violation(Some(("src/ffi/nothing.rs", 7)), &"waits", |_| true).is_some());
        assert_eq!(violation(None, &"waits", |_| false), None);
    }
}
