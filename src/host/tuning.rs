//! All numbers that only speed depends on, each beside what was measured for it, or beside what it
//! trades off where no measurement was kept.
//!
//! "The limit" is the faster of `memcpy` and a streaming copy of the same bytes on one machine (`make
//! bench` prints it); 0.9 of the limit means 90 % of its bandwidth. Processors differ: measure on
//! several before you change a number.

use std::time::Duration;

use super::cpu::{LINE, Machine};
use super::options::Prefetch;
use super::options::PrefetchInto::{FirstLevel, SecondLevel};

// Cached or non-temporal stores.

/// A copy of this part of the last-level cache and more uses non-temporal stores: source and
/// destination share that cache, and other programs use it too.
const STREAMED_PART_OF_CACHE: usize = 4;
/// Bytes of the last-level cache for each processor of the machine, at most. A virtual machine
/// reports all of a cache that it shares with other machines: 2 processors of an Intel Xeon reported
/// 260 MiB. There, copies of 2 MiB and more were 1.5 times as fast with non-temporal stores, into
/// memory that was written just before and into other memory.
const MAX_CACHE_PER_PROCESSOR: usize = 4 << 20;
/// The same in bytes, where the system does not report the size of its caches.
const DEFAULT_MIN_STREAMED: usize = 4 << 20;

/// Bytes of a copy from which on [`Stores::Auto`](super::options::Stores) means non-temporal
/// stores.
pub(super) fn min_streamed(machine: &Machine) -> usize {
    cache_bytes(machine).map_or(DEFAULT_MIN_STREAMED, |bytes| bytes / STREAMED_PART_OF_CACHE)
}

/// Bytes of the last-level cache that copies may count on, where the system reports its size.
pub(super) fn cache_bytes(machine: &Machine) -> Option<usize> {
    let most = machine.online.saturating_mul(MAX_CACHE_PER_PROCESSOR);
    machine.last_cache.map(|bytes| bytes.min(most))
}

// Ways of copying, from which large copies choose by trials (`ways`).

/// Bytes of a trial: some 100 us, so that the time of a trial is not that of its clock, and a few
/// trials of each way are a small part of the first large copy.
pub(super) const TRIAL_BYTES: usize = 1 << 20;
/// Trials of each way; the shortest time counts, for what else the machine does only makes a trial
/// longer.
pub(super) const TRIALS: u64 = 3;
/// The first way stays unless another one is faster by this part of the time.
pub(super) const WORTH_A_CHANGE_PERCENT: u64 = 3;
/// Copies of more than this many last-level caches are a class of their own: nothing of them is in
/// a cache.
pub(super) const LARGE_PART_OF_CACHE: usize = 4;
/// How memory is prefetched until other ways were tried. On an AMD EPYC of the first generation (one
/// thread), long runs reached 0.85 of the limit without prefetch, 0.91 with 1 KiB, 0.96 with 512
/// bytes, and 0.84 with 2 KiB.
pub(super) const PREFETCH: Prefetch = Prefetch { ahead: 512, into: FirstLevel };
/// The same into the second-level cache. On an Intel Xeon of the fifth generation (one thread), long
/// runs reached 0.85 of the limit with [`PREFETCH`] and 0.97 with this, runs of 16 to 64 bytes 0.73
/// to 0.78 and 0.86 to 0.91. Distances of 4 to 16 KiB are alike there, 1 KiB gives 0.91.
pub(super) const FAR_PREFETCH: Prefetch = Prefetch { ahead: 4 << 10, into: SecondLevel };
/// Other ways that are tried for long runs.
pub(super) const PREFETCHES_TRIED: [Prefetch; 3] = [
    Prefetch { ahead: 0, into: FirstLevel },
    Prefetch { ahead: 1 << 10, into: FirstLevel },
    Prefetch { ahead: 4 << 10, into: FirstLevel },
];

// Threads.

