//! What a case is made of: choices by the bytes of an input, and by chance when these are used up. A fuzzer
//! steers the case by the bytes, and every short input still is a whole case.

/// Choices. The tests of the library make their random cases with a type of the same functions, so their
/// cases are those of a fuzzer here.
pub struct Random {
    bytes: Vec<u8>,
    at: usize,
    state: u64,
}

impl Random {
    /// The choices of an input.
    pub fn of(input: &[u8]) -> Self {
        let mix = |state: u64, &byte: &u8| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        Self { bytes: input.to_vec(), at: 0, state: input.iter().fold(0xCBF2_9CE4_8422_2325, mix) }
    }

    /// A number of 64 bits, by chance (SplitMix64).
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number of `low..high`.
    pub fn range(&mut self, low: i64, high: i64) -> i64 {
        assert!(low < high, "{low}..{high} is empty");
        let span = high.wrapping_sub(low) as u64;
        let chosen = match (self.bytes.get(self.at..self.at + 2), self.bytes.get(self.at)) {
            (_, Some(&byte)) if span <= 1 << 8 => {
                self.at += 1;
                u64::from(byte)
            }
            (Some(&[first, second]), _) if span <= 1 << 16 => {
                self.at += 2;
                u64::from(first) | u64::from(second) << 8
            }
            _ => self.next(),
        };
        low.wrapping_add((chosen % span) as i64)
    }

    /// An index below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        self.range(0, count as i64) as usize
    }

    /// One of some.
    pub fn of_list<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// Yes in one case of `count`.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// Any order of some items.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
