//! Choosing among sources that hold the same elements.
//!
//! A destination shard is divided into parts that the same sources hold whole. Each part is then
//! read from one of them:
//!
//! - to a source with the same owner as the destination, if there is one: that is no transfer;
//! - else, where it is known which owners share a node, to a source on the node of the destination, if
//!   there is one;
//! - else to any source.
//!
//! Among several, the largest parts first, to the source whose owner reads least so far; of one owner's,
//! to the shard that is read least; of equal ones, to the first.
//!
//! Reading a part is counted as its number of elements, for local parts too. So an owner reads at
//! most one part more than any other owner that could have read that part. Parts larger than a fair
//! share (all elements that are left to assign, divided by the number of owners that can serve) are
//! divided before, into at most as many parts as owners hold them.
//!
//! Where parts come from: see [`super::parts`].

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "numbers of owners and shards index arrays made for them; parts lie in a destination \
              shard, whose number of elements fits an i64"
)]

use std::cmp::Reverse;

use super::first_held::FirstHeld;
use super::holders::Choice;
use super::owners::{HolderScope, NodeOf, Owners};
use super::parts::{PartBudget, WantedPart, WantedParts};
use super::pieces::Pieces;
use super::space::CommonSpace;
use crate::error::Result;
use crate::geometry::bounds::Bounds;
use crate::geometry::cells::Cells;
use crate::geometry::steps;
use crate::memory::{self, Memory, TryVec};
use crate::model::shards::Shards;

/// Adds all pieces from source shards that may overlap to the `wanted` destination shards, and of these
/// only what is `first` held by them.
pub(super) fn join(
    pieces: &mut Pieces, space: &CommonSpace<'_>, source: &Shards, destination: &Shards,
    (wanted, first): (Option<&[u32]>, Option<&FirstHeld>),
    (effort, node_of): (PartBudget, Option<NodeOf<'_>>),
) -> Result<()> {
    let owners = Owners::new(source, destination)?.on_nodes(node_of)?.of_rows(space.rows());
    let parts = WantedParts::new(space, (destination, wanted), &owners, effort)?;
    let mut chosen = Chooser::new(&owners, parts)?.choose()?;
    // Parts that are read from one source may be one piece, and the order is the plan's.
    chosen.merge()?;
    for cell in 0..chosen.len() {
        let (to, from) = unpack(chosen.number(cell));
        pieces.push_first(space.rows(), [from, to], &chosen.bounds(cell), first)?;
    }
    pieces.sort()
}

/// Destination and source as one number, in the order of pieces.
fn pack(destination: u32, source: u32) -> u64 {
    u64::from(destination) << 32 | u64::from(source)
}

fn unpack(number: u64) -> (u32, u32) {
    ((number >> 32) as u32, number as u32)
}

/// Gives each part to a source.
struct Chooser<'a> {
    owners: &'a Owners<'a>,
    parts: WantedParts,
    /// How much is read from each owner so far.
    load: Vec<u128>,
    chosen: Cells,
}

impl<'a> Chooser<'a> {
    fn new(owners: &'a Owners<'a>, parts: WantedParts) -> Memory<Self> {
        let (load, ndim) = (memory::try_filled(0, owners.count())?, parts.ndim());
        Ok(Self { owners, parts, load, chosen: Cells::new(ndim) })
    }

    /// Each part with its source.
    fn choose(mut self) -> Memory<Cells> {
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for part in self.parts.take() {
            let owner = self.owners.of_destination(part.destination);
            let local = self.parts.holders.least_of_owner(part.holders, owner);
            match local.or_else(|| self.parts.holders.only(part.holders)) {
                Some(choice) => self.give(choice, &part)?,
                None if self.is_near(&part) => near.try_push(part)?,
                None => far.try_push(part)?,
            }
        }
        self.assign(near, true)?;
        self.assign(far, false)?;
        Ok(self.chosen)
    }

    /// Whether a source on the node of the destination holds a part.
    fn is_near(&self, part: &WantedPart) -> bool {
        self.owners.have_nodes() && self.parts.holders.are_in(part.holders, self.scope(part, true))
    }

    /// The holders that a part may be given to.
    fn scope(&self, part: &WantedPart, near: bool) -> HolderScope {
        match near {
            true => {
                HolderScope::Node(self.owners.node_of(self.owners.of_destination(part.destination)))
            }
            false => HolderScope::Everywhere,
        }
    }

    /// Gives parts with several holders to those that are read least.
    fn assign(&mut self, open: Vec<WantedPart>, near: bool) -> Memory<()> {
        let open = self.divide(open, near)?;
        let mut order: Vec<u32> = memory::try_collect(0..open.len() as u32)?;
        order.sort_unstable_by_key(|&at| (Reverse(open[at as usize].elements()), at));
        for at in order {
            let part = &open[at as usize];
            let scope = self.scope(part, near);
            if let Some(choice) = self.parts.holders.least(part.holders, scope, &self.load) {
                self.give(choice, part)?;
            }
        }
        Ok(())
    }

    fn give(&mut self, choice: Choice, part: &WantedPart) -> Memory<()> {
        let elements = part.elements();
        self.load[self.owners.of_source(choice.source) as usize] += elements;
        self.parts.holders.read(choice, elements);
        self.chosen.push(pack(part.destination, choice.source), &self.parts.bounds(part))
    }

    /// Divides what is larger than a fair share.
    fn divide(&mut self, open: Vec<WantedPart>, near: bool) -> Memory<Vec<WantedPart>> {
        let mut readers = memory::try_filled(false, self.owners.count())?;
        let mut reader_count = 0u128;
        let mut all = 0u128;
        for part in &open {
            all += part.elements();
            let scope = self.scope(part, near);
            self.parts.holders.visit_owners(part.holders, scope, &mut |owner| {
                let reads = &mut readers[owner as usize];
                reader_count += u128::from(!*reads);
                *reads = true;
            });
        }
        let share = (all / reader_count.max(1)).max(1);
        let mut divided = memory::try_with_capacity(open.len())?;
        for part in open {
            let shares = part.elements().div_ceil(share);
            if shares < 2 {
                divided.try_push(part)?;
                continue;
            }
            let limit = usize::try_from(shares).unwrap_or(usize::MAX);
            let scope = self.scope(&part, near);
            let count = self.parts.holders.owner_count(part.holders, scope, limit)?;
            self.divide_in(part, count as i64, &mut divided)?;
        }
        Ok(divided)
    }

    /// Divides a part in `count` of nearly the same size, along the first dimension that is long
    /// enough, so that they stay as contiguous as they were, or else along the longest.
    fn divide_in(
        &mut self, part: WantedPart, count: i64, divided: &mut Vec<WantedPart>,
    ) -> Memory<()> {
        let whole = self.parts.bounds(&part);
        let long_enough = whole.lengths().position(|length| length >= count);
        let longest = whole.lengths().enumerate().max_by_key(|(_, length)| *length);
        let Some(dim) = long_enough.or(longest.map(|(dim, _)| dim)) else {
            return divided.try_push(part);
        };
        let (start, length) = (whole.low()[dim], whole.high()[dim] - whole.low()[dim]);
        let count = count.min(length);
        // At most the length, so it fits again.
        let border =
            |at: i64| start + (i128::from(length) * i128::from(at) / i128::from(count)) as i64;
        steps::count(count as usize);
        for at in 0..count {
            let mut bounds: Bounds = whole;
            bounds.low_mut()[dim] = border(at);
            bounds.high_mut()[dim] = border(at + 1);
            let part = self.parts.place(part.destination, part.holders, &bounds)?;
            divided.try_push(part)?;
        }
        Ok(())
    }
}
