use std::mem::MaybeUninit;
use std::sync::LazyLock;

use super::*;
use crate::geometry::{LoopNest, offsets_of_turn};
use crate::host::copy_list::{BitPointer, FullSide, Units};
use proptest::prelude::*;

/// The register after a byte, from an empty one: bit by bit, as the catalogue defines it.
static AFTER: LazyLock<[u64; 256]> = LazyLock::new(|| {
    std::array::from_fn(|byte| (0..8).fold(byte as u64, |after, _| polynomial::times_x(after)))
});

/// Byte by byte.
fn crc(message: &[u8]) -> u64 {
    let after = &*AFTER;
    let step = |register: u64, byte: &u8| register >> 8 ^ after[usize::from(register as u8 ^ byte)];
    !message.iter().fold(u64::MAX, step)
}

const BOTH: [Instructions; 2] = [Instructions::Portable, Instructions::Best];

fn options(instructions: Instructions, max_threads: usize) -> CopyOptions {
    CopyOptions { instructions, max_threads, ..CopyOptions::default() }
}

const START: usize = 1 << 12;

/// A source, its place in the message, and how often and how far each side steps.
type Copied = (*const u8, usize, Vec<(usize, [isize; 2])>);

/// The CRC of a message that these copies would write.
fn by_copies(bytes: usize, copies: &[Copied], options: &CopyOptions) -> u64 {
    let mut list = CopyList::new(FullSide::Destination);
    for (source, place, dims) in copies {
        let source = BitPointer { byte: source.cast_mut(), bit: 0 };
        let to = BitPointer { byte: std::ptr::without_provenance_mut(START + place), bit: 0 };
        let units = Units { width: 1, per_byte: 1 };
        list.push_box(units, [source, to], dims.iter().copied()).unwrap();
    }
    let message = MessagePlace { start: START, bytes };
    // SAFETY: the sources are the caller's.
    unsafe { register(&list, message, options) ^ constant(message, options) }
}

/// Made once, because making it takes longer than what is tested. Its length is prime, so that no stride repeats it.
static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..1_000_003).map(next).collect()
});

fn noise(len: usize) -> Vec<u8> {
    let mut noise = NOISE.repeat(len.div_ceil(NOISE.len()));
    noise.truncate(len);
    noise
}

#[test]
fn the_check_value_is_that_of_the_catalogue() {
    assert_eq!(crc(b"123456789"), 0xae8b_1486_0a79_9888);
    for instructions in BOTH {
        let copies = [(b"123456789".as_ptr(), 0, vec![(9, [1, 1])])];
        let found = by_copies(9, &copies, &options(instructions, 1));
        assert_eq!(found, 0xae8b_1486_0a79_9888);
        assert_eq!(by_copies(0, &[], &options(instructions, 1)), 0);
    }
}

#[test]
fn messages_of_every_length_have_their_crc() {
    let bytes = noise(700);
    for len in (0..300).chain([511, 512, 513, 640, 699]) {
        for start in [0, 1] {
            let message = &bytes[start..start + len];
            for instructions in BOTH {
                let copies = [(message.as_ptr(), 0, vec![(len, [1, 1])])];
                let copies = if len == 0 { &[][..] } else { &copies };
                let found = by_copies(len, copies, &options(instructions, 1));
                assert_eq!(found, crc(message), "{len} {instructions:?}");
            }
        }
    }
}

#[test]
fn threads_sum_all_runs_once() {
    let bytes = noise((9 << 20) + 5);
    for (rows, row) in [(1, bytes.len()), (3, 3 << 20), (4096, 2304), (1 << 16, 3)] {
        let message = &bytes[..rows * row];
        // The rows of the message backwards in memory.
        let last = bytes[(rows - 1) * row..].as_ptr();
        let dims = vec![(row, [1, 1]), (rows, [-(row as isize), row as isize])];
        let expected: Vec<u8> = message.chunks(row).rev().flatten().copied().collect();
        let expected = by_copies(
            expected.len(),
            &[(expected.as_ptr(), 0, vec![(expected.len(), [1, 1])])],
            &options(Instructions::Best, 1),
        );
        for threads in [1, 2, 3] {
            let options = options(Instructions::Best, threads);
            let found = by_copies(message.len(), &[(last, 0, dims.clone())], &options);
            assert_eq!(found, expected, "{rows} rows of {row} bytes, {threads} threads");
        }
    }
}

proptest! {
    #[test]
    fn nests_of_any_loops_are_summed_where_they_lie(
        run in prop_oneof![1usize..9, 9usize..80, 200usize..300],
        loops in prop::collection::vec((1usize..7, 0usize..300, any::<bool>()), 0..4),
        many in prop_oneof![Just(1usize), 2usize..600],
        near in 0usize..40, behind in 0usize..100, order in any::<bool>(),
    ) {
        // Dense in the message but for gaps; in memory in the same order or the other.
        let mut dims = vec![(run, [1isize, 1isize])];
        let mut reach = run;
        let gaps = std::iter::once((many, near, false)).chain(loops);
        let levels: Vec<_> = gaps.collect();
        for &(count, gap, _) in &levels {
            let step = reach + gap;
            dims.push((count, [0, step as isize]));
            reach += step * (count - 1);
        }
        let mut source_reach = run;
        let mut places: Vec<_> = (0..levels.len()).collect();
        if order {
            places.reverse();
        }
        let mut start = 0;
        for at in places {
            let (count, _, backwards) = levels[at];
            let step = source_reach as isize;
            dims[at + 1].1[0] = if backwards { -step } else { step };
            if backwards {
                start += source_reach * (count - 1);
            }
            source_reach *= count;
        }
        let source = noise(source_reach);
        let bytes = reach + behind;
        let mut message = vec![0; bytes];
        let mut list = Vec::new();
        let mut nest = LoopNest::new(&mut list, [0, 0], 1);
        for &(count, [from, to]) in &dims {
            nest.repeat(count, from, to).unwrap();
        }
        let (starts, run) = (nest.starts(), nest.run());
        for turn in 0..turns(nest.loops()) {
            let (from, to) = offsets_of_turn(nest.loops(), turn);
            let from = (start as isize + starts[0] + from) as usize;
            let to = (starts[1] + to) as usize;
            message[to..to + run].copy_from_slice(&source[from..from + run]);
        }
        for instructions in BOTH {
            let copies = [(source[start..].as_ptr(), 0, dims.clone())];
            let found = by_copies(bytes, &copies, &options(instructions, 1));
            prop_assert_eq!(found, crc(&message), "{:?}", instructions);
        }
    }
}

#[test]
fn what_is_not_read_need_not_be_there() {
    // Every second byte of memory is not initialised.
    let mut memory = [MaybeUninit::<u8>::uninit(); 200];
    memory.iter_mut().step_by(2).zip(0..).for_each(|(byte, value)| {
        byte.write(value);
    });
    let expected: Vec<u8> = (0..100).collect();
    for instructions in BOTH {
        let copies = [(memory.as_ptr().cast(), 0, vec![(100, [2, 1])])];
        assert_eq!(by_copies(100, &copies, &options(instructions, 1)), crc(&expected));
    }
}
