//! What becomes of the strips of a tile: outputs of whole lines in registers, others in scratch.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tiles are cut to fit their room, and rows and bytes of a plan fit an address space"
)]

use std::mem::MaybeUninit;
use std::ops::Range;

use super::super::lines::{LINE, Soon, copy_runs, join_runs, stream};
use super::super::transpose::transpose;
use super::group::{CHUNK, Group};
use super::{Ahead, Room, Tile};
use crate::host::copy_list::Side;
use crate::host::room::{written, written_mut};

impl Group {
    /// Copies a tile, and fetches the next one meanwhile.
    ///
    /// # Safety
    ///
    /// It may be read and written.
    pub(super) unsafe fn copy(&self, tile: &Tile, next: Option<&Tile>, room: &mut Room) {
        for (at, source) in room.sources[..self.strips(tile)].iter_mut().enumerate() {
            source.write(self.strip(tile, at).place);
        }
        let (all, of_a_chunk) = match self.side {
            Side::Source => (tile.count, self.lanes_of_a_chunk()),
            Side::Destination => (tile.rows.len(), self.rows_of_a_chunk()),
        };
        let mut ahead = Ahead::new(next);
        for first in (0..all).step_by(of_a_chunk) {
            let chunk = first..all.min(first + of_a_chunk);
            // SAFETY: a part of the caller's tile.
            unsafe {
                match self.side {
                    Side::Source => self.shards(tile, chunk, room, &mut ahead),
                    Side::Destination => self.rows(tile, chunk, room, &mut ahead),
                }
            }
        }
        ahead.fetch(usize::MAX);
    }

    /// What a tile has of some lanes.
    ///
    /// # Safety
    ///
    /// As [`Self::copy`]; so for all of these. The tile's sources are set.
    unsafe fn shards(&self, tile: &Tile, lanes: Range<usize>, room: &mut Room, ahead: &mut Ahead) {
        let height = tile.rows.len();
        let mut lines = self.run_of_lines().filter(|&run| (height * run).is_multiple_of(LINE));
        // SAFETY: each lane has a writer.
        unsafe {
            let writers = written_mut(&mut room.writers[lanes.clone()]);
            for (at, writer) in lanes.clone().zip(writers) {
                let held = room.held[at].assume_init_ref();
                writer.go_to(tile.lanes()[at].destination_at(tile.rows.start), held);
                lines = lines.filter(|_| writer.is_at_line());
            }
            match lines {
                Some(run) => {
                    let writers = written_mut(&mut room.writers[lanes.clone()]);
                    for (writer, destination) in writers.iter_mut().zip(&mut room.destinations) {
                        destination.write(writer.next());
                        writer.skip_lines(height * run);
                    }
                    let sources = written(&room.sources[..height]);
                    let destinations = written(&room.destinations[..lanes.len()]);
                    self.lines(sources, lanes.start * run, run, destinations, ahead);
                }
                None if self.elements => self.elements_by_scratch(tile, lanes, room, ahead),
                None => self.runs_by_scratch(tile, lanes, room, ahead),
            }
        }
    }

    /// Some rows of a tile.
    ///
    /// # Safety
    ///
    /// As [`Self::shards`].
    unsafe fn rows(&self, tile: &Tile, rows: Range<usize>, room: &mut Room, ahead: &mut Ahead) {
        let first = &tile.lanes()[0];
        let destination_at = |row: usize| first.destination_at(tile.rows.start + row);
        let place = destination_at(rows.start).addr() | first.destination_step as usize;
        let lines = (place | self.bytes).is_multiple_of(LINE);
        // SAFETY: rows of the caller's.
        unsafe {
            let Some(run) = self.run_of_lines().filter(|_| lines) else {
                return self.rows_by_scratch(tile, rows, room, ahead);
            };
            for (row, destination) in rows.clone().zip(&mut room.destinations) {
                destination.write(destination_at(row));
            }
            let sources = written(&room.sources[..tile.count]);
            let destinations = written(&room.destinations[..rows.len()]);
            self.lines(sources, rows.start * run, run, destinations, ahead);
        }
    }

