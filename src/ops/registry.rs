//! The registry of ops by name.
//!
//! The names are in an immutable list: registering an op makes a new list and replaces the old one. So
//! looking up a name takes no lock, and a fork finds a complete list. The ops themselves are in a slot
//! map, like all objects behind handles. A call of an op holds a hazard pointer to it.
//!
//! Ending an op waits for running calls, and never deadlocks. A thread that is inside of any op does
//! not wait for running calls, but fails with BUSY. Two threads that end each other's op are both
//! inside of one, and the one that looks last finds the other's call. In a circle of waiting threads,
//! each thread would have entered its op after the thread that waits for it looked. Around the whole
//! circle that is impossible.
//!
//! A thread that registers or ends an op:
//!
//! 1. It reads the key of the directory (Acquire), and protects the directory.
//! 2. It makes another directory, which is inserted like any object of a slot map.
//! 3. It changes the key of the directory (Release), if it is still the one of step 1. Otherwise it frees
//!    the new directory and begins again.
//! 4. It frees the old directory, and retires the op that is no longer listed.
//!
//! A thread that looks for an op does step 1, and protects the ops of that hash. If one of them is gone and
//! the directory is no longer the one of step 1, it begins again. Step 3 happens before step 1 of a thread
//! that reads the new key, so that thread finds the new directory and all its ops. The rest is the protocol
//! of [`sync`](crate::sync).

use std::ops::Deref;
use std::sync::atomic::Ordering;

use super::directory::{Directory, Entry};
use crate::concurrency::AtomicU64;
use crate::memory::{Text, TryVec, text, try_boxed_str, try_string};
use crate::model::{Error, Result};
use crate::ops::OpError;
use crate::sync::hazard::{self, Use, Users};
use crate::sync::slot_map::{ProtectError, Protected, SlotMap};

/// A registered op: the type of spec, its name, and its function.
pub struct Op<F> {
    spec_type: Box<str>,
    name: Box<str>,
    function: F,
}

impl<F> Op<F> {
    /// The name of the type of spec that it is registered for.
    pub fn spec_type(&self) -> &str {
        &self.spec_type
    }

    /// The name of the op.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its function.
    pub fn function(&self) -> &F {
        &self.function
    }

    fn is(&self, spec_type: &str, name: &str) -> bool {
        *self.name == *name && *self.spec_type == *spec_type
    }
}

/// An op that this thread may run: it is not ended as long as this exists.
pub struct Running<F: 'static> {
    op: Protected<Op<F>>,
}

impl<F> Deref for Running<F> {
    type Target = Op<F>;

    fn deref(&self) -> &Op<F> {
        &self.op
    }
}

/// The ops of a process. `F` is what an op does.
///
/// A registered op has a key, which is never another op's. The key ends with the registration.
pub struct Registry<F: 'static> {
    ops: SlotMap<Op<F>>,
    directories: SlotMap<Directory>,
    /// Key of the directory that holds now; 0 before the first.
    current: AtomicU64,
}

impl<F: Send + Sync> Registry<F> {
    /// A registry without ops.
    #[allow(clippy::new_without_default, reason = "registries are statics")]
    pub const fn new() -> Self {
        Self { ops: SlotMap::new(), directories: SlotMap::new(), current: AtomicU64::new(0) }
    }

