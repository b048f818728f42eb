//! The pieces of a plan as reads, for a source in a file or far away.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "offsets and strides lie in buffers whose number of bytes was checked to fit an i64"
)]

use std::ops::Range;

use super::merge::{MergeOptions, ReadSpan};
use super::{ReshardPlan, Run};
use crate::error::Result;
use crate::memory::TryVec;

/// Contiguous bytes of a source shard's row-major buffer that are read at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRead {
    /// The source shard's index.
    pub source: usize,
    /// The first byte.
    pub offset: i64,
    /// The number of bytes.
    pub length: i64,
    /// Which runs of [`PlanReads`] it has the bytes of.
    pub runs: Range<usize>,
}

/// Reads by source shard and offset, and the runs whose bytes they have. The source offset of a run counts
/// from the first byte of its read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanReads {
    /// The reads.
    pub reads: Vec<PlanRead>,
    /// The runs of all reads, one read after the other.
    pub runs: Vec<Run>,
}

impl ReshardPlan {
    /// The reads that get the bytes of some pieces: the runs of [`Self::runs_of_bits`], of which a long one
    /// may be divided.
    pub fn reads_of_bits(
        &self, pieces: impl Iterator<Item = usize>, bits: i64, options: &MergeOptions,
    ) -> Result<PlanReads> {
        let mut runs = Vec::new();
        for run in self.runs_of_bits(pieces, bits)? {
            push_parts(&run, options, &mut runs)?;
        }
        // By all that differs, so that equal plans give equal answers.
        let order = |run: &Run| (run.source, span_of(run), run.destination, run.destination_offset);
        runs.sort_unstable_by_key(order);
        let mut reads: Vec<PlanRead> = Vec::new();
        let mut read = ReadSpan { first_byte: 0, bytes: 0, needed: 0 };
        for (at, run) in runs.iter_mut().enumerate() {
            let next = span_of(run);
            let last = reads.last_mut().filter(|last| last.source == run.source);
            let joined = last.and_then(|last| Some((last, options.joined(read, next)?)));
            if let Some((last, whole)) = joined {
                read = whole;
                last.length = whole.bytes as i64;
                last.runs.end = at + 1;
            } else {
                read = next;
                let (offset, length) = (next.first_byte as i64, next.bytes as i64);
                reads.try_push(PlanRead {
                    source: run.source,
                    offset,
                    length,
                    runs: at..at + 1,
                })?;
            }
            run.source_offset -= read.first_byte as i64;
        }
        Ok(PlanReads { reads, runs })
    }
}

/// The bytes from the first to the last of a run in its source.
fn span_of(run: &Run) -> ReadSpan {
    let last = run.source_offset + (run.count - 1) * run.source_stride;
    let first = last.min(run.source_offset);
    let bytes = last.max(run.source_offset) - first + run.length;
    // Neither is negative: they lie in the source's buffer.
    ReadSpan {
        first_byte: first as u64,
        bytes: bytes as u64,
        needed: (run.length * run.count) as u64,
    }
}

/// Adds a run, in parts of which each is in one read.
fn push_parts(run: &Run, options: &MergeOptions, parts: &mut Vec<Run>) -> Result<()> {
    let block = ReadSpan { first_byte: 0, bytes: run.length as u64, needed: run.length as u64 };
    let step = run.source_stride.unsigned_abs();
    let together = options.turns_of_a_read(block, step, run.count as u64).unwrap_or(1) as i64;
    let mut done = 0;
    while done < run.count {
        let count = together.min(run.count - done);
        let strides = if count == 1 { [0; 2] } else { [run.source_stride, run.destination_stride] };
        parts.try_push(Run {
            source_offset: run.source_offset + done * run.source_stride,
            source_stride: strides[0],
            destination_offset: run.destination_offset + done * run.destination_stride,
            destination_stride: strides[1],
            count,
            ..*run
        })?;
        done += count;
    }
    Ok(())
}
