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
        // SAFETY: the contract of `load` is that 16 bytes may be read at `from`. An array of bytes
        // needs no alignment.
        Self(unsafe { from.cast::<[u8; 16]>().read() })
    }

    #[inline(always)]
    unsafe fn load_parts(from: *const *const u8, _: usize, at: usize) -> Self {
        // SAFETY: the contract of `load_parts` is that 16 bytes may be read at its only place,
        // which `load` does.
        unsafe { Self::load((*from).add(at)) }
    }

    /// It has no halves of 32 bytes.
    #[inline(always)]
    unsafe fn load_halves(from: *const *const u8, at: usize) -> Self {
        // SAFETY: the contract of `load_halves` is that 32 bytes may be read there, of which `load`
        // reads 16.
        unsafe { Self::load((*from).add(at)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the contract of `store` is that 16 bytes may be written at `to`. An array of
        // bytes needs no alignment.
        unsafe { to.cast::<[u8; 16]>().write(self.0) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut u8) {
        // SAFETY: the contract of `stream` is that of `store`, and more.
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
