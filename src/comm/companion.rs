//! A thread that works beside the one that started it, and is gone before that one goes on.

use std::any::Any;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What a companion is to do, in the frame of whoever starts it.
pub(super) struct Errand<'a> {
    work: &'a mut (dyn FnMut() + Send),
    panic: Option<Box<dyn Any + Send>>,
}

impl<'a> Errand<'a> {
    pub(super) fn new(work: &'a mut (dyn FnMut() + Send)) -> Self {
        Self { work, panic: None }
    }

    fn run(&mut self) {
        self.panic = catch_unwind(AssertUnwindSafe(|| (self.work)())).err();
    }

    /// Starts a thread that does the work; `None` where the system has none, or no memory for it, and
    /// nothing was done.
    ///
    /// # Safety
    ///
    /// What is returned is dropped: it is neither forgotten nor put where nobody drops it.
    pub(super) unsafe fn start(&mut self) -> Option<Companion<'_>> {
        let errand: *mut Self = self;
        // SAFETY: the errand is borrowed until the companion is dropped, which waits for the thread.
        let thread = unsafe { system::start(errand.cast()) }?;
        Some(Companion { thread, errand: errand.cast(), borrowed: PhantomData })
    }
}

/// A thread that does an [`Errand`]. However the frame that holds this is left, the thread has ended then:
/// what it uses may be in the same frame, if it is declared before.
pub(super) struct Companion<'a> {
    thread: system::Thread,
    errand: *mut Errand<'a>,
    borrowed: PhantomData<&'a mut ()>,
}

impl Companion<'_> {
    /// Waits for the end of its work. Panics where that did.
    pub(super) fn join(self) {
        let errand = self.errand;
        drop(self);
        // SAFETY: the thread has ended, and the errand is still borrowed.
        if let Some(panic) = unsafe { (*errand).panic.take() } {
            resume_unwind(panic);
        }
    }
}

impl Drop for Companion<'_> {
    fn drop(&mut self) {
        system::join(&mut self.thread);
    }
}

#[cfg(unix)]
mod system {
    use std::ffi::c_void;
    use std::mem::MaybeUninit;

    use super::Errand;
    use crate::unwind::uncancelled;

    pub(super) type Thread = libc::pthread_t;

    /// Bytes of the thread's stack: more than any copy needs. The system finds pages for those that
    /// are used.
    const STACK: usize = 1 << 20;

    /// Starts a thread by the system's own function: that of the standard library takes memory that
    /// it can't do without.
    ///
    /// # Safety
    ///
    /// The errand is there, and nobody else uses it, until the thread was joined.
    pub(super) unsafe fn start(errand: *mut Errand<'static>) -> Option<Thread> {
        let mut attributes = MaybeUninit::uninit();
        let mut thread = MaybeUninit::uninit();
        // SAFETY: places for what the functions write; attributes are destroyed where they were made.
        unsafe {
            if libc::pthread_attr_init(attributes.as_mut_ptr()) != 0 {
                return None;
            }
            let sized = libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK);
            let started = sized == 0
                && libc::pthread_create(
                    thread.as_mut_ptr(),
                    attributes.as_ptr(),
                    run,
                    errand.cast(),
                ) == 0;
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
            started.then(|| thread.assume_init())
        }
    }

    extern "C" fn run(errand: *mut c_void) -> *mut c_void {
        // SAFETY: whoever started the thread lent the errand to it.
        unsafe { (*errand.cast::<Errand<'_>>()).run() };
        std::ptr::null_mut()
    }

    pub(super) fn join(thread: &mut Thread) {
        // To be cancelled while it waits would leave this frame to a thread that still runs.
        // SAFETY: the thread was started as one that is joined, and is joined once.
        uncancelled(|| unsafe { libc::pthread_join(*thread, std::ptr::null_mut()) });
    }
}

#[cfg(not(unix))]
mod system {
    use std::thread::{Builder, JoinHandle};

    use super::Errand;

    pub(super) type Thread = Option<JoinHandle<()>>;

    struct Lent(*mut Errand<'static>);

    // SAFETY: the work of a errand may be done on any thread.
    unsafe impl Send for Lent {}

    impl Lent {
        fn run(self) {
            // SAFETY: whoever started the thread lent the errand to it.
            unsafe { (*self.0).run() }
        }
    }

    /// # Safety
    ///
    /// The errand is there, and nobody else uses it, until the thread was joined.
    pub(super) unsafe fn start(errand: *mut Errand<'static>) -> Option<Thread> {
        let lent = Lent(errand);
        Builder::new().spawn(move || lent.run()).ok().map(Some)
    }

    pub(super) fn join(thread: &mut Thread) {
        if let Some(thread) = thread.take() {
            // A panic is in the errand.
            let _ = thread.join();
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
        let mut errand = Errand::new(&mut work);
        // SAFETY: it is dropped by `join`.
        unsafe { errand.start() }.unwrap().join();
        assert_eq!(done, 1);
    }

    #[test]
    fn a_panic_of_the_work_is_one_of_whoever_joins_it() {
        let mut work = || panic!("on purpose");
        let mut errand = Errand::new(&mut work);
        // SAFETY: it is dropped by `join`.
        let joined = catch_unwind(AssertUnwindSafe(|| unsafe { errand.start() }.unwrap().join()));
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
            let mut errand = Errand::new(&mut work);
            // SAFETY: it is dropped when the frame is left.
            let _companion = unsafe { errand.start() }.unwrap();
            panic!("on purpose");
        }));
        assert!(left.is_err() && done);
    }
}
