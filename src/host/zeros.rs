//! Filling memory with zeros: the holes of buffers that are written whole.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "places inside of a buffer, whose reach fits an address space"
)]

use std::sync::atomic::{AtomicU8, Ordering};

use super::copy_list::CopyList;
use crate::geometry::{offsets_of_turn, turns};

/// Fills the destinations of a list with zeros. Sources are ignored. On this thread.
///
/// # Safety
///
/// Every destination byte of the list may be written, and nothing else uses any of them meanwhile.
/// Of bytes with some of the bits of a destination, others may write other bits, as [`bits`] does.
///
/// [`bits`]: super::kernels::bits
pub(crate) unsafe fn fill_with_zeros(list: &CopyList) {
    for index in 0..list.len() {
        let (copy, loops) = list.piece(index);
        for turn in 0..turns(loops) {
            let (_, offset) = offsets_of_turn(loops, turn);
            match copy.bits {
                // SAFETY: the bytes from `offset` on are holes of a destination, which the contract of
                // `fill_with_zeros` lets this write.
                None => unsafe { copy.destination.offset(offset).write_bytes(0, copy.run) },
                Some([_, bit]) => {
                    let first = bit as isize + offset;
                    // SAFETY: the bits from `first` on are holes of a destination, which the contract
                    // of `fill_with_zeros` lets this write.
                    unsafe { clear_bits(copy.destination, first, copy.run) }
                }
            }
        }
    }
}

/// Clears `count` bits from bit `first` behind `byte` on. The lowest bit of a byte is its first.
///
/// # Safety
///
/// These bits may be written. Others touch other bits of the bytes that they share by atomic operations
/// only.
unsafe fn clear_bits(byte: *mut u8, first: isize, count: usize) {
    let end = first + count as isize;
    let mut at = first;
    while at < end {
        let (number, low) = (at.div_euclid(8), at.rem_euclid(8));
        let high = (low + (end - at)).min(8);
        // Bits below `high` without those below `low`.
        let mask = ((1u16 << high) - (1u16 << low)) as u8;
        // SAFETY: the byte at `number` has some of the bits that the contract of `clear_bits` lets this
        // write. Others may write its other bits, so it is changed by an atomic operation.
        unsafe {
            let byte = AtomicU8::from_ptr(byte.offset(number));
            if mask == 0xFF {
                byte.store(0, Ordering::Relaxed);
            } else {
                byte.fetch_and(!mask, Ordering::Relaxed);
            }
        }
        at += high - low;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_cleared_and_their_neighbours_are_not() {
        for first in 0..20 {
            for count in 0..20 {
                let mut bytes = [0xffu8; 6];
                // SAFETY: bits of the array.
                unsafe { clear_bits(bytes.as_mut_ptr(), first, count) };
                for bit in 0..48 {
                    let is_cleared = bytes[bit / 8] >> (bit % 8) & 1 == 0;
                    let expected = (first as usize..first as usize + count).contains(&bit);
                    assert_eq!(is_cleared, expected, "{first} {count} {bit}");
                }
            }
        }
    }

    /// Shards of elements below a byte may meet in the middle of one. They are filled by several threads.
    #[test]
    fn threads_that_clear_other_bits_of_a_byte_lose_none() {
        // A tenth of a second: without atomic operations, about 30 bits are lost.
        const ROUNDS: usize = 2_000_000;
        let (shared, both) = (AtomicU8::new(0), std::sync::Barrier::new(2));
        std::thread::scope(|scope| {
            for bit in [0, 5] {
                let (shared, both) = (&shared, &both);
                scope.spawn(move || {
                    both.wait();
                    for round in 0..ROUNDS {
                        shared.fetch_or(1 << bit, Ordering::Relaxed);
                        assert_eq!(shared.load(Ordering::Relaxed) >> bit & 1, 1, "{bit} {round}");
                        // SAFETY: the bit is this thread's own.
                        unsafe { clear_bits(shared.as_ptr(), bit as isize, 1) };
                        assert_eq!(shared.load(Ordering::Relaxed) >> bit & 1, 0, "{bit} {round}");
                    }
                });
            }
        });
    }
}
