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

mod ahead;
mod group;
mod output;

use std::mem::MaybeUninit;
use std::ops::Range;

use super::cpu::Level;
use super::rows::{self, Lane, Lanes, MAX_LANES, Rows};
use super::writer::{Held, Writer};
use crate::host::copy_list::Side;
use crate::host::room::written;
use crate::memory::Buffer;
pub(super) use ahead::Ahead;
use group::Group;

/// Rows of a tile, at most.
const MAX_ROWS: usize = 512;
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
    writers: [MaybeUninit<Writer>; MAX_LANES],
    held: [MaybeUninit<Held>; MAX_LANES],
    /// How many of them the present group has.
    written: usize,
    sources: [MaybeUninit<*const u8>; MAX_ROWS],
    destinations: [MaybeUninit<*mut u8>; MAX_ROWS],
}

impl Room {
    /// Writes what the last group's writers hold, and makes those of a tile's group.
    ///
    /// # Safety
    ///
    /// What they hold may be written.
    unsafe fn begin(&mut self, tile: &Tile) {
        // SAFETY: the caller's promise.
        unsafe { self.finish() };
        self.written = match tile.group.side {
            Side::Source => tile.count,
            Side::Destination => 1,
        };
        let outputs = self.writers.iter_mut().zip(&mut self.held);
        for ((writer, held), lane) in outputs.zip(&tile.lanes()[..self.written]) {
            writer.write(Writer::new(lane.destination_at(tile.rows.start)));
            held.write(Held::NOTHING);
        }
    }

    /// Writes what writers hold.
    ///
    /// # Safety
    ///
    /// It may be written.
    unsafe fn finish(&mut self) {
        for (writer, held) in self.writers[..self.written].iter().zip(&self.held) {
            // SAFETY: as many writers were made; what they don't hold is not looked at.
            unsafe { writer.assume_init_ref().finish(held.assume_init_ref()) };
        }
        self.written = 0;
    }
}

/// Copies rows `units` of the first lanes around the caches, as many as tiles are for; their number.
///
/// # Safety
///
/// As `rows::copy`; `work` is ready.
pub(super) unsafe fn copy(
    rows: &Rows, units: Range<usize>, level: Level, work: &mut Work,
) -> usize {
    let Some(memory) = &work.memory else {
        return 0;
    };
    // SAFETY: a buffer is aligned to lines and large enough; nothing in it need be initialised but
    // one number, and nobody else uses it meanwhile.
    let room = unsafe {
        let room = memory.as_ptr().cast::<Room>();
        (&raw mut (*room).written).write(0);
        &mut *room
    };
    let mut lanes = [[MaybeUninit::uninit(); MAX_LANES]; 2];
    let [one, other] = &mut lanes;
    let (mut one, mut other) = (Tile::new(level, one), Tile::new(level, other));
    let (mut here, mut next) = (&mut one, &mut other);
    let mut walk = Walk { rows, row: units.end, units, first: 0, count: 0, group: here.group };
    let mut goes_on = next.go_on(&mut walk);
    // SAFETY: rows of the caller's, each once; tiles are cut to fit the room.
    unsafe {
        while goes_on {
            let number = here.first;
            std::mem::swap(&mut here, &mut next);
            goes_on = next.go_on(&mut walk);
            if here.first != number {
                room.begin(here);
            }
            here.group.copy(here, goes_on.then_some(&*next), room);
        }
        room.finish();
    }
    walk.first
}

/// What is left: the rest of a group's rows, and then other groups.
struct Walk<'a> {
    rows: &'a Rows<'a>,
    units: Range<usize>,
    /// The group: its first lane, their number, and the next of its rows.
    first: usize,
    count: usize,
    row: usize,
    group: Group,
}

/// Some rows of one turn.
struct Tile<'a> {
    group: Group,
    /// Which lane is the group's first.
    first: usize,
    /// Apart: moving them about would take as much stack again.
    lanes: &'a mut Lanes,
    count: usize,
    /// The turn that the lanes are those of.
    turn: Option<usize>,
    rows: Range<usize>,
}

impl<'a> Tile<'a> {
    fn new(level: Level, lanes: &'a mut Lanes) -> Self {
        let group = Group::none(level);
        Self { group, first: usize::MAX, lanes, count: 0, turn: None, rows: 0..0 }
    }

    /// The next rows, if there are any.
    fn go_on(&mut self, walk: &mut Walk) -> bool {
        if walk.row == walk.units.end && !self.go_to_next_group(walk) {
            return false;
        }
        let in_a_turn = walk.rows.in_a_turn();
        let (turn, first) = (walk.row / in_a_turn, walk.row % in_a_turn);
        let last = in_a_turn.min(first + walk.group.height.min(walk.units.end - walk.row));
        if self.first != walk.first || self.turn != Some(turn) {
            let group = walk.rows.part(walk.first..walk.first + walk.count);
            self.count = group.lanes(turn, self.lanes).len();
            (self.first, self.turn, self.group) = (walk.first, Some(turn), walk.group);
        }
        self.rows = first..last;
        walk.row += last - first;
        true
    }

    /// Whether there is another group; the tile is that group's then, and its lanes are to be set.
    fn go_to_next_group(&mut self, walk: &mut Walk) -> bool {
        walk.first += walk.count;
        walk.count = 0;
        let all = walk.rows.lane_count();
        if walk.first == all || walk.units.is_empty() {
            return false;
        }
        self.turn = None;
        let rest = walk.rows.part(walk.first..all);
        let lanes = rest.lanes(walk.units.start / rest.in_a_turn(), self.lanes);
        let side = rest.side();
        if !rows::are_for_tiles(lanes, side) {
            return false;
        }
        walk.count = group::end(lanes, side);
        walk.group = Group::new(&lanes[..walk.count], side, walk.group.level);
        walk.row = walk.units.start;
        true
    }

    fn lanes(&self) -> &[Lane] {
        // SAFETY: as many were written.
        unsafe { written(&self.lanes[..self.count]) }
    }
}
