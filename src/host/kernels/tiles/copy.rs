//! How a tile is copied: outputs of whole lines by registers, others by scratch memory.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tiles are cut to fit their memory, and rows and bytes of a plan fit an address space"
)]

use std::mem::MaybeUninit;
use std::ops::Range;

use super::ahead::TileAhead;
use super::group::LaneGroup;
use super::memory::Scratch;
use super::tile::Tile;
use crate::host::copy_list::FullSide;
use crate::host::cpu::LINE;
use crate::host::kernels::join::join_runs;
use crate::host::kernels::runs::copy_runs;
use crate::host::kernels::transpose::{stream_transposed, transpose};
use crate::host::stream::{Ahead, stream};
use crate::host::tuning::{MAX_TILE_ROWS, SCRATCH_CHUNK};
use crate::host::uninit::{written, written_mut};

impl LaneGroup {
    /// Copies a tile, and prefetches the next one meanwhile.
    ///
    /// # Safety
    ///
    /// The tile may be read and written.
    pub(super) unsafe fn copy(&self, tile: &Tile, next: Option<&Tile>, scratch: &mut Scratch) {
        let mut memory = [MaybeUninit::uninit(); MAX_TILE_ROWS];
        let sources = &mut memory[..tile.strip_count()];
        for (at, source) in sources.iter_mut().enumerate() {
            source.write(tile.strip(at));
        }
        // SAFETY: all of `sources` were written by the loop above.
        let sources = unsafe { written(sources) };
        let distance =
            next.map(|next| next.strip(0).addr().wrapping_sub(sources[0].addr()) as isize);
        // Rows without gaps between them are one strip.
        let whole = self.side == FullSide::Source && self.gapless;
        let (strips, bytes) =
            if whole { (&sources[..1], tile.bytes()) } else { (sources, tile.strip_bytes()) };
        let into = self.store.prefetch.into;
        let mut ahead = TileAhead::new(strips, bytes, distance, into);
        // SAFETY: the contract of `copy` covers the whole `tile`, and each chunk is other lanes or
        // rows of it. `sources` are those of the tile.
        unsafe {
            match (self.side, tile.run_of_lines()) {
                (FullSide::Source, Some(run)) => {
                    self.scatter_lines(tile, run, sources, scratch, &mut ahead);
                }
                (FullSide::Source, None) => {
                    for lanes in chunks(tile.count, self.lanes_of_a_chunk()) {
                        self.scatter(tile, lanes, sources, scratch, &mut ahead);
                    }
                }
                (FullSide::Destination, _) => {
                    for rows in chunks(tile.rows.len(), self.rows_of_a_chunk()) {
                        self.gather(tile, rows, sources, scratch, &mut ahead);
                    }
                }
            }
        }
        ahead.finish();
    }

    /// Scatter: all lanes of a tile whose outputs are whole lines. Their writers have no bytes in
    /// their buffers, or some of another place.
    ///
    /// # Safety
    ///
    /// As [`Self::copy`]; so for all of these. `sources` are the tile's.
    unsafe fn scatter_lines(
        &self, tile: &Tile, run: usize, sources: &[*const u8], scratch: &mut Scratch,
        ahead: &mut TileAhead,
    ) {
        for (lane, destination) in tile.lanes().iter().zip(&mut scratch.destinations) {
            destination.write(lane.destination_at(tile.rows.start));
        }
        // SAFETY: as many of `destinations` as there are lanes were written by the loop above, and
        // `Tile::run_of_lines` says that each is a multiple of a line.
        unsafe {
            let destinations = written(&scratch.destinations[..tile.count]);
            self.lines(sources, 0, run, destinations, ahead);
        }
    }

