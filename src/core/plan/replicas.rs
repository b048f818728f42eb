//! Choosing among sources that hold the same elements.
//!
//! What a destination shard wants is divided into parts that the same sources hold whole. Then each
//! part is given to one of them:
//!
//! - to a source with the same owner as the destination, if there is one: that is no transfer;
//! - else, the largest parts first, to the source whose owner reads least so far; of one owner's,
//!   to the shard that is read least; of equal ones, to the first.
//!
//! Reading a part is counted as its number of elements, for local parts too. So an owner reads at
//! most one part more than any other owner that could have read that part. Parts that are larger
//! than a fair share of what is left to choose, all of it divided by the number of owners that can
//! serve, are divided before, into as many parts as there are owners that hold them at most.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "numbers of owners and shards index arrays made for them; parts lie in a destination \
              shard, whose number of elements fits an i64"
)]

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::owners::Owners;
use super::pieces::{Pieces, no_source, numel_of};
use crate::core::bounds::Bounds;
use crate::core::cells::{self, Cell};
use crate::core::error::Result;
use crate::core::shards::{Placements, Shard, Shards};
use crate::core::validate;

/// Adds all pieces from source shards that may overlap.
pub(super) fn join(pieces: &mut Pieces, source: &Shards, destination: &Shards) -> Result<()> {
    let mut parts = Parts::new(source, destination)?;
    let chosen = parts.choose(&Owners::new(source, destination)).into_iter();
    let mut cells: Vec<Cell> = chosen
        .map(|(from, part)| Cell { holders: vec![part.destination, from], bounds: part.bounds })
        .collect();
    // What one source was given in parts may be one piece, and the order is the plan's.
    cells::merge(&mut cells);
    for Cell { holders, bounds } in cells {
        let (to, from) = (holders[0], holders[1]);
        if let (Some(from_shard), Some(to_shard)) =
            (source.get(from as usize), destination.get(to as usize))
        {
            pieces.push((from, from_shard), (to, to_shard), &bounds)?;
        }
    }
    Ok(())
}

/// A box that a destination shard wants, and the sources that hold it whole.
#[derive(Debug, Clone)]
struct Part {
    destination: u32,
    /// Which of [`Parts::holders`].
    holders: Range<usize>,
    bounds: Bounds,
}

impl Part {
    fn elements(&self) -> u128 {
        // Never negative.
        self.bounds.volume() as u128
    }
}

/// All that is wanted, in parts.
struct Parts {
    parts: Vec<Part>,
    holders: Vec<u32>,
}

impl Parts {
    fn new(source: &Shards, destination: &Shards) -> Result<Self> {
        let mut all = Self { parts: Vec::new(), holders: Vec::new() };
        let copies = Copies::new(source)?;
        for (number, shard) in (0u32..).zip(destination.iter()) {
            if shard.is_empty() {
                continue;
            }
            let needed = numel_of(number, shard)?;
            let first = all.parts.len();
            let found = match &copies {
                Some(copies) => all.take_copies(copies, number, shard)?,
                None => all.take_cells(source, number, shard)?,
            };
            let held: i64 = all.parts[first..].iter().map(|part| part.bounds.volume()).sum();
            if held < needed {
                return Err(no_source(source, &found, number, shard, false));
            }
        }
        if let Some(copies) = copies {
            all.holders = copies.members;
        }
        Ok(all)
    }

    /// The parts of a destination shard where sources are copies of each other or apart; answers the
    /// sources that it meets.
    fn take_copies(&mut self, copies: &Copies, number: u32, shard: Shard<'_>) -> Result<Vec<u32>> {
        let (mut found, mut sources) = (Vec::new(), Vec::new());
        copies.boxes.index()?.find_box(shard.offsets, shard.sizes, &mut found);
        let wanted = Bounds::new(shard.offsets, shard.sizes);
        for group in found {
            let holders = copies.members_of(group);
            sources.extend_from_slice(&copies.members[holders.clone()]);
            let bounds = Bounds::of(&copies.boxes, group as usize).common(&wanted);
            self.parts.push(Part { destination: number, holders, bounds });
        }
        Ok(sources)
    }

    /// The parts of a destination shard where sources overlap in any way.
    fn take_cells(&mut self, source: &Shards, number: u32, shard: Shard<'_>) -> Result<Vec<u32>> {
        let mut found = Vec::new();
        source.index()?.find_box(shard.offsets, shard.sizes, &mut found);
        let wanted = Bounds::new(shard.offsets, shard.sizes);
        for cell in cells::all(source, &found, wanted) {
            let start = self.holders.len();
            if cell.holders.is_empty() {
                continue;
            }
            self.holders.extend(cell.holders);
            let holders = start..self.holders.len();
            self.parts.push(Part { destination: number, holders, bounds: cell.bounds });
        }
        Ok(found)
    }

