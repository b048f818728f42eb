//! Unwinding that comes out of the user's functions.
//!
//! A thread that ends itself or is cancelled inside a function of the user's unwinds its stack, and so
//! does an exception of C++. Frames of Rust are in its way: to catch it is not ours, and
//! `std::panic::catch_unwind` and the edge of a thread end the process where it reaches them. So it is
//! held where it leaves the user's function. What called that function goes on as if it had failed,
//! and gives back everything that it owns, in its own order. When the library's own frames are gone,
//! the unwinding goes on from there.
//!
//! For that, the user's functions are called through a few lines of assembler, which stand in the
//! unwinder's tables with a handler of their own. Panics of this library pass by them. On systems
//! without such lines, the process ends as Rust has it.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::declared;

/// How many threads hold an unwinding. Mostly none; a call then reads only this number. Every call
/// reads it, so it shares its cache line with nothing that is written.
static HELD: Alone = Alone(AtomicUsize::new(0));

#[repr(align(128))]
struct Alone(AtomicUsize);

thread_local! {
    /// What this thread holds.
    static MINE: Cell<Option<Unwinding>> = const { Cell::new(None) };
}

/// An unwinding that is held.
#[derive(Debug, Clone, Copy)]
struct Unwinding {
    exception: *mut c_void,
    /// It ends the thread, and nothing stops it.
    forced: bool,
}

/// Calls a function of the user's, the one that the header calls `name`. `None`: it did not return, for
/// it was left by unwinding, which [`passing`] lets go on.
#[inline]
pub(crate) fn call<R>(name: &'static str, function: impl FnOnce() -> R) -> Option<R> {
    declared::calls_back(name);
    let mut call = Call { function: ManuallyDrop::new(function), answer: MaybeUninit::uninit() };
    // SAFETY: `call` was made above, and is called here and nowhere else.
    match unsafe { imp::call(&mut call) } {
        // SAFETY: `imp::call` returned `None`, so the function returned, and `run` has written its
        // `answer`.
        None => Some(unsafe { call.answer.assume_init() }),
        Some(unwinding) => {
            hold(unwinding);
            None
        }
    }
}

/// Whether this thread holds an unwinding: there is no point in beginning anything.
#[inline]
pub(crate) fn is_held() -> bool {
    HELD.0.load(Ordering::Relaxed) != 0 && is_held_here()
}

/// [`is_held`] where some thread holds one: only then the state of this thread is read.
#[cold]
#[inline(never)]
fn is_held_here() -> bool {
    MINE.get().is_some()
}

/// Runs the body of a function that is called from outside. Unwinding that is held when the body has
/// ended goes on from here.
#[inline]
pub(crate) fn passing<R>(body: impl FnOnce() -> R) -> R {
    let answer = body();
    if is_held() {
        drop(answer);
        go_on();
    }
    answer
}

/// Runs what might end the thread, were it cancelled. The functions that wait for something are such,
/// and only the user's own may be left like that.
#[inline]
pub(crate) fn uncancelled<R>(body: impl FnOnce() -> R) -> R {
    struct Restore(c_int);
    impl Drop for Restore {
        fn drop(&mut self) {
            cancel::set(self.0);
        }
    }
    let _restore = Restore(cancel::set(cancel::DISABLE));
    body()
}

#[cfg(any(target_os = "linux", target_os = "freebsd"))]
mod cancel {
    use std::ffi::c_int;

    /// `PTHREAD_CANCEL_DISABLE`.
    pub(super) const DISABLE: c_int = 1;

    /// Sets whether the thread can be cancelled; whether it could be before.
    pub(super) fn set(state: c_int) -> c_int {
        unsafe extern "C" {
            fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
        }
        let mut before = state;
        // SAFETY: `pthread_setcancelstate` writes one number to `before`, and keeps no pointer to it.
        unsafe { pthread_setcancelstate(state, &raw mut before) };
        before
    }
}

#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
mod cancel {
    use std::ffi::c_int;

    pub(super) const DISABLE: c_int = 0;

    pub(super) fn set(state: c_int) -> c_int {
        state
    }
}

/// A call on its way through the lines of assembler.
struct Call<F, R> {
    /// There until it is called.
    function: ManuallyDrop<F>,
    /// There when it has returned.
    answer: MaybeUninit<R>,
}

impl<F: FnOnce() -> R, R> Call<F, R> {
    /// # Safety
    ///
    /// This is called once.
    #[inline]
    unsafe fn run(&mut self) {
        // SAFETY: the contract of `run` is that it is called once, so `function` has not been taken.
        let function = unsafe { ManuallyDrop::take(&mut self.function) };
        self.answer.write(function());
    }
}

