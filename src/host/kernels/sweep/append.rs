//! The kernels of a sweep: rows are appended to the outputs of their shards, or to the full tensor.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "bytes of a range that the caller promises"
)]

use std::mem;
use std::ops::Range;

use crate::host::kernels::lanes::Lane;
use crate::host::line_writer::LineWriter;
use crate::host::prefetch::{Prefetcher, StripSource};
use crate::host::simd::{LineBuffer, LineBytes, Vector, by_level};
use crate::host::tuning::PREFETCH_BATCH;

/// A line writer and its buffer.
pub(super) struct Output {
    writer: LineWriter,
    buffer: LineBytes,
}

impl Output {
    /// An output without bytes.
    pub(super) fn new() -> Self {
        Self { writer: LineWriter::new(std::ptr::null_mut()), buffer: LineBytes::EMPTY }
    }

    /// Writes the buffer's bytes.
    ///
    /// # Safety
    ///
    /// Their destination may be written.
    pub(super) unsafe fn finish(&self) {
        // SAFETY: the contract of `Output::finish` is that of `LineWriter::finish`, for the bytes
        // of `buffer`.
        unsafe { self.writer.finish(&self.buffer) };
    }
}

by_level! {
    /// Scatter: writes rows, lane by lane, the runs of each to the output of its shard, one of
    /// `shards`. The prefetcher follows.
    ///
    /// # Safety
    ///
    /// The runs may be read, and their bytes written, and so may the bytes in the outputs' buffers.
    append_lanes<S: StripSource> = append_lanes_with(
        outputs: &mut [Output], shards: &[usize], lanes: &[Lane], rows: Range<usize>,
        prefetcher: &mut Prefetcher<S>,
    ) [masks]
}

#[inline(always)]
unsafe fn append_lanes_with<V: Vector, S: StripSource>(
    outputs: &mut [Output], shards: &[usize], lanes: &[Lane], rows: Range<usize>,
    prefetcher: &mut Prefetcher<S>,
) {
    for (lane, &shard) in lanes.iter().zip(shards) {
        let Output { writer, buffer } = &mut outputs[shard];
        // SAFETY: the contract of `append_lanes` covers the runs of each `lane` in these `rows`,
        // and the line `buffer` is that of its `writer`.
        unsafe {
            writer.go_to(lane.destination_at(rows.start), buffer);
            let (mut own, mut line) = (*writer, V::WriteBuffer::load(buffer));
            let mut row = rows.start;
            while row < rows.end && (own.skips() || lane.run > PREFETCH_BATCH) {
                own.append::<V, S>(&mut line, lane.source_at(row), lane.run, prefetcher);
                row += 1;
            }
            while row < rows.end {
                let some = (rows.end - row).min((PREFETCH_BATCH / lane.run).max(1));
                prefetcher.advance(some * lane.run);
                let mut from = lane.source_at(row);
                for _ in 0..some {
                    own.append_run::<V>(&mut line, from, lane.run);
                    from = from.wrapping_offset(lane.source_step);
                }
                row += some;
            }
            (*writer, *buffer) = (own, line.save());
        }
    }
}

by_level! {
    /// Gather: writes rows, each to its place, with the runs of all lanes one behind the other. The
    /// prefetcher follows.
    ///
    /// # Safety
    ///
    /// As [`append_lanes`].
    append_rows<S: StripSource> = append_rows_with(
        output: &mut Output, lanes: &[Lane], rows: Range<usize>, prefetcher: &mut Prefetcher<S>,
    ) [masks]
}

#[inline(always)]
unsafe fn append_rows_with<V: Vector, S: StripSource>(
    output: &mut Output, lanes: &[Lane], rows: Range<usize>, prefetcher: &mut Prefetcher<S>,
) {
    let Output { writer, buffer } = output;
    // SAFETY: the contract of `append_rows` covers the runs of all `lanes` in these `rows`, and the
    // line `buffer` is that of this `writer`.
    unsafe {
        let (mut own, mut line, mut copied) = (*writer, V::WriteBuffer::load(buffer), 0);
        for row in rows {
            let to = lanes[0].destination_at(row);
            if own.next() != to {
                own.finish(&line.save());
                own = LineWriter::new(to);
            }
            for lane in lanes {
                let from = lane.source_at(row);
                if own.skips() || lane.run > PREFETCH_BATCH {
                    own.append::<V, S>(&mut line, from, lane.run, prefetcher);
                    continue;
                }
                copied += lane.run;
                if copied >= PREFETCH_BATCH {
                    prefetcher.advance(mem::take(&mut copied));
                }
                own.append_run::<V>(&mut line, from, lane.run);
            }
        }
        (*writer, *buffer) = (own, line.save());
    }
}