    /// The slots of the ops, in which handles name them.
    pub(crate) fn ops(&'static self) -> &'static SlotMap<Op<F>> {
        &self.ops
    }

    /// Registers an op; its key. One that was registered by that name is refused, or replaced if
    /// `replace` says so: then no call of it runs any more, and its function is dropped, when this
    /// returns. A function that is not registered is dropped before this returns.
    pub fn register(
        &'static self, spec_type: &str, name: &str, function: F, replace: bool,
    ) -> Result<u64> {
        check_name("spec_type", spec_type)?;
        check_name("op_name", name)?;
        let (spec_type_text, name_text) = (try_boxed_str(spec_type)?, try_boxed_str(name)?);
        let op = Op { spec_type: spec_type_text, name: name_text, function };
        let key = self.ops.insert(op, 0).ok_or_else(out_of_memory)?;
        let listed = self.list(spec_type, name, key, replace);
        match listed {
            Ok(Some(replaced)) => self.ops.retire(replaced),
            Ok(None) => true,
            // No caller has the key. A thread that tries a forged one is waited for, and does not drop
            // the op.
            Err(_) => self.ops.retire(key),
        };
        listed.map(|_| key)
    }

    /// Puts an op into the directory; the key of the one that it replaces.
    fn list(
        &'static self, spec_type: &str, name: &str, key: u64, replace: bool,
    ) -> Result<Option<u64>> {
        let hash = hash(spec_type, name);
        loop {
            let FoundOp { op, ended, directory } = self.find(spec_type, name, Use::Reads)?;
            // The op itself is left before its users are waited for.
            let replaced = op.map(|(key, _)| key);
            if let Some(replaced) = replaced {
                if !replace {
                    let what = described(spec_type, name);
                    return Err(Error::Op(OpError::AlreadyExists { what }));
                }
                self.check_idle(replaced, spec_type, name)?;
            }
            let without = replaced.or(ended).map(|key| Entry { hash, key });
            if self.change(&directory, without, Some(Entry { hash, key }))? {
                return Ok(replaced);
            }
        }
    }

    /// Ends the registration that `key` names: when this returns, no call of it runs, none will, and
    /// its function is dropped.
    ///
    /// [`OpError::Busy`], and the op is registered as before, when this thread runs it, or when others
    /// do and this thread runs another op: waiting could be for ever. Where there is no memory for a
    /// directory without the op, the old one goes on to hold its key, which names nothing then.
    pub fn unregister(&'static self, key: u64) -> Result<()> {
        let entry = {
            let op = self.ops.protect(key, Use::Reads).map_err(unprotected)?;
            self.check_idle(key, op.spec_type(), op.name())?;
            Entry { hash: hash(op.spec_type(), op.name()), key }
        };
        loop {
            let directory = self.directory()?;
            let mut listed = directory.iter().flat_map(|directory| directory.keys(entry.hash));
            if !listed.any(|listed| listed == key) {
                return Err(unprotected(ProtectError::Gone));
            }
            drop(listed);
            match self.change(&directory, Some(entry), None) {
                Ok(false) => {}
                Ok(true) | Err(Error::OutOfMemory { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        if self.ops.retire(key) { Ok(()) } else { Err(unprotected(ProtectError::Gone)) }
    }

    /// Refuses to end an op that this thread would wait for in vain.
    fn check_idle(&'static self, key: u64, spec_type: &str, name: &str) -> Result<()> {
        match self.ops.running(key) {
            Some(Users::Me) => {}
            Some(Users::Others) if hazard::this_thread_runs_any() => {}
            _ => return Ok(()),
        }
        Err(Error::Op(OpError::Busy { what: described(spec_type, name) }))
    }

    /// Whether an op is registered by that name.
    pub fn has(&'static self, spec_type: &str, name: &str) -> Result<bool> {
        Ok(self.find(spec_type, name, Use::Reads)?.op.is_some())
    }

    /// The key of the op of that name.
    pub fn look_up(&'static self, spec_type: &str, name: &str) -> Result<u64> {
        let found = self.find(spec_type, name, Use::Reads)?.op;
        found.map(|(key, _)| key).ok_or_else(|| not_registered(spec_type, name))
    }

    /// The op that `key` names, to be run.
    pub fn run(&'static self, key: u64) -> Result<Running<F>> {
        self.try_run(key).map_err(unprotected)
    }

    /// The same, for a caller that has a refusal of its own.
    #[inline(always)]
    pub(crate) fn try_run(
        &'static self, key: u64,
    ) -> std::result::Result<Running<F>, ProtectError> {
        Ok(Running { op: self.ops.protect(key, Use::Runs)? })
    }

    /// The op of that name, to be run.
    pub fn run_named(&'static self, spec_type: &str, name: &str) -> Result<Running<F>> {
        let found = self.find(spec_type, name, Use::Runs)?.op;
        found.map(|(_, op)| Running { op }).ok_or_else(|| not_registered(spec_type, name))
    }

    /// Type of spec and name of every op, in alphabetical order.
    pub fn names(&'static self) -> Result<Vec<(String, String)>> {
        let mut names = Vec::new();
        if let Some(directory) = self.directory()? {
            directory.try_each(|entry| {
                match self.ops.protect(entry.key, Use::Reads) {
                    Ok(op) => {
                        names.try_push((try_string(op.spec_type())?, try_string(op.name())?))?;
                    }
                    // One that is gone by now is not listed.
                    Err(ProtectError::Gone) => {}
                    Err(ProtectError::OutOfMemory) => return Err(out_of_memory()),
                }
                Ok(())
            })?;
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Looks for an op in the directory that holds now, which is returned as well.
    fn find(&'static self, spec_type: &str, name: &str, how: Use) -> Result<FoundOp<F>> {
        let hash = hash(spec_type, name);
        'directories: loop {
            let directory = self.directory()?;
            let (mut op, mut ended) = (None, None);
            for key in directory.iter().flat_map(|directory| directory.keys(hash)) {
                match self.ops.protect(key, how) {
                    Ok(found) if found.is(spec_type, name) => {
                        op = Some((key, found));
                        break;
                    }
                    Ok(_) => {}
                    // It left the directory before it went, so another directory holds by now.
                    Err(ProtectError::Gone) if !self.holds(directory.as_ref()) => {
                        continue 'directories;
                    }
                    // Or there was no memory for another.
                    Err(ProtectError::Gone) => ended = Some(key),
                    Err(ProtectError::OutOfMemory) => return Err(out_of_memory()),
                }
            }
            return Ok(FoundOp { op, ended, directory });
        }
    }

    /// Whether a directory is the one that holds now.
    fn holds(&'static self, directory: Option<&Protected<Directory>>) -> bool {
        self.current.load(Ordering::Acquire) == directory.map_or(0, Protected::key)
    }

    /// The directory that holds now; `None` before the first.
    fn directory(&'static self) -> Result<Option<Protected<Directory>>> {
        loop {
            match self.current.load(Ordering::Acquire) {
                0 => return Ok(None),
                key => match self.directories.protect(key, Use::Reads) {
                    Ok(directory) => return Ok(Some(directory)),
                    Err(ProtectError::Gone) => {}
                    Err(ProtectError::OutOfMemory) => return Err(out_of_memory()),
                },
            }
        }
    }

    /// Puts a changed directory in the place of another. `false` when that one does not hold any more.
    fn change(
        &'static self, old: &Option<Protected<Directory>>, without: Option<Entry>,
        with: Option<Entry>,
    ) -> Result<bool> {
        let empty = Directory::default();
        let changed = old.as_deref().unwrap_or(&empty).changed(without, with)?;
        let old = old.as_ref().map_or(0, Protected::key);
        let new = self.directories.insert(changed, 0).ok_or_else(out_of_memory)?;
        let won = self.current.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed);
        self.directories.free(if won.is_ok() { old } else { new });
        Ok(won.is_ok())
    }
}

/// An op with its key.
type Keyed<F> = (u64, Protected<Op<F>>);

/// What was found by a name.
struct FoundOp<F: 'static> {
    /// The op of that name, if there is one.
    op: Option<Keyed<F>>,
    /// A key of the same hash that is still listed, and names nothing any more.
    ended: Option<u64>,
    /// The directory in which they were looked for.
    directory: Option<Protected<Directory>>,
}

/// A hash of both names. Eight bytes at a time: names are short, and a call waits for this.
fn hash(spec_type: &str, name: &str) -> u64 {
    // That of FxHash: odd, and its bits look random.
    const FACTOR: u64 = 0x517c_c1b7_2722_0a95;
    let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    let mut hash = 0;
    for text in [spec_type, name] {
        let (words, rest) = text.as_bytes().as_chunks();
        hash = words.iter().fold(hash, |hash, word| mix(hash, u64::from_le_bytes(*word)));
        hash = mix(hash, rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        // The length separates the two texts, and trailing zeros from the end.
        hash = mix(hash, text.len() as u64);
    }
    // Products spread upwards only.
    hash ^ hash >> 32
}

/// Refuses names that could not be listed one to a line.
fn check_name(argument: &'static str, name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid(argument, "it is empty; pass a name"));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid(argument, text!("{name:?} holds a control character")));
    }
    Ok(())
}

fn described(spec_type: &str, name: &str) -> Text {
    text!("op '{name}' for specs of type '{spec_type}'")
}

fn not_registered(spec_type: &str, name: &str) -> Error {
    Error::NotFound { what: text!("{} is not registered", described(spec_type, name)) }
}

#[cold]
fn unprotected(why: ProtectError) -> Error {
    match why {
        ProtectError::Gone => Error::NotFound { what: "op: its registration has ended".into() },
        ProtectError::OutOfMemory => out_of_memory(),
    }
}

fn out_of_memory() -> Error {
    Error::OutOfMemory { what: "an op", bytes: 128 }
}