    /// Each part with its source.
    fn choose(&mut self, owners: &Owners<'_>) -> Vec<(u32, Part)> {
        let mut chosen = Vec::with_capacity(self.parts.len());
        let mut load = Load::new(owners);
        let mut open = Vec::new();
        for part in std::mem::take(&mut self.parts) {
            let holders = &self.holders[part.holders.clone()];
            let owner = owners.of_destination(part.destination);
            let local = holders.iter().copied().filter(|&shard| owners.of_source(shard) == owner);
            match load.least(local) {
                Some(source) => load.give(source, part, &mut chosen),
                None if holders.len() == 1 => load.give(holders[0], part, &mut chosen),
                None => open.push(part),
            }
        }
        let mut open = self.divide(open, owners);
        open.sort_by_key(|part| Reverse(part.elements()));
        for part in open {
            if let Some(source) = load.least(self.holders[part.holders.clone()].iter().copied()) {
                load.give(source, part, &mut chosen);
            }
        }
        chosen
    }

    /// Divides what is larger than a fair share.
    fn divide(&self, open: Vec<Part>, owners: &Owners<'_>) -> Vec<Part> {
        let owners_of = |part: &Part| -> HashSet<u32> {
            let holders = self.holders[part.holders.clone()].iter();
            holders.map(|&shard| owners.of_source(shard)).collect()
        };
        let readers: HashSet<u32> = open.iter().flat_map(owners_of).collect();
        let all: u128 = open.iter().map(Part::elements).sum();
        let share = (all / readers.len().max(1) as u128).max(1);
        let mut divided = Vec::with_capacity(open.len());
        for part in open {
            let shares = part.elements().div_ceil(share);
            if shares < 2 {
                divided.push(part);
                continue;
            }
            let count = shares.min(owners_of(&part).len() as u128) as i64;
            divide_in(part, count, &mut divided);
        }
        divided
    }
}

/// Divides a part in `count` of nearly the same size, along the first dimension that is long enough,
/// so that they stay as contiguous as they were, or else along the longest.
fn divide_in(part: Part, count: i64, divided: &mut Vec<Part>) {
    let lengths: Vec<i64> = part.bounds.lengths().collect();
    let long_enough = lengths.iter().position(|&length| length >= count);
    let longest = (0..lengths.len()).max_by_key(|&dim| lengths[dim]);
    let Some(dim) = long_enough.or(longest) else {
        divided.push(part);
        return;
    };
    let count = count.min(lengths[dim]);
    let (start, length) = (part.bounds.low[dim], i128::from(lengths[dim]));
    // At most the length, so it fits again.
    let border = |at: i64| start + (length * i128::from(at) / i128::from(count)) as i64;
    for at in 0..count {
        let mut bounds = part.bounds.clone();
        (bounds.low[dim], bounds.high[dim]) = (border(at), border(at + 1));
        divided.push(Part { bounds, ..part.clone() });
    }
}

/// How much is read from whom so far.
struct Load<'a> {
    owners: &'a Owners<'a>,
    of_owner: Vec<u128>,
    of_shard: HashMap<u32, u128>,
}

impl<'a> Load<'a> {
    fn new(owners: &'a Owners<'a>) -> Self {
        Self { owners, of_owner: vec![0; owners.count()], of_shard: HashMap::new() }
    }

    /// The source to read from next.
    fn least(&self, sources: impl Iterator<Item = u32>) -> Option<u32> {
        sources.min_by_key(|&source| {
            let shard = self.of_shard.get(&source).copied().unwrap_or(0);
            (self.of_owner[self.owners.of_source(source) as usize], shard, source)
        })
    }

    fn give(&mut self, source: u32, part: Part, chosen: &mut Vec<(u32, Part)>) {
        let elements = part.elements();
        self.of_owner[self.owners.of_source(source) as usize] += elements;
        *self.of_shard.entry(source).or_default() += elements;
        chosen.push((source, part));
    }
}

/// Sources of which each two have the same box or share nothing: the usual kind of replicas.
struct Copies {
    /// The different boxes.
    boxes: Shards,
    /// Where the members of each box end.
    ends: Vec<usize>,
    /// The shards with the first box, ascending, then those with the second, and so on.
    members: Vec<u32>,
}

impl Copies {
    /// `None` where sources overlap in other ways.
    fn new(source: &Shards) -> Result<Option<Self>> {
        let owning = (0u32..).zip(source.iter()).filter(|(_, shard)| !shard.is_empty());
        let mut members: Vec<u32> = owning.map(|(number, _)| number).collect();
        let box_of = |&number: &u32| {
            let row = number as usize * source.ndim()..(number as usize + 1) * source.ndim();
            (&source.offsets()[row.clone()], &source.sizes()[row])
        };
        members.sort_unstable_by_key(|number| (box_of(number), *number));
        let (mut offsets, mut sizes, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let mut placements = Vec::new();
        for group in members.chunk_by(|a, b| box_of(a) == box_of(b)) {
            offsets.extend_from_slice(box_of(&group[0]).0);
            sizes.extend_from_slice(box_of(&group[0]).1);
            ends.push(ends.last().copied().unwrap_or(0) + group.len());
            placements.extend(source.placements().get(group[0] as usize).cloned());
        }
        let placements = Arc::new(Placements::new(placements.into_iter())?);
        let boxes = Shards::new(source.ndim(), offsets, sizes, placements)?;
        let apart = validate::check_non_overlapping(&boxes).is_ok();
        Ok(apart.then_some(Self { boxes, ends, members }))
    }

    fn members_of(&self, group: u32) -> Range<usize> {
        let group = group as usize;
        let start = if group == 0 { 0 } else { self.ends[group - 1] };
        start..self.ends[group]
    }
}
