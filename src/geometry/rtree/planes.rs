//! The tree that a search for a point descends, in cache lines.
//!
//! Most partitions were made by cutting, and can be cut again: a plane that crosses none of some shards has
//! a part of them on its left and the others on its right, and only those on one side can have a point. Such
//! planes are a k-d tree. A line holds three levels of it: seven planes, and an exit from each of the eight
//! parts between them. An exit leads to another line, to a shard, or to shards that no plane parts. Their
//! boxes are in a summary ([`super::summary`]), from which a search goes on to all that may have the point.
//!
//! A million shards that were cut are seven lines deep, and a search compares no other box than that of the
//! shard at the end.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "numbers of lines and exits are the tree's own"
)]

use crate::geometry::steps;

/// Numbers of a point, of which a plane names one with three bits.
pub(super) const POINT_ROOM: usize = 8;
pub(super) const DIM_BITS: usize = 3;
/// Planes of a line, and the levels that they are.
pub(super) const PLANES: usize = 7;
const LEVELS: usize = 3;
/// Exits of a line.
pub(super) const EXITS: usize = 8;
/// Where the first word of a line has the dimensions of its planes, a bit for each exit that there is, and
/// whether all of these lead to lines, all to shards, or elsewhere. The number of the first line or shard is
/// before them, or that of the line's exits.
pub(super) const FIRST_DIM: usize = 32;
pub(super) const FIRST_EXIT: usize = FIRST_DIM + DIM_BITS * PLANES;
pub(super) const EXIT_KIND: usize = FIRST_EXIT + EXITS;
/// What a search visits, beside its number: a line, the place of a shard, one of the exits that lead
/// elsewhere, or a summary.
pub(super) const LINE: u64 = 0;
pub(super) const PLACE: u64 = 1 << KIND;
pub(super) const EXIT: u64 = 2 << KIND;
pub(super) const SUMMARY: u64 = 3 << KIND;
pub(super) const KIND: usize = 61;
pub(super) const NUMBER: u64 = PLACE - 1;

/// A cache line.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Line(pub(super) [u64; 8]);

/// The tree. Line 0 is its root.
#[derive(Debug, Default)]
pub(super) struct PointTree {
    /// A word, and seven planes: the last index on the left of each. Behind plane `n` are planes `2 * n + 1`
    /// and `2 * n + 2`.
    pub(super) lines: Vec<Line>,
    /// Where exits lead, of lines whose exits do not all lead to lines or all to shards.
    pub(super) exits: Vec<[u64; EXITS]>,
    /// One or two lines for each summary.
    pub(super) summaries: Vec<Line>,
}

impl PointTree {
    /// What a point gets to through a line.
    #[inline(always)]
    pub(super) fn step(&self, line: u64, point: &[i64; POINT_ROOM]) -> u64 {
        let words = &self.lines[line as usize].0;
        let (head, mut plane) = (words[0], 0);
        steps::count(LEVELS);
        for _ in 0..LEVELS {
            // Both are less than 8 as they are. With a remainder the compiler knows.
            let dim = (head >> (FIRST_DIM + DIM_BITS * plane)) as usize % POINT_ROOM;
            let is_right = point[dim] > words[(1 + plane) % words.len()] as i64;
            plane = 2 * plane + 1 + usize::from(is_right);
        }
        let exit = plane - PLANES;
        let (kind, first) = (head >> EXIT_KIND << KIND, u64::from(head as u32));
        if kind == EXIT {
            return EXIT + first * EXITS as u64 + exit as u64;
        }
        let before = (head >> FIRST_EXIT) as u8 & ((1 << exit) - 1);
        kind + first + u64::from(before.count_ones())
    }

    /// What an exit leads to.
    #[inline(always)]
    pub(super) fn behind(&self, exit: u64) -> u64 {
        self.exits[exit as usize / EXITS][exit as usize % EXITS]
    }
}