/// Bytes of a copy for each thread, at least. Less work does not pay for the start of a thread,
/// which took 22 us on an AMD EPYC. On two processors of an Intel Xeon, where it took some 100 us, a
/// second thread made copies of 1 MiB half as fast, of 2 MiB 0.7 to 1.3 times as fast, and of 8 MiB
/// 1.2 to 1.6 times.
pub(super) const MIN_BYTES_PER_THREAD: usize = 2 << 20;
/// Bytes behind a run that the processor reads without need, because it expects the next lines. Runs of
/// 308 bytes that are 1 KiB apart reached 0.45 of the limit on an Intel Xeon, whatever was prefetched.
pub(super) const READ_BEHIND_RUN: usize = 4 * LINE;
/// How long the caller waits for another thread before it sleeps. On two processors of an Intel Xeon, a
/// caller that slept at once was awake again 50 to 85 us after the thread had ended, and a caller that
/// did not sleep went on after 5 us. Threads end at about one time: the last parts of a copy take less.
pub(super) const MAX_AWAKE: Duration = Duration::from_micros(300);
/// Parts that each thread copies on average: enough that one thread that is delayed does not delay
/// the whole copy.
pub(super) const PARTS_PER_THREAD: usize = 8;
/// Bytes of a task below which a division is not worth the loss of whole lines: half of the
/// smallest part of a copy that several threads share. Before large rows were divided regardless,
/// 128 rows of 1 MiB were one part: 35 ms, and 16 ms since then on two processors.
pub(super) const MIN_DIVIDED: usize = MIN_BYTES_PER_THREAD / PARTS_PER_THREAD / 2;
/// Parts into which threads divide a transposed piece. Narrower parts are read slowly: with 32
/// parts, extracting from a transposed tensor on two threads reached 0.29 of the limit, with 8
/// parts 0.57.
pub(super) const PARTS_OF_TRANSPOSED: usize = 8;

/// New memory is found by the system in pieces of so many bytes, on all threads of a copy: a huge
/// page. On two processors of an Intel Xeon, copies of 256 MiB into new memory reached 7.6 GB/s where
/// each thread found the memory that it wrote, and 9.3 where all of it was found before; without huge
/// pages, 2.7 and 4.1. Two threads that copy columns often wait for the same page: 4.2 GB/s.
pub(super) const POPULATED: usize = 2 << 20;

/// Replicas are copied in turn, so many bytes of each, which then are in a cache for the next one. Two
/// replicas on one thread of an Intel Xeon, GB/s of the tensor, one after the other and in turn: rows 5.3
/// and 6.8. Chunks of 64 KiB gave 6.2, of 256 KiB 6.6, of 1 MiB 6.8.
pub(super) const REPLICA_CHUNK: usize = 512 << 10;
/// Bytes of a trial in a chunk: some 25 us.
pub(super) const REPLICA_TRIAL_BYTES: usize = REPLICA_CHUNK / 2;
/// Bytes of a chunk for each shard, where runs of many shards are side by side. 1024 shards of 32 bytes a
/// row: 3.9 with chunks of 512 KiB, 4.2 with 1 MiB.
pub(super) const REPLICA_CHUNK_PER_SHARD: usize = 1 << 10;
/// Chunks above this are not worth it: the cache does not hold them.
pub(super) const MAX_REPLICA_CHUNK: usize = 1 << 20;

// Which kernel copies a run.

/// Runs of this length and more are copied one by one: a kernel for many runs would gain nothing.
pub(super) const MIN_LONG_RUN: usize = 32 << 10;
/// Runs of this length and more are streamed one by one: the partial lines at their ends are a
/// small part of them.
pub(super) const MIN_DIRECT_RUN: usize = 1 << 10;
/// The same of runs that are whole lines of the destination: nothing has to be combined.
pub(super) const MIN_DIRECT_LINES: usize = 2 * LINE;
/// Elements of this size and less are read by lines and not one by one, where they are neighbours
/// in the source only.
pub(super) const MAX_TRANSPOSED_ITEM: usize = LINE / 2;
/// Lanes that one call of a kernel copies: what fits the stack of a call.
pub(super) const MAX_LANES: usize = 256;

// Kernels with cached stores.

/// Rows of a lane that are copied before the next lane: the lines that neighbouring lanes share are
/// still in the first-level cache.
pub(super) const MAX_CACHED_ROWS: usize = 64;
/// Bytes of a lane, and lanes, of a tile that is transposed with cached stores: its lines fit the
/// first-level cache.
pub(super) const CACHED_TILE: usize = 64;

// Runs that are streamed one by one.

