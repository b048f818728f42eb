//! Which destination shard of an owner is the first that holds an element.

#![allow(
    clippy::indexing_slicing,
    reason = "numbers of boxes index arrays made for them, and a run of equal boxes has one"
)]

use std::ops::{ControlFlow, Range};

use super::owners::Owners;
use crate::error::Result;
use crate::geometry::BoxList;
use crate::geometry::bounds::Bounds;
use crate::geometry::cells::{Cells, Cutter, Next, Only};
use crate::geometry::region::checked_numel;
use crate::geometry::rtree::{Index, build};
use crate::geometry::unfold::BoxRows;
use crate::memory::{self, Memory, TryVec};

/// Most boxes of the same owner that a box may meet. One that meets more is received whole.
const MAX_MEETING: usize = 256;
/// Most comparisons of a part of a box with such boxes.
const MAX_STEPS: u64 = 1 << 16;
/// The number of a cell that no earlier box holds.
const OWN: u64 = u64::MAX;

/// A box, and another one, as one number.
fn pack(row: u32, from: u32) -> u64 {
    u64::from(row) << 32 | u64::from(from)
}

fn unpack(number: u64) -> (u32, u32) {
    ((number >> 32) as u32, number as u32)
}

/// The boxes of destinations in parts: those that an earlier box of the same owner holds, and all others.
pub(super) struct FirstHeld {
    /// Whether a box shares anything with an earlier one.
    is_cut: Vec<bool>,
    /// Of these boxes the parts that no earlier one holds, each with the number of its box.
    own: Cells,
    /// The other parts, each with its box and the first one that holds it.
    copies: Cells,
}

impl FirstHeld {
    /// `None` where no boxes of one owner have anything in common.
    pub(super) fn find(rows: BoxRows<'_>, owners: &Owners<'_>) -> Result<Option<Self>> {
        let boxes = rows.boxes;
        let box_of = |row: u32| boxes.get(row as usize).map(|it| (it.offsets, it.sizes));
        // Those of an owner follow each other, and of these, equal ones.
        let mut order = boxes.not_empty()?;
        order.sort_unstable_by(|&a, &b| {
            let owners = owners.of_destination(a).cmp(&owners.of_destination(b));
            owners.then_with(|| box_of(a).cmp(&box_of(b))).then(a.cmp(&b))
        });
        let mut first = Self {
            is_cut: memory::try_filled(false, boxes.len())?,
            own: Cells::new(boxes.ndim()),
            copies: Cells::new(boxes.ndim()),
        };
        let mut parts = Cells::new(boxes.ndim());
        let mut any = false;
        for own in order.chunk_by(|&a, &b| owners.of_destination(a) == owners.of_destination(b)) {
            if own.len() == 1 {
                continue;
            }
            let equal = || own.chunk_by(|&a, &b| box_of(a) == box_of(b));
            let distinct = memory::try_collect(equal().map(|run| run[0]))?;
            let index = build(boxes.ndim(), distinct, boxes.offsets(), boxes.sizes())?;
            for run in equal() {
                parts.clear();
                let whole = Bounds::of(boxes, run[0] as usize);
                let cut = match earlier_meeting(&index, boxes, run[0])? {
                    Some(earlier) => cut_into(&mut parts, boxes, earlier, whole)?,
                    None => false,
                };
                if !cut {
                    parts.clear();
                    parts.push(OWN, &whole)?;
                }
                any |= cut || run.len() > 1;
                first.add(run, cut, &parts)?;
            }
        }
        first.own.merge()?;
        first.copies.merge()?;
        Ok(any.then_some(first))
    }

    /// Adds the parts of equal boxes.
    fn add(&mut self, run: &[u32], cut: bool, parts: &Cells) -> Memory<()> {
        for (at, &row) in run.iter().enumerate() {
            self.is_cut[row as usize] = cut || at > 0;
            for part in 0..parts.len() {
                let bounds = parts.bounds(part);
                match parts.number(part) {
                    OWN if at > 0 => self.copies.push(pack(row, run[0]), &bounds)?,
                    OWN if cut => self.own.push(u64::from(row), &bounds)?,
                    OWN => {}
                    from => self.copies.push(pack(row, from as u32), &bounds)?,
                }
            }
        }
        Ok(())
    }

    /// The shards of which anything is received.
    pub(super) fn wanted(&self, rows: BoxRows<'_>) -> Memory<Vec<u32>> {
        let received = |&row: &u32| !self.is_cut[row as usize] || !self.own_of(row).is_empty();
        // A list has no more boxes than a u32 counts.
        let received = (0..rows.boxes.len() as u32).filter(received);
        let mut wanted = memory::try_collect(received.map(|row| rows.extent_of(row)))?;
        wanted.dedup();
        Ok(wanted)
    }

    fn own_of(&self, row: u32) -> Range<usize> {
        self.own.of_number(u64::from(row))
    }

    /// The parts that are not received: the first box that holds each, the box that it is of, and where it
    /// is.
    pub(super) fn copies(&self) -> impl Iterator<Item = ([u32; 2], Bounds)> {
        (0..self.copies.len()).map(|cell| {
            let (row, from) = unpack(self.copies.number(cell));
            ([from, row], self.copies.bounds(cell))
        })
    }

    /// Calls `each` with what is received of a part of a box.
    pub(super) fn of_part(
        &self, row: u32, part: &Bounds, mut each: impl FnMut(&Bounds) -> Result<()>,
    ) -> Result<()> {
        if !self.is_cut[row as usize] {
            return each(part);
        }
        for own in self.own_of(row) {
            let common = self.own.bounds(own).common(part);
            if !common.is_empty() {
                each(&common)?;
            }
        }
        Ok(())
    }
}

/// The boxes of the same owner before a box that it meets. `None` where there are none, where there are
/// too many, or where its elements are more than 64 bits count.
fn earlier_meeting(index: &Index, boxes: &BoxList, row: u32) -> Memory<Option<Vec<u32>>> {
    let Some(one) = boxes.get(row as usize).filter(|one| checked_numel(one.sizes).is_some()) else {
        return Ok(None);
    };
    let (mut earlier, mut met, mut failure) = (Vec::new(), 0usize, Ok(()));
    index.visit_box(one.offsets, one.sizes, |other| {
        met = met.saturating_add(1);
        // A list has no more boxes than a u32 counts.
        let other = other as u32;
        if other < row {
            failure = earlier.try_push(other);
        }
        match failure.is_ok() && met <= MAX_MEETING {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    failure?;
    Ok((!earlier.is_empty() && met <= MAX_MEETING).then_some(earlier))
}

/// Cuts a box where earlier ones hold parts of it. Each part has the number of the first box that holds
/// it. `false` where that takes too long.
fn cut_into(parts: &mut Cells, boxes: &BoxList, earlier: Vec<u32>, whole: Bounds) -> Memory<bool> {
    let mut cutter = Cutter::new(boxes, earlier, whole, Only::All, MAX_STEPS)?;
    loop {
        match cutter.next()? {
            Next::Done => return Ok(true),
            Next::TooMany => return Ok(false),
            Next::Cell(bounds, holders) => {
                let first = holders.iter().min().map_or(OWN, |&first| u64::from(first));
                parts.push(first, &bounds)?;
            }
        }
    }
}
