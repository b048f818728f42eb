//! No instructions of any kind in particular.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "parts of 16 bytes and of two times 16"
)]

use super::memory_line::MemoryLine;
use super::vector::Vector;

/// 16 bytes.
#[derive(Clone, Copy)]
pub(in crate::host) struct Plain([u8; 16]);

impl Vector for Plain {
    type WriteBuffer = MemoryLine<Self>;

    const BYTES: usize = 16;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the caller's promise; bytes need no alignment.
        Self(unsafe { from.cast::<[u8; 16]>().read() })
    }

    #[inline(always)]
    unsafe fn load_parts(from: *const *const u8, _: usize, at: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::load((*from).add(at)) }
    }

    /// It has no halves of 32 bytes.
    #[inline(always)]
    unsafe fn load_halves(from: *const *const u8, at: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::load((*from).add(at)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[u8; 16]>().write(self.0) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { self.store(to) }
    }

    #[inline(always)]
    unsafe fn interleave<const ITEM: usize>(self, other: Self) -> (Self, Self) {
        let mut both = [0u8; 32];
        let pairs = self.0.chunks_exact(ITEM).zip(other.0.chunks_exact(ITEM));
        for (to, (a, b)) in both.chunks_exact_mut(2 * ITEM).zip(pairs) {
            let (first, second) = to.split_at_mut(ITEM);
            first.copy_from_slice(a);
            second.copy_from_slice(b);
        }
        let (mut low, mut high) = ([0; 16], [0; 16]);
        low.copy_from_slice(&both[..16]);
        high.copy_from_slice(&both[16..]);
        (Self(low), Self(high))
    }
}
