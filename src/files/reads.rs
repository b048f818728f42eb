//! Few reads instead of many: what is near each other in a file is read at once.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "bytes of a file, which were checked to lie in it, and loops and blocks that were counted"
)]

use std::ops::Range;

use super::file_copies::{FileCopies, FileCopy};
use crate::geometry::{Loop, offsets_of_turn, turns};
use crate::memory::{Memory, TryVec};
use crate::plan::{MergeOptions, ReadSpan};

/// Bytes that go to one place in memory are read straight to it, if they are so many; fewer are read
/// together with their neighbours.
const MIN_DIRECT: u64 = 64 << 10;
/// The most bytes of a read straight to its place: threads divide more.
const MAX_DIRECT: u64 = 8 << 20;

/// A thread takes small reads in batches of about so many bytes, and of no more reads: what is not in the
/// system's cache is then asked for at once, so that a disk has many requests to work on.
const BATCH_BYTES: u64 = 1 << 20;
const MAX_BATCH: u64 = 256;
/// As far as there are so many batches for each thread: the last one is not long alone.
const BATCHES_PER_THREAD: u64 = 4;

/// How reads are merged, and who reads. Each thread has memory for one read whose parts go to several
/// places.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ReadOptions {
    /// Most threads to use, the caller's included; 0: a few.
    pub max_threads: usize,
    /// Which parts of a file are read at once.
    pub merge: MergeOptions,
}

/// A part of a copy that one read has the bytes of.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadBlock {
    pub(super) copy: u32,
    pub(super) first_byte: u64,
    /// From its first byte to behind its last one.
    pub(super) span: u64,
    /// Bytes that it needs of these.
    pub(super) needed: u64,
    pub(super) destination: *mut u8,
    /// Turns of the first of its loops; of a block without loops, its bytes.
    turns: usize,
    /// How many of the copy's loops it has, the innermost ones.
    loop_count: u32,
}

// SAFETY: a `ReadBlock` has an address and does not follow it. Functions that do, such as
// `CheckpointRead::run`, have a contract of their own.
unsafe impl Send for ReadBlock {}
// SAFETY: a shared `ReadBlock` gives numbers and an address, which never change.
unsafe impl Sync for ReadBlock {}

/// One read: some bytes of a file, and the blocks that are in them.
#[derive(Debug, Clone)]
pub(super) struct FileRead {
    pub(super) file: u32,
    pub(super) first_byte: u64,
    pub(super) span: u64,
    pub(super) blocks: Range<usize>,
}

/// All reads, by file and by where they start.
#[derive(Debug)]
pub(super) struct Reads {
    pub(super) reads: Vec<FileRead>,
    pub(super) blocks: Vec<ReadBlock>,
    /// Bytes that all blocks need.
    pub(super) needed: u64,
}

impl ReadBlock {
    fn read_span(&self) -> ReadSpan {
        ReadSpan { first_byte: self.first_byte, bytes: self.span, needed: self.needed }
    }

    /// Whether its bytes are contiguous in the file and in memory.
    pub(super) fn is_direct(&self) -> bool {
        self.loop_count == 0
    }

    /// Whether it is read without its neighbours.
    fn is_alone(&self) -> bool {
        self.is_direct() && self.span >= MIN_DIRECT
    }

    /// The bytes of a run, and how often it is repeated and how far it steps in the file and in memory:
    /// the innermost loop first.
    pub(super) fn nest<'a>(
        &self, copies: &'a FileCopies,
    ) -> (usize, impl Iterator<Item = (usize, [isize; 2])> + use<'a>) {
        let copy = &copies.copies[self.copy as usize];
        let run = if self.is_direct() { self.turns } else { copy.run };
        let outermost = copy.loops.end - self.loop_count as usize;
        let loops = copies.loops[outermost..copy.loops.end].iter().enumerate().rev();
        let own_turns = self.turns;
        let loops = loops.map(move |(at, level)| {
            let count = if at == 0 { own_turns } else { level.count };
            (count, [level.destination_step, level.source_step])
        });
        (run, loops)
    }
}

