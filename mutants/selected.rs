//! Which change is in effect, in a copy of the library that has all: the number in the environment variable `MUTANT`.
//!
//! `record`: none is, and the file that `MUTANT_REACHED` names gets a 1 at the number of each change that a program
//! reaches. The file is mapped, so that it is right however the program ends. Nothing here allocates, because tests
//! count allocations.

use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// Before the environment was read.
const UNREAD: u32 = u32::MAX;
/// Changes that are reached are recorded.
const RECORD: u32 = UNREAD - 1;
/// The most changes that can be recorded.
const MAX_CHANGES: usize = 1 << 20;

static SELECTED: AtomicU32 = AtomicU32::new(UNREAD);
static REACHED: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());

/// Whether the change with this number is in effect.
#[inline]
pub fn is(number: u32) -> bool {
    let selected = SELECTED.load(Ordering::Acquire);
    if selected < RECORD { selected == number } else { read_or_record(number) }
}

#[cold]
#[inline(never)]
fn read_or_record(number: u32) -> bool {
    if SELECTED.load(Ordering::Acquire) == UNREAD {
        SELECTED.store(read(), Ordering::Release);
    }
    let selected = SELECTED.load(Ordering::Acquire);
    if selected == RECORD && (number as usize) < MAX_CHANGES {
        // SAFETY: `REACHED` maps `MAX_CHANGES` bytes, of which `number` is one.
        unsafe { REACHED.load(Ordering::Acquire).add(number as usize).write_volatile(1) };
    }
    selected == number
}

fn read() -> u32 {
    let text = |name: &CStr| {
        // SAFETY: `name` ends with a zero; nothing changes the environment when a program begins.
        let value = unsafe { libc::getenv(name.as_ptr()) };
        // SAFETY: a `value` that is not null is a text that ends with a zero.
        (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) })
    };
    let Some(selected) = text(c"MUTANT") else { return 0 };
    if selected != c"record" {
        return selected.to_str().ok().and_then(|digits| digits.parse().ok()).unwrap_or(0);
    }
    let Some(path) = text(c"MUTANT_REACHED") else { return 0 };
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: `path` ends with a zero, and a new mapping of the file is nobody else's memory.
    let bytes = unsafe {
        let file = libc::open(path.as_ptr(), libc::O_RDWR);
        libc::mmap(std::ptr::null_mut(), MAX_CHANGES, access, libc::MAP_SHARED, file, 0)
    };
    if bytes == libc::MAP_FAILED {
        return 0;
    }
    REACHED.store(bytes.cast(), Ordering::Release);
    RECORD
}