    /// Scatter: some lanes of a tile.
    ///
    /// # Safety
    ///
    /// As [`Self::scatter_lines`].
    unsafe fn scatter(
        &self, tile: &Tile, lanes: Range<usize>, sources: &[*const u8], scratch: &mut Scratch,
        ahead: &mut TileAhead,
    ) {
        // SAFETY: `begin` made a writer for each of `lanes`. What the contract of `scatter` covers
        // are the runs of these lanes in the rows of `tile`.
        unsafe {
            let writers = written_mut(&mut scratch.writers[lanes.clone()]);
            for (at, writer) in lanes.clone().zip(writers) {
                let buffer = scratch.buffers[at].assume_init_ref();
                writer.go_to(tile.lanes()[at].destination_at(tile.rows.start), buffer);
            }
            if self.elements {
                self.scatter_elements(tile, lanes, sources, scratch, ahead);
            } else {
                self.scatter_runs(tile, lanes, scratch, ahead);
            }
        }
    }

    /// Gather: some rows of a tile.
    ///
    /// # Safety
    ///
    /// As [`Self::scatter_lines`].
    unsafe fn gather(
        &self, tile: &Tile, rows: Range<usize>, sources: &[*const u8], scratch: &mut Scratch,
        ahead: &mut TileAhead,
    ) {
        let first = &tile.lanes()[0];
        let destination_at = |row: usize| first.destination_at(tile.rows.start + row);
        let place = destination_at(rows.start).addr() | first.destination_step as usize;
        let lines = (place | self.bytes).is_multiple_of(LINE);
        // SAFETY: `rows` are some of the tile that the contract of `gather` covers, and
        // `destinations` are set above their use.
        unsafe {
            let Some(run) = self.run_of_lines().filter(|_| lines) else {
                return self.gather_by_scratch(tile, rows, sources, scratch, ahead);
            };
            for (row, destination) in rows.clone().zip(&mut scratch.destinations) {
                destination.write(destination_at(row));
            }
            let destinations = written(&scratch.destinations[..rows.len()]);
            self.lines(sources, rows.start * run, run, destinations, ahead);
        }
    }

    /// Outputs of whole lines, by registers: each destination receives a run of each source. The
    /// runs of the first destination are `offset` bytes behind the sources.
    ///
    /// # Safety
    ///
    /// As [`Self::scatter_lines`].
    unsafe fn lines(
        &self, sources: &[*const u8], offset: usize, run: usize, destinations: &[*mut u8],
        ahead: &mut TileAhead,
    ) {
        // SAFETY: the contract of `lines` is that of both kernels: `run` bytes of each of
        // `sources`, and whole lines at each of `destinations`.
        unsafe {
            if self.elements {
                stream_transposed(self.store.level, run, sources, offset, destinations, ahead);
            } else {
                join_runs(self.store.level, run, sources, offset, destinations, ahead);
            }
        }
    }

