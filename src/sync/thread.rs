//! Scoped threads: they end before the frame that started them is left.
//!
//! The standard library aborts where it has no memory for a new thread. So the system's own
//! function starts these threads, and a missing thread or missing memory is an ordinary result. The
//! arguments of a thread are in the frame of the function that starts it.

use std::marker::PhantomData;
use std::thread::yield_now;
use std::time::{Duration, Instant};

use crate::unwind::uncancelled;

/// The work of a thread. It does not panic.
pub(crate) trait Task: Sync {
    /// Does the work.
    fn run(&self);
}

/// A thread that runs a [`Task`]. However the frame that holds this is left, the thread has ended
/// then, also where a panic goes through the frame.
#[derive(Debug)]
pub(crate) struct Thread<'a> {
    system: system::Thread,
    is_joined: bool,
    task: PhantomData<&'a ()>,
}

impl<'a> Thread<'a> {
    /// Starts a thread; `None` where the system has none, or no memory for it.
    ///
    /// # Safety
    ///
    /// The caller drops the returned value before the task's borrow ends: it does not forget it.
    pub(crate) unsafe fn start<T: Task>(task: &'a T) -> Option<Self> {
        #[cfg(test)]
        if !tests::may_start() {
            return None;
        }
        // SAFETY: `task` exists until the thread has ended: dropping the returned `Thread` waits
        // for that, and the contract of `start` is that it is dropped while `task` is borrowed.
        let system = unsafe { system::start(task) }?;
        Some(Self { system, is_joined: false, task: PhantomData })
    }

    /// The system's identifier of the thread.
    #[cfg(target_os = "linux")]
    pub(crate) fn name(&self) -> libc::pthread_t {
        self.system
    }
}

impl Thread<'_> {
    /// Waits for a thread that ends soon. Does not sleep for so long: the system takes 50 us and more
    /// to wake a thread of a virtual machine.
    pub(crate) fn join_awake(mut self, awake: Duration) {
        let begin = Instant::now();
        while !self.is_joined && begin.elapsed() < awake {
            self.is_joined = system::has_joined(&mut self.system);
            yield_now();
        }
    }
}

impl Drop for Thread<'_> {
    fn drop(&mut self) {
        if !self.is_joined {
            uncancelled(|| system::join(&mut self.system));
        }
    }
}

#[cfg(unix)]
mod system {
    use std::ffi::c_void;
    use std::mem::MaybeUninit;
    use std::ptr;

    use super::Task;

    pub(super) type Thread = libc::pthread_t;

    /// Bytes of a thread's stack: more than any task needs, whatever the process keeps there for
    /// each thread. The system finds pages for those that are used.
    const STACK: usize = 1 << 20;

    /// Signals that are about what the thread itself did.
    const OWN_SIGNALS: [libc::c_int; 7] = [
        libc::SIGABRT,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGSEGV,
        libc::SIGSYS,
        libc::SIGTRAP,
    ];

    /// # Safety
    ///
    /// The task exists until the thread was joined.
    pub(super) unsafe fn start<T: Task>(task: &T) -> Option<Thread> {
        let (mut attributes, mut thread) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        let (mut blocked, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        let task = ptr::from_ref(task).cast_mut().cast();
        // SAFETY: each function writes into a place of its own, and none of `blocked`, `before` and
        // `thread` is read unless that function succeeded. `attributes` are destroyed where they
        // were made. The `task` exists until the thread was joined: the contract of `start`.
        unsafe {
            if libc::pthread_attr_init(attributes.as_mut_ptr()) != 0 {
                return None;
            }
            // The process's handlers of signals run on its own threads, which are made for them: a
            // thread inherits what is blocked.
            libc::sigfillset(blocked.as_mut_ptr());
            for signal in OWN_SIGNALS {
                libc::sigdelset(blocked.as_mut_ptr(), signal);
            }
            let (blocked, attributes_of) = (blocked.as_ptr(), attributes.as_ptr());
            let masked = libc::pthread_sigmask(libc::SIG_SETMASK, blocked, before.as_mut_ptr());
            let started = libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK) == 0
                && libc::pthread_create(thread.as_mut_ptr(), attributes_of, run::<T>, task) == 0;
            if masked == 0 {
                libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
            }
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
            started.then(|| thread.assume_init())
        }
    }

    extern "C" fn run<T: Task>(task: *mut c_void) -> *mut c_void {
        // SAFETY: `task` is the address of the `T` that `start` was called with, and its contract
        // is that the `T` exists until the thread was joined. A `Task` is `Sync`, so this thread
        // may use it.
        unsafe { (*task.cast_const().cast::<T>()).run() };
        ptr::null_mut()
    }

