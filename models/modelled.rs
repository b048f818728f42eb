//! What `src/concurrency.rs` has in a build with `--cfg loom`: each access is a step of loom's.
//!
//! Loom's own types can't be made in a constant, nor out of zeroed memory, and are of one run of a model. So
//! a value here is what it was made with and the number of an object of loom's, which it takes out of a pool
//! at its first access in each run. Such an object counts the difference to the value that it began with. A
//! static is new in each run.
//!
//! Loom treats sequentially consistent accesses as acquiring and releasing ones, and has only sequentially
//! consistent fences. So a fence stands after each such write, and such a read is an acquiring one. A thread
//! that writes one place and then reads another is ordered as the standard orders it. Two reads are not, so a
//! model may fail where the standard promises more. Relaxed accesses beside the fence are ordered more than
//! the standard orders them; an error that needs those to be out of order would not be found.
//!
//! A run can weaken the ordering of one access: [`weaken`]. A model that still passes does not need it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};

pub(crate) use loom::hint::spin_loop;
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};

/// Objects of each kind in a run.
const POOL: usize = 96;

/// The objects of one run. The main thread makes them all, before it starts others.
struct Pool {
    run: u32,
    words: Vec<loom::sync::atomic::AtomicU64>,
    halves: Vec<loom::sync::atomic::AtomicU32>,
    cells: Vec<loom::cell::UnsafeCell<()>>,
    used: [Cell<u32>; 3],
}

std::thread_local! {
    /// Loom runs all threads of a model on one thread of the system.
    static CURRENT: RefCell<Option<Rc<Pool>>> = const { RefCell::new(None) };
    static LOCALS: RefCell<Vec<LocalValue>> = const { RefCell::new(Vec::new()) };
    static SITES: RefCell<BTreeSet<Site>> = const { RefCell::new(BTreeSet::new()) };
}

struct LocalValue {
    thread: loom::thread::ThreadId,
    variable: usize,
    value: Rc<dyn Any>,
}

fn pool() -> Rc<Pool> {
    CURRENT.with_borrow(|pool| Rc::clone(pool.as_ref().expect("outside of a model")))
}

/// Begins a run, on its main thread.
fn begin() {
    LOCALS.with_borrow_mut(Vec::clear);
    let run = CURRENT.with_borrow(|pool| pool.as_ref().map_or(0, |pool| pool.run)) + 1;
    let pool = Pool {
        run,
        words: (0..POOL).map(|_| loom::sync::atomic::AtomicU64::new(0)).collect(),
        halves: (0..POOL).map(|_| loom::sync::atomic::AtomicU32::new(0)).collect(),
        cells: (0..POOL).map(|_| loom::cell::UnsafeCell::new(())).collect(),
        used: Default::default(),
    };
    CURRENT.set(Some(Rc::new(pool)));
}

/// Runs `body` in all orders in which threads are preempted at most so often. Returns how many there were.
pub(crate) fn explore(preemptions: usize, body: fn()) -> u32 {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    builder.check(move || {
        begin();
        body();
        end_thread();
    });
    pool().run
}

/// Starts a thread of a model.
pub(crate) fn spawn<R: 'static>(body: impl FnOnce() -> R + 'static) -> loom::thread::JoinHandle<R> {
    loom::thread::spawn(|| {
        let result = body();
        end_thread();
        result
    })
}

/// Drops the variables of this thread, the last one that it used first.
fn end_thread() {
    let me = loom::thread::current().id();
    let last = || {
        LOCALS.with_borrow_mut(|locals| {
            let at = locals.iter().rposition(|local| local.thread == me)?;
            Some(locals.remove(at))
        })
    };
    while let Some(local) = last() {
        drop(local);
    }
}

/// A variable that each thread has its own of.
pub(crate) struct Local<T: 'static> {
    make: fn() -> T,
}

impl<T: 'static> Local<T> {
    pub(crate) const fn new(make: fn() -> T) -> Self {
        Self { make }
    }

    pub(crate) fn with<R>(&'static self, body: impl FnOnce(&T) -> R) -> R {
        let (thread, variable) = (loom::thread::current().id(), std::ptr::from_ref(self).addr());
        let known = LOCALS.with_borrow(|locals| {
            let is = |local: &&LocalValue| local.thread == thread && local.variable == variable;
            locals.iter().find(is).map(|local| Rc::clone(&local.value))
        });
        let value = known.unwrap_or_else(|| {
            let value: Rc<dyn Any> = Rc::new((self.make)());
            let local = LocalValue { thread, variable, value: Rc::clone(&value) };
            LOCALS.with_borrow_mut(|locals| locals.push(local));
            value
        });
        body(value.downcast_ref().expect("a variable has one type"))
    }

    pub(crate) fn try_with<R>(&'static self, body: impl FnOnce(&T) -> R) -> Result<R, ()> {
        Ok(self.with(body))
    }
}

