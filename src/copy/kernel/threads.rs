//! Threads that share the work of one copy and are gone when it is done.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, JoinHandle, yield_now};

use crate::unwind::uncancelled;

/// Joins its threads, whatever happens.
struct Started(Vec<JoinHandle<()>>);

impl Drop for Started {
    fn drop(&mut self) {
        for thread in self.0.drain(..) {
            // Whoever is panicking already has said enough.
            let _ = uncancelled(|| thread.join());
        }
    }
}

/// Does `work` on `threads` threads at once, this one among them: on fewer, where not as many can be
/// started. Panics where any of them does.
pub(super) fn share(threads: usize, work: impl Fn() + Sync) {
    // How many of the threads were put where they go: the first ones.
    let put = AtomicUsize::new(0);
    let mut started = Started(Vec::new());
    let elsewhere = Elsewhere::new();
    if started.0.try_reserve(threads).is_ok() {
        for number in 1..threads {
            let (work, put) = (&work, &put);
            let task = move || {
                work();
                // Not before, for to the system a thread that is gone has no number, and no number is
                // whoever asks: the caller would be put there instead.
                while put.load(Ordering::Acquire) < number {
                    yield_now();
                }
            };
            // SAFETY: the threads are joined before `work` and `put` go.
            let Ok(thread) = (unsafe { Builder::new().spawn_unchecked(task) }) else {
                break;
            };
            elsewhere.put(&thread);
            put.store(number, Ordering::Release);
            started.0.push(thread);
        }
    }
    work();
    while let Some(thread) = started.0.pop() {
        // What it did not copy must not pass for copied.
        if let Err(panic) = uncancelled(|| thread.join()) {
            resume_unwind(panic);
        }
    }
}

#[cfg(target_os = "linux")]
use linux::Elsewhere;

#[cfg(target_os = "linux")]
mod linux {
    use std::os::unix::thread::JoinHandleExt;
    use std::thread::JoinHandle;

    /// The processors that this process may use, but for the one that this thread is on.
    ///
    /// Linux may put a new thread behind the one that started it and leave it there until the next
    /// tick of its clock, up to 4 ms, while another processor is idle: half of a copy's time.
    pub(super) struct Elsewhere(Option<[libc::cpu_set_t; 2]>);

    impl Elsewhere {
        pub(super) fn new() -> Self {
            // SAFETY: a set of bits that says so when it is too small.
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

        /// Puts a thread there, and lets it go where it likes from there on.
        pub(super) fn put(&self, thread: &JoinHandle<()>) {
            for set in self.0.iter().flatten() {
                // SAFETY: the thread was not joined. If this fails, it stays where it is.
                unsafe {
                    libc::pthread_setaffinity_np(thread.as_pthread_t(), size_of_val(set), set);
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
struct Elsewhere;

#[cfg(not(target_os = "linux"))]
impl Elsewhere {
    fn new() -> Self {
        Self
    }

    fn put(&self, _: &JoinHandle<()>) {}
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;
    #[cfg(target_os = "linux")]
    use std::sync::atomic::AtomicBool;

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
