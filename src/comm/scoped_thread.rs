//! A scoped thread: it ends before the frame that started it is left.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

use crate::sync::thread::{Task, Thread};

/// The work of a scoped thread, in the frame of the function that starts it.
pub(super) struct ScopedTask<'a> {
    work: Mutex<&'a mut (dyn FnMut() + Send)>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Task for ScopedTask<'_> {
    fn run(&self) {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let panic = catch_unwind(AssertUnwindSafe(&mut **work)).err();
        *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = panic;
    }
}

impl<'a> ScopedTask<'a> {
    pub(super) fn new(work: &'a mut (dyn FnMut() + Send)) -> Self {
        Self { work: Mutex::new(work), panic: Mutex::new(None) }
    }

    /// Starts a thread that does the work; `None` where the system has no thread or no memory for it,
    /// and nothing was done. The thread has ended when the frame of the returned value is left, in
    /// whatever way. So it may use values of the same frame that are declared before.
    ///
    /// # Safety
    ///
    /// The caller drops the returned value: it neither forgets it nor stores it where it is never
    /// dropped.
    pub(super) unsafe fn start(&self) -> Option<ScopedThread<'_>> {
        // SAFETY: the contract of `ScopedTask::start` is that of `Thread::start`: the returned
        // value is dropped while `self` is borrowed.
        let thread = unsafe { Thread::start(self) }?;
        Some(ScopedThread { thread, panic: &self.panic })
    }
}

/// A thread that does the work of a [`ScopedTask`].
pub(super) struct ScopedThread<'a> {
    thread: Thread<'a>,
    panic: &'a Mutex<Option<Box<dyn Any + Send>>>,
}

impl ScopedThread<'_> {
    /// Waits for the end of its work, and resumes its panic.
    pub(super) fn join(self) {
        drop(self.thread);
        if let Some(panic) = self.panic.lock().unwrap_or_else(PoisonError::into_inner).take() {
            resume_unwind(panic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_is_done_when_it_was_joined() {
        let mut done = 0;
        let mut work = || done += 1;
        let task = ScopedTask::new(&mut work);
        // SAFETY: it is dropped by `join`.
        unsafe { task.start() }.unwrap().join();
        assert_eq!(done, 1);
    }

    #[test]
    fn a_panic_of_the_work_is_resumed_by_join() {
        let mut work = || panic!("on purpose");
        let task = ScopedTask::new(&mut work);
        // SAFETY: it is dropped by `join`.
        let joined = catch_unwind(AssertUnwindSafe(|| unsafe { task.start() }.unwrap().join()));
        assert_eq!(joined.unwrap_err().downcast_ref(), Some(&"on purpose"));
    }

    #[test]
    fn a_frame_that_is_left_by_a_panic_is_left_when_the_work_is_done() {
        let mut done = false;
        let left = catch_unwind(AssertUnwindSafe(|| {
            let mut work = || {
                std::thread::sleep(std::time::Duration::from_millis(50));
                done = true;
            };
            let task = ScopedTask::new(&mut work);
            // SAFETY: it is dropped when the frame is left.
            let _thread = unsafe { task.start() }.unwrap();
            panic!("on purpose");
        }));
        assert!(left.is_err() && done);
    }
}
