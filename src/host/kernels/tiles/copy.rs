//! How a tile is copied: outputs of whole lines by registers, others by scratch memory.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tiles are cut to fit their memory, and rows and bytes of a plan fit an address space"
)]

use std::mem::MaybeUninit;
use std::ops::Range;

use super::group::LaneGroup;
use super::memory::Scratch;
use super::tile::{Tile, TilePrefetcher, TileStrips};
use crate::host::copy_list::FullSide;
use crate::host::cpu::LINE;
use crate::host::kernels::join::join_runs;
use crate::host::kernels::runs::copy_runs;
use crate::host::kernels::transpose::{stream_transposed, transpose};
use crate::host::prefetch::{Prefetcher, Strip};
use crate::host::stream::stream;
use crate::host::tuning::SCRATCH_CHUNK;
use crate::host::uninit::{written, written_mut};

impl LaneGroup {
    /// Copies a tile, and prefetches the next one meanwhile.
    ///
    /// # Safety
    ///
    /// The tile may be read and written.
    pub(super) unsafe fn copy(&self, tile: &Tile, next: Option<&Tile>, scratch: &mut Scratch) {
        for (at, source) in scratch.sources[..tile.strip_count()].iter_mut().enumerate() {
            source.write(tile.strip(at).start);
        }
        let (all, of_a_chunk) = match self.side {
            FullSide::Source => (tile.count, self.lanes_of_a_chunk()),
            FullSide::Destination => (tile.rows.len(), self.rows_of_a_chunk()),
        };
        let mut prefetcher = Prefetcher::of_next_tile(TileStrips::new(next));
        for first in (0..all).step_by(of_a_chunk) {
            let chunk = first..all.min(first + of_a_chunk);
            // SAFETY: the contract of `copy` covers the whole `tile`, and each `chunk` is other
            // lanes or rows of it. All sources of the tile were set above.
            unsafe {
                match self.side {
                    FullSide::Source => self.scatter(tile, chunk, scratch, &mut prefetcher),
                    FullSide::Destination => self.gather(tile, chunk, scratch, &mut prefetcher),
                }
            }
        }
        prefetcher.finish_tile();
    }

    /// Scatter: some lanes of a tile.
    ///
    /// # Safety
    ///
    /// As [`Self::copy`]; so for all of these. The tile's sources are set.
    unsafe fn scatter(
        &self, tile: &Tile, lanes: Range<usize>, scratch: &mut Scratch,
        prefetcher: &mut TilePrefetcher,
    ) {
        let height = tile.rows.len();
        let mut lines = self.run_of_lines().filter(|&run| (height * run).is_multiple_of(LINE));
        // SAFETY: `begin` made a writer for each of `lanes`, and `copy` set the sources. What the
        // contract of `scatter` covers are the runs of these lanes in the rows of `tile`.
        unsafe {
            let writers = written_mut(&mut scratch.writers[lanes.clone()]);
            for (at, writer) in lanes.clone().zip(writers) {
                let buffer = scratch.buffers[at].assume_init_ref();
                writer.go_to(tile.lanes()[at].destination_at(tile.rows.start), buffer);
                lines = lines.filter(|_| writer.is_at_line());
            }
            match lines {
                Some(run) => {
                    let writers = written_mut(&mut scratch.writers[lanes.clone()]);
                    for (writer, destination) in writers.iter_mut().zip(&mut scratch.destinations) {
                        destination.write(writer.next());
                        writer.skip_lines(height * run);
                    }
                    let sources = written(&scratch.sources[..height]);
                    let destinations = written(&scratch.destinations[..lanes.len()]);
                    self.lines(sources, lanes.start * run, run, destinations, prefetcher);
                }
                None if self.elements => self.scatter_elements(tile, lanes, scratch, prefetcher),
                None => self.scatter_runs(tile, lanes, scratch, prefetcher),
            }
        }
    }