    pub(super) fn join(thread: &mut Thread) {
        // SAFETY: `thread` was started as one that is joined, and `join` is called once for each,
        // where its `Thread` is dropped.
        unsafe { libc::pthread_join(*thread, ptr::null_mut()) };
    }

    /// Joins a thread if it has ended. Not all systems can tell.
    pub(super) fn has_joined(thread: &mut Thread) -> bool {
        #[cfg(target_os = "linux")]
        // SAFETY: `thread` was started as one that is joined, and was not joined: its owner calls
        // neither `has_joined` nor `join` again.
        return unsafe { libc::pthread_tryjoin_np(*thread, ptr::null_mut()) } == 0;
        #[cfg(not(target_os = "linux"))]
        false
    }
}

#[cfg(not(unix))]
mod system {
    use std::thread::{Builder, JoinHandle};

    use super::Task;

    pub(super) type Thread = Option<JoinHandle<()>>;

    /// # Safety
    ///
    /// The task exists until the thread was joined.
    pub(super) unsafe fn start<T: Task>(task: &T) -> Option<Thread> {
        // SAFETY: the contract of `start` is what `spawn_unchecked` requires: `task` exists until
        // the thread was joined.
        unsafe { Builder::new().spawn_unchecked(move || task.run()) }.ok().map(Some)
    }

    pub(super) fn join(thread: &mut Thread) {
        if let Some(thread) = thread.take() {
            // Tasks do not panic.
            let _ = thread.join();
        }
    }

    /// Joins a thread if it has ended.
    pub(super) fn has_joined(thread: &mut Thread) -> bool {
        let has_ended = thread.as_ref().is_none_or(JoinHandle::is_finished);
        if has_ended {
            join(thread);
        }
        has_ended
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    thread_local! {
        /// How many threads this one may still start.
        static STARTS: Cell<usize> = const { Cell::new(usize::MAX) };
    }

    pub(super) fn may_start() -> bool {
        let left = STARTS.get();
        STARTS.set(left.saturating_sub(usize::from(left != usize::MAX)));
        left > 0
    }

    /// Calls `body` where the system has no more than so many threads.
    pub(crate) fn with_threads<T>(count: usize, body: impl FnOnce() -> T) -> T {
        STARTS.set(count);
        let result = body();
        STARTS.set(usize::MAX);
        result
    }

    struct Work<F>(F);

    impl<F: Fn() + Sync> Task for Work<F> {
        fn run(&self) {
            self.0();
        }
    }

    #[test]
    fn the_work_is_done_when_the_thread_is_gone_however_its_frame_is_left() {
        let done = AtomicUsize::new(0);
        let work = Work(|| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            done.fetch_add(1, Ordering::Relaxed);
        });
        // SAFETY: it is dropped here.
        drop(unsafe { Thread::start(&work) }.unwrap());
        assert_eq!(done.load(Ordering::Relaxed), 1);
        let left = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            // SAFETY: it is dropped when the frame is left.
            let _thread = unsafe { Thread::start(&work) }.unwrap();
            panic!("on purpose");
        }));
        assert_eq!((left.is_err(), done.load(Ordering::Relaxed)), (true, 2));
    }

    #[test]
    fn where_there_is_no_thread_nothing_is_done() {
        let work = Work(|| panic!("it ran"));
        // SAFETY: nothing is started.
        assert!(with_threads(0, || unsafe { Thread::start(&work) }.is_none()));
    }

    /// The signals that the calling thread blocks, of those from 1 to 31.
    #[cfg(target_os = "linux")]
    fn blocked() -> Vec<i32> {
        // SAFETY: a set to be filled.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut set), 0);
            (1..32).filter(|&signal| libc::sigismember(&raw const set, signal) == 1).collect()
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn signals_of_the_process_are_left_to_its_own_threads() {
        let (before, seen) = (blocked(), AtomicBool::new(false));
        let work = Work(|| {
            let blocked = blocked();
            let has = |signal| blocked.contains(&signal);
            assert!(
                [libc::SIGINT, libc::SIGTERM, libc::SIGALRM, libc::SIGPROF].into_iter().all(has)
            );
            assert!(!has(libc::SIGSEGV) && !has(libc::SIGBUS));
            seen.store(true, Ordering::Relaxed);
        });
        // SAFETY: it is dropped here.
        drop(unsafe { Thread::start(&work) }.unwrap());
        assert!(seen.load(Ordering::Relaxed));
        assert_eq!(blocked(), before);
    }
}
