//! Who uses what: each thread notes the objects that it uses in lines of memory of its own, which other
//! threads only read when they want an object gone.
//!
//! A note costs one atomic exchange on memory that nobody else writes, whoever else uses the same
//! object. A thread that ends gives its lines back. In the child of a fork only one thread lives on;
//! what the others had noted is wiped there.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::lines::{self, Line, ONCE};

/// What a thread does with an object; in a note's lowest bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// It reads the object.
    Reads = 0,
    /// It runs the user's code that the object is.
    Runs = 1,
}

/// What slots start at multiples of: slots of different threads' objects must not share a cache line.
pub(super) const SLOT_ALIGN: usize = 64;

/// An object, as notes name it: its slot and, as far as there is room, the slot's generation. A thread
/// that tries a key of an earlier generation does not pass for one that uses the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name(usize);

impl Name {
    /// Slots start at multiples of their alignment, and addresses have 48 bits. Were there more, two
    /// slots might share a name, which is safe: then one object waits for users of the other.
    const SLOT_SHIFT: u32 = 16;
    /// Bits below the slot's own, but for that of the use.
    const GENERATIONS: usize = (SLOT_ALIGN << Self::SLOT_SHIFT) - 1;

    /// The object of this generation in the slot at this address.
    #[inline]
    pub(super) fn new(slot: usize, generation: u32) -> Self {
        Self(slot << Self::SLOT_SHIFT | (generation as usize) << 1 & Self::GENERATIONS)
    }
}

thread_local! {
    /// This thread's first line. Its address tells threads apart, also while they end.
    static FIRST: Cell<Option<&'static Line>> = const { Cell::new(None) };
    /// Whether the thread ends, and has given its lines back.
    static ENDS: Cell<bool> = const { Cell::new(false) };
}

/// This thread, as long as it lives.
fn this_thread() -> usize {
    FIRST.with(|first| std::ptr::from_ref(first).addr())
}

/// A note that this thread uses an object, which only this thread may take back. It is one pointer, that calls keep in a register: to a note of a line, and good for the whole
/// line.
pub(super) struct Note {
    note: NonNull<AtomicUsize>,
}

impl Note {
    /// Notes a use. `None`: no memory for one more line.
    ///
    /// What the slot's state was is read after this: then whoever changes the state and looks for
    /// notes after that can't miss this one.
    #[inline(always)]
    pub(super) fn new(name: Name, how: Use) -> Option<Self> {
        let free = FIRST.get().and_then(free_note);
        let note = Self { note: free.or_else(find_note)? };
        note.place().swap(name.0 | how as usize, Ordering::SeqCst);
        Some(note)
    }

    fn place(&self) -> &'static AtomicUsize {
        // SAFETY: lines are never freed.
        unsafe { self.note.as_ref() }
    }

    fn line(&self) -> &'static Line {
        let line = self.note.as_ptr().cast_const().map_addr(|addr| addr & LINE_START);
        // SAFETY: lines start at multiples of their alignment and are not longer than it; the pointer
        // was made from one to the line.
        unsafe { &*line.cast() }
    }
}

/// The bits of an address that say in which line it is.
const LINE_START: usize = !(align_of::<Line>() - 1);
const _: () = assert!(size_of::<Line>() == align_of::<Line>());

impl Note {
    /// Takes the note back; what it named.
    #[inline]
    pub(super) fn take_back(&mut self) -> Name {
        // What was done with the object happens before whoever sees the note gone drops it.
        let note = self.place().swap(0, Ordering::SeqCst);
        if self.line().owner.load(Ordering::Relaxed) & ONCE != 0 {
            self.line().give_back();
        }
        Name(note & !(Use::Runs as usize))
    }
}

/// A note that is free. Only the line's owner takes notes, so it stays free until it does.
#[inline(always)]
fn free_note(line: &'static Line) -> Option<NonNull<AtomicUsize>> {
    let index = line.notes.iter().position(|note| note.load(Ordering::Relaxed) == 0)?;
    let line = NonNull::from_ref(line).cast::<AtomicUsize>();
    // SAFETY: the notes are first in a line, and the index is one of theirs.
    Some(unsafe { line.add(index) })
}

fn more(line: &Line) -> Option<&'static Line> {
    let more = line.more.load(Ordering::Relaxed);
    // SAFETY: lines are never freed.
    unsafe { more.as_ref() }
}

/// A free note where the first line has none.
#[cold]
fn find_note() -> Option<NonNull<AtomicUsize>> {
    let mut last = None;
    let mut next = FIRST.get();
    while let Some(line) = next {
        if let Some(note) = free_note(line) {
            return Some(note);
        }
        last = Some(line);
        next = more(line);
    }
    if !wipes_after_fork() {
        return None;
    }
    // A thread that is past giving back its lines, or won't, gets one for this note alone.
    let once = ENDS.get() || !at_end::gives_back();
    let line = lines::borrow(this_thread() | if once { ONCE } else { 0 })?;
    match last {
        _ if once => {}
        Some(last) => last.more.store(std::ptr::from_ref(line).cast_mut(), Ordering::Relaxed),
        None => FIRST.set(Some(line)),
    }
    free_note(line)
}

