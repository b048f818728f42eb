//! How much memory a call has at most: inputs from strangers must not make that grow without bounds.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn add(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(live, Ordering::Relaxed);
}

// SAFETY: `Counting` passes each call on to the system's allocator, and itself only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: what `GlobalAlloc` requires of this `layout`, `System` requires too.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `System` allocated what is at `pointer`, with this `layout`: all calls are passed on to it.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size);
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `System` allocated what is at `pointer`, with this `layout`, and requires of `size` what
        // `GlobalAlloc` does.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Calls a function that may have this many bytes of memory at once, and no more.
pub fn within<T>(bytes: usize, what: &str, call: impl FnOnce() -> T) -> T {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let result = call();
    let peak = PEAK.load(Ordering::Relaxed).saturating_sub(before);
    assert!(peak <= bytes, "{what} had {peak} bytes of memory, more than {bytes}");
    result
}
