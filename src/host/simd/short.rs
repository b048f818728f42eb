//! Short copies without a loop or a call.

#![allow(clippy::arithmetic_side_effects, reason = "bytes of a range that the caller promises")]

/// Copies `N` bytes.
///
/// # Safety
///
/// The bytes may be read and written and do not overlap.
#[inline(always)]
pub(in crate::host) unsafe fn copy_fixed<const N: usize>(from: *const u8, to: *mut u8) {
    // SAFETY: the contract of `copy_fixed` is that `N` bytes may be read at `from` and written at
    // `to`. Arrays of bytes need no alignment.
    unsafe { to.cast::<[u8; N]>().write(from.cast::<[u8; N]>().read()) }
}

/// Copies the first and the last `N` bytes, which together are all.
///
/// # Safety
///
/// As [`copy_fixed`], for `len` bytes, and `N <= len <= 2 * N`.
#[inline(always)]
pub(in crate::host) unsafe fn copy_ends<const N: usize>(from: *const u8, to: *mut u8, len: usize) {
    let last = len - N;
    // SAFETY: `last` and `N` are together `len`, so both parts are inside of the bytes that the
    // contract of `copy_ends` covers.
    unsafe {
        let tail = from.add(last).cast::<[u8; N]>().read();
        copy_fixed::<N>(from, to);
        to.add(last).cast::<[u8; N]>().write(tail);
    }
}

/// Copies at most a line without a loop.
///
/// # Safety
///
/// As [`copy_fixed`], for `len` bytes.
#[inline(always)]
pub(in crate::host) unsafe fn copy_short(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the contract of `copy_short` is that of `copy_fixed` and `copy_ends`, and in each arm
    // `len` is in their range.
    unsafe {
        match len {
            0 => {}
            1 => copy_fixed::<1>(from, to),
            2..4 => copy_ends::<2>(from, to, len),
            4..8 => copy_ends::<4>(from, to, len),
            8..16 => copy_ends::<8>(from, to, len),
            16..32 => copy_ends::<16>(from, to, len),
            _ => copy_ends::<32>(from, to, len),
        }
    }
}