    /// Gather: some rows of a tile.
    ///
    /// # Safety
    ///
    /// As [`Self::scatter`].
    unsafe fn gather(
        &self, tile: &Tile, rows: Range<usize>, scratch: &mut Scratch,
        prefetcher: &mut TilePrefetcher,
    ) {
        let first = &tile.lanes()[0];
        let destination_at = |row: usize| first.destination_at(tile.rows.start + row);
        let place = destination_at(rows.start).addr() | first.destination_step as usize;
        let lines = (place | self.bytes).is_multiple_of(LINE);
        // SAFETY: `rows` are some of the tile that the contract of `gather` covers. The sources
        // were set by `copy`, and `destinations` above their use.
        unsafe {
            let Some(run) = self.run_of_lines().filter(|_| lines) else {
                return self.gather_by_scratch(tile, rows, scratch, prefetcher);
            };
            for (row, destination) in rows.clone().zip(&mut scratch.destinations) {
                destination.write(destination_at(row));
            }
            let sources = written(&scratch.sources[..tile.count]);
            let destinations = written(&scratch.destinations[..rows.len()]);
            self.lines(sources, rows.start * run, run, destinations, prefetcher);
        }
    }

    /// Outputs of whole lines, by registers: each destination receives a run of each source. The
    /// runs of the first destination are `offset` bytes behind the sources.
    ///
    /// # Safety
    ///
    /// As [`Self::scatter`].
    unsafe fn lines(
        &self, sources: &[*const u8], offset: usize, run: usize, destinations: &[*mut u8],
        prefetcher: &mut TilePrefetcher,
    ) {
        // SAFETY: the contract of `lines` is that of both kernels: `run` bytes of each of
        // `sources`, and whole lines at each of `destinations`.
        unsafe {
            if self.elements {
                stream_transposed(self.level, run, sources, offset, destinations, prefetcher);
            } else {
                join_runs(self.level, run, sources, offset, destinations, prefetcher);
            }
        }
    }

    /// Scatters elements by scratch memory.
    ///
    /// # Safety
    ///
    /// As [`Self::scatter`]; the lanes' writers are where they write next.
    unsafe fn scatter_elements(
        &self, tile: &Tile, lanes: Range<usize>, scratch: &mut Scratch,
        prefetcher: &mut TilePrefetcher,
    ) {
        let (item, height) = (self.bytes / tile.count, tile.rows.len());
        let (len, of_lane) = (height * item, self.room_of_lane(item));
        let bytes: *mut u8 = scratch.bytes.as_mut_ptr().cast();
        prefetcher.advance(len * lanes.len());
        // SAFETY: `bytes` has `of_lane` bytes for each of `lanes`, for a chunk has no more of them,
        // and a whole number of lines each. Each lane has a writer, and the contract of
        // `scatter_elements` covers its rows.
        unsafe {
            let writers = written_mut(&mut scratch.writers[lanes.clone()]);
            let buffer = written_mut(&mut scratch.buffers[lanes.clone()]);
            for (at, writer) in writers.iter().enumerate() {
                let to = writer.open(bytes.add(at * of_lane), &buffer[at]);
                scratch.destinations[at].write(to);
            }
            let sources = written(&scratch.sources[..height]);
            let destinations = written(&scratch.destinations[..lanes.len()]);
            transpose(self.level, item, sources, lanes.start * item, destinations);
            for (at, writer) in writers.iter_mut().enumerate() {
                writer.close(self.level, bytes.add(at * of_lane), len, &mut buffer[at]);
            }
        }
    }