impl<T: 'static> Local<Cell<T>> {
    pub(crate) fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    pub(crate) fn set(&'static self, value: T) {
        self.with(|cell| cell.set(value));
    }

    pub(crate) fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(Cell::take)
    }
}

/// As the standard library's, for variables that a constant begins.
macro_rules! local_variables {
    ($($(#[$attribute:meta])* $visible:vis static $name:ident: $type:ty = const $make:block;)*) => {
        $($(#[$attribute])* $visible static $name: crate::concurrency::modelled::Local<$type> =
            crate::concurrency::modelled::Local::new(|| $make);)*
    };
}
pub(crate) use local_variables as thread_local;

/// The object of loom's that a value has in this run.
struct Object(std::sync::atomic::AtomicU64);

impl Object {
    const fn new() -> Self {
        Self(std::sync::atomic::AtomicU64::new(0))
    }

    /// Its place in the pool, of the kind with this number.
    fn place(&self, pool: &Pool, kind: usize) -> usize {
        let bound = self.0.load(Relaxed);
        if bound >> 32 == u64::from(pool.run) {
            return bound as u32 as usize;
        }
        let place = pool.used[kind].replace(pool.used[kind].get() + 1);
        assert!((place as usize) < POOL, "a model uses more objects than there are");
        self.0.store(u64::from(pool.run) << 32 | u64::from(place), Relaxed);
        place as usize
    }
}

/// An ordering in the source: file, line and column, and which argument of the access it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Site {
    place: String,
    is_failure: bool,
    access: Access,
    ordering: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Access {
    Load,
    Store,
    Change,
}

const ORDERINGS: [(&str, Ordering); 5] = [
    ("Relaxed", Relaxed),
    ("Acquire", Acquire),
    ("Release", Release),
    ("AcqRel", AcqRel),
    ("SeqCst", SeqCst),
];

/// The one ordering that this process weakens: its place, whether it is that of a failure, and what it becomes.
static WEAKENED: OnceLock<(String, bool, Ordering)> = OnceLock::new();

/// Weakens an ordering from now on. `place` is as [`sites`] has it.
pub fn weaken(place: &str, is_failure: bool, ordering: &str) {
    let ordering = ORDERINGS.iter().find(|(name, _)| *name == ordering).expect("an ordering").1;
    WEAKENED.set((place.to_owned(), is_failure, ordering)).expect("one ordering is weakened");
}

/// The orderings that accesses had so far, one to a line: place, argument, kind of access, ordering.
pub(crate) fn sites() -> Vec<String> {
    let line = |site: &Site| {
        let argument = if site.is_failure { "failure" } else { "success" };
        format!("{} {argument} {:?} {}", site.place, site.access, site.ordering)
    };
    SITES.with_borrow(|sites| sites.iter().map(line).collect())
}

/// The ordering that an access has in this run.
fn ordering(at: &Location, is_failure: bool, access: Access, ordering: Ordering) -> Ordering {
    let place = || {
        let file = at.file().rsplit_once("src/").map_or(at.file(), |(_, file)| file);
        format!("src/{file}:{}:{}", at.line(), at.column())
    };
    if let Some((weakened, of_failure, weaker)) = WEAKENED.get() {
        return if *of_failure == is_failure && *weakened == place() { *weaker } else { ordering };
    }
    let name = ORDERINGS.iter().find(|(_, known)| *known == ordering).map_or("", |(name, _)| name);
    let site = Site { place: place(), is_failure, access, ordering: name };
    SITES.with_borrow_mut(|sites| sites.insert(site));
    ordering
}

/// Reads. A sequentially consistent read has no fence: those of writes are enough where each thread writes one
/// place and then reads another.
fn reading<R>(ordering: Ordering, read: impl FnOnce(Ordering) -> R) -> R {
    match ordering {
        SeqCst => read(Acquire),
        other => read(other),
    }
}

/// Writes, with the fence of a sequentially consistent write after it.
fn writing<R>(ordering: Ordering, inside: Ordering, write: impl FnOnce(Ordering) -> R) -> R {
    match ordering {
        SeqCst => {
            let result = write(inside);
            loom::sync::atomic::fence(SeqCst);
            result
        }
        other => write(other),
    }
}

macro_rules! atomic {
    (
        $name:ident $(<$generic:ident>)?, $value:ty, $width:ty, $kind:literal, $objects:ident,
        $into:expr, $out_of:expr
    ) => {
        pub(crate) struct $name $(<$generic>)? {
            first: $value,
            object: Object,
        }

        #[allow(dead_code, reason = "the same functions for all")]
        impl $(<$generic>)? $name $(<$generic>)? {
            pub(crate) const fn new(first: $value) -> Self {
                Self { first, object: Object::new() }
            }

            /// The value as a difference to the first one.
            fn inside(&self, value: $value) -> $width {
                ($into)(value).wrapping_sub(($into)(self.first))
            }

            fn outside(&self, bits: $width) -> $value {
                ($out_of)(bits.wrapping_add(($into)(self.first)))
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                let order = ordering(Location::caller(), false, Access::Load, order);
                let pool = pool();
                let place = self.object.place(&pool, $kind);
                self.outside(reading(order, |order| pool.$objects[place].load(order)))
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                let order = ordering(Location::caller(), false, Access::Store, order);
                let pool = pool();
                let place = self.object.place(&pool, $kind);
                let bits = self.inside(value);
                writing(order, Release, |order| pool.$objects[place].store(bits, order));
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                let order = ordering(Location::caller(), false, Access::Change, order);
                let pool = pool();
                let place = self.object.place(&pool, $kind);
                let bits = self.inside(value);
                self.outside(writing(order, AcqRel, |order| pool.$objects[place].swap(bits, order)))
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self, current: $value, new: $value, success: Ordering, failure: Ordering,
            ) -> Result<$value, $value> {
                let success = ordering(Location::caller(), false, Access::Change, success);
                let failure = ordering(Location::caller(), true, Access::Load, failure);
                let pool = pool();
                let place = self.object.place(&pool, $kind);
                let (current, new) = (self.inside(current), self.inside(new));
                // The fences of a success stand beside a failure too.
                let failure = if failure == SeqCst { Acquire } else { failure };
                let result = writing(success, AcqRel, |success| {
                    pool.$objects[place].compare_exchange(current, new, success, failure)
                });
                match result {
                    Ok(bits) => Ok(self.outside(bits)),
                    Err(bits) => Err(self.outside(bits)),
                }
            }

            #[track_caller]
            pub(crate) fn compare_exchange_weak(
                &self, current: $value, new: $value, success: Ordering, failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(current, new, success, failure)
            }
        }

        impl $(<$generic>)? fmt::Debug for $name $(<$generic>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

atomic!(AtomicU64, u64, u64, 0, words, |value: u64| value, |bits: u64| bits);
atomic!(AtomicUsize, usize, u64, 0, words, |value: usize| value as u64, |bits: u64| bits as usize);
atomic!(
    AtomicPtr<T>,
    *mut T,
    u64,
    0,
    words,
    |value: *mut T| value.expose_provenance() as u64,
    |bits: u64| std::ptr::with_exposed_provenance_mut(bits as usize)
);
atomic!(AtomicU32, u32, u32, 1, halves, |value: u32| value, |bits: u32| bits);
atomic!(AtomicBool, bool, u32, 1, halves, |value: bool| u32::from(value), |bits: u32| bits != 0);

// SAFETY: an `AtomicPtr` holds an address; loom runs all threads of a model on one.
unsafe impl<T> Send for AtomicPtr<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for AtomicPtr<T> {}

macro_rules! counter {
    ($name:ident, $value:ty, $width:ty, $kind:literal, $objects:ident) => {
        impl $name {
            #[track_caller]
            pub(crate) fn fetch_add(&self, more: $value, order: Ordering) -> $value {
                let order = ordering(Location::caller(), false, Access::Change, order);
                let pool = pool();
                let place = self.object.place(&pool, $kind);
                let add = |order| {
                    pool.$objects[place].fetch_add(<$width>::try_from(more).unwrap(), order)
                };
                self.outside(writing(order, AcqRel, add))
            }

            #[track_caller]
            pub(crate) fn fetch_sub(&self, less: $value, order: Ordering) -> $value {
                let order = ordering(Location::caller(), false, Access::Change, order);
                let pool = pool();
                let place = self.object.place(&pool, $kind);
                let subtract = |order| {
                    pool.$objects[place].fetch_sub(<$width>::try_from(less).unwrap(), order)
                };
                self.outside(writing(order, AcqRel, subtract))
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new(0)
            }
        }
    };
}

counter!(AtomicU64, u64, u64, 0, words);
counter!(AtomicUsize, usize, u64, 0, words);
counter!(AtomicU32, u32, u32, 1, halves);

impl Default for AtomicBool {
    fn default() -> Self {
        Self::new(false)
    }
}

/// A place whose accesses loom checks: a write is ordered against all others.
pub(crate) struct TrackedCell<T> {
    value: std::cell::UnsafeCell<T>,
    object: Object,
}

impl<T> TrackedCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { value: std::cell::UnsafeCell::new(value), object: Object::new() }
    }

    #[track_caller]
    pub(crate) fn read(&self) -> *const T {
        let pool = pool();
        pool.cells[self.object.place(&pool, 2)].with(|_| ());
        self.value.get()
    }

    #[track_caller]
    pub(crate) fn write(&self) -> *mut T {
        let pool = pool();
        pool.cells[self.object.place(&pool, 2)].with_mut(|_| ());
        self.value.get()
    }
}