impl Reads {
    /// The reads that fetch what some copies need.
    pub(super) fn new(copies: &FileCopies, options: &ReadOptions) -> Memory<Self> {
        let mut blocks = Vec::new();
        for (number, copy) in copies.copies.iter().enumerate() {
            Split::of(copy, &copies.loops, options).push_blocks(
                number,
                copy,
                &copies.loops,
                &mut blocks,
            )?;
        }
        let file = |block: &ReadBlock| copies.copies[block.copy as usize].file;
        blocks.sort_unstable_by_key(|block| (file(block), block.first_byte, block.span));
        let mut reads: Vec<FileRead> = Vec::new();
        let mut last_span = ReadSpan { first_byte: 0, bytes: 0, needed: 0 };
        for (at, block) in blocks.iter().enumerate() {
            let joined = reads.last_mut().and_then(|read| {
                let alone = block.is_alone() || blocks[read.blocks.start].is_alone();
                let can_join = !alone && file(block) == read.file;
                let span =
                    can_join.then(|| options.merge.joined(last_span, block.read_span()))??;
                Some((read, span))
            });
            if let Some((read, span)) = joined {
                last_span = span;
                read.span = span.bytes;
                read.blocks.end = at + 1;
                continue;
            }
            last_span = block.read_span();
            let (first_byte, span, blocks) = (block.first_byte, block.span, at..at + 1);
            reads.try_push(FileRead { file: file(block), first_byte, span, blocks })?;
        }
        let needed = blocks.iter().map(|block| block.needed).sum();
        Ok(Self { reads, blocks, needed })
    }

    /// How many reads a thread takes at once.
    pub(super) fn batch(&self, threads: usize) -> usize {
        let count = self.reads.len() as u64;
        let all = self.reads.iter().fold(0u64, |sum, read| sum.saturating_add(read.span));
        let mean = (all / count.max(1)).max(1);
        let share = count / (threads as u64).saturating_mul(BATCHES_PER_THREAD).max(1);
        (BATCH_BYTES / mean).min(MAX_BATCH).min(share).max(1) as usize
    }

    /// The blocks of a read.
    pub(super) fn blocks_of(&self, read: &FileRead) -> &[ReadBlock] {
        &self.blocks[read.blocks.clone()]
    }

    /// Whether a read goes straight to its place in memory.
    pub(super) fn is_direct(&self, read: &FileRead) -> bool {
        matches!(self.blocks_of(read), [block] if block.is_direct())
    }
}

/// How a copy is divided into blocks: which of its loops are inside of a block, and how many turns of the
/// outermost of these a block has.
struct Split {
    /// Where the loops inside of a block start.
    from: usize,
    /// Turns of the first of these loops, or bytes where there is none.
    all: u64,
    of_block: u64,
    /// From one turn to the next, in the file and in memory.
    steps: [i64; 2],
    /// Span and needed bytes of one turn.
    of_turn: [u64; 2],
}

impl Split {
    fn of(copy: &FileCopy, loops: &[Loop], options: &ReadOptions) -> Self {
        let run = copy.run as u64;
        let (mut span, mut needed) = (run, run);
        let (steps, of_turn, from) = ([1, 1], [1, 1], copy.loops.end);
        let mut split = Self { from, all: run, of_block: MAX_DIRECT, steps, of_turn };
        if run >= MIN_DIRECT {
            return split;
        }
        for at in copy.loops.clone().rev() {
            let level = loops[at];
            let step = level.destination_step.unsigned_abs() as u64;
            let all = level.count as u64;
            let turn = ReadSpan { first_byte: 0, bytes: span, needed };
            let Some(of_block) = options.merge.turns_of_a_read(turn, step, all) else { break };
            let steps = [level.destination_step as i64, level.source_step as i64];
            split = Self { from: at, all, of_block, steps, of_turn: [span, needed] };
            if of_block < all {
                break;
            }
            (span, needed) = (span + (all - 1) * step, needed * all);
        }
        split
    }

    fn push_blocks(
        &self, number: usize, copy: &FileCopy, loops: &[Loop], blocks: &mut Vec<ReadBlock>,
    ) -> Memory<()> {
        let outer = &loops[copy.loops.start..self.from];
        let loop_count = (copy.loops.end - self.from) as u32;
        for turn in 0..turns(outer) {
            let (in_memory, in_file) = offsets_of_turn(outer, turn);
            let mut done = 0;
            while done < self.all {
                let count = self.of_block.min(self.all - done);
                let [file_step, step] = self.steps;
                let [span, needed] = self.of_turn;
                let places = [in_file as i64, in_memory as i64];
                let [in_file, in_memory] =
                    [places[0] + done as i64 * file_step, places[1] + done as i64 * step];
                blocks.try_push(ReadBlock {
                    copy: number as u32,
                    first_byte: copy.first_byte + in_file as u64,
                    span: span + (count - 1) * file_step as u64,
                    needed: needed * count,
                    destination: copy.destination.wrapping_offset(in_memory as isize),
                    turns: count as usize,
                    loop_count,
                })?;
                done += count;
            }
        }
        Ok(())
    }
}