    /// Scatters runs by scratch memory.
    ///
    /// # Safety
    ///
    /// As [`Self::scatter_elements`].
    unsafe fn scatter_runs(
        &self, tile: &Tile, lanes: Range<usize>, scratch: &mut Scratch,
        prefetcher: &mut TilePrefetcher,
    ) {
        let bytes: *mut u8 = scratch.bytes.as_mut_ptr().cast();
        let height = tile.rows.len();
        for at in lanes {
            let lane = &tile.lanes()[at];
            let run = lane.run;
            let of_a_chunk = (SCRATCH_CHUNK / run).max(1);
            for row in (0..height).step_by(of_a_chunk) {
                let count = of_a_chunk.min(height - row);
                prefetcher.advance(count * run);
                let from = lane.source_at(tile.rows.start + row);
                // SAFETY: `bytes` has room for a chunk and two lines; `count` runs are at most a
                // chunk, or one run. The lane `at` has a writer, and the contract of `scatter_runs`
                // covers its rows.
                unsafe {
                    let writer = scratch.writers[at].assume_init_mut();
                    let buffer = scratch.buffers[at].assume_init_mut();
                    let to = writer.open(bytes, buffer);
                    copy_runs(self.level, from, lane.source_step, to, run as isize, count, run);
                    writer.close(self.level, bytes, count * run, buffer);
                }
            }
        }
    }

    /// Gathers rows that are not whole lines by scratch memory.
    ///
    /// # Safety
    ///
    /// As [`Self::scatter`].
    unsafe fn gather_by_scratch(
        &self, tile: &Tile, rows: Range<usize>, scratch: &mut Scratch,
        prefetcher: &mut TilePrefetcher,
    ) {
        let first = &tile.lanes()[0];
        let destination_at = |row: usize| first.destination_at(tile.rows.start + row);
        let bytes: *mut u8 = scratch.bytes.as_mut_ptr().cast();
        prefetcher.advance(rows.len() * self.bytes);
        // SAFETY: `bytes` has room for a chunk of `rows` and two lines, by `rows_of_a_chunk`. There
        // is one writer, and the contract of `gather_by_scratch` covers the rows.
        unsafe {
            let writer = scratch.writers[0].assume_init_mut();
            let buffer = scratch.buffers[0].assume_init_mut();
            if self.gapless {
                writer.go_to(destination_at(rows.start), buffer);
                let to = writer.open(bytes, buffer);
                self.gather_rows(
                    tile,
                    rows.clone(),
                    to,
                    &scratch.sources,
                    &mut scratch.destinations,
                );
                writer.close(self.level, bytes, rows.len() * self.bytes, buffer);
                return;
            }
            self.gather_rows(
                tile,
                rows.clone(),
                bytes,
                &scratch.sources,
                &mut scratch.destinations,
            );
            for (at, row) in rows.enumerate() {
                let from = bytes.add(at * self.bytes);
                stream(self.level, from, destination_at(row), self.bytes, Strip::NONE);
            }
        }
    }

    /// Gathers some rows, one behind the other, with cached stores.
    ///
    /// # Safety
    ///
    /// As [`Self::scatter`]; there is room for them.
    unsafe fn gather_rows(
        &self, tile: &Tile, rows: Range<usize>, to: *mut u8, sources: &[MaybeUninit<*const u8>],
        destinations: &mut [MaybeUninit<*mut u8>],
    ) {
        // SAFETY: `to` has room for these `rows`, and the contract of `gather_rows` covers their
        // runs. The sources were set by `copy`, and `destinations` above their use.
        unsafe {
            if self.elements {
                let item = self.bytes / tile.count;
                for (at, destination) in destinations[..rows.len()].iter_mut().enumerate() {
                    destination.write(to.wrapping_add(at * self.bytes));
                }
                let sources = written(&sources[..tile.count]);
                let destinations = written(&destinations[..rows.len()]);
                transpose(self.level, item, sources, rows.start * item, destinations);
                return;
            }
            let mut place = to;
            for lane in tile.lanes() {
                let from = lane.source_at(tile.rows.start + rows.start);
                let step = self.bytes as isize;
                copy_runs(self.level, from, lane.source_step, place, step, rows.len(), lane.run);
                place = place.wrapping_add(lane.run);
            }
        }
    }
}