    /// Scatters elements by scratch memory.
    ///
    /// # Safety
    ///
    /// As [`Self::scatter_lines`]; the lanes' writers are where they write next.
    unsafe fn scatter_elements(
        &self, tile: &Tile, lanes: Range<usize>, sources: &[*const u8], scratch: &mut Scratch,
        ahead: &mut TileAhead,
    ) {
        let (item, height) = (self.bytes / tile.count, tile.rows.len());
        let (len, of_lane) = (height * item, self.room_of_lane(item));
        let bytes: *mut u8 = scratch.bytes.as_mut_ptr().cast();
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
            let destinations = written(&scratch.destinations[..lanes.len()]);
            transpose(self.store.level, item, sources, lanes.start * item, destinations);
            for (at, writer) in writers.iter_mut().enumerate() {
                ahead.advance(len);
                writer.close(self.store.level, bytes.add(at * of_lane), len, &mut buffer[at]);
            }
        }
    }

    /// Scatters runs by scratch memory.
    ///
    /// # Safety
    ///
    /// As [`Self::scatter_elements`].
    unsafe fn scatter_runs(
        &self, tile: &Tile, lanes: Range<usize>, scratch: &mut Scratch, ahead: &mut TileAhead,
    ) {
        let bytes: *mut u8 = scratch.bytes.as_mut_ptr().cast();
        let height = tile.rows.len();
        for at in lanes {
            let lane = &tile.lanes()[at];
            let run = lane.run;
            let of_a_chunk = (SCRATCH_CHUNK / run).max(1);
            for row in (0..height).step_by(of_a_chunk) {
                let count = of_a_chunk.min(height - row);
                ahead.advance(count * run);
                let from = lane.source_at(tile.rows.start + row);
                // SAFETY: `bytes` has room for a chunk and two lines; `count` runs are at most a
                // chunk, or one run. The lane `at` has a writer, and the contract of `scatter_runs`
                // covers its rows.
                unsafe {
                    let writer = scratch.writers[at].assume_init_mut();
                    let buffer = scratch.buffers[at].assume_init_mut();
                    let to = writer.open(bytes, buffer);
                    copy_runs(
                        self.store.level,
                        from,
                        lane.source_step,
                        to,
                        run as isize,
                        count,
                        run,
                    );
                    writer.close(self.store.level, bytes, count * run, buffer);
                }
            }
        }
    }

    /// Gathers rows that are not whole lines by scratch memory.
    ///
    /// # Safety
    ///
    /// As [`Self::scatter_lines`].
    unsafe fn gather_by_scratch(
        &self, tile: &Tile, rows: Range<usize>, sources: &[*const u8], scratch: &mut Scratch,
        ahead: &mut TileAhead,
    ) {
        let first = &tile.lanes()[0];
        let destination_at = |row: usize| first.destination_at(tile.rows.start + row);
        let bytes: *mut u8 = scratch.bytes.as_mut_ptr().cast();
        // SAFETY: `bytes` has room for a chunk of `rows` and two lines, by `rows_of_a_chunk`. There
        // is one writer, and the contract of `gather_by_scratch` covers the rows.
        unsafe {
            let writer = scratch.writers[0].assume_init_mut();
            let buffer = scratch.buffers[0].assume_init_mut();
            if self.gapless {
                writer.go_to(destination_at(rows.start), buffer);
                let to = writer.open(bytes, buffer);
                let targets = &mut scratch.destinations;
                self.gather_rows(tile, rows.clone(), to, sources, targets, ahead);
                writer.close(self.store.level, bytes, rows.len() * self.bytes, buffer);
                return;
            }
            let targets = &mut scratch.destinations;
            self.gather_rows(tile, rows.clone(), bytes, sources, targets, ahead);
            for (at, row) in rows.enumerate() {
                let from = bytes.add(at * self.bytes);
                stream(self.store.level, from, destination_at(row), self.bytes, Ahead::NONE);
            }
        }
    }

    /// Gathers some rows, one behind the other, with cached stores.
    ///
    /// # Safety
    ///
    /// As [`Self::scatter_lines`]; there is room for them.
    unsafe fn gather_rows(
        &self, tile: &Tile, rows: Range<usize>, to: *mut u8, sources: &[*const u8],
        destinations: &mut [MaybeUninit<*mut u8>], ahead: &mut TileAhead,
    ) {
        // SAFETY: `to` has room for these `rows`, and the contract of `gather_rows` covers their
        // runs. `destinations` are set above their use.
        unsafe {
            if self.elements {
                let item = self.bytes / tile.count;
                for (at, destination) in destinations[..rows.len()].iter_mut().enumerate() {
                    destination.write(to.wrapping_add(at * self.bytes));
                }
                let destinations = written(&destinations[..rows.len()]);
                ahead.advance(rows.len() * self.bytes);
                transpose(self.store.level, item, sources, rows.start * item, destinations);
                return;
            }
            let mut place = to;
            for lane in tile.lanes() {
                let from = lane.source_at(tile.rows.start + rows.start);
                let step = self.bytes as isize;
                ahead.advance(rows.len() * lane.run);
                copy_runs(
                    self.store.level,
                    from,
                    lane.source_step,
                    place,
                    step,
                    rows.len(),
                    lane.run,
                );
                place = place.wrapping_add(lane.run);
            }
        }
    }
}

/// `0..all` in ranges of at most `most`.
fn chunks(all: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    (0..all).step_by(most).map(move |first| first..all.min(first + most))
}
