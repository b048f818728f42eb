//! The arithmetic of a CRC: by tables on any processor, or by what one has for it.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "indices into tables are bytes, and there is a table for each; the rest is arithmetic of 64 \
              coefficients and places inside of a caller's bytes"
)]

use super::polynomial::{DOUBLINGS, ONE, Shift, product, times_x};

/// What sums of messages are made with. Messages are polynomials: a register holds a message times
/// `x^64`, so a message of no bytes, or of zeros, has the register 0.
pub(super) trait Engine: Copy {
    /// `a` with so many zero bytes behind it.
    fn shift(self, a: u64, by: Shift) -> u64;

    /// The register of a message of which `register` is that of the part before `bytes`.
    ///
    /// # Safety
    ///
    /// The bytes may be read.
    unsafe fn update(self, register: u64, bytes: *const u8, len: usize) -> u64;

    /// The register of `count` words of `len` bytes, at most 8, each `by` behind the one before. In
    /// memory, each is `step` bytes behind the one before.
    ///
    /// # Safety
    ///
    /// The words may be read.
    #[inline(always)]
    unsafe fn words(
        self, first: *const u8, (count, step): (usize, isize), len: usize, by: Shift,
    ) -> u64 {
        let (mut sum, mut at) = (0, first);
        for _ in 0..count {
            // SAFETY: the contract of `words` covers each word of `len` bytes, of which one is `at`
            // this place.
            sum = self.shift(sum, by) ^ unsafe { word(at, len) };
            at = at.wrapping_offset(step);
        }
        self.shift_by(sum, len)
    }

    /// `a` with `bytes` zero bytes behind it.
    #[inline(always)]
    fn shift_by(self, a: u64, bytes: usize) -> u64 {
        let (mut a, mut left) = (a, bytes);
        while left != 0 {
            a = self.shift(a, DOUBLINGS[left.trailing_zeros() as usize]);
            left &= left - 1;
        }
        a
    }

    /// The shift by so many bytes.
    #[inline(always)]
    fn shift_of(self, bytes: usize) -> Shift {
        Shift::of_power(self.shift_by(ONE, bytes))
    }
}

/// The bytes of a word of at most 8, the first one lowest.
///
/// # Safety
///
/// The bytes may be read.
#[inline(always)]
pub(super) unsafe fn word(at: *const u8, len: usize) -> u64 {
    // SAFETY: the contract of `word` is that `len` bytes may be read `at` this place. Arrays of
    // bytes need no alignment.
    unsafe {
        match len {
            1 => u64::from(at.read()),
            2 => u64::from(u16::from_le_bytes(at.cast::<[u8; 2]>().read())),
            4 => u64::from(u32::from_le_bytes(at.cast::<[u8; 4]>().read())),
            8 => u64::from_le_bytes(at.cast::<[u8; 8]>().read()),
            _ => (0..len.min(8))
                .fold(0, |word, byte| word | u64::from(at.add(byte).read()) << (8 * byte)),
        }
    }
}

/// Tables, by which 8 bytes at a time are added.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tables;

/// For each place of a byte among 8, the register of each byte there and zeros behind it.
static TABLES: [[u64; 256]; 8] = tables();

const fn tables() -> [[u64; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let (mut register, mut place) = (byte as u64, 0);
        while place < 8 {
            let mut bit = 0;
            while bit < 8 {
                register = times_x(register);
                bit += 1;
            }
            tables[place][byte] = register;
            place += 1;
        }
        byte += 1;
    }
    tables
}

impl Engine for Tables {
    fn shift(self, a: u64, by: Shift) -> u64 {
        product(a, times_x(by.factor))
    }

    unsafe fn update(self, register: u64, bytes: *const u8, len: usize) -> u64 {
        let mut register = register;
        let whole = len / 8;
        for at in 0..whole {
            // SAFETY: the 8 bytes `at` this word are among the first `len`, which the contract of
            // `update` covers.
            let x = register ^ unsafe { word(bytes.add(8 * at), 8) };
            register = x
                .to_le_bytes()
                .iter()
                .zip(TABLES.iter().rev())
                .fold(0, |sum, (&byte, table)| sum ^ table[usize::from(byte)]);
        }
        for at in 8 * whole..len {
            // SAFETY: the byte `at` this place is among the first `len`, which the contract of
            // `update` covers.
            let x = register ^ u64::from(unsafe { bytes.add(at).read() });
            register = register >> 8 ^ TABLES[0][(x & 255) as usize];
        }
        register
    }
}
