//! Who uses what: each thread notes the slots that it uses in lines of memory of its own, which other
//! threads only read when they want an object gone.
//!
//! A note costs one atomic exchange on memory that nobody else writes, whoever else uses the same
//! slot. Lines are never freed: a thread that ends leaves its lines to the next that starts. In the
//! child of a fork only one thread lives on; what the others had noted is wiped there.

use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

/// Notes on a line. Calls use two or three slots at once; nested calls and calls from callbacks take
/// another line.
const NOTES: usize = 5;

/// What a thread does with a slot; in a note's lowest bit, as slots are aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// It reads the object.
    Reads = 0,
    /// It runs the user's code that the object is.
    Runs = 1,
}

/// Set in a line's owner when the line is given back with its first note.
const ONCE: usize = 1;

/// A line of notes. It has a cache line, and the one next to it, which processors fetch along, to
/// itself.
#[repr(C, align(128))]
struct Line {
    /// Addresses of slots and how they are used, or 0.
    notes: [AtomicUsize; NOTES],
    /// The thread that the line is lent to, or 0.
    owner: AtomicUsize,
    /// The same thread's next line. Only that thread looks at it.
    more: AtomicPtr<Line>,
    /// The line made before this one.
    before: AtomicPtr<Line>,
}

/// The line made last. All others follow from it.
static LAST: AtomicPtr<Line> = AtomicPtr::new(std::ptr::null_mut());

thread_local! {
    /// This thread's first line. Its address tells threads apart, also while they end.
    static FIRST: Cell<Option<&'static Line>> = const { Cell::new(None) };
    /// Gives the thread's lines back when it ends.
    static RETURN: Return = const { Return };
}

struct Return;

impl Drop for Return {
    fn drop(&mut self) {
        let mut next = FIRST.take();
        while let Some(line) = next {
            next = line.more();
            line.give_back();
        }
    }
}

/// This thread, as long as it lives.
fn this_thread() -> usize {
    FIRST.with(|first| std::ptr::from_ref(first).addr())
}

/// A note that this thread uses a slot; taken back when it is dropped, which only this thread may do.
/// It is one pointer, that calls keep in a register: to a note of a line, and good for the whole line.
pub(super) struct Note {
    note: NonNull<AtomicUsize>,
}

impl Note {
    /// Notes a use of the slot at this address. `None`: no memory for one more line.
    ///
    /// What the slot's state was is read after this: then whoever changes the state and looks for
    /// notes after that can't miss this one.
    #[inline]
    pub(super) fn new(slot: usize, how: Use) -> Option<Self> {
        let free = FIRST.get().and_then(Line::free_note);
        let note = Self { note: free.or_else(find_note)? };
        note.place().swap(slot | how as usize, Ordering::SeqCst);
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

impl Drop for Note {
    #[inline]
    fn drop(&mut self) {
        // What was done with the object happens before whoever sees the note gone drops it.
        self.place().swap(0, Ordering::SeqCst);
        if self.line().owner.load(Ordering::Relaxed) & ONCE != 0 {
            self.line().give_back();
        }
    }
}

impl Line {
    /// A note that is free. Only the line's owner takes notes, so it stays free until it does.
    #[inline]
    fn free_note(&'static self) -> Option<NonNull<AtomicUsize>> {
        let index = self.notes.iter().position(|note| note.load(Ordering::Relaxed) == 0)?;
        let line = NonNull::from_ref(self).cast::<AtomicUsize>();
        // SAFETY: the notes are first in a line, and the index is one of theirs.
        Some(unsafe { line.add(index) })
    }

    fn more(&self) -> Option<&'static Line> {
        let more = self.more.load(Ordering::Relaxed);
        // SAFETY: lines are never freed.
        unsafe { more.as_ref() }
    }

    fn give_back(&self) {
        self.more.store(std::ptr::null_mut(), Ordering::Relaxed);
        self.owner.store(0, Ordering::Release);
    }
}

/// A free note where the first line has none.
#[cold]
fn find_note() -> Option<NonNull<AtomicUsize>> {
    let mut last = None;
    let mut next = FIRST.get();
    while let Some(line) = next {
        if let Some(note) = line.free_note() {
            return Some(note);
        }
        last = Some(line);
        next = line.more();
    }
    // A thread that is past giving back its lines gets one for this note alone.
    let once = RETURN.try_with(|_| ()).is_err();
    let line = borrow_line(this_thread() | if once { ONCE } else { 0 })?;
    match last {
        Some(last) => last.more.store(std::ptr::from_ref(line).cast_mut(), Ordering::Relaxed),
        None if once => {}
        None => FIRST.set(Some(line)),
    }
    line.free_note()
}

/// A line that nobody has, or a new one.
fn borrow_line(owner: usize) -> Option<&'static Line> {
    wipe_after_fork();
    let free = lines().find(|line| {
        let taken = line.owner.compare_exchange(0, owner, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok()
    });
    free.or_else(|| new_line(owner))
}

fn new_line(owner: usize) -> Option<&'static Line> {
    let mut place = Vec::new();
    place.try_reserve_exact(1).ok()?;
    place.push(Line {
        notes: [const { AtomicUsize::new(0) }; NOTES],
        owner: AtomicUsize::new(owner),
        more: AtomicPtr::new(std::ptr::null_mut()),
        before: AtomicPtr::new(std::ptr::null_mut()),
    });
    let line: &'static Line = place.leak().first()?;
    let mut last = LAST.load(Ordering::Relaxed);
    loop {
        line.before.store(last, Ordering::Relaxed);
        let this = std::ptr::from_ref(line).cast_mut();
        // SeqCst, as a thread that wants an object gone must see the line before a note is on it.
        match LAST.compare_exchange_weak(last, this, Ordering::SeqCst, Ordering::Relaxed) {
            Ok(_) => return Some(line),
            Err(now) => last = now,
        }
    }
}