/// Gives this thread's lines back, when it ends.
fn give_back() {
    ENDS.set(true);
    let mut next = FIRST.take();
    while let Some(line) = next {
        next = more(line);
        line.give_back();
    }
}

/// Who uses an object, besides those that try to and find it gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Users {
    /// Nobody.
    None,
    /// This thread, and maybe others.
    Me,
    /// Other threads.
    Others,
}

/// Whether a line holds such a note.
fn holds(line: &Line, is: impl Fn(usize) -> bool) -> bool {
    line.notes.iter().any(|note| is(note.load(Ordering::SeqCst)))
}

/// Whether any thread has noted a use of this object.
pub(super) fn any(Name(name): Name) -> bool {
    let uses = |note: usize| note & !(Use::Runs as usize) == name;
    lines::walk(|line| match holds(line, uses) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    })
    .is_break()
}

/// Which threads run this object.
pub(super) fn running(Name(name): Name) -> Users {
    let (wanted, me) = (name | Use::Runs as usize, this_thread());
    let mut users = Users::None;
    let _ = lines::walk(|line| {
        if holds(line, |note| note == wanted) {
            if line.owner.load(Ordering::Relaxed) & !ONCE == me {
                users = Users::Me;
                return ControlFlow::Break(());
            }
            users = Users::Others;
        }
        ControlFlow::Continue(())
    });
    users
}

/// Whether this thread runs anything.
pub(crate) fn this_thread_runs_any() -> bool {
    let (runs, me) = (|note: usize| note & Use::Runs as usize != 0, this_thread());
    lines::walk(|line| {
        let mine = line.owner.load(Ordering::Relaxed) & !ONCE == me;
        if mine && holds(line, runs) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .is_break()
}

/// Makes sure that in the child of a fork the lines of threads that are not there are wiped: before
/// the first thread has a line, and again by whoever may be the first. `false`: there is no memory to
/// do so, and no line may be borrowed.
#[cfg(unix)]
fn wipes_after_fork() -> bool {
    extern "C" fn wipe_lines_of_others() {
        lines::keep_only(this_thread());
    }

    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.load(Ordering::Relaxed) {
        // SAFETY: the function does what such a function may do in the child of a program with
        // threads: it writes atomic numbers.
        let failed = unsafe { libc::pthread_atfork(None, None, Some(wipe_lines_of_others)) };
        DONE.store(failed == 0, Ordering::Relaxed);
    }
    DONE.load(Ordering::Relaxed)
}

#[cfg(not(unix))]
fn wipes_after_fork() -> bool {
    true
}

/// What happens when a thread ends. The standard library's own way ends the process where there is no
/// memory for it.
#[cfg(unix)]
mod at_end {
    use std::ffi::c_void;
    use std::ptr::NonNull;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Has this thread give its lines back when it ends. `false` where that can't be.
    pub(super) fn gives_back() -> bool {
        let Some(key) = key() else {
            return false;
        };
        // SAFETY: the key is never deleted. Any value but null has `give_back` called.
        unsafe { libc::pthread_setspecific(key, NonNull::<c_void>::dangling().as_ptr()) == 0 }
    }

    fn key() -> Option<libc::pthread_key_t> {
        extern "C" fn give_back(_: *mut c_void) {
            super::give_back();
        }

        /// The key and one, or 0 while there is none.
        static KEY: AtomicU64 = AtomicU64::new(0);
        let known = |number: u64| libc::pthread_key_t::try_from(number.checked_sub(1)?).ok();
        if let Some(key) = known(KEY.load(Ordering::Acquire)) {
            return Some(key);
        }
        let mut key = 0;
        // SAFETY: there is place for a key.
        if unsafe { libc::pthread_key_create(&raw mut key, Some(give_back)) } != 0 {
            return None;
        }
        let number = u64::from(key).checked_add(1)?;
        match KEY.compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Some(key),
            Err(first) => {
                // SAFETY: it was made above, and nobody else knows it.
                unsafe { libc::pthread_key_delete(key) };
                known(first)
            }
        }
    }
}

#[cfg(not(unix))]
mod at_end {
    struct Return;

    impl Drop for Return {
        fn drop(&mut self) {
            super::give_back();
        }
    }

    thread_local! {
        static RETURN: Return = const { Return };
    }

    pub(super) fn gives_back() -> bool {
        RETURN.try_with(|_| ()).is_ok()
    }
}
