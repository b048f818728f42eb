//! Short runs around the caches, tile by tile.
//!
//! A tile is some strips of memory on the source side (a strip is what one shard has of some rows
//! where shards are put together, and a row where they are taken apart) and what becomes of them: an
//! output for each row or for each shard, to which every strip gives a run. Where outputs are whole
//! lines they are put together in registers, else in scratch.
//!
//! Strips lie here and there, which is no pattern that a processor foresees. Left alone, each read
//! would wait for the memory, and the memory for each write. So the strips of the next tile are
//! fetched while a tile is copied, in the order in which they lie in memory.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tiles are cut to fit their room, and rows and bytes of a plan fit an address space"
)]

use std::mem::MaybeUninit;
use std::ops::Range;

use super::cpu::Level;
use super::lines::{Held, LINE, Soon, Writer, copy_runs, join_runs, joinable, stream};
use super::rows::{Lane, Lanes, MOST_LANES, Rows, transposable};
use super::transpose::transpose;
use super::vector::prefetch;
use crate::copy::Buffer;
use crate::copy::plan::Side;
use crate::copy::room::{written, written_mut};

/// Rows of a tile, at most.
const MOST_ROWS: usize = 512;
/// Bytes of a tile of rows that are taken apart.
const TILE: usize = 8 << 10;
/// Bytes that each shard is given of a tile, at least: some lines at a time.
const GIVEN: usize = 256;
/// Bytes that each shard gives to a tile: as far as it takes a processor to foresee the rest.
const TAKEN: usize = 512;
/// The same of single elements, of which fewer shards are in a tile.
const ELEMENTS_TAKEN: usize = 1 << 10;
/// Bytes of a row that are taken apart, or put together, at a time.
const ROW_TAKEN_APART: usize = 4 << 10;
const ELEMENTS_TAKEN_APART: usize = 1 << 10;
const ROW_PUT_TOGETHER: usize = 2 << 10;
/// Bytes of a row that are put together in registers at a time, and shards.
const LINES_PUT_TOGETHER: usize = 512;
const LANES_PUT_TOGETHER: usize = 16;
/// What is put together in scratch at a time, if it can be as little.
const CHUNK: usize = 1 << 10;
/// What is put together before it is written, lines that are held back included.
const SCRATCH: usize = 24 << 10;

/// What a thread's kernels work with, made when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Work {
    memory: Option<Buffer>,
    refused: bool,
}

impl Work {
    /// Whether there is memory to work with.
    pub(super) fn is_ready(&mut self) -> bool {
        if self.memory.is_none() && !self.refused {
            self.memory = Buffer::new(size_of::<Room>()).ok();
            self.refused = self.memory.is_none();
        }
        self.memory.is_some()
    }
}

/// What is in that memory.
#[repr(C, align(64))]
struct Room {
    scratch: [MaybeUninit<u8>; SCRATCH],
    /// One for each output of shards; the first one for rows.
    writers: [MaybeUninit<Writer>; MOST_LANES],
    held: [MaybeUninit<Held>; MOST_LANES],
    sources: [MaybeUninit<*const u8>; MOST_ROWS],
    destinations: [MaybeUninit<*mut u8>; MOST_ROWS],
}

/// Copies rows `units` of packed lanes around the caches.
///
/// # Safety
///
/// As `rows::copy`; `work` is ready.
pub(super) unsafe fn copy(rows: &Rows, units: Range<usize>, level: Level, work: &mut Work) {
    let Some(memory) = &work.memory else {
        return;
    };
    // SAFETY: a buffer is aligned to lines and large enough; nothing in it need be initialised, and
    // nobody else uses it meanwhile.
    let room = unsafe { &mut *memory.as_ptr().cast::<Room>() };
    let mut lanes = [MaybeUninit::uninit(); MOST_LANES];
    let first = rows.lanes(units.start / rows.in_a_turn(), &mut lanes);
    let group = Group::new(first, rows.side(), level);
    let writers = match group.side {
        Side::Source => first.len(),
        Side::Destination => 1,
    };
    for (writer, lane) in room.writers.iter_mut().zip(&first[..writers]) {
        writer.write(Writer::new(lane.destination_at(units.start % rows.in_a_turn())));
    }
    let (mut one, mut other) = (Tile::new(), Tile::new());
    let (mut here, mut next) = (&mut one, &mut other);
    let mut walk = Walk { rows, units, height: group.height };
    let mut goes_on = next.go_on(&mut walk);
    // SAFETY: rows of the caller's, each once; tiles are cut to fit the room.
    unsafe {
        while goes_on {
            std::mem::swap(&mut here, &mut next);
            goes_on = next.go_on(&mut walk);
            group.copy(here, goes_on.then_some(&*next), room);
        }
        for (writer, held) in room.writers[..writers].iter().zip(&room.held) {
            writer.assume_init_ref().finish(held.assume_init_ref());
        }
    }
}

