//! Inputs that are like others: some bytes of a known one are changed, taken away, doubled, or taken from
//! another one or from a dictionary.

/// Numbers at which code decides.
const NUMBERS: [i64; 24] = [
    0,
    1,
    -1,
    2,
    3,
    4,
    7,
    8,
    16,
    31,
    32,
    33,
    48,
    64,
    127,
    255,
    256,
    65_535,
    1 << 31,
    1 << 32,
    i64::MAX,
    i64::MIN,
    i64::MAX / 2,
    1 << 53,
];
/// Bytes that mean something in texts.
const BYTES: &[u8] = b"{}[]()<>\",:=@#'_-+.0123456789 \n\t\\SRPTN\x00\x7f\x80\xff\xc3";
/// The longest piece that one change takes away, doubles or inserts.
const MAX_PIECE: usize = 64;

/// A small generator of random numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `count`, or 0 if there is none.
    fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.next()) * count as u128) >> 64) as usize
    }

    fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let at = self.below(items.len());
        &items[at]
    }
}

/// Makes inputs.
pub struct Mutator {
    random: Random,
    /// Shortest first.
    corpus: Vec<Vec<u8>>,
    tokens: Vec<Vec<u8>>,
    max_length: usize,
    piece: Vec<u8>,
}

impl Mutator {
    /// Mutations of a corpus. The same arguments make the same inputs.
    pub fn new(
        seed: u64, mut corpus: Vec<Vec<u8>>, mut tokens: Vec<Vec<u8>>, max_length: usize,
    ) -> Self {
        corpus.sort_by_key(Vec::len);
        corpus.push(Vec::new());
        tokens.push(vec![0]);
        Self { random: Random(seed), corpus, tokens, max_length, piece: Vec::new() }
    }

    /// The next input. Short ones are more frequent.
    pub fn next(&mut self, input: &mut Vec<u8>) {
        let count = self.corpus.len();
        let at = self.random.below(count).min(self.random.below(count));
        input.clear();
        input.extend_from_slice(&self.corpus[at]);
        let changes = 1 + (self.random.next() | 1 << 4).trailing_zeros();
        for _ in 0..changes {
            self.change(input);
        }
        input.truncate(self.max_length);
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let random = &mut self.random;
        let at = random.below(input.len() + 1);
        let end = (at + 1 + random.below(MAX_PIECE.min(input.len() / 2 + 1))).min(input.len());
        let kind = random.below(10);
        match (kind, input.get_mut(at)) {
            (0, Some(byte)) => *byte ^= 1 << random.below(8),
            (1, Some(byte)) => *byte = *random.of(BYTES),
            (2, _) => drop(input.drain(at..end)),
            (3, _) => self.in_place(input, at..at, |mutator, piece| {
                piece.extend(mutator.random.of(&mutator.tokens));
            }),
            (4, _) => self.in_place(input, at..end, |mutator, piece| {
                piece.extend(mutator.random.of(&mutator.tokens));
            }),
            (5, _) => {
                let to = random.below(input.len() + 1);
                self.piece.clear();
                self.piece.extend_from_slice(&input[at..end]);
                input.splice(to..to, self.piece.drain(..));
            }
            (6, _) => self.in_place(input, at..end, |mutator, piece| {
                let other = mutator.random.of(&mutator.corpus);
                let from = mutator.random.below(other.len() + 1);
                let length = mutator.random.below(MAX_PIECE);
                piece.extend(other[from..].iter().take(length));
            }),
            (7, _) => number_in_text(input, at, random),
            (8, _) => {
                let bytes = random.of(&NUMBERS).to_le_bytes();
                let end = (at + 8).min(input.len());
                input[at..end].copy_from_slice(&bytes[..end - at]);
            }
            _ => {
                let byte = *random.of(BYTES);
                let count = 1 + random.below(4);
                input.splice(at..at, std::iter::repeat_n(byte, count));
            }
        }
    }

    /// Puts other bytes in the place of some.
    fn in_place(
        &mut self, input: &mut Vec<u8>, range: std::ops::Range<usize>,
        write: impl FnOnce(&mut Self, &mut Vec<u8>),
    ) {
        let mut piece = std::mem::take(&mut self.piece);
        piece.clear();
        write(self, &mut piece);
        input.splice(range, piece.iter().copied());
        self.piece = piece;
    }
}

/// Replaces the first number in digits from a place on.
fn number_in_text(input: &mut Vec<u8>, at: usize, random: &mut Random) {
    let Some(start) = input[at..].iter().position(u8::is_ascii_digit).map(|from| at + from) else {
        return;
    };
    let digits = input[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = match random.below(2) {
        0 => *random.of(&NUMBERS),
        _ => random.below(16) as i64,
    };
    input.splice(start..start + digits, number.to_string().bytes());
}
