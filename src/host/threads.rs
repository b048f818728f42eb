//! Threads that share the work of one copy and are gone when it is done.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::yield_now;

use super::tuning::MAX_AWAKE;
use crate::memory;
use crate::sync::thread::{Task, Thread};

/// The work of each thread.
struct Share<'a, W> {
    work: &'a W,
    /// Whether all threads were moved to a processor.
    all_moved: &'a AtomicBool,
    /// The panic of one of the threads.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl<W: Fn() + Sync> Task for Share<'_, W> {
    fn run(&self) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(self.work)) {
            *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
        // Not before: a thread that has ended has no id, and for the system id 0 means the caller,
        // which would be moved instead.
        while !self.all_moved.load(Ordering::Acquire) {
            yield_now();
        }
    }
}

/// Reports that all threads were moved, also where a panic leaves the scope.
struct AllMoved<'a>(&'a AtomicBool);

impl Drop for AllMoved<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Does `work` on `threads` threads at once, this one included, or on fewer, where the system does
/// not start as many. Panics when all have finished, if any of them panicked.
pub(crate) fn share(threads: usize, work: impl Fn() + Sync) {
    if threads <= 1 {
        return work();
    }
    let all_moved = AtomicBool::new(false);
    let share = Share { work: &work, all_moved: &all_moved, panic: Mutex::new(None) };
    // They are joined when dropped, also where `work` panics on this thread.
    let mut started = memory::try_with_capacity(threads).unwrap_or_default();
    {
        let _all_moved = AllMoved(&all_moved);
        let others = OtherProcessors::new();
        for _ in 1..threads.min(started.capacity()) {
            // SAFETY: all threads in `started` are dropped before `share` is, also where this frame
            // is left by a panic: the contract of `Thread::start`.
            let Some(thread) = (unsafe { Thread::start(&share) }) else {
                break;
            };
            others.move_there(&thread);
            started.push(thread);
        }
    }
    work();
    // Those that are left copy their last parts.
    started.into_iter().for_each(|thread| thread.join_awake(MAX_AWAKE));
    // The bytes that it did not copy must not be reported as copied.
    if let Some(panic) = share.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
        resume_unwind(panic);
    }
}

#[cfg(target_os = "linux")]
use linux::OtherProcessors;

#[cfg(target_os = "linux")]
mod linux {
    use crate::sync::thread::Thread;

    /// The processors that this process may use, but for the one that this thread is on.
    ///
    /// Linux may queue a new thread on the processor of the thread that started it, and leave it
    /// there until the next tick of its clock, up to 4 ms, while another processor is idle: half of
    /// the time of a copy.
    pub(super) struct OtherProcessors(Option<[libc::cpu_set_t; 2]>);

    impl OtherProcessors {
        pub(super) fn new() -> Self {
            // SAFETY: `all` is a set of bits, of which zeros are a value. `sched_getaffinity` fails
            // if the set is too small.
            let sets = unsafe {
                let mut all: libc::cpu_set_t = std::mem::zeroed();
                let asked = libc::sched_getaffinity(0, size_of_val(&all), &raw mut all);
                let here = usize::try_from(libc::sched_getcpu()).ok();
                here.filter(|&here| {
                    asked == 0 && here < libc::CPU_SETSIZE as usize && libc::CPU_COUNT(&all) > 1
                })
                .map(|here| {
                    let mut others = all;
                    libc::CPU_CLR(here, &mut others);
                    [others, all]
                })
            };
            Self(sets)
        }