    /// Outputs of whole lines: to each destination a run of each source, the first one's `offset`
    /// bytes behind the sources.
    ///
    /// # Safety
    ///
    /// As [`Self::shards`].
    unsafe fn lines(
        &self, sources: &[*const u8], offset: usize, run: usize, destinations: &[*mut u8],
        ahead: &mut Ahead,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            if self.elements {
                transpose(self.level, run, sources, offset, destinations, Some(ahead));
            } else {
                join_runs(self.level, run, sources, offset, destinations, ahead);
            }
        }
    }

    /// As [`Self::shards`]: elements.
    ///
    /// # Safety
    ///
    /// As [`Self::shards`]; the lanes' writers are where they write next.
    unsafe fn elements_by_scratch(
        &self, tile: &Tile, lanes: Range<usize>, room: &mut Room, ahead: &mut Ahead,
    ) {
        let (item, height) = (self.bytes / tile.count, tile.rows.len());
        let (len, of_lane) = (height * item, self.room_of_lane(item));
        let scratch: *mut u8 = room.scratch.as_mut_ptr().cast();
        ahead.fetch(len * lanes.len() / LINE);
        // SAFETY: scratch has room for as many lanes as a chunk has.
        unsafe {
            let writers = written_mut(&mut room.writers[lanes.clone()]);
            let held = written_mut(&mut room.held[lanes.clone()]);
            for (at, writer) in writers.iter().enumerate() {
                let to = writer.open(scratch.add(at * of_lane), &held[at]);
                room.destinations[at].write(to);
            }
            let sources = written(&room.sources[..height]);
            let destinations = written(&room.destinations[..lanes.len()]);
            transpose(self.level, item, sources, lanes.start * item, destinations, None);
            for (at, writer) in writers.iter_mut().enumerate() {
                writer.close(self.level, scratch.add(at * of_lane), len, &mut held[at]);
            }
        }
    }

    /// As [`Self::shards`]: runs.
    ///
    /// # Safety
    ///
    /// As [`Self::elements_by_scratch`].
    unsafe fn runs_by_scratch(
        &self, tile: &Tile, lanes: Range<usize>, room: &mut Room, ahead: &mut Ahead,
    ) {
        let scratch: *mut u8 = room.scratch.as_mut_ptr().cast();
        let height = tile.rows.len();
        for at in lanes {
            let lane = &tile.lanes()[at];
            let run = lane.run;
            let of_a_chunk = (CHUNK / run).max(1);
            for row in (0..height).step_by(of_a_chunk) {
                let count = of_a_chunk.min(height - row);
                // Runs begin and end inside of lines.
                ahead.fetch(count * run / LINE + count);
                let from = lane.source_at(tile.rows.start + row);
                // SAFETY: scratch has room for a chunk.
                unsafe {
                    let writer = room.writers[at].assume_init_mut();
                    let held = room.held[at].assume_init_mut();
                    let to = writer.open(scratch, held);
                    copy_runs(self.level, from, lane.source_step, to, run as isize, count, run);
                    writer.close(self.level, scratch, count * run, held);
                }
            }
        }
    }

    /// As [`Self::rows`], where rows are not whole lines.
    ///
    /// # Safety
    ///
    /// As [`Self::shards`].
    unsafe fn rows_by_scratch(
        &self, tile: &Tile, rows: Range<usize>, room: &mut Room, ahead: &mut Ahead,
    ) {
        let first = &tile.lanes()[0];
        let destination_at = |row: usize| first.destination_at(tile.rows.start + row);
        let scratch: *mut u8 = room.scratch.as_mut_ptr().cast();
        ahead.fetch(rows.len() * self.bytes / LINE);
        // SAFETY: scratch has room for a chunk, and there is a writer.
        unsafe {
            let writer = room.writers[0].assume_init_mut();
            let held = room.held[0].assume_init_mut();
            if self.gapless {
                writer.go_to(destination_at(rows.start), held);
                let to = writer.open(scratch, held);
                self.put_together(tile, rows.clone(), to, &room.sources, &mut room.destinations);
                writer.close(self.level, scratch, rows.len() * self.bytes, held);
                return;
            }
            self.put_together(tile, rows.clone(), scratch, &room.sources, &mut room.destinations);
            for (at, row) in rows.enumerate() {
                let from = scratch.add(at * self.bytes);
                stream(self.level, from, destination_at(row), self.bytes, Soon::NOTHING);
            }
        }
    }

    /// Puts some rows together, one behind the other.
    ///
    /// # Safety
    ///
    /// As [`Self::shards`]; there is room for them.
    unsafe fn put_together(
        &self, tile: &Tile, rows: Range<usize>, to: *mut u8, sources: &[MaybeUninit<*const u8>],
        destinations: &mut [MaybeUninit<*mut u8>],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            if self.elements {
                let item = self.bytes / tile.count;
                for (at, destination) in destinations[..rows.len()].iter_mut().enumerate() {
                    destination.write(to.wrapping_add(at * self.bytes));
                }
                let sources = written(&sources[..tile.count]);
                let destinations = written(&destinations[..rows.len()]);
                transpose(self.level, item, sources, rows.start * item, destinations, None);
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
