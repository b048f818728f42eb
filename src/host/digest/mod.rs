//! CRC-64/NVME of what lies in many places of memory.
//!
//! Without its first and last step, a CRC is linear: of a message that is a sum of messages, each with
//! zeros where the others have bytes, it is their sum. So every run of bytes is summed for itself, moved
//! by the number of bytes behind it, and added, in any order, on any thread and in any process.
//!
//! Files import in one direction: `polynomial`, `engine`, `folding` and its two processors, `nest`, and
//! the entry points here.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "places inside of buffers and of a message whose bytes fit an isize"
)]

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod engine;
mod folding;
mod nest;
mod polynomial;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::copy_list::CopyList;
use super::cpu::Machine;
use super::options::{CopyOptions, Instructions};
use super::tuning::{MIN_BYTES_PER_THREAD, PARTS_PER_THREAD};
use super::{thread_count, threads};
use crate::geometry::{Loop, turns};
use engine::{Engine, Tables};
use nest::{RunNest, register_of};

/// The place of a message: where the destinations of copies that are never made would be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MessagePlace {
    /// The address of the first byte.
    pub(crate) start: usize,
    pub(crate) bytes: usize,
}

/// The register of what the copies of a list would write into a message of zeros. Registers of lists that
/// write other bytes of a message add up by exclusive or.
///
/// # Safety
///
/// Every source byte of the list may be read and is not written meanwhile. Copies are of whole bytes, and
/// their destinations are inside of the message.
pub(crate) unsafe fn register(
    copies: &CopyList, message: MessagePlace, options: &CopyOptions,
) -> u64 {
    let threads = thread_count(options.max_threads, &Machine::get(), copies.bytes());
    let kind = EngineKind::new(options);
    let run = |task: &SummedRuns<'_>| {
        // SAFETY: the contract of `register` covers every source byte of the list, and a `task` has
        // some of these.
        let sum = unsafe { kind.register_of(&task.nest) };
        kind.shift_by(sum, message.bytes - (task.end - message.start))
    };
    if threads == 1 {
        let mut sum = 0;
        Division { copies, most: usize::MAX }.each(&mut |task| sum ^= run(task));
        return sum;
    }
    let most = copies.bytes().div_ceil(threads * PARTS_PER_THREAD);
    let division = Division { copies, most: most.max(MIN_BYTES_PER_THREAD / PARTS_PER_THREAD) };
    let (sum, next) = (AtomicU64::new(0), AtomicUsize::new(0));
    threads::share(threads, || {
        // Every thread counts the same tasks, and takes those whose numbers it was given.
        let (mut own, mut number) = (next.fetch_add(1, Ordering::Relaxed), 0);
        division.each(&mut |task| {
            if number == own {
                sum.fetch_xor(run(task), Ordering::Relaxed);
                own = next.fetch_add(1, Ordering::Relaxed);
            }
            number += 1;
        });
    });
    sum.into_inner()
}

/// What makes the register of a message its CRC. It is counted once.
pub(crate) fn constant(message: MessagePlace, options: &CopyOptions) -> u64 {
    // The register starts with ones, and all bits are flipped in the end.
    !EngineKind::new(options).shift_by(u64::MAX, message.bytes)
}

/// The CRC of bytes that come one part after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunningCrc {
    kind: EngineKind,
    register: u64,
}

impl RunningCrc {
    /// That of no bytes.
    pub(crate) fn new() -> Self {
        // The register starts with ones, and all bits are flipped in the end.
        Self { kind: EngineKind::new(&CopyOptions::default()), register: u64::MAX }
    }

    /// Adds the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        // SAFETY: `bytes` are borrowed until `update` returns, and so they may be read.
        self.register = unsafe { self.kind.update(self.register, bytes.as_ptr(), bytes.len()) };
    }

    /// The CRC of all bytes.
    pub(crate) fn value(self) -> u64 {
        !self.register
    }
}

/// Runs that one thread sums.
struct SummedRuns<'a> {
    nest: RunNest<'a>,
    /// Where the last of their destinations ends.
    end: usize,
}

/// Copies, divided into tasks of at most about so many bytes.
struct Division<'a> {
    copies: &'a CopyList,
    most: usize,
}