#[cold]
fn hold(unwinding: Unwinding) {
    match MINE.replace(Some(unwinding)) {
        None => {
            HELD.0.fetch_add(1, Ordering::Relaxed);
        }
        // A callback that ends the life of something may throw while another unwinding is held. One
        // of them is lost: not the one that ends the thread, which nothing may stop.
        Some(before) if before.exception == unwinding.exception => {}
        Some(before) if before.forced => {
            MINE.set(Some(before));
            imp::forget(unwinding);
        }
        Some(before) => imp::forget(before),
    }
}

#[cold]
#[inline(never)]
fn go_on() -> ! {
    let unwinding = MINE.take();
    HELD.0.fetch_sub(1, Ordering::Relaxed);
    imp::go_on(unwinding.map_or(null_mut(), |unwinding| unwinding.exception))
}

#[cfg(all(
    any(target_os = "linux", target_os = "android", target_os = "freebsd"),
    any(target_arch = "x86_64", target_arch = "aarch64"),
    panic = "unwind"
))]
mod imp {
    use std::arch::naked_asm;
    use std::ffi::{c_int, c_void};
    use std::ptr::from_mut;

    use super::{Call, Unwinding};

    /// What the assembler returns: which exception left the function, if one did, and how.
    #[repr(C)]
    struct Caught {
        exception: *mut c_void,
        forced: usize,
    }

    /// Runs the call, and says how it was left: `None`, it returned.
    ///
    /// # Safety
    ///
    /// It runs once.
    #[inline]
    pub(super) unsafe fn call<F: FnOnce() -> R, R>(call: &mut Call<F, R>) -> Option<Unwinding> {
        unsafe extern "C-unwind" fn run<F: FnOnce() -> R, R>(call: *mut c_void) {
            // SAFETY: `call` points to the `Call` with this `F` and `R` of the function around. It is
            // borrowed there, and runs once by the contract of `call`.
            unsafe { (*call.cast::<Call<F, R>>()).run() }
        }
        // SAFETY: `call_and_catch` calls `run` once, with the pointer to `call`, whose types `run` has.
        let Caught { exception, forced } =
            unsafe { call_and_catch(from_mut(call).cast(), run::<F, R>) };
        (!exception.is_null()).then_some(Unwinding { exception, forced: forced != 0 })
    }

    /// The C ABI of unwinding that GCC and LLVM share.
    mod abi {
        use std::ffi::{c_int, c_void};

        pub(super) const SEARCH_PHASE: c_int = 1;
        pub(super) const FORCED: c_int = 8;
        pub(super) const INSTALL_CONTEXT: c_int = 7;
        pub(super) const CONTINUE_UNWIND: c_int = 8;
        /// The panics of Rust, as old and new versions of it number them.
        pub(super) const RUST: [u64; 2] =
            [u64::from_be_bytes(*b"MOZ\0RUST"), u64::from_le_bytes(*b"MOZ\0RUST")];

        unsafe extern "C-unwind" {
            pub(super) fn _Unwind_Resume_or_Rethrow(exception: *mut c_void) -> c_int;
        }
        unsafe extern "C" {
            pub(super) fn _Unwind_DeleteException(exception: *mut c_void);
            pub(super) fn _Unwind_GetIP(context: *mut c_void) -> usize;
            pub(super) fn _Unwind_SetIP(context: *mut c_void, value: usize);
            pub(super) fn _Unwind_SetGR(context: *mut c_void, register: c_int, value: usize);
            pub(super) fn _Unwind_GetLanguageSpecificData(context: *mut c_void) -> *const i32;
        }
    }

    /// Runs `run(data)`. Returns nulls when it returns, and the exception when it is left by one.
    ///
    /// The table for [`personality`] holds how far from itself the return from `run` is, and where to
    /// go on when it is left: to the end, with the answer in the registers that results are in.
    #[cfg(target_arch = "x86_64")]
    #[unsafe(naked)]
    unsafe extern "C-unwind" fn call_and_catch(
        data: *mut c_void, run: unsafe extern "C-unwind" fn(*mut c_void),
    ) -> Caught {
        naked_asm!(
            ".cfi_startproc",
            ".cfi_personality 0x9b, .Lshardspec_personality",
            ".cfi_lsda 0x1b, .Lshardspec_call_sites",
            "sub rsp, 8",
            ".cfi_adjust_cfa_offset 8",
            "call rsi",
            ".Lshardspec_returned:",
            "xor eax, eax",
            "xor edx, edx",
            ".Lshardspec_left:",
            "add rsp, 8",
            ".cfi_adjust_cfa_offset -8",
            "ret",
            ".cfi_endproc",
            ".pushsection .data.rel.ro.shardspec_personality, \"aw\"",
            ".balign 8",
            ".Lshardspec_personality:",
            ".quad {personality}",
            ".popsection",
            ".pushsection .gcc_except_table.shardspec_call_sites, \"a\"",
            ".balign 4",
            ".Lshardspec_call_sites:",
            ".long .Lshardspec_returned - .Lshardspec_call_sites",
            ".long .Lshardspec_left - .Lshardspec_call_sites",
            ".popsection",
            personality = sym personality,
        )
    }