/// Runs of whole lines that are copied without a call for each, at most. On an Intel Xeon of the fifth
/// generation, blocks of 256 bytes went from 0.86 of the limit to 0.95, and runs of 4 KiB from 0.94 to 0.97;
/// 8 KiB stayed as they were.
pub(super) const MAX_RUN_OF_LINES: usize = 4 << 10;
/// Prefetch distance in bytes, rounded up to a row: across two pages and more, a prefetched line
/// may have left the cache before it is read.
pub(super) const DIRECT_PREFETCH_DISTANCE: usize = 4 << 10;

// Packing. On an Intel Xeon of the fifth generation, 72 boxes of 2 to 4 MiB that were extracted one by one went
// from 6.1 to 7.1 GB/s on one thread and from 7.3 to 8.1 on two.

/// Bytes of a run, at most: 1.3 KiB went from 8.2 to 10.7 GB/s, 1.5 KiB from 10.4 to 10.7.
pub(super) const MAX_PACKED_RUN: usize = 3 << 9;
/// Bytes that are put together before they are streamed.
pub(super) const PACK_BATCH: usize = 4 << 10;
/// Prefetch distance in bytes, rounded down to runs: 3 to 10 KiB were alike.
pub(super) const PACK_AHEAD: usize = 4 << 10;

// Tiles. Without scratch memory, with whole lines made in registers and with the next tile
// prefetched, gathers on one thread went from 0.73 of the limit to 0.98 (runs of 32 bytes), 0.44 to
// 0.60 (4 bytes) and 0.26 to 0.35 (1 byte).

/// Rows of a tile, at most.
pub(super) const MAX_TILE_ROWS: usize = 512;
/// Bytes of scratch memory, pending lines of all outputs included: it stays in the first-level
/// cache together with the tile.
pub(super) const SCRATCH: usize = 24 << 10;
/// Bytes that are combined in scratch memory before they are streamed, where so few are possible:
/// they should not leave the first-level cache in between.
pub(super) const SCRATCH_CHUNK: usize = 1 << 10;

/// Scatter: bytes of a tile.
pub(super) const SCATTER_TILE: usize = 8 << 10;
/// Scatter: bytes of a tile for each shard, at least. Each output is then written some lines at a
/// time.
pub(super) const MIN_SCATTERED_PER_SHARD: usize = 256;
/// Scatter: rows further apart than this have a page each. Then a tile of elements, too, is as high
/// as [`MIN_SCATTERED_PER_SHARD`] requires.
pub(super) const MIN_PAGED_STEP: usize = 4 << 10;
/// Scatter: bytes of a row that are read at a time.
pub(super) const MAX_SCATTERED_ROW: usize = 4 << 10;
/// Scatter of single elements: bytes of a row that are read at a time. Each element belongs to
/// another shard, so a longer part of the row means more outputs.
pub(super) const MAX_SCATTERED_ELEMENT_ROW: usize = 1 << 10;

/// Gather: bytes that each shard contributes to a tile: so many that the hardware prefetcher
/// detects the sequence and reads the rest.
pub(super) const GATHERED_PER_SHARD: usize = 256;
/// The same where rows have gaps and runs are shorter than a line: a factor.
pub(super) const GATHERED_WITH_GAPS: usize = 4;
/// Gather of single elements: the same; fewer shards are in a tile.
pub(super) const GATHERED_ELEMENTS_PER_SHARD: usize = 1 << 10;
/// Gather by scratch memory: bytes of a row that are written at a time.
pub(super) const MAX_GATHERED_ROW: usize = 2 << 10;
/// Gather by registers: bytes of a row that are written at a time.
pub(super) const MAX_JOINED_ROW: usize = 512;
/// Gather by registers: shards that are read at a time. Shards of one size are often a power of two
/// apart, so that their lines share a set of the first-level cache, which has 8 to 12 ways: with 16
/// shards they evicted each other. With 8, runs of 16 bytes of 16 shards reached 0.94 of the limit,
/// before 0.86 (two threads; 0.88 and 0.79 on one). Bursts of runs of 32 bytes read 16 shards: on an Intel
/// Xeon, 1024 shards reached 0.98 and 0.94 of the limit (one and two threads), with 8 shards 0.95 and 0.88.
pub(super) const MAX_JOINED_LANES: usize = 8;
/// Gather of single elements: lines of a row that are written at a time. With one, the memory
/// receives single lines; with more, there are more shards than the hardware prefetcher follows.
/// One thread, to the limit, with 1, 2 and 4 lines: elements of 4 bytes 0.55, 0.73 and 0.67; of 2
/// bytes 0.64 and 0.70 with 1 and 2.
pub(super) const MAX_ELEMENT_LINES: usize = 2;
/// Source rows that are multiples of this apart compete for few sets of the first-level cache: the
/// lines of elements of up to [`MAX_STAGED_ITEM`] bytes, each of which is read several times, are
/// copied next to each other before they are transposed.
pub(super) const STAGED_STEP: usize = 1 << 10;
/// See [`STAGED_STEP`].
pub(super) const MAX_STAGED_ITEM: usize = 2;