impl Division<'_> {
    fn each(&self, visit: &mut dyn FnMut(&SummedRuns<'_>)) {
        for index in 0..self.copies.len() {
            let (copy, loops) = self.copies.piece(index);
            self.divide((copy.source, copy.destination.addr()), copy.run, loops, visit);
        }
    }

    /// Recurses for each loop, of which there are at most two for each dimension.
    fn divide(
        &self, (source, start): (*const u8, usize), run: usize, loops: &[Loop],
        visit: &mut dyn FnMut(&SummedRuns<'_>),
    ) {
        let Some((level, inner)) = loops.split_first() else {
            let (mut at, outer) = (0, Loop::ONCE);
            while at < run {
                let run = self.most.min(run - at);
                let first = source.wrapping_add(at);
                at += run;
                visit(&SummedRuns {
                    nest: RunNest { first, run, outer, inner: &[] },
                    end: start + at,
                });
            }
            return;
        };
        let turn_bytes = run * turns(inner);
        // How many turns are one task; none if a turn is too large for one.
        let together = self.most / turn_bytes.max(1);
        // Steps in a message go forward.
        let end_of_turn = run + reach(inner);
        let mut at = 0;
        while at < level.count {
            let first = source.wrapping_offset(at as isize * level.source_step);
            let start = start + at * level.destination_step.unsigned_abs();
            if together == 0 {
                self.divide((first, start), run, inner, visit);
                at += 1;
                continue;
            }
            let outer = Loop { count: together.min(level.count - at), ..*level };
            let end = start + reach(&[outer]) + end_of_turn;
            visit(&SummedRuns { nest: RunNest { first, run, outer, inner }, end });
            at += outer.count;
        }
    }
}

/// How far the destination of the last turn is behind that of the first.
fn reach(loops: &[Loop]) -> usize {
    loops.iter().map(|level| (level.count - 1) * level.destination_step.unsigned_abs()).sum()
}

/// Which engine sums.
#[derive(Debug, Clone, Copy)]
enum EngineKind {
    Tables,
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    Folding(FoldingHere),
}

#[cfg(target_arch = "x86_64")]
type FoldingHere = folding::Folding<std::arch::x86_64::__m128i>;
#[cfg(target_arch = "aarch64")]
type FoldingHere = folding::Folding<std::arch::aarch64::uint64x2_t>;

impl EngineKind {
    fn new(options: &CopyOptions) -> Self {
        if options.instructions == Instructions::Portable {
            return Self::Tables;
        }
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("pclmulqdq") && is_x86_feature_detected!("sse4.1") {
            // SAFETY: `is_x86_feature_detected` found what the contract of `FoldingHere::new`
            // requires.
            return Self::Folding(unsafe { FoldingHere::new() });
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("aes") {
            // SAFETY: `is_aarch64_feature_detected` found what the contract of `FoldingHere::new`
            // requires.
            return Self::Folding(unsafe { FoldingHere::new() });
        }
        Self::Tables
    }

    /// # Safety
    ///
    /// As [`register_of`].
    unsafe fn register_of(self, nest: &RunNest<'_>) -> u64 {
        // SAFETY: the contract of `register_of` covers all runs of `nest`, and a `Folding` exists
        // only where the processor has its instructions.
        unsafe {
            match self {
                Self::Tables => register_of(Tables, nest),
                #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
                Self::Folding(engine) => register_by_folding(engine, nest),
            }
        }
    }

    /// The register of a message of which `register` is that of the part before `bytes`.
    ///
    /// # Safety
    ///
    /// The bytes may be read.
    unsafe fn update(self, register: u64, bytes: *const u8, len: usize) -> u64 {
        // SAFETY: the contract of `update` covers `len` bytes, and a `Folding` exists only where
        // the processor has its instructions.
        unsafe {
            match self {
                Self::Tables => Tables.update(register, bytes, len),
                #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
                Self::Folding(engine) => update_by_folding(engine, register, bytes, len),
            }
        }
    }

    /// `register` with so many zero bytes behind it.
    fn shift_by(self, register: u64, bytes: usize) -> u64 {
        match self {
            Self::Tables => Tables.shift_by(register, bytes),
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            // SAFETY: an `engine` of this kind exists only where the processor has its
            // instructions.
            Self::Folding(engine) => unsafe { shift_by_folding(engine, register, bytes) },
        }
    }
}

/// [`nest::register_of`], compiled with the instructions of the engine.
///
/// # Safety
///
/// As [`nest::register_of`], on a processor that has these instructions.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "pclmulqdq,sse4.1"))]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon,aes"))]
unsafe fn register_by_folding(engine: FoldingHere, nest: &RunNest<'_>) -> u64 {
    // SAFETY: the contract of `register_by_folding` is that of `nest::register_of`, with this
    // `engine`.
    unsafe { register_of(engine, nest) }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "pclmulqdq,sse4.1"))]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon,aes"))]
unsafe fn shift_by_folding(engine: FoldingHere, register: u64, bytes: usize) -> u64 {
    engine.shift_by(register, bytes)
}

/// [`Engine::update`], compiled with the instructions of the engine.
///
/// # Safety
///
/// As [`Engine::update`], on a processor that has these instructions.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "pclmulqdq,sse4.1"))]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon,aes"))]
unsafe fn update_by_folding(
    engine: FoldingHere, register: u64, bytes: *const u8, len: usize,
) -> u64 {
    // SAFETY: the contract of `update_by_folding` is that of `update`, with this `engine`.
    unsafe { engine.update(register, bytes, len) }
}