    /// As for x86-64.
    #[cfg(target_arch = "aarch64")]
    #[unsafe(naked)]
    unsafe extern "C-unwind" fn call_and_catch(
        data: *mut c_void, run: unsafe extern "C-unwind" fn(*mut c_void),
    ) -> Caught {
        naked_asm!(
            ".cfi_startproc",
            ".cfi_personality 0x9b, .Lshardspec_personality",
            ".cfi_lsda 0x1b, .Lshardspec_call_sites",
            "stp x29, x30, [sp, #-16]!",
            ".cfi_def_cfa_offset 16",
            ".cfi_offset w29, -16",
            ".cfi_offset w30, -8",
            "mov x29, sp",
            "blr x1",
            ".Lshardspec_returned:",
            "mov x0, #0",
            "mov x1, #0",
            ".Lshardspec_left:",
            "ldp x29, x30, [sp], #16",
            ".cfi_def_cfa_offset 0",
            ".cfi_restore w29",
            ".cfi_restore w30",
            "ret",
            ".cfi_endproc",
            ".pushsection .data.rel.ro.shardspec_personality, \"aw\"",
            ".balign 8",
            ".Lshardspec_personality:",
            ".quad {personality}",
            ".popsection",
            ".pushsection .gcc_except_table.shardspec_call_sites, \"a\"",
            ".balign 4",
            ".Lshardspec_call_sites:",
            ".long .Lshardspec_returned - .Lshardspec_call_sites",
            ".long .Lshardspec_left - .Lshardspec_call_sites",
            ".popsection",
            personality = sym personality,
        )
    }

    /// Registers of results, as the unwinder numbers them.
    const RESULTS: [c_int; 2] = [0, 1];

    /// What the unwinder asks when it meets `call_and_catch`, twice: who handles this exception, and
    /// then, whether there is something to do before that happens. Nothing is handled here. There is
    /// something to do, and it takes as long as the library's frames last.
    unsafe extern "C" fn personality(
        _version: c_int, actions: c_int, class: u64, exception: *mut c_void, context: *mut c_void,
    ) -> c_int {
        // Another Rust in the same process has panics that this one knows nothing of.
        let is_our_panic = abi::RUST.contains(&class) && std::thread::panicking();
        if actions & abi::SEARCH_PHASE != 0 || is_our_panic {
            return abi::CONTINUE_UNWIND;
        }
        // SAFETY: the unwinder gave `context` for these functions, and `table` is the one above, with
        // entries 0 and 1.
        unsafe {
            let table = abi::_Unwind_GetLanguageSpecificData(context);
            let [returned, left] = [0, 1]
                .map(|entry| table.addr().wrapping_add_signed(table.add(entry).read() as isize));
            if abi::_Unwind_GetIP(context) != returned {
                // Stopped before the call or after it, which only an asynchronous signal does.
                return abi::CONTINUE_UNWIND;
            }
            let forced = actions & abi::FORCED;
            abi::_Unwind_SetGR(context, RESULTS[0], exception.addr());
            abi::_Unwind_SetGR(context, RESULTS[1], forced as usize);
            abi::_Unwind_SetIP(context, left);
        }
        abi::INSTALL_CONTEXT
    }

    /// Goes on with an unwinding. For an exception a handler is looked for once more: the one that was
    /// found first may have been Rust's own.
    pub(super) fn go_on(exception: *mut c_void) -> ! {
        // SAFETY: `personality` took the `exception` over, and it is handed on once, here.
        unsafe { abi::_Unwind_Resume_or_Rethrow(exception) };
        // There is no handler, which ends the process in C++ too.
        std::process::abort()
    }

    /// Ends an exception that has no handler.
    pub(super) fn forget(unwinding: Unwinding) {
        if !unwinding.forced {
            // SAFETY: `personality` took the `exception` over, and it is not handed on: it ends here, once.
            unsafe { abi::_Unwind_DeleteException(unwinding.exception) }
        }
    }
}

#[cfg(not(all(
    any(target_os = "linux", target_os = "android", target_os = "freebsd"),
    any(target_arch = "x86_64", target_arch = "aarch64"),
    panic = "unwind"
)))]
mod imp {
    use std::ffi::c_void;

    use super::{Call, Unwinding};

    /// # Safety
    ///
    /// It runs once.
    #[inline]
    pub(super) unsafe fn call<F: FnOnce() -> R, R>(call: &mut Call<F, R>) -> Option<Unwinding> {
        // SAFETY: the contract of this function is that of `run`: it is called once for each `call`.
        unsafe { call.run() };
        None
    }

    pub(super) fn go_on(_: *mut c_void) -> ! {
        std::process::abort()
    }

    pub(super) fn forget(_: Unwinding) {}
}