// Bursts: rows of runs of 16, 32 or 64 bytes. On an Intel Xeon of the fifth generation (one thread), runs of
// 32 bytes into 8 shards went from 0.90 of the limit to 0.98, and from 8 shards from 0.94 to 1.06.

/// Bytes of each shard that are copied before the next shard's.
pub(super) const BURST: usize = 256;
/// Scatter: prefetch distance, where rows follow each other without a gap. With 4 KiB, 0.96 of the limit.
pub(super) const BURST_AHEAD: usize = 8 << 10;
/// Bytes of each shard in a turn of the loops around the rows, at least.
pub(super) const MIN_BYTES_IN_BURSTS: usize = 1 << 10;

// Squares. On an Intel Xeon of the fifth generation, a transposed tensor of float32 went from 0.60 of the limit
// to 0.66 (one thread) and from 0.55 to 0.64 (two).

/// Rows of a tile of squares, at least a square's.
pub(super) const SQUARES_ROWS: usize = 16;
/// Bytes of a row of such a tile. On one thread, to the limit, 32 rows of 512 bytes, 16 of 1 KiB and 16 of 2
/// KiB: elements of 8 bytes 0.73, 0.79 and 0.77, of 4 bytes 0.66, 0.66 and 0.67, of 2 bytes 0.56, 0.62 and 0.64.
pub(super) const SQUARES_ROW: usize = 2 << 10;

// Sweeps through the rows of a full tensor. 100 random boxes on one thread went from 0.54 of the
// limit to 0.89 (scatter) and from 0.61 to 0.88 (gather), 8 uneven columns of 80 to 176 bytes from
// 0.46 to 0.99 (gather).

/// Bytes that are copied between two calls of the prefetcher. Calls for less than 1 KiB were
/// slower, by up to half.
pub(super) const PREFETCH_BATCH: usize = 1 << 10;
/// Scatter: bytes of a tile, which is copied lane by lane. Going to the next rows took 8 to 14 % of
/// a sweep, twice, when a tile had 4 KiB. One thread, to the limit, before and since: 30 boxes 0.82
/// and 0.94, 100 boxes 0.89 and 0.91 to 0.93, 250 boxes 0.67 and 0.76.
pub(super) const SWEEP_SCATTER_TILE: usize = 16 << 10;
/// Scatter: prefetch distance. Not less than a tile, for its first lane already passes through all
/// of it: with less, 8 uneven columns fell from 1.04 of the limit to 0.83.
pub(super) const SWEEP_SCATTER_DISTANCE: usize = SWEEP_SCATTER_TILE;
/// Gather: bytes of a tile, of which each lane's bytes are prefetched together.
pub(super) const SWEEP_GATHER_TILE: usize = 4 << 10;
/// Gather: prefetch distance.
pub(super) const SWEEP_GATHER_DISTANCE: usize = 8 << 10;

/// A sweep pays where this part of the bytes is in rows that are better copied by it. Without this
/// limit, one box that spans a row more than its neighbours made a copy 1.4 to 2 times as slow.
pub(super) const SWEPT_PART_OF_BYTES: usize = 4;
/// Rows are better copied by a sweep where their neighbours leave out this part of the row, or
/// more.
pub(super) const LEFT_OUT_PART_OF_ROW: usize = 8;
/// Bytes of rows that follow each other, on average, at least. Rows of 256 bytes each with a place
/// of its own were slower by a sweep.
pub(super) const MIN_SWEPT_TURN: usize = 2 << 10;
/// Bytes of a run, on average, at least, where lines are combined in registers.
pub(super) const MIN_SWEPT_RUN_IN_REGISTERS: usize = LINE / 2;
/// The same where lines are combined in memory: runs of some 100 bytes were up to 3.8 times as slow
/// by a sweep.
pub(super) const MIN_SWEPT_RUN_IN_MEMORY: usize = 3 * LINE;
