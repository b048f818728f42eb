//! Filling memory with zeros: the holes of buffers that are written whole.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "places inside of a buffer, whose reach fits an address space"
)]

use super::copy_list::CopyList;
use crate::geometry::{offsets_of_turn, turns};

/// Fills the destinations of a list with zeros. Sources are ignored. On this thread.
///
/// # Safety
///
/// Every destination byte of the list may be written, and nothing else uses any of them meanwhile.
pub(crate) unsafe fn fill_with_zeros(list: &CopyList) {
    for index in 0..list.len() {
        let (copy, loops) = list.piece(index);
        for turn in 0..turns(loops) {
            let (_, offset) = offsets_of_turn(loops, turn);
            match copy.bits {
                // SAFETY: inside of a destination, which the caller lets us write.
                None => unsafe { copy.destination.offset(offset).write_bytes(0, copy.run) },
                Some([_, bit]) => {
                    let first = bit as isize + offset;
                    // SAFETY: as above; the bits are those of destinations.
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
/// The bytes that these bits are in may be written.
unsafe fn clear_bits(byte: *mut u8, first: isize, count: usize) {
    let end = first + count as isize;
    let mut at = first;
    while at < end {
        let (number, low) = (at.div_euclid(8), at.rem_euclid(8));
        let high = (low + (end - at)).min(8);
        // Bits below `high` without those below `low`.
        let mask = ((1u16 << high) - (1u16 << low)) as u8;
        // SAFETY: it holds one of the bits, so the caller lets us write it.
        unsafe { *byte.offset(number) &= !mask };
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
}