        /// Moves a thread there. From then on it may use all processors of the process.
        pub(super) fn move_there(&self, thread: &Thread<'_>) {
            for set in self.0.iter().flatten() {
                // SAFETY: `thread` was not joined, so its name is valid, and `set` is a set of
                // bits. If this fails, the thread stays where it is.
                unsafe {
                    libc::pthread_setaffinity_np(thread.name(), size_of_val(set), set);
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
struct OtherProcessors;

#[cfg(not(target_os = "linux"))]
impl OtherProcessors {
    fn new() -> Self {
        Self
    }

    fn move_there(&self, _: &Thread<'_>) {}
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicUsize;

    use crate::sync::thread::tests::with_threads;

    use super::*;

    #[test]
    fn a_panic_on_any_thread_reaches_the_caller_when_all_are_done() {
        let (all, caller) = (Barrier::new(3), std::thread::current().id());
        for panics_at_caller in [false, true] {
            let done = AtomicUsize::new(0);
            let work = || {
                all.wait();
                let here = std::thread::current().id() == caller;
                assert!(here != panics_at_caller, "on purpose");
                done.fetch_add(1, Ordering::Relaxed);
            };
            assert!(catch_unwind(AssertUnwindSafe(|| share(3, work))).is_err());
            let others = if panics_at_caller { 2 } else { 1 };
            assert_eq!(done.load(Ordering::Relaxed), others);
        }
    }

    #[test]
    fn where_the_system_has_fewer_threads_they_do_all_the_work() {
        for (asked, there) in [(1, 9), (4, 9), (4, 0), (4, 2)] {
            let (workers, left) = (AtomicUsize::new(0), AtomicUsize::new(100));
            let work = || {
                workers.fetch_add(1, Ordering::Relaxed);
                let take = |left: usize| left.checked_sub(1);
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {}
            };
            with_threads(there, || share(asked, work));
            assert_eq!(left.load(Ordering::Relaxed), 0);
            assert_eq!(workers.load(Ordering::Relaxed), asked.min(there + 1));
        }
    }

    /// Waiting for a thread is where one that is cancelled ends, and it would leave that thread
    /// behind.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_that_is_cancelled_ends_its_copy_first() {
        static ENTERED: AtomicUsize = AtomicUsize::new(0);
        static MAY_END: AtomicBool = AtomicBool::new(false);
        static ENDED: AtomicUsize = AtomicUsize::new(0);
        extern "C" fn caller(_: *mut std::ffi::c_void) -> *mut std::ffi::c_void {
            let caller = std::thread::current().id();
            share(2, || {
                ENTERED.fetch_add(1, Ordering::AcqRel);
                // The caller waits for the other one in `share`.
                while std::thread::current().id() != caller && !MAY_END.load(Ordering::Acquire) {
                    yield_now();
                }
            });
            ENDED.store(1, Ordering::Release);
            std::ptr::null_mut()
        }
        // SAFETY: the thread is joined here.
        unsafe {
            let mut thread = std::mem::zeroed();
            let (attributes, argument) = (std::ptr::null(), std::ptr::null_mut());
            assert_eq!(libc::pthread_create(&raw mut thread, attributes, caller, argument), 0);
            while ENTERED.load(Ordering::Acquire) < 2 {
                yield_now();
            }
            assert_eq!(libc::pthread_cancel(thread), 0);
            std::thread::sleep(std::time::Duration::from_millis(20));
            assert_eq!(ENDED.load(Ordering::Acquire), 0);
            MAY_END.store(true, Ordering::Release);
            assert_eq!(libc::pthread_join(thread, std::ptr::null_mut()), 0);
        }
        assert_eq!(ENDED.load(Ordering::Acquire), 1);
    }

    /// The processors that a thread of this process may use.
    #[cfg(target_os = "linux")]
    fn allowed(thread: libc::pid_t) -> Vec<usize> {
        // SAFETY: a set of bits to be filled.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            assert_eq!(libc::sched_getaffinity(thread, size_of_val(&set), &raw mut set), 0);
            (0..libc::CPU_SETSIZE as usize).filter(|&at| libc::CPU_ISSET(at, &set)).collect()
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_caller_may_use_its_processors_all_the_while() {
        // SAFETY: it only asks.
        let caller = unsafe { libc::gettid() };
        let (before, done) = (allowed(caller), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let watch = scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert!(allowed(caller) == before, "the caller was moved");
                    yield_now();
                }
            });
            // The work is done at once, and often before the thread was put anywhere.
            for _ in 0..1000 {
                share(3, || {});
            }
            done.store(true, Ordering::Relaxed);
            watch.join().unwrap();
        });
    }
}