fn lines() -> impl Iterator<Item = &'static Line> {
    // SAFETY: lines are never freed, and filled before they are in the list.
    let line = |pointer: *mut Line| unsafe { pointer.cast_const().as_ref() };
    let last = line(LAST.load(Ordering::SeqCst));
    std::iter::successors(last, move |this| line(this.before.load(Ordering::Relaxed)))
}

/// Who uses a slot, besides those that try to and find it gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Users {
    /// Nobody.
    None,
    /// This thread, and maybe others.
    Me,
    /// Other threads.
    Others,
}

/// Whether any thread has noted a use of the slot at this address.
pub(super) fn any(slot: usize) -> bool {
    lines().any(|line| {
        line.notes.iter().any(|note| note.load(Ordering::SeqCst) & !(Use::Runs as usize) == slot)
    })
}

/// Which threads run what is in the slot at this address.
pub(super) fn running(slot: usize) -> Users {
    let (wanted, me) = (slot | Use::Runs as usize, this_thread());
    let mut users = Users::None;
    for line in lines() {
        if line.notes.iter().any(|note| note.load(Ordering::SeqCst) == wanted) {
            if line.owner.load(Ordering::Relaxed) & !ONCE == me {
                return Users::Me;
            }
            users = Users::Others;
        }
    }
    users
}

/// Whether this thread runs anything.
pub(crate) fn this_thread_runs_any() -> bool {
    let me = this_thread();
    let mine = lines().filter(|line| line.owner.load(Ordering::Relaxed) & !ONCE == me);
    mine.flat_map(|line| &line.notes)
        .any(|note| note.load(Ordering::Relaxed) & Use::Runs as usize != 0)
}

/// Makes sure that in the child of a fork the lines of threads that are not there are wiped. Before
/// the first thread has a line, and again by whoever may be the first.
fn wipe_after_fork() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.load(Ordering::Relaxed) {
        #[cfg(unix)]
        // SAFETY: the function does what such a function may do in the child of a program with
        // threads: it writes atomic numbers.
        unsafe {
            libc::pthread_atfork(None, None, Some(wipe_lines_of_others));
        }
        DONE.store(true, Ordering::Relaxed);
    }
}

#[cfg(unix)]
extern "C" fn wipe_lines_of_others() {
    let me = this_thread();
    for line in lines().filter(|line| line.owner.load(Ordering::Relaxed) & !ONCE != me) {
        for note in &line.notes {
            note.store(0, Ordering::Relaxed);
        }
        line.give_back();
    }
}