/// The rows that are left.
struct Walk<'a> {
    rows: &'a Rows<'a>,
    units: Range<usize>,
    /// Rows of a tile.
    height: usize,
}

/// Some rows of one turn.
struct Tile {
    lanes: Lanes,
    count: usize,
    /// The turn that the lanes are those of.
    turn: Option<usize>,
    rows: Range<usize>,
}

impl Tile {
    fn new() -> Self {
        Self { lanes: [MaybeUninit::uninit(); MOST_LANES], count: 0, turn: None, rows: 0..0 }
    }

    /// The next rows, if there are any.
    fn go_on(&mut self, walk: &mut Walk) -> bool {
        let Range { start, end } = walk.units;
        if start == end {
            return false;
        }
        let in_a_turn = walk.rows.in_a_turn();
        let (turn, first) = (start / in_a_turn, start % in_a_turn);
        let last = in_a_turn.min(first + walk.height.min(end - start));
        if self.turn != Some(turn) {
            self.count = walk.rows.lanes(turn, &mut self.lanes).len();
            self.turn = Some(turn);
        }
        self.rows = first..last;
        walk.units.start += last - first;
        true
    }

    fn lanes(&self) -> &[Lane] {
        // SAFETY: as many were written.
        unsafe { written(&self.lanes[..self.count]) }
    }
}

/// Where a group of lanes ends that are copied together.
pub(super) fn end_of_group(lanes: &[Lane], side: Side) -> usize {
    let Lane { run, destination, destination_step, .. } = lanes[0];
    let same = lanes.iter().take_while(|lane| lane.run == run).count();
    let element = matches!(run, 1 | 2 | 4 | 8);
    let aligned = (destination.addr() | destination_step as usize).is_multiple_of(LINE);
    let most = match side {
        Side::Destination if aligned && element && same * run >= LINE => return LINE / run,
        Side::Destination if aligned && joinable(run) && same * run >= LINE => {
            let most = (LINES_PUT_TOGETHER / run).clamp(1, LANES_PUT_TOGETHER);
            let in_a_line = (LINE / run).max(1);
            return same.min(most) / in_a_line * in_a_line;
        }
        Side::Destination => ROW_PUT_TOGETHER,
        Side::Source if element => ELEMENTS_TAKEN_APART,
        Side::Source => ROW_TAKEN_APART,
    };
    let (mut end, mut bytes) = (0, 0);
    while end < lanes.len() && (end == 0 || bytes + lanes[end].run <= most) {
        bytes += lanes[end].run;
        end += 1;
    }
    end
}

/// The lines of the next tile that were not fetched yet.
pub(super) struct Ahead<'a> {
    group: &'a Group,
    tile: Option<&'a Tile>,
    strip: usize,
    /// What is left of the strip before that.
    next: *const u8,
    end: *const u8,
}

impl<'a> Ahead<'a> {
    fn new(group: &'a Group, tile: Option<&'a Tile>) -> Self {
        Self { group, tile, strip: 0, next: std::ptr::null(), end: std::ptr::null() }
    }

    /// Fetches as many, or all that are left.
    #[inline]
    pub(super) fn fetch(&mut self, lines: usize) {
        let Some(tile) = self.tile else {
            return;
        };
        for _ in 0..lines {
            if self.next >= self.end {
                if self.strip == self.group.strips(tile) {
                    self.tile = None;
                    return;
                }
                let Soon { place, bytes } = self.group.strip(tile, self.strip);
                self.next = place.wrapping_sub(place.addr() % LINE);
                self.end = place.wrapping_add(bytes);
                self.strip += 1;
            }
            prefetch(self.next);
            self.next = self.next.wrapping_add(LINE);
        }
    }
}

/// How a group of lanes is copied.
struct Group {
    side: Side,
    level: Level,
    /// The run that all lanes have, if they have one.
    run: Option<usize>,
    /// Whether these are elements to transpose.
    elements: bool,
    /// Bytes of a row.
    bytes: usize,
    /// Rows of a tile.
    height: usize,
    /// Whether rows follow each other in the full tensor without a gap.
    gapless: bool,
}

