//! NEON, which is part of aarch64.

use std::arch::aarch64::*;

use super::memory_line::MemoryLine;
use super::vector::Vector;

/// 16 bytes.
#[derive(Clone, Copy)]
pub(in crate::host) struct Neon(uint8x16_t);

macro_rules! zip {
    ($a:ident, $b:ident, $to:ident, $low:ident, $high:ident, $from:ident) => {{
        let (a, b) = ($to($a.0), $to($b.0));
        (Self($from($low(a, b))), Self($from($high(a, b))))
    }};
}

impl Vector for Neon {
    type WriteBuffer = MemoryLine<Self>;

    const BYTES: usize = 16;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the contract of `load` is that 16 bytes may be read at `from`. `vld1q_u8` needs
        // no alignment.
        Self(unsafe { vld1q_u8(from) })
    }

    #[inline(always)]
    unsafe fn load_parts(from: *const *const u8, _: usize, at: usize) -> Self {
        // SAFETY: the contract of `load_parts` is that 16 bytes may be read `at` bytes behind its
        // only place. `vld1q_u8` needs no alignment.
        Self(unsafe { vld1q_u8((*from).add(at)) })
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
        // SAFETY: the contract of `store` is that 16 bytes may be written at `to`. `vst1q_u8` needs
        // no alignment.
        unsafe { vst1q_u8(to, self.0) }
    }

    /// As [`Self::store`]: these processors notice by themselves when whole lines are written.
    #[inline(always)]
    unsafe fn stream(self, to: *mut u8) {
        // SAFETY: the contract of `stream` is that of `store`, and more.
        unsafe { self.store(to) }
    }

    #[inline(always)]
    unsafe fn interleave<const ITEM: usize>(self, other: Self) -> (Self, Self) {
        // SAFETY: `vzip1q_u8` and the like are NEON, which every aarch64 has.
        unsafe {
            match ITEM {
                1 => (Self(vzip1q_u8(self.0, other.0)), Self(vzip2q_u8(self.0, other.0))),
                2 => zip!(
                    self,
                    other,
                    vreinterpretq_u16_u8,
                    vzip1q_u16,
                    vzip2q_u16,
                    vreinterpretq_u8_u16
                ),
                4 => zip!(
                    self,
                    other,
                    vreinterpretq_u32_u8,
                    vzip1q_u32,
                    vzip2q_u32,
                    vreinterpretq_u8_u32
                ),
                _ => zip!(
                    self,
                    other,
                    vreinterpretq_u64_u8,
                    vzip1q_u64,
                    vzip2q_u64,
                    vreinterpretq_u8_u64
                ),
            }
        }
    }
}