impl Group {
    fn new(lanes: &[Lane], side: Side, level: Level) -> Self {
        let bytes: usize = lanes.iter().map(|lane| lane.run).sum();
        let longest = lanes.iter().map(|lane| lane.run).max().unwrap_or(1);
        let run = lanes.iter().all(|lane| lane.run == longest).then_some(longest);
        let elements = run.is_some_and(|run| transposable(run, lanes.len(), MOST_ROWS));
        let step = match side {
            Side::Source => lanes[0].source_step,
            Side::Destination => lanes[0].destination_step,
        };
        let height = match side {
            Side::Source if elements && step.unsigned_abs() < 4 << 10 => TILE / bytes,
            Side::Source => (TILE / bytes).max(GIVEN / longest),
            Side::Destination if elements => ELEMENTS_TAKEN / longest,
            Side::Destination => TAKEN / longest,
        };
        // As many rows as make whole lines of each shard's, if all can be had.
        let lines = lanes.iter().map(|lane| LINE >> lane.run.trailing_zeros().min(6)).max();
        let height = height.next_multiple_of(lines.unwrap_or(1)).clamp(1, MOST_ROWS);
        Self { side, level, run, elements, bytes, height, gapless: step == bytes as isize }
    }

    /// Copies a tile, and fetches the next one meanwhile.
    ///
    /// # Safety
    ///
    /// It may be read and written.
    unsafe fn copy(&self, tile: &Tile, next: Option<&Tile>, room: &mut Room) {
        for (at, source) in room.sources[..self.strips(tile)].iter_mut().enumerate() {
            source.write(self.strip(tile, at).place);
        }
        let (all, of_a_chunk) = match self.side {
            Side::Source => (tile.count, self.lanes_of_a_chunk()),
            Side::Destination => (tile.rows.len(), self.rows_of_a_chunk()),
        };
        let mut ahead = Ahead::new(self, next);
        for first in (0..all).step_by(of_a_chunk) {
            let chunk = first..all.min(first + of_a_chunk);
            // SAFETY: a part of the caller's tile.
            unsafe {
                match self.side {
                    Side::Source if self.elements => self.columns(tile, chunk, room, &mut ahead),
                    Side::Source => self.shards(tile, chunk, room, &mut ahead),
                    Side::Destination => self.rows(tile, chunk, room, &mut ahead),
                }
            }
        }
        ahead.fetch(usize::MAX);
    }

    /// Strips of a tile.
    fn strips(&self, tile: &Tile) -> usize {
        match self.side {
            Side::Source => tile.rows.len(),
            Side::Destination => tile.count,
        }
    }

    /// Strip `at` of a tile.
    fn strip(&self, tile: &Tile, at: usize) -> Soon {
        let lane = |at: usize| &tile.lanes()[at];
        match self.side {
            Side::Source => {
                Soon { place: lane(0).source_at(tile.rows.start + at), bytes: self.bytes }
            }
            Side::Destination => {
                let place = lane(at).source_at(tile.rows.start);
                Soon { place, bytes: tile.rows.len() * lane(at).run }
            }
        }
    }

    /// Of elements, as many as one line of each source.
    fn rows_of_a_chunk(&self) -> usize {
        let most = (SCRATCH - 2 * LINE) / self.bytes;
        match self.run {
            Some(item) if self.elements => (LINE / item).min(most),
            _ => (CHUNK / self.bytes).min(most),
        }
        .max(1)
    }

    /// Of elements, as many as one line of each source.
    fn lanes_of_a_chunk(&self) -> usize {
        match self.run {
            Some(item) if self.elements => {
                (SCRATCH / self.room_of_lane(item)).clamp(1, LINE / item)
            }
            Some(run) => (CHUNK / (self.height * run)).max(1),
            None => 1,
        }
    }

    /// Bytes of scratch that a lane of elements is given.
    fn room_of_lane(&self, item: usize) -> usize {
        self.height * item + 2 * LINE
    }

    /// What a tile has of some lanes: elements.
    ///
    /// # Safety
    ///
    /// As [`Self::copy`]; so for all of these. The tile's sources are set.
    unsafe fn columns(&self, tile: &Tile, lanes: Range<usize>, room: &mut Room, ahead: &mut Ahead) {
        let (item, height) = (self.bytes / tile.count, tile.rows.len());
        let (len, of_lane) = (height * item, self.room_of_lane(item));
        let scratch: *mut u8 = room.scratch.as_mut_ptr().cast();
        // SAFETY: each lane has a writer; scratch has room for as many lanes as a chunk has.
        unsafe {
            let writers = written_mut(&mut room.writers[lanes.clone()]);
            let held = written_mut(&mut room.held[lanes.clone()]);
            let mut lines = len.is_multiple_of(LINE);
            for (at, writer) in writers.iter_mut().enumerate() {
                let lane = &tile.lanes()[lanes.start + at];
                writer.go_to(lane.destination_at(tile.rows.start), &held[at]);
                lines &= writer.is_at_line();
            }
            if !lines {
                ahead.fetch(len * lanes.len() / LINE);
            }
            for (at, writer) in writers.iter_mut().enumerate() {
                let to = if lines {
                    writer.next()
                } else {
                    writer.open(scratch.add(at * of_lane), &held[at])
                };
                room.destinations[at].write(to);
            }
            let sources = written(&room.sources[..height]);
            let destinations = written(&room.destinations[..lanes.len()]);
            let ahead = lines.then_some(ahead);
            transpose(self.level, item, sources, lanes.start * item, destinations, ahead);
            for (at, writer) in writers.iter_mut().enumerate() {
                if lines {
                    writer.skip_lines(len);
                } else {
                    writer.close(self.level, scratch.add(at * of_lane), len, &mut held[at]);
                }
            }
        }
    }

    /// What a tile has of some lanes: runs.
    ///
    /// # Safety
    ///
    /// As [`Self::columns`].
    unsafe fn shards(&self, tile: &Tile, lanes: Range<usize>, room: &mut Room, ahead: &mut Ahead) {
        let scratch: *mut u8 = room.scratch.as_mut_ptr().cast();
        let (height, first) = (tile.rows.len(), &tile.lanes()[0]);
        let of_a_chunk = |run: usize| (CHUNK / run).max(1);
        for at in lanes {
            let lane = &tile.lanes()[at];
            let (run, len) = (lane.run, height * lane.run);
            let offset = lane.source.addr().wrapping_sub(first.source.addr());
            // SAFETY: scratch has room for a lane.
            unsafe {
                let writer = room.writers[at].assume_init_mut();
                let held = room.held[at].assume_init_mut();
                writer.go_to(lane.destination_at(tile.rows.start), held);
                if writer.is_at_line() && joinable(run) && len.is_multiple_of(LINE) {
                    ahead.fetch(len / LINE);
                    let sources = written(&room.sources[..height]);
                    join_runs(self.level, sources, offset, run, writer.next());
                    writer.skip_lines(len);
                    continue;
                }
                for row in (0..height).step_by(of_a_chunk(run)) {
                    let count = of_a_chunk(run).min(height - row);
                    // Runs begin and end inside of lines.
                    ahead.fetch(count * run / LINE + count);
                    let from = lane.source_at(tile.rows.start + row);
                    let to = writer.open(scratch, held);
                    copy_runs(self.level, from, lane.source_step, to, run as isize, count, run);
                    writer.close(self.level, scratch, count * run, held);
                }
            }
        }
    }

    /// Some rows of a tile.
    ///
    /// # Safety
    ///
    /// As [`Self::columns`].
    unsafe fn rows(&self, tile: &Tile, rows: Range<usize>, room: &mut Room, ahead: &mut Ahead) {
        let first = &tile.lanes()[0];
        let destination_at = |row: usize| first.destination_at(tile.rows.start + row);
        let place = destination_at(rows.start).addr() | first.destination_step as usize;
        let lines = (place | self.bytes).is_multiple_of(LINE);
        // SAFETY: rows of the caller's.
        unsafe {
            let sources = written(&room.sources[..tile.count]);
            match self.run.filter(|_| lines) {
                Some(item) if self.elements => {
                    for (row, destination) in rows.clone().zip(&mut room.destinations) {
                        destination.write(destination_at(row));
                    }
                    let destinations = written(&room.destinations[..rows.len()]);
                    transpose(
                        self.level,
                        item,
                        sources,
                        rows.start * item,
                        destinations,
                        Some(ahead),
                    );
                }
                Some(run) if joinable(run) => {
                    for row in rows {
                        ahead.fetch(self.bytes / LINE);
                        join_runs(self.level, sources, row * run, run, destination_at(row));
                    }
                }
                _ => self.rows_by_scratch(tile, rows, room, ahead),
            }
        }
    }

    /// As [`Self::rows`], where rows are not whole lines.
    ///
    /// # Safety
    ///
    /// As [`Self::columns`].
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
    /// As [`Self::columns`]; there is room for them.
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
